//! How a store opens: the lock, the copy where one is needed, the database and its journal, the
//! key, the inspection of every record, the committer. Refuses, and never resets.

use super::*;

impl Store {
    /// The same, with the session's secrets under a key. Those that lie there plain are
    /// encrypted first.
    pub fn open_with(dir: &Path, key: Option<SealKey>) -> Result<Store, OpenError> {
        let state = StateDir::lock(dir)?;
        let folder = state.prepare()?;
        let format = state.format()?;
        verify::check_format(format, dir)?;
        let is_whole = format == Some(u32::from(FORMAT)) && fingerprint::fits(&folder);
        let copy = format.filter(|_| !is_whole).map(|_| SafetyCopy::make(dir)).transpose()?;
        let sealed = key.is_some();
        let opened = Store::open_backend(&folder, dir, format.is_none(), key).and_then(|opened| {
            if !is_whole {
                state.settle()?;
            }
            Ok(opened)
        });
        match (copy, opened.is_ok()) {
            (Some(copy), true) => copy.discard()?,
            (Some(copy), false) => copy.restore(),
            (None, _) => {}
        }
        let (backend, verified, confirmed) = opened?;
        if format != Some(u32::from(FORMAT)) {
            state.set_format(u32::from(FORMAT))?;
        }
        fingerprint::note(&folder);
        let locked = Locked::new(backend, state);
        for record in &verified.quarantined {
            tracing::warn!(area = record.area(), damage = %record.damage, "a record is quarantined");
        }
        Store::start(Arc::new(locked), verified, confirmed, sealed, dir)
    }

    fn open_backend(
        folder: &Path,
        dir: &Path,
        is_new: bool,
        key: Option<SealKey>,
    ) -> Result<(Sealing<Journaled>, Verified, Confirmed), OpenError> {
        let backend = Sled::open(folder)
            .and_then(|database| Journaled::open(folder, database))
            .map_err(|error| verify::backend_error(dir, error))?;
        #[cfg(test)]
        fault_injection::step();
        let backend = Sealing::new(backend, key);
        let fit = verify::check_key(&backend, dir)?;
        let confirmed = Confirmed::open(folder)?;
        let known = confirmed.read();
        let verified = AssertUnwindSafe(|| verify::verify(&backend, dir, is_new, known));
        let verified = catch_unwind(verified).unwrap_or_else(|_| {
            let what = "reading it broke off".into();
            Err(OpenError::Damaged { dir: dir.to_path_buf(), what })
        })?;
        let settle = || {
            if fit == Fit::New {
                backend.seal_all()?;
            }
            // From the first start on the database itself says what it is.
            if is_new { backend.tidy(true) } else { Ok(()) }
        };
        settle().map_err(|error| verify::backend_error(dir, error))?;
        #[cfg(test)]
        fault_injection::step();
        Ok((backend, verified, confirmed))
    }

    fn start(
        backend: Arc<dyn Backend>,
        verified: Verified,
        confirmed: Confirmed,
        sealed: bool,
        dir: &Path,
    ) -> Result<Store, OpenError> {
        let (sender, jobs) = mpsc::channel(JOBS_MAX);
        let (failed_sender, failed) = watch::channel(None);
        let shared = Arc::new(Shared::default());
        let progress = Arc::new(Progress::default());
        let committer = Committer {
            backend: Arc::clone(&backend),
            jobs,
            shared: Arc::clone(&shared),
            progress: Arc::clone(&progress),
            failed: failed_sender.clone(),
            sequence: verified.sequence,
            confirmed,
        };
        let thread = std::thread::Builder::new()
            .name("committer".into())
            .spawn(move || committer.run())
            .and_then(|thread| hang::start(progress, failed_sender, hang::PERIOD).map(|()| thread))
            .map_err(|source| OpenError::Io {
                what: "start the committer for",
                path: dir.to_path_buf(),
                source,
            })?;
        let open = RwLock::new(Some(Open { backend, jobs: sender }));
        let committer = Mutex::new(Some(thread));
        let Verified { quarantined, sequence: opened_at } = verified;
        Ok(Store {
            inner: Arc::new(Inner {
                open,
                committer,
                shared,
                failed,
                quarantined,
                opened_at,
                sealed,
            }),
        })
    }
}
