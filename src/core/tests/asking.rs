//! What callers ask of the queue, in short.

use super::world::World;
use crate::event::{Request, Selection, Submission};
use crate::time::Now;
use tetherd_api::{self as api, MessageId, Reply};

impl World {
    /// Accepts one message to this chat that is more than a text.
    pub(super) fn submit_as(
        &mut self,
        chat: u32,
        edit: impl FnOnce(&mut Submission, Now),
    ) -> Result<MessageId, api::Error> {
        let text = format!("text {}", self.next_wa);
        let mut submission = self.submission(chat, &text, None);
        edit(&mut submission, self.now);
        match self.ask(Request::Submit(Box::new(submission)))? {
            Reply::MessageSend(result) => Ok(result.message.id),
            other => panic!("{other:?} is no answer to a submission"),
        }
    }

    pub(super) fn send_with(&mut self, chat: u32, priority: api::Priority) -> MessageId {
        self.submit_as(chat, |submission, _| submission.draft.priority = priority).unwrap()
    }

    /// Not to be sent for so long.
    pub(super) fn send_in(&mut self, chat: u32, ms: i64) -> MessageId {
        self.submit_as(chat, |s, now| s.draft.not_before = Some(now.wall_ms + ms)).unwrap()
    }

    /// Not to be sent after so long.
    pub(super) fn send_until(&mut self, chat: u32, ms: i64) -> MessageId {
        self.submit_as(chat, |s, now| s.draft.expires_at = Some(now.wall_ms + ms)).unwrap()
    }

    pub(super) fn cancel(&mut self, ids: &[MessageId]) -> api::CancelResult {
        self.cancel_by(ids, Selection::default(), false)
    }

    pub(super) fn cancel_by(
        &mut self,
        ids: &[MessageId],
        filter: Selection,
        dry_run: bool,
    ) -> api::CancelResult {
        match self.ask(Request::Cancel { ids: ids.to_vec(), filter, dry_run }) {
            Ok(Reply::QueueCancel(result)) => *result,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn clear(&mut self) -> api::ClearResult {
        match self.ask(Request::Clear { filter: self.all(), dry_run: false }) {
            Ok(Reply::QueueClear(result)) => *result,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn restore(&mut self) -> api::RestoreResult {
        self.restore_by(Selection::default(), false)
    }

    pub(super) fn restore_by(&mut self, filter: Selection, dry_run: bool) -> api::RestoreResult {
        match self.ask(Request::Restore { filter, dry_run }) {
            Ok(Reply::QueueRestore(result)) => *result,
            other => panic!("{other:?}"),
        }
    }
}
