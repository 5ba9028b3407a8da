//! What the changes feed of one daemon has said: its status, its pairing, and when messages
//! came and left, for what is drawn. Holds no text and no number.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tetherd_api::{Event, EventFrame, Message, MessageId, PairEnd, PairOffer, State, Status, Time};
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

#[derive(Debug, Default)]
struct Known {
    seq: u64,
    status: Option<Box<Status>>,
    offer: Option<PairOffer>,
    ended: Option<PairEnd>,
    times: BTreeMap<MessageId, Left>,
}

/// The feed, folded.
#[derive(Debug)]
pub struct Feed {
    known: Mutex<Known>,
    version: watch::Sender<u64>,
}

impl Default for Feed {
    fn default() -> Feed {
        Feed { known: Mutex::default(), version: watch::Sender::new(0) }
    }
}

impl Feed {
    fn locked(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn apply(&self, frame: &EventFrame) {
        let mut known = self.locked();
        known.seq = known.seq.max(frame.seq);
        match &frame.event {
            Event::Status { status } => known.status = Some(status.clone()),
            Event::Message { message } => known.note(message),
            Event::Pairing { offer, ended } => {
                known.offer = offer.clone().filter(|_| ended.is_none());
                known.ended = ended.clone();
            }
            Event::Incoming { .. } | Event::Gap { .. } | Event::SnapshotEnd {} => {}
        }
        drop(known);
        self.changed();
    }

    /// Something is to be looked at anew.
    pub(super) fn changed(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    /// The number to continue after.
    pub(super) fn seq(&self) -> u64 {
        self.locked().seq
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

    /// When messages came and left, in the order of acceptance.
    pub fn times(&self) -> Vec<Left> {
        self.locked().times.values().copied().collect()
    }
}

impl Known {
    fn note(&mut self, message: &Message) {
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
