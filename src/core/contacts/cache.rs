//! What the network said about numbers, and until when it counts. Bounded; never asks.

use std::collections::{BTreeSet, HashMap};

use super::number::{KnownBy, KnownNumber, Number, Registration};
use crate::ids::ChatId;
use crate::time::{Now, Uptime};

/// Numbers that are remembered; one more, and the answer that is oldest goes.
pub(super) const KNOWN_MAX: usize = 10_000;
/// An answer that is younger than this is not written again because of a receipt.
const RECEIPT_RENEWS_MS: u64 = 24 * 60 * 60 * 1_000;

/// The answers, and what of them is to be stored.
#[derive(Debug)]
pub(super) struct NumberCache {
    uptime: Uptime,
    known: HashMap<Number, KnownNumber>,
    by_age: BTreeSet<(u64, Number)>,
    by_lid: HashMap<ChatId, BTreeSet<Number>>,
    /// The other spellings of a number, by the address that they lead to.
    by_address: HashMap<Number, BTreeSet<Number>>,
    changed: BTreeSet<Number>,
    /// Numbers that lead to another name of their person than before.
    renamed: BTreeSet<Number>,
    /// Numbers that the network said it does not know.
    absent: BTreeSet<Number>,
}

impl NumberCache {
    pub(super) fn new(stored: Vec<KnownNumber>, uptime: Uptime) -> NumberCache {
        let mut cache = NumberCache {
            uptime,
            known: HashMap::new(),
            by_age: BTreeSet::new(),
            by_lid: HashMap::new(),
            by_address: HashMap::new(),
            changed: BTreeSet::new(),
            renamed: BTreeSet::new(),
            absent: BTreeSet::new(),
        };
        for known in stored {
            cache.insert(known);
        }
        cache
    }

    /// What is known about a number and still counts, if a yes counts for `yes_for_ms` and
    /// a no for `no_for_ms`.
    pub(super) fn fresh(
        &self,
        number: &Number,
        yes_for_ms: u64,
        no_for_ms: u64,
        now: Now,
    ) -> Option<&KnownNumber> {
        let known = self.known.get(number)?;
        let keeps = match known.on_network {
            true if known.source == KnownBy::Key => u64::MAX,
            true => yes_for_ms,
            false => no_for_ms,
        };
        (self.age(known, now) < keeps).then_some(known)
    }

    /// Takes an answer in. The oldest makes room for it.
    pub(super) fn learn(
        &mut self,
        number: Number,
        registration: Registration,
        source: KnownBy,
        now: Now,
    ) {
        self.changed.insert(number.clone());
        let source = match registration {
            Registration::Present { .. } if self.took_a_key(&number) => KnownBy::Key,
            Registration::Present { .. } | Registration::Absent => source,
        };
        let (asked_at, asked_uptime_ms) = (now.wall_ms, self.uptime.at(now));
        let (on_network, address, lid) = match registration {
            Registration::Absent => {
                self.absent.insert(number.clone());
                (false, None, None)
            }
            // An answer that does not name it takes nothing back.
            Registration::Present { address, lid } => {
                (true, address, lid.or_else(|| self.lid(&number).cloned()))
            }
        };
        let known =
            KnownNumber { number, on_network, address, lid, asked_at, asked_uptime_ms, source };
        self.insert(known);
        if self.known.len() > KNOWN_MAX
            && let Some((_, oldest)) = self.by_age.first().cloned()
        {
            self.remove(&oldest);
            self.changed.insert(oldest);
        }
    }

    /// The number of this one's address, where that is another one, however long ago the
    /// network said so.
    pub(super) fn address(&self, number: &Number) -> Option<&Number> {
        self.known.get(number)?.address.as_ref()
    }

    /// Whether the network has said whose a username is because it was asked with the key.
    pub(super) fn took_a_key(&self, number: &Number) -> bool {
        let took = |known: &KnownNumber| known.on_network && known.source == KnownBy::Key;
        self.known.get(number).is_some_and(took)
    }

    /// The LID of the person with this number, if the network named it.
    pub(super) fn lid(&self, number: &Number) -> Option<&ChatId> {
        self.known.get(number)?.lid.as_ref()
    }

    /// The numbers of the person with this LID, in every spelling that was asked for.
    pub(super) fn numbers_of(&self, lid: &ChatId) -> impl Iterator<Item = &Number> {
        self.by_lid.get(lid).into_iter().flatten()
    }

    /// Whether a receipt from this number says more than what is known.
    pub(super) fn is_news(&self, number: &Number, now: Now) -> bool {
        self.known
            .get(number)
            .is_none_or(|known| !known.on_network || self.age(known, now) >= RECEIPT_RENEWS_MS)
    }

