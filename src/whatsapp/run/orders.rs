//! What a connection does when the engine orders it: sends, uploads, asks. An order that
//! asks for another connection ends this one.

use std::sync::Arc;

use super::{Leave, Run};
use crate::whatsapp::send::Outcome;
use crate::whatsapp::{Order, check, probe, uploads};
use tetherd_core::action::Outgoing;
use tetherd_core::event::{Body, NotSent, SessionEvent};
use tetherd_core::files::{Upload, UploadFault};

impl Run<'_> {
    pub(super) async fn order(&mut self, order: Option<Order>) -> Option<Leave> {
        match order {
            Some(Order::Send(out, body)) => self.send(out, body).await,
            Some(Order::Upload(upload)) => self.upload(*upload).await,
            Some(Order::Check { ticket, .. }) if !self.ready => {
                self.tell(check::not_connected(ticket)).await
            }
            Some(Order::Check { ticket, numbers }) => {
                self.checks.start(&self.client, ticket, numbers);
                None
            }
            Some(Order::Probe) => self.probe().await,
            // A second connection would fight the first: it takes the first one's place.
            order @ (Some(Order::Connect | Order::Pair { .. } | Order::Logout | Order::Forget)
            | Some(Order::Close)
            | None) => Some(Leave::Ordered(order)),
        }
    }

    async fn send(&mut self, out: Outgoing, body: Body) -> Option<Leave> {
        if !self.ready {
            return self.tell(Outcome::NotSent(NotSent::NotConnected).report(&out)).await;
        }
        let limit = self.means.config.send_timeout;
        match self.flights.start(&self.client, out, body, limit) {
            Some(report) => self.tell(report).await,
            None => None,
        }
    }

    async fn upload(&mut self, upload: Upload) -> Option<Leave> {
        let report = if self.ready {
            self.uploads.start(&self.client, upload)
        } else {
            Some(uploads::failed(&upload, UploadFault::NotConnected))
        };
        match report {
            Some(report) => self.tell(report).await,
            None => None,
        }
    }

    /// Beside everything else: the phone's answer is nothing that anybody waits for here.
    async fn probe(&mut self) -> Option<Leave> {
        if !self.ready {
            return self.tell(SessionEvent::Probed { left: false }).await;
        }
        let (client, manager) = (Arc::clone(&self.client), self.flights.manager());
        let events = self.events.clone();
        self.help(async move {
            let left = probe::ask(&client, &manager).await;
            // Nobody listens any more: then nobody waits for it either.
            let _ = events.send(SessionEvent::Probed { left }).await;
        });
        None
    }
}
