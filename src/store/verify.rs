//! Inspects every entry before the store is used: verifies, quarantines what is
//! damaged, clears leftovers. Never resets anything.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::mpsc;
use std::thread::{self, Scope};

use super::backend::{Backend, Pair, Pairs, Writes};
use super::chunks::{assemble, move_to_quarantine, quarantine};
use super::error::{BackendError, OpenError, is_disk_full};
use super::record::{
    Damage, FORMAT, Head, SEQUENCE_KEY, Shape, TAG_CHUNK, TAG_MARKER, TAG_QUARANTINE, TAG_RECORD,
    TAG_SEQUENCE, chunk_owner, decode_sequence, record_key, sequence_entry, unwrap, wrap,
};
use super::record_sum::RecordSum;
use super::seal::{Fit, Sealing};

/// Most damaged records that one start quarantines: beyond, it is not a damaged record
/// but a damaged store, and a person decides.
pub const QUARANTINE_MAX: usize = 16;
/// Most records in quarantine, of all starts together: a disk that damages more is not one to
/// go on with, and what lies there is not removed without a person.
pub const QUARANTINE_TOTAL_MAX: usize = 1_024;

/// The format marker's payload.
const MARKER: &[u8] = b"tetherd store";
const MARKER_KEY: &[u8] = &[TAG_MARKER];

/// After the count itself is damaged, numbers go on so far beyond the confirmed one, which
/// a power cut may have left behind: none is given twice.
const SEQUENCE_JUMP: u64 = 1 << 32;

/// Entries that are read ahead of those that are looked at: so many parts of so many.
const PARTS_AHEAD: usize = 4;
const PART_ENTRIES: usize = 64;

/// Longest part of a key that is shown.
const AREA_BYTES_MAX: usize = 24;

/// A record that was quarantined: it is kept, but nothing reads it.
#[derive(Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Its key. May name people: show [`Quarantined::area`] instead.
    pub key: Vec<u8>,
    /// What is wrong with it.
    pub damage: Damage,
}

impl Quarantined {
    /// Which kind of record it is, without naming anybody.
    pub fn area(&self) -> &str {
        let named = |b: &u8| b.is_ascii_lowercase() || *b == b'/' || *b == b'_';
        let head = &self.key[..self.key.len().min(AREA_BYTES_MAX)];
        let end = head.iter().take_while(|b| named(b)).count();
        let end = head[..end].iter().rposition(|b| *b == b'/').map_or(0, |at| at + 1);
        std::str::from_utf8(&head[..end]).unwrap_or_default()
    }
}

impl fmt::Debug for Quarantined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Quarantined({}.., {:?})", self.area(), self.damage)
    }
}

impl fmt::Display for Quarantined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a record under {:?} is quarantined: {}", self.area(), self.damage)
    }
}

/// A store that may be used.
pub(super) struct Verified {
    /// How many entries verify.
    pub(super) good: usize,
    pub(super) quarantined: Vec<Quarantined>,
    /// The last number that a change was given.
    pub(super) sequence: u64,
    /// Over the records that are left.
    pub(super) sum: RecordSum,
}

/// What the inspection found.
#[derive(Default)]
struct Findings {
    entries: usize,
    good: usize,
    /// Records that earlier starts quarantined.
    quarantined: usize,
    marker: Option<Result<(), Damage>>,
    /// The marker is of an older format.
    outdated: bool,
    newer: Option<u8>,
    sequence: Option<Result<(u64, RecordSum), Damage>>,
    /// Over the records that verify.
    sum: RecordSum,
    /// Damaged records, by key.
    bad: BTreeMap<Vec<u8>, Damage>,
    /// Damaged entries that belong to no record, by tree key.
    strays: BTreeMap<Vec<u8>, Damage>,
    /// Chunks that no head refers to.
    orphans: Vec<Vec<u8>>,
}

impl Findings {
    fn damages(&self) -> impl Iterator<Item = (&Vec<u8>, &Damage)> {
        self.bad.iter().chain(&self.strays)
    }
}

/// Refuses a store of a newer program before anything of it is touched.
pub(super) fn check_format(found: u32, dir: &Path) -> Result<(), OpenError> {
    let known = u32::from(FORMAT);
    if found > known {
        return Err(OpenError::Newer { dir: dir.to_path_buf(), found, known });
    }
    Ok(())
}

/// Writes what every store says of itself.
pub(super) fn mark(backend: &dyn Backend) -> Result<(), BackendError> {
    backend.apply(Writes::from([marker()]))?;
    backend.sync()
}

fn marker() -> (Vec<u8>, Option<Vec<u8>>) {
    (MARKER_KEY.to_vec(), Some(wrap(MARKER_KEY, Shape::Marker, MARKER)))
}

