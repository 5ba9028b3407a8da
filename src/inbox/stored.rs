//! What is kept of a message, as types of the disk's own, and under which keys.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::store::ReadError;
use crate::store::convert::{
    Convert, StoredFileInfo, is_zero, stored_enum, stored_structs, stored_text,
};
use tetherd_api::{Incoming, IncomingKind, Time};

const MESSAGE: &[u8] = b"inbox/message/";
const SEEN: &[u8] = b"inbox/seen/";
const DIGEST: &[u8] = b"inbox/digest/";

/// Names a message: an id is unique within its chat and sender only.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seen(pub(super) [u8; 32]);

impl Seen {
    /// Of the message with this id. Each part is preceded by its length, so that no two
    /// messages read the same.
    pub fn new(chat: &str, sender: &str, id: &str) -> Seen {
        let mut hasher = Sha256::new();
        for part in [chat, sender, id] {
            hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        Seen(hasher.finalize().into())
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seen(..)")
    }
}

/// A message as it comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// Its name, to know it by when it comes again.
    pub seen: Seen,
    /// What callers get. Its cursor, and when it was received, are set when it is kept.
    pub incoming: Incoming,
    /// What its file is fetched by.
    pub remote: Option<RemoteFile>,
}

/// A message as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its number in the changes feed; 0: it came before there were numbers.
    pub seq: u64,
    /// For how long the daemon had run, all its runs together; none: an older one kept it.
    pub uptime_ms: Option<u64>,
    /// What callers get.
    pub incoming: Incoming,
    /// What its file is fetched by.
    pub remote: Option<RemoteFile>,
}

/// What the key of a file is derived for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteKind {
    /// A picture.
    Image,
    /// A film.
    Video,
    /// A sound file or voice message.
    Audio,
    /// Any file.
    Document,
    /// A sticker.
    Sticker,
}

/// What a file is fetched and opened by. Secret.
#[derive(Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// What its key is derived for.
    pub kind: RemoteKind,
    /// Where it lies on the media hosts.
    pub path: String,
    /// Its key.
    pub key: Vec<u8>,
    /// SHA-256 of the content.
    pub sha256: Vec<u8>,
    /// SHA-256 of what lies on the hosts.
    pub sealed_sha256: Vec<u8>,
    /// The content's length, as the sender says.
    pub bytes: u64,
    /// The chat and the sender as the network names them, for asking the phone.
    pub chat: String,
    /// See `chat`.
    pub sender: String,
}

impl fmt::Debug for RemoteFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteFile({:?}, {} bytes)", self.kind, self.bytes)
    }
}

impl Kept {
    /// The record's value.
    pub(super) fn encode(self) -> Result<Vec<u8>, ReadError> {
        let stored: StoredKept = self.convert();
        serde_json::to_vec(&stored).map_err(|_| ReadError::Damaged)
    }

    /// Reads a record's value; none if it does not read.
    pub(super) fn decode(value: &[u8]) -> Option<Kept> {
        let stored: StoredKept = serde_json::from_slice(value).ok()?;
        Some(stored.convert())
    }
}

stored_enum!(StoredIncomingKind = IncomingKind {
    Text = "text",
    Image = "image",
    Video = "video",
    Audio = "audio",
    Voice = "voice",
    Document = "document",
    Sticker = "sticker",
    Location = "location",
    Contact = "contact",
    Reaction = "reaction",
    Other = "other",
});

stored_enum!(StoredRemoteKind = RemoteKind {
    Image = "image",
    Video = "video",
    Audio = "audio",
    Document = "document",
    Sticker = "sticker",
});

stored_text!(StoredTime = Time, |time| time.to_string(), |text| text.parse().ok());

stored_structs! {
    struct StoredKept = Kept {
        #[serde(default, skip_serializing_if = "is_zero")]
        seq: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uptime_ms: Option<u64>,
        incoming: StoredIncoming,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remote: Option<StoredRemoteFile>,
    }

    struct StoredIncoming = Incoming {
        cursor: u64,
        wa_id: String,
        chat: String,
        sender: String,
        from_me: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        username: Option<String>,
        sent_at: StoredTime,
        received_at: StoredTime,
        kind: StoredIncomingKind,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        cut: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        geo: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        vcard: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<StoredFileInfo>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply_to: Option<String>,
    }

    struct StoredRemoteFile = RemoteFile {
        kind: StoredRemoteKind,
        path: String,
        #[serde(with = "hex")]
        key: Vec<u8>,
        #[serde(with = "hex")]
        sha256: Vec<u8>,
        #[serde(with = "hex")]
        sealed_sha256: Vec<u8>,
        bytes: u64,
        chat: String,
        sender: String,
    }
}

pub(super) fn message_key(cursor: u64) -> Vec<u8> {
    [MESSAGE, &cursor.to_be_bytes()].concat()
}

pub(super) fn seen_key(seen: Seen) -> Vec<u8> {
    [SEEN, &seen.0].concat()
}

pub(super) fn digest_key(cursor: u64) -> Vec<u8> {
    [DIGEST, &cursor.to_be_bytes()].concat()
}

/// The areas whose keys end with a cursor: messages, then digests.
pub(super) const BY_CURSOR: [&[u8]; 2] = [MESSAGE, DIGEST];

/// The cursor at the end of a key.
pub(super) fn cursor_of(area: &[u8], key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.strip_prefix(area)?.try_into().ok()?))
}
