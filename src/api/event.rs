//! What subscribers are told, and what a pairing shows.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Gap, Incoming, Message, Status, Time};

/// Parameters of `session.pair`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PairParams {
    /// With a number (`+` and digits): pair by a code typed on that phone. Without: by QR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

/// Answer of `session.pair`: the first code. Later ones come as `pairing` events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PairResult {
    /// What to scan or to type.
    pub offer: PairOffer,
}

/// What the phone is shown, or what its owner types.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SubscribeResult {
    /// The newest cursor of the inbox; 0: nothing ever came in.
    #[serde(default)]
    pub cursor: u64,
}

/// What a subscriber is sent: a notification with the method `event`, and this as its
/// parameters.
///
/// A subscriber first gets `status`, a `message` for each live message, and
/// `snapshot_end`; then changes.
// [`crate::state_replica`] folds both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// Somebody sent a message to the account. Each exactly once and in order, after
    /// the cursor that was subscribed with.
    Incoming {
        /// The message.
        message: Box<Incoming>,
    },
    /// Incoming messages between the subscriber's cursor and the next one told are
    /// kept no more.
    Gap {
        /// Which.
        gap: Gap,
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
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

/// Without the account.
impl fmt::Debug for PairEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PairEnd::Paired { account: _ } => f.write_str("Paired(..)"),
            PairEnd::TimedOut {} => f.write_str("TimedOut"),
            PairEnd::Failed { why } => write!(f, "Failed({why:?})"),
        }
    }
}
