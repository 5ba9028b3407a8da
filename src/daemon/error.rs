//! Why the daemon did not start, and how it ended: each with its exit code and what
//! to do about it.

use tokio::task::JoinError;

use crate::daemon::auth::AccessError;
use crate::daemon::engine::EngineError;
use crate::daemon::socket::SocketError;
use crate::spool;
use crate::store::{self, KeyFileError, OpenError, ReadError, UpdateError};
use tetherd_net::trust::TrustError;

use crate::whatsapp::{KeyStoreError, SessionError};
use tetherd_api::activation::ActivationError;
use tetherd_api::exit::ExitCode;

/// Why the daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The key for the session's secrets.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// A record that was verified at opening does not read.
    #[error("the store cannot be read: {0}")]
    Read(#[from] ReadError),
    /// The inbox.
    #[error("the inbox cannot be opened: {0}")]
    Inbox(#[from] UpdateError),
    /// The stored session.
    #[error("the stored session cannot be read: {0}")]
    Keys(#[from] KeyStoreError),
    /// The folder of the messages' files.
    #[error("the spool cannot be used: {0}")]
    Spool(#[from] spool::OpenError),
    /// The configured groups.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The session's configuration.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The authorities that files by web address are trusted by.
    #[error("[fetch] ca_file: {0}")]
    Fetch(TrustError),
    /// What the service manager passed.
    #[error(transparent)]
    Activation(#[from] ActivationError),
    /// The control socket.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The system refused the listener.
    #[error("the control socket cannot be served: {0}")]
    Listen(std::io::Error),
    /// The committer's or opener's thread is gone: our bug.
    #[error("the start broke off: {0}")]
    Broken(JoinError),
}

impl StartError {
    /// What to do about it.
    pub fn remedy(&self) -> Option<String> {
        match self {
            StartError::Store(error) => Some(error.remedy()),
            StartError::KeyFile(_) => Some(
                "put the key there (head -c 32 /dev/urandom makes one), readable by the daemon, or \
                 correct state.key_file"
                    .to_owned(),
            ),
            StartError::Access(_) => {
                Some("create the group, or correct the [socket] section".to_owned())
            }
            StartError::Session(_) => Some("correct the [session] section".to_owned()),
            StartError::Fetch(_) => Some("correct ca_file under [fetch]".to_owned()),
            StartError::Read(_) | StartError::Inbox(_) | StartError::Keys(_) => Some(
                "look at the disk first (the kernel's log names its errors), then start again; \
                 if it stays, restore a backup of the state directory"
                    .to_owned(),
            ),
            StartError::Spool(error) if error.is_disk_full() => {
                Some("make room there, then start again".to_owned())
            }
            StartError::Spool(_) | StartError::Listen(_) => {
                Some("put right what the system names, then start again".to_owned())
            }
            // The sentences of the first two say it already; the last is our bug.
            StartError::Activation(_) | StartError::Socket(_) | StartError::Broken(_) => None,
        }
    }

    /// How the process ends.
    pub fn exit(&self) -> ExitCode {
        match self {
            StartError::Store(error) => error.exit(),
            StartError::Read(_) | StartError::Keys(_) => ExitCode::DataErr,
            StartError::Inbox(error) => match error {
                UpdateError::Read(_) => ExitCode::DataErr,
                UpdateError::Commit(_) => ExitCode::IoErr,
            },
            StartError::KeyFile(_)
            | StartError::Access(_)
            | StartError::Session(_)
            | StartError::Fetch(_)
            | StartError::Activation(_) => ExitCode::Config,
            StartError::Spool(error) if !error.is_of_creation() => ExitCode::IoErr,
            StartError::Spool(_) | StartError::Socket(_) | StartError::Listen(_) => {
                ExitCode::CantCreate
            }
            StartError::Broken(_) => ExitCode::Software,
        }
    }
}

/// How the daemon ended, if not as it should.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    /// The store failed for good.
    #[error(transparent)]
    Store(store::Failure),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The engine's task is gone: our bug.
    #[error("the engine broke off: {0}")]
    Broken(JoinError),
}

impl EndError {
    /// What to do about it.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            EndError::Store(failure) => Some(failure.remedy()),
            EndError::Engine(_) | EndError::Broken(_) => None,
        }
    }

    /// How the process ends.
    pub fn exit(&self) -> ExitCode {
        match self {
            EndError::Store(_) | EndError::Engine(EngineError::Store(_)) => ExitCode::IoErr,
            EndError::Engine(EngineError::SessionGone) | EndError::Broken(_) => ExitCode::Software,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_spool_without_room_is_a_failing_disk_and_one_that_cannot_be_made_is_not() {
        let spool = |what, kind: io::ErrorKind| {
            let path = std::path::PathBuf::new();
            StartError::Spool(spool::OpenError { what, path, source: kind.into() })
        };
        let full = spool("sync the folder of", io::ErrorKind::StorageFull);
        assert_eq!(full.exit(), ExitCode::IoErr);
        assert!(full.remedy().unwrap().starts_with("make room"));
        assert_eq!(spool("create", io::ErrorKind::StorageFull).exit(), ExitCode::IoErr);
        assert_eq!(spool("read", io::ErrorKind::Other).exit(), ExitCode::IoErr);
        assert_eq!(spool("create", io::ErrorKind::NotADirectory).exit(), ExitCode::CantCreate);
    }
}
