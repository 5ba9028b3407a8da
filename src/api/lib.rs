//! The wire contract: methods, parameters, results, events and error codes.
//!
#![doc = include_str!("intro.md")]
//!
//! ## For writers of clients
//!
//! Two requests of one connection, each with its reply, and an event:
//!
//! ```json
//! {"jsonrpc":"2.0","id":1,"method":"message.send","params":{"to":"+15550100","text":"hello"}}
//! {"jsonrpc":"2.0","id":1,"result":{"message":{"id":"m1","state":"queued"},"duplicate":false}}
//! {"jsonrpc":"2.0","id":2,"method":"message.get","params":{"id":"m9"}}
//! {"jsonrpc":"2.0","id":2,"error":{"code":1003,"message":"there is no message m9","data":{"kind":"not_found"}}}
//! {"jsonrpc":"2.0","method":"event","params":{"event":"snapshot_end","seq":19,"at":"2026-01-31T08:30:00.434Z"}}
//! ```
//!
//! [`Method`] lists the methods, each with its [`Tier`], its parameters, its result and its
//! errors; `rpc.discover` answers the same as an OpenRPC document ([`OPENRPC`]), from which
//! client code can be made. [`Event`] lists the events, [`ErrorKind`] the errors.
//!
//! ## In this crate
//!
//! What callers read is made from here: the doc comments of these types are the words of
//! `openrpc.json` ([`OPENRPC`]) and of tetherd-rpc(7). They are written for people who do
//! not read Rust.
//!
//! - [`Method`], [`Call`], [`Reply`]: the method table.
//! - [`framing`]: bytes to lines, bounded. [`fds`]: descriptors passed with lines.
//! - [`frame`]: lines to JSON-RPC 2.0 messages, and back.
//! - [`client`]: the calling side.
//! - [`state_replica`]: a subscription's events, folded into one picture.
//! - [`mod@exit`]: the exit codes of the programs.
//!
//! Nothing here knows the daemon. Times are RFC 3339 in UTC, durations carry their
//! unit in the name, identifiers are strings.

use serde::{Deserialize, Serialize};

pub mod activation;
mod amend;
pub mod client;
mod condition;
mod content;
mod error;
mod event;
pub mod exit;
pub mod fds;
mod feed;
pub mod frame;
pub mod framing;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod group;
mod ids;
mod inbox;
mod limits;
mod message;
mod method_table;
pub mod number;
mod params;
mod passkey;
mod phone;
mod redacted;
#[cfg(feature = "schema")]
mod schema;
mod send;
pub mod state_replica;
mod status;
mod suggest;
#[cfg(test)]
mod tests;

pub use amend::{EditParams, ReactParams, ReadParams, ReadResult, Replace, RevokeParams};
pub use condition::{Affected, Condition, ConditionKind, Evidence, Holds};
pub use content::{ContactCard, FileInfo, FileParams, LinkPreview, Location, Priority};
pub use error::{Error, ErrorData, ErrorKind, ErrorPlace};
pub use event::{
    Event, EventFrame, GapOf, PairEnd, PairOffer, PairParams, PairResult, SubscribeResult,
};
pub use feed::{FeedId, FeedPlace, NotAFeedId, NotAFeedPlace};
pub use group::{Group, GroupListParams, GroupListResult};
pub use ids::{MessageId, MessageRef, NotAMessageId, NotAMessageRef, NotATime, Time};
pub use inbox::{
    Gap, InboxFileParams, InboxFileResult, InboxListParams, InboxListResult, Incoming,
    IncomingKind, SubscribeParams,
};
pub use limits::*;
pub use message::{Kind, Message, Reason, ReasonKind, State};
#[cfg(feature = "schema")]
pub use method_table::SignatureVisitor;
pub use method_table::{Call, Method, Reply, Signature, Tier, call};
pub use passkey::{
    PASSKEY_PAGE, PairFailure, PasskeyConfirmParams, PasskeyParams, passkey_snippet,
};
pub use phone::{
    BatteryLevel, BatteryStatus, CheckParams, CheckResult, CheckedNumber, HeartbeatParams,
    PhoneState, PhoneStatus, Presence,
};
pub use redacted::Redacted;
pub use send::{SendParams, SendResult};
pub use status::{
    Explanation, PacingStatus, QueueStatus, SessionState, SessionStatus, Status, StoreStatus,
    Version,
};

/// The contract's version, as answered by `version`. Grows when something is added.
pub const PROTOCOL_VERSION: u32 = 1;

/// The contract as an OpenRPC document, as `rpc.discover` answers it.
pub const OPENRPC: &str = include_str!("openrpc.json");

/// Parameters of a method that takes none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

