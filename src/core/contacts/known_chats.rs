//! Which chats are no new contacts to the network: their person wrote, or gave a privacy
//! token, within the last 28 days. Messages of our own do not count. Keeps a hash and a day
//! of each, on pages that are stored one by one. Knows no chat by its name.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use crate::action::Change;
use crate::ids::ChatId;

/// Chats on one page: a page is rewritten with each new chat, so it is small.
pub const PAGE_CHATS_MAX: usize = 250;
/// Pages; beyond it the oldest is forgotten.
pub const PAGES_MAX: usize = 80;

const _: () = assert!(PAGE_CHATS_MAX * PAGES_MAX == 20_000);
const _: () = assert!(PAGE_CHATS_MAX * (size_of::<u64>() + size_of::<u32>()) <= 4_096);

/// For so long a token is valid, and a chat counts as one that exists: the network's own
/// window, in days (whatsapp-rust 0.7.0, properties 865 and 909).
const WINDOW_DAYS: u32 = 28;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// A chat that was known at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownChat {
    /// Account and chat.
    pub hash: u64,
    /// The last day on which its person wrote, in days since 1970; 0: that is not known.
    pub day: u32,
}

/// One page of known chats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownPage {
    /// Its number; greater is newer.
    pub number: u64,
    /// The chats.
    pub chats: Vec<KnownChat>,
}

/// The known chats.
#[derive(Debug, Default)]
pub(super) struct KnownChats {
    /// The page that a chat is on.
    page_of: HashMap<u64, u64>,
    /// In the order of their numbers.
    pages: Vec<KnownPage>,
}

impl KnownChats {
    pub(super) fn new(mut pages: Vec<KnownPage>) -> KnownChats {
        pages.sort_unstable_by_key(|page| page.number);
        let on = |page: &KnownPage| (page.number, page.chats.clone());
        let page_of = pages
            .iter()
            .map(on)
            .flat_map(|(number, chats)| chats.into_iter().map(move |chat| (chat.hash, number)));
        KnownChats { page_of: page_of.collect(), pages }
    }

    /// Whether a chat of an account is known at this time.
    pub(super) fn is_known(&self, account: &str, chat: &ChatId, wall_ms: i64) -> bool {
        self.day(hash(account, chat)).is_some_and(|last| is_recent(last, day(wall_ms)))
    }

    /// The chat's person wrote; what is to be stored for it.
    pub(super) fn note(&mut self, account: &str, chat: &ChatId, wall_ms: i64) -> Vec<Change> {
        if chat.is_group() { Vec::new() } else { self.add(hash(account, chat), day(wall_ms)) }
    }

    fn day(&self, hash: u64) -> Option<u32> {
        let page = self.page(*self.page_of.get(&hash)?)?;
        page.chats.iter().find(|chat| chat.hash == hash).map(|chat| chat.day)
    }

    fn page(&self, number: u64) -> Option<&KnownPage> {
        let at = self.pages.binary_search_by_key(&number, |page| page.number).ok()?;
        self.pages.get(at)
    }

    /// Adds one, or moves its day on; what is to be stored for it.
    fn add(&mut self, hash: u64, day: u32) -> Vec<Change> {
        if let Some(number) = self.page_of.get(&hash).copied() {
            return self.move_on(number, KnownChat { hash, day }).into_iter().collect();
        }
        let mut changes = Vec::new();
        let number = match self.pages.last() {
            Some(page) if page.chats.len() < PAGE_CHATS_MAX => page.number,
            Some(page) => page.number.saturating_add(1),
            None => 0,
        };
        if self.pages.last().is_none_or(|page| page.number != number) {
            self.make_room(day, &mut changes);
            self.pages.push(KnownPage { number, chats: Vec::new() });
        }
        self.page_of.insert(hash, number);
        if let Some(page) = self.pages.last_mut() {
            page.chats.push(KnownChat { hash, day });
            changes.push(Change::PutKnown(page.clone()));
        }
        changes
    }

    fn move_on(&mut self, number: u64, known: KnownChat) -> Option<Change> {
        let at = self.pages.binary_search_by_key(&number, |page| page.number).ok()?;
        let page = self.pages.get_mut(at)?;
        let chat = page.chats.iter_mut().find(|chat| chat.hash == known.hash)?;
        if chat.day >= known.day {
            return None;
        }
        chat.day = known.day;
        Some(Change::PutKnown(page.clone()))
    }

