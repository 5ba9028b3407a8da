//! What is kept of a message, and under which keys.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use tetherd_api::Incoming;

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
pub struct Letter {
    /// Its name, to know it by when it comes again.
    pub seen: Seen,
    /// What is told of it. Its cursor, and when it was received, are set when it is kept.
    pub incoming: Incoming,
    /// What its file is fetched by.
    pub remote: Option<RemoteFile>,
}

/// A message as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// What is told of it.
    pub incoming: Incoming,
    /// What its file is fetched by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<RemoteFile>,
}

/// What the key of a file is derived for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteFile {
    /// What its key is derived for.
    pub kind: RemoteKind,
    /// Where it lies on the media hosts.
    pub path: String,
    /// Its key.
    #[serde(with = "hex")]
    pub key: Vec<u8>,
    /// SHA-256 of the content.
    #[serde(with = "hex")]
    pub sha256: Vec<u8>,
    /// SHA-256 of what lies on the hosts.
    #[serde(with = "hex")]
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

/// Bytes as lower-case hex.
pub mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes bytes.
    pub fn encode(bytes: &[u8]) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
        bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)]).collect()
    }

    /// Reads what [`encode`] wrote; none for anything else.
    pub fn decode(text: &str) -> Option<Vec<u8>> {
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if !rest.is_empty() {
            return None;
        }
        pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
    }

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        decode(&text).ok_or_else(|| D::Error::custom("not hex"))
    }
}
