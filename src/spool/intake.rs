//! One file on its way into the spool: written under a temporary name, hashed, limited,
//! synced, renamed. Dropped before its end, it leaves nothing. Or only measured: hashed and
//! limited, and written nowhere.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest as _, Sha256};

use super::kind::{self, Asked, Found};
use super::tracks::Tracks;
use super::{COPY_BYTES, Limits, Spool, TakeError, Taken};
use tetherd_api::Kind;
use tetherd_core::ids::SpoolId;

/// Before a file's name until it is whole.
pub(super) const PREFIX: &str = "new-";
const FILE_MODE: u32 = 0o600;
const ID_BYTES: usize = 16;

/// How large a file may be.
#[derive(Debug)]
pub(super) enum Rule {
    /// So many bytes.
    Bytes(u64),
    /// As many as what it is sent as may have.
    Asked(Asked),
}

/// What a file is, as far as it was read: its length, its hash, its kind.
#[derive(Debug)]
pub(super) struct Measure {
    limits: Limits,
    hasher: Sha256,
    /// The first bytes, by which the kind is found.
    head: Vec<u8>,
    tracks: Tracks,
    rule: Rule,
    /// The limit, once it is known.
    limit: Option<(u64, Option<Kind>)>,
    found: Option<Found>,
    bytes: u64,
}

/// What a whole file was measured to be.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) bytes: u64,
    pub(super) sha256: [u8; 32],
    pub(super) found: Option<Found>,
}

/// A file that is being written.
#[derive(Debug)]
pub(super) struct Intake {
    spool: Spool,
    id: SpoolId,
    path: PathBuf,
    file: File,
    measure: Option<Measure>,
    /// Bytes of the quota that are reserved.
    reserved: u64,
    done: bool,
}

/// Copies a source to its end.
pub(super) fn copy(
    spool: &Spool,
    source: impl Read,
    rule: Rule,
    stopped: &AtomicBool,
) -> Result<(Taken, Option<Found>), TakeError> {
    let mut intake = Intake::begin(spool, rule)?;
    read(source, stopped, |chunk| intake.push(chunk))?;
    intake.finish()
}

/// Reads a source to its end, and keeps nothing of it.
pub(super) fn measure(
    limits: Limits,
    source: impl Read,
    rule: Rule,
    stopped: &AtomicBool,
) -> Result<Measured, TakeError> {
    let mut measure = Measure::new(limits, rule);
    read(source, stopped, |chunk| measure.push(chunk))?;
    measure.finish()
}

fn read(
    mut source: impl Read,
    stopped: &AtomicBool,
    mut push: impl FnMut(&[u8]) -> Result<(), TakeError>,
) -> Result<(), TakeError> {
    let mut chunk = vec![0; COPY_BYTES];
    loop {
        if stopped.load(Ordering::Relaxed) {
            return Err(TakeError::Stopped);
        }
        match source.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => push(chunk.get(..count).unwrap_or_default())?,
            // The source gives us the chance to see whether anybody still waits.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
                ) => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(TakeError::TooSlow);
            }
            Err(error) => return Err(TakeError::Read(error)),
        }
    }
}

impl Measure {
    fn new(limits: Limits, rule: Rule) -> Measure {
        let limit = match &rule {
            Rule::Bytes(max) => Some((*max, None)),
            Rule::Asked(_) => None,
        };
        let (hasher, head, tracks) = (Sha256::new(), Vec::new(), Tracks::default());
        Measure { limits, hasher, head, tracks, rule, limit, found: None, bytes: 0 }
    }

    fn push(&mut self, chunk: &[u8]) -> Result<(), TakeError> {
        self.bytes = self.bytes.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        if self.head.len() < kind::HEAD_BYTES {
            let missing = kind::HEAD_BYTES - self.head.len();
            self.head.extend(chunk.iter().take(missing));
        }
        self.tracks.push(chunk);
        if self.limit.is_none() && self.head.len() >= kind::HEAD_BYTES {
            self.limit = self.limit_before_tracks();
            if self.limit.is_none() {
                self.decide()?;
            }
            self.check_length(self.announced())?;
        }
        self.check_length(self.bytes)?;
        self.hasher.update(chunk);
        Ok(())
    }

