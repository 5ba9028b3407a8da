//! What passes between this process and the service manager: the listener that it was
//! started with, and what is reported to the manager. Knows when to feed no watchdog and what
//! the status is: those are `supervision`'s business.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixListener;
use std::time::Duration;

use nix::sys::socket::{UnixAddr, getsockname};
use sd_notify::NotifyState;
use tetherd_api::activation::{self, ActivationError};

/// The name of the control socket's descriptor (`FileDescriptorName=`).
pub const CONTROL_NAME: &str = "control";

/// What it must be.
const CONTROL_IS: &str =
    "a listening Unix stream socket; set ListenStream= to a path, and Accept=no";

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
            listener: control(activation::passed(CONTROL_NAME, CONTROL_IS)?)?,
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

/// The control socket, if it was passed and lies at a path.
fn control(passed: Option<OwnedFd>) -> Result<Option<UnixListener>, ActivationError> {
    let lies_at_a_path = |fd: &OwnedFd| getsockname::<UnixAddr>(fd.as_raw_fd()).is_ok();
    match passed {
        Some(fd) if !lies_at_a_path(&fd) => {
            Err(ActivationError::NotAListener { name: CONTROL_NAME, wanted: CONTROL_IS })
        }
        passed => Ok(passed.map(UnixListener::from)),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn control_of(passed: Vec<(OwnedFd, String)>) -> Result<Option<UnixListener>, ActivationError> {
        control(activation::one_of(passed, CONTROL_NAME, CONTROL_IS)?)
    }

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
        assert!(matches!(error, ActivationError::NotOne { passed: 2, named: 2, .. }));
    }

    #[test]
    fn what_does_not_listen_on_a_path_is_refused() {
        let (connected, _other) = UnixStream::pair().unwrap();
        let internet = TcpListener::bind("127.0.0.1:0").unwrap();
        for fd in [OwnedFd::from(connected), OwnedFd::from(internet)] {
            let error = control_of(vec![named(fd, CONTROL_NAME)]).unwrap_err();
            assert!(matches!(error, ActivationError::NotAListener { .. }), "{error}");
        }
    }
}
