//! Faults of the disk at one operation, counted over all threads: the daemon is killed there,
//! the operation fails, or the power goes. During creation, the start, recovery and the load of
//! four clients.
//!
//! Control: syncs that do nothing, and a power cut.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use nix::libc::{EIO, ENOSPC};
use nix::sys::signal::Signal;

use crate::Protection;
use crate::judge::{PEOPLE, judge};
use crate::kills::{PACE, as_accepted, pass};
use crate::mount::{Fault, Kind, Mounted};
use crate::random::Random;
use crate::senders::Senders;
use crate::support::{Daemon, Lab};
use crate::tally::Tally;

const CHANGES: &[Kind] = &[Kind::Write, Kind::Sync, Kind::Entry];
const ALL: [&[Kind]; 3] = [&[Kind::Write], &[Kind::Sync], &[Kind::Read]];
/// Faults while there is no store yet.
const IN_CREATION: u64 = 2;
/// Faults under load, and in the starts between.
const UNDER_LOAD: u64 = 6;
/// Operations of a start, about.
const START_OPERATIONS: u64 = 80;
/// Operations among which the one under load is chosen.
const LOAD_OPERATIONS: u64 = 200;
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

/// A laboratory whose daemon's disk is the harness's own.
struct Bench {
    // Dropped in this order: the mount ends before its folder is removed.
    mounted: Option<Mounted>,
    lab: Lab,
    choice: Choice,
}

fn round(random: &mut Random, protection: Protection, tally: &mut Tally, choice: Choice) {
    let lab = Lab::new();
    lab.people(&PEOPLE);
    let state = lab.path().join("state");
    std::fs::create_dir(&state).unwrap();
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o700)).unwrap();
    let mounted = Some(Mounted::new(crate::disk::Disk::new(), &state));
    let mut bench = Bench { lab, mounted, choice };
    if protection == Protection::Off {
        return bench.syncs_that_do_nothing(tally);
    }
    for _ in 0..IN_CREATION {
        bench.fault_in_the_start(random, tally);
    }
    let mut daemon = bench.whole_start(tally);
    bench.lab.pair(&daemon);
    let chats = PEOPLE.map(str::to_owned);
    let senders = Senders::start(&bench.lab.socket(), &chats, random);
    for _ in 0..UNDER_LOAD {
        bench.fault_under_load(daemon, random, tally);
        while random.below(3) == 0 {
            bench.fault_in_the_start(random, tally);
        }
        daemon = bench.whole_start(tally);
    }
    let accepted = senders.stop();
    judge(&bench.lab, &daemon, &accepted, tally);
    daemon.kill9();
    bench.remount();
}

impl Bench {
    fn mounted(&self) -> &Mounted {
        self.mounted.as_ref().unwrap()
    }

    fn spawn(&self) -> Daemon {
        Daemon::spawn(&self.lab.config(PACE), &self.lab.socket())
    }

    /// After the daemon's end: the disk as the fault has left it.
    fn remount(&mut self) {
        let left = self.mounted.take().unwrap().end();
        self.mounted = Some(Mounted::new(left, &self.lab.path().join("state")));
    }

    fn arm(&self, operations: u64, random: &mut Random) -> Fault {
        let (kinds, fault) = (self.choice)(random);
        // As many near the beginning as far from it.
        let below = 1 + random.below(operations);
        self.mounted().arm(kinds, random.below(below), fault, random.fork());
        fault
    }

    /// A start on a disk without faults.
    fn whole_start(&mut self, tally: &mut Tally) -> Daemon {
        let mut daemon = self.spawn();
        if !daemon.becomes_ready() {
            tally.wrong(format!("it does not start again: {}", daemon.log()));
            panic!("no daemon");
        }
        daemon
    }

    fn fault_in_the_start(&mut self, random: &mut Random, tally: &mut Tally) {
        let fault = self.arm(START_OPERATIONS, random);
        let mut daemon = self.spawn();
        let ready = daemon.becomes_ready();
        self.after_the_fault(daemon, fault, ready, tally);
    }

    fn fault_under_load(&mut self, mut daemon: Daemon, random: &mut Random, tally: &mut Tally) {
        let fault = self.arm(LOAD_OPERATIONS, random);
        let started = Instant::now();
        while !self.mounted().happened() && started.elapsed() < LOAD {
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
        tally.broken += u64::from(self.mounted().happened());
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
        self.remount();
    }

    fn syncs_that_do_nothing(&mut self, tally: &mut Tally) {
        let mut daemon = self.whole_start(tally);
        self.lab.pair(&daemon);
        self.mounted().drop_syncs();
        daemon.call("queue.pause", serde_json::json!({})).unwrap();
        let id = daemon.send(PEOPLE[0], "forgotten");
        let accepted = [as_accepted(&daemon, &id, PEOPLE[0])];
        self.mounted().arm(CHANGES, 0, Fault::Power, Random::new(1));
        let _ = daemon.call("queue.resume", serde_json::json!({}));
        daemon.kill9();
        self.remount();
        daemon = self.whole_start(tally);
        judge(&self.lab, &daemon, &accepted, tally);
        daemon.kill9();
    }
}
