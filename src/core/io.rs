//! What goes into the core and what comes out of it. Plain data.
//!
//! The shell (`daemon::engine`) turns the world into [`Input`]s, makes the
//! [`Change`]s durable, and only then carries out the [`Effect`]s: that order is
//! what makes "no reply before its change is on disk" hold.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::core::message::{Attempt, ChatId, Digest, Message, WaMessageId};
use crate::core::pacer::Slot;
use crate::rpc::api;
use crate::rpc::api::MessageId;

/// A moment, read once by the shell and given with each input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since the Unix epoch. For people and for `expires`; never for pacing.
    pub wall_ms: i64,
    /// Milliseconds on a clock that never goes backwards within one boot of the machine
    /// and is shared by all its processes (CLOCK_MONOTONIC).
    pub mono_ms: u64,
}

/// Names one boot of the machine: monotonic times compare within one only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BootId(pub u128);

/// Names the request that a reply belongs to. Chosen by the shell, opaque to the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token(pub u64);

/// A message's text. Its `Debug` shows the length only.
#[derive(Clone, PartialEq, Eq)]
pub struct Body(pub Arc<str>);

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}

/// Everything that can happen to the core.
#[derive(Clone, Debug)]
pub enum Input {
    /// A caller wants something changed. Answered by exactly one [`Effect::Reply`].
    Request {
        /// Comes back in the reply.
        token: Token,
        /// What.
        request: Request,
    },
    /// The session reports.
    Session(SessionEvent),
    /// The time that `Core::poll_timeout` named has come.
    Tick,
}

/// What a caller can ask to be changed. Queries are methods of the core instead.
#[derive(Clone, Debug)]
pub enum Request {
    /// `message.send`.
    Submit(Submission),
    /// `queue.cancel`.
    Cancel {
        /// Which.
        ids: Vec<MessageId>,
    },
    /// `queue.clear`.
    Clear {
        /// Which; `to` is already normalised.
        filter: Selection,
        /// Count only.
        dry_run: bool,
    },
    /// `queue.retry`: parked messages go back into the queue.
    Retry {
        /// Which; `to` is already normalised.
        filter: Selection,
    },
    /// `queue.pause`.
    Pause,
    /// `queue.resume`.
    Resume,
    /// `session.pair`; replied to with the first offer, or with why there is none.
    Pair {
        /// The phone's number in digits: pair by code. None: by QR.
        phone: Option<String>,
    },
    /// `session.reconnect`: try now.
    Reconnect,
    /// `session.takeover`: after another session took over.
    Takeover,
    /// `session.logout`: unlink this device.
    Logout,
    /// The daemon is going down: start nothing new. Replied to when no attempt is in
    /// flight any more; the run is told to close in the same breath.
    Drain,
}

/// A checked `message.send`.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The chat, normalised.
    pub to: ChatId,
    /// The text.
    pub body: Body,
    /// Over kind, recipient and text: two submissions with the same digest say the same.
    pub digest: Digest,
    /// The caller's idempotency key.
    pub key: Option<String>,
    /// Fresh and random, from the shell. Used only if the message is accepted.
    pub wa_id: WaMessageId,
}

/// [`api::Filter`] with its recipient normalised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// In one of these states; empty: the method's default.
    pub states: Vec<api::State>,
    /// To this chat.
    pub to: Option<ChatId>,
    /// With this reason.
    pub reason: Option<api::ReasonKind>,
    /// Accepted at least this long ago, in seconds.
    pub older_than_s: Option<u64>,
    /// One of these; empty: any.
    pub ids: Vec<MessageId>,
}

