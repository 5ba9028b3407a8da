//! The wire contract: methods, parameters, results, events and error codes.
//!
//! JSON-RPC 2.0, one JSON object a line, on a Unix socket. Additive only: a field
//! or an event may join, none changes its meaning. Clients ignore fields that they
//! do not know; the daemon refuses *parameters* that it does not know, because a
//! misspelt filter must not clear a whole queue.
//!
//! Nothing here knows the daemon. Times are RFC 3339 in UTC, durations carry their
//! unit in the name, identifiers are strings.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The contract's version, as answered by `version`. Grows when something is added.
pub const PROTOCOL_VERSION: u32 = 1;

/// Longest text of a message, in Unicode scalar values.
pub const TEXT_CHARS_MAX: usize = 65_536;

/// Longest line in either direction, in bytes, its newline included.
///
/// A text of [`TEXT_CHARS_MAX`] characters takes twelve bytes a character when a
/// client escapes everything outside ASCII as surrogate pairs, as Python does.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;

const _: () = assert!(TEXT_CHARS_MAX * 12 + 64 * 1024 <= FRAME_BYTES_MAX);

/// Deepest nesting of a request's JSON.
pub const JSON_DEPTH_MAX: usize = 32;
/// Longest idempotency key, in bytes.
pub const KEY_BYTES_MAX: usize = 128;
/// Most messages that one `queue.list` answers.
pub const LIST_ENTRIES_MAX: usize = 400;
/// Most texts that `queue.clear` answers as examples.
pub const CLEAR_EXAMPLES_MAX: usize = 100;
/// Most ids in one request.
pub const IDS_MAX: usize = 1_000;
/// Longest preview of a text in lists, events and examples, in characters.
pub const PREVIEW_CHARS_MAX: usize = 80;

/// A point in time: RFC 3339, UTC, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(
    /// Milliseconds since the Unix epoch.
    pub i64,
);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => f.write_str("9999-12-30T22:00:00.000Z"),
        }
    }
}

impl FromStr for Time {
    type Err = jiff::Error;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<jiff::Timestamp>().map(|time| Time(time.as_millisecond()))
    }
}

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The daemon's own name of a message: `m1`, `m2`, ... in order of acceptance.
/// Never reused within a state directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(
    /// Counts from 1.
    pub u64,
);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}", self.0)
    }
}

/// A text that is not a message id.
#[derive(Debug, thiserror::Error)]
#[error("a message id looks like m42")]
pub struct NotAMessageId;

impl FromStr for MessageId {
    type Err = NotAMessageId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('m').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NotAMessageId);
        }
        digits.parse().map(MessageId).map_err(|_| NotAMessageId)
    }
}

impl Serialize for MessageId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MessageId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Where a message stands. `queued -> sending -> sent -> delivered -> read`, the
/// others aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// On disk, waiting for its turn.
    Queued,
    /// An attempt is on its way; the server has not answered yet.
    Sending,
    /// An attempt was made and the server's answer did not come. It will be resolved:
    /// by a late answer, by a receipt, or by sending again under the same WhatsApp id.
    Unknown,
    /// Set aside with a reason; blocks nothing, waits for `queue.retry` or `queue.cancel`.
    Parked,
    /// The server has taken it.
    Sent,
    /// A device of the recipient has it (for a group: of at least one member).
    Delivered,
    /// The recipient has seen it, as far as their settings tell.
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
    pub const ALL: [State; 10] = [
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
        matches!(self, State::Queued | State::Sending | State::Unknown)
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
pub struct Reason {
    /// A stable name.
    pub kind: ReasonKind,
    /// The server's code, where it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u32>,
}

/// The stable names of reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasonKind {
    /// The server refused the message; `code` is its word.
    Refused,
    /// The server refused a message to a new contact (463), or a reachout timelock stands.
    ReachoutTimelock,
    /// The number is not on the network, or has no device to encrypt to.
    NotOnNetwork,
    /// The message could not be built or encrypted for this recipient.
    NotSendable,
    /// Several attempts went without an answer.
    NoAnswer,
    /// Set aside because the shelf of parked messages was full.
    ShelfFull,
}

impl ReasonKind {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            ReasonKind::Refused => "refused",
            ReasonKind::ReachoutTimelock => "reachout_timelock",
            ReasonKind::NotOnNetwork => "not_on_network",
            ReasonKind::NotSendable => "not_sendable",
            ReasonKind::NoAnswer => "no_answer",
            ReasonKind::ShelfFull => "shelf_full",
        }
    }
}

