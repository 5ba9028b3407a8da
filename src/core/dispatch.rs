//! What time alone brings about, and the next attempt. Never sleeps: `poll_timeout` says
//! when and why to come back.

use crate::Core;
use crate::action::{Outgoing, SessionCommand, Wake};
use crate::files::SentFile;
use crate::ids::Attempt;
use crate::link::{Closing, Link, Phase, Run};
use crate::queue::Message;
use crate::time::Now;
use crate::time::doubled;
use crate::{contacts, phone};
use tetherd_api::{self as api, MessageId, PairEnd, State};

mod files;

/// History is looked through for what is too old at most this often.
const TRIM_EVERY_MS: u64 = 60 * 60 * 1_000;

/// Attempts without an answer at a time. The session takes as many: one more would come
/// back as if something were wrong with it.
pub const SENDING_MAX: usize = 64;

/// What is known about a message's last attempt while the daemon runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flight {
    /// The connection that it was made on.
    pub(crate) generation: u64,
    pub(crate) step: Step,
    /// Failures in passing, in a row.
    pub(crate) passing: u32,
}

/// Where the attempt stands. Times are monotonic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The session, and then the server, has until then.
    Flying { until: u64 },
    /// It has no answer, since then.
    Unanswered { since: u64 },
    /// Nothing left; the next attempt comes then at the earliest.
    Resting { until: u64 },
}

impl Core {
    /// When the core wants to be woken (monotonic), and why. None: only by an input.
    pub fn poll_timeout(&self) -> Option<(u64, Wake)> {
        let mut next: Option<(u64, Wake)> = None;
        let mut consider = |at: Option<u64>, wake: Wake| {
            if let Some(at) = at
                && next.is_none_or(|(earliest, _)| at < earliest)
            {
                next = Some((at, wake));
            }
        };
        for (at, wake) in self.phone.poll_timeout().into_iter().chain(self.contacts.poll_timeout())
        {
            consider(Some(at), wake);
        }
        consider(self.link.run.as_ref().and_then(|run| run.deadline), Wake::RunTimeout);
        consider(self.link.ban_ends, Wake::BanEnds);
        consider(self.timelock_ends(), Wake::TimelockEnds);
        consider(self.slowed_until(self.now), Wake::SlowdownEnds);
        if !self.draining {
            consider(self.link.next_try(&self.facts), Wake::Connect);
            consider(self.takeover_at(), Wake::Takeover);
        }
        consider(self.flying().map(|(_, until)| until).min(), Wake::AckTimeout);
        let open = self.pacer.oldest_open();
        consider(open.map(|at| at.saturating_add(self.config.write_timeout_ms)), Wake::Slot);
        consider(self.resolve_at(), Wake::Resolve);
        consider(self.trim_at(), Wake::Trim);
        consider(self.upload_at(), Wake::Upload);
        if !self.draining {
            consider(self.preparations.poll_timeout(), Wake::Prepare);
        }
        consider(self.due_at(), Wake::Due);
        consider(self.expiry_at(), Wake::Expiry);
        consider(self.undo_ends_at(), Wake::UndoEnds);
        if let Some((at, wake)) = self.next_attempt() {
            consider(Some(at), wake);
        }
        next
    }

    /// Tells each component how the others stand.
    pub(crate) fn inform(&mut self, now: Now) {
        self.phone.on_account(self.facts.account.as_deref(), &mut self.out, now);
        let around = phone::Surroundings {
            generation: self.link.generation,
            connected: self.link.is_connected(),
            can_send: self.link.can_send(),
            may_ask: !self.draining,
            waits: self.queue.to_leave() > 0,
        };
        self.phone.on_surroundings(around, now);
        self.contacts.on_account(self.facts.account.as_deref());
        let around = contacts::Surroundings {
            generation: self.link.generation,
            can_send: self.link.can_send(),
            draining: self.draining,
        };
        self.contacts.on_surroundings(around, now);
    }

    /// When the next attempt leaves if nothing else happens before.
    fn next_attempt(&self) -> Option<(u64, Wake)> {
        if !self.may_dispatch() || self.queue.sending_len() >= SENDING_MAX {
            return None;
        }
        let ready = self.queue.heads().filter_map(|head| self.ready_at(head)).min()?;
        let slot = self.pacer.free_at(self.now.mono_ms);
        Some(if slot >= ready { (slot, Wake::Slot) } else { (ready, Wake::Retry) })
    }

    /// Whether anything but the pacer and the messages themselves forbids an attempt.
    pub(crate) fn may_dispatch(&self) -> bool {
        self.stops(self.now).next().is_none()
    }

    /// When the first message of a chat may be attempted, as far as it alone matters.
    fn ready_at(&self, head: &Message) -> Option<u64> {
        if head.is_overdue(self.now.wall_ms) {
            return None;
        }
        Some(self.rested_at(head)?.max(self.preconditions(head)?))
    }

