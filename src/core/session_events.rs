//! What the session reports: one method for each. Late, doubled and foreign reports are
//! normal input and change nothing.

use crate::Core;
use crate::event::{EndReason, NotSent, Offer, ReceiptKind, SessionEvent};
use crate::facts::Facts;
use crate::ids::{Attempt, WaMessageId};
use crate::link::{self, BROKEN_RUN_MS_MAX, Closing, Phase, Run};
use crate::queue::{Message, Reached};
use crate::server_codes::{RATE_LIMITED, REACHOUT_TIMELOCK};
use crate::time::Now;
use tetherd_api::{self as api, ErrorKind, MessageId, PairEnd, Reason, ReasonKind, Redacted, call};

/// Such answers to one message before it is parked: something is wrong with it then.
const LIMITED_MAX: u32 = 20;

impl Core {
    pub(crate) fn session_event(&mut self, event: SessionEvent, now: Now) {
        self.close_slots(&event, now);
        match event {
            SessionEvent::Offer(offer) => self.offered(offer, now),
            SessionEvent::Paired { account } => self.paired(account, now),
            SessionEvent::Connected { account } => self.connected(account, now),
            SessionEvent::Written { id, attempt } => self.queue.on_written(id, attempt, now),
            SessionEvent::NotSent { id, attempt, why } => self.not_sent(id, attempt, why, now),
            SessionEvent::CutOff { id, attempt } => {
                if self.queue.is_current(id, attempt) {
                    self.queue.unanswered(id, &mut self.out, now);
                }
            }
            SessionEvent::Ack { wa_id, error: None } => {
                if self.confirm(&wa_id, Reached::Sent, now) {
                    self.phone.on_copy_sent(now);
                }
            }
            SessionEvent::Ack { wa_id, error: Some(code) } => self.refused(&wa_id, code, now),
            SessionEvent::Receipt { wa_ids, kind } => {
                let reached = match kind {
                    ReceiptKind::OwnPhone => Reached::Sent,
                    ReceiptKind::Delivered => Reached::Delivered,
                    ReceiptKind::Read => Reached::Read,
                };
                for wa_id in &wa_ids {
                    // A receipt may overtake the ack.
                    let first = self.confirm(wa_id, reached, now);
                    if first && kind != ReceiptKind::OwnPhone {
                        self.phone.on_copy_sent(now);
                    }
                }
            }
            SessionEvent::Uploaded { id, ticket, media } => self.uploaded(id, ticket, *media, now),
            SessionEvent::UploadFailed { id, ticket, why } => {
                self.upload_failed(id, ticket, why, now);
            }
            SessionEvent::Checked { ticket, outcome } => {
                self.contacts.on_checked(ticket, outcome, now);
            }
            SessionEvent::Timelock(notice) => self.pacing.on_timelock(notice, &mut self.out, now),
            SessionEvent::ChatActivity { chats } => {
                for chat in &chats {
                    self.contacts.on_contact(chat);
                }
            }
            SessionEvent::PhoneActivity { activity, at_ms } => {
                self.phone.on_activity(activity, at_ms, &mut self.out, now)
            }
            SessionEvent::Probed { left } => self.phone.on_probed(left, now),
            SessionEvent::Ended { reason, roll } => self.ended(&reason, roll, now),
        }
    }

    /// Whatever has become of the message: a report about an attempt, or the end of its
    /// run, says that its frame leaves no more from now on.
    fn close_slots(&mut self, event: &SessionEvent, now: Now) {
        match event {
            SessionEvent::Written { id, attempt }
            | SessionEvent::NotSent { id, attempt, .. }
            | SessionEvent::CutOff { id, attempt } => {
                self.pacing.on_reported(*id, *attempt, &mut self.out, now);
            }
            SessionEvent::Ended { .. } => self.pacing.on_run_ended(&mut self.out, now),
            SessionEvent::Offer(_)
            | SessionEvent::Paired { .. }
            | SessionEvent::Connected { .. }
            | SessionEvent::Ack { .. }
            | SessionEvent::Receipt { .. }
            | SessionEvent::Uploaded { .. }
            | SessionEvent::UploadFailed { .. }
            | SessionEvent::PhoneActivity { .. }
            | SessionEvent::ChatActivity { .. }
            | SessionEvent::Probed { .. }
            | SessionEvent::Checked { .. }
            | SessionEvent::Timelock(_) => {}
        }
    }

