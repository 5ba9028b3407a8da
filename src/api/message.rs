//! A message as callers see it: where it stands, and why.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ConditionKind, FileInfo, MessageId, Priority, Redacted, Time};

/// Where a message stands. `queued -> sending -> sent -> delivered -> read`, the
/// others excepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// On disk; its file is being fetched, or its links are being looked at.
    Preparing,
    /// On disk, waiting for its turn.
    Queued,
    /// An attempt is on its way; the server has not answered yet.
    Sending,
    /// An attempt was made and the server's answer did not come. It will be resolved:
    /// by a late answer, by a receipt, or by sending again under the same WhatsApp id.
    Unknown,
    /// Cannot go, for a reason; blocks nothing, waits for `queue.retry` or `queue.cancel`.
    Parked,
    /// The server has taken it.
    Sent,
    /// A device of the recipient has it (for a group: of at least one member).
    Delivered,
    /// The recipient has seen it, as far as their settings allow to know.
    Read,
    /// Given up, with a reason.
    Failed,
    /// Its time had passed before its turn came.
    Expired,
    /// Withdrawn by `queue.cancel` or `queue.clear`.
    Cancelled,
}

impl State {
    /// Every state, in the order in which people expect them.
    pub const ALL: [State; 11] = [
        State::Preparing,
        State::Queued,
        State::Sending,
        State::Unknown,
        State::Parked,
        State::Sent,
        State::Delivered,
        State::Read,
        State::Failed,
        State::Expired,
        State::Cancelled,
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            State::Preparing => "preparing",
            State::Queued => "queued",
            State::Sending => "sending",
            State::Unknown => "unknown",
            State::Parked => "parked",
            State::Sent => "sent",
            State::Delivered => "delivered",
            State::Read => "read",
            State::Failed => "failed",
            State::Expired => "expired",
            State::Cancelled => "cancelled",
        }
    }

    /// Whether a message in this state takes one of the queue's places.
    pub const fn takes_a_place(self) -> bool {
        matches!(self, State::Preparing | State::Queued | State::Sending | State::Unknown)
    }

    /// Whether the message is still the daemon's to act on (it waits, is in flight,
    /// or is parked). The others are history.
    pub const fn is_live(self) -> bool {
        self.takes_a_place() || matches!(self, State::Parked)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why a message is parked, failed or unknown.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reason {
    /// A stable name.
    pub kind: ReasonKind,
    /// The server's code, where it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u32>,
    /// What is behind it, as a stable name: `unknown_host`, `tls`, `timeout`, ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The web address that was asked, where the reason is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Redacted<String>>,
}

impl Reason {
    /// Only its name.
    pub const fn new(kind: ReasonKind) -> Reason {
        Reason { kind, code: None, detail: None, url: None }
    }

    /// With the server's code.
    pub const fn coded(kind: ReasonKind, code: u32) -> Reason {
        Reason { kind, code: Some(code), detail: None, url: None }
    }

    /// With what is behind it.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Reason {
        self.detail = Some(detail.into());
        self
    }
}

/// The stable names of reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReasonKind {
    /// The server refused the message; `code` is its word.
    Refused,
    /// A reachout timelock stands: the server refuses messages to new contacts.
    ReachoutTimelock,
    /// The number is not on the network, or has no device to encrypt to.
    NotOnNetwork,
    /// The message could not be built or encrypted for this recipient.
    NotSendable,
    /// Several attempts went without an answer.
    NoAnswer,
    /// Another account than the one that is linked may have sent it.
    AccountChanged,
    /// It was parked, and the places for parked messages were full.
    ShelfFull,
    /// A link leads nowhere; `code` is the HTTP status, `detail` the cause.
    LinkBroken,
    /// The file cannot be read, or is not what it was.
    FileUnreadable,
    /// The file is larger than its kind may be.
    TooLarge,
    /// The media host refused the file; `code` is its word.
    UploadFailed,
    /// The server wants a privacy token of the recipient that is not here (463).
    TokenMissing,
    /// The account has begun as many new chats as it may for now (475).
    NewChatQuota,
    /// The message could be encrypted for none of the recipient's devices.
    NoDevice,
    /// Only admins of the group may send, and this account is none. Put back by itself when
    /// that changes.
    NotAdmin,
    /// The account is not in the group: it has left, was removed, or there is none such.
    NotInGroup,
    /// The network has suspended the group.
    GroupSuspended,
    /// The message that it is about was not sent.
    TargetNotSent,
}

