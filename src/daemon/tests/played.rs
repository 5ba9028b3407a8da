//! An engine with its real store in virtual time, and a session that the test plays.

use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::daemon::core_config;
use crate::daemon::engine::{Control, Engine, EngineError, Parts};
use crate::daemon::engine_handle::{EngineCall, EngineHandle, MessageName, Query};
use crate::daemon::event_hub::{Live, LiveEvent, Walk};
use crate::daemon::preparing::Preparer;
use crate::daemon::sending_hours::SendingHours;
use crate::daemon::supervision::Supervision;
use crate::daemon::systemd::Manager;
use crate::fetch::{self, Fetcher};
use crate::inbox::{Bounds, Inbox};
use crate::spool::Spool;
use crate::spool::tests::LIMITS;
use crate::store::{self, Store};
use crate::whatsapp::{Order, SessionHandle};
use tetherd_api::{FeedId, MessageId, Reply, State};
use tetherd_config::Config;
use tetherd_core::action::{Outgoing, SessionCommand};
use tetherd_core::event::{Body, EndReason, NotSent, Request, SessionEvent, Submission};
use tetherd_core::ids::{Digest, WaMessageId};
use tetherd_core::phone::PhoneActivity;
use tetherd_core::time::{BootId, Now};
use tetherd_core::{Core, CoreConfig};

const ACCOUNT: &str = "15550100@s.whatsapp.net";
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

/// Attempts that the session had to make, and when.
pub(super) type Attempts = Arc<Mutex<Vec<(u64, Outgoing)>>>;

/// The defaults, but no number is looked up before a message leaves.
pub(super) fn unchecked() -> CoreConfig {
    let mut config = Config::default();
    config.preflight.numbers = false;
    core_config(&config)
}

pub(super) struct Running {
    pub(super) engine: JoinHandle<Result<(), EngineError>>,
    pub(super) handle: EngineHandle,
    pub(super) control: mpsc::Sender<Control>,
    pub(super) store: Store,
    pub(super) inbox: Inbox,
}

impl Running {
    pub(super) async fn start(dir: &Path, server: Server, attempts: &Attempts) -> Running {
        Running::start_as(dir, server, attempts, unchecked()).await
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
        let numbers = store::feed::open(&store, kept, FeedId(1)).await.unwrap();
        let (core, first) = Core::new(config, BootId(7), restored, virtual_now());
        let inbox = Inbox::open(store.clone(), INBOX, virtual_now().wall_ms, 0).await.unwrap();
        let (control, orders) = mpsc::channel(8);
        let fetcher = Fetcher::new(&fetch::Settings::default()).unwrap();
        let spool = Spool::open(dir, LIMITS).unwrap();
        let parts = Parts {
            hours: SendingHours::new(&Config::default().pacing),
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

    pub(super) async fn waiting(&self) -> usize {
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
pub(super) async fn until(live: &mut Live, state: State, count: usize) {
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
                let (id, attempt, wa_id) = (out.id, out.attempt, out.draft.wa_id.clone());
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
                | SessionCommand::AnswerPasskey(_)
                | SessionCommand::ConfirmPasskey
                | SessionCommand::Logout
                | SessionCommand::Forget
                | SessionCommand::KeepKeys
                | SessionCommand::Upload(_)
                | SessionCommand::ListGroups { .. }
                | SessionCommand::CheckNumbers { .. }),
            ) => {
                panic!("{order:?}")
            }
        }
    }
}
