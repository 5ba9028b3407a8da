//! Files of incoming messages on their way to callers: unnamed files in the state directory,
//! each with the callers' descriptors of it. Owns how many bytes of them there are, in all
//! and for one user, and what stays free on the disk. A file that is asked for again is
//! handed out again; one that nobody holds open goes when its room is needed. Fetches
//! nothing.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::fcntl::OFlag;
use nix::libc;

use tetherd_state::DISK_FREE_MIN;

/// The bytes that all callers' files take, in files of the largest size.
const FILES_OF_LARGEST_MAX: u64 = 4;
/// Those that one user's take.
const FILES_OF_LARGEST_PER_USER_MAX: u64 = 2;
/// Files in all: each takes a descriptor.
const FILES_MAX: usize = 64;
/// Files of one user.
const FILES_PER_USER_MAX: usize = 16;

const _: () = assert!(FILES_OF_LARGEST_PER_USER_MAX < FILES_OF_LARGEST_MAX);
const _: () = assert!(FILES_PER_USER_MAX < FILES_MAX);

/// Why there is no room for another file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoRoom {
    /// The user holds as much as one user may.
    #[error("your files that are still open take all that one user may have")]
    User,
    /// All users together do.
    #[error("the files that callers still hold open take all that they may")]
    All,
    /// The disk is nearly full.
    #[error("the disk of the state directory is nearly full")]
    Disk,
    /// The disk failed.
    #[error("the file could not be kept: {0}")]
    Io(#[from] io::Error),
}

/// The files. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub(crate) struct InboxFiles {
    dir: Arc<PathBuf>,
    entries: Arc<Mutex<Vec<Entry>>>,
}

#[derive(Debug)]
struct Entry {
    cursor: u64,
    /// Whose request made it.
    uid: u32,
    bytes: u64,
    /// None while it is being fetched.
    file: Option<File>,
}

/// Room for a file that is being fetched; given back when dropped before its file is kept.
#[derive(Debug)]
pub(crate) struct Reserved {
    files: InboxFiles,
    cursor: u64,
    uid: u32,
}

impl InboxFiles {
    /// Files in this folder.
    pub(crate) fn new(dir: PathBuf) -> InboxFiles {
        InboxFiles { dir: Arc::new(dir), entries: Arc::default() }
    }

    /// The file of this message, if it is still here: open for reading, at its beginning.
    pub(crate) fn open(&self, cursor: u64) -> io::Result<Option<File>> {
        let entries = self.lock();
        let file = entries.iter().filter(|entry| entry.cursor == cursor);
        file.filter_map(|entry| entry.file.as_ref()).next().map(read_only).transpose()
    }

    /// Makes room for a file of this length, and an empty file to write it to.
    pub(crate) fn reserve(
        &self,
        cursor: u64,
        uid: u32,
        bytes: u64,
        largest: u64,
    ) -> Result<(Reserved, File), NoRoom> {
        let mut entries = self.lock();
        let of_user = |entry: &Entry| entry.uid == uid;
        let user_max = largest.saturating_mul(FILES_OF_LARGEST_PER_USER_MAX);
        if !make_room(&mut entries, of_user, FILES_PER_USER_MAX, user_max, bytes) {
            return Err(NoRoom::User);
        }
        let all_max = largest.saturating_mul(FILES_OF_LARGEST_MAX);
        if !make_room(&mut entries, |_| true, FILES_MAX, all_max, bytes) {
            return Err(NoRoom::All);
        }
        while !self.disk_has(bytes)? {
            let Some(free) = entries.iter().position(Entry::is_free) else {
                return Err(NoRoom::Disk);
            };
            entries.remove(free);
        }
        let file = self.unnamed()?;
        entries.push(Entry { cursor, uid, bytes, file: None });
        Ok((Reserved { files: self.clone(), cursor, uid }, file))
    }

    /// Whether the disk has this much, besides what has to stay free for the store.
    fn disk_has(&self, bytes: u64) -> io::Result<bool> {
        let stat = nix::sys::statvfs::statvfs(self.dir.as_path())?;
        let free = stat.blocks_available().saturating_mul(stat.fragment_size());
        Ok(free >= bytes.saturating_add(DISK_FREE_MIN))
    }

    /// A file that has no name and goes with its last descriptor.
    fn unnamed(&self) -> io::Result<File> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .mode(0o600)
            .custom_flags(OFlag::O_TMPFILE.bits())
            .open(self.dir.as_path())
    }

    /// Every change under this lock is a single step, so a panic leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reserved {
    /// Keeps the fetched file for whoever asks again, and answers one for the caller: open
    /// for reading, at its beginning.
    pub(crate) fn keep(self, file: File) -> io::Result<File> {
        let (bytes, opened) = (file.metadata()?.len(), read_only(&file)?);
        let mut entries = self.files.lock();
        if let Some(entry) = entries.iter_mut().find(|entry| self.is(entry)) {
            entry.bytes = bytes;
            entry.file = Some(file);
        }
        Ok(opened)
    }

    /// The entry that this made.
    fn is(&self, entry: &Entry) -> bool {
        entry.file.is_none() && (entry.cursor, entry.uid) == (self.cursor, self.uid)
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut entries = self.files.lock();
        if let Some(made) = entries.iter().position(|entry| self.is(entry)) {
            entries.remove(made);
        }
    }
}

