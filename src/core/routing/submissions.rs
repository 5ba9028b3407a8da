//! New messages, and what is about earlier ones: between the caller's key, the queue and the
//! preparations.

use crate::Core;
use crate::draft::Draft;
use crate::event::Body;
use crate::explain;
use crate::queue::Amendment;
use crate::time::Now;
use tetherd_api::{self as api, Kind, MessageId, Replace, State};

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

    /// Takes a message in, if there is a place.
    pub(super) fn accept(
        &mut self,
        draft: Draft,
        body: Body,
        now: Now,
    ) -> Result<api::SendResult, api::Error> {
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
        let gone = || api::Error::new(api::ErrorKind::InternalError, "The message is gone.");
        Ok(api::SendResult { message: self.message(id, now).ok_or_else(gone)?, duplicate })
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
            (Amendment::Queue(draft), _) => self.accept(*draft, body, now),
        }
    }
}
