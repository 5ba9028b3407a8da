//! The disk as a filesystem under an unmodified daemon (FUSE), and the faults that are armed on
//! it: at the n-th operation the power goes, the daemon is killed, or the operation fails.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BackgroundSession, FileAttr, FileType, Filesystem, MountOption, ReplyAttr, ReplyCreate,
    ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request,
    TimeOrNow,
};
use nix::libc::{EIO, ENOENT, ENOTEMPTY, c_int};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::disk::{Content, Disk, ROOT};
use crate::random::Random;

/// Nothing is remembered by the kernel: every operation is ours.
const TTL: Duration = Duration::ZERO;
const BLOCK_BYTES: u32 = 4096;
const DISK_BYTES: u64 = 1 << 30;
/// The kernel's `FOPEN_DIRECT_IO`: reads are not answered from its pages.
const DIRECT_IO: u32 = 1;

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

struct State {
    disk: Disk,
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
    session: Option<BackgroundSession>,
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
        let session = fuser::spawn_mount2(Served(Arc::clone(&state)), at, &options)?;
        Ok(Mounted { state, session: Some(session) })
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

    /// Whether it has happened.
    pub(crate) fn happened(&self) -> bool {
        self.state().happened
    }

    /// Ends the mount, after the daemon: the disk as the fault has left it, or as it is.
    pub(crate) fn end(mut self) -> Disk {
        let left = {
            let mut state = self.state();
            let left = state.left.take();
            left.unwrap_or_else(|| state.disk.kept())
        };
        if let Some(session) = self.session.take() {
            session.join();
        }
        left
    }
}

/// A mount that was still in use when it ended stays there and answers nothing
/// (`ECONNABORTED`, `ENOTCONN`): the kernel had not yet let go of a killed daemon's files.
fn detach_what_is_left(at: &Path) {
    let is_dead = || std::fs::metadata(at).is_err();
    for (program, option) in [("umount", "-l"), ("fusermount3", "-uz"), ("fusermount", "-uz")] {
        if is_dead() {
            // What comes of it is seen by the next look, or by the mount.
            let _ = Command::new(program).arg(option).arg(at).stderr(Stdio::null()).status();
        }
    }
}

impl State {
    /// Counts an operation. An error: it does not happen.
    fn before(&mut self, kind: Kind, caller: u32) -> Result<(), c_int> {
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

    fn attributes(&self, number: u64) -> Option<FileAttr> {
        let node = self.disk.node(number)?;
        let (kind, size) = match &node.content {
            Content::File { live, .. } => (FileType::RegularFile, live.len() as u64),
            Content::Folder { .. } => (FileType::Directory, 0),
        };
        Some(FileAttr {
            ino: number,
            size,
            blocks: size.div_ceil(512),
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm: node.mode,
            nlink: 1,
            uid: nix::unistd::getuid().as_raw(),
            gid: nix::unistd::getgid().as_raw(),
            rdev: 0,
            blksize: BLOCK_BYTES,
            flags: 0,
        })
    }
}

/// What the kernel asks.
struct Served(Arc<Mutex<State>>);

impl Served {
    /// Does something that a fault may come before.
    fn counted<T>(
        &self,
        kind: Kind,
        request: &Request<'_>,
        work: impl FnOnce(&mut State) -> Result<T, c_int>,
    ) -> Result<T, c_int> {
        let mut state = self.0.lock().unwrap();
        state.before(kind, request.pid())?;
        work(&mut state)
    }

    fn made(
        &self,
        request: &Request<'_>,
        (folder, name): (u64, &OsStr),
        mode: u16,
        is_folder: bool,
    ) -> Result<FileAttr, c_int> {
        self.counted(Kind::Entry, request, |state| {
            let number = state.disk.make(folder, text(name), mode, is_folder);
            state.attributes(number).ok_or(EIO)
        })
    }

