//! Faults that the server acts out, and its counters. Plain data.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::checks::CheckAnswers;
use super::rules::Rules;
use super::streams::{ListReceipts, Streams};
use super::strict::Violation;
use super::tokens::CarriedToken;

/// Most attempts that are remembered; later ones are only counted.
pub const ATTEMPTS_MAX: usize = 100_000;

/// How often something happens: not, a number of times, or always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Times {
    /// Not.
    #[default]
    Never,
    /// So many times, then not any more.
    Count(u32),
    /// Until it is changed.
    Always,
}

impl Times {
    /// Whether it happens now; counts down.
    pub(super) fn take(&mut self) -> bool {
        match *self {
            Times::Never => false,
            Times::Count(left) => {
                *self = if left > 1 { Times::Count(left - 1) } else { Times::Never };
                left > 0
            }
            Times::Always => true,
        }
    }
}

impl Serialize for Times {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Times::Never => serializer.serialize_bool(false),
            Times::Count(left) => serializer.serialize_u32(*left),
            Times::Always => serializer.serialize_bool(true),
        }
    }
}

impl<'de> Deserialize<'de> for Times {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Wire {
            Switch(bool),
            Count(u32),
        }
        Ok(match Wire::deserialize(deserializer)? {
            Wire::Switch(false) | Wire::Count(0) => Times::Never,
            Wire::Switch(true) => Times::Always,
            Wire::Count(left) => Times::Count(left),
        })
    }
}

/// Acks that carry an error: which, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AckError {
    /// The server's code.
    pub code: u32,
    /// How often.
    pub times: Times,
    /// Only messages to this number, in digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
    /// Only messages to people who never wrote to the account.
    pub new_contacts: bool,
}

impl<'de> Deserialize<'de> for AckError {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Wire {
            Switch(bool),
            Code(u32),
            Whole {
                code: u32,
                #[serde(default = "always")]
                times: Times,
                #[serde(default)]
                to: Option<String>,
                #[serde(default)]
                new_contacts: bool,
            },
        }
        fn always() -> Times {
            Times::Always
        }
        let all = |code| AckError { code, times: Times::Always, ..AckError::default() };
        match Wire::deserialize(deserializer)? {
            Wire::Switch(false) | Wire::Code(0) => Ok(AckError::default()),
            Wire::Switch(true) => Ok(all(REACHOUT_CODE)),
            Wire::Code(code) => Ok(all(code)),
            Wire::Whole { code, times, to, new_contacts } => {
                let digits = |to: String| to.trim_start_matches('+').parse();
                let to = to.map(digits).transpose().map_err(serde::de::Error::custom)?;
                Ok(AckError { code, times, to, new_contacts })
            }
        }
    }
}

/// The code of a message to a new contact that the server refuses.
pub const REACHOUT_CODE: u32 = 463;

/// Which receipts recipients send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receipts {
    /// Delivered, then read.
    #[default]
    All,
    /// Delivered only.
    Delivered,
    /// None.
    None,
}

/// How the server behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// An ack, and the receipts after it, leave this much later.
    pub ack_delay_ms: u64,
    /// Messages that are routed and never acked.
    pub ack_drop: Times,
    /// Messages that are counted as attempts, and lost: neither routed nor acked.
    pub lose_messages: Times,
    /// Messages that are refused and not routed.
    pub ack_error: AckError,
    /// Requests about people and their keys that are refused with 429.
    pub limit_requests: Times,
    /// What recipients answer.
    pub receipts: Receipts,
    /// The server takes data and answers nothing at all.
    pub stall: bool,
    /// IK hellos are answered with XXfallback.
    pub refuse_ik: bool,
    /// What questions about who is on the network come to.
    pub check: CheckAnswers,
    /// Messages to clients that are delivered twice.
    pub deliver_twice: Times,
    /// Receipts of clients that the server does not take note of.
    pub ignore_receipts: Times,
    /// How the network names people.
    #[serde(flatten)]
    pub rules: Rules,
    /// Questions for an account's groups stay without an answer.
    pub ignore_groups: Times,
    /// Requests for properties that are not answered.
    pub silent_props: Times,
    /// How the server ends streams, and what it keeps for whom.
    #[serde(flatten)]
    pub streams: Streams,
}

