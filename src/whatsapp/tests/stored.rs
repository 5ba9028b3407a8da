//! The session on the daemon's own store.

use std::sync::Arc;

use crate::core::io::EndReason;
use crate::store::Store;
use crate::whatsapp::tests::offline::{Bench, message};
use crate::whatsapp::tests::sends::whole_life;
use crate::whatsapp::tests::simulated::World;
use crate::whatsapp::{Order, StoredKeys};

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
        world.bench.order(Order::Close);
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

#[tokio::test]
async fn forgotten_keys_make_room_for_the_next_account() {
    let dir = tempfile::tempdir().unwrap();
    let (_store, keys) = open(&dir.path().join("state"));
    let mut world = on(World::new().await, &keys).paired().await;
    world.connect().await;
    world.bench.order(Order::Logout);
    assert_eq!(world.bench.ended().await, EndReason::Closed);
    world.bench.order(Order::Connect);
    assert_eq!(world.bench.ended().await, EndReason::LoggedOut { code: None });
    let mut world = world.paired().await;
    world.connect().await;
}
