//! Snapshot and changes, folded into one picture by the same code on both sides:
//! a client folds what it is sent, the daemon can tell a view as a snapshot.
//! Never asks anybody anything.

use std::collections::BTreeMap;

use crate::{Event, EventFrame, Message, MessageId, Status, Time};

/// What a subscriber knows: the status and the live messages.
///
/// A message's place in the queue and its expected time go stale with every other
/// message that leaves, so a view does not keep them; `queue.list` tells them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateReplica {
    status: Option<Box<Status>>,
    messages: BTreeMap<MessageId, Message>,
    seq: u64,
    complete: bool,
}

/// Why a view is no longer the truth. Subscribe again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplicaError {
    /// Changes are missing.
    #[error("changes are missing between {after} and {seq}")]
    Gap {
        /// The last change that was folded in.
        after: u64,
        /// The one that came.
        seq: u64,
    },
    /// The daemon said that this subscriber read too slowly.
    #[error("events were missed because they were read too slowly")]
    Lagged,
}

impl StateReplica {
    /// A view of nothing, to be fed from the beginning of a subscription.
    pub fn new() -> Self {
        StateReplica::default()
    }

    /// Folds one event in. A change from before the snapshot does nothing.
    pub fn apply(&mut self, frame: &EventFrame) -> Result<(), ReplicaError> {
        if self.complete {
            if frame.seq < self.seq {
                return Ok(());
            }
            if frame.seq > self.seq + 1 {
                return Err(ReplicaError::Gap { after: self.seq, seq: frame.seq });
            }
        }
        match &frame.event {
            Event::Status { status } => self.status = Some(status.clone()),
            Event::Message { message } => self.put(message),
            Event::SnapshotEnd {} => self.complete = true,
            Event::Pairing { .. } | Event::Incoming { .. } | Event::Gap { .. } => {}
            Event::Lagged {} => return Err(ReplicaError::Lagged),
        }
        self.seq = frame.seq;
        Ok(())
    }

    fn put(&mut self, message: &Message) {
        if !message.state.is_live() {
            self.messages.remove(&message.id);
            return;
        }
        let message = Message { position: None, expected_at: None, text: None, ..message.clone() };
        self.messages.insert(message.id, message);
    }

    /// The view as a snapshot: a subscriber who folds it has the same view.
    pub fn snapshot(&self, at: Time) -> Vec<EventFrame> {
        let frame = |event| EventFrame { seq: self.seq, at, event };
        let status = self.status.iter().map(|status| Event::Status { status: status.clone() });
        let messages = self.messages.values();
        let messages = messages.map(|m| Event::Message { message: Box::new(m.clone()) });
        let end = std::iter::once(Event::SnapshotEnd {});
        status.chain(messages).chain(end).map(frame).collect()
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

    /// The number of the last change folded in.
    pub fn seq(&self) -> u64 {
        self.seq
    }
}
