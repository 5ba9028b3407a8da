//! What time alone brings about, and the next attempt. Never sleeps: `poll_timeout` says
//! when and why to come back.

use crate::Core;
use crate::action::{SessionCommand, Wake};
use crate::link::{Closing, Link, Phase, Run};
use crate::queue::Message;
use crate::time::Now;
use crate::{contacts, phone, queue};
use tetherd_api::{self as api, MessageId, PairEnd, ReasonKind};

mod files;

/// Attempts without an answer at a time. The session takes as many: one more would come
/// back as if something were wrong with it.
pub const SENDING_MAX: usize = 64;

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
        if let Some((at, wake)) = self.pacing.poll_timeout() {
            consider(Some(at), wake);
        }
        if !self.draining {
            consider(self.link.next_try(&self.facts), Wake::Connect);
            consider(self.takeover_at(), Wake::Takeover);
        }
        if let Some((at, wake)) = self.queue.poll_timeout() {
            consider(Some(at), wake);
        }
        consider(self.resolve_at(), Wake::Resolve);
        consider(self.upload_at(), Wake::Upload);
        if !self.draining {
            consider(self.preparations.poll_timeout(), Wake::Prepare);
        }
        if let Some((at, wake)) = self.next_attempt() {
            consider(Some(at), wake);
        }
        next
    }

    /// Tells each component how the others stand.
    pub(crate) fn inform(&mut self, now: Now) {
        self.inform_queue();
        let account = self.facts.account.as_ref();
        self.pacing.on_account(account, &mut self.out, now);
        self.phone.on_account(account, &mut self.out, now);
        let around = phone::Surroundings {
            generation: self.link.generation,
            connected: self.link.is_connected(),
            can_send: self.link.can_send(),
            may_ask: !self.draining,
            waits: self.queue.to_leave() > 0,
        };
        self.phone.on_surroundings(around, now);
        self.contacts.on_account(self.facts.account.as_ref());
        let around = contacts::Surroundings {
            generation: self.link.generation,
            can_send: self.link.can_send(),
            draining: self.draining,
        };
        self.contacts.on_surroundings(around, now);
    }

    fn inform_queue(&mut self) {
        let live_since = match &self.link.run {
            Some(Run {
                phase: Phase::Connected { since, broken: false }, closing: None, ..
            }) => Some(*since),
            Some(_) | None => None,
        };
        let (generation, draining) = (self.link.generation, self.draining);
        self.queue.on_surroundings(queue::Surroundings { generation, live_since, draining });
    }

    /// When the next attempt leaves if nothing else happens before.
    fn next_attempt(&self) -> Option<(u64, Wake)> {
        if !self.may_dispatch() || self.queue.sending_len() >= SENDING_MAX {
            return None;
        }
        let ready = self.queue.heads().filter_map(|head| self.ready_at(head)).min()?;
        let slot = self.pacing.free_at(self.now);
        Some(if slot >= ready { (slot, Wake::Slot) } else { (ready, Wake::Retry) })
    }

    /// Whether anything but the pace and the messages themselves forbids an attempt.
    pub(crate) fn may_dispatch(&self) -> bool {
        self.stops(self.now).next().is_none()
    }

    /// When the first message of a chat may be attempted, as far as it alone matters.
    fn ready_at(&self, head: &Message) -> Option<u64> {
        if head.is_overdue(self.now.wall_ms) {
            return None;
        }
        Some(self.queue.rested_at(head)?.max(self.preconditions(head)?))
    }

    /// Whether nothing but its turn and the pace keep a message from leaving now.
    pub(crate) fn could_leave(&self, head: &Message) -> bool {
        self.ready_at(head).is_some_and(|at| at <= self.now.mono_ms)
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
        let Some(outgoing) = self.queue.attempt(id, &mut self.out, now) else { return false };
        self.pacing.on_attempt(id, outgoing.attempt, &mut self.out, now);
        self.command(SessionCommand::Send(outgoing));
        true
    }

    /// Deals with everything whose time has come.
    pub(crate) fn pass_time(&mut self, now: Now) {
        self.inform_queue();
        self.queue.on_time(&mut self.out, now);
        if self.resolve_at().is_some_and(|at| at <= now.mono_ms) {
            self.close_run(Closing::Reconnect);
        }
        self.pacing.on_time(&mut self.out, now);
        self.run_overdue(now);
        self.pass_conflict();
        self.put_back_refused(now);
        if self.link.ban_ends.is_some_and(|at| at <= now.mono_ms) {
            self.link.ban_ends = None;
            if self.facts.banned.take().is_some() {
                self.out.facts = true;
            }
        }
        self.inform(now);
        self.phone.on_time(&mut self.out, now);
        let held = !self.link.can_send() || self.phone.holds(now);
        self.queue.judge_backlog(held, &mut self.out, now);
    }

    /// Puts back what an ended timelock had refused, where it was: as far as there are
    /// places, the rest as places become free.
    fn put_back_refused(&mut self, now: Now) {
        let Some(ended) = self.pacing.to_put_back() else { return };
        if self.draining {
            return;
        }
        let refused = |m: &&Message| m.is_parked_for(ReasonKind::ReachoutTimelock);
        // What was refused after the end had its chance, and waits for a command.
        let before = |m: &&Message| m.changed_uptime_ms <= ended;
        let mut due: Vec<(u64, MessageId)> =
            self.queue.iter().filter(refused).filter(before).map(|m| (m.order, m.id)).collect();
        due.sort_unstable();
        for (order, id) in due {
            if self.queue.is_full() {
                return;
            }
            self.queue.requeue(id, order, false, &mut self.out, now);
        }
        self.pacing.on_put_back(&mut self.out);
    }

    /// When a live connection is closed so that the next one resolves what has no answer.
    fn resolve_at(&self) -> Option<u64> {
        if !self.may_dispatch() {
            return None;
        }
        self.queue.resolve_at()
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
}
