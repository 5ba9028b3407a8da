//! The socket that the service manager passes to a program that it starts for one: found by its
//! name. Looks at nothing that comes over it.

use std::io;
use std::os::fd::{AsFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::socket::{SockType, getsockopt, sockopt};

/// Why what was passed cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ActivationError {
    /// The variables make no sense, or a descriptor that they announce is not open.
    #[error("the descriptors passed by the service manager cannot be taken: {0}")]
    Unusable(#[from] io::Error),
    /// None, or more than one, is ours.
    #[error(
        "{named} of the {passed} descriptors passed by the service manager are named `{name}`, and \
         there must be one; set FileDescriptorName={name} for one ListenStream="
    )]
    NotOne {
        /// The name that one must have.
        name: &'static str,
        /// How many were passed.
        passed: usize,
        /// How many of them have the name.
        named: usize,
    },
    /// It is something else.
    #[error("the descriptor `{name}` is not {wanted}")]
    NotAListener {
        /// Its name.
        name: &'static str,
        /// What is wanted, and what to set.
        wanted: &'static str,
    },
}

/// The stream socket of this name that was passed to this process and listens. None passed is
/// nothing wrong; none, too, from the second call on: it has one owner. `wanted` says what must
/// be set if it is something else.
pub fn passed(
    name: &'static str,
    wanted: &'static str,
) -> Result<Option<OwnedFd>, ActivationError> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    // Names without descriptors for this process are somebody else's, and no error.
    if TAKEN.swap(true, Ordering::Relaxed) || sd_notify::listen_fds()?.len() == 0 {
        return Ok(None);
    }
    let all = sd_notify::listen_fds_with_names()?;
    one_of(all.map(|(fd, of)| (adopt(fd), of)).collect(), name, wanted)
}

#[expect(unsafe_code, reason = "descriptors that are inherited are numbers")]
fn adopt(fd: RawFd) -> OwnedFd {
    // SAFETY: `passed` is the only caller and takes each descriptor once in the life of
    // the process; sd-notify has found it open (it has set its close-on-exec flag); the
    // manager passed it to this very process (LISTEN_PID), and so nothing else owns it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Picks the one of this name.
pub fn one_of(
    passed: Vec<(OwnedFd, String)>,
    name: &'static str,
    wanted: &'static str,
) -> Result<Option<OwnedFd>, ActivationError> {
    let count = passed.len();
    if count == 0 {
        return Ok(None);
    }
    let mut ours: Vec<OwnedFd> =
        passed.into_iter().filter(|(_, of)| of == name).map(|(fd, _)| fd).collect();
    let named = ours.len();
    match (ours.pop(), named) {
        (Some(fd), 1) if listens(&fd) => Ok(Some(fd)),
        (Some(_), 1) => Err(ActivationError::NotAListener { name, wanted }),
        (Some(_) | None, _) => Err(ActivationError::NotOne { name, passed: count, named }),
    }
}

fn listens(fd: &OwnedFd) -> bool {
    getsockopt(&fd.as_fd(), sockopt::AcceptConn) == Ok(true)
        && getsockopt(&fd.as_fd(), sockopt::SockType) == Ok(SockType::Stream)
}
