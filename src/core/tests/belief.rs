//! What the property test believes.

use std::collections::{BTreeMap, HashMap};

use super::world::World;
use crate::queue::Message;
use tetherd_api::{Kind, MessageId, ReasonKind, State};

/// What may be believed about messages, from inputs alone.
#[derive(Default)]
pub(super) struct Model {
    /// How far each message is known to have come.
    pub(super) reached: HashMap<MessageId, u8>,
    /// Withdrawn by command, and what they were.
    pub(super) cancelled: HashMap<MessageId, Message>,
    /// The content and id of the messages that have had each key, the newest last.
    pub(super) keys: HashMap<u8, Vec<(u32, u8, MessageId)>>,
}

impl Model {
    /// What a key stands for: it is remembered as long as its message.
    pub(super) fn known(&self, world: &World, key: u8) -> Option<(u32, u8, MessageId)> {
        let message = |(.., id): &&(u32, u8, MessageId)| world.store.messages.get(id);
        let kept =
            || self.keys.get(&key).into_iter().flatten().rev().filter(|k| message(k).is_some());
        // An edit that was withdrawn replaces nothing.
        let is_withdrawn = |m: &Message| m.draft.kind == Kind::Edit && m.is_dropped();
        kept().find(|known| !message(known).is_some_and(is_withdrawn)).or(kept().next()).copied()
    }

    /// Whether the newest message that has had a key ended without being sent.
    pub(super) fn is_newest_dropped(&self, world: &World, key: u8) -> bool {
        let ids = self.keys.get(&key).into_iter().flatten().map(|(.., id)| id);
        let newest = ids.filter_map(|id| world.store.messages.get(id)).max_by_key(|m| m.id);
        newest.is_some_and(Message::is_dropped)
    }

    /// This is what it stands for from now on.
    pub(super) fn stands_for(&mut self, key: u8, chat: u32, text: u8, id: MessageId) {
        let before = self.keys.entry(key).or_default();
        before.retain(|(.., other)| *other != id);
        before.push((chat, text, id));
    }

    pub(super) fn hear(&mut self, world: &World, id: MessageId, rank: u8) {
        if world.store.messages.get(&id).is_some_and(|m| m.attempts > 0) {
            let known = self.reached.entry(id).or_default();
            *known = rank.max(*known);
        }
    }

    /// These were withdrawn just now.
    pub(super) fn withdrawn(&mut self, before: &BTreeMap<MessageId, Message>, ids: &[MessageId]) {
        self.cancelled.extend(ids.iter().map(|id| (*id, before[id].clone())));
    }

    /// These were brought back just now: they are what they were, or have gone on since.
    pub(super) fn brought_back(&mut self, world: &World, ids: &[MessageId]) {
        for id in ids {
            let before = self.cancelled.remove(id).expect("it was not withdrawn");
            let now = &world.store.messages[id];
            assert_eq!(now.order, before.order);
            // Links are asked once: what waited for them only does not wait again, except for
            // the end of a core that begins nothing any more.
            let asked = before.state() == State::Preparing
                && !world.core.draining
                && before.links_asked
                && (before.draft.source.is_none() || before.draft.file.is_some());
            let stood = if asked { State::Queued } else { before.state() };
            let left = stood == State::Queued && now.state() == State::Sending;
            let as_before = now.state() == stood && now.reason() == before.reason();
            let absent = now.reason().is_some_and(|r| {
                matches!(r.kind, ReasonKind::NotOnNetwork | ReasonKind::TargetNotSent)
            });
            // Given up at once if no more may be parked.
            let set_apart = matches!(now.state(), State::Parked | State::Failed);
            let parked = stood == State::Queued && set_apart && absent;
            let expired = now.state() == State::Expired;
            // The last place for parked ones, and one that came back with it was parked at once:
            // then the oldest gives up.
            let parked_now = world.store.messages.values().filter(|m| m.state() == State::Parked);
            let given_up = before.state() == State::Parked
                && now.state() == State::Failed
                && now.reason() == before.reason()
                && parked_now.count() == world.core.config.parked_max;
            assert!(left || as_before || parked || expired || given_up, "{id} {now:?}");
        }
    }

    pub(super) fn check(&self, world: &World) {
        for (id, message) in &world.store.messages {
            let rank = match message.state() {
                State::Sent => 1,
                State::Delivered => 2,
                State::Read => 3,
                _ => 0,
            };
            assert_eq!(rank, self.reached.get(id).copied().unwrap_or(0), "{id} {message:?}");
            if rank == 0 && self.cancelled.contains_key(id) {
                assert_eq!(message.state(), State::Cancelled);
            }
        }
    }
}
