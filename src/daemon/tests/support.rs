//! A server on a real socket in a folder of its own, with a scripted engine behind it.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::daemon::auth::{Access, Peer, Peers};
use crate::daemon::engine_handle::{EngineCall, EngineHandle, Query};
use crate::daemon::event_hub::{self, Latest, Live, LiveEvent, Page};
use crate::daemon::server::Server;
use crate::daemon::socket::{BoundSocket, SocketPath};
use tetherd_api::{
    self as api, ConditionKind, Event, EventFrame, Kind, Message, MessageId, Reply, Signature,
    State, Time, call,
};
use tetherd_core::event::Request;
use tetherd_core::files::Room;

pub(super) const DEADLINE: Duration = Duration::from_secs(20);
pub(super) const AT: Time = Time(1_700_000_000_000);

/// A folder that a store takes.
pub(in crate::daemon) fn state_dir() -> tempfile::TempDir {
    let owner_only = std::fs::Permissions::from_mode(0o700);
    tempfile::Builder::new().permissions(owner_only).tempdir().unwrap()
}

/// A user who is neither root nor the one that runs the tests.
pub(super) fn stranger(n: u32) -> u32 {
    nix::unistd::Uid::effective().as_raw() + 1 + n
}

/// A server, its engine's end, and its socket.
pub(super) struct Fixture {
    pub(super) path: PathBuf,
    pub(super) stop: watch::Sender<bool>,
    pub(super) server: JoinHandle<()>,
    pub(super) peers: FakePeers,
    _socket: SocketPath,
    _dir: tempfile::TempDir,
}

impl Fixture {
    /// With an engine that answers everything as the samples below.
    pub(super) fn new() -> (Fixture, Requests) {
        let (fixture, calls) = Fixture::with_access(Access::own_user_only());
        (fixture, Requests::answering(calls))
    }

    /// With these rules, and the engine's end in the test's hands.
    pub(super) fn with_access(access: Access) -> (Fixture, mpsc::Receiver<EngineCall>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        let bound = BoundSocket::bind(&path, &access).unwrap();
        let (engine, calls) = EngineHandle::channel();
        let (stop, stopping) = watch::channel(false);
        let peers = FakePeers::default();
        let server = Server::new(bound.listener, engine, access).unwrap();
        let server = tokio::spawn(server.with_peers(peers.clone()).run(stopping));
        (Fixture { path, stop, server, peers, _socket: bound.path, _dir: dir }, calls)
    }

    pub(super) async fn connect(&self) -> Raw {
        Raw { stream: BufReader::new(UnixStream::connect(&self.path).await.unwrap()) }
    }
}

/// Says that every caller is this one; at first, root.
#[derive(Clone, Debug, Default)]
pub(super) struct FakePeers(Arc<Mutex<Option<Peer>>>);

impl FakePeers {
    pub(super) fn are(&self, uid: u32, gid: u32, groups: &[u32]) {
        *self.0.lock().unwrap() = Some(Peer { uid, gid, groups: groups.to_vec() });
    }
}

impl Peers for FakePeers {
    fn peer(&self, _: &UnixStream) -> io::Result<Peer> {
        let peer = self.0.lock().unwrap().clone();
        Ok(peer.unwrap_or(Peer { uid: 0, gid: 0, groups: Vec::new() }))
    }
}

/// Lines, as a stranger would write them.
pub(super) struct Raw {
    pub(super) stream: BufReader<UnixStream>,
}

impl Raw {
    pub(super) async fn write(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).await.unwrap();
    }

    /// The next line; none when the daemon closed.
    pub(super) async fn read(&mut self) -> Option<Value> {
        let mut line = String::new();
        match timeout(DEADLINE, self.stream.read_line(&mut line)).await.unwrap() {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(serde_json::from_str(&line).unwrap()),
        }
    }

    pub(super) async fn ask(&mut self, line: &str) -> Value {
        self.write(format!("{line}\n").as_bytes()).await;
        self.read().await.unwrap()
    }

    pub(super) async fn call(&mut self, method: &str, params: Value) -> Value {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        self.ask(&request.to_string()).await
    }

    pub(super) async fn error_kind(&mut self, method: &str, params: Value) -> String {
        let reply = self.call(method, params).await;
        reply["error"]["data"]["kind"].as_str().unwrap_or_else(|| panic!("{reply}")).to_string()
    }
}

