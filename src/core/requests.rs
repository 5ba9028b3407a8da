//! Sending, cancelling, clearing, retrying, pausing: what callers ask of the queue.

use std::collections::BTreeSet;

use crate::core::Core;
use crate::core::config::LinkPolicy;
use crate::core::io::{Now, PrepareCommand, Selection, Submission};
use crate::core::message::{Message, Preview};
use crate::rpc::api::{self, Error, ErrorKind, MessageId, ReasonKind, State};

/// A place is free when the server has answered, a moment after the attempt.
const ANSWER_MS: u64 = 1_000;

impl Core {
    /// Accepts a message, or says why not. Nothing is dropped to make room.
    pub(crate) fn submit(
        &mut self,
        submission: Submission,
        now: Now,
    ) -> Result<api::SendResult, Error> {
        if let Some(existing) = self.known(&submission, now)? {
            return Ok(api::SendResult { message: existing, duplicate: true });
        }
        if self.draining {
            return Err(shutting_down());
        }
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
        self.queue.insert(accepted(id, order, submission, self.config.links, now));
        self.touch(id, now);
        let message = self
            .message(id, now)
            .ok_or_else(|| Error::new(ErrorKind::InternalError, "The message is gone."))?;
        Ok(api::SendResult { message, duplicate: false })
    }

    /// The message that the submission's key already stands for.
    fn known(&self, submission: &Submission, now: Now) -> Result<Option<api::Message>, Error> {
        let Some(id) = submission.key.as_ref().and_then(|key| self.queue.find_key(key)) else {
            return Ok(None);
        };
        let same = self.queue.get(id).is_some_and(|m| m.digest == submission.digest);
        if !same {
            return Err(Error::new(
                ErrorKind::KeyConflict,
                format!("The key belongs to {id}, which says something else."),
            )
            .remedy(format!("tetherctl show {id}")));
        }
        Ok(self.message(id, now))
    }