    /// Whether that was the first word that the server has it.
    fn confirm(&mut self, wa_id: &WaMessageId, reached: Reached, now: Now) -> bool {
        let Some(id) = self.queue.find_wa_id(&wa_id.0) else { return false };
        let first = self.queue.get(id).is_some_and(|message| !message.is_sent());
        let news = self.queue.confirm(id, reached, &mut self.out, now);
        if news {
            if let Some(chat) = self.queue.get(id).map(|m| m.draft.to.clone())
                && reached != Reached::Sent
            {
                self.contacts.on_receipt(&chat, now);
            }
            if let Some(chat) = self.queue.get(id).map(|message| message.draft.to.clone()) {
                self.contacts.on_contact(&chat);
            }
        }
        news && first
    }

    fn refused(&mut self, wa_id: &WaMessageId, code: u32, now: Now) {
        let Some(id) = self.queue.find_wa_id(&wa_id.0) else { return };
        if code == RATE_LIMITED {
            return self.message_limited(id, code, now);
        }
        if self.queue.refuse(id, code, &mut self.out, now) {
            self.note_refusal(code, now);
            // In a chat that exists it says nothing about new contacts: the server misses a
            // token of this one.
            let new = |message: &Message| self.is_new_contact(&message.draft.to);
            if code == REACHOUT_TIMELOCK && self.queue.get(id).is_some_and(new) {
                self.pacing.on_new_contact_refused(&mut self.out, now);
            }
        }
    }

    /// A message was not taken because too many came. It goes back, and so often only
    /// that one that is always answered so does not go round for ever.
    fn message_limited(&mut self, id: MessageId, code: u32, now: Now) {
        if self.queue.rate_limited(id, (code, LIMITED_MAX), &mut self.out, now) {
            self.note_refusal(code, now);
            self.rate_limited(code, now);
        }
    }

    fn rate_limited(&mut self, code: u32, now: Now) {
        if self.pacing.on_rate_limited(code, &mut self.out, now) {
            self.queue.set_paused(true, &mut self.out, now);
        }
    }

    fn not_sent(&mut self, id: MessageId, attempt: Attempt, why: NotSent, now: Now) {
        if !self.queue.is_current(id, attempt) {
            return;
        }
        if why == NotSent::NotConnected {
            self.connection_gone(id, now);
        }
        let kind = match why {
            NotSent::NotConnected => return self.queue.put_back(id, true, &mut self.out, now),
            NotSent::Passing => return self.queue.put_back(id, false, &mut self.out, now),
            NotSent::RateLimited => return self.message_limited(id, RATE_LIMITED, now),
            NotSent::NoDevice => ReasonKind::NotOnNetwork,
            NotSent::Unsendable => ReasonKind::NotSendable,
        };
        if self.queue.park_attempted(id, Reason::new(kind), &mut self.out, now)
            && why == NotSent::NoDevice
            && let Some(message) = self.queue.get(id)
        {
            self.contacts.forget(&message.draft.to);
        }
    }

    /// The connection is gone though its end has not been reported: without this, every
    /// free slot would be spent on it.
    fn connection_gone(&mut self, id: MessageId, now: Now) {
        if self.queue.is_attempted_on(id, self.link.generation)
            && let Some(run) = &mut self.link.run
            && let Phase::Connected { broken, .. } = &mut run.phase
            && run.closing.is_none()
            && !*broken
        {
            *broken = true;
            self.link.down_since = now.wall_ms;
            run.deadline = Some(now.mono_ms.saturating_add(BROKEN_RUN_MS_MAX));
        }
    }

    fn connected(&mut self, account: Redacted<String>, now: Now) {
        let Some(run) = &mut self.link.run else { return };
        if run.closing.is_some() || matches!(run.phase, Phase::Connected { .. }) {
            return;
        }
        if matches!(run.phase, Phase::Pairing(_)) {
            self.paired(account.clone(), now);
        }
        if let Some(run) = &mut self.link.run {
            run.phase = Phase::Connected { since: now.mono_ms, broken: false };
            run.deadline = None;
        }
        self.link.generation = self.link.generation.saturating_add(1);
        self.link.ended = None;
        if self.facts.account.as_ref() != Some(&account) {
            self.facts.account = Some(account);
            self.out.facts = true;
        }
        self.queue.on_connected(now);
    }

