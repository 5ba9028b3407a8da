//! What writes: gathers what waits, applies each change atomically, syncs once for all of
//! them, then answers. One at a time, on the committer's thread, or on the caller's where that
//! saves two changes of threads. After a failed write or sync nothing is ever written, synced or
//! closed again: the kernel may have dropped the data and report the next sync as good.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, watch};

use super::backend::{Backend, let_timers_be_late};
use super::batch::Batch;
use super::chunks::{View, check, expand};
use super::error::{BackendError, CommitError, Failure};
#[cfg(any(test, feature = "sim"))]
use super::fault_injection::Faults;
use super::hang::Progress;
use super::record::sequence_entry;
use super::record_sum::RecordSum;
use super::reserve::Reserve;
use super::state_dir::Confirmed;

/// Most changes that wait for the committer.
pub(super) const JOBS_MAX: usize = 1_024;
/// Most changes that share one sync.
const GROUP_JOBS_MAX: usize = 256;

/// Called once with how it went. Dropped without a call: the outcome is unknown.
pub(super) type Finish = Box<dyn FnOnce(Result<(), CommitError>) + Send>;
/// Reads the store as it is then, and returns what to change.
pub(super) type Prepare = Box<dyn FnOnce(&View<'_>) -> (Batch, Finish) + Send>;

/// Shared with the store's handles.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Take no more, finish what waits, end.
    pub(super) closing: AtomicBool,
    /// Changes made durable.
    pub(super) commits: AtomicU64,
    /// Syncs that it took.
    pub(super) syncs: AtomicU64,
    #[cfg(any(test, feature = "sim"))]
    pub(super) faults: Faults,
}

/// Whoever holds the lock writes. None once nothing is written any more.
pub(super) type Place = Arc<Mutex<Option<Committer>>>;

pub(super) struct Committer {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) jobs: mpsc::Receiver<Prepare>,
    pub(super) shared: Arc<Shared>,
    pub(super) progress: Arc<Progress>,
    pub(super) reserve: Arc<Reserve>,
    pub(super) failed: watch::Sender<Option<Failure>>,
    /// The last number that a change was given. Each change takes one at least.
    pub(super) sequence: u64,
    /// Over all records, after that change.
    pub(super) sum: RecordSum,
    pub(super) confirmed: Confirmed,
}

/// What has become of the changes that waited.
enum Done {
    /// They are on disk.
    All,
    /// They are, and what can wait for the thread is due.
    Untidy,
    /// Nothing is written any more.
    Ended,
}

/// The committer's thread: works whenever it is unparked, until the store closes or fails.
pub(super) fn run(place: &Place) {
    let_timers_be_late();
    loop {
        let mut held = place.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(committer) = held.as_mut() else { return };
        if !committer.work_and_tidy() {
            *held = None;
            return;
        }
        drop(held);
        std::thread::park();
    }
}

/// Writes what waits on this thread, if nobody writes now. False: the committer's thread has to
/// look.
pub(super) fn write_here(place: &Place) -> bool {
    let Ok(mut held) = place.try_lock() else { return false };
    let Some(committer) = held.as_mut() else { return true };
    matches!(committer.work(), Done::All)
}

impl Committer {
    /// False: nothing is written any more.
    fn work_and_tidy(&mut self) -> bool {
        loop {
            match self.work() {
                Done::All => return true,
                Done::Untidy => {
                    if let Err(failure) = self.watched(|committer| committer.tidy(false)) {
                        self.fail(failure);
                        return false;
                    }
                }
                Done::Ended => {
                    if self.failed.borrow().is_none()
                        && let Err(failure) = self.watched(|committer| committer.tidy(true))
                    {
                        self.fail(failure);
                    }
                    return false;
                }
            }
        }
    }

