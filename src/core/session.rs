//! What the session reports and what it is told. Plain data; [`crate::io`] passes
//! it on under its own name.

use std::fmt;

use crate::media::{MediaRef, SentFile, Ticket, Upload, UploadFault};
use crate::message::{Attempt, ChatId, WaMessageId};
use crate::number::{CheckOutcome, CheckTicket, Number};
use crate::phone::Sign;
use tetherd_api::{Kind, LinkPreview, MessageId};

/// What the session (`whatsapp::client`) reports.
#[derive(Clone)]
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
    /// Somebody wrote in these chats.
    Heard {
        /// Persons', each under all of its names.
        chats: Vec<ChatId>,
    },
    /// Whether messages to new contacts are refused for now, as the server says.
    Timelock(TimelockNotice),
    /// The account's phone gave a sign of life.
    PhoneSeen {
        /// What it was.
        sign: Sign,
        /// When the server took it, wall milliseconds, if it came from what the server
        /// had kept for us; none: just now.
        at_ms: Option<i64>,
    },
    /// [`SessionCommand::Probe`] was carried out: the question left, or it did not.
    Probed {
        /// Whether its frame was flushed to the socket.
        left: bool,
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

/// What the server says about messages to new contacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimelockNotice {
    /// They are refused.
    Active {
        /// Until then, wall milliseconds, if it says so.
        until: Option<i64>,
    },
    /// They are taken again.
    Lifted,
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
    /// The server answered a request in its preparation with "too many" (429).
    RateLimited,
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

/// What the session is told. It makes one connection for each `Connect` or `Pair`
/// and never reconnects by itself.
#[derive(Clone)]
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
    /// Bring a message's file to the media host. Answered by `Uploaded` or `UploadFailed`,
    /// before the end of the run at the latest.
    Upload(Upload),
    /// Ask who of these is on the network. Answered by `Checked`, in bounded time, unless
    /// the run ends first.
    CheckNumbers {
        /// Names the question.
        ticket: CheckTicket,
        /// At most `CHECK_BATCH_MAX`.
        numbers: Vec<Number>,
    },
    /// Ask the phone something that only a phone answers and nobody sees. Answered by
    /// `Probed` unless the run ends before; the phone's answer is a `PhoneSeen`.
    Probe,
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
    /// What it carries.
    pub kind: Kind,
    /// Its file, which is on the media host.
    pub file: Option<Box<SentFile>>,
    /// What is shown for a link in its text.
    pub link: Option<Box<LinkPreview>>,
}
