//! The copy of the database's files from before they are opened: sled cuts off and
//! overwrites what it takes for the end of its log, and a refused store has to stay as it
//! is. Owns the folders below; never looks inside the database.
//!
//! | in the state directory | what it is |
//! |---|---|
//! | `store` | the database |
//! | `store.copy` | a complete copy, on disk: its name is the mark |
//! | `store.copy.new` | a copy being made, or one that is no longer wanted |
//! | `store.replaced` | a database that its copy replaces |
//!
//! Folders change their names whole, and each step is on disk before the next one begins.
//! A start that is cut off leaves the copy complete or not at all, and the next one goes on
//! from it: the database may have been changed halfway, the copy was not. Nothing is ever
//! accepted while there is a copy, so going back to it loses nothing.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use tetherd_state::COPY;

use super::error::OpenError;
#[cfg(test)]
use super::fault_injection::step;
use super::state_dir::{DATABASE, DIR_MODE, io_error, sync, wait_for_database};

const NEW: &str = "store.copy.new";
pub(super) const REPLACED: &str = "store.replaced";

/// Where a test can cut a start off.
#[cfg(not(test))]
fn step() {}

/// The folders of one state directory.
#[derive(Debug)]
pub(super) struct SafetyCopy {
    dir: PathBuf,
}

impl SafetyCopy {
    /// Puts back the copy of a start that was cut off, and removes what it left behind.
    pub(super) fn recover(dir: &Path) -> Result<(), OpenError> {
        let copy = SafetyCopy { dir: dir.to_path_buf() };
        if copy.path(COPY).exists() {
            tracing::warn!("the start before was cut off: its copy of the store is put back");
            copy.put_back()?;
        }
        copy.remove(NEW)?;
        // Without a copy that could replace it, it is the database.
        if copy.path(DATABASE).exists() {
            copy.remove(REPLACED)?;
        } else if copy.path(REPLACED).exists() {
            copy.rename(REPLACED, DATABASE)?;
        }
        Ok(())
    }

    /// Makes the copy.
    pub(super) fn make(dir: &Path) -> Result<SafetyCopy, OpenError> {
        let copy = SafetyCopy { dir: dir.to_path_buf() };
        let (from, to) = (copy.path(DATABASE), copy.path(NEW));
        if let Err(error) = copy_folder(&from, &to) {
            let refusal = io_error("copy the files of", &from)(error);
            copy.remove(NEW)?;
            return Err(refusal);
        }
        copy.rename(NEW, COPY)?;
        Ok(copy)
    }

    /// The database is good: there is no way back to the copy once this returns.
    pub(super) fn discard(self) -> Result<(), OpenError> {
        self.rename(COPY, NEW)?;
        if let Err(error) = self.remove(NEW) {
            tracing::warn!(%error, "a copy of the store that is no longer wanted cannot be removed");
        }
        Ok(())
    }

    /// The database is refused: its files are again as they were. What cannot be done now
    /// is done by the next start.
    pub(super) fn restore(self) {
        // sled may write until its last thread has ended.
        let closed = wait_for_database(&self.path(DATABASE).join("db"));
        if let Err(error) = closed.and_then(|()| self.put_back()) {
            tracing::warn!(%error, "the next start puts the store's files back as they were");
        }
    }

    fn put_back(&self) -> Result<(), OpenError> {
        if self.path(DATABASE).exists() {
            self.remove(REPLACED)?;
            self.rename(DATABASE, REPLACED)?;
        }
        self.rename(COPY, DATABASE)?;
        self.remove(REPLACED)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), OpenError> {
        rename(&self.dir, from, to)
    }

    fn remove(&self, name: &str) -> Result<(), OpenError> {
        remove(&self.dir, name)
    }
}

/// Gives a folder of the state directory another name; returns once that is on disk.
pub(super) fn rename(dir: &Path, from: &str, to: &str) -> Result<(), OpenError> {
    let from = dir.join(from);
    fs::rename(&from, dir.join(to)).map_err(io_error("rename", &from))?;
    sync(dir)?;
    step();
    Ok(())
}

/// Removes a folder of the state directory, if it is there.
pub(super) fn remove(dir: &Path, name: &str) -> Result<(), OpenError> {
    let path = dir.join(name);
    match fs::remove_dir_all(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_error("remove", &path)(error)),
    }
    step();
    Ok(())
}

/// Copies a folder whole; returns once the copy is on disk.
pub(super) fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    DirBuilder::new().mode(DIR_MODE).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_folder(&from, &to)?;
        } else if kind.is_file() {
            fs::copy(&from, &to)?;
            File::open(&to)?.sync_all()?;
            step();
        }
    }
    File::open(to)?.sync_all()
}
