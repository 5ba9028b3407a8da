//! What the server's and the recipients' answers mean for one message. Acks and receipts
//! come late, in any order and more than once: they are normal input in every state, and
//! only ever lead forward, towards what is known to be true.

use crate::queue::{Message, MessageState, Parked, Undo, Withdrawn};
use crate::server_codes::{MALFORMED, NEW_CHAT_QUOTA, NO_RECIPIENT, TOKEN_MISSING};
use tetherd_api::{Reason, ReasonKind};

/// How far a message is known to have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reached {
    /// The server has it.
    Sent,
    /// A recipient's device has it.
    Delivered,
    /// The recipient has seen it.
    Read,
}

impl Message {
    /// The server refused an attempt: sending, unknown -> parked; a message parked for want
    /// of an answer now has one. False if that changes nothing: it was sent after all, or
    /// waits for another attempt.
    pub(super) fn refuse(&mut self, code: u32, wall_ms: i64) -> bool {
        let kind = match code {
            TOKEN_MISSING => ReasonKind::TokenMissing,
            NEW_CHAT_QUOTA => ReasonKind::NewChatQuota,
            NO_RECIPIENT if !self.draft.to.is_group() => ReasonKind::NotOnNetwork,
            MALFORMED => ReasonKind::NotSendable,
            _ => ReasonKind::Refused,
        };
        let reason = Reason::coded(kind, code);
        // It may have been the file: whoever tries again uploads it afresh.
        let drop_media = reason.kind == ReasonKind::Refused;
        let parked = self.park_attempted(reason.clone(), wall_ms).is_ok()
            || self.answered_late(reason, wall_ms);
        if parked
            && drop_media
            && let Some(parked) = self.parked()
        {
            parked.pending.media = None;
        }
        parked
    }

    /// The server refused an attempt in a way that another one may cure: sending -> queued,
    /// once. Unknown it stays if an earlier attempt may have left.
    pub(super) fn resend(&mut self, code: u32, wall_ms: i64) -> bool {
        let Some(tries) = self.attempted().filter(|tries| tries.resent.is_none()) else {
            return false;
        };
        tries.resent = Some(code);
        self.put_back(wall_ms);
        true
    }

    /// What a parked message waits for is known better now.
    pub(super) fn rename_reason(&mut self, kind: ReasonKind) -> bool {
        match self.parked() {
            Some(parked) if parked.reason.kind != kind => parked.reason.kind = kind,
            Some(_) | None => return false,
        }
        true
    }

    /// The server did not take it because too many came: sending, unknown -> queued; parked
    /// if that happens more than `limited_max` times. Unknown it stays if an earlier attempt
    /// may have left. It counts for nothing else: the message is not to blame. A message
    /// parked for want of an answer now has one. False if that changes nothing.
    pub(super) fn rate_limited(&mut self, code: u32, limited_max: u32, wall_ms: i64) -> bool {
        let reason = Reason::coded(ReasonKind::Refused, code);
        let Some(tries) = self.attempted() else { return self.answered_late(reason, wall_ms) };
        tries.limited = tries.limited.saturating_add(1);
        tries.streak = tries.streak.saturating_sub(1);
        if tries.limited > limited_max {
            return self.park_attempted(reason, wall_ms).is_ok();
        }
        self.put_back(wall_ms);
        true
    }

    /// Gives a message that was parked for want of an answer the server's late one. One
    /// that was cancelled since would come back as if none had come.
    fn answered_late(&mut self, reason: Reason, wall_ms: i64) -> bool {
        let is_parked = matches!(self.state, MessageState::Parked(_));
        match self.parked() {
            Some(parked) if parked.reason.kind == ReasonKind::NoAnswer => parked.reason = reason,
            Some(_) | None => return false,
        }
        if is_parked {
            self.changed_at = wall_ms;
        }
        true
    }

    /// What is parked, or was when it was cancelled and can be restored.
    fn parked(&mut self) -> Option<&mut Parked> {
        if let MessageState::Parked(parked)
        | MessageState::Cancelled {
            undo: Some(Undo { before: Withdrawn::Parked(parked), .. }),
        } = &mut self.state
        {
            Some(parked)
        } else {
            None
        }
    }

    /// The message has come this far: forward from any state in which it was attempted,
    /// from parked, failed and cancelled too, because it is there. False if that was known.
    pub(super) fn confirm(&mut self, reached: Reached, wall_ms: i64) -> bool {
        let [sent_at, delivered_at, read_at] = self.reached_at();
        let known = match reached {
            Reached::Sent => sent_at,
            Reached::Delivered => delivered_at,
            Reached::Read => read_at,
        };
        if self.attempts == 0 || known.is_some() {
            return false;
        }
        let sent_at = sent_at.unwrap_or(wall_ms);
        let delivered_at = delivered_at.unwrap_or(wall_ms);
        let state = match reached {
            Reached::Sent => MessageState::Sent { sent_at },
            Reached::Delivered => MessageState::Delivered { sent_at, delivered_at },
            Reached::Read => MessageState::Read { sent_at, delivered_at, read_at: wall_ms },
        };
        self.enter(state, wall_ms);
        true
    }
}
