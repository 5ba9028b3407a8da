//! Commits, syncs and failures.

use std::sync::Arc;

use tokio::sync::Barrier;

use super::super::{Batch, CHUNK_BYTES, CommitError, InjectedFault, ReadError, Store, UpdateError};
use super::{copy, fresh, no_blobs, pattern, put, tree_keys};

#[tokio::test]
async fn values_of_every_length_come_back_after_a_restart() {
    let (dir, store) = fresh();
    let lengths = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 65_536 * 4, 1 << 20];
    for length in lengths {
        store.commit(put(&format!("v/{length}"), pattern(1, length))).await.unwrap();
    }
    store.close();
    let store = Store::open(dir.path()).unwrap();
    assert!(store.quarantined().is_empty());
    for length in lengths {
        let value = store.get(format!("v/{length}").as_bytes()).unwrap();
        assert_eq!(value, Some(pattern(1, length)), "length {length}");
    }
    assert_eq!(store.scan(b"v/").count(), lengths.len());
    assert_eq!(store.scan(b"w").count(), 0);
    no_blobs(dir.path());
}

#[tokio::test]
async fn replaced_and_removed_long_values_leave_no_chunks() {
    let (dir, store) = fresh();
    for round in 0..5 {
        store.commit(put("a", pattern(round, 50_000 + round))).await.unwrap();
        store.commit(put("b", pattern(round, 20_000))).await.unwrap();
        assert_eq!(store.get(b"a").unwrap(), Some(pattern(round, 50_000 + round)));
    }
    store.commit(put("a", "short")).await.unwrap();
    let mut batch = Batch::new();
    batch.remove("b");
    store.commit(batch).await.unwrap();
    assert_eq!(store.get(b"a").unwrap().as_deref(), Some(&b"short"[..]));
    store.close();
    assert_eq!(tree_keys(dir.path(), b"c"), Vec::<Vec<u8>>::new());
    assert_eq!(tree_keys(dir.path(), b"r"), [b"ra".to_vec()]);
}

