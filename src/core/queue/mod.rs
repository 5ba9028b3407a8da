//! The messages: their states and order, deadlines and attempts, and what callers ask of
//! them. Owns who is first in each chat and what a message's answers mean for it. Sends
//! nothing, and knows no connection, no pace and no phone: `Core` informs it of what it needs of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::account_names::AccountNames;
use crate::action::{ActionBuffer, Wake};
use crate::config::CoreConfig;
use crate::facts::Facts;
use crate::ids::ChatId;
use crate::time::{BootId, Now, Uptime};
use tetherd_api::{MessageId, Priority, ReasonKind, Redacted};

mod account_change;
mod amend;
mod answers;
mod attempts;
mod cancel;
mod conditions;
mod deadlines;
mod expiry;
mod index;
mod lookup;
mod message;
mod sending;
mod stale_backlog;
mod steps;
mod submit;
mod transitions;
mod visits;

pub(crate) use amend::Amendment;
pub use amend::{EDIT_WINDOW_MS, REVOKE_WINDOW_MS};
pub use answers::Reached;
use attempts::Attempts;
use deadlines::Deadlines;
pub(crate) use index::place;
pub use message::{Message, MessageState, Parked, Pending, Tries, Undo, Withdrawn};
use stale_backlog::StaleBacklog;
pub use stale_backlog::{BacklogFacts, Stale};
pub(crate) use visits::Visits;

/// What comes before the order in which messages were accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// Under way or without an answer: nothing of its chat passes it, whatever its
    /// priority, and of those that wait it is dealt with first.
    Out,
    /// It waits.
    Waits(Priority),
}

/// A place in the order of sending. The id keeps it unique whatever a record says.
pub(crate) type Place = (Rank, u64, MessageId);
/// When a message last changed its state, in milliseconds of uptime, and which: what is
/// trimmed first.
type Aged = (u64, MessageId);

/// What the queue has to know of the other components. Given before it decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Surroundings {
    /// The connection's number.
    pub(crate) generation: u64,
    /// Since when something can be sent on it, monotonic; none: nothing can.
    pub(crate) live_since: Option<u64>,
    /// Whether the daemon goes down.
    pub(crate) draining: bool,
}

/// All messages that the daemon knows.
#[derive(Debug)]
pub(crate) struct Queue {
    config: CoreConfig,
    now: Now,
    /// Ages are counted in it: a wall clock that is set makes no message old, and its key
    /// is not forgotten.
    uptime: Uptime,
    around: Surroundings,
    messages: BTreeMap<MessageId, Message>,
    by_wa: HashMap<String, MessageId>,
    by_key: HashMap<Redacted<String>, BTreeSet<MessageId>>,
    /// All messages to a recipient, under the name that their caller gave.
    by_to: HashMap<ChatId, BTreeSet<MessageId>>,
    /// Each chat's messages that take a place and may be sent by now, in order.
    lanes: HashMap<ChatId, BTreeSet<Place>>,
    /// The first of each lane.
    heads: BTreeSet<Place>,
    /// Those of all lanes that still have to leave, in the order of sending.
    line: BTreeSet<Place>,
    /// Those that are queued and may be sent by now, of all chats.
    queued: BTreeSet<Place>,
    /// Earliest send times, expiry, ends of undo.
    deadlines: Deadlines,
    parked: BTreeSet<Aged>,
    history: BTreeSet<Aged>,
    sending: BTreeSet<MessageId>,
    preparing: BTreeSet<Place>,
    /// Those whose time has not come included.
    queued_all: usize,
    unknown: BTreeSet<MessageId>,
    /// Those that take a place.
    live: BTreeSet<MessageId>,
    /// How many of these are to groups, and how many have a file.
    to_groups: usize,
    with_files: usize,
    /// Those that are parked, by their reason.
    parked_for: BTreeMap<ReasonKind, BTreeSet<MessageId>>,
    /// Those that have not finished although a link in them is doubtful.
    doubtful: BTreeSet<MessageId>,
    last_order: u64,
    /// The last id given away.
    last_id: u64,
    attempts: Attempts,
    /// Since when it is paused, wall milliseconds.
    paused_since: Option<i64>,
    backlog: StaleBacklog,
    /// Chats of which the server knows other devices than the last message was sent to.
    stale_devices: BTreeSet<ChatId>,
    /// The account that messages without one of their own wait for.
    account: Option<AccountNames>,
    /// Those that could leave if they were not another account's.
    held: BTreeSet<MessageId>,
    pub(crate) visits: Visits,
}

