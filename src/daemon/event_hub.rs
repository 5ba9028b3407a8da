//! The engine's side of `events.subscribe`: the number of each message's last change, and
//! the subscribers that are up to date. Never waits for a subscriber and keeps no event
//! for one: a subscriber that does not take its events in time is let go, and reads on from
//! the index, where each message stands once, as it is by then.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::inbox::CursorRange;
use crate::store::feed::{Changed, Numbers, Runs};
use tetherd_api::{Event, FeedId, Message, MessageId, PairEnd, PairOffer, Status, Time};
use tetherd_core::action::{Actions, Change, Effect};
use tetherd_core::{Core, time};

/// Events that wait for one subscriber. Beyond them it gets the newest states only.
pub(crate) const LIVE_EVENTS_MAX: usize = 256;
/// Messages that a subscriber is given at a time while it catches up.
pub(crate) const PAGE_MESSAGES_MAX: usize = 32;

/// Something of which only the newest state counts, and how often it has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latest<T> {
    /// Changes so far.
    pub version: u64,
    /// The newest state.
    pub state: T,
}

/// What is not in the index, as it stands.
#[derive(Debug)]
pub struct Now {
    /// When that is.
    pub at: Time,
    /// The last number that was given: what comes later has a higher one.
    pub head: u64,
    /// The feed's names.
    pub runs: Arc<Runs>,
    /// The status.
    pub status: Latest<Box<Status>>,
    /// The last event of a pairing.
    pub pairing: Latest<Option<Pairing>>,
}

impl Now {
    /// Whether a subscriber can go on after this number, of this feed if that is known. After 0
    /// everybody can.
    pub(crate) fn continues(&self, after: u64, feed: Option<FeedId>) -> bool {
        let is_ours = || feed.is_none_or(|feed| self.runs.continues(feed, after));
        after == 0 || (after <= self.head && is_ours())
    }
}

/// A pairing's event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairing {
    /// The present code, where there is one.
    pub offer: Option<PairOffer>,
    /// How it ended, once it has.
    pub ended: Option<PairEnd>,
}

/// How far a subscriber that catches up has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// Messages whose number is at most this one.
    pub after: u64,
    /// Finished messages whose number is at most this one.
    pub floor: u64,
}

/// A part of what a subscriber has not received yet.
#[derive(Debug)]
pub struct Page {
    /// Messages with their numbers, ascending.
    pub messages: Vec<(u64, Message)>,
    /// The highest number among messages that are removed.
    pub forgotten: u64,
    /// There is no more: what follows comes live.
    pub live: Option<Live>,
}

/// Up to date.
#[derive(Debug)]
pub struct Live {
    /// How things stand.
    pub now: Now,
    /// The newest incoming message at that time, by its cursor.
    pub incoming: u64,
    /// What follows. Ends when the subscriber falls behind, or with the engine.
    pub events: mpsc::Receiver<LiveEvent>,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum LiveEvent {
    /// A message changed.
    Message {
        /// The number of the change.
        seq: u64,
        /// The message.
        message: Box<Message>,
    },
    /// Messages came in.
    Incoming {
        /// The cursor of the last of them.
        through: u64,
    },
    /// The status changed.
    Status {
        /// When.
        at: Time,
        /// The status.
        status: Latest<Box<Status>>,
    },
    /// A pairing goes on, or ended.
    Pairing {
        /// When.
        at: Time,
        /// Its event.
        pairing: Latest<Option<Pairing>>,
    },
}

/// The index, and everybody who is up to date.
pub(crate) struct EventHub {
    by_seq: BTreeMap<u64, MessageId>,
    of_message: HashMap<MessageId, u64>,
    forgotten: u64,
    head: u64,
    runs: Arc<Runs>,
    status_version: u64,
    pairing: Latest<Option<Pairing>>,
    live: Vec<mpsc::Sender<LiveEvent>>,
}

impl EventHub {
    pub(crate) fn new(numbers: Numbers) -> EventHub {
        EventHub {
            of_message: numbers.messages.iter().map(|(seq, id)| (*id, *seq)).collect(),
            by_seq: numbers.messages.into_iter().collect(),
            forgotten: numbers.forgotten,
            head: numbers.last,
            runs: Arc::new(numbers.runs),
            status_version: 0,
            pairing: Latest::default(),
            live: Vec::new(),
        }
    }

    /// Whether anybody is subscribed.
    pub(crate) fn is_followed(&self) -> bool {
        !self.live.is_empty()
    }

    /// Which messages a commit of these actions changes and removes.
    pub(crate) fn changed(&self, actions: &Actions) -> Changed {
        let mut changed = Changed::default();
        let mut seen = HashSet::new();
        // A message that changes twice is published as it is in the end.
        for message in messages(&actions.effects).rev() {
            if seen.insert(message.id) {
                changed.messages.push(message.id);
            }
        }
        changed.messages.reverse();
        for change in &actions.changes {
            if let Change::RemoveMessage { id } = change {
                changed.removed.insert(*id, self.of_message.get(id).copied());
            }
        }
        changed
    }

