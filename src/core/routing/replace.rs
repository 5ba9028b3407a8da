//! The newest state of a thing wins: a message with a known key takes the place of the one that
//! has it. What has not left is changed where it stands; what has left, or may have, is followed
//! by a new message or by an edit. All of it is one change on disk.

use crate::Core;
use crate::draft::{Draft, Target};
use crate::event::Body;
use crate::explain;
use crate::queue::Message;
use crate::time::Now;
use tetherd_api::{Error, ErrorKind, Kind, MessageId, Replace, SendResult, State};

/// What becomes of the message that has the key.
enum Former {
    /// It has not left, and gets the new content.
    Change,
    /// It has left, or may have, and is edited.
    Edit(Target),
    /// It waits, and is of no more use: it is withdrawn, and a new one is sent.
    Withdraw,
    /// It stays as it is, and a new one is sent.
    Follow,
}

impl Core {
    /// `message.send` with `replace`.
    pub(super) fn replace(
        &mut self,
        draft: Draft,
        body: Body,
        how: Replace,
        now: Now,
    ) -> Result<SendResult, Error> {
        let former = draft.key.as_deref().and_then(|key| self.queue.find_key(key));
        let Some(former) = former.and_then(|id| self.queue.get(id)) else {
            return self.submit(draft, body, None, now);
        };
        let id = former.id;
        // What came last and was not sent said something else: this one is not its repetition.
        let was_dropped = self.queue.is_newest_dropped(former);
        if former.draft.digest == draft.digest && !was_dropped {
            return self.accepted(id, true, now);
        }
        self.replaceable(former, &draft)?;
        if self.draining {
            return Err(explain::shutting_down_error());
        }
        draft.check_times(now)?;
        self.check_hours(&draft, ErrorKind::InvalidParams, now)?;
        let sent = match self.former(former, &draft, how) {
            Former::Change if !was_dropped => self.change_content(id, draft, body, now),
            Former::Edit(target) => self.replace_by_edit(target, draft, body, now),
            Former::Change | Former::Withdraw => {
                // One that waits makes room for the other.
                if !former.state().takes_a_place() && self.queue.is_full() {
                    return Err(self.queue_full(now));
                }
                self.queue.supersede(id, &mut self.out, now);
                self.accept(draft, body, now)
            }
            Former::Follow => self.accept(draft, body, now),
        }?;
        let replaces = (!sent.duplicate).then_some(id);
        Ok(SendResult { replaces, ..sent })
    }

    fn replaceable(&self, former: &Message, draft: &Draft) -> Result<(), Error> {
        let id = former.id;
        let conflict = |what: &str| {
            let error =
                Error::new(ErrorKind::KeyConflict, format!("The key belongs to {id}, {what}."));
            Err(error.remedy(format!("tetherctl show {id}")))
        };
        if self.contacts.person(&former.draft.to) != self.contacts.person(&draft.to) {
            return conflict("which goes to another chat");
        }
        match former.draft.kind {
            Kind::Reaction | Kind::Revoke => conflict("which is about another message"),
            Kind::Text
            | Kind::Image
            | Kind::Video
            | Kind::Audio
            | Kind::Voice
            | Kind::Document
            | Kind::Location
            | Kind::Contact
            | Kind::Edit => Ok(()),
        }
    }

    fn former(&self, former: &Message, draft: &Draft, how: Replace) -> Former {
        let edits = how == Replace::Edit && is_plain_text(draft);
        if former.draft.kind == Kind::Edit {
            let Some(target) = former.draft.target.clone().filter(|_| edits) else {
                return if former.is_waiting() { Former::Withdraw } else { Former::Follow };
            };
            // An edit of what will not be sent will not be either.
            let pointless = self.queue.target_is_sent(former) == Some(false);
            return match former.is_waiting() {
                true if pointless => Former::Withdraw,
                true => Former::Change,
                false => Former::Edit(target),
            };
        }
        if former.is_waiting() {
            return Former::Change;
        }
        // A person may have it sent again: not after what is newer.
        if former.state() == State::Parked {
            return Former::Withdraw;
        }
        let target = Target {
            wa_id: former.draft.wa_id.clone(),
            id: Some(former.id),
            sender: None,
            quote: None,
        };
        if edits && former.draft.kind == Kind::Text { Former::Edit(target) } else { Former::Follow }
    }

    fn change_content(
        &mut self,
        id: MessageId,
        draft: Draft,
        body: Body,
        now: Now,
    ) -> Result<SendResult, Error> {
        let parked = self.queue.get(id).is_some_and(|m| m.state() == State::Parked);
        if parked && self.queue.is_full() {
            return Err(self.queue_full(now));
        }
        self.uploads.on_content_changed(id);
        self.queue.adopt(id, &mut self.out);
        self.queue.set_content(id, draft, &body, &mut self.out, now);
        if self.queue.get(id).is_some_and(|m| m.state() == State::Preparing) {
            self.preparations.start_afresh(id, &mut self.out);
        }
        self.accepted(id, false, now)
    }

    /// As a message of its own where the network takes no edit any more.
    fn replace_by_edit(
        &mut self,
        target: Target,
        draft: Draft,
        body: Body,
        now: Now,
    ) -> Result<SendResult, Error> {
        let edit_until = Some(i64::MAX);
        let edit = Draft { kind: Kind::Edit, target: Some(target), edit_until, ..draft.clone() };
        match self.amend(edit, body.clone(), now) {
            Err(error)
                if matches!(error.data.kind, ErrorKind::WrongState | ErrorKind::NotFound) =>
            {
                self.accept(draft, body, now)
            }
            edited => edited,
        }
    }
}

/// An edit carries a text and nothing else, and has no time of its own.
fn is_plain_text(draft: &Draft) -> bool {
    draft.kind == Kind::Text
        && draft.target.is_none()
        && draft.mentions.is_empty()
        && draft.link.is_none()
        && draft.not_before.is_none()
}
