//! One person under several names: a number, the same number as the network writes it, a
//! username, a LID.
//! The LID is the name that the others lead to. Reads what the cache holds; stores nothing.

use super::Contacts;
use super::number::{KnownBy, Number, Registration};
use crate::ids::ChatId;
use crate::time::Now;

impl Contacts {
    /// The chat under the name that all names of its person share: the LID, where it is
    /// known, else the number as the network writes it.
    pub(crate) fn person(&self, chat: &ChatId) -> ChatId {
        let Some(number) = Number::of(chat) else { return chat.clone() };
        if let Some(lid) = self.cache.lid(&number) {
            return lid.clone();
        }
        match self.cache.address(&number) {
            Some(address) => self.cache.lid(address).cloned().unwrap_or_else(|| address.chat()),
            None => chat.clone(),
        }
    }

    /// The chat under every name of its person that is known.
    pub(crate) fn names(&self, chat: &ChatId) -> Vec<ChatId> {
        let person = self.person(chat);
        let mut names: Vec<ChatId> = self
            .cache
            .numbers_of(&person)
            .flat_map(|number| [Some(number), self.cache.address(number)])
            .flatten()
            .map(Number::chat)
            .collect();
        names.extend(self.address(chat));
        names.extend([chat.clone(), person]);
        names
    }

    /// Somebody wrote from a LID, and the server named the number or the username besides.
    pub(crate) fn on_names(&mut self, number: Number, lid: ChatId, now: Now) {
        if self.own.as_ref() != Some(&number) && self.cache.lid(&number) != Some(&lid) {
            let address = self.cache.address(&number).cloned();
            let registration = Registration::Present { address, lid: Some(lid) };
            self.learn(number, registration, KnownBy::Receipt, now);
        }
    }

    /// The chats of which it was learnt since that they are one with another, or are not.
    pub(crate) fn take_renamed(&mut self) -> Vec<ChatId> {
        self.cache.take_renamed().iter().map(Number::chat).collect()
    }

    /// The recipients of whom it was learnt since that they are not on the network.
    pub(crate) fn take_absent(&mut self) -> Vec<ChatId> {
        self.cache.take_absent().iter().map(Number::chat).collect()
    }
}