/// Refuses a key that does not fit before anything is touched.
pub(super) fn check_key<E: Backend>(backend: &Sealing<E>, dir: &Path) -> Result<Fit, OpenError> {
    let fit = backend.fit().map_err(|error| backend_error(dir, error))?;
    match fit {
        Fit::Missing => Err(OpenError::KeyMissing { dir: dir.to_path_buf() }),
        Fit::Wrong => Err(OpenError::KeyWrong { dir: dir.to_path_buf() }),
        Fit::Plain | Fit::Sealed | Fit::New => Ok(fit),
    }
}

/// An entry, or why it cannot be read.
type ReadPair = Result<Pair, BackendError>;

/// What a verification is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A start: too much damage is refused, the rest is put right.
    Start,
    /// To look: the same, and nothing is written.
    Check,
    /// A repair that a person asked for: nothing is refused for damage or for what is missing.
    Repair,
}

/// Verifies everything, puts right what can be, and reports what was quarantined.
pub(super) fn verify(
    backend: &dyn Backend,
    dir: &Path,
    confirmed: u64,
    purpose: Purpose,
) -> Result<Verified, OpenError> {
    let found = inspect(backend).map_err(|error| backend_error(dir, error))?;
    if let Some(version) = found.newer {
        return Err(OpenError::Newer {
            dir: dir.to_path_buf(),
            found: u32::from(version),
            known: u32::from(FORMAT),
        });
    }
    let (good, is_repair) = (found.good, purpose == Purpose::Repair);
    let damaged = |what: String| OpenError::Damaged { dir: dir.to_path_buf(), what };
    if found.marker.is_none() {
        return Err(damaged("its format marker is missing".into()));
    }
    let bad = found.bad.len() + found.strays.len();
    if !is_repair && (bad > QUARANTINE_MAX || (bad > 0 && good == 0)) {
        return Err(damaged(format!("{bad} records do not verify, {good} do")));
    }
    let in_all = found.quarantined + bad;
    if !is_repair && in_all > QUARANTINE_TOTAL_MAX {
        return Err(damaged(format!("{in_all} of its records were found damaged over time")));
    }
    let (sequence, sum) = match found.sequence {
        Some(Ok(counted)) => counted,
        Some(Err(_)) => (confirmed.saturating_add(SEQUENCE_JUMP), RecordSum::UNKNOWN),
        None => (0, RecordSum::UNKNOWN),
    };
    if sequence < confirmed && !is_repair {
        // sled takes damage in its log for the log's end, and goes on from before it.
        return Err(OpenError::RolledBack { dir: dir.to_path_buf(), lost: confirmed - sequence });
    }
    if bad == 0 && found.sum.differs(sum) && !is_repair {
        return Err(damaged("a record is missing, or is there as it was before a change".into()));
    }
    let mut sum = found.sum;
    let quarantined = if purpose == Purpose::Check {
        found
            .damages()
            .map(|(key, damage)| Quarantined { key: key.clone(), damage: *damage })
            .collect()
    } else {
        repair(backend, found, sequence, &mut sum).map_err(|error| backend_error(dir, error))?
    };
    Ok(Verified { good, quarantined, sequence, sum })
}

pub(super) fn backend_error(dir: &Path, error: BackendError) -> OpenError {
    let dir = dir.to_path_buf();
    match error {
        BackendError::Io(error) if is_disk_full(&error) => OpenError::DiskFull { dir },
        BackendError::Io(source) => OpenError::Io { what: "read the store in", path: dir, source },
        BackendError::Inconsistent(what) => OpenError::Damaged { dir, what },
    }
}

fn inspect(backend: &dyn Backend) -> Result<Findings, BackendError> {
    thread::scope(|scope| inspect_all(backend, read_ahead(scope, backend.scan(&[]))?))
}

