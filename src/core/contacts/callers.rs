//! Callers of `phone.check` that wait for answers, each for a bounded time. Asks nobody.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::number::{CHECK_BATCH_MAX, KnownNumber, Number, Registration};
use crate::action::ActionBuffer;
use crate::event::Token;
use crate::ids::ChatId;
use crate::time::Now;
use tetherd_api::{CheckResult, CheckedNumber, Presence, Redacted, Time, call};

/// Callers that wait at a time.
pub const CHECK_CALLERS_MAX: usize = 64;
/// How long one of them waits for the network. Clients give up after 30 s.
pub const CHECK_CALLER_MS_MAX: u64 = 20_000;

/// Said of a number that the network passed over.
pub(super) const PASSED_OVER: &str = "The network gave no answer about this number.";

/// Somebody who waits for answers.
#[derive(Debug)]
pub(super) struct Caller {
    token: Token,
    /// In the order of the question.
    asked: Vec<Number>,
    answers: BTreeMap<Number, CheckedNumber>,
    open: BTreeSet<Number>,
    /// Monotonic.
    pub(super) until: u64,
}

impl Caller {
    pub(super) fn new(token: Token, asked: Vec<Number>, now: Now) -> Caller {
        let open = asked.iter().cloned().collect();
        let until = now.mono_ms.saturating_add(CHECK_CALLER_MS_MAX);
        Caller { token, asked, answers: BTreeMap::new(), open, until }
    }

    /// What is remembered answers it.
    pub(super) fn remember(&mut self, known: &KnownNumber) {
        if self.open.remove(&known.number) {
            let answer = CheckedNumber {
                number: written(&known.number),
                answer: presence(known.on_network),
                address: address_of(&known.number, known.address.as_ref(), known.lid.as_ref()),
                checked_at: Some(Time(known.asked_at)),
                cached: true,
                why: None,
            };
            self.answers.insert(known.number.clone(), answer);
        }
    }

    /// The numbers that have no answer yet.
    pub(super) fn open(&self) -> &BTreeSet<Number> {
        &self.open
    }

    /// What has no answer by now is unknown, and why.
    pub(super) fn reply(mut self, why: &str, out: &mut ActionBuffer) {
        for number in std::mem::take(&mut self.open) {
            let answer = unknown(&number, why);
            self.answers.insert(number, answer);
        }
        let numbers = self.asked.iter().filter_map(|n| self.answers.get(n).cloned()).collect();
        out.reply::<call::PhoneCheck>(self.token, Ok(CheckResult { numbers }));
    }
}

/// All of them, the first one first.
#[derive(Debug, Default)]
pub(super) struct Callers(VecDeque<Caller>);

impl Callers {
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= CHECK_CALLERS_MAX
    }

    pub(super) fn push(&mut self, caller: Caller) {
        self.0.push_back(caller);
    }

    /// When the first one has waited long enough, monotonic.
    pub(super) fn next_timeout(&self) -> Option<u64> {
        self.0.iter().map(|caller| caller.until).min()
    }

    /// Whether one of them waits for the network.
    pub(super) fn want_answers(&self) -> bool {
        self.0.iter().any(|caller| !caller.open.is_empty())
    }

    /// The numbers that wait for an answer.
    pub(super) fn open(&self) -> impl Iterator<Item = &Number> {
        self.0.iter().flat_map(|caller| &caller.open)
    }

    /// The same, each once, as many as go into one question.
    pub(super) fn wanted(&self) -> Vec<&Number> {
        let mut wanted: Vec<&Number> = Vec::new();
        for number in self.open() {
            if wanted.len() < CHECK_BATCH_MAX && !wanted.contains(&number) {
                wanted.push(number);
            }
        }
        wanted
    }

    /// Answers those of whom `why` says why they need not wait longer.
    pub(super) fn answer_where(
        &mut self,
        why: impl Fn(&Caller) -> Option<String>,
        out: &mut ActionBuffer,
    ) {
        for caller in std::mem::take(&mut self.0) {
            match why(&caller) {
                Some(why) => caller.reply(&why, out),
                None => self.0.push_back(caller),
            }
        }
    }

    /// The network said it about this number just now.
    pub(super) fn on_answer(&mut self, number: &Number, registration: &Registration, now: Now) {
        let (on_network, address) = match registration {
            Registration::Absent => (false, None),
            Registration::Present { address, lid } => {
                (true, address_of(number, address.as_ref(), lid.as_ref()))
            }
        };
        self.give(number, || CheckedNumber {
            number: written(number),
            answer: presence(on_network),
            address: address.clone(),
            checked_at: Some(Time(now.wall_ms)),
            cached: false,
            why: None,
        });
    }

    /// The network passed this number over.
    pub(super) fn on_passed_over(&mut self, number: &Number) {
        self.give(number, || unknown(number, PASSED_OVER));
    }

    fn give(&mut self, number: &Number, answer: impl Fn() -> CheckedNumber) {
        for caller in &mut self.0 {
            if caller.open.remove(number) {
                caller.answers.insert(number.clone(), answer());
            }
        }
    }
}

fn written(number: &Number) -> Redacted<String> {
    Redacted(number.written())
}

/// Where messages go instead: to another number, and for a username to its LID.
fn address_of(
    asked: &Number,
    address: Option<&Number>,
    lid: Option<&ChatId>,
) -> Option<Redacted<String>> {
    let lid = lid.filter(|_| asked.username().is_some());
    address.map(written).or_else(|| lid.map(|lid| Redacted(lid.as_str().to_owned())))
}

fn presence(on_network: bool) -> Presence {
    if on_network { Presence::OnNetwork } else { Presence::NotOnNetwork }
}

fn unknown(number: &Number, why: &str) -> CheckedNumber {
    CheckedNumber {
        number: written(number),
        answer: Presence::Unknown,
        address: None,
        checked_at: None,
        cached: false,
        why: Some(why.to_owned()),
    }
}
