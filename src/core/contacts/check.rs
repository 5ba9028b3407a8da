//! `phone.check`: from memory, from the network, or refused when the day's budget is spent.
//! Asks nothing itself: a caller waits for the component's next question.

use std::collections::BTreeSet;

use super::Contacts;
use super::callers::Caller;
use super::number::{CheckFailureKind, KnownBy, KnownNumber, Number};
use crate::action::ActionBuffer;
use crate::event::Token;
use crate::explain;
use crate::time::Now;
use tetherd_api::{Error, ErrorKind};

impl Contacts {
    /// `phone.check`: answered from what is remembered where that counts, otherwise once
    /// the network has said it, within bounded time.
    pub(crate) fn on_check(
        &mut self,
        token: Token,
        numbers: Vec<Number>,
        fresh: bool,
        out: &mut ActionBuffer,
        now: Now,
    ) {
        self.now = now;
        let mut caller = Caller::new(token, numbers, now);
        let known = caller.open().iter().filter_map(|number| self.fresh(number));
        // Without its key, which is not kept, a username cannot be asked for again.
        let known = known.filter(|known| !fresh || known.source == KnownBy::Key);
        for known in known.cloned().collect::<Vec<KnownNumber>>() {
            caller.remember(&known);
        }
        if !caller.open().is_empty() && self.callers.is_full() {
            return caller.reply("Too many checks wait already; ask again.", out);
        }
        if !caller.open().is_empty()
            && self.around.can_send
            && let Err(error) = self.within_budget(&caller)
        {
            return out.refuse(token, error);
        }
        match self.why_not_later(&caller) {
            Some(why) => caller.reply(&why, out),
            None => self.callers.push(caller),
        }
    }

    /// Why a caller need not wait longer.
    pub(super) fn why_not_later(&self, caller: &Caller) -> Option<String> {
        if self.around.draining {
            return Some("The daemon is going down.".to_owned());
        }
        if !self.around.can_send {
            return Some(explain::check_failure_sentence(CheckFailureKind::NotConnected));
        }
        if caller.open().is_empty() {
            return Some(String::new());
        }
        let last = self.lookup.trouble().map(|trouble| trouble.kind);
        if caller.until <= self.now.mono_ms {
            let busy = "Other checks were ahead of it; ask again.";
            return Some(last.map_or_else(|| busy.to_owned(), explain::check_failure_sentence));
        }
        if self.lookup.query().is_none() && self.budget.left(self.now) == 0 {
            return Some(format!("{}.", self.budget_clause()));
        }
        // Nothing is asked before the caller gives up.
        last.filter(|_| self.lookup.query().is_none())
            .filter(|_| self.lookup.rests_until() >= caller.until)
            .map(explain::check_failure_sentence)
    }

    /// Whether the budget has room for a caller, those before it included.
    fn within_budget(&self, caller: &Caller) -> Result<(), Error> {
        let asked = |number: &&Number| {
            self.lookup.query().is_some_and(|query| query.numbers.contains(*number))
        };
        let mut open: BTreeSet<&Number> = self.callers.open().collect();
        open.extend(caller.open());
        open.retain(|number| !asked(number));
        let sentence = match self.budget.wait_ms(open.len(), self.now) {
            Some(0) => return Ok(()),
            Some(wait_ms) => {
                let sentence = format!("{}.", self.budget_clause());
                return Err(budget_error(sentence).retry_after_ms(wait_ms));
            }
            None => format!("{}, and this asks about {}.", self.budget_clause(), open.len()),
        };
        Err(budget_error(sentence))
    }

    fn budget_clause(&self) -> String {
        let (limit, left) = (self.budget.limit(), self.budget.left(self.now));
        format!("The network may be asked about {limit} numbers a day, and {left} are left")
    }
}

fn budget_error(sentence: String) -> Error {
    Error::new(ErrorKind::CheckBudgetSpent, sentence).remedy(
        "ask about fewer numbers: looking up numbers in bulk gets accounts banned; messages are \
         checked besides, within no budget",
    )
}