/// What the engine was asked, in order.
#[derive(Clone, Default)]
pub(super) struct Requests(Arc<Mutex<(Vec<Request>, Vec<Query>)>>);

impl Requests {
    pub(super) fn answering(mut calls: mpsc::Receiver<EngineCall>) -> Requests {
        let requests = Requests::default();
        let log = requests.clone();
        tokio::spawn(async move {
            while let Some(call) = calls.recv().await {
                log.answer(call);
            }
        });
        requests
    }

    fn answer(&self, call: EngineCall) {
        match call {
            EngineCall::Change { request, reply } => {
                let answer = answer_to(&request);
                self.0.lock().unwrap().0.push(request);
                let _ = reply.send(Ok(answer));
            }
            EngineCall::Query { query, reply } => {
                let answer = match &query {
                    Query::Status => call::Status::reply(status()),
                    Query::Explain => call::Explain::reply(explanation()),
                    Query::Repeated { .. } => call::MessageSend::reply(api::SendResult {
                        message: message(7, State::Queued),
                        duplicate: true,
                        replaces: None,
                    }),
                    Query::Get(_) => call::MessageGet::reply(message(7, State::Queued)),
                    Query::List { .. } => call::QueueList::reply(api::ListResult {
                        messages: vec![message(7, State::Queued)],
                        total: 1,
                        next: None,
                    }),
                };
                self.0.lock().unwrap().1.push(query);
                let _ = reply.send(Ok(answer));
            }
            EngineCall::Room { reply, .. } => drop(reply.send(Ok(Room::Free))),
            EngineCall::Subscribe { reply } => drop(reply.send(stands())),
            EngineCall::Walk { reply, .. } => drop(reply.send(last_page().0)),
        }
    }

    pub(super) fn last_change(&self) -> Request {
        self.0.lock().unwrap().0.last().unwrap().clone()
    }

    pub(super) fn changes(&self) -> usize {
        self.0.lock().unwrap().0.len()
    }

    pub(super) fn queries(&self) -> usize {
        self.0.lock().unwrap().1.len()
    }

    pub(super) fn last_query(&self) -> Query {
        self.0.lock().unwrap().1.last().unwrap().clone()
    }
}

fn answer_to(request: &Request) -> Reply {
    match request {
        Request::Submit(_) => call::MessageSend::reply(api::SendResult {
            message: message(7, State::Queued),
            duplicate: false,
            replaces: None,
        }),
        Request::Cancel { ids, .. } => call::QueueCancel::reply(api::CancelResult {
            cancelled: ids.clone(),
            not_cancelled: vec![],
            not_found: vec![],
            dry_run: false,
            undo_until: None,
        }),
        Request::Clear { dry_run, .. } => call::QueueClear::reply(api::ClearResult {
            cleared: 3,
            in_flight: vec![],
            examples: vec![],
            dry_run: *dry_run,
            undo_until: None,
        }),
        Request::Retry { .. } => call::QueueRetry::reply(api::RetryResult {
            requeued: vec![MessageId(2)],
            no_place: vec![],
            dry_run: false,
        }),
        Request::Check { numbers, .. } => call::PhoneCheck::reply(api::CheckResult {
            numbers: numbers
                .iter()
                .map(|number| api::CheckedNumber {
                    number: number.written().into(),
                    answer: api::Presence::OnNetwork,
                    address: None,
                    checked_at: Some(AT),
                    cached: true,
                    why: None,
                })
                .collect(),
        }),
        Request::ListGroups { .. } => call::GroupList::reply(api::GroupListResult {
            groups: vec![],
            total: 0,
            asked_at: AT,
            current: true,
        }),
        Request::Restore { dry_run, .. } => call::QueueRestore::reply(api::RestoreResult {
            restored: vec![MessageId(2)],
            no_place: vec![],
            dry_run: *dry_run,
        }),
        Request::Pair { .. } => call::SessionPair::reply(api::PairResult {
            offer: api::PairOffer::Code { code: "ABCD1234".into(), expires_at: AT },
        }),
        Request::Passkey { .. } => call::SessionPasskey::reply(status()),
        Request::PasskeyConfirm { .. } => call::SessionPasskeyConfirm::reply(status()),
        Request::Pause => call::QueuePause::reply(status()),
        Request::Resume => call::QueueResume::reply(status()),
        Request::Release => call::QueueRelease::reply(status()),
        Request::Reconnect => call::SessionReconnect::reply(status()),
        Request::Takeover => call::SessionTakeover::reply(status()),
        Request::Logout => call::SessionLogout::reply(status()),
        Request::Heartbeat(_) => call::PhoneHeartbeat::reply(api::PhoneStatus::unknown(AT)),
    }
}