/// One message, as `message.get`, `queue.list` and events tell it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Our id.
    pub id: MessageId,
    /// Its id on the network, given at acceptance, kept for life.
    pub wa_id: String,
    /// The chat's JID, normalised.
    pub to: String,
    /// Where it stands.
    pub state: State,
    /// Why it is parked, failed or unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The caller's idempotency key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What kind of message. `text` today.
    pub kind: Kind,
    /// The whole text; in `message.get` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The text's beginning, at most [`PREVIEW_CHARS_MAX`] characters.
    pub preview: String,
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
    /// When its turn is expected; only while `queued`, and only while nothing but the
    /// pacer holds the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_at: Option<Time>,
}

/// What a message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A text.
    Text,
}

/// One thing that holds the queue. Holds are independent of each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Its stable name.
    pub kind: HoldKind,
    /// Since when.
    pub since: Time,
    /// When it ends by itself, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// Why, in a sentence.
    pub why: String,
    /// What happens by itself, or what to type.
    pub remedy: String,
}

/// The stable names of holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldKind {
    /// No phone is paired.
    NotPaired,
    /// Logged out from the phone, or by the server.
    LoggedOut,
    /// The server put the account under a temporary ban.
    #[serde(rename = "banned_until")]
    Banned,
    /// The server refuses this client version.
    ClientOutdated,
    /// Another WhatsApp Web session took over.
    Conflict,
    /// No connection right now; it is being made.
    Disconnected,
    /// Somebody paused the queue.
    Paused,
    /// The window is spent.
    Pacing,
}

impl HoldKind {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            HoldKind::NotPaired => "not_paired",
            HoldKind::LoggedOut => "logged_out",
            HoldKind::Banned => "banned_until",
            HoldKind::ClientOutdated => "client_outdated",
            HoldKind::Conflict => "conflict",
            HoldKind::Disconnected => "disconnected",
            HoldKind::Paused => "paused",
            HoldKind::Pacing => "pacing",
        }
    }
}

/// Where the session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// No phone is paired, and no pairing runs.
    NotPaired,
    /// A pairing runs.
    Pairing,
    /// A connection is being made.
    Connecting,
    /// Logged in: messages can leave.
    Connected,
    /// Waiting before the next try.
    Waiting,
    /// Another session took over.
    Replaced,
    /// Logged out.
    LoggedOut,
    /// Banned for a time.
    Banned,
    /// This client's version is refused.
    Outdated,
}

impl SessionState {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            SessionState::NotPaired => "not_paired",
            SessionState::Pairing => "pairing",
            SessionState::Connecting => "connecting",
            SessionState::Connected => "connected",
            SessionState::Waiting => "waiting",
            SessionState::Replaced => "replaced",
            SessionState::LoggedOut => "logged_out",
            SessionState::Banned => "banned",
            SessionState::Outdated => "outdated",
        }
    }
}

/// The session's part of `status`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStatus {
    /// Where it stands.
    pub state: SessionState,
    /// Since when.
    pub since: Time,
    /// The paired account's JID, without its device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Why the last connection ended, or why the session stands still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// When the next try is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try_at: Option<Time>,
    /// Connections since the daemon started.
    pub connections: u64,
    /// How often another session took over since the daemon started.
    pub replaced: u64,
}

/// The queue's part of `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueStatus {
    /// Places in all.
    pub capacity: usize,
    /// Places left.
    pub free: usize,
    /// Waiting.
    pub queued: usize,
    /// On their way.
    pub sending: usize,
    /// Without an answer.
    pub unknown: usize,
    /// Set aside.
    pub parked: usize,
    /// Finished messages that are still readable.
    pub history: usize,
    /// Whether somebody paused the queue.
    pub paused: bool,
    /// When the next message leaves, if nothing but the pacer holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_send_at: Option<Time>,
    /// When the last waiting message will have left at this pace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_send_at: Option<Time>,
}

/// The pacer's part of `status`: at most `limit` attempts in any `window_ms`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacingStatus {
    /// Attempts allowed in one window.
    pub limit: usize,
    /// The window's length, in milliseconds.
    pub window_ms: u64,
    /// Slots spent in the window that ends now.
    pub spent: usize,
    /// When the oldest spent slot becomes free, if all are spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_slot_at: Option<Time>,
}

