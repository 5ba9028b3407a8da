//! What is said about a message: reactions, edits, revocations. Methods of their own and not
//! contents of `message.send`: they take no recipient, which follows from the message, and an
//! edit or a revocation of one that has not left changes that one instead of adding another.

use serde::{Deserialize, Serialize};

use super::{MessageId, MessageRef, Redacted};

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
