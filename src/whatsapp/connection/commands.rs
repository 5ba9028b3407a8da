//! The core's commands to a connection: sends, uploads, questions. A command that asks for
//! another connection, or for none, ends this one.

use std::sync::Arc;

use super::{Connection, Leave};
use crate::whatsapp::outgoing::send::Outcome;
use crate::whatsapp::{Order, not_connected, probe};
use tetherd_core::action::{Outgoing, SessionCommand};
use tetherd_core::event::{Body, NotSent, SessionEvent};

impl Connection<'_> {
    pub(super) async fn obey(&mut self, order: Option<Order>) -> Option<Leave> {
        let Some(Order { command, body }) = order else { return Some(Leave::Ordered(None)) };
        if !self.ready
            && let Some(answer) = not_connected(&command)
        {
            return self.publish(answer).await;
        }
        let answer = match command {
            SessionCommand::Send(out) => self.send(out, body),
            SessionCommand::Upload(upload) => self.uploads.start(&self.client, upload),
            SessionCommand::CheckNumbers { ticket, numbers, keys } => {
                self.lookups.start(&self.client, ticket, (numbers, keys));
                None
            }
            SessionCommand::ListGroups { ticket } => {
                self.lookups.start_groups(&self.client, ticket);
                None
            }
            SessionCommand::Probe => {
                self.probe();
                None
            }
            SessionCommand::AnswerPasskey(answer) => {
                self.answer_passkey(answer);
                None
            }
            SessionCommand::ConfirmPasskey => {
                self.confirm_passkey();
                None
            }
            // A second connection would fight the first: it takes the first one's place.
            SessionCommand::Connect
            | SessionCommand::Pair { .. }
            | SessionCommand::Close
            | SessionCommand::Logout
            | SessionCommand::KeepKeys
            | SessionCommand::Forget => return Some(Leave::Ordered(Some(command))),
        };
        match answer {
            Some(answer) => self.publish(answer).await,
            None => None,
        }
    }

    fn send(&mut self, out: Outgoing, body: Option<Body>) -> Option<SessionEvent> {
        let Some(body) = body else {
            return Some(Outcome::NotSent(NotSent::Unsendable).report(&out));
        };
        self.sends.start(&self.client, out, body, self.context.config.send_timeout)
    }

    /// In a task of its own: the phone's answer is an event like any other.
    fn probe(&mut self) {
        let (client, manager) = (Arc::clone(&self.client), self.sends.manager());
        let events = self.events.clone();
        self.spawn(async move {
            let left = probe::ask(&client, &manager).await;
            // Nobody listens any more: then nobody waits for it either.
            let _ = events.send(SessionEvent::Probed { left }).await;
        });
    }
}
