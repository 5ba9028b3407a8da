//! Requests and the session's reports, given to the components that they concern: what spans
//! several of them is put together here. Late, doubled and foreign reports are normal input
//! and change nothing. Decides nothing that one component can decide.

use crate::Core;
use crate::event::{
    EndReason, NotSent, ReceiptKind, Request, Selection, SessionEvent, Submission, TimelockNotice,
    Token,
};
use crate::ids::{Attempt, WaMessageId};
use crate::queue::Reached;
use crate::server_codes::RATE_LIMITED;
use crate::session::Settled;
use crate::time::Now;
use tetherd_api::{self as api, Kind, MessageId, Reason, ReasonKind, Signature, call};

mod refusals;
mod replace;
mod submissions;

/// Such answers to one message before it is parked: something is wrong with it then.
const LIMITED_MAX: u32 = 20;

impl Core {
    /// A caller wants something changed.
    pub(crate) fn request(&mut self, token: Token, request: Request, now: Now) {
        match request {
            Request::Submit(submission) => {
                let Submission { draft, body, replace, username_key } = *submission;
                let kind = draft.kind;
                let file = draft.file.as_ref().map(|file| file.spool.clone());
                let result = self.submit(draft, body, replace, now);
                if let (Ok(_), Some(key)) = (&result, username_key) {
                    self.contacts.on_username_key(key, &mut self.out);
                }
                // What is not accepted, or was there already, leaves no file behind.
                if !result.as_ref().is_ok_and(|sent| !sent.duplicate) {
                    self.out.unspool.extend(file);
                }
                match kind {
                    Kind::Reaction => self.out.reply::<call::MessageReact>(token, result),
                    Kind::Edit => self.out.reply::<call::MessageEdit>(token, result),
                    Kind::Revoke => self.out.reply::<call::MessageRevoke>(token, result),
                    Kind::Text
                    | Kind::Image
                    | Kind::Video
                    | Kind::Audio
                    | Kind::Voice
                    | Kind::Document
                    | Kind::Location
                    | Kind::Contact => self.out.reply::<call::MessageSend>(token, result),
                }
            }
            Request::Cancel { ids, filter, dry_run } => {
                let filter = self.of_person(filter);
                let result = self.queue.cancel(ids, &filter, dry_run, &mut self.out, now);
                self.out.reply::<call::QueueCancel>(token, Ok(result));
            }
            Request::Clear { filter, dry_run } => {
                let filter = self.of_person(filter);
                let result = self.queue.clear(&filter, dry_run, &mut self.out, now);
                self.out.reply::<call::QueueClear>(token, Ok(result));
            }
            Request::Retry { filter, anyway, dry_run } => {
                let filter = self.of_person(filter);
                let result = self.retry(&filter, anyway, dry_run, now);
                self.out.reply::<call::QueueRetry>(token, Ok(result));
            }
            Request::Check { numbers, keys, fresh } => {
                for key in keys {
                    self.contacts.on_username_key(key, &mut self.out);
                }
                self.contacts.on_check(token, numbers, fresh, &mut self.out, now);
            }
            Request::ListGroups { fresh, wants } => {
                self.groups.on_list(token, (fresh, wants), &mut self.out, now);
            }
            Request::Restore { filter, dry_run } => {
                let filter = self.of_person(filter);
                let result = self.queue.restore(&filter, dry_run, &mut self.out, now);
                self.out.reply::<call::QueueRestore>(token, Ok(result));
            }
            Request::Pause => {
                self.queue.set_paused(true, &mut self.out, now);
                self.reply_status::<call::QueuePause>(token, now);
            }
            Request::Resume => {
                self.queue.set_paused(false, &mut self.out, now);
                self.reply_status::<call::QueueResume>(token, now);
            }
            Request::Pair { phone, anyway } => {
                self.session.on_pair(token, phone, anyway, &mut self.out, now);
            }
            Request::Passkey { response } => {
                self.session.on_passkey_answer(token, response.0, &mut self.out, now);
            }
            Request::PasskeyConfirm { code } => {
                self.session.on_passkey_confirm(token, &code, &mut self.out);
            }
            Request::Reconnect => {
                let result = self.session.on_reconnect(&mut self.out, now);
                self.reply_session::<call::SessionReconnect>(token, result, now);
            }
            Request::Takeover => {
                let result = self.session.on_takeover(&mut self.out, now);
                self.reply_session::<call::SessionTakeover>(token, result, now);
            }
            Request::Logout => {
                let result = self.session.on_logout(&mut self.out);
                self.reply_session::<call::SessionLogout>(token, result, now);
            }
            Request::Heartbeat(report) => {
                let result = self.phone.on_heartbeat(*report, &mut self.out, now);
                let result = result.map(|()| self.phone_status(now));
                self.out.reply::<call::PhoneHeartbeat>(token, result);
            }
            Request::Release => {
                self.queue.release(&mut self.out, now);
                self.reply_status::<call::QueueRelease>(token, now);
            }
        }
    }

