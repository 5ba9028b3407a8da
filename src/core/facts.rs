//! What outlives a restart: the small facts, and everything that the store gives back.

use crate::contacts::{KnownNumber, KnownPage, SpentHour, UsernameKey};
use crate::event::ChallengeKind;
use crate::groups::GroupNames;
use crate::pacing::{QuotaFacts, RateLimitFacts, Slot, TimelockFacts};
use crate::phone::PhoneFacts;
use crate::queue::BacklogFacts;
use crate::queue::Message;
use crate::session::{LoginPauseFacts, Refusal, TakeoverFacts, UnackedStanza};
use crate::time::{BootId, Now};
use crate::trouble::{AccountTrouble, ClientExpiry};
use tetherd_api::{self as api, Redacted};

/// Small facts that outlive a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The last message id given away.
    pub last_id: u64,
    /// Since when the queue is paused, in wall milliseconds.
    pub paused_since: Option<i64>,
    /// The paired account's JID.
    pub account: Option<Redacted<String>>,
    /// The same under its LID, where that is known.
    pub account_lid: Option<Redacted<String>>,
    /// Another session took over and nobody has resolved it: since when, wall milliseconds.
    pub replaced_since: Option<i64>,
    /// Logged out: since when (wall milliseconds), and the server's code.
    pub logged_out: Option<(i64, Option<u32>)>,
    /// Banned: since when and until when (wall milliseconds), and the server's code.
    pub banned: Option<(i64, i64, u32)>,
    /// The keys that are stored are nobody's any more: they were to be forgotten, and
    /// whether that was done is not known. A start forgets them first.
    pub keys_void: bool,
    /// The daemon's uptime, all its runs together, when this was written.
    pub uptime_ms: u64,
    /// What the network has answered, and what follows from it.
    pub network: NetworkFacts,
    /// What is known about the phone.
    pub phone: PhoneFacts,
    /// What callers of `phone.check` have spent.
    pub checks: Vec<SpentHour>,
    /// What waited for long.
    pub backlog: BacklogFacts,
    /// What the server holds against the account or this client; `logged_out` and `banned`
    /// say of it what older versions read.
    pub trouble: Option<AccountTrouble>,
    /// The account that messages without one of their own wait for.
    pub queue_account: Option<Redacted<String>>,
    /// The same under its LID, where that is known.
    pub queue_account_lid: Option<Redacted<String>>,
    /// Until when this client's version is taken.
    pub client_expiry: Option<ClientExpiry>,
    /// What usernames demand that messages wait for, until the network has said whose they are.
    pub username_keys: Vec<UsernameKey>,
}

/// What the network has answered beyond single messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkFacts {
    /// Who took over the session, and when.
    pub takeovers: TakeoverFacts,
    /// Whether messages to new contacts wait.
    pub timelock: TimelockFacts,
    /// How many new chats the account may begin, if the server counts them.
    pub new_chats: QuotaFacts,
    /// The server asked to slow down, now or some time ago.
    pub rate_limit: Option<RateLimitFacts>,
    /// Refusals of messages, by code.
    pub refusals: Vec<Refusal>,
    /// The server wanted fewer logins, now or some time ago.
    pub login_pause: Option<LoginPauseFacts>,
    /// Stanzas for whose acknowledgement the server ended streams.
    pub unacked: Vec<UnackedStanza>,
    /// When the server last asked the account to prove itself, wall, and by what.
    pub challenged: Option<(i64, ChallengeKind)>,
}

/// What the store gives back at start.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// Every message record, in any order.
    pub messages: Vec<Message>,
    /// The window's spent slots.
    pub slots: Vec<Slot>,
    /// They were damaged: whether any slot is free is not known.
    pub slots_damaged: bool,
    /// What is known about numbers, in any order.
    pub numbers: Vec<KnownNumber>,
    /// The small facts.
    pub facts: Facts,
    /// They were damaged: whether the queue was paused is not known.
    pub facts_damaged: bool,
    /// The chats that are no new contacts.
    pub known: Vec<KnownPage>,
    /// The account's groups by their names.
    pub groups: GroupNames,
    /// How the store was found.
    pub store: api::StoreStatus,
}

impl Restored {
    /// What is not known is taken to be the worst: all slots are spent just now, and the
    /// queue is paused.
    pub(crate) fn or_worst(mut self, boot: BootId, pace_limit: usize, now: Now) -> Restored {
        if self.slots_damaged {
            let slot = Slot { boot, mono_ms: now.mono_ms, open: false };
            self.slots = vec![slot; pace_limit];
        }
        if self.facts_damaged {
            self.facts.paused_since.get_or_insert(now.wall_ms);
        }
        self
    }
}
