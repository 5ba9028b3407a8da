//! Whole values over the tree's small entries: cuts long ones into chunks, puts them
//! together again, and verifies both ways. Decides nothing about durability.
//!
//! The chunks lie in the same tree as their head, because a batch is atomic within
//! one tree only: a record is never there without its value, and a value that is
//! replaced never mixes with its successor.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::backend::{Backend, Pair, Pairs, Writes};
use super::batch::{Batch, Op};
use super::error::{BackendError, CommitError, ReadError};
use super::record::{
    CHUNK_BYTES, Damage, Head, KEY_BYTES_MAX, Shape, TAG_QUARANTINE, VALUE_BYTES_MAX, chunk_key,
    chunks_prefix, record_key, tagged, unwrap, wrap,
};
use super::record_sum::RecordSum;

/// Tries at a long value that is being replaced under the reader.
const READ_TRIES: usize = 16;

/// A record as it lies.
enum Stored {
    Inline(Vec<u8>),
    Long(Head),
}

fn stored(tree_key: &[u8], raw: &[u8]) -> Result<Stored, Damage> {
    match unwrap(tree_key, raw)? {
        (Shape::Inline, payload) => Ok(Stored::Inline(payload.to_vec())),
        (Shape::Head, payload) => Ok(Stored::Long(Head::decode(payload)?)),
        (Shape::Chunk | Shape::Marker | Shape::Sequence, _) => Err(Damage::Shape),
    }
}

/// The whole value of a record, or what is wrong with it.
pub(super) fn assemble(
    backend: &dyn Backend,
    key: &[u8],
    raw: &[u8],
) -> Result<Result<Vec<u8>, Damage>, BackendError> {
    let head = match stored(&record_key(key), raw) {
        Ok(Stored::Inline(value)) => return Ok(Ok(value)),
        Ok(Stored::Long(head)) => head,
        Err(damage) => return Ok(Err(damage)),
    };
    let mut value = Vec::with_capacity(head.bytes as usize);
    for index in 0..head.chunks() {
        let tree_key = chunk_key(key, head.generation, index);
        let Some(raw) = backend.get(&tree_key)? else { return Ok(Err(Damage::Part)) };
        match unwrap(&tree_key, &raw) {
            Ok((Shape::Chunk, payload)) => value.extend_from_slice(payload),
            Ok((Shape::Inline | Shape::Head | Shape::Marker | Shape::Sequence, _)) | Err(_) => {
                return Ok(Err(Damage::Part));
            }
        }
    }
    if value.len() != head.bytes as usize || crc32c::crc32c(&value) != head.sum {
        return Ok(Err(Damage::Part));
    }
    Ok(Ok(value))
}

/// The value of a record, verified.
pub(super) fn read(backend: &dyn Backend, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
    let tree_key = record_key(key);
    for _ in 0..READ_TRIES {
        let Some(raw) = backend.get(&tree_key)? else { return Ok(None) };
        match assemble(backend, key, &raw)? {
            Ok(value) => return Ok(Some(value)),
            // Perhaps replaced while its chunks were read: read again.
            Err(Damage::Part) => {}
            Err(_) => break,
        }
    }
    Err(ReadError::Damaged)
}

/// Records in the order of their keys. See [`super::Store::scan`].
pub struct Scan {
    backend: Option<Arc<dyn Backend>>,
    pairs: Option<Pairs>,
}

impl Scan {
    pub(super) fn new(backend: Arc<dyn Backend>, prefix: &[u8]) -> Scan {
        let pairs = backend.scan(&record_key(prefix));
        Scan { backend: Some(backend), pairs: Some(pairs) }
    }

    /// Of a closed store: answers that once.
    pub(super) fn closed() -> Scan {
        Scan { backend: None, pairs: Some(Box::new(std::iter::empty())) }
    }
}

impl Iterator for Scan {
    type Item = Result<(Vec<u8>, Vec<u8>), ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Some(backend) = &self.backend else {
            return self.pairs.take().map(|_| Err(ReadError::Closed));
        };
        next_record(backend.as_ref(), self.pairs.as_mut()?)
    }
}

fn next_record(backend: &dyn Backend, pairs: &mut Pairs) -> Option<Result<Pair, ReadError>> {
    loop {
        let (tree_key, raw) = match pairs.next()? {
            Ok(pair) => pair,
            Err(error) => return Some(Err(error.into())),
        };
        let key = tree_key.get(1..).unwrap_or_default().to_vec();
        match assemble(backend, &key, &raw) {
            Ok(Ok(value)) => return Some(Ok((key, value))),
            Ok(Err(_)) => {}
            Err(error) => return Some(Err(error.into())),
        }
        match read(backend, &key) {
            Ok(Some(value)) => return Some(Ok((key, value))),
            Ok(None) => {}
            Err(error) => return Some(Err(error)),
        }
    }
}

/// What the committer shows to a read-modify-write: everything applied so far.
pub struct View<'a> {
    backend: &'a dyn Backend,
    sequence: u64,
}

impl<'a> View<'a> {
    pub(super) fn new(backend: &'a dyn Backend, sequence: u64) -> View<'a> {
        View { backend, sequence }
    }

    /// The last number given to a change. A batch may use those after it, as many as it
    /// takes with [`Batch::take_numbers`]: they follow the order of commits, outlive every
    /// kind of restart, and are never given twice.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The value of a record, verified.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        read(self.backend, key)
    }

    /// All records whose keys begin so, in the order of their keys.
    pub fn scan(
        &self,
        prefix: &[u8],
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), ReadError>> + '_ {
        let mut pairs = self.backend.scan(&record_key(prefix));
        let backend = self.backend;
        std::iter::from_fn(move || next_record(backend, &mut pairs))
    }
}

