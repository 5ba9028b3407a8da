//! Whose session it is, what the server holds against the account or this client, and how
//! soon a login is tried again all the same. Knows no connection.

use crate::account_names::AccountNames;
use crate::condition::Condition;
use crate::config::CoreConfig;
use crate::facts::Facts;
use crate::time::{Now, doubled};
use crate::trouble::{AccountTrouble, ClientExpiry, LoginTrouble, TroubleKind};
use tetherd_api::{Redacted, SessionState};

/// The pause after the first login that was refused for a lock, or for a ban without an
/// end: an hour. Where reconnects every few minutes had kept a lock alive, it was seen to end
/// after quiet hours, with keys that still worked.
pub(super) const BARRED_PAUSE_MS: u64 = 60 * 60 * 1_000;
/// The longest such pause: a day. It doubles up to that.
const BARRED_PAUSE_MS_MAX: u64 = 24 * BARRED_PAUSE_MS;
/// How long before the end of this client's version it is a condition: two weeks.
const EXPIRY_WARNING_MS: i64 = 14 * 24 * 60 * 60 * 1_000;

/// The paired account, and its trouble.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// Its number and its LID.
    names: Option<AccountNames>,
    /// What the server holds against it.
    trouble: Option<AccountTrouble>,
    /// When the next login is made in spite of it, monotonic.
    next: Option<u64>,
    /// The keys that are stored are nobody's any more: they were to be forgotten, and
    /// whether that was done is not known.
    keys_void: bool,
    /// Until when this client's version is taken.
    expiry: Option<ClientExpiry>,
}

impl Account {
    /// Takes over what was stored.
    pub(super) fn new(facts: &Facts, version: &str, now: Now) -> Account {
        let account = facts.account.as_ref();
        let trouble = facts.trouble.clone();
        let trouble = trouble
            .or_else(|| AccountTrouble::kept_before(facts.logged_out, facts.banned, account));
        // A newer client may be taken.
        let trouble = trouble.filter(|trouble| {
            trouble.kind != TroubleKind::Outdated || trouble.version.as_deref() == Some(version)
        });
        let next = trouble.as_ref().and_then(|trouble| {
            // The wall clock may have been set meanwhile: never wait longer than was due.
            let next = trouble.next?;
            let left = next.saturating_sub(now.wall_ms).min(next.saturating_sub(trouble.last));
            Some(now.mono_ms.saturating_add(u64::try_from(left).unwrap_or(0)))
        });
        let expiry = facts.client_expiry.clone().filter(|expiry| expiry.version == version);
        let names = AccountNames::of(account, facts.account_lid.as_ref());
        Account { names, trouble, next, keys_void: facts.keys_void, expiry }
    }

    /// The account goes, and its keys with it. That it is barred is still known: the same
    /// one may be linked again.
    pub(super) fn on_gone(&mut self) {
        self.names = None;
        self.keys_void = true;
        self.keep_trouble(|trouble| trouble.kind.bars_the_account());
    }

    /// This device is linked to it. A ban of this account that runs is not over for that.
    pub(super) fn on_paired(&mut self, names: AccountNames) {
        self.keep_trouble(|trouble| trouble.ends && trouble.account.as_ref() == Some(&names.jid));
        self.names = Some(names);
        self.keys_void = false;
    }

    fn keep_trouble(&mut self, keeps: impl FnOnce(&AccountTrouble) -> bool) {
        if !self.trouble.as_ref().is_some_and(keeps) {
            self.trouble = None;
            self.next = None;
        }
    }

    /// The server took a login, and says under which name it knows the account. True if
    /// anything of that is new.
    pub(super) fn on_logged_in(&mut self, mut names: AccountNames) -> bool {
        // What does not name the LID takes nothing back.
        let before = self.names.take().filter(|before| before.jid == names.jid);
        names.lid = names.lid.or_else(|| before.as_ref()?.lid.clone());
        let new = before.as_ref() != Some(&names) || self.trouble.is_some();
        self.names = Some(names);
        self.keep_trouble(|_| false);
        new
    }

    /// The keys that are stored from now on are a pairing's. True if they were not before.
    pub(super) fn on_new_keys(&mut self) -> bool {
        std::mem::take(&mut self.keys_void)
    }

    /// The server refused a login, or ended the session for good. `enforced`: it had
    /// restricted the account just before.
    pub(super) fn on_trouble(
        &mut self,
        said: &LoginTrouble,
        enforced: bool,
        config: &CoreConfig,
        now: Now,
    ) {
        let before = self.trouble.take().filter(|before| {
            before.kind == said.kind
                && (self.names.is_none() || before.account.as_ref() == self.jid())
        });
        let refused = before.as_ref().map_or(0, |before| before.refused);
        let pause = doubled(BARRED_PAUSE_MS, refused, BARRED_PAUSE_MS_MAX);
        let pause = match said.kind {
            TroubleKind::Banned => Some(said.for_ms.unwrap_or(pause)),
            TroubleKind::Locked => Some(pause),
            TroubleKind::LoggedOut
            | TroubleKind::BannedForGood
            | TroubleKind::Outdated
            | TroubleKind::Declined => None,
        };
        let wall = |pause| now.wall_ms.saturating_add(i64::try_from(pause).unwrap_or(i64::MAX));
        self.next = pause.map(|pause| now.mono_ms.saturating_add(pause));
        self.trouble = Some(AccountTrouble {
            kind: said.kind,
            since: before.as_ref().map_or(now.wall_ms, |before| before.since),
            code: said.code,
            text: said.text.clone().or(before.and_then(|before| before.text)),
            account: self.jid().cloned(),
            refused: refused.saturating_add(1),
            last: now.wall_ms,
            next: pause.map(wall),
            ends: said.kind == TroubleKind::Banned && said.for_ms.is_some(),
            enforced,
            version: (said.kind == TroubleKind::Outdated).then(|| config.client_version.clone()),
        });
    }