/// Answer of `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// When the daemon started.
    pub started_at: Time,
    /// The session.
    pub session: SessionStatus,
    /// The queue.
    pub queue: QueueStatus,
    /// The pacer.
    pub pacing: PacingStatus,
    /// What holds the queue, the weightiest first; empty when nothing does.
    pub holds: Vec<Hold>,
}

/// Answer of `explain`: why messages wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// One sentence.
    pub summary: String,
    /// What holds the queue, the weightiest first.
    pub holds: Vec<Hold>,
    /// Messages waiting or in flight.
    pub waiting: usize,
    /// When the next message leaves; absent while a hold without an end stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_send_at: Option<Time>,
    /// When the last one will have left at this pace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_send_at: Option<Time>,
}

/// Answer of `version`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// `tetherd`.
    pub name: String,
    /// The daemon's version.
    pub version: String,
    /// The contract's version.
    pub protocol: u32,
    /// Whether this is a build with the simulator, which connects to loopback only.
    pub sim: bool,
}

/// Parameters of a method that takes none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

/// Parameters of `message.send`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendParams {
    /// `+` and digits (E.164), or a JID: `…@s.whatsapp.net`, `…@lid`, `…@g.us`.
    pub to: String,
    /// The text, at most [`TEXT_CHARS_MAX`] characters, not empty.
    pub text: String,
    /// Idempotency key: the same key with the same content answers the same message,
    /// with other content `key_conflict`. Remembered as long as the message is readable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Answer of `message.send`. It is given only when the message is on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendResult {
    /// The message as it stands.
    pub message: Message,
    /// True if the key named a message that was already there.
    pub duplicate: bool,
}

/// Parameters of `message.get`: exactly one of the three.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GetParams {
    /// By our id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<MessageId>,
    /// By the network's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wa_id: Option<String>,
    /// By the caller's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Selects messages; all given conditions must hold. An empty filter selects all.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// In one of these states.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<State>,
    /// To this recipient, written as in `message.send`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// With this reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<ReasonKind>,
    /// Accepted at least this many seconds ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_than_s: Option<u64>,
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
#[serde(deny_unknown_fields)]
pub struct ListParams {
    /// Which messages; without states, the live ones (queued, sending, unknown, parked).
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
#[serde(deny_unknown_fields)]
pub struct ClearParams {
    /// Which messages. Without states: `queued` and `parked`.
    #[serde(default)]
    pub filter: Filter,
    /// Count and show, change nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// Answer of `queue.clear`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClearResult {
    /// Messages cancelled; with `dry_run`, those that would be.
    pub cleared: usize,
    /// Messages that match and are already on their way: they cannot be taken back.
    pub in_flight: Vec<MessageId>,
    /// The beginnings of the first [`CLEAR_EXAMPLES_MAX`] texts.
    pub examples: Vec<ClearExample>,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// One message that was cleared.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClearExample {
    /// Its id.
    pub id: MessageId,
    /// Its chat.
    pub to: String,
    /// The beginning of its text.
    pub preview: String,
}

/// Parameters of `queue.cancel`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancelParams {
    /// Which messages: 1 to [`IDS_MAX`].
    pub ids: Vec<MessageId>,
}

/// Answer of `queue.cancel`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelResult {
    /// Withdrawn.
    pub cancelled: Vec<MessageId>,
    /// Not withdrawn, each with where it stands: already on its way, or finished.
    pub not_cancelled: Vec<NotCancelled>,
    /// Unknown ids.
    pub not_found: Vec<MessageId>,
}

/// Parameters of `queue.retry`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryParams {
    /// Which messages. Only `parked` ones are put back; without a filter, all of them.
    #[serde(default)]
    pub filter: Filter,
}

/// Answer of `queue.retry`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryResult {
    /// Back in the queue, at its end, under their old ids.
    pub requeued: Vec<MessageId>,
    /// Left parked because the queue has no place for them.
    pub no_place: Vec<MessageId>,
}

/// A message that `queue.cancel` left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotCancelled {
    /// Its id.
    pub id: MessageId,
    /// Where it stands.
    pub state: State,
}

/// Parameters of `session.pair`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairParams {
    /// With a number (`+` and digits): pair by a code typed on that phone. Without: by QR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

/// Answer of `session.pair`: the first code. Later ones come as `pairing` events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairResult {
    /// What to scan or to type.
    pub offer: PairOffer,
}