    /// Takes in what was committed, numbered from after this one, and notifies the live
    /// subscribers.
    pub(crate) fn committed(&mut self, before: u64, changed: &Changed, effects: &[Effect]) {
        for (seq, id) in (before + 1..).zip(&changed.messages) {
            self.head = seq;
            if let Some(former) = self.of_message.insert(*id, seq) {
                self.by_seq.remove(&former);
            }
            self.by_seq.insert(seq, *id);
        }
        for id in changed.removed.keys() {
            if let Some(seq) = self.of_message.remove(id) {
                self.by_seq.remove(&seq);
                self.forgotten = self.forgotten.max(seq);
            }
        }
        if !self.is_followed() {
            return;
        }
        let last: HashMap<MessageId, &Message> =
            messages(effects).map(|message| (message.id, message)).collect();
        for (seq, id) in (before + 1..).zip(&changed.messages) {
            if let Some(message) = last.get(id) {
                self.send(|| LiveEvent::Message { seq, message: Box::new((*message).clone()) });
            }
        }
    }

    /// Tells the live subscribers of something else than a message.
    pub(crate) fn publish(&mut self, event: Event, at: Time) {
        match event {
            // Published when they were committed.
            Event::Message { .. } => {}
            Event::Status { status } => {
                self.status_version += 1;
                let status = Latest { version: self.status_version, state: status };
                self.send(|| LiveEvent::Status { at, status: status.clone() });
            }
            Event::Pairing { offer, ended } => {
                self.pairing.version += 1;
                self.pairing.state = Some(Pairing { offer, ended });
                let pairing = self.pairing.clone();
                self.send(|| LiveEvent::Pairing { at, pairing: pairing.clone() });
            }
            Event::Incoming { .. } | Event::Gap { .. } | Event::SnapshotEnd {} => {
                debug_assert!(false, "made for one subscriber only");
            }
        }
    }

    /// Tells them that messages came in.
    pub(crate) fn incoming(&mut self, range: CursorRange) {
        self.send(|| LiveEvent::Incoming { through: range.newest });
    }

    fn send(&mut self, event: impl Fn() -> LiveEvent) {
        self.live.retain(|live| live.try_send(event()).is_ok());
    }

    /// How things stand.
    pub(crate) fn now(&self, core: &Core, range: CursorRange, now: time::Now) -> Now {
        let status = Box::new(core.status(now));
        Now {
            at: Time(now.wall_ms),
            head: self.head.max(range.newest_seq),
            runs: Arc::clone(&self.runs),
            status: Latest { version: self.status_version, state: status },
            pairing: self.pairing.clone(),
        }
    }

    /// What comes next for a subscriber that catches up. With the last of it the subscriber
    /// is live.
    pub(crate) fn page(
        &mut self,
        walk: Walk,
        core: &Core,
        range: CursorRange,
        now: time::Now,
    ) -> Page {
        let due = self.by_seq.range(walk.after.saturating_add(1)..);
        let mut due = due.filter(|(seq, id)| **seq > walk.floor || core.is_live(**id));
        let page: Vec<(u64, MessageId)> =
            due.by_ref().take(PAGE_MESSAGES_MAX).map(|(seq, id)| (*seq, *id)).collect();
        let is_last = due.next().is_none();
        let found = core.messages(page.iter().map(|(_, id)| *id), now);
        let messages =
            page.iter().zip(found).filter_map(|((seq, _), m)| Some((*seq, m?))).collect();
        let live = is_last.then(|| self.attach(core, range, now));
        Page { messages, forgotten: self.forgotten, live }
    }

    fn attach(&mut self, core: &Core, range: CursorRange, now: time::Now) -> Live {
        let (sender, events) = mpsc::channel(LIVE_EVENTS_MAX);
        self.live.retain(|live| !live.is_closed());
        self.live.push(sender);
        Live { now: self.now(core, range, now), incoming: range.newest, events }
    }
}

fn messages(effects: &[Effect]) -> impl DoubleEndedIterator<Item = &Message> {
    effects.iter().filter_map(|effect| match effect {
        Effect::Event(Event::Message { message }) => Some(&**message),
        Effect::Event(
            Event::Status { .. }
            | Event::Pairing { .. }
            | Event::Incoming { .. }
            | Event::Gap { .. }
            | Event::SnapshotEnd {},
        )
        | Effect::Reply { .. }
        | Effect::Session(_)
        | Effect::Unspool(_)
        | Effect::Prepare(_) => None,
    })
}
