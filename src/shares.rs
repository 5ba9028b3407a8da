//! Fair shares of a bounded resource: so much in all, so much for one user. Whoever wants
//! more than is free waits; nobody's waiting holds up another user whose share is free.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A resource that is counted in units: bytes, threads.
#[derive(Clone, Debug)]
pub(crate) struct Shares {
    all: Arc<Semaphore>,
    per_user: u32,
    /// Of users who hold or wait for something.
    users: Arc<Mutex<HashMap<u32, Arc<Semaphore>>>>,
}

/// A part of the resource; given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    _of_all: OwnedSemaphorePermit,
    _of_user: OwnedSemaphorePermit,
}

impl Shares {
    /// So many units in all, and at most so many for one user.
    pub(crate) fn new(all: u32, per_user: u32) -> Shares {
        let all = Arc::new(Semaphore::new(units(all)));
        Shares { all, per_user, users: Arc::default() }
    }

    /// Waits for this many units, and at most for a user's whole share. None: never, since
    /// the semaphores are never closed.
    pub(crate) async fn take(&self, uid: u32, wanted: u32) -> Option<Share> {
        let wanted = wanted.min(self.per_user);
        let user = self.user(uid);
        let of_user = user.acquire_many_owned(wanted).await.ok()?;
        let of_all = Arc::clone(&self.all).acquire_many_owned(wanted).await.ok()?;
        Some(Share { _of_all: of_all, _of_user: of_user })
    }

    /// Units that this user holds.
    #[cfg(test)]
    pub(crate) fn held_by(&self, uid: u32) -> u32 {
        let free = u32::try_from(self.user(uid).available_permits()).unwrap();
        self.per_user - free
    }

    /// A user's semaphore; those that nobody holds or waits for are forgotten.
    fn user(&self, uid: u32) -> Arc<Semaphore> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
        let new = || Arc::new(Semaphore::new(units(self.per_user)));
        Arc::clone(users.entry(uid).or_insert_with(new))
    }
}

fn units(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_user_waits_for_their_own_share_while_another_takes_theirs() {
        let shares = Shares::new(4, 2);
        let first = shares.take(1, 1).await.unwrap();
        let _second = shares.take(1, 1).await.unwrap();
        assert!(shares.take(1, 1).now_or_never().is_none());
        let _other = shares.take(2, 2).now_or_never().unwrap().unwrap();
        assert!(shares.take(3, 1).now_or_never().is_none(), "all four are taken");
        drop(first);
        assert!(shares.take(3, 1).now_or_never().is_some());
    }

    #[tokio::test]
    async fn more_than_a_share_is_taken_as_a_whole_share() {
        let shares = Shares::new(4, 2);
        let _all = shares.take(1, 100).now_or_never().unwrap().unwrap();
        assert!(shares.take(1, 1).now_or_never().is_none());
    }

    #[tokio::test]
    async fn users_who_hold_nothing_are_forgotten() {
        let shares = Shares::new(4, 2);
        for uid in 0..1_000 {
            drop(shares.take(uid, 1).await);
        }
        assert_eq!(shares.users.lock().unwrap().len(), 1);
    }
}
