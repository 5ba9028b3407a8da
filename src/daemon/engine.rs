//! Owns the core: turns calls, session events and time into inputs, makes the
//! changes durable, then carries out the effects. The only writer of the queue.
//!
//! One turn gathers what waits, hands it to the core, commits all changes as one
//! batch, and only then replies, notifies subscribers and commands the session. So no
//! reply and no send ever runs ahead of the disk, and a burst of calls costs one
//! sync. A turn takes so much of each source and no more: a flood of one holds up no other.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use crate::daemon::clock::{self, Clock};
use crate::daemon::engine_handle::{EngineCall, Query};
use crate::daemon::event_hub::{self, EventHub, Page, Walk};
use crate::daemon::event_log::EventLog;
use crate::daemon::preparing::Preparer;
use crate::daemon::sending_hours::SendingHours;
use crate::daemon::supervision::{Due, Supervision};
use crate::inbox::CursorRange;
use crate::spool::Spool;
use crate::store::feed::Numbers;
use crate::store::{self, CommitError, Store};
use crate::whatsapp::SessionHandle;
use tetherd_api::{self as api, Reply};
use tetherd_core::action::{Actions, Effect};
use tetherd_core::event::{Input, SessionEvent, Token};
use tetherd_core::files::Prepared;
use tetherd_core::{Core, CoreConfig};

mod effects;
mod leaving;
mod queries;

/// Most inputs that one turn takes from each source: bounds the batch, and how long any
/// source waits for the others.
const GATHER_MAX: usize = 32;
/// How often a full disk is looked at.
const ROOM_PERIOD: Duration = Duration::from_secs(5);

/// How the engine ended.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The store failed for good; recovery at the next start decides what holds.
    #[error("the store failed: {0}")]
    Store(#[from] CommitError),
    /// The session's task is gone: our bug.
    #[error("the session task ended unexpectedly")]
    SessionGone,
}

/// Commands from the daemon's main task.
#[derive(Debug)]
pub(super) enum Control {
    /// Start nothing new; the engine ends when nothing is in flight.
    Drain,
    /// End now: what is in flight goes out again, under its id, after the next start.
    Leave,
    /// Take this configuration.
    Reconfigure {
        /// Which.
        config: Box<CoreConfig>,
        /// When messages may leave by it.
        hours: SendingHours,
        /// Notified once it is in force.
        done: oneshot::Sender<()>,
    },
}

/// What the engine is built from.
pub(super) struct Parts {
    /// The core, restored.
    pub core: Core,
    /// What its restoration asks for.
    pub first: Actions,
    /// When messages may leave.
    pub hours: SendingHours,
    /// The store.
    pub store: Store,
    /// Which change of a message was committed when.
    pub numbers: Numbers,
    /// Which incoming messages there are.
    pub incoming: watch::Receiver<CursorRange>,
    /// The files of messages that wait.
    pub spool: Spool,
    /// Calls from the socket.
    pub calls: mpsc::Receiver<EngineCall>,
    /// What the session reports.
    pub session_events: mpsc::Receiver<SessionEvent>,
    /// Commands for the session.
    pub session: SessionHandle,
    /// What fetches files and checks links, and its reports.
    pub preparer: (Preparer, mpsc::Receiver<Prepared>),
    /// Commands from the main task.
    pub control: mpsc::Receiver<Control>,
    /// What the service manager wants.
    pub supervision: Supervision,
    /// What time it is.
    pub clock: Clock,
}

/// Where inputs come from.
struct Sources {
    calls: mpsc::Receiver<EngineCall>,
    session_events: mpsc::Receiver<SessionEvent>,
    prepared: mpsc::Receiver<Prepared>,
    control: mpsc::Receiver<Control>,
}

/// The engine's task.
pub(super) struct Engine {
    core: Core,
    hours: SendingHours,
    store: Store,
    spool: Spool,
    session: SessionHandle,
    preparer: Preparer,
    waiting: HashMap<Token, oneshot::Sender<Result<Reply, api::Error>>>,
    queries: Vec<(Query, oneshot::Sender<Result<Reply, api::Error>>)>,
    starts: Vec<oneshot::Sender<event_hub::Now>>,
    walks: Vec<(Walk, oneshot::Sender<Page>)>,
    incoming: watch::Receiver<CursorRange>,
    hub: EventHub,
    log: EventLog,
    clock: Clock,
    next_token: u64,
    draining: bool,
    supervision: Supervision,
    leaving: bool,
    /// Inputs that carrying out effects gave rise to; handled in the next turn.
    echoes: Vec<Input>,
}

