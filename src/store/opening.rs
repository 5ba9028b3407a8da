//! How a store opens: the lock, the copy where one is needed, the database and its journal, the
//! key, the inspection of every record, the committer. Refuses, and never resets.

use super::*;

/// A database that was opened, what was found in it, and its count of confirmed changes.
type Opened = (Sealing<Journaled>, Verified, Confirmed);

/// A store's place, and what opening it takes.
pub(super) struct Opening<'a> {
    pub(super) dir: &'a Path,
    /// The database's folder.
    pub(super) folder: &'a Path,
    /// It is of an older format, and may lack what that did not have.
    pub(super) is_older: bool,
    pub(super) key: Option<SealKey>,
}

impl Opening<'_> {
    /// Opens the database. If it is refused, its files are again as they were.
    fn open(&self) -> Result<Opened, OpenError> {
        let safety = Safety::of(self)?;
        let opened = unbroken(self.dir, || {
            let opened = self.open_backend(Purpose::Start)?;
            safety.keep_new(self.dir)?;
            Ok(opened)
        });
        if opened.is_ok() {
            safety.end()?;
        } else {
            safety.restore()?;
        }
        opened
    }

    /// Opens it only to see what is there, and leaves its files as they were.
    pub(super) fn look(&self) -> Result<Verified, OpenError> {
        let safety = Safety::of(self)?;
        let seen = unbroken(self.dir, || Ok(self.open_backend(Purpose::Check)?.1));
        safety.restore()?;
        seen
    }

    fn open_backend(&self, purpose: Purpose) -> Result<Opened, OpenError> {
        let backend_error = |error| verify::backend_error(self.dir, error);
        let backend = Sled::open(self.folder)
            .and_then(|database| Journaled::open(self.folder, database, self.is_older))
            .map_err(backend_error)?;
        #[cfg(test)]
        fault_injection::step();
        let confirmed = Confirmed::open(self.folder, self.is_older)?;
        let known = confirmed.read().map_err(state_dir::io_error("read", self.folder))?;
        let known = known.or(self.is_older.then_some(0));
        let known = known.ok_or_else(|| state_dir::uncounted(self.folder))?;
        let (backend, verified) = self.verify(backend, known, purpose)?;
        #[cfg(test)]
        fault_injection::step();
        Ok((backend, verified, confirmed))
    }

    /// Looks whether the key fits, and at every record.
    pub(super) fn verify(
        &self,
        backend: Journaled,
        confirmed: u64,
        purpose: Purpose,
    ) -> Result<(Sealing<Journaled>, Verified), OpenError> {
        let backend = Sealing::new(backend, self.key.clone());
        let fit = verify::check_key(&backend, self.dir)?;
        let verified = AssertUnwindSafe(|| verify::verify(&backend, self.dir, confirmed, purpose));
        let verified = catch_unwind(verified).unwrap_or_else(|_| {
            let what = "reading it broke off".into();
            Err(OpenError::Damaged { dir: self.dir.to_path_buf(), what })
        })?;
        if fit == Fit::New && purpose != Purpose::Check {
            backend.seal_all().map_err(|error| verify::backend_error(self.dir, error))?;
        }
        Ok((backend, verified))
    }
}

/// Does something with the database. sled panics where its last sync fails as it closes.
pub(super) fn unbroken<T>(
    dir: &Path,
    work: impl FnOnce() -> Result<T, OpenError>,
) -> Result<T, OpenError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let source = std::io::Error::other("the database broke off");
        Err(OpenError::Io { what: "use the store in", path: dir.to_path_buf(), source })
    })
}

/// How the database's files come back if it is refused.
enum Safety {
    /// They are as they were noted: they are kept in memory.
    Kept(Kept),
    /// They were cut off while they were written: they are copied.
    Copied(SafetyCopy),
}

impl Safety {
    fn of(opening: &Opening<'_>) -> Result<Safety, OpenError> {
        match fingerprint::keep(opening.folder).filter(|_| !opening.is_older) {
            Some(kept) => Ok(Safety::Kept(kept)),
            None => SafetyCopy::make(opening.dir).map(Safety::Copied),
        }
    }

