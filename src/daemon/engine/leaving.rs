//! The engine's end. What the session still reports is kept; nothing new begins.

use tokio::sync::mpsc;

use super::{Engine, EngineError, commit};
use crate::daemon::clock;
use crate::daemon::engine_handle::{EngineCall, shutting_down};
use crate::daemon::spool_sweep;
use tetherd_core::action::Effect;
use tetherd_core::event::{Input, SessionEvent};

impl Engine {
    /// Ends the session, and takes in what it still reports: an answer that comes late
    /// is kept, and published to subscribers.
    pub(super) async fn leave(
        self,
        calls: mpsc::Receiver<EngineCall>,
        mut session_events: mpsc::Receiver<SessionEvent>,
    ) -> Result<(), EngineError> {
        refuse(calls);
        let Engine { mut core, store, spool, session, .. } = self;
        let (mut hub, mut log, clock) = (self.hub, self.log, self.clock);
        drop((self.starts, self.walks));
        let mut stopping = std::pin::pin!(session.stop());
        let mut stopped = false;
        loop {
            let event = tokio::select! {
                biased;
                event = session_events.recv() => event,
                () = &mut stopping, if !stopped => {
                    stopped = true;
                    continue;
                }
            };
            // The session's task held the last sender: it is gone.
            let Some(event) = event else { return Ok(()) };
            let actions = core.handle(Input::Session(event), clock());
            commit(&store, &mut hub, &actions).await?;
            for effect in actions.effects {
                match effect {
                    Effect::Event(event) => {
                        log.note(&event);
                        hub.publish(event, clock::time(clock));
                    }
                    Effect::Unspool(id) => spool_sweep::remove(&spool, id),
                    // Nobody waits any more, and neither session nor preparer takes orders.
                    Effect::Reply { .. } | Effect::Session(_) | Effect::Prepare(_) => {}
                }
            }
        }
    }
}

/// Calls that came too late: nothing was changed.
fn refuse(mut calls: mpsc::Receiver<EngineCall>) {
    calls.close();
    while let Ok(call) = calls.try_recv() {
        match call {
            // A caller that has gone away needs no answer.
            EngineCall::Change { reply, .. } => drop(reply.send(Err(shutting_down()))),
            EngineCall::Query { reply, .. } => drop(reply.send(Err(shutting_down()))),
            EngineCall::Room { reply, .. } => drop(reply.send(Err(shutting_down()))),
            // Without an answer the handle says the same.
            EngineCall::Subscribe { reply } => drop(reply),
            EngineCall::Walk { reply, .. } => drop(reply),
        }
    }
}