/// Reads entries on a thread of its own, while those before them are looked at. Where reading
/// breaks off, so does the scope.
fn read_ahead<'s>(
    scope: &'s Scope<'s, '_>,
    mut pairs: Pairs,
) -> io::Result<impl Iterator<Item = ReadPair>> {
    let (sender, read) = mpsc::sync_channel(PARTS_AHEAD);
    let reading = move || {
        loop {
            let part: Vec<ReadPair> = pairs.by_ref().take(PART_ENTRIES).collect();
            if part.is_empty() || sender.send(part).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("store-read".into()).spawn_scoped(scope, reading)?;
    Ok(read.into_iter().flatten())
}

fn inspect_all(
    backend: &dyn Backend,
    pairs: impl Iterator<Item = ReadPair>,
) -> Result<Findings, BackendError> {
    let mut found = Findings::default();
    for pair in pairs {
        let (tree_key, raw) = pair?;
        if let Some((&TAG_QUARANTINE, inner)) = tree_key.split_first() {
            // A record's chunks are counted with it.
            found.quarantined += usize::from(inner.first() != Some(&TAG_CHUNK));
            continue;
        }
        found.entries += 1;
        match inspect_entry(backend, &mut found, &tree_key, &raw)? {
            Ok(()) => {
                found.good += 1;
                if tree_key.first() == Some(&TAG_RECORD) {
                    found.sum.replace(&tree_key, None, Some(&raw));
                }
            }
            // A single entry of another format among ours is damage, the marker's is not.
            Err(Damage::Format(version)) if tree_key == MARKER_KEY && version > FORMAT => {
                found.newer = Some(version);
            }
            Err(damage) => note(&mut found, tree_key, damage),
        }
    }
    // Chunks of a damaged head are quarantined with it.
    found.orphans.retain(|tree_key| {
        chunk_owner(tree_key).is_none_or(|(key, ..)| !found.bad.contains_key(key))
    });
    Ok(found)
}

fn inspect_entry(
    backend: &dyn Backend,
    found: &mut Findings,
    tree_key: &[u8],
    raw: &[u8],
) -> Result<Result<(), Damage>, BackendError> {
    let verified = || unwrap(tree_key, raw);
    Ok(match tree_key.first() {
        Some(&TAG_RECORD) => assemble(backend, &tree_key[1..], raw)?.map(drop),
        Some(&TAG_CHUNK) => match verified() {
            Ok((Shape::Chunk, _)) => {
                if !is_referred_to(backend, tree_key)? {
                    found.orphans.push(tree_key.to_vec());
                }
                Ok(())
            }
            Ok((Shape::Inline | Shape::Head | Shape::Marker | Shape::Sequence, _)) => {
                Err(Damage::Shape)
            }
            Err(damage) => Err(damage),
        },
        Some(&TAG_MARKER) if tree_key == MARKER_KEY => {
            let marker = match verified() {
                Ok((Shape::Marker, MARKER)) => Ok(()),
                Ok(_) => Err(Damage::Shape),
                Err(damage) => Err(damage),
            };
            found.marker = Some(marker);
            found.outdated = raw.first().is_some_and(|version| *version < FORMAT);
            marker
        }
        Some(&TAG_SEQUENCE) if tree_key == SEQUENCE_KEY => {
            let sequence = match verified() {
                Ok((Shape::Sequence, payload)) => decode_sequence(payload),
                Ok(_) => Err(Damage::Shape),
                Err(damage) => Err(damage),
            };
            found.sequence = Some(sequence);
            sequence.map(drop)
        }
        Some(_) | None => Err(Damage::Shape),
    })
}

fn is_referred_to(backend: &dyn Backend, tree_key: &[u8]) -> Result<bool, BackendError> {
    let Some((key, generation, index)) = chunk_owner(tree_key) else { return Ok(false) };
    let head_key = record_key(key);
    let Some(raw) = backend.get(&head_key)? else { return Ok(false) };
    Ok(match unwrap(&head_key, &raw) {
        Ok((Shape::Head, payload)) => Head::decode(payload)
            .is_ok_and(|head| head.generation == generation && index < head.chunks()),
        Ok((Shape::Inline | Shape::Chunk | Shape::Marker | Shape::Sequence, _)) | Err(_) => false,
    })
}

fn note(found: &mut Findings, tree_key: Vec<u8>, damage: Damage) {
    let owner = match tree_key.first() {
        Some(&TAG_RECORD) => Some(tree_key[1..].to_vec()),
        // A damaged chunk shows again as a record that lacks a part.
        Some(&TAG_CHUNK) => chunk_owner(&tree_key).map(|(key, ..)| key.to_vec()),
        Some(_) | None => None,
    };
    match owner {
        Some(key) => {
            found.bad.entry(key).or_insert(damage);
        }
        None => {
            found.strays.insert(tree_key, damage);
        }
    }
}

fn repair(
    backend: &dyn Backend,
    found: Findings,
    sequence: u64,
    sum: &mut RecordSum,
) -> Result<Vec<Quarantined>, BackendError> {
    let mut writes = Writes::new();
    let mut quarantined = Vec::new();
    for tree_key in found.orphans {
        writes.insert(tree_key, None);
    }
    for (key, damage) in found.bad {
        // One that verifies was counted: it goes for a chunk that is not its own any more.
        let tree_key = record_key(&key);
        if let Some(raw) = backend.get(&tree_key)?
            && assemble(backend, &key, &raw)?.is_ok()
        {
            sum.replace(&tree_key, Some(&raw), None);
        }
        quarantine(backend, &mut writes, &key)?;
        quarantined.push(Quarantined { key, damage });
    }
    for (tree_key, damage) in found.strays {
        if let Some(raw) = backend.get(&tree_key)? {
            move_to_quarantine(&mut writes, tree_key.clone(), raw);
        }
        quarantined.push(Quarantined { key: tree_key, damage });
    }
    if !quarantined.is_empty() {
        let (key, entry) = sequence_entry(sequence, *sum);
        writes.insert(key, Some(entry));
    }
    // Before anything is written that an older program would misread.
    if found.marker != Some(Ok(())) || found.outdated {
        writes.extend([marker()]);
    }
    if !writes.is_empty() {
        backend.apply(writes)?;
        backend.sync()?;
    }
    Ok(quarantined)
}
