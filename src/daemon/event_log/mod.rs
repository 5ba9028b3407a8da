//! What is logged about changes: one line for each change of a message's state, of
//! the session, of a pairing, of what holds the queue. Names nobody, quotes nothing.
//!
//! The fields are stable: `id` is a message's id, `condition` the name that `status` and
//! `explain` have for what keeps messages back, `reason` that of a message.

mod phone;

use phone::PhoneLog;
use tetherd_api::{ConditionKind, Event, Holds, Message, PairEnd, Status, Time};

/// Two times that are less apart count as one.
const SAME_MS: u64 = 1_000;

/// What is logged when a limit begins, and when it is over.
const LIMITS: [(&str, &str); 3] = [
    ("the session will be taken back by itself", "no takeover is due"),
    ("messages to new contacts wait", "messages to new contacts may leave again"),
    ("the server asked to slow down: nothing leaves for a while", "messages leave again"),
];

/// Writes the lines, and remembers what it logged last about the session: a status is
/// published for other reasons too.
#[derive(Debug, Default)]
pub(crate) struct EventLog {
    session: Option<String>,
    /// Since when nothing may leave, or not to everybody, as last logged.
    limits: [Option<Time>; 3],
    holds: Vec<ConditionKind>,
    phone: PhoneLog,
}

impl EventLog {
    /// Writes the line for this event, if it has one.
    pub(crate) fn note(&mut self, event: &Event) {
        match event {
            Event::Message { message } => note_message(message),
            Event::Status { status } => {
                if let Some(session) = self.news(status) {
                    tracing::info!("session {session}");
                }
                self.note_limits(status);
                self.note_holds(status);
                self.phone.note(&status.phone);
            }
            Event::Pairing { ended: Some(end), .. } => {
                let result = match end {
                    PairEnd::Paired { .. } => "paired",
                    PairEnd::TimedOut {} => "timed_out",
                    PairEnd::Failed { .. } => "failed",
                };
                tracing::info!(%result, "pairing ended");
            }
            Event::Pairing { ended: None, .. }
            | Event::Incoming { .. }
            | Event::Gap { .. }
            | Event::SnapshotEnd {} => {}
        }
    }

    /// What the network's answers bring about. Moments are compared with a tolerance: they
    /// lie on another clock, and the two tick apart.
    fn note_limits(&mut self, status: &Status) {
        let now =
            [status.session.takeover_at, status.session.timelock_until, status.pacing.slowed_until];
        for ((said, now), limit) in self.limits.iter_mut().zip(now).zip(LIMITS) {
            let same = match (*said, now) {
                (Some(said), Some(now)) => said.0.abs_diff(now.0) < SAME_MS,
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            };
            if same {
                continue;
            }
            *said = now;
            match now {
                Some(until) => tracing::info!(%until, "{}", limit.0),
                None => tracing::info!("{}", limit.1),
            }
        }
    }

    fn note_holds(&mut self, status: &Status) {
        let waiting = status.queue.capacity - status.queue.free;
        let (began, ended) = self.changed_holds(status);
        for kind in began {
            let condition = kind.name();
            match weight(kind) {
                Weight::Person => tracing::warn!(%condition, waiting, "hold began"),
                Weight::News => tracing::info!(%condition, waiting, "hold began"),
                Weight::Everyday => tracing::debug!(%condition, waiting, "hold began"),
            }
        }
        for kind in ended {
            let condition = kind.name();
            match weight(kind) {
                Weight::Person | Weight::News => {
                    tracing::info!(%condition, waiting, "hold ended");
                }
                Weight::Everyday => tracing::debug!(%condition, waiting, "hold ended"),
            }
        }
    }

    /// Which holds joined, and which are gone.
    fn changed_holds(&mut self, status: &Status) -> (Vec<ConditionKind>, Vec<ConditionKind>) {
        let holds = status.conditions.iter().filter(|one| one.holds == Holds::All);
        let now: Vec<ConditionKind> = holds.map(|hold| hold.kind).collect();
        let was = std::mem::replace(&mut self.holds, now.clone());
        let not_in = |some: &[ConditionKind], others: &[ConditionKind]| {
            some.iter().filter(|kind| !others.contains(kind)).copied().collect()
        };
        (not_in(&now, &was), not_in(&was, &now))
    }

