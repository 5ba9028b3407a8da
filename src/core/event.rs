//! What comes into the core: a caller's request, the session's reports, what the shell
//! has prepared, the time that has come. Plain data; decides nothing.

use std::fmt;
use std::sync::Arc;

use crate::account_names::AccountNames;
use crate::contacts::{CheckOutcome, CheckTicket, Number, UsernameKey};
use crate::draft::Draft;
use crate::files::{MediaRef, Prepared, Ticket, UploadFault};
use crate::groups::{GroupInfo, GroupTicket, Wanted};
use crate::ids::{Attempt, ChatId, Digest, WaMessageId};
use crate::pacing::OpenHours;
use crate::phone::Heartbeat;
use crate::phone::PhoneActivity;
use crate::trouble::{LoginTrouble, TroubleKind};
use tetherd_api::{self as api, MessageId, Redacted};

mod notices;
mod pairing;

pub use notices::{QuotaLevel, QuotaNotice, TimelockNotice};
pub use pairing::{ChallengeKind, Offer, PasskeyFault, PasskeyReport};

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
    /// A caller wants something changed. Answered by exactly one `Effect::Reply`.
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
    /// When messages may leave, worked out anew; none: at any time.
    Hours(Option<OpenHours>),
    /// The disk of the state directory has become full, or has room again.
    DiskFull(bool),
    /// The daemon is going down: start nothing new, and close the session once no attempt is
    /// in flight.
    Drain,
    /// The time that `Core::poll_timeout` named has come.
    Tick,
}

/// What a caller can ask to be changed. Queries are methods of the core instead.
#[derive(Clone, Debug)]
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
        /// In spite of a broken link in its text.
        anyway: bool,
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
        /// What usernames among them demand.
        keys: Vec<UsernameKey>,
        /// Ask the network even where an answer is remembered.
        fresh: bool,
    },
    /// `group.list`; replied to when there is an answer, or it was waited for long enough.
    ListGroups {
        /// Ask the network even where its last answer is still good.
        fresh: bool,
        /// What of its answer.
        wants: Wanted,
    },
    /// `queue.pause`.
    Pause,
    /// `queue.resume`.
    Resume,
    /// `session.pair`; replied to with the first offer, or with why there is none.
    Pair {
        /// The phone's number in digits: pair by code. None: by QR.
        phone: Option<Redacted<String>>,
        /// Although the account is locked or banned.
        anyway: bool,
    },
    /// `session.passkey`: what a browser signed.
    Passkey {
        /// As it came.
        response: Redacted<serde_json::Map<String, serde_json::Value>>,
    },
    /// `session.passkey_confirm`: the phone shows this code.
    PasskeyConfirm {
        /// The code.
        code: Redacted<String>,
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
}

/// A checked `message.send`.
#[derive(Clone, Debug)]
pub struct Submission {
    /// What is to be sent.
    pub draft: Draft,
    /// A text, a file's caption (which may be empty), or a place or contact as JSON.
    pub body: Body,
    /// Whether it replaces the message that has its key.
    pub replace: Option<api::Replace>,
    /// The key that its recipient's username demands.
    pub username_key: Option<UsernameKey>,
}

impl Submission {
    /// A text to somebody.
    pub fn text(to: ChatId, body: Body, digest: Digest, wa_id: WaMessageId) -> Submission {
        let draft = Draft::text(to, digest, wa_id);
        Submission { draft, body, replace: None, username_key: None }
    }
}

/// [`api::Filter`] with its recipient normalised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// In one of these states; empty: the method's default.
    pub states: Vec<api::State>,
    /// To this chat; `Core` asks for it under the name that its person's names share.
    pub to: Option<ChatId>,
    /// With this reason.
    pub reason: Option<api::ReasonKind>,
    /// Accepted at least this long ago, in seconds.
    pub older_than_s: Option<u64>,
    /// With a key that begins so.
    pub key_prefix: Option<Redacted<String>>,
    /// One of these; empty: any.
    pub ids: Vec<MessageId>,
}

