//! From the start of the process until it answers: 400 queued, history and inbox at their
//! limits; after an orderly end and after kill -9; against reading the files.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::json;

use crate::lab::{self, Daemon, Sim, built, until};
use crate::sending::{BATCH, UNPACED, send};
use crate::table::{Table, median, micros};

const HISTORY: usize = 2_000;
const INBOX: usize = 2_000;
const QUEUED: usize = 400;
const STARTS: usize = 9;
const FRIEND: &str = "+15550111";

/// Prints the table.
pub(crate) fn run() {
    println!(
        "\n### From the start until it answers: {QUEUED} queued, {HISTORY} finished, {INBOX} incoming\n"
    );
    let folder = lab::folder();
    let state = folder.path().join("daemon");
    fill(folder.path(), &state);
    let table = Table::begin(["what", "time", "ratio"]);
    let files = median((0..STARTS).map(|_| timed(|| read(&state.join("state")))).collect());
    let process = median((0..STARTS).map(|_| timed(version)).collect());
    let row = |what: &str, time: f64| {
        table.row([what, &micros(time), &format!("{:.2} x reading the files", time / files)]);
    };
    row("reading the files of the state directory", files);
    row("a process that prints its version", process);
    for (what, kills) in [("start after an orderly end", false), ("start after kill -9", true)] {
        let mut times = Vec::new();
        for _ in 0..STARTS {
            let started = Instant::now();
            let daemon = Daemon::start(&state);
            times.push(started.elapsed().as_secs_f64());
            // The end comes in the middle of what a start leaves to do.
            if kills { daemon.kill() } else { daemon.stop() }
        }
        row(what, median(times));
    }
}

fn fill(folder: &Path, state: &Path) {
    let sim = Sim::start(folder, "127.0.0.1:0");
    sim.people([FRIEND.to_owned()]);
    let daemon = Daemon::with_sim(state, &sim, UNPACED);
    daemon.pair(&sim, None);
    let friend = [FRIEND.to_owned()];
    for first in (0..HISTORY).step_by(BATCH) {
        send(&sim, &daemon, &friend, first, BATCH);
    }
    let mut people = sim.rpc();
    for n in 0..INBOX {
        people.call("recipient.reply", &json!({ "number": FRIEND, "text": format!("text {n}") }));
    }
    let mut rpc = daemon.rpc();
    let page = json!({ "limit": 1, "after": INBOX - 1 });
    until("the inbox", || {
        // Until as many are there, it is refused.
        let list = rpc.try_call("inbox.list", &page)?;
        list["messages"].as_array().is_some_and(|all| !all.is_empty()).then_some(())
    });
    rpc.call("queue.pause", &json!({}));
    let texts: Vec<_> =
        (0..QUEUED).map(|n| json!({ "to": FRIEND, "text": format!("waiting {n}") })).collect();
    rpc.pipelined("message.send", &texts);
    drop(rpc);
    daemon.stop();
}

fn timed(work: impl FnOnce()) -> f64 {
    let started = Instant::now();
    work();
    started.elapsed().as_secs_f64()
}

fn version() {
    assert!(Command::new(built("tetherd")).arg("--version").output().unwrap().status.success());
}

fn read(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path);
        } else if path.file_name().is_some_and(|name| name != "reserve") {
            std::hint::black_box(fs::read(path).unwrap());
        }
    }
}
