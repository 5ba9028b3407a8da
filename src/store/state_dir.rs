//! The state directory: its mode and owner, its lock, and what must be put right in
//! it before the database opens. Never looks inside the database.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::poll::poll;
use tetherd_state::{FORMAT_FILE, LOCK, PID_BYTES_MAX, lives};

pub(super) use tetherd_state::DATABASE;

use super::creation;
use super::error::{CREATE, OpenError, is_disk_full};
use super::replacement;
use super::reserve::Reserve;
use super::safety_copy::SafetyCopy;

/// In the database's folder: how many changes were confirmed, and a checksum.
pub(super) const CONFIRMED: &str = "confirmed";

pub(super) const DIR_MODE: u32 = 0o700;
const LOCK_MODE: u32 = 0o600;
/// How often, and how many milliseconds apart, the database's own lock is tried.
const DATABASE_TRIES: usize = 300;
const DATABASE_TRY_MS: u8 = 10;
/// How often, and how many milliseconds apart, the holder's pid is looked for.
const HOLDER_TRIES: usize = 100;
const HOLDER_TRY_MS: u8 = 10;

/// The state directory, locked as long as this lives.
#[derive(Debug)]
pub(super) struct StateDir {
    path: PathBuf,
    _lock: Flock<File>,
}

impl StateDir {
    /// Creates the directory if it is missing, checks it, and locks it.
    pub(super) fn lock(path: &Path) -> Result<StateDir, OpenError> {
        #[cfg(test)]
        let _calm = super::tests::no_process_starts();
        let created = !path.exists();
        if created {
            DirBuilder::new()
                .recursive(true)
                .mode(DIR_MODE)
                .create(path)
                .map_err(io_error(CREATE, path))?;
        }
        check(path)?;
        let lock = take_lock(path)?;
        if created && let Some(parent) = path.canonicalize().ok().as_deref().and_then(Path::parent)
        {
            sync(parent)?;
        }
        Ok(StateDir { path: path.to_path_buf(), _lock: lock })
    }

    /// Puts right what a start or a repair that was cut off has left.
    pub(super) fn recover(&self) -> Result<(), OpenError> {
        SafetyCopy::recover(&self.path)?;
        replacement::recover(&self.path)
    }

    /// Makes the database's folder ready to be opened.
    pub(super) fn prepare(&self) -> Result<PathBuf, OpenError> {
        self.recover()?;
        Reserve::make_room(&self.path)?;
        let folder = self.path.join(DATABASE);
        creation::create_if_missing(&self.path, &folder)?;
        remove_half_made_snapshots(&folder)?;
        wait_for_database(&folder.join("db"))?;
        Ok(folder)
    }

    /// The format of the store that lies here.
    pub(super) fn format(&self) -> Result<u32, OpenError> {
        let path = self.path.join(DATABASE).join(FORMAT_FILE);
        let damaged = |what| OpenError::Damaged {
            dir: self.path.clone(),
            what: format!("its file {FORMAT_FILE} {what}"),
        };
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(damaged("is missing"));
            }
            Err(error) => return Err(io_error("read", &path)(error)),
        };
        let text = std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok());
        text.ok_or_else(|| damaged("is not a number"))
    }

    /// Notes the store's format.
    pub(super) fn set_format(folder: &Path, format: u32) -> Result<(), OpenError> {
        let path = folder.join(FORMAT_FILE);
        let new = folder.join("format.new");
        File::create(&new)
            .and_then(|mut file| {
                writeln!(file, "{format}")?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&new, &path))
            .map_err(io_error("write", &path))?;
        sync(folder)
    }

    /// Makes the names that the database has created durable. Done at each start: the
    /// one that created them may have been cut off before.
    pub(super) fn settle(dir: &Path) -> Result<(), OpenError> {
        let folder = dir.join(DATABASE);
        for path in [folder.join("conf"), folder.join("db"), folder, dir.to_path_buf()] {
            sync(&path)?;
        }
        Ok(())
    }
}

/// Counts the confirmed changes next to the database, so that a database that has quietly lost
/// its latest ones is noticed. Written after each group's sync, and synced whenever the journal
/// is cut: after a power cut it may be behind by what is in the journal, but never ahead.
#[derive(Debug)]
pub(super) struct Confirmed {
    file: File,
}

const COUNT_BYTES: usize = 8;
const CONFIRMED_BYTES: usize = COUNT_BYTES + 4;

