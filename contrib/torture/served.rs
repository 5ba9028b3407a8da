//! The disk as the kernel asks for it (FUSE). Every operation that a fault may come before is
//! counted first.

use std::ffi::OsStr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    FileAttr, FileType, Filesystem, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow,
};
use nix::libc::{EIO, ENOENT, ENOTEMPTY, c_int};

use crate::disk::{Content, ROOT};
use crate::mount::{Kind, State};

/// Nothing is remembered by the kernel: every operation is ours.
const TTL: Duration = Duration::ZERO;
const BLOCK_BYTES: u32 = 4096;
const DISK_BYTES: u64 = 1 << 30;
/// The kernel's `FOPEN_DIRECT_IO`: reads are not answered from its pages.
const DIRECT_IO: u32 = 1;

/// What the kernel asks.
pub(crate) struct Served(pub(crate) Arc<Mutex<State>>);

impl State {
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
