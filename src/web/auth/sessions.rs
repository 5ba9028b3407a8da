//! Sessions of people, in memory only: a restart logs everybody out. Known by a digest, so
//! that nothing here can be used as a cookie. A session ends with its token.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};
use tetherd_api::Tier;
use tokio::time::Instant;

use super::{Token, TokenFile, secret};
use crate::limits::{SESSION_IDLE_MAX, SESSION_MAX, SESSIONS_MAX, SESSIONS_PER_TOKEN_MAX};

/// A person who has logged in.
#[derive(Clone)]
pub struct Session {
    /// What the token may do.
    pub tier: Tier,
    /// The token's name.
    pub name: String,
    /// What every form of this session carries.
    pub csrf: String,
    /// A sentence for the next page.
    notice: Option<String>,
    key: [u8; 32],
    token: [u8; 32],
    since: Instant,
    used: Instant,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({}, {:?})", self.name, self.tier)
    }
}

impl Session {
    fn holds(&self, now: Instant) -> bool {
        now.duration_since(self.since) < SESSION_MAX
            && now.duration_since(self.used) < SESSION_IDLE_MAX
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

impl Sessions {
    fn locked(&self) -> MutexGuard<'_, HashMap<[u8; 32], Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins one; answers the cookie's value. The one that was unused for longest makes room:
    /// of the same token, if that has enough, so that no token ends the sessions of others.
    pub fn begin(&self, token: &Token) -> Result<String, getrandom::Error> {
        let (id, csrf, now) = (secret()?, secret()?, Instant::now());
        let mut all = self.locked();
        all.retain(|_, session| session.holds(now));
        let own = |session: &Session| session.token == token.digest;
        let is_full = all.values().filter(|session| own(session)).count() >= SESSIONS_PER_TOKEN_MAX;
        if is_full || all.len() >= SESSIONS_MAX {
            let of_whom = all.values().filter(|session| !is_full || own(session));
            if let Some(key) = of_whom.min_by_key(|session| session.used).map(|found| found.key) {
                all.remove(&key);
            }
        }
        let (tier, name) = (token.tier, token.name.clone());
        let (key, notice) = (digest(&id), None);
        let token = token.digest;
        all.insert(key, Session { tier, name, csrf, notice, key, token, since: now, used: now });
        Ok(id)
    }

    /// The session of a cookie, if it and its token still hold. Only what a person does is a use
    /// of it: a page that is left open asks by itself, and must not keep its session.
    pub fn get(&self, id: &str, tokens: &TokenFile, by_person: bool) -> Option<Session> {
        let (digest, now) = (digest(id), Instant::now());
        let mut all = self.locked();
        let session = all.get_mut(&digest)?;
        let token = tokens.with_digest(&session.token);
        if !session.holds(now) || token.is_none_or(|token| token.tier != session.tier) {
            all.remove(&digest);
            return None;
        }
        if by_person {
            session.used = now;
        }
        Some(session.clone())
    }

    /// Whether a session still holds. Asking is no use of it.
    pub(crate) fn holds(&self, session: &Session, tokens: &TokenFile) -> bool {
        let now = Instant::now();
        let known = self.locked().get(&session.key).is_some_and(|known| known.holds(now));
        known && tokens.with_digest(&session.token).is_some()
    }

    /// Leaves a sentence for the session's next page.
    pub(crate) fn leave(&self, session: &Session, notice: String) {
        if let Some(known) = self.locked().get_mut(&session.key) {
            known.notice = Some(notice);
        }
    }

    /// Takes the sentence that was left.
    pub(crate) fn take(&self, session: &Session) -> Option<String> {
        self.locked().get_mut(&session.key)?.notice.take()
    }

    /// Ends one.
    pub fn end(&self, id: &str) {
        self.locked().remove(&digest(id));
    }
}

fn digest(id: &str) -> [u8; 32] {
    Sha256::digest(id.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_by_age_by_idleness_and_with_its_token() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = TokenFile::new(dir.path().join("tokens"));
        let sessions = Sessions::default();
        let begin = |name: &str| {
            let made = tokens.add(name, Tier::Send).unwrap();
            sessions.begin(&tokens.find(&made.secret).unwrap()).unwrap()
        };
        let id = begin("one");
        assert_eq!(sessions.get(&id, &tokens, true).unwrap().tier, Tier::Send);
        assert!(sessions.get("other", &tokens, true).is_none());
        tokio::time::advance(SESSION_IDLE_MAX).await;
        assert!(sessions.get(&id, &tokens, true).is_none());

        let id = begin("two");
        for _ in 0..(SESSION_MAX.as_secs() / SESSION_IDLE_MAX.as_secs()) * 2 - 1 {
            tokio::time::advance(SESSION_IDLE_MAX / 2).await;
            assert!(sessions.get(&id, &tokens, true).is_some());
        }
        tokio::time::advance(SESSION_IDLE_MAX / 2).await;
        assert!(sessions.get(&id, &tokens, true).is_none());

        let id = begin("three");
        tokens.remove("three").unwrap();
        assert!(sessions.get(&id, &tokens, true).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_page_asks_by_itself_is_no_use() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = TokenFile::new(dir.path().join("tokens"));
        let made = tokens.add("one", Tier::Read).unwrap();
        let sessions = Sessions::default();
        let id = sessions.begin(&tokens.find(&made.secret).unwrap()).unwrap();
        for by_person in [true, false] {
            tokio::time::advance(SESSION_IDLE_MAX / 2).await;
            assert!(sessions.get(&id, &tokens, by_person).is_some());
        }
        tokio::time::advance(SESSION_IDLE_MAX / 2).await;
        assert!(sessions.get(&id, &tokens, true).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_are_bounded_in_all_and_for_each_token() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = TokenFile::new(dir.path().join("tokens"));
        let token = |name: &str| {
            let made = tokens.add(name, Tier::Read).unwrap();
            tokens.find(&made.secret).unwrap()
        };
        let sessions = Sessions::default();
        let (first, one) = (sessions.begin(&token("other")).unwrap(), token("one"));
        let mut own = Vec::new();
        for _ in 0..=SESSIONS_PER_TOKEN_MAX {
            tokio::time::advance(std::time::Duration::from_secs(1)).await;
            own.push(sessions.begin(&one).unwrap());
        }
        assert_eq!(sessions.locked().len(), SESSIONS_PER_TOKEN_MAX + 1);
        assert!(sessions.get(&own[0], &tokens, false).is_none());
        assert!(sessions.get(&own[1], &tokens, false).is_some());
        assert!(sessions.get(&first, &tokens, false).is_some());

        let more = SESSIONS_MAX / SESSIONS_PER_TOKEN_MAX;
        for token in (0..more).map(|at| token(&at.to_string())) {
            for _ in 0..SESSIONS_PER_TOKEN_MAX {
                sessions.begin(&token).unwrap();
            }
        }
        assert_eq!(sessions.locked().len(), SESSIONS_MAX);
        assert!(sessions.get(&first, &tokens, false).is_none());
    }
}
