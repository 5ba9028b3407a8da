//! Devices talk to each other.

use super::*;
use whatsapp_rust::wacore::messages::wrap_device_sent;

const GROUP: &str = "120363000000000000@g.us";

fn text(text: &str) -> wa::Message {
    wa::Message { conversation: Some(text.to_owned()), ..Default::default() }
}

async fn pair() -> (Device, Device) {
    let mut alice = Device::generate().unwrap();
    let mut bob = Device::generate().unwrap();
    alice.start_session("bob", &bob.bundle()).await.unwrap();
    (alice, bob)
}

fn envelope((kind, bytes): &(EncType, Vec<u8>)) -> Envelope<'_> {
    Envelope { kind: *kind, version: 2, bytes }
}

async fn read(device: &mut Device, from: &str, sealed: &(EncType, Vec<u8>)) -> String {
    let opened = device.decrypt(from, GROUP, envelope(sealed)).await.unwrap();
    opened.message.conversation.unwrap()
}

#[tokio::test]
async fn a_session_starts_with_a_prekey_message_and_goes_on_without() {
    let (mut alice, mut bob) = pair().await;
    let first = alice.encrypt("bob", &text("one")).await.unwrap();
    assert_eq!(first.0, EncType::PreKey);
    assert_eq!(read(&mut bob, "alice", &first).await, "one");
    let reply = bob.encrypt("alice", &text("two")).await.unwrap();
    assert_eq!(reply.0, EncType::Signal);
    assert_eq!(read(&mut alice, "bob", &reply).await, "two");
    let next = alice.encrypt("bob", &text("three")).await.unwrap();
    assert_eq!(next.0, EncType::Signal);
    assert_eq!(read(&mut bob, "alice", &next).await, "three");
}

#[tokio::test]
async fn the_same_ciphertext_again_is_a_duplicate_and_garbage_is_not() {
    let (mut alice, mut bob) = pair().await;
    let first = alice.encrypt("bob", &text("one")).await.unwrap();
    read(&mut bob, "alice", &first).await;
    let again = bob.decrypt("alice", GROUP, envelope(&first)).await.err();
    assert_eq!(again, Some(DeviceError::Duplicate));

    let reply = bob.encrypt("alice", &text("two")).await.unwrap();
    read(&mut alice, "bob", &reply).await;
    let again = alice.decrypt("bob", GROUP, envelope(&reply)).await.err();
    assert_eq!(again, Some(DeviceError::Duplicate));

    let mut broken = alice.encrypt("bob", &text("three")).await.unwrap();
    *broken.1.last_mut().unwrap() ^= 1;
    let error = bob.decrypt("alice", GROUP, envelope(&broken)).await.err().unwrap();
    assert_ne!(error, DeviceError::Duplicate);
    let stranger = bob.decrypt("carol", GROUP, envelope(&reply)).await.err();
    assert_eq!(stranger, Some(DeviceError::NoSession));
}

#[tokio::test]
async fn a_group_message_opens_with_the_sender_key_and_only_once() {
    let (mut alice, mut bob) = pair().await;
    let key = alice.distribute(GROUP, "alice", "bob").await.unwrap().unwrap();
    assert!(alice.distribute(GROUP, "alice", "bob").await.unwrap().is_none());
    let key = alice.encrypt("bob", &key).await.unwrap();
    let bytes = alice.encrypt_group(GROUP, "alice", &text("all")).await.unwrap();
    let sealed = (EncType::SenderKey, bytes);
    let early = bob.decrypt("alice", GROUP, envelope(&sealed)).await.err();
    assert_eq!(early, Some(DeviceError::NoSession));

    bob.decrypt("alice", GROUP, envelope(&key)).await.unwrap();
    assert_eq!(read(&mut bob, "alice", &sealed).await, "all");
    let again = bob.decrypt("alice", GROUP, envelope(&sealed)).await.err();
    assert_eq!(again, Some(DeviceError::Duplicate));
}

#[tokio::test]
async fn a_copy_for_an_own_device_is_unwrapped_and_names_its_chat() {
    let (mut alice, mut bob) = pair().await;
    let copy = wrap_device_sent(text("hello"), "15550101@s.whatsapp.net".to_owned());
    let sealed = alice.encrypt("bob", &copy).await.unwrap();
    let opened = bob.decrypt("alice", "", envelope(&sealed)).await.unwrap();
    assert_eq!(opened.message.conversation.as_deref(), Some("hello"));
    assert_eq!(opened.destination.as_deref(), Some("15550101@s.whatsapp.net"));
}

#[tokio::test]
async fn sessions_and_sender_keys_survive_being_written_and_read() {
    let (mut alice, mut bob) = pair().await;
    let key = alice.distribute(GROUP, "alice", "bob").await.unwrap().unwrap();
    let first = alice.encrypt("bob", &key).await.unwrap();
    bob.decrypt("alice", GROUP, envelope(&first)).await.unwrap();
    let reply = bob.encrypt("alice", &text("two")).await.unwrap();
    read(&mut alice, "bob", &reply).await;

    let restore = |device: &Device| -> Device {
        serde_json::from_str(&serde_json::to_string(device).unwrap()).unwrap()
    };
    let (mut alice, mut bob) = (restore(&alice), restore(&bob));
    assert!(alice.has_session("bob"));
    let next = alice.encrypt("bob", &text("three")).await.unwrap();
    assert_eq!(next.0, EncType::Signal);
    assert_eq!(read(&mut bob, "alice", &next).await, "three");
    let bytes = alice.encrypt_group(GROUP, "alice", &text("all")).await.unwrap();
    assert_eq!(read(&mut bob, "alice", &(EncType::SenderKey, bytes)).await, "all");
    let again = bob.decrypt("alice", GROUP, envelope(&first)).await.err();
    assert_eq!(again, Some(DeviceError::Duplicate));
}
