//! Accepting a message. Withdrawing is in [`super::cancel`].

use super::Queue;
use crate::action::ActionBuffer;
use crate::draft::Draft;
use crate::event::Body;
use crate::files;
use crate::ids::{ChatId, Digest};
use crate::queue::{Message, MessageState, Pending, Tries};
use crate::time::Now;
use tetherd_api::{self as api, Error, ErrorKind, MessageId, Redacted};

impl Queue {
    /// Takes a message in that keeps the order of this chat. Whether there is a place was asked before.
    pub(crate) fn accept(
        &mut self,
        draft: Draft,
        chat: ChatId,
        body: Body,
        out: &mut ActionBuffer,
        now: Now,
    ) -> Result<MessageId, Error> {
        if self.find_wa_id(&draft.wa_id.0).is_some() {
            return Err(Error::new(ErrorKind::InternalError, "A network id was drawn twice."));
        }
        self.last_id = self.last_id.saturating_add(1);
        out.save_facts();
        let id = MessageId(self.last_id);
        let (chars, preview) = files::shown(draft.kind, &body);
        out.bodies.push((id, body));
        let mut message = Message {
            id,
            draft,
            chat,
            address: None,
            account: None,
            links_asked: false,
            token_retried: false,
            link_warning: None,
            chars,
            preview: Redacted(preview),
            state: MessageState::Preparing(Pending::default()),
            order: self.next_order(),
            attempts: 0,
            accepted_at: now.wall_ms,
            changed_at: now.wall_ms,
            changed_uptime_ms: self.uptime_ms(),
        };
        if !message.needs_preparing(self.config.links) {
            message.state = MessageState::Queued(Pending::default(), Tries::default());
        }
        self.insert(message);
        out.put.insert(id);
        self.publish(id, out, now);
        Ok(id)
    }

    /// The message that a key stands for, if it says the same. None: no message has the key.
    pub(crate) fn repeated(&self, key: &str, digest: &Digest) -> Option<Result<&Message, Error>> {
        let message = self.get(self.find_key(key)?)?;
        if message.draft.digest == *digest {
            return Some(Ok(message));
        }
        let id = message.id;
        let sentence = format!("The key belongs to {id}, which says something else.");
        let conflict = Error::new(ErrorKind::KeyConflict, sentence);
        Some(Err(conflict.remedy(format!("tetherctl show {id}"))))
    }
}

/// How far in the past `not_before` may lie, in milliseconds: callers write whole minutes,
/// and a request takes its time. Beyond that it is a mistake in the date.
const NOT_BEFORE_PAST_MAX_MS: i64 = 60_000;

impl Draft {
    /// A message that could never be sent is refused while its caller still listens.
    pub(crate) fn check_times(&self, now: Now) -> Result<(), Error> {
        let wall = api::Time(now.wall_ms);
        let invalid = |sentence: String| Err(Error::new(ErrorKind::InvalidParams, sentence));
        let earliest = now.wall_ms.saturating_sub(NOT_BEFORE_PAST_MAX_MS);
        if let Some(at) = self.not_before.filter(|at| *at < earliest) {
            let sentence = format!("`not_before` is {}, and it is {wall} already", api::Time(at));
            let error = Error::new(ErrorKind::InvalidParams, sentence);
            return Err(error.remedy("leave it out to send without waiting"));
        }
        let Some(expires_at) = self.expires_at else { return Ok(()) };
        if expires_at <= now.wall_ms {
            let then = api::Time(expires_at);
            invalid(format!(
                "`expires_at` is {then}, and it is {wall} already: it would never be sent"
            ))
        } else if self.not_before.is_some_and(|at| at >= expires_at) {
            invalid("`not_before` is not before `expires_at`: it would never be sent".to_owned())
        } else {
            Ok(())
        }
    }
}
