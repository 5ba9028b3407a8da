//! Everything that outlives a restart: the queue's and the session's records, in one
//! sled database behind one committer thread. Knows what a record's bytes are worth,
//! never what they mean (but for [`queue`]).
//!
//! - A change is a [`Batch`]: all of it becomes durable, or nothing. [`Store::commit`]
//!   resolves after the fdatasync.
//! - Reads see what the committer has applied, a moment before it is durable. What is
//!   written on the strength of a read is applied after it, so no crash keeps the one
//!   without the other.
//! - An idle store writes nothing and syncs nothing.
//! - Refuse, never reset: see [`OpenError`] and [`Quarantined`].

mod backend;
mod batch;
mod chunks;
mod committer;
pub(crate) mod convert;
mod creation;
mod error;
#[cfg(any(test, feature = "sim"))]
mod fault_injection;
pub mod feed;
mod fingerprint;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod hang;
mod journal;
mod journaled;
pub mod maintenance;
mod opening;
pub mod queue;
mod record;
mod record_sum;
mod replacement;
mod reserve;
mod safety_copy;
mod seal;
mod state_dir;
mod stored;
#[cfg(test)]
pub(crate) mod tests;
mod verify;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::{JoinHandle, Thread};

use tokio::sync::{mpsc, oneshot, watch};

pub use batch::Batch;
pub use chunks::{Scan, View};
pub use error::{BackendError, CommitError, Failure, OpenError, ReadError, UpdateError};
#[cfg(any(test, feature = "sim"))]
pub use fault_injection::{InjectedFault, VARIABLE as FAULT_VARIABLE};
pub use record::{CHUNK_BYTES, Damage, FORMAT, KEY_BYTES_MAX, VALUE_BYTES_MAX};
pub use seal::SealKey;
pub use tetherd_state::KeyFileError;
pub use verify::{QUARANTINE_MAX, QUARANTINE_TOTAL_MAX, Quarantined};

#[cfg(test)]
pub(crate) use tests::fixture;

use backend::{Backend, Locked, Sled};
use committer::{Committer, JOBS_MAX, Place, Prepare, Shared};
use fingerprint::Kept;
use hang::Progress;
use journaled::Journaled;
use reserve::Reserve;
use safety_copy::SafetyCopy;
use seal::{Fit, Sealing};
use state_dir::{Confirmed, StateDir};
use verify::{Purpose, Verified};

/// The store. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    /// None once closed.
    open: RwLock<Option<Open>>,
    committer: Mutex<Option<JoinHandle<()>>>,
    shared: Arc<Shared>,
    failed: watch::Receiver<Option<Failure>>,
    quarantined: Vec<Quarantined>,
    opened_at: u64,
    sealed: bool,
    reserve: Arc<Reserve>,
}

struct Open {
    backend: Arc<dyn Backend>,
    jobs: mpsc::Sender<Prepare>,
    place: Place,
    waker: Thread,
}

/// Where a change is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// The committer's thread.
    Committer,
    /// The calling thread, if nobody writes now.
    Caller,
}

/// How much work the committer has done since the store was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Changes answered as durable.
    pub commits: u64,
    /// Syncs that it took.
    pub syncs: u64,
}

impl Store {
    /// Opens the store in this state directory, creating both if they are missing.
    /// Blocks: it reads and verifies every record.
    pub fn open(dir: &Path) -> Result<Store, OpenError> {
        Store::open_with(dir, None)
    }

    /// Makes a change durable. It is handed over by the call itself: dropping the
    /// future does not take it back (unless a thousand others wait before it, when a
    /// dropped future may mean that nothing is written).
    pub fn commit(
        &self,
        batch: Batch,
    ) -> impl Future<Output = Result<(), CommitError>> + Send + use<> {
        let update = self.update(move |_| Ok((batch, ())));
        async move {
            match update.await {
                Ok(()) => Ok(()),
                Err(UpdateError::Commit(error)) => Err(error),
                Err(UpdateError::Read(_)) => Err(CommitError::OutcomeUnknown),
            }
        }
    }

    /// Reads, decides and writes as one step that no other change comes between:
    /// `change` runs where it is written and must be quick. Handed over by the
    /// call itself, like [`Store::commit`].
    pub fn update<T, F>(
        &self,
        change: F,
    ) -> impl Future<Output = Result<T, UpdateError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&View<'_>) -> Result<(Batch, T), ReadError> + Send + 'static,
    {
        self.update_by(By::Committer, change)
    }

    /// The same, on the calling thread if nobody writes now: it waits for the disk, and for
    /// no other thread. Not for a thread on which others depend in the meantime.
    pub fn update_here<T, F>(
        &self,
        change: F,
    ) -> impl Future<Output = Result<T, UpdateError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&View<'_>) -> Result<(Batch, T), ReadError> + Send + 'static,
    {
        self.update_by(By::Caller, change)
    }

