//! What shows of a state directory from outside, while its daemon runs or not. Never opens
//! the database, never takes or tries the lock, writes nothing.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::statfs::{
    FUSE_SUPER_MAGIC, FsType, NFS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC, SMB_SUPER_MAGIC, TMPFS_MAGIC,
};

use super::{
    COPY, DATABASE, FORMAT, FORMAT_FILE, FREE_BYTES_MIN, LOCK, PID_BYTES_MAX, REPAIR, REPAIRED,
    lives,
};

/// Where the kernel lists the locks.
const LOCKS: &str = "/proc/locks";
/// The daemon's name as the kernel cuts it.
const NAME: &str = "tetherd";

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Whether it is a directory at all.
    pub is_directory: bool,
    /// Whose it is.
    pub owner: u32,
    /// Its permissions.
    pub mode: u32,
    /// Bytes that the daemon can still write there.
    pub free_bytes: u64,
    /// Fewer bytes than a start needs.
    pub too_full_to_start: bool,
    /// Whether the disk takes another file.
    pub takes_files: bool,
    /// What it lies on.
    pub filesystem: Filesystem,
    /// What is inside; none where it is closed to us.
    pub inside: Option<Inside>,
}

/// What a state directory may lie on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filesystem {
    /// A disk, as far as is known.
    Disk,
    /// Another machine's.
    Network(&'static str),
    /// A program's: what a sync is worth there is that program's affair.
    Fuse,
    /// Memory.
    Memory,
    /// A layer over another, as containers have.
    Overlay,
}

/// What is inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inside {
    /// Who holds the lock.
    pub holder: Holder,
    /// The store's format.
    pub format: Format,
    /// A copy that is there only while the database opens, or while a repair ends.
    pub copy: bool,
    /// Snapshots that a crash left half-made.
    pub half_made: bool,
    /// Values that sled wrote to files of their own, which are never synced.
    pub blobs: bool,
}

/// Who holds the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Nobody.
    Nobody,
    /// This process.
    Process(i32),
    /// The kernel's list cannot be read.
    Unknown,
}

/// The store's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// There is no complete store yet.
    None,
    /// One that this program reads.
    Known(u32),
    /// A newer program's.
    Newer(u32),
    /// The file holds no number.
    Garbled,
    /// The file cannot be read.
    Unknown,
}

impl Inspection {
    /// Looks at `dir`. Blocks as long as its disk does.
    pub fn of(dir: &Path) -> io::Result<Inspection> {
        let meta = fs::metadata(dir)?;
        let disk = nix::sys::statvfs::statvfs(dir)?;
        let kind = nix::sys::statfs::statfs(dir)?.filesystem_type();
        let free_bytes = disk.blocks_available().saturating_mul(disk.fragment_size());
        Ok(Inspection {
            is_directory: meta.is_dir(),
            owner: meta.uid(),
            mode: meta.mode() & 0o7777,
            free_bytes,
            too_full_to_start: free_bytes < FREE_BYTES_MIN,
            // Some filesystems do not count files: they say 0 of 0.
            takes_files: disk.files() == 0 || disk.files_available() > 0,
            filesystem: filesystem(kind),
            inside: fs::read_dir(dir).is_ok().then(|| Inside::of(dir)),
        })
    }
}

impl Inside {
    fn of(dir: &Path) -> Inside {
        let database = dir.join(DATABASE);
        let names = |folder: &Path| {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            entries.filter_map(|entry| entry.file_name().into_string().ok())
        };
        Inside {
            holder: holder(&dir.join(LOCK)),
            format: format(&database.join(FORMAT_FILE)),
            copy: [COPY, REPAIR, REPAIRED].iter().any(|name| dir.join(name).exists()),
            half_made: names(&database)
                .any(|name| name.starts_with("snap.") && name.ends_with(".generating")),
            blobs: names(&database.join("blobs")).next().is_some(),
        }
    }
}

fn filesystem(kind: FsType) -> Filesystem {
    // 9p and CIFS have no name in the headers that we use.
    const V9FS_MAGIC: FsType = FsType(0x0102_1997);
    const CIFS_MAGIC: FsType = FsType(0xff53_4d42_u32 as _);
    const SMB2_MAGIC: FsType = FsType(0xfe53_4d42_u32 as _);
    const RAMFS_MAGIC: FsType = FsType(0x8584_58f6_u32 as _);
    match kind {
        NFS_SUPER_MAGIC => Filesystem::Network("NFS"),
        SMB_SUPER_MAGIC | CIFS_MAGIC | SMB2_MAGIC => Filesystem::Network("SMB"),
        V9FS_MAGIC => Filesystem::Network("9p"),
        FUSE_SUPER_MAGIC => Filesystem::Fuse,
        TMPFS_MAGIC | RAMFS_MAGIC => Filesystem::Memory,
        OVERLAYFS_SUPER_MAGIC => Filesystem::Overlay,
        FsType(_) => Filesystem::Disk,
    }
}