    pub(super) fn forget(&mut self, number: &Number) {
        if self.remove(number) {
            self.changed.insert(number.clone());
        }
    }

    /// What the store should hold about each number that changed.
    pub(super) fn take_changes(&mut self) -> Vec<(Number, Option<KnownNumber>)> {
        let changed = std::mem::take(&mut self.changed).into_iter();
        changed.map(|number| (number.clone(), self.known.get(&number).cloned())).collect()
    }

    /// The numbers whose person was learnt under another name, or forgotten, since.
    pub(super) fn take_renamed(&mut self) -> BTreeSet<Number> {
        std::mem::take(&mut self.renamed)
    }

    /// The numbers of which the network said since that it does not know them.
    pub(super) fn take_absent(&mut self) -> BTreeSet<Number> {
        std::mem::take(&mut self.absent)
    }

    #[cfg(test)]
    pub(super) fn records(&self) -> impl Iterator<Item = &KnownNumber> {
        self.known.values()
    }

    fn insert(&mut self, known: KnownNumber) {
        let before = self.take(&known.number);
        let names_before = before.as_ref().and_then(KnownNumber::other_names);
        if names_before != known.other_names() {
            self.on_renamed(&known.number);
        }
        if let Some(lid) = &known.lid {
            self.by_lid.entry(lid.clone()).or_default().insert(known.number.clone());
        }
        if let Some(address) = &known.address {
            self.by_address.entry(address.clone()).or_default().insert(known.number.clone());
        }
        self.by_age.insert((known.asked_uptime_ms, known.number.clone()));
        self.known.insert(known.number.clone(), known);
    }

    fn remove(&mut self, number: &Number) -> bool {
        let Some(known) = self.take(number) else { return false };
        if known.other_names().is_some() {
            self.on_renamed(number);
        }
        true
    }

    /// Takes a number out of every index.
    fn take(&mut self, number: &Number) -> Option<KnownNumber> {
        let known = self.known.remove(number)?;
        if let Some(lid) = &known.lid {
            forget_in(&mut self.by_lid, lid, number);
        }
        if let Some(address) = &known.address {
            forget_in(&mut self.by_address, address, number);
        }
        self.by_age.remove(&(known.asked_uptime_ms, known.number.clone()));
        Some(known)
    }

    /// What a number leads to is another name now; so it is for those that lead to it.
    fn on_renamed(&mut self, number: &Number) {
        let spellings = self.by_address.get(number).into_iter().flatten();
        self.renamed.extend(spellings.chain([number]).cloned());
    }

    /// Counted on both clocks, and the higher count holds: a wall clock that is set back
    /// keeps no answer for ever, and neither does a daemon that was not running.
    fn age(&self, known: &KnownNumber, now: Now) -> u64 {
        let by_wall = u64::try_from(now.wall_ms.saturating_sub(known.asked_at)).unwrap_or(0);
        by_wall.max(self.uptime.at(now).saturating_sub(known.asked_uptime_ms))
    }
}

/// Takes a number out of an index by another name.
fn forget_in<K: Eq + std::hash::Hash>(
    index: &mut HashMap<K, BTreeSet<Number>>,
    name: &K,
    number: &Number,
) {
    if let Some(numbers) = index.get_mut(name) {
        numbers.remove(number);
        if numbers.is_empty() {
            index.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now { mono_ms: 1, wall_ms: 1 };

    fn number(digits: &str) -> Number {
        Number::from_digits(digits).unwrap()
    }

    fn here(address: Option<&str>, lid: Option<&str>) -> Registration {
        let lid = lid.map(|lid| lid.parse().unwrap());
        Registration::Present { address: address.map(number), lid }
    }

    fn renamed(cache: &mut NumberCache) -> Vec<Number> {
        cache.take_renamed().into_iter().collect()
    }

    #[test]
    fn only_who_leads_to_another_name_than_before_is_renamed() {
        let mut cache = NumberCache::new(Vec::new(), Uptime::new(0, NOW));
        let (one, two) = ("15550111", "15550112");
        let mut learn = |digits: &str, registration| {
            cache.learn(number(digits), registration, KnownBy::Check, NOW);
            renamed(&mut cache)
        };
        assert_eq!(learn(one, here(None, None)), [], "it has no other name");
        assert_eq!(learn(one, here(None, Some("9@lid"))), [number(one)]);
        assert_eq!(learn(one, here(None, Some("9@lid"))), [], "that was known");
        assert_eq!(learn(two, here(Some(one), None)), [number(two)]);
        let both = [number(one), number(two)];
        assert_eq!(learn(one, here(None, Some("8@lid"))), both, "one leads to the other");
        cache.forget(&number(one));
        assert_eq!(renamed(&mut cache), both);
        cache.forget(&number(one));
        assert_eq!(renamed(&mut cache), []);
    }
}
