//! A message's file is on the media host before the message is attempted. Owns which
//! file goes next and when a failed one is tried again. Never reads a file; spends none
//! of the window's slots.

use std::collections::{BTreeMap, BTreeSet};

use crate::action::ActionBuffer;
use crate::config::CoreConfig;
use crate::files::{MediaRef, Ticket, Upload, UploadFault};
use crate::queue::{Message, Queue};
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
    /// Those of them whose message has another content by now.
    outdated: BTreeSet<MessageId>,
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
        self.draft.file.is_none() || self.media().is_some_and(fresh)
    }
}

impl Uploads {
    /// Starts the uploads that are due. `heads` are the first messages of their chats that
    /// have a file, and when each could be attempted if the file were the last thing
    /// missing.
    pub(crate) fn start<'a>(
        &mut self,
        heads: impl Iterator<Item = (u64, &'a Message)>,
        now: Now,
    ) -> Vec<Upload> {
        let mut next = Vec::new();
        let mut ahead = 0;
        for (at, message) in heads {
            if self.is_full() || ahead == UPLOADS_AHEAD_MAX {
                break;
            }
            // What has to wait for something else lets those behind it pass.
            if at.max(self.rested_at(message.id)) > now.mono_ms {
                continue;
            }
            ahead += 1;
            if let Some(file) = &message.draft.file
                && !message.media_is_ready(now.wall_ms)
                && !self.under_way.contains_key(&message.id)
            {
                self.last_ticket = self.last_ticket.saturating_add(1);
                let ticket = Ticket(self.last_ticket);
                self.under_way.insert(message.id, ticket);
                let (id, kind, file) = (message.id, message.draft.kind, file.clone());
                next.push(Upload { id, ticket, kind, file });
            }
        }
        next
    }

    /// When the next upload of these is due, if it is not due already.
    pub(crate) fn poll_timeout<'a>(
        &self,
        heads: impl Iterator<Item = (u64, &'a Message)>,
        now: Now,
    ) -> Option<u64> {
        if self.is_full() {
            return None;
        }
        let (mut ahead, mut next) = (0, None::<u64>);
        for (at, head) in heads {
            let at = at.max(self.rested_at(head.id));
            if at <= now.mono_ms {
                ahead += 1;
            } else if !head.media_is_ready(now.wall_ms) {
                next = Some(next.map_or(at, |before| before.min(at)));
            }
            // Those behind them are not due before one of these has left.
            if ahead == UPLOADS_AHEAD_MAX {
                return None;
            }
        }
        next
    }

    fn is_full(&self) -> bool {
        self.under_way.len() >= UPLOADS_AT_ONCE
    }

    fn rested_at(&self, id: MessageId) -> u64 {
        self.troubles.get(&id).map_or(0, |trouble| trouble.until)
    }

    /// The file is there. The record says so before the message is attempted.
    pub(crate) fn on_uploaded(
        &mut self,
        id: MessageId,
        ticket: Ticket,
        media: MediaRef,
        queue: &mut Queue,
        out: &mut ActionBuffer,
        now: Now,
    ) {
        if self.end(id, ticket) {
            self.troubles.remove(&id);
            queue.set_media(id, MediaRef { uploaded_at: now.wall_ms, ..media }, out);
        }
    }

    /// It is not: it is tried again, or the message is parked.
    pub(crate) fn on_failed(
        &mut self,
        (id, ticket): (MessageId, Ticket),
        why: UploadFault,
        queue: &mut Queue,
        config: &CoreConfig,
        out: &mut ActionBuffer,
        now: Now,
    ) {
        if !self.end(id, ticket) {
            return;
        }
        let reason = match why {
            UploadFault::NotConnected => self.rest(id, false, None, config, now),
            UploadFault::Passing { code } => self.rest(id, true, code, config, now),
            UploadFault::TooLarge => Some(Reason::new(ReasonKind::TooLarge)),
            UploadFault::Unreadable => Some(Reason::new(ReasonKind::FileUnreadable)),
        };
        if let Some(reason) = reason {
            queue.park_waiting(id, reason, out, now);
        }
        self.forget_old_troubles(queue);
    }

    /// Its message has another file now, or none: what is under way is not its upload.
    pub(crate) fn on_content_changed(&mut self, id: MessageId) {
        self.troubles.remove(&id);
        if self.under_way.contains_key(&id) {
            self.outdated.insert(id);
        }
    }

    /// False for a try that is not under way, or for another content: late, or foreign.
    fn end(&mut self, id: MessageId, ticket: Ticket) -> bool {
        if self.under_way.get(&id) != Some(&ticket) {
            return false;
        }
        self.under_way.remove(&id);
        !self.outdated.remove(&id)
    }

    /// It is tried again later, or often enough: then why it is parked.
    fn rest(
        &mut self,
        id: MessageId,
        hosts_fault: bool,
        code: Option<u32>,
        config: &CoreConfig,
        now: Now,
    ) -> Option<Reason> {
        let before = self.troubles.get(&id).copied();
        let failures = before.map_or(0, |trouble| trouble.failures);
        let pause = doubled(config.backoff_first_ms, failures, config.backoff_cap_ms);
        let until = now.mono_ms.saturating_add(pause);
        let failures = failures.saturating_add(u32::from(hosts_fault));
        let code = code.or(before.and_then(|trouble| trouble.code));
        if failures >= UPLOAD_TRIES_MAX {
            return Some(Reason { code, ..Reason::new(ReasonKind::UploadFailed) });
        }
        let since = before.map_or(now.wall_ms, |trouble| trouble.since);
        self.troubles.insert(id, UploadTrouble { since, until, failures, code });
        None
    }

    /// The connection is gone: nothing that was under way is reported any more.
    pub(crate) fn on_session_ended(&mut self, queue: &Queue) {
        self.under_way.clear();
        self.outdated.clear();
        self.forget_old_troubles(queue);
    }

    fn forget_old_troubles(&mut self, queue: &Queue) {
        let waits = |id: &MessageId| {
            let state = queue.get(*id).map(Message::state);
            matches!(state, Some(State::Queued | State::Unknown))
        };
        self.troubles.retain(|id, _| waits(id));
    }

    /// Messages that wait for their file's upload: since when, and the host's last answer.
    pub(crate) fn waiting(
        &self,
        queue: &Queue,
    ) -> impl Iterator<Item = (MessageId, i64, Option<u32>)> {
        let fresh = self.under_way.keys().filter(|id| !self.troubles.contains_key(id));
        let fresh = fresh.filter_map(|id| queue.get(*id));
        let fresh = fresh.filter(|message| message.state().takes_a_place());
        fresh
            .map(|message| (message.id, message.changed_at, None))
            .chain(self.troubles.iter().map(|(id, trouble)| (*id, trouble.since, trouble.code)))
    }

    /// What is known about an upload that failed and is tried again.
    #[cfg(test)]
    pub(crate) fn trouble(&self, id: MessageId) -> Option<UploadTrouble> {
        self.troubles.get(&id).copied()
    }
}
