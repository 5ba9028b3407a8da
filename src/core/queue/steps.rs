//! The only ways in which a message in the queue changes: each is a step of
//! [`super::transitions`] or [`super::answers`], after which the indexes are right again,
//! its record is to be written and its subscribers are notified. None or false: it cannot take
//! that step, and nothing changed.

use super::Queue;
use crate::action::ActionBuffer;
use crate::config::LinkPolicy;
use crate::files::{LinkFinding, MediaRef, SpooledFile};
use crate::ids::SpoolId;
use crate::queue::transitions::IllegalStep;
use crate::queue::{Message, Reached};
use crate::time::{self, Now};
use tetherd_api::{self as api, Kind, MessageId, Reason, State, Time};

/// A late answer that changes nothing.
struct Known;

impl Queue {
    /// Takes a step with one message that its subscribers need not know of.
    pub(super) fn change<T, E>(
        &mut self,
        id: MessageId,
        out: &mut ActionBuffer,
        step: impl FnOnce(&mut Message) -> Result<T, E>,
    ) -> Option<T> {
        let mut message = self.messages.remove(&id)?;
        self.unindex(&message);
        let (state, file) = (message.state(), needed_file(&message).cloned());
        let result = step(&mut message);
        if message.state() != state {
            message.changed_uptime_ms = self.uptime_ms();
        }
        if !message.state().takes_a_place() {
            self.attempts.forget(id);
        }
        out.unspool.extend(file.filter(|file| needed_file(&message) != Some(file)));
        self.last_order = self.last_order.max(message.order);
        self.index(&message);
        self.messages.insert(id, message);
        let result = result.ok()?;
        out.put.insert(id);
        Some(result)
    }

    /// Takes a step that not every message can take.
    pub(super) fn step<T>(
        &mut self,
        id: MessageId,
        out: &mut ActionBuffer,
        now: Now,
        step: impl FnOnce(&mut Message) -> Result<T, IllegalStep>,
    ) -> Option<T> {
        let result = self.change(id, out, step)?;
        self.publish(id, out, now);
        Some(result)
    }

    /// Takes in what the network says. False if that was known.
    pub(super) fn answer(
        &mut self,
        id: MessageId,
        out: &mut ActionBuffer,
        now: Now,
        step: impl FnOnce(&mut Message) -> bool,
    ) -> bool {
        let news = self.change(id, out, |m| step(m).then_some(()).ok_or(Known)).is_some();
        if news {
            self.publish(id, out, now);
        }
        news
    }

    /// Tells the subscribers how a message stands.
    pub(super) fn publish(&self, id: MessageId, out: &mut ActionBuffer, now: Now) {
        if let Some(message) = self.get(id) {
            let message = Box::new(self.wire(message, now));
            out.event(api::Event::Message { message });
        }
    }

    /// A message as the wire shows it, without its whole text and where it stands among
    /// the others.
    pub(crate) fn wire(&self, message: &Message, now: Now) -> api::Message {
        let [sent_at, delivered_at, read_at] = message.reached_at();
        api::Message {
            id: message.id,
            wa_id: message.draft.wa_id.0.clone(),
            to: message.draft.to.as_str().into(),
            address: message.address.as_ref().map(|chat| chat.as_str().into()),
            state: message.state(),
            reason: message.reason().cloned(),
            key: message.draft.key.clone(),
            kind: message.draft.kind,
            reply_to: message.draft.target.as_ref().map(|target| match target.id {
                Some(id) => id.to_string(),
                None => target.wa_id.0.clone(),
            }),
            file: message.draft.file.as_ref().map(|file| file.info.clone()),
            priority: message.draft.priority,
            not_before: message.draft.not_before.map(Time),
            expires_at: message.draft.expires_at.map(Time),
            undo_until: self.undo_until(message, now),
            text: None,
            preview: message.preview.clone(),
            chars: message.chars,
            attempts: message.attempts,
            accepted_at: Time(message.accepted_at),
            changed_at: Time(message.changed_at),
            sent_at: sent_at.map(Time),
            delivered_at: delivered_at.map(Time),
            read_at: read_at.map(Time),
            position: None,
            expected_at: None,
            held_by: None,
            after: None,
        }
    }

