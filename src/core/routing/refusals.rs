//! What the server refuses, message by message: which component learns what from it, and which
//! messages are tried again.

use crate::Core;
use crate::event::TimelockNotice;
use crate::ids::{ChatId, WaMessageId};
use crate::queue::Message;
use crate::server_codes::{
    NEW_CHAT_QUOTA, NO_RECIPIENT, RATE_LIMITED, TOKEN_MISSING, is_worth_another_try,
};
use crate::time::Now;
use tetherd_api::{MessageId, ReasonKind, State};

impl Core {
    pub(super) fn refused(&mut self, wa_id: &WaMessageId, code: u32, now: Now) {
        let Some(id) = self.queue.find_wa_id(&wa_id.0) else { return };
        if code == RATE_LIMITED {
            return self.message_limited(id, code, now);
        }
        let again = is_worth_another_try(code) && self.queue.resend(id, code, &mut self.out, now);
        if again || self.queue.refuse(id, code, &mut self.out, now) {
            self.session.on_refusal(code, &mut self.out, now);
        }
        let Some(message) = self.queue.get(id).filter(|m| m.state() == State::Parked) else {
            return;
        };
        let (new, chat) = (self.is_new_contact(&message.draft.to), message.draft.to.clone());
        match code {
            // In a chat that exists it says nothing about new contacts: the server misses a
            // token of this one.
            TOKEN_MISSING if new && self.pacing.timelock().is_some() => {
                let kind = ReasonKind::ReachoutTimelock;
                self.queue.rename_reason(id, kind, &mut self.out, now);
            }
            TOKEN_MISSING if new => self.pacing.on_new_contact_refused(&mut self.out, now),
            NEW_CHAT_QUOTA => self.pacing.on_quota_used_up(&mut self.out, now),
            NO_RECIPIENT => self.contacts.forget(&chat),
            _ => {}
        }
    }

    /// Whether the last attempt at it was a copy for our own phone only.
    pub(super) fn reached_nobody(&self, wa_id: &WaMessageId) -> bool {
        let message = self.queue.find_wa_id(&wa_id.0).and_then(|id| self.queue.get(id));
        message.is_some_and(Message::reached_nobody)
    }

    /// The server says whether it refuses messages to new contacts. If it does, that is why
    /// those were refused because of which it was asked.
    pub(super) fn timelock(&mut self, notice: TimelockNotice, now: Now) {
        let asked = self.pacing.on_timelock(notice, &mut self.out, now);
        let Some(asked) = asked.filter(|_| self.pacing.timelock().is_some()) else { return };
        let refused =
            |m: &&Message| m.changed_uptime_ms >= asked && self.is_new_contact(&m.draft.to);
        let parked = self.queue.parked_for(ReasonKind::TokenMissing);
        let ids: Vec<MessageId> = parked.filter(refused).map(|m| m.id).collect();
        for id in ids {
            self.queue.rename_reason(id, ReasonKind::ReachoutTimelock, &mut self.out, now);
        }
    }

    /// People wrote, or gave tokens: what the server refused for want of one has another try,
    /// one in all.
    pub(super) fn retry_with_tokens(&mut self, chats: &[(ChatId, i64)], now: Now) {
        if self.draining {
            return;
        }
        let is_from = |to: &ChatId| chats.iter().any(|(chat, _)| chat == to);
        let waits =
            |m: &&Message| !m.token_retried && self.contacts.names(&m.draft.to).iter().any(is_from);
        let parked = self.queue.parked_for(ReasonKind::TokenMissing);
        let ids: Vec<MessageId> = parked.filter(waits).map(|m| m.id).collect();
        for id in ids {
            if self.queue.is_full() {
                return;
            }
            self.queue.retry_with_token(id, &mut self.out, now);
        }
    }
}