impl ReasonKind {
    /// Every reason.
    pub const ALL: [ReasonKind; 18] = [
        ReasonKind::Refused,
        ReasonKind::ReachoutTimelock,
        ReasonKind::NotOnNetwork,
        ReasonKind::NotSendable,
        ReasonKind::NoAnswer,
        ReasonKind::ShelfFull,
        ReasonKind::LinkBroken,
        ReasonKind::FileUnreadable,
        ReasonKind::TooLarge,
        ReasonKind::UploadFailed,
        ReasonKind::AccountChanged,
        ReasonKind::TokenMissing,
        ReasonKind::NewChatQuota,
        ReasonKind::NoDevice,
        ReasonKind::NotAdmin,
        ReasonKind::NotInGroup,
        ReasonKind::GroupSuspended,
        ReasonKind::TargetNotSent,
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            ReasonKind::Refused => "refused",
            ReasonKind::ReachoutTimelock => "reachout_timelock",
            ReasonKind::NotOnNetwork => "not_on_network",
            ReasonKind::NotSendable => "not_sendable",
            ReasonKind::NoAnswer => "no_answer",
            ReasonKind::AccountChanged => "account_changed",
            ReasonKind::ShelfFull => "shelf_full",
            ReasonKind::LinkBroken => "link_broken",
            ReasonKind::FileUnreadable => "file_unreadable",
            ReasonKind::TooLarge => "too_large",
            ReasonKind::UploadFailed => "upload_failed",
            ReasonKind::TokenMissing => "token_missing",
            ReasonKind::NewChatQuota => "new_chat_quota",
            ReasonKind::NoDevice => "no_device",
            ReasonKind::NotAdmin => "not_admin",
            ReasonKind::NotInGroup => "not_in_group",
            ReasonKind::GroupSuspended => "group_suspended",
            ReasonKind::TargetNotSent => "target_not_sent",
        }
    }
}

/// One message, as `message.get`, `queue.list` and events report it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Message {
    /// The daemon's id.
    pub id: MessageId,
    /// Its id on the network, given at acceptance, kept for life.
    pub wa_id: String,
    /// The chat's JID, or `@` and a username, normalised.
    pub to: Redacted<String>,
    /// The JID that it is sent to instead, as the network has another address for the number,
    /// or for a username its LID; from the first attempt on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Redacted<String>>,
    /// Where it stands.
    pub state: State,
    /// Why it is parked, failed or unknown. With `expired`: `no_answer`, if an attempt may
    /// have reached the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The caller's idempotency key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Redacted<String>>,
    /// What kind of message.
    pub kind: Kind,
    /// The message that it answers, reacts to, edits or takes back: `m42` of the daemon's, or the
    /// id on the network of an incoming one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// Its file, once it is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileInfo>,
    /// Which of those that wait goes first; absent: `normal`.
    #[serde(default, skip_serializing_if = "Priority::is_normal")]
    pub priority: Priority,
    /// Not sent before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,
    /// Never sent after this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// Until when `queue.restore` brings it back; only while `cancelled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_until: Option<Time>,
    /// The whole text; in `message.get` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Redacted<String>>,
    /// The text's beginning, at most [`super::PREVIEW_CHARS_MAX`] characters.
    pub preview: Redacted<String>,
    /// The text's length in Unicode scalar values.
    pub chars: usize,
    /// Attempts made so far.
    pub attempts: u32,
    /// When it was accepted.
    pub accepted_at: Time,
    /// When it last changed its state.
    pub changed_at: Time,
    /// When the server took it, by the daemon's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Time>,
    /// When a recipient's device had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Time>,
    /// When the recipient saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<Time>,
    /// Its place in the queue, counted from 1; only while `queued`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
    /// When it is expected to leave: its turn at the pace, and not before what holds it
    /// ends. Only while `queued`, and absent while nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_at: Option<Time>,
    /// The condition that holds it, beyond the pace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_by: Option<ConditionKind>,
    /// The message of its chat that has to leave before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<MessageId>,
}

impl Message {
    /// Without its text, and without what changes while it waits and is no event of its own: its
    /// place, what holds it, and when it is expected to leave.
    pub fn without_forecast(&self) -> Message {
        Message {
            position: None,
            expected_at: None,
            held_by: None,
            after: None,
            text: None,
            ..self.clone()
        }
    }
}

/// What a message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
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
    /// A place.
    Location,
    /// A contact's card.
    Contact,
    /// An emoji to another message.
    Reaction,
    /// Another text for a message that was sent.
    Edit,
    /// Takes a message back that was sent.
    Revoke,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 11] = [
        Kind::Text,
        Kind::Image,
        Kind::Video,
        Kind::Audio,
        Kind::Voice,
        Kind::Document,
        Kind::Location,
        Kind::Contact,
        Kind::Reaction,
        Kind::Edit,
        Kind::Revoke,
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Image => "image",
            Kind::Video => "video",
            Kind::Audio => "audio",
            Kind::Voice => "voice",
            Kind::Document => "document",
            Kind::Location => "location",
            Kind::Contact => "contact",
            Kind::Reaction => "reaction",
            Kind::Edit => "edit",
            Kind::Revoke => "revoke",
        }
    }

    /// Whether such a message is nothing but something about another one.
    pub const fn is_about(self) -> bool {
        matches!(self, Kind::Reaction | Kind::Edit | Kind::Revoke)
    }

    /// Whether such a message has a file.
    pub const fn has_file(self) -> bool {
        matches!(self, Kind::Image | Kind::Video | Kind::Audio | Kind::Voice | Kind::Document)
    }
}
