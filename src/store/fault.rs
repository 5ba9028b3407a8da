//! Faults on demand, so that what follows a failed write or sync can be tested.
//! Compiled only for tests and the simulator.

use std::io;
use std::sync::atomic::{AtomicI32, Ordering};

use super::error::EngineError;

/// What fails next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The sync, with an input/output error, after the change was written.
    SyncFails,
    /// The write, because the disk is full.
    DiskFull,
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    write_errno: AtomicI32,
    sync_errno: AtomicI32,
}

impl Faults {
    pub(super) fn inject(&self, fault: Fault) {
        match fault {
            Fault::SyncFails => self.sync_errno.store(nix::libc::EIO, Ordering::Release),
            Fault::DiskFull => self.write_errno.store(nix::libc::ENOSPC, Ordering::Release),
        }
    }

    pub(super) fn before_write(&self) -> Result<(), EngineError> {
        take(&self.write_errno)
    }

    pub(super) fn before_sync(&self) -> Result<(), EngineError> {
        take(&self.sync_errno)
    }
}

fn take(errno: &AtomicI32) -> Result<(), EngineError> {
    match errno.swap(0, Ordering::AcqRel) {
        0 => Ok(()),
        errno => Err(EngineError::Io(io::Error::from_raw_os_error(errno))),
    }
}
