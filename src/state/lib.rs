//! The state directory as it looks from outside: the names of what is in it, and how large a
//! key file is. For the store, which owns what is inside, and for the doctor, which inspects
//! it without the database. Never opens the database, never takes the lock.

pub mod inspect;

use std::path::{Path, PathBuf};
use std::{fs, io};

use nix::errno::Errno;
use nix::unistd::Pid;

/// The database's folder.
pub const DATABASE: &str = "store";
/// The copy of it that is made before a database is opened.
pub const COPY: &str = "store.copy";
/// A store that a repair has made, before it takes the database's place.
pub const REPAIRED: &str = "store.repaired";
/// What a repair works on: one that is there without a repair was cut off.
pub const REPAIR: &str = "store.repair";
/// In the database's folder: the format of a store that was once complete.
pub const FORMAT_FILE: &str = "format";
/// The lock's file.
pub const LOCK: &str = "lock";
/// The folder with the files of messages that wait.
pub const SPOOL: &str = "spool";

/// A file that takes room on the disk until the disk is full: then it is removed.
pub const RESERVE: &str = "reserve";

/// The newest format that this program reads, and the one that it writes. It reads every
/// older one.
///
/// | format | what changed |
/// |---|---|
/// | 1 | |
/// | 2 | in records, `lived_ms` is called `uptime_ms` |
/// | 3 | the latest changes are in a journal in front of the database |
pub const FORMAT: u8 = 3;
/// Room that must be free before the database opens, in bytes: its recovery writes,
/// and must not be cut off half-way by a full disk.
pub const FREE_BYTES_MIN: u64 = 4 * 1024 * 1024;
/// Length of [`RESERVE`], in bytes.
pub const RESERVE_BYTES: u64 = 8 * 1024 * 1024;
/// What files of messages leave free on the disk, in bytes: the store writes there too, and a full
/// disk ends the daemon.
pub const DISK_FREE_MIN: u64 = 64 * 1024 * 1024;
/// Most bytes of the lock's file that are read as a process id.
pub const PID_BYTES_MAX: usize = 16;

/// Shortest key file, in bytes. Make one with `head -c 32 /dev/urandom`.
pub const KEY_FILE_BYTES_MIN: u64 = 32;
/// Longest, in bytes.
pub const KEY_FILE_BYTES_MAX: u64 = 4_096;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It does not read.
    #[error("the key file {} cannot be read: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no key.
    #[error(
        "the key file {} has {bytes} bytes; a key has {KEY_FILE_BYTES_MIN} to {KEY_FILE_BYTES_MAX}",
        .path.display()
    )]
    Length {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
    },
}

/// What is in a key file: all of its bytes are the secret.
pub fn read_key(path: &Path) -> Result<Vec<u8>, KeyFileError> {
    let failed = |source| KeyFileError::Io { path: path.to_path_buf(), source };
    let bytes = fs::metadata(path).map_err(failed)?.len();
    if !(KEY_FILE_BYTES_MIN..=KEY_FILE_BYTES_MAX).contains(&bytes) {
        return Err(KeyFileError::Length { path: path.to_path_buf(), bytes });
    }
    fs::read(path).map_err(failed)
}

/// Whether there is a process with this id.
pub fn lives(pid: i32) -> bool {
    // One that may not be asked is there.
    pid > 0 && nix::sys::signal::kill(Pid::from_raw(pid), None) != Err(Errno::ESRCH)
}
