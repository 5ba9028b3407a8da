//! A subscription's events, folded into the current state. Never asks anybody
//! anything.

use std::collections::BTreeMap;

use crate::{Event, EventFrame, GapOf, Message, MessageId, Status};

/// What a subscriber knows: the status and the live messages. It stays true over a lost
/// connection, if the next subscription continues after [`StateReplica::seq`].
///
/// A message's place in the queue, its expected time and what holds it go stale with
/// every other message that leaves, so they are not kept; `queue.list` has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateReplica {
    status: Option<Box<Status>>,
    messages: BTreeMap<MessageId, Message>,
    seq: u64,
    complete: bool,
}

impl StateReplica {
    /// Of nothing, to be fed from the beginning of a subscription without `after`.
    pub fn new() -> Self {
        StateReplica::default()
    }

    /// Folds one event in.
    pub fn apply(&mut self, frame: &EventFrame) {
        self.seq = self.seq.max(frame.seq);
        match &frame.event {
            Event::Status { status } => self.status = Some(status.clone()),
            Event::Message { message } => self.put(message),
            Event::SnapshotEnd {} => self.complete = true,
            // Some of them have finished; the live ones follow.
            Event::Gap { of: GapOf::Messages, .. } => {
                self.messages.clear();
                self.complete = false;
            }
            Event::Gap { of: GapOf::Incoming, .. }
            | Event::Pairing { .. }
            | Event::Incoming { .. } => {}
        }
    }

    fn put(&mut self, message: &Message) {
        if !message.state.is_live() {
            self.messages.remove(&message.id);
            return;
        }
        self.messages.insert(message.id, message.without_forecast());
    }

    /// Whether the snapshot is complete.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The last status.
    pub fn status(&self) -> Option<&Status> {
        self.status.as_deref()
    }

    /// The live messages, in the order of acceptance.
    pub fn messages(&self) -> impl ExactSizeIterator<Item = &Message> {
        self.messages.values()
    }

    /// One live message.
    pub fn message(&self, id: MessageId) -> Option<&Message> {
        self.messages.get(&id)
    }

    /// The number to continue after.
    pub fn seq(&self) -> u64 {
        self.seq
    }
}
