//! Files on their way to the network, as far as queue, pacing and session have a say.

use crate::Core;
use crate::action::SessionCommand;
use crate::files::Room;
use crate::files::{MediaRef, Prepared, Ticket, UploadFault};
use crate::queue::{Message, shutting_down};
use crate::time::Now;
use tetherd_api::{Error, MessageId, ReasonKind, State};

impl Core {
    /// Whether there is a place for one more message, before its file is copied. A key
    /// that is known already needs none.
    pub fn room(&self, key: Option<&str>) -> Result<Room, Error> {
        if key.is_some_and(|key| self.queue.find_key(key).is_some()) {
            return Ok(Room::KeyKnown);
        }
        if self.draining {
            return Err(shutting_down());
        }
        if self.queue.taken() >= self.config.capacity {
            return Err(self.queue_full(self.now));
        }
        Ok(Room::Free)
    }

    /// Starts what has to be prepared, and stops what need not be any more.
    pub(crate) fn drive_preparations(&mut self, now: Now) {
        let links = self.config.links;
        self.preparations.drive(&self.queue, links, self.draining, &mut self.out, now);
    }

    /// The shell reports about a preparation.
    pub(crate) fn prepared(&mut self, prepared: Prepared, now: Now) {
        let id = prepared.id;
        let (queue, config, out) = (&mut self.queue, &self.config, &mut self.out);
        if self.preparations.on_report(prepared, queue, config, out, now) {
            self.settle_message(id, now);
        }
    }

    /// Puts a parked message back into the queue. What has to be prepared for it is
    /// prepared again.
    pub(crate) fn requeue(&mut self, id: MessageId, order: u64, now: Now) {
        let absent = self.queue.get(id).filter(|m| m.is_parked_for(ReasonKind::NotOnNetwork));
        let absent = absent.map(|message| message.to.clone());
        let Ok(state) = self.queue.requeue(id, order, self.config.links, now) else { return };
        // What was known about the number is what led it here: it is asked afresh.
        if let Some(chat) = absent {
            self.contacts.forget(&chat);
        }
        if state == State::Preparing {
            self.preparations.start_afresh(id);
        }
        self.settle_message(id, now);
    }

    /// Starts the uploads that are due.
    pub(crate) fn drive_uploads(&mut self, now: Now) {
        if !self.may_dispatch() {
            return;
        }
        let mut uploads = std::mem::take(&mut self.uploads);
        let started = uploads.start(self.heads_with_files(), now);
        self.uploads = uploads;
        for upload in started {
            self.command(SessionCommand::Upload(upload));
        }
    }

    /// When the next upload is due, if it is not due already.
    pub(crate) fn upload_at(&self) -> Option<u64> {
        if !self.may_dispatch() {
            return None;
        }
        self.uploads.poll_timeout(self.heads_with_files(), self.now)
    }

    /// The first messages of their chats that have a file, and when each could be
    /// attempted if the file were the last thing missing.
    fn heads_with_files(&self) -> impl Iterator<Item = (u64, &Message)> {
        self.queue.heads().filter(|head| head.file.is_some()).filter_map(|head| {
            let rested = self.rested_at(head)?.max(self.preconditions_but_upload(head)?);
            Some((rested, head))
        })
    }

    /// The session reports that a file is on the media host.
    pub(crate) fn uploaded(&mut self, id: MessageId, ticket: Ticket, media: MediaRef, now: Now) {
        if self.uploads.on_uploaded(id, ticket, media, &mut self.queue, now) {
            self.out.put.insert(id);
        }
    }

    /// The session reports that it is not.
    pub(crate) fn upload_failed(
        &mut self,
        id: MessageId,
        ticket: Ticket,
        why: UploadFault,
        now: Now,
    ) {
        let (queue, config) = (&mut self.queue, &self.config);
        if self.uploads.on_failed((id, ticket), why, queue, config, now) {
            self.settle_message(id, now);
        }
    }

    /// Notes which file a message refers to, and removes one that no message needs.
    pub(crate) fn track_file(&mut self, id: MessageId) {
        let unneeded = self.spool_refs.update(id, self.queue.get(id));
        self.out.unspool.extend(unneeded);
    }
}
