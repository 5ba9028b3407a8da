//! A message's file is on the media host before the message is attempted. Owns which
//! file goes next and when a failed one is tried again. Never reads a file; spends none
//! of the pacer's slots.

use std::collections::BTreeMap;

use crate::Core;
use crate::action::SessionCommand;
use crate::files::{MediaRef, Ticket, Upload, UploadFault};
use crate::queue::Message;
use crate::time::Now;
use crate::time::doubled;
use tetherd_api::{MessageId, Reason, ReasonKind, State};

/// Uploads at a time: one slow file does not hold up all others.
pub const UPLOADS_AT_ONCE: usize = 2;
/// Files that are brought to the host before their turn, counting those that are there:
/// a file that waits there grows old.
const UPLOADS_AHEAD_MAX: usize = 3;
/// The network keeps a file for some weeks. One that has waited this long is uploaded afresh.
const MEDIA_AGE_MS_MAX: i64 = 7 * 24 * 60 * 60 * 1_000;
/// Failures in a row before a message is parked. With pauses from one second to five
/// minutes the last try comes after some eight minutes.
const UPLOAD_TRIES_MAX: u32 = 10;

/// The files on their way, and those that wait to be tried again. Forgotten at a
/// restart: they are then tried at once.
#[derive(Debug, Default)]
pub(crate) struct Uploads {
    under_way: BTreeMap<MessageId, Ticket>,
    troubles: BTreeMap<MessageId, UploadTrouble>,
    last_ticket: u64,
}

/// What stands between a file and the media host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UploadTrouble {
    /// When it first failed, wall milliseconds.
    pub(crate) since: i64,
    /// When it is tried again, monotonic.
    pub(crate) until: u64,
    /// Failures in a row that were the host's.
    pub(crate) failures: u32,
    /// The host's last word.
    pub(crate) code: Option<u32>,
}

impl Message {
    /// Whether its file, if it has one, is on the media host and still good there.
    pub(crate) fn media_is_ready(&self, wall_ms: i64) -> bool {
        let fresh = |media: &MediaRef| wall_ms.saturating_sub(media.uploaded_at) < MEDIA_AGE_MS_MAX;
        self.file.is_none() || self.media().is_some_and(fresh)
    }
}

impl Core {
    /// The gate of a message with a file: open once that is on the media host.
    pub(crate) fn upload_gate(&self, message: &Message) -> Option<u64> {
        message.media_is_ready(self.now.wall_ms).then_some(0)
    }

    /// Starts the uploads that are due.
    pub(crate) fn drive_uploads(&mut self, now: Now) {
        if !self.may_dispatch() {
            return;
        }
        for (id, upload) in self.next_uploads(now) {
            self.uploads.last_ticket = self.uploads.last_ticket.saturating_add(1);
            let ticket = Ticket(self.uploads.last_ticket);
            self.uploads.under_way.insert(id, ticket);
            self.command(SessionCommand::Upload(Upload { ticket, ..upload }));
        }
    }

    fn next_uploads(&self, now: Now) -> Vec<(MessageId, Upload)> {
        let mut room = UPLOADS_AT_ONCE.saturating_sub(self.uploads.under_way.len());
        let mut next = Vec::new();
        let mut ahead = 0;
        for (at, message) in self.heads_with_files() {
            if room == 0 || ahead == UPLOADS_AHEAD_MAX {
                break;
            }
            // What has to wait for something else lets those behind it pass.
            if at > now.mono_ms {
                continue;
            }
            ahead += 1;
            let ready = message.media_is_ready(now.wall_ms);
            if let Some(file) = &message.file
                && !ready
                && !self.uploads.under_way.contains_key(&message.id)
            {
                room -= 1;
                let (id, kind, file) = (message.id, message.kind, file.clone());
                next.push((id, Upload { id, ticket: Ticket(0), kind, file }));
            }
        }
        next
    }

    /// The first messages of their chats that have a file, and when each could be
    /// attempted, or its upload tried again, if the file were the last thing missing.
    fn heads_with_files(&self) -> impl Iterator<Item = (u64, &Message)> {
        self.queue.heads().filter(|head| head.file.is_some()).filter_map(|head| {
            let rested = self.rested_at(head)?.max(self.preconditions_but_upload(head)?);
            let trouble = self.uploads.troubles.get(&head.id);
            Some((rested.max(trouble.map_or(0, |trouble| trouble.until)), head))
        })
    }

