//! A filesystem whose file opens, and never gives a byte (FUSE): a server that is gone, as the
//! readers of its files see it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BackgroundSession, FileAttr, FileType, Filesystem, MountOption, ReplyAttr, ReplyData,
    ReplyEntry, ReplyOpen, Request,
};
use nix::libc::ENOENT;

use crate::mount::detach;

const ROOT: u64 = 1;
const FILE: u64 = 2;
const FILE_BYTES: u64 = 1024 * 1024;
/// The kernel's `FOPEN_DIRECT_IO`: each read is asked for.
const DIRECT_IO: u32 = 1;
const TTL: Duration = Duration::ZERO;
/// Its name, beside the control socket.
const FOLDER: &str = "hung";

/// The file on the filesystem that is mounted beside this socket.
pub(crate) fn file_beside(socket: &Path) -> PathBuf {
    socket.with_file_name(FOLDER).join("file")
}

/// Readers that wait; none: nobody waits any more.
type Waiting = Arc<Mutex<Option<Vec<ReplyData>>>>;

/// A mounted one.
pub(crate) struct Hung {
    waiting: Waiting,
    at: PathBuf,
    /// Ends once nobody has its file open any more.
    _session: BackgroundSession,
}

impl Hung {
    /// Beside this socket; none: it cannot be had here.
    pub(crate) fn beside(socket: &Path) -> Option<Hung> {
        let at = socket.with_file_name(FOLDER);
        std::fs::create_dir(&at).unwrap();
        let waiting = Arc::new(Mutex::new(Some(Vec::new())));
        let mut options = vec![MountOption::FSName("hung".to_owned())];
        if nix::unistd::geteuid().is_root() {
            options.push(MountOption::AllowOther);
        }
        let session = fuser::spawn_mount2(Files(Arc::clone(&waiting)), &at, &options).ok()?;
        Some(Hung { waiting, at, _session: session })
    }

    /// Readers that wait.
    pub(crate) fn readers(&self) -> usize {
        self.waiting.lock().unwrap().as_ref().map_or(0, Vec::len)
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        // Each is answered with an error.
        drop(self.waiting.lock().unwrap().take());
        // Whoever has it open still does not keep the folder.
        detach(&self.at);
    }
}

struct Files(Waiting);

fn attributes(number: u64) -> FileAttr {
    let (kind, perm, size) = match number {
        ROOT => (FileType::Directory, 0o755, 0),
        _ => (FileType::RegularFile, 0o644, FILE_BYTES),
    };
    FileAttr {
        ino: number,
        size,
        blocks: size / 512,
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind,
        perm,
        nlink: 1,
        uid: nix::unistd::getuid().as_raw(),
        gid: nix::unistd::getgid().as_raw(),
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

impl Filesystem for Files {
    fn lookup(&mut self, _: &Request<'_>, folder: u64, _: &OsStr, reply: ReplyEntry) {
        match folder {
            ROOT => reply.entry(&TTL, &attributes(FILE), 0),
            _ => reply.error(ENOENT),
        }
    }

    fn getattr(&mut self, _: &Request<'_>, number: u64, _: Option<u64>, reply: ReplyAttr) {
        reply.attr(&TTL, &attributes(number));
    }

    fn open(&mut self, _: &Request<'_>, _: u64, _: i32, reply: ReplyOpen) {
        reply.opened(0, DIRECT_IO);
    }

    fn read(
        &mut self,
        _: &Request<'_>,
        _: u64,
        _: u64,
        _: i64,
        _: u32,
        _: i32,
        _: Option<u64>,
        reply: ReplyData,
    ) {
        if let Some(waiting) = self.0.lock().unwrap().as_mut() {
            waiting.push(reply);
        }
    }
}