    /// Whether nothing but its turn and the pacer keep a message from leaving now.
    pub(crate) fn could_leave(&self, head: &Message) -> bool {
        self.ready_at(head).is_some_and(|at| at <= self.now.mono_ms)
    }

    /// When its last attempt, if it had one, allows another.
    pub(crate) fn rested_at(&self, head: &Message) -> Option<u64> {
        let flight = self.flights.get(&head.id);
        match head.state() {
            State::Queued | State::Unknown => match flight {
                None => Some(0),
                Some(Flight { step: Step::Resting { until }, .. }) => Some(*until),
                Some(flight) => (flight.generation < self.link.generation).then_some(0),
            },
            State::Preparing
            | State::Sending
            | State::Parked
            | State::Sent
            | State::Delivered
            | State::Read
            | State::Failed
            | State::Expired
            | State::Cancelled => None,
        }
    }

    /// Makes every attempt that may be made now: those without an answer first, then by
    /// priority and in the order of acceptance, never past an unfinished one of the same
    /// chat.
    pub(crate) fn dispatch(&mut self, now: Now) {
        while self.next_attempt().is_some_and(|(at, _)| at <= now.mono_ms) {
            let Some(id) = self.first_ready(now) else { return };
            if !self.attempt(id, now) {
                return;
            }
        }
    }

    fn first_ready(&self, now: Now) -> Option<MessageId> {
        let ready = |head: &&Message| self.ready_at(head).is_some_and(|at| at <= now.mono_ms);
        self.queue.heads().find(ready).map(|message| message.id)
    }

    /// The slot is spent on the attempt, in the same batch: the server counts attempts.
    fn attempt(&mut self, id: MessageId, now: Now) -> bool {
        let Ok(attempt) = self.queue.attempt(id, now) else { return false };
        let Some(message) = self.queue.get(id) else { return false };
        let outgoing = outgoing(message, attempt);
        self.pacer.spend(id, outgoing.attempt, now.mono_ms);
        self.out.slots = true;
        let passing = self.flights.get(&id).map_or(0, |flight| flight.passing);
        let until = now.mono_ms.saturating_add(self.config.write_timeout_ms);
        let step = Step::Flying { until };
        self.flights.insert(id, Flight { generation: self.link.generation, step, passing });
        self.touch(id, now);
        self.command(SessionCommand::Send(outgoing));
        true
    }

    /// Deals with everything whose time has come.
    pub(crate) fn pass_time(&mut self, now: Now) {
        let late: Vec<MessageId> =
            self.flying().filter(|(_, until)| *until <= now.mono_ms).map(|(id, _)| id).collect();
        for id in late {
            self.unanswered(id, now);
        }
        self.expire_overdue(now);
        self.end_undo();
        if self.resolve_at().is_some_and(|at| at <= now.mono_ms) {
            self.close_run(Closing::Reconnect);
        }
        // The session reports about each attempt in bounded time; this holds if it fails.
        if let Some(before) = now.mono_ms.checked_sub(self.config.write_timeout_ms) {
            self.out.slots |= self.pacer.close_all(before, now.mono_ms);
        }
        self.run_overdue(now);
        self.pass_conflict();
        self.pass_timelock(now);
        if self.link.ban_ends.is_some_and(|at| at <= now.mono_ms) {
            self.link.ban_ends = None;
            if self.facts.banned.take().is_some() {
                self.out.facts = true;
            }
        }
        self.inform(now);
        self.phone.on_time(&mut self.out, now);
        self.judge_backlog(now);
    }

    fn flying(&self) -> impl Iterator<Item = (MessageId, u64)> {
        self.flights.iter().filter_map(|(id, flight)| match flight.step {
            Step::Flying { until } => Some((*id, until)),
            Step::Unanswered { .. } | Step::Resting { .. } => None,
        })
    }

    /// When a live connection is closed so that the next one resolves what has no answer.
    fn resolve_at(&self) -> Option<u64> {
        if !self.may_dispatch() {
            return None;
        }
        let waiting = self.flights.values().filter_map(|flight| match flight.step {
            Step::Unanswered { since } if flight.generation == self.link.generation => Some(since),
            Step::Unanswered { .. } | Step::Flying { .. } | Step::Resting { .. } => None,
        });
        waiting.min().map(|since| since.saturating_add(self.config.unknown_reconnect_ms))
    }

    /// The attempt has no answer and will be resolved, or has had its last try.
    pub(crate) fn unanswered(&mut self, id: MessageId, now: Now) {
        let attempts_max = self.config.attempts_max;
        if self.queue.unanswered(id, attempts_max, now).is_err() {
            return;
        }
        // Without a flight it is from before the restart, and ready at once.
        if let Some(flight) = self.flights.get_mut(&id) {
            flight.step = Step::Unanswered { since: now.mono_ms };
        }
        self.settle_message(id, now);
    }

