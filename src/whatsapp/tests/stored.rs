//! The session on the daemon's own store.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::store::{Batch, Store};
use crate::whatsapp::tests::offline::{Bench, message};
use crate::whatsapp::tests::sends::whole_life;
use crate::whatsapp::tests::simulated::World;
use crate::whatsapp::{KeyStore as _, StoredKeys, storage};
use tetherd_core::action::SessionCommand;
use tetherd_core::event::{EndReason, SessionEvent};

const FRIEND: &str = "+15550101";

fn open(dir: &std::path::Path) -> (Store, Arc<StoredKeys>) {
    let store = Store::open(dir).unwrap();
    let keys = Arc::new(StoredKeys::new(store.clone()));
    (store, keys)
}

/// Puts the session on these keys.
fn on(mut world: World, keys: &Arc<StoredKeys>) -> World {
    world.bench = Bench::new(world.config.clone(), keys.clone());
    world
}

#[tokio::test]
async fn a_session_writes_on_after_everything_was_restarted() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, mut keys) = open(&dir.path().join("state"));
    let mut world = on(World::new().await, &keys).paired().await;
    world.sim.recipient_add(FRIEND, true, 2).await.unwrap();
    for number in 1..=3 {
        world.connect().await;
        world.bench.order(message(number, FRIEND, "hello"));
        world.until(&whole_life(number)).await;
        world.bench.order(SessionCommand::Close);
        assert_eq!(world.bench.ended().await, EndReason::Closed);
        // Whoever opens the store next waits for the lock of this one.
        drop(keys);
        store.close();
        (store, keys) = open(&dir.path().join("state"));
        world = on(world, &keys);
    }
    let inbox = world.sim.recipient_inbox(FRIEND).await;
    assert_eq!(inbox.len(), 3);
    assert!(inbox.iter().all(|message| message.failed == 0 && message.copies == 1), "{inbox:?}");
}

/// The server ends the connection as soon as the phone has linked the device. The library
/// does not wait for a save that it has begun, and ends the task that does it.
#[tokio::test]
async fn a_pairing_is_stored_when_its_connection_ends_whatever_becomes_of_the_librarys_saves() {
    let dir = tempfile::tempdir().unwrap();
    let (_store, keys) = open(&dir.path().join("state"));
    keys.lose_the_librarys_saves();
    let mut world = on(World::new().await, &keys).paired().await;
    for _ in 0..2 {
        world.connect().await;
        world.bench.order(SessionCommand::Close);
        assert_eq!(world.bench.ended().await, EndReason::Closed);
    }
}

#[tokio::test]
async fn forgotten_keys_make_room_for_the_next_account() {
    let dir = tempfile::tempdir().unwrap();
    let (_store, keys) = open(&dir.path().join("state"));
    let mut world = on(World::new().await, &keys).paired().await;
    world.connect().await;
    world.bench.order(SessionCommand::Logout);
    assert_eq!(world.bench.ended().await, EndReason::Closed);
    world.bench.order(SessionCommand::Connect);
    assert_eq!(world.bench.ended().await, EndReason::logged_out(None));
    let mut world = world.paired().await;
    world.connect().await;
}

#[tokio::test]
async fn invariant_11_keys_work_on_after_other_pairings_have_failed() {
    let dir = tempfile::tempdir().unwrap();
    let (_store, keys) = open(&dir.path().join("state"));
    let mut world = on(World::new().await, &keys).paired().await;
    for _ in 0..2 {
        world.bench.order(SessionCommand::KeepKeys);
        world.bench.order(SessionCommand::Pair { phone: None });
        assert!(matches!(world.bench.next().await, SessionEvent::Offer(_)));
        world.bench.order(SessionCommand::Close);
        assert_eq!(world.bench.ended().await, EndReason::Closed);
    }
    world.connect().await;
    assert_eq!(world.sim.server_stats().await.pairings, 1);
    world.bench.order(SessionCommand::Close);
    assert_eq!(world.bench.ended().await, EndReason::Closed);
    world.bench.order(SessionCommand::KeepKeys);
    let mut world = world.paired().await;
    world.connect().await;
    assert_eq!(world.sim.server_stats().await.pairings, 2);
}

