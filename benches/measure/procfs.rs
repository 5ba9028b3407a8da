//! What the kernel says about a process: processor time, memory, threads, wake-ups.

use std::fs;
use std::time::Duration;

use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

/// A process, by its number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    /// Processor time of all its threads, also of those that have ended.
    pub(crate) fn cpu(self) -> Duration {
        let pid = Pid::from_raw(i32::try_from(self.0).unwrap());
        clock_getcpuclockid(pid).and_then(|clock| clock.now()).unwrap().into()
    }

    /// A field of `status` in KiB, such as `VmRSS`.
    pub(crate) fn kib(self, field: &str) -> u64 {
        number(&self.read("status"), field)
    }

    /// Its share of the memory: what it has in common with others is divided among them.
    pub(crate) fn pss_kib(self) -> u64 {
        number(&self.read("smaps_rollup"), "Pss")
    }

    /// How often its threads have waited and woken, in all.
    pub(crate) fn wakes(self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.0)).unwrap();
        let wakes = tasks.filter_map(|task| {
            let status = fs::read_to_string(task.ok()?.path().join("status")).ok()?;
            Some(number(&status, "voluntary_ctxt_switches"))
        });
        wakes.sum()
    }

    /// How many threads it has.
    pub(crate) fn threads(self) -> u64 {
        number(&self.read("status"), "Threads")
    }

    /// Bytes that it has caused to be written to disks.
    pub(crate) fn written(self) -> u64 {
        number(&self.read("io"), "write_bytes")
    }

    fn read(self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.0)).unwrap_or_default()
    }
}

fn number(text: &str, field: &str) -> u64 {
    let line = text.lines().find(|line| line.split(':').next() == Some(field));
    let value = line.and_then(|line| line.split_whitespace().nth(1));
    value.and_then(|value| value.parse().ok()).unwrap_or_default()
}

/// As the tables have it.
pub(crate) fn mib(kib: u64) -> String {
    format!("{:.1}", kib as f64 / 1_024.0)
}