    /// Nothing that is in flight will hear of its answer on this connection.
    pub(crate) fn all_unanswered(&mut self, now: Now) {
        let sending: Vec<MessageId> = self.queue.sending().collect();
        for id in sending {
            self.unanswered(id, now);
        }
    }

    /// The attempt certainly did not leave.
    pub(crate) fn put_back(&mut self, id: MessageId, blameless: bool, now: Now) {
        let attempts_max = self.config.attempts_max;
        if self.queue.not_sent(id, blameless, attempts_max, now).is_err() {
            return;
        }
        let (first, cap) = (self.config.backoff_first_ms, self.config.backoff_cap_ms);
        if let Some(flight) = self.flights.get_mut(&id) {
            let pause = doubled(first, flight.passing, cap);
            flight.passing = flight.passing.saturating_add(1);
            flight.step = Step::Resting { until: now.mono_ms.saturating_add(pause) };
        }
        self.settle_message(id, now);
    }

    /// Drops what a message no longer needs, and publishes its change.
    pub(crate) fn settle_message(&mut self, id: MessageId, now: Now) {
        if self.queue.get(id).is_none_or(|message| !message.state().takes_a_place()) {
            self.flights.remove(&id);
        }
        self.touch(id, now);
    }

    /// Keeps parked messages and history within their bounds. What can be restored is no
    /// history.
    pub(crate) fn trim(&mut self, now: Now) {
        while self.queue.parked_len() > self.config.parked_max {
            let Some(id) = self.queue.oldest_parked() else { break };
            if self.queue.give_up(id, now).is_err() {
                break;
            }
            self.settle_message(id, now);
        }
        while let Some((age_ms, id)) = self.queue.oldest_finished() {
            if age_ms < self.config.history_ms
                && self.queue.history_len() <= self.config.history_max
            {
                break;
            }
            self.queue.remove(id);
            self.out.removed.push(id);
            self.track_file(id);
        }
    }

    /// When the oldest finished message is too old; seldom enough to gather several.
    fn trim_at(&self) -> Option<u64> {
        let (age_ms, _) = self.queue.oldest_finished()?;
        let left = self.config.history_ms.saturating_sub(age_ms).max(TRIM_EVERY_MS);
        Some(self.now.mono_ms.saturating_add(left))
    }

    fn run_overdue(&mut self, now: Now) {
        let overdue = |run: &Run| run.deadline.is_some_and(|at| at <= now.mono_ms);
        if !self.link.run.as_ref().is_some_and(overdue) {
            return;
        }
        let pairing = matches!(self.link.run, Some(Run { phase: Phase::Pairing(_), .. }));
        if pairing {
            let why = "The pairing took too long.";
            self.fail_pairing(
                api::Error::new(api::ErrorKind::PairingFailed, why).remedy("tetherctl pair"),
            );
            self.out.event(api::Event::Pairing { offer: None, ended: Some(PairEnd::TimedOut {}) });
        }
        self.close_run(if pairing { Closing::Done } else { Closing::Backoff });
    }

    /// Tells the run to end, once.
    pub(crate) fn close_run(&mut self, then: Closing) {
        if let Link { run: Some(run), .. } = &mut self.link
            && run.closing.is_none()
        {
            run.closing = Some(then);
            run.deadline = None;
            if matches!(run.phase, Phase::Connected { .. }) {
                self.link.down_since = self.now.wall_ms;
            }
            self.command(SessionCommand::Close);
        }
    }

    /// Starts the run that is due, if none stands in its way.
    pub(crate) fn drive_link(&mut self, now: Now) {
        if self.link.run.is_some() || self.draining {
            return;
        }
        if let Some(intent) = self.link.next_pair.take() {
            self.start_pairing(intent, now);
            return;
        }
        if self.link.next_try(&self.facts).is_some_and(|at| at <= now.mono_ms) {
            self.link.wait = None;
            let deadline = now.mono_ms.saturating_add(self.config.connect_timeout_ms);
            self.link.run = Some(Run::new(Phase::Connecting, deadline));
            self.command(SessionCommand::Connect);
        }
    }

    /// The attempt that is under way or was last made, if it is this one.
    pub(crate) fn is_current(&self, id: MessageId, attempt: Attempt) -> bool {
        self.queue.get(id).is_some_and(|message| {
            matches!(message.state(), State::Sending | State::Unknown)
                && message.attempts == attempt.0
        })
    }
}

fn outgoing(message: &Message, attempt: Attempt) -> Outgoing {
    let file = message.file.as_ref().zip(message.media());
    Outgoing {
        id: message.id,
        attempt,
        wa_id: message.wa_id.clone(),
        to: message.to.clone(),
        kind: message.kind,
        file: file.map(|(file, media)| {
            Box::new(SentFile { info: file.info.clone(), media: media.clone() })
        }),
        link: message.link.clone().map(Box::new),
    }
}
