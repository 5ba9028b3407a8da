//! The server answered with "too many requests": how long nothing leaves, and when that
//! eases. Never lets more leave than the window would.

use crate::condition::Condition;
use crate::config::CoreConfig;
use crate::time::{Now, Uptime, doubled, wall_of};

/// What is kept of the server's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimitFacts {
    /// When the pause that stands, or stood last, began, wall milliseconds.
    pub since: i64,
    /// When it ends, milliseconds of uptime.
    pub until_uptime_ms: u64,
    /// How often the next pause is doubled.
    pub step: u32,
    /// The server's code.
    pub code: u32,
    /// Such answers in all.
    pub count: u64,
    /// The last one, wall milliseconds.
    pub last: i64,
    /// The last one, milliseconds of uptime.
    pub last_uptime_ms: u64,
}

/// Pauses after such answers.
#[derive(Debug)]
pub(super) struct RateLimit {
    uptime: Uptime,
    facts: Option<RateLimitFacts>,
}

impl RateLimit {
    /// Takes over what was stored.
    pub(super) fn new(facts: Option<RateLimitFacts>, uptime: Uptime) -> RateLimit {
        RateLimit { uptime, facts }
    }

    /// Such an answer. Those during a pause are about what left before it, and prolong
    /// nothing; those after it double it.
    pub(super) fn on_limited(&mut self, code: u32, config: &CoreConfig, now: Now) {
        let uptime_ms = self.uptime.at(now);
        let before = self.facts;
        let (mut since, mut until, mut step) =
            before.map_or((now.wall_ms, uptime_ms, 0), |f| (f.since, f.until_uptime_ms, f.step));
        if until <= uptime_ms {
            let quiet = uptime_ms.saturating_sub(until) / config.slow_quiet_ms.max(1);
            step = step.saturating_sub(u32::try_from(quiet).unwrap_or(u32::MAX));
            let pause = doubled(config.slow_first_ms, step, config.slow_cap_ms);
            step = step.saturating_add(1);
            since = now.wall_ms;
            until = uptime_ms.saturating_add(pause);
        }
        self.facts = Some(RateLimitFacts {
            since,
            until_uptime_ms: until,
            step,
            code,
            count: before.map_or(0, |facts| facts.count).saturating_add(1),
            last: now.wall_ms,
            last_uptime_ms: uptime_ms,
        });
    }

    /// When the pause that stands, or stood last, ends, monotonic.
    pub(super) fn pause_ends(&self) -> Option<u64> {
        Some(self.uptime.mono_of(self.facts?.until_uptime_ms))
    }

    /// The same, while it stands.
    pub(super) fn until(&self, now: Now) -> Option<u64> {
        let stands = self.facts?.until_uptime_ms > self.uptime.at(now);
        self.pause_ends().filter(|_| stands)
    }

    pub(super) fn condition(&self, now: Now) -> Option<Condition> {
        let until = wall_of(self.until(now)?, now);
        let RateLimitFacts { since, code, .. } = self.facts?;
        Some(Condition::RateLimited { since, until, code })
    }

    /// What is to be stored.
    pub(super) fn facts(&self) -> Option<RateLimitFacts> {
        self.facts
    }
}
