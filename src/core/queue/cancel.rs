//! Cancelling, clearing, retrying and restoring: what callers ask of messages that are in
//! the queue already. What is under way is named in the answer and left as it is.

use std::collections::BTreeSet;

use super::Queue;
use crate::action::ActionBuffer;
use crate::event::Selection;
use crate::queue::Message;
use crate::time::Now;
use tetherd_api::{self as api, MessageId, State};

/// What a filter without states means where messages are withdrawn: all that have not
/// come to an end.
const LIVE: [State; 5] =
    [State::Preparing, State::Queued, State::Parked, State::Sending, State::Unknown];

impl Queue {
    /// Withdraws what has not left: of `ids` those that match, without ids all that match.
    pub(crate) fn cancel(
        &mut self,
        ids: Vec<MessageId>,
        filter: &Selection,
        dry_run: bool,
        out: &mut ActionBuffer,
        now: Now,
    ) -> api::CancelResult {
        let mut result = api::CancelResult {
            cancelled: Vec::new(),
            not_cancelled: Vec::new(),
            not_found: Vec::new(),
            dry_run,
            undo_until: None,
        };
        let named = !ids.is_empty();
        let ids: Vec<MessageId> = if named {
            let mut seen = BTreeSet::new();
            ids.into_iter().filter(|id| seen.insert(*id)).collect()
        } else {
            let matches = |m: &&Message| filter.matches(m, &LIVE, now);
            self.iter().filter(matches).map(|m| m.id).collect()
        };
        // Whoever names a message hears where it stands, wherever that is.
        let states: &[State] = if named { &State::ALL } else { &LIVE };
        for id in ids {
            match self.get(id) {
                None => result.not_found.push(id),
                Some(message) if !filter.matches(message, states, now) => {}
                Some(message) if message.can_be_cancelled() => result.cancelled.push(id),
                Some(message) => {
                    let state = message.state();
                    result.not_cancelled.push(api::NotCancelled { id, state });
                }
            }
        }
        if !dry_run {
            result.undo_until = self.withdraw(&result.cancelled, out, now);
        }
        result
    }

    /// Withdraws what matches; what is on its way is named and left.
    pub(crate) fn clear(
        &mut self,
        filter: &Selection,
        dry_run: bool,
        out: &mut ActionBuffer,
        now: Now,
    ) -> api::ClearResult {
        let (mut ids, mut in_flight, mut examples) = (Vec::new(), Vec::new(), Vec::new());
        for message in self.iter().filter(|m| filter.matches(m, &LIVE, now)) {
            match message.state() {
                State::Preparing | State::Queued | State::Parked => {
                    ids.push(message.id);
                    if examples.len() < api::CLEAR_EXAMPLES_MAX {
                        examples.push(api::ClearExample {
                            id: message.id,
                            to: message.draft.to.as_str().into(),
                            preview: message.preview.clone(),
                        });
                    }
                }
                State::Sending | State::Unknown => in_flight.push(message.id),
                State::Sent
                | State::Delivered
                | State::Read
                | State::Failed
                | State::Expired
                | State::Cancelled => {}
            }
        }
        let undo_until = if dry_run { None } else { self.withdraw(&ids, out, now) };
        api::ClearResult { cleared: ids.len(), in_flight, examples, dry_run, undo_until }
    }

    /// Withdraws these, which can all be. Answers until when they can be restored.
    pub(super) fn withdraw(
        &mut self,
        ids: &[MessageId],
        out: &mut ActionBuffer,
        now: Now,
    ) -> Option<api::Time> {
        let undo_ms = self.config.undo_ms;
        let undo_until = (undo_ms > 0).then(|| self.uptime_ms().saturating_add(undo_ms));
        for id in ids {
            self.step(*id, out, now, |m| m.cancel(undo_until, now.wall_ms));
        }
        self.undo_until(self.get(*ids.last()?)?, now)
    }

