//! Answers from the indexes. Whatever a message's way asks for is found without a walk over
//! those that wait or have finished: the walks are counted in tests. Decides nothing.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::index::place;
use super::{Place, Queue};
use crate::ids::ChatId;
use crate::queue::Message;
use tetherd_api::{Kind, MessageId, ReasonKind, State};

impl Queue {
    pub(crate) fn get(&self, id: MessageId) -> Option<&Message> {
        self.visits.count();
        self.messages.get(&id)
    }

    pub(crate) fn find_wa_id(&self, wa_id: &str) -> Option<MessageId> {
        self.by_wa.get(wa_id).copied()
    }

    /// The newest of those that have had the key: the others were replaced. An edit that was
    /// withdrawn replaces nothing.
    pub(crate) fn find_key(&self, key: &str) -> Option<MessageId> {
        let ids = self.by_key.get(key)?;
        let is_withdrawn =
            |message: &Message| message.draft.kind == Kind::Edit && message.is_dropped();
        let stands = |id: &&MessageId| !self.get(**id).is_some_and(is_withdrawn);
        ids.iter().rev().find(stands).or_else(|| ids.last()).copied()
    }

    /// Whether the newest of those that have had the key of this one ended without being sent.
    pub(crate) fn is_newest_dropped(&self, message: &Message) -> bool {
        let newest = message.draft.key.as_ref().and_then(|key| self.by_key.get(key)?.last());
        newest.and_then(|id| self.get(*id)).is_some_and(Message::is_dropped)
    }

    /// All, in the order of acceptance.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Message> {
        self.messages.values().inspect(|_| self.visits.count())
    }

    /// Those to this recipient, as they name it, in the order of acceptance.
    pub(crate) fn to(&self, recipient: &ChatId) -> impl Iterator<Item = &Message> {
        self.by_to.get(recipient).into_iter().flat_map(|ids| self.all_of(ids))
    }

    /// The first message of each chat, in the order of sending.
    pub(crate) fn heads(&self) -> impl Iterator<Item = &Message> {
        self.heads.iter().filter_map(|(.., id)| self.get(*id))
    }

    /// Messages that still need an attempt and whose time has come, in the order of
    /// acceptance.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Message> {
        self.all_of(&self.live).filter(|message| message.account.is_none()).filter(|message| {
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

    /// Those that take a place and those that are parked, in the order of acceptance.
    pub(crate) fn unfinished(&self) -> impl Iterator<Item = &Message> {
        let parked = self.parked_for.values().flatten();
        let ids: BTreeSet<MessageId> = self.live.iter().chain(parked).copied().collect();
        ids.into_iter().filter_map(|id| self.get(id))
    }

    /// Those of another account that take a place, in the order of acceptance.
    pub(crate) fn held_ones(&self) -> impl Iterator<Item = &Message> {
        self.all_of(&self.held)
    }

    /// Those whose last attempt has no answer, in the order of acceptance.
    pub(crate) fn unanswered_ones(&self) -> impl Iterator<Item = &Message> {
        self.all_of(&self.unknown)
    }

    /// Those that have not finished although a link in them is doubtful, in the order of
    /// acceptance.
    pub(crate) fn doubtful(&self) -> impl Iterator<Item = &Message> {
        self.all_of(&self.doubtful)
    }

    /// Those that are parked for this reason, in the order of acceptance.
    pub(crate) fn parked_for(&self, reason: ReasonKind) -> impl Iterator<Item = &Message> {
        self.parked_for.get(&reason).into_iter().flat_map(|ids| self.all_of(ids))
    }

    /// Why some are parked.
    pub(crate) fn parked_reasons(&self) -> impl Iterator<Item = ReasonKind> {
        self.parked_for.iter().filter(|(_, ids)| !ids.is_empty()).map(|(reason, _)| *reason)
    }

    fn all_of<'a>(&'a self, ids: &'a BTreeSet<MessageId>) -> impl Iterator<Item = &'a Message> {
        ids.iter().filter_map(|id| self.get(*id))
    }

    /// Messages that wait for a time that was asked for, the first due first, and when
    /// that is, wall milliseconds.
    pub(crate) fn scheduled(&self) -> impl Iterator<Item = (i64, &Message)> {
        let scheduled = self.deadlines.scheduled();
        let scheduled = scheduled.filter_map(|(at, id)| Some((at, self.get(id)?)));
        scheduled.filter(|(_, message)| message.account.is_none())
    }

    /// Each chat's messages that still have to leave and whose time has come, in order.
    pub(crate) fn lanes(&self) -> impl Iterator<Item = Vec<&Message>> {
        let lane =
            |lane: &BTreeSet<Place>| lane.iter().filter_map(|(.., id)| self.get(*id)).collect();
        self.lanes.values().map(lane)
    }

    /// Those that are being prepared, in the order of sending.
    pub(crate) fn preparing(&self) -> impl Iterator<Item = &Message> {
        self.preparing.iter().filter_map(|(.., id)| self.get(*id))
    }

    /// The queued ones whose time has come, in the order of sending.
    pub(crate) fn queued(&self) -> impl Iterator<Item = MessageId> {
        self.queued.iter().map(|(.., id)| *id)
    }

    /// How many queued ones come before this one; none while its own time has not come.
    pub(crate) fn queued_before(&self, message: &Message) -> Option<usize> {
        rank(&self.queued, &place(message))
    }

    /// How many have to leave before this one, of all chats; none: it has not to leave, or its
    /// time has not come.
    pub(crate) fn line_before(&self, message: &Message) -> Option<usize> {
        rank(&self.line, &place(message))
    }

    /// How many still have to leave and may be sent by now.
    pub(crate) fn line_len(&self) -> usize {
        self.line.len()
    }

    /// Whether some that take a place are to groups.
    pub(crate) fn has_groups(&self) -> bool {
        self.to_groups > 0
    }

    /// Whether some that take a place have a file.
    pub(crate) fn has_files(&self) -> bool {
        self.with_files > 0
    }

    /// The message of its chat that has to leave before this one.
    pub(crate) fn before_in_chat(&self, message: &Message) -> Option<MessageId> {
        let (lane, place) = (self.lanes.get(&message.chat)?, place(message));
        let mut before = lane.range(..place).rev();
        before.next().filter(|_| lane.contains(&place)).map(|(.., id)| *id)
    }

    /// Those that are parked, the longest parked first.
    pub(crate) fn parked(&self) -> impl Iterator<Item = &Message> {
        self.parked.iter().filter_map(|(_, id)| self.get(*id))
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
        self.unknown.len()
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
        self.preparing.len() + self.queued_all + self.sending.len() + self.unknown.len()
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
        let all = self.preparing.len() + self.queued_all + self.unknown.len();
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

/// How many are before this one. Counted from the nearer end: those that are asked for are
/// mostly the first or the last.
fn rank(places: &BTreeSet<Place>, place: &Place) -> Option<usize> {
    if !places.contains(place) {
        return None;
    }
    let mut before = places.range(..place);
    let mut behind = places.range((Bound::Excluded(place), Bound::Unbounded));
    let mut steps = 0_usize;
    loop {
        if before.next().is_none() {
            return Some(steps);
        }
        if behind.next().is_none() {
            return Some(places.len().saturating_sub(steps.saturating_add(1)));
        }
        steps = steps.saturating_add(1);
    }
}
