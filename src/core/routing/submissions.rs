//! New messages, and what is about earlier ones: between the caller's key, the queue and the
//! preparations.

use crate::Core;
use crate::draft::Draft;
use crate::event::Body;
use crate::explain;
use crate::pacing::Class;
use crate::queue::Amendment;
use crate::time::Now;
use tetherd_api::{self as api, ErrorKind, Kind, MessageId, Replace, State, Time};

impl Core {
    /// Accepts a message, or says why not. Nothing is dropped to make room.
    pub(super) fn submit(
        &mut self,
        draft: Draft,
        body: Body,
        replace: Option<Replace>,
        now: Now,
    ) -> Result<api::SendResult, api::Error> {
        if let Some(how) = replace {
            return self.replace(draft, body, how, now);
        }
        let key = draft.key.as_deref();
        if let Some(repeated) = key.and_then(|key| self.repeated(key, &draft.digest, now)) {
            return repeated;
        }
        if self.draining {
            return Err(explain::shutting_down_error());
        }
        if draft.kind.is_about() {
            return self.amend(draft, body, now);
        }
        draft.check_times(now)?;
        self.accept(draft, body, now)
    }

    /// What would expire before the sending hours begin would never be sent.
    pub(super) fn check_hours(
        &self,
        draft: &Draft,
        kind: ErrorKind,
        now: Now,
    ) -> Result<(), api::Error> {
        let Some(expires_at) = draft.deadline() else { return Ok(()) };
        let from = draft.not_before.map_or(now.wall_ms, |at| at.max(now.wall_ms));
        let opens = self.pacing.open_from(from, Class::of(draft.priority));
        if opens < expires_at || opens <= now.wall_ms {
            return Ok(());
        }
        let (expires, opens) = (Time(expires_at), Time(opens));
        let sentence = format!(
            "it would expire at {expires}, and the sending hours begin at {opens}: it would never \
             be sent"
        );
        Err(api::Error::new(kind, sentence).remedy("let it expire later, or not at all"))
    }

    /// Takes a message in, if there is a place.
    pub(super) fn accept(
        &mut self,
        draft: Draft,
        body: Body,
        now: Now,
    ) -> Result<api::SendResult, api::Error> {
        self.check_hours(&draft, ErrorKind::InvalidParams, now)?;
        self.disk_full()?;
        if self.queue.is_full() {
            return Err(self.queue_full(now));
        }
        let chat = self.contacts.person(&draft.to);
        let id = self.queue.accept(draft, chat, body, &mut self.out, now)?;
        self.accepted(id, false, now)
    }

    pub(super) fn accepted(
        &self,
        id: MessageId,
        duplicate: bool,
        now: Now,
    ) -> Result<api::SendResult, api::Error> {
        let gone = || api::Error::new(ErrorKind::InternalError, "The message is gone.");
        let message = self.message(id, now).ok_or_else(gone)?;
        Ok(api::SendResult { message, duplicate, replaces: None })
    }

    /// An edit, a revocation or a reaction: done at once, or a message of its own.
    pub(super) fn amend(
        &mut self,
        draft: Draft,
        body: Body,
        now: Now,
    ) -> Result<api::SendResult, api::Error> {
        let about = draft.target.as_ref().and_then(|target| target.id);
        let parked = |id| self.queue.get(id).is_some_and(|m| m.state() == State::Parked);
        if draft.kind == Kind::Edit && about.is_some_and(parked) && self.queue.is_full() {
            return Err(self.queue_full(now));
        }
        match self.queue.amend(draft, &body, &mut self.out, now)? {
            (Amendment::Done(id), repeated) => {
                if self.queue.get(id).is_some_and(|m| m.state() == State::Preparing) && !repeated {
                    self.preparations.start_afresh(id, &mut self.out);
                }
                self.accepted(id, repeated, now)
            }
            (Amendment::Queue(draft), _) => {
                self.check_hours(&draft, ErrorKind::WrongState, now)?;
                self.accept(*draft, body, now)
            }
        }
    }
}