    /// Parked messages that can go back, and those that find no place. Changes nothing.
    pub(crate) fn retryable(
        &self,
        filter: &Selection,
        dry_run: bool,
        now: Now,
    ) -> api::RetryResult {
        let parked = |m: &&Message| {
            m.state() == State::Parked
                && m.may_be_sent()
                && filter.matches(m, &[State::Parked], now)
        };
        let places = if self.around.draining { 0 } else { self.places() };
        let mut requeued = self.in_order(parked);
        let no_place = requeued.split_off(requeued.len().min(places));
        api::RetryResult { requeued, no_place, dry_run }
    }

    /// Restores cancelled messages to where they were, the oldest first, as long as
    /// there are places in the queue and for parked messages.
    pub(crate) fn restore(
        &mut self,
        filter: &Selection,
        dry_run: bool,
        out: &mut ActionBuffer,
        now: Now,
    ) -> api::RestoreResult {
        let uptime_ms = self.uptime_ms();
        let mut result = api::RestoreResult { restored: Vec::new(), no_place: Vec::new(), dry_run };
        let mut places = self.places();
        let mut parked_places = self.config.parked_max.saturating_sub(self.parked_len());
        for id in self.in_order(|m| filter.matches_withdrawn(m, uptime_ms, now)) {
            let undo = self.get(id).and_then(Message::undo);
            let parked = undo.is_some_and(|undo| undo.before.state() == State::Parked);
            let left = if parked { &mut parked_places } else { &mut places };
            let Some(fewer) = left.checked_sub(1) else {
                result.no_place.push(id);
                continue;
            };
            *left = fewer;
            result.restored.push(id);
        }
        for id in result.restored.iter().filter(|_| !dry_run) {
            self.step(*id, out, now, |m| m.restore(now.wall_ms));
        }
        result
    }

    /// Those that match, in their old order of sending.
    fn in_order(&self, matches: impl Fn(&&Message) -> bool) -> Vec<MessageId> {
        let found: BTreeSet<(u64, MessageId)> =
            self.iter().filter(matches).map(|m| (m.order, m.id)).collect();
        found.into_iter().map(|(_, id)| id).collect()
    }
}

impl Selection {
    /// Whether a message in one of the filter's states, or of `defaults` if it names none,
    /// fits the other conditions too.
    pub(crate) fn matches(&self, message: &Message, defaults: &[State], now: Now) -> bool {
        let states = if self.states.is_empty() { defaults } else { &self.states };
        let reason = message.reason().map(|reason| reason.kind);
        states.contains(&message.state())
            && self.reason.is_none_or(|kind| reason == Some(kind))
            && self.fits(message, now)
    }

    /// Whether a cancelled message can be restored and fits: by the state and the
    /// reason that it had.
    fn matches_withdrawn(&self, message: &Message, uptime_ms: u64, now: Now) -> bool {
        let Some(undo) = message.undo().filter(|undo| undo.until_uptime_ms > uptime_ms) else {
            return false;
        };
        let reason = undo.before.reason().map(|reason| reason.kind);
        let named = |state| self.states.contains(&state);
        (self.states.is_empty() || named(undo.before.state()) || named(State::Cancelled))
            && self.reason.is_none_or(|kind| reason == Some(kind))
            && self.fits(message, now)
    }

    fn fits(&self, message: &Message, now: Now) -> bool {
        let old_enough = |age_s: u64| {
            let age_ms = i64::try_from(age_s.saturating_mul(1_000)).unwrap_or(i64::MAX);
            message.accepted_at <= now.wall_ms.saturating_sub(age_ms)
        };
        self.to.as_ref().is_none_or(|to| *to == message.chat)
            && self.older_than_s.is_none_or(old_enough)
            && self.key_prefix.as_ref().is_none_or(|prefix| {
                message.draft.key.as_ref().is_some_and(|key| key.starts_with(&**prefix))
            })
            && (self.ids.is_empty() || self.ids.contains(&message.id))
    }
}
