//! The engine and its real store in virtual time, with a session that the test plays.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::support::{DEADLINE, state_dir};
use crate::daemon::engine::{Control, Engine, EngineError, Parts};
use crate::daemon::engine_handle::{EngineCall, EngineHandle, MessageName, Query};
use crate::daemon::event_hub::{Live, LiveEvent, Walk};
use crate::daemon::preparing::Preparer;
use crate::daemon::supervision::Supervision;
use crate::daemon::systemd::Manager;
use crate::fetch::{self, Fetcher};
use crate::inbox::{Bounds, Inbox};
use crate::spool::Spool;
use crate::spool::tests::LIMITS;
use crate::store::{self, Store};
use crate::whatsapp::{Order, SessionHandle};
use tetherd_api::{ErrorKind, MessageId, Reply, State};
use tetherd_core::action::{Outgoing, SessionCommand};
use tetherd_core::event::{Body, EndReason, NotSent, Request, SessionEvent, Submission};
use tetherd_core::ids::{Digest, WaMessageId};
use tetherd_core::phone::PhoneActivity;
use tetherd_core::time::{BootId, Now};
use tetherd_core::{Core, CoreConfig};

const ACCOUNT: &str = "15550100@s.whatsapp.net";
const WINDOW_MS: u64 = 120_000;
const INBOX: Bounds = Bounds { max: 100, max_age_ms: 1_000_000_000_000 };

/// The runtime's paused clock, on which only waiting makes time pass.
fn virtual_now() -> Now {
    thread_local! {
        static START: Instant = Instant::now();
    }
    let ms = u64::try_from(START.with(Instant::elapsed).as_millis()).unwrap();
    let wall_ms = 1_800_000_000_000 + i64::try_from(ms).unwrap();
    Now { wall_ms, mono_ms: 1_000_000 + ms }
}

/// Which answers the played session's server gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// An ack at once.
    Acks,
    /// An ack when the connection closes.
    AcksLate,
    /// Nothing.
    Silent,
    /// The session itself says that it cannot be sent.
    Unsendable,
}

/// Attempts that the session was told to make, and when.
pub(super) type Attempts = Arc<Mutex<Vec<(u64, Outgoing)>>>;

pub(super) struct Running {
    engine: JoinHandle<Result<(), EngineError>>,
    pub(super) handle: EngineHandle,
    control: mpsc::Sender<Control>,
    store: Store,
    pub(super) inbox: Inbox,
}

impl Running {
    pub(super) async fn start(dir: &Path, server: Server, attempts: &Attempts) -> Running {
        Running::start_as(dir, server, attempts, CoreConfig::default()).await
    }

    pub(super) async fn start_as(
        dir: &Path,
        server: Server,
        attempts: &Attempts,
        config: CoreConfig,
    ) -> Running {
        let (handle, calls) = EngineHandle::with_room(1_024);
        let (orders, inbox) = mpsc::channel(64);
        let (events, session_events) = mpsc::channel(64);
        let task = tokio::spawn(play(server, inbox, events, Arc::clone(attempts)));
        let session = SessionHandle::played(orders, task);
        Running::over(dir, handle, calls, session, session_events, config).await
    }

    pub(super) async fn over(
        dir: &Path,
        handle: EngineHandle,
        calls: mpsc::Receiver<EngineCall>,
        session: SessionHandle,
        session_events: mpsc::Receiver<SessionEvent>,
        config: CoreConfig,
    ) -> Running {
        let store = Store::open(dir).unwrap();
        let (mut restored, damaged) = store::queue::restore(&store).unwrap();
        assert_eq!(damaged, []);
        restored.facts.account = Some(ACCOUNT.into());
        let kept = restored.messages.iter().map(|message| message.id).collect();
        let numbers = store::feed::open(&store, kept).await.unwrap();
        let (core, first) = Core::new(config, BootId(7), restored, virtual_now());
        let inbox = Inbox::open(store.clone(), INBOX, virtual_now().wall_ms).await.unwrap();
        let (control, orders) = mpsc::channel(8);
        let fetcher = Fetcher::new(&fetch::Settings::default()).unwrap();
        let spool = Spool::open(dir, LIMITS).unwrap();
        let parts = Parts {
            core,
            first,
            store: store.clone(),
            numbers,
            incoming: inbox.range(),
            spool: spool.clone(),
            calls,
            session_events,
            session,
            preparer: Preparer::new(Arc::new(fetcher), spool),
            control: orders,
            clock: virtual_now,
            supervision: Supervision::new(&Manager::none()).0,
        };
        Running { engine: tokio::spawn(Engine::run(parts)), handle, control, store, inbox }
    }