    /// A filter that finds a person's messages under whichever name it gives.
    pub(crate) fn of_person(&self, filter: Selection) -> Selection {
        Selection { to: filter.to.map(|chat| self.contacts.person(&chat)), ..filter }
    }

    /// Keeps together the order of messages to one person, as far as its names are known. What
    /// was accepted before they were stands where it was accepted.
    pub(crate) fn regroup(&mut self) {
        for chat in self.contacts.take_renamed() {
            self.queue.regroup(&chat, &self.contacts.person(&chat));
        }
    }

    fn reply_status<M: Signature<Result = api::Status>>(&mut self, token: Token, now: Now) {
        let status = self.status(now);
        self.out.reply::<M>(token, Ok(status));
    }

    /// A session request's answer shows the run that it starts.
    fn reply_session<M: Signature<Result = api::Status>>(
        &mut self,
        token: Token,
        result: Result<(), api::Error>,
        now: Now,
    ) {
        match result {
            Ok(()) => {
                self.session.start_due(&mut self.out, now);
                self.inform(now);
                self.reply_status::<M>(token, now);
            }
            Err(error) => self.out.refuse(token, error),
        }
    }

    /// The session reports.
    pub(crate) fn session_event(&mut self, event: SessionEvent, now: Now) {
        self.close_slots(&event, now);
        match event {
            SessionEvent::Offer(offer) => self.session.on_offer(offer, &mut self.out, now),
            SessionEvent::Passkey(report) => {
                match self.session.on_passkey(report, &mut self.out, now) {
                    Some(Settled::Answered(token, result)) => {
                        self.reply_session::<call::SessionPasskey>(token, result, now);
                    }
                    Some(Settled::Confirmed(token, result)) => {
                        self.reply_session::<call::SessionPasskeyConfirm>(token, result, now);
                    }
                    None => {}
                }
            }
            SessionEvent::Paired { account } => {
                self.session.on_paired(account, &mut self.out, now);
            }
            SessionEvent::Connected { account } => {
                if self.session.on_connected(account, &mut self.out, now) {
                    self.queue.on_connected(now);
                }
            }
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
            SessionEvent::DevicesDiffer { wa_id } => self.queue.on_devices_differ(&wa_id),
            SessionEvent::Receipt { wa_ids, kind } => {
                let reached = match kind {
                    ReceiptKind::OwnPhone => Reached::Sent,
                    ReceiptKind::Delivered => Reached::Delivered,
                    ReceiptKind::Read => Reached::Read,
                };
                for wa_id in &wa_ids {
                    if kind == ReceiptKind::OwnPhone && self.reached_nobody(wa_id) {
                        continue;
                    }
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
                self.contacts.on_checked(ticket, outcome, &mut self.out, now);
            }
            SessionEvent::Groups { ticket, groups } => {
                self.groups.on_answer(ticket, groups, &mut self.out, now);
            }
            SessionEvent::GroupsChanged => self.groups.on_changed(),
            SessionEvent::Timelock(notice) => {
                if let TimelockNotice::Active { .. } = notice {
                    self.session.on_restriction(now);
                }
                self.timelock(notice, now);
            }
            SessionEvent::NewChatQuota(notice) => {
                self.pacing.on_quota(notice, &mut self.out, now);
            }
            SessionEvent::ClientExpires { at } => {
                self.session.on_client_expires(at, &mut self.out);
            }
            SessionEvent::StanzaUnacked { id } => {
                self.session.on_unacked(id, &mut self.out, now);
            }
            SessionEvent::IntegrityChallenge(kind) => {
                self.session.on_challenge(kind, &mut self.out, now);
            }
            SessionEvent::ChatActivity { chats } => {
                for (chat, at) in &chats {
                    self.contacts.on_contact(chat, *at);
                }
                self.retry_with_tokens(&chats, now);
            }
            SessionEvent::Names { number, lid } => self.contacts.on_names(number, lid, now),
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
            | SessionEvent::Passkey(_)
            | SessionEvent::Paired { .. }
            | SessionEvent::Connected { .. }
            | SessionEvent::Ack { .. }
            | SessionEvent::DevicesDiffer { .. }
            | SessionEvent::Receipt { .. }
            | SessionEvent::Uploaded { .. }
            | SessionEvent::UploadFailed { .. }
            | SessionEvent::PhoneActivity { .. }
            | SessionEvent::ChatActivity { .. }
            | SessionEvent::Names { .. }
            | SessionEvent::Probed { .. }
            | SessionEvent::Checked { .. }
            | SessionEvent::Groups { .. }
            | SessionEvent::GroupsChanged
            | SessionEvent::IntegrityChallenge(_)
            | SessionEvent::StanzaUnacked { .. }
            | SessionEvent::Timelock(_)
            | SessionEvent::NewChatQuota(_)
            | SessionEvent::ClientExpires { .. } => {}
        }
    }

    /// Whether that was the first word that the server has it.
    fn confirm(&mut self, wa_id: &WaMessageId, reached: Reached, now: Now) -> bool {
        let Some(id) = self.queue.find_wa_id(&wa_id.0) else { return false };
        let first = self.queue.get(id).is_some_and(|message| !message.is_sent());
        let news = self.queue.confirm(id, reached, &mut self.out, now);
        if news
            && reached != Reached::Sent
            && let Some(chat) = self.queue.get(id).map(|m| m.draft.to.clone())
        {
            self.contacts.on_receipt(&chat, now);
        }
        news && first
    }

    /// A message was not taken because too many came. It goes back, and so often only
    /// that one that is always answered so does not go round for ever.
    fn message_limited(&mut self, id: MessageId, code: u32, now: Now) {
        if self.queue.rate_limited(id, (code, LIMITED_MAX), &mut self.out, now) {
            self.session.on_refusal(code, &mut self.out, now);
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
        if why == NotSent::NotConnected && self.queue.is_attempted_on(id, self.session.generation())
        {
            self.session.on_connection_gone(now);
        }
        let kind = match why {
            NotSent::NotConnected => return self.queue.put_back(id, true, &mut self.out, now),
            NotSent::Passing => return self.queue.put_back(id, false, &mut self.out, now),
            NotSent::RateLimited => return self.message_limited(id, RATE_LIMITED, now),
            NotSent::NoDevice => return self.no_device(id, now),
            NotSent::Unsendable => ReasonKind::NotSendable,
        };
        self.queue.park_attempted(id, Reason::new(kind), &mut self.out, now);
    }

    /// Before the other try the network is asked again whether the number is there at all.
    fn no_device(&mut self, id: MessageId, now: Now) {
        if let Some(message) = self.queue.get(id) {
            self.contacts.forget(&message.draft.to);
        }
        self.queue.on_reached_nobody(id, &mut self.out, now);
    }

    fn ended(&mut self, reason: &EndReason, roll: u64, now: Now) {
        if !self.session.has_run() {
            return;
        }
        self.queue.all_unanswered(&mut self.out, now);
        self.uploads.on_session_ended(&self.queue);
        let refused = self.session.on_ended(reason, roll, &mut self.out, now);
        if refused == Some(RATE_LIMITED) {
            self.rate_limited(RATE_LIMITED, now);
        }
    }
}