/// How things stand: the last number is 4.
pub(super) fn stands() -> event_hub::Now {
    let status = Latest { version: 1, state: Box::new(status()) };
    let runs = Arc::default();
    event_hub::Now { at: AT, head: 4, runs, status, pairing: Latest::default() }
}

/// One message, and the way for what follows.
pub(super) fn last_page() -> (Page, mpsc::Sender<LiveEvent>) {
    let (sender, events) = mpsc::channel(event_hub::LIVE_EVENTS_MAX);
    let live = Live { now: stands(), incoming: 0, events };
    let messages = vec![(3, message(7, State::Queued))];
    (Page { messages, forgotten: 0, live: Some(live) }, sender)
}

/// What a subscriber is sent of these two.
pub(super) fn snapshot() -> Vec<EventFrame> {
    let frame = |seq, event| EventFrame { seq, at: AT, event };
    vec![
        frame(0, Event::Status { status: Box::new(status()) }),
        frame(3, Event::Message { message: Box::new(message(7, State::Queued)) }),
        frame(4, Event::SnapshotEnd {}),
    ]
}

pub(in crate::daemon) fn status() -> api::Status {
    serde_json::from_value(json!({
        "started_at": AT,
        "session": { "state": "connected", "since": AT, "connections": 1, "replaced": 0 },
        "queue": {
            "capacity": 400, "free": 399, "queued": 1, "sending": 0, "unknown": 0,
            "parked": 0, "history": 0, "paused": false,
        },
        "pacing": { "limit": 5, "window_ms": 120_000, "spent": 0 },
        "conditions": [],
    }))
    .unwrap()
}

/// A condition that holds everything that waits.
pub(in crate::daemon) fn condition(kind: ConditionKind, until: Option<Time>) -> api::Condition {
    api::Condition {
        kind,
        active: true,
        holds: api::Holds::All,
        since: Some(AT),
        ends_by_itself: until.is_some(),
        until,
        why: String::new(),
        evidence: vec![],
        affected: api::Affected::default(),
        by_itself: String::new(),
        by_itself_at: None,
        remedy: None,
    }
}

fn explanation() -> api::Explanation {
    api::Explanation {
        summary: "Nothing waits.".into(),
        waiting: 0,
        next_send_at: None,
        last_send_at: None,
        conditions: vec![],
    }
}

pub(super) fn message(id: u64, state: State) -> Message {
    Message {
        id: MessageId(id),
        wa_id: format!("3EB0{id:018X}"),
        to: "15550100@s.whatsapp.net".into(),
        address: None,
        state,
        reason: None,
        key: None,
        kind: Kind::Text,
        reply_to: None,
        file: None,
        priority: api::Priority::Normal,
        not_before: None,
        expires_at: None,
        undo_until: None,
        text: None,
        preview: "hello".into(),
        chars: 5,
        attempts: 0,
        accepted_at: AT,
        changed_at: AT,
        sent_at: None,
        delivered_at: None,
        read_at: None,
        position: None,
        expected_at: None,
        held_by: None,
        after: None,
    }
}
