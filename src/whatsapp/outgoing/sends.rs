//! The messages in flight on one connection: a bounded number of tasks, each of which
//! ends in exactly one report.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use whatsapp_rust::Client;
use whatsapp_rust::store::persistence_manager::PersistenceManager;

use crate::whatsapp::outgoing::send::{self, Outcome, Sender};
use crate::whatsapp::outgoing::sent_stanzas::SentStanzas;
use crate::whatsapp::tasks::Tasks;
use tetherd_core::action::Outgoing;
use tetherd_core::event::{Body, NotSent, SessionEvent};

/// Messages in flight or waiting for their turn, at most. The core sends no more at a time.
const SENDS_MAX: usize = 64;

const _: () =
    assert!(SENDS_MAX >= tetherd_core::SENDING_MAX && crate::whatsapp::ORDERS_MAX > SENDS_MAX);
/// Messages in flight notice by themselves that the connection is gone.
const DRAIN_GRACE: Duration = Duration::from_millis(500);

/// The messages in flight.
pub(crate) struct Sends {
    manager: Arc<PersistenceManager>,
    stanzas: Arc<SentStanzas>,
    /// So many are prepared at a time.
    at_once: usize,
    /// None, until the connection is ready for the first.
    permits: Arc<Semaphore>,
    tasks: Tasks<Outgoing, Outcome>,
}

impl Sends {
    /// So many are prepared at a time, from [`Sends::open`] on.
    pub(crate) fn new(
        manager: Arc<PersistenceManager>,
        stanzas: Arc<SentStanzas>,
        at_once: usize,
    ) -> Sends {
        let permits = Arc::new(Semaphore::new(0));
        Sends { manager, stanzas, at_once, permits, tasks: Tasks::new() }
    }

    /// What is started before that waits for this. To be called once.
    pub(crate) fn open(&self) -> impl FnOnce() + Send + use<> {
        let (permits, at_once) = (Arc::clone(&self.permits), self.at_once);
        move || permits.add_permits(at_once)
    }

    /// What the connection's client knows and keeps.
    pub(crate) fn manager(&self) -> Arc<PersistenceManager> {
        Arc::clone(&self.manager)
    }

    /// Starts one, or answers why not.
    pub(crate) fn start(
        &mut self,
        client: &Arc<Client>,
        out: Outgoing,
        body: Body,
        limit: Duration,
    ) -> Option<SessionEvent> {
        if self.tasks.len() >= SENDS_MAX {
            return Some(Outcome::NotSent(NotSent::Passing).report(&out));
        }
        let sender = Sender {
            client: Arc::clone(client),
            manager: Arc::clone(&self.manager),
            stanzas: Arc::clone(&self.stanzas),
        };
        let permits = Arc::clone(&self.permits);
        self.tasks.spawn(out.clone(), send::in_turn(sender, permits, out, body, limit));
        None
    }

    /// The next report; none: nothing is in flight. Cancelling the wait loses nothing.
    pub(crate) async fn next(&mut self) -> Option<SessionEvent> {
        self.tasks.next().await.map(report)
    }

    /// Starts nothing any more: messages that wait for a permit are not sent.
    pub(crate) fn close(&self) {
        self.permits.close();
    }

    /// The report of each that is still open, after the connection's end.
    pub(crate) async fn drain(&mut self) -> Vec<SessionEvent> {
        self.tasks.drain(DRAIN_GRACE).await.into_iter().map(report).collect()
    }
}

fn report((out, outcome): (Outgoing, Option<Outcome>)) -> SessionEvent {
    outcome.unwrap_or(Outcome::CutOff).report(&out)
}
