//! What goes into the core and what comes out of it. Plain data.
//!
//! The shell (`daemon::engine`) turns the world into [`Input`]s, makes the
//! [`Change`]s durable, and only then carries out the [`Effect`]s: that order is
//! what makes "no reply before its change is on disk" hold.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::backlog::Backlog;
use crate::battery::Heartbeat;
use crate::known::KnownPage;
pub use crate::media::{MediaRef, Seen, SentFile, Ticket, Upload, UploadFault};
use crate::message::{ChatId, Digest, Message, SpoolId, StoredFile, WaMessageId};
use crate::network::NetworkFacts;
use crate::number::{KnownNumber, Number};
use crate::pacer::Slot;
use crate::phone::PhoneFacts;
pub use crate::phone::Sign;
pub use crate::preparing::{
    LinkFinding, LinkWarning, Outcome, Preparation, PrepareCommand, Prepared, Source, Trouble,
};
pub use crate::session::{
    EndReason, NotSent, Offer, Outgoing, ReceiptKind, SessionCommand, SessionEvent, TimelockNotice,
};
use tetherd_api as api;
use tetherd_api::MessageId;

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
    /// A preparation is done, or failed.
    Prepared(Prepared),
    /// The time that `Core::poll_timeout` named has come.
    Tick,
}

/// What a caller can ask to be changed. Queries are methods of the core instead.
#[derive(Clone)]
pub enum Request {
    /// `message.send`.
    Submit(Box<Submission>),
    /// `queue.cancel`.
    Cancel {
        /// Which; empty: all that match.
        ids: Vec<MessageId>,
        /// Of those, the ones that match; `to` is already normalised.
        filter: Selection,
        /// Say only.
        dry_run: bool,
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
        /// Say only.
        dry_run: bool,
    },
    /// `queue.restore`: cancelled messages come back.
    Restore {
        /// Which; `to` is already normalised.
        filter: Selection,
        /// Say only.
        dry_run: bool,
    },
    /// `phone.check`; replied to when every number has an answer, or waited for long enough.
    Check {
        /// In the order of the answer.
        numbers: Vec<Number>,
        /// Ask the network even where an answer is remembered.
        fresh: bool,
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
    /// `phone.heartbeat`.
    Heartbeat(Box<Heartbeat>),
    /// `queue.release`: a stale backlog may leave.
    Release,
    /// The daemon is going down: start nothing new. Replied to when no attempt is in
    /// flight any more; the run is told to close in the same breath.
    Drain,
}

/// A checked `message.send`.
#[derive(Clone)]
pub struct Submission {
    /// The chat, normalised.
    pub to: ChatId,
    /// What it carries.
    pub kind: api::Kind,
    /// A text, a file's caption (which may be empty), or a place or contact as JSON.
    pub body: Body,
    /// The file, which lies in the spool already.
    pub file: Option<StoredFile>,
    /// Where the file is to be fetched, if it is not here.
    pub source: Option<Source>,
    /// Whether the text or caption has links.
    pub has_links: bool,
    /// With a text: what is shown for a link in it.
    pub preview: Option<api::LinkPreview>,
    /// Which goes first.
    pub priority: api::Priority,
    /// Not sent before this, wall milliseconds.
    pub not_before: Option<i64>,
    /// Never sent after this, wall milliseconds.
    pub expires_at: Option<i64>,
    /// Over kind, recipient and content: two submissions with the same digest say the same.
    pub digest: Digest,
    /// The caller's idempotency key.
    pub key: Option<String>,
    /// Fresh and random, from the shell. Used only if the message is accepted.
    pub wa_id: WaMessageId,
}

impl Submission {
    /// A text to somebody.
    pub fn text(to: ChatId, body: Body, digest: Digest, wa_id: WaMessageId) -> Submission {
        Submission {
            to,
            kind: api::Kind::Text,
            body,
            file: None,
            source: None,
            has_links: false,
            preview: None,
            priority: api::Priority::Normal,
            not_before: None,
            expires_at: None,
            digest,
            key: None,
            wa_id,
        }
    }
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
    /// With a key that begins so.
    pub key_prefix: Option<String>,
    /// One of these; empty: any.
    pub ids: Vec<MessageId>,
}

/// What comes out of one input, in two parts that the shell keeps in this order.
///
/// Among the effects, replies come first, then events in the order in which things
/// happened (a status last), then what the session is told, then files to remove.
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
    /// Write what is known about a number.
    PutNumber(KnownNumber),
    /// Forget a number.
    RemoveNumber {
        /// Which.
        number: Number,
    },
    /// Write the pacer's spent slots (all of them, few).
    PutSlots(Vec<Slot>),
    /// Write the small facts.
    PutFacts(Box<Facts>),
    /// Write a page of known chats, new or over its older self.
    PutKnown(KnownPage),
    /// Remove a page of known chats.
    RemoveKnown {
        /// Its number.
        number: u64,
    },
}