    pub(super) async fn send(&self, chat: u64) -> MessageId {
        let to = format!("+1555010{chat:04}").parse().unwrap();
        let wa_id = WaMessageId(format!("3EB0{chat:018X}"));
        let submission = Submission::text(to, Body("hello".into()), Digest([0; 32]), wa_id);
        let answer = self.handle.change(Request::Submit(Box::new(submission))).await.unwrap();
        let Reply::MessageSend(sent) = answer else { panic!("{answer:?}") };
        sent.message.id
    }

    pub(super) async fn state(&self, id: MessageId) -> State {
        let answer = self.handle.query(Query::Get(MessageName::Id(id))).await.unwrap();
        let Reply::MessageGet(message) = answer else { panic!("{answer:?}") };
        message.state
    }

    async fn waiting(&self) -> usize {
        let answer = self.handle.query(Query::Status).await.unwrap();
        let Reply::Status(status) = answer else { panic!("{answer:?}") };
        status.queue.capacity - status.queue.free
    }

    /// As a kill does: nothing more is said, and nothing is waited for.
    pub(super) async fn kill(self) {
        self.engine.abort();
        let _ = self.engine.await;
        self.store.close();
    }
}

/// A subscriber from now on.
pub(super) async fn live(running: &Running) -> Live {
    let head = running.handle.subscribe().await.unwrap().head;
    running.handle.walk(Walk { after: head, floor: head }).await.unwrap().live.unwrap()
}

/// Waits until this many changes say so.
async fn until(live: &mut Live, state: State, count: usize) {
    let mut seen = 0;
    while seen < count {
        let event = live.events.recv().await.expect("the engine runs");
        if matches!(&event, LiveEvent::Message { message, .. } if message.state == state) {
            seen += 1;
        }
    }
}

async fn play(
    server: Server,
    mut orders: mpsc::Receiver<Order>,
    events: mpsc::Sender<SessionEvent>,
    attempts: Attempts,
) {
    let mut late = Vec::new();
    let mut runs = false;
    loop {
        let order = orders.recv().await.map(|order| order.command);
        match order {
            Some(SessionCommand::Connect) => {
                runs = true;
                let _ = events.send(SessionEvent::Connected { account: ACCOUNT.into() }).await;
            }
            Some(SessionCommand::Send(out)) => {
                let (id, attempt, wa_id) = (out.id, out.attempt, out.wa_id.clone());
                attempts.lock().unwrap().push((virtual_now().mono_ms, out));
                if server == Server::Unsendable {
                    let why = NotSent::Unsendable;
                    let _ = events.send(SessionEvent::NotSent { id, attempt, why }).await;
                    continue;
                }
                let _ = events.send(SessionEvent::Written { id, attempt }).await;
                let ack = SessionEvent::Ack { wa_id, error: None };
                match server {
                    Server::Acks => drop(events.send(ack).await),
                    Server::AcksLate => late.push(ack),
                    Server::Silent | Server::Unsendable => {}
                }
            }
            Some(SessionCommand::Probe) => {
                let _ = events.send(SessionEvent::Probed { left: true }).await;
                let activity = PhoneActivity::Peer;
                let _ = events.send(SessionEvent::PhoneActivity { activity, at_ms: None }).await;
            }
            order @ (None | Some(SessionCommand::Close)) => {
                for ack in late.drain(..) {
                    let _ = events.send(ack).await;
                }
                if std::mem::take(&mut runs) {
                    let ended = SessionEvent::Ended { reason: EndReason::Closed, roll: 0 };
                    let _ = events.send(ended).await;
                }
                if order.is_none() {
                    return;
                }
            }
            Some(
                order @ (SessionCommand::Pair { .. }
                | SessionCommand::Logout
                | SessionCommand::Forget
                | SessionCommand::Upload(_)
                | SessionCommand::CheckNumbers { .. }),
            ) => {
                panic!("{order:?}")
            }
        }
    }
}

