//! What can go wrong with the store, said so that a person can act on it. Says how a
//! process ends that cannot start for its store; never exits itself.

use std::io;
use std::path::{Path, PathBuf};

use tetherd_api::exit::ExitCode;

/// What an [`OpenError::Io`] says was tried when a folder could not be made.
pub(super) const CREATE: &str = "create";

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
    #[error(
        "there is no room to write in {}: the disk is full, or a quota or a limit on the size \
         of files is reached",
        .dir.display()
    )]
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
    /// The session's secrets are encrypted, and no key was given.
    #[error("the session's secrets in {} are encrypted, and there is no key", .dir.display())]
    KeyMissing {
        /// The state directory.
        dir: PathBuf,
    },
    /// The session's secrets are encrypted with another key.
    #[error("the key does not fit the session's secrets in {}", .dir.display())]
    KeyWrong {
        /// The state directory.
        dir: PathBuf,
    },
    /// The database does not read, or too much of it is damaged.
    #[error("the store in {} is damaged: {what}", .dir.display())]
    Damaged {
        /// The state directory.
        dir: PathBuf,
        /// What was found.
        what: String,
    },
    /// The database reads, but lacks changes that were confirmed.
    #[error("the store in {} is damaged: its last {lost} confirmed changes are missing", .dir.display())]
    RolledBack {
        /// The state directory.
        dir: PathBuf,
        /// How many changes.
        lost: u64,
    },
    /// Whether the database lacks changes that were confirmed cannot be known.
    #[error(
        "the store in {} may be damaged: its count of confirmed changes is missing or does not read",
        .dir.display()
    )]
    Uncounted {
        /// The state directory.
        dir: PathBuf,
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
            OpenError::DiskFull { .. } => "make room there, then start again".into(),
            OpenError::Newer { .. } => {
                "start the newer program again; this one cannot read what it wrote".into()
            }
            OpenError::KeyMissing { .. } => {
                "name the key file (state.key_file, or LoadCredential=tetherd.key:PATH in the \
                 unit); without it this state directory cannot be used"
                    .into()
            }
            OpenError::KeyWrong { .. } => {
                "name the key file that these secrets were encrypted with".into()
            }
            OpenError::Damaged { dir, .. }
            | OpenError::RolledBack { dir, .. }
            | OpenError::Uncounted { dir } => format!(
                "look at the disk (the kernel's log names its errors) and start again; if it stays, \
                 restore a backup of {}, or go on with what still reads: `tetherd store repair` \
                 keeps the store as it is under another name, and leaves the queue paused",
                quoted(&dir.join(super::state_dir::DATABASE))
            ),
            OpenError::Io { .. } => "put right what the system names, then start again".into(),
        }
    }

    /// Whether the store is damaged, as far as can be seen.
    pub fn is_damage(&self) -> bool {
        self.exit() == ExitCode::DataErr
    }

    /// How a daemon ends that cannot start for this.
    pub fn exit(&self) -> ExitCode {
        match self {
            OpenError::Locked { .. } => ExitCode::TempFail,
            OpenError::NotADirectory { .. } => ExitCode::CantCreate,
            OpenError::WrongOwner { .. } | OpenError::TooOpen { .. } => ExitCode::NoPerm,
            OpenError::KeyMissing { .. } | OpenError::KeyWrong { .. } => ExitCode::Config,
            OpenError::Newer { .. } => ExitCode::Protocol,
            OpenError::Damaged { .. }
            | OpenError::RolledBack { .. }
            | OpenError::Uncounted { .. } => ExitCode::DataErr,
            OpenError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                ExitCode::NoPerm
            }
            OpenError::Io { what: CREATE, .. } => ExitCode::CantCreate,
            OpenError::DiskFull { .. } | OpenError::Io { .. } => ExitCode::IoErr,
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
    Backend(#[from] BackendError),
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

/// Errors of the database underneath.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// From the system.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Its files contradict themselves.
    #[error("the database is inconsistent: {0}")]
    Inconsistent(String),
}

impl BackendError {
    /// Whether the disk had no room.
    pub fn is_disk_full(&self) -> bool {
        match self {
            BackendError::Io(error) => is_disk_full(error),
            BackendError::Inconsistent(_) => false,
        }
    }
}

pub(super) fn is_disk_full(error: &io::Error) -> bool {
    // FileTooLarge: a limit on the size of files (`ulimit -f`, LimitFSIZE=).
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
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

impl Failure {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        if self.disk_full {
            "make room on the disk that holds the state directory, then start again: everything \
             acknowledged is kept"
        } else {
            "look at the disk that holds the state directory, then start again: everything \
             acknowledged is kept"
        }
    }
}
