//! A backlog held longer than `confirm_after` is not sent until an operator confirms it.
//! Only what holds everything counts: the connection, the phone, its battery. A pause is
//! an operator's decision, and so is its end.

use super::Queue;
use crate::action::ActionBuffer;
use crate::time::{BootId, Now, Timestamp};

/// What is kept of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BacklogFacts {
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

/// Watches how long messages wait while something holds them.
#[derive(Clone, Copy, Debug)]
pub(super) struct StaleBacklog {
    boot: BootId,
    facts: BacklogFacts,
}

impl StaleBacklog {
    /// Takes over what was stored.
    pub(super) fn new(stored: BacklogFacts, boot: BootId, now: Now) -> StaleBacklog {
        let held = stored.held.map(|held| held.in_boot(boot, now));
        StaleBacklog { boot, facts: BacklogFacts { held, ..stored } }
    }

    /// What is kept of it.
    pub(super) fn facts(&self) -> BacklogFacts {
        self.facts
    }

    /// `waits`: for how long the oldest of those that wait has, if any does; asked only where
    /// it matters.
    fn judge(
        &mut self,
        limit: Option<u64>,
        waits: Option<impl FnOnce() -> u64>,
        held: bool,
        now: Now,
    ) {
        let Some(limit) = limit else {
            // Nobody wants it any more: what waits may leave.
            self.facts = BacklogFacts::default();
            return;
        };
        if waits.is_none() {
            self.facts.stale = None;
        }
        match (self.facts.held, waits) {
            (None, Some(_)) if held => self.facts.held = Some(Timestamp::new(self.boot, now)),
            (Some(since), Some(longest)) if !held => {
                self.facts.held = None;
                let waited_ms = since.age_ms(now).min(longest());
                if waited_ms >= limit {
                    self.facts.stale = Some(Stale { since: now.wall_ms, waited_ms });
                }
            }
            (Some(_), None) => self.facts.held = None,
            (None | Some(_), None | Some(_)) => {}
        }
    }

    fn release(&mut self, now: Now) {
        let held = self.facts.held.map(|_| Timestamp::new(self.boot, now));
        self.facts = BacklogFacts { held, stale: None };
    }
}

impl Queue {
    /// Judges the backlog. Comes before the next attempt, so that none of a stale one slips
    /// out. `held`: whether something holds everything that waits.
    pub(crate) fn judge_backlog(&mut self, held: bool, out: &mut ActionBuffer, now: Now) {
        let before = self.backlog.facts;
        let mut backlog = self.backlog;
        let waits = (self.to_leave() > 0).then_some(|| self.longest_wait_ms());
        backlog.judge(self.config.confirm_after_ms, waits, held, now);
        self.backlog = backlog;
        out.facts |= self.backlog.facts != before;
    }

    /// How long the oldest of those that wait has been waiting, in uptime.
    /// Of a wait that began before this start, only that it is at least so long.
    fn longest_wait_ms(&self) -> u64 {
        let uptime_ms = self.uptime_ms();
        let waiting = self.heads().map(|m| uptime_ms.saturating_sub(m.changed_uptime_ms));
        let longest = waiting.max().unwrap_or(0);
        // What came from before this start may have waited while the daemon was down.
        if longest >= self.uptime.this_run(self.now) { u64::MAX } else { longest }
    }

    /// `queue.release`: what waits may leave. While something still holds it, the wait
    /// counts from now.
    pub(crate) fn release(&mut self, out: &mut ActionBuffer, now: Now) {
        self.release_held(out, now);
        let before = self.backlog.facts;
        self.backlog.release(now);
        out.facts |= self.backlog.facts != before;
    }
}