/// The library writes a chat's state behind the send and puts counters away ahead of
/// it. What a kill leaves is therefore older than what went out, and must not matter.
#[tokio::test]
async fn a_session_that_was_killed_uses_no_key_twice() {
    let dir = tempfile::tempdir().unwrap();
    let (store, keys) = open(&dir.path().join("state"));
    let (left, left_keys) = open(&dir.path().join("left"));
    let mut world = on(World::new().await, &keys).paired().await;
    world.sim.recipient_add(FRIEND, true, 1).await.unwrap();
    world.connect().await;
    world.bench.order(message(1, FRIEND, "hello"));
    world.until(&whole_life(1)).await;
    copy(&store, &left).await;
    for number in 2..=4 {
        world.bench.order(message(number, FRIEND, &format!("before the kill {number}")));
        world.until(&whole_life(number)).await;
    }
    world = on(world, &left_keys);
    world.connect().await;
    for number in 5..=6 {
        world.bench.order(message(number, FRIEND, &format!("after the kill {number}")));
        world.until(&whole_life(number)).await;
    }
    let inbox = world.sim.recipient_inbox(FRIEND).await;
    assert_eq!(inbox.len(), 6);
    assert!(inbox.iter().all(|message| message.failed == 0 && message.copies == 1), "{inbox:?}");
}

/// What a kill at this moment would leave, in another store.
async fn copy(from: &Store, to: &Store) {
    let mut all = Batch::new();
    for record in from.scan(storage::PREFIX) {
        let (key, value) = record.unwrap();
        all.put(key, value);
    }
    to.commit(all).await.unwrap();
}

/// The Signal sessions that are in the store.
fn sessions(store: &Store) -> BTreeMap<Vec<u8>, Vec<u8>> {
    store.scan(b"session/signal/").map(Result::unwrap).collect()
}

/// Somebody's message gives the chat new keys, which the library writes a moment later. What is
/// encrypted under them in between could not be answered after a kill.
#[tokio::test]
async fn nothing_leaves_under_keys_that_an_incoming_message_made_before_they_are_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (store, keys) = open(&dir.path().join("state"));
    let mut world = on(World::new().await, &keys).paired().await;
    world.sim.recipient_add(FRIEND, true, 0).await.unwrap();
    world.connect().await;
    world.bench.order(message(1, FRIEND, "hello"));
    world.until(&whole_life(1)).await;
    for number in 2..=4 {
        let before = sessions(&store);
        world.sim.recipient_reply(FRIEND, None, "hello to you").await.unwrap();
        while !matches!(world.bench.next_of_all().await, SessionEvent::ChatActivity { .. }) {}
        world.bench.order(message(number, FRIEND, "hello again"));
        while !matches!(world.bench.next_of_all().await, SessionEvent::Written { .. }) {}
        let left = sessions(&store);
        assert!(before != left, "message {number} left under keys that are not on disk");
    }
}

/// The last part of a history does not come again.
#[tokio::test]
async fn a_history_counts_as_read_if_the_connection_ends_right_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let (_store, keys) = open(&dir.path().join("state"));
    let world = on(World::new().await, &keys);
    world.sim.recipient_add(FRIEND, true, 0).await.unwrap();
    world.sim.token_give(FRIEND, None, true).await.unwrap();
    let mut world = world.paired().await;
    assert!(keys.wants_history().unwrap());
    world.connect().await;
    // What the history brings is reported within a second after its last part.
    while !matches!(world.bench.next_of_all().await, SessionEvent::ChatActivity { .. }) {}
    world.bench.order(SessionCommand::Close);
    assert_eq!(world.bench.ended().await, EndReason::Closed);
    assert!(!keys.wants_history().unwrap());
}
