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
use std::ops::Bound;
use std::path::Path;

use super::error::BackendError;
#[cfg(test)]
use super::fault_injection;
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
    /// Whether something waits until those who asked for a change have their answer.
    fn is_untidy(&self) -> bool;
    /// Does it. Called by the committer's thread, with nothing applied that is not synced. Whether
    /// the database has taken changes over since the last call, and holds alone what was in the
    /// journal.
    fn tidy(&self, closing: bool) -> Result<bool, BackendError>;
}

/// sled's seven threads look each second whether there is work, which wakes them anyway. Threads
/// inherit this from the one that starts them: they wake together, once in this time, or when
/// something else does.
pub(super) fn let_timers_be_late() {
    const SLACK_NS: u64 = 60_000_000_000;
    if let Err(error) = nix::sys::prctl::set_timerslack(SLACK_NS) {
        tracing::debug!(%error, "the database's threads wake each second");
    }
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
        let broken = || BackendError::Inconsistent("its recovery broke off".into());
        let opening = || {
            let_timers_be_late();
            config.open()
        };
        let db = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("store".into());
            Ok::<_, io::Error>(thread.spawn_scoped(scope, opening)?.join())
        })?;
        let db = db.map_err(|_| broken())??;
        let data = File::open(folder.join("db"))?;
        Ok(Sled { db, data })
    }

    /// Entries from here on whose keys begin so.
    pub(super) fn range(
        &self,
        prefix: &[u8],
        from: Bound<Vec<u8>>,
    ) -> impl Iterator<Item = Result<Pair, BackendError>> {
        let range: (Bound<Vec<u8>>, Bound<Vec<u8>>) = (from, Bound::Unbounded);
        let entries = self.db.range(range).map(|entry| {
            let (key, value) = entry?;
            Ok((key.to_vec(), value.to_vec()))
        });
        entries.take_while(move |entry| {
            entry.as_ref().map_or(true, |(key, _)| key.starts_with(prefix))
        })
    }
}

/// sled syncs its file as it closes, and panics where that fails.
#[cfg(test)]
impl Drop for Sled {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            fault_injection::database_sync().unwrap();
        }
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
        #[cfg(test)]
        fault_injection::database_sync()?;
        self.db.flush()?;
        nix::unistd::fdatasync(&self.data).map_err(io::Error::from)?;
        Ok(())
    }

    fn is_untidy(&self) -> bool {
        false
    }

    fn tidy(&self, _closing: bool) -> Result<bool, BackendError> {
        Ok(false)
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

    fn is_untidy(&self) -> bool {
        self.backend.is_untidy()
    }

    fn tidy(&self, closing: bool) -> Result<bool, BackendError> {
        self.backend.tidy(closing)
    }
}