/// When each attempt was made, after the first one.
fn times(attempts: &Attempts) -> Vec<u64> {
    let attempts = attempts.lock().unwrap();
    attempts.iter().map(|(at, _)| at - attempts[0].0).collect()
}

fn expected(count: u64) -> Vec<u64> {
    (0..count).map(|n| n / 5 * WINDOW_MS).collect()
}

#[tokio::test(start_paused = true)]
async fn twelve_messages_leave_exactly_as_the_rule_says() {
    let dir = state_dir();
    let attempts = Attempts::default();
    let running = Running::start(dir.path(), Server::Acks, &attempts).await;
    let mut events = live(&running).await;
    for chat in 0..12 {
        running.send(chat).await;
    }
    until(&mut events, State::Sent, 12).await;
    assert_eq!(times(&attempts), expected(12));
    running.kill().await;
}

#[tokio::test(start_paused = true)]
async fn restarts_neither_refill_the_window_nor_hold_it_up() {
    let dir = state_dir();
    let attempts = Attempts::default();
    let mut running = Running::start(dir.path(), Server::Acks, &attempts).await;
    let mut events = live(&running).await;
    for chat in 0..12 {
        running.send(chat).await;
    }
    // Each process lives for three messages.
    loop {
        let waiting = running.waiting().await;
        if waiting == 0 {
            break;
        }
        until(&mut events, State::Sent, waiting.min(3)).await;
        running.kill().await;
        running = Running::start(dir.path(), Server::Acks, &attempts).await;
        events = live(&running).await;
    }
    running.kill().await;
    let ids: Vec<u64> = attempts.lock().unwrap().iter().map(|(_, out)| out.id.0).collect();
    let mut unique = ids.clone();
    unique.dedup();
    assert_eq!(unique, (1..=12).collect::<Vec<u64>>());
    // Those that a kill cut off are attempted again, and that takes a slot too.
    assert_eq!(times(&attempts), expected(u64::try_from(ids.len()).unwrap()));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_questions_holds_up_no_message() {
    const QUESTIONS: usize = 640;
    let dir = state_dir();
    let attempts = Attempts::default();
    let running = Running::start(dir.path(), Server::Acks, &attempts).await;
    let mut events = live(&running).await;
    for chat in 0..6 {
        running.send(chat).await;
    }
    until(&mut events, State::Sent, 5).await;

    // All of them wait when the sixth message's time has come.
    let questions = (0..QUESTIONS).map(|_| running.handle.query(Query::Status));
    let mut answers = futures_util::future::join_all(questions);
    assert!(futures_util::poll!(&mut answers).is_pending());
    tokio::time::advance(Duration::from_millis(WINDOW_MS)).await;
    let answers = answers.await;
    let Some(Ok(Reply::Status(last))) = answers.into_iter().next_back() else { panic!("a status") };
    assert_eq!(last.queue.queued, 0, "the sixth has left before the last question's answer");
    running.kill().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_while_the_session_closes_is_kept_and_told() {
    let dir = state_dir();
    let attempts = Attempts::default();
    let running = Running::start(dir.path(), Server::AcksLate, &attempts).await;
    let mut events = live(&running).await;
    let id = running.send(1).await;
    until(&mut events, State::Sending, 1).await;
    running.control.send(Control::Drain).await.unwrap();
    running.control.send(Control::Leave).await.unwrap();
    until(&mut events, State::Sent, 1).await;
    running.engine.await.unwrap().unwrap();
    running.store.close();

    let running = Running::start(dir.path(), Server::Acks, &attempts).await;
    assert_eq!(running.state(id).await, State::Sent);
    running.kill().await;
    assert_eq!(attempts.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_cut_off_at_the_end_is_unknown_and_goes_out_again_under_its_id() {
    let dir = state_dir();
    let attempts = Attempts::default();
    let running = Running::start(dir.path(), Server::Silent, &attempts).await;
    let mut events = live(&running).await;
    running.send(1).await;
    until(&mut events, State::Sending, 1).await;
    running.control.send(Control::Drain).await.unwrap();
    running.control.send(Control::Leave).await.unwrap();
    until(&mut events, State::Unknown, 1).await;
    running.engine.await.unwrap().unwrap();
    running.store.close();

    let running = Running::start(dir.path(), Server::Acks, &attempts).await;
    let mut events = live(&running).await;
    until(&mut events, State::Sent, 1).await;
    running.kill().await;
    let attempts = attempts.lock().unwrap();
    assert_eq!((attempts.len(), &attempts[0].1.wa_id), (2, &attempts[1].1.wa_id));
}

#[tokio::test(start_paused = true)]
async fn who_calls_while_the_session_ends_is_told_at_once_that_nothing_was_changed() {
    let dir = state_dir();
    let (handle, calls) = EngineHandle::channel();
    let (orders, mut inbox) = mpsc::channel::<Order>(64);
    let (events, session_events) = mpsc::channel(64);
    let (let_go, held) = oneshot::channel::<()>();
    let (told, leaving) = oneshot::channel();
    let task = tokio::spawn(async move {
        while let Some(order) = inbox.recv().await {
            assert!(
                matches!(order.command, SessionCommand::Connect | SessionCommand::Close),
                "{order:?}"
            );
        }
        told.send(()).unwrap();
        held.await.unwrap();
        drop(events);
    });
    let session = SessionHandle::played(orders, task);
    let running =
        Running::over(dir.path(), handle, calls, session, session_events, CoreConfig::default())
            .await;
    running.control.send(Control::Drain).await.unwrap();
    leaving.await.unwrap();
    let refused = timeout(DEADLINE, running.handle.change(Request::Pause)).await.unwrap();
    let refused = refused.unwrap_err();
    assert_eq!(refused.data.kind, ErrorKind::ShuttingDown);
    let_go.send(()).unwrap();
    running.engine.await.unwrap().unwrap();
    running.store.close();
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_session_events_holds_up_no_call() {
    const FLOOD: u64 = 20_000;
    let dir = state_dir();
    let (handle, calls) = EngineHandle::channel();
    let (orders, mut inbox) = mpsc::channel(64);
    let (events, session_events) = mpsc::channel(1_024);
    let flood = Arc::new(AtomicU64::new(0));
    let sent = Arc::clone(&flood);
    let task = tokio::spawn(async move {
        assert!(matches!(inbox.recv().await, Some(Order { command: SessionCommand::Connect, .. })));
        // As much as there is room for, whenever the engine lets go.
        while sent.fetch_add(1, Ordering::Relaxed) < FLOOD {
            events.send(SessionEvent::Probed { left: true }).await.unwrap();
        }
        while inbox.recv().await.is_some() {}
    });
    let session = SessionHandle::played(orders, task);
    let config = CoreConfig::default();
    let running = Running::over(dir.path(), handle, calls, session, session_events, config).await;
    while flood.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    running.handle.query(Query::Status).await.unwrap();
    let before = flood.load(Ordering::Relaxed);
    assert!(before < FLOOD, "the call was answered only after the flood");
    running.kill().await;
}
