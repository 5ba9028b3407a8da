//! Turns of users: one who writes many requests at once takes them one at a time while others ask,
//! too, and is not held up while nobody else does. Never looks into a request.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::shares::Shares;
use tetherd_api::CONNECTIONS_MAX;

/// For so long after a request its user counts as one who asks.
const ASKS_FOR: Duration = Duration::from_secs(1);
/// [`CONNECTIONS_MAX`], as shares are counted: each user with a connection may have a turn.
const USERS_MAX: u32 = 64;

const _: () = assert!(USERS_MAX as usize == CONNECTIONS_MAX);

/// Whose turn it is.
#[derive(Debug)]
pub(crate) struct Turns {
    /// A user has one at a time.
    turns: Shares,
    asked: Mutex<Asked>,
}

/// When a user asked.
type At = Option<(u32, Instant)>;

#[derive(Debug, Default)]
struct Asked {
    last: At,
    /// The last of another user than that one.
    other: At,
}

impl Default for Turns {
    fn default() -> Turns {
        Turns { turns: Shares::new(USERS_MAX, 1), asked: Mutex::default() }
    }
}

impl Turns {
    /// A request of this user has come.
    pub(crate) fn asked(&self, uid: u32) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.last.is_some_and(|(last, _)| last != uid) {
            asked.other = asked.last;
        }
        asked.last = Some((uid, Instant::now()));
    }

    /// Before the next of several requests that a connection has written: returns once whoever
    /// else can go on has. Of a user's connections that wait here one goes on at a time.
    pub(crate) async fn wait(&self, uid: u32) {
        if self.others_ask(uid) {
            let _turn = self.turns.take(uid, 1).await;
            tokio::task::yield_now().await;
        }
    }

    fn others_ask(&self, uid: u32) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let mut times = [asked.last, asked.other].into_iter().flatten();
        times.any(|(user, at)| user != uid && at.elapsed() < ASKS_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn others_ask_for_a_second_after_a_request_of_theirs() {
        let turns = Turns::default();
        assert!(!turns.others_ask(1));
        turns.asked(1);
        assert!(!turns.others_ask(1), "the only one");
        turns.asked(2);
        assert!(turns.others_ask(1) && turns.others_ask(2) && turns.others_ask(3));
        tokio::time::advance(ASKS_FOR / 2).await;
        turns.asked(1);
        turns.asked(1);
        assert!(turns.others_ask(1), "the other asked half a second ago");
        tokio::time::advance(ASKS_FOR / 2).await;
        assert!(!turns.others_ask(1) && turns.others_ask(2));
    }
}