    /// Makes durable what the opening has made, before there is no way back.
    fn keep_new(&self, dir: &Path) -> Result<(), OpenError> {
        match self {
            Safety::Kept(_) => Ok(()),
            Safety::Copied(_) => StateDir::settle(dir),
        }
    }

    fn end(self) -> Result<(), OpenError> {
        match self {
            Safety::Kept(_) => Ok(()),
            Safety::Copied(copy) => copy.discard(),
        }
    }

    fn restore(self) -> Result<(), OpenError> {
        match self {
            Safety::Kept(kept) => kept.restore(),
            Safety::Copied(copy) => {
                copy.restore();
                Ok(())
            }
        }
    }
}

impl Store {
    /// The same, with the session's secrets under a key. Those that lie there plain are
    /// encrypted first.
    pub fn open_with(dir: &Path, key: Option<SealKey>) -> Result<Store, OpenError> {
        let state = StateDir::lock(dir)?;
        let folder = state.prepare()?;
        let format = state.format()?;
        verify::check_format(format, dir)?;
        let is_older = format != u32::from(FORMAT);
        let sealed = key.is_some();
        let opening = Opening { dir, folder: &folder, is_older, key };
        let (backend, verified, confirmed) = opening.open().or_else(|error| {
            if !error.is_damage() {
                return Err(error);
            }
            // A disk that fails to read once looks the same, and the files are as they were.
            tracing::warn!(%error, "the store is opened once more");
            opening.open()
        })?;
        if is_older {
            let counted = confirmed.write(verified.sequence).and_then(|()| confirmed.sync());
            counted.map_err(state_dir::io_error("write", &folder))?;
            StateDir::set_format(&folder, FORMAT.into())?;
        }
        let locked = Locked::new(backend, state);
        for record in &verified.quarantined {
            tracing::warn!(area = record.area(), damage = %record.damage, "a record is quarantined");
        }
        Store::start(Arc::new(locked), verified, confirmed, sealed, folder)
    }

    fn start(
        backend: Arc<dyn Backend>,
        verified: Verified,
        confirmed: Confirmed,
        sealed: bool,
        folder: PathBuf,
    ) -> Result<Store, OpenError> {
        let dir = folder.parent().unwrap_or(&folder).to_path_buf();
        let (sender, jobs) = mpsc::channel(JOBS_MAX);
        let (failed_sender, failed) = watch::channel(None);
        let shared = Arc::new(Shared::default());
        let progress = Arc::new(Progress::default());
        let reserve = Arc::new(Reserve::new(&dir));
        let committer = Committer {
            backend: Arc::clone(&backend),
            jobs,
            shared: Arc::clone(&shared),
            progress: Arc::clone(&progress),
            reserve: Arc::clone(&reserve),
            failed: failed_sender.clone(),
            sequence: verified.sequence,
            sum: verified.sum,
            confirmed,
        };
        let place = Arc::new(Mutex::new(Some(committer)));
        let at = Arc::clone(&place);
        let thread = std::thread::Builder::new()
            .name("committer".into())
            .spawn(move || {
                // Before it writes anything there. Nobody waits for it.
                fingerprint::note(&folder);
                committer::run(&at);
            })
            .and_then(|thread| hang::start(progress, failed_sender, hang::PERIOD).map(|()| thread))
            .map_err(|source| OpenError::Io {
                what: "start the committer for",
                path: dir,
                source,
            })?;
        let waker = thread.thread().clone();
        let open = RwLock::new(Some(Open { backend, jobs: sender, place, waker }));
        let committer = Mutex::new(Some(thread));
        let Verified { quarantined, sequence: opened_at, .. } = verified;
        Ok(Store {
            inner: Arc::new(Inner {
                open,
                committer,
                shared,
                failed,
                quarantined,
                opened_at,
                sealed,
                reserve,
            }),
        })
    }
}
