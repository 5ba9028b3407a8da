//! Repairs that are cut off at each of their steps or fail at each sync, and what comes after.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::super::fault_injection::GOOD_SYNCS;
use super::super::maintenance::repair;
use super::super::record::record_key;
use super::super::{OpenError, QUARANTINE_MAX, Store, queue};
use super::interrupted::{DIR, START, STEPS_MAX, cut_off, files, names, twin};
use super::{filled, tamper};

const REPAIR: &str = "interrupted_repair::child_that_is_cut_off_while_it_repairs";
const KEPT: &str = "store.before-repair.1";
const NOW_MS: i64 = 1_800_000_000_000;

type Files = BTreeMap<String, Vec<u8>>;

/// Not a test of its own: a repair in a process that ends in the middle of it.
#[test]
fn child_that_is_cut_off_while_it_repairs() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    repair(dir.as_ref(), None, NOW_MS).unwrap();
}

/// A store of which nothing reads, and one of which 4 records do; both gave `stored` numbers.
async fn damaged() -> [(tempfile::TempDir, usize); 2] {
    let stored = QUARANTINE_MAX + 5;
    let garbage = filled(stored).await;
    fs::write(garbage.path().join("store/db"), vec![0x5a; 600_000]).unwrap();
    let half = filled(stored).await;
    let keys: Vec<_> =
        (0..=QUARANTINE_MAX).map(|n| record_key(format!("area/{n:02}").as_bytes())).collect();
    let entries: Vec<_> = keys.iter().map(|key| (key.as_slice(), Some(&b"bad"[..]))).collect();
    tamper(half.path(), &entries);
    [(garbage, 0), (half, stored - QUARANTINE_MAX - 1)]
}

/// The store is the damaged one as it was, and is refused.
fn is_refused(dir: &Path, before: &Files) -> bool {
    match Store::open(dir) {
        Ok(_) => false,
        Err(error) => {
            assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
            assert!(files(dir, "store") == *before, "a file of the store has changed");
            assert_eq!(names(dir), ["lock", "store"]);
            true
        }
    }
}

/// The store is the repaired one, says so, and the damaged one is kept whole.
fn assert_repaired(dir: &Path, good: usize, before: &Files) {
    let store = Store::open(dir).unwrap();
    assert_eq!(store.scan(b"area/").map(Result::unwrap).count(), good);
    let (restored, _) = queue::restore(&store).unwrap();
    assert_eq!(restored.facts.paused_since, Some(NOW_MS));
    assert!(restored.slots_damaged, "the window counts as used up");
    let stored = u64::try_from(QUARANTINE_MAX + 5).unwrap();
    assert!(restored.facts.last_id >= stored, "{}", restored.facts.last_id);
    store.close();
    assert_eq!(names(dir), ["lock", "store", KEPT]);
    assert!(files(dir, KEPT) == *before, "it is kept as it was");
}

#[tokio::test]
async fn invariant_8_a_repair_cut_off_at_any_step_leaves_the_old_store_or_one_that_says_what_it_is()
{
    for (original, good) in damaged().await {
        let before = files(original.path(), "store");
        let (mut steps, mut refused) = (0, 0);
        loop {
            let dir = twin(original.path());
            if !cut_off(REPAIR, dir.path(), steps) {
                assert_repaired(dir.path(), good, &before);
                break;
            }
            if names(dir.path()).contains(&KEPT.to_owned()) {
                assert!(files(dir.path(), KEPT) == before, "half a copy is kept at step {steps}");
            }
            // The next start may be cut off too, and the next repair.
            cut_off(START, dir.path(), 0);
            cut_off(REPAIR, dir.path(), steps);
            if is_refused(dir.path(), &before) {
                refused += 1;
                repair(dir.path(), None, NOW_MS).unwrap().unwrap();
            }
            assert_repaired(dir.path(), good, &before);
            steps += 1;
            assert!(steps < STEPS_MAX);
        }
        assert!(refused >= 8 && steps >= refused + 2, "{refused} of {steps} were refused");
    }
}

#[tokio::test]
async fn invariant_8_a_repair_on_a_disk_that_fails_leaves_the_store_as_it_was() {
    for (original, good) in damaged().await {
        let before = files(original.path(), "store");
        let mut syncs = 0;
        loop {
            let dir = twin(original.path());
            GOOD_SYNCS.set(Some(syncs));
            let repaired = repair(dir.path(), None, NOW_MS);
            GOOD_SYNCS.set(None);
            let Err(error) = repaired else {
                assert_repaired(dir.path(), good, &before);
                break;
            };
            assert!(matches!(error, OpenError::Io { .. }), "{error}");
            assert!(!names(dir.path()).contains(&"store.repair".to_owned()), "it is removed");
            assert!(is_refused(dir.path(), &before), "sync {syncs} failed");
            syncs += 1;
        }
        assert!(syncs >= 3, "only {syncs} syncs failed");
    }
}
