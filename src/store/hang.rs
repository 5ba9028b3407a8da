//! Notices a committer that hangs: sled waits for ever after some failed writes, and a disk may
//! never answer. Owns one thread, which sleeps without a timer while nothing is written.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::error::Failure;

/// A group that takes longer than so many periods has failed.
const PERIODS_MAX: u32 = 6;
/// How often the watch looks while something is written: a failed disk is noticed after a minute.
pub(super) const PERIOD: Duration = Duration::from_secs(10);

/// What the committer says of itself.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Groups begun and groups done, together: odd while one is under way.
    steps: AtomicU64,
    /// Whether the watch sleeps until something begins.
    sleeps: AtomicBool,
    ended: Mutex<bool>,
    woken: Condvar,
}

impl Progress {
    /// A group begins. Ends with the guard.
    pub(super) fn begin(&self) -> Working<'_> {
        self.steps.fetch_add(1, Ordering::SeqCst);
        if self.sleeps.swap(false, Ordering::SeqCst) {
            drop(self.ended.lock().unwrap_or_else(PoisonError::into_inner));
            self.woken.notify_one();
        }
        Working(self)
    }

    /// The committer has ended.
    pub(super) fn end(&self) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.woken.notify_one();
    }

    fn under_way(&self) -> Option<u64> {
        let steps = self.steps.load(Ordering::SeqCst);
        (steps % 2 == 1).then_some(steps)
    }

    /// Until the committer has ended, or hangs; true: it hangs.
    fn watch(&self, period: Duration) -> bool {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let mut looks = Looks::default();
        while !*ended {
            match looks.look(self.under_way()) {
                Verdict::Hangs => return true,
                Verdict::Idle => {
                    self.sleeps.store(true, Ordering::SeqCst);
                    // One may have begun since, which has not seen that nobody looks.
                    if self.under_way().is_none() {
                        let asleep =
                            |ended: &mut bool| !*ended && self.sleeps.load(Ordering::SeqCst);
                        let woken = self.woken.wait_while(ended, asleep);
                        ended = woken.unwrap_or_else(PoisonError::into_inner);
                    }
                    self.sleeps.store(false, Ordering::SeqCst);
                }
                Verdict::Works => {
                    let woken = self.woken.wait_timeout_while(ended, period, |ended| !*ended);
                    ended = woken.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
        false
    }
}

/// What was seen, look by look, a period apart.
#[derive(Debug, Default)]
struct Looks {
    /// The group that was under way, and in how many looks after the first.
    group: Option<(u64, u32)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Idle,
    Works,
    Hangs,
}

impl Looks {
    fn look(&mut self, under_way: Option<u64>) -> Verdict {
        let before = self.group.take();
        let Some(group) = under_way else {
            return if before.is_none() { Verdict::Idle } else { Verdict::Works };
        };
        let again = before.filter(|(known, _)| *known == group);
        let looks = again.map_or(0, |(_, looks)| looks.saturating_add(1));
        self.group = Some((group, looks));
        if looks >= PERIODS_MAX { Verdict::Hangs } else { Verdict::Works }
    }
}

/// While it lives a group is under way.
pub(super) struct Working<'a>(&'a Progress);

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.steps.fetch_add(1, Ordering::SeqCst);
    }
}

/// Starts the watch. It ends with the committer.
pub(super) fn start(
    progress: Arc<Progress>,
    failed: watch::Sender<Option<Failure>>,
    period: Duration,
) -> std::io::Result<()> {
    let watch = move || {
        if progress.watch(period) {
            let what = "a change was not on disk within a minute".to_owned();
            tracing::error!(cause = %what, "the store failed");
            let _ = failed.send_replace(Some(Failure { what, disk_full: false }));
        }
    };
    std::thread::Builder::new().name("store-watch".into()).spawn(watch).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(1);

    #[test]
    fn a_group_that_is_seen_too_often_hangs_and_no_other() {
        let mut looks = Looks::default();
        assert_eq!(looks.look(None), Verdict::Idle);
        for group in 0..20 {
            assert_eq!(looks.look(Some(group)), Verdict::Works);
            assert_eq!(looks.look(Some(group)), Verdict::Works);
        }
        assert_eq!(looks.look(None), Verdict::Works, "one more look before it sleeps");
        assert_eq!(looks.look(None), Verdict::Idle);
        for _ in 0..PERIODS_MAX {
            assert_eq!(looks.look(Some(7)), Verdict::Works);
        }
        assert_eq!(looks.look(Some(7)), Verdict::Hangs);
    }

    #[test]
    fn one_that_hangs_is_noticed() {
        let progress = Arc::new(Progress::default());
        let (failed, mut seen) = watch::channel(None);
        start(Arc::clone(&progress), failed, MOMENT).unwrap();
        let hanging = progress.begin();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let failure = runtime.block_on(seen.wait_for(Option::is_some)).unwrap().clone().unwrap();
        assert!(failure.what.contains("within a minute"));
        drop(hanging);
    }

    #[test]
    fn it_ends_with_the_committer() {
        for working in [false, true] {
            let progress = Arc::new(Progress::default());
            let (failed, mut seen) = watch::channel(None);
            start(Arc::clone(&progress), failed, Duration::from_secs(3_600)).unwrap();
            let group = working.then(|| progress.begin());
            progress.end();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            // Its end of the channel closes.
            assert!(runtime.block_on(seen.changed()).is_err());
            drop(group);
        }
    }
}