    /// The server says until when it takes this client's version. True if that is new.
    pub(super) fn on_expiry(&mut self, at: i64, config: &CoreConfig) -> bool {
        let expiry = Some(ClientExpiry { at, version: config.client_version.clone() });
        let new = self.expiry != expiry;
        self.expiry = expiry;
        new
    }

    /// Somebody wants a try, whatever the server said before. A lock and its pace stay.
    pub(super) fn on_reconnect(&mut self, now: Now) {
        if self.trouble.as_ref().is_some_and(|trouble| trouble.kind.bars_the_account()) {
            self.next = Some(now.mono_ms);
        } else {
            self.keep_trouble(|_| false);
        }
    }

    /// Ends a ban when it is time. True if one ended.
    pub(super) fn on_time(&mut self, now: Now) -> bool {
        let over = self.ban_ends().is_some_and(|at| at <= now.mono_ms);
        if over {
            self.keep_trouble(|_| false);
        }
        over
    }

    pub(super) fn names(&self) -> Option<&AccountNames> {
        self.names.as_ref()
    }

    pub(super) fn jid(&self) -> Option<&Redacted<String>> {
        self.names().map(|names| &names.jid)
    }

    pub(super) fn trouble(&self) -> Option<&AccountTrouble> {
        self.trouble.as_ref()
    }

    /// What bars the account itself.
    pub(super) fn barred(&self) -> Option<&AccountTrouble> {
        self.trouble.as_ref().filter(|trouble| trouble.kind.bars_the_account())
    }

    pub(super) fn is_logged_out(&self) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| trouble.kind == TroubleKind::LoggedOut)
    }

    /// When the ban ends, monotonic, if the server said so.
    pub(super) fn ban_ends(&self) -> Option<u64> {
        self.next.filter(|_| self.trouble.as_ref().is_some_and(|trouble| trouble.ends))
    }

    /// When the next login is made in spite of a trouble, monotonic.
    pub(super) fn next_login(&self) -> Option<u64> {
        self.next
    }

    /// Whether a login is made by itself, now or later.
    pub(super) fn may_log_in(&self) -> bool {
        self.names.is_some() && (self.trouble.is_none() || self.next.is_some())
    }

    /// The state that its trouble means, and since when.
    pub(super) fn state(&self) -> Option<(SessionState, Option<i64>)> {
        let trouble = self.trouble.as_ref();
        let trouble = trouble.filter(|_| self.names.is_some() || self.is_logged_out());
        match trouble {
            Some(trouble) => Some((state_of(trouble.kind), Some(trouble.since))),
            None => self.names.is_none().then_some((SessionState::NotPaired, None)),
        }
    }

    /// What is the case about it, beyond that there is none.
    pub(super) fn conditions(&self, now: Now) -> impl Iterator<Item = Condition> {
        let linked = self.names.is_some();
        let trouble = self.trouble.clone();
        let trouble =
            trouble.map(|trouble| Condition::Account { trouble: Box::new(trouble), linked });
        let soon = |expiry: &&ClientExpiry| self.warns_at(expiry) <= now.wall_ms;
        let expiry = self.expiry.as_ref().filter(soon);
        let expiry = expiry.map(|expiry| Condition::ClientExpires {
            at: expiry.at,
            warned: self.warns_at(expiry),
        });
        [trouble, expiry].into_iter().flatten()
    }

    fn warns_at(&self, expiry: &ClientExpiry) -> i64 {
        expiry.at.saturating_sub(EXPIRY_WARNING_MS)
    }

    /// When the end of this client's version becomes a condition, wall; none: it is one.
    pub(super) fn expiry_warning(&self, now: Now) -> Option<i64> {
        let at = self.expiry.as_ref().map(|expiry| self.warns_at(expiry));
        at.filter(|at| *at > now.wall_ms)
    }

    /// What of it outlives a restart.
    pub(super) fn store_facts(&self, facts: &mut Facts) {
        facts.account = self.jid().cloned();
        facts.account_lid = self.names().and_then(|names| names.lid.clone());
        let trouble = self.trouble.as_ref();
        facts.logged_out = trouble.and_then(AccountTrouble::logged_out_before);
        facts.banned = trouble.and_then(AccountTrouble::banned_before);
        facts.trouble = self.trouble.clone();
        facts.client_expiry = self.expiry.clone();
        facts.keys_void = self.keys_void;
    }
}

const fn state_of(kind: TroubleKind) -> SessionState {
    match kind {
        TroubleKind::LoggedOut => SessionState::LoggedOut,
        TroubleKind::Locked => SessionState::Locked,
        TroubleKind::BannedForGood => SessionState::BannedForGood,
        TroubleKind::Banned => SessionState::Banned,
        TroubleKind::Outdated => SessionState::Outdated,
        TroubleKind::Declined => SessionState::Declined,
    }
}
