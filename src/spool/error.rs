//! Why the spool cannot be opened, and why a file was not taken in.

use std::io;
use std::path::PathBuf;

use super::kind::BadKind;
use tetherd_api::Kind;

/// The folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {}: {source}", .path.display())]
pub struct OpenError {
    /// What was tried.
    pub what: &'static str,
    /// Where.
    pub path: PathBuf,
    /// Why not.
    pub source: io::Error,
}

/// What an [`OpenError`] says was tried when there was no folder yet.
pub(super) const CREATE: &str = "create";

impl OpenError {
    /// Whether there is no room for it.
    pub fn is_disk_full(&self) -> bool {
        is_disk_full(&self.source)
    }

    /// Whether the folder cannot be made, for another reason than room.
    pub fn is_of_creation(&self) -> bool {
        self.what == CREATE && !self.is_disk_full()
    }
}

fn is_disk_full(error: &io::Error) -> bool {
    use io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}

/// Why a file was not taken in. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// It has no content.
    #[error("the file is empty")]
    Empty,
    /// It is larger than it may be.
    #[error("the file has more than {max} bytes, the most that {} may have",
        .kind.map_or("it", of_a))]
    TooLarge {
        /// The limit, in bytes.
        max: u64,
        /// Of what.
        kind: Option<Kind>,
    },
    /// All files together would be larger than they may be.
    #[error("the files that wait already take the {quota} bytes that they may")]
    QuotaSpent {
        /// The quota, in bytes.
        quota: u64,
    },
    /// The disk is full, or nearly.
    #[error("the disk is full")]
    DiskFull,
    /// It cannot be sent as what was asked.
    #[error(transparent)]
    Kind(#[from] BadKind),
    /// The source failed.
    #[error("the file cannot be read: {0}")]
    Read(io::Error),
    /// The disk failed.
    #[error("the file cannot be written to the spool: {0}")]
    Write(io::Error),
    /// The kernel gave no random name.
    #[error("the kernel gives no random bytes")]
    NoRandom,
    /// The source takes too long.
    #[error("reading the file takes too long")]
    TooSlow,
    /// Nobody waits for it any more.
    #[error("nobody waits for the file any more")]
    Stopped,
    /// Our bug.
    #[error("the copying broke off")]
    Broken,
}

impl TakeError {
    /// A write that failed, unless the disk is full.
    pub(super) fn write(error: io::Error) -> TakeError {
        if is_disk_full(&error) { TakeError::DiskFull } else { TakeError::Write(error) }
    }
}

/// `an image`.
pub(super) fn of_a(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "a text",
        Kind::Image => "an image",
        Kind::Video => "a video",
        Kind::Audio => "an audio file",
        Kind::Voice => "a voice message",
        Kind::Document => "a document",
        Kind::Location => "a location",
        Kind::Contact => "a contact",
        Kind::Reaction => "a reaction",
        Kind::Edit => "an edit",
        Kind::Revoke => "a revocation",
    }
}
