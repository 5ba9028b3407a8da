//! What a person asks of a store that no daemon holds: whether it is whole, and to go on with what
//! still reads of one that is not. Nothing is removed: a repair changes a copy, and keeps the store.

use std::fs;
use std::path::{Path, PathBuf};

use super::backend::{Backend as _, Writes};
use super::journaled::Journaled;
use super::opening::{Opening, unbroken};
use super::record::{FORMAT, sequence_entry};
use super::state_dir::{Confirmed, DATABASE, StateDir, io_error, wait_for_database};
use super::verify::{self, backend_error};
use super::*;

/// How many numbers are skipped where it is not known how many were given to lost changes.
const NUMBERS_SKIPPED: u64 = 1_000_000;

/// What a look at a store has found.
#[derive(Debug)]
pub struct Checked {
    /// How many entries verify.
    pub good: usize,
    /// Damaged records, which the next start moves to quarantine.
    pub damaged: Vec<Quarantined>,
}

/// What a repair has done.
#[derive(Debug)]
pub struct Repaired {
    /// Where the store is kept as it was.
    pub kept: PathBuf,
    /// What was wrong with it.
    pub damage: OpenError,
    /// Nothing of it could be read: the store is empty.
    pub is_empty: bool,
    /// How many confirmed changes are lost; none: it is not known.
    pub lost: Option<u64>,
    /// How many records were moved to quarantine.
    pub quarantined: usize,
}

/// Looks at the store in this state directory as a start does, and changes nothing.
pub fn check(dir: &Path, key: Option<SealKey>) -> Result<Checked, OpenError> {
    must_exist(dir)?;
    let state = StateDir::lock(dir)?;
    let folder = state.prepare()?;
    let opening = opening(&state, dir, &folder, key)?;
    let Verified { good, quarantined, .. } = opening.look()?;
    Ok(Checked { good, damaged: quarantined })
}

/// Makes a store that is refused as damaged one that opens, with what still reads of it; for
/// what that means to the queue see `queue::repaired_entry`. One that fails leaves the store as it
/// was, and so does one that is cut off, unless the next start finishes it: see `replacement`.
/// `None`: it is not damaged, and nothing was done.
pub fn repair(
    dir: &Path,
    key: Option<SealKey>,
    now_ms: i64,
) -> Result<Option<Repaired>, OpenError> {
    must_exist(dir)?;
    let state = StateDir::lock(dir)?;
    let folder = state.prepare()?;
    let seen = opening(&state, dir, &folder, key.clone()).and_then(|opening| opening.look());
    let damage = match seen {
        Ok(_) => return Ok(None),
        Err(error) if error.is_damage() => error,
        Err(error) => return Err(error),
    };
    // A look that could not put the files back has left that to whoever comes next.
    state.recover()?;
    let made = unbroken(dir, || {
        let folder = replacement::begin(dir)?;
        let salvaged = salvage(&Opening { dir, folder: &folder, is_older: true, key }, now_ms)?;
        // sled writes until its last thread has ended.
        wait_for_database(&folder.join("db"))?;
        fingerprint::note(&folder);
        creation::sync_whole(&folder)?;
        Ok(salvaged)
    });
    let Salvaged { is_empty, lost, quarantined } =
        made.inspect_err(|_| replacement::abandon(dir))?;
    let kept = replacement::finish(dir)?;
    Ok(Some(Repaired { kept, damage, is_empty, lost, quarantined }))
}

/// A look makes no store where there is none.
fn must_exist(dir: &Path) -> Result<(), OpenError> {
    if replacement::is_pending(dir) {
        return Ok(());
    }
    let database = dir.join(DATABASE);
    fs::metadata(&database).map(drop).map_err(io_error("look at", &database))
}

fn opening<'a>(
    state: &StateDir,
    dir: &'a Path,
    folder: &'a Path,
    key: Option<SealKey>,
) -> Result<Opening<'a>, OpenError> {
    let format = state.format()?;
    verify::check_format(format, dir)?;
    Ok(Opening { dir, folder, is_older: format != u32::from(FORMAT), key })
}

struct Salvaged {
    is_empty: bool,
    lost: Option<u64>,
    quarantined: usize,
}

/// Makes the copy of a store one that opens. An error may leave it halfway.
fn salvage(opening: &Opening<'_>, now_ms: i64) -> Result<Salvaged, OpenError> {
    let (dir, folder) = (opening.dir, opening.folder);
    let known = Confirmed::open(folder, true)?.read().ok().flatten();
    let read = entries(opening).and_then(|entries| begin_anew(opening, entries));
    let ((backend, verified), is_empty) = match read {
        Ok(read) => (read, false),
        Err(OpenError::Damaged { .. }) => (begin_anew(opening, Writes::new())?, true),
        Err(error) => return Err(error),
    };
    let sequence = known.unwrap_or_else(|| verified.sequence.saturating_add(NUMBERS_SKIPPED));
    let sequence = sequence.max(verified.sequence);
    let (repaired, entry) = queue::repaired_entry(now_ms);
    let changes = [(repaired, Some(entry)), (feed::runs_key(), None)];
    let mut sum = verified.sum;
    for (key, new) in &changes {
        let old = backend.get(key).map_err(|error| backend_error(dir, error))?;
        sum.replace(key, old.as_deref(), new.as_deref());
    }
    let (key, entry) = sequence_entry(sequence, sum);
    let written = backend
        .apply(changes.into_iter().chain([(key, Some(entry))]).collect())
        .and_then(|()| backend.sync())
        .and_then(|()| backend.tidy(true));
    written.map_err(|error| backend_error(dir, error))?;
    let confirmed = Confirmed::open(folder, true)?;
    let counted = confirmed.write(sequence).and_then(|()| confirmed.sync());
    counted.map_err(io_error("write", folder))?;
    StateDir::set_format(folder, FORMAT.into())?;
    let lost = known.map(|known| known.saturating_sub(verified.sequence));
    Ok(Salvaged { is_empty, lost, quarantined: verified.quarantined.len() })
}

/// What can still be read.
fn entries(opening: &Opening<'_>) -> Result<Writes, OpenError> {
    let read = || {
        let database = Sled::open(opening.folder)?;
        let journaled = Journaled::salvage(opening.folder, database)?;
        journaled.scan(&[]).map(|pair| pair.map(|(key, entry)| (key, Some(entry)))).collect()
    };
    let read = catch_unwind(AssertUnwindSafe(read));
    // sled panics on some damaged pages.
    let broken = || BackendError::Inconsistent("reading it broke off".into());
    read.unwrap_or_else(|_| Err(broken())).map_err(|error| backend_error(opening.dir, error))
}

/// These entries in a new database. The damaged one may read otherwise each time that it opens.
fn begin_anew(
    opening: &Opening<'_>,
    entries: Writes,
) -> Result<(Sealing<Journaled>, Verified), OpenError> {
    let (dir, folder) = (opening.dir, opening.folder);
    wait_for_database(&folder.join("db"))?;
    fs::remove_dir_all(folder).map_err(io_error("remove", folder))?;
    creation::create_if_missing(dir, folder)?;
    let backend = Sled::open(folder).and_then(|database| {
        let journaled = Journaled::open(folder, database, false)?;
        journaled.apply(entries)?;
        journaled.sync()?;
        Ok(journaled)
    });
    opening.verify(backend.map_err(|error| backend_error(dir, error))?, 0, Purpose::Repair)
}