impl Entry {
    /// Whether nobody has the file open but us. A caller cannot hide that they do.
    fn is_free(&self) -> bool {
        self.file.as_ref().is_some_and(|file| !is_open_elsewhere(file))
    }
}

/// Lets go of files that nobody holds, the oldest first, until one more fits among those
/// that are counted.
fn make_room(
    entries: &mut Vec<Entry>,
    counted: impl Fn(&Entry) -> bool,
    files_max: usize,
    bytes_max: u64,
    bytes: u64,
) -> bool {
    loop {
        let (files, used) = entries
            .iter()
            .filter(|entry| counted(entry))
            .fold((0, bytes), |(files, sum), entry| (files + 1, sum.saturating_add(entry.bytes)));
        if files < files_max && used <= bytes_max {
            return true;
        }
        let Some(free) = entries.iter().position(|entry| counted(entry) && entry.is_free()) else {
            return false;
        };
        entries.remove(free);
    }
}

/// The same file, through a descriptor of its own that cannot write.
fn read_only(file: &File) -> io::Result<File> {
    File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Whether the file is open through anything but this descriptor, in any process. A write
/// lease is given only where it is not; it is given back at once. A filesystem without
/// leases does not tell: such a file counts as open nowhere else.
#[expect(unsafe_code, reason = "no safe wrapper of F_SETLEASE exists in our dependencies")]
fn is_open_elsewhere(file: &File) -> bool {
    // SAFETY: the descriptor is open for the borrow's lifetime, and F_SETLEASE takes an int.
    let lease =
        |kind: libc::c_int| unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, kind) };
    if lease(libc::F_WRLCK) == 0 {
        let _ = lease(libc::F_UNLCK);
        return false;
    }
    io::Error::last_os_error().raw_os_error() == Some(libc::EAGAIN)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    const LARGEST: u64 = 1_000;

    fn files() -> (InboxFiles, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        (InboxFiles::new(dir.path().to_owned()), dir)
    }

    fn fetch(files: &InboxFiles, cursor: u64, uid: u32) -> Result<File, NoRoom> {
        let (reserved, mut file) = files.reserve(cursor, uid, LARGEST, LARGEST)?;
        file.write_all(&[7; 1_000])?;
        Ok(reserved.keep(file)?)
    }

    #[test]
    fn a_callers_descriptor_cannot_write_and_begins_at_the_beginning() {
        let (files, _dir) = files();
        let mut first = fetch(&files, 1, 7).unwrap();
        assert!(first.write_all(b"x").is_err());
        let mut content = Vec::new();
        first.read_to_end(&mut content).unwrap();
        let mut again = files.open(1).unwrap().unwrap();
        again.read_to_end(&mut content).unwrap();
        assert_eq!(content, [7; 2_000]);
    }

    #[test]
    fn invariant_10_what_a_user_holds_open_is_bounded_and_holds_up_nobody_else() {
        let (files, _dir) = files();
        let mut held = vec![fetch(&files, 1, 7).unwrap(), fetch(&files, 2, 7).unwrap()];
        assert!(matches!(fetch(&files, 3, 7), Err(NoRoom::User)));
        // Asked for again, a file costs nothing.
        held.extend((0..100).map(|_| files.open(1).unwrap().unwrap()));
        let _others = [fetch(&files, 3, 8).unwrap(), fetch(&files, 4, 8).unwrap()];
        assert!(matches!(fetch(&files, 5, 9), Err(NoRoom::All)));
        // What is let go of makes room, and only that.
        held.retain(|file| file.metadata().unwrap().len() == 0);
        let _next = fetch(&files, 6, 7).unwrap();
        assert!(files.open(1).unwrap().is_none() && files.open(2).unwrap().is_some());
    }

    #[test]
    fn many_small_files_are_bounded_by_their_number() {
        let (files, _dir) = files();
        let small = |cursor| files.reserve(cursor, 7, 1, LARGEST);
        let held: Vec<_> = (1..=16).map(|cursor| small(cursor).unwrap()).collect();
        assert!(matches!(small(17), Err(NoRoom::User)));
        drop(held);
        assert!(small(17).is_ok());
    }

    #[test]
    fn a_file_that_would_leave_too_little_on_the_disk_is_refused() {
        let (files, _dir) = files();
        let huge = u64::MAX / 8;
        assert!(matches!(files.reserve(1, 7, huge, huge), Err(NoRoom::Disk)));
        assert!(files.lock().is_empty());
    }
}
