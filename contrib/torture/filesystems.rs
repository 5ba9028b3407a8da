//! Power cuts on real filesystems: the state directory is on a loop device, and what the kernel
//! has not written of it by then is gone. Under load of every kind, and during the start.
//!
//! Control: syncs that do nothing (a library before the C library), and a power cut.

use std::fs;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::Protection;
use crate::judge::{PEOPLE, Readable, judge};
use crate::kills::{PACE, pass};
use crate::mixed::Mixed;
use crate::random::Random;
use crate::senders::Senders;
use crate::support::{Daemon, Lab};
use crate::tally::Tally;
use crate::volume::{Kind, Volume, available};

const CUTS: u64 = 5;
/// Between two cuts, at most.
const PAUSE_MS: u64 = 1_500;
/// As long as a start takes, about.
const START_MS: u64 = 250;
const NO_SYNCS: &str = "int fsync(int f) { return 0; }\nint fdatasync(int f) { return 0; }\n";

fn kinds() -> &'static [&'static Kind] {
    static KINDS: OnceLock<Vec<&Kind>> = OnceLock::new();
    KINDS.get_or_init(available)
}

/// Each in its turn: a few rounds have seen all of them.
fn next() -> &'static Kind {
    static ROUNDS: AtomicUsize = AtomicUsize::new(0);
    kinds()[ROUNDS.fetch_add(1, Ordering::Relaxed) % kinds().len()]
}

/// Why there is none of them here.
pub(crate) fn lacks() -> Option<String> {
    kinds().is_empty().then(|| "none of them can be had".to_owned())
}

pub(crate) fn round(random: &mut Random, protection: Protection, tally: &mut Tally) {
    let kind = next();
    let lab = Lab::new();
    lab.people(&PEOPLE);
    let state = lab.path().join("state");
    fs::create_dir(&state).unwrap();
    let volume = Volume::new(kind, lab.path().join("image"), state).unwrap();
    if protection == Protection::Off {
        return without_syncs(&lab, &volume, tally);
    }
    let mut daemon = lab.paired_with(PACE);
    lab.sim.call("server.wait", json!({ "key_uploads": 1 }));
    let senders = Senders::start(&lab.socket(), &PEOPLE.map(str::to_owned), random);
    let mixed = Mixed::start(&lab, random);
    for _ in 0..CUTS {
        pass(&mut daemon, random.below(PAUSE_MS));
        volume.cut(&mut daemon);
        tally.broken += 1;
        tally.count(kind.name, 1);
        if random.below(3) == 0 {
            let mut early = Daemon::spawn(&lab.config(PACE), &lab.socket());
            pass(&mut early, random.below(START_MS));
            volume.cut(&mut early);
            tally.broken += 1;
            tally.count(kind.name, 1);
        }
        daemon = lab.daemon(PACE);
    }
    let work = mixed.stop();
    let mut accepted = senders.stop();
    accepted.extend(work.accepted.iter().cloned());
    judge(&lab, &daemon, (&accepted, Readable::InTheEnd), tally);
    work.judge(&lab, &daemon, tally);
    if tally.is_bad() {
        tally.wrong(format!("that was on {}", kind.name));
    }
    daemon.kill9();
}

fn without_syncs(lab: &Lab, volume: &Volume, tally: &mut Tally) {
    let library = lab.path().join("nosync.so");
    let source = lab.path().join("nosync.c");
    fs::write(&source, NO_SYNCS).unwrap();
    let mut cc = Command::new("cc");
    let made = cc.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status().unwrap();
    assert!(made.success());
    let mut command = Command::new(env!("CARGO_BIN_EXE_tetherd"));
    command.arg("--config").arg(lab.config(PACE)).env("LD_PRELOAD", &library);
    let mut daemon = Daemon::spawn_as(command, &lab.socket());
    daemon.wait_log(" ready ");
    daemon.call("queue.pause", json!({})).unwrap();
    let id = daemon.send(PEOPLE[0], "forgotten");
    volume.cut(&mut daemon);
    let mut daemon = Daemon::spawn(&lab.config(PACE), &lab.socket());
    if !daemon.becomes_ready() {
        return tally.wrong(format!("it does not start again: {}", daemon.log()));
    }
    if daemon.call("message.get", json!({ "id": id })).is_err() {
        tally.lost(format!("{id}, acknowledged"));
    }
}