impl Engine {
    /// Runs until drained, or until the store fails.
    pub(super) async fn run(parts: Parts) -> Result<(), EngineError> {
        let Parts { core, mut first, store, spool, session, clock, supervision, .. } = parts;
        let Parts { hours, numbers, incoming, .. } = parts;
        let (preparer, prepared) = parts.preparer;
        let Parts { calls, session_events, control, .. } = parts;
        let mut sources = Sources { calls, session_events, prepared, control };
        let mut engine = Engine {
            core,
            hours,
            store,
            spool,
            session,
            preparer,
            waiting: HashMap::new(),
            queries: Vec::new(),
            starts: Vec::new(),
            walks: Vec::new(),
            incoming,
            hub: EventHub::new(numbers),
            log: EventLog::default(),
            clock,
            next_token: 0,
            draining: false,
            supervision,
            leaving: false,
            echoes: Vec::new(),
        };
        let mut failed = engine.store.failed();
        engine.tell_hours(&mut first);
        let mut disk_full = engine.store.disk_full();
        if *disk_full.borrow_and_update() {
            engine.feed(Input::DiskFull(true), &mut first);
        }
        let mut room = tokio::time::interval(ROOM_PERIOD);
        room.set_missed_tick_behavior(MissedTickBehavior::Delay);
        engine.finish_turn(first).await?;
        loop {
            if engine.leaving || (engine.draining && engine.core.is_drained()) {
                return engine.leave(sources.calls, sources.session_events).await;
            }
            let mut actions = engine.take_echoes();
            if actions.changes.is_empty() && actions.effects.is_empty() {
                let wake = engine.wake();
                tokio::select! {
                    // The watchdog before all: its turns are few. For the others the order does
                    // not matter: whichever wakes the engine, the turn takes from each.
                    biased;
                    // What waits is the next turn's: the status that is reported is this one's.
                    due = engine.supervision.due() => {
                        engine.supervise(due);
                        continue;
                    }
                    // The session writes too: its failed write ends the daemon as ours does.
                    _ = failed.wait_for(Option::is_some) => {
                        return Err(CommitError::OutcomeUnknown.into());
                    }
                    Ok(()) = disk_full.changed() => {
                        let is_full = *disk_full.borrow_and_update();
                        engine.feed(Input::DiskFull(is_full), &mut actions);
                    }
                    _ = room.tick(), if engine.core.is_disk_full() => engine.look_for_room(),
                    event = sources.session_events.recv() => {
                        let event = event.ok_or(EngineError::SessionGone)?;
                        engine.feed(Input::Session(event), &mut actions);
                    }
                    Some(report) = sources.prepared.recv() => engine.prepared(report, &mut actions),
                    Some(order) = sources.control.recv() => engine.control(order, &mut actions),
                    Some(call) = sources.calls.recv() => engine.call(call, &mut actions),
                    // An inbox that is gone brings nothing.
                    Ok(()) = engine.incoming.changed(), if engine.hub.is_followed() => {
                        engine.incoming.mark_changed();
                    }
                    () = wake => engine.feed(Input::Tick, &mut actions),
                }
            }
            engine.gather(&mut sources, &mut actions);
            engine.catch_up(&mut actions);
            engine.finish_turn(actions).await?;
        }
    }

    /// Takes what waits. The server's answers come first: callers' answers depend on them.
    fn gather(&mut self, sources: &mut Sources, actions: &mut Actions) {
        for _ in 0..GATHER_MAX {
            let Ok(event) = sources.session_events.try_recv() else { break };
            self.feed(Input::Session(event), actions);
        }
        for _ in 0..GATHER_MAX {
            let Ok(report) = sources.prepared.try_recv() else { break };
            self.prepared(report, actions);
        }
        for _ in 0..GATHER_MAX {
            let Ok(order) = sources.control.try_recv() else { break };
            self.control(order, actions);
        }
        for _ in 0..GATHER_MAX {
            let Ok(call) = sources.calls.try_recv() else { break };
            self.call(call, actions);
        }
        if self.hub.is_followed() && self.incoming.has_changed().unwrap_or(false) {
            self.hub.incoming(*self.incoming.borrow_and_update());
        }
    }

