//! The library's cache of numbers and LIDs is the storage.

use whatsapp_rust::wacore::store::cache::CacheStore as _;
use whatsapp_rust::wacore::store::traits::{LidPnMappingEntry, ProtocolStore as _};
use whatsapp_rust::wacore::types::{LearningSource, LidPnEntry};

use super::super::LidCache;
use super::super::lid_cache::UNSTORED_MAX;
use super::{open, temp};

const BY_LID: &str = "lid_pn_by_lid";
const BY_NUMBER: &str = "lid_pn_by_pn";

fn stored(lid: &str, number: &str) -> LidPnMappingEntry {
    LidPnMappingEntry {
        lid: lid.to_owned(),
        phone_number: number.to_owned(),
        created_at: 5,
        updated_at: 6,
        learning_source: "usync".to_owned(),
    }
}

fn learnt(lid: &str, number: &str) -> Vec<u8> {
    let entry = LidPnEntry::with_timestamp(lid, number, 7, LearningSource::Other);
    serde_json::to_vec(&entry).unwrap()
}

async fn number_of(cache: &LidCache, lid: &str) -> Option<String> {
    let value = cache.get(BY_LID, lid).await.unwrap()?;
    let entry: LidPnEntry = serde_json::from_slice(&value).unwrap();
    Some(entry.phone_number.to_string())
}

#[tokio::test]
async fn what_is_stored_is_answered_and_nothing_of_it_is_held_in_memory() {
    let dir = temp();
    let (_store, backend) = open(dir.path());
    let cache = LidCache(backend.clone());
    let all: Vec<_> =
        (0..1_000).map(|n| stored(&format!("1{n:04}"), &format!("1555{n:04}"))).collect();
    for entry in &all {
        let value = learnt(&entry.lid, &entry.phone_number);
        cache.set(BY_LID, &entry.lid, &value, None).await.unwrap();
        cache.set(BY_NUMBER, &entry.phone_number, &value, None).await.unwrap();
    }
    assert_eq!(backend.unstored.len(), 2 * all.len(), "none of it is stored yet");
    assert_eq!(number_of(&cache, "10007").await.as_deref(), Some("15550007"));
    backend.put_lid_mappings(&all).await.unwrap();
    assert_eq!(backend.unstored.len(), 0);
    assert_eq!(number_of(&cache, "10007").await.as_deref(), Some("15550007"));
    let value = cache.get(BY_NUMBER, "15550007").await.unwrap().unwrap();
    let entry: LidPnEntry = serde_json::from_slice(&value).unwrap();
    assert_eq!((&*entry.lid, entry.created_at), ("10007", 5));
    assert_eq!(entry.learning_source, LearningSource::Usync);
    // The library learns it anew at each connection.
    cache.set(BY_LID, "10007", &learnt("10007", "15550007"), None).await.unwrap();
    assert_eq!(backend.unstored.len(), 0);
}

#[tokio::test]
async fn what_is_learnt_goes_before_what_is_stored_until_that_is_the_same() {
    let dir = temp();
    let (_store, backend) = open(dir.path());
    let cache = LidCache(backend.clone());
    backend.put_lid_mapping(&stored("1", "15550100")).await.unwrap();
    cache.set(BY_LID, "1", &learnt("1", "15550177"), None).await.unwrap();
    assert_eq!(number_of(&cache, "1").await.as_deref(), Some("15550177"));
    cache.set(BY_LID, "1", &learnt("1", "15550100"), None).await.unwrap();
    assert_eq!(backend.unstored.len(), 0);
    assert_eq!(number_of(&cache, "1").await.as_deref(), Some("15550100"));
    assert_eq!(number_of(&cache, "2").await, None);
}

#[tokio::test]
async fn invariant_10_what_is_learnt_and_never_stored_is_bounded() {
    let dir = temp();
    let (_store, backend) = open(dir.path());
    let cache = LidCache(backend.clone());
    for n in 0..UNSTORED_MAX + 100 {
        let lid = n.to_string();
        cache.set(BY_LID, &lid, &learnt(&lid, "15550100"), None).await.unwrap();
    }
    assert_eq!(backend.unstored.len(), UNSTORED_MAX);
    assert_eq!(number_of(&cache, "0").await, None, "the oldest gave way");
}
