//! When the network may be asked about numbers, the one question that is under way, and
//! what it failed to answer. Decides no number; remembers no answer.

use std::collections::{BTreeMap, BTreeSet};

use super::ContactsConfig;
use super::number::{CheckFailure, CheckFailureKind, CheckTicket, Number};
use crate::time::{Now, doubled};

/// Numbers that the network passed over and that are therefore asked for later.
const DOUBTS_MAX: usize = 10_000;
/// Questions that may follow each other at once before the spacing holds.
const CHECK_BURST: u64 = 3;
/// Failures after which messages no longer wait for an answer: the send itself asks for
/// the recipient's devices, and a check that is broken must not stop the queue.
const CHECK_FAILURES_MAX: u32 = 3;
/// Where the network asked for fewer questions, the pauses start this many doublings later.
const RATE_LIMIT_DOUBLINGS: u32 = 4;
/// How long a number that the network passed over counts as asked in vain: a message to it
/// that comes later is checked afresh.
const DOUBT_MS: u64 = 10 * 60 * 1_000;
/// How long an answer may take. The session has a shorter limit of its own.
const CHECK_ANSWER_MS_MAX: u64 = 15_000;

/// A question that is under way.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) ticket: CheckTicket,
    pub(super) numbers: BTreeSet<Number>,
    /// The connection that it was asked on.
    pub(super) generation: u64,
    /// When it has taken too long, monotonic.
    pub(super) until: u64,
}

/// A number that the network gave no answer about.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    failures: u32,
    /// When it is asked for again, monotonic.
    next: u64,
    /// When all this is forgotten, monotonic.
    forgotten: u64,
}

/// How the questions fare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CheckTrouble {
    /// What the last question came to.
    pub(crate) kind: CheckFailureKind,
    /// Since when questions come to nothing, wall milliseconds.
    pub(crate) since: i64,
    /// Whether messages no longer wait for an answer.
    pub(crate) waived: bool,
}

/// The questions to the network. All times are monotonic but for `failing_since`.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    doubts: BTreeMap<Number, Doubt>,
    query: Option<Query>,
    last_ticket: u64,
    /// When a question without a burst before it could be asked.
    paced_at: u64,
    /// Not before this, because the last question failed.
    rests_until: u64,
    failures: u32,
    /// Since when, wall milliseconds, and what the last question came to.
    failing: Option<(i64, CheckFailureKind)>,
}

impl Lookup {
    /// The network answered about this number, or what it said no longer counts: the next
    /// answer has to come from a question that follows.
    pub(super) fn forget(&mut self, number: &Number) {
        self.doubts.remove(number);
        if let Some(query) = &mut self.query {
            query.numbers.remove(number);
        }
    }

    /// The network answered about this number.
    pub(super) fn settle(&mut self, number: &Number) {
        self.doubts.remove(number);
    }

    /// The network answered a question and passed this number over.
    pub(super) fn passed_over(&mut self, number: &Number, config: &ContactsConfig, now: Now) {
        self.doubts.retain(|_, doubt| doubt.forgotten > now.mono_ms);
        let failures = self.doubts.get(number).map_or(0, |doubt| doubt.failures);
        if self.doubts.len() >= DOUBTS_MAX && failures == 0 {
            return;
        }
        let pause = doubled(config.backoff_first_ms, failures, config.backoff_cap_ms);
        let next = now.mono_ms.saturating_add(pause);
        let doubt = Doubt {
            failures: failures.saturating_add(1),
            next,
            forgotten: next.saturating_add(DOUBT_MS),
        };
        self.doubts.insert(number.clone(), doubt);
    }

    /// Whether messages to this number leave without an answer about it.
    pub(super) fn is_waived(&self, number: &Number, now: Now) -> bool {
        self.failures >= CHECK_FAILURES_MAX
            || self.doubts.get(number).is_some_and(|doubt| {
                doubt.failures >= CHECK_FAILURES_MAX && doubt.forgotten > now.mono_ms
            })
    }

    /// When this number may be asked for, as far as it alone matters.
    pub(super) fn ask_at(&self, number: &Number) -> u64 {
        self.doubts.get(number).map_or(0, |doubt| doubt.next)
    }

    /// When the next question may be asked. None: one is under way.
    pub(super) fn free_at(&self, config: &ContactsConfig) -> Option<u64> {
        if self.query.is_some() {
            return None;
        }
        let burst = config.every_ms.saturating_mul(CHECK_BURST - 1);
        Some(self.paced_at.saturating_sub(burst).max(self.rests_until))
    }

    /// When a failed question allows the next one.
    pub(super) fn rests_until(&self) -> u64 {
        self.rests_until
    }

    pub(super) fn query(&self) -> Option<&Query> {
        self.query.as_ref()
    }

    /// Begins a question.
    pub(super) fn ask(
        &mut self,
        numbers: BTreeSet<Number>,
        generation: u64,
        config: &ContactsConfig,
        now: Now,
    ) -> CheckTicket {
        self.last_ticket = self.last_ticket.saturating_add(1);
        let ticket = CheckTicket(self.last_ticket);
        self.paced_at = self.paced_at.max(now.mono_ms).saturating_add(config.every_ms);
        let until = now.mono_ms.saturating_add(CHECK_ANSWER_MS_MAX);
        self.query = Some(Query { ticket, numbers, generation, until });
        ticket
    }

    /// Ends the question with this ticket, if it is the one under way.
    pub(super) fn end(&mut self, ticket: CheckTicket) -> Option<Query> {
        self.query.take_if(|query| query.ticket == ticket)
    }

    /// A question came to something: the network answers.
    pub(super) fn answered(&mut self) {
        self.failures = 0;
        self.failing = None;
        self.rests_until = 0;
    }

    /// A question came to nothing: the pause before the next one doubles.
    pub(super) fn failed(&mut self, failure: CheckFailure, config: &ContactsConfig, now: Now) {
        let more = match failure.kind {
            CheckFailureKind::RateLimited => RATE_LIMIT_DOUBLINGS,
            CheckFailureKind::Refused(_)
            | CheckFailureKind::TimedOut
            | CheckFailureKind::NotConnected
            | CheckFailureKind::NotUnderstood => 0,
        };
        let times = self.failures.saturating_add(more);
        let pause = doubled(config.backoff_first_ms, times, config.backoff_cap_ms);
        let wanted = failure.retry_after_ms.unwrap_or(0).min(config.backoff_cap_ms);
        self.rests_until = now.mono_ms.saturating_add(pause.max(wanted));
        self.failures = self.failures.saturating_add(1);
        let since = self.failing.map_or(now.wall_ms, |(since, _)| since);
        self.failing = Some((since, failure.kind));
    }

    /// What is wrong with the questions, if the last one came to nothing.
    pub(super) fn trouble(&self) -> Option<CheckTrouble> {
        let (since, kind) = self.failing?;
        Some(CheckTrouble { kind, since, waived: self.failures >= CHECK_FAILURES_MAX })
    }
}
