//! The phone behind the account, and the numbers of others.

use serde::{Deserialize, Serialize};

use super::{Evidence, Redacted, Time};

/// Parameters of `phone.check`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CheckParams {
    /// `+` and digits, or `@` and a username (with its key, if it demands one: `@name#1234`),
    /// each; 1 to [`super::CHECK_NUMBERS_MAX`].
    pub numbers: Vec<Redacted<String>>,
    /// Ask the network even if an answer is remembered.
    #[serde(default)]
    pub fresh: bool,
}

/// Answer of `phone.check`, in the order of the question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckResult {
    /// One for each number.
    pub numbers: Vec<CheckedNumber>,
}

/// Whether a number is on the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// The network said yes.
    OnNetwork,
    /// The network said no.
    NotOnNetwork,
    /// The network said neither: never a no.
    Unknown,
}

impl Presence {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Presence::OnNetwork => "on_network",
            Presence::NotOnNetwork => "not_on_network",
            Presence::Unknown => "unknown",
        }
    }
}

/// What is known about one number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckedNumber {
    /// As it was asked for, normalised: `+` and digits, or `@` and a username without its key.
    pub number: Redacted<String>,
    /// The answer.
    pub answer: Presence,
    /// The number of the address that the network has for it, where that is another one, such
    /// as a Brazilian number's without its ninth digit; for a username, its LID. Messages go
    /// there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Redacted<String>>,
    /// When the network gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<Time>,
    /// Whether it was remembered and not asked for now.
    pub cached: bool,
    /// Why it is `unknown`, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Parameters of `phone.heartbeat`: what another program knows about the
/// phone. Battery is not part of the protocol; without reports it stays unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct HeartbeatParams {
    /// 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub battery_percent: Option<u8>,
    /// Whether it is being charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charging: Option<bool>,
    /// What it is connected to: `wifi`, `cellular`, `none`, ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// When that was measured; without it: now. At most five minutes in the future. A
    /// report that is older than the last one changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
    /// Who says so, such as `termux`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// Whether the phone is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PhoneState {
    /// There was a sign of life lately.
    Online,
    /// There was no sign of life for a while, and none was due.
    Silent,
    /// It did not answer what it would have answered.
    Offline,
    /// There was never a sign of life, or no connection to receive one.
    Unknown,
}

impl PhoneState {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            PhoneState::Online => "online",
            PhoneState::Silent => "silent",
            PhoneState::Offline => "offline",
            PhoneState::Unknown => "unknown",
        }
    }
}

/// How the battery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BatteryLevel {
    /// Above the thresholds, or charging.
    Ok,
    /// At or below the low threshold and not charging.
    Low,
    /// At or below the critical threshold and not charging.
    Critical,
    /// No report, or an old one.
    Unknown,
}

impl BatteryLevel {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            BatteryLevel::Ok => "ok",
            BatteryLevel::Low => "low",
            BatteryLevel::Critical => "critical",
            BatteryLevel::Unknown => "unknown",
        }
    }
}

/// The last report of another program about the phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BatteryStatus {
    /// What it means now.
    pub level: BatteryLevel,
    /// 0 to 100, as reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    /// Whether it was being charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charging: Option<bool>,
    /// What the phone was connected to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Who said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// When it was measured.
    pub at: Time,
    /// When it came here.
    pub received_at: Time,
    /// Whether it is too old to go by.
    pub stale: bool,
}

/// The phone's part of `status`, and the answer of `phone.heartbeat`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PhoneStatus {
    /// Whether it is there.
    pub state: PhoneState,
    /// Since when.
    pub since: Time,
    /// Why it is taken to be so.
    pub reasons: Vec<Evidence>,
    /// When it last gave a sign of life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Time>,
    /// What that was: `receipt`, `peer` (it answered a question), `message`, `retry`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sign: Option<String>,
    /// Since when a probe waits for the phone's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probing_since: Option<Time>,
    /// When the network unlinks this device if the phone stays away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlinked_at: Option<Time>,
    /// The last report; absent: nobody reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub battery: Option<BatteryStatus>,
}

impl Default for PhoneStatus {
    fn default() -> PhoneStatus {
        PhoneStatus::unknown(Time(0))
    }
}

impl PhoneStatus {
    /// Of a phone that nothing is known about since then.
    pub fn unknown(since: Time) -> PhoneStatus {
        PhoneStatus {
            state: PhoneState::Unknown,
            since,
            reasons: Vec::new(),
            last_seen_at: None,
            last_sign: None,
            probing_since: None,
            unlinked_at: None,
            battery: None,
        }
    }
}
