//! Checking numbers: which messages wait for an answer, who else asked for one, when the
//! network is asked, and what follows from what it says. Never sends, and never takes a
//! failure for a no.

use std::collections::{BTreeMap, BTreeSet};

use crate::Core;
use crate::action::{Answer, Change, SessionCommand};
use crate::diagnosis::clause;
use crate::event::{SessionEvent, Token};
use crate::ids::ChatId;
use crate::number::{
    CHECK_BATCH_MAX, CheckFailure, CheckFailureKind, CheckOutcome, CheckTicket, KnownBy,
    KnownNumber, Number,
};
use crate::numbers::ChecksHealth;
use crate::queue::Message;
use crate::time::Now;
use tetherd_api::{
    self as api, CheckResult, CheckedNumber, MessageId, Presence, Reason, ReasonKind, State, Time,
};

/// Callers of `phone.check` that wait at a time.
pub const CHECK_CALLERS_MAX: usize = 64;
/// How long one of them waits for the network. Clients give up after 30 s.
pub const CHECK_CALLER_MS_MAX: u64 = 20_000;
/// Places in a question that callers have while messages want all of them.
const CALLERS_SHARE: usize = 10;
/// The network is asked about messages only while fewer than this many others could leave
/// without that: those behind them are asked about later, many at once.
const READY_AHEAD: usize = 10;

const _: () = assert!(CALLERS_SHARE < CHECK_BATCH_MAX && api::CHECK_NUMBERS_MAX > 0);

/// Somebody who waits for answers.
#[derive(Debug)]
pub(crate) struct Caller {
    token: Token,
    /// In the order of the question.
    asked: Vec<Number>,
    answers: BTreeMap<Number, CheckedNumber>,
    open: BTreeSet<Number>,
    /// Monotonic.
    until: u64,
}

impl Core {
    // What keeps one message back.

    /// When nothing about the recipient's number keeps the message back; none: an answer
    /// has to come first.
    pub(crate) fn number_gate(&self, message: &Message) -> Option<u64> {
        let Some(number) = self.unsettled(message) else { return Some(0) };
        let said_no = self.known_now(&number).is_some_and(|known| !known.on_network);
        (!said_no && self.numbers.is_waived(&number, self.now)).then_some(0)
    }

    /// The number of a waiting message that the network has not said yes about.
    fn unsettled(&self, message: &Message) -> Option<Number> {
        if !self.config.check_numbers || message.state != State::Queued {
            return None;
        }
        let number = Number::of(&message.to)?;
        let ours = self.facts.account.as_deref().and_then(Number::of_jid);
        if ours.as_ref() == Some(&number) {
            return None;
        }
        let yes = self.known_now(&number).is_some_and(|known| known.on_network);
        (!yes).then_some(number)
    }

    fn known_now(&self, number: &Number) -> Option<&KnownNumber> {
        self.numbers.fresh(number, &self.config, self.now, self.queue.uptime_ms())
    }

    // What time brings about.

    /// Ends what took too long, answers who waited long enough, and parks what is known
    /// to lead nowhere.
    pub(crate) fn pass_check_time(&mut self, now: Now) {
        if let Some((ticket, kind)) = self.dead_query(now) {
            self.checked(ticket, CheckOutcome::Failed(kind.into()), now);
        }
        let callers = std::mem::take(&mut self.callers);
        for caller in callers {
            match self.why_not_later(&caller, now) {
                Some(why) => self.answer_caller(caller, &why),
                None => self.callers.push_back(caller),
            }
        }
        self.park_absent(now);
    }

    /// The question under way, if no answer comes any more.
    fn dead_query(&self, now: Now) -> Option<(CheckTicket, CheckFailureKind)> {
        let query = self.numbers.query()?;
        if query.generation != self.link.generation || !self.link.can_send() {
            Some((query.ticket, CheckFailureKind::NotConnected))
        } else if query.until <= now.mono_ms {
            Some((query.ticket, CheckFailureKind::TimedOut))
        } else {
            None
        }
    }

    /// Why a caller need not wait longer.
    fn why_not_later(&self, caller: &Caller, now: Now) -> Option<String> {
        if self.draining {
            return Some("The daemon is going down.".to_owned());
        }
        if !self.link.can_send() {
            return Some(CheckFailureKind::NotConnected.sentence());
        }
        if caller.open.is_empty() {
            return Some(String::new());
        }
        let last = self.numbers.last_failure();
        if caller.until <= now.mono_ms {
            let busy = "Other checks were ahead of it; ask again.";
            return Some(last.map_or_else(|| busy.to_owned(), CheckFailureKind::sentence));
        }
        // Nothing is asked before the caller gives up.
        last.filter(|_| self.numbers.query().is_none())
            .filter(|_| self.numbers.rests_until() >= caller.until)
            .map(CheckFailureKind::sentence)
    }

