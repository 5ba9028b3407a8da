//! What the changes feed of one daemon has said: its status, its pairing, and when messages
//! came and left, for what is drawn. Holds no text and no number.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tetherd_api::{
    Event, EventFrame, FeedId, FeedPlace, Message, MessageId, PairEnd, PairOffer, State, Status,
    Time,
};
use tetherd_metrics::FeedMetrics;
use tokio::sync::watch;

/// Messages whose times are remembered.
const REMEMBERED_MAX: usize = 5_000;

/// When a message came, and when it gave its place back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// When it was accepted.
    pub accepted_at: Time,
    /// When it no longer waited; none: it still does.
    pub left_at: Option<Time>,
    /// When the server took it, if it did.
    pub sent_at: Option<Time>,
}

#[derive(Debug)]
struct Known {
    place: FeedPlace,
    status: Option<Box<Status>>,
    offer: Option<PairOffer>,
    ended: Option<PairEnd>,
    times: BTreeMap<MessageId, Left>,
    counted: FeedMetrics,
    /// Whether what was there before has been sent: from then on it counts.
    live: bool,
}

/// The feed, folded.
#[derive(Debug)]
pub struct Feed {
    known: Mutex<Known>,
    version: watch::Sender<u64>,
}

impl Feed {
    /// Of a daemon that is counted so.
    pub(super) fn new(counted: FeedMetrics) -> Feed {
        let known = Known {
            place: FeedPlace::START,
            status: None,
            offer: None,
            ended: None,
            times: BTreeMap::new(),
            counted,
            live: false,
        };
        Feed { known: Mutex::new(known), version: watch::Sender::new(0) }
    }

    fn locked(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn apply(&self, frame: &EventFrame) {
        let mut known = self.locked();
        known.place.seq = known.place.seq.max(frame.seq);
        match &frame.event {
            Event::Status { status } => known.status = Some(status.clone()),
            Event::Message { message } => known.note(message),
            Event::Incoming { .. } if known.live => known.counted.incoming(),
            Event::SnapshotEnd {} => known.live = true,
            Event::Pairing { offer, ended } => {
                known.offer = offer.clone().filter(|_| ended.is_none());
                known.ended = ended.clone();
            }
            Event::Incoming { .. } | Event::Gap { .. } => {}
        }
        drop(known);
        self.changed();
    }

    /// What comes next is of this feed, which continues the one before.
    pub(super) fn is_called(&self, feed: Option<FeedId>) {
        self.locked().place.feed = feed;
    }

    /// The feed is another one: what comes next is all of it.
    pub(super) fn forget(&self) {
        let mut known = self.locked();
        (known.place, known.live) = (FeedPlace::START, false);
        known.times.clear();
    }

    /// Something is to be looked at anew.
    pub(super) fn changed(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    /// Up to where it was read.
    pub(crate) fn place(&self) -> FeedPlace {
        self.locked().place
    }

    /// Changes whenever something happens.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// The last status that came.
    pub fn status(&self) -> Option<Box<Status>> {
        self.locked().status.clone()
    }

    /// The pairing's present code, and how the last one ended.
    pub fn pairing(&self) -> (Option<PairOffer>, Option<PairEnd>) {
        let known = self.locked();
        (known.offer.clone(), known.ended.clone())
    }

    /// A code that a call has answered. Its event may come later.
    pub fn offered(&self, offer: PairOffer) {
        let mut known = self.locked();
        (known.offer, known.ended) = (Some(offer), None);
    }

    /// The newest message that is known.
    pub(crate) fn newest(&self) -> u64 {
        self.locked().times.keys().next_back().map_or(0, |id| id.0)
    }

    /// When the oldest message that waits was accepted.
    pub(crate) fn oldest(&self) -> Option<Time> {
        let known = self.locked();
        let waiting = known.times.values().filter(|times| times.left_at.is_none());
        waiting.map(|times| times.accepted_at).min()
    }

    /// When messages came and left, in the order of acceptance.
    pub fn times(&self) -> Vec<Left> {
        self.locked().times.values().copied().collect()
    }
}

impl Known {
    fn note(&mut self, message: &Message) {
        self.counted.message(message, self.live);
        let waits = message.state.takes_a_place();
        let left_at = (!waits).then_some(message.sent_at.unwrap_or(message.changed_at));
        let before = self.times.get(&message.id).and_then(|left| left.left_at);
        // A receipt changes a message that has left, and not when it left.
        let left_at = match (message.state, before) {
            (
                State::Parked | State::Queued | State::Preparing | State::Sending | State::Unknown,
                _,
            )
            | (_, None) => left_at,
            (_, Some(before)) => Some(message.sent_at.unwrap_or(before)),
        };
        let (accepted_at, sent_at) = (message.accepted_at, message.sent_at);
        self.times.insert(message.id, Left { accepted_at, left_at, sent_at });
        while self.times.len() > REMEMBERED_MAX {
            self.times.pop_first();
        }
    }
}
