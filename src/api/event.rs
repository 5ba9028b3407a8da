//! Events of a subscription, and the steps of a pairing.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{FeedId, FeedPlace, Gap, Incoming, Message, PairFailure, Redacted, Status, Time};

/// Parameters of `session.pair`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PairParams {
    /// With a number (`+` and digits): pair by a code typed on that phone. Without: by QR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Redacted<String>>,
    /// Pair although the account is locked or banned. That does not end a ban and can make a
    /// lock worse. The present keys are kept until the new pairing has succeeded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anyway: bool,
}

/// Answer of `session.pair`: the present code. It and those that replace it come as `pairing`
/// events, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PairResult {
    /// What to scan or to type.
    pub offer: PairOffer,
}

/// What the phone is shown, or what its owner types.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum PairOffer {
    /// Draw `qr` as a QR code and scan it.
    Qr {
        /// The code's content.
        qr: Redacted<String>,
        /// When it is replaced.
        expires_at: Time,
    },
    /// Type `code` on the phone (Linked devices, link with phone number).
    Code {
        /// Eight characters.
        code: Redacted<String>,
        /// When it is no longer taken.
        expires_at: Time,
    },
    /// The phone asks for a passkey: have `request` signed in a browser on
    /// `https://web.whatsapp.com`, and give what it returns to `session.passkey`.
    Passkey {
        /// The options for `navigator.credentials.get`, as
        /// `PublicKeyCredential.parseRequestOptionsFromJSON` takes them.
        request: Redacted<Map<String, Value>>,
        /// When it is no longer taken.
        expires_at: Time,
    },
    /// The phone shows a code too, unless it goes by the proof that this device has sent.
    PasskeyCode {
        /// Eight characters with a hyphen.
        code: Redacted<String>,
        /// Whether the code is to be compared with the phone's, and confirmed with
        /// `session.passkey_confirm`.
        confirm: bool,
        /// When it is no longer taken.
        expires_at: Time,
    },
}

/// Answer of `events.subscribe`. The events follow it on the same connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SubscribeResult {
    /// The last number that was given: what happens from now on has a higher one.
    pub seq: u64,
    /// The feed that it, and each number of this subscription, is of. Remember it with the
    /// number; `status` names it, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed: Option<FeedId>,
}

impl From<SubscribeResult> for FeedPlace {
    fn from(SubscribeResult { seq, feed }: SubscribeResult) -> FeedPlace {
        FeedPlace { feed, seq }
    }
}

/// What a subscriber is sent: a notification with the method `event`, and this as its
/// parameters.
///
/// Events are state, not history. A subscriber first gets `status`, then the messages and
/// incoming messages that it asked for, then `snapshot_end`; then what happens. A subscriber
/// that reads slowly gets fewer and newer states of a message and of the status. It always
/// gets the last one, and each incoming message exactly once.
///
/// Remember `seq` once an event is dealt with, with the `feed` that the subscription's answer
/// named, and give both (`after`, `feed`) to continue, over restarts of either side.
// [`crate::state_replica`] folds events into the current state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventFrame {
    /// Everything up to this number has been sent. It never goes back, and grows with each
    /// change of a message and each incoming message, by one or by more.
    pub seq: u64,
    /// When it happened; for the latest state of a message: when it last changed.
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
    /// Somebody sent a message to the account. Each exactly once and in order. Its `cursor`
    /// is what `inbox.list` and `inbox.file` take.
    Incoming {
        /// The message.
        message: Box<Incoming>,
    },
    /// Something that the subscriber was not sent is kept no more.
    Gap {
        /// What.
        of: GapOf,
        /// Their numbers, as in `seq`.
        gap: Gap,
    },
    /// All that was there has been sent; what follows are changes.
    SnapshotEnd {},
    /// Pairing goes on. Only subscribers of the admin tier see `offer`.
    Pairing {
        /// The present code, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        offer: Option<PairOffer>,
        /// How it ended, once it has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ended: Option<PairEnd>,
    },
}

/// What is kept no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum GapOf {
    /// Messages that finished and left the history. Which, is not known: forget those that
    /// you take for live; the live ones are sent again.
    Messages,
    /// Incoming messages.
    Incoming,
}

/// How a pairing ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum PairEnd {
    /// Paired.
    Paired {
        /// The account's JID.
        account: Redacted<String>,
    },
    /// Nobody scanned or typed in time.
    TimedOut {},
    /// Refused, or broken off.
    Failed {
        /// Why, by its stable name.
        kind: PairFailure,
        /// Why, in words.
        why: String,
        /// What helps.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remedy: Option<String>,
    },
}
