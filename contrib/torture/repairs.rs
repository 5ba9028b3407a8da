//! Power cuts while a start is refused, and while `tetherd store repair` works: the store is
//! afterwards as it was, or the repaired one, whole, with the old one kept.
//!
//! Control: syncs that do nothing while it is repaired, and a power cut.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::Protection;
use crate::bench::{Bench, CHANGES};
use crate::judge::PEOPLE;
use crate::mount::Fault;
use crate::random::Random;
use crate::support::Daemon;
use crate::tally::Tally;

const MESSAGES: u64 = 8;
const REFUSALS: u64 = 4;
/// Cuts in repairs of one store.
const REPAIRS: u64 = 8;
/// Operations of a refused start, about.
const REFUSAL_OPERATIONS: u64 = 120;
/// The last operations of a repair, in which the stores change places.
const LAST_OPERATIONS: u64 = 10;
const KEPT: &str = "store.before-repair.1";
/// How `tetherd store` ends: well, refused, or on a disk that fails.
const WELL: i32 = 0;
const DAMAGED: i32 = 65;
const DISK: i32 = 74;

/// A folder's files, byte for byte.
type Files = BTreeMap<PathBuf, Vec<u8>>;

struct Scene {
    bench: Bench,
    config: PathBuf,
    /// The same without the key, which is refused.
    keyless: PathBuf,
    messages: Vec<(String, String)>,
}

pub(crate) fn round(random: &mut Random, protection: Protection, tally: &mut Tally) {
    let bench = Bench::new();
    let [config, keyless] = bench.with_and_without_key("");
    let mut scene = Scene { bench, config, keyless, messages: Vec::new() };
    scene.fill(random);
    tally.acknowledged += MESSAGES;
    if protection == Protection::Off {
        return scene.repaired_without_syncs(tally);
    }
    for _ in 0..REFUSALS {
        scene.cut_in_a_refusal(random, tally);
    }
    scene.all_there("after refused starts", tally);
    // Of one that lacks its count everything reads; of one whose database is garbage, nothing.
    let nothing_reads = random.below(3) == 0;
    scene.damage(nothing_reads);
    let before = files(&scene.state().join("store"));
    let config = scene.config.clone();
    let operations =
        scene.bench.changes_of(|bench| assert_eq!(run(bench, &config, "repair"), WELL));
    tally.largest("most operations of a repair", operations);
    for _ in 0..REPAIRS {
        if scene.cut_in_a_repair(&before, operations, random, tally) {
            break;
        }
    }
    if scene.run("check") == DAMAGED && scene.run("repair") != WELL {
        tally.wrong("it cannot be repaired any more".to_owned());
    }
    if files(&scene.state().join(KEPT)) != before {
        tally.wrong("the damaged store is not kept as it was".to_owned());
    }
    if nothing_reads {
        scene.messages.clear();
    }
    scene.all_there("after the repair", tally);
}

impl Scene {
    fn state(&self) -> PathBuf {
        self.bench.lab.path().join("state")
    }

    fn spawn(&self, config: &Path) -> Daemon {
        Daemon::spawn(config, &self.bench.lab.socket())
    }

    /// Messages that wait, of which some are cut off in the journal.
    fn fill(&mut self, random: &mut Random) {
        let mut daemon = Daemon::start(&self.config, &self.bench.lab.socket());
        for n in 0..MESSAGES {
            let chars = [20, 9_000, 40_000][random.index(3)];
            let text = format!("{n:0>chars$}");
            self.messages.push((daemon.send(PEOPLE[0], &text), text));
        }
        if random.below(4) == 0 {
            assert!(daemon.stop().success());
        } else {
            daemon.kill9();
        }
        self.bench.remount();
    }

    fn cut_in_a_refusal(&mut self, random: &mut Random, tally: &mut Tally) {
        self.bench.arm((CHANGES, Fault::Power), REFUSAL_OPERATIONS, random);
        let mut daemon = self.spawn(&self.keyless);
        if daemon.becomes_ready() {
            tally.wrong("it starts without its key".to_owned());
            daemon.kill9();
        } else {
            daemon.wait();
        }
        self.ended(tally);
    }

