//! A message's life: one method for each step, naming the states it may start from.
//!
//! `queued -> sending -> sent -> delivered -> read`, with `unknown` while an answer is
//! missing and `parked` aside. Acks and receipts come in any order and more than once:
//! they only ever lead forward, towards what is known to be true.

use crate::ids::Attempt;
use crate::queue::{Message, Undo};
use crate::timelock::REACHOUT_TIMELOCK;
use tetherd_api::{Reason, ReasonKind, State};

/// A step that a message in this state cannot take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message that is {from} cannot be {step}")]
pub struct IllegalStep {
    /// Where it stands.
    pub from: State,
    /// What was asked.
    pub step: &'static str,
}

/// How far a message is known to have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// The server has it.
    Server,
    /// A recipient's device has it.
    Device,
    /// The recipient saw it.
    Eyes,
}

impl Message {
    /// queued, unknown -> sending.
    pub fn attempt(&mut self, wall_ms: i64) -> Result<Attempt, IllegalStep> {
        match self.state {
            State::Queued | State::Unknown => {
                self.attempts = self.attempts.saturating_add(1);
                self.streak = self.streak.saturating_add(1);
                self.enter(State::Sending, None, wall_ms);
                Ok(Attempt(self.attempts))
            }
            State::Preparing
            | State::Sending
            | State::Parked
            | State::Sent
            | State::Delivered
            | State::Read
            | State::Failed
            | State::Expired
            | State::Cancelled => Err(self.illegal("attempted")),
        }
    }

    /// sending -> unknown, or parked after too many attempts without an answer.
    pub fn unanswered(&mut self, attempts_max: u32, wall_ms: i64) -> Result<(), IllegalStep> {
        if self.state != State::Sending {
            return Err(self.illegal("left without an answer"));
        }
        self.maybe_out = true;
        let state = if self.streak >= attempts_max { State::Parked } else { State::Unknown };
        self.enter(state, Some(Reason::new(ReasonKind::NoAnswer)), wall_ms);
        Ok(())
    }

    /// sending, unknown -> queued, because this attempt certainly did not leave. Unknown
    /// it stays if an earlier one may have. Parked after too many in a row, unless the
    /// connection was to blame and not the message.
    pub fn not_sent(
        &mut self,
        blameless: bool,
        attempts_max: u32,
        wall_ms: i64,
    ) -> Result<(), IllegalStep> {
        if !matches!(self.state, State::Sending | State::Unknown) {
            return Err(self.illegal("put back"));
        }
        if blameless {
            self.streak = self.streak.saturating_sub(1);
        } else if self.streak >= attempts_max {
            return self.park(Reason::new(ReasonKind::NotSendable), wall_ms);
        }
        if !self.maybe_out {
            self.enter(State::Queued, None, wall_ms);
        } else if self.state != State::Unknown {
            let reason = Reason::new(ReasonKind::NoAnswer);
            self.enter(State::Unknown, Some(reason), wall_ms);
        }
        Ok(())
    }

    /// sending, unknown -> parked.
    pub fn park(&mut self, reason: Reason, wall_ms: i64) -> Result<(), IllegalStep> {
        if !matches!(self.state, State::Sending | State::Unknown) {
            return Err(self.illegal("parked"));
        }
        self.enter(State::Parked, Some(reason), wall_ms);
        Ok(())
    }

    /// queued, unknown -> parked, for something that was found out before an attempt.
    pub fn turn_away(&mut self, reason: Reason, wall_ms: i64) -> Result<(), IllegalStep> {
        if !matches!(self.state, State::Queued | State::Unknown) {
            return Err(self.illegal("turned away"));
        }
        self.enter(State::Parked, Some(reason), wall_ms);
        Ok(())
    }

    /// queued -> parked, because it is known to lead nowhere before anything was tried.
    pub fn set_aside(&mut self, reason: Reason, wall_ms: i64) -> Result<(), IllegalStep> {
        if self.state != State::Queued {
            return Err(self.illegal("set aside"));
        }
        self.enter(State::Parked, Some(reason), wall_ms);
        Ok(())
    }

    /// Whether it waits because its recipient is not on the network.
    pub fn is_parked_as_absent(&self) -> bool {
        let absent = |reason: &Reason| reason.kind == ReasonKind::NotOnNetwork;
        self.state == State::Parked && self.reason.as_ref().is_some_and(absent)
    }

    /// The server refused an attempt: sending, unknown -> parked; a message parked for want
    /// of an answer now has one. False if that changes nothing: it was sent after all, or
    /// waits for another attempt.
    pub fn refuse(&mut self, code: u32, wall_ms: i64) -> bool {
        let reason = if code == REACHOUT_TIMELOCK {
            Reason::coded(ReasonKind::ReachoutTimelock, code)
        } else {
            Reason::coded(ReasonKind::Refused, code)
        };
        let unanswered = self.reason.as_ref().is_some_and(|r| r.kind == ReasonKind::NoAnswer);
        match self.state {
            State::Sending | State::Unknown => {
                // It may have been the file: whoever tries again uploads it afresh.
                if reason.kind == ReasonKind::Refused {
                    self.media = None;
                }
                self.enter(State::Parked, Some(reason), wall_ms);
            }
            State::Parked if unanswered => self.reason = Some(reason),
            // It would come back as if no answer had come.
            State::Cancelled if self.undo.as_ref().is_some_and(Undo::is_unanswered) => {
                self.undo = self.undo.take().map(|undo| Undo { reason: Some(reason), ..undo });
                return true;
            }
            State::Preparing
            | State::Queued
            | State::Parked
            | State::Sent
            | State::Delivered
            | State::Read
            | State::Failed
            | State::Expired
            | State::Cancelled => return false,
        }
        true
    }