/// Parameters of `message.get`: exactly one of the three.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GetParams {
    /// By the daemon's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<MessageId>,
    /// By the network's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wa_id: Option<String>,
    /// By the caller's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Redacted<String>>,
}

/// Selects messages; all given conditions must hold. An empty filter selects all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// In one of these states.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<State>,
    /// To this recipient, written as in `message.send`; a person's messages are found under
    /// each of the names that are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Redacted<String>>,
    /// With this reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<ReasonKind>,
    /// Accepted at least this many seconds ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_than_s: Option<u64>,
    /// With a key that begins so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_prefix: Option<Redacted<String>>,
    /// One of these ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<MessageId>,
}

impl Filter {
    /// Whether the filter selects everything.
    pub fn is_empty(&self) -> bool {
        *self == Filter::default()
    }
}

/// Parameters of `queue.list`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListParams {
    /// Which messages; without states, the live ones (preparing, queued, sending,
    /// unknown, parked).
    #[serde(default)]
    pub filter: Filter,
    /// Only messages after this id, for paging.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<MessageId>,
    /// At most this many, [`LIST_ENTRIES_MAX`] at most and by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Answer of `queue.list`, in the order of acceptance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ListResult {
    /// The messages, without their whole texts.
    pub messages: Vec<Message>,
    /// How many match in all, whatever the limit.
    pub total: usize,
    /// Give this as `after` to go on; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<MessageId>,
}

/// Parameters of `queue.clear`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ClearParams {
    /// Which messages. Without states: `preparing`, `queued` and `parked`.
    #[serde(default)]
    pub filter: Filter,
    /// Count and show, change nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// Answer of `queue.clear`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClearResult {
    /// Messages cancelled; with `dry_run`, those that would be.
    pub cleared: usize,
    /// Messages that match and are already on their way: they cannot be taken back.
    pub in_flight: Vec<MessageId>,
    /// The beginnings of the first [`CLEAR_EXAMPLES_MAX`] texts.
    pub examples: Vec<ClearExample>,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Until when `queue.restore` brings them back; absent if nothing was cleared, or
    /// nothing can be brought back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_until: Option<Time>,
}

/// One message that was cleared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClearExample {
    /// Its id.
    pub id: MessageId,
    /// Its chat.
    pub to: Redacted<String>,
    /// The beginning of its text.
    pub preview: Redacted<String>,
}

/// Parameters of `queue.cancel`: `ids`, a `filter`, or both; never neither.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CancelParams {
    /// Which messages, at most [`IDS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<MessageId>,
    /// Which messages; those of `ids` that match, if both are given.
    #[serde(default, skip_serializing_if = "Filter::is_empty")]
    pub filter: Filter,
    /// Say what would be, change nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// Answer of `queue.cancel`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CancelResult {
    /// Withdrawn.
    pub cancelled: Vec<MessageId>,
    /// Not withdrawn, each with where it stands: already on its way, or finished.
    pub not_cancelled: Vec<NotCancelled>,
    /// Unknown ids.
    pub not_found: Vec<MessageId>,
    /// Whether nothing was changed.
    #[serde(default)]
    pub dry_run: bool,
    /// Until when `queue.restore` brings them back; absent if nothing was cancelled, or
    /// nothing can be brought back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_until: Option<Time>,
}

/// Parameters of `queue.retry`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RetryParams {
    /// Which messages. Only `parked` ones are put back; without a filter, all of them.
    #[serde(default)]
    pub filter: Filter,
    /// Send those that are parked for a link in their text in spite of it: their links are
    /// not checked again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anyway: bool,
    /// Say what would be, change nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// Answer of `queue.retry`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RetryResult {
    /// Back in the queue, at its end, under their old ids.
    pub requeued: Vec<MessageId>,
    /// Left parked because the queue has no place for them.
    pub no_place: Vec<MessageId>,
    /// Whether nothing was changed.
    #[serde(default)]
    pub dry_run: bool,
}

/// Parameters of `queue.restore`: takes back `queue.clear` and `queue.cancel`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RestoreParams {
    /// Which messages, of those whose time to be restored has not run out; without a
    /// filter, all of them. `states` and `reason` are those that they were withdrawn in.
    #[serde(default)]
    pub filter: Filter,
    /// Say what would be, change nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// Answer of `queue.restore`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RestoreResult {
    /// Back where they were: in their old order, or parked.
    pub restored: Vec<MessageId>,
    /// Left withdrawn because the queue has no place for them.
    pub no_place: Vec<MessageId>,
    /// Whether nothing was changed.
    #[serde(default)]
    pub dry_run: bool,
}

/// A message that `queue.cancel` left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NotCancelled {
    /// Its id.
    pub id: MessageId,
    /// Where it stands.
    pub state: State,
}
