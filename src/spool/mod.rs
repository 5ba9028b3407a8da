//! The files of messages that wait: each copied in whole, named by its [`SpoolId`], in
//! the folder `spool` of the state directory.
//!
//! Owns the folder, its quota and the largest size of each kind. A file that [`Spool`]
//! has taken is on disk under its name, synced, or not there at all. Never reads a path
//! that a caller names, and never decides whether a message still needs its file.
//!
//! - [`kind`]: what a file is, by its content, and what it can be sent as. `extension`: what a
//!   name says about it. `tracks`: whether an MP4 file is a film or a sound.
//! - [`source`]: descriptors that callers passed, read so that none can hold us up.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::shares::Shares;
use tetherd_api::{FileInfo, Kind};
use tetherd_core::ids::SpoolId;

mod error;
mod extension;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod intake;
pub mod kind;
pub mod source;
mod taken;
#[cfg(test)]
pub(crate) mod tests;
mod tracks;

pub use error::{OpenError, TakeError};
use intake::{Intake, Measured, Rule};
use kind::Found;
pub use kind::{Asked, Served};
pub use taken::{Accepted, Taken};

use tetherd_state::DISK_FREE_MIN;
/// The folder's name in the state directory.
pub use tetherd_state::SPOOL as FOLDER;
/// Bytes copied at once.
const COPY_BYTES: usize = 256 * 1024;
/// The longest that one copy may take: a pipe that never ends holds nothing for ever.
pub const COPY_TIME_MAX: Duration = Duration::from_secs(10 * 60);
/// Copies at a time. Each takes a thread, and others wait. A thread that reads from a
/// filesystem which hangs keeps its place for as long as that hangs.
const COPIES_MAX: u32 = 32;
/// Of these, one user's.
const COPIES_PER_USER_MAX: u32 = 8;

const FOLDER_MODE: u32 = 0o700;

/// How much is taken in. All in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// All files together.
    pub quota: u64,
    /// One image.
    pub image_max: u64,
    /// One video.
    pub video_max: u64,
    /// One audio file or voice message.
    pub audio_max: u64,
    /// One document.
    pub document_max: u64,
}

impl Limits {
    /// The largest file that may be sent as this.
    pub fn of(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Image => self.image_max,
            Kind::Video => self.video_max,
            Kind::Audio | Kind::Voice => self.audio_max,
            Kind::Document => self.document_max,
            Kind::Text
            | Kind::Location
            | Kind::Contact
            | Kind::Reaction
            | Kind::Edit
            | Kind::Revoke => 0,
        }
    }
}

/// The folder of files. Cheap to clone; all clones share one quota.
#[derive(Clone, Debug)]
pub struct Spool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    /// The folder itself, to sync its names.
    handle: File,
    limits: Limits,
    /// Bytes of all files, those that are being copied included.
    used: AtomicU64,
    copies: Shares,
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Files that were removed: nothing referred to them, or they were half copied.
    pub removed: usize,
    /// Files that are referred to and not there.
    pub missing: usize,
}