    fn update_by<T, F>(
        &self,
        by: By,
        change: F,
    ) -> impl Future<Output = Result<T, UpdateError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&View<'_>) -> Result<(Batch, T), ReadError> + Send + 'static,
    {
        let (sender, answer) = oneshot::channel();
        let prepare: Prepare = Box::new(move |view| match change(view) {
            Ok((batch, value)) => (
                batch,
                Box::new(move |result| {
                    let _ = sender.send(result.map(|()| value).map_err(UpdateError::from));
                }),
            ),
            Err(error) => (
                Batch::new(),
                Box::new(move |_| {
                    let _ = sender.send(Err(error.into()));
                }),
            ),
        });
        let handed = self.hand_over(prepare, by);
        let mut failed = self.failed();
        async move {
            match handed {
                Handed::Over => {}
                Handed::Refused(error) => return Err(error.into()),
                Handed::Full(jobs, waker, job) => {
                    jobs.send(job).await.map_err(|_| CommitError::Closed)?;
                    waker.unpark();
                }
            }
            // A committer that hangs answers nobody.
            tokio::select! {
                biased;
                answer = answer => answer.unwrap_or(Err(CommitError::OutcomeUnknown.into())),
                _ = failed.wait_for(Option::is_some) => Err(CommitError::OutcomeUnknown.into()),
            }
        }
    }

    fn hand_over(&self, prepare: Prepare, by: By) -> Handed {
        if self.inner.failed.borrow().is_some() {
            return Handed::Refused(CommitError::OutcomeUnknown);
        }
        let open = self.inner.open.read().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = open.as_ref() else { return Handed::Refused(CommitError::Closed) };
        match open.jobs.try_send(prepare) {
            Ok(()) => {
                if by == By::Committer || !committer::write_here(&open.place) {
                    open.waker.unpark();
                }
                Handed::Over
            }
            Err(mpsc::error::TrySendError::Full(job)) => {
                Handed::Full(open.jobs.clone(), open.waker.clone(), job)
            }
            // Its receiver goes away early only when it fails.
            Err(mpsc::error::TrySendError::Closed(_)) => {
                Handed::Refused(CommitError::OutcomeUnknown)
            }
        }
    }

    /// The value of a record, verified.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        let backend = self.inner.backend().ok_or(ReadError::Closed)?;
        chunks::read(backend.as_ref(), key)
    }

    /// All records whose keys begin so, in the order of their keys. A change made
    /// meanwhile may show in part; each value is whole.
    pub fn scan(&self, prefix: &[u8]) -> Scan {
        self.inner.backend().map_or_else(Scan::closed, |backend| Scan::new(backend, prefix))
    }

    /// The keys of all records that begin so, in their order. Does not look at the values.
    fn keys(
        &self,
        prefix: &[u8],
    ) -> Result<impl Iterator<Item = Result<Vec<u8>, ReadError>> + use<>, ReadError> {
        let backend = self.inner.backend().ok_or(ReadError::Closed)?;
        Ok(backend.scan(&record::record_key(prefix)).map(|pair| Ok(pair?.0.split_off(1))))
    }

    /// Holds the failure once the store has failed for good. From then on every
    /// commit answers [`CommitError::OutcomeUnknown`]; only a new process, which
    /// reads what the disk holds, may go on.
    pub fn failed(&self) -> watch::Receiver<Option<Failure>> {
        self.inner.failed.clone()
    }

    /// Whether the disk has no room for new messages. What makes room is still written.
    pub fn disk_full(&self) -> watch::Receiver<bool> {
        self.inner.reserve.full()
    }

    /// Looks whether a full disk has room again. Blocks for a moment.
    pub fn look_for_room(&self) {
        self.inner.reserve.look();
    }

    /// What was quarantined when the store was opened.
    pub fn quarantined(&self) -> &[Quarantined] {
        &self.inner.quarantined
    }

    /// The last number that a change had been given when the store was opened.
    pub(crate) fn opened_at(&self) -> u64 {
        self.inner.opened_at
    }

    /// Whether a record of this key was ever quarantined.
    pub(crate) fn has_quarantined(&self, key: &[u8]) -> Result<bool, ReadError> {
        let backend = self.inner.backend().ok_or(ReadError::Closed)?;
        let quarantined = record::tagged(record::TAG_QUARANTINE, &record::record_key(key));
        Ok(backend.get(&quarantined)?.is_some())
    }

    /// Whether the session's secrets lie there encrypted.
    pub fn is_sealed(&self) -> bool {
        self.inner.sealed
    }

    /// The committer's counters.
    pub fn stats(&self) -> Stats {
        Stats {
            commits: self.inner.shared.commits.load(Ordering::Relaxed),
            syncs: self.inner.shared.syncs.load(Ordering::Relaxed),
        }
    }

    /// Makes the next write or sync go so.
    #[cfg(any(test, feature = "sim"))]
    pub fn inject(&self, fault: InjectedFault) {
        self.inner.shared.faults.inject(fault, 0);
    }

    /// Makes a write or sync go so after this many that go well.
    #[cfg(any(test, feature = "sim"))]
    pub fn inject_after(&self, fault: InjectedFault, good: u32) {
        self.inner.shared.faults.inject(fault, good);
    }

    /// Finishes what was handed over, closes the database and releases the lock.
    /// Blocks. Other clones answer that the store is closed.
    pub fn close(self) {
        self.inner.close();
    }
}

enum Handed {
    Over,
    Refused(CommitError),
    Full(mpsc::Sender<Prepare>, Thread, Prepare),
}

impl Inner {
    fn backend(&self) -> Option<Arc<dyn Backend>> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.as_ref().map(|open| Arc::clone(&open.backend))
    }

    fn close(&self) {
        let open = self.open.write().unwrap_or_else(PoisonError::into_inner).take();
        self.shared.closing.store(true, Ordering::Release);
        if let Some(open) = &open {
            open.waker.unpark();
        }
        let thread = lock(&self.committer).take();
        // One that hangs would be waited for in vain.
        if let Some(thread) = thread.filter(|_| self.failed.borrow().is_none())
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
