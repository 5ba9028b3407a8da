//! Applies deadlines and bounds: releases scheduled messages, expires late ones, ends undo,
//! trims history and parked messages. Never sends: a released message only enters its
//! chat's lane.

use super::Queue;
use crate::action::ActionBuffer;
use crate::time::Now;
use tetherd_api::{MessageId, State};

/// History is looked through for what is too old at most this often.
const TRIM_EVERY_MS: u64 = 60 * 60 * 1_000;

impl Queue {
    /// When the next message that was not to be sent before a time may be.
    pub(super) fn due_at(&self) -> Option<u64> {
        self.in_ms(self.deadlines.next_due_in())
    }

    /// When the next message is not to be sent any more, or is given up after that.
    pub(super) fn expiry_at(&self) -> Option<u64> {
        let next = self.in_ms(self.deadlines.next_expiry_in());
        let given_up = self.deadlines.expired().filter_map(|id| self.given_up_at(id)).min();
        next.into_iter().chain(given_up).min()
    }

    /// When the undo of the next cancelled message ends.
    pub(super) fn undo_ends_at(&self) -> Option<u64> {
        self.deadlines.next_undo_end().map(|until| self.uptime.mono_of(until))
    }

    /// Lets every message expire whose deadline has passed and that is not under way. One
    /// that may have left is given up only when no word about it comes any more. An edit that
    /// only came too late to be one goes on as a text.
    pub(super) fn expire_late(&mut self, out: &mut ActionBuffer, now: Now) {
        let given_up = |id: &MessageId| self.given_up_at(*id).is_some_and(|at| at <= now.mono_ms);
        let ids: Vec<MessageId> = self.deadlines.expired().filter(given_up).collect();
        for id in ids {
            self.step(id, out, now, |m| match m.only_edit_is_late(now.wall_ms) {
                true => m.stop_editing(),
                false => m.expire(now.wall_ms),
            });
        }
    }

    /// When an expired message is given up, monotonic; None: an input has to come first.
    ///
    /// One without an answer is not sent again. The server tells what it knows after a
    /// login, so after the next one it has as long as an answer has.
    fn given_up_at(&self, id: MessageId) -> Option<u64> {
        if self.get(id)?.state() != State::Unknown {
            return Some(0);
        }
        let live_since = self.around.live_since?;
        let open = self.attempts.can_be_answered(id, self.around.generation);
        (!open).then(|| live_since.saturating_add(self.config.ack_timeout_ms))
    }

    /// Ends the undo of those whose time is over, and of the first ones where there are too
    /// many: all that one `queue.clear` can take can be restored.
    pub(super) fn end_undo(&mut self, out: &mut ActionBuffer) {
        let mut ids = self.deadlines.undone(self.uptime_ms());
        let bound = self.config.capacity.saturating_add(self.config.parked_max);
        let over = self.deadlines.undoable_len().saturating_sub(bound);
        if over > ids.len() {
            ids = self.deadlines.undoable().take(over).collect();
        }
        for id in ids {
            // Reported already, with its time: no event.
            self.change(id, out, |m| m.end_undo());
        }
    }

    fn in_ms(&self, wait: Option<u64>) -> Option<u64> {
        wait.map(|ms| self.now.mono_ms.saturating_add(ms))
    }

    /// Keeps parked messages and history within their bounds. What can be restored is no
    /// history.
    pub(crate) fn trim(&mut self, out: &mut ActionBuffer, now: Now) {
        while self.parked_len() > self.config.parked_max {
            let Some(id) = self.oldest_parked() else { break };
            if self.step(id, out, now, |m| m.give_up(now.wall_ms)).is_none() {
                break;
            }
        }
        while let Some((age_ms, id)) = self.oldest_finished() {
            if age_ms < self.config.history_ms && self.history_len() <= self.config.history_max {
                break;
            }
            self.remove(id);
            out.removed.push(id);
        }
    }

    /// When the oldest finished message is too old; seldom enough to gather several.
    pub(super) fn trim_at(&self) -> Option<u64> {
        let (age_ms, _) = self.oldest_finished()?;
        let left = self.config.history_ms.saturating_sub(age_ms).max(TRIM_EVERY_MS);
        Some(self.now.mono_ms.saturating_add(left))
    }
}
