//! What is the case, as plain data: every [`Condition`] says how much of the queue it
//! holds and whether it ends by itself. `dispatch` goes by them, `status` lists them, and
//! [`crate::explain`] puts them into words. Owns what is the case, by component, in one
//! small function each; has no sentences, and names no chat, no number and no text.

use std::collections::BTreeSet;

use crate::Core;
use crate::contacts::CheckFailureKind;
use crate::event::{ChallengeKind, EndReason};
use crate::pacing::{NewChatQuota, TimelockSource};
use crate::session::UnackedStanza;
use crate::time::{ClockJump, Now};
use crate::trouble::AccountTrouble;
use tetherd_api::{MessageId, ReasonKind, Redacted};

mod messages;
mod traits;

pub(crate) use traits::Ends;

/// For how long a clock that jumped is the case.
const CLOCK_JUMP_MS: i64 = 24 * 60 * 60 * 1_000;

/// One thing that is the case. Times are wall milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Records were damaged when the store was opened.
    StoreTrouble {
        since: i64,
        records: usize,
    },
    /// The disk is full: no new message is taken.
    DiskFull {
        since: i64,
    },
    /// No phone is paired; perhaps a pairing runs.
    NotPaired {
        since: i64,
        pairing: Option<PairingStage>,
    },
    /// The server holds something against the account, which is linked, or was, or against
    /// this client.
    Account {
        trouble: Box<AccountTrouble>,
        linked: bool,
    },
    /// The server will not take this client's version after that.
    ClientExpires {
        warned: i64,
        at: i64,
    },
    /// The server asks the account to prove itself; nothing says when it is content.
    IntegrityChallenge {
        since: i64,
        kind: ChallengeKind,
    },
    OtherSession {
        since: i64,
        takeover_at: Option<i64>,
        hour: LastHour,
    },
    /// The server wants fewer logins: how often it has said so, and when the next one is made.
    LoginLimited {
        since: i64,
        until: i64,
        count: u64,
    },
    /// The server ends streams again and again for this stanza.
    StanzaUnacked {
        stanza: UnackedStanza,
    },
    /// There should be a connection, and there is none: why the last one ended, and how
    /// many tries in a row failed.
    Disconnected {
        since: i64,
        ended: Option<EndReason>,
        next_try: Option<i64>,
        tries: u32,
    },
    PhoneOffline {
        since: i64,
        unlinked_at: Option<i64>,
        holds: bool,
    },
    PhoneSilent {
        since: i64,
        unlinked_at: Option<i64>,
    },
    /// The battery is low and not charging; the report counts until then.
    Battery {
        critical: bool,
        since: i64,
        until: i64,
        holds: bool,
    },
    Paused {
        since: i64,
    },
    /// A backlog that was held for so long needs a confirmation.
    StaleBacklog {
        since: i64,
        waited_ms: u64,
    },
    /// Without a source the server is being asked, until then at the latest.
    ReachoutTimelock {
        since: i64,
        until: i64,
        source: Option<TimelockSource>,
        ids: Vec<MessageId>,
    },
    /// The account's quota of new chats is used up, or nearly.
    NewChatQuota {
        quota: NewChatQuota,
        ids: Vec<MessageId>,
    },
    /// The sending hours are over: which of those that wait are not to be sent any more when
    /// they begin again.
    OutsideHours {
        since: i64,
        until: i64,
        late: usize,
    },
    RateLimited {
        since: i64,
        until: i64,
        code: u32,
    },
    /// Numbers that the network has not answered for: why the last question failed, and
    /// whether one is under way.
    NumberUnchecked {
        group: Group,
        failure: Option<CheckFailureKind>,
        asking: bool,
    },
    /// Messages to groups that the network has not answered for, and whether it is asked.
    GroupUnchecked {
        group: Group,
        asking: bool,
    },
    LinkDoubtful {
        group: Group,
    },
    FileUnderway {
        preparing: Group,
        uploading: Group,
    },
    /// Messages that wait for another account than the one that is linked, and those of them
    /// that may have left from it.
    AccountChanged {
        held: Group,
        parked: Group,
    },
    /// Attempts without an answer, and messages that were parked for it.
    NoAnswer {
        waiting: Group,
        parked: Group,
    },
    NotBefore {
        group: Group,
        due: i64,
    },
    /// Messages that wait for a person, and the first of their reasons.
    Parked {
        reason: ReasonKind,
        group: Group,
    },
    /// The wall clock was set, or the machine slept.
    ClockJumped {
        at: i64,
        by_ms: i64,
    },
    ShuttingDown {
        since: i64,
    },
    /// All slots are spent, since the last one; the next is free then.
    Pacing {
        since: i64,
        until: i64,
    },
}

