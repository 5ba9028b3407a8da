//! Conditions of the session, the store, the clock, and what commands have done.

use super::{Condition, LastHour};
use crate::Core;
use crate::time::{ClockJump, Now};
use tetherd_api::SessionState;

/// For how long a clock that jumped is the case.
const CLOCK_JUMP_MS: i64 = 24 * 60 * 60 * 1_000;

impl Core {
    pub(super) fn session_conditions(&self, now: Now) -> impl Iterator<Item = Condition> {
        let facts = &self.facts;
        let logged_out = facts.logged_out.map(|(since, code)| Condition::LoggedOut { since, code });
        let banned =
            facts.banned.map(|(since, until, code)| Condition::Banned { since, until, code });
        let outdated = self.link.outdated_since.map(|since| Condition::ClientOutdated { since });
        [
            self.not_paired(now),
            logged_out,
            banned,
            outdated,
            self.other_session(now),
            self.disconnected(now),
        ]
        .into_iter()
        .flatten()
    }

    fn not_paired(&self, now: Now) -> Option<Condition> {
        let missing = self.facts.account.is_none() && self.facts.logged_out.is_none();
        let pairing = self.link.state(&self.facts) == SessionState::Pairing;
        missing.then(|| Condition::NotPaired { since: self.session_since(now), pairing })
    }

    fn other_session(&self, now: Now) -> Option<Condition> {
        let since = self.facts.replaced_since?;
        let takeover_at = self.takeover_at().map(|at| self.wall_of(at, now).0);
        Some(Condition::OtherSession { since, takeover_at, hour: self.last_hour(now) })
    }

    /// Conflicts about the session in the last hour.
    pub(crate) fn last_hour(&self, now: Now) -> LastHour {
        LastHour {
            replaced: self.replaced_last_hour(now),
            taken_back: self.takeovers_last_hour(now),
            used_up: self.takeovers_used_up_until(now).is_some(),
        }
    }

    fn disconnected(&self, now: Now) -> Option<Condition> {
        let expected = self.link.wants_connection(&self.facts) && self.facts.banned.is_none();
        if !expected || self.link.can_send() {
            return None;
        }
        let next_try = self.link.next_try(&self.facts).filter(|_| !self.draining);
        Some(Condition::Disconnected {
            since: self.link.down_since,
            ended: self.link.ended.clone(),
            next_try: next_try.map(|at| self.wall_of(at, now).0),
            tries: self.link.tries,
        })
    }

    /// Since when the session is in its state, wall.
    pub(crate) fn session_since(&self, now: Now) -> i64 {
        match self.link.state_since {
            Some((state, since)) if state == self.link.state(&self.facts) => since,
            Some(_) | None => now.wall_ms,
        }
    }

    pub(super) fn shutting_down(&self) -> Option<Condition> {
        self.draining.then_some(Condition::ShuttingDown { since: self.draining_since })
    }

    pub(super) fn store_condition(&self) -> Option<Condition> {
        let records = self.store.quarantined;
        (records > 0).then_some(Condition::StoreTrouble { since: self.started_at, records })
    }

    /// A clock that jumped since the start; one that did so long ago is told, and is over.
    pub(super) fn clock_condition(&self, now: Now) -> Option<Condition> {
        let ClockJump { at, by_ms } = self.clock_jumps.last()?;
        let recent = now.wall_ms.saturating_sub(at) < CLOCK_JUMP_MS;
        recent.then_some(Condition::ClockJumped { at, by_ms })
    }
}