    fn removed(&self, request: &Request<'_>, folder: u64, name: &OsStr) -> Result<(), c_int> {
        self.counted(Kind::Entry, request, |state| {
            let number = state.disk.find(folder, text(name)).ok_or(ENOENT)?;
            if state.disk.entries(number).is_some_and(|entries| !entries.is_empty()) {
                return Err(ENOTEMPTY);
            }
            state.disk.remove(folder, text(name));
            Ok(())
        })
    }
}

fn text(name: &OsStr) -> &str {
    name.to_str().unwrap()
}

fn permissions(mode: u32) -> u16 {
    u16::try_from(mode & 0o7777).unwrap()
}

fn answer(result: Result<(), c_int>, reply: ReplyEmpty) {
    match result {
        Ok(()) => reply.ok(),
        Err(errno) => reply.error(errno),
    }
}

impl Filesystem for Served {
    fn lookup(&mut self, _: &Request<'_>, parent: u64, name: &OsStr, reply: ReplyEntry) {
        let state = self.0.lock().unwrap();
        let found = state.disk.find(parent, text(name)).and_then(|n| state.attributes(n));
        match found {
            Some(found) => reply.entry(&TTL, &found, 0),
            None => reply.error(ENOENT),
        }
    }

    fn getattr(&mut self, _: &Request<'_>, ino: u64, _: Option<u64>, reply: ReplyAttr) {
        match self.0.lock().unwrap().attributes(ino) {
            Some(found) => reply.attr(&TTL, &found),
            None => reply.error(ENOENT),
        }
    }

    fn setattr(
        &mut self,
        request: &Request<'_>,
        ino: u64,
        mode: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<std::time::SystemTime>,
        _: Option<u64>,
        _: Option<std::time::SystemTime>,
        _: Option<std::time::SystemTime>,
        _: Option<std::time::SystemTime>,
        _: Option<u32>,
        reply: ReplyAttr,
    ) {
        let set = self.counted(Kind::Entry, request, |state| {
            if let Some(mode) = mode {
                state.disk.set_mode(ino, permissions(mode));
            }
            if let Some(size) = size {
                state.disk.set_length(ino, usize::try_from(size).unwrap());
            }
            state.attributes(ino).ok_or(ENOENT)
        });
        match set {
            Ok(found) => reply.attr(&TTL, &found),
            Err(errno) => reply.error(errno),
        }
    }

    fn mkdir(
        &mut self,
        request: &Request<'_>,
        parent: u64,
        name: &OsStr,
        mode: u32,
        _: u32,
        reply: ReplyEntry,
    ) {
        match self.made(request, (parent, name), permissions(mode), true) {
            Ok(made) => reply.entry(&TTL, &made, 0),
            Err(errno) => reply.error(errno),
        }
    }

    fn create(
        &mut self,
        request: &Request<'_>,
        parent: u64,
        name: &OsStr,
        mode: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        match self.made(request, (parent, name), permissions(mode), false) {
            Ok(made) => reply.created(&TTL, &made, 0, 0, DIRECT_IO),
            Err(errno) => reply.error(errno),
        }
    }

    fn unlink(&mut self, request: &Request<'_>, parent: u64, name: &OsStr, reply: ReplyEmpty) {
        answer(self.removed(request, parent, name), reply);
    }

    fn rmdir(&mut self, request: &Request<'_>, parent: u64, name: &OsStr, reply: ReplyEmpty) {
        answer(self.removed(request, parent, name), reply);
    }

    fn rename(
        &mut self,
        request: &Request<'_>,
        parent: u64,
        name: &OsStr,
        new_parent: u64,
        new_name: &OsStr,
        _: u32,
        reply: ReplyEmpty,
    ) {
        let renamed = self.counted(Kind::Entry, request, |state| {
            let (from, to) = ((parent, text(name)), (new_parent, text(new_name)));
            let number = state.disk.find(from.0, from.1).ok_or(ENOENT)?;
            let old = state.disk.find(to.0, to.1);
            if old.and_then(|old| state.disk.entries(old)).is_some_and(|e| !e.is_empty()) {
                return Err(ENOTEMPTY);
            }
            state.disk.rename(from, to, number);
            Ok(())
        });
        answer(renamed, reply);
    }

