//! The records of what the core keeps apart from messages: the small facts, the pacer's slots,
//! and what is known about numbers. Times are wall milliseconds unless their name says
//! otherwise.

use serde::{Deserialize, Serialize};

use crate::store::convert::{Convert, stored_enum, stored_newtype, stored_structs, stored_text};
use tetherd_api::{BatteryLevel, PhoneState};
use tetherd_core::contacts::{KnownBy, KnownNumber, Number, SpentHour, UsernameKey};
use tetherd_core::event::ChallengeKind;
use tetherd_core::facts::{Facts, NetworkFacts};
use tetherd_core::groups::{GroupName, GroupNames};
use tetherd_core::ids::ChatId;
use tetherd_core::pacing::{
    NewChatQuota, QuotaFacts, RateLimitFacts, Slot, Timelock, TimelockFacts, TimelockSource,
};
use tetherd_core::phone::{PhoneActivity, PhoneFacts, Probe, Report};
use tetherd_core::queue::{BacklogFacts, Stale};
use tetherd_core::session::{LoginPauseFacts, Refusal, TakeoverFacts, UnackedStanza};
use tetherd_core::time::{BootId, Timestamp};
use tetherd_core::trouble::{AccountTrouble, ClientExpiry, ServerText, TroubleKind};

stored_enum!(StoredTimelockSource = TimelockSource { Announced = "told", Assumed = "guessed" });

stored_enum!(StoredPhoneActivity = PhoneActivity {
    Receipt = "receipt",
    Peer = "peer",
    Message = "message",
    Retry = "retry",
});

stored_enum!(StoredPhoneState = PhoneState {
    Online = "online",
    Silent = "silent",
    Offline = "offline",
    Unknown = "unknown",
});

stored_enum!(StoredBatteryLevel = BatteryLevel {
    Ok = "ok",
    Low = "low",
    Critical = "critical",
    Unknown = "unknown",
});

stored_enum!(StoredTroubleKind = TroubleKind {
    LoggedOut = "logged_out",
    Locked = "locked",
    BannedForGood = "banned_for_good",
    Banned = "banned",
    Outdated = "outdated",
    Declined = "declined",
});

stored_enum!(StoredChallengeKind = ChallengeKind {
    Passkey = "passkey",
    Captcha = "captcha",
    Other = "other",
});

stored_enum!(StoredKnownBy = KnownBy { Check = "check", Receipt = "receipt", Key = "key" });

stored_structs! {
    /// What the queue, the session and the phone keep over a restart.
    #[derive(Default)]
    #[serde(default)]
    pub(in crate::store) struct StoredFacts = Facts {
        last_id: u64,
        paused_since: Option<i64>,
        account: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        account_lid: Option<String>,
        replaced_since: Option<i64>,
        /// Since when, and the server's code.
        logged_out: Option<(i64, Option<u32>)>,
        /// Since when, until when, and the server's code.
        banned: Option<(i64, i64, u32)>,
        keys_void: bool,
        #[serde(alias = "lived_ms")]
        uptime_ms: u64,
        network: StoredNetwork,
        phone: StoredPhone,
        backlog: StoredBacklog,
        checks: Vec<StoredSpentHour>,
        #[serde(skip_serializing_if = "Option::is_none")]
        trouble: Option<StoredTrouble>,
        #[serde(skip_serializing_if = "Option::is_none")]
        queue_account: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        queue_account_lid: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        client_expiry: Option<StoredExpiry>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        username_keys: Vec<StoredUsernameKey>,
    }

    /// What a username demands that a message waits for.
    struct StoredUsernameKey = UsernameKey {
        number: StoredDigits,
        key: String,
    }

    /// What the server holds against the account or this client.
    struct StoredTrouble = AccountTrouble {
        kind: StoredTroubleKind,
        since: i64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<StoredServerText>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<String>,
        #[serde(default)]
        refused: u32,
        last: i64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<i64>,
        #[serde(default)]
        ends: bool,
        #[serde(default)]
        enforced: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
    }

    /// Until when this version of the client is taken.
    struct StoredExpiry = ClientExpiry {
        at: i64,
        version: String,
    }

    /// Numbers that callers had the network asked about within an hour.
    struct StoredSpentHour = SpentHour {
        began: StoredTimestamp,
        count: usize,
    }

    #[derive(Default)]
    #[serde(default)]
    struct StoredNetwork = NetworkFacts {
        #[serde(flatten)]
        takeovers: StoredTakeoverFacts,
        #[serde(flatten)]
        timelock: StoredTimelockFacts,
        #[serde(rename = "slowdown")]
        rate_limit: Option<StoredRateLimit>,
        refusals: Vec<StoredRefusal>,
        #[serde(skip_serializing_if = "StoredQuotaFacts::is_empty")]
        new_chats: StoredQuotaFacts,
        #[serde(skip_serializing_if = "Option::is_none")]
        login_pause: Option<StoredLoginPause>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        unacked: Vec<StoredUnacked>,
        /// Since when, and by what.
        #[serde(skip_serializing_if = "Option::is_none")]
        challenged: Option<(i64, StoredChallengeKind)>,
    }

    /// The server wanted fewer logins. Times are wall milliseconds.
    struct StoredLoginPause = LoginPauseFacts {
        since: i64,
        until: i64,
        step: u32,
        count: u64,
    }

    /// A stanza for whose acknowledgement the server ended streams.
    struct StoredUnacked = UnackedStanza {
        id: String,
        count: u32,
        first: i64,
        last: i64,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        over: bool,
    }

    #[derive(Default)]
    #[serde(default)]
    struct StoredQuotaFacts = QuotaFacts {
        quota: Option<StoredQuota>,
        ended_uptime_ms: Option<u64>,
    }

    struct StoredQuota = NewChatQuota {
        since: i64,
        until: i64,
        used_up: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        used: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total: Option<u32>,
        assumed: bool,
    }

    #[derive(Default)]
    #[serde(default)]
    struct StoredTakeoverFacts = TakeoverFacts {
        #[serde(alias = "replaced_lived_ms")]
        replaced_uptime_ms: Vec<u64>,
        #[serde(alias = "automatic_lived_ms")]
        automatic_uptime_ms: Vec<u64>,
        #[serde(alias = "manual_lived_ms")]
        manual_uptime_ms: Vec<u64>,
        #[serde(alias = "takeover_due_lived_ms")]
        takeover_due_uptime_ms: Option<u64>,
    }

    #[derive(Default)]
    #[serde(default)]
    struct StoredTimelockFacts = TimelockFacts {
        #[serde(rename = "timelock")]
        lock: Option<StoredTimelock>,
        /// How many, and the uptime at which the last began, in milliseconds.
        #[serde(rename = "timelock_guesses")]
        assumed: (u32, u64),
        #[serde(rename = "timelock_ended_uptime_ms", alias = "timelock_ended_lived_ms")]
        ended_uptime_ms: Option<u64>,
    }

    struct StoredTimelock = Timelock {
        since: i64,
        until: i64,
        source: StoredTimelockSource,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<u32>,
    }

    struct StoredRateLimit = RateLimitFacts {
        since: i64,
        #[serde(alias = "until_lived_ms")]
        until_uptime_ms: u64,
        step: u32,
        code: u32,
        count: u64,
        last: i64,
        #[serde(alias = "last_lived_ms")]
        last_uptime_ms: u64,
    }

    struct StoredRefusal = Refusal {
        code: u32,
        count: u64,
        last: i64,
    }

    #[derive(Default)]
    #[serde(default)]
    struct StoredPhone = PhoneFacts {
        seen: Option<(StoredTimestamp, StoredPhoneActivity)>,
        probe: Option<StoredProbe>,
        state: Option<(StoredPhoneState, i64)>,
        battery: Option<(StoredBatteryLevel, i64)>,
        report: Option<StoredReport>,
    }
}

