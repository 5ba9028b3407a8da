//! What the journal promises: a change is whole in it or not there, whatever a crash leaves of
//! the file or of the database, and damage is never taken for a crash.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::super::journal::JOURNAL;
use super::super::{Batch, OpenError, Store};
use super::{copy, fresh, pattern, put, raw};

const SECTOR: usize = 512;

fn journal(dir: &Path) -> PathBuf {
    dir.join("store").join(JOURNAL)
}

/// What a kill leaves: the files as they are now.
fn killed(dir: &Path) -> tempfile::TempDir {
    copy(dir)
}

fn change(dir: &Path, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let path = dir.join("store").join(name);
    let mut content = fs::read(&path).unwrap();
    change(&mut content);
    fs::write(&path, content).unwrap();
}

fn names(dir: &Path) -> Vec<String> {
    let store = Store::open(dir).unwrap();
    assert!(store.quarantined().is_empty());
    let names = store.scan(b"m/").map(|pair| String::from_utf8(pair.unwrap().0).unwrap()).collect();
    store.close();
    names
}

fn refused(dir: &Path) -> OpenError {
    match Store::open(dir) {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

/// Where each group of the file begins, and where the last one ends.
fn groups(dir: &Path) -> (Vec<usize>, usize) {
    let content = fs::read(journal(dir)).unwrap();
    let mut at = SECTOR;
    let mut starts = Vec::new();
    while content[at..].starts_with(b"tjg1") {
        starts.push(at);
        let length = u32::from_be_bytes(content[at + 4..at + 8].try_into().unwrap());
        at += (20 + usize::try_from(length).unwrap()).next_multiple_of(SECTOR);
    }
    (starts, at)
}

#[tokio::test]
async fn a_change_touches_the_journal_only() {
    let (dir, store) = fresh();
    let db = dir.path().join("store/db");
    let before = fs::read(&db).unwrap();
    for n in 0..50 {
        store.commit(put(&format!("m/{n:02}"), pattern(n, 300))).await.unwrap();
    }
    assert!(fs::read(&db).unwrap() == before);
    assert_eq!(store.scan(b"m/").count(), 50);
    store.close();
    assert!(fs::read(&db).unwrap() != before, "the end brings them to the database");
}

#[tokio::test]
async fn invariant_1_a_last_group_that_was_torn_anywhere_leaves_those_before_it() {
    let (dir, store) = fresh();
    for n in 0..3 {
        store.commit(put(&format!("m/{n}"), pattern(n, 3_000))).await.unwrap();
    }
    let before = killed(dir.path());
    store.commit(put("m/3", pattern(3, 3_000))).await.unwrap();
    let after = killed(dir.path());
    let (starts, end) = groups(after.path());
    let last = *starts.last().unwrap();
    let whole = fs::read(journal(after.path())).unwrap();
    let sectors = (end - last) / SECTOR;
    // Each set of sectors may have reached the disk. The last group was never confirmed then.
    for reached in 0..(1_u32 << sectors) {
        let torn = copy(before.path());
        let file = fs::File::options().write(true).open(journal(torn.path())).unwrap();
        for sector in (0..sectors).filter(|sector| reached & (1 << sector) != 0) {
            let at = last + sector * SECTOR;
            file.write_all_at(&whole[at..at + SECTOR], u64::try_from(at).unwrap()).unwrap();
        }
        let all = reached == (1 << sectors) - 1;
        let count = if all { 4 } else { 3 };
        assert_eq!(names(torn.path()).len(), count, "{reached:b}");
    }
}

#[tokio::test]
async fn invariant_8_a_group_damaged_in_the_middle_is_refused_and_the_last_one_is_missed() {
    let (dir, store) = fresh();
    for n in 0..4 {
        store.commit(put(&format!("m/{n}"), pattern(n, 200))).await.unwrap();
    }
    let (starts, _) = groups(dir.path());
    assert!(starts.len() >= 4);
    let (&last, middle) = starts.split_last().unwrap();
    for &at in middle {
        for byte in [0, 5, 12, 17, 22, 40] {
            let bad = killed(dir.path());
            change(bad.path(), JOURNAL, |content| content[at + byte] ^= 4);
            let before = fs::read(journal(bad.path())).unwrap();
            let error = refused(bad.path());
            assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
            assert!(error.to_string().contains("journal"), "{error}");
            assert!(fs::read(journal(bad.path())).unwrap() == before, "it stays as it was");
        }
    }
    let bad = killed(dir.path());
    change(bad.path(), JOURNAL, |content| content[last + 30] ^= 4);
    let error = refused(bad.path());
    assert!(matches!(error, OpenError::RolledBack { lost: 1, .. }), "{error}");
    let bad = killed(dir.path());
    change(bad.path(), JOURNAL, |content| content[9] ^= 1);
    let error = refused(bad.path());
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn invariant_8_a_journal_that_is_gone_or_older_than_its_database_is_missed() {
    let (dir, store) = fresh();
    for n in 0..4 {
        store.commit(put(&format!("m/{n}"), "x")).await.unwrap();
    }
    let bad = killed(dir.path());
    fs::remove_file(journal(bad.path())).unwrap();
    let error = refused(bad.path());
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    store.close();
}

#[tokio::test]
async fn a_journal_that_was_cut_off_while_an_older_store_was_taken_over_is_made_again() {
    for half in [&b""[..], b"tjf", &[0; 70_000], &[0; 1024 * 1024]] {
        let (dir, store) = fresh();
        store.close();
        fs::write(journal(dir.path()), half).unwrap();
        assert!(matches!(refused(dir.path()), OpenError::Damaged { .. }));
        fs::write(dir.path().join("store/format"), "2\n").unwrap();
        let store = Store::open(dir.path()).unwrap();
        store.commit(put("m/a", "x")).await.unwrap();
        assert_eq!(names(killed(dir.path()).path()), ["m/a"]);
    }
}

/// Writes until the database has taken rounds of the journal, and looks at what a kill leaves in
/// between.
#[tokio::test]
async fn rounds_of_the_journal_lose_nothing_and_grow_nothing() {
    let (dir, store) = fresh();
    let length = fs::metadata(journal(dir.path())).unwrap().len();
    for n in 0..200_usize {
        let mut batch = Batch::new();
        batch.put(format!("m/{:02}", n % 40), pattern(n, 20_000 + n));
        batch.put("count", n.to_string());
        if n % 3 == 0 {
            batch.remove(format!("m/{:02}", (n + 20) % 40));
        }
        store.commit(batch).await.unwrap();
        if n % 20 == 19 {
            let left = killed(dir.path());
            let reopened = Store::open(left.path()).unwrap();
            let all = |store: &Store| -> Vec<_> { store.scan(b"").map(Result::unwrap).collect() };
            assert!(all(&reopened) == all(&store), "after {n}");
            reopened.close();
        }
    }
    assert_eq!(fs::metadata(journal(dir.path())).unwrap().len(), length);
    // More than a whole journal at once.
    let mut batch = Batch::new();
    for n in 0..5 {
        batch.put(format!("long/{n}"), pattern(n, 300_000));
    }
    store.commit(batch).await.unwrap();
    store.commit(put("m/last", "x")).await.unwrap();
    let left = killed(dir.path());
    let reopened = Store::open(left.path()).unwrap();
    assert_eq!(reopened.get(b"long/4").unwrap(), Some(pattern(4, 300_000)));
    assert_eq!(reopened.get(b"m/last").unwrap().as_deref(), Some(&b"x"[..]));
}

/// A kill while the database takes a round over leaves any part of it there.
#[tokio::test]
async fn what_the_database_took_in_part_is_taken_again() {
    let (dir, store) = fresh();
    for n in 0..8 {
        store.commit(put(&format!("m/{n}"), pattern(n, 200))).await.unwrap();
    }
    store
        .commit({
            let mut batch = put("m/1", "newer");
            batch.remove("m/2");
            batch
        })
        .await
        .unwrap();
    let left = killed(dir.path());
    store.close();
    let whole: Vec<_> = raw(dir.path(), |backend| backend.scan(b"r").map(Result::unwrap).collect());
    for part in 0..=whole.len() {
        let torn = copy(left.path());
        raw(torn.path(), |backend| {
            let some =
                whole.iter().take(part).map(|(key, value)| (key.clone(), Some(value.clone())));
            backend.apply(some.collect()).unwrap();
        });
        assert_eq!(names(torn.path()).len(), 7, "{part}");
    }
}

#[tokio::test]
async fn a_reader_sees_every_record_while_they_go_from_the_journal_to_the_database() {
    let (dir, store) = fresh();
    for n in 0..300 {
        store.commit(put(&format!("still/{n:03}"), "x")).await.unwrap();
    }
    let reader = store.clone();
    let (stop, stopped) = std::sync::mpsc::sync_channel::<()>(1);
    let reading = std::thread::spawn(move || {
        let mut rounds = 0;
        while stopped.try_recv().is_err() {
            assert_eq!(reader.scan(b"still/").count(), 300);
            rounds += 1;
        }
        rounds
    });
    for n in 0..100 {
        store.commit(put("moving", pattern(n, 30_000))).await.unwrap();
    }
    stop.send(()).unwrap();
    assert!(reading.join().unwrap() > 0);
    drop(dir);
}
