//! Accepting a message, and pausing. Withdrawing is in [`super::cancel`].

use crate::Core;
use crate::config::LinkPolicy;
use crate::event::Submission;
use crate::files;
use crate::ids::Digest;
use crate::queue::{Message, MessageState, Pending, Preview, Tries};
use crate::time::Now;
use tetherd_api::{self as api, Error, ErrorKind, MessageId};

/// A place is free when the server has answered, a moment after the attempt.
const ANSWER_MS: u64 = 1_000;

impl Core {
    /// Accepts a message, or says why not. Nothing is dropped to make room.
    pub(crate) fn submit(
        &mut self,
        submission: Submission,
        now: Now,
    ) -> Result<api::SendResult, Error> {
        let key = submission.key.as_deref();
        if let Some(repeated) = key.and_then(|key| self.repeated(key, &submission.digest, now)) {
            return repeated;
        }
        if self.draining {
            return Err(shutting_down());
        }
        check_times(&submission, now)?;
        if self.queue.taken() >= self.config.capacity {
            return Err(self.queue_full(now));
        }
        if self.queue.find_wa_id(&submission.wa_id.0).is_some() {
            return Err(Error::new(ErrorKind::InternalError, "A network id was drawn twice."));
        }
        self.facts.last_id = self.facts.last_id.saturating_add(1);
        self.out.facts = true;
        let id = MessageId(self.facts.last_id);
        self.out.bodies.push((id, submission.body.clone()));
        let order = self.queue.next_order();
        let uptime_ms = self.queue.uptime_ms();
        self.queue.insert(accepted(id, order, submission, self.config.links, uptime_ms, now));
        self.touch(id, now);
        let message = self
            .message(id, now)
            .ok_or_else(|| Error::new(ErrorKind::InternalError, "The message is gone."))?;
        Ok(api::SendResult { message, duplicate: false })
    }

    /// The answer to a submission whose key already stands for a message.
    pub fn repeated(
        &self,
        key: &str,
        digest: &Digest,
        now: Now,
    ) -> Option<Result<api::SendResult, Error>> {
        let id = self.queue.find_key(key)?;
        if self.queue.get(id).is_some_and(|message| message.digest == *digest) {
            let message = self.message(id, now)?;
            return Some(Ok(api::SendResult { message, duplicate: true }));
        }
        let sentence = format!("The key belongs to {id}, which says something else.");
        let conflict = Error::new(ErrorKind::KeyConflict, sentence);
        Some(Err(conflict.remedy(format!("tetherctl show {id}"))))
    }

    pub(crate) fn queue_full(&self, now: Now) -> Error {
        let taken = format!("The queue is full: all {} places are taken", self.config.capacity);
        let stop: Vec<_> = self.stops(now).take(1).collect();
        if let Some(stop) = self.words(&stop, now).pop() {
            let full = Error::new(ErrorKind::QueueFull, format!("{taken}. {}", stop.why))
                .remedy(stop.remedy.unwrap_or(stop.by_itself));
            return match stop.until {
                Some(until) => {
                    let left = until.0.saturating_sub(now.wall_ms);
                    full.retry_after_ms(u64::try_from(left).unwrap_or(0))
                }
                None => full,
            };
        }
        let free_at = if self.queue.sending_len() > 0 {
            now.mono_ms
        } else {
            self.pacer.free_at(now.mono_ms)
        };
        let after = free_at.saturating_sub(now.mono_ms).saturating_add(ANSWER_MS);
        let at = self.wall_of(now.mono_ms.saturating_add(after), now);
        Error::new(ErrorKind::QueueFull, format!("{taken}. A place is expected at {at}."))
            .remedy("wait, or make room with `tetherctl clear`")
            .retry_after_ms(after)
    }

    pub(crate) fn set_paused(&mut self, paused: bool, now: Now) {
        if paused != self.facts.paused_since.is_some() {
            self.facts.paused_since = paused.then_some(now.wall_ms);
            self.out.facts = true;
        }
    }
}

pub(crate) fn shutting_down() -> Error {
    Error::new(ErrorKind::ShuttingDown, "The daemon is going down.").retry_after_ms(5_000)
}

/// A message that could never be sent is refused while its caller still listens.
fn check_times(submission: &Submission, now: Now) -> Result<(), Error> {
    let Some(expires_at) = submission.expires_at else { return Ok(()) };
    let sentence = if expires_at <= now.wall_ms {
        let (then, now) = (api::Time(expires_at), api::Time(now.wall_ms));
        format!("`expires_at` is {then}, and it is {now} already: it would never be sent")
    } else if submission.not_before.is_some_and(|at| at >= expires_at) {
        "`not_before` is not before `expires_at`: it would never be sent".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::InvalidParams, sentence))
}

fn accepted(
    id: MessageId,
    order: u64,
    submission: Submission,
    links: LinkPolicy,
    uptime_ms: u64,
    now: Now,
) -> Message {
    let Submission { to, kind, body, file, source, has_links, preview, digest, key, wa_id, .. } =
        submission;
    let (chars, shown) = files::shown(kind, &body);
    let mut message = Message {
        id,
        wa_id,
        to,
        kind,
        file,
        source,
        has_links,
        link_warning: None,
        link: preview,
        priority: submission.priority,
        not_before: submission.not_before,
        expires_at: submission.expires_at,
        key,
        digest,
        chars,
        preview: Preview(shown),
        state: MessageState::Preparing(Pending::default()),
        order,
        attempts: 0,
        accepted_at: now.wall_ms,
        changed_at: now.wall_ms,
        changed_uptime_ms: uptime_ms,
    };
    if !message.needs_preparing(links) {
        message.state = MessageState::Queued(Pending::default(), Tries::default());
    }
    message
}
