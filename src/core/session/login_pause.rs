//! The pause before the next login after the server found that there are too many (429):
//! minutes at least, longer each time, and not shortened by a restart. Sends are paced
//! elsewhere.

use crate::condition::Condition;
use crate::time::{Now, doubled, wall_of};

/// The first pause: five minutes.
const PAUSE_MS: u64 = 5 * 60 * 1_000;
/// The longest one: six hours.
const PAUSE_MS_MAX: u64 = 6 * 60 * 60 * 1_000;
/// After so long without such an answer the next pause is half as long again.
const QUIET_MS: u64 = 60 * 60 * 1_000;

/// What is kept of it over restarts. Times are wall milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginPauseFacts {
    /// When the server last said so.
    pub since: i64,
    /// When the next login is made at the earliest.
    pub until: i64,
    /// How often the next pause is doubled.
    pub step: u32,
    /// How often the server has said so in all.
    pub count: u64,
}

/// The pause, and when it ends.
#[derive(Debug, Default)]
pub(super) struct LoginPause {
    facts: Option<LoginPauseFacts>,
    /// Monotonic.
    ends: u64,
}

impl LoginPause {
    /// Takes over what was stored.
    pub(super) fn new(facts: Option<LoginPauseFacts>, now: Now) -> LoginPause {
        // The wall clock may have been set meanwhile: never wait longer than was due.
        let left = facts.map_or(0, |facts| {
            let due = facts.until.saturating_sub(facts.since);
            facts.until.saturating_sub(now.wall_ms).min(due)
        });
        let left = u64::try_from(left).unwrap_or(0);
        LoginPause { facts, ends: now.mono_ms.saturating_add(left) }
    }

    /// The server says so. The jitter comes on top, up to a quarter.
    pub(super) fn on_limited(&mut self, roll: u64, now: Now) {
        let step = self.facts.map_or(0, |facts| {
            let quiet = u64::try_from(now.wall_ms.saturating_sub(facts.until)).unwrap_or(0);
            facts.step.saturating_sub(u32::try_from(quiet / QUIET_MS).unwrap_or(u32::MAX))
        });
        let pause = doubled(PAUSE_MS, step, PAUSE_MS_MAX);
        let pause = pause.saturating_add(roll % (pause / 4).saturating_add(1));
        self.ends = now.mono_ms.saturating_add(pause);
        self.facts = Some(LoginPauseFacts {
            since: now.wall_ms,
            until: wall_of(self.ends, now),
            step: step.saturating_add(1),
            count: self.facts.map_or(0, |facts| facts.count).saturating_add(1),
        });
    }

    /// Another pairing: its own login follows at once. The next pause is as long as ever.
    pub(super) fn end(&mut self) {
        self.ends = 0;
        if let Some(facts) = &mut self.facts {
            facts.until = facts.since;
        }
    }

    /// When it ends, monotonic, while it stands.
    pub(super) fn until(&self, now: Now) -> Option<u64> {
        Some(self.ends).filter(|ends| *ends > now.mono_ms)
    }

    pub(super) fn condition(&self, now: Now) -> Option<Condition> {
        let until = wall_of(self.until(now)?, now);
        let LoginPauseFacts { since, count, .. } = self.facts?;
        Some(Condition::LoginLimited { since, until, count })
    }

    /// What is to be stored.
    pub(super) fn facts(&self) -> Option<LoginPauseFacts> {
        self.facts
    }
}