    fn queue_full(&self, now: Now) -> Error {
        let taken = format!("The queue is full: all {} places are taken", self.config.capacity);
        let holds = self.holds(now);
        if let Some(hold) = holds.iter().find(|h| h.kind != api::HoldKind::Pacing) {
            let full = Error::new(ErrorKind::QueueFull, format!("{taken}. {}", hold.why))
                .remedy(hold.remedy.clone());
            return match hold.until {
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

    /// Withdraws what has not left.
    pub(crate) fn cancel(&mut self, ids: Vec<MessageId>, now: Now) -> api::CancelResult {
        let mut result = api::CancelResult {
            cancelled: Vec::new(),
            not_cancelled: Vec::new(),
            not_found: Vec::new(),
            dry_run: false,
            undo_until: None,
        };
        let mut seen = BTreeSet::new();
        for id in ids.into_iter().filter(|id| seen.insert(*id)) {
            match self.queue.change(id, |m| m.cancel(now.wall_ms).map_err(|e| e.from)) {
                Some(Ok(())) => {
                    self.settle_message(id, now);
                    result.cancelled.push(id);
                }
                Some(Err(state)) => {
                    result.not_cancelled.push(api::NotCancelled { id, state });
                }
                None => result.not_found.push(id),
            }
        }
        result
    }

    /// Withdraws what matches; what is on its way is named and left.
    pub(crate) fn clear(
        &mut self,
        filter: &Selection,
        dry_run: bool,
        now: Now,
    ) -> api::ClearResult {
        let defaults =
            [State::Preparing, State::Queued, State::Parked, State::Sending, State::Unknown];
        let states: &[State] = if filter.states.is_empty() { &defaults } else { &filter.states };
        let (mut ids, mut in_flight, mut examples) = (Vec::new(), Vec::new(), Vec::new());
        for message in self.queue.iter().filter(|m| filter.matches(m, states, now)) {
            match message.state {
                State::Preparing | State::Queued | State::Parked => {
                    ids.push(message.id);
                    if examples.len() < api::CLEAR_EXAMPLES_MAX {
                        examples.push(api::ClearExample {
                            id: message.id,
                            to: message.to.as_str().to_owned(),
                            preview: message.preview.0.clone(),
                        });
                    }
                }
                State::Sending | State::Unknown => in_flight.push(message.id),
                State::Sent
                | State::Delivered
                | State::Read
                | State::Failed
                | State::Expired
                | State::Cancelled => {}
            }
        }
        let cleared = if dry_run { ids.len() } else { self.cancel(ids, now).cancelled.len() };
        api::ClearResult { cleared, in_flight, examples, dry_run, undo_until: None }
    }

    /// Puts parked messages back, at the end, as long as there are places.
    pub(crate) fn retry(&mut self, filter: &Selection, now: Now) -> api::RetryResult {
        let mut result =
            api::RetryResult { requeued: Vec::new(), no_place: Vec::new(), dry_run: false };
        let states: &[State] =
            if filter.states.is_empty() { &[State::Parked] } else { &filter.states };
        let parked: Vec<(u64, MessageId)> = self
            .queue
            .iter()
            .filter(|m| m.state == State::Parked && filter.matches(m, states, now))
            .map(|m| (m.order, m.id))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        for (_, id) in parked {
            if self.draining || self.queue.taken() >= self.config.capacity {
                result.no_place.push(id);
                continue;
            }
            let order = self.queue.next_order();
            let links = self.config.links;
            let requeued = self.queue.change(id, |message| {
                // What was fetched can be fetched again.
                let unreadable =
                    message.reason.as_ref().is_some_and(|r| r.kind == ReasonKind::FileUnreadable);
                let old = message.file.take_if(|_| unreadable && message.source.is_some());
                let prepare = message.needs_preparing(links);
                message.requeue(order, prepare, now.wall_ms).map(|()| (prepare, old))
            });
            if let Some(Ok((prepare, old))) = requeued {
                if prepare {
                    self.prepare_afresh(id);
                }
                self.out.prepare.extend(old.map(|file| PrepareCommand::Discard(file.spool)));
                self.settle_message(id, now);
                result.requeued.push(id);
            }
        }
        result
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

fn accepted(
    id: MessageId,
    order: u64,
    submission: Submission,
    links: LinkPolicy,
    now: Now,
) -> Message {
    let Submission { to, kind, body, file, source, has_links, preview, digest, key, wa_id, .. } =
        submission;
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
        chars: body.0.chars().count(),
        preview: Preview(body.0.chars().take(api::PREVIEW_CHARS_MAX).collect()),
        state: State::Queued,
        reason: None,
        order,
        attempts: 0,
        streak: 0,
        maybe_out: false,
        accepted_at: now.wall_ms,
        changed_at: now.wall_ms,
        changed_lived_ms: 0,
        sent_at: None,
        delivered_at: None,
        read_at: None,
    };
    if message.needs_preparing(links) {
        message.state = State::Preparing;
    }
    message
}

impl Selection {
    /// Whether a message in one of `states` fits the other conditions.
    pub(crate) fn matches(&self, message: &Message, states: &[State], now: Now) -> bool {
        let old_enough = |age_s: u64| {
            let age_ms = i64::try_from(age_s.saturating_mul(1_000)).unwrap_or(i64::MAX);
            message.accepted_at <= now.wall_ms.saturating_sub(age_ms)
        };
        states.contains(&message.state)
            && self.to.as_ref().is_none_or(|to| *to == message.to)
            && self.older_than_s.is_none_or(old_enough)
            && self
                .reason
                .is_none_or(|kind| message.reason.as_ref().is_some_and(|r| r.kind == kind))
            && self.key_prefix.as_ref().is_none_or(|prefix| {
                message.key.as_ref().is_some_and(|key| key.starts_with(prefix.as_str()))
            })
            && (self.ids.is_empty() || self.ids.contains(&message.id))
    }
}
