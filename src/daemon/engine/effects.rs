//! What the core wants done outside: commands to the session and to the preparer. One that
//! cannot be taken comes back to the core as an input, so that it never waits for an end
//! that nobody reports.

use super::{Engine, outcome_unknown};
use crate::daemon::{clock, spool_sweep};
use crate::store;
use crate::whatsapp::Order;
use tetherd_core::action::{Effect, Outgoing, SessionCommand};
use tetherd_core::event::SessionEvent;
use tetherd_core::event::{Body, EndReason, Input, NotSent, PasskeyFault, PasskeyReport};
use tetherd_core::files::{Preparation, PrepareCommand};
use tetherd_core::files::{Upload, UploadFault};

impl Engine {
    /// After a failed commit nobody who asked for a change can get a better answer.
    pub(super) fn refuse_all(&mut self) {
        for (_, reply) in self.waiting.drain() {
            let _ = reply.send(Err(outcome_unknown()));
        }
    }

    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Reply { token, result } => {
                if let Some(reply) = self.waiting.remove(&token) {
                    let _ = reply.send(result);
                }
            }
            Effect::Event(event) => {
                self.log.note(&event);
                self.hub.publish(event, clock::time(self.clock));
            }
            Effect::Session(command) => self.order(command),
            Effect::Unspool(id) => spool_sweep::remove(&self.spool, id),
            Effect::Prepare(command) => self.prepare(command),
        }
    }

    pub(super) fn prepare(&mut self, command: PrepareCommand) {
        let links = match &command {
            PrepareCommand::Start(Preparation { id, links: true, .. }) => Some(*id),
            PrepareCommand::Start(_) | PrepareCommand::Stop(_) => None,
        };
        // A body that does not read is reported when it is to be sent.
        let body = links.and_then(|id| store::queue::body(&self.store, id).ok().flatten());
        self.preparer.obey(command, body.as_ref().map(|body| &*body.0));
    }

    pub(super) fn order(&mut self, command: SessionCommand) {
        let body = self.body(&command);
        let Err(error) = self.session.order(Order { command, body }) else { return };
        tracing::error!(%error, "an order was not taken");
        self.echoes.extend(not_taken(error.order().command).map(Input::Session));
    }

    /// The body of a message that is to be sent; none: it cannot be read.
    fn body(&self, command: &SessionCommand) -> Option<Body> {
        let SessionCommand::Send(Outgoing { id, .. }) = command else { return None };
        let body = store::queue::body(&self.store, *id).ok().flatten();
        if body.is_none() {
            tracing::error!(%id, "the body cannot be read from the store");
        }
        body
    }
}

/// The event for a command that the session did not take.
fn not_taken(command: SessionCommand) -> Option<SessionEvent> {
    match command {
        // The core waits for the end of the connection that it believes to exist.
        SessionCommand::Connect | SessionCommand::Pair { .. } => {
            let reason = EndReason::Unreachable { what: "the session is busy".to_owned() };
            Some(SessionEvent::Ended { reason, roll: u64::MAX })
        }
        SessionCommand::Send(Outgoing { id, attempt, .. }) => {
            Some(SessionEvent::NotSent { id, attempt, why: NotSent::Passing })
        }
        SessionCommand::Upload(Upload { id, ticket, .. }) => {
            Some(SessionEvent::UploadFailed { id, ticket, why: UploadFault::NotConnected })
        }
        SessionCommand::Probe => Some(SessionEvent::Probed { left: false }),
        SessionCommand::ListGroups { ticket } => {
            Some(SessionEvent::Groups { ticket, groups: None })
        }
        SessionCommand::AnswerPasskey(_) => {
            Some(SessionEvent::Passkey(PasskeyReport::Answered(Err(PasskeyFault::Unanswered))))
        }
        SessionCommand::ConfirmPasskey => {
            Some(SessionEvent::Passkey(PasskeyReport::Confirmed(Err(PasskeyFault::Unanswered))))
        }
        // The core has a limit of its own for an answer.
        SessionCommand::CheckNumbers { .. }
        | SessionCommand::Close
        | SessionCommand::Logout
        | SessionCommand::KeepKeys
        | SessionCommand::Forget => None,
    }
}
