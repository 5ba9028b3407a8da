//! Who is on the network: what was answered and until when it counts, what is still in
//! doubt, and when the network may be asked again. Never asks by itself, and never takes
//! a failure for a no.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::config::CoreConfig;
use crate::number::{CheckFailure, CheckFailureKind, CheckTicket, KnownBy, KnownNumber, Number};
use crate::time::Now;
use crate::time::doubled;
use tetherd_api::MessageId;

/// Numbers that are remembered; one more, and the answer that is oldest goes.
pub const KNOWN_MAX: usize = 10_000;
/// Numbers that the network passed over and that are therefore asked for later.
const DOUBTS_MAX: usize = 10_000;
/// Questions that may follow each other at once before the spacing holds.
const CHECK_BURST: u64 = 3;
/// Failures after which messages no longer wait for an answer: the send itself asks for
/// the recipient's devices, and a check that is broken must not stop the queue.
pub const CHECK_FAILURES_MAX: u32 = 3;
/// Where the network asked for fewer questions, the pauses start this many doublings later.
const RATE_LIMIT_DOUBLINGS: u32 = 4;
/// How long a number that the network passed over counts as asked in vain: a message to it
/// that comes later is checked afresh.
const DOUBT_MS: u64 = 10 * 60 * 1_000;
/// An answer that is younger than this is not written again because of a receipt.
const RECEIPT_RENEWS_MS: u64 = 24 * 60 * 60 * 1_000;
/// How long an answer may take. The session has a shorter limit of its own.
pub(crate) const CHECK_ANSWER_MS_MAX: u64 = 15_000;

/// A question that is under way.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) ticket: CheckTicket,
    pub(crate) numbers: BTreeSet<Number>,
    /// The connection that it was asked on.
    pub(crate) generation: u64,
    /// When it has taken too long, monotonic.
    pub(crate) until: u64,
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

/// How the checks fare, for those who explain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChecksHealth {
    /// Questions in a row that came to nothing.
    pub failures: u32,
    /// Since when, wall milliseconds.
    pub failing_since: Option<i64>,
    /// What the last one came to.
    pub last: Option<CheckFailureKind>,
    /// When the next question may be asked, monotonic.
    pub next_at: u64,
    /// Whether messages no longer wait for an answer.
    pub waived: bool,
    /// Questions asked since the start.
    pub asked: u64,
    /// Messages that wait for the check of their recipient now.
    pub waiting: Vec<MessageId>,
}

/// Everything that is known and asked about numbers.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    known: HashMap<Number, KnownNumber>,
    by_age: BTreeSet<(u64, Number)>,
    doubts: BTreeMap<Number, Doubt>,
    query: Option<Query>,
    last_ticket: u64,
    /// When a question without a burst before it could be asked, monotonic.
    paced_at: u64,
    /// Not before this, because the last question failed, monotonic.
    rests_until: u64,
    failures: u32,
    failing_since: Option<i64>,
    last_failure: Option<CheckFailureKind>,
}

impl Numbers {
    pub(crate) fn new(known: Vec<KnownNumber>) -> Numbers {
        let mut numbers = Numbers::default();
        for known in known {
            numbers.insert(known);
        }
        numbers
    }

    fn insert(&mut self, known: KnownNumber) {
        self.remove(&known.number);
        self.by_age.insert((known.asked_uptime_ms, known.number.clone()));
        self.known.insert(known.number.clone(), known);
    }

    fn remove(&mut self, number: &Number) -> bool {
        let Some(known) = self.known.remove(number) else { return false };
        self.by_age.remove(&(known.asked_uptime_ms, known.number))
    }

    /// What the store should hold about a number now.
    pub(crate) fn record(&self, number: &Number) -> Option<&KnownNumber> {
        self.known.get(number)
    }

    #[cfg(test)]
    pub(crate) fn records(&self) -> impl Iterator<Item = &KnownNumber> {
        self.known.values()
    }

    /// The latest uptime that an answer carries.
    pub(crate) fn uptime_ms(&self) -> u64 {
        self.by_age.last().map_or(0, |(uptime_ms, _)| *uptime_ms)
    }

    /// What is known about a number and still counts. Its age is counted on both clocks,
    /// and the higher count holds: a wall clock that is set back keeps no answer for ever,
    /// and neither does a daemon that was not running.
    pub(crate) fn fresh(
        &self,
        number: &Number,
        config: &CoreConfig,
        now: Now,
        uptime_ms: u64,
    ) -> Option<&KnownNumber> {
        let known = self.known.get(number)?;
        let keeps = if known.on_network { config.yes_for_ms } else { config.no_for_ms };
        (age(known, now, uptime_ms) < keeps).then_some(known)
    }

    /// Takes an answer in. Answers which number had to make room.
    pub(crate) fn learn(
        &mut self,
        number: Number,
        on_network: bool,
        source: KnownBy,
        now: Now,
        uptime_ms: u64,
    ) -> Option<Number> {
        self.doubts.remove(&number);
        let asked_at = now.wall_ms;
        self.insert(KnownNumber {
            number,
            on_network,
            asked_at,
            asked_uptime_ms: uptime_ms,
            source,
        });
        if self.known.len() <= KNOWN_MAX {
            return None;
        }
        let (_, oldest) = self.by_age.first().cloned()?;
        self.remove(&oldest);
        Some(oldest)
    }

