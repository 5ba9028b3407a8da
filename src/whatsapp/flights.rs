//! The messages in flight on one connection: a bounded number of tasks, each of which
//! ends in exactly one report.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, timeout_at};
use whatsapp_rust::Client;
use whatsapp_rust::store::persistence_manager::PersistenceManager;

use crate::whatsapp::send::{self, Line, Outcome};
use tetherd_core::action::Outgoing;
use tetherd_core::event::{Body, NotSent, SessionEvent};

/// Messages in flight or waiting for their turn, at most. The core sends no more at a time.
const FLIGHTS_MAX: usize = 64;

const _: () = assert!(FLIGHTS_MAX >= tetherd_core::SENDING_MAX && super::ORDERS_MAX > FLIGHTS_MAX);
/// Messages in flight notice by themselves that the connection is gone.
const LANDING_GRACE: Duration = Duration::from_millis(500);

/// The messages in flight.
pub(crate) struct Flights {
    manager: Arc<PersistenceManager>,
    turns: Arc<Semaphore>,
    tasks: JoinSet<Outcome>,
    open: HashMap<Id, Outgoing>,
}

impl Flights {
    /// So many are prepared at a time.
    pub(crate) fn new(manager: Arc<PersistenceManager>, at_once: usize) -> Flights {
        Flights {
            manager,
            turns: Arc::new(Semaphore::new(at_once)),
            tasks: JoinSet::new(),
            open: HashMap::new(),
        }
    }

    /// What the connection's client knows and keeps.
    pub(crate) fn manager(&self) -> Arc<PersistenceManager> {
        Arc::clone(&self.manager)
    }

    /// Starts one, or says why not.
    pub(crate) fn start(
        &mut self,
        client: &Arc<Client>,
        out: Outgoing,
        body: Body,
        limit: Duration,
    ) -> Option<SessionEvent> {
        if self.open.len() >= FLIGHTS_MAX {
            return Some(Outcome::NotSent(NotSent::Passing).report(&out));
        }
        let line = Line { client: Arc::clone(client), manager: Arc::clone(&self.manager) };
        let turns = Arc::clone(&self.turns);
        let id = self.tasks.spawn(send::in_turn(line, turns, out.clone(), body, limit)).id();
        self.open.insert(id, out);
        None
    }

    /// The next report; none: nothing is in flight. Cancelling the wait loses nothing.
    pub(crate) async fn landed(&mut self) -> Option<SessionEvent> {
        loop {
            let (id, outcome) = match self.tasks.join_next_with_id().await? {
                Ok(landed) => landed,
                // Cancelled with the connection; a panic has been reported by its hook.
                Err(error) => (error.id(), Outcome::CutOff),
            };
            if let Some(out) = self.open.remove(&id) {
                return Some(outcome.report(&out));
            }
        }
    }

    /// Nothing is begun any more: whoever waits for a turn is not sent.
    pub(crate) fn ground(&self) {
        self.turns.close();
    }

    /// The report of each that is still open, after the connection's end. Those that
    /// do not notice the end in time are cut off.
    pub(crate) async fn land_all(&mut self) -> Vec<SessionEvent> {
        let deadline = Instant::now() + LANDING_GRACE;
        let mut reports = Vec::with_capacity(self.open.len());
        while let Ok(Some(report)) = timeout_at(deadline, self.landed()).await {
            reports.push(report);
        }
        self.tasks.abort_all();
        while let Some(report) = self.landed().await {
            reports.push(report);
        }
        reports
    }
}
