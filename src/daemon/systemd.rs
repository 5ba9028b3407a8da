//! What passes between this process and the service manager: the listener that it was
//! started with, and what is reported to the manager. Knows when to feed no watchdog and what
//! the status is: those are `supervision`'s business.

use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::socket::{SockType, UnixAddr, getsockname, getsockopt, sockopt};
use sd_notify::NotifyState;

/// The name of the control socket's descriptor (`FileDescriptorName=`).
pub const CONTROL_NAME: &str = "control";

/// Why the descriptors that were passed cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ActivationError {
    /// The variables make no sense, or a descriptor that they announce is not open.
    #[error("the descriptors passed by the service manager cannot be taken: {0}")]
    Unusable(io::Error),
    /// None, or more than one, is the control socket.
    #[error(
        "{named} of the {passed} descriptors passed by the service manager are named \
         `{CONTROL_NAME}`, and there must be one; set FileDescriptorName={CONTROL_NAME} for one \
         ListenStream="
    )]
    NotOneControl {
        /// How many were passed.
        passed: usize,
        /// How many of them have the name.
        named: usize,
    },
    /// It is something else.
    #[error(
        "the descriptor `{CONTROL_NAME}` is not a listening Unix stream socket; set ListenStream= \
         to a path, and Accept=no"
    )]
    NotAListener,
}

/// What the service manager gave this process, and whether it wants reports.
#[derive(Debug, Default)]
pub struct Manager {
    pub(super) listener: Option<UnixListener>,
    pub(super) watchdog: Option<Duration>,
    pub(super) notify: Notify,
}

impl Manager {
    /// There is none, or it is not ours to talk to: the daemon is part of a larger program.
    pub fn none() -> Manager {
        Manager::default()
    }

    /// This process's.
    pub fn from_environment() -> Result<Manager, ActivationError> {
        Ok(Manager {
            listener: control_of(passed()?)?,
            watchdog: sd_notify::watchdog_enabled().filter(|interval| !interval.is_zero()),
            notify: Notify { wanted: std::env::var_os("NOTIFY_SOCKET").is_some() },
        })
    }

    /// The listener that was passed, once more: for those who wait there, should the
    /// daemon not start.
    pub(super) fn passed_listener(&self) -> Option<UnixListener> {
        self.listener.as_ref().and_then(|listener| listener.try_clone().ok())
    }

    /// For reports.
    pub fn notify(&self) -> Notify {
        self.notify
    }
}

/// Tells the service manager, if there is one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notify {
    wanted: bool,
}

impl Notify {
    /// Whether anybody receives it.
    pub const fn is_wanted(self) -> bool {
        self.wanted
    }

    /// Callers are served, the configuration is in force.
    pub fn ready(self) {
        self.tell(&[NotifyState::Ready]);
    }

    /// The configuration is being read again; [`Notify::ready`] ends it.
    pub fn reloading(self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            Err(_) => self.tell(&[NotifyState::Reloading]),
        }
    }

    /// The daemon is going down, and may take this long.
    pub fn stopping(self, time_max: Duration) {
        self.tell(&[NotifyState::Stopping, extension(time_max)]);
    }

    /// The start or the stop may take this long from now on.
    pub fn extend(self, time_max: Duration) {
        self.tell(&[extension(time_max)]);
    }

    /// One line for `systemctl status`.
    pub fn status(self, line: &str) {
        self.tell(&[NotifyState::Status(line)]);
    }

    /// All is well.
    pub fn watchdog(self) {
        self.tell(&[NotifyState::Watchdog]);
    }

    fn tell(self, states: &[NotifyState<'_>]) {
        if !self.wanted {
            return;
        }
        if let Err(error) = sd_notify::notify(states) {
            tracing::warn!(%error, "the service manager could not be notified");
        }
    }
}

fn extension(time_max: Duration) -> NotifyState<'static> {
    NotifyState::ExtendTimeoutUsec(u32::try_from(time_max.as_micros()).unwrap_or(u32::MAX))
}

