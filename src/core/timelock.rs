//! The reachout timelock: the server refuses messages to new contacts for a time.
//! Those wait behind their gate; chats that exist, and groups, go on.
//!
//! The end is the server's word where it gives one. A refusal (463) alone names none:
//! then it is a guess, twice as long each time it proves too short.

use crate::Core;
use crate::event::TimelockNotice;
use crate::ids::ChatId;
use crate::network::{Timelock, TimelockSource};
use crate::queue::Message;
use crate::time::Now;
use crate::time::doubled;
use tetherd_api::{MessageId, ReasonKind, State};

/// The server's refusal of messages to new contacts.
pub const REACHOUT_TIMELOCK: u32 = 463;

/// The first guess, in milliseconds: people report locks of hours to days; a try every
/// six hours costs one refused message each.
pub(crate) const GUESS_FIRST_MS: u64 = 6 * 60 * 60 * 1_000;
/// The longest guess, in milliseconds: two days.
pub(crate) const GUESS_CAP_MS: u64 = 48 * 60 * 60 * 1_000;
/// After so long without a refusal the next guess is the first again: a week.
const GUESS_FORGET_MS: u64 = 7 * 24 * 60 * 60 * 1_000;
/// The longest lock that is believed, in milliseconds: sixty days. One that seems longer
/// says that a clock is wrong.
const LOCK_MS_MAX: i64 = 60 * 24 * 60 * 60 * 1_000;

impl Core {
    /// Takes over a lock from before the start. The wall clock may have been set
    /// meanwhile: never wait longer than the lock was.
    pub(crate) fn restore_timelock(&mut self, now: Now) {
        self.network.timelock_ends = self.facts.network.timelock.map(|lock| {
            let left = lock.until.saturating_sub(now.wall_ms);
            let left = left.min(lock.until.saturating_sub(lock.since));
            now.mono_ms.saturating_add(u64::try_from(left).unwrap_or(0))
        });
    }

    /// When a message passes the lock, monotonic; 0: it does.
    pub(crate) fn timelock_gate(&self, message: &Message) -> u64 {
        match self.timelock_ends() {
            Some(ends) if self.is_new_contact(&message.to) => ends,
            Some(_) | None => 0,
        }
    }

    /// When the lock ends, monotonic.
    pub(crate) fn timelock_ends(&self) -> Option<u64> {
        self.facts.network.timelock.and(self.network.timelock_ends)
    }

    fn is_new_contact(&self, chat: &ChatId) -> bool {
        !chat.is_group() && !self.contacts.is_known(chat)
    }

    /// Messages that the lock keeps back: those that wait, and those that were refused.
    pub(crate) fn timelocked(&self) -> Vec<MessageId> {
        let locked = self.timelock_ends().is_some();
        let waits = |m: &&Message| match m.state() {
            State::Queued | State::Unknown => locked && self.is_new_contact(&m.to),
            State::Parked => is_reachout(m),
            State::Preparing
            | State::Sending
            | State::Sent
            | State::Delivered
            | State::Read
            | State::Failed
            | State::Expired
            | State::Cancelled => false,
        };
        self.queue.iter().filter(waits).map(|message| message.id).collect()
    }

    /// The server says how it stands.
    pub(crate) fn timelock_told(&mut self, notice: TimelockNotice, now: Now) {
        match notice {
            TimelockNotice::Lifted => {
                if self.facts.network.timelock.is_some() {
                    self.end_timelock();
                }
            }
            TimelockNotice::Active { until } => match until.filter(|at| *at > now.wall_ms) {
                Some(until) => {
                    let until = until.min(now.wall_ms.saturating_add(LOCK_MS_MAX));
                    self.lock(until, TimelockSource::Told, None, now);
                }
                // It names no end, or one that is over: as after a refusal.
                None if self.facts.network.timelock.is_none() => self.guess(None, now),
                None => {}
            },
        }
    }

    /// A message was refused with 463. In a chat that exists it says nothing about new
    /// contacts: the server misses a token of this one.
    pub(crate) fn reachout_refused(&mut self, id: MessageId, now: Now) {
        let Some(chat) = self.queue.get(id).map(|message| message.to.clone()) else { return };
        if self.is_new_contact(&chat) && self.facts.network.timelock.is_none() {
            self.guess(Some(REACHOUT_TIMELOCK), now);
        }
    }

    fn guess(&mut self, code: Option<u32>, now: Now) {
        let uptime_ms = self.uptime_ms();
        let (guesses, last) = self.facts.network.timelock_guesses;
        let forgotten = uptime_ms.saturating_sub(last) > GUESS_FORGET_MS;
        let guesses = if forgotten { 0 } else { guesses };
        let (first, cap) = (self.config.timelock_first_ms, self.config.timelock_cap_ms);
        let lasts = i64::try_from(doubled(first, guesses, cap)).unwrap_or(LOCK_MS_MAX);
        self.facts.network.timelock_guesses = (guesses.saturating_add(1), uptime_ms);
        self.lock(now.wall_ms.saturating_add(lasts), TimelockSource::Guessed, code, now);
    }

    fn lock(&mut self, until: i64, source: TimelockSource, code: Option<u32>, now: Now) {
        let before = self.facts.network.timelock;
        let since = before.map_or(now.wall_ms, |lock| lock.since);
        let code = code.or(before.and_then(|lock| lock.code));
        let lock = Timelock { since, until, source, code };
        if before == Some(lock) {
            return;
        }
        self.facts.network.timelock = Some(lock);
        self.facts.network.timelock_ended_uptime_ms = None;
        self.out.facts = true;
        let left = u64::try_from(until.saturating_sub(now.wall_ms)).unwrap_or(0);
        self.network.timelock_ends = Some(now.mono_ms.saturating_add(left));
    }

    fn end_timelock(&mut self) {
        self.facts.network.timelock = None;
        self.facts.network.timelock_ended_uptime_ms = Some(self.uptime_ms());
        self.network.timelock_ends = None;
        self.out.facts = true;
    }

    /// Ends the lock when it is time, and puts back what it had refused, where it was:
    /// as far as there are places, the rest as places become free.
    pub(crate) fn pass_timelock(&mut self, now: Now) {
        if self.timelock_ends().is_some_and(|at| at <= now.mono_ms) {
            self.end_timelock();
        }
        let Some(ended) = self.facts.network.timelock_ended_uptime_ms else { return };
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
            self.queue.requeue(id, order, &mut self.out, now);
        }
        self.facts.network.timelock_ended_uptime_ms = None;
        self.out.facts = true;
    }
}

fn is_reachout(message: &Message) -> bool {
    message.reason().is_some_and(|reason| reason.kind == ReasonKind::ReachoutTimelock)
}
