//! The server asked to slow down: how long nothing leaves, and when that eases. Never
//! lets more leave than the pacer would.

use crate::Core;
use crate::config::OnRateLimit;
use crate::network::Slowdown;
use crate::time::Now;
use crate::time::doubled;
use tetherd_api::MessageId;

/// Too many requests, as the server says it in acks, requests and stream errors.
pub(crate) const RATE_LIMITED: u32 = 429;

/// Such answers to one message before it is parked: something is wrong with it then.
pub(crate) const LIMITED_MAX: u32 = 20;

impl Core {
    /// Slows down. Answers during a pause are about what left before it, and prolong
    /// nothing; those after it double it.
    pub(crate) fn slow_down(&mut self, code: u32, now: Now) {
        let uptime_ms = self.uptime_ms();
        let before = self.facts.network.slowdown;
        let paused = before.is_some_and(|slowdown| slowdown.until_uptime_ms > uptime_ms);
        let (mut since, mut until, mut step) =
            before.map_or((now.wall_ms, uptime_ms, 0), |s| (s.since, s.until_uptime_ms, s.step));
        if !paused {
            let quiet = before.map_or(0, |slowdown| {
                uptime_ms.saturating_sub(slowdown.until_uptime_ms)
                    / self.config.slow_quiet_ms.max(1)
            });
            step = step.saturating_sub(u32::try_from(quiet).unwrap_or(u32::MAX));
            let pause = doubled(self.config.slow_first_ms, step, self.config.slow_cap_ms);
            step = step.saturating_add(1);
            since = now.wall_ms;
            until = uptime_ms.saturating_add(pause);
        }
        self.facts.network.slowdown = Some(Slowdown {
            since,
            until_uptime_ms: until,
            step,
            code,
            count: before.map_or(0, |slowdown| slowdown.count).saturating_add(1),
            last: now.wall_ms,
            last_uptime_ms: uptime_ms,
        });
        self.out.facts = true;
        self.apply_slowdown();
        if self.config.on_rate_limit == OnRateLimit::Pause {
            self.queue.set_paused(true, &mut self.out, now);
        }
    }

    /// Tells the pacer, also after a restart.
    pub(crate) fn apply_slowdown(&mut self) {
        if let Some(slowdown) = self.facts.network.slowdown {
            let until = self.uptime.mono_of(slowdown.until_uptime_ms);
            self.pacer.hold_until(until);
        }
    }

    /// Since when nothing leaves because the server asked for it, wall, and its code.
    pub(crate) fn slowed(&self, now: Now) -> Option<(i64, u32)> {
        self.slowed_until(now)?;
        self.facts.network.slowdown.map(|slowdown| (slowdown.since, slowdown.code))
    }

    /// Until when nothing leaves because the server asked for it, monotonic.
    pub(crate) fn slowed_until(&self, now: Now) -> Option<u64> {
        let slowdown = self.facts.network.slowdown?;
        (slowdown.until_uptime_ms > self.uptime.at(now))
            .then(|| self.uptime.mono_of(slowdown.until_uptime_ms))
    }

    /// A message was not taken because too many came. It goes back, and so often only
    /// that one that is always answered so does not go round for ever.
    pub(crate) fn message_limited(&mut self, id: MessageId, code: u32, now: Now) {
        if self.queue.rate_limited(id, (code, LIMITED_MAX), &mut self.out, now) {
            self.note_refusal(code, now);
            self.slow_down(code, now);
        }
    }
}
