//! Which chats are no new contacts: we have sent to them, or they have written. Keeps
//! a hash of each, on pages that are stored one by one. Knows no chat by its name.

use std::collections::HashSet;

use sha2::{Digest as _, Sha256};

use crate::action::Change;
use crate::ids::ChatId;

/// Chats on one page: a page is rewritten with each new chat, so it is small.
pub const PAGE_CHATS_MAX: usize = 250;
/// Pages; beyond it the oldest is forgotten.
pub const PAGES_MAX: usize = 80;

const _: () = assert!(PAGE_CHATS_MAX * PAGES_MAX == 20_000);
const _: () = assert!(PAGE_CHATS_MAX * size_of::<u64>() <= 4_096);

/// One page of known chats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownPage {
    /// Its number; greater is newer.
    pub number: u64,
    /// The chats' hashes.
    pub chats: Vec<u64>,
}

/// The known chats.
#[derive(Debug, Default)]
pub(super) struct KnownChats {
    chats: HashSet<u64>,
    /// In the order of their numbers.
    pages: Vec<KnownPage>,
}

impl KnownChats {
    pub(super) fn new(mut pages: Vec<KnownPage>) -> KnownChats {
        pages.sort_unstable_by_key(|page| page.number);
        let chats = pages.iter().flat_map(|page| page.chats.iter().copied()).collect();
        KnownChats { chats, pages }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chats.is_empty()
    }

    /// Whether an account has sent to this chat, or the chat has written to it.
    pub(super) fn is_known(&self, account: &str, chat: &ChatId) -> bool {
        self.contains(hash(account, chat))
    }

    /// Something of this account reached the chat, or came from it; what is to be stored
    /// for it.
    pub(super) fn note(&mut self, account: &str, chat: &ChatId) -> Vec<Change> {
        if chat.is_group() { Vec::new() } else { self.add(hash(account, chat)) }
    }

    fn contains(&self, hash: u64) -> bool {
        self.chats.contains(&hash)
    }

    /// Adds one; what is to be stored for it.
    fn add(&mut self, hash: u64) -> Vec<Change> {
        if !self.chats.insert(hash) {
            return Vec::new();
        }
        let mut changes = Vec::new();
        let number = match self.pages.last() {
            Some(page) if page.chats.len() < PAGE_CHATS_MAX => page.number,
            Some(page) => page.number.saturating_add(1),
            None => 0,
        };
        if self.pages.last().is_none_or(|page| page.number != number) {
            self.pages.push(KnownPage { number, chats: Vec::new() });
        }
        if self.pages.len() > PAGES_MAX {
            let oldest = self.pages.remove(0);
            for chat in &oldest.chats {
                self.chats.remove(chat);
            }
            changes.push(Change::RemoveKnown { number: oldest.number });
        }
        if let Some(page) = self.pages.last_mut() {
            page.chats.push(hash);
            changes.push(Change::PutKnown(page.clone()));
        }
        changes
    }
}

/// A chat of an account. Keyed by the account: another one's chats are new to it.
fn hash(account: &str, chat: &ChatId) -> u64 {
    let mut sha = Sha256::new();
    sha.update(account.as_bytes());
    sha.update([0]);
    sha.update(chat.as_str().as_bytes());
    let digest: [u8; 32] = sha.finalize().into();
    digest.iter().take(8).fold(0, |hash, byte| (hash << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::wildcard_enum_match_arm, reason = "any other change fails the test")]
    fn invariant_10_the_oldest_page_is_forgotten_beyond_the_bound() {
        let mut known = KnownChats::default();
        let mut stored = std::collections::BTreeMap::new();
        for hash in 0..20_001 {
            for change in known.add(hash) {
                match change {
                    Change::PutKnown(page) => drop(stored.insert(page.number, page)),
                    Change::RemoveKnown { number } => drop(stored.remove(&number)),
                    other => panic!("{other:?}"),
                }
            }
        }
        assert!(!known.contains(0) && !known.contains(249));
        assert!(known.contains(250) && known.contains(20_000));
        assert_eq!(stored.len(), PAGES_MAX);
        let again = KnownChats::new(stored.into_values().collect());
        assert_eq!((again.chats, again.pages), (known.chats, known.pages));
    }

    #[test]
    fn a_chat_that_is_known_is_not_written_again() {
        let mut known = KnownChats::default();
        assert_eq!(known.add(7).len(), 1);
        assert!(known.add(7).is_empty());
    }

    #[test]
    fn another_accounts_chats_are_new() {
        let chat = "+15550111".parse().unwrap();
        assert_ne!(hash("15550100@s.whatsapp.net", &chat), hash("15550101@s.whatsapp.net", &chat));
    }
}
