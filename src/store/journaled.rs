//! The database behind its journal: a change is on disk once its group is in the journal, and
//! goes to the database later, many at once. Until then it is kept in memory, over the
//! database. Owns the order of the two; knows no record.
//!
//! The database is written only here and when it opens, each time up to its own sync, and the
//! journal holds every change since: whatever a crash leaves of an unfinished round is written
//! over by the next one, because a group says what is there and not what changes.

use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::backend::{Backend, Pair, Pairs, Sled, Writes};
use super::error::BackendError;
use super::fingerprint;
use super::journal::{JOURNAL, Journal};
use super::record::{
    SEQUENCE_KEY, Shape, TAG_JOURNAL, decode_sequence, sequence_entry, unwrap, wrap,
};
use super::record_sum::RecordSum;

/// Where the database keeps the number of the last group that it holds.
const HELD_KEY: &[u8] = &[TAG_JOURNAL];
/// Entries that a scan takes at once.
const PAGE_ENTRIES: usize = 64;
/// Bytes that go to the database between two syncs of it: sled uses segments again that it has
/// moved the content of, and a power cut must not find it between many of these.
const PART_BYTES: usize = 64 * 1024;

/// The database and its journal.
pub(super) struct Journaled {
    folder: PathBuf,
    layers: Arc<Layers>,
    journal: Mutex<Journal>,
    /// Whether the journal was cut since this was last asked.
    cut: AtomicBool,
}

struct Layers {
    database: Sled,
    /// What the database does not hold yet.
    recent: RwLock<Writes>,
}

impl Journaled {
    /// Opens the journal of this database, in the same folder; makes it where it may be missing.
    pub(super) fn open(
        folder: &Path,
        database: Sled,
        may_be_missing: bool,
    ) -> Result<Journaled, BackendError> {
        let held = held(&database)?.ok_or_else(|| {
            BackendError::Inconsistent("the number of its last group does not read".into())
        })?;
        let (journal, recent) = Journal::open(folder, held, may_be_missing)?;
        let layers = Arc::new(Layers { database, recent: RwLock::new(recent) });
        let folder = folder.to_path_buf();
        Ok(Journaled { folder, layers, journal: Mutex::new(journal), cut: AtomicBool::new(false) })
    }

