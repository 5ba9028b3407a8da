//! Faults on demand, so that what follows a failed write or sync can be tested.
//! Compiled only for tests and the simulator: a normal build knows none of this.
//!
//! A `sim` build of `tetherd` reads [`VARIABLE`] once it is ready:
//!
//! | value | what happens |
//! |---|---|
//! | `sync-fails-after:N` | N more syncs succeed, the next one fails |
//! | `disk-full-after:N` | N more writes succeed, the next one finds no room |
//! | `sync-waits-at:FIFO` | while this pipe exists, each sync waits until somebody has opened it for writing and closed it again |

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::error::BackendError;

/// The environment variable that names a fault.
pub const VARIABLE: &str = "TETHERD_SIM_FAULT";

/// The environment variable that names a file with the bytes that are free on the disk, besides
/// what is kept in reserve. Nobody may fill a machine's disk for a test.
pub(super) const FREE_BYTES: &str = "TETHERD_SIM_FREE_BYTES";

pub(super) fn free_bytes() -> Option<u64> {
    static FILE: std::sync::OnceLock<Option<PathBuf>> = std::sync::OnceLock::new();
    let file = FILE.get_or_init(|| std::env::var_os(FREE_BYTES).map(Into::into)).as_ref()?;
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// What the next write or sync does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InjectedFault {
    /// The sync fails with an input/output error, after the change was written.
    SyncFails,
    /// The write fails, because the disk is full.
    DiskFull,
    /// While this pipe exists, each sync waits until it was opened for writing and closed.
    SyncWaits(PathBuf),
}

impl InjectedFault {
    /// Reads what [`VARIABLE`] says: a fault, and how many writes or syncs go well before.
    pub fn parse(text: &str) -> Option<(InjectedFault, u32)> {
        let (name, value) = text.split_once(':')?;
        match name {
            "sync-fails-after" => Some((InjectedFault::SyncFails, value.parse().ok()?)),
            "disk-full-after" => Some((InjectedFault::DiskFull, value.parse().ok()?)),
            "sync-waits-at" => Some((InjectedFault::SyncWaits(value.into()), 0)),
            _ => None,
        }
    }
}

/// The environment variable with the step of a start or of a repair at which the process ends as
/// if it had been killed, counted from 0.
#[cfg(test)]
pub(super) const KILL_AT: &str = "TETHERD_TEST_KILL_AT";

/// A step of a start or of a repair is done. Ends the process if a test wants that here.
#[cfg(test)]
pub(super) fn step() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static STEPS: AtomicUsize = AtomicUsize::new(0);
    let kill_at = std::env::var(KILL_AT).ok().and_then(|at| at.parse().ok());
    if kill_at == Some(STEPS.fetch_add(1, Ordering::Relaxed)) {
        std::process::abort();
    }
}

#[cfg(test)]
thread_local! {
    /// How many of this thread's syncs of a database still go well; none: all of them.
    pub(super) static GOOD_SYNCS: std::cell::Cell<Option<u32>> = const { std::cell::Cell::new(None) };
}

/// A database is synced. Fails if a test wants that here.
#[cfg(test)]
pub(super) fn database_sync() -> io::Result<()> {
    step();
    match GOOD_SYNCS.get() {
        Some(0) => Err(io::Error::from_raw_os_error(nix::libc::EIO)),
        good => {
            GOOD_SYNCS.set(good.map(|good| good - 1));
            Ok(())
        }
    }
}

/// A fault, and how often it is still held back.
type Armed = Option<(InjectedFault, u32)>;

#[derive(Debug, Default)]
pub(super) struct Faults {
    write: Mutex<Armed>,
    sync: Mutex<Armed>,
}

impl Faults {
    pub(super) fn inject(&self, fault: InjectedFault, good: u32) {
        let place = match fault {
            InjectedFault::SyncFails | InjectedFault::SyncWaits(_) => &self.sync,
            InjectedFault::DiskFull => &self.write,
        };
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some((fault, good));
    }

    pub(super) fn before_write(&self) -> Result<(), BackendError> {
        happen(&self.write)
    }

    pub(super) fn before_sync(&self) -> Result<(), BackendError> {
        happen(&self.sync)
    }
}

fn happen(place: &Mutex<Armed>) -> Result<(), BackendError> {
    let mut armed = place.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, good @ 1..)) = armed.as_mut() {
        *good -= 1;
        return Ok(());
    }
    if let Some((InjectedFault::SyncWaits(pipe), _)) = armed.as_ref() {
        if pipe.exists() {
            File::open(pipe)?.read_to_end(&mut Vec::new())?;
        }
        return Ok(());
    }
    let errno = match armed.take() {
        Some((InjectedFault::SyncFails, _)) => nix::libc::EIO,
        Some((InjectedFault::DiskFull, _)) => nix::libc::ENOSPC,
        Some((InjectedFault::SyncWaits(_), _)) | None => return Ok(()),
    };
    Err(io::Error::from_raw_os_error(errno).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_named_with_what_goes_well_before() {
        assert_eq!(InjectedFault::parse("sync-fails-after:3"), Some((InjectedFault::SyncFails, 3)));
        assert_eq!(InjectedFault::parse("disk-full-after:0"), Some((InjectedFault::DiskFull, 0)));
        let waits = InjectedFault::SyncWaits("/x:y".into());
        assert_eq!(InjectedFault::parse("sync-waits-at:/x:y"), Some((waits, 0)));
        for wrong in ["", "sync-fails-after", "sync-fails-after:x", "no:1"] {
            assert_eq!(InjectedFault::parse(wrong), None, "{wrong}");
        }
    }
}