/// A change of [`Settings`]: what is absent stays.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingsChange {
    /// See [`Settings::ack_delay_ms`].
    pub ack_delay_ms: Option<u64>,
    /// `true`, `false`, or how often.
    pub ack_drop: Option<Times>,
    /// `true`, `false`, or how often.
    pub lose_messages: Option<Times>,
    /// A code, `{code, times}`, or `false`.
    pub ack_error: Option<AckError>,
    /// `true`, `false`, or how often.
    pub limit_requests: Option<Times>,
    /// `all`, `delivered` or `none`.
    pub receipts: Option<Receipts>,
    /// See [`Settings::stall`].
    pub stall: Option<bool>,
    /// See [`Settings::refuse_ik`].
    pub refuse_ik: Option<bool>,
    /// `ok`, `error`, `rate_limit`, `silent`, `empty`, or `{answer, times}`.
    pub check: Option<CheckAnswers>,
    /// `true`, `false`, or how often.
    pub deliver_twice: Option<Times>,
    /// `true`, `false`, or how often.
    pub ignore_receipts: Option<Times>,
    /// See [`Rules::migrated`]. Clients learn it when they pair, or at their next login.
    pub migrated: Option<bool>,
    /// See [`Rules::sender_pn`].
    pub sender_pn: Option<bool>,
    /// See [`Rules::strict`].
    pub strict: Option<bool>,
    /// See [`Settings::ignore_groups`].
    pub ignore_groups: Option<Times>,
    /// `true`, `false`, or how often.
    pub silent_props: Option<Times>,
    /// See [`Streams::recycle_s`].
    pub recycle_s: Option<u64>,
    /// `all` or `first_only`. See [`Streams::list_receipts`].
    pub list_receipts: Option<ListReceipts>,
    /// See [`Streams::offline_primer`].
    pub offline_primer: Option<usize>,
}

impl Settings {
    /// Applies a change.
    pub(super) fn apply(&mut self, change: SettingsChange) {
        self.ack_delay_ms = change.ack_delay_ms.unwrap_or(self.ack_delay_ms);
        self.lose_messages = change.lose_messages.unwrap_or(self.lose_messages);
        self.ack_drop = change.ack_drop.unwrap_or(self.ack_drop);
        self.ack_error = change.ack_error.unwrap_or(self.ack_error);
        self.limit_requests = change.limit_requests.unwrap_or(self.limit_requests);
        self.receipts = change.receipts.unwrap_or(self.receipts);
        self.stall = change.stall.unwrap_or(self.stall);
        self.deliver_twice = change.deliver_twice.unwrap_or(self.deliver_twice);
        self.ignore_groups = change.ignore_groups.unwrap_or(self.ignore_groups);
        self.ignore_receipts = change.ignore_receipts.unwrap_or(self.ignore_receipts);
        self.silent_props = change.silent_props.unwrap_or(self.silent_props);
        self.refuse_ik = change.refuse_ik.unwrap_or(self.refuse_ik);
        self.check = change.check.unwrap_or(self.check);
        self.rules.migrated = change.migrated.unwrap_or(self.rules.migrated);
        self.rules.strict = change.strict.unwrap_or(self.rules.strict);
        self.rules.sender_pn = change.sender_pn.unwrap_or(self.rules.sender_pn);
        self.streams.recycle_s = change.recycle_s.unwrap_or(self.streams.recycle_s);
        self.streams.list_receipts = change.list_receipts.unwrap_or(self.streams.list_receipts);
        self.streams.offline_primer = change.offline_primer.unwrap_or(self.streams.offline_primer);
    }
}