    /// The server did not take it because too many came: sending, unknown -> queued; parked
    /// if that happens more than `limited_max` times. Unknown it stays if an earlier attempt
    /// may have left. It counts for nothing else: the message is not to blame. False if
    /// that changes nothing.
    pub fn rate_limited(&mut self, code: u32, limited_max: u32, wall_ms: i64) -> bool {
        if !matches!(self.state, State::Sending | State::Unknown) {
            return false;
        }
        self.limited = self.limited.saturating_add(1);
        self.streak = self.streak.saturating_sub(1);
        if self.limited > limited_max {
            let reason = Reason::coded(ReasonKind::Refused, code);
            self.enter(State::Parked, Some(reason), wall_ms);
        } else if self.maybe_out {
            let reason = Reason::new(ReasonKind::NoAnswer);
            self.enter(State::Unknown, Some(reason), wall_ms);
        } else {
            self.enter(State::Queued, None, wall_ms);
        }
        true
    }

    /// The message has come this far: forward from any state in which it was attempted,
    /// from parked, failed and cancelled too, because it is there. False if that was known.
    pub fn confirm(&mut self, reached: Reached, wall_ms: i64) -> bool {
        if self.attempts == 0 {
            return false;
        }
        let before = match self.state {
            State::Preparing
            | State::Queued
            | State::Sending
            | State::Unknown
            | State::Parked
            | State::Failed
            | State::Expired
            | State::Cancelled => 0,
            State::Sent => 1,
            State::Delivered => 2,
            State::Read => 3,
        };
        let (rank, state) = match reached {
            Reached::Server => (1, State::Sent),
            Reached::Device => (2, State::Delivered),
            Reached::Eyes => (3, State::Read),
        };
        if rank <= before {
            return false;
        }
        self.sent_at.get_or_insert(wall_ms);
        if rank >= 2 {
            self.delivered_at.get_or_insert(wall_ms);
        }
        if rank >= 3 {
            self.read_at.get_or_insert(wall_ms);
        }
        self.enter(state, None, wall_ms);
        true
    }

    /// preparing, queued, parked -> cancelled. Until `undo_until`, in milliseconds of uptime, it
    /// can be brought back.
    pub fn cancel(&mut self, undo_until: Option<u64>, wall_ms: i64) -> Result<(), IllegalStep> {
        if !self.can_be_cancelled() {
            return Err(self.illegal("cancelled"));
        }
        let (state, reason) = (self.state, self.reason.take());
        self.enter(State::Cancelled, None, wall_ms);
        self.undo = undo_until.map(|until_uptime_ms| Undo { until_uptime_ms, state, reason });
        Ok(())
    }

    /// Whether nothing of it can be on its way.
    pub fn can_be_cancelled(&self) -> bool {
        matches!(self.state, State::Preparing | State::Queued | State::Parked)
    }

    /// cancelled -> what it was before, in its old place.
    pub fn restore(&mut self, wall_ms: i64) -> Result<(), IllegalStep> {
        match (self.state, self.undo.take()) {
            (State::Cancelled, Some(undo)) => {
                self.enter(undo.state, undo.reason, wall_ms);
                Ok(())
            }
            (_, undo) => {
                self.undo = undo;
                Err(self.illegal("brought back"))
            }
        }
    }

    /// Its time to be brought back has run out. It stays cancelled.
    pub fn end_undo(&mut self) {
        self.undo = None;
    }

    /// preparing, queued, parked, unknown -> expired. With the reason why no attempt came to
    /// an end, if there was one: it may have left then.
    pub fn expire(&mut self, wall_ms: i64) -> Result<(), IllegalStep> {
        match self.state {
            State::Preparing | State::Queued | State::Parked | State::Unknown => {
                let reason = self.reason.take();
                let unanswered = || Reason::new(ReasonKind::NoAnswer);
                let reason = reason.or_else(|| self.maybe_out.then(unanswered));
                self.enter(State::Expired, reason, wall_ms);
                Ok(())
            }
            State::Sending
            | State::Sent
            | State::Delivered
            | State::Read
            | State::Failed
            | State::Expired
            | State::Cancelled => Err(self.illegal("expired")),
        }
    }

    /// Whether it must not be sent any more at this time.
    pub fn is_overdue(&self, wall_ms: i64) -> bool {
        self.expires_at.is_some_and(|at| at <= wall_ms)
    }

    /// parked -> queued, at the end; preparing, if something has to be done before.
    pub fn requeue(&mut self, order: u64, prepare: bool, wall_ms: i64) -> Result<(), IllegalStep> {
        if self.state != State::Parked {
            return Err(self.illegal("put back into the queue"));
        }
        self.order = order;
        self.streak = 0;
        self.limited = 0;
        let state = if prepare { State::Preparing } else { State::Queued };
        self.enter(state, None, wall_ms);
        Ok(())
    }

    /// parked -> failed, keeping the reason.
    pub fn give_up(&mut self, wall_ms: i64) -> Result<(), IllegalStep> {
        if self.state != State::Parked {
            return Err(self.illegal("given up"));
        }
        let shelf_full = Reason::new(ReasonKind::ShelfFull);
        let reason = self.reason.take().unwrap_or(shelf_full);
        self.enter(State::Failed, Some(reason), wall_ms);
        Ok(())
    }

    pub(crate) fn enter(&mut self, state: State, reason: Option<Reason>, wall_ms: i64) {
        self.state = state;
        self.reason = reason;
        // A message that moves on by itself cannot be brought back.
        self.undo = None;
        self.changed_at = wall_ms;
    }

    pub(crate) fn illegal(&self, step: &'static str) -> IllegalStep {
        IllegalStep { from: self.state, step }
    }
}
