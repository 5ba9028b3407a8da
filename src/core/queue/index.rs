//! The indexes of the messages: by id, network id, key, chat, order and age. Keeps them
//! right and answers from them; decides nothing.

use std::collections::BTreeSet;

use super::{Place, Queue, Rank};
use crate::ids::ChatId;
use crate::queue::Message;
use tetherd_api::{MessageId, State};

impl Queue {
    /// Adds a message. One with the same id is replaced.
    pub(super) fn insert(&mut self, message: Message) {
        self.remove(message.id);
        self.last_order = self.last_order.max(message.order);
        self.by_wa.insert(message.draft.wa_id.0.clone(), message.id);
        if let Some(key) = &message.draft.key {
            self.by_key.entry(key.clone()).or_default().insert(message.id);
        }
        self.index(&message);
        self.by_to.entry(message.draft.to.clone()).or_default().insert(message.id);
        self.messages.insert(message.id, message);
    }

    pub(super) fn remove(&mut self, id: MessageId) -> Option<Message> {
        let message = self.messages.remove(&id)?;
        self.unindex(&message);
        if self.by_wa.get(&message.draft.wa_id.0) == Some(&id) {
            self.by_wa.remove(&message.draft.wa_id.0);
        }
        if let Some(key) = &message.draft.key
            && let Some(ids) = self.by_key.get_mut(key)
        {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_key.remove(key);
            }
        }
        if let Some(ids) = self.by_to.get_mut(&message.draft.to) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_to.remove(&message.draft.to);
            }
        }
        Some(message)
    }

    pub(super) fn index(&mut self, message: &Message) {
        let place = place(message);
        let aged = (message.changed_uptime_ms, message.id);
        let due = self.deadlines.add(message);
        let due = due && message.account.is_none();
        if message.state().takes_a_place() && message.account.is_some() {
            self.held.insert(message.id);
        }
        if message.state().takes_a_place() && due {
            let lane = self.lanes.entry(message.chat.clone()).or_default();
            if let Some(first) = lane.first() {
                self.heads.remove(first);
            }
            lane.insert(place);
            if let Some(first) = lane.first() {
                self.heads.insert(*first);
            }
        }
        match message.state() {
            State::Preparing => {
                self.preparing.insert(place);
            }
            State::Queued => {
                self.queued_all += 1;
                if due {
                    self.queued.insert(place);
                }
            }
            State::Sending => {
                self.sending.insert(message.id);
            }
            State::Unknown => self.unknown += 1,
            State::Parked => {
                self.parked.insert(aged);
            }
            // It is kept while it can be restored, and is history then.
            State::Cancelled if message.undo().is_some() => {}
            State::Sent
            | State::Delivered
            | State::Read
            | State::Failed
            | State::Expired
            | State::Cancelled => {
                self.history.insert(aged);
            }
        }
    }

    /// Whether its time had come when it was indexed is not asked: it is taken from
    /// wherever it may be.
    pub(super) fn unindex(&mut self, message: &Message) {
        let place = place(message);
        let aged = (message.changed_uptime_ms, message.id);
        self.deadlines.remove(message);
        self.held.remove(&message.id);
        if let Some(lane) = self.lanes.get_mut(&message.chat)
            && lane.remove(&place)
        {
            self.heads.remove(&place);
            match lane.first() {
                Some(first) => {
                    self.heads.insert(*first);
                }
                None => {
                    self.lanes.remove(&message.chat);
                }
            }
        }
        self.preparing.remove(&place);
        self.queued.remove(&place);
        self.sending.remove(&message.id);
        self.parked.remove(&aged);
        self.history.remove(&aged);
        match message.state() {
            State::Queued => self.queued_all = self.queued_all.saturating_sub(1),
            State::Unknown => self.unknown = self.unknown.saturating_sub(1),
            State::Preparing
            | State::Sending
            | State::Parked
            | State::Sent
            | State::Delivered
            | State::Read
            | State::Failed
            | State::Expired
            | State::Cancelled => {}
        }
    }

    /// The wall clock was set or has moved on. Those whose time has come enter their lanes;
    /// if the clock was put back, those whose time has not come after all leave them.
    pub(super) fn on_wall_clock(&mut self, wall_ms: i64) {
        for id in self.deadlines.turn_to(wall_ms) {
            if let Some(message) = self.messages.remove(&id) {
                self.unindex(&message);
                self.index(&message);
                self.messages.insert(id, message);
            }
        }
    }

    /// The order of messages to this recipient is kept in this chat from now on, as far as is
    /// known about its person. Those that wait in two chats which are one stand in the order of
    /// their acceptance. Looks at no other recipient's messages.
    pub(crate) fn regroup(&mut self, to: &ChatId, chat: &ChatId) {
        let ids = self.by_to.get(to).into_iter().flatten().copied();
        for id in ids.collect::<Vec<MessageId>>() {
            if let Some(mut message) = self.messages.remove(&id) {
                if message.chat != *chat {
                    self.unindex(&message);
                    message.chat = chat.clone();
                    self.index(&message);
                }
                self.messages.insert(id, message);
            }
        }
    }

    pub(crate) fn get(&self, id: MessageId) -> Option<&Message> {
        self.messages.get(&id)
    }

    pub(crate) fn find_wa_id(&self, wa_id: &str) -> Option<MessageId> {
        self.by_wa.get(wa_id).copied()
    }

    /// The newest of those that have had the key: the others were replaced.
    pub(crate) fn find_key(&self, key: &str) -> Option<MessageId> {
        self.by_key.get(key)?.last().copied()
    }

    /// All, in the order of acceptance.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Message> {
        self.messages.values()
    }

    /// The first message of each chat, in the order of sending.
    pub(crate) fn heads(&self) -> impl Iterator<Item = &Message> {
        self.heads.iter().filter_map(|(.., id)| self.messages.get(id))
    }

    /// Messages that still need an attempt and whose time has come, in the order of
    /// acceptance.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Message> {
        self.iter().filter(|message| message.account.is_none()).filter(|message| {
            match message.state() {
                State::Preparing | State::Queued => !self.deadlines.is_scheduled(message),
                State::Unknown => true,
                State::Sending
                | State::Parked
                | State::Sent
                | State::Delivered
                | State::Read
                | State::Failed
                | State::Expired
                | State::Cancelled => false,
            }
        })
    }

    /// Messages that wait for a time that was asked for, the first due first, and when
    /// that is, wall milliseconds.
    pub(crate) fn scheduled(&self) -> impl Iterator<Item = (i64, &Message)> {
        let scheduled = self.deadlines.scheduled();
        let scheduled = scheduled.filter_map(|(at, id)| Some((at, self.messages.get(&id)?)));
        scheduled.filter(|(_, message)| message.account.is_none())
    }

    /// Each chat's messages that still have to leave and whose time has come, in order.
    pub(crate) fn lanes(&self) -> impl Iterator<Item = Vec<&Message>> {
        let lane = |lane: &BTreeSet<Place>| {
            lane.iter().filter_map(|(.., id)| self.messages.get(id)).collect()
        };
        self.lanes.values().map(lane)
    }

    /// Those that are being prepared, in the order of sending.
    pub(crate) fn preparing(&self) -> impl Iterator<Item = &Message> {
        self.preparing.iter().filter_map(|(.., id)| self.messages.get(id))
    }

    /// The queued ones whose time has come, in the order of sending.
    pub(crate) fn queued(&self) -> impl Iterator<Item = MessageId> {
        self.queued.iter().map(|(.., id)| *id)
    }

    /// How many queued ones come before this one; none while its own time has not come.
    pub(crate) fn queued_before(&self, message: &Message) -> Option<usize> {
        let place = place(message);
        self.queued.contains(&place).then(|| self.queued.range(..place).count())
    }

    /// The message of its chat that has to leave before this one.
    pub(crate) fn before_in_chat(&self, message: &Message) -> Option<MessageId> {
        let (lane, place) = (self.lanes.get(&message.chat)?, place(message));
        let mut before = lane.range(..place).rev();
        before.next().filter(|_| lane.contains(&place)).map(|(.., id)| *id)
    }

    /// Those that are parked, the longest parked first.
    pub(crate) fn parked(&self) -> impl Iterator<Item = &Message> {
        self.parked.iter().filter_map(|(_, id)| self.messages.get(id))
    }

    pub(crate) fn sending(&self) -> impl Iterator<Item = MessageId> {
        self.sending.iter().copied()
    }

    /// The parked one that has been parked the longest.
    pub(super) fn oldest_parked(&self) -> Option<MessageId> {
        self.parked.first().map(|(_, id)| *id)
    }

    /// The finished one that changed first, and how many milliseconds of uptime ago.
    pub(super) fn oldest_finished(&self) -> Option<(u64, MessageId)> {
        self.history.first().map(|(since, id)| (self.uptime_ms().saturating_sub(*since), *id))
    }

    /// A place behind all others.
    pub(crate) fn next_order(&self) -> u64 {
        self.last_order.saturating_add(1)
    }

    pub(crate) fn preparing_len(&self) -> usize {
        self.preparing.len()
    }

    /// Those whose time has not come included.
    pub(crate) fn queued_len(&self) -> usize {
        self.queued_all
    }

    pub(crate) fn sending_len(&self) -> usize {
        self.sending.len()
    }

    pub(crate) fn unknown_len(&self) -> usize {
        self.unknown
    }

    pub(crate) fn parked_len(&self) -> usize {
        self.parked.len()
    }

    /// Cancelled ones that can be restored.
    pub(crate) fn undoable_len(&self) -> usize {
        self.deadlines.undoable_len()
    }

    /// Finished ones that cannot be restored.
    pub(crate) fn history_len(&self) -> usize {
        self.history.len()
    }

    /// Places taken.
    pub(crate) fn taken(&self) -> usize {
        self.preparing.len() + self.queued_all + self.sending.len() + self.unknown
    }

    /// Whether all places are taken.
    pub(crate) fn is_full(&self) -> bool {
        self.places() == 0
    }

    /// Places left.
    pub(crate) fn places(&self) -> usize {
        self.config.capacity.saturating_sub(self.taken())
    }

    /// Messages that still need an attempt, of the account that is linked.
    pub(crate) fn to_leave(&self) -> usize {
        let all = self.preparing.len() + self.queued_all + self.unknown;
        all.saturating_sub(self.held.len())
    }

    /// Those of them whose time has come.
    pub(crate) fn to_leave_now(&self) -> usize {
        let scheduled = match self.held.len() {
            0 => self.deadlines.scheduled_len(),
            _ => self.scheduled().count(),
        };
        self.to_leave().saturating_sub(scheduled)
    }
}

pub(crate) fn place(message: &Message) -> Place {
    let rank = match message.state() {
        State::Sending | State::Unknown => Rank::Out,
        State::Preparing
        | State::Queued
        | State::Parked
        | State::Sent
        | State::Delivered
        | State::Read
        | State::Failed
        | State::Expired
        | State::Cancelled => Rank::Waits(message.draft.priority),
    };
    (rank, message.order, message.id)
}
