//! The session's task: takes orders, owns at most one connection, reports its end
//! exactly once. Between connections it holds nothing but its queues.

use std::sync::Arc;

use tetherd_net::connect::Connector;
use tetherd_net::endpoint::Endpoint;
use tokio::sync::mpsc;

use crate::pulse::Pulse;
use crate::whatsapp::check;
use crate::whatsapp::inbound::Inbound;
use crate::whatsapp::pairing::Kind;
use crate::whatsapp::run::{self, Ending};
use crate::whatsapp::send::Outcome;
use crate::whatsapp::{KeyStore, Order, SessionConfig, uploads};
use tetherd_core::event::{NotSent, SessionEvent};
use tetherd_core::files::UploadFault;

/// What every connection of the session needs.
pub(crate) struct Means {
    pub(crate) config: SessionConfig,
    pub(crate) endpoint: Endpoint,
    pub(crate) connector: Arc<Connector>,
    pub(crate) keys: Arc<dyn KeyStore>,
    pub(crate) inbound: Inbound,
    pub(crate) pulse: Pulse,
}

/// The task's state.
pub(crate) struct Session {
    means: Means,
    events: mpsc::Sender<SessionEvent>,
    orders: mpsc::Receiver<Order>,
}

impl Session {
    pub(crate) fn new(
        means: Means,
        events: mpsc::Sender<SessionEvent>,
        orders: mpsc::Receiver<Order>,
    ) -> Session {
        Session { means, events, orders }
    }

    /// Until nobody can give orders or nobody listens.
    pub(crate) async fn run(mut self) {
        let mut left_over = None;
        while !self.events.is_closed() {
            let order = match left_over.take() {
                Some(order) => order,
                None => tokio::select! {
                    order = self.orders.recv() => match order {
                        Some(order) => order,
                        None => return,
                    },
                    () = self.means.pulse.asked() => {
                        self.means.pulse.answer().await;
                        continue;
                    }
                },
            };
            left_over = match order {
                Order::Connect => self.connect(Kind::Login).await,
                Order::Pair { phone } => self.connect(Kind::pairing(phone)).await,
                Order::Close => None,
                Order::Logout | Order::Forget => {
                    self.forget().await;
                    None
                }
                Order::Check { ticket, .. } => {
                    let _ = self.events.send(check::not_connected(ticket)).await;
                    None
                }
                Order::Probe => {
                    let _ = self.events.send(SessionEvent::Probed { left: false }).await;
                    None
                }
                Order::Send(out, _) => {
                    let report = Outcome::NotSent(NotSent::NotConnected).report(&out);
                    // A closed channel ends the loop.
                    let _ = self.events.send(report).await;
                    None
                }
                Order::Upload(upload) => {
                    let report = uploads::failed(&upload, UploadFault::NotConnected);
                    let _ = self.events.send(report).await;
                    None
                }
            };
        }
    }

    /// One connection, from the order to its end. The order that ended it and is still
    /// to be carried out comes back.
    async fn connect(&mut self, kind: Kind) -> Option<Order> {
        let Ending { reason, next } =
            run::connection(&self.means, kind, &self.events, &mut self.orders).await;
        tracing::info!(?reason, "connection ended");
        // Keys that are to be forgotten are gone before the end is reported: the next
        // order may be a pairing.
        let next = match next {
            Some(Order::Logout | Order::Forget) => {
                self.forget().await;
                None
            }
            next @ (Some(
                Order::Connect
                | Order::Pair { .. }
                | Order::Close
                | Order::Send(..)
                | Order::Upload(_)
                | Order::Check { .. }
                | Order::Probe,
            )
            | None) => next,
        };
        let ended = SessionEvent::Ended { reason, roll: roll() };
        let _ = self.events.send(ended).await;
        next
    }

    async fn forget(&self) {
        match self.means.keys.forget().await {
            Ok(()) => tracing::info!("the account's keys are forgotten"),
            Err(error) => tracing::error!(%error, "the account's keys could not be forgotten"),
        }
    }
}

/// The dice of the jitter. Without randomness from the kernel nothing here works
/// anyway; the middle is then as good as any.
fn roll() -> u64 {
    getrandom::u64().unwrap_or(u64::MAX / 2)
}
