//! Descriptors that callers passed, as something to read. Whatever a caller does with
//! the other end, or with the file meanwhile, reading it ends: with its content whole, or
//! with an error. Never changes a caller's descriptor: neither its offset nor its flags.

use std::fs::File;
use std::io;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{OFlag, SpliceFFlags, splice};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv};
use nix::unistd::pipe2;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::timeout;

use super::TakeError;

/// How long a pipe or socket may give nothing.
pub const SILENCE_MAX: Duration = Duration::from_secs(30);
/// How long one wait for it is; then the copying sees whether anybody still waits.
const WAIT_MS: u8 = 200;
const WAITS_MAX: u32 = 150;

const _: () = assert!(WAIT_MS as u128 * WAITS_MAX as u128 == SILENCE_MAX.as_millis());

/// A descriptor that cannot be read as a file.
#[derive(Debug, thiserror::Error)]
pub enum BadSource {
    /// A folder, a device, or something else that is no file.
    #[error("the descriptor is {0}, not a file, a pipe or a socket")]
    NotAFile(&'static str),
    /// It is open for writing only.
    #[error("the descriptor is not open for reading")]
    NotReadable,
    /// The kernel does not answer.
    #[error("the descriptor cannot be looked at: {0}")]
    Io(#[from] io::Error),
}

/// A file that became another while it was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the file changed while it was copied")]
pub struct Changed;

/// What a caller passed.
#[derive(Debug)]
pub struct Source(Inner);

#[derive(Debug)]
enum Inner {
    Regular { file: File, offset: u64, before: Stamp },
    Pipe { from: File, ours: Option<(File, File)>, held: usize, waits: u32 },
    Socket { from: File, waits: u32 },
}

/// By what a changed file is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(file: &File) -> io::Result<Stamp> {
        let meta = file.metadata()?;
        // Not when its inode changed: that moves when a name of it is removed too.
        Ok(Stamp { bytes: meta.size(), modified: (meta.mtime(), meta.mtime_nsec()) })
    }
}

impl Source {
    /// Takes a descriptor that a caller passed.
    pub fn new(fd: OwnedFd) -> Result<Source, BadSource> {
        let from = File::from(fd);
        let flags = nix::fcntl::fcntl(&from, nix::fcntl::FcntlArg::F_GETFL)
            .map_err(|errno| BadSource::Io(errno.into()))?;
        let flags = OFlag::from_bits_retain(flags);
        // A path that was only looked up is a descriptor too, and reads nothing.
        if flags.contains(OFlag::O_PATH) || flags & OFlag::O_ACCMODE == OFlag::O_WRONLY {
            return Err(BadSource::NotReadable);
        }
        let kind = from.metadata()?.file_type();
        Ok(Source(if kind.is_file() {
            Inner::Regular { before: Stamp::of(&from)?, file: from, offset: 0 }
        } else if kind.is_fifo() {
            Inner::Pipe { from, ours: None, held: 0, waits: 0 }
        } else if kind.is_socket() {
            Inner::Socket { from, waits: 0 }
        } else if kind.is_dir() {
            return Err(BadSource::NotAFile("a folder"));
        } else if kind.is_char_device() || kind.is_block_device() {
            return Err(BadSource::NotAFile("a device"));
        } else {
            return Err(BadSource::NotAFile("something else"));
        }))
    }

    /// Its length, if it has one already.
    pub fn length(&self) -> Option<u64> {
        match &self.0 {
            Inner::Regular { before, .. } => Some(before.bytes),
            Inner::Pipe { .. } | Inner::Socket { .. } => None,
        }
    }
}

impl Source {
    /// Returns once there is something to read, or nothing more will come: one that gives nothing
    /// holds no thread meanwhile. [`TakeError::TooSlow`]: nothing came for [`SILENCE_MAX`].
    #[expect(
        deprecated,
        reason = "sound here: a borrowed descriptor stays open while it is watched"
    )]
    pub async fn ready(&self) -> Result<(), TakeError> {
        let from = match &self.0 {
            Inner::Regular { .. } => return Ok(()),
            Inner::Pipe { from, .. } | Inner::Socket { from, .. } => from,
        };
        // What cannot be watched is waited for where it is read.
        let Ok(watched) = AsyncFd::with_interest(from.as_fd(), Interest::READABLE) else {
            return Ok(());
        };
        match timeout(SILENCE_MAX, watched.readable()).await {
            Ok(ready) => ready.map(drop).map_err(TakeError::Read),
            Err(_) => Err(TakeError::TooSlow),
        }
    }
}

/// Between two pieces of a pipe or socket it may answer `WouldBlock`: nothing came yet,
/// ask again. `TimedOut`: nothing came for too long.
impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Inner::Regular { file, offset, before } => read_file(file, offset, *before, into),
            Inner::Pipe { from, ours, held, waits } => {
                wait(from, waits)?;
                read_pipe(from, ours, held, into)
            }
            Inner::Socket { from, waits } => {
                wait(from, waits)?;
                let count = recv(from.as_raw_fd(), into, MsgFlags::MSG_DONTWAIT);
                count.map_err(io::Error::from)
            }
        }
    }
}

/// From its beginning, wherever the caller's offset stands. The kernel's own files, whose
/// length reads 0, are empty here.
fn read_file(file: &File, offset: &mut u64, before: Stamp, into: &mut [u8]) -> io::Result<usize> {
    let left = usize::try_from(before.bytes.saturating_sub(*offset)).unwrap_or(usize::MAX);
    let room = into.len().min(left);
    let count = file.read_at(into.get_mut(..room).unwrap_or_default(), *offset)?;
    *offset = offset.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    if count == 0 && (*offset != before.bytes || Stamp::of(file)? != before) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, Changed));
    }
    Ok(count)
}

/// Through a pipe of our own: `splice` never blocks, while `read` would, if somebody else
/// took what was there a moment before, and non-blocking mode is the caller's to set.
fn read_pipe(
    from: &File,
    ours: &mut Option<(File, File)>,
    held: &mut usize,
    into: &mut [u8],
) -> io::Result<usize> {
    let (out, to) = match ours {
        Some(pipe) => pipe,
        None => {
            let (out, to) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
            ours.insert((File::from(out), File::from(to)))
        }
    };
    if *held == 0 {
        let flags = SpliceFFlags::SPLICE_F_NONBLOCK | SpliceFFlags::SPLICE_F_MOVE;
        *held = splice(from, None, &*to, None, into.len(), flags)?;
    }
    if *held == 0 {
        return Ok(0);
    }
    let count = out.read(into)?;
    *held = held.saturating_sub(count);
    Ok(count)
}

fn wait(from: &File, waits: &mut u32) -> io::Result<()> {
    let mut poll_fd = [PollFd::new(from.as_fd(), PollFlags::POLLIN)];
    match poll(&mut poll_fd, PollTimeout::from(WAIT_MS)) {
        Ok(0) if *waits + 1 >= WAITS_MAX => Err(io::ErrorKind::TimedOut.into()),
        Ok(0) => {
            *waits += 1;
            Err(io::ErrorKind::WouldBlock.into())
        }
        Ok(_) => {
            *waits = 0;
            Ok(())
        }
        Err(Errno::EINTR) => Err(io::ErrorKind::Interrupted.into()),
        Err(errno) => Err(errno.into()),
    }
}
