//! The numbers of the changes feed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Batch, fresh, put, temp};
use crate::store::Store;
use crate::store::feed::{Changed, Numbers, commit, open};
use tetherd_api::MessageId;

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
    let mut numbers = open(&store, kept).await.unwrap();
    numbers.messages.sort_unstable();
    (store, numbers)
}

fn of(numbers: &Numbers) -> Vec<(u64, u64)> {
    numbers.messages.iter().map(|(seq, id)| (*seq, id.0)).collect()
}

#[tokio::test]
async fn numbers_follow_the_order_of_commits_and_outlive_restarts() {
    let (dir, store) = fresh();
    assert_eq!(open(&store, BTreeSet::new()).await.unwrap(), Numbers::default());
    assert_eq!(commit(&store, put("a", "1"), changed(&[1, 2])).await.unwrap(), 0);
    // Anybody's commit takes a number, so that one counter is enough.
    store.commit(put("b", "1")).await.unwrap();
    assert_eq!(commit(&store, put("a", "2"), changed(&[1])).await.unwrap(), 3);
    let (store, numbers) = reopen(store, dir.path(), &[1, 2]).await;
    assert_eq!((of(&numbers), numbers.last, numbers.forgotten), (vec![(2, 2), (4, 1)], 4, 0));
    assert_eq!(commit(&store, put("a", "3"), changed(&[2])).await.unwrap(), 4);
    let (store, numbers) = reopen(store, dir.path(), &[1, 2]).await;
    assert_eq!((of(&numbers), numbers.last), (vec![(4, 1), (5, 2)], 5));
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
