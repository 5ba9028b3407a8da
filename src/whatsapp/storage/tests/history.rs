//! The history of a new companion: how long it is wanted, and the tokens that it brings.

use whatsapp_rust::wacore::store::traits::ProtocolStore;

use super::super::SessionBackend;
use super::super::tc_token::{GATHERED_MAX, GATHERED_TIME_MAX};
use super::{open, temp};
use crate::store::tests::copy;
use crate::store::{InjectedFault, Store};

const LID: &str = "200";

fn on_disk(store: &Store) -> usize {
    store.scan(b"session/tc_token/").count()
}

async fn receive(backend: &SessionBackend, user: &str, token: &[u8], since: i64) {
    backend.store_received_tc_token(user, token, since).await.unwrap();
}

async fn stored(backend: &SessionBackend, user: &str) -> (Vec<u8>, i64, Option<i64>) {
    let entry = backend.get_tc_token(user).await.unwrap().unwrap();
    (entry.token, entry.token_timestamp, entry.sender_timestamp)
}

#[tokio::test]
async fn history_is_wanted_from_a_pairing_until_it_was_read() {
    let dir = temp();
    let (store, backend) = open(dir.path());
    assert!(!backend.wants_history().unwrap(), "an account from before");
    backend.want_history().await.unwrap();
    store.close();
    let (_store, backend) = open(dir.path());
    assert!(backend.wants_history().unwrap());
    backend.end_history().await.unwrap();
    assert!(!backend.wants_history().unwrap());
}

#[tokio::test]
async fn a_historys_tokens_are_written_together() {
    let dir = temp();
    let (store, backend) = open(dir.path());
    backend.want_history().await.unwrap();
    let before = store.stats().syncs;
    let contacts = 8 * GATHERED_MAX;
    for n in 0..contacts {
        receive(&backend, &format!("{n}"), b"token", 5).await;
        backend.touch_tc_token_sender_timestamp(&format!("{n}"), 7).await.unwrap();
    }
    backend.end_history().await.unwrap();
    assert_eq!(on_disk(&store), contacts);
    assert_eq!(stored(&backend, "0").await, (b"token".to_vec(), 5, Some(7)));
    let syncs = usize::try_from(store.stats().syncs - before).unwrap();
    // One for each batch; for what a batch's last one adds; for what is due by time.
    assert!(syncs < contacts / 50, "{syncs} syncs of {contacts} tokens");
}

#[tokio::test]
async fn what_is_gathered_is_there_for_who_asks() {
    let dir = temp();
    let (store, backend) = open(dir.path());
    backend.want_history().await.unwrap();
    receive(&backend, LID, b"token", 5).await;
    assert_eq!(on_disk(&store), 0);
    assert_eq!(stored(&backend, LID).await, (b"token".to_vec(), 5, None));
    receive(&backend, "201", b"other", 5).await;
    assert_eq!(backend.get_all_tc_token_jids().await.unwrap(), [LID, "201"]);
    receive(&backend, "202", b"third", 5).await;
    backend.delete_tc_token("202").await.unwrap();
    assert_eq!(on_disk(&store), 2);
}

#[tokio::test]
async fn of_several_tokens_in_a_history_the_newest_stays() {
    let dir = temp();
    let (_store, backend) = open(dir.path());
    receive(&backend, "1", b"stored", 5).await;
    backend.want_history().await.unwrap();
    for (user, tokens) in [("1", [4, 3]), ("2", [8, 7]), ("3", [7, 8])] {
        for since in tokens {
            receive(&backend, user, format!("of {since}").as_bytes(), since).await;
        }
    }
    assert_eq!(stored(&backend, "1").await.0, b"stored");
    assert_eq!(stored(&backend, "2").await.0, b"of 8");
    assert_eq!(stored(&backend, "3").await.0, b"of 8");
}

#[tokio::test]
async fn a_token_of_a_notification_is_written_before_it_is_acknowledged() {
    let dir = temp();
    let (store, backend) = open(dir.path());
    backend.want_history().await.unwrap();
    receive(&backend, "1", b"of the history", 5).await;
    backend.contact_tokens().notified(b"notified");
    receive(&backend, LID, b"notified", 6).await;
    assert_eq!(on_disk(&store), 1);
    assert!(store.get(b"session/tc_token/200").unwrap().is_some());
    // It is one notification: the history may bring the same one.
    receive(&backend, "202", b"notified", 6).await;
    assert_eq!(on_disk(&store), 1);
}

#[tokio::test]
async fn with_more_notifications_than_are_noted_every_token_is_written_at_once() {
    let dir = temp();
    let (store, backend) = open(dir.path());
    backend.want_history().await.unwrap();
    for n in 0..2_000_u16 {
        backend.contact_tokens().notified(&n.to_be_bytes());
    }
    receive(&backend, LID, &1_999_u16.to_be_bytes(), 6).await;
    assert_eq!(on_disk(&store), 1);
    // The next pairing begins anew.
    backend.want_history().await.unwrap();
    receive(&backend, "201", &1_998_u16.to_be_bytes(), 6).await;
    assert_eq!(on_disk(&store), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_gathered_is_written_in_time() {
    let dir = temp();
    let (store, backend) = open(dir.path());
    backend.want_history().await.unwrap();
    let before = tokio::time::Instant::now();
    receive(&backend, LID, b"token", 5).await;
    // Reported once it is on disk.
    assert_eq!(backend.contact_tokens().next().await.len(), 1);
    assert_eq!(on_disk(&store), 1);
    assert!(before.elapsed() >= GATHERED_TIME_MAX);
}

#[tokio::test]
async fn a_history_whose_tokens_could_not_be_written_is_not_read() {
    let dir = temp();
    let (store, backend) = open(dir.path());
    backend.want_history().await.unwrap();
    receive(&backend, LID, b"token", 5).await;
    store.inject(InjectedFault::SyncFails);
    backend.end_history().await.unwrap_err();
    let copy = copy(dir.path());
    let (_store, backend) = open(copy.path());
    assert!(backend.wants_history().unwrap());
}

#[tokio::test]
async fn the_next_connections_tokens_are_not_mixed_with_those_of_one_that_is_over() {
    let dir = temp();
    let (store, backend) = open(dir.path());
    backend.want_history().await.unwrap();
    receive(&backend, LID, b"token", 5).await;
    let next = backend.next();
    backend.flush_tokens().await.unwrap_err();
    next.flush_tokens().await.unwrap();
    assert_eq!(on_disk(&store), 0);
}