/// How far a pairing is that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PairingStage {
    /// A code is shown, or about to be.
    Code,
    /// The phone asks for a passkey.
    Passkey,
}

/// Conflicts about the session in the last hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LastHour {
    /// How often another session took over.
    pub(crate) replaced: u64,
    /// How often the session was taken back by itself, and by command.
    pub(crate) taken_back: (u64, u64),
    /// Whether it may not be taken back by itself again for now.
    pub(crate) used_up: bool,
}

/// Addresses that one condition names.
const ADDRESSES_MAX: usize = 3;

/// Messages with something in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) ids: Vec<MessageId>,
    /// Since when the first of them.
    pub(crate) since: Option<i64>,
    /// What is known of them beyond that: codes and stable names, each once.
    pub(crate) details: BTreeSet<(Option<u32>, Option<String>)>,
    /// The first few web addresses that were asked.
    pub(crate) addresses: Vec<Redacted<String>>,
}

impl Group {
    /// Takes a message in.
    pub(crate) fn add(&mut self, id: MessageId, since: i64) {
        self.ids.push(id);
        self.since = Some(self.since.map_or(since, |first| first.min(since)));
    }

    /// Takes in what is known of a message.
    pub(crate) fn detail(&mut self, code: Option<u32>, detail: Option<&String>) {
        if code.is_some() || detail.is_some() {
            self.details.insert((code, detail.cloned()));
        }
    }

    /// Takes in which address was asked.
    pub(crate) fn address(&mut self, url: Option<&Redacted<String>>) {
        let unknown = url.filter(|url| !self.addresses.contains(url));
        if self.addresses.len() < ADDRESSES_MAX {
            self.addresses.extend(unknown.cloned());
        }
    }
}

impl Core {
    /// What can hold the queue as a whole, except for the pace. Cheap: asked at every turn.
    fn wide(&self, now: Now) -> impl Iterator<Item = Condition> {
        let since = self.draining_since;
        let ending = self.draining.then_some(Condition::ShuttingDown { since });
        self.session
            .conditions(now)
            .chain(self.phone.conditions(now))
            .chain(self.queue.conditions())
            .chain(ending)
    }

    /// What holds the queue as a whole, except for the pace, the weightiest first.
    pub(crate) fn stops(&self, now: Now) -> impl Iterator<Item = Condition> {
        self.wide(now).filter(Condition::stops_the_queue)
    }

    /// Everything that is the case, the weightiest first.
    pub(crate) fn conditions(&self, now: Now) -> Vec<Condition> {
        let mut all: Vec<Condition> = self.wide(now).collect();
        all.extend(self.store_condition());
        all.extend(self.disk_condition());
        all.extend(self.clock_condition(now));
        all.extend(self.hours_condition(now));
        all.extend(self.pacing.conditions(self.waiting_class(), now));
        all.extend(self.timelock_condition(now));
        all.extend(self.quota_condition(now));
        all.extend(self.message_conditions());
        all.sort_by_key(Condition::kind);
        all
    }

    /// What subscribers hear of though it holds nothing.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = Condition> {
        self.session.warnings(self.now).chain(self.disk_condition())
    }

    fn disk_condition(&self) -> Option<Condition> {
        self.disk_full_since.map(|since| Condition::DiskFull { since })
    }

    fn store_condition(&self) -> Option<Condition> {
        let records = self.store.quarantined;
        (records > 0).then_some(Condition::StoreTrouble { since: self.started_at, records })
    }

    /// A clock that jumped since the start; one that did so long ago is over.
    fn clock_condition(&self, now: Now) -> Option<Condition> {
        let ClockJump { at, by_ms } = self.clock_jumps.last()?;
        let recent = now.wall_ms.saturating_sub(at) < CLOCK_JUMP_MS;
        recent.then_some(Condition::ClockJumped { at, by_ms })
    }
}