    /// Parks every message whose turn it would be and whose number is not on the network,
    /// before anything of it leaves.
    fn park_absent(&mut self, now: Now) {
        if !self.config.check_numbers {
            return;
        }
        loop {
            let absent = |message: &&Message| {
                let number = self.unsettled(message);
                number.is_some_and(|n| self.known_now(&n).is_some_and(|known| !known.on_network))
            };
            let ids: Vec<MessageId> = self.queue.heads().filter(absent).map(|m| m.id).collect();
            if ids.is_empty() {
                return;
            }
            for id in ids {
                let reason = Reason::new(ReasonKind::NotOnNetwork);
                let done = self.queue.change(id, |m| m.set_aside(reason, now.wall_ms));
                debug_assert!(matches!(done, Some(Ok(()))), "only queued ones are set aside");
                self.settle_message(id, now);
            }
        }
    }

    // Asking.

    /// When the network is to be asked, monotonic; none: nobody wants to know, or an
    /// answer is on its way.
    pub(crate) fn next_check(&self) -> Option<u64> {
        if let Some(query) = self.numbers.query() {
            return Some(query.until);
        }
        if !self.link.can_send() || self.draining {
            return None;
        }
        let free = self.numbers.free_at(&self.config)?;
        let wanted = self.urgent_at().into_iter().chain(self.callers_at()).min()?;
        Some(wanted.max(free))
    }

    /// When a caller has waited long enough, monotonic.
    pub(crate) fn caller_timeout(&self) -> Option<u64> {
        self.callers.iter().map(|caller| caller.until).min()
    }

    fn callers_at(&self) -> Option<u64> {
        self.callers.iter().any(|caller| !caller.open.is_empty()).then_some(0)
    }

    /// When a message that could be among the next to leave wants to be asked about.
    fn urgent_at(&self) -> Option<u64> {
        if !self.config.check_numbers || !self.may_dispatch() {
            return None;
        }
        let (mut ready, mut earliest) = (0, None::<u64>);
        for head in self.queue.heads() {
            if let Some(number) = self.unsettled(head) {
                let at = self.numbers.ask_at(&number);
                earliest = Some(earliest.map_or(at, |before| before.min(at)));
            }
            if self.could_leave(head) {
                ready += 1;
            }
            if ready >= READY_AHEAD {
                break;
            }
        }
        earliest
    }

    /// Asks, if it is time to.
    pub(crate) fn ask_about_numbers(&mut self, now: Now) {
        let due = self.numbers.query().is_none();
        if !due || self.next_check().is_none_or(|at| at > now.mono_ms) {
            return;
        }
        let numbers = self.worth_asking(now);
        if numbers.is_empty() {
            return;
        }
        let generation = self.link.generation;
        let ticket = self.numbers.ask(numbers.clone(), generation, &self.config, now);
        let numbers = numbers.into_iter().collect();
        self.command(SessionCommand::CheckNumbers { ticket, numbers });
    }

    /// As many as go into one question: first those that messages wait for, but never so
    /// many that callers get no place.
    fn worth_asking(&self, now: Now) -> BTreeSet<Number> {
        let mut for_callers: Vec<&Number> = Vec::new();
        for number in self.callers.iter().flat_map(|caller| &caller.open) {
            if for_callers.len() < CHECK_BATCH_MAX && !for_callers.contains(&number) {
                for_callers.push(number);
            }
        }
        let room = CHECK_BATCH_MAX - for_callers.len().min(CALLERS_SHARE);
        let mut numbers: BTreeSet<Number> = BTreeSet::new();
        if self.may_dispatch() {
            let unsettled = self.queue.heads().filter_map(|head| self.unsettled(head));
            let askable = unsettled.filter(|n| self.numbers.ask_at(n) <= now.mono_ms);
            numbers.extend(askable.take(room));
        }
        for number in for_callers {
            if numbers.len() < CHECK_BATCH_MAX {
                numbers.insert(number.clone());
            }
        }
        numbers
    }

    // Answers.

    /// The session reports what a question came to. One that nobody waits for any more
    /// changes nothing.
    pub(crate) fn check_event(&mut self, event: SessionEvent, now: Now) {
        if let SessionEvent::Checked { ticket, outcome } = event {
            self.checked(ticket, outcome, now);
        }
    }

    fn checked(&mut self, ticket: CheckTicket, outcome: CheckOutcome, now: Now) {
        let Some(query) = self.numbers.end(ticket) else { return };
        match outcome {
            CheckOutcome::Answered(answers) => {
                self.numbers.answered();
                let mut open = query.numbers;
                for (number, on_network) in answers {
                    if open.remove(&number) {
                        self.learn(number, on_network, KnownBy::Check, now);
                    }
                }
                for number in open {
                    self.numbers.passed_over(&number, &self.config, now);
                    self.tell_callers(&number, || unknown(&number, PASSED_OVER));
                }
            }
            CheckOutcome::Failed(failure) => self.check_failed(failure, now),
        }
    }

    fn check_failed(&mut self, failure: CheckFailure, now: Now) {
        self.numbers.failed(failure, &self.config, now);
    }

