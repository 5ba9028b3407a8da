//! A laboratory whose daemon's disk is the harness's own. Owns the mount and what is armed on it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::mount::{Fault, Kind, Mounted};
use crate::random::Random;
use crate::support::{Daemon, Lab};
use crate::tally::Tally;

pub(crate) const CHANGES: &[Kind] = &[Kind::Write, Kind::Sync, Kind::Entry];

/// The laboratory and its disk.
pub(crate) struct Bench {
    // Dropped in this order: the mount ends before its folder is removed.
    mounted: Option<Mounted>,
    pub(crate) lab: Lab,
}

impl Bench {
    /// With an empty disk.
    pub(crate) fn new() -> Bench {
        let lab = Lab::new();
        let state = lab.path().join("state");
        std::fs::create_dir(&state).unwrap();
        std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o700)).unwrap();
        let mounted = Some(Mounted::new(crate::disk::Disk::new(), &state));
        Bench { mounted, lab }
    }

    pub(crate) fn mounted(&self) -> &Mounted {
        self.mounted.as_ref().unwrap()
    }

    /// After the daemon's end: the disk as the fault has left it.
    pub(crate) fn remount(&mut self) {
        let left = self.mounted.take().unwrap().end();
        self.mounted = Some(Mounted::new(left, &self.lab.path().join("state")));
    }

    /// How many changes of the disk this makes, which are then undone.
    pub(crate) fn changes_of(&mut self, work: impl FnOnce(&Bench)) -> u64 {
        let before = self.mounted.take().unwrap().end();
        let state = self.lab.path().join("state");
        self.mounted = Some(Mounted::new(before.clone(), &state));
        self.mounted().arm(CHANGES, u64::MAX, Fault::Power, Random::new(0));
        work(self);
        let counted = self.mounted().counted();
        drop(self.mounted.take().unwrap().end());
        self.mounted = Some(Mounted::new(before, &state));
        counted
    }

    /// Arms a fault for one of the next operations of these kinds, as many near the beginning as
    /// far from it.
    pub(crate) fn arm(
        &self,
        (kinds, fault): (&'static [Kind], Fault),
        operations: u64,
        random: &mut Random,
    ) {
        let below = 1 + random.below(operations);
        self.mounted().arm(kinds, random.below(below), fault, random.fork());
    }

    /// A start with this configuration.
    pub(crate) fn spawn(&self, config: &str) -> Daemon {
        Daemon::spawn(&self.lab.config(config), &self.lab.socket())
    }

    /// A start on a disk without faults.
    pub(crate) fn whole_start(&self, config: &str, tally: &mut Tally) -> Daemon {
        let mut daemon = self.spawn(config);
        if !daemon.becomes_ready() {
            tally.wrong(format!("it does not start again: {}", daemon.log()));
            panic!("no daemon");
        }
        daemon
    }

    /// A configuration with the session's secrets under a key, and the same without the key.
    pub(crate) fn with_and_without_key(&self, config: &str) -> [PathBuf; 2] {
        let path = self.lab.config(config);
        let text = std::fs::read_to_string(&path).unwrap();
        let [key, with] = ["key", "with-key.toml"].map(|name| self.lab.path().join(name));
        std::fs::write(&key, [7; 32]).unwrap();
        let section = format!("[state]\nkey_file = {key:?}\n");
        std::fs::write(&with, text.replacen("[state]\n", &section, 1)).unwrap();
        [with, path]
    }
}