fn format(path: &Path) -> Format {
    match fs::read_to_string(path) {
        Ok(text) => match text.trim().parse() {
            Ok(format) if format > u32::from(FORMAT) => Format::Newer(format),
            Ok(format) => Format::Known(format),
            Err(_) => Format::Garbled,
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Format::None,
        Err(_) => Format::Unknown,
    }
}

/// From the kernel's list: to try the lock could make a daemon that starts just now give up.
fn holder(lock: &Path) -> Holder {
    let meta = match fs::metadata(lock) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Holder::Nobody,
        Err(_) => return Holder::Unknown,
    };
    let Ok(locks) = fs::read_to_string(LOCKS) else { return Holder::Unknown };
    let written = fs::read(lock).ok().filter(|bytes| bytes.len() <= PID_BYTES_MAX);
    let written = written.and_then(|bytes| std::str::from_utf8(&bytes).ok()?.trim().parse().ok());
    let is_daemon = |pid: i32| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        lives(pid) && name.trim_end() == NAME
    };
    let device = (nix::sys::stat::major(meta.dev()), nix::sys::stat::minor(meta.dev()));
    match find(&locks, device, meta.ino(), written, is_daemon) {
        Some(pid) => Holder::Process(pid),
        None => Holder::Nobody,
    }
}

/// The process with a lock on this file. Layered filesystems show the kernel's list other
/// numbers than they show us: there, the pid in the file counts if that process is a
/// daemon, and holds a lock.
fn find(
    locks: &str,
    device: (u64, u64),
    inode: u64,
    written: Option<i32>,
    is_daemon: impl Fn(i32) -> bool,
) -> Option<i32> {
    let entries: Vec<(i32, u64, u64, u64)> = locks.lines().filter_map(entry).collect();
    let ours = |entry: &&(i32, u64, u64, u64)| {
        entry.3 == inode && ((entry.1, entry.2) == device || Some(entry.0) == written)
    };
    let theirs = |entry: &&(i32, u64, u64, u64)| Some(entry.0) == written && is_daemon(entry.0);
    entries.iter().find(ours).or_else(|| entries.iter().find(theirs)).map(|entry| entry.0)
}

/// `1: FLOCK  ADVISORY  WRITE 924 fe:00:6332903 0 EOF`. One that waits has an arrow.
fn entry(line: &str) -> Option<(i32, u64, u64, u64)> {
    let mut words = line.split_whitespace().skip(1);
    if words.next() != Some("FLOCK") || words.nth(1) != Some("WRITE") {
        return None;
    }
    let pid = words.next()?.parse().ok()?;
    let mut numbers = words.next()?.split(':');
    let hex = |text: &str| u64::from_str_radix(text, 16).ok();
    Some((pid, hex(numbers.next()?)?, hex(numbers.next()?)?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_and_a_newer_format_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join(DATABASE);
        fs::create_dir_all(store.join("blobs")).unwrap();
        fs::create_dir(folder.path().join(COPY)).unwrap();
        fs::write(store.join("snap.0000.generating"), "").unwrap();
        fs::write(store.join("blobs/1"), "").unwrap();
        fs::write(store.join(FORMAT_FILE), "250\n").unwrap();
        let inside = Inspection::of(folder.path()).unwrap().inside.unwrap();
        assert!(inside.copy && inside.half_made && inside.blobs);
        fs::remove_dir(folder.path().join(COPY)).unwrap();
        assert!(!Inside::of(folder.path()).copy);
        for name in [REPAIR, REPAIRED] {
            fs::create_dir(folder.path().join(name)).unwrap();
            assert!(Inside::of(folder.path()).copy, "{name}");
            fs::remove_dir(folder.path().join(name)).unwrap();
        }
        assert_eq!((inside.holder, inside.format), (Holder::Nobody, Format::Newer(250)));
        fs::write(store.join(FORMAT_FILE), "one\n").unwrap();
        assert_eq!(Inspection::of(folder.path()).unwrap().inside.unwrap().format, Format::Garbled);
    }

    #[test]
    fn the_kernel_s_list_is_read_by_file_and_on_layers_by_the_daemon_that_wrote_its_pid() {
        let locks = "1: -> FLOCK ADVISORY WRITE 9 fe:00:5 0 EOF\n\
                     2: FLOCK  ADVISORY  READ 8 fe:00:5 0 EOF\n\
                     3: POSIX  ADVISORY  WRITE 7 fe:00:5 0 EOF\n\
                     4: FLOCK  ADVISORY  WRITE 6 fe:01:5 0 EOF\n\
                     5: FLOCK  ADVISORY  WRITE 5 fe:00:6 0 EOF\n";
        assert_eq!(find(locks, (0xfe, 1), 5, None, |_| false), Some(6));
        assert_eq!(find(locks, (0xfe, 0), 5, None, |_| true), None);
        assert_eq!(find(locks, (0, 0x2b), 5, Some(6), |_| false), Some(6));
        assert_eq!(find(locks, (0, 0x2b), 77, Some(5), |_| true), Some(5));
        assert_eq!(find(locks, (0, 0x2b), 77, Some(5), |_| false), None);
    }
}
