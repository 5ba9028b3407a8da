//! What is the case about the session, as plain data. Changes nothing.

use super::Session;
use crate::condition::{Condition, PairingStage};
use crate::time::{Now, wall_of};
use tetherd_api::{Holds, SessionState};

/// For how long a challenge is the case that the server does not repeat.
const CHALLENGE_MS: i64 = 24 * 60 * 60 * 1_000;

impl Session {
    /// What is the case about the session. All of it but warnings holds everything that waits.
    pub(crate) fn conditions(&self, now: Now) -> impl Iterator<Item = Condition> {
        let not_paired = self.not_paired(now).into_iter();
        not_paired
            .chain(self.account.conditions(now))
            .chain(self.challenge(now))
            .chain(self.takeover.condition(&self.config, now))
            .chain(self.login_limited(now))
            .chain(self.disconnected(now))
            .chain(self.unacked.condition())
    }

    /// Those of them that hold nothing.
    pub(crate) fn warnings(&self, now: Now) -> impl Iterator<Item = Condition> {
        self.conditions(now).filter(|condition| condition.holds() == Holds::None)
    }

    fn not_paired(&self, now: Now) -> Option<Condition> {
        let missing = self.account.jid().is_none() && !self.account.is_logged_out();
        let pairing = match self.state() {
            SessionState::Pairing => Some(PairingStage::Code),
            SessionState::PasskeyNeeded => Some(PairingStage::Passkey),
            SessionState::NotPaired
            | SessionState::Connecting
            | SessionState::Connected
            | SessionState::Waiting
            | SessionState::Replaced
            | SessionState::LoggedOut
            | SessionState::Locked
            | SessionState::BannedForGood
            | SessionState::Banned
            | SessionState::Outdated
            | SessionState::Declined => None,
        };
        missing.then(|| Condition::NotPaired { since: self.since(now), pairing })
    }

    /// The server wants fewer logins, and one would be due.
    fn login_limited(&self, now: Now) -> Option<Condition> {
        let waits = self.wants_connection() && self.connection.run.is_none();
        self.login_pause.condition(now).filter(|_| waits)
    }

    fn disconnected(&self, now: Now) -> Option<Condition> {
        let expected = self.wants_connection()
            && self.account.trouble().is_none()
            && self.login_limited(now).is_none();
        // The renewal of a stream is no trouble while it goes well.
        let missing = !self.can_send() && self.connection.renewal().is_none();
        (expected && missing).then(|| Condition::Disconnected {
            since: self.connection.down_since,
            ended: self.connection.ended.clone(),
            next_try: self.next_try().map(|at| wall_of(at, now)),
            tries: self.connection.tries,
        })
    }

    /// A challenge that was not repeated for long is over, as far as anybody knows.
    fn challenge(&self, now: Now) -> Option<Condition> {
        let (since, kind) = self.challenged.filter(|_| self.has_phone())?;
        let recent = now.wall_ms.saturating_sub(since) < CHALLENGE_MS;
        recent.then_some(Condition::IntegrityChallenge { since, kind })
    }
}