    fn learn(&mut self, number: Number, on_network: bool, source: KnownBy, now: Now) {
        let uptime_ms = self.queue.uptime_ms();
        let gone = self.numbers.learn(number.clone(), on_network, source, now, uptime_ms);
        self.out.numbers.extend(gone);
        self.out.numbers.insert(number.clone());
        let answer = CheckedNumber {
            number: format!("+{}", number.digits()),
            answer: if on_network { Presence::OnNetwork } else { Presence::NotOnNetwork },
            checked_at: Some(Time(now.wall_ms)),
            cached: false,
            why: None,
        };
        self.tell_callers(&number, || answer.clone());
    }

    /// A device with this number has the message: it is on the network. Written only where
    /// it says more than what is known, in the batch that the receipt costs anyway.
    pub(crate) fn number_answered(&mut self, chat: &ChatId, now: Now) {
        if let Some(number) = Number::of(chat)
            && self.config.check_numbers
            && self.numbers.is_news(&number, now, self.queue.uptime_ms())
        {
            self.learn(number, true, KnownBy::Receipt, now);
        }
    }

    /// What was known about this chat's number has to be asked for again.
    pub(crate) fn doubt_number(&mut self, chat: &ChatId) {
        if let Some(number) = Number::of(chat)
            && self.numbers.forget(&number)
        {
            self.out.numbers.insert(number);
        }
    }

    // Callers.

    /// `phone.check`: from what is remembered where that counts, otherwise once the
    /// network has said it, within bounded time.
    pub(crate) fn check(&mut self, token: Token, asked: Vec<Number>, renew: bool, now: Now) {
        let until = now.mono_ms.saturating_add(CHECK_CALLER_MS_MAX);
        let (answers, open) = (BTreeMap::new(), BTreeSet::new());
        let mut caller = Caller { token, asked, answers, open, until };
        for number in &caller.asked {
            match self.known_now(number).filter(|_| !renew) {
                Some(known) => {
                    caller.answers.insert(number.clone(), remembered(known));
                }
                None => {
                    caller.open.insert(number.clone());
                }
            }
        }
        if !caller.open.is_empty() && self.callers.len() >= CHECK_CALLERS_MAX {
            return self.answer_caller(caller, "Too many checks wait already; ask again.");
        }
        match self.why_not_later(&caller, now) {
            Some(why) => self.answer_caller(caller, &why),
            None => self.callers.push_back(caller),
        }
    }

    fn tell_callers(&mut self, number: &Number, answer: impl Fn() -> CheckedNumber) {
        for caller in &mut self.callers {
            if caller.open.remove(number) {
                caller.answers.insert(number.clone(), answer());
            }
        }
    }

    /// What has no answer by now is unknown, and why.
    fn answer_caller(&mut self, mut caller: Caller, why: &str) {
        for number in std::mem::take(&mut caller.open) {
            let answer = unknown(&number, why);
            caller.answers.insert(number, answer);
        }
        let numbers = caller.asked.iter().filter_map(|n| caller.answers.get(n).cloned()).collect();
        self.reply(caller.token, Ok(Answer::Checked(CheckResult { numbers })));
    }

    // For those who explain.

    /// How the checks fare, and which messages wait for one.
    pub fn checks(&self) -> ChecksHealth {
        let waits = |m: &&Message| m.state == State::Queued && self.number_gate(m).is_none();
        let waiting = self.queue.heads().filter(waits).map(|m| m.id).collect();
        self.numbers.health(&self.config, waiting)
    }

    /// Whether it is the network's word on numbers that messages wait for: nothing else
    /// holds all of them, and it is being asked, or about to be.
    pub(crate) fn checks_hold_up(&self) -> bool {
        self.may_dispatch() && (self.numbers.query().is_some() || self.urgent_at().is_some())
    }

    /// Why the last question came to nothing, as a clause; none: it did not.
    pub(crate) fn why_unchecked(&self) -> Option<String> {
        self.numbers.last_failure().map(|kind| clause(&kind.sentence()))
    }

    /// What the network said about a chat's number, whether or not it still counts.
    pub fn known_number(&self, chat: &ChatId) -> Option<&KnownNumber> {
        self.numbers.record(&Number::of(chat)?)
    }
}

const PASSED_OVER: &str = "The network gave no answer about this number.";

fn unknown(number: &Number, why: &str) -> CheckedNumber {
    CheckedNumber {
        number: format!("+{}", number.digits()),
        answer: Presence::Unknown,
        checked_at: None,
        cached: false,
        why: Some(why.to_owned()),
    }
}

fn remembered(known: &KnownNumber) -> CheckedNumber {
    CheckedNumber {
        number: format!("+{}", known.number.digits()),
        answer: if known.on_network { Presence::OnNetwork } else { Presence::NotOnNetwork },
        checked_at: Some(Time(known.asked_at)),
        cached: true,
        why: None,
    }
}

/// The stored form of what changed.
pub(crate) fn changes(
    changed: BTreeSet<Number>,
    numbers: &crate::numbers::Numbers,
) -> impl Iterator<Item = Change> {
    changed.into_iter().map(|number| match numbers.record(&number) {
        Some(known) => Change::PutNumber(known.clone()),
        None => Change::RemoveNumber { number },
    })
}
