//! Whose session it is, and what the server holds against the account or this client: one
//! field and one condition for each. Knows no connection.

use crate::condition::Condition;
use crate::facts::Facts;
use crate::time::Now;
use tetherd_api::{Redacted, SessionState};

/// The paired account, and its trouble.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// Its JID.
    jid: Option<Redacted<String>>,
    /// Logged out: since when (wall milliseconds), and the server's code.
    logged_out: Option<(i64, Option<u32>)>,
    /// Banned: since when and until when (wall milliseconds), and the server's code.
    banned: Option<(i64, i64, u32)>,
    /// When the ban ends, monotonic.
    ban_ends: Option<u64>,
    /// The keys that are stored are nobody's any more: they were to be forgotten, and
    /// whether that was done is not known.
    keys_void: bool,
    /// Since when this client's version is refused, wall. A restart may bring a newer one.
    outdated_since: Option<i64>,
}

impl Account {
    /// Takes over what was stored.
    pub(super) fn new(facts: &Facts, now: Now) -> Account {
        let ban_ends = facts.banned.map(|(since, until, _)| {
            // The wall clock may have been set meanwhile: never wait longer than the ban was.
            let left = until.saturating_sub(now.wall_ms).min(until.saturating_sub(since));
            now.mono_ms.saturating_add(u64::try_from(left).unwrap_or(0))
        });
        Account {
            jid: facts.account.clone(),
            logged_out: facts.logged_out,
            banned: facts.banned,
            ban_ends,
            keys_void: facts.keys_void,
            outdated_since: None,
        }
    }

    /// The account goes, and its keys with it.
    pub(super) fn on_gone(&mut self) {
        *self = Account { keys_void: true, ..Account::default() };
    }

    /// This device is linked to it. True if that has to be stored.
    pub(super) fn on_paired(&mut self, jid: Redacted<String>) {
        *self = Account { jid: Some(jid), ..Account::default() };
    }

    /// The server says under which name it knows the account. True if that is new.
    pub(super) fn on_named(&mut self, jid: Redacted<String>) -> bool {
        let new = self.jid.as_ref() != Some(&jid);
        self.jid = Some(jid);
        new
    }

    /// The keys that are stored from now on are a pairing's. True if they were not before.
    pub(super) fn on_new_keys(&mut self) -> bool {
        std::mem::take(&mut self.keys_void)
    }

    pub(super) fn on_logged_out(&mut self, code: Option<u32>, now: Now) {
        self.logged_out = Some((now.wall_ms, code));
    }

    pub(super) fn on_banned(&mut self, for_ms: u64, code: u32, now: Now) {
        let until = now.wall_ms.saturating_add(i64::try_from(for_ms).unwrap_or(i64::MAX));
        self.banned = Some((now.wall_ms, until, code));
        self.ban_ends = Some(now.mono_ms.saturating_add(for_ms));
    }

    pub(super) fn on_outdated(&mut self, now: Now) {
        self.outdated_since = Some(now.wall_ms);
    }

    /// Somebody wants a try, whatever the server said about this client's version.
    pub(super) fn forgive_outdated(&mut self) {
        self.outdated_since = None;
    }

    /// Ends a ban when it is time. True if one ended.
    pub(super) fn on_time(&mut self, now: Now) -> bool {
        let over = self.ban_ends.is_some_and(|at| at <= now.mono_ms);
        if over {
            self.ban_ends = None;
            self.banned = None;
        }
        over
    }

    pub(super) fn jid(&self) -> Option<&Redacted<String>> {
        self.jid.as_ref()
    }

    pub(super) fn is_logged_out(&self) -> bool {
        self.logged_out.is_some()
    }

    /// Until when it is banned, wall milliseconds.
    pub(super) fn banned_until(&self) -> Option<i64> {
        self.banned.map(|(_, until, _)| until)
    }

    /// When the ban ends, monotonic.
    pub(super) fn ban_ends(&self) -> Option<u64> {
        self.ban_ends
    }

    /// Whether a login would be taken, now or once a ban is over.
    pub(super) fn may_log_in(&self) -> bool {
        self.jid.is_some() && self.logged_out.is_none() && self.outdated_since.is_none()
    }

    /// The state that its trouble means, and since when if that is stored.
    pub(super) fn state(&self) -> Option<(SessionState, Option<i64>)> {
        if let Some((since, _)) = self.logged_out {
            Some((SessionState::LoggedOut, Some(since)))
        } else if self.jid.is_none() {
            Some((SessionState::NotPaired, None))
        } else if let Some((since, ..)) = self.banned {
            Some((SessionState::Banned, Some(since)))
        } else {
            self.outdated_since.map(|_| (SessionState::Outdated, None))
        }
    }

    /// What is the case about it, beyond that there is none.
    pub(super) fn conditions(&self) -> impl Iterator<Item = Condition> {
        let logged_out = self.logged_out.map(|(since, code)| Condition::LoggedOut { since, code });
        let banned =
            self.banned.map(|(since, until, code)| Condition::Banned { since, until, code });
        let outdated = self.outdated_since.map(|since| Condition::ClientOutdated { since });
        [logged_out, banned, outdated].into_iter().flatten()
    }

    /// What of it outlives a restart.
    pub(super) fn store_facts(&self, facts: &mut Facts) {
        facts.account = self.jid.clone();
        facts.logged_out = self.logged_out;
        facts.banned = self.banned;
        facts.keys_void = self.keys_void;
    }
}
