//! Per-message deadlines: earliest send time, expiry, end of undo. Owns their order;
//! decides nothing.
//!
//! `not_before` and `expires_at` are meant by the wall clock, and follow it when it is
//! set. The time to bring a message back is counted in uptime, so that a
//! clock that is set neither shortens nor prolongs it.

use std::collections::BTreeSet;

use crate::queue::Message;
use crate::time::WALL_LOOK_MS;
use tetherd_api::{MessageId, State};

/// Messages by their deadlines.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    wall_ms: i64,
    /// Waiting, and not to be sent yet: by when they may be.
    scheduled: BTreeSet<(i64, MessageId)>,
    /// Waiting, and were not to be sent before a time that has come.
    released: BTreeSet<(i64, MessageId)>,
    /// Not sent for certain, and not to be sent after this, or not as they are.
    expiring: BTreeSet<(i64, MessageId)>,
    /// Cancelled: until when they can be restored, in milliseconds of uptime.
    undoable: BTreeSet<(u64, MessageId)>,
}

impl Deadlines {
    /// Notes a message. False: its time has not come.
    pub(crate) fn add(&mut self, message: &Message) -> bool {
        if let Some(at) = message.draft.deadline()
            && can_expire(message)
        {
            self.expiring.insert((at, message.id));
        }
        if let Some(undo) = message.undo() {
            self.undoable.insert((undo.until_uptime_ms, message.id));
        }
        // What was attempted was due then, whatever the clock says now.
        let waits = matches!(message.state(), State::Preparing | State::Queued);
        let Some(at) = message.draft.not_before.filter(|_| waits) else { return true };
        let due = at <= self.wall_ms;
        let side = if due { &mut self.released } else { &mut self.scheduled };
        side.insert((at, message.id));
        due
    }

    /// Forgets a message.
    pub(crate) fn remove(&mut self, message: &Message) {
        if let Some(at) = message.draft.deadline() {
            self.expiring.remove(&(at, message.id));
        }
        if let Some(undo) = message.undo() {
            self.undoable.remove(&(undo.until_uptime_ms, message.id));
        }
        if let Some(at) = message.draft.not_before {
            self.scheduled.remove(&(at, message.id));
            self.released.remove(&(at, message.id));
        }
    }

    /// The wall clock reads this now. Answers those whose time has come, and those whose
    /// time has not come after all.
    pub(crate) fn turn_to(&mut self, wall_ms: i64) -> Vec<MessageId> {
        self.wall_ms = wall_ms;
        let come = self.scheduled.iter().take_while(|(at, _)| *at <= wall_ms);
        let gone = self.released.iter().rev().take_while(|(at, _)| *at > wall_ms);
        come.chain(gone).map(|(_, id)| *id).collect()
    }

    /// Waiting messages whose time has not come, the first due first.
    pub(crate) fn scheduled(&self) -> impl Iterator<Item = (i64, MessageId)> {
        self.scheduled.iter().copied()
    }

    /// Whether a message is one of them.
    pub(crate) fn is_scheduled(&self, message: &Message) -> bool {
        message.draft.not_before.is_some_and(|at| self.scheduled.contains(&(at, message.id)))
    }

    /// How many those are.
    pub(crate) fn scheduled_len(&self) -> usize {
        self.scheduled.len()
    }

    /// Messages whose deadline has passed. An unknown one among them may have left.
    pub(crate) fn expired(&self) -> impl Iterator<Item = MessageId> {
        let past = self.expiring.iter().take_while(|(at, _)| *at <= self.wall_ms);
        past.map(|(_, id)| *id)
    }

    /// Messages whose undo has ended by now.
    pub(crate) fn undone(&self, uptime_ms: u64) -> Vec<MessageId> {
        let past = self.undoable.iter().take_while(|(until, _)| *until <= uptime_ms);
        past.map(|(_, id)| *id).collect()
    }

    /// Cancelled messages that can be restored, the first to end first.
    pub(crate) fn undoable(&self) -> impl Iterator<Item = MessageId> {
        self.undoable.iter().map(|(_, id)| *id)
    }

    /// How many those are.
    pub(crate) fn undoable_len(&self) -> usize {
        self.undoable.len()
    }

    /// In how many milliseconds the next waiting message may be sent.
    pub(crate) fn next_due_in(&self) -> Option<u64> {
        self.scheduled.first().map(|(at, _)| self.look_in(*at))
    }

    /// In how many milliseconds the next one expires.
    pub(crate) fn next_expiry_in(&self) -> Option<u64> {
        let next = self.expiring.range((self.wall_ms.saturating_add(1), MessageId(0))..).next();
        next.map(|(at, _)| self.look_in(*at))
    }

    /// When the next undo ends, in milliseconds of uptime.
    pub(crate) fn next_undo_end(&self) -> Option<u64> {
        self.undoable.first().map(|(until, _)| *until)
    }

    fn look_in(&self, wall_ms: i64) -> u64 {
        u64::try_from(wall_ms.saturating_sub(self.wall_ms)).unwrap_or(0).min(WALL_LOOK_MS)
    }
}

/// Whether a passed deadline matters to it. Under way it may be there already.
fn can_expire(message: &Message) -> bool {
    match message.state() {
        State::Preparing | State::Queued | State::Parked | State::Unknown => true,
        State::Sending
        | State::Sent
        | State::Delivered
        | State::Read
        | State::Failed
        | State::Expired
        | State::Cancelled => false,
    }
}