    /// Forgets the pages on which no chat counts any more, and the oldest one if there are
    /// too many all the same.
    fn make_room(&mut self, today: u32, changes: &mut Vec<Change>) {
        let is_over = |page: &KnownPage| page.chats.iter().all(|chat| !is_recent(chat.day, today));
        let mut gone: Vec<KnownPage> = self.pages.extract_if(.., |page| is_over(page)).collect();
        if self.pages.len() >= PAGES_MAX {
            gone.push(self.pages.remove(0));
        }
        for page in gone {
            for chat in &page.chats {
                self.page_of.remove(&chat.hash);
            }
            changes.push(Change::RemoveKnown { number: page.number });
        }
    }
}

/// A clock that was set back makes nobody a stranger.
fn is_recent(last: u32, today: u32) -> bool {
    last > 0 && today.saturating_sub(last) < WINDOW_DAYS
}

fn day(wall_ms: i64) -> u32 {
    u32::try_from(wall_ms.div_euclid(DAY_MS)).unwrap_or(0)
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

    const TODAY: u32 = 20_000;

    #[test]
    #[expect(clippy::wildcard_enum_match_arm, reason = "any other change fails the test")]
    fn invariant_10_the_oldest_page_is_forgotten_beyond_the_bound() {
        let mut known = KnownChats::default();
        let mut stored = std::collections::BTreeMap::new();
        for hash in 0..20_001 {
            for change in known.add(hash, TODAY) {
                match change {
                    Change::PutKnown(page) => drop(stored.insert(page.number, page)),
                    Change::RemoveKnown { number } => drop(stored.remove(&number)),
                    other => panic!("{other:?}"),
                }
            }
        }
        assert!(known.day(0).is_none() && known.day(249).is_none());
        assert!(known.day(250).is_some() && known.day(20_000).is_some());
        assert_eq!(stored.len(), PAGES_MAX);
        let again = KnownChats::new(stored.into_values().collect());
        assert_eq!((again.page_of, again.pages), (known.page_of, known.pages));
    }

    #[test]
    fn pages_whose_chats_are_all_over_give_way_first() {
        let mut known = KnownChats::default();
        for hash in 0..250 {
            known.add(hash, TODAY);
        }
        known.add(0, TODAY + 5);
        let removed = |changes: &[Change]| {
            changes.iter().any(|change| matches!(change, Change::RemoveKnown { number: 0 }))
        };
        for hash in 250..500 {
            assert!(!removed(&known.add(hash, TODAY + 30)), "one chat of the page counts");
        }
        assert!(removed(&known.add(500, TODAY + 33)));
        assert!(known.day(0).is_none() && known.day(250).is_some());
    }

    #[test]
    fn a_chat_that_is_known_is_written_again_once_a_day() {
        let mut known = KnownChats::default();
        assert_eq!(known.add(7, TODAY).len(), 1);
        assert!(known.add(7, TODAY).is_empty() && known.add(7, TODAY - 1).is_empty());
        assert_eq!(known.add(7, TODAY + 1).len(), 1);
    }

    #[test]
    fn a_chat_counts_for_28_days_and_one_without_a_day_does_not() {
        let chat = "+15550111".parse().unwrap();
        let at = |day: u32| i64::from(day) * DAY_MS;
        let mut known = KnownChats::default();
        known.note("a", &chat, at(TODAY));
        assert!(known.is_known("a", &chat, at(TODAY + 27)));
        assert!(!known.is_known("a", &chat, at(TODAY + 28)));
        assert!(known.is_known("a", &chat, at(TODAY - 500)), "the clock was set back");
        let old = KnownChat { hash: hash("a", &chat), day: 0 };
        let known = KnownChats::new(vec![KnownPage { number: 0, chats: vec![old] }]);
        assert!(!known.is_known("a", &chat, at(1)));
    }

    #[test]
    fn another_accounts_chats_are_new() {
        let chat = "+15550111".parse().unwrap();
        assert_ne!(hash("15550100@s.whatsapp.net", &chat), hash("15550101@s.whatsapp.net", &chat));
    }
}