/// What the session (`whatsapp::client`) reports.
#[derive(Clone, Debug)]
pub enum SessionEvent {
    /// Pairing: something to show. The code is a secret: it goes to the caller, never to a log.
    Offer(Offer),
    /// Pairing succeeded; the server now closes (515) and the run ends with [`EndReason::Restart`].
    Paired {
        /// The account's JID, without its device.
        account: String,
    },
    /// Logged in and ready to send.
    Connected {
        /// The account's JID, without its device.
        account: String,
    },
    /// The frame of this attempt has been flushed to the socket.
    Written {
        /// Which message.
        id: MessageId,
        /// Which attempt of it.
        attempt: Attempt,
    },
    /// Certainly nothing left for this attempt.
    NotSent {
        /// Which message.
        id: MessageId,
        /// Which attempt of it.
        attempt: Attempt,
        /// Why.
        why: NotSent,
    },
    /// The attempt was cut off: its frame may have left, or not.
    CutOff {
        /// Which message.
        id: MessageId,
        /// Which attempt of it.
        attempt: Attempt,
    },
    /// The server answered a message stanza.
    Ack {
        /// The stanza's id.
        wa_id: WaMessageId,
        /// The server's refusal; none: it has taken the message.
        error: Option<u32>,
    },
    /// A device confirmed messages. Its server has them, so a receipt is an ack too.
    Receipt {
        /// Which.
        wa_ids: Vec<WaMessageId>,
        /// What.
        kind: ReceiptKind,
    },
    /// The run is over: exactly one for each [`SessionCommand::Connect`] and
    /// [`SessionCommand::Pair`].
    Ended {
        /// Why.
        reason: EndReason,
        /// Uniformly random, from the shell: the jitter's dice.
        roll: u64,
    },
}

/// What to show for pairing.
#[derive(Clone, PartialEq, Eq)]
pub enum Offer {
    /// A QR code's content.
    Qr {
        /// The content.
        text: String,
        /// For how long, in milliseconds.
        valid_ms: u64,
    },
    /// Eight characters to type on the phone.
    Code {
        /// The characters.
        code: String,
        /// For how long, in milliseconds.
        valid_ms: u64,
    },
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Offer::Qr { .. } => "Qr(..)",
            Offer::Code { .. } => "Code(..)",
        })
    }
}

/// What a receipt confirms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReceiptKind {
    /// Our own phone has its copy: the server has taken the message.
    OwnPhone,
    /// A recipient's device has it.
    Delivered,
    /// The recipient saw (or played) it.
    Read,
}

/// Why nothing left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NotSent {
    /// The connection was not there (any more): try again after reconnect.
    NotConnected,
    /// The recipient has no device to encrypt to.
    NoDevice,
    /// This message cannot be built or encrypted; trying again changes nothing.
    Unsendable,
    /// Something passing: try again.
    Passing,
}

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The server asked for a fresh login (stream error 515).
    Restart,
    /// Another session with our keys took over.
    Replaced,
    /// The account no longer knows this device; code as the server gave it.
    LoggedOut {
        /// 401, 403, 406, 516, ...
        code: Option<u32>,
    },
    /// Temporary ban.
    Banned {
        /// For how long, in milliseconds.
        for_ms: u64,
        /// The server's reason code.
        code: u32,
    },
    /// This client version is refused (405).
    Outdated,
    /// The server refused the login for now (500, 503, ...).
    Refused {
        /// The server's code.
        code: u32,
    },
    /// The server is not who it should be: its certificate chain does not verify.
    Untrusted,
    /// No connection came about: name resolution, TCP, TLS, handshake.
    Unreachable {
        /// A cause without addresses or names of people.
        what: String,
    },
    /// The connection was lost.
    Lost {
        /// A cause without addresses or names of people.
        what: String,
    },
    /// All pairing codes ran out unused.
    PairingTimedOut,
    /// The pairing was refused or broken off.
    PairingFailed {
        /// Why.
        what: String,
    },
    /// We ended it ([`SessionCommand::Close`] or [`SessionCommand::Logout`]).
    Closed,
}

/// What comes out of one input, in two parts that the shell keeps in this order.
///
/// Among the effects, replies come first, then events in the order in which things
/// happened (a status last), then what the session is told.
#[derive(Debug, Default)]
pub struct Actions {
    /// To be made durable, as one atomic batch, in this order.
    pub changes: Vec<Change>,
    /// To be carried out once the changes are durable, in this order.
    pub effects: Vec<Effect>,
}

