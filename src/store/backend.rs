//! The database beneath: a narrow trait, and sled behind it. The only file that
//! knows sled.
//!
//! sled's `flush` hands its buffers to the kernel but does not sync them, so
//! [`Backend::sync`] adds an fdatasync on a descriptor of our own, held as long as
//! the database is open: the kernel reports a failed write-back once to each
//! descriptor that was open when it happened.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::error::BackendError;
use super::state_dir::StateDir;

/// sled's page cache, in bytes.
const CACHE_BYTES: u64 = 8 * 1024 * 1024;

/// One atomic change: what to write, and (without a value) what to remove.
pub(super) type Writes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;
/// A tree key and its raw value.
pub(super) type Pair = (Vec<u8>, Vec<u8>);
/// Entries in the order of their keys.
pub(super) type Pairs = Box<dyn Iterator<Item = Result<Pair, BackendError>> + Send>;

/// An ordered map on disk. Written by one thread, read by many.
pub(super) trait Backend: Send + Sync {
    /// The value there; applied changes are seen before they are synced.
    fn get(&self, tree_key: &[u8]) -> Result<Option<Vec<u8>>, BackendError>;
    /// All entries whose keys begin so.
    fn scan(&self, prefix: &[u8]) -> Pairs;
    /// Makes one change: after a crash all of it is there, or nothing, and nothing
    /// that was applied later is there without it.
    fn apply(&self, writes: Writes) -> Result<(), BackendError>;
    /// Returns once everything applied is on disk. Never called again after an error.
    fn sync(&self) -> Result<(), BackendError>;
}

/// sled with the sync that it lacks.
pub(super) struct Sled {
    db: sled::Db,
    data: File,
}

impl Sled {
    /// Opens or creates the database in this folder.
    pub(super) fn open(folder: &Path) -> Result<Sled, BackendError> {
        #[cfg(test)]
        let _calm = super::tests::no_process_starts();
        #[cfg(test)]
        super::tests::wait_until_closed(&folder.join("db"));
        let config = sled::Config::new()
            .path(folder)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None)
            .use_compression(false);
        // sled panics on some damaged files.
        let db = catch_unwind(AssertUnwindSafe(|| config.open()))
            .map_err(|_| BackendError::Inconsistent("its recovery broke off".into()))??;
        let data = File::open(folder.join("db"))?;
        Ok(Sled { db, data })
    }
}

impl Backend for Sled {
    fn get(&self, tree_key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        Ok(self.db.get(tree_key)?.map(|value| value.to_vec()))
    }

    fn scan(&self, prefix: &[u8]) -> Pairs {
        Box::new(self.db.scan_prefix(prefix).map(|entry| {
            let (key, value) = entry?;
            Ok((key.to_vec(), value.to_vec()))
        }))
    }

    fn apply(&self, writes: Writes) -> Result<(), BackendError> {
        let mut batch = sled::Batch::default();
        for (key, value) in writes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        Ok(self.db.apply_batch(batch)?)
    }

    fn sync(&self) -> Result<(), BackendError> {
        self.db.flush()?;
        nix::unistd::fdatasync(&self.data).map_err(io::Error::from)?;
        Ok(())
    }
}

impl From<sled::Error> for BackendError {
    fn from(error: sled::Error) -> Self {
        match error {
            sled::Error::Io(error) => BackendError::Io(error),
            sled::Error::Corruption { .. } => {
                BackendError::Inconsistent("a page of it is corrupt".into())
            }
            sled::Error::Unsupported(what) => BackendError::Inconsistent(what),
            sled::Error::ReportableBug(what) => BackendError::Inconsistent(what),
            sled::Error::CollectionNotFound(_) => {
                BackendError::Inconsistent("a tree of it is missing".into())
            }
        }
    }
}

/// A backend with the lock that it works under: the lock goes last.
pub(super) struct Locked<E> {
    backend: E,
    _dir: StateDir,
}

impl<E> Locked<E> {
    /// Takes over the lock that an open backend works under.
    pub(super) fn new(backend: E, dir: StateDir) -> Locked<E> {
        Locked { backend, _dir: dir }
    }
}

impl<E: Backend> Backend for Locked<E> {
    fn get(&self, tree_key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        self.backend.get(tree_key)
    }

    fn scan(&self, prefix: &[u8]) -> Pairs {
        self.backend.scan(prefix)
    }

    fn apply(&self, writes: Writes) -> Result<(), BackendError> {
        self.backend.apply(writes)
    }

    fn sync(&self) -> Result<(), BackendError> {
        self.backend.sync()
    }
}
