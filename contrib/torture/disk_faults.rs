//! Faults of the disk at one operation, counted over all threads: the daemon is killed there,
//! the operation fails, or the power goes. During creation, the start, recovery and the load of
//! clients of every kind.
//!
//! Control: syncs that do nothing, and a power cut.

use std::time::{Duration, Instant};

use nix::libc::{EIO, ENOSPC};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::Protection;
use crate::bench::{Bench, CHANGES};
use crate::judge::{PEOPLE, Readable, judge};
use crate::kills::{PACE, as_accepted, pass};
use crate::mixed::Mixed;
use crate::mount::{Fault, Kind};
use crate::random::Random;
use crate::senders::Senders;
use crate::support::Daemon;
use crate::tally::Tally;

const ALL: [&[Kind]; 3] = [&[Kind::Write], &[Kind::Sync], &[Kind::Read]];
/// Faults while there is no store yet.
const IN_CREATION: u64 = 2;
/// Faults under load, and in the starts between.
const UNDER_LOAD: u64 = 6;
/// Operations of a start, about.
const START_OPERATIONS: u64 = 80;
/// Operations among which the one under load is chosen.
const LOAD_OPERATIONS: u64 = 400;
/// A fault that has not come until then does not come.
const LOAD: Duration = Duration::from_millis(1_500);
const LOOK_MS: u64 = 10;
/// How a daemon ends whose disk fails: by its own account, never by a panic.
const EXIT_CODES: [i32; 4] = [0, 65, 74, 75];

/// A disk that does not answer is given a minute and a half.
const END_MAX: Duration = Duration::from_secs(120);

/// Chooses a fault.
type Choice = fn(&mut Random) -> (&'static [Kind], Fault);

pub(crate) fn kill_points(random: &mut Random, protection: Protection, tally: &mut Tally) {
    let choice = |random: &mut Random| (CHANGES, Fault::Kill { done: random.below(2) == 0 });
    round(random, protection, tally, choice);
}

pub(crate) fn power_cuts(random: &mut Random, protection: Protection, tally: &mut Tally) {
    round(random, protection, tally, |_| (CHANGES, Fault::Power));
}

pub(crate) fn errors(random: &mut Random, protection: Protection, tally: &mut Tally) {
    let choice = |random: &mut Random| {
        let errno = [EIO, ENOSPC][random.index(2)];
        let times = [1, 1, 3, u64::MAX][random.index(4)];
        (ALL[random.index(3)], Fault::Error { errno, times })
    };
    round(random, protection, tally, choice);
}

/// What a round breaks, and how.
struct Scene {
    bench: Bench,
    choice: Choice,
}

fn round(random: &mut Random, protection: Protection, tally: &mut Tally, choice: Choice) {
    let mut scene = Scene { bench: Bench::new(), choice };
    scene.bench.lab.people(&PEOPLE);
    if protection == Protection::Off {
        return scene.syncs_that_do_nothing(tally);
    }
    for _ in 0..IN_CREATION {
        scene.fault_in_the_start(random, tally);
    }
    let mut daemon = scene.bench.whole_start(PACE, tally);
    scene.bench.lab.pair(&daemon);
    scene.bench.lab.sim.call("server.wait", json!({ "key_uploads": 1 }));
    let chats = PEOPLE.map(str::to_owned);
    let senders = Senders::start(&scene.bench.lab.socket(), &chats, random);
    let mixed = Mixed::start(&scene.bench.lab, random);
    for _ in 0..UNDER_LOAD {
        scene.fault_under_load(daemon, random, tally);
        while random.below(3) == 0 {
            scene.fault_in_the_start(random, tally);
        }
        daemon = scene.bench.whole_start(PACE, tally);
    }
    let work = mixed.stop();
    let mut accepted = senders.stop();
    accepted.extend(work.accepted.iter().cloned());
    judge(&scene.bench.lab, &daemon, (&accepted, Readable::InTheEnd), tally);
    work.judge(&scene.bench.lab, &daemon, tally);
    daemon.kill9();
    scene.bench.remount();
}

impl Scene {
    fn arm(&self, operations: u64, random: &mut Random) -> Fault {
        let choice = (self.choice)(random);
        self.bench.arm(choice, operations, random);
        choice.1
    }

    fn fault_in_the_start(&mut self, random: &mut Random, tally: &mut Tally) {
        let fault = self.arm(START_OPERATIONS, random);
        let mut daemon = self.bench.spawn(PACE);
        let ready = daemon.becomes_ready();
        self.after_the_fault(daemon, fault, ready, tally);
    }

    fn fault_under_load(&mut self, mut daemon: Daemon, random: &mut Random, tally: &mut Tally) {
        let fault = self.arm(LOAD_OPERATIONS, random);
        let started = Instant::now();
        while !self.bench.mounted().happened() && started.elapsed() < LOAD {
            pass(&mut daemon, LOOK_MS);
        }
        self.after_the_fault(daemon, fault, true, tally);
    }

    fn after_the_fault(
        &mut self,
        mut daemon: Daemon,
        fault: Fault,
        was_ready: bool,
        tally: &mut Tally,
    ) {
        tally.broken += u64::from(self.bench.mounted().happened());
        match fault {
            Fault::Power | Fault::Kill { .. } => daemon.kill9(),
            Fault::Error { .. } => {
                // It goes on, or ends by itself; it answers either way.
                let asked = Instant::now();
                if was_ready {
                    daemon.signal(Signal::SIGTERM);
                }
                let status = daemon.wait_within(END_MAX);
                tally.largest("longest end s", asked.elapsed().as_secs());
                let code = status.code();
                if !code.is_some_and(|code| EXIT_CODES.contains(&code)) {
                    tally
                        .wrong(format!("it ended with {status} after {fault:?}: {}", daemon.log()));
                }
            }
        }
        self.bench.remount();
    }

    fn syncs_that_do_nothing(&mut self, tally: &mut Tally) {
        let mut daemon = self.bench.whole_start(PACE, tally);
        self.bench.lab.pair(&daemon);
        self.bench.mounted().drop_syncs();
        daemon.call("queue.pause", json!({})).unwrap();
        let id = daemon.send(PEOPLE[0], "forgotten");
        let accepted = [as_accepted(&daemon, &id, PEOPLE[0])];
        self.bench.mounted().arm(CHANGES, 0, Fault::Power, Random::new(1));
        let _ = daemon.call("queue.resume", json!({}));
        daemon.kill9();
        self.bench.remount();
        daemon = self.bench.whole_start(PACE, tally);
        judge(&self.bench.lab, &daemon, (&accepted, Readable::InTheEnd), tally);
        daemon.kill9();
    }
}