/// How the next logins fail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginFailure {
    /// 401 logged out, 402 banned for a while, 403 locked, 405 outdated, 406 banned, 503
    /// unavailable, ... The attributes are those that WhatsApp Web reads from `<failure>`.
    pub reason: u32,
    /// The ban's code.
    pub code: Option<u32>,
    /// How long the ban stands, in seconds.
    pub expire: Option<u64>,
    /// Why, for people.
    pub message: Option<String>,
    /// Where people can read more.
    pub url: Option<String>,
    /// What a client shows about the logout.
    pub logout_message_header: Option<String>,
    /// The rest of that.
    pub logout_message_subtext: Option<String>,
    /// The language of that.
    pub logout_message_locale: Option<String>,
    /// A lock's token for its appeal. A secret: no client may show it.
    pub appeal_token: Option<String>,
    /// How many logins fail; one if absent, none if 0.
    pub times: Option<u32>,
    /// Instead of `times`: logins fail until there was none for so many seconds. Each login
    /// extends it, as locks were seen to do.
    pub quiet_s: Option<u64>,
}

/// The server refuses messages to new contacts, or takes them again.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReachoutTimelock {
    /// Which of the two.
    pub active: bool,
    /// When it ends, in seconds from now; absent: it does not say.
    pub ends_in_s: Option<i64>,
    /// Whether clients are notified; they can ask either way.
    #[serde(default = "yes")]
    pub notify: bool,
    /// Clients that ask while there is no lock are answered with null.
    #[serde(default)]
    pub null: bool,
}

fn yes() -> bool {
    true
}

/// One message stanza as the server saw it arrive.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// The message's id.
    pub id: String,
    /// The chat: a group, or a person by number.
    pub to: String,
    /// The same as the stanza is addressed.
    pub address: String,
    /// The sending account's number.
    pub account: String,
    /// When, in milliseconds since the simulator started.
    pub at_ms: u64,
    /// The privacy token that it carried.
    pub token: Option<CarriedToken>,
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attempt({} at {} ms)", self.id, self.at_ms)
    }
}

/// Ids that [`Stats`] holds of them.
pub(super) const READS_MAX: usize = 1_000;

/// What has happened since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Connections that stand now.
    pub connections: usize,
    /// Of those, logged in.
    pub logged_in: usize,
    /// Connections that were accepted.
    pub accepted: u64,
    /// Handshakes by XX.
    pub handshakes_xx: u64,
    /// Handshakes by IK.
    pub handshakes_ik: u64,
    /// Handshakes that a client began and did not finish, or that failed.
    pub handshakes_failed: u64,
    /// IK hellos that ended as XXfallback.
    pub handshakes_fallback: u64,
    /// Logins that succeeded.
    pub logins: u64,
    /// Logins that were refused.
    pub login_failures: u64,
    /// Companions that paired.
    pub pairings: u64,
    /// Connections that another one replaced.
    pub replaced: u64,
    /// Messages that were routed.
    pub messages: u64,
    /// Ids of messages that clients have said to have read, the last thousand.
    pub reads: Vec<String>,
    /// Messages to the phone about the account: questions are among them.
    pub peer_messages: u64,
    /// Acks that were sent, with or without an error.
    pub acks: u64,
    /// Keepalives that were answered.
    pub keepalives: u64,
    /// Questions about who is on the network.
    pub checks: u64,
    /// Numbers in these questions.
    pub checked_numbers: u64,
    /// Keys that clients have uploaded: from the first on, people can write to them.
    pub key_uploads: u64,
    /// Messages that clients have said to have received.
    pub received: u64,
    /// Batches of what waited that clients have asked for.
    pub batches: u64,
    /// Of what was to be brought up to date, what clients say that they did.
    pub cleaned: u64,
    /// Notifications that clients have acknowledged, by their type.
    pub notified: BTreeMap<String, u64>,
    /// Patches of the app state that clients have fetched.
    pub patches: u64,
    /// Snapshots of it.
    pub snapshots: u64,
    /// Connections that began with the routing information that was given out.
    pub routed: u64,
    /// Streams that ended over a message that was not acknowledged.
    pub unacknowledged_named: u64,
    /// Stanzas that the server did not understand.
    pub not_understood: u64,
    /// Message stanzas with a fault, while the server is strict.
    pub violations: Vec<Violation>,
    /// Every message stanza in order of arrival, the first [`ATTEMPTS_MAX`].
    pub attempts: Vec<Attempt>,
}