    /// When the next upload is due, if it is not due already.
    pub(crate) fn upload_at(&self) -> Option<u64> {
        if !self.may_dispatch() || self.uploads.under_way.len() >= UPLOADS_AT_ONCE {
            return None;
        }
        let later = self
            .heads_with_files()
            .filter(|(at, head)| *at > self.now.mono_ms && !head.media_is_ready(self.now.wall_ms));
        later.map(|(at, _)| at).min()
    }

    /// The file is there. The record says so before the message is attempted.
    pub(crate) fn uploaded(&mut self, id: MessageId, ticket: Ticket, media: MediaRef, now: Now) {
        if !self.end_upload(id, ticket) {
            return;
        }
        self.uploads.troubles.remove(&id);
        let media = MediaRef { uploaded_at: now.wall_ms, ..media };
        if self.queue.change(id, |m| m.set_media(media)) == Some(true) {
            self.out.put.insert(id);
        }
    }

    pub(crate) fn upload_failed(
        &mut self,
        id: MessageId,
        ticket: Ticket,
        why: UploadFault,
        now: Now,
    ) {
        if !self.end_upload(id, ticket) {
            return;
        }
        match why {
            UploadFault::NotConnected => self.rest_upload(id, false, None, now),
            UploadFault::Passing { code } => self.rest_upload(id, true, code, now),
            UploadFault::TooLarge => self.give_up_upload(id, ReasonKind::TooLarge, None, now),
            UploadFault::Unreadable => {
                self.give_up_upload(id, ReasonKind::FileUnreadable, None, now);
            }
        }
    }

    /// False for a try that is not under way: late, or foreign.
    fn end_upload(&mut self, id: MessageId, ticket: Ticket) -> bool {
        if self.uploads.under_way.get(&id) != Some(&ticket) {
            return false;
        }
        self.uploads.under_way.remove(&id);
        true
    }

    fn rest_upload(&mut self, id: MessageId, hosts_fault: bool, code: Option<u32>, now: Now) {
        let (first, cap) = (self.config.backoff_first_ms, self.config.backoff_cap_ms);
        let before = self.uploads.troubles.get(&id).copied();
        let failures = before.map_or(0, |trouble| trouble.failures);
        let until = now.mono_ms.saturating_add(doubled(first, failures, cap));
        let failures = failures.saturating_add(u32::from(hosts_fault));
        let code = code.or(before.and_then(|trouble| trouble.code));
        if failures >= UPLOAD_TRIES_MAX {
            return self.give_up_upload(id, ReasonKind::UploadFailed, code, now);
        }
        let since = before.map_or(now.wall_ms, |trouble| trouble.since);
        self.uploads.troubles.insert(id, UploadTrouble { since, until, failures, code });
        self.forget_old_troubles();
    }

    fn give_up_upload(&mut self, id: MessageId, kind: ReasonKind, code: Option<u32>, now: Now) {
        self.uploads.troubles.remove(&id);
        let reason = Reason { code, ..Reason::new(kind) };
        let parked = self.queue.change(id, |m| m.park_waiting(reason, now.wall_ms));
        if matches!(parked, Some(Ok(()))) {
            self.settle_message(id, now);
        }
    }

    /// Nothing that was under way is heard of again: the connection is gone.
    pub(crate) fn all_uploads_ended(&mut self) {
        self.uploads.under_way.clear();
        self.forget_old_troubles();
    }

    fn forget_old_troubles(&mut self) {
        let queue = &self.queue;
        let waits = |id: &MessageId| {
            let state = queue.get(*id).map(Message::state);
            matches!(state, Some(State::Queued | State::Unknown))
        };
        self.uploads.troubles.retain(|id, _| waits(id));
    }

    /// Messages that wait for their file's upload: since when, and the host's last word.
    pub(crate) fn waiting_for_uploads(
        &self,
    ) -> impl Iterator<Item = (MessageId, i64, Option<u32>)> {
        let troubles = &self.uploads.troubles;
        let fresh = self.uploads.under_way.keys().filter(|id| !troubles.contains_key(id));
        let fresh = fresh.filter_map(|id| self.queue.get(*id));
        let fresh = fresh.filter(|message| message.state().takes_a_place());
        fresh
            .map(|message| (message.id, message.changed_at, None))
            .chain(troubles.iter().map(|(id, trouble)| (*id, trouble.since, trouble.code)))
    }

    /// What is known about an upload that failed and is tried again.
    #[cfg_attr(not(test), expect(dead_code, reason = "when it is tried again, for whoever asks"))]
    pub(crate) fn upload_trouble(&self, id: MessageId) -> Option<UploadTrouble> {
        self.uploads.troubles.get(&id).copied()
    }
}
