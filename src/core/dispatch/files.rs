//! Files on their way to the network, as far as queue, pacing and session have a say.

use crate::Core;
use crate::action::{SessionCommand, Wake};
use crate::dispatch::groups::is_parked_for_group;
use crate::event::Selection;
use crate::explain;
use crate::files::Room;
use crate::files::{MediaRef, Prepared, Ticket, UploadFault};
use crate::pacing::Class;
use crate::queue::Message;
use crate::time::Now;
use tetherd_api::{self as api, Error, MessageId, ReasonKind, State};

impl Core {
    /// Whether there is a place for one more message, before its file is copied. A key
    /// that is known already needs none.
    pub fn room(&self, key: Option<&str>) -> Result<Room, Error> {
        if key.is_some_and(|key| self.queue.find_key(key).is_some()) {
            return Ok(Room::KeyKnown);
        }
        if self.draining {
            return Err(explain::shutting_down_error());
        }
        self.disk_full()?;
        if self.queue.is_full() {
            return Err(self.queue_full(self.now));
        }
        Ok(Room::Free)
    }

    /// Starts what has to be prepared, and stops what need not be any more.
    pub(crate) fn drive_preparations(&mut self, now: Now) {
        let links = self.config.links;
        self.preparations.drive(&mut self.queue, links, self.draining, &mut self.out, now);
    }

    /// The shell reports about a preparation.
    pub(crate) fn prepared(&mut self, prepared: Prepared, now: Now) {
        let (queue, config, out) = (&mut self.queue, &self.config, &mut self.out);
        self.preparations.on_report(prepared, queue, config, out, now);
    }

    /// `queue.retry`: puts parked messages back, at the end, as long as there are places.
    /// What was found out about them before does not count.
    pub(crate) fn retry(
        &mut self,
        filter: &Selection,
        anyway: bool,
        dry_run: bool,
        now: Now,
    ) -> api::RetryResult {
        let result = self.queue.retryable(filter, dry_run, now);
        for id in result.requeued.iter().filter(|_| !dry_run) {
            let absent = self.queue.get(*id).filter(|m| m.is_parked_for(ReasonKind::NotOnNetwork));
            // What was known about the number is what led it here.
            if let Some(message) = absent {
                self.contacts.forget(&message.draft.to);
            }
            if self.queue.get(*id).is_some_and(is_parked_for_group) {
                self.groups.on_changed();
            }
            self.queue.adopt(*id, &mut self.out);
            let order = self.queue.next_order();
            let state = self.queue.requeue(*id, order, anyway, &mut self.out, now);
            if state == Some(State::Preparing) {
                self.preparations.start_afresh(*id, &mut self.out);
            }
        }
        result
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
            self.out.command(SessionCommand::Upload(upload));
        }
    }

    /// When the next upload is due, if it is not due already.
    pub(crate) fn upload_at(&self) -> Option<(u64, Wake)> {
        if !self.may_dispatch() {
            return None;
        }
        let at = self.uploads.poll_timeout(self.heads_with_files(), self.now)?;
        Some((at, Wake::Upload))
    }

    /// The first messages of their chats that have a file, and when each could be
    /// attempted if the file were the last thing missing.
    fn heads_with_files(&self) -> impl Iterator<Item = (u64, &Message)> {
        // What waits on the host for the sending hours grows old there.
        let open = |head: &&Message| {
            head.draft.file.is_some()
                && self.pacing.is_open(Class::of(head.draft.priority), self.now)
        };
        let heads = self.queue.has_files().then(|| self.queue.heads());
        let heads = heads.into_iter().flatten().filter(open);
        heads.filter_map(|head| {
            let rested = self.queue.rested_at(head)?.max(self.preconditions_but_upload(head)?);
            Some((rested, head))
        })
    }

    /// The session reports that a file is on the media host.
    pub(crate) fn uploaded(&mut self, id: MessageId, ticket: Ticket, media: MediaRef, now: Now) {
        self.uploads.on_uploaded(id, ticket, media, &mut self.queue, &mut self.out, now);
    }

    /// The session reports that it is not.
    pub(crate) fn upload_failed(
        &mut self,
        id: MessageId,
        ticket: Ticket,
        why: UploadFault,
        now: Now,
    ) {
        let (queue, config, out) = (&mut self.queue, &self.config, &mut self.out);
        self.uploads.on_failed((id, ticket), why, queue, config, out, now);
    }
}
