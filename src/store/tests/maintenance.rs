//! What `tetherd store check` and `repair` find and do.

use std::fs;
use std::path::Path;

use super::super::journal::JOURNAL;
use super::super::maintenance::{check, repair};
use super::super::record::record_key;
use super::super::{OpenError, QUARANTINE_MAX, SealKey, Store, queue};
use super::interrupted::files;
use super::{copy, filled, fixture, fresh, put, tamper};

const NOW_MS: i64 = 1_800_000_000_000;

fn count(dir: &Path) -> usize {
    let store = Store::open(dir).unwrap();
    let count = store.scan(b"area/").map(Result::unwrap).count();
    store.close();
    count
}

#[tokio::test]
async fn a_check_says_what_a_start_would_do_and_does_nothing() {
    let dir = filled(4).await;
    assert!(check(dir.path(), None).unwrap().damaged.is_empty());
    tamper(dir.path(), &[(b"rarea/02", Some(b"nonsense"))]);
    let before = files(dir.path(), "store");
    for _ in 0..2 {
        let checked = check(dir.path(), None).unwrap();
        assert_eq!(checked.damaged.len(), 1);
        assert_eq!(checked.damaged[0].area(), "area/");
    }
    assert!(files(dir.path(), "store") == before);
    let store = Store::open(dir.path()).unwrap();
    assert!(matches!(check(dir.path(), None), Err(OpenError::Locked { .. })));
    assert_eq!(store.quarantined().len(), 1);
}

#[test]
fn where_there_is_no_store_none_is_made() {
    let dir = super::temp();
    for path in [dir.path().to_path_buf(), dir.path().join("missing")] {
        assert!(matches!(check(&path, None), Err(OpenError::Io { .. })));
        assert!(matches!(repair(&path, None, NOW_MS), Err(OpenError::Io { .. })));
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_store_that_is_whole_is_not_repaired() {
    let dir = filled(2).await;
    let before = files(dir.path(), "store");
    assert!(repair(dir.path(), None, NOW_MS).unwrap().is_none());
    assert!(files(dir.path(), "store") == before);
}

#[tokio::test]
async fn too_many_damaged_records_are_quarantined_by_a_repair_and_the_others_are_kept() {
    let dir = filled(QUARANTINE_MAX + 4).await;
    let keys: Vec<_> =
        (0..=QUARANTINE_MAX).map(|n| record_key(format!("area/{n:02}").as_bytes())).collect();
    let entries: Vec<_> = keys.iter().map(|key| (key.as_slice(), Some(&b"bad"[..]))).collect();
    tamper(dir.path(), &entries);
    let before = files(dir.path(), "store");
    let repaired = repair(dir.path(), None, NOW_MS).unwrap().unwrap();
    assert_eq!((repaired.lost, repaired.is_empty), (Some(0), false));
    assert_eq!(repaired.quarantined, QUARANTINE_MAX + 1);
    assert_eq!(repaired.kept, dir.path().join("store.before-repair.1"));
    assert!(files(dir.path(), "store.before-repair.1") == before, "it is kept as it was");
    assert_eq!(count(dir.path()), 3);
}

#[tokio::test]
async fn after_lost_changes_the_queue_is_paused_and_no_message_id_comes_again() {
    let (dir, store) = fresh();
    store.commit(put("area/00", "x")).await.unwrap();
    store.close();
    let early = copy(dir.path());
    let store = Store::open(dir.path()).unwrap();
    for n in 1..4 {
        store.commit(put(&format!("area/0{n}"), "x")).await.unwrap();
    }
    store.close();
    let confirmed = "store/confirmed";
    fs::copy(dir.path().join(confirmed), early.path().join(confirmed)).unwrap();
    let repaired = repair(early.path(), None, NOW_MS).unwrap().unwrap();
    assert_eq!((repaired.lost, repaired.is_empty), (Some(3), false));
    assert_eq!(count(early.path()), 1);
    // However often a start is cut off before it has stored what it makes of that.
    for _ in 0..3 {
        let store = Store::open(early.path()).unwrap();
        let (restored, quarantined) = queue::restore(&store).unwrap();
        assert_eq!(quarantined, [], "nothing is damaged any more");
        assert_eq!(restored.facts.paused_since, Some(NOW_MS));
        assert!(restored.facts.last_id >= 4, "{}", restored.facts.last_id);
        assert!(restored.slots_damaged, "the window counts as used up");
        store.close();
    }

    // Without the count it is not known how many there were.
    fs::remove_file(dir.path().join(confirmed)).unwrap();
    let repaired = repair(dir.path(), None, NOW_MS).unwrap().unwrap();
    assert_eq!(repaired.lost, None);
    assert_eq!(count(dir.path()), 4);
}

#[tokio::test]
async fn of_a_journal_that_is_damaged_the_groups_before_are_kept() {
    let (dir, store) = fresh();
    for n in 0..6 {
        store.commit(put(&format!("area/0{n}"), "x")).await.unwrap();
    }
    let killed = copy(dir.path());
    store.close();
    let path = killed.path().join("store").join(JOURNAL);
    let mut content = fs::read(&path).unwrap();
    let marks: Vec<_> =
        (0..content.len()).step_by(512).filter(|at| content[*at..].starts_with(b"tjg1")).collect();
    content[marks[marks.len() - 3] + 30] ^= 1;
    fs::write(&path, content).unwrap();
    assert!(matches!(check(killed.path(), None), Err(OpenError::Damaged { .. })));
    let repaired = repair(killed.path(), None, NOW_MS).unwrap().unwrap();
    assert_eq!(repaired.lost, Some(3));
    assert_eq!(count(killed.path()), 3);
}

#[tokio::test]
async fn a_database_that_cannot_be_read_at_all_is_begun_anew_and_kept() {
    let dir = filled(3).await;
    fs::write(dir.path().join("store/db"), vec![0x5a; 600_000]).unwrap();
    let before = files(dir.path(), "store");
    let repaired = repair(dir.path(), None, NOW_MS).unwrap().unwrap();
    assert!(repaired.is_empty);
    assert!(files(dir.path(), "store.before-repair.1") == before);
    assert_eq!(count(dir.path()), 0);
    let (restored, _) = queue::restore(&Store::open(dir.path()).unwrap()).unwrap();
    assert!(restored.facts.last_id >= 3);
}

#[tokio::test]
async fn a_repair_without_the_key_changes_nothing() {
    let key = || SealKey::from_secret(&[7; 32]);
    let dir = super::temp();
    let store = Store::open_with(dir.path(), key()).unwrap();
    store.commit(put("area/00", "x")).await.unwrap();
    store.close();
    fs::remove_file(dir.path().join("store/confirmed")).unwrap();
    let before = files(dir.path(), "store");
    let error = repair(dir.path(), None, NOW_MS).unwrap_err();
    assert!(matches!(error, OpenError::KeyMissing { .. }), "{error}");
    assert!(files(dir.path(), "store") == before);
    assert!(!dir.path().join("store.before-repair.1").exists());
    assert!(repair(dir.path(), key(), NOW_MS).unwrap().is_some());
}

#[test]
fn a_store_of_format_1_is_checked_and_stays_one() {
    let dir = fixture("v1");
    assert!(check(dir.path(), None).unwrap().damaged.is_empty());
    assert_eq!(fs::read_to_string(dir.path().join("store/format")).unwrap().trim(), "1");
}