    /// Waits until the core wants to be woken; forever if it does not.
    fn wake(&self) -> impl Future<Output = ()> + use<> {
        let due = self.core.poll_timeout();
        let due = due.map(|(mono_ms, _why)| clock::until(mono_ms, (self.clock)()));
        async move {
            match due {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        }
    }

    /// Does what is due. While calls keep coming, the wait for it never gets its turn,
    /// and queries alone do not make the core notice that time has passed.
    fn catch_up(&mut self, actions: &mut Actions) {
        let now = (self.clock)();
        if self.core.poll_timeout().is_some_and(|(mono_ms, _why)| mono_ms <= now.mono_ms) {
            self.feed(Input::Tick, actions);
        }
    }

    /// Before the core takes an input: when messages may leave, if it has to know anew.
    fn tell_hours(&mut self, actions: &mut Actions) {
        let now = (self.clock)();
        if let Some(hours) = self.hours.news(now.wall_ms) {
            let more = self.core.handle(Input::Hours(hours), now);
            actions.changes.extend(more.changes);
            actions.effects.extend(more.effects);
        }
    }

    fn feed(&mut self, input: Input, actions: &mut Actions) {
        self.tell_hours(actions);
        let more = self.core.handle(input, (self.clock)());
        actions.changes.extend(more.changes);
        actions.effects.extend(more.effects);
    }

    fn take_echoes(&mut self) -> Actions {
        let mut actions = Actions::default();
        for input in std::mem::take(&mut self.echoes) {
            self.feed(input, &mut actions);
        }
        actions
    }

    fn call(&mut self, call: EngineCall, actions: &mut Actions) {
        match call {
            EngineCall::Change { request, reply } => {
                let token = self.token();
                self.waiting.insert(token, reply);
                self.feed(Input::Request { token, request }, actions);
            }
            EngineCall::Query { query, reply } => self.queries.push((query, reply)),
            // A caller that has gone away needs no answer.
            EngineCall::Room { key, reply } => drop(reply.send(self.core.room(key.as_deref()))),
            EngineCall::Subscribe { reply } => self.starts.push(reply),
            EngineCall::Walk { walk, reply } => self.walks.push((walk, reply)),
        }
    }

    fn control(&mut self, order: Control, actions: &mut Actions) {
        match order {
            Control::Drain => {
                self.draining = true;
                self.feed(Input::Drain, actions);
            }
            Control::Leave => self.leaving = true,
            Control::Reconfigure { config, hours, done } => {
                self.hours = hours;
                self.tell_hours(actions);
                let more = self.core.set_config(*config, (self.clock)());
                actions.changes.extend(more.changes);
                actions.effects.extend(more.effects);
                // A main task that has gone away needs no notification.
                let _ = done.send(());
            }
        }
    }

    fn look_for_room(&self) {
        let store = self.store.clone();
        // Ends at once: nothing waits for it.
        drop(tokio::task::spawn_blocking(move || store.look_for_room()));
    }

    fn token(&mut self) -> Token {
        self.next_token += 1;
        Token(self.next_token)
    }

    /// Makes the turn's changes durable, then carries out its effects, then answers
    /// the queries, which so never show what is not on disk.
    async fn finish_turn(&mut self, actions: Actions) -> Result<(), EngineError> {
        if let Err(error) = commit(&self.store, &mut self.hub, &actions).await {
            self.refuse_all();
            return Err(error.into());
        }
        let is_reply = |effect: &Effect| matches!(effect, Effect::Reply { .. });
        let (replies, rest): (Vec<_>, Vec<_>) = actions.effects.into_iter().partition(is_reply);
        if !replies.is_empty() {
            replies.into_iter().for_each(|reply| self.carry_out(reply));
            // They are written before what nobody waits for is done.
            tokio::task::yield_now().await;
        }
        for effect in rest {
            self.carry_out(effect);
        }
        self.supervision.turned();
        self.answer_queries();
        Ok(())
    }

    fn supervise(&mut self, due: Due) {
        let Engine { supervision, store, core, clock, draining, .. } = self;
        supervision.act(due, store, || (core.status(clock()), *draining, clock::time(*clock)));
    }

    fn prepared(&mut self, report: Prepared, actions: &mut Actions) {
        self.preparer.reported(&report);
        self.feed(Input::Prepared(report), actions);
    }
}

/// Makes the changes durable, and then visible to those who follow them.
async fn commit(store: &Store, hub: &mut EventHub, actions: &Actions) -> Result<(), CommitError> {
    if actions.changes.is_empty() {
        return Ok(());
    }
    let changed = hub.changed(actions);
    let batch = store::queue::batch(&actions.changes);
    let before = store::feed::commit(store, batch, changed.clone()).await?;
    hub.committed(before, &changed, &actions.effects);
    Ok(())
}

fn outcome_unknown() -> api::Error {
    api::Error::new(
        api::ErrorKind::OutcomeUnknown,
        "the disk failed while the change was written: it may or may not have been kept",
    )
    .remedy("the daemon stops; after its restart look the message up by its key, or send again with the same key")
}
