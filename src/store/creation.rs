//! A first start: the store is made whole and synced under another name, and then takes its
//! place. One that was cut off in between has never held anything, and is made anew.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use super::backend::{Backend, Sled};
use super::error::{BackendError, CREATE, OpenError};
#[cfg(test)]
use super::fault_injection::step;
use super::fingerprint;
use super::journaled::Journaled;
use super::opening::unbroken;
use super::record::FORMAT;
use super::safety_copy::remove;
use super::state_dir::{Confirmed, DIR_MODE, StateDir, io_error, sync, wait_for_database};
use super::verify::{self, backend_error};

/// The folder in the state directory while it is made.
const NEW: &str = "store.new";

/// Where a test can cut a start off.
#[cfg(not(test))]
fn step() {}

/// Makes the store `folder` in the state directory `dir`, if there is none.
pub(super) fn create_if_missing(dir: &Path, folder: &Path) -> Result<(), OpenError> {
    let new = dir.join(NEW);
    remove(dir, NEW)?;
    if folder.exists() {
        return Ok(());
    }
    DirBuilder::new().mode(DIR_MODE).create(&new).map_err(io_error(CREATE, &new))?;
    step();
    unbroken(dir, || fill(&new).map_err(|error| backend_error(dir, error)))?;
    // sled holds its files until its last thread has ended.
    wait_for_database(&new.join("db"))?;
    fingerprint::note(&new);
    step();
    let confirmed = Confirmed::open(&new, true)?;
    confirmed.write(0).map_err(io_error("write", &new))?;
    StateDir::set_format(&new, FORMAT.into())?;
    step();
    sync_whole(&new)?;
    step();
    fs::rename(&new, folder).map_err(io_error("rename", &new))?;
    sync(dir)
}

/// Makes a store's folder durable, with what is in it.
pub(super) fn sync_whole(folder: &Path) -> Result<(), OpenError> {
    for entry in fs::read_dir(folder).map_err(io_error("read", folder))? {
        sync(&entry.map_err(io_error("read", folder))?.path())?;
    }
    sync(folder)
}

/// An empty database and its journal.
fn fill(new: &Path) -> Result<(), BackendError> {
    let backend = Journaled::open(new, Sled::open(new)?, true)?;
    verify::mark(&backend)?;
    // From now on the database itself says what it is.
    backend.tidy(true).map(drop)
}