    /// After a process that the power went under.
    fn ended(&mut self, tally: &mut Tally) {
        tally.broken += u64::from(self.bench.mounted().happened());
        self.bench.remount();
    }

    /// The store is refused as damaged from now on, and that is on disk.
    fn damage(&mut self, nothing_reads: bool) {
        let store = self.state().join("store");
        if nothing_reads {
            fs::write(store.join("db"), vec![0x5a; 600_000]).unwrap();
        } else {
            fs::remove_file(store.join("confirmed")).unwrap();
        }
        self.bench.mounted().sync_all();
    }

    /// Whether it is repaired.
    fn cut_in_a_repair(
        &mut self,
        before: &Files,
        operations: u64,
        random: &mut Random,
        tally: &mut Tally,
    ) -> bool {
        let last = random.below(4) == 0;
        let from = if last { operations.saturating_sub(LAST_OPERATIONS) } else { 0 };
        let good = from + random.below(operations - from);
        self.bench.mounted().arm(CHANGES, good, Fault::Power, random.fork());
        let ended = self.run("repair");
        if ![WELL, DISK].contains(&ended) {
            tally.wrong(format!("a repair that was cut off ends with {ended}"));
        }
        self.ended(tally);
        if random.below(2) == 0 {
            self.bench.arm((CHANGES, Fault::Power), REFUSAL_OPERATIONS, random);
            let mut daemon = self.spawn(&self.config);
            if daemon.becomes_ready() {
                daemon.kill9();
            } else {
                daemon.wait();
            }
            self.ended(tally);
        }
        match self.run("check") {
            WELL => {
                tally.count("cut off and repaired", u64::from(ended == DISK));
                true
            }
            DAMAGED if files(&self.state().join("store")) == *before => {
                tally.count("cut off and as before", 1);
                false
            }
            ended => {
                tally.wrong(format!("the store is neither: a check ends with {ended}"));
                true
            }
        }
    }

    fn run(&self, what: &str) -> i32 {
        run(&self.bench, &self.config, what)
    }

    fn all_there(&mut self, when: &str, tally: &mut Tally) {
        let mut daemon = self.spawn(&self.config);
        if !daemon.becomes_ready() {
            return tally.wrong(format!("it does not start {when}: {}", daemon.log()));
        }
        for (id, text) in &self.messages {
            match daemon.call("message.get", json!({ "id": id })) {
                Ok(message) if message["text"] == **text => {}
                Ok(_) => tally.wrong(format!("{id} has another text {when}")),
                Err(_) => tally.lost(format!("{id} {when}")),
            }
        }
        daemon.kill9();
        self.bench.remount();
    }

    fn repaired_without_syncs(&mut self, tally: &mut Tally) {
        self.damage(false);
        self.bench.mounted().drop_syncs();
        assert_eq!(self.run("repair"), WELL);
        // The power goes with the next change.
        self.bench.mounted().arm(CHANGES, 0, Fault::Power, Random::new(1));
        let _ = File::create(self.state().join("anything"));
        self.bench.remount();
        let is_there = self.state().join(KEPT).exists();
        if !is_there {
            tally.lost("a repair that had ended".to_owned());
        }
    }
}

/// `tetherd store`, and how it ends.
fn run(bench: &Bench, config: &Path, what: &str) -> i32 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tetherd"));
    command.arg("--config").arg(config).args(["store", what]);
    let mut process = Daemon::spawn_as(command, &bench.lab.socket());
    process.wait().code().unwrap_or(-1)
}

fn files(folder: &Path) -> Files {
    let Ok(entries) = fs::read_dir(folder) else { return Files::new() };
    let paths = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    paths.map(|path| (path.file_name().unwrap().into(), fs::read(path).unwrap())).collect()
}