/// Refuses what the store does not take.
pub(super) fn check(batch: &Batch) -> Result<(), CommitError> {
    let fits = batch.ops.iter().all(|op| match op {
        Op::Put { key, value } => key.len() <= KEY_BYTES_MAX && value.len() <= VALUE_BYTES_MAX,
        Op::Remove { key } | Op::Quarantine { key } => key.len() <= KEY_BYTES_MAX,
        Op::RemoveAll { .. } => true,
    });
    if fits { Ok(()) } else { Err(CommitError::TooLarge) }
}

/// What becomes of one record.
enum Fate {
    Is(Vec<u8>),
    Gone,
    Quarantined,
}

/// Turns a batch into writes to the tree: those that change something. Keeps the sum over all
/// records.
pub(super) fn expand(
    backend: &dyn Backend,
    batch: Batch,
    sum: &mut RecordSum,
) -> Result<Writes, BackendError> {
    let mut fates: BTreeMap<Vec<u8>, Fate> = BTreeMap::new();
    for op in batch.ops {
        match op {
            Op::Put { key, value } => {
                fates.insert(key, Fate::Is(value));
            }
            Op::Remove { key } => {
                fates.insert(key, Fate::Gone);
            }
            Op::Quarantine { key } => {
                fates.entry(key).or_insert(Fate::Quarantined);
            }
            Op::RemoveAll { prefix } => {
                for (key, fate) in fates.range_mut(prefix.clone()..) {
                    if !key.starts_with(&prefix) {
                        break;
                    }
                    *fate = Fate::Gone;
                }
                for pair in backend.scan(&record_key(&prefix)) {
                    let key = pair?.0.split_off(1);
                    fates.insert(key, Fate::Gone);
                }
            }
        }
    }
    let mut writes = Writes::new();
    for (key, fate) in fates {
        match fate {
            Fate::Is(value) => put(backend, &mut writes, sum, &key, &value)?,
            Fate::Gone => remove(backend, &mut writes, sum, &key)?,
            Fate::Quarantined => {
                let tree_key = record_key(&key);
                sum.replace(&tree_key, backend.get(&tree_key)?.as_deref(), None);
                quarantine(backend, &mut writes, &key)?;
            }
        }
    }
    Ok(writes)
}

fn put(
    backend: &dyn Backend,
    writes: &mut Writes,
    sum: &mut RecordSum,
    key: &[u8],
    value: &[u8],
) -> Result<(), BackendError> {
    let tree_key = record_key(key);
    let mut generation = 0;
    let old = backend.get(&tree_key)?;
    if let Some(raw) = &old {
        if assemble(backend, key, raw)?.is_ok_and(|old| old == value) {
            return Ok(());
        }
        if let Ok(Stored::Long(head)) = stored(&tree_key, raw) {
            generation = head.generation.wrapping_add(1);
        }
        remove_chunks(backend, writes, key, raw)?;
    }
    let mut replace = |entry: Vec<u8>| {
        sum.replace(&tree_key, old.as_deref(), Some(&entry));
        (tree_key.clone(), Some(entry))
    };
    if value.len() <= CHUNK_BYTES {
        writes.extend([replace(wrap(&tree_key, Shape::Inline, value))]);
        return Ok(());
    }
    for (index, chunk) in (0..).zip(value.chunks(CHUNK_BYTES)) {
        let chunk_key = chunk_key(key, generation, index);
        let entry = wrap(&chunk_key, Shape::Chunk, chunk);
        writes.insert(chunk_key, Some(entry));
    }
    let bytes = u32::try_from(value.len()).unwrap_or(u32::MAX);
    let head = Head { bytes, generation, sum: crc32c::crc32c(value) };
    writes.extend([replace(wrap(&tree_key, Shape::Head, &head.encode()))]);
    Ok(())
}

fn remove(
    backend: &dyn Backend,
    writes: &mut Writes,
    sum: &mut RecordSum,
    key: &[u8],
) -> Result<(), BackendError> {
    let tree_key = record_key(key);
    if let Some(raw) = backend.get(&tree_key)? {
        sum.replace(&tree_key, Some(&raw), None);
        remove_chunks(backend, writes, key, &raw)?;
        writes.insert(tree_key, None);
    }
    Ok(())
}

/// Moves a record and all its chunks, as they lie, to where nothing reads them.
pub(super) fn quarantine(
    backend: &dyn Backend,
    writes: &mut Writes,
    key: &[u8],
) -> Result<(), BackendError> {
    let tree_key = record_key(key);
    if let Some(raw) = backend.get(&tree_key)? {
        move_to_quarantine(writes, tree_key, raw);
    }
    for pair in backend.scan(&chunks_prefix(key)) {
        let (tree_key, raw) = pair?;
        move_to_quarantine(writes, tree_key, raw);
    }
    Ok(())
}

pub(super) fn move_to_quarantine(writes: &mut Writes, tree_key: Vec<u8>, raw: Vec<u8>) {
    writes.insert(tagged(TAG_QUARANTINE, &tree_key), Some(raw));
    writes.insert(tree_key, None);
}

fn remove_chunks(
    backend: &dyn Backend,
    writes: &mut Writes,
    key: &[u8],
    raw: &[u8],
) -> Result<(), BackendError> {
    match stored(&record_key(key), raw) {
        Ok(Stored::Inline(_)) => {}
        Ok(Stored::Long(head)) => {
            for index in 0..head.chunks() {
                writes.insert(chunk_key(key, head.generation, index), None);
            }
        }
        // The head does not name them: whatever is there under this key.
        Err(_) => {
            for pair in backend.scan(&chunks_prefix(key)) {
                writes.insert(pair?.0, None);
            }
        }
    }
    Ok(())
}
