//! The keys that usernames demand, from a caller's request until the network has said whose the
//! name is: then the LID is what is kept. Asks nothing; a key is never shown.

use super::number::{KnownBy, Number, Registration};
use super::{Contacts, Standing};
use crate::action::ActionBuffer;
use tetherd_api::Redacted;
use tetherd_api::number::parse_username;

/// Keys that are kept; one more, and the oldest goes.
const KEYS_MAX: usize = 1_000;

/// What a username demands of whoever asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsernameKey {
    /// The username.
    pub number: Number,
    /// Its digits.
    pub key: Redacted<String>,
}

impl UsernameKey {
    /// The key in `@name#1234`; none: there is none, or the text is something else.
    pub fn parse(text: &str) -> Option<UsernameKey> {
        let key = parse_username(text)?.ok()?.key?;
        let number = Number::parse(text).ok()?;
        Some(UsernameKey { number, key: Redacted(key.0.to_owned()) })
    }
}

/// The keys, the oldest first.
#[derive(Debug)]
pub(super) struct UsernameKeys(Vec<UsernameKey>);

impl UsernameKeys {
    pub(super) fn new(stored: Vec<UsernameKey>) -> UsernameKeys {
        UsernameKeys(stored)
    }

    /// Those of these usernames.
    pub(super) fn of<'n>(&self, numbers: impl Iterator<Item = &'n Number>) -> Vec<UsernameKey> {
        let find = |number: &Number| self.0.iter().find(|key| key.number == *number).cloned();
        numbers.filter_map(find).collect()
    }

    /// Whether it is another one than before.
    fn put(&mut self, key: UsernameKey) -> bool {
        if self.0.contains(&key) {
            return false;
        }
        self.take(&key.number);
        if self.0.len() >= KEYS_MAX {
            self.0.remove(0);
        }
        self.0.push(key);
        true
    }

    /// Forgets a username's key, and says whether there was one.
    fn take(&mut self, number: &Number) -> bool {
        let before = self.0.len();
        self.0.retain(|key| key.number != *number);
        self.0.len() < before
    }
}

impl Contacts {
    /// A caller gives a username's key. A no that was said without it, or with another one, no
    /// longer counts; a name whose LID is known needs none.
    pub(crate) fn on_username_key(&mut self, key: UsernameKey, out: &mut ActionBuffer) {
        let number = key.number.clone();
        if self.standing(&number.chat()) == Standing::Settled || !self.keys.put(key) {
            return;
        }
        out.save_facts();
        self.lookup.forget(&number);
        self.cache.forget(&number);
    }

    /// How an answer is known; the key that it took has served.
    pub(super) fn source_of(
        &mut self,
        number: &Number,
        registration: &Registration,
        out: &mut ActionBuffer,
    ) -> KnownBy {
        if !self.keys.take(number) {
            return KnownBy::Check;
        }
        out.save_facts();
        match registration {
            Registration::Present { .. } => KnownBy::Key,
            Registration::Absent => KnownBy::Check,
        }
    }

    /// The keys, to be stored.
    pub(crate) fn username_keys(&self) -> Vec<UsernameKey> {
        self.keys.0.clone()
    }
}
