//! The disk as a filesystem under an unmodified daemon (FUSE), and the faults that are armed on
//! it: at the n-th operation the power goes, the daemon is killed, or the operation fails.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use fuser::{MountOption, Session, SessionUnmounter};
use nix::libc::{ECONNABORTED, EIO, c_int};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::disk::Disk;
use crate::random::Random;
use crate::served::Served;

/// Kinds of operations that a fault waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Read,
    Write,
    Sync,
    /// Create, rename, remove, truncate.
    Entry,
}

/// What happens at an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// The disk is as a power cut leaves it, and does nothing any more.
    Power,
    /// The caller is killed, before or after the operation.
    Kill { done: bool },
    /// It fails, and so do as many after it.
    Error { errno: c_int, times: u64 },
}

struct Armed {
    kinds: &'static [Kind],
    /// Operations that go well before.
    good: u64,
    fault: Fault,
    random: Random,
}

/// The disk, and what was armed on it.
pub(crate) struct State {
    pub(crate) disk: Disk,
    armed: Option<Armed>,
    /// What is left by the fault.
    left: Option<Disk>,
    /// Operations that were counted since the fault was armed.
    counted: u64,
    happened: bool,
}

/// A mounted disk.
pub(crate) struct Mounted {
    state: Arc<Mutex<State>>,
    unmount: SessionUnmounter,
    /// Answers the kernel, until it is unmounted. None: that was waited for.
    serving: Option<JoinHandle<std::io::Result<()>>>,
}

/// Why there can be no such disk here.
pub(crate) fn lacks() -> Option<String> {
    let folder = tempfile::tempdir().ok()?;
    Mounted::try_new(Disk::new(), folder.path()).err().map(|error| format!("no FUSE: {error}"))
}

impl Mounted {
    pub(crate) fn new(disk: Disk, at: &Path) -> Mounted {
        Mounted::try_new(disk, at).unwrap()
    }

    fn try_new(disk: Disk, at: &Path) -> std::io::Result<Mounted> {
        detach_what_is_left(at);
        let state = State { disk, armed: None, left: None, counted: 0, happened: false };
        let state = Arc::new(Mutex::new(state));
        let options = [MountOption::FSName("torture".to_owned()), MountOption::DefaultPermissions];
        let mut session = Session::new(Served(Arc::clone(&state)), at, &options)?;
        let unmount = session.unmount_callable();
        let serving = std::thread::spawn(move || session.run());
        Ok(Mounted { state, unmount, serving: Some(serving) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Arms a fault for the operation after so many good ones.
    pub(crate) fn arm(&self, kinds: &'static [Kind], good: u64, fault: Fault, random: Random) {
        let mut state = self.state();
        state.counted = 0;
        state.happened = false;
        state.armed = Some(Armed { kinds, good, fault, random });
    }

    /// From now on syncs do nothing, and say that they have.
    pub(crate) fn drop_syncs(&self) {
        self.state().disk.drops_syncs = true;
    }

    /// Everything is on disk.
    pub(crate) fn sync_all(&self) {
        self.state().disk.sync_all();
    }

    /// Operations since something was armed, of the kinds that it waits for.
    pub(crate) fn counted(&self) -> u64 {
        self.state().counted
    }

    /// Whether it has happened.
    pub(crate) fn happened(&self) -> bool {
        self.state().happened
    }

    /// Ends the mount, after the daemon: the disk as the fault has left it, or as it is.
    pub(crate) fn end(mut self) -> Disk {
        let left = {
            let mut state = self.state();
            let left = state.left.take();
            // A kill takes nothing from it, nor from what a later power cut may take.
            left.unwrap_or_else(|| state.disk.clone())
        };
        self.unmount.unmount().unwrap();
        match self.serving.take().unwrap().join().unwrap() {
            Ok(()) => left,
            // How the kernel may say that it is unmounted: it was aborted before it was read from.
            Err(error) if error.raw_os_error() == Some(ECONNABORTED) => left,
            Err(error) => panic!("the filesystem ended by itself: {error}"),
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Nobody waits for it: a daemon may still use it.
        let _ = self.unmount.unmount();
    }
}

/// A mount that was still in use when it ended stays there and answers nothing
/// (`ECONNABORTED`, `ENOTCONN`): the kernel had not yet let go of a killed daemon's files.
fn detach_what_is_left(at: &Path) {
    if std::fs::metadata(at).is_err() {
        detach(at);
    }
}

/// Takes a mount away from its place, whoever still uses it.
pub(crate) fn detach(at: &Path) {
    for (program, option) in [("umount", "-l"), ("fusermount3", "-uz"), ("fusermount", "-uz")] {
        let mut command = Command::new(program);
        let tried = command.arg(option).arg(at).stderr(Stdio::null()).status();
        // Otherwise the next program; what comes of it is seen by the next mount.
        if tried.is_ok_and(|status| status.success()) {
            return;
        }
    }
}

impl State {
    /// Counts an operation. An error: it does not happen.
    pub(crate) fn before(&mut self, kind: Kind, caller: u32) -> Result<(), c_int> {
        if self.left.is_some() {
            return Err(EIO);
        }
        let Some(armed) = self.armed.as_mut().filter(|armed| armed.kinds.contains(&kind)) else {
            return Ok(());
        };
        self.counted += 1;
        if armed.good > 0 {
            armed.good -= 1;
            return Ok(());
        }
        self.happened = true;
        match &mut armed.fault {
            Fault::Power => {
                let left = self.disk.cut(&mut armed.random);
                self.left = Some(left);
                Err(EIO)
            }
            Fault::Kill { done } => {
                let done = *done;
                self.armed = None;
                let _ = kill(Pid::from_raw(caller.try_into().unwrap()), Signal::SIGKILL);
                if done { Ok(()) } else { Err(EIO) }
            }
            Fault::Error { errno, times } => {
                let errno = *errno;
                *times -= 1;
                if *times == 0 {
                    self.armed = None;
                }
                Err(errno)
            }
        }
    }
}