#[derive(Serialize, Deserialize)]
struct StoredProbe {
    since: StoredTimestamp,
    asked: StoredTimestamp,
    tries: u32,
}

stored_structs! {
    struct StoredReport = Report {
        percent: Option<u8>,
        charging: Option<bool>,
        network: Option<String>,
        source: Option<String>,
        measured: StoredTimestamp,
        received: StoredTimestamp,
    }

    #[derive(Default)]
    #[serde(default)]
    struct StoredBacklog = BacklogFacts {
        held: Option<StoredTimestamp>,
        stale: Option<StoredStale>,
    }

    struct StoredStale = Stale {
        since: i64,
        waited_ms: u64,
    }

    struct StoredTimestamp = Timestamp {
        boot: u128,
        mono_ms: i64,
        wall_ms: i64,
    }

    /// A slot of the pacer's window.
    pub(in crate::store) struct StoredSlot = Slot {
        boot: u128,
        mono_ms: u64,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        open: bool,
    }

    /// The names of the account's groups.
    #[derive(Default)]
    pub(in crate::store) struct StoredGroupNames = GroupNames {
        asked_at: i64,
        groups: Vec<StoredGroupName>,
    }

    struct StoredGroupName = GroupName {
        chat: StoredGroupChat,
        name: String,
    }

    /// What the network said about a number.
    pub(in crate::store) struct StoredNumber = KnownNumber {
        number: StoredDigits,
        on_network: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<StoredDigits>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lid: Option<StoredLid>,
        asked_at: i64,
        #[serde(alias = "asked_lived_ms")]
        asked_uptime_ms: u64,
        source: StoredKnownBy,
    }
}

impl StoredQuotaFacts {
    fn is_empty(&self) -> bool {
        self.quota.is_none() && self.ended_uptime_ms.is_none()
    }
}

stored_newtype!(BootId(u128));
stored_text!(StoredGroupChat = ChatId, |chat| chat.as_str().to_owned(), |text| text.parse().ok());
stored_text!(StoredLid = ChatId, |chat| chat.as_str().to_owned(), |text| text.parse().ok());
stored_text!(StoredServerText = ServerText, |text| text.as_str().to_owned(), ServerText::new);
stored_text!(StoredDigits = Number, |number| number.as_str().to_owned(), Number::from_stored);

/// The account's ban: since when, until when, and the server's code.
impl Convert<(i64, i64, u32)> for (i64, i64, u32) {
    fn convert(self) -> (i64, i64, u32) {
        self
    }
}

impl Convert<StoredProbe> for Probe {
    fn convert(self) -> StoredProbe {
        let Probe { since, asked, tries, .. } = self;
        StoredProbe { since: since.convert(), asked: asked.convert(), tries }
    }
}

impl Convert<Probe> for StoredProbe {
    fn convert(self) -> Probe {
        Probe::new(self.since.convert(), self.asked.convert(), self.tries)
    }
}