    /// Whether a device's word about its number says more than what is known.
    pub(crate) fn is_news(&self, number: &Number, now: Now, uptime_ms: u64) -> bool {
        self.known.get(number).is_none_or(|known| {
            !known.on_network || age(known, now, uptime_ms) >= RECEIPT_RENEWS_MS
        })
    }

    /// Forgets what is known, and what is being asked: the next answer has to come from a
    /// question that follows. Answers whether there was a record.
    pub(crate) fn forget(&mut self, number: &Number) -> bool {
        self.doubts.remove(number);
        if let Some(query) = &mut self.query {
            query.numbers.remove(number);
        }
        self.remove(number)
    }

    /// The network answered a question and passed this number over.
    pub(crate) fn passed_over(&mut self, number: &Number, config: &CoreConfig, now: Now) {
        self.doubts.retain(|_, doubt| doubt.forgotten > now.mono_ms);
        let failures = self.doubts.get(number).map_or(0, |doubt| doubt.failures);
        if self.doubts.len() >= DOUBTS_MAX && failures == 0 {
            return;
        }
        let pause = doubled(config.check_backoff_first_ms, failures, config.check_backoff_cap_ms);
        let next = now.mono_ms.saturating_add(pause);
        let doubt = Doubt {
            failures: failures.saturating_add(1),
            next,
            forgotten: next.saturating_add(DOUBT_MS),
        };
        self.doubts.insert(number.clone(), doubt);
    }

    /// Whether messages to this number leave without an answer about it.
    pub(crate) fn is_waived(&self, number: &Number, now: Now) -> bool {
        self.failures >= CHECK_FAILURES_MAX
            || self.doubts.get(number).is_some_and(|doubt| {
                doubt.failures >= CHECK_FAILURES_MAX && doubt.forgotten > now.mono_ms
            })
    }

    /// When this number may be asked for, monotonic, as far as it alone matters.
    pub(crate) fn ask_at(&self, number: &Number) -> u64 {
        self.doubts.get(number).map_or(0, |doubt| doubt.next)
    }

    /// When the next question may be asked, monotonic. None: one is under way.
    pub(crate) fn free_at(&self, config: &CoreConfig) -> Option<u64> {
        if self.query.is_some() {
            return None;
        }
        let burst = config.check_every_ms.saturating_mul(CHECK_BURST - 1);
        Some(self.paced_at.saturating_sub(burst).max(self.rests_until))
    }

    /// When a failed question allows the next one, monotonic.
    pub(crate) fn rests_until(&self) -> u64 {
        self.rests_until
    }

    pub(crate) fn query(&self) -> Option<&Query> {
        self.query.as_ref()
    }

    /// Begins a question.
    pub(crate) fn ask(
        &mut self,
        numbers: BTreeSet<Number>,
        generation: u64,
        config: &CoreConfig,
        now: Now,
    ) -> CheckTicket {
        self.last_ticket = self.last_ticket.saturating_add(1);
        let ticket = CheckTicket(self.last_ticket);
        self.paced_at = self.paced_at.max(now.mono_ms).saturating_add(config.check_every_ms);
        let until = now.mono_ms.saturating_add(CHECK_ANSWER_MS_MAX);
        self.query = Some(Query { ticket, numbers, generation, until });
        ticket
    }

    /// Ends the question with this ticket, if it is the one under way.
    pub(crate) fn end(&mut self, ticket: CheckTicket) -> Option<Query> {
        self.query.take_if(|query| query.ticket == ticket)
    }

    /// A question came to something: the network answers.
    pub(crate) fn answered(&mut self) {
        self.failures = 0;
        self.failing_since = None;
        self.last_failure = None;
        self.rests_until = 0;
    }

    /// A question came to nothing: the pause before the next one doubles.
    pub(crate) fn failed(&mut self, failure: CheckFailure, config: &CoreConfig, now: Now) {
        let more = match failure.kind {
            CheckFailureKind::RateLimited => RATE_LIMIT_DOUBLINGS,
            CheckFailureKind::Refused(_)
            | CheckFailureKind::TimedOut
            | CheckFailureKind::NotConnected
            | CheckFailureKind::NotUnderstood => 0,
        };
        let times = self.failures.saturating_add(more);
        let pause = doubled(config.check_backoff_first_ms, times, config.check_backoff_cap_ms);
        let wanted = failure.retry_after_ms.unwrap_or(0).min(config.check_backoff_cap_ms);
        self.rests_until = now.mono_ms.saturating_add(pause.max(wanted));
        self.failures = self.failures.saturating_add(1);
        self.failing_since.get_or_insert(now.wall_ms);
        self.last_failure = Some(failure.kind);
    }

    pub(crate) fn last_failure(&self) -> Option<CheckFailureKind> {
        self.last_failure
    }

    /// How the checks fare.
    pub(crate) fn health(&self, config: &CoreConfig, waiting: Vec<MessageId>) -> ChecksHealth {
        let until = self.query.as_ref().map_or(0, |query| query.until);
        ChecksHealth {
            failures: self.failures,
            failing_since: self.failing_since,
            last: self.last_failure,
            next_at: self.free_at(config).unwrap_or(until),
            waived: self.failures >= CHECK_FAILURES_MAX,
            asked: self.last_ticket,
            waiting,
        }
    }
}

fn age(known: &KnownNumber, now: Now, uptime_ms: u64) -> u64 {
    let by_wall = u64::try_from(now.wall_ms.saturating_sub(known.asked_at)).unwrap_or(0);
    by_wall.max(uptime_ms.saturating_sub(known.asked_uptime_ms))
}
