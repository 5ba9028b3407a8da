//! What is said about a message of our own: edits, revocations and reactions. One that has not
//! left is changed or withdrawn where it stands; of one that has left, the change is a message
//! of its own, which waits behind it. Owns what can be done to which message, and until when.

use super::Queue;
use crate::action::ActionBuffer;
use crate::contacts::UsernameKey;
use crate::draft::Draft;
use crate::event::Body;
use crate::files;
use crate::queue::{Message, MessageState};
use crate::time::Now;
use tetherd_api::{Error, ErrorKind, Kind, MessageId, ReasonKind, Redacted, State};

/// How long after it was sent a text can be edited: so long the official apps offer it. Devices
/// take an edit that is a few minutes late.
pub const EDIT_WINDOW_MS: i64 = 15 * 60 * 1_000;
/// How long after it was sent a message can be taken back: the official apps offer it for a
/// little longer.
pub const REVOKE_WINDOW_MS: i64 = 2 * 24 * 60 * 60 * 1_000;

/// What is to be done with an edit, a revocation or a reaction.
#[derive(Debug)]
pub(crate) enum Amendment {
    /// Nothing: this message says so already, or has been changed just now.
    Done(MessageId),
    /// It becomes a message of its own.
    Queue(Box<Draft>),
}

impl Queue {
    /// Carries out what can be done without sending anything. `repeated`: what is asked for is
    /// the case already.
    pub(crate) fn amend(
        &mut self,
        mut draft: Draft,
        body: &Body,
        out: &mut ActionBuffer,
        now: Now,
    ) -> Result<(Amendment, bool), Error> {
        let Some(id) = draft.target.as_ref().and_then(|target| target.id) else {
            return Ok((Amendment::Queue(Box::new(draft)), false));
        };
        let target = self.get(id).ok_or_else(|| gone(id))?;
        amendable(target, draft.kind)?;
        let parked = |id: &MessageId| self.get(*id).is_some_and(|m| m.state() == State::Parked);
        let revoked = self.last_about(id, Kind::Revoke).filter(|id| !parked(id));
        if draft.kind != Kind::Revoke && revoked.is_some() {
            return Err(wrong(format!("{id} is taken back"), "send a new message"));
        }
        draft.to = target.draft.to.clone();
        draft.priority = target.draft.priority;
        draft.not_before = target.draft.not_before.filter(|_| target.is_waiting());
        let done = match draft.kind {
            Kind::Edit => self.edit(id, &mut draft, body, out, now)?,
            Kind::Revoke => self.revoke(id, &mut draft, out, now)?,
            Kind::Reaction
            | Kind::Text
            | Kind::Image
            | Kind::Video
            | Kind::Audio
            | Kind::Voice
            | Kind::Document
            | Kind::Location
            | Kind::Contact => None,
        };
        Ok(match done {
            Some((id, repeated)) => (Amendment::Done(id), repeated),
            None => (Amendment::Queue(Box::new(draft)), false),
        })
    }

    /// The text of a message that waits, or of the last edit of one that has left and that
    /// waits, becomes this one. None: nothing waits that could be changed.
    fn edit(
        &mut self,
        id: MessageId,
        draft: &mut Draft,
        body: &Body,
        out: &mut ActionBuffer,
        now: Now,
    ) -> Result<Option<(MessageId, bool)>, Error> {
        let last = self.last_about(id, Kind::Edit).unwrap_or(id);
        let Some(message) = self.get(last) else { return Err(gone(id)) };
        if message.draft.digest == draft.digest && !message.is_dropped() {
            return Ok(Some((last, true)));
        }
        if message.is_waiting() {
            self.set_text(last, draft, body, out, now);
            return Ok(Some((last, false)));
        }
        self.limit(id, draft, EDIT_WINDOW_MS, "edited", now)?;
        Ok(None)
    }

    fn revoke(
        &mut self,
        id: MessageId,
        draft: &mut Draft,
        out: &mut ActionBuffer,
        now: Now,
    ) -> Result<Option<(MessageId, bool)>, Error> {
        if let Some(before) = self.last_about(id, Kind::Revoke) {
            return Ok(Some((before, true)));
        }
        let Some(message) = self.get(id) else { return Err(gone(id)) };
        if message.state() == State::Cancelled {
            return Ok(Some((id, true)));
        }
        if message.is_waiting() {
            self.withdraw(&[id], out, now);
            return Ok(Some((id, false)));
        }
        self.limit(id, draft, REVOKE_WINDOW_MS, "taken back", now)?;
        Ok(None)
    }

