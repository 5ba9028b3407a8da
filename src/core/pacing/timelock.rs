//! The reachout timelock: the server refuses messages to new contacts for a time. Those wait
//! until it ends; chats that exist, and groups, go on. Knows no chat: whether one is new is
//! for the caller to say.
//!
//! The end is the server's word where it gives one. Where it says that it refuses and names
//! none, an end is assumed, twice as far away each time it proves too early. A refusal (463)
//! alone says nothing about new contacts, because the server answers a missing token with
//! it, too: then messages to new contacts rest until the server has said which it is.

use crate::config::CoreConfig;
use crate::event::TimelockNotice;
use crate::server_codes::TOKEN_MISSING;
use crate::time::{Now, Uptime, doubled};

/// How long the server has for its answer; the session gives up before.
const ANSWER_MS: u64 = 15_000;
/// For so long what the server said about a refusal holds for the next.
const ANSWERED_MS: u64 = 60_000;
/// After so long without a refusal the next assumed lock is as short as the first: a week.
const ASSUMED_FORGET_MS: u64 = 7 * 24 * 60 * 60 * 1_000;
/// The longest lock that is believed, in milliseconds: sixty days. One that seems longer
/// says that a clock is wrong.
const LOCK_MS_MAX: i64 = 60 * 24 * 60 * 60 * 1_000;

/// The server refuses messages to new contacts for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timelock {
    /// Since when, wall milliseconds.
    pub since: i64,
    /// Until when, wall milliseconds.
    pub until: i64,
    /// How that is known.
    pub source: TimelockSource,
    /// The code of the refusal because of which the server was asked.
    pub code: Option<u32>,
}

/// How a timelock is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimelockSource {
    /// The server said when it ends.
    Announced,
    /// It did not, and the end is assumed.
    Assumed,
}

/// What is kept of it. Belongs to the account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimelockFacts {
    /// The lock that stands.
    pub lock: Option<Timelock>,
    /// Locks whose end was assumed, in a row, and when the last began (uptime).
    pub assumed: (u32, u64),
    /// When the last lock ended, milliseconds of uptime, while what it refused is still to
    /// be put back.
    pub ended_uptime_ms: Option<u64>,
}

/// The lock, and when it ends.
#[derive(Debug)]
pub(super) struct TimelockState {
    uptime: Uptime,
    facts: TimelockFacts,
    /// When the lock ends, monotonic.
    ends: Option<u64>,
    /// Since when the server is being asked, uptime, and until when, monotonic.
    question: Option<(u64, u64)>,
    /// When it last answered, monotonic.
    answered: Option<u64>,
}

impl TimelockState {
    /// Takes over a lock from before the start. The wall clock may have been set
    /// meanwhile: never wait longer than the lock was.
    pub(super) fn new(facts: TimelockFacts, uptime: Uptime, now: Now) -> TimelockState {
        let ends = facts.lock.map(|lock| {
            let left = lock.until.saturating_sub(now.wall_ms);
            let left = left.min(lock.until.saturating_sub(lock.since));
            now.mono_ms.saturating_add(u64::try_from(left).unwrap_or(0))
        });
        TimelockState { uptime, facts, ends, question: None, answered: None }
    }

    /// The server says how it stands. Since when it was asked, uptime.
    pub(super) fn on_notice(
        &mut self,
        notice: TimelockNotice,
        config: &CoreConfig,
        now: Now,
    ) -> Option<u64> {
        self.answered = Some(now.mono_ms);
        match notice {
            TimelockNotice::Lifted => self.end(now),
            TimelockNotice::Active { until } => match until.filter(|at| *at > now.wall_ms) {
                Some(until) => {
                    let until = until.min(now.wall_ms.saturating_add(LOCK_MS_MAX));
                    self.lock(until, TimelockSource::Announced, now);
                }
                // It names no end, or one that is over.
                None => self.assume(config, now),
            },
        }
        self.question.take().map(|(since, _)| since)
    }

    /// A message to a new contact was refused: the session asks why.
    pub(super) fn on_refused(&mut self, now: Now) {
        let known = self.answered.is_some_and(|at| now.mono_ms < at.saturating_add(ANSWERED_MS));
        if self.facts.lock.is_none() && self.question.is_none() && !known {
            let until = now.mono_ms.saturating_add(ANSWER_MS);
            self.question = Some((self.uptime.at(now), until));
        }
    }

    /// Ends the lock when it is time.
    pub(super) fn on_time(&mut self, now: Now) {
        self.question = self.question.filter(|(_, until)| *until > now.mono_ms);
        if self.ends.is_some_and(|at| at <= now.mono_ms) {
            self.end(now);
        }
    }

    /// Another account: nothing is known of it.
    pub(super) fn reset(&mut self, now: Now) {
        *self = TimelockState::new(TimelockFacts::default(), self.uptime, now);
    }

    /// What the last lock refused is put back.
    pub(super) fn on_put_back(&mut self) {
        self.facts.ended_uptime_ms = None;
    }

    /// Without a lock that stands.
    fn assume(&mut self, config: &CoreConfig, now: Now) {
        if self.facts.lock.is_some() {
            return;
        }
        let uptime_ms = self.uptime.at(now);
        let (times, last) = self.facts.assumed;
        let forgotten = uptime_ms.saturating_sub(last) > ASSUMED_FORGET_MS;
        let times = if forgotten { 0 } else { times };
        let lasts = doubled(config.timelock_first_ms, times, config.timelock_cap_ms);
        let lasts = i64::try_from(lasts).unwrap_or(LOCK_MS_MAX);
        self.facts.assumed = (times.saturating_add(1), uptime_ms);
        self.lock(now.wall_ms.saturating_add(lasts), TimelockSource::Assumed, now);
    }

    fn lock(&mut self, until: i64, source: TimelockSource, now: Now) {
        let before = self.facts.lock;
        let since = before.map_or(now.wall_ms, |lock| lock.since);
        let code = self.question.map(|_| TOKEN_MISSING).or(before.and_then(|lock| lock.code));
        let lock = Timelock { since, until, source, code };
        if before == Some(lock) {
            return;
        }
        self.facts.lock = Some(lock);
        self.facts.ended_uptime_ms = None;
        let left = u64::try_from(until.saturating_sub(now.wall_ms)).unwrap_or(0);
        self.ends = Some(now.mono_ms.saturating_add(left));
    }

    fn end(&mut self, now: Now) {
        if self.facts.lock.take().is_some() {
            self.facts.ended_uptime_ms = Some(self.uptime.at(now));
        }
        self.ends = None;
    }

    /// The lock that stands, and when it ends, monotonic.
    pub(super) fn lock_and_end(&self) -> Option<(Timelock, u64)> {
        self.facts.lock.zip(self.ends)
    }

    /// Until when the server's answer is waited for, monotonic.
    pub(super) fn asked_until(&self) -> Option<u64> {
        self.question.map(|(_, until)| until)
    }

    /// What is to be stored.
    pub(super) fn facts(&self) -> TimelockFacts {
        self.facts
    }
}
