//! Who is on the network, and which chats are no new contacts. Owns what the network said
//! about numbers, the questions to it, and the callers of `phone.check`. Sends no message,
//! and never takes a failure for a no.

use std::collections::BTreeSet;

use crate::action::{ActionBuffer, Change, SessionCommand, Wake};
use crate::facts::Facts;
use crate::ids::ChatId;
use crate::time::{BootId, Now, Uptime};
use tetherd_api::Redacted;

mod budget;
mod cache;
mod callers;
mod check;
mod config;
mod known_chats;
mod lookup;
mod number;
mod people;
mod username_keys;

pub use budget::SpentHour;
pub use callers::{CHECK_CALLER_MS_MAX, CHECK_CALLERS_MAX};
pub use config::ContactsConfig;
pub use known_chats::{KnownChat, KnownPage, PAGE_CHATS_MAX, PAGES_MAX};
pub(crate) use lookup::CheckTrouble;
pub use number::{
    CHECK_BATCH_MAX, CheckFailure, CheckFailureKind, CheckOutcome, CheckTicket, KnownBy,
    KnownNumber, Number, Registration,
};
pub use username_keys::UsernameKey;

use budget::Budget;
use cache::NumberCache;
use callers::Callers;
use known_chats::KnownChats;
use lookup::Lookup;
use username_keys::UsernameKeys;

/// Places in a question that callers have while messages want all of them.
const CALLERS_SHARE: usize = 10;

const _: () = assert!(CALLERS_SHARE < CHECK_BATCH_MAX);

/// What this component has to know of the others. Given before it decides.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Surroundings {
    /// The connection's number.
    pub(crate) generation: u64,
    /// Whether something can be sent on it.
    pub(crate) can_send: bool,
    /// Whether the daemon goes down.
    pub(crate) draining: bool,
}

/// Where the recipient of a message stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing has to be asked.
    Settled,
    /// The network said that it does not know the number.
    Absent,
    /// The network has to say something first.
    Asked(Number),
    /// The network is asked, but messages need not wait for what it says.
    Waived(Number),
}

/// Numbers and chats.
#[derive(Debug)]
pub(crate) struct Contacts {
    config: ContactsConfig,
    now: Now,
    around: Surroundings,
    /// When the next message wants the network to be asked, monotonic.
    wanted_at: Option<u64>,
    account: Option<Redacted<String>>,
    /// The account's own number.
    own: Option<Number>,
    cache: NumberCache,
    keys: UsernameKeys,
    budget: Budget,
    lookup: Lookup,
    callers: Callers,
    chats: KnownChats,
    /// Pages of known chats that changed.
    changed_pages: Vec<Change>,
}

impl Contacts {
    /// Takes over what was stored.
    pub(crate) fn new(
        config: ContactsConfig,
        numbers: Vec<KnownNumber>,
        pages: Vec<KnownPage>,
        facts: &Facts,
        (boot, uptime): (BootId, Uptime),
        now: Now,
    ) -> Contacts {
        let budget = Budget::new(config.per_day, &facts.checks, boot, now);
        Contacts {
            config,
            now,
            around: Surroundings::default(),
            wanted_at: None,
            account: None,
            own: None,
            cache: NumberCache::new(numbers, uptime),
            keys: UsernameKeys::new(facts.username_keys.clone()),
            budget,
            lookup: Lookup::default(),
            callers: Callers::default(),
            chats: KnownChats::new(pages),
            changed_pages: Vec::new(),
        }
    }

    /// Takes another configuration.
    pub(crate) fn set_config(&mut self, config: &ContactsConfig) {
        self.config = config.clone();
        self.budget.set_limit(config.per_day);
    }

    /// Which account is paired.
    pub(crate) fn on_account(&mut self, account: Option<&Redacted<String>>) {
        if self.account.as_ref() != account {
            self.account = account.cloned();
            self.own = account.and_then(|jid| Number::of_jid(jid));
        }
    }

    /// How the other components stand.
    pub(crate) fn on_surroundings(&mut self, around: Surroundings, now: Now) {
        self.around = around;
        self.now = now;
    }

    /// When the next message wants the network to be asked, monotonic.
    pub(crate) fn on_wanted(&mut self, at: Option<u64>) {
        self.wanted_at = at;
    }

