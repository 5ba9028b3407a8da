//! What `why` and `explain` say of each condition, whatever brought it about.

use tetherd_api::ConditionKind;

/// What is said of a cause while it holds.
pub(super) struct Shown {
    pub(super) kind: ConditionKind,
    /// Part of its evidence.
    pub(super) evidence: &'static str,
    /// Part of what happens by itself.
    pub(super) by_itself: &'static str,
    /// Whether it is known when.
    pub(super) at: bool,
    pub(super) remedy: Option<&'static str>,
}

const fn shown(
    kind: ConditionKind,
    evidence: &'static str,
    by_itself: &'static str,
    at: bool,
    remedy: Option<&'static str>,
) -> Shown {
    Shown { kind, evidence, by_itself, at, remedy }
}

pub(super) const NOBODY: &str = "they block no other message";

pub(super) const SHOWN: &[Shown] = &[
    shown(
        ConditionKind::StoreTrouble,
        "found when the store was opened",
        "The rest goes on",
        false,
        Some("journalctl -u tetherd -g quarantined"),
    ),
    shown(
        ConditionKind::NotPaired,
        "no account's keys",
        "until a phone is paired",
        false,
        Some("tetherctl pair"),
    ),
    shown(
        ConditionKind::LoggedOut,
        "the server said so",
        "until a phone is paired again",
        false,
        Some("tetherctl pair"),
    ),
    shown(ConditionKind::Locked, "(code 403)", "Do not pair again", true, None),
    shown(
        ConditionKind::BannedForGood,
        "(code 406)",
        "Appeal in WhatsApp on the phone",
        false,
        Some("tetherctl reconnect"),
    ),
    shown(
        ConditionKind::LoginDeclined,
        "(code 415)",
        "trying again changes nothing",
        false,
        Some("tetherctl reconnect"),
    ),
    shown(
        ConditionKind::ClientExpiresSoon,
        "named the date",
        "Install a newer tetherd",
        true,
        Some("systemctl restart tetherd"),
    ),
    shown(ConditionKind::Banned, "(code 101)", "connects when the ban ends", true, None),
    shown(
        ConditionKind::ClientOutdated,
        "(code 405)",
        "install a newer tetherd",
        false,
        Some("systemctl restart tetherd"),
    ),
    shown(
        ConditionKind::IntegrityChallenge,
        "the server said so",
        "Open WhatsApp on the phone",
        false,
        None,
    ),
    shown(
        ConditionKind::OtherSession,
        "it happened once in the last hour",
        "does not fight",
        false,
        Some("tetherctl takeover"),
    ),
    shown(
        ConditionKind::Disconnected,
        "tries in a row failed",
        "The daemon tries again",
        true,
        Some("tetherctl reconnect"),
    ),
    shown(
        ConditionKind::PhoneOffline,
        "it was asked and has not answered yet",
        "keeps asking",
        true,
        Some("tetherctl status"),
    ),
    shown(ConditionKind::PhoneSilent, "last sign of life: ", "leave all the same", true, None),
    shown(
        ConditionKind::BatteryCritical,
        "4 %, not charging, reported by test",
        "Once a report says that it charges",
        false,
        Some("tetherctl heartbeat --charging"),
    ),
    shown(
        ConditionKind::BatteryLow,
        "12 %, not charging, reported by test",
        "leave all the same",
        false,
        Some("tetherctl heartbeat --charging"),
    ),
    shown(
        ConditionKind::Paused,
        "somebody paused it",
        "until somebody resumes it",
        false,
        Some("tetherctl resume"),
    ),
    shown(
        ConditionKind::StaleBacklog,
        "longer than queue.confirm_after",
        "until somebody releases",
        false,
        Some("tetherctl release"),
    ),
    shown(
        ConditionKind::AccountChanged,
        "another account was linked",
        "only if their account is linked again",
        false,
        Some("tetherctl release"),
    ),
    shown(
        ConditionKind::ReachoutTimelock,
        "the server named its end",
        "the others leave when it ends",
        true,
        None,
    ),
    shown(
        ConditionKind::NewChatQuota,
        "50 of 50 new chats",
        "the others leave when the next cycle begins",
        true,
        None,
    ),
    shown(
        ConditionKind::TokenMissing,
        "code 463",
        "sent again once when its recipient writes",
        false,
        Some("tetherctl retry --reason token_missing"),
    ),
    shown(
        ConditionKind::NoDevice,
        "it was parked",
        NOBODY,
        false,
        Some("tetherctl retry --reason no_device"),
    ),
    shown(ConditionKind::RateLimited, "code 429", "After a longer pause", true, None),
    shown(
        ConditionKind::NotOnNetwork,
        "it was parked",
        NOBODY,
        false,
        Some("tetherctl clear --reason not_on_network"),
    ),
    shown(
        ConditionKind::NumberUnchecked,
        "the network is being asked",
        "The daemon asks",
        false,
        None,
    ),
    shown(
        ConditionKind::GroupTrouble,
        "it was parked",
        "once the network says",
        false,
        Some("tetherctl retry --reason not_admin"),
    ),
    shown(
        ConditionKind::GroupUnchecked,
        "the network is being asked",
        "The daemon asks",
        false,
        None,
    ),
    shown(
        ConditionKind::LinkBroken,
        "code 410",
        NOBODY,
        false,
        Some("tetherctl retry --reason link_broken"),
    ),
    shown(ConditionKind::LinkDoubtful, "code 500", "They leave all the same", false, None),
    shown(
        ConditionKind::FileTrouble,
        "it was parked",
        NOBODY,
        false,
        Some("tetherctl clear --reason too_large"),
    ),
    shown(
        ConditionKind::FileUnderway,
        "the first began to wait",
        "go on by themselves",
        false,
        None,
    ),
    shown(
        ConditionKind::Refused,
        "code 488, 1 in all",
        NOBODY,
        false,
        Some("tetherctl retry --reason refused"),
    ),
    shown(
        ConditionKind::NotSendable,
        "it was parked",
        NOBODY,
        false,
        Some("tetherctl clear --reason not_sendable"),
    ),
    shown(
        ConditionKind::NoAnswer,
        "without an answer",
        "sent again under its id",
        false,
        Some("tetherctl reconnect"),
    ),
    shown(ConditionKind::NotBefore, "accepted with its time", "is due", true, None),
    shown(
        ConditionKind::ClockJumped,
        "wall clock and monotonic clock disagree",
        "The pace does not depend on it",
        false,
        Some("timedatectl"),
    ),
    shown(
        ConditionKind::ShuttingDown,
        "asked to end",
        "after its next start",
        false,
        Some("systemctl start tetherd"),
    ),
    shown(ConditionKind::Pacing, "left in the last window", "The last of them leaves", true, None),
];
