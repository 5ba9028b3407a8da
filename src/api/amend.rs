//! What is said about a message: reactions, edits, revocations. Methods of their own and not
//! contents of `message.send`: they take no recipient, which follows from the message, and an
//! edit or a revocation of one that has not left changes that one instead of adding another.

use serde::{Deserialize, Serialize};

use super::{MessageId, MessageRef, Redacted};

/// What becomes of a key's message that has left, when `message.send` replaces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Replace {
    /// A new message is sent, and has the key from then on: the recipient is notified again.
    New,
    /// A text is edited, as by `message.edit`; where that is no longer possible, as `new`. An edit
    /// that waits until then is sent as a text of its own.
    Edit,
}

impl Replace {
    /// Every value.
    pub const ALL: [Replace; 2] = [Replace::New, Replace::Edit];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Replace::New => "new",
            Replace::Edit => "edit",
        }
    }
}

/// Parameters of `message.read`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReadParams {
    /// The cursors of incoming messages, 1 to [`super::INBOX_LIST_MAX`]. All of them are marked,
    /// or none where one is unknown.
    pub cursors: Vec<u64>,
}

/// Answer of `message.read`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReadResult {
    /// How many were marked; those that the account itself sent are not.
    pub read: usize,
}

/// Parameters of `message.react`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReactParams {
    /// The message: `m42` of the daemon's, or `i17` of the inbox.
    pub message: MessageRef,
    /// One emoji; empty takes an earlier reaction back.
    pub emoji: Redacted<String>,
    /// Idempotency key, as of `message.send`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Redacted<String>>,
}

/// Parameters of `message.edit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EditParams {
    /// The text that is to be another one.
    pub id: MessageId,
    /// What it is to say, at most [`super::TEXT_CHARS_MAX`] characters, not empty.
    pub text: Redacted<String>,
    /// Idempotency key, as of `message.send`, of the edit where it becomes a message of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Redacted<String>>,
}

/// Parameters of `message.revoke`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RevokeParams {
    /// The message to take back.
    pub id: MessageId,
    /// Idempotency key, as of `message.send`, of the revocation where it becomes a message of its
    /// own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Redacted<String>>,
}
