//! What memory, store and indexes must agree on after every input.

use std::collections::BTreeMap;

use super::world::World;
use crate::queue::Message;
use tetherd_api::{MessageId, State};

const HOUR_MS: u64 = 3_600_000;

impl World {
    /// What holds after every input.
    pub(super) fn check(&self) {
        let core: BTreeMap<MessageId, Message> =
            self.core.queue.iter().map(|m| (m.id, stored(m))).collect();
        assert_eq!(core, self.store.messages, "memory and store differ");
        assert_eq!(self.core.pacing.slots(), self.store.slots);
        assert_eq!(self.core.facts, self.store.facts);
        let mut facts = self.store.facts.clone();
        self.core.queue.store_facts(&mut facts);
        self.core.pacing.store_facts(&mut facts);
        self.core.session.store_facts(&mut facts);
        // The uptime is written along with something else, and a restart moves the backlog's
        // timestamp into the boot that is now.
        facts.uptime_ms = self.store.facts.uptime_ms;
        facts.backlog = self.store.facts.backlog;
        assert_eq!(facts, self.store.facts, "facts that changed and were not stored");
        assert_eq!(*self.core.groups.kept(), self.store.groups);
        let known: BTreeMap<_, _> =
            self.core.contacts.records().map(|k| (k.number.clone(), k.clone())).collect();
        assert_eq!(known, self.store.numbers, "numbers in memory and store differ");
        let in_state = |state| core.values().filter(move |m| m.state() == state).count();
        let taken = core.values().filter(|m| m.state().takes_a_place()).count();
        assert_eq!(taken, self.core.queue.taken());
        assert!(taken <= self.config.capacity, "{taken} places taken");
        assert!(in_state(State::Parked) <= self.config.parked_max);
        assert!(self.core.queue.history_len() <= self.config.history_max);
        let undoable = self.core.queue.undoable_len();
        assert!(undoable <= self.config.capacity + self.config.parked_max);
        assert!(self.store.slots.len() <= self.config.pace_limit.max(1));
        for message in core.values() {
            let sent = matches!(message.state(), State::Sent | State::Delivered | State::Read);
            assert!(
                !sent || self.confirmed.contains(&message.draft.wa_id.0),
                "sent without a word"
            );
            let waits = matches!(message.state(), State::Preparing | State::Queued | State::Parked);
            let expired = message.draft.expires_at.is_some_and(|at| at <= self.now.wall_ms);
            assert!(!(waits && expired && self.core.now == self.now), "it should have expired");
            if let Some(undo) = message.undo() {
                assert_eq!(message.state(), State::Cancelled);
                assert!(undo.until_uptime_ms > self.core.queue.uptime_ms(), "past its undo");
            }
        }
        if let Some(last) = self.taken_back.last() {
            let recent = self.taken_back.iter().filter(|at| *at + HOUR_MS > *last).count();
            assert!(recent <= self.config.takeovers_per_hour, "{recent} takeovers in an hour");
        }
        for id in self.preparing.keys() {
            assert_eq!(core[id].state(), State::Preparing, "nobody wants {id} prepared");
        }
        self.check_indexes();
        if let Some((at, wake)) = self.core.poll_timeout() {
            assert!(at > self.now.mono_ms, "{wake:?} is due and was not dealt with");
        }
    }

    /// What is answered from an index is what a walk over all finds. Few messages show it as
    /// well as many.
    fn check_indexes(&self) {
        const FEW: usize = 40;
        let queue = &self.core.queue;
        if queue.taken() + queue.parked_len() > FEW {
            return;
        }
        assert_eq!(queue.to_leave_now(), queue.waiting().count());
        let unfinished = |m: &&Message| m.state().takes_a_place() || m.state() == State::Parked;
        assert!(queue.iter().filter(unfinished).eq(queue.unfinished()), "an index is wrong");
        self.core.check_forecast(self.now);
    }
}

/// A message as its record has it: which chat it belongs to follows from what is known.
pub(super) fn stored(message: &Message) -> Message {
    Message { chat: message.draft.to.clone(), ..message.clone() }
}
