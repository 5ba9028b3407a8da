//! Records that are gone without a word, or are there as they were before a change: what sled makes
//! of damage in the middle of its log.

use std::path::Path;

use super::super::backend::{Backend as _, Sled, Writes};
use super::super::fault_injection::GOOD_SYNCS;
use super::super::journaled::Journaled;
use super::super::maintenance::{check, repair};
use super::super::record::{Shape, chunk_key, record_key, sequence_entry, wrap};
use super::super::record_sum::RecordSum;
use super::super::{Batch, OpenError, Store};
use super::{copy, filled, fresh, pattern, put, raw, tamper, wait_until_closed};

#[track_caller]
fn is_refused_until_repaired(dir: &Path) {
    let is_missing = |error: OpenError| error.to_string().contains("a record is missing");
    assert!(is_missing(Store::open(dir).unwrap_err()));
    assert!(is_missing(check(dir, None).unwrap_err()));
    let repaired = repair(dir, None, 1_800_000_000_000).unwrap().expect("nothing was done");
    assert!(is_missing(repaired.damage) && !repaired.is_empty);
    for _ in 0..2 {
        Store::open(dir).unwrap().close();
    }
}

#[tokio::test]
async fn invariant_8_a_record_that_is_gone_is_missed() {
    for gone in ["area/00", "area/01"] {
        let dir = filled(4).await;
        tamper(dir.path(), &[(&record_key(gone.as_bytes()), None)]);
        is_refused_until_repaired(dir.path());
    }
}

#[tokio::test]
async fn invariant_8_a_record_that_is_as_it_was_before_is_noticed() {
    let (dir, store) = fresh();
    let key = record_key(b"a");
    store.commit(put("a", "before")).await.unwrap();
    store.close();
    let before = raw(dir.path(), |backend| backend.get(&key).unwrap().unwrap());
    let store = Store::open(dir.path()).unwrap();
    store.commit(put("a", "after")).await.unwrap();
    store.close();
    tamper(dir.path(), &[(&key, Some(&before))]);
    is_refused_until_repaired(dir.path());
}

#[tokio::test]
async fn after_every_kind_of_change_a_store_that_was_killed_opens() {
    let (dir, store) = fresh();
    let long = |seed| put("long", pattern(seed, 9_000));
    let mut removed = Batch::new();
    removed.remove("short");
    removed.remove("never there");
    let mut all = Batch::new();
    all.remove_all("m/");
    all.put("m/3", "again");
    let mut quarantined = Batch::new();
    quarantined.quarantine("long");
    let mut twice = put("m/4", "once");
    twice.put("m/4", "twice");
    let changes = [
        put("short", "a"),
        put("short", "b"),
        put("short", "b"),
        long(1),
        long(2),
        put("long", "short now"),
        long(3),
        removed,
        put("m/1", "x"),
        put("m/2", "y"),
        all,
        twice,
        quarantined,
        put("long", "back"),
    ];
    for change in changes {
        store.commit(change).await.unwrap();
        Store::open(copy(dir.path()).path()).unwrap().close();
    }
    store.close();
    Store::open(dir.path()).unwrap().close();
}

#[tokio::test]
async fn after_a_quarantine_the_next_start_misses_nothing() {
    // The second is of no value that is there any more.
    for damaged in [record_key(b"area/00"), chunk_key(b"area/01", 7, 0)] {
        let dir = filled(4).await;
        tamper(dir.path(), &[(&damaged, Some(b"damaged"))]);
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.quarantined().len(), 1);
        let killed = copy(dir.path());
        store.close();
        for dir in [killed.path(), dir.path()] {
            let store = Store::open(dir).unwrap();
            assert!(store.quarantined().is_empty());
            store.close();
        }
    }
}

#[tokio::test]
async fn a_change_larger_than_the_journal_that_is_cut_off_refuses_no_start() {
    let original = filled(2).await;
    for good_syncs in 0..8 {
        let dir = copy(original.path());
        let folder = dir.path().join("store");
        let journaled = Journaled::open(&folder, Sled::open(&folder).unwrap(), false).unwrap();
        let mut writes = Writes::new();
        for n in 0..400 {
            let key = record_key(format!("many/{n}").as_bytes());
            let entry = wrap(&key, Shape::Inline, &pattern(n, 4_000));
            writes.insert(key, Some(entry));
        }
        let (key, entry) = sequence_entry(1_000, RecordSum::default());
        writes.insert(key, Some(entry));
        journaled.apply(writes).unwrap();
        GOOD_SYNCS.set(Some(good_syncs));
        journaled.sync().unwrap_err();
        GOOD_SYNCS.set(None);
        let cut_off = copy(dir.path());
        drop(journaled);
        wait_until_closed(&folder.join("db"));
        Store::open(cut_off.path()).unwrap().close();
    }
}