#[tokio::test]
async fn long_values_stay_whole_under_a_reader_while_they_are_replaced() {
    let (_dir, store) = fresh();
    store.commit(put("a", pattern(0, 30_000))).await.unwrap();
    let writer = tokio::task::spawn_blocking({
        let store = store.clone();
        let runtime = tokio::runtime::Handle::current();
        move || {
            for round in 1..60 {
                runtime.block_on(store.commit(put("a", pattern(round, 30_000)))).unwrap();
            }
        }
    });
    while !writer.is_finished() {
        let value = store.get(b"a").unwrap().unwrap();
        assert!((0..60).any(|round| value == pattern(round, 30_000)));
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_tasks_that_commit_at_once_share_syncs() {
    let (_dir, store) = fresh();
    let before = store.stats();
    let barrier = Arc::new(Barrier::new(100));
    let tasks: Vec<_> = (0..100)
        .map(|n| {
            let (store, barrier) = (store.clone(), Arc::clone(&barrier));
            tokio::spawn(async move {
                barrier.wait().await;
                store.commit(put(&format!("task/{n}"), pattern(n, 100))).await
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let after = store.stats();
    assert_eq!(after.commits - before.commits, 100);
    assert!(after.syncs - before.syncs < 100, "{after:?}");
    assert_eq!(store.scan(b"task/").count(), 100);
}

#[tokio::test]
async fn writing_what_is_there_already_costs_no_sync() {
    let (_dir, store) = fresh();
    let mut batch = put("a", "x");
    batch.put("long", pattern(1, 10_000));
    store.commit(batch.clone()).await.unwrap();
    let before = store.stats();
    store.commit(batch).await.unwrap();
    store.commit(Batch::new()).await.unwrap();
    let mut nothing = Batch::new();
    nothing.remove("not there").remove_all("nor/these");
    store.commit(nothing).await.unwrap();
    assert_eq!(store.stats().syncs, before.syncs);
    assert_eq!(store.stats().commits, before.commits + 3);
}

#[tokio::test]
async fn a_commit_whose_future_is_dropped_is_written_all_the_same() {
    let (dir, store) = fresh();
    drop(store.commit(put("dropped", "x")));
    store.close();
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.get(b"dropped").unwrap().as_deref(), Some(&b"x"[..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_never_come_between_one_another() {
    let (_dir, store) = fresh();
    let tasks: Vec<_> = (0..200)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(store.update(|view| {
                let n = view.get(b"n")?.map_or(0, |bytes| bytes[0]);
                Ok((put("n", [n + 1]), n))
            }))
        })
        .collect();
    let mut seen = Vec::new();
    for task in tasks {
        seen.push(task.await.unwrap().unwrap());
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..200).collect::<Vec<u8>>());
    assert_eq!(store.get(b"n").unwrap(), Some(vec![200]));
}

#[tokio::test]
async fn invariant_1_a_failed_sync_is_final_for_those_who_wait_and_those_who_come_later() {
    let (dir, store) = fresh();
    store.commit(put("acknowledged", pattern(3, 9_000))).await.unwrap();
    let syncs = store.stats().syncs;
    store.inject(InjectedFault::SyncFails);
    let mut failed = store.failed();
    assert!(failed.borrow().is_none());
    let mut both = put("lost", pattern(4, 9_000));
    both.put("lost too", "x");
    let (first, second) = tokio::join!(store.commit(both), store.commit(put("waiting", "x")));
    assert_eq!(first, Err(CommitError::OutcomeUnknown));
    assert_eq!(second, Err(CommitError::OutcomeUnknown));
    let failure = failed.wait_for(Option::is_some).await.unwrap().clone().unwrap();
    assert!(!failure.disk_full);
    assert_eq!(store.commit(put("later", "x")).await, Err(CommitError::OutcomeUnknown));
    let update = store.update(|_| Ok((Batch::new(), ()))).await;
    assert!(matches!(update, Err(UpdateError::Commit(CommitError::OutcomeUnknown))));
    assert_eq!(store.stats().syncs, syncs, "nothing is synced again");
    store.close();

    let copy = copy(dir.path());
    let store = Store::open(copy.path()).unwrap();
    assert_eq!(store.get(b"acknowledged").unwrap(), Some(pattern(3, 9_000)));
    assert_eq!(store.get(b"lost").unwrap().is_some(), store.get(b"lost too").unwrap().is_some());
    assert_eq!(store.get(b"later").unwrap(), None);
}

#[tokio::test]
async fn a_full_disk_while_running_is_said_to_be_one() {
    let (_dir, store) = fresh();
    store.inject(InjectedFault::DiskFull);
    assert_eq!(store.commit(put("a", "x")).await, Err(CommitError::OutcomeUnknown));
    let failure = store.failed().wait_for(Option::is_some).await.unwrap().clone().unwrap();
    assert!(failure.disk_full, "{failure}");
}

#[tokio::test]
async fn a_change_that_panics_fails_the_store_instead_of_hanging_its_callers() {
    let (_dir, store) = fresh();
    let update = store.update::<(), _>(|_| panic!("on purpose")).await;
    assert!(matches!(update, Err(UpdateError::Commit(CommitError::OutcomeUnknown))));
    assert!(store.failed().wait_for(Option::is_some).await.is_ok());
}

#[tokio::test]
async fn a_closed_store_says_so_and_can_be_opened_at_once() {
    let (dir, store) = fresh();
    let clone = store.clone();
    store.close();
    assert_eq!(clone.commit(put("a", "x")).await, Err(CommitError::Closed));
    assert!(matches!(clone.get(b"a"), Err(ReadError::Closed)));
    assert!(matches!(clone.scan(b"a").next(), Some(Err(ReadError::Closed))));
    Store::open(dir.path()).unwrap();
}

#[tokio::test]
async fn what_is_too_long_is_refused_and_hurts_nobody() {
    let (_dir, store) = fresh();
    let long_key = "k".repeat(super::super::KEY_BYTES_MAX + 1);
    assert_eq!(store.commit(put(&long_key, "x")).await, Err(CommitError::TooLarge));
    let long_value = vec![0; super::super::VALUE_BYTES_MAX + 1];
    assert_eq!(store.commit(put("a", long_value)).await, Err(CommitError::TooLarge));
    store.commit(put(&long_key[1..], pattern(1, 9_000))).await.unwrap();
    assert_eq!(store.get(&long_key.as_bytes()[1..]).unwrap(), Some(pattern(1, 9_000)));
}

#[tokio::test]
async fn remove_all_takes_what_begins_so_and_nothing_else() {
    let (_dir, store) = fresh();
    let mut batch = Batch::new();
    for key in ["a", "a/1", "a/2", "a0", "b/1"] {
        batch.put(key, pattern(1, 5_000));
    }
    store.commit(batch).await.unwrap();
    let mut batch = put("a/3", "x");
    batch.remove_all("a/").put("a/4", "stays");
    store.commit(batch).await.unwrap();
    let left: Vec<_> = store.scan(b"").map(|record| record.unwrap().0).collect();
    assert_eq!(left, ["a", "a/4", "a0", "b/1"].map(|key| key.as_bytes().to_vec()));
}
