//! `message.send`.

use serde::{Deserialize, Serialize};

use super::*;

/// Parameters of `message.send`: one of `text`, `file`, `location` and `contact`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SendParams {
    /// `+` and digits (E.164), `@` and a username (`@name#1234`, where it demands a key of four
    /// digits, which is not shown again), a JID: a person's (`15550100@s.whatsapp.net`,
    /// `...@lid`) or a group's (`...@g.us`); or the exact name of a group, where only one is
    /// called so, by the network's last answer, also one from before a restart. What holds an `@`, begins with `+` or has no letter is never taken for a name.
    /// A person is one chat under all of their names.
    pub to: Redacted<String>,
    /// A text, at most [`TEXT_CHARS_MAX`] characters, not empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Redacted<String>>,
    /// A file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileParams>,
    /// A place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// A contact's card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactCard>,
    /// With a text: what is shown for a link in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<LinkPreview>,
    /// The message that this one answers, which is quoted: `m42` of the daemon's, or `i17` of the
    /// inbox. It must be of the same chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageRef>,
    /// Persons who are mentioned, numbers or JIDs, at most [`MENTIONS_MAX`]. The text or caption
    /// names each as `@` and the digits of the number, or what stands before the `@` of the JID.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<Redacted<String>>,
    /// Never sent after this, by the daemon's wall clock; `expired` instead, with the reason
    /// `no_answer` if an attempt before may have reached the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// Not sent before this, by the daemon's wall clock. It takes a place, and holds nothing
    /// else back; when it is due, it goes by the order in which it was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,
    /// Which of those that wait goes first: all `high` ones before any `normal` one, those
    /// before any `low` one, over all chats. None passes one of its chat that is under way.
    #[serde(default, skip_serializing_if = "Priority::is_normal")]
    pub priority: Priority,
    /// With a `key`: the newest content wins. While the key's message waits, it gets this
    /// content, in its place in the queue. If it has left or is under way, a new message follows
    /// it, or an edit of it; that one has the key from then on. The same content again changes
    /// nothing. The recipient cannot be another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace: Option<Replace>,
    /// With a text and `replace`: which occurrence of the thing it is about, as the time at which
    /// an alert began to fire; 1 to [`KEY_BYTES_MAX`] bytes. The same text with another one is
    /// no repetition. It is not shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurrence: Option<Redacted<String>>,
    /// Idempotency key: the same key with the same content answers the same message,
    /// with other content `key_conflict`, unless `replace` is given. Remembered as long as the message is readable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Redacted<String>>,
}

impl SendParams {
    /// A text to somebody.
    pub fn text(to: impl Into<String>, text: impl Into<String>) -> SendParams {
        let (to, text) = (Redacted(to.into()), Redacted(text.into()));
        SendParams { to, text: Some(text), ..SendParams::default() }
    }

    /// With an idempotency key.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> SendParams {
        self.key = Some(Redacted(key.into()));
        self
    }
}

/// Answer of `message.send`. It is given only when the message is on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SendResult {
    /// The message as it stands.
    pub message: Message,
    /// True if the key named a message that was already there.
    pub duplicate: bool,
    /// With `replace`: the message whose content this is in place of. It is the same one where it
    /// had not left, and otherwise the one before it that has had the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<MessageId>,
}
