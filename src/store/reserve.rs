//! Room on the disk that is kept for when it is full: a file that is removed then, so that what
//! is needed to make room (a list, a cancellation, the session's keys) is still written. Owns
//! that file, and whether the disk counts as full.

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::fcntl::posix_fallocate;
use tetherd_state::{FREE_BYTES_MIN, RESERVE, RESERVE_BYTES};
use tokio::sync::watch;

use super::error::OpenError;
#[cfg(any(test, feature = "sim"))]
use super::fault_injection;
use super::state_dir::{io_error, sync};

const MODE: u32 = 0o600;
/// What the log says.
const FULL: &str = "the disk is full: no new message is taken";
/// So much is free when the reserve is made: after that the disk does not count as full at once.
const FREE_TO_MAKE: u64 = FREE_BYTES_MIN + 2 * RESERVE_BYTES;

/// The reserve of one state directory.
#[derive(Debug)]
pub(super) struct Reserve {
    dir: PathBuf,
    full: watch::Sender<bool>,
}

impl Reserve {
    /// Removes the reserve if a start needs it. Refuses if that is not enough.
    pub(super) fn make_room(dir: &Path) -> Result<(), OpenError> {
        if free(dir)? < FREE_BYTES_MIN {
            remove(dir)?;
        }
        if free(dir)? < FREE_BYTES_MIN {
            return Err(OpenError::DiskFull { dir: dir.to_path_buf() });
        }
        Ok(())
    }

    /// Of a store that is open. The disk counts as full if there is no room for a reserve.
    pub(super) fn new(dir: &Path) -> Reserve {
        let (full, _) = watch::channel(!dir.join(RESERVE).exists());
        let reserve = Reserve { dir: dir.to_path_buf(), full };
        reserve.look();
        if *reserve.full.borrow() {
            tracing::warn!("{FULL}");
        }
        reserve
    }

    /// Whether the disk counts as full, now and whenever that changes.
    pub(super) fn full(&self) -> watch::Receiver<bool> {
        self.full.subscribe()
    }

    /// Gives the reserve away if the disk is full.
    pub(super) fn give(&self) {
        if *self.full.borrow() || !free(&self.dir).is_ok_and(|free| free < FREE_BYTES_MIN) {
            return;
        }
        tracing::warn!("{FULL}");
        if let Err(error) = remove(&self.dir) {
            tracing::warn!(%error, "the reserve cannot be removed");
        }
        self.full.send_replace(true);
    }

    /// Makes the reserve again if there is room.
    pub(super) fn look(&self) {
        if !*self.full.borrow() || !free(&self.dir).is_ok_and(|free| free >= FREE_TO_MAKE) {
            return;
        }
        if let Err(error) = make(&self.dir) {
            // A filesystem on which no room can be kept: a full disk then ends the daemon.
            tracing::debug!(%error, "there is no reserve");
        }
        self.full.send_replace(false);
    }
}

/// Bytes that we may still write there.
fn free(dir: &Path) -> Result<u64, OpenError> {
    #[cfg(any(test, feature = "sim"))]
    if let Some(free) = fault_injection::free_bytes() {
        let reserved = dir.join(RESERVE).exists();
        return Ok(if reserved { free } else { free.saturating_add(RESERVE_BYTES) });
    }
    let stat = nix::sys::statvfs::statvfs(dir)
        .map_err(|errno| io_error("look at the disk of", dir)(errno.into()))?;
    Ok(stat.blocks_available().saturating_mul(stat.fragment_size()))
}

fn remove(dir: &Path) -> Result<(), OpenError> {
    let path = dir.join(RESERVE);
    match fs::remove_file(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error("remove", &path)(error)),
        Ok(()) => sync(dir),
    }
}

fn make(dir: &Path) -> Result<(), OpenError> {
    let path = dir.join(RESERVE);
    let open = OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(&path);
    let file: File = open.map_err(io_error("make", &path))?;
    let bytes = i64::try_from(RESERVE_BYTES).unwrap_or(i64::MAX);
    posix_fallocate(file.as_fd(), 0, bytes).map_err(|errno| {
        let _ = fs::remove_file(&path);
        io_error("make", &path)(errno.into())
    })
}