    /// The last edit or revocation of a message that can still take effect, or has. One that
    /// expired without an answer may have: for an edit that counts.
    fn last_about(&self, id: MessageId, kind: Kind) -> Option<MessageId> {
        let counts = |m: &&Message| {
            let about = m.draft.target.as_ref().and_then(|target| target.id);
            let may_have = kind == Kind::Edit && m.may_have_left();
            about == Some(id) && m.draft.kind == kind && (!m.is_dropped() || may_have)
        };
        self.iter().filter(counts).last().map(|message| message.id)
    }

    /// It must leave while the network still takes it, or not as an edit.
    fn limit(
        &self,
        id: MessageId,
        draft: &mut Draft,
        window_ms: i64,
        what: &str,
        now: Now,
    ) -> Result<(), Error> {
        let sent_at = self.get(id).and_then(|message| message.reached_at()[0]);
        let ends = sent_at.unwrap_or(now.wall_ms).saturating_add(window_ms);
        if ends <= now.wall_ms {
            let minutes = window_ms / 60_000;
            let sentence = format!(
                "{id} was sent too long ago to be {what}: the network allows it for {minutes} \
                 minutes"
            );
            return Err(wrong(sentence, "send a new message (tetherctl send --reply-to)"));
        }
        match &mut draft.edit_until {
            Some(until) => *until = ends,
            None => draft.expires_at = Some(draft.expires_at.map_or(ends, |at| at.min(ends))),
        }
        Ok(())
    }

    /// A waiting text becomes another one, in its place.
    fn set_text(
        &mut self,
        id: MessageId,
        draft: &Draft,
        body: &Body,
        out: &mut ActionBuffer,
        now: Now,
    ) {
        let (chars, preview) = files::shown(Kind::Text, body);
        let links = self.config.links;
        let (digest, has_links) = (draft.digest, draft.has_links);
        let may_be_a_text = draft.edit_until.is_some();
        let changed = self.step(id, out, now, |message| {
            message.draft.digest = digest;
            if may_be_a_text && message.draft.kind == Kind::Edit {
                // It was an edit only, which expires when the network takes it no more.
                let of_edit = &mut message.draft;
                of_edit.edit_until = of_edit.edit_until.or_else(|| of_edit.expires_at.take());
            }
            let is_text = message.draft.kind == Kind::Text || message.draft.edit_until.is_some();
            message.draft.has_links = has_links && is_text;
            message.draft.link = None;
            (message.chars, message.preview) = (chars, Redacted(preview));
            message.prepare_anew(links, now.wall_ms)
        });
        if changed.is_some() {
            out.bodies.push((id, body.clone()));
        }
    }

    /// A waiting message becomes another one, under its ids and in its place. An edit stays one.
    pub(crate) fn set_content(
        &mut self,
        id: MessageId,
        draft: Draft,
        body: &Body,
        out: &mut ActionBuffer,
        now: Now,
    ) {
        let Some(message) = self.get(id).filter(|message| message.is_waiting()) else { return };
        if message.draft.kind == Kind::Edit {
            return self.set_text(id, &draft, body, out, now);
        }
        let (chars, preview) = files::shown(draft.kind, body);
        let links = self.config.links;
        // Its recipient is the same, perhaps under another name.
        let (to, wa_id) = (message.draft.to.clone(), message.draft.wa_id.clone());
        let draft = Draft { to, wa_id, ..draft };
        let changed = self.step(id, out, now, |message| {
            message.draft = draft;
            (message.chars, message.preview) = (chars, Redacted(preview));
            message.prepare_anew(links, now.wall_ms)
        });
        if changed.is_some() {
            out.bodies.push((id, body.clone()));
        }
    }

    /// A newer one is sent in its place: it is withdrawn, and nobody can have it sent again.
    pub(crate) fn supersede(&mut self, id: MessageId, out: &mut ActionBuffer, now: Now) {
        self.step(id, out, now, |m| m.cancel(None, now.wall_ms));
    }

