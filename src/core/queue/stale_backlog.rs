//! A backlog held longer than `confirm_after` is not sent until an operator confirms it.
//! Only what holds everything counts: the connection, the phone, its battery. A pause is
//! an operator's decision, and so is its end.

use crate::Core;
use crate::time::Timestamp;
use crate::time::{BootId, Now};

/// What is kept of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Since when messages wait while something holds them.
    pub held: Option<Timestamp>,
    /// What waited too long to be sent without a confirmation.
    pub stale: Option<Stale>,
}

/// A backlog that is not sent until it is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale {
    /// Since when, wall milliseconds.
    pub since: i64,
    /// How long it had waited by then.
    pub waited_ms: u64,
}

impl Backlog {
    /// Takes over what was stored.
    pub(crate) fn new(stored: Backlog, boot: BootId, now: Now) -> Backlog {
        Backlog { held: stored.held.map(|held| held.in_boot(boot, now)), ..stored }
    }
}

impl Core {
    /// Watches how long messages wait while something holds them. Comes before the next
    /// attempt, so that none of a stale backlog slips out.
    pub(crate) fn judge_backlog(&mut self, now: Now) {
        let waits = self.queue.to_leave() > 0;
        if self.backlog.stale.is_some() && !waits {
            self.backlog.stale = None;
            self.out.facts = true;
        }
        let Some(limit) = self.config.confirm_after_ms else {
            // Nobody wants it any more: what waits may leave.
            self.out.facts |= self.backlog != Backlog::default();
            self.backlog = Backlog::default();
            return;
        };
        let held = waits && (!self.link.can_send() || self.phone.holds(now));
        match self.backlog.held {
            None if held => {
                self.backlog.held = Some(Timestamp::new(self.boot, now));
                self.out.facts = true;
            }
            Some(since) if !held => {
                self.backlog.held = None;
                self.out.facts = true;
                let waited_ms = since.age_ms(now).min(self.longest_wait_ms());
                if waits && waited_ms >= limit {
                    self.backlog.stale = Some(Stale { since: now.wall_ms, waited_ms });
                }
            }
            None | Some(_) => {}
        }
    }

    /// How long the oldest of those that wait has been waiting, in uptime.
    /// Of a wait that began before this start, only that it is at least so long.
    fn longest_wait_ms(&self) -> u64 {
        let uptime_ms = self.queue.uptime_ms();
        let waiting = self.queue.heads().map(|m| uptime_ms.saturating_sub(m.changed_uptime_ms));
        let longest = waiting.max().unwrap_or(0);
        // What came from before this start may have waited while the daemon was down.
        if longest >= self.uptime.this_run(self.now) { u64::MAX } else { longest }
    }

    /// `queue.release`: what waits may leave. While something still holds it, the wait
    /// counts from now.
    pub(crate) fn release(&mut self, now: Now) {
        let held = self.backlog.held.map(|_| Timestamp::new(self.boot, now));
        let released = Backlog { held, stale: None };
        self.out.facts |= self.backlog != released;
        self.backlog = released;
    }
}
