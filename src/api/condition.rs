//! What is the case with the daemon, one condition at a time: why messages wait, and what
//! else somebody should know.

use serde::{Deserialize, Serialize};

use super::{MessageId, ReasonKind, Time};

/// One thing that can make messages wait. `status` lists those that are the case now;
/// `explain` lists the others too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Condition {
    /// Its stable name.
    pub kind: ConditionKind,
    /// Whether it is the case now.
    pub active: bool,
    /// How much of the queue it holds.
    pub holds: Holds,
    /// Since when it is, or was, the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Whether it ends without anybody's doing.
    pub ends_by_itself: bool,
    /// When it does, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// What is the case, in a sentence.
    pub why: String,
    /// What that is known from.
    pub evidence: Vec<Evidence>,
    /// Which messages it touches.
    pub affected: Affected,
    /// What happens without anybody's doing.
    pub by_itself: String,
    /// When that happens, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_itself_at: Option<Time>,
    /// What to type, where something helps: a command, ready to be pasted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// How much of the queue a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Holds {
    /// Nothing; it is listed for information.
    None,
    /// The messages that it touches; others go on.
    Some,
    /// Everything that waits.
    All,
}

impl Holds {
    /// Every value.
    pub const ALL: [Holds; 3] = [Holds::None, Holds::Some, Holds::All];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Holds::None => "none",
            Holds::Some => "some",
            Holds::All => "all",
        }
    }
}

/// Something that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Evidence {
    /// What, in a sentence.
    pub what: String,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
    /// How long ago that is, in whole seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_s: Option<u64>,
}

/// The messages that a condition touches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Affected {
    /// How many.
    pub count: usize,
    /// The first [`super::CONDITION_IDS_MAX`] of them.
    pub ids: Vec<MessageId>,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $wire:literal;)*) => {
        /// The stable names of conditions, the weightiest first.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum ConditionKind {
            $($(#[$doc])* #[serde(rename = $wire)] $name,)*
        }

        impl ConditionKind {
            /// Every condition, in the order in which they are listed.
            pub const ALL: &'static [ConditionKind] = &[$(ConditionKind::$name),*];

            /// The name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(ConditionKind::$name => $wire,)* }
            }
        }
    };
}

kinds! {
    /// Records were damaged when the store was opened.
    StoreTrouble = "store_trouble";
    /// The disk of the state directory is full.
    DiskFull = "disk_full";
    /// No phone is paired.
    NotPaired = "not_paired";
    /// Logged out from the phone, or by the server.
    LoggedOut = "logged_out";
    /// The account is locked; the keys may work again.
    Locked = "locked";
    /// The account is banned, and nothing says that it ends.
    BannedForGood = "banned_for_good";
    /// The account is banned for a time.
    Banned = "banned";
    /// The server refuses this client version.
    ClientOutdated = "client_outdated";
    /// The server refuses the login for what it is.
    LoginDeclined = "login_declined";
    /// The server asks the account to prove itself.
    IntegrityChallenge = "integrity_challenge";
    /// Another WhatsApp Web session took over.
    OtherSession = "other_session";
    /// The server wants fewer logins for now.
    LoginLimited = "login_limited";
    /// There is no connection.
    Disconnected = "disconnected";
    /// The phone does not answer.
    PhoneOffline = "phone_offline";
    /// There has been no sign of life of the phone for long.
    PhoneSilent = "phone_silent";
    /// The phone's battery is critical and not charging.
    BatteryCritical = "battery_critical";
    /// The phone's battery is low and not charging.
    BatteryLow = "battery_low";
    /// Somebody paused the queue.
    Paused = "paused";
    /// A backlog was held for long and is not sent until somebody confirms it.
    StaleBacklog = "stale_backlog";
    /// Messages that wait for another account than the one that is linked.
    AccountChanged = "account_changed";
    /// The server refuses messages to new contacts.
    ReachoutTimelock = "reachout_timelock";
    /// The account's quota of new chats is used up, or nearly.
    NewChatQuota = "new_chat_quota";
    /// It is outside the sending hours (`[pacing] hours`).
    OutsideHours = "outside_hours";
    /// The server asked to slow down.
    RateLimited = "rate_limited";
    /// Recipients that are not on the network.
    NotOnNetwork = "not_on_network";
    /// Recipients whose privacy token the server misses.
    TokenMissing = "token_missing";
    /// Recipients for none of whose devices a message could be encrypted.
    NoDevice = "no_device";
    /// Recipients about whom the network has not answered yet.
    NumberUnchecked = "number_unchecked";
    /// Groups that take no messages from this account.
    GroupTrouble = "group_trouble";
    /// Groups about which the network has not answered yet.
    GroupUnchecked = "group_unchecked";
    /// Links that lead nowhere.
    LinkBroken = "link_broken";
    /// Links that could not be checked: a warning.
    LinkDoubtful = "link_doubtful";
    /// Files that cannot be read, are too large, or could not be uploaded.
    FileTrouble = "file_trouble";
    /// Files that are being fetched or uploaded.
    FileUnderway = "file_underway";
    /// The server refused messages with a code.
    Refused = "refused";
    /// Messages that could not be built or encrypted for their recipient.
    NotSendable = "not_sendable";
    /// Messages that the server has not answered.
    NoAnswer = "no_answer";
    /// Messages whose time has not come.
    NotBefore = "not_before";
    /// The server has said until when it takes this client version, and that is near: a
    /// warning.
    ClientExpiresSoon = "client_expires_soon";
    /// The server ends streams because it misses the acknowledgement of a stanza: a warning.
    StanzaUnacknowledged = "stanza_unacknowledged";
    /// The clock jumped.
    ClockJumped = "clock_jumped";
    /// The daemon is going down.
    ShuttingDown = "shutting_down";
    /// More messages wait than may leave now.
    Pacing = "pacing";
}

impl ConditionKind {
    /// Whether it is how messages leave by configuration, and no trouble: the pace and the
    /// sending hours.
    pub const fn is_as_configured(self) -> bool {
        matches!(self, ConditionKind::Pacing | ConditionKind::OutsideHours)
    }
}

impl From<ReasonKind> for ConditionKind {
    /// The condition of messages that are parked for this reason.
    fn from(reason: ReasonKind) -> ConditionKind {
        match reason {
            ReasonKind::NotOnNetwork => ConditionKind::NotOnNetwork,
            ReasonKind::LinkBroken => ConditionKind::LinkBroken,
            ReasonKind::FileUnreadable | ReasonKind::TooLarge | ReasonKind::UploadFailed => {
                ConditionKind::FileTrouble
            }
            ReasonKind::NotAdmin | ReasonKind::NotInGroup | ReasonKind::GroupSuspended => {
                ConditionKind::GroupTrouble
            }
            ReasonKind::Refused => ConditionKind::Refused,
            ReasonKind::ReachoutTimelock => ConditionKind::ReachoutTimelock,
            ReasonKind::TokenMissing => ConditionKind::TokenMissing,
            ReasonKind::NewChatQuota => ConditionKind::NewChatQuota,
            ReasonKind::NoDevice => ConditionKind::NoDevice,
            ReasonKind::NotSendable | ReasonKind::ShelfFull | ReasonKind::TargetNotSent => {
                ConditionKind::NotSendable
            }
            ReasonKind::NoAnswer => ConditionKind::NoAnswer,
            ReasonKind::AccountChanged => ConditionKind::AccountChanged,
        }
    }
}
