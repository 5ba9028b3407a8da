//! Another session took over: whether and when ours is taken back by itself. Never
//! fights: so many automatic takeovers in any hour, whatever came of them.

use crate::Core;
use crate::config::OnConflict;
use crate::network::{HOUR_MS, note};
use crate::time::Now;

/// Takeovers by others that are remembered: more within an hour are this many.
pub(crate) const REPLACED_MAX: usize = 100;
/// Takeovers by command that are remembered.
pub(crate) const MANUAL_MAX: usize = 32;
/// Automatic takeovers in an hour that can be allowed.
pub const TAKEOVERS_PER_HOUR_MAX: usize = 12;

impl Core {
    /// Another session took over. The wait gets a jitter of up to a quarter: two daemons
    /// that take the session from each other must not do so in step.
    pub(crate) fn note_replaced(&mut self, roll: u64, now: Now) {
        let uptime_ms = self.uptime_ms();
        self.link.replaced = self.link.replaced.saturating_add(1);
        self.facts.replaced_since = Some(now.wall_ms);
        self.facts.network.takeover_due_uptime_ms = match self.config.on_conflict {
            OnConflict::Hold => None,
            OnConflict::TakeoverAfter { after_ms } => {
                let jitter = roll % (after_ms / 4).saturating_add(1);
                Some(uptime_ms.saturating_add(after_ms).saturating_add(jitter))
            }
        };
        note(&mut self.facts.network.replaced_uptime_ms, uptime_ms, REPLACED_MAX);
        self.out.facts = true;
    }

    /// When the session is taken back by itself, monotonic. None: never.
    pub(crate) fn takeover_at(&self) -> Option<u64> {
        if self.facts.replaced_since.is_none() || self.config.on_conflict == OnConflict::Hold {
            return None;
        }
        let due = self.facts.network.takeover_due_uptime_ms?;
        Some(self.uptime.mono_of(due.max(self.takeover_allowed()?)))
    }

    /// From when the budget allows an automatic takeover, in uptime. None: never.
    fn takeover_allowed(&self) -> Option<u64> {
        let budget = self.config.takeovers_per_hour.min(TAKEOVERS_PER_HOUR_MAX);
        if budget == 0 {
            return None;
        }
        let made = &self.facts.network.automatic_uptime_ms;
        // When the oldest of those that fill the budget is an hour old.
        let filling = made.len().checked_sub(budget).and_then(|index| made.get(index));
        Some(filling.map_or(0, |at| at.saturating_add(HOUR_MS)))
    }

    /// Until when automatic takeovers have been used up, monotonic.
    pub(crate) fn takeovers_used_up_until(&self, now: Now) -> Option<u64> {
        if self.config.on_conflict == OnConflict::Hold {
            return None;
        }
        let allowed = self.takeover_allowed().filter(|at| *at > self.uptime.at(now))?;
        Some(self.uptime.mono_of(allowed))
    }

    /// How often another session took over in the last hour that the daemon ran.
    pub(crate) fn replaced_last_hour(&self, now: Now) -> u64 {
        self.within_an_hour(&self.facts.network.replaced_uptime_ms, now)
    }

    /// Takeovers in the last hour: by itself, and by command.
    pub(crate) fn takeovers_last_hour(&self, now: Now) -> (u64, u64) {
        let network = &self.facts.network;
        let automatic = self.within_an_hour(&network.automatic_uptime_ms, now);
        (automatic, self.within_an_hour(&network.manual_uptime_ms, now))
    }

    fn within_an_hour(&self, moments: &[u64], now: Now) -> u64 {
        let uptime_ms = self.uptime.at(now);
        let recent = moments.iter().filter(|at| at.saturating_add(HOUR_MS) > uptime_ms);
        u64::try_from(recent.count()).unwrap_or(u64::MAX)
    }

    /// Takes the session back if it is time.
    pub(crate) fn pass_conflict(&mut self) {
        if self.facts.replaced_since.is_none() || self.draining {
            return;
        }
        let due = &mut self.facts.network.takeover_due_uptime_ms;
        if let (OnConflict::TakeoverAfter { after_ms }, None) = (self.config.on_conflict, &due) {
            // The policy came after the conflict.
            *due = Some(self.queue.uptime_ms().saturating_add(after_ms));
            self.out.facts = true;
        }
        if self.takeover_at().is_some_and(|at| at <= self.now.mono_ms) {
            let uptime_ms = self.uptime_ms();
            let made = &mut self.facts.network.automatic_uptime_ms;
            note(made, uptime_ms, TAKEOVERS_PER_HOUR_MAX);
            self.take_back();
        }
    }

    /// Somebody takes the session back.
    pub(crate) fn take_back_by_command(&mut self) {
        let uptime_ms = self.uptime_ms();
        note(&mut self.facts.network.manual_uptime_ms, uptime_ms, MANUAL_MAX);
        self.take_back();
    }

    fn take_back(&mut self) {
        self.facts.replaced_since = None;
        self.facts.network.takeover_due_uptime_ms = None;
        self.out.facts = true;
        self.link.ended = None;
        self.link.wait = None;
        self.link.tries = 0;
        self.link.restarts = 0;
    }
}
