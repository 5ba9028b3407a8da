//! The session's task: takes orders, owns at most one connection, reports its end
//! exactly once. Between connections it holds nothing but its queues.

use std::sync::Arc;

use tetherd_net::connect::Connector;
use tetherd_net::endpoint::Endpoint;
use tokio::sync::mpsc;

use crate::liveness::Liveness;
use crate::whatsapp::connection::pairing::Purpose;
use crate::whatsapp::connection::{self, Ending};
use crate::whatsapp::incoming::Inbound;
use crate::whatsapp::{KeyStore, Order, SessionConfig, not_connected};
use tetherd_core::action::SessionCommand;
use tetherd_core::event::SessionEvent;

/// What every connection of the session needs.
pub(crate) struct SessionContext {
    pub(crate) config: SessionConfig,
    pub(crate) endpoint: Endpoint,
    pub(crate) connector: Arc<Connector>,
    pub(crate) keys: Arc<dyn KeyStore>,
    pub(crate) inbound: Inbound,
    pub(crate) liveness: Liveness,
}

/// The task's state.
pub(crate) struct Session {
    context: SessionContext,
    events: mpsc::Sender<SessionEvent>,
    orders: mpsc::Receiver<Order>,
}

impl Session {
    pub(crate) fn new(
        context: SessionContext,
        events: mpsc::Sender<SessionEvent>,
        orders: mpsc::Receiver<Order>,
    ) -> Session {
        Session { context, events, orders }
    }

    /// Until nobody can give orders or nobody listens.
    pub(crate) async fn run(mut self) {
        let mut left_over = None;
        while !self.events.is_closed() {
            let command = match left_over.take() {
                Some(command) => command,
                None => tokio::select! {
                    order = self.orders.recv() => match order {
                        Some(order) => order.command,
                        None => return,
                    },
                    () = self.context.liveness.asked() => {
                        self.context.liveness.answer().await;
                        continue;
                    }
                },
            };
            left_over = self.obey(command).await;
        }
    }

    /// Obeys a command while there is no connection. What a connection leaves to be done comes
    /// back.
    async fn obey(&mut self, command: SessionCommand) -> Option<SessionCommand> {
        if let Some(answer) = not_connected(&command) {
            // A closed channel ends the loop.
            let _ = self.events.send(answer).await;
        }
        match command {
            SessionCommand::Connect => self.connect(Purpose::Login).await,
            SessionCommand::Pair { phone } => self.connect(Purpose::pairing(phone)).await,
            SessionCommand::KeepKeys => {
                self.keep().await;
                None
            }
            SessionCommand::Logout | SessionCommand::Forget => {
                self.forget().await;
                None
            }
            SessionCommand::Close
            | SessionCommand::AnswerPasskey(_)
            | SessionCommand::ConfirmPasskey
            | SessionCommand::Send(_)
            | SessionCommand::Upload(_)
            | SessionCommand::CheckNumbers { .. }
            | SessionCommand::ListGroups { .. }
            | SessionCommand::Probe => None,
        }
    }

    /// One connection, from the order to its end. The order that ended it and is still
    /// to be carried out comes back.
    async fn connect(&mut self, purpose: Purpose) -> Option<SessionCommand> {
        let pairs = purpose.pairs();
        let Ending { reason, next } =
            connection::run(&self.context, purpose, &self.events, &mut self.orders).await;
        tracing::info!(?reason, "connection ended");
        // Keys that are to be forgotten are gone before the end is reported: the next
        // order may be a pairing.
        let forgets = matches!(next, Some(SessionCommand::Logout | SessionCommand::Forget));
        if forgets {
            self.forget().await;
        } else if pairs {
            self.settle().await;
        }
        let ended = SessionEvent::Ended { reason, roll: roll() };
        let _ = self.events.send(ended).await;
        next.filter(|_| !forgets)
    }

    async fn keep(&self) {
        match self.context.keys.keep().await {
            Ok(()) => tracing::info!("the account's keys are kept until a pairing succeeds"),
            Err(error) => tracing::error!(%error, "the account's keys could not be put away"),
        }
    }

    async fn settle(&self) {
        if let Err(error) = self.context.keys.settle().await {
            tracing::error!(%error, "the keys from before the pairing could not be brought back");
        }
    }

    async fn forget(&self) {
        match self.context.keys.forget().await {
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