impl Spool {
    /// Opens the folder, and makes it first if it is missing. The state directory is
    /// locked by then. Blocks.
    pub fn open(state_dir: &Path, limits: Limits) -> Result<Spool, OpenError> {
        let folder = state_dir.join(FOLDER);
        let failed = |what: &'static str| {
            let path = folder.clone();
            move |source| OpenError { what, path, source }
        };
        match DirBuilder::new().mode(FOLDER_MODE).create(&folder) {
            Ok(()) => {
                let parent = File::open(state_dir).and_then(|dir| dir.sync_all());
                parent.map_err(failed("sync the folder of"))?;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error::CREATE)(error)),
        }
        if !fs::symlink_metadata(&folder).map_err(failed("look at"))?.is_dir() {
            return Err(failed("use")(io::ErrorKind::NotADirectory.into()));
        }
        let owner_only = fs::Permissions::from_mode(FOLDER_MODE);
        fs::set_permissions(&folder, owner_only).map_err(failed("set the mode of"))?;
        let handle = File::open(&folder).map_err(failed("open"))?;
        let mut used: u64 = 0;
        for entry in fs::read_dir(&folder).map_err(failed("read"))? {
            let meta = entry.and_then(|entry| entry.metadata()).map_err(failed("read"))?;
            used = used.saturating_add(if meta.is_file() { meta.size() } else { 0 });
        }
        let copies = Shares::new(COPIES_MAX, COPIES_PER_USER_MAX);
        let shared = Shared { folder, handle, limits, used: AtomicU64::new(used), copies };
        Ok(Spool { shared: Arc::new(shared) })
    }

    /// What may be taken in.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Bytes of all files, those that are being copied included.
    pub fn used(&self) -> u64 {
        self.shared.used.load(Ordering::Relaxed)
    }

    /// Where a file lies, whether it is there or not.
    pub fn path(&self, id: &SpoolId) -> PathBuf {
        self.shared.folder.join(&id.0)
    }

    /// Copies a file of at most this many bytes in, on a thread of its own. Stops, and
    /// leaves nothing, when this is dropped.
    pub async fn take<R>(&self, source: R, bytes_max: u64) -> Result<Taken, TakeError>
    where
        R: Read + Send + 'static,
    {
        self.copy(source, Rule::Bytes(bytes_max), 0).await.map(|(taken, _)| taken)
    }

    /// As [`Spool::take`], from a source that is read without blocking.
    pub async fn take_async<R>(&self, source: R, bytes_max: u64) -> Result<Taken, TakeError>
    where
        R: AsyncRead + Unpin + Send,
    {
        self.copy_async(source, Rule::Bytes(bytes_max)).await.map(|(taken, _)| taken)
    }

    /// Copies a user's file in that is to be sent as what was asked, or as its content says.
    /// The kind's limit holds.
    pub async fn accept<R>(&self, source: R, asked: Asked, uid: u32) -> Result<Accepted, TakeError>
    where
        R: Read + Send + 'static,
    {
        let name = asked.name.clone();
        Accepted::new(self.copy(source, Rule::Asked(asked), uid).await?, name)
    }

    /// As [`Spool::accept`], but keeps nothing: what the file would be sent as, and its
    /// description. Takes neither quota nor disk.
    pub async fn examine<R>(
        &self,
        source: R,
        asked: Asked,
        uid: u32,
    ) -> Result<(Kind, FileInfo), TakeError>
    where
        R: Read + Send + 'static,
    {
        let (limits, name) = (*self.limits(), asked.name.clone());
        let rule = Rule::Asked(asked);
        let measure = move |stopped: &AtomicBool| intake::measure(limits, source, rule, stopped);
        let Measured { bytes, sha256, found } = self.on_a_thread(uid, measure).await?;
        let Found { kind, mime } = found.ok_or(TakeError::Broken)?;
        Ok((kind, FileInfo { bytes, mime, sha256: hex::encode(sha256).into(), name }))
    }

    /// As [`Spool::accept`], from a source that is read without blocking.
    pub async fn accept_async<R>(&self, source: R, asked: Asked) -> Result<Accepted, TakeError>
    where
        R: AsyncRead + Unpin + Send,
    {
        let of_address = asked.served.as_ref().is_some_and(|served| served.name_is_of_address);
        let mut name = asked.name.clone();
        let (taken, found) = self.copy_async(source, Rule::Asked(asked)).await?;
        if let (Some(name), Some(found), true) = (&mut name, &found, of_address) {
            extension::complete(&mut name.0, &found.mime);
        }
        Accepted::new((taken, found), name)
    }

    /// Removes a file. One that is not there is no failure. Blocks for a moment.
    pub fn remove(&self, id: &SpoolId) {
        if !is_name(&id.0) {
            return;
        }
        self.unlink(&self.path(id));
    }

    /// Removes what nothing refers to, half-made copies included. Blocks. Call it before
    /// anything is taken in.
    pub fn sweep(&self, keep: impl IntoIterator<Item = SpoolId>) -> io::Result<Swept> {
        let mut missing: std::collections::HashSet<String> =
            keep.into_iter().map(|id| id.0).collect();
        let mut swept = Swept::default();
        for entry in fs::read_dir(&self.shared.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let half_made = name.strip_prefix(intake::PREFIX).is_some_and(is_name);
            if half_made || (is_name(name) && !missing.remove(name)) {
                self.unlink(&entry.path());
                swept.removed += 1;
            }
        }
        swept.missing = missing.len();
        Ok(swept)
    }

    async fn copy<R>(
        &self,
        source: R,
        rule: Rule,
        uid: u32,
    ) -> Result<(Taken, Option<Found>), TakeError>
    where
        R: Read + Send + 'static,
    {
        let spool = self.clone();
        let copy = move |stopped: &AtomicBool| intake::copy(&spool, source, rule, stopped);
        self.on_a_thread(uid, copy).await
    }

    /// Reads a user's source on a thread, within their share of the threads. The thread looks
    /// between two chunks whether anybody still waits.
    async fn on_a_thread<T: Send + 'static>(
        &self,
        uid: u32,
        work: impl FnOnce(&AtomicBool) -> Result<T, TakeError> + Send + 'static,
    ) -> Result<T, TakeError> {
        // Set however this ends.
        let stop = StopOnDrop(Arc::new(AtomicBool::new(false)));
        let (copies, stopped) = (self.shared.copies.clone(), Arc::clone(&stop.0));
        let working = async move {
            let share = copies.take(uid, 1).await;
            blocking(move || {
                let _share = share;
                work(&stopped)
            })
            .await
        };
        timeout(COPY_TIME_MAX, working).await.map_err(|_| TakeError::TooSlow)?
    }

    async fn copy_async<R>(
        &self,
        source: R,
        rule: Rule,
    ) -> Result<(Taken, Option<Found>), TakeError>
    where
        R: AsyncRead + Unpin + Send,
    {
        let copying = self.copy_chunks(source, rule);
        timeout(COPY_TIME_MAX, copying).await.map_err(|_| TakeError::TooSlow)?
    }

    async fn copy_chunks<R>(
        &self,
        mut source: R,
        rule: Rule,
    ) -> Result<(Taken, Option<Found>), TakeError>
    where
        R: AsyncRead + Unpin + Send,
    {
        let spool = self.clone();
        let mut intake = blocking(move || Intake::begin(&spool, rule)).await?;
        let mut chunk = Vec::with_capacity(COPY_BYTES);
        loop {
            chunk.clear();
            if source.read_buf(&mut chunk).await.map_err(TakeError::Read)? == 0 {
                return blocking(move || intake.finish()).await;
            }
            (intake, chunk) = blocking(move || {
                intake.push(&chunk)?;
                Ok((intake, chunk))
            })
            .await?;
        }
    }

    /// The most that any file may have.
    fn largest(&self) -> u64 {
        Kind::ALL.into_iter().map(|kind| self.limits().of(kind)).max().unwrap_or(0)
    }

    fn unlink(&self, path: &Path) {
        let bytes = fs::symlink_metadata(path).map_or(0, |meta| meta.size());
        match fs::remove_file(path) {
            // Whoever unlinks it frees its bytes: two removals free them once.
            Ok(()) => self.release(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%error, "a file cannot be removed from the spool"),
        }
    }

    /// Reserves this many bytes of the quota.
    fn reserve(&self, bytes: u64) -> Result<(), TakeError> {
        let Shared { limits, used, handle, .. } = &*self.shared;
        let fits = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= limits.quota);
        used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
            .map_err(|_| TakeError::QuotaSpent { quota: limits.quota })?;
        let free = nix::sys::statvfs::fstatvfs(handle)
            .map(|stat| stat.blocks_available().saturating_mul(stat.fragment_size()));
        if free.is_ok_and(|free| free < bytes.saturating_add(DISK_FREE_MIN)) {
            self.release(bytes);
            return Err(TakeError::DiskFull);
        }
        Ok(())
    }

    fn release(&self, bytes: u64) {
        let less = |used: u64| Some(used.saturating_sub(bytes));
        let _ = self.shared.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TakeError> + Send + 'static,
) -> Result<T, TakeError> {
    spawn_blocking(work).await.map_err(|_| TakeError::Broken)?
}

/// Whether a name in the folder is a file's.
fn is_name(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
