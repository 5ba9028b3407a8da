//! The ways of a message from state to state: one method for each, naming the states that
//! it may start from.
//!
//! `queued -> sending -> sent -> delivered -> read`, with `unknown` while an answer is
//! missing and `parked` for what waits for an operator. An impossible step is an error.
//! What the server answers is in [`super::answers`].

use std::mem::take;

use crate::config::LinkPolicy;
use crate::files::{LinkWarning, MediaRef, SpooledFile};
use crate::ids::{Attempt, ChatId};
use crate::queue::{Message, MessageState, Parked, Pending, Tries, Undo, Withdrawn};
use tetherd_api::{Kind, Reason, ReasonKind, State};

/// A step that a message in this state cannot take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message that is {from} cannot be {step}")]
pub(super) struct IllegalStep {
    /// Where it stands.
    pub from: State,
    /// What was asked.
    pub step: &'static str,
}

impl Message {
    /// preparing -> queued, in its old place, with what was found.
    pub(super) fn prepared(
        &mut self,
        file: Option<(Kind, SpooledFile)>,
        link_warning: Option<LinkWarning>,
        wall_ms: i64,
    ) -> Result<(), IllegalStep> {
        let MessageState::Preparing(pending) = &mut self.state else {
            return Err(self.illegal("ready"));
        };
        let pending = take(pending);
        self.note_prepared(file, link_warning);
        self.enter(MessageState::Queued(pending, Tries::default()), wall_ms);
        Ok(())
    }

    /// preparing -> parked. What was fetched stays.
    pub(super) fn not_prepared(
        &mut self,
        file: Option<(Kind, SpooledFile)>,
        reason: Reason,
        wall_ms: i64,
    ) -> Result<(), IllegalStep> {
        let MessageState::Preparing(pending) = &mut self.state else {
            return Err(self.illegal("parked for its file or links"));
        };
        let pending = take(pending);
        self.note_prepared(file, None);
        self.enter(MessageState::Parked(Parked { reason, pending }), wall_ms);
        Ok(())
    }

    fn note_prepared(
        &mut self,
        file: Option<(Kind, SpooledFile)>,
        link_warning: Option<LinkWarning>,
    ) {
        if let Some((kind, file)) = file {
            self.draft.kind = kind;
            self.draft.file = Some(file);
        }
        self.link_warning = link_warning;
    }

    /// queued, unknown -> sending. What may have reached the server goes out again to where
    /// it went before.
    pub(super) fn attempt(
        &mut self,
        address: Option<ChatId>,
        wall_ms: i64,
    ) -> Result<Attempt, IllegalStep> {
        let illegal = self.illegal("attempted");
        let taken = self.take_pending(&[State::Queued, State::Unknown]);
        let (pending, mut tries) = taken.ok_or(illegal)?;
        if !pending.maybe_out {
            self.address = address;
        }
        self.attempts = self.attempts.saturating_add(1);
        tries.streak = tries.streak.saturating_add(1);
        self.enter(MessageState::Sending(pending, tries), wall_ms);
        Ok(Attempt(self.attempts))
    }

    /// sending -> unknown, or parked after too many attempts without an answer.
    pub(super) fn unanswered(
        &mut self,
        attempts_max: u32,
        wall_ms: i64,
    ) -> Result<(), IllegalStep> {
        let MessageState::Sending(pending, tries) = &mut self.state else {
            return Err(self.illegal("left without an answer"));
        };
        let (media, tries) = (pending.media.take(), *tries);
        if tries.streak >= attempts_max {
            let pending = Pending { media, maybe_out: true };
            let reason = Reason::new(ReasonKind::NoAnswer);
            self.enter(MessageState::Parked(Parked { reason, pending }), wall_ms);
        } else {
            self.enter(MessageState::Unknown { media, tries }, wall_ms);
        }
        Ok(())
    }

    /// sending, unknown -> queued, because this attempt certainly did not leave. Unknown
    /// it stays if an earlier one may have. Parked after too many in a row, unless the
    /// connection was to blame and not the message.
    pub(super) fn not_sent(
        &mut self,
        blameless: bool,
        attempts_max: u32,
        wall_ms: i64,
    ) -> Result<(), IllegalStep> {
        let illegal = self.illegal("put back");
        let tries = self.attempted().ok_or(illegal)?;
        if blameless {
            tries.streak = tries.streak.saturating_sub(1);
        } else if tries.streak >= attempts_max {
            return self.park_attempted(Reason::new(ReasonKind::NotSendable), wall_ms);
        }
        self.put_back(wall_ms);
        Ok(())
    }

    /// sending, unknown -> queued, because the attempt left, but for none of the recipient's
    /// devices: parked if that happens again.
    pub(super) fn on_reached_nobody(&mut self, wall_ms: i64) -> Result<(), IllegalStep> {
        let illegal = self.illegal("put back for another try with fresh devices");
        let tries = self.attempted().ok_or(illegal)?;
        if tries.reached_nobody {
            return self.park_attempted(Reason::new(ReasonKind::NoDevice), wall_ms);
        }
        tries.reached_nobody = true;
        self.put_back(wall_ms);
        Ok(())
    }