/// What the phone is shown, or what its owner types.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum PairOffer {
    /// Draw `qr` as a QR code and scan it.
    Qr {
        /// The code's content.
        qr: String,
        /// When it is replaced.
        expires_at: Time,
    },
    /// Type `code` on the phone (Linked devices, link with phone number).
    Code {
        /// Eight characters.
        code: String,
        /// When it is no longer taken.
        expires_at: Time,
    },
}

impl fmt::Debug for PairOffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PairOffer::Qr { .. } => "Qr(..)",
            PairOffer::Code { .. } => "Code(..)",
        })
    }
}

/// Answer of `events.subscribe`. The events follow it on the same connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscribeResult {}

/// A notification of `events.subscribe`: method `event`, this as its parameters.
///
/// A subscriber first gets `status`, a `message` for each live message, and
/// `snapshot_end`; then changes. [`crate::rpc::view::View`] folds both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventFrame {
    /// Counts up by one for each change; all of one snapshot carry the same number.
    pub seq: u64,
    /// When it happened.
    pub at: Time,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The status, whole.
    Status {
        /// As `status` answers it.
        status: Box<Status>,
    },
    /// A message was accepted, or changed.
    Message {
        /// As it stands now, without its whole text.
        message: Box<Message>,
    },
    /// The snapshot is complete; what follows are changes.
    SnapshotEnd {},
    /// Pairing goes on. Only subscribers of the admin tier see `offer`.
    Pairing {
        /// The next code, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        offer: Option<PairOffer>,
        /// How it ended, once it has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ended: Option<PairEnd>,
    },
    /// The subscriber read too slowly and missed events; the connection closes.
    Lagged {},
}

/// How a pairing ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum PairEnd {
    /// Paired.
    Paired {
        /// The account's JID.
        account: String,
    },
    /// Nobody scanned or typed in time.
    TimedOut {},
    /// Refused, or broken off.
    Failed {
        /// Why.
        why: String,
    },
}

/// Who may call a method. Each tier includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Look.
    Read,
    /// Also send.
    Send,
    /// Everything.
    Admin,
}

impl Tier {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Tier::Read => "read",
            Tier::Send => "send",
            Tier::Admin => "admin",
        }
    }
}

/// A method of the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// `version`.
    Version,
    /// `status`.
    Status,
    /// `explain`.
    Explain,
    /// `message.send`.
    MessageSend,
    /// `message.get`.
    MessageGet,
    /// `queue.list`.
    QueueList,
    /// `queue.clear`.
    QueueClear,
    /// `queue.cancel`.
    QueueCancel,
    /// `queue.pause`.
    QueuePause,
    /// `queue.resume`.
    QueueResume,
    /// `queue.retry`.
    QueueRetry,
    /// `session.pair`.
    SessionPair,
    /// `session.reconnect`.
    SessionReconnect,
    /// `session.takeover`.
    SessionTakeover,
    /// `session.logout`.
    SessionLogout,
    /// `events.subscribe`.
    EventsSubscribe,
}

impl Method {
    /// Every method.
    pub const ALL: [Method; 16] = [
        Method::Version,
        Method::Status,
        Method::Explain,
        Method::MessageSend,
        Method::MessageGet,
        Method::QueueList,
        Method::QueueClear,
        Method::QueueCancel,
        Method::QueuePause,
        Method::QueueResume,
        Method::QueueRetry,
        Method::SessionPair,
        Method::SessionReconnect,
        Method::SessionTakeover,
        Method::SessionLogout,
        Method::EventsSubscribe,
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Method::Version => "version",
            Method::Status => "status",
            Method::Explain => "explain",
            Method::MessageSend => "message.send",
            Method::MessageGet => "message.get",
            Method::QueueList => "queue.list",
            Method::QueueClear => "queue.clear",
            Method::QueueCancel => "queue.cancel",
            Method::QueuePause => "queue.pause",
            Method::QueueResume => "queue.resume",
            Method::QueueRetry => "queue.retry",
            Method::SessionPair => "session.pair",
            Method::SessionReconnect => "session.reconnect",
            Method::SessionTakeover => "session.takeover",
            Method::SessionLogout => "session.logout",
            Method::EventsSubscribe => "events.subscribe",
        }
    }

    /// The old service's name, where it had one.
    pub const fn alias(self) -> Option<&'static str> {
        match self {
            Method::MessageSend => Some("sendMessage"),
            Method::QueueList => Some("showMessagesQueue"),
            Method::QueueClear => Some("clearMessagesQueue"),
            Method::SessionTakeover => Some("takeover"),
            Method::SessionLogout => Some("logout"),
            Method::Version
            | Method::Status
            | Method::Explain
            | Method::MessageGet
            | Method::QueueCancel
            | Method::QueuePause
            | Method::QueueResume
            | Method::QueueRetry
            | Method::SessionPair
            | Method::SessionReconnect
            | Method::EventsSubscribe => None,
        }
    }

    /// Finds a method by its name or alias.
    pub fn find(name: &str) -> Option<Method> {
        Method::ALL.into_iter().find(|m| m.name() == name || m.alias() == Some(name))
    }

    /// The tier that a caller needs.
    pub const fn tier(self) -> Tier {
        match self {
            Method::Version
            | Method::Status
            | Method::Explain
            | Method::MessageGet
            | Method::QueueList
            | Method::EventsSubscribe => Tier::Read,
            Method::MessageSend => Tier::Send,
            Method::QueueClear
            | Method::QueueCancel
            | Method::QueuePause
            | Method::QueueResume
            | Method::QueueRetry
            | Method::SessionPair
            | Method::SessionReconnect
            | Method::SessionTakeover
            | Method::SessionLogout => Tier::Admin,
        }
    }
}

