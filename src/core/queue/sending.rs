//! Attempts at messages, and what the session reports about them. Late, doubled and foreign
//! reports are normal input and change nothing.

use super::Queue;
use crate::action::{ActionBuffer, Outgoing, Refresh};
use crate::ids::{Attempt, ChatId, WaMessageId};
use crate::queue::Message;
use crate::time::Now;
use tetherd_api::{MessageId, ReasonKind, State};

/// A person's message is often followed by their token: what was refused for want of it waits
/// that long for both.
const TOKEN_REST_MS: u64 = 5_000;

/// Chats whose devices are to be asked for anew. Beyond it they are asked for when the network
/// says that they changed.
const STALE_DEVICES_MAX: usize = 1_000;

impl Queue {
    /// Begins an attempt at a message that waits. `address`: where the network has its
    /// recipient, if elsewhere.
    pub(crate) fn attempt(
        &mut self,
        id: MessageId,
        address: Option<ChatId>,
        out: &mut ActionBuffer,
        now: Now,
    ) -> Option<Outgoing> {
        let attempt = self.step(id, out, now, |m| m.attempt(address, now.wall_ms))?;
        let until = now.mono_ms.saturating_add(self.config.write_timeout_ms);
        self.attempts.begin(id, self.around.generation, until);
        let message = self.get(id)?;
        let media = message.media().cloned().map(Box::new);
        let mut draft = Box::new(message.draft.clone());
        if let Some(address) = &message.address {
            draft.to = address.clone();
        }
        let (mut refresh, chat) = (message.refresh(), message.chat.clone());
        if self.stale_devices.remove(&chat) {
            refresh = Refresh { devices: true, group: true };
        }
        Some(Outgoing { id, attempt, draft, media, refresh })
    }

    /// The server knows other devices of its recipients: the next message to them asks for
    /// these. Which of them missed this one is not known.
    pub(crate) fn on_devices_differ(&mut self, wa_id: &WaMessageId) {
        let message = self.find_wa_id(&wa_id.0).and_then(|id| self.get(id));
        let Some(chat) = message.map(|message| message.chat.clone()) else { return };
        if self.stale_devices.len() < STALE_DEVICES_MAX {
            self.stale_devices.insert(chat);
        }
    }

    /// Its frame has left: from here on the time for the server's answer runs.
    pub(crate) fn on_written(&mut self, id: MessageId, attempt: Attempt, now: Now) {
        let sending = self.get(id).is_some_and(|m| m.state() == State::Sending);
        if sending && self.is_current(id, attempt) {
            let until = now.mono_ms.saturating_add(self.config.ack_timeout_ms);
            self.attempts.written(id, until);
        }
    }

    /// The attempt has no answer and will be resolved, or has had its last try.
    pub(crate) fn unanswered(&mut self, id: MessageId, out: &mut ActionBuffer, now: Now) {
        let attempts_max = self.config.attempts_max;
        if self.step(id, out, now, |m| m.unanswered(attempts_max, now.wall_ms)).is_some() {
            self.attempts.unanswered(id, now);
        }
    }

    /// Nothing that is under way will be answered on this connection.
    pub(crate) fn all_unanswered(&mut self, out: &mut ActionBuffer, now: Now) {
        let sending: Vec<MessageId> = self.sending().collect();
        for id in sending {
            self.unanswered(id, out, now);
        }
    }

    /// The attempt certainly did not leave. `blameless`: the connection was to blame, and not
    /// the message.
    pub(crate) fn put_back(
        &mut self,
        id: MessageId,
        blameless: bool,
        out: &mut ActionBuffer,
        now: Now,
    ) {
        let attempts_max = self.config.attempts_max;
        let step = |m: &mut Message| m.not_sent(blameless, attempts_max, now.wall_ms);
        if self.step(id, out, now, step).is_some() {
            let (first_ms, cap_ms) = (self.config.backoff_first_ms, self.config.backoff_cap_ms);
            self.attempts.back_off(id, first_ms, cap_ms, now);
        }
    }

