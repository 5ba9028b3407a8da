//! What the log says about changes: one line for each change of a message's state, of
//! the session, of a pairing. Names nobody, quotes nothing.

use crate::daemon::phone_news::PhoneNews;
use crate::rpc::api::{Event, Message, PairEnd, Status, Time};

/// Two moments that are less apart are one.
const SAME_MS: u64 = 1_000;

/// What is said when a limit begins, and when it is over.
const LIMITS: [(&str, &str); 3] = [
    ("the session will be taken back by itself", "no takeover is due"),
    ("messages to new contacts wait", "messages to new contacts may leave again"),
    ("the server asked to slow down: nothing leaves for a while", "messages leave again"),
];

/// Writes the lines, and remembers what it last said about the session: a status is
/// told for other reasons too.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    session: Option<String>,
    /// Since when nothing may leave, or not to everybody, as last said.
    limits: [Option<Time>; 3],
    phone: PhoneNews,
}

impl Journal {
    /// Writes the line for this event, if it has one.
    pub(crate) fn note(&mut self, event: &Event) {
        match event {
            Event::Message { message } => note_message(message),
            Event::Status { status } => {
                if let Some(session) = self.news(status) {
                    tracing::info!("session {session}");
                }
                self.note_limits(status);
                self.phone.note(&status.phone);
            }
            Event::Pairing { ended: Some(end), .. } => {
                let result = match end {
                    PairEnd::Paired { .. } => "paired",
                    PairEnd::TimedOut {} => "timed_out",
                    PairEnd::Failed { .. } => "failed",
                };
                tracing::info!(result, "pairing ended");
            }
            Event::Pairing { ended: None, .. }
            | Event::Incoming { .. }
            | Event::Gap { .. }
            | Event::SnapshotEnd {}
            | Event::Lagged {} => {}
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

    /// Where the session stands, if that was not said last.
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

fn note_message(message: &Message) {
    let reason = message.reason.as_ref().map(|reason| reason.kind.name());
    let code = message.reason.as_ref().and_then(|reason| reason.code);
    tracing::info!(
        id = %message.id,
        attempts = message.attempts,
        reason = reason.map(tracing::field::display),
        code,
        "message {}",
        message.state
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::tests::support::status;

    #[test]
    fn a_session_that_has_not_changed_is_not_told_again() {
        let mut journal = Journal::default();
        let mut status = status();
        assert_eq!(journal.news(&status), Some("connected"));
        status.queue.queued = 7;
        assert_eq!(journal.news(&status), None);
        status.session.detail = Some("Why.".to_owned());
        assert_eq!(journal.news(&status), Some("connected: Why."));
        assert_eq!(journal.news(&status), None);
    }
}