    /// What messages to this chat have to wait for.
    pub(crate) fn standing(&self, chat: &ChatId) -> Standing {
        let Some(number) = self.to_check(chat) else { return Standing::Settled };
        // Nothing can be sent to a username: only its LID says where.
        let waived = number.username().is_none() && self.lookup.is_waived(&number, self.now);
        match self.fresh(&number).map(|known| known.on_network) {
            Some(true) => Standing::Settled,
            Some(false) => Standing::Absent,
            None if waived => Standing::Waived(number),
            None => Standing::Asked(number),
        }
    }

    /// The chat under the address that the network has for a person's number, where that is
    /// another one than the number itself; for a username, under its LID.
    pub(crate) fn address(&self, chat: &ChatId) -> Option<ChatId> {
        let number = Number::of(chat)?;
        match number.username() {
            Some(_) => self.cache.lid(&number).cloned(),
            None => Some(self.cache.address(&number)?.chat()),
        }
    }

    /// The number of a chat, if messages to it wait for what the network says about it.
    fn to_check(&self, chat: &ChatId) -> Option<Number> {
        if !self.config.check_recipients && !chat.is_username() {
            return None;
        }
        Number::of(chat).filter(|number| self.own.as_ref() != Some(number))
    }

    fn fresh(&self, number: &Number) -> Option<&KnownNumber> {
        let ContactsConfig { yes_for_ms, no_for_ms, .. } = self.config;
        self.cache.fresh(number, yes_for_ms, no_for_ms, self.now)
    }

    /// When this number may be asked for, monotonic, as far as it alone matters.
    pub(crate) fn ask_at(&self, number: &Number) -> u64 {
        self.lookup.ask_at(number)
    }

    /// Ends what took too long, and answers who waited long enough.
    pub(crate) fn on_time(&mut self, out: &mut ActionBuffer, now: Now) {
        self.now = now;
        if let Some((ticket, kind)) = self.dead_query() {
            self.on_checked(ticket, CheckOutcome::Failed(kind.into()), out, now);
        }
        let mut callers = std::mem::take(&mut self.callers);
        callers.answer_where(|caller| self.why_not_later(caller), out);
        self.callers = callers;
    }

    /// The question under way, if no answer comes any more.
    fn dead_query(&self) -> Option<(CheckTicket, CheckFailureKind)> {
        let query = self.lookup.query()?;
        if query.generation != self.around.generation || !self.around.can_send {
            Some((query.ticket, CheckFailureKind::NotConnected))
        } else if query.until <= self.now.mono_ms {
            Some((query.ticket, CheckFailureKind::TimedOut))
        } else {
            None
        }
    }

    /// When something here changes by time alone, or the network is to be asked, monotonic.
    pub(crate) fn poll_timeout(&self) -> Option<(u64, Wake)> {
        let next = [self.ask_next_at(), self.callers.next_timeout()];
        next.into_iter().flatten().min().map(|at| (at, Wake::Check))
    }

    /// When the network is to be asked; none: nobody wants to know. While it is asked, when
    /// that has taken too long.
    fn ask_next_at(&self) -> Option<u64> {
        if let Some(query) = self.lookup.query() {
            return Some(query.until);
        }
        if !self.around.can_send || self.around.draining {
            return None;
        }
        let free = self.lookup.free_at(&self.config)?;
        let for_callers = self.callers.want_answers().then_some(0);
        let wanted = self.wanted_at.into_iter().chain(for_callers).min()?;
        Some(wanted.max(free))
    }

    /// Whether it is time for a question.
    pub(crate) fn is_due(&self, now: Now) -> bool {
        self.lookup.query().is_none() && self.ask_next_at().is_some_and(|at| at <= now.mono_ms)
    }

    /// Whether the network is being asked.
    pub(crate) fn is_asking(&self) -> bool {
        self.lookup.query().is_some()
    }

