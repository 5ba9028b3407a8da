//! What a caller asks to be changed, checked and in the core's own types.

use super::Body;
use crate::contacts::{Number, UsernameKey};
use crate::draft::Draft;
use crate::groups::Wanted;
use crate::ids::{ChatId, Digest, WaMessageId};
use crate::phone::Heartbeat;
use tetherd_api::{self as api, MessageId, Redacted};

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