    fn finish(mut self) -> Result<Measured, TakeError> {
        if self.bytes == 0 {
            return Err(TakeError::Empty);
        }
        if self.found.is_none() {
            self.decide()?;
        }
        self.check_length(self.bytes)?;
        let Measure { bytes, found, hasher, .. } = self;
        Ok(Measured { bytes, sha256: hasher.finalize().into(), found })
    }

    fn announced(&self) -> u64 {
        let Rule::Asked(Asked { bytes: Some(bytes), .. }) = &self.rule else { return 0 };
        *bytes
    }

    /// The limit of a file whose end will show what it is: the largest that it may have.
    fn limit_before_tracks(&self) -> Option<(u64, Option<Kind>)> {
        let Rule::Asked(asked) = &self.rule else { return None };
        let either = kind::depends_on_tracks(&self.head)?;
        let largest = either.into_iter().map(|kind| self.limits.of(kind)).max()?;
        Some((asked.kind.map_or(largest, |kind| self.limits.of(kind)), asked.kind))
    }

    /// What the file is sent as, and so how large it may be.
    fn decide(&mut self) -> Result<(), TakeError> {
        if let Rule::Asked(asked) = &self.rule {
            let found = kind::decide(&self.head, &self.tracks, asked)?;
            let limit = (self.limits.of(found.kind), Some(found.kind));
            self.limit = Some(limit);
            self.found = Some(found);
        }
        Ok(())
    }

    fn check_length(&self, bytes: u64) -> Result<(), TakeError> {
        match self.limit {
            Some((max, kind)) if bytes > max => Err(TakeError::TooLarge { max, kind }),
            Some(_) | None => Ok(()),
        }
    }
}

impl Intake {
    pub(super) fn begin(spool: &Spool, rule: Rule) -> Result<Intake, TakeError> {
        let mut random = [0; ID_BYTES];
        getrandom::fill(&mut random).map_err(|_| TakeError::NoRandom)?;
        let id = SpoolId(hex::encode(random));
        let path = spool.shared.folder.join(format!("{PREFIX}{}", id.0));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(&path)
            .map_err(TakeError::write)?;
        let announced = match &rule {
            Rule::Asked(Asked { bytes: Some(bytes), .. }) => (*bytes).min(spool.largest()),
            Rule::Asked(_) | Rule::Bytes(_) => 0,
        };
        let measure = Some(Measure::new(*spool.limits(), rule));
        let spool = spool.clone();
        let mut intake = Intake { spool, id, path, file, measure, reserved: 0, done: false };
        intake.reserve_up_to(announced)?;
        Ok(intake)
    }

    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<(), TakeError> {
        let measure = self.measure.as_mut().ok_or(TakeError::Broken)?;
        measure.push(chunk)?;
        let bytes = measure.bytes;
        self.reserve_up_to(bytes)?;
        self.file.write_all(chunk).map_err(TakeError::write)
    }

    pub(super) fn finish(mut self) -> Result<(Taken, Option<Found>), TakeError> {
        let measure = self.measure.take().ok_or(TakeError::Broken)?;
        let Measured { bytes, sha256, found } = measure.finish()?;
        self.file.sync_all().map_err(TakeError::write)?;
        let path = self.spool.path(&self.id);
        fs::rename(&self.path, &path).map_err(TakeError::write)?;
        self.path = path;
        self.spool.shared.handle.sync_all().map_err(TakeError::write)?;
        self.done = true;
        // A source that was announced longer than it is.
        self.spool.release(self.reserved.saturating_sub(bytes));
        let (id, spool) = (self.id.clone(), self.spool.clone());
        Ok((Taken { id, bytes, sha256, spool, kept: false }, found))
    }

    fn reserve_up_to(&mut self, bytes: u64) -> Result<(), TakeError> {
        let more = bytes.saturating_sub(self.reserved);
        if more > 0 {
            self.spool.reserve(more)?;
            self.reserved = self.reserved.saturating_add(more);
        }
        Ok(())
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        if !self.done {
            if let Err(error) = fs::remove_file(&self.path) {
                tracing::warn!(%error, "a half-made copy stays in the spool until the next start");
            }
            self.spool.release(self.reserved);
        }
    }
}