/// The stable kinds of errors. Codes never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The line is not JSON.
    ParseError,
    /// The JSON is not a JSON-RPC 2.0 request.
    InvalidRequest,
    /// No such method.
    MethodNotFound,
    /// The parameters do not fit.
    InvalidParams,
    /// Our bug.
    InternalError,
    /// All places are taken.
    QueueFull,
    /// The key belongs to a message with other content.
    KeyConflict,
    /// No such message.
    NotFound,
    /// The recipient is neither a number nor a JID.
    BadRecipient,
    /// The text is empty or too long.
    BadText,
    /// The caller's tier is too low.
    Denied,
    /// A phone is already paired.
    AlreadyPaired,
    /// No phone is paired.
    NotPaired,
    /// The pairing could not be started.
    PairingFailed,
    /// The request does not fit the state that the session, or this connection, is in.
    WrongState,
    /// The change may or may not be on disk; the daemon is going down.
    OutcomeUnknown,
    /// The daemon is going down.
    ShuttingDown,
    /// Too many connections.
    TooManyConnections,
    /// The line is longer than a frame may be.
    FrameTooLong,
    /// A started line was not finished in time.
    TooSlow,
}

impl ErrorKind {
    /// The JSON-RPC code.
    pub const fn code(self) -> i32 {
        match self {
            ErrorKind::ParseError => -32_700,
            ErrorKind::InvalidRequest => -32_600,
            ErrorKind::MethodNotFound => -32_601,
            ErrorKind::InvalidParams => -32_602,
            ErrorKind::InternalError => -32_603,
            ErrorKind::QueueFull => 1_001,
            ErrorKind::KeyConflict => 1_002,
            ErrorKind::NotFound => 1_003,
            ErrorKind::BadRecipient => 1_004,
            ErrorKind::BadText => 1_005,
            ErrorKind::Denied => 1_006,
            ErrorKind::AlreadyPaired => 1_007,
            ErrorKind::NotPaired => 1_008,
            ErrorKind::PairingFailed => 1_009,
            ErrorKind::WrongState => 1_010,
            ErrorKind::OutcomeUnknown => 1_011,
            ErrorKind::ShuttingDown => 1_012,
            ErrorKind::TooManyConnections => 1_013,
            ErrorKind::FrameTooLong => 1_014,
            ErrorKind::TooSlow => 1_015,
        }
    }
}

/// An error, as `error` of a reply carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// [`ErrorKind::code`].
    pub code: i32,
    /// A sentence for people.
    pub message: String,
    /// The rest, for programs.
    pub data: ErrorData,
}

/// The machine-readable part of an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorData {
    /// The stable name.
    pub kind: ErrorKind,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// When trying again makes sense, in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl Error {
    /// An error of this kind with this sentence.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error {
            code: kind.code(),
            message: message.into(),
            data: ErrorData { kind, remedy: None, retry_after_ms: None },
        }
    }

    /// With what to do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.data.remedy = Some(remedy.into());
        self
    }

    /// With when to try again.
    #[must_use]
    pub fn retry_after_ms(mut self, ms: u64) -> Self {
        self.data.retry_after_ms = Some(ms);
        self
    }
}
