//! The socket that the service manager passes: one, TCP or Unix, named `web`.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::socket::{
    AddressFamily, SockType, SockaddrLike as _, SockaddrStorage, getsockname, getsockopt, sockopt,
};
use tokio::net::{TcpListener, UnixListener};

use super::Listener;

/// The name of the descriptor (`FileDescriptorName=`).
pub const LISTENER_NAME: &str = "web";

/// Why what was passed cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ActivationError {
    /// The variables make no sense, or a descriptor that they announce is not open.
    #[error("the descriptors passed by the service manager cannot be taken: {0}")]
    Unusable(#[from] io::Error),
    /// None, or more than one, is ours.
    #[error(
        "{named} of the {passed} descriptors passed by the service manager are named \
         `{LISTENER_NAME}`, and there must be one; set FileDescriptorName={LISTENER_NAME} for one \
         ListenStream="
    )]
    NotOne {
        /// How many were passed.
        passed: usize,
        /// How many of them have the name.
        named: usize,
    },
    /// It is something else.
    #[error("the descriptor `{LISTENER_NAME}` is not a listening stream socket; set ListenStream=")]
    NotAListener,
}

/// The listener that was passed to this process, if one was. None from the second call on:
/// it has one owner.
pub(super) fn passed() -> Result<Option<Listener>, ActivationError> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::Relaxed) || sd_notify::listen_fds()?.len() == 0 {
        return Ok(None);
    }
    let all: Vec<(OwnedFd, String)> =
        sd_notify::listen_fds_with_names()?.map(|(fd, name)| (adopt(fd), name)).collect();
    let passed = all.len();
    let mut ours: Vec<OwnedFd> =
        all.into_iter().filter(|(_, name)| name == LISTENER_NAME).map(|(fd, _)| fd).collect();
    match (ours.pop(), ours.len()) {
        (Some(fd), 0) => listener(fd).map(Some),
        (Some(_), more) => Err(ActivationError::NotOne { passed, named: more + 1 }),
        (None, _) => Err(ActivationError::NotOne { passed, named: 0 }),
    }
}

#[expect(unsafe_code, reason = "descriptors that are inherited are numbers")]
fn adopt(fd: RawFd) -> OwnedFd {
    // SAFETY: `passed` is the only caller and takes each descriptor once in the life of the
    // process; sd-notify has found it open; the manager passed it to this very process.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn listener(fd: OwnedFd) -> Result<Listener, ActivationError> {
    let listens = getsockopt(&fd.as_fd(), sockopt::AcceptConn) == Ok(true)
        && getsockopt(&fd.as_fd(), sockopt::SockType) == Ok(SockType::Stream);
    if !listens {
        return Err(ActivationError::NotAListener);
    }
    let name = getsockname::<SockaddrStorage>(fd.as_raw_fd()).map_err(io::Error::from)?;
    match name.family() {
        Some(AddressFamily::Unix) => {
            let listener = std::os::unix::net::UnixListener::from(fd);
            listener.set_nonblocking(true)?;
            Ok(Listener::Unix(UnixListener::from_std(listener)?, None))
        }
        Some(AddressFamily::Inet | AddressFamily::Inet6) => {
            let listener = std::net::TcpListener::from(fd);
            listener.set_nonblocking(true)?;
            Ok(Listener::Tcp(TcpListener::from_std(listener)?))
        }
        Some(_) | None => Err(ActivationError::NotAListener),
    }
}
