//! The library's cache of which LID is which number, answered from the storage. On its own the
//! library keeps every mapping in memory for ever, four times over: after a history of 20,000
//! chats that is most of the memory that the daemon has. Holds only what was learnt and is not
//! stored yet: the library looks a mapping up at once and stores it in a task of its own.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use whatsapp_rust::anyhow;
use whatsapp_rust::wacore::store::cache::CacheStore;
use whatsapp_rust::wacore::store::traits::{LidPnMappingEntry, ProtocolStore as _};
use whatsapp_rust::wacore::types::{LearningSource, LidPnEntry};

use super::SessionBackend;
use super::protocol::LIDS_MAX;

/// The namespaces of the library's cache.
const BY_LID: &str = "lid_pn_by_lid";
const BY_NUMBER: &str = "lid_pn_by_pn";

/// Records that are learnt and not stored, two for each mapping. What a replay of missed
/// messages teaches is stored when it is learnt again.
pub(super) const UNSTORED_MAX: usize = 2 * LIDS_MAX;

/// What was learnt and is not stored yet.
#[derive(Default)]
pub(super) struct Unstored(Mutex<Learnt>);

#[derive(Default)]
struct Learnt {
    /// By namespace and key: the library's own record.
    records: HashMap<(&'static str, String), Vec<u8>>,
    order: VecDeque<(&'static str, String)>,
}

impl Unstored {
    fn get(&self, key: &(&'static str, String)) -> Option<Vec<u8>> {
        self.change(|learnt| learnt.records.get(key).cloned())
    }

    fn put(&self, key: (&'static str, String), value: Vec<u8>) {
        self.change(|learnt| {
            if learnt.records.insert(key.clone(), value).is_none() {
                learnt.order.push_back(key);
            }
            while learnt.order.len() > UNSTORED_MAX {
                if let Some(oldest) = learnt.order.pop_front() {
                    learnt.records.remove(&oldest);
                }
            }
        });
    }

    /// These are stored now.
    pub(super) fn stored(&self, entries: &[LidPnMappingEntry]) {
        self.change(|learnt| {
            if learnt.records.is_empty() {
                return;
            }
            for entry in entries {
                learnt.records.remove(&(BY_LID, entry.lid.clone()));
                learnt.records.remove(&(BY_NUMBER, entry.phone_number.clone()));
            }
            let Learnt { records, order } = learnt;
            order.retain(|key| records.contains_key(key));
            if order.is_empty() {
                *learnt = Learnt::default();
            }
        });
    }

    fn forget(&self, key: &(&'static str, String)) {
        self.change(|learnt| {
            if learnt.records.remove(key).is_some() {
                learnt.order.retain(|other| other != key);
            }
        });
    }

    fn clear(&self) {
        self.change(|learnt| *learnt = Learnt::default());
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.change(|learnt| learnt.records.len())
    }

    fn change<T>(&self, change: impl FnOnce(&mut Learnt) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The cache of one connection.
pub(crate) struct LidCache(pub(crate) SessionBackend);

fn namespace(name: &str) -> Option<&'static str> {
    [BY_LID, BY_NUMBER].into_iter().find(|known| *known == name)
}

fn as_cached(stored: LidPnMappingEntry) -> LidPnEntry {
    let source = LearningSource::parse(&stored.learning_source);
    LidPnEntry::with_timestamp(stored.lid, stored.phone_number, stored.created_at, source)
}

impl LidCache {
    async fn stored(&self, space: &str, key: &str) -> anyhow::Result<Option<LidPnEntry>> {
        let found = match space {
            BY_LID => self.0.get_lid_mapping(key).await?,
            _ => self.0.get_pn_mapping(key).await?,
        };
        Ok(found.map(as_cached))
    }
}

#[async_trait]
impl CacheStore for LidCache {
    async fn get(&self, space: &str, key: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let Some(space) = namespace(space) else { return Ok(None) };
        if let Some(value) = self.0.unstored.get(&(space, key.to_owned())) {
            return Ok(Some(value));
        }
        let found = self.stored(space, key).await?;
        Ok(found.map(|entry| serde_json::to_vec(&entry)).transpose()?)
    }

    async fn set(
        &self,
        space: &str,
        key: &str,
        value: &[u8],
        _ttl: Option<Duration>,
    ) -> anyhow::Result<()> {
        let Some(space) = namespace(space) else { return Ok(()) };
        let entry: LidPnEntry = serde_json::from_slice(value)?;
        let stored = self.stored(space, key).await?;
        let is_there = stored.is_some_and(|stored| {
            stored.lid == entry.lid && stored.phone_number == entry.phone_number
        });
        let key = (space, key.to_owned());
        if is_there {
            self.0.unstored.forget(&key);
        } else {
            self.0.unstored.put(key, value.to_vec());
        }
        Ok(())
    }

    /// What is stored goes when something else is stored in its place.
    async fn delete(&self, _space: &str, _key: &str) -> anyhow::Result<()> {
        self.0.unstored.clear();
        Ok(())
    }

    async fn clear(&self, _space: &str) -> anyhow::Result<()> {
        self.0.unstored.clear();
        Ok(())
    }
}
