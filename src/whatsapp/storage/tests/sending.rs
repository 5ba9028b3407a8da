//! What sending needs of the storage: contacts' tokens, who holds which key, messages for
//! devices that ask again.

use whatsapp_rust::wacore::store::traits::{LidPnMappingEntry, ProtocolStore, TcTokenEntry};

use super::super::protocol::SENT_BYTES_MAX;
use super::super::tc_token::TOKENS_MAX;
use super::{open, temp};
use crate::store::Batch;

fn mapping(lid: &str, number: &str) -> LidPnMappingEntry {
    LidPnMappingEntry {
        lid: lid.into(),
        phone_number: number.into(),
        created_at: 1,
        updated_at: 1,
        learning_source: "test".into(),
    }
}

#[tokio::test]
async fn a_token_that_was_stored_under_a_number_is_found_by_the_lid() {
    let dir = temp();
    let (_store, backend) = open(dir.path());
    backend.store_received_tc_token("15550111", b"token", 5).await.unwrap();
    backend.put_lid_mapping(&mapping("200", "15550111")).await.unwrap();
    assert_eq!(backend.get_tc_token("200").await.unwrap().unwrap().token, b"token");
    // Ours is issued by the LID: theirs stays.
    backend.touch_tc_token_sender_timestamp("200", 7).await.unwrap();
    let TcTokenEntry { token, sender_timestamp, .. } =
        backend.get_tc_token("200").await.unwrap().unwrap();
    assert_eq!((token.as_slice(), sender_timestamp), (&b"token"[..], Some(7)));
}

#[tokio::test]
async fn tokens_are_reported_under_both_names_and_over_connections() {
    let dir = temp();
    let (_store, backend) = open(dir.path());
    backend.put_lid_mapping(&mapping("200", "15550111")).await.unwrap();
    backend.store_received_tc_token("200", b"token", 5).await.unwrap();
    let given = backend.next().contact_tokens().next().await;
    assert_eq!(given.len(), 1);
    assert_eq!((given[0].user.as_str(), given[0].number.as_deref()), ("200", Some("15550111")));
    assert_eq!(given[0].since, 5);
}

#[tokio::test]
async fn invariant_10_tokens_are_bounded_and_the_oldest_give_way() {
    let dir = temp();
    let (store, backend) = open(dir.path());
    let entry = |at: usize| {
        let token_timestamp = i64::try_from(at).unwrap();
        TcTokenEntry { token: vec![1], token_timestamp, sender_timestamp: None }
    };
    let mut batch = Batch::new();
    for n in 0..TOKENS_MAX {
        let value = serde_json::to_vec(&entry(n)).unwrap();
        batch.put(format!("session/tc_token/{n:05}"), value);
    }
    store.commit(batch).await.unwrap();
    backend.put_tc_token("newest", &entry(TOKENS_MAX)).await.unwrap();
    assert!(store.scan(b"session/tc_token/").count() <= TOKENS_MAX);
    assert!(backend.get_tc_token("00000").await.unwrap().is_none());
    assert!(backend.get_tc_token("newest").await.unwrap().is_some());
}

#[tokio::test]
async fn invariant_10_sent_messages_are_bounded_by_their_bytes() {
    let dir = temp();
    let (store, backend) = open(dir.path());
    let large = vec![7; usize::try_from(SENT_BYTES_MAX / 4).unwrap()];
    for n in 0..6 {
        backend.store_sent_message("chat", &format!("{n}"), &large).await.unwrap();
        // The fifth is one too many: an eighth of the bytes goes besides.
        let kept = [1, 2, 3, 4, 3, 4][n];
        assert_eq!(store.scan(b"session/sent_at/").count(), kept);
    }
    assert!(backend.take_sent_message("chat", "1").await.unwrap().is_none());
    assert!(backend.take_sent_message("chat", "5").await.unwrap().is_some());
}
