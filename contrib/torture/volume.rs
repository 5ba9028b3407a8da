//! A real filesystem in a file, on a loop device, that loses power: what it has not written to its
//! file by then is gone. Owns the image and the mount; needs root.

use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::libc;
use nix::sys::signal::Signal;

use crate::support::Daemon;

/// Large enough for each of them, and sparse.
const IMAGE_BYTES: u64 = 400 << 20;
/// `EXT4_IOC_SHUTDOWN` and `XFS_IOC_GOINGDOWN` are one number: `_IOR('X', 125, u32)`.
const SHUTDOWN: libc::Ioctl = 0x8004_587d_u32 as libc::Ioctl;
/// Without writing what is in the filesystem's own log.
const WITHOUT_THE_LOG: u32 = 2;
const LOOK: Duration = Duration::from_millis(2);

/// How the power of a filesystem is cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cut {
    /// It stops, and writes nothing more.
    Shutdown,
    /// What is in its file while the daemon stands still is all there is.
    Image,
}

/// A filesystem, and how it is mounted.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    make: &'static [&'static str],
    options: &'static str,
    cut: Cut,
}

pub(crate) const KINDS: [Kind; 4] = [
    Kind {
        name: "ext4 noauto_da_alloc",
        make: &["mkfs.ext4", "-q"],
        options: "loop,noauto_da_alloc",
        cut: Cut::Shutdown,
    },
    Kind {
        name: "ext4 writeback nobarrier",
        make: &["mkfs.ext4", "-q"],
        options: "loop,data=writeback,noauto_da_alloc,nobarrier",
        cut: Cut::Shutdown,
    },
    Kind {
        name: "xfs without reflink",
        make: &["mkfs.xfs", "-q", "-m", "reflink=0"],
        options: "loop",
        cut: Cut::Shutdown,
    },
    Kind {
        name: "btrfs nobarrier",
        make: &["mkfs.btrfs", "-q"],
        options: "loop,nobarrier,commit=300",
        cut: Cut::Image,
    },
];

/// A mounted filesystem.
pub(crate) struct Volume {
    kind: &'static Kind,
    image: PathBuf,
    at: PathBuf,
}

/// Those that can be had here. A line says why one cannot.
pub(crate) fn available() -> Vec<&'static Kind> {
    let can_be_had = |kind: &&'static Kind| match try_once(kind) {
        Ok(()) => true,
        Err(why) => {
            println!("filesystems: {}: SKIPPED, nothing was checked: {why}", kind.name);
            false
        }
    };
    KINDS.iter().filter(can_be_had).collect()
}

fn try_once(kind: &'static Kind) -> Result<(), String> {
    if !nix::unistd::geteuid().is_root() {
        return Err("mounting takes root".to_owned());
    }
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let at = folder.path().join("at");
    fs::create_dir(&at).map_err(|error| error.to_string())?;
    Volume::new(kind, folder.path().join("image"), at).map(drop)
}

impl Volume {
    /// A new filesystem in this file, mounted there, for its owner only.
    pub(crate) fn new(kind: &'static Kind, image: PathBuf, at: PathBuf) -> Result<Volume, String> {
        let made = File::create(&image).and_then(|file| file.set_len(IMAGE_BYTES));
        made.map_err(|error| error.to_string())?;
        let (program, options) = kind.make.split_first().unwrap();
        run(Command::new(program).args(options).arg(&image))?;
        let volume = Volume { kind, image, at };
        volume.mount()?;
        Ok(volume)
    }

    fn mount(&self) -> Result<(), String> {
        let mut mount = Command::new("mount");
        run(mount.args(["-o", self.kind.options]).arg(&self.image).arg(&self.at))?;
        run(Command::new("chmod").arg("0700").arg(&self.at))
    }

    /// The power goes under this daemon, and comes back.
    pub(crate) fn cut(&self, daemon: &mut Daemon) {
        match self.kind.cut {
            Cut::Shutdown => {
                shut_down(&self.at);
                daemon.kill9();
                run(Command::new("umount").arg(&self.at)).unwrap();
            }
            Cut::Image => {
                stand_still(daemon);
                let left = self.image.with_extension("left");
                let mut copy = Command::new("cp");
                run(copy.arg("--sparse=always").arg(&self.image).arg(&left)).unwrap();
                daemon.kill9();
                run(Command::new("umount").arg(&self.at)).unwrap();
                fs::rename(&left, &self.image).unwrap();
            }
        }
        self.mount().unwrap();
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // It may be in use after a failure: it goes with the last user.
        let _ = run(Command::new("umount").arg("-l").arg(&self.at));
    }
}

#[expect(unsafe_code, reason = "no safe wrapper of this ioctl exists in our dependencies")]
fn shut_down(at: &Path) {
    let folder = File::open(at).unwrap();
    let how = WITHOUT_THE_LOG;
    // SAFETY: the descriptor is open, and the kernel reads one u32.
    let done = unsafe { libc::ioctl(folder.as_raw_fd(), SHUTDOWN, &raw const how) };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
}

/// Stops all its threads, also those that are in a system call.
fn stand_still(daemon: &mut Daemon) {
    daemon.signal(Signal::SIGSTOP);
    let tasks = format!("/proc/{}/task", daemon.pid());
    let stands = |task: fs::DirEntry| {
        let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        // The name before it may hold anything, but no more brackets follow.
        stat.rsplit(')').next().is_none_or(|rest| rest.trim_start().starts_with(['T', 'Z', 'X']))
    };
    while !fs::read_dir(&tasks).unwrap().map_while(Result::ok).all(stands) {
        daemon.log_within("nothing that it says", LOOK);
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().map_err(|error| format!("{name}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{name}: {}", said.trim())) }
}
