//! Breaks the real daemon in many ways and counts what is lost, doubled or wrong:
//! `contrib/torture/run SEED SIZE [ROW...]`. Prints one line for each row, and the seed of each
//! round that failed; ends with 1 if one did.
//!
//! Every row has a control: a run in which the protection is off, and which must find something.
//! A row whose control finds nothing has seen nothing, and fails.
//!
//! Without arguments it is a test among the others: each row once, with seed 1.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a harness: it ends by panicking, and its deadlines are in real time"
)]

mod bench;
mod core;
mod damage;
mod disk;
mod disk_faults;
mod filesystems;
mod hostile;
mod hung;
mod judge;
mod kills;
mod life;
mod mixed;
mod mount;
mod neighbours;
mod network;
mod outage;
mod proxy;
#[path = "../../tests/chaos/random.rs"]
mod random;
mod repairs;
#[path = "../../tests/chaos/senders.rs"]
#[expect(dead_code, reason = "the random faults use all of it")]
mod senders;
mod served;
#[path = "../../tests/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the end-to-end tests use all of it")]
mod support;
mod tally;
mod volume;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use random::Random;
use tally::Tally;

/// Whether a round runs as it is shipped, or as a control with something switched off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Protection {
    On,
    Off,
}

/// One way to break it.
struct Row {
    name: &'static str,
    breaks: &'static str,
    /// Rounds for each unit of the size.
    rounds: u64,
    round: fn(&mut Random, Protection, &mut Tally),
    /// Why it cannot run here.
    lacks: fn() -> Option<String>,
}

fn nothing() -> Option<String> {
    None
}

const ROWS: &[Row] = &[
    Row {
        name: "kills",
        breaks: "kill -9 under load from four clients, 30 % of them during the start",
        rounds: 6,
        round: kills::round,
        lacks: nothing,
    },
    Row {
        name: "points",
        breaks: "kill -9 at one write, sync, rename or removal",
        rounds: 6,
        round: disk_faults::kill_points,
        lacks: mount::lacks,
    },
    Row {
        name: "errors",
        breaks: "one or all writes, syncs or reads fail (EIO, ENOSPC) from the k-th on",
        rounds: 6,
        round: disk_faults::errors,
        lacks: mount::lacks,
    },
    Row {
        name: "power",
        breaks: "the power goes: what is not synced is dropped, torn, or kept in part",
        rounds: 6,
        round: disk_faults::power_cuts,
        lacks: mount::lacks,
    },
    Row {
        name: "repair",
        breaks: "the power goes while a start is refused, and while the store is repaired",
        rounds: 6,
        round: repairs::round,
        lacks: mount::lacks,
    },
    Row {
        name: "filesystems",
        breaks: "the power goes under ext4, xfs and btrfs on loop devices",
        rounds: 4,
        round: filesystems::round,
        lacks: filesystems::lacks,
    },
    Row {
        name: "damage",
        breaks: "bits flip, files are cut short, removed or swapped at rest",
        rounds: 6,
        round: damage::round,
        lacks: nothing,
    },
    Row {
        name: "life",
        breaks: "kill -9 at each point of a message's life, out and in",
        rounds: 8,
        round: life::round,
        lacks: nothing,
    },
    Row {
        name: "network",
        breaks: "resets, black holes, half-open lines, 1 byte/s, latency, frames cut in two",
        rounds: 4,
        round: network::round,
        lacks: nothing,
    },
    Row {
        name: "outage",
        breaks: "the network is away, or silent, for 30 s and for minutes",
        rounds: 1,
        round: outage::round,
        lacks: nothing,
    },
    Row {
        name: "hostile",
        breaks: "hostile clients of 28 kinds, six at once, and a good one of the same user",
        rounds: 4,
        round: hostile::round,
        lacks: nothing,
    },
    Row {
        name: "neighbours",
        breaks: "hostile clients of 29 kinds, six or 1,000 at once, and a good one of another user",
        rounds: 1,
        round: neighbours::round,
        lacks: neighbours::lacks,
    },
    Row {
        name: "core",
        breaks: "the core alone: operations, crashes, clocks that jump, suspends; cases",
        rounds: 4,
        round: core::round,
        lacks: core::lacks,
    },
];

