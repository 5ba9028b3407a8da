//! The parts that a message passes, each by itself: a frame read and written, the core, the
//! store, a change with its number in the feed. The figures are then printed as ratios to what
//! the disk needs, measured in the same run. `cargo bench --bench parts`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a measurement ends by panicking, and reads the clock"
)]

#[path = "parts/cycle.rs"]
mod cycle;

use std::fs::File;
use std::hint::black_box;
use std::io::Write as _;
use std::time::{Duration, Instant};

use criterion::Criterion;
use tempfile::TempDir;
use tetherd::store::feed::{self, Changed};
use tetherd::store::{Batch, Store};
use tetherd_api::frame::{encode_reply, parse_request};
use tetherd_api::{Call, MessageId, Method};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use cycle::Cycle;

/// What the record of a message takes.
const RECORD_BYTES: usize = 1_024;
/// The queue's default capacity.
const FULL: usize = 400;
const REQUEST: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"message.send","params":{"to":"+15550101","text":"a text of a usual length, forty characters"}}"#;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    frame(&mut criterion);
    core(&mut criterion);
    let disk = Disk::new();
    let times = store(&mut criterion, &disk);
    criterion.final_summary();
    for (what, time) in times.iter().skip(1) {
        println!("{what:<40} {:>6.2} x append and fdatasync", time / times[0].1);
    }
}

fn frame(criterion: &mut Criterion) {
    let read = || {
        let request = parse_request(REQUEST).unwrap_or_else(|_| panic!("a bad request"));
        let method = Method::find(&request.method).unwrap();
        (request.id.unwrap(), Call::decode(method, request.params.0).unwrap())
    };
    criterion.bench_function("frame/message.send read", |bencher| bencher.iter(read));
    let (id, _) = read();
    let reply = serde_json::json!({ "id": "m1", "state": "queued", "to": "+15550101" });
    criterion.bench_function("frame/reply written", |bencher| {
        bencher.iter(|| encode_reply(&id, Ok(&reply)).unwrap());
    });
}

/// Accepted, attempted, written, acknowledged, delivered, read.
fn core(criterion: &mut Criterion) {
    for waiting in [1, FULL] {
        let mut cycle = Cycle::new(waiting);
        cycle.turn(FULL);
        criterion.bench_function(&format!("core/a message's way, {waiting} waiting"), |bencher| {
            bencher.iter(|| cycle.turn(1));
        });
    }
}

/// A folder, and a file there that is appended to.
struct Disk {
    folder: TempDir,
}

impl Disk {
    fn new() -> Disk {
        Disk { folder: tempfile::tempdir().unwrap() }
    }
}

/// What each takes, in seconds; the disk alone first.
fn store(criterion: &mut Criterion, disk: &Disk) -> Vec<(String, f64)> {
    let mut file = File::create(disk.folder.path().join("appended")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let store = Store::open(&disk.folder.path().join("state")).unwrap();
    let mut times = vec![timed(criterion, "store/append and fdatasync", || {
        file.write_all(&[7; RECORD_BYTES]).unwrap();
        file.sync_data().unwrap();
    })];
    let mut number = 0_u64;
    times.push(timed(criterion, "store/a change", || {
        number += 1;
        runtime.block_on(feed::commit(&store, batch(number), Changed::default())).unwrap();
    }));
    times.push(timed(criterion, "feed/a change of a message", || {
        number += 1;
        let changed = Changed { messages: vec![MessageId(number % 2_000)], ..Changed::default() };
        runtime.block_on(feed::commit(&store, batch(number), changed)).unwrap();
    }));
    for together in [8, 64] {
        let what = format!("store/{together} changes at the same time");
        times.push(timed(criterion, &what, || many(&runtime, &store, &mut number, together)));
    }
    store.close();
    times
}

fn batch(number: u64) -> Batch {
    let mut batch = Batch::new();
    batch.put(format!("bench/{}", number % 2_000), [number.to_be_bytes()[7]; RECORD_BYTES]);
    batch
}

fn many(runtime: &Runtime, store: &Store, number: &mut u64, together: usize) {
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for _ in 0..together {
            *number += 1;
            tasks.spawn(store.commit(batch(*number)));
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap().unwrap();
        }
    });
}

/// Lets criterion measure it, and gives back the mean of what it took.
fn timed(criterion: &mut Criterion, what: &str, mut work: impl FnMut()) -> (String, f64) {
    let (mut all, mut count) = (Duration::ZERO, 0_u64);
    criterion.bench_function(what, |bencher| {
        bencher.iter_custom(|times| {
            let started = Instant::now();
            for _ in 0..times {
                work();
                black_box(());
            }
            all += started.elapsed();
            count += times;
            started.elapsed()
        });
    });
    (what.to_owned(), all.as_secs_f64() / count.max(1) as f64)
}