/// One change of what is on disk.
#[derive(Clone, Debug)]
pub enum Change {
    /// Write this message's record (new, or over its older self).
    PutMessage(Box<Message>),
    /// Write a new message's body. Comes in the same batch as its record.
    PutBody {
        /// Whose.
        id: MessageId,
        /// The text.
        body: Body,
    },
    /// Remove record and body.
    RemoveMessage {
        /// Which.
        id: MessageId,
    },
    /// Write the pacer's spent slots (all of them, few).
    PutSlots(Vec<Slot>),
    /// Write the small facts.
    PutFacts(Facts),
}

/// Small facts that outlive a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The last message id given away.
    pub last_id: u64,
    /// Since when the queue is paused, in wall milliseconds.
    pub paused_since: Option<i64>,
    /// The paired account's JID.
    pub account: Option<String>,
    /// Another session took over and nobody has resolved it: since when, wall milliseconds.
    pub replaced_since: Option<i64>,
    /// Logged out: since when (wall milliseconds), and the server's code.
    pub logged_out: Option<(i64, Option<u32>)>,
    /// Banned: since when and until when (wall milliseconds), and the server's code.
    pub banned: Option<(i64, i64, u32)>,
}

/// What the store gives back at start.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// Every message record, in any order.
    pub messages: Vec<Message>,
    /// The pacer's spent slots.
    pub slots: Vec<Slot>,
    /// The small facts.
    pub facts: Facts,
}

/// Something the shell does after the changes are durable.
#[derive(Debug)]
pub enum Effect {
    /// Answer a request.
    Reply {
        /// Which.
        token: Token,
        /// The answer.
        result: Result<Answer, api::Error>,
    },
    /// Tell the subscribers.
    Event(api::Event),
    /// Tell the session.
    Session(SessionCommand),
}

/// The answers, in the wire's own types.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// To [`Request::Submit`].
    Sent(Box<api::SendResult>),
    /// To [`Request::Cancel`].
    Cancelled(api::CancelResult),
    /// To [`Request::Clear`].
    Cleared(api::ClearResult),
    /// To [`Request::Retry`].
    Retried(api::RetryResult),
    /// To [`Request::Pair`].
    Pairing(api::PairResult),
    /// To [`Request::Pause`], [`Request::Resume`] and the session's requests.
    Status(Box<api::Status>),
    /// To [`Request::Drain`].
    Draining,
}

/// What the session is told. It makes one connection for each `Connect` or `Pair`
/// and never reconnects by itself.
#[derive(Clone, Debug)]
pub enum SessionCommand {
    /// Log in with the stored keys.
    Connect,
    /// Connect without keys and pair.
    Pair {
        /// Digits: by code. None: by QR.
        phone: Option<String>,
    },
    /// End the run.
    Close,
    /// Unlink this device on the server if connected, then end the run and forget the keys.
    Logout,
    /// Forget all keys. Comes before each `Pair`, and in place of `Logout` while no run
    /// is under way. Makes no run and no `Ended`.
    Forget,
    /// Send one message. Answered by `Written`, `NotSent` or `CutOff`, in bounded time.
    Send(Outgoing),
}

/// One attempt at one message. The shell adds the body.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Which message.
    pub id: MessageId,
    /// Which attempt.
    pub attempt: Attempt,
    /// Its id on the network.
    pub wa_id: WaMessageId,
    /// Where to.
    pub to: ChatId,
}

/// Why the core wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// A pacer slot becomes free and something waits for it.
    Slot,
    /// A message that failed in passing has rested long enough.
    Retry,
    /// The next connection try is due.
    Connect,
    /// A connection or a pairing takes too long.
    RunTimeout,
    /// An attempt has waited long enough for its answer.
    AckTimeout,
    /// A message without an answer has waited long enough on a live connection.
    Resolve,
    /// A ban ends.
    BanEnds,
    /// History is due to be trimmed.
    Trim,
}
