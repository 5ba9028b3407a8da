//! The numbers of the changes feed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Batch, copy, fixture, fresh, put, temp};
use crate::store::Store;
use crate::store::feed::{Changed, Numbers, Runs, commit, open};
use crate::store::maintenance::repair;
use tetherd_api::{FeedId, MessageId};

fn ids(ids: &[u64]) -> Vec<MessageId> {
    ids.iter().copied().map(MessageId).collect()
}

fn changed(messages: &[u64]) -> Changed {
    Changed { messages: ids(messages), removed: BTreeMap::new() }
}

async fn reopen(store: Store, dir: &std::path::Path, kept: &[u64]) -> (Store, Numbers) {
    store.close();
    let store = Store::open(dir).unwrap();
    let kept: BTreeSet<MessageId> = ids(kept).into_iter().collect();
    let mut numbers = open(&store, kept, FeedId(0)).await.unwrap();
    numbers.messages.sort_unstable();
    (store, numbers)
}

fn of(numbers: &Numbers) -> Vec<(u64, u64)> {
    numbers.messages.iter().map(|(seq, id)| (*seq, id.0)).collect()
}

#[tokio::test]
async fn numbers_follow_the_order_of_commits_and_outlive_restarts() {
    let (dir, store) = fresh();
    let none = open(&store, BTreeSet::new(), FeedId(0)).await.unwrap();
    assert_eq!(Numbers { runs: Runs::default(), ..none }, Numbers::default());
    assert_eq!(commit(&store, put("a", "1"), changed(&[1, 2])).await.unwrap(), 1);
    // Anybody's commit takes a number, a start's too, so that one counter is enough.
    store.commit(put("b", "1")).await.unwrap();
    assert_eq!(commit(&store, put("a", "2"), changed(&[1])).await.unwrap(), 4);
    let (store, numbers) = reopen(store, dir.path(), &[1, 2]).await;
    assert_eq!((of(&numbers), numbers.last, numbers.forgotten), (vec![(3, 2), (5, 1)], 5, 0));
    assert_eq!(commit(&store, put("a", "3"), changed(&[2])).await.unwrap(), 6);
    let (store, numbers) = reopen(store, dir.path(), &[1, 2]).await;
    assert_eq!((of(&numbers), numbers.last), (vec![(5, 1), (7, 2)], 7));
    store.close();
}

#[tokio::test]
async fn what_is_removed_is_remembered_by_its_highest_number() {
    let (dir, store) = fresh();
    commit(&store, put("a", "1"), changed(&[1, 2, 3])).await.unwrap();
    for (id, last) in [(2, Some(2)), (1, Some(1))] {
        let removed = BTreeMap::from([(MessageId(id), last)]);
        commit(&store, put("a", "2"), Changed { messages: vec![], removed }).await.unwrap();
    }
    let (store, numbers) = reopen(store, dir.path(), &[3]).await;
    assert_eq!((of(&numbers), numbers.forgotten), (vec![(3, 3)], 2));
    // One that changes and is removed in the same commit.
    let removed = BTreeMap::from([(MessageId(3), Some(3))]);
    let both = Changed { messages: ids(&[3]), removed };
    let before = commit(&store, put("a", "3"), both).await.unwrap();
    let (store, numbers) = reopen(store, dir.path(), &[]).await;
    assert_eq!((of(&numbers), numbers.forgotten), (vec![], before + 1));
    store.close();
}

#[tokio::test]
async fn a_message_without_a_number_is_given_one_and_a_number_without_a_message_is_forgotten() {
    let dir = temp();
    let store = Store::open(dir.path()).unwrap();
    commit(&store, put("a", "1"), changed(&[1, 2])).await.unwrap();
    let (store, numbers) = reopen(store, dir.path(), &[1, 7]).await;
    assert_eq!((of(&numbers), numbers.forgotten), (vec![(1, 1), (3, 7)], 2));
    let (store, again) = reopen(store, dir.path(), &[1, 7]).await;
    assert_eq!(of(&again), of(&numbers));
    assert!(again.last >= 3);
    let mut batch = Batch::new();
    batch.put("feed/forgotten", "?");
    store.commit(batch).await.unwrap();
    let (store, damaged) = reopen(store, dir.path(), &[1, 7]).await;
    assert_eq!(damaged.forgotten, damaged.last, "as if everything had been removed");
    store.close();
}

async fn begun(store: &Store, feed: u64) -> Runs {
    open(store, BTreeSet::new(), FeedId(feed)).await.unwrap().runs
}

#[tokio::test]
async fn a_restored_copy_is_another_feed_from_where_it_was_copied() {
    let (dir, store) = fresh();
    begun(&store, 1).await;
    let copied_at = commit(&store, put("a", "1"), changed(&[1])).await.unwrap() + 1;
    store.close();
    let backup = copy(dir.path());
    let store = Store::open(dir.path()).unwrap();
    // What a start writes before the feed goes on is no number that a subscriber may have.
    store.commit(put("b", "1")).await.unwrap();
    let runs = begun(&store, 2).await;
    assert!(runs.continues(FeedId(1), copied_at) && !runs.continues(FeedId(1), copied_at + 1));
    let lost = commit(&store, put("a", "2"), changed(&[1])).await.unwrap() + 1;
    store.close();

    let store = Store::open(backup.path()).unwrap();
    let runs = begun(&store, 3).await;
    let mut last = 0;
    while last < lost {
        last = commit(&store, put("a", "3"), changed(&[1])).await.unwrap() + 1;
    }
    assert!(runs.continues(FeedId(1), copied_at) && runs.continues(FeedId(3), last));
    assert!(!runs.continues(FeedId(2), lost), "the copy has given the number to something else");
    store.close();
}

#[tokio::test]
async fn a_repaired_store_is_another_feed() {
    let (dir, store) = fresh();
    begun(&store, 1).await;
    commit(&store, put("a", "1"), changed(&[1])).await.unwrap();
    store.close();
    std::fs::remove_file(dir.path().join("store/confirmed")).unwrap();
    repair(dir.path(), None, 0).unwrap().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let runs = begun(&store, 2).await;
    assert!(!runs.continues(FeedId(1), 1) && runs.continues(FeedId(2), 1));
    store.close();
}

#[tokio::test]
async fn a_store_from_before_there_were_names_goes_on_under_one() {
    let dir = fixture("v1");
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(begun(&store, 1).await.current(), Some(FeedId(1)));
    store.close();
    let store = Store::open(dir.path()).unwrap();
    let runs = begun(&store, 2).await;
    assert!(runs.continues(FeedId(1), store.opened_at()));
    store.close();
}
