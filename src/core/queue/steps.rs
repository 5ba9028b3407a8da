//! The only ways in which a message in the queue changes: each is a step of
//! [`super::transitions`] or [`super::answers`], after which the indexes are right again.

use crate::config::LinkPolicy;
use crate::files::{LinkWarning, MediaRef, StoredFile};
use crate::ids::Attempt;
use crate::queue::{IllegalStep, Message, Queue, Reached};
use crate::time::Now;
use tetherd_api::{Kind, MessageId, Reason, State};

/// Why a step was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// It is history that is forgotten, or never was.
    #[error("there is no such message")]
    NoSuchMessage,
    /// Not from where it stands.
    #[error(transparent)]
    Illegal(#[from] IllegalStep),
}

impl Queue {
    /// Takes a step with one message and keeps the indexes right. None: no such message.
    fn change<T>(&mut self, id: MessageId, step: impl FnOnce(&mut Message) -> T) -> Option<T> {
        let mut message = self.messages.remove(&id)?;
        self.unindex(&message);
        let before = message.state();
        let result = step(&mut message);
        if message.state() != before {
            message.changed_uptime_ms = self.uptime_ms;
        }
        self.last_order = self.last_order.max(message.order);
        self.index(&message);
        self.messages.insert(id, message);
        Some(result)
    }

    /// The same with a step that not every message can take.
    fn step<T>(
        &mut self,
        id: MessageId,
        step: impl FnOnce(&mut Message) -> Result<T, IllegalStep>,
    ) -> Result<T, StepError> {
        Ok(self.change(id, step).ok_or(StepError::NoSuchMessage)??)
    }

    pub(crate) fn prepared(
        &mut self,
        id: MessageId,
        file: Option<(Kind, StoredFile)>,
        link_warning: Option<LinkWarning>,
        now: Now,
    ) -> Result<(), StepError> {
        self.step(id, |m| m.prepared(file, link_warning, now.wall_ms))
    }

    pub(crate) fn not_prepared(
        &mut self,
        id: MessageId,
        file: Option<(Kind, StoredFile)>,
        reason: Reason,
        now: Now,
    ) -> Result<(), StepError> {
        self.step(id, |m| m.not_prepared(file, reason, now.wall_ms))
    }

    pub(crate) fn attempt(&mut self, id: MessageId, now: Now) -> Result<Attempt, StepError> {
        self.step(id, |m| m.attempt(now.wall_ms))
    }

    pub(crate) fn unanswered(
        &mut self,
        id: MessageId,
        attempts_max: u32,
        now: Now,
    ) -> Result<(), StepError> {
        self.step(id, |m| m.unanswered(attempts_max, now.wall_ms))
    }

    pub(crate) fn not_sent(
        &mut self,
        id: MessageId,
        blameless: bool,
        attempts_max: u32,
        now: Now,
    ) -> Result<(), StepError> {
        self.step(id, |m| m.not_sent(blameless, attempts_max, now.wall_ms))
    }

    pub(crate) fn park_attempted(
        &mut self,
        id: MessageId,
        reason: Reason,
        now: Now,
    ) -> Result<(), StepError> {
        self.step(id, |m| m.park_attempted(reason, now.wall_ms))
    }

    pub(crate) fn park_waiting(
        &mut self,
        id: MessageId,
        reason: Reason,
        now: Now,
    ) -> Result<(), StepError> {
        self.step(id, |m| m.park_waiting(reason, now.wall_ms))
    }

    pub(crate) fn requeue(
        &mut self,
        id: MessageId,
        order: u64,
        links: LinkPolicy,
        now: Now,
    ) -> Result<State, StepError> {
        self.step(id, |m| m.requeue(order, links, now.wall_ms))
    }

    pub(crate) fn give_up(&mut self, id: MessageId, now: Now) -> Result<(), StepError> {
        self.step(id, |m| m.give_up(now.wall_ms))
    }

    pub(crate) fn cancel(
        &mut self,
        id: MessageId,
        undo_until: Option<u64>,
        now: Now,
    ) -> Result<(), StepError> {
        self.step(id, |m| m.cancel(undo_until, now.wall_ms))
    }

    pub(crate) fn restore(&mut self, id: MessageId, now: Now) -> Result<(), StepError> {
        self.step(id, |m| m.restore(now.wall_ms))
    }

    pub(crate) fn end_undo(&mut self, id: MessageId) {
        self.change(id, Message::end_undo);
    }

    pub(crate) fn expire(&mut self, id: MessageId, now: Now) -> Result<(), StepError> {
        self.step(id, |m| m.expire(now.wall_ms))
    }

    /// False if it is not to be sent any more.
    pub(crate) fn set_media(&mut self, id: MessageId, uploaded: MediaRef) -> bool {
        self.change(id, |m| m.set_media(uploaded)) == Some(true)
    }

    pub(crate) fn refuse(&mut self, id: MessageId, code: u32, now: Now) -> bool {
        self.change(id, |m| m.refuse(code, now.wall_ms)) == Some(true)
    }

    pub(crate) fn rate_limited(
        &mut self,
        id: MessageId,
        code: u32,
        limited_max: u32,
        now: Now,
    ) -> bool {
        self.change(id, |m| m.rate_limited(code, limited_max, now.wall_ms)) == Some(true)
    }

    pub(crate) fn confirm(&mut self, id: MessageId, reached: Reached, now: Now) -> bool {
        self.change(id, |m| m.confirm(reached, now.wall_ms)) == Some(true)
    }
}
