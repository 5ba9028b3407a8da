//! What the log says about changes: one line for each change of a message's state, of
//! the session, of a pairing. Names nobody, quotes nothing.

use crate::daemon::phone_news::PhoneNews;
use crate::rpc::api::{Event, Message, PairEnd, Status};

/// Writes the lines, and remembers what it last said about the session: a status is
/// told for other reasons too.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    session: Option<String>,
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
