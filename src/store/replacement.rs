//! The folders of a repair: a copy of the store is repaired under another name, and takes the
//! store's place once it is whole. Owns the folders below; never looks inside the database.
//!
//! | in the state directory | what it is |
//! |---|---|
//! | `store` | the database |
//! | `store.repair` | a copy of it that is being repaired |
//! | `store.repaired` | the same, complete and on disk: its name is the mark |
//! | `store.before-repair.N` | the store that it has replaced; nothing removes it |
//!
//! A repair that is cut off before the mark leaves the store as it was. One that is cut off
//! after it is finished by the next start, before that looks whether there is a store: a start
//! makes no new one in place of one that was to be repaired.

use std::path::{Path, PathBuf};

use tetherd_state::{COPY, REPAIR, REPAIRED};

use super::error::OpenError;
use super::safety_copy::{REPLACED, copy_folder, remove, rename};
use super::state_dir::{DATABASE, io_error, wait_for_database};
/// Most stores that are kept from repairs: then somebody has to make room.
const KEPT_MAX: u32 = 100;

/// Whether a folder waits to take the store's place: there may be no store until then.
pub(super) fn is_pending(dir: &Path) -> bool {
    [COPY, REPLACED, REPAIRED].iter().any(|name| dir.join(name).exists())
}

/// Copies the store, so that the copy can be repaired.
pub(super) fn begin(dir: &Path) -> Result<PathBuf, OpenError> {
    let (store, work) = (dir.join(DATABASE), dir.join(REPAIR));
    // Without a name to keep the store under, there is no need to begin.
    free_name(dir)?;
    copy_folder(&store, &work).map_err(io_error("copy the files of", &store))?;
    Ok(work)
}

/// Removes a copy that could not be repaired. What cannot be removed, the next start removes.
pub(super) fn abandon(dir: &Path) {
    let closed = wait_for_database(&dir.join(REPAIR).join("db"));
    if let Err(error) = closed.and_then(|()| remove(dir, REPAIR)) {
        tracing::warn!(%error, "a copy of the store that is no longer wanted cannot be removed");
    }
}

/// Puts the copy in the store's place, repaired and on disk. Where the store is kept.
pub(super) fn finish(dir: &Path) -> Result<PathBuf, OpenError> {
    let kept = free_name(dir)?;
    rename(dir, REPAIR, REPAIRED)?;
    rename(dir, DATABASE, &kept)?;
    rename(dir, REPAIRED, DATABASE)?;
    Ok(dir.join(kept))
}

/// Finishes a repair that was cut off, or removes what it left behind.
pub(super) fn recover(dir: &Path) -> Result<(), OpenError> {
    if dir.join(REPAIRED).exists() {
        tracing::warn!("a repair of the store was cut off: it is finished");
        if dir.join(DATABASE).exists() {
            rename(dir, DATABASE, &free_name(dir)?)?;
        }
        rename(dir, REPAIRED, DATABASE)?;
    }
    remove(dir, REPAIR)
}

fn free_name(dir: &Path) -> Result<String, OpenError> {
    let mut names = (1..=KEPT_MAX).map(|number| format!("{DATABASE}.before-repair.{number}"));
    let full = || {
        let source = std::io::Error::other("too many stores are kept from repairs");
        OpenError::Io { what: "keep the store as it is in", path: dir.to_path_buf(), source }
    };
    names.find(|name| !dir.join(name).exists()).ok_or_else(full)
}