/// Set by contrib/torture/run.
const BY_ITSELF: &str = "TETHER_TORTURE";
/// How often a row that takes long says how far it is.
const PROGRESS_PERIOD: Duration = Duration::from_secs(5 * 60);
/// What runs among the tests, a round each: the rows that take seconds.
const AMONG_THE_TESTS: [&str; 7] =
    ["kills", "points", "errors", "power", "repair", "damage", "life"];

struct Asked {
    seed: u64,
    size: u64,
    rows: Vec<String>,
}

/// From contrib/torture/run: seed, size, rows. Otherwise it is one of the tests.
fn asked() -> Asked {
    if std::env::var_os(BY_ITSELF).is_none() {
        let rows = AMONG_THE_TESTS.iter().map(|name| (*name).to_owned()).collect();
        return Asked { seed: 1, size: 0, rows };
    }
    let mut arguments = arguments();
    let mut number = |what: &str| {
        let given = arguments.next();
        given.map_or(1, |text| text.parse().unwrap_or_else(|_| panic!("no {what}: {text}")))
    };
    let (seed, size) = (number("seed"), number("size"));
    Asked { seed, size, rows: arguments.collect() }
}

/// Without what `cargo test --quiet` adds.
fn arguments() -> impl Iterator<Item = String> {
    std::env::args().skip(1).filter(|argument| argument != "--quiet")
}

/// Whether `cargo test` was asked for other tests only, or for their names.
fn is_left_out() -> bool {
    std::env::var_os(BY_ITSELF).is_none() && arguments().next().is_some()
}

fn main() -> ExitCode {
    if neighbours::was_a_user() {
        return ExitCode::SUCCESS;
    }
    if is_left_out() {
        println!("torture: SKIPPED, it takes no arguments here; see contrib/torture/run");
        return ExitCode::SUCCESS;
    }
    let asked = asked();
    for name in &asked.rows {
        assert!(ROWS.iter().any(|row| row.name == name), "there is no row {name}");
    }
    let chosen =
        ROWS.iter().filter(|row| asked.rows.is_empty() || asked.rows.iter().any(|n| n == row.name));
    let mut good = true;
    for row in chosen {
        good &= run(row, &asked);
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(row: &Row, asked: &Asked) -> bool {
    if let Some(why) = (row.lacks)() {
        println!("{}: SKIPPED, nothing was checked: {why}", row.name);
        return true;
    }
    let started = Instant::now();
    let rounds = (row.rounds * asked.size).max(1);
    let mut total = Tally::default();
    let mut failures = Vec::new();
    let mut said = started;
    for seed in asked.seed..asked.seed + rounds {
        if said.elapsed() >= PROGRESS_PERIOD {
            said = Instant::now();
            eprintln!("{}: {} of {rounds} rounds: {total}", row.name, seed - asked.seed);
        }
        let (mut tally, panic) = one(row, seed, Protection::On);
        // A round that breaks off has found something, too.
        panic.into_iter().for_each(|text| tally.wrong(text));
        if tally.is_bad() {
            failures.push((seed, tally.first_fault()));
        }
        total.add(tally);
    }
    let broken = total.broken;
    let (control, broke_off) = one(row, asked.seed, Protection::Off);
    println!(
        "{}: {}: {rounds} rounds, {total}; control: {} found; {} s",
        row.name,
        row.breaks,
        control.found(),
        started.elapsed().as_secs()
    );
    for (seed, fault) in &failures {
        println!("{}: seed {seed}: {fault}", row.name);
    }
    if !control.is_bad() {
        println!("{}: THE CONTROL FOUND NOTHING: this row sees nothing", row.name);
    }
    if let Some(text) = &broke_off {
        println!("{}: THE CONTROL BROKE OFF: {text}", row.name);
    }
    if broken == 0 {
        println!("{}: NOTHING WAS BROKEN: this row says nothing", row.name);
    }
    failures.is_empty() && control.is_bad() && broke_off.is_none() && broken > 0
}

/// A round, and with what panic it broke off, if it did.
fn one(row: &Row, seed: u64, protection: Protection) -> (Tally, Option<String>) {
    let mut tally = Tally::default();
    let mut random = Random::new(seed);
    let round = AssertUnwindSafe(|| (row.round)(&mut random, protection, &mut tally));
    let panic = catch_unwind(round).err().map(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        text.unwrap_or_else(|| "a panic without words".to_owned())
    });
    (tally, panic)
}
