//! What the database's files were when they were last on disk: with these, opening the database
//! adds to them and takes nothing away, and no copy of them on disk is needed. Owns one small
//! file in their folder; never looks inside the database.
//!
//! The file is never synced. Without it, or with another, the database was cut off while it was
//! written, or is damaged: see [`super::safety_copy`].
//!
//! A disk that fails to read once makes sled take the middle of its log for its end, and cut off
//! the rest. So the files are kept in memory until the database has shown itself whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::error::OpenError;
#[cfg(test)]
use super::fault_injection::step;
use super::state_dir::{io_error, sync, wait_for_database};

/// The file's name in the database's folder.
const FINGERPRINT: &str = "fingerprint";
/// Bytes read at once.
const READ_BYTES: usize = 256 * 1024;
/// Bytes of files that are kept in memory at most; larger ones are copied on disk.
const KEPT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Where a test can cut a start off.
#[cfg(not(test))]
fn step() {}

/// The database's files by name, as they lie on disk.
type Files = BTreeMap<String, Vec<u8>>;

/// Takes the database's files for good, as they are now.
pub(super) fn note(folder: &Path) {
    let noted = lines(folder).and_then(|lines| fs::write(folder.join(FINGERPRINT), lines));
    if let Err(error) = noted {
        tracing::warn!(%error, "the next start copies the store's files before it opens them");
    }
}

/// The database's files, if they are those that were noted last.
pub(super) fn keep(folder: &Path) -> Option<Kept> {
    let noted = fs::read_to_string(folder.join(FINGERPRINT)).ok()?;
    let files = read(folder).ok().flatten()?;
    let line = |(name, content): (&String, &Vec<u8>)| {
        line(name, u64::try_from(content.len()).unwrap_or(u64::MAX), crc32c::crc32c(content))
    };
    let fits = !files.is_empty() && files.iter().map(line).collect::<String>() == noted;
    fits.then(|| Kept { folder: folder.to_path_buf(), files })
}

/// The database's files from before it was opened.
#[derive(Debug)]
pub(super) struct Kept {
    folder: PathBuf,
    files: Files,
}

impl Kept {
    /// The database is refused: its files are again as they were.
    pub(super) fn restore(self) -> Result<(), OpenError> {
        // sled may write until its last thread has ended.
        wait_for_database(&self.folder.join("db"))?;
        let failed = |error| io_error("put back the files of", &self.folder)(error);
        for name in names(&self.folder).map_err(failed)? {
            if !self.files.contains_key(&name) {
                fs::remove_file(self.folder.join(name)).map_err(failed)?;
                step();
            }
        }
        for (name, content) in &self.files {
            if !fs::read(self.folder.join(name)).is_ok_and(|now| now == *content) {
                self.put_back(name, content).map_err(failed)?;
                step();
            }
        }
        sync(&self.folder)
    }

    fn put_back(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let new = self.folder.join(format!("kept.{name}"));
        let mut file = File::create(&new)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(new, self.folder.join(name))
    }
}

/// What the files hold; none if it is too much.
fn read(folder: &Path) -> io::Result<Option<Files>> {
    let mut files = Files::new();
    let mut bytes = 0_u64;
    for name in names(folder)? {
        let path = folder.join(&name);
        bytes = bytes.saturating_add(fs::metadata(&path)?.len());
        if bytes > KEPT_BYTES_MAX {
            return Ok(None);
        }
        files.insert(name, fs::read(path)?);
    }
    Ok(Some(files))
}

/// Those of the folder's files that belong to the database.
fn names(folder: &Path) -> io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if matches!(name.as_str(), "conf" | "db") || name.starts_with("snap.") {
            names.insert(name);
        }
    }
    Ok(names)
}

/// A line for each file, read a part at a time.
fn lines(folder: &Path) -> io::Result<String> {
    let mut lines = String::new();
    for name in names(folder)? {
        let (length, sum) = sum(&folder.join(&name))?;
        lines.push_str(&line(&name, length, sum));
    }
    Ok(lines)
}

/// What is noted of a file: its name, its length, its CRC32C.
fn line(name: &str, length: u64, sum: u32) -> String {
    format!("{name} {length} {sum:08x}\n")
}

fn sum(path: &Path) -> io::Result<(u64, u32)> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; READ_BYTES];
    let (mut length, mut sum) = (0_u64, 0);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((length, sum)),
            Ok(count) => {
                let read = buffer.get(..count).unwrap_or_default();
                sum = crc32c::crc32c_append(sum, read);
                length = length.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