    /// The counts of a message of which an attempt is under way or has no answer.
    pub(super) fn attempted(&mut self) -> Option<&mut Tries> {
        if let MessageState::Sending(_, tries) | MessageState::Unknown { tries, .. } =
            &mut self.state
        {
            Some(tries)
        } else {
            None
        }
    }

    /// Takes what the next state is made from, if it stands in one of these.
    fn take_pending(&mut self, from: &[State]) -> Option<(Pending, Tries)> {
        if !from.contains(&self.state()) {
            return None;
        }
        match &mut self.state {
            MessageState::Queued(pending, tries) | MessageState::Sending(pending, tries) => {
                Some((take(pending), *tries))
            }
            MessageState::Unknown { media, tries } => {
                Some((Pending { media: media.take(), maybe_out: true }, *tries))
            }
            MessageState::Preparing(pending) | MessageState::Parked(Parked { pending, .. }) => {
                Some((take(pending), Tries::default()))
            }
            MessageState::Sent { .. }
            | MessageState::Delivered { .. }
            | MessageState::Read { .. }
            | MessageState::Failed { .. }
            | MessageState::Expired { .. }
            | MessageState::Cancelled { .. } => None,
        }
    }

    /// sending -> queued, or unknown if an earlier attempt may have left.
    pub(super) fn put_back(&mut self, wall_ms: i64) {
        if let MessageState::Sending(pending, tries) = &mut self.state {
            let (pending, tries) = (take(pending), *tries);
            let state = if pending.maybe_out {
                MessageState::Unknown { media: pending.media, tries }
            } else {
                MessageState::Queued(pending, tries)
            };
            self.enter(state, wall_ms);
        }
    }

    /// sending, unknown -> parked, because an attempt showed that it cannot be sent.
    pub(super) fn park_attempted(
        &mut self,
        reason: Reason,
        wall_ms: i64,
    ) -> Result<(), IllegalStep> {
        let illegal = self.illegal("parked");
        let taken = self.take_pending(&[State::Sending, State::Unknown]);
        let (pending, _) = taken.ok_or(illegal)?;
        self.enter(MessageState::Parked(Parked { reason, pending }), wall_ms);
        Ok(())
    }

    /// queued, unknown -> parked, for something that was found out before an attempt.
    pub(super) fn park_waiting(&mut self, reason: Reason, wall_ms: i64) -> Result<(), IllegalStep> {
        let illegal = self.illegal("parked before an attempt");
        let taken = self.take_pending(&[State::Queued, State::Unknown]);
        let (pending, _) = taken.ok_or(illegal)?;
        self.enter(MessageState::Parked(Parked { reason, pending }), wall_ms);
        Ok(())
    }

    /// preparing, queued, parked -> cancelled. Until `undo_until`, in milliseconds of uptime,
    /// it can be restored.
    pub(super) fn cancel(
        &mut self,
        undo_until: Option<u64>,
        wall_ms: i64,
    ) -> Result<(), IllegalStep> {
        let before = match &self.state {
            MessageState::Preparing(pending) => Withdrawn::Preparing(pending.clone()),
            MessageState::Queued(pending, tries) => Withdrawn::Queued(pending.clone(), *tries),
            MessageState::Parked(parked) => Withdrawn::Parked(parked.clone()),
            MessageState::Sending(..)
            | MessageState::Unknown { .. }
            | MessageState::Sent { .. }
            | MessageState::Delivered { .. }
            | MessageState::Read { .. }
            | MessageState::Failed { .. }
            | MessageState::Expired { .. }
            | MessageState::Cancelled { .. } => return Err(self.illegal("cancelled")),
        };
        let undo = undo_until.map(|until_uptime_ms| Undo { until_uptime_ms, before });
        self.enter(MessageState::Cancelled { undo }, wall_ms);
        Ok(())
    }

    /// cancelled -> what it was before, in its old place.
    pub(super) fn restore(&mut self, wall_ms: i64) -> Result<(), IllegalStep> {
        let MessageState::Cancelled { undo } = &mut self.state else {
            return Err(self.illegal("restored"));
        };
        let Some(undo) = undo.take() else { return Err(self.illegal("restored")) };
        self.enter(undo.before.into(), wall_ms);
        Ok(())
    }

    /// The time in which it could be restored is over. It stays cancelled.
    pub(super) fn end_undo(&mut self) -> Result<(), IllegalStep> {
        let MessageState::Cancelled { undo } = &mut self.state else {
            return Err(self.illegal("kept from being restored"));
        };
        *undo = None;
        Ok(())
    }

