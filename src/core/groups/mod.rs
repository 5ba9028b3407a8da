//! The account's groups: which there are, and whether it may send to them. Owns the network's
//! last answer, the question for it and the callers of `group.list`. One question is about all
//! groups; its answer is good until the network reports a change or the connection ends, and
//! nothing is asked at intervals. Never takes a failure for a no.

use std::collections::BTreeMap;

use crate::action::{ActionBuffer, Change, SessionCommand, Wake};
use crate::event::Token;
use crate::ids::ChatId;
use crate::time::Now;
use tetherd_api::{
    self as api, Error, ErrorKind, GROUP_NAME_CHARS_MAX, GROUPS_MAX, ReasonKind, Redacted, Time,
    call,
};

mod kept;
mod names;

pub use kept::{GroupName, GroupNames};
pub use names::find_by_name;

/// Least time between two questions, in milliseconds: a busy group reports many changes.
const ASK_PAUSE_MS: u64 = 2_000;
/// How long an answer may take. The session has a shorter limit of its own.
const ANSWER_MS_MAX: u64 = 30_000;
/// How long a caller waits. Clients give up after 30 s.
const CALLER_MS_MAX: u64 = 20_000;
/// Callers that wait at a time.
const CALLERS_MAX: usize = 64;
/// After so many failures in a row messages go on without an answer: the server refuses what
/// may not be sent.
const FAILURES_MAX: u32 = 3;
/// When to call again while there is no connection.
const RETRY_MS: u64 = 5_000;

/// Names a question, so that a late answer to another one changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupTicket(pub u64);

/// A group as the network describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupInfo {
    /// Its JID.
    pub chat: ChatId,
    /// Its name.
    pub name: Redacted<String>,
    /// How many members it has.
    pub size: usize,
    /// Only admins may send.
    pub announcement: bool,
    /// This account is an admin.
    pub admin: bool,
    /// The network has suspended it.
    pub suspended: bool,
    /// The community that it is part of.
    pub community: Option<ChatId>,
}

impl GroupInfo {
    /// Why this account may not send to it.
    fn why_not(&self) -> Option<ReasonKind> {
        if self.suspended {
            Some(ReasonKind::GroupSuspended)
        } else {
            (self.announcement && !self.admin).then_some(ReasonKind::NotAdmin)
        }
    }

    fn wire(&self) -> api::Group {
        let why_not = self.why_not();
        api::Group {
            jid: self.chat.as_str().into(),
            name: self.name.0.chars().take(GROUP_NAME_CHARS_MAX).collect::<String>().into(),
            size: self.size,
            may_send: why_not.is_none(),
            why_not,
            announcement: self.announcement,
            admin: self.admin,
            community: self.community.as_ref().map(|chat| chat.as_str().into()),
        }
    }
}

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

/// Where the group of a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GroupStanding {
    /// Nothing keeps the message back.
    Open,
    /// The network has to say something first.
    Asked,
    /// It takes none from this account.
    Closed(ReasonKind),
}

/// The network's last answer.
#[derive(Debug)]
struct Known {
    groups: BTreeMap<ChatId, GroupInfo>,
    /// Wall milliseconds.
    asked_at: i64,
    /// On which connection it was given; none: the network has reported a change since.
    generation: Option<u64>,
}

/// A question that is under way.
#[derive(Clone, Copy, Debug)]
struct Query {
    ticket: GroupTicket,
    generation: u64,
    /// Monotonic.
    until: u64,
}

/// A caller of `group.list` that waits.
#[derive(Clone, Copy, Debug)]
struct Caller {
    token: Token,
    wants: Wanted,
    /// Monotonic.
    until: u64,
}

/// What a caller wants of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The first groups of it, as `group.list` answers.
    Page,
    /// All of them, to look for a name; those from before a restart, if there is nothing newer.
    Names,
}

/// The groups.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    around: Surroundings,
    account: Option<Redacted<String>>,
    known: Option<Known>,
    query: Option<Query>,
    last_ticket: u64,
    /// When the last question was put, monotonic.
    asked_at: Option<u64>,
    /// In a row, on this connection.
    failures: u32,
    callers: Vec<Caller>,
    /// Whether messages wait for an answer.
    wanted: bool,
    /// Whether an answer has come that the queue has not been compared with.
    news: bool,
    /// The same, for what waits.
    news_for_waiting: bool,
    kept: GroupNames,
    /// Whether that is to be stored.
    kept_changed: bool,
}