    /// The server did not take it because too many came. False if that changes nothing.
    pub(crate) fn rate_limited(
        &mut self,
        id: MessageId,
        (code, limited_max): (u32, u32),
        out: &mut ActionBuffer,
        now: Now,
    ) -> bool {
        let step = |m: &mut Message| m.rate_limited(code, limited_max, now.wall_ms);
        let changed = self.answer(id, out, now, step);
        if changed {
            self.attempts.end_rest(id, now);
        }
        changed
    }

    /// The server refused it in a way that another attempt may cure. False if it had its
    /// other attempt, or that changes nothing.
    pub(crate) fn resend(
        &mut self,
        id: MessageId,
        code: u32,
        out: &mut ActionBuffer,
        now: Now,
    ) -> bool {
        let changed = self.answer(id, out, now, |m| m.resend(code, now.wall_ms));
        if changed {
            let (first_ms, cap_ms) = (self.config.backoff_first_ms, self.config.backoff_cap_ms);
            self.attempts.back_off(id, first_ms, cap_ms, now);
        }
        changed
    }

    /// The attempt reached none of the recipient's devices: it has one more, with fresh ones.
    pub(crate) fn on_reached_nobody(&mut self, id: MessageId, out: &mut ActionBuffer, now: Now) {
        if self.step(id, out, now, |m| m.on_reached_nobody(now.wall_ms)).is_some() {
            self.attempts.end_rest(id, now);
        }
    }

    /// A token of its recipient has come: what was parked for want of one goes back to its
    /// place, once.
    pub(crate) fn retry_with_token(&mut self, id: MessageId, out: &mut ActionBuffer, now: Now) {
        let links = self.config.links;
        let step = |m: &mut Message| {
            m.token_retried = true;
            m.requeue(m.order, links, false, now.wall_ms)
        };
        if self.step(id, out, now, step).is_some() {
            let until = now.mono_ms.saturating_add(TOKEN_REST_MS);
            self.attempts.rest(id, self.around.generation, until);
        }
    }

    /// What it is parked for is known better now.
    pub(crate) fn rename_reason(
        &mut self,
        id: MessageId,
        kind: ReasonKind,
        out: &mut ActionBuffer,
        now: Now,
    ) {
        self.answer(id, out, now, |m| m.rename_reason(kind));
    }

    /// A new connection: what rested because of the old one need not rest longer.
    pub(crate) fn on_connected(&mut self, now: Now) {
        self.attempts.end_rests(now);
    }

    /// When its last attempt, if it had one, allows another; none: it waits for an answer.
    pub(crate) fn rested_at(&self, head: &Message) -> Option<u64> {
        match head.state() {
            State::Queued | State::Unknown => {
                self.attempts.rested_at(head.id, self.around.generation)
            }
            State::Preparing
            | State::Sending
            | State::Parked
            | State::Sent
            | State::Delivered
            | State::Read
            | State::Failed
            | State::Expired
            | State::Cancelled => None,
        }
    }

    /// Whether those that wait may be sent in their order: none rests, and no one's time is
    /// still to come.
    pub(crate) fn is_in_order(&self, now: Now) -> bool {
        self.deadlines.scheduled_len() == 0 && !self.attempts.some_rest(now)
    }

    /// When a live connection is closed so that the next one resolves what has no answer.
    pub(crate) fn resolve_at(&self) -> Option<u64> {
        let since = self.attempts.unanswered_since(self.around.generation)?;
        Some(since.saturating_add(self.config.unknown_reconnect_ms))
    }

    /// Whether the last attempt at it was made on this connection.
    pub(crate) fn is_attempted_on(&self, id: MessageId, generation: u64) -> bool {
        self.attempts.is_on(id, generation)
    }

    /// The attempt that is under way or was last made, if it is this one.
    pub(crate) fn is_current(&self, id: MessageId, attempt: Attempt) -> bool {
        self.get(id).is_some_and(|message| {
            matches!(message.state(), State::Sending | State::Unknown)
                && message.attempts == attempt.0
        })
    }
}
