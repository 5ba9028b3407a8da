//! What the core wants done outside: orders to the session and to the preparer. One that
//! cannot be taken comes back to the core as an input, so that it never waits for an end
//! that nobody will tell.

use super::Engine;
use crate::store;
use crate::whatsapp::Order;
use tetherd_core::action::Outgoing;
use tetherd_core::action::SessionCommand;
use tetherd_core::event::SessionEvent;
use tetherd_core::event::{EndReason, Input, NotSent};
use tetherd_core::files::{Preparation, PrepareCommand};
use tetherd_core::files::{Upload, UploadFault};

impl Engine {
    pub(super) fn prepare(&mut self, command: PrepareCommand) {
        let links = match &command {
            PrepareCommand::Start(Preparation { id, links: true, .. }) => Some(*id),
            PrepareCommand::Start(_) | PrepareCommand::Stop(_) => None,
        };
        // A body that does not read is told when it is to be sent.
        let body = links.and_then(|id| store::queue::body(&self.store, id).ok().flatten());
        self.preparer.obey(command, body.as_ref().map(|body| &*body.0));
    }

    pub(super) fn order(&mut self, command: SessionCommand) {
        let order = match command {
            SessionCommand::Send(outgoing) => return self.send(outgoing),
            SessionCommand::Upload(upload) => return self.upload(upload),
            other @ (SessionCommand::Connect
            | SessionCommand::Pair { .. }
            | SessionCommand::Close
            | SessionCommand::Logout
            | SessionCommand::Forget
            | SessionCommand::CheckNumbers { .. }
            | SessionCommand::Probe) => Order::from_command(other),
        };
        let Some(order) = order else { return };
        let asks = matches!(order, Order::Probe);
        let starts_a_run = matches!(order, Order::Connect | Order::Pair { .. });
        if let Err(error) = self.session.order(order) {
            tracing::error!(%error, "an order was not taken");
            if starts_a_run {
                // The core waits for the end of what it believes to be running.
                let reason = EndReason::Unreachable { what: "the session is busy".to_owned() };
                let ended = SessionEvent::Ended { reason, roll: u64::MAX };
                self.echoes.push(Input::Session(ended));
            }
            if asks {
                self.echoes.push(Input::Session(SessionEvent::Probed { left: false }));
            }
        }
    }

    fn upload(&mut self, upload: Upload) {
        let (id, ticket) = (upload.id, upload.ticket);
        if self.session.order(Order::Upload(Box::new(upload))).is_err() {
            let why = UploadFault::NotConnected;
            let failed = SessionEvent::UploadFailed { id, ticket, why };
            self.echoes.push(Input::Session(failed));
        }
    }

    fn send(&mut self, outgoing: Outgoing) {
        let (id, attempt) = (outgoing.id, outgoing.attempt);
        let why = match store::queue::body(&self.store, id) {
            Ok(Some(body)) => match self.session.order(Order::Send(outgoing, body)) {
                Ok(()) => return,
                Err(_) => NotSent::Passing,
            },
            Ok(None) | Err(_) => {
                tracing::error!(%id, "the body cannot be read from the store");
                NotSent::Unsendable
            }
        };
        self.echoes.push(Input::Session(SessionEvent::NotSent { id, attempt, why }));
    }
}
