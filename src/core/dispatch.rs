//! What time alone brings about, and the next attempt. Never sleeps: `poll_timeout` says
//! when and why to come back.

use crate::Core;
use crate::action::{SessionCommand, Wake};
use crate::pacing::Class;
use crate::queue::Message;
use crate::time::Now;
use tetherd_api::{MessageId, State};

mod files;
mod groups;

/// Attempts without an answer at a time. The session takes as many: one more would come
/// back as if something were wrong with it.
pub const SENDING_MAX: usize = 64;

/// The first of two attempts.
fn earlier(before: Option<(u64, Wake)>, other: (u64, Wake)) -> Option<(u64, Wake)> {
    Some(before.filter(|before| before.0 <= other.0).unwrap_or(other))
}

/// When the slot that a message takes is free.
fn slot_of(slots: [u64; 2], message: &Message) -> u64 {
    slots[Class::of(message.draft.priority).index()]
}

impl Core {
    /// When the next attempt leaves if nothing else happens before.
    pub(crate) fn next_attempt(&self) -> Option<(u64, Wake)> {
        if !self.may_dispatch() || self.queue.sending_len() >= SENDING_MAX {
            return None;
        }
        let slots = self.pacing.free_at(self.now);
        let soonest = slots.into_iter().min().unwrap_or(0);
        let mut earliest = None::<(u64, Wake)>;
        for head in self.queue.heads() {
            let Some(ready) = self.ready_at(head) else { continue };
            let slot = slot_of(slots, head);
            if ready <= slot {
                earliest = earlier(earliest, (slot, Wake::Slot));
                // Those behind it take the same slots or later ones.
                if slot == soonest || head.state() == State::Queued {
                    break;
                }
            } else {
                earliest = earlier(earliest, (ready, Wake::Retry));
            }
        }
        earliest
    }

    /// Whether anything but the pace and the messages themselves forbids an attempt.
    pub(crate) fn may_dispatch(&self) -> bool {
        self.session.can_send() && self.stops(self.now).next().is_none()
    }

    /// When the first message of a chat may be attempted, as far as it alone matters.
    fn ready_at(&self, head: &Message) -> Option<u64> {
        if head.is_past_deadline(self.now.wall_ms) {
            return None;
        }
        Some(self.queue.rested_at(head)?.max(self.preconditions(head)?))
    }

    /// Whether nothing but its turn and the pace keep a message from leaving now.
    pub(crate) fn could_leave(&self, head: &Message) -> bool {
        self.ready_at(head).is_some_and(|at| at <= self.now.mono_ms)
    }

    /// Makes every attempt that may be made now: those without an answer first, then by
    /// priority and in the order of acceptance, never past an unfinished one of the same
    /// chat.
    pub(crate) fn dispatch(&mut self, now: Now) {
        while self.next_attempt().is_some_and(|(at, _)| at <= now.mono_ms) {
            let Some(id) = self.first_ready(now) else { return };
            if !self.attempt(id, now) {
                return;
            }
        }
    }

    fn first_ready(&self, now: Now) -> Option<MessageId> {
        let slots = self.pacing.free_at(now);
        let ready = |head: &&Message| {
            slot_of(slots, head) <= now.mono_ms
                && self.ready_at(head).is_some_and(|at| at <= now.mono_ms)
        };
        self.queue.heads().find(ready).map(|message| message.id)
    }

    /// The slot is spent on the attempt, in the same batch: the server counts attempts.
    fn attempt(&mut self, id: MessageId, now: Now) -> bool {
        let address =
            self.queue.get(id).and_then(|message| self.contacts.address(&message.draft.to));
        let Some(outgoing) = self.queue.attempt(id, address, &mut self.out, now) else {
            return false;
        };
        self.pacing.on_attempt(id, outgoing.attempt, &mut self.out, now);
        self.out.command(SessionCommand::Send(outgoing));
        true
    }

    /// Deals with everything whose time has come.
    pub(crate) fn pass_time(&mut self, now: Now) {
        self.inform(now);
        self.queue.on_time(&mut self.out, now);
        if self.resolve_at().is_some_and(|(at, _)| at <= now.mono_ms) {
            self.session.on_unresolved(&mut self.out, now);
        }
        self.pacing.on_time(&mut self.out, now);
        self.session.on_time(&mut self.out, now);
        self.put_back_refused(now);
        self.inform(now);
        self.phone.on_time(&mut self.out, now);
        let held = !self.session.can_send() || self.phone.holds(now);
        self.queue.judge_backlog(held, &mut self.out, now);
    }

    /// Puts back what an ended timelock, or a quota's last cycle, had refused, where it was: as
    /// far as there are places, the rest as places become free.
    fn put_back_refused(&mut self, now: Now) {
        if self.draining {
            return;
        }
        for (reason, ended) in self.pacing.to_put_back() {
            // What was refused after the end had its chance, and waits for a command.
            let before = |m: &&Message| m.changed_uptime_ms <= ended;
            let mut due: Vec<(u64, MessageId)> =
                self.queue.parked_for(reason).filter(before).map(|m| (m.order, m.id)).collect();
            due.sort_unstable();
            for (order, id) in due {
                if self.queue.is_full() {
                    return;
                }
                self.queue.requeue(id, order, false, &mut self.out, now);
            }
            self.pacing.on_put_back(reason, &mut self.out);
        }
    }

    /// When a live connection is closed so that the next one resolves what has no answer.
    pub(crate) fn resolve_at(&self) -> Option<(u64, Wake)> {
        let at = self.queue.resolve_at().filter(|_| self.may_dispatch())?;
        Some((at, Wake::Resolve))
    }
}
