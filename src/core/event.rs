//! What comes into the core: a caller's request, the session's reports, what the shell
//! has prepared, the time that has come. Plain data; decides nothing.

use std::fmt;
use std::sync::Arc;

use crate::account_names::AccountNames;
use crate::contacts::{CheckOutcome, CheckTicket, Number};
use crate::files::{MediaRef, Prepared, Ticket, UploadFault};
use crate::groups::{GroupInfo, GroupTicket};
use crate::ids::{Attempt, ChatId, WaMessageId};
use crate::pacing::OpenHours;
use crate::phone::PhoneActivity;
use crate::trouble::{LoginTrouble, TroubleKind};
use tetherd_api::{self as api, MessageId};

mod notices;
mod pairing;
mod request;

pub use notices::{QuotaLevel, QuotaNotice, TimelockNotice};
pub use pairing::{ChallengeKind, Offer, PasskeyFault, PasskeyReport};
pub use request::{Request, Selection, Submission};

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