    fn open(&mut self, _: &Request<'_>, _: u64, _: i32, reply: ReplyOpen) {
        reply.opened(0, DIRECT_IO);
    }

    fn read(
        &mut self,
        request: &Request<'_>,
        ino: u64,
        _: u64,
        offset: i64,
        size: u32,
        _: i32,
        _: Option<u64>,
        reply: ReplyData,
    ) {
        let read = self.counted(Kind::Read, request, |state| {
            let data = state.disk.data(ino).ok_or(ENOENT)?;
            let from = usize::try_from(offset).unwrap().min(data.len());
            let to = (from + usize::try_from(size).unwrap()).min(data.len());
            Ok(data[from..to].to_vec())
        });
        match read {
            Ok(data) => reply.data(&data),
            Err(errno) => reply.error(errno),
        }
    }

    fn write(
        &mut self,
        request: &Request<'_>,
        ino: u64,
        _: u64,
        offset: i64,
        data: &[u8],
        _: u32,
        _: i32,
        _: Option<u64>,
        reply: ReplyWrite,
    ) {
        let written = self.counted(Kind::Write, request, |state| {
            state.disk.write(ino, usize::try_from(offset).unwrap(), data);
            Ok(())
        });
        match written {
            Ok(()) => reply.written(u32::try_from(data.len()).unwrap()),
            Err(errno) => reply.error(errno),
        }
    }

    fn flush(&mut self, _: &Request<'_>, _: u64, _: u64, _: u64, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&mut self, request: &Request<'_>, ino: u64, _: u64, _: bool, reply: ReplyEmpty) {
        let synced = self.counted(Kind::Sync, request, |state| {
            state.disk.sync(ino);
            Ok(())
        });
        answer(synced, reply);
    }

    fn fsyncdir(&mut self, request: &Request<'_>, ino: u64, fh: u64, _: bool, reply: ReplyEmpty) {
        self.fsync(request, ino, fh, false, reply);
    }

    fn readdir(
        &mut self,
        _: &Request<'_>,
        ino: u64,
        _: u64,
        offset: i64,
        mut reply: ReplyDirectory,
    ) {
        let state = self.0.lock().unwrap();
        let Some(entries) = state.disk.entries(ino) else { return reply.error(ENOENT) };
        let own = [(".".to_owned(), ino), ("..".to_owned(), ROOT)];
        let all = own.into_iter().chain(entries.iter().map(|(name, n)| (name.clone(), *n)));
        for (place, (name, number)) in all.enumerate().skip(usize::try_from(offset).unwrap()) {
            let kind = state.attributes(number).map_or(FileType::RegularFile, |found| found.kind);
            if reply.add(number, i64::try_from(place + 1).unwrap(), kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn fallocate(
        &mut self,
        request: &Request<'_>,
        ino: u64,
        _: u64,
        offset: i64,
        length: i64,
        _: i32,
        reply: ReplyEmpty,
    ) {
        let done = self.counted(Kind::Write, request, |state| {
            let end = usize::try_from(offset + length).unwrap();
            if state.disk.data(ino).ok_or(ENOENT)?.len() < end {
                state.disk.set_length(ino, end);
            }
            Ok(())
        });
        answer(done, reply);
    }

    fn statfs(&mut self, _: &Request<'_>, _: u64, reply: ReplyStatfs) {
        let free = DISK_BYTES.saturating_sub(self.0.lock().unwrap().disk.bytes());
        let block = u64::from(BLOCK_BYTES);
        let (all, free) = (DISK_BYTES / block, free / block);
        reply.statfs(all, free, free, 1_000_000, 1_000_000, BLOCK_BYTES, 255, BLOCK_BYTES);
    }
}
