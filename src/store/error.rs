//! What can go wrong with the store, said so that a person can act on it. Owns the
//! exit codes of each case; never exits itself.

use std::io;
use std::path::{Path, PathBuf};

/// Exit codes (sysexits.h) of a daemon that cannot start, or go on, for its store.
pub mod exit {
    /// The store is damaged (`EX_DATAERR`).
    pub const DAMAGED: u8 = 65;
    /// The disk has no room (`EX_OSERR`).
    pub const DISK_FULL: u8 = 71;
    /// The store cannot be read or created (`EX_OSFILE`).
    pub const UNREADABLE: u8 = 72;
    /// The state directory's path is something else (`EX_CANTCREAT`).
    pub const NOT_A_DIRECTORY: u8 = 73;
    /// A write failed while running: outcome unknown (`EX_IOERR`).
    pub const FAILED: u8 = 74;
    /// Another daemon holds the state directory (`EX_TEMPFAIL`).
    pub const LOCKED: u8 = 75;
    /// The store was written by a newer program (`EX_PROTOCOL`).
    pub const NEWER: u8 = 76;
    /// The state directory's owner or mode is wrong (`EX_NOPERM`).
    pub const PERMISSIONS: u8 = 77;
}

/// Why the store did not open. Nothing was reset, moved or removed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the lock.
    #[error("the state directory {} is in use by {}", .dir.display(), holder(*.pid))]
    Locked {
        /// The state directory.
        dir: PathBuf,
        /// Who holds it, if it says so.
        pid: Option<i32>,
    },
    /// The path exists and is no directory.
    #[error("the state directory {} is not a directory", .dir.display())]
    NotADirectory {
        /// The path.
        dir: PathBuf,
    },
    /// Somebody else's directory.
    #[error("the state directory {} belongs to user {owner}, and this is user {us}", .dir.display())]
    WrongOwner {
        /// The state directory.
        dir: PathBuf,
        /// Its owner.
        owner: u32,
        /// Who we are.
        us: u32,
    },
    /// Others may look inside.
    #[error("the state directory {} is open to others (mode {mode:04o}, wanted 0700)", .dir.display())]
    TooOpen {
        /// The state directory.
        dir: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// No room to recover or to write.
    #[error("the disk that holds {} is full", .dir.display())]
    DiskFull {
        /// The state directory.
        dir: PathBuf,
    },
    /// Written by a newer program.
    #[error("the store in {} has format {found}, and this program knows up to {known}", .dir.display())]
    Newer {
        /// The state directory.
        dir: PathBuf,
        /// Its format.
        found: u32,
        /// The newest that we know.
        known: u32,
    },
    /// The database does not read, or too much of it is damaged.
    #[error("the store in {} is damaged: {what}", .dir.display())]
    Damaged {
        /// The state directory.
        dir: PathBuf,
        /// What was found.
        what: String,
    },
    /// The system refused something.
    #[error("cannot {what} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl OpenError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            OpenError::Locked { pid: Some(pid), .. } => format!(
                "stop process {pid} first, or give this daemon a state directory of its own"
            ),
            OpenError::Locked { pid: None, .. } => {
                "stop the other daemon first, or give this one a state directory of its own".into()
            }
            OpenError::NotADirectory { dir } => {
                format!("move {} away, or name another state directory", quoted(dir))
            }
            OpenError::WrongOwner { dir, us, .. } => format!("chown -R {us} {}", quoted(dir)),
            OpenError::TooOpen { dir, .. } => format!("chmod 700 {}", quoted(dir)),
            OpenError::DiskFull { .. } => "make room on that disk, then start again".into(),
            OpenError::Newer { .. } => {
                "start the newer program again; this one cannot read what it wrote".into()
            }
            OpenError::Damaged { dir, .. } => {
                let store = dir.join(super::dir::DATABASE);
                let aside = dir.join(format!("{}.damaged", super::dir::DATABASE));
                format!(
                    "restore a backup, or start afresh with an empty queue and a new pairing: \
                     mv -T {} {}",
                    quoted(&store),
                    quoted(&aside)
                )
            }
            OpenError::Io { .. } => "put right what the system names, then start again".into(),
        }
    }

    /// The daemon's exit code.
    pub const fn exit_code(&self) -> u8 {
        match self {
            OpenError::Locked { .. } => exit::LOCKED,
            OpenError::NotADirectory { .. } => exit::NOT_A_DIRECTORY,
            OpenError::WrongOwner { .. } | OpenError::TooOpen { .. } => exit::PERMISSIONS,
            OpenError::DiskFull { .. } => exit::DISK_FULL,
            OpenError::Newer { .. } => exit::NEWER,
            OpenError::Damaged { .. } => exit::DAMAGED,
            OpenError::Io { .. } => exit::UNREADABLE,
        }
    }
}

fn holder(pid: Option<i32>) -> String {
    pid.map_or_else(|| "another process".into(), |pid| format!("process {pid}"))
}

/// The path as a shell takes it.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// Why a change was not confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// It may be on disk or not; only the next start finds out.
    #[error("the store failed: the change may or may not be on disk")]
    OutcomeUnknown,
    /// The store was closed before: nothing is written.
    #[error("the store is closed")]
    Closed,
    /// A key or a value is longer than the store takes: nothing is written.
    #[error("a record is longer than the store takes")]
    TooLarge,
}

/// Why a record was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The record is there and does not verify.
    #[error("a record is damaged")]
    Damaged,
    /// The database does not answer.
    #[error("the store cannot be read: {0}")]
    Engine(#[from] EngineError),
    /// The store was closed before.
    #[error("the store is closed")]
    Closed,
}

/// Why a read-modify-write was not confirmed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// Its reading failed: nothing is written.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Its writing was not confirmed.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// What the database beneath says.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// From the system.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Its files contradict themselves.
    #[error("the database is inconsistent: {0}")]
    Inconsistent(String),
}

impl EngineError {
    /// Whether the disk had no room.
    pub fn is_disk_full(&self) -> bool {
        match self {
            EngineError::Io(error) => is_disk_full(error),
            EngineError::Inconsistent(_) => false,
        }
    }
}

pub(super) fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Why the store stopped taking changes for good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store failed and takes no more changes: {what}")]
pub struct Failure {
    /// What happened.
    pub what: String,
    /// Whether the disk had no room.
    pub disk_full: bool,
}