    fn offered(&mut self, offer: Offer, now: Now) {
        let Some(Run { phase: Phase::Pairing(pairing), closing: None, .. }) = &mut self.link.run
        else {
            return;
        };
        // A code is offered only to a device whose old keys are gone. From here on keys
        // are this pairing's, and they count even if the daemon dies before it hears of it.
        if std::mem::take(&mut self.facts.keys_void) {
            self.out.facts = true;
        }
        let offer = link::wire_offer(offer, now);
        pairing.offer = Some(offer.clone());
        let waiters = std::mem::take(&mut pairing.intent.waiters);
        if waiters.is_empty() {
            self.out.event(api::Event::Pairing { offer: Some(offer.0), ended: None });
            return;
        }
        for token in waiters {
            let result = api::PairResult { offer: offer.0.clone() };
            self.out.reply::<call::SessionPair>(token, Ok(result));
        }
    }

    fn paired(&mut self, account: Redacted<String>, now: Now) {
        let Some(run) = &mut self.link.run else { return };
        if !matches!(run.phase, Phase::Pairing(_)) {
            return;
        }
        // Whoever still waits for a code asked for what is already done.
        self.fail_pairing(
            api::Error::new(ErrorKind::AlreadyPaired, "A phone has just been paired.")
                .remedy("tetherctl status"),
        );
        if let Some(run) = &mut self.link.run {
            run.phase = Phase::Paired;
            if run.closing.is_none() {
                let deadline = now.mono_ms.saturating_add(self.config.connect_timeout_ms);
                run.deadline = Some(deadline);
            } else {
                run.closing = Some(Closing::Reconnect);
            }
        }
        self.facts = Facts {
            account: Some(account.clone()),
            keys_void: false,
            ..self.facts.without_account()
        };
        self.link.ban_ends = None;
        self.link.outdated_since = None;
        self.out.facts = true;
        self.out
            .event(api::Event::Pairing { offer: None, ended: Some(PairEnd::Paired { account }) });
    }

    fn ended(&mut self, reason: &EndReason, roll: u64, now: Now) {
        let Some(run) = self.link.run.take() else { return };
        self.queue.all_unanswered(&mut self.out, now);
        self.uploads.on_session_ended(&self.queue);
        self.link.note_held(&run, &self.config, now);
        if matches!(run.phase, Phase::Connected { broken: false, .. }) && run.closing.is_none() {
            self.link.down_since = now.wall_ms;
        }
        self.link.wait = None;
        if let Phase::Pairing(pairing) = run.phase {
            self.pairing_ended(pairing.intent.waiters, run.closing.is_some(), reason, now);
            return;
        }
        if self.facts.account.is_none() {
            // Logged out by command.
            self.link.ended = None;
            return;
        }
        self.link.ended = Some(reason.clone());
        self.after_end(reason, run.closing, roll, now);
    }

    /// What the end of a paired account's run means for the next one.
    fn after_end(&mut self, reason: &EndReason, closing: Option<Closing>, roll: u64, now: Now) {
        if *reason == (EndReason::Refused { code: RATE_LIMITED }) {
            self.rate_limited(RATE_LIMITED, now);
        }
        match reason {
            EndReason::Replaced => self.note_replaced(roll, now),
            EndReason::LoggedOut { code } => {
                self.facts.logged_out = Some((now.wall_ms, *code));
                self.out.facts = true;
            }
            EndReason::Banned { for_ms, code } => {
                let lasts = i64::try_from(*for_ms).unwrap_or(i64::MAX);
                let until = now.wall_ms.saturating_add(lasts);
                self.facts.banned = Some((now.wall_ms, until, *code));
                self.link.ban_ends = Some(now.mono_ms.saturating_add(*for_ms));
                self.out.facts = true;
                // A ban may be over at once: the next login must not follow at once.
                self.link.back_off(roll, &self.config, now);
            }
            EndReason::Outdated => self.link.outdated_since = Some(now.wall_ms),
            EndReason::Untrusted => {
                self.link.wait = Some(now.mono_ms.saturating_add(self.config.backoff_cap_ms));
            }
            EndReason::Restart if self.link.restarts < link::RESTARTS_AT_ONCE_MAX => {
                self.link.restarts = self.link.restarts.saturating_add(1);
            }
            EndReason::Restart
            | EndReason::Refused { .. }
            | EndReason::Unreachable { .. }
            | EndReason::Lost { .. }
            | EndReason::PairingTimedOut
            | EndReason::PairingFailed { .. }
            | EndReason::Closed => match closing {
                Some(Closing::Reconnect) => {}
                Some(Closing::Backoff | Closing::Done) | None => {
                    self.link.back_off(roll, &self.config, now);
                }
            },
        }
    }
}
