//! What calls and starts cost of each other, each as a ratio within one run: a machine's speed falls
//! out of it, a change of the design does not. Asserts no time. `cargo bench` prints.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a measurement ends by panicking, and reads the clock"
)]

#[path = "ratios/process.rs"]
mod process;

use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::json;

use process::Process;

/// The queue's default capacity.
const FULL: usize = 400;

fn main() {
    enqueue();
    against_the_disk();
    list();
    restart();
}

fn row(what: &str, unit: f64, base: f64, note: &str) {
    println!("{what:<52} {:>7.2} x   {note}", unit / base);
}

fn timed(work: impl FnOnce()) -> f64 {
    let started = Instant::now();
    work();
    started.elapsed().as_secs_f64()
}

/// The middle of several runs.
fn median(runs: usize, mut run: impl FnMut() -> f64) -> f64 {
    let mut times: Vec<f64> = (0..runs).map(|_| run()).collect();
    times.sort_by(f64::total_cmp);
    times[runs / 2]
}

fn micros(seconds: f64) -> String {
    format!("{:.1?}", Duration::from_secs_f64(seconds))
}

fn send(n: usize) -> (&'static str, serde_json::Value) {
    ("message.send", json!({ "to": format!("+15550{}", 101 + n % 5), "text": format!("text {n}") }))
}

/// A program that does not wait for each reply before its next request.
fn enqueue() {
    println!("socket: {FULL} messages accepted, each durable before its reply");
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [one, all] = [Process::start(&folders[0]), Process::start(&folders[1])];
    let mut client = one.client();
    let waiting = timed(|| {
        for n in 0..FULL {
            let (method, params) = send(n);
            client.write(method, &params);
            client.read();
        }
    });
    let mut client = all.client();
    let pipelined = timed(|| {
        let mut writer = client.writer();
        let writing = std::thread::spawn(move || {
            for n in 0..FULL {
                let (method, params) = send(n);
                writer.write(method, &params);
            }
        });
        for _ in 0..FULL {
            client.read();
        }
        writing.join().unwrap();
    });
    let note = format!("({} each, waiting)", micros(waiting / FULL as f64));
    row("  throughput, pipelined : waiting for each", waiting, pipelined, &note);
}

/// A message accepted, durable before its reply, against what the disk needs for as many bytes:
/// the two take turns, so that both meet the same machine.
fn against_the_disk() {
    const ROUNDS: usize = 20;
    const CALLS: usize = 50;
    println!("socket: one message accepted, against append and fdatasync");
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&folder);
    let mut file = std::fs::File::create(folder.path().join("appended")).unwrap();
    let mut append = || {
        timed(|| {
            file.write_all(&[7; 1_024]).unwrap();
            file.sync_data().unwrap();
        })
    };
    let mut client = process.client();
    let mut accept = |n: usize| {
        timed(|| {
            let (method, params) = send(n);
            client.write(method, &params);
            client.read();
        })
    };
    let (mut disk, mut socket) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        process.clear();
        disk.extend((0..CALLS).map(|_| append()));
        socket.extend((0..CALLS).map(&mut accept));
    }
    let middle = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let (disk, alone) = (middle(&mut disk), middle(&mut socket));
    let note = format!("({} : {})", micros(alone), micros(disk));
    row("  1 client, p50 : append and fdatasync", alone, disk, &note);
    // Several that wait for their replies at the same time share syncs.
    const CLIENTS: usize = 6;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        process.clear();
        let mut clients: Vec<_> = (0..CLIENTS).map(|_| process.client()).collect();
        times.push(timed(|| {
            std::thread::scope(|scope| {
                for client in &mut clients {
                    scope.spawn(|| {
                        for n in 0..CALLS {
                            let (method, params) = send(n);
                            client.write(method, &params);
                            client.read();
                        }
                    });
                }
            });
        }));
    }
    let each = middle(&mut times) / (CLIENTS * CALLS) as f64;
    let note = format!("({:.0} a second)", 1.0 / each);
    row("  6 clients, time a message : 1 client", each, alone, &note);
}

/// What a look at a full queue costs against the smallest call.
fn list() {
    const CALLS: usize = 50;
    println!("socket: a full queue");
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&folder);
    let mut client = process.client();
    let mut ask = |method: &str| {
        median(CALLS, || {
            timed(|| {
                client.write(method, &json!({}));
                client.read();
            })
        })
    };
    let empty = ask("queue.list");
    process.fill(FULL);
    let mut client = process.client();
    let mut ask = |method: &str| {
        median(CALLS, || {
            timed(|| {
                client.write(method, &json!({}));
                client.read();
            })
        })
    };
    let (version, status, list) = (ask("version"), ask("status"), ask("queue.list"));
    row("  status of 400 : version", status, version, &format!("({})", micros(status)));
    row("  list of 400 : list of none", list, empty, &format!("({})", micros(list)));
    row("  list of 400, each message : version", list / FULL as f64, version, "");
}

/// What a full queue adds to a start.
fn restart() {
    println!("tetherd: from its start until it answers");
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    Process::start(&folders[0]);
    Process::start(&folders[1]).fill(FULL);
    let [empty, full] = folders.map(|folder| median(9, || timed(|| drop(Process::start(&folder)))));
    row("  400 queued : empty", full, empty, &format!("({} : {})", micros(full), micros(empty)));
}
