//! Another session took over: whether and when ours is taken back by itself. Never
//! fights: so many automatic takeovers in any hour, whatever came of them.

use crate::condition::{Condition, LastHour};
use crate::config::{CoreConfig, OnConflict};
use crate::time::{Now, Uptime, wall_of};

/// An hour, in milliseconds.
const HOUR_MS: u64 = 60 * 60 * 1_000;
/// Takeovers by others that are remembered: more within an hour are this many.
const REPLACED_MAX: usize = 100;
/// Takeovers by command that are remembered.
const MANUAL_MAX: usize = 32;
/// Automatic takeovers in an hour that can be allowed.
pub const TAKEOVERS_PER_HOUR_MAX: usize = 12;

/// What is kept over restarts. Spans are counted in milliseconds of uptime: neither a clock
/// that is set nor a restart refills a budget.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakeoverFacts {
    /// When another session took over, milliseconds of uptime, the oldest first.
    pub replaced_uptime_ms: Vec<u64>,
    /// When the session was taken back by itself, milliseconds of uptime, the oldest first.
    pub automatic_uptime_ms: Vec<u64>,
    /// When it was taken back by command, milliseconds of uptime, the oldest first.
    pub manual_uptime_ms: Vec<u64>,
    /// When it is to be taken back by itself, milliseconds of uptime, if the budget allows.
    pub takeover_due_uptime_ms: Option<u64>,
}

/// Who holds the session.
#[derive(Debug)]
pub(super) struct Takeover {
    uptime: Uptime,
    facts: TakeoverFacts,
    /// Another session took over and nobody has resolved it: since when, wall milliseconds.
    replaced_since: Option<i64>,
    /// How often another session took over since the start.
    replaced: u64,
}

impl Takeover {
    /// Takes over what was stored.
    pub(super) fn new(
        facts: TakeoverFacts,
        replaced_since: Option<i64>,
        uptime: Uptime,
    ) -> Takeover {
        Takeover { uptime, facts, replaced_since, replaced: 0 }
    }

    /// Another account: nothing is known of it.
    pub(super) fn reset(&mut self) {
        self.facts = TakeoverFacts::default();
        self.replaced_since = None;
    }

    /// Another session took over. The wait gets a jitter of up to a quarter: two daemons
    /// that take the session from each other must not do so in step.
    pub(super) fn on_replaced(&mut self, policy: OnConflict, roll: u64, now: Now) {
        let uptime_ms = self.uptime.at(now);
        self.replaced = self.replaced.saturating_add(1);
        self.replaced_since = Some(now.wall_ms);
        self.facts.takeover_due_uptime_ms = match policy {
            OnConflict::Hold => None,
            OnConflict::TakeoverAfter { after_ms } => {
                let jitter = roll % (after_ms / 4).saturating_add(1);
                Some(uptime_ms.saturating_add(after_ms).saturating_add(jitter))
            }
        };
        note(&mut self.facts.replaced_uptime_ms, uptime_ms, REPLACED_MAX);
    }

    /// Takes the session back if it is time. True if it was taken back.
    pub(super) fn on_time(&mut self, config: &CoreConfig, now: Now) -> bool {
        let due = &mut self.facts.takeover_due_uptime_ms;
        if let (Some(_), OnConflict::TakeoverAfter { after_ms }, None) =
            (self.replaced_since, config.on_conflict, &due)
        {
            // The policy came after the conflict.
            *due = Some(self.uptime.at(now).saturating_add(after_ms));
        }
        let is_time = self.at(config).is_some_and(|at| at <= now.mono_ms);
        if is_time {
            let made = &mut self.facts.automatic_uptime_ms;
            note(made, self.uptime.at(now), TAKEOVERS_PER_HOUR_MAX);
            self.take_back();
        }
        is_time
    }

    /// Somebody takes the session back.
    pub(super) fn on_command(&mut self, now: Now) {
        note(&mut self.facts.manual_uptime_ms, self.uptime.at(now), MANUAL_MAX);
        self.take_back();
    }

    fn take_back(&mut self) {
        self.replaced_since = None;
        self.facts.takeover_due_uptime_ms = None;
    }

    /// When the session is taken back by itself, monotonic. None: never.
    pub(super) fn at(&self, config: &CoreConfig) -> Option<u64> {
        if self.replaced_since.is_none() || config.on_conflict == OnConflict::Hold {
            return None;
        }
        let due = self.facts.takeover_due_uptime_ms?;
        Some(self.uptime.mono_of(due.max(self.allowed_at(config)?)))
    }

    /// From when the budget allows an automatic takeover, in uptime. None: never.
    fn allowed_at(&self, config: &CoreConfig) -> Option<u64> {
        let budget = config.takeovers_per_hour.min(TAKEOVERS_PER_HOUR_MAX);
        if budget == 0 {
            return None;
        }
        let made = &self.facts.automatic_uptime_ms;
        // When the oldest of those that fill the budget is an hour old.
        let filling = made.len().checked_sub(budget).and_then(|index| made.get(index));
        Some(filling.map_or(0, |at| at.saturating_add(HOUR_MS)))
    }

    /// Since when another session holds it, wall milliseconds.
    pub(super) fn replaced_since(&self) -> Option<i64> {
        self.replaced_since
    }

    /// How often another session took over since the start.
    pub(super) fn replaced(&self) -> u64 {
        self.replaced
    }

    /// Conflicts in the last hour that the daemon ran.
    pub(super) fn last_hour(&self, config: &CoreConfig, now: Now) -> LastHour {
        let uptime_ms = self.uptime.at(now);
        let count = |times: &[u64]| {
            let recent = times.iter().filter(|at| at.saturating_add(HOUR_MS) > uptime_ms);
            u64::try_from(recent.count()).unwrap_or(u64::MAX)
        };
        let automatic = config.on_conflict != OnConflict::Hold;
        LastHour {
            replaced: count(&self.facts.replaced_uptime_ms),
            taken_back: (
                count(&self.facts.automatic_uptime_ms),
                count(&self.facts.manual_uptime_ms),
            ),
            used_up: automatic && self.allowed_at(config).is_some_and(|at| at > uptime_ms),
        }
    }

    pub(super) fn condition(&self, config: &CoreConfig, now: Now) -> Option<Condition> {
        let since = self.replaced_since?;
        let takeover_at = self.at(config).map(|at| wall_of(at, now));
        Some(Condition::OtherSession { since, takeover_at, hour: self.last_hour(config, now) })
    }

    /// What is to be stored.
    pub(super) fn facts(&self) -> &TakeoverFacts {
        &self.facts
    }
}

/// Notes a time in a bounded list of them, the oldest first.
fn note(times: &mut Vec<u64>, at: u64, max: usize) {
    if times.len() >= max {
        times.drain(..=times.len() - max);
    }
    times.push(at);
}
