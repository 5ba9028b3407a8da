//! Applies deadlines: releases scheduled messages, expires late ones, ends undo. Never
//! sends: a released message only enters its chat's lane.

use crate::Core;
use crate::dispatch::{Flight, Step};
use crate::link::{Link, Phase, Run};
use crate::queue::Message;
use crate::time::Now;
use tetherd_api::{MessageId, State, Time};

impl Core {
    /// When the next message that was not to be sent before a time may be.
    pub(crate) fn due_at(&self) -> Option<u64> {
        self.in_ms(self.queue.deadlines().next_due_in())
    }

    /// When the next message is not to be sent any more, or is given up after that.
    pub(crate) fn expiry_at(&self) -> Option<u64> {
        let next = self.in_ms(self.queue.deadlines().next_expiry_in());
        let given_up = self.queue.deadlines().overdue().filter_map(|id| self.given_up_at(id)).min();
        next.into_iter().chain(given_up).min()
    }

    /// When the undo of the next cancelled message ends.
    pub(crate) fn undo_ends_at(&self) -> Option<u64> {
        self.queue.deadlines().next_undo_end().map(|until| self.uptime.mono_of(until))
    }

    /// Until when a cancelled message can be restored, on the wall clock as it stands.
    pub(crate) fn undo_until(&self, message: &Message, now: Now) -> Option<Time> {
        let undo = message.undo()?;
        Some(self.wall_of(self.uptime.mono_of(undo.until_uptime_ms), now))
    }

    /// Lets every message expire whose last moment has passed and that is not under way. One
    /// that may have left is given up only when no word about it comes any more.
    pub(crate) fn expire_overdue(&mut self, now: Now) {
        let given_up = |id: &MessageId| self.given_up_at(*id).is_some_and(|at| at <= now.mono_ms);
        let ids: Vec<MessageId> = self.queue.deadlines().overdue().filter(given_up).collect();
        for id in ids {
            if self.queue.expire(id, now).is_ok() {
                self.settle_message(id, now);
            }
        }
    }

    /// When an overdue message expires, monotonic; None: an input has to come first.
    ///
    /// One without an answer is not sent again. The server tells what it knows after a
    /// login, so after the next one it has as long as an answer has.
    fn given_up_at(&self, id: MessageId) -> Option<u64> {
        let message = self.queue.get(id)?;
        if message.state() != State::Unknown {
            return Some(0);
        }
        let Link { run: Some(run), generation, .. } = &self.link else { return None };
        let Run { phase: Phase::Connected { since, broken: false }, closing: None, .. } = run
        else {
            return None;
        };
        let waits_here = match self.flights.get(&id) {
            None | Some(Flight { step: Step::Resting { .. }, .. }) => false,
            Some(flight) => flight.generation >= *generation,
        };
        (!waits_here).then(|| since.saturating_add(self.config.ack_timeout_ms))
    }

    /// Ends the undo of those whose time is over, and of the first ones where there are too
    /// many: all that one `queue.clear` can take can be restored.
    pub(crate) fn end_undo(&mut self) {
        let mut ids = self.queue.deadlines().undone(self.queue.uptime_ms());
        let bound = self.config.capacity.saturating_add(self.config.parked_max);
        let over = self.queue.deadlines().undoable_len().saturating_sub(bound);
        if over > ids.len() {
            ids = self.queue.deadlines().undoable().take(over).collect();
        }
        for id in ids {
            self.queue.end_undo(id);
            // Told already, with its time: no event.
            self.out.put.insert(id);
            self.track_file(id);
        }
    }

    fn in_ms(&self, wait: Option<u64>) -> Option<u64> {
        wait.map(|ms| self.now.mono_ms.saturating_add(ms))
    }
}