    /// preparing, queued, parked: an edit becomes a text of its own, under its ids and in its
    /// place. Nothing of it has left.
    pub(super) fn stop_editing(&mut self) -> Result<(), IllegalStep> {
        if self.draft.kind != Kind::Edit || !self.is_waiting() {
            return Err(self.illegal("sent as a text of its own"));
        }
        self.draft.kind = Kind::Text;
        (self.draft.target, self.draft.edit_until) = (None, None);
        Ok(())
    }

    /// preparing, queued, parked, unknown -> expired.
    pub(super) fn expire(&mut self, wall_ms: i64) -> Result<(), IllegalStep> {
        let reason = match &self.state {
            MessageState::Preparing(pending) | MessageState::Queued(pending, _) => {
                pending.maybe_out.then(|| Reason::new(ReasonKind::NoAnswer))
            }
            MessageState::Parked(Parked { reason, .. }) => Some(reason.clone()),
            MessageState::Unknown { .. } => Some(Reason::new(ReasonKind::NoAnswer)),
            MessageState::Sending(..)
            | MessageState::Sent { .. }
            | MessageState::Delivered { .. }
            | MessageState::Read { .. }
            | MessageState::Failed { .. }
            | MessageState::Expired { .. }
            | MessageState::Cancelled { .. } => return Err(self.illegal("expired")),
        };
        self.enter(MessageState::Expired { reason }, wall_ms);
        Ok(())
    }

    /// parked -> queued, at the end; preparing, if something has to be done before. Answers
    /// which. `anyway`: a broken link does not matter any more.
    pub(super) fn requeue(
        &mut self,
        order: u64,
        links: LinkPolicy,
        anyway: bool,
        wall_ms: i64,
    ) -> Result<State, IllegalStep> {
        if !self.may_be_sent() {
            return Err(self.illegal("sent by another account"));
        }
        let MessageState::Parked(Parked { reason, pending }) = &mut self.state else {
            return Err(self.illegal("put back into the queue"));
        };
        let mut pending = take(pending);
        // What was fetched can be fetched again.
        if reason.kind == ReasonKind::FileUnreadable && self.draft.source.is_some() {
            self.draft.file = None;
            pending.media = None;
        }
        self.draft.has_links &= !(anyway && reason.kind == ReasonKind::LinkBroken);
        self.order = order;
        let state = if self.needs_preparing(links) {
            MessageState::Preparing(pending)
        } else {
            MessageState::Queued(pending, Tries::default())
        };
        self.enter(state, wall_ms);
        Ok(self.state())
    }

    /// preparing, queued, parked -> queued, in its place, with another content; preparing, if
    /// something has to be done before.
    pub(super) fn prepare_anew(
        &mut self,
        links: LinkPolicy,
        wall_ms: i64,
    ) -> Result<State, IllegalStep> {
        let illegal = self.illegal("given another content");
        if !self.is_waiting() {
            return Err(illegal);
        }
        self.links_asked = false;
        self.link_warning = None;
        let state = if self.needs_preparing(links) {
            MessageState::Preparing(Pending::default())
        } else {
            MessageState::Queued(Pending::default(), Tries::default())
        };
        self.enter(state, wall_ms);
        Ok(self.state())
    }

    /// parked -> failed, keeping the reason.
    pub(super) fn give_up(&mut self, wall_ms: i64) -> Result<(), IllegalStep> {
        let MessageState::Parked(Parked { reason, .. }) = &self.state else {
            return Err(self.illegal("given up"));
        };
        let reason = reason.clone();
        self.enter(MessageState::Failed { reason }, wall_ms);
        Ok(())
    }

    /// Its file is on the media host. False if it is not to be sent any more.
    pub(super) fn set_media(&mut self, uploaded: MediaRef) -> bool {
        let media = match &mut self.state {
            MessageState::Preparing(pending)
            | MessageState::Queued(pending, _)
            | MessageState::Sending(pending, _)
            | MessageState::Parked(Parked { pending, .. }) => &mut pending.media,
            MessageState::Unknown { media, .. } => media,
            MessageState::Sent { .. }
            | MessageState::Delivered { .. }
            | MessageState::Read { .. }
            | MessageState::Failed { .. }
            | MessageState::Expired { .. }
            | MessageState::Cancelled { .. } => return false,
        };
        if self.draft.file.is_some() {
            *media = Some(uploaded);
        }
        self.draft.file.is_some()
    }

    /// Whether something has to be done before it can be sent.
    pub(super) fn needs_preparing(&self, links: LinkPolicy) -> bool {
        let file = self.draft.source.is_some() && self.draft.file.is_none();
        // What may be out is not held back for its links any more.
        file || (self.draft.has_links && links != LinkPolicy::Off && self.attempts == 0)
    }

    pub(super) fn enter(&mut self, state: MessageState, wall_ms: i64) {
        self.state = state;
        self.changed_at = wall_ms;
    }

    fn illegal(&self, step: &'static str) -> IllegalStep {
        IllegalStep { from: self.state(), step }
    }
}