impl Confirmed {
    /// Opens the file in the database's folder; makes it where it may be missing.
    pub(super) fn open(folder: &Path, may_be_missing: bool) -> Result<Confirmed, OpenError> {
        let path = folder.join(CONFIRMED);
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(may_be_missing)
            .truncate(false)
            .mode(LOCK_MODE)
            .open(&path);
        match opened {
            Ok(file) => Ok(Confirmed { file }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(uncounted(folder)),
            Err(error) => Err(io_error("open", &path)(error)),
        }
    }

    /// None if the file holds no count.
    pub(super) fn read(&self) -> io::Result<Option<u64>> {
        let mut bytes = [0; CONFIRMED_BYTES];
        match self.file.read_exact_at(&mut bytes, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        Ok(bytes.split_first_chunk::<COUNT_BYTES>().and_then(|(count, sum)| {
            (sum == crc32c::crc32c(count).to_be_bytes()).then(|| u64::from_be_bytes(*count))
        }))
    }

    pub(super) fn write(&self, count: u64) -> io::Result<()> {
        let count = count.to_be_bytes();
        let mut bytes = [0; CONFIRMED_BYTES];
        bytes[..COUNT_BYTES].copy_from_slice(&count);
        bytes[COUNT_BYTES..].copy_from_slice(&crc32c::crc32c(&count).to_be_bytes());
        self.file.write_all_at(&bytes, 0)
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

/// Lost changes would not be noticed.
pub(super) fn uncounted(folder: &Path) -> OpenError {
    OpenError::Uncounted { dir: folder.parent().unwrap_or(folder).to_path_buf() }
}

fn check(path: &Path) -> Result<(), OpenError> {
    let meta = fs::metadata(path).map_err(io_error("look at", path))?;
    let dir = path.to_path_buf();
    if !meta.is_dir() {
        return Err(OpenError::NotADirectory { dir });
    }
    let us = nix::unistd::geteuid().as_raw();
    if meta.uid() != us {
        return Err(OpenError::WrongOwner { dir, owner: meta.uid(), us });
    }
    let mode = meta.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(OpenError::TooOpen { dir, mode });
    }
    Ok(())
}

fn take_lock(dir: &Path) -> Result<Flock<File>, OpenError> {
    let path = dir.join(LOCK);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(LOCK_MODE)
        .custom_flags(nix::libc::O_NOFOLLOW)
        .open(&path)
        .map_err(io_error("open", &path))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(mut lock) => {
            // The pid is for people only: whether somebody holds the lock, the lock says.
            let written = lock
                .set_len(0)
                .and_then(|()| lock.rewind())
                .and_then(|()| writeln!(&mut *lock, "{}", std::process::id()));
            written.map_err(io_error("write", &path))?;
            Ok(lock)
        }
        Err((file, Errno::EWOULDBLOCK)) => {
            Err(OpenError::Locked { dir: dir.to_path_buf(), pid: holder(&file) })
        }
        Err((_, errno)) => Err(io_error("lock", &path)(errno.into())),
    }
}

/// Who holds the lock. Its holder writes its pid a moment after it has taken it; until
/// then there is none, or that of a holder before, which is gone.
fn holder(file: &File) -> Option<i32> {
    for _ in 0..HOLDER_TRIES {
        if let Some(pid) = read_pid(file).filter(|pid| lives(*pid)) {
            return Some(pid);
        }
        // Only a timer: interrupted or not, the next try follows.
        let _ = poll(&mut [], HOLDER_TRY_MS);
    }
    None
}

fn read_pid(file: &File) -> Option<i32> {
    let mut bytes = [0; PID_BYTES_MAX];
    let count = file.read_at(&mut bytes, 0).ok()?;
    // Without its end it is half-written.
    std::str::from_utf8(&bytes[..count]).ok()?.strip_suffix('\n')?.parse().ok()
}

/// sled locks its file too, and lets go of it only when its last descriptor closes:
/// a moment late where one of its threads still holds it, or a process just being
/// started has inherited it. Nobody else is in this directory, so that is waited for.
pub(super) fn wait_for_database(path: &Path) -> Result<(), OpenError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_error("open", path)(error)),
    };
    for _ in 0..DATABASE_TRIES {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(_unlocked_at_once) => return Ok(()),
            Err((file, Errno::EWOULDBLOCK)) => file,
            Err((_, errno)) => return Err(io_error("lock", path)(errno.into())),
        };
        // Only a timer: interrupted or not, the next try follows.
        let _ = poll(&mut [], DATABASE_TRY_MS);
    }
    Err(io_error("lock", path)(Errno::EWOULDBLOCK.into()))
}

/// A crash during sled's recovery leaves a `snap.*.generating`, on which it then
/// refuses to open. It is only ever renamed when whole, so a half-made one is waste.
fn remove_half_made_snapshots(folder: &Path) -> Result<(), OpenError> {
    for entry in fs::read_dir(folder).map_err(io_error("read", folder))? {
        let entry = entry.map_err(io_error("read", folder))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(entry.path()).map_err(io_error("remove", &entry.path()))?;
        }
    }
    Ok(())
}

pub(super) fn sync(path: &Path) -> Result<(), OpenError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(io_error("sync", path))
}

pub(super) fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_path_buf();
    move |source| {
        if is_disk_full(&source) {
            return OpenError::DiskFull { dir: path };
        }
        OpenError::Io { what, path, source }
    }
}