    fn work(&mut self) -> Done {
        loop {
            // The watch may have found that it hangs.
            if self.failed.borrow().is_some() {
                self.give_up();
                return Done::Ended;
            }
            if self.shared.closing.load(Ordering::Acquire) {
                // What was accepted before is still received, then nothing.
                self.jobs.close();
            }
            let group = match self.jobs.try_recv() {
                Ok(first) => self.gather(first),
                Err(mpsc::error::TryRecvError::Empty) => {
                    return if self.backend.is_untidy() { Done::Untidy } else { Done::All };
                }
                Err(mpsc::error::TryRecvError::Disconnected) => return Done::Ended,
            };
            if let Err(failure) = self.watched(|committer| committer.write(group)) {
                self.fail(failure);
                return Done::Ended;
            }
            if self.backend.is_untidy() {
                return Done::Untidy;
            }
        }
    }

    /// Once the database alone holds changes, the count of them is as safe as they are: if it
    /// loses them, that is noticed.
    fn tidy(&self, closing: bool) -> Result<(), BackendError> {
        self.reserve.give();
        if self.backend.tidy(closing)? || closing {
            self.confirmed.sync()?;
        }
        Ok(())
    }

    /// Does something with the disk, while the watch looks whether it ends.
    fn watched(
        &mut self,
        work: impl FnOnce(&mut Committer) -> Result<(), BackendError>,
    ) -> Result<(), Failure> {
        let progress = Arc::clone(&self.progress);
        let _working = progress.begin();
        guarded(|| work(self))
    }

    fn gather(&mut self, first: Prepare) -> Vec<Prepare> {
        let mut group = vec![first];
        while group.len() < GROUP_JOBS_MAX
            && let Ok(next) = self.jobs.try_recv()
        {
            group.push(next);
        }
        group
    }

    fn write(&mut self, group: Vec<Prepare>) -> Result<(), BackendError> {
        let mut finishes = Vec::with_capacity(group.len());
        let mut dirty = false;
        for prepare in group {
            let (batch, finish) = prepare(&View::new(self.backend.as_ref(), self.sequence));
            if let Err(error) = check(&batch) {
                finish(Err(error));
                continue;
            }
            let numbers = batch.numbers;
            let mut writes = expand(self.backend.as_ref(), batch, &mut self.sum)?;
            if !writes.is_empty() || numbers > 0 {
                #[cfg(any(test, feature = "sim"))]
                self.shared.faults.before_write()?;
                self.sequence += numbers.max(1);
                let (key, entry) = sequence_entry(self.sequence, self.sum);
                writes.insert(key, Some(entry));
                self.backend.apply(writes)?;
                dirty = true;
            }
            finishes.push(finish);
        }
        if dirty {
            #[cfg(any(test, feature = "sim"))]
            self.shared.faults.before_sync()?;
            self.backend.sync()?;
            if let Err(error) = self.confirmed.write(self.sequence) {
                // The changes are safe; only their loss would be noticed later.
                tracing::warn!(%error, "cannot count the confirmed changes");
            }
            self.shared.syncs.fetch_add(1, Ordering::Relaxed);
        }
        self.shared.commits.fetch_add(finishes.len() as u64, Ordering::Relaxed);
        for finish in finishes {
            finish(Ok(()));
        }
        Ok(())
    }

    /// Those of the failed group were already dropped unanswered; so is the rest.
    fn fail(&mut self, failure: Failure) {
        tracing::error!(cause = %failure.what, "the store failed");
        let _ = self.failed.send_replace(Some(failure));
        self.give_up();
    }

    fn give_up(&mut self) {
        // Closing sled would write and sync once more.
        std::mem::forget(Arc::clone(&self.backend));
        self.jobs.close();
        while self.jobs.try_recv().is_ok() {}
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.progress.end();
    }
}

/// sled panics where it finds itself inconsistent.
fn guarded(work: impl FnOnce() -> Result<(), BackendError>) -> Result<(), Failure> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|_| Failure { what: "the committer broke off".into(), disk_full: false })?
        .map_err(|error| Failure { what: error.to_string(), disk_full: error.is_disk_full() })
}