    /// The same with a new journal, and with what can still be read of the old one.
    pub(super) fn salvage(folder: &Path, database: Sled) -> Result<Journaled, BackendError> {
        let groups = match held(&database)? {
            Some(held) => Journal::salvage(folder, held).unwrap_or_default(),
            None => Writes::new(),
        };
        database.apply(Writes::from([(HELD_KEY.to_vec(), None)]))?;
        match std::fs::remove_file(folder.join(JOURNAL)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        let salvaged = Journaled::open(folder, database, true)?;
        salvaged.apply(groups)?;
        salvaged.sync()?;
        Ok(salvaged)
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings everything applied to the database. The number of the last group goes last:
    /// without it all of them are taken from the journal again.
    fn checkpoint(&self, journal: &mut Journal) -> Result<(), BackendError> {
        let recent = self.layers.recent();
        let mut part = Writes::new();
        let mut bytes = 0;
        for (key, value) in &*recent {
            bytes += key.len() + value.as_ref().map_or(0, Vec::len);
            part.insert(key.clone(), value.clone());
            if bytes >= PART_BYTES {
                self.layers.database.apply(std::mem::take(&mut part))?;
                self.layers.database.sync()?;
                bytes = 0;
            }
        }
        drop(recent);
        let number = journal.number_of_all().to_be_bytes();
        part.insert(HELD_KEY.to_vec(), Some(wrap(HELD_KEY, Shape::Sequence, &number)));
        self.layers.database.apply(part)?;
        self.layers.database.sync()?;
        fingerprint::note(&self.folder);
        journal.cut();
        self.cut.store(true, Ordering::Relaxed);
        *self.layers.recent_mut() = Writes::new();
        Ok(())
    }
}

/// The number of the last group that the database holds; none if it does not read.
fn held(database: &Sled) -> Result<Option<u64>, BackendError> {
    let Some(raw) = database.get(HELD_KEY)? else { return Ok(Some(0)) };
    Ok(match unwrap(HELD_KEY, &raw) {
        Ok((Shape::Sequence, payload)) => payload.try_into().map(u64::from_be_bytes).ok(),
        Ok(_) | Err(_) => None,
    })
}

impl Layers {
    fn recent(&self) -> RwLockReadGuard<'_, Writes> {
        self.recent.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn recent_mut(&self) -> RwLockWriteGuard<'_, Writes> {
        self.recent.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next entries from here on that begin so, as both layers together have them.
    fn page(&self, prefix: &[u8], from: &Bound<Vec<u8>>) -> Result<Page, BackendError> {
        // Under the lock nothing moves from one layer to the other.
        let recent = self.recent();
        let mut older = self.database.range(prefix, from.clone()).peekable();
        let newer = recent.range((from.clone(), Bound::Unbounded));
        let mut newer = newer.take_while(|(key, _)| key.starts_with(prefix)).peekable();
        let mut page = Page { entries: Vec::new(), next: None };
        while page.entries.len() < PAGE_ENTRIES {
            let from_older = match (older.peek(), newer.peek()) {
                (None, None) => {
                    page.next = None;
                    return Ok(page);
                }
                (Some(Ok((old, _))), Some((new, _))) => old < *new,
                (Some(_), _) => true,
                (None, Some(_)) => false,
            };
            let (key, value) = if from_older {
                let Some(pair) = older.next() else { continue };
                let (key, value) = pair?;
                (key, Some(value))
            } else {
                let Some((key, value)) = newer.next() else { continue };
                older.next_if(|old| old.as_ref().is_ok_and(|(old, _)| old == key));
                (key.clone(), value.clone())
            };
            page.next = Some(key.clone());
            page.entries.extend(value.filter(|_| key != HELD_KEY).map(|value| (key, value)));
        }
        Ok(page)
    }
}

/// A part of a scan.
struct Page {
    entries: Vec<Pair>,
    /// The key behind which the next part begins; none: there is none.
    next: Option<Vec<u8>>,
}

/// A scan, a page at a time.
struct Entries {
    layers: Arc<Layers>,
    prefix: Vec<u8>,
    from: Option<Bound<Vec<u8>>>,
    page: std::vec::IntoIter<Pair>,
}

impl Iterator for Entries {
    type Item = Result<Pair, BackendError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(pair) = self.page.next() {
                return Some(Ok(pair));
            }
            let from = self.from.take()?;
            match self.layers.page(&self.prefix, &from) {
                Ok(page) => {
                    self.from = page.next.map(Bound::Excluded);
                    self.page = page.entries.into_iter();
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Backend for Journaled {
    fn get(&self, tree_key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        match self.layers.recent().get(tree_key) {
            Some(value) => Ok(value.clone()),
            None => self.layers.database.get(tree_key),
        }
    }

    fn scan(&self, prefix: &[u8]) -> Pairs {
        Box::new(Entries {
            layers: Arc::clone(&self.layers),
            prefix: prefix.to_vec(),
            from: Some(Bound::Included(prefix.to_vec())),
            page: Vec::new().into_iter(),
        })
    }

    fn apply(&self, writes: Writes) -> Result<(), BackendError> {
        self.journal().add(&writes)?;
        self.layers.recent_mut().extend(writes);
        Ok(())
    }

    fn sync(&self) -> Result<(), BackendError> {
        let mut journal = self.journal();
        if !journal.has_next() || journal.write()? {
            return Ok(());
        }
        // It does not fit into what is left of the journal, or into any. Cut off while the database
        // takes it, a part of it may be there: the sum over the records tells nothing then.
        if let Some(raw) = self.get(SEQUENCE_KEY)?
            && let Ok((Shape::Sequence, payload)) = unwrap(SEQUENCE_KEY, &raw)
            && let Ok((sequence, _)) = decode_sequence(payload)
        {
            let (key, entry) = sequence_entry(sequence, RecordSum::UNKNOWN);
            journal.write_apart(&Writes::from([(key, Some(entry))]))?;
        }
        self.checkpoint(&mut journal)
    }

    fn is_untidy(&self) -> bool {
        self.cut.load(Ordering::Relaxed) || self.journal().is_full()
    }

    fn tidy(&self, closing: bool) -> Result<bool, BackendError> {
        let mut journal = self.journal();
        if journal.is_full() || (closing && !self.layers.recent().is_empty()) {
            self.checkpoint(&mut journal)?;
        }
        Ok(self.cut.swap(false, Ordering::Relaxed))
    }
}