    /// Whether what an edit, a revocation or a reaction is about has been sent; none: it is
    /// still to be.
    pub(crate) fn target_is_sent(&self, message: &Message) -> Option<bool> {
        let about = message.draft.target.as_ref().filter(|_| message.draft.kind.is_about());
        let Some(target) = about.and_then(|target| self.get(target.id?)) else {
            return Some(true);
        };
        match target.state() {
            State::Sent | State::Delivered | State::Read => Some(true),
            State::Parked | State::Failed | State::Expired | State::Cancelled => Some(false),
            State::Preparing | State::Queued | State::Sending | State::Unknown => {
                // Nothing waits for what comes after it.
                (super::place(target) > super::place(message)).then_some(false)
            }
        }
    }
}

impl Message {
    /// Whether it has ended without being sent.
    pub(crate) fn is_dropped(&self) -> bool {
        matches!(self.state(), State::Failed | State::Expired | State::Cancelled)
    }

    /// Whether it expired without an answer to an attempt.
    fn may_have_left(&self) -> bool {
        matches!(&self.state, MessageState::Expired { reason: Some(reason) }
            if reason.kind == ReasonKind::NoAnswer)
    }

    /// Whether it waits and is past the time for edits, and only that.
    pub(super) fn only_edit_is_late(&self, wall_ms: i64) -> bool {
        let is_late = |at: Option<i64>| at.is_some_and(|at| at <= wall_ms);
        let is_edit_late = is_late(self.draft.edit_until) && !is_late(self.draft.expires_at);
        is_edit_late && self.is_waiting()
    }

    /// Whether it waits for the person with this username.
    pub(crate) fn waits_with(&self, key: &UsernameKey) -> bool {
        self.is_waiting() && self.draft.to == key.number.chat()
    }

    /// Whether it certainly has not left, and may still be changed.
    pub(crate) fn is_waiting(&self) -> bool {
        match &self.state {
            MessageState::Preparing(pending) | MessageState::Queued(pending, _) => {
                !pending.maybe_out
            }
            MessageState::Parked(parked) => !parked.pending.maybe_out,
            MessageState::Sending(..)
            | MessageState::Unknown { .. }
            | MessageState::Sent { .. }
            | MessageState::Delivered { .. }
            | MessageState::Read { .. }
            | MessageState::Failed { .. }
            | MessageState::Expired { .. }
            | MessageState::Cancelled { .. } => false,
        }
    }
}

/// Whether this can be done to such a message, where it stands.
fn amendable(target: &Message, kind: Kind) -> Result<(), Error> {
    let (id, what) = (target.id, target.draft.kind.name());
    if target.draft.kind.is_about() {
        let sentence = format!("{id} is itself about another message (kind {what})");
        return Err(wrong(sentence, "name the message that it is about"));
    }
    if kind == Kind::Edit && target.draft.kind != Kind::Text {
        let sentence = format!("{id} is no text (kind {what}), and only a text can be edited");
        return Err(wrong(sentence, format!("take it back (tetherctl revoke {id})")));
    }
    let state = target.state();
    match state {
        State::Sent | State::Delivered | State::Read | State::Sending | State::Unknown => Ok(()),
        State::Cancelled if kind == Kind::Revoke => Ok(()),
        State::Failed | State::Expired | State::Cancelled => {
            Err(wrong(format!("{id} is {state}: it will not be sent"), "send a new message"))
        }
        State::Parked if kind == Kind::Reaction => {
            let sentence = format!("{id} is parked: nobody has it to see a reaction to it");
            Err(wrong(sentence, format!("tetherctl retry {id}")))
        }
        State::Preparing | State::Queued | State::Parked if target.is_waiting() => Ok(()),
        State::Preparing | State::Queued if kind == Kind::Reaction => Ok(()),
        State::Preparing | State::Queued | State::Parked => {
            let sentence =
                format!("{id} may have left: whether it did is known once it is sent again");
            Err(wrong(sentence, format!("tetherctl retry {id}, then try again")))
        }
    }
}

fn gone(id: MessageId) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no message {id}, or it is kept no more"))
        .remedy("`tetherctl queue --state sent` lists those that are kept")
}

fn wrong(sentence: String, remedy: impl Into<String>) -> Error {
    Error::new(ErrorKind::WrongState, sentence).remedy(remedy)
}
