//! A file on the network's media host: what a message says about it, and why it may not
//! have got there. Plain data.

use crate::ids::SpoolId;
use tetherd_api::{FileInfo, Kind, MessageId, Redacted};

/// A file that was copied in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpooledFile {
    /// Where it lies.
    pub spool: SpoolId,
    /// What it is.
    pub info: FileInfo,
}

/// A file that has been uploaded. The media key opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaRef {
    /// Where it lies.
    pub url: Redacted<String>,
    /// The same without its host.
    pub direct_path: Redacted<String>,
    /// What it is encrypted with.
    pub media_key: Redacted<[u8; 32]>,
    /// When that was made, Unix seconds.
    pub key_made_s: i64,
    /// SHA-256 of the content.
    pub sha256: Redacted<[u8; 32]>,
    /// SHA-256 of what lies there.
    pub enc_sha256: Redacted<[u8; 32]>,
    /// The content's length in bytes.
    pub bytes: u64,
    /// What the session found in the content.
    pub seen: MediaMetadata,
    /// When it was there, wall milliseconds; given by the core.
    pub uploaded_at: i64,
}

/// What is known of a content without decoding it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MediaMetadata {
    /// A picture's width and height in pixels.
    pub pixels: Option<(u32, u32)>,
    /// A sound's length in seconds.
    pub seconds: Option<u32>,
}

/// Names one try at an upload, for as long as the daemon runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// One try at bringing a message's file to the media host.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Whose file.
    pub id: MessageId,
    /// Which try.
    pub ticket: Ticket,
    /// What it is sent as.
    pub kind: Kind,
    /// The file.
    pub file: SpooledFile,
}

/// Why a file is not on the media host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UploadFault {
    /// The session is not connected (any more): again on the next connection.
    NotConnected,
    /// Again later; `code` is the host's word, if it gave one.
    Passing {
        /// The HTTP status.
        code: Option<u32>,
    },
    /// The host takes no file of this size.
    TooLarge,
    /// The file in the spool is gone, cannot be read, or is not what it was.
    Unreadable,
}