/// Small facts that outlive a restart.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The keys that are stored are nobody's any more: they were to be forgotten, and
    /// whether that was done is not known. A start forgets them first.
    pub keys_void: bool,
    /// For how long the daemon had lived, over all its lives, when this was written.
    pub lived_ms: u64,
    /// What the network has answered, and what follows from it.
    pub network: NetworkFacts,
    /// What is known about the phone.
    pub phone: PhoneFacts,
    /// What waited for long.
    pub backlog: Backlog,
}

impl Facts {
    /// What stays when the account goes.
    pub(crate) fn without_account(&self) -> Facts {
        let Facts { last_id, paused_since, lived_ms, backlog, .. } = *self;
        // Whoever asked to slow down sees the same address with the next account.
        let network = NetworkFacts { slowdown: self.network.slowdown, ..NetworkFacts::default() };
        Facts {
            last_id,
            paused_since,
            lived_ms,
            backlog,
            keys_void: true,
            network,
            ..Facts::default()
        }
    }
}

/// What the store gives back at start.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// Every message record, in any order.
    pub messages: Vec<Message>,
    /// The pacer's spent slots.
    pub slots: Vec<Slot>,
    /// What is known about numbers, in any order.
    pub numbers: Vec<KnownNumber>,
    /// The small facts.
    pub facts: Facts,
    /// The chats that are no new contacts.
    pub known: Vec<KnownPage>,
    /// How the store was found.
    pub store: api::StoreStatus,
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
    /// Remove a file from the spool: nothing on disk refers to it any more.
    Unspool(SpoolId),
    /// Prepare a message, or stop it.
    Prepare(PrepareCommand),
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
    /// To [`Request::Check`].
    Checked(api::CheckResult),
    /// To [`Request::Restore`].
    Restored(api::RestoreResult),
    /// To [`Request::Pair`].
    Pairing(api::PairResult),
    /// To [`Request::Pause`], [`Request::Resume`], [`Request::Release`] and the session's requests.
    Status(Box<api::Status>),
    /// To [`Request::Heartbeat`].
    Phone(Box<api::PhoneStatus>),
    /// To [`Request::Drain`].
    Draining,
}

/// Why the core wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// A pacer slot becomes free and something waits for it.
    Slot,
    /// A message that failed in passing has rested long enough.
    Retry,
    /// A file is due to be uploaded, or to be tried again.
    Upload,
    /// The next connection try is due.
    Connect,
    /// A connection or a pairing takes too long.
    RunTimeout,
    /// An attempt has waited long enough for its answer.
    AckTimeout,
    /// A message without an answer has waited long enough on a live connection.
    Resolve,
    /// Numbers are to be asked about, or an answer about them is overdue.
    Check,
    /// A file that could not be fetched is tried again.
    Prepare,
    /// A ban ends.
    BanEnds,
    /// The session is taken back.
    Takeover,
    /// Messages to new contacts may leave again.
    TimelockEnds,
    /// A pause that the server asked for is over.
    SlowdownEnds,
    /// The phone is to be asked, or counts as something else.
    Phone,
    /// History is due to be trimmed.
    Trim,
    /// A message that was not to be sent before a time may be sent by now.
    Due,
    /// A message is not to be sent any more.
    Expiry,
    /// A cancelled message can be brought back no more.
    UndoEnds,
}