    /// Asks about as many as go into one question: first those that messages wait for, but
    /// never so many that callers get no place.
    pub(crate) fn ask(&mut self, for_messages: Vec<Number>, out: &mut ActionBuffer, now: Now) {
        let for_callers = self.callers.wanted();
        let room = CHECK_BATCH_MAX - for_callers.len().min(CALLERS_SHARE);
        let mut numbers: BTreeSet<Number> = for_messages.into_iter().take(room).collect();
        let mut left = self.budget.left(now);
        for number in for_callers {
            if numbers.len() < CHECK_BATCH_MAX && left > 0 && numbers.insert(number.clone()) {
                left -= 1;
            }
        }
        if numbers.is_empty() {
            return;
        }
        let spent = self.budget.left(now).saturating_sub(left);
        if spent > 0 {
            self.budget.spend(spent, now);
            out.save_facts();
        }
        let generation = self.around.generation;
        let ticket = self.lookup.ask(numbers.clone(), generation, &self.config, now);
        let keys = self.keys.of(numbers.iter());
        let numbers = numbers.into_iter().collect();
        out.command(SessionCommand::CheckNumbers { ticket, numbers, keys });
    }

    /// The session reports what a question came to. One that nobody waits for any more
    /// changes nothing.
    pub(crate) fn on_checked(
        &mut self,
        ticket: CheckTicket,
        outcome: CheckOutcome,
        out: &mut ActionBuffer,
        now: Now,
    ) {
        let Some(query) = self.lookup.end(ticket) else { return };
        match outcome {
            CheckOutcome::Answered(answers) => {
                self.lookup.answered();
                let mut open = query.numbers;
                for (number, registration) in answers {
                    if open.remove(&number) {
                        let source = self.source_of(&number, &registration, out);
                        self.learn(number, registration, source, now);
                    }
                }
                for number in open {
                    self.lookup.passed_over(&number, &self.config, now);
                    self.callers.on_passed_over(&number);
                }
            }
            CheckOutcome::Failed(failure) => self.lookup.failed(failure, &self.config, now),
        }
    }

    fn learn(&mut self, number: Number, registration: Registration, source: KnownBy, now: Now) {
        self.lookup.settle(&number);
        self.callers.on_answer(&number, &registration, now);
        self.cache.learn(number, registration, source, now);
    }

    /// A device in this chat has a message: its number is on the network. Stored only where
    /// it says more than what is known, in the batch that the receipt costs anyway.
    pub(crate) fn on_receipt(&mut self, chat: &ChatId, now: Now) {
        if let Some(number) = Number::of(chat)
            && self.config.check_recipients
            && self.cache.is_news(&number, now)
        {
            let address = self.cache.address(&number).cloned();
            let lid = self.cache.lid(&number).cloned();
            let registration = Registration::Present { address, lid };
            self.learn(number, registration, KnownBy::Receipt, now);
        }
    }

    /// What was known about this chat's number has to be asked for again; what took a key that
    /// is no longer kept cannot be.
    pub(crate) fn forget(&mut self, chat: &ChatId) {
        if let Some(number) = Number::of(chat).filter(|number| !self.cache.took_a_key(number)) {
            self.lookup.forget(&number);
            self.cache.forget(&number);
        }
    }

    /// What callers have spent, to be stored.
    pub(crate) fn spent(&self) -> Vec<SpentHour> {
        self.budget.stored()
    }

    /// What is wrong with the questions to the network, if the last one came to nothing.
    pub(crate) fn trouble(&self) -> Option<CheckTrouble> {
        self.lookup.trouble()
    }

    /// Whether this chat is no new contact to the network.
    pub(crate) fn is_known(&self, chat: &ChatId) -> bool {
        let Some(account) = self.account.as_deref() else { return false };
        let now = self.now.wall_ms;
        self.names(chat).iter().any(|name| self.chats.is_known(account, name, now))
    }

    /// This chat's person wrote, or gave a privacy token, at this time.
    pub(crate) fn on_contact(&mut self, chat: &ChatId, at_wall_ms: i64) {
        if let Some(account) = self.account.as_deref() {
            self.changed_pages.extend(self.chats.note(account, chat, at_wall_ms));
        }
    }

    /// What is to be stored.
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        let numbers = self.cache.take_changes().into_iter().map(|(number, known)| match known {
            Some(known) => Change::PutNumber(known),
            None => Change::RemoveNumber { number },
        });
        numbers.chain(std::mem::take(&mut self.changed_pages)).collect()
    }

    #[cfg(test)]
    pub(crate) fn records(&self) -> impl Iterator<Item = &KnownNumber> {
        self.cache.records()
    }
}
