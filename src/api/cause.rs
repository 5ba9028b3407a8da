//! Why messages wait, one cause at a time.

use serde::{Deserialize, Serialize};

use super::{HoldKind, MessageId, ReasonKind, Time};

/// One thing that can make messages wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Cause {
    /// Its stable name.
    pub kind: CauseKind,
    /// Whether it holds now. What does not is told too, with what is known of it.
    pub active: bool,
    /// Since when it holds, or held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
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

/// The messages that a cause touches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Affected {
    /// How many.
    pub count: usize,
    /// The first [`super::CAUSE_IDS_MAX`] of them.
    pub ids: Vec<MessageId>,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $wire:literal;)*) => {
        /// The stable names of causes, the weightiest first.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum CauseKind {
            $($(#[$doc])* #[serde(rename = $wire)] $name,)*
        }

        impl CauseKind {
            /// Every cause, in the order in which they are told.
            pub const ALL: &'static [CauseKind] = &[$(CauseKind::$name),*];

            /// The name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(CauseKind::$name => $wire,)* }
            }
        }
    };
}

kinds! {
    /// Records were set aside at the start because they did not read.
    StoreTrouble = "store_trouble";
    /// No phone is paired.
    NotPaired = "not_paired";
    /// Logged out from the phone, or by the server.
    LoggedOut = "logged_out";
    /// The account is banned for a time.
    Banned = "banned";
    /// The server refuses this client version.
    ClientOutdated = "client_outdated";
    /// Another WhatsApp Web session took over.
    OtherSession = "other_session";
    /// There is no connection.
    Disconnected = "disconnected";
    /// The phone does not answer.
    PhoneOffline = "phone_offline";
    /// The phone was not heard of for long.
    PhoneSilent = "phone_silent";
    /// The phone's battery is critical and not charging.
    BatteryCritical = "battery_critical";
    /// The phone's battery is low and not charging.
    BatteryLow = "battery_low";
    /// Somebody paused the queue.
    Paused = "paused";
    /// A backlog that waited for long wants a confirmation before it leaves.
    StaleBacklog = "stale_backlog";
    /// The server refuses messages to new contacts.
    ReachoutTimelock = "reachout_timelock";
    /// The server asked to slow down.
    RateLimited = "rate_limited";
    /// Recipients that are not on the network.
    NotOnNetwork = "not_on_network";
    /// Recipients about whom the network has not answered yet.
    NumberUnchecked = "number_unchecked";
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
    /// The clock jumped.
    ClockJumped = "clock_jumped";
    /// The daemon is going down.
    ShuttingDown = "shutting_down";
    /// More messages wait than may leave now.
    Pacing = "pacing";
}

impl From<ReasonKind> for CauseKind {
    /// The cause that tells of messages with this reason.
    fn from(reason: ReasonKind) -> CauseKind {
        match reason {
            ReasonKind::NotOnNetwork => CauseKind::NotOnNetwork,
            ReasonKind::LinkBroken => CauseKind::LinkBroken,
            ReasonKind::FileUnreadable | ReasonKind::TooLarge | ReasonKind::UploadFailed => {
                CauseKind::FileTrouble
            }
            ReasonKind::Refused => CauseKind::Refused,
            ReasonKind::ReachoutTimelock => CauseKind::ReachoutTimelock,
            ReasonKind::NotSendable | ReasonKind::ShelfFull => CauseKind::NotSendable,
            ReasonKind::NoAnswer => CauseKind::NoAnswer,
        }
    }
}

impl From<HoldKind> for CauseKind {
    /// The cause that tells of this hold.
    fn from(hold: HoldKind) -> CauseKind {
        match hold {
            HoldKind::NotPaired => CauseKind::NotPaired,
            HoldKind::LoggedOut => CauseKind::LoggedOut,
            HoldKind::Banned => CauseKind::Banned,
            HoldKind::ClientOutdated => CauseKind::ClientOutdated,
            HoldKind::Conflict => CauseKind::OtherSession,
            HoldKind::Disconnected => CauseKind::Disconnected,
            HoldKind::PhoneOffline => CauseKind::PhoneOffline,
            HoldKind::BatteryLow => CauseKind::BatteryCritical,
            HoldKind::Paused => CauseKind::Paused,
            HoldKind::StaleBacklog => CauseKind::StaleBacklog,
            HoldKind::Pacing => CauseKind::Pacing,
        }
    }
}
