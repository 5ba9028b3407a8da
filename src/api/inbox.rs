//! Messages that others sent to the account.

use serde::{Deserialize, Serialize};

use super::{FeedId, FeedPlace, FileInfo, Redacted, Time};

/// Parameters of `events.subscribe`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SubscribeParams {
    /// The last number that was dealt with: every message whose last change is later is
    /// sent once, as it is now, and every incoming message that came later; then what
    /// follows. 0: everything that is kept. Without it: the live messages, then what follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// The feed that `after` is of, as the answer or a status named it. With it, `after` is
    /// refused with `feed_renewed` if this feed does not continue that one there: the state
    /// directory is a new one, was repaired, or was restored from a copy that is older. Without
    /// it, only a number is refused that this feed has not reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed: Option<FeedId>,
}

impl From<Option<FeedPlace>> for SubscribeParams {
    fn from(place: Option<FeedPlace>) -> SubscribeParams {
        SubscribeParams {
            after: place.map(|place| place.seq),
            feed: place.and_then(|place| place.feed),
        }
    }
}

/// Parameters of `inbox.list`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct InboxListParams {
    /// Only those after this cursor; without it: from the oldest kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// At most this many, [`super::INBOX_LIST_MAX`] at most and by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Answer of `inbox.list`, the oldest first. It may hold fewer than were asked for: go on
/// after the last one (or after the gap, if there is none) until that is `newest`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InboxListResult {
    /// The messages.
    pub messages: Vec<Incoming>,
    /// Messages between `after` and the first of these are kept no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<Gap>,
    /// The newest cursor given away; 0: nothing ever came.
    pub newest: u64,
}

/// Cursors, or numbers of the changes feed, whose messages are kept no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Gap {
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
}

/// Parameters of `inbox.file`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct InboxFileParams {
    /// The message's cursor.
    pub cursor: u64,
    /// Answer the content as base64, at most [`super::INLINE_FILE_BYTES_MAX`] bytes of it.
    /// Without it a descriptor of the file, open for reading, comes with the reply (SCM_RIGHTS).
    #[serde(default)]
    pub inline: bool,
}

/// Answer of `inbox.file`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InboxFileResult {
    /// What it is.
    pub file: FileInfo,
    /// The content, if it was asked for `inline`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<Redacted<String>>,
}

/// What an incoming message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum IncomingKind {
    /// A text.
    Text,
    /// A picture.
    Image,
    /// A film.
    Video,
    /// A sound file.
    Audio,
    /// A voice message.
    Voice,
    /// A file.
    Document,
    /// A sticker.
    Sticker,
    /// A place.
    Location,
    /// One contact, or several.
    Contact,
    /// An emoji to another message.
    Reaction,
    /// Something else, an edit or a revocation among them; its content is not reported.
    Other,
}

impl IncomingKind {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            IncomingKind::Text => "text",
            IncomingKind::Image => "image",
            IncomingKind::Video => "video",
            IncomingKind::Audio => "audio",
            IncomingKind::Voice => "voice",
            IncomingKind::Document => "document",
            IncomingKind::Sticker => "sticker",
            IncomingKind::Location => "location",
            IncomingKind::Contact => "contact",
            IncomingKind::Reaction => "reaction",
            IncomingKind::Other => "other",
        }
    }
}

/// A message that somebody sent to the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Incoming {
    /// Counts up by one for each message that comes in; survives restarts.
    pub cursor: u64,
    /// Its id on the network.
    pub wa_id: String,
    /// The chat's JID.
    pub chat: Redacted<String>,
    /// The sender's JID; in a person's chat the same as `chat`, or the account's own.
    pub sender: Redacted<String>,
    /// Whether it was sent from the account's own phone or another linked device.
    pub from_me: bool,
    /// The name that the sender goes by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Redacted<String>>,
    /// The sender's username, as `to` takes it: `@name`; of what the account itself wrote to a
    /// person, that person's. Absent: the network did not state one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<Redacted<String>>,
    /// When it was sent, by the server's clock.
    pub sent_at: Time,
    /// When it was stored here.
    pub received_at: Time,
    /// What it carries.
    pub kind: IncomingKind,
    /// Its text, or a file's caption, a place's or contact's name, a reaction's emoji
    /// (empty: taken back).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Redacted<String>>,
    /// Whether the text was longer than [`super::TEXT_CHARS_MAX`] characters and was cut
    /// there; absent: no.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// A place, as `geo:LATITUDE,LONGITUDE` (RFC 5870).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geo: Option<Redacted<String>>,
    /// The contact's vCard, or those of several, one after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcard: Option<Redacted<String>>,
    /// Its file, which `inbox.file` fetches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileInfo>,
    /// The id of the message that it answers, reacts to, edits or takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
}
