//! A person's number, what the network said about it, and what a check of numbers is.
//! Plain data.

use std::fmt;

use tetherd_api::number::{BadNumber, is_username, parse_number, parse_username};

use crate::ids::ChatId;

/// Most numbers in one question to the network.
pub const CHECK_BATCH_MAX: usize = 50;

/// By what the network is asked about a person: the digits of a number, or a username with its
/// at sign. `Debug` redacts it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(String);

impl Number {
    /// From what people write: a number with a plus sign, or a username with an at sign.
    pub fn parse(text: &str) -> Result<Number, BadNumber> {
        match parse_username(text) {
            Some(name) => Ok(Number(format!("@{}", name?.name.0))),
            None => parse_number(text).map(Number),
        }
    }

    /// The number, or the username, of a person's chat; none: a group's, or one under a LID.
    pub fn of(chat: &ChatId) -> Option<Number> {
        if chat.is_username() {
            return Some(Number(chat.as_str().to_owned()));
        }
        Number::of_jid(chat.as_str())
    }

    /// The number in a person's JID without a device.
    pub fn of_jid(jid: &str) -> Option<Number> {
        Number::from_digits(jid.strip_suffix("@s.whatsapp.net")?)
    }

    /// From nothing but digits.
    pub fn from_digits(digits: &str) -> Option<Number> {
        let only_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        only_digits.then(|| Number(digits.to_owned()))
    }

    /// Its chat.
    pub(crate) fn chat(&self) -> ChatId {
        match self.username() {
            Some(name) => ChatId::of_username(name),
            None => ChatId::of_person(&self.0),
        }
    }

    /// From a record.
    pub fn from_stored(text: &str) -> Option<Number> {
        match text.strip_prefix('@') {
            Some(name) => is_username(name).then(|| Number(text.to_owned())),
            None => Number::from_digits(text),
        }
    }

    /// The digits without a plus sign, or the username with its at sign.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The username, without its at sign; none: it is a number.
    pub fn username(&self) -> Option<&str> {
        self.0.strip_prefix('@')
    }

    /// As people write it.
    pub fn written(&self) -> String {
        if self.username().is_some() { self.0.clone() } else { format!("+{}", self.0) }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Number(..{})", self.0.len())
    }
}

/// What is remembered about a number: a yes or a no of the network, never a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownNumber {
    /// Which.
    pub number: Number,
    /// Whether it is on the network.
    pub on_network: bool,
    /// The number of the address that the network has for it, where that is another one:
    /// Brazil's without the ninth digit, Mexico's with a 1.
    pub address: Option<Number>,
    /// The person's chat under the LID, if the network named it.
    pub lid: Option<ChatId>,
    /// When the network said so, wall milliseconds.
    pub asked_at: i64,
    /// When that was, in milliseconds of uptime.
    pub asked_uptime_ms: u64,
    /// How that is known.
    pub source: KnownBy,
}

impl KnownNumber {
    /// The person's names besides this number.
    pub(super) fn other_names(&self) -> Option<(Option<&ChatId>, Option<&Number>)> {
        let names = (self.lid.as_ref(), self.address.as_ref());
        (names != (None, None)).then_some(names)
    }
}

/// What the network says about a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Nobody has it.
    Absent,
    /// It is on the network.
    Present {
        /// The number of its address, where that is another one.
        address: Option<Number>,
        /// The person's chat under the LID, if the network named it.
        lid: Option<ChatId>,
    },
}

/// How an answer is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownBy {
    /// The network was asked.
    Check,
    /// A device with this number confirmed a message, or wrote one.
    Receipt,
    /// The network was asked with a username's key, which is not kept: the answer counts until
    /// another key is given.
    Key,
}

/// Names one question to the network, so that a late answer is not taken for another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CheckTicket(pub u64);

/// What a question came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckOutcome {
    /// What the network said about each number. One that is not among them stays unknown.
    Answered(Vec<(Number, Registration)>),
    /// Nothing is known about any of them.
    Failed(CheckFailure),
}

/// Why a question has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckFailure {
    /// What went wrong.
    pub kind: CheckFailureKind,
    /// How long the network wants to be left alone, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

/// What went wrong with a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckFailureKind {
    /// The network answered with an error; its code, if it had one.
    Refused(Option<u16>),
    /// The network wants fewer questions (429).
    RateLimited,
    /// No answer in time.
    TimedOut,
    /// The connection ended, or is not there.
    NotConnected,
    /// The answer is none that we understand.
    NotUnderstood,
}

impl From<CheckFailureKind> for CheckFailure {
    fn from(kind: CheckFailureKind) -> CheckFailure {
        CheckFailure { kind, retry_after_ms: None }
    }
}