/// What the session (`whatsapp::session_task`) reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// Pairing: a secret to show. It goes to the caller, never to a log.
    Offer(Offer),
    /// Pairing: about the passkey that the phone asks for.
    Passkey(PasskeyReport),
    /// Pairing succeeded; the server now closes (515) and the run ends with [`EndReason::Restart`].
    Paired {
        /// The account.
        account: AccountNames,
    },
    /// Logged in and ready to send.
    Connected {
        /// The account.
        account: AccountNames,
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
    /// A message's file is on the media host.
    Uploaded {
        /// Whose.
        id: MessageId,
        /// Which try.
        ticket: Ticket,
        /// Where it lies.
        media: Box<MediaRef>,
    },
    /// This try at an upload failed.
    UploadFailed {
        /// Whose.
        id: MessageId,
        /// Which try.
        ticket: Ticket,
        /// Why.
        why: UploadFault,
    },
    /// What a question about numbers came to.
    Checked {
        /// Which question.
        ticket: CheckTicket,
        /// What.
        outcome: CheckOutcome,
    },
    /// What a question about groups came to.
    Groups {
        /// Which question.
        ticket: GroupTicket,
        /// All of them; none: there was no answer.
        groups: Option<Vec<GroupInfo>>,
    },
    /// Something about groups has changed: members, admins, names, or who may send.
    GroupsChanged,
    /// The server took this message, and knows other devices of its recipients than those that
    /// it was sent to.
    DevicesDiffer {
        /// Which message.
        wa_id: WaMessageId,
    },
    /// Somebody wrote in these chats, or gave this account a privacy token.
    ChatActivity {
        /// Persons', each under all of its names, and since when: wall milliseconds.
        chats: Vec<(ChatId, i64)>,
    },
    /// Somebody wrote from a LID, and the server named the number or the username besides.
    Names {
        /// The number, or the username.
        number: Number,
        /// Their chat under the LID.
        lid: ChatId,
    },
    /// Whether messages to new contacts are refused for now, as the server says.
    Timelock(TimelockNotice),
    /// Until when the server takes this client's version.
    ClientExpires {
        /// Wall milliseconds.
        at: i64,
    },
    /// The server ends the stream because it misses the acknowledgement of a stanza.
    StanzaUnacked {
        /// The stanza's id.
        id: String,
    },
    /// The server asks the account to prove itself.
    IntegrityChallenge(ChallengeKind),
    /// How many new chats the account may begin, as the server says.
    NewChatQuota(QuotaNotice),
    /// The account's phone gave a sign of life.
    PhoneActivity {
        /// What it was.
        activity: PhoneActivity,
        /// When the server took it, wall milliseconds, if it came from what the server
        /// had kept for us; none: just now.
        at_ms: Option<i64>,
    },
    /// `Probe` was carried out: the question left, or it did not.
    Probed {
        /// Whether its frame was flushed to the socket.
        left: bool,
    },
    /// The run is over: exactly one for each `Connect` and `Pair`.
    Ended {
        /// Why.
        reason: EndReason,
        /// Uniformly random, from the shell: the jitter's dice.
        roll: u64,
    },
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
    /// The recipient has no device to encrypt to, or nothing could be encrypted for any: what
    /// left, if anything, was a copy for our own phone.
    NoDevice,
    /// This message cannot be built or encrypted; trying again changes nothing.
    Unsendable,
    /// Something passing: try again.
    Passing,
    /// The server answered a request in its preparation with "too many" (429).
    RateLimited,
}

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The server asked for a fresh login (stream error 515).
    Restart,
    /// The server ended the stream in order, as it does from time to time.
    StreamEnded,
    /// Another session with our keys took over.
    Replaced,
    /// The server holds something against the account or this client.
    Trouble(Box<LoginTrouble>),
    /// The server refused the login or ended the stream for now (500, 503, ...).
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
        why: api::PairFailure,
    },
    /// We ended it (`Close` or `Logout`).
    Closed,
}

impl EndReason {
    /// The account no longer knows this device; the server's code, if it gave one.
    pub fn logged_out(code: Option<u32>) -> EndReason {
        EndReason::Trouble(Box::new(LoginTrouble::new(TroubleKind::LoggedOut, code)))
    }

    /// The server's code, if it refused the login or the connection for now.
    pub fn refused(&self) -> Option<u32> {
        if let EndReason::Refused { code } = self { Some(*code) } else { None }
    }

    /// What the server holds against the account or this client, if that ended it.
    pub fn trouble(&self) -> Option<&LoginTrouble> {
        if let EndReason::Trouble(trouble) = self { Some(trouble) } else { None }
    }
}