impl Groups {
    /// Takes over what was stored for this account.
    pub(crate) fn new(account: Option<&Redacted<String>>, kept: GroupNames) -> Groups {
        Groups { account: account.cloned(), kept, ..Groups::default() }
    }

    /// Which account is paired. Another one has other groups.
    pub(crate) fn on_account(&mut self, account: Option<&Redacted<String>>) {
        if self.account.as_ref() != account {
            self.account = account.cloned();
            self.known = None;
            self.keep(GroupNames::default());
        }
    }

    fn keep(&mut self, names: GroupNames) {
        // That the same was said once more needs no record.
        if self.kept.groups != names.groups {
            self.kept = names;
            self.kept_changed = true;
        }
    }

    /// The names, if they are to be stored.
    pub(crate) fn take_changes(&mut self) -> Option<Change> {
        let changed = std::mem::take(&mut self.kept_changed);
        changed.then(|| Change::PutGroupNames(self.kept.clone()))
    }

    /// What is kept.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> &GroupNames {
        &self.kept
    }

    /// How the other components stand.
    pub(crate) fn on_surroundings(&mut self, around: Surroundings) {
        if self.around.generation != around.generation {
            self.failures = 0;
            self.asked_at = None;
        }
        self.around = around;
        if self.query.is_some_and(|query| query.generation != around.generation) {
            self.query = None;
        }
    }

    /// Whether messages wait for an answer.
    pub(crate) fn on_wanted(&mut self, wanted: bool) {
        self.wanted = wanted;
    }

    /// The network has reported a change, or somebody wants to know anew.
    pub(crate) fn on_changed(&mut self) {
        if let Some(known) = &mut self.known {
            known.generation = None;
        }
        // An answer that is under way may be from before the change.
        self.query = None;
    }

    fn current(&self) -> Option<&Known> {
        let current = |known: &&Known| known.generation == Some(self.around.generation);
        self.known.as_ref().filter(current)
    }

    /// Where the group of a message stands.
    pub(crate) fn standing(&self, chat: &ChatId) -> GroupStanding {
        let Some(known) = self.current() else {
            let waived = self.failures >= FAILURES_MAX;
            return if waived { GroupStanding::Open } else { GroupStanding::Asked };
        };
        match known.groups.get(chat).map(GroupInfo::why_not) {
            Some(None) => GroupStanding::Open,
            Some(Some(reason)) => GroupStanding::Closed(reason),
            None => GroupStanding::Closed(ReasonKind::NotInGroup),
        }
    }

    /// `group.list`.
    pub(crate) fn on_list(
        &mut self,
        token: Token,
        (fresh, wants): (bool, Wanted),
        out: &mut ActionBuffer,
        now: Now,
    ) {
        if fresh && self.query.is_none() {
            self.on_changed();
        }
        let waits = self.around.can_send && !self.around.draining && self.current().is_none();
        if !waits || self.callers.len() >= CALLERS_MAX {
            return out.reply::<call::GroupList>(token, self.answer(wants));
        }
        let until = now.mono_ms.saturating_add(CALLER_MS_MAX);
        self.callers.push(Caller { token, wants, until });
    }

    /// The last answer, or why there is none.
    fn answer(&self, wants: Wanted) -> Result<api::GroupListResult, Error> {
        let unknown = || {
            let sentence = "the groups are not known: the network has not said them yet";
            Error::new(ErrorKind::WrongState, sentence)
                .remedy("`tetherctl why` says whether there is a connection; then call again")
                .retry_after_ms(RETRY_MS)
        };
        let Some(known) = self.known.as_ref() else {
            let kept = wants == Wanted::Names && !self.kept.groups.is_empty();
            return if kept { Ok(self.kept.list()) } else { Err(unknown()) };
        };
        let most = match wants {
            Wanted::Page => GROUPS_MAX,
            Wanted::Names => usize::MAX,
        };
        let mut groups: Vec<&GroupInfo> = known.groups.values().collect();
        groups.sort_by(|a, b| (&a.name.0, &a.chat).cmp(&(&b.name.0, &b.chat)));
        Ok(api::GroupListResult {
            groups: groups.into_iter().take(most).map(GroupInfo::wire).collect(),
            total: known.groups.len(),
            asked_at: Time(known.asked_at),
            current: self.current().is_some(),
        })
    }

    /// The session reports what a question came to; none: there was no answer. One that nobody
    /// waits for any more changes nothing.
    pub(crate) fn on_answer(
        &mut self,
        ticket: GroupTicket,
        groups: Option<Vec<GroupInfo>>,
        out: &mut ActionBuffer,
        now: Now,
    ) {
        let Some(query) = self.query.filter(|query| query.ticket == ticket) else { return };
        self.query = None;
        let Some(groups) = groups else { return self.failed(out) };
        self.failures = 0;
        (self.news, self.news_for_waiting) = (true, true);
        let groups: BTreeMap<ChatId, GroupInfo> =
            groups.into_iter().map(|group| (group.chat.clone(), group)).collect();
        self.keep(GroupNames::of(groups.values(), now.wall_ms));
        self.known =
            Some(Known { groups, asked_at: now.wall_ms, generation: Some(query.generation) });
        self.answer_callers(out);
    }

    fn failed(&mut self, out: &mut ActionBuffer) {
        self.query = None;
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES_MAX {
            self.answer_callers(out);
        }
    }

    fn answer_callers(&mut self, out: &mut ActionBuffer) {
        for caller in std::mem::take(&mut self.callers) {
            out.reply::<call::GroupList>(caller.token, self.answer(caller.wants));
        }
    }

    /// Whether an answer has come with which the queue has not been compared.
    pub(crate) fn has_news(&self) -> bool {
        self.news
    }

    /// The same for what waits, once.
    pub(crate) fn take_news_for_waiting(&mut self) -> bool {
        std::mem::take(&mut self.news_for_waiting)
    }

    /// What it makes possible is put back.
    pub(crate) fn on_put_back(&mut self) {
        self.news = false;
    }

    /// Ends waits that are over, and asks if it is time to.
    pub(crate) fn on_time(&mut self, out: &mut ActionBuffer, now: Now) {
        if self.query.is_some_and(|query| query.until <= now.mono_ms) {
            self.failed(out);
        }
        let over = |caller: &Caller| caller.until <= now.mono_ms;
        let gone = !self.around.can_send || self.around.draining;
        for caller in std::mem::take(&mut self.callers) {
            if gone || over(&caller) {
                out.reply::<call::GroupList>(caller.token, self.answer(caller.wants));
            } else {
                self.callers.push(caller);
            }
        }
        if self.ask_at().is_some_and(|at| at <= now.mono_ms) {
            self.last_ticket = self.last_ticket.saturating_add(1);
            let ticket = GroupTicket(self.last_ticket);
            let until = now.mono_ms.saturating_add(ANSWER_MS_MAX);
            self.query = Some(Query { ticket, generation: self.around.generation, until });
            self.asked_at = Some(now.mono_ms);
            out.command(SessionCommand::ListGroups { ticket });
        }
    }

    /// When the network is to be asked, monotonic; none: nobody wants to know, or it is
    /// being asked.
    fn ask_at(&self) -> Option<u64> {
        let may = self.around.can_send && !self.around.draining && self.query.is_none();
        let messages = self.wanted && self.failures < FAILURES_MAX;
        let wanted = messages || !self.callers.is_empty();
        let pause = |at: u64| at.saturating_add(ASK_PAUSE_MS);
        (may && wanted && self.current().is_none()).then(|| self.asked_at.map_or(0, pause))
    }

    /// Whether the network is being asked.
    pub(crate) fn is_asking(&self) -> bool {
        self.query.is_some()
    }

    /// When time alone brings something about, monotonic, and what.
    pub(crate) fn poll_timeout(&self) -> Option<(u64, Wake)> {
        let callers = self.callers.iter().map(|caller| caller.until).min();
        let next = [self.ask_at(), self.query.map(|query| query.until), callers];
        next.into_iter().flatten().min().map(|at| (at, Wake::Groups))
    }
}