/// The descriptors that were passed to this process, with their names. Empty from the
/// second call on: each has one owner.
fn passed() -> Result<Vec<(OwnedFd, String)>, ActivationError> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Ok(Vec::new());
    }
    // Names without descriptors for this process are somebody else's, and no error.
    if sd_notify::listen_fds().map_err(ActivationError::Unusable)?.len() == 0 {
        return Ok(Vec::new());
    }
    let named = sd_notify::listen_fds_with_names().map_err(ActivationError::Unusable)?;
    Ok(named.map(|(fd, name)| (adopt(fd), name)).collect())
}

#[expect(unsafe_code, reason = "descriptors that are inherited are numbers")]
fn adopt(fd: RawFd) -> OwnedFd {
    // SAFETY: `passed` is the only caller and takes each descriptor once in the life of
    // the process; sd-notify has found it open (it has set its close-on-exec flag); the
    // manager passed it to this very process (LISTEN_PID), and so nothing else owns it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Picks the control socket. Nothing passed is nothing wrong.
fn control_of(passed: Vec<(OwnedFd, String)>) -> Result<Option<UnixListener>, ActivationError> {
    let count = passed.len();
    if count == 0 {
        return Ok(None);
    }
    let mut controls: Vec<OwnedFd> =
        passed.into_iter().filter(|(_, name)| name == CONTROL_NAME).map(|(fd, _)| fd).collect();
    let named = controls.len();
    match (controls.pop(), named) {
        (Some(fd), 1) if listens(&fd) => Ok(Some(UnixListener::from(fd))),
        (Some(_), 1) => Err(ActivationError::NotAListener),
        (Some(_) | None, _) => Err(ActivationError::NotOneControl { passed: count, named }),
    }
}

fn listens(fd: &OwnedFd) -> bool {
    getsockopt(&fd.as_fd(), sockopt::AcceptConn) == Ok(true)
        && getsockopt(&fd.as_fd(), sockopt::SockType) == Ok(SockType::Stream)
        && getsockname::<UnixAddr>(std::os::fd::AsRawFd::as_raw_fd(fd)).is_ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn named(fd: impl Into<OwnedFd>, name: &str) -> (OwnedFd, String) {
        (fd.into(), name.to_owned())
    }

    fn listener() -> (tempfile::TempDir, UnixListener) {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("control.sock")).unwrap();
        (dir, listener)
    }

    #[test]
    fn the_control_socket_is_found_by_its_name() {
        let (dir, ours) = listener();
        let (_other_dir, other) = listener();
        let passed = vec![named(other, "metrics"), named(ours, CONTROL_NAME)];
        let found = control_of(passed).unwrap().unwrap();
        let address = found.local_addr().unwrap();
        assert_eq!(address.as_pathname(), Some(dir.path().join("control.sock").as_path()));
    }

    #[test]
    fn nothing_passed_is_nothing_wrong() {
        assert!(control_of(Vec::new()).unwrap().is_none());
    }

    #[test]
    fn none_or_two_of_the_name_are_refused_and_the_sentence_says_what_to_set() {
        let (_dir, unnamed) = listener();
        let error = control_of(vec![named(unnamed, "unknown")]).unwrap_err();
        assert!(error.to_string().contains("FileDescriptorName=control"), "{error}");
        let (_dirs, (first, second)) = {
            let ((a, first), (b, second)) = (listener(), listener());
            ((a, b), (first, second))
        };
        let both = vec![named(first, CONTROL_NAME), named(second, CONTROL_NAME)];
        let error = control_of(both).unwrap_err();
        assert!(matches!(error, ActivationError::NotOneControl { passed: 2, named: 2 }));
    }

    #[test]
    fn what_does_not_listen_on_a_path_is_refused() {
        let (connected, _other) = UnixStream::pair().unwrap();
        let internet = TcpListener::bind("127.0.0.1:0").unwrap();
        for fd in [OwnedFd::from(connected), OwnedFd::from(internet)] {
            let error = control_of(vec![named(fd, CONTROL_NAME)]).unwrap_err();
            assert!(matches!(error, ActivationError::NotAListener), "{error}");
        }
    }
}
