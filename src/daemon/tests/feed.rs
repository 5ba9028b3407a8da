//! The changes feed on a real engine and store: nothing is missed, whoever restarts, and
//! however slowly somebody reads.

use std::collections::BTreeMap;
use std::path::Path;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::played::{Attempts, Running, Server, unchecked};
use super::support::{DEADLINE, state_dir};
use crate::daemon::connection::Outgoing;
use crate::daemon::event_stream::{Subscription, forward};
use crate::daemon::inbox_service::InboxService;
use crate::inbox::tests::new_message;
use crate::whatsapp::CurrentConnection;
use tetherd_api::Reply;
use tetherd_api::frame::{FromDaemon, parse_from_daemon};
use tetherd_api::{Event, EventFrame, State, Tier};
use tetherd_core::CoreConfig;
use tetherd_core::event::{Request, Selection};

const NOW_MS: i64 = 1_800_000_000_000;

/// One subscription, as its connection has it.
struct Reader {
    lines: mpsc::Receiver<Outgoing>,
    task: JoinHandle<()>,
    _ending: watch::Sender<bool>,
}

impl Reader {
    async fn subscribe(running: &Running, after: Option<u64>) -> Reader {
        let engine = running.handle.clone();
        let start = engine.subscribe().await.unwrap();
        let inbox = InboxService::new(
            running.inbox.clone(),
            CurrentConnection::default(),
            "/nonexistent".into(),
            0,
        );
        let follow = inbox.follow(after.unwrap_or(start.head)).unwrap();
        let subscription = Subscription { engine, start, after, follow };
        let (outgoing, lines) = mpsc::channel(4);
        let (ending, ends) = watch::channel(false);
        let task = tokio::spawn(async move {
            forward(subscription, Some(Tier::Admin), &outgoing, ends).await;
        });
        Reader { lines, task, _ending: ending }
    }

    async fn next(&mut self) -> EventFrame {
        let line = timeout(DEADLINE, self.lines.recv()).await.unwrap().unwrap().line;
        let FromDaemon::Event(frame) = parse_from_daemon(&line).unwrap() else {
            panic!("an event")
        };
        *frame
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a consumer keeps on its own disk.
#[derive(Default)]
struct Consumer {
    after: u64,
    states: BTreeMap<u64, State>,
    incoming: Vec<u64>,
}

impl Consumer {
    /// Takes an event in; answers whether it is up to date.
    fn take(&mut self, frame: EventFrame) -> bool {
        assert!(frame.seq >= self.after, "{} after {}", frame.seq, self.after);
        let is_new = frame.seq > self.after;
        match frame.event {
            Event::Message { message } => {
                assert!(is_new, "{message:?} was sent twice");
                self.states.insert(message.id.0, message.state);
            }
            Event::Incoming { message } => {
                assert!(is_new, "{message:?} was sent twice");
                self.incoming.push(message.cursor);
            }
            Event::SnapshotEnd {} => {
                self.after = frame.seq;
                return true;
            }
            Event::Status { .. } | Event::Pairing { .. } => {}
            Event::Gap { .. } => panic!("{frame:?}"),
        }
        self.after = frame.seq;
        false
    }
}

/// All states, as the daemon has them.
async fn states(running: &Running, ids: impl Iterator<Item = u64>) -> BTreeMap<u64, State> {
    let mut states = BTreeMap::new();
    for id in ids {
        states.insert(id, running.state(tetherd_api::MessageId(id)).await);
    }
    states
}

#[tokio::test(start_paused = true)]
async fn one_that_remembers_a_number_misses_nothing_over_kills_of_either_side() {
    let dir = state_dir();
    let attempts = Attempts::default();
    let mut consumer = Consumer::default();
    let (mut sent, mut came) = (0, 0);
    for round in 0_u64..12 {
        let running = start(dir.path(), &attempts).await;
        let mut reader = Reader::subscribe(&running, Some(consumer.after)).await;
        // Changes and incoming messages in turns and at the same time, and a consumer that
        // dies after any number of events.
        for _ in 0..3 {
            sent += 1;
            came += 2;
            let new_messages = vec![new_message(came - 1), new_message(came)];
            let (_, put) =
                tokio::join!(running.send(sent), running.inbox.put(new_messages, NOW_MS));
            assert_eq!(put.unwrap(), 2);
        }
        for _ in 0..round {
            consumer.take(reader.next().await);
        }
        drop(reader);
        running.kill().await;
    }
    let running = start(dir.path(), &attempts).await;
    let mut reader = Reader::subscribe(&running, Some(consumer.after)).await;
    while !consumer.take(reader.next().await) {}
    let all = states(&running, 1..=sent).await;
    let mut last = Reader::subscribe(&running, Some(consumer.after)).await;
    while !consumer.take(last.next().await) {}
    assert_eq!(consumer.states, all);
    assert_eq!(consumer.incoming, (1..=came).collect::<Vec<_>>());
    running.kill().await;
}

async fn start(dir: &Path, attempts: &Attempts) -> Running {
    Running::start(dir, Server::Acks, attempts).await
}

#[tokio::test(start_paused = true)]
async fn a_clear_of_everything_reaches_the_fast_and_the_slow_in_its_last_state() {
    const PARKED: u64 = 390;
    const QUEUED: u64 = 400;
    let dir = state_dir();
    let attempts = Attempts::default();
    let config = CoreConfig { pace_limit: 1_000, ..unchecked() };
    let running = Running::start_as(dir.path(), Server::Unsendable, &attempts, config).await;
    let mut fast = Reader::subscribe(&running, None).await;
    let mut idle = Reader::subscribe(&running, None).await;
    let mut seen = BTreeMap::new();
    for chat in 1..=PARKED {
        running.send(chat).await;
    }
    while seen.values().filter(|state| **state == State::Parked).count() < 390 {
        note(&mut seen, fast.next().await);
    }
    running.handle.change(Request::Pause).await.unwrap();
    for chat in 1..=QUEUED {
        running.send(PARKED + chat).await;
    }
    let clear = Request::Clear { filter: Selection::default(), dry_run: false };
    let Reply::QueueClear(cleared) = running.handle.change(clear).await.unwrap() else { panic!() };
    assert_eq!(cleared.cleared, 790);
    for reader in [&mut fast, &mut idle] {
        while !is_all_cancelled(&seen) {
            note(&mut seen, reader.next().await);
        }
        seen.clear();
    }
    running.kill().await;
}

fn note(seen: &mut BTreeMap<u64, State>, frame: EventFrame) {
    if let Event::Message { message } = frame.event {
        seen.insert(message.id.0, message.state);
    }
}

fn is_all_cancelled(seen: &BTreeMap<u64, State>) -> bool {
    seen.len() == 790 && seen.values().all(|state| *state == State::Cancelled)
}
