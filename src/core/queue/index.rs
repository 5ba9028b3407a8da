//! The indexes of the messages: by id, network id, key, chat, order, age and what they wait
//! for. Keeps them right; decides nothing.

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
        if message.state().takes_a_place() {
            self.live.insert(message.id);
            self.to_groups += usize::from(message.draft.to.is_group());
            self.with_files += usize::from(message.draft.file.is_some());
            if message.account.is_some() {
                self.held.insert(message.id);
            }
        }
        if message.state().is_live() && message.link_warning.is_some() {
            self.doubtful.insert(message.id);
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
            if message.state() != State::Sending {
                self.line.insert(place);
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
            State::Unknown => {
                self.unknown.insert(message.id);
            }
            State::Parked => {
                self.parked.insert(aged);
                if let Some(reason) = message.reason() {
                    self.parked_for.entry(reason.kind).or_default().insert(message.id);
                }
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
        if self.live.remove(&message.id) {
            self.to_groups -= usize::from(message.draft.to.is_group());
            self.with_files -= usize::from(message.draft.file.is_some());
        }
        self.held.remove(&message.id);
        self.doubtful.remove(&message.id);
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
        self.line.remove(&place);
        self.preparing.remove(&place);
        self.queued.remove(&place);
        self.sending.remove(&message.id);
        self.unknown.remove(&message.id);
        if self.parked.remove(&aged)
            && let Some(reason) = message.reason()
            && let Some(same) = self.parked_for.get_mut(&reason.kind)
        {
            same.remove(&message.id);
        }
        self.history.remove(&aged);
        if message.state() == State::Queued {
            self.queued_all = self.queued_all.saturating_sub(1);
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