    /// Where the session stands, if that was not logged last.
    fn news(&mut self, status: &Status) -> Option<&str> {
        let state = status.session.state.name();
        let session = match &status.session.detail {
            Some(detail) => format!("{state}: {detail}"),
            None => state.to_owned(),
        };
        if self.session.as_ref() == Some(&session) {
            return None;
        }
        Some(self.session.insert(session))
    }
}

/// How much a hold matters to whoever reads the log.
enum Weight {
    /// Somebody has to do something.
    Person,
    /// It ends by itself, or was asked for.
    News,
    /// The pace: it comes and goes with every few messages.
    Everyday,
}

const fn weight(hold: ConditionKind) -> Weight {
    match hold {
        ConditionKind::LoggedOut
        | ConditionKind::Locked
        | ConditionKind::BannedForGood
        | ConditionKind::Banned
        | ConditionKind::ClientOutdated
        | ConditionKind::LoginDeclined
        | ConditionKind::IntegrityChallenge
        | ConditionKind::OtherSession
        | ConditionKind::BatteryCritical
        | ConditionKind::BatteryLow
        | ConditionKind::StaleBacklog
        | ConditionKind::DiskFull => Weight::Person,
        ConditionKind::NotPaired
        | ConditionKind::Disconnected
        | ConditionKind::LoginLimited
        | ConditionKind::StanzaUnacknowledged
        | ConditionKind::PhoneOffline
        | ConditionKind::Paused
        | ConditionKind::ShuttingDown => Weight::News,
        // The server's rate limit is among the limits; the others hold single messages.
        ConditionKind::Pacing
        | ConditionKind::OutsideHours
        | ConditionKind::RateLimited
        | ConditionKind::StoreTrouble
        | ConditionKind::PhoneSilent
        | ConditionKind::ReachoutTimelock
        | ConditionKind::NewChatQuota
        | ConditionKind::TokenMissing
        | ConditionKind::NoDevice
        | ConditionKind::NotOnNetwork
        | ConditionKind::NumberUnchecked
        | ConditionKind::GroupTrouble
        | ConditionKind::GroupUnchecked
        | ConditionKind::LinkBroken
        | ConditionKind::LinkDoubtful
        | ConditionKind::FileTrouble
        | ConditionKind::FileUnderway
        | ConditionKind::Refused
        | ConditionKind::NotSendable
        | ConditionKind::AccountChanged
        | ConditionKind::NoAnswer
        | ConditionKind::NotBefore
        | ConditionKind::ClientExpiresSoon
        | ConditionKind::ClockJumped => Weight::Everyday,
    }
}

fn note_message(message: &Message) {
    let reason = message.reason.as_ref().map(|reason| reason.kind);
    let code = message.reason.as_ref().and_then(|reason| reason.code);
    tracing::info!(
        id = %message.id,
        attempts = message.attempts,
        condition = reason.map(|kind| tracing::field::display(ConditionKind::from(kind).name())),
        reason = reason.map(|kind| tracing::field::display(kind.name())),
        code,
        "message {}",
        message.state
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::tests::support::{condition, status};
    use tetherd_api::Condition;

    #[test]
    fn a_hold_is_told_when_it_begins_and_when_it_ends() {
        let mut log = EventLog::default();
        let mut status = status();
        assert_eq!(log.changed_holds(&status), (vec![], vec![]));
        status.conditions = [ConditionKind::OtherSession, ConditionKind::Paused].map(hold).into();
        let both = vec![ConditionKind::OtherSession, ConditionKind::Paused];
        assert_eq!(log.changed_holds(&status), (both, vec![]));
        assert_eq!(log.changed_holds(&status), (vec![], vec![]));
        status.conditions.remove(0);
        assert_eq!(log.changed_holds(&status), (vec![], vec![ConditionKind::OtherSession]));
    }

    fn hold(kind: ConditionKind) -> Condition {
        condition(kind, None)
    }

    #[test]
    fn a_session_that_has_not_changed_is_not_told_again() {
        let mut log = EventLog::default();
        let mut status = status();
        assert_eq!(log.news(&status), Some("connected"));
        status.queue.queued = 7;
        assert_eq!(log.news(&status), None);
        status.session.detail = Some("Why.".to_owned());
        assert_eq!(log.news(&status), Some("connected: Why."));
        assert_eq!(log.news(&status), None);
    }
}