    /// Until when a cancelled message can be restored, on the wall clock as it stands.
    pub(super) fn undo_until(&self, message: &Message, now: Now) -> Option<Time> {
        let until = self.uptime.mono_of(message.undo()?.until_uptime_ms);
        Some(Time(time::wall_of(until, now)))
    }

    /// What had to be done before it can be queued is done. A broken link parks it, if the
    /// configuration says so.
    pub(crate) fn prepared(
        &mut self,
        id: MessageId,
        file: Option<(Kind, SpooledFile)>,
        link: Option<LinkFinding>,
        out: &mut ActionBuffer,
        now: Now,
    ) {
        let policy = self.config.links;
        match link.filter(|_| policy != LinkPolicy::Off) {
            Some(finding) if finding.broken && policy == LinkPolicy::Park => {
                self.not_prepared(id, file, finding.into_reason(), out, now);
            }
            finding => {
                let warning = finding.map(|finding| finding.into_warning(now));
                self.step(id, out, now, |m| m.prepared(file, warning, now.wall_ms));
            }
        }
    }

    pub(crate) fn not_prepared(
        &mut self,
        id: MessageId,
        file: Option<(Kind, SpooledFile)>,
        reason: Reason,
        out: &mut ActionBuffer,
        now: Now,
    ) {
        self.step(id, out, now, |m| m.not_prepared(file, reason, now.wall_ms));
    }

    /// An attempt showed that it cannot be sent.
    pub(crate) fn park_attempted(
        &mut self,
        id: MessageId,
        reason: Reason,
        out: &mut ActionBuffer,
        now: Now,
    ) -> bool {
        self.step(id, out, now, |m| m.park_attempted(reason, now.wall_ms)).is_some()
    }

    /// Something was found out before an attempt.
    pub(crate) fn park_waiting(
        &mut self,
        id: MessageId,
        reason: Reason,
        out: &mut ActionBuffer,
        now: Now,
    ) -> bool {
        self.step(id, out, now, |m| m.park_waiting(reason, now.wall_ms)).is_some()
    }

    /// A parked message goes back to the place that it had, or to this one. Where it stands
    /// then.
    pub(crate) fn requeue(
        &mut self,
        id: MessageId,
        order: u64,
        anyway: bool,
        out: &mut ActionBuffer,
        now: Now,
    ) -> Option<State> {
        let links = self.config.links;
        self.step(id, out, now, |m| m.requeue(order, links, anyway, now.wall_ms))
    }

    /// A check of its links begins.
    pub(crate) fn note_links_asked(&mut self, id: MessageId, out: &mut ActionBuffer) {
        self.change(id, out, |m| {
            m.links_asked = true;
            Ok::<_, Known>(())
        });
    }

    /// Its file is on the media host.
    pub(crate) fn set_media(&mut self, id: MessageId, uploaded: MediaRef, out: &mut ActionBuffer) {
        self.change(id, out, |m| m.set_media(uploaded).then_some(()).ok_or(Known));
    }

    /// The server refused it.
    pub(crate) fn refuse(
        &mut self,
        id: MessageId,
        code: u32,
        out: &mut ActionBuffer,
        now: Now,
    ) -> bool {
        self.answer(id, out, now, |m| m.refuse(code, now.wall_ms))
    }

    /// It has come this far.
    pub(crate) fn confirm(
        &mut self,
        id: MessageId,
        reached: Reached,
        out: &mut ActionBuffer,
        now: Now,
    ) -> bool {
        self.answer(id, out, now, |m| m.confirm(reached, now.wall_ms))
    }
}

/// The file in the spool that a message still needs.
fn needed_file(message: &Message) -> Option<&SpoolId> {
    message.draft.file.as_ref().filter(|_| message.needs_file()).map(|file| &file.spool)
}