impl Queue {
    /// Takes over what was stored.
    pub(crate) fn new(
        config: CoreConfig,
        messages: Vec<Message>,
        facts: &Facts,
        (boot, uptime): (BootId, Uptime),
        now: Now,
    ) -> Queue {
        let last_id = messages.iter().map(|message| message.id.0).max().unwrap_or(0);
        let mut queue = Queue {
            config,
            now,
            uptime,
            around: Surroundings::default(),
            messages: BTreeMap::new(),
            by_wa: HashMap::new(),
            by_key: HashMap::new(),
            by_to: HashMap::new(),
            lanes: HashMap::new(),
            heads: BTreeSet::new(),
            line: BTreeSet::new(),
            queued: BTreeSet::new(),
            deadlines: Deadlines::default(),
            parked: BTreeSet::new(),
            history: BTreeSet::new(),
            sending: BTreeSet::new(),
            preparing: BTreeSet::new(),
            queued_all: 0,
            unknown: BTreeSet::new(),
            live: BTreeSet::new(),
            to_groups: 0,
            with_files: 0,
            parked_for: BTreeMap::new(),
            doubtful: BTreeSet::new(),
            last_order: 0,
            last_id: last_id.max(facts.last_id),
            attempts: Attempts::default(),
            paused_since: facts.paused_since,
            backlog: StaleBacklog::new(facts.backlog, boot, now),
            stale_devices: BTreeSet::new(),
            account: AccountNames::of(
                facts.queue_account.as_ref(),
                facts.queue_account_lid.as_ref(),
            ),
            held: BTreeSet::new(),
            visits: Visits::default(),
        };
        for message in messages {
            queue.insert(message);
        }
        queue
    }

    /// Takes another configuration. What is accepted stays accepted.
    pub(crate) fn set_config(&mut self, config: &CoreConfig) {
        self.config = config.clone();
    }

    /// The time of an input. Monotonic time never goes back.
    pub(crate) fn set_time(&mut self, now: Now) {
        self.now = now;
        self.on_wall_clock(now.wall_ms);
    }

    /// How the other components stand.
    pub(crate) fn on_surroundings(&mut self, around: Surroundings) {
        self.around = around;
    }

    /// What time alone brings about, attempts and deadlines.
    pub(crate) fn on_time(&mut self, out: &mut ActionBuffer, now: Now) {
        for id in self.attempts.timed_out(now) {
            self.unanswered(id, out, now);
        }
        self.expire_late(out, now);
        self.end_undo(out);
    }

    /// When time alone brings something about, monotonic, and what.
    pub(crate) fn poll_timeout(&self) -> Option<(u64, Wake)> {
        let next = [
            (self.attempts.next_timeout(), Wake::AckTimeout),
            (self.trim_at(), Wake::Trim),
            (self.due_at(), Wake::Due),
            (self.expiry_at(), Wake::Expiry),
            (self.undo_ends_at(), Wake::UndoEnds),
        ];
        let next = next.into_iter().filter_map(|(at, wake)| Some((at?, wake)));
        next.min_by_key(|(at, _)| *at)
    }

    /// What of it outlives a restart, besides the messages.
    pub(crate) fn store_facts(&self, facts: &mut Facts) {
        facts.last_id = self.last_id;
        facts.paused_since = self.paused_since;
        facts.uptime_ms = self.uptime_ms();
        facts.backlog = self.backlog.facts();
        let account = self.account.as_ref();
        facts.queue_account = account.map(|account| account.jid.clone());
        facts.queue_account_lid = account.and_then(|account| account.lid.clone());
    }

    /// The daemon's uptime, all its runs together.
    pub(crate) fn uptime_ms(&self) -> u64 {
        self.uptime.at(self.now)
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused_since.is_some()
    }

    /// `queue.pause` and `queue.resume`.
    pub(crate) fn set_paused(&mut self, paused: bool, out: &mut ActionBuffer, now: Now) {
        if paused != self.is_paused() {
            self.paused_since = paused.then_some(now.wall_ms);
            out.save_facts();
        }
    }
}
