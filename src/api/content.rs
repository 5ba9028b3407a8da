//! What a message carries besides text: files, places, contacts, a link's preview.

use serde::{Deserialize, Serialize};

use super::{Kind, Redacted};

/// A file to send: exactly one of `fd`, `base64` and `url`. Never a path: the daemon
/// reads nothing for a caller that the caller may not read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FileParams {
    /// Which of the descriptors that came with this request's line (SCM_RIGHTS), from 0.
    /// A regular file is read from its beginning, anything else to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fd: Option<usize>,
    /// The content, base64 with padding; at most [`super::INLINE_FILE_BYTES_MAX`] bytes decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<Redacted<String>>,
    /// Where to fetch it, by `https`. Fetched once, at acceptance, in the background.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Redacted<String>>,
    /// Sent as: `image`, `video`, `audio`, `voice` or `document`. Without it the
    /// content decides.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The name that a document is shown under, without folders. Without it, of a file by its
    /// address: the name that the server gives, else that of the last address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Redacted<String>>,
    /// A document's MIME type. Without it the content decides; where that says only ZIP, old
    /// Office, text or nothing, the name's extension or the server does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
    /// A text under an image, video or document, at most [`super::CAPTION_CHARS_MAX`] characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<Redacted<String>>,
}

/// What is known about a message's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileInfo {
    /// Its length in bytes.
    pub bytes: u64,
    /// Its MIME type.
    pub mime: String,
    /// SHA-256 of the content, in lower-case hex.
    pub sha256: Redacted<String>,
    /// The name that it is shown under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Redacted<String>>,
}

/// A place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// Degrees north, -90 to 90.
    pub latitude: Redacted<f64>,
    /// Degrees east, -180 to 180.
    pub longitude: Redacted<f64>,
    /// What is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Redacted<String>>,
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Redacted<String>>,
}

/// A contact's card: `vcard` as it is, or one made from `name` and `phones`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ContactCard {
    /// The name that is shown.
    pub name: Redacted<String>,
    /// Numbers, each `+` and digits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phones: Vec<Redacted<String>>,
    /// A whole vCard 3.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcard: Option<Redacted<String>>,
}

/// What is shown under a text for a link in it. Nothing is fetched to make it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LinkPreview {
    /// The link, as it stands in the text.
    pub url: Redacted<String>,
    /// Its title.
    pub title: Redacted<String>,
    /// A sentence or two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Redacted<String>>,
    /// A small JPEG, base64, at most 64 KiB decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<Redacted<String>>,
}

/// Which of those that wait goes first. Within a chat and a priority, first in, first out.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Before all others.
    High,
    /// As most are.
    #[default]
    Normal,
    /// After all others.
    Low,
}

impl Priority {
    /// Every priority, the first to leave first.
    pub const ALL: [Priority; 3] = [Priority::High, Priority::Normal, Priority::Low];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Priority::High => "high",
            Priority::Normal => "normal",
            Priority::Low => "low",
        }
    }

    /// Whether it is what is meant when nothing is said.
    pub fn is_normal(&self) -> bool {
        *self == Priority::Normal
    }
}
