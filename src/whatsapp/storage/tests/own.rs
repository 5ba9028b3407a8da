//! What the library's own backend does not have to do.

use std::sync::Arc;

use whatsapp_rust::wacore::store::Device;
use whatsapp_rust::wacore::store::traits::{
    Backend, DeviceListRecord, DeviceStore, LidPnMappingEntry, MsgSecretEntry, MsgSecretStore,
    ProtocolStore, SignalStore, TcTokenEntry,
};

use super::super::msg_secret::SECRETS_MAX;
use super::super::protocol::{BASE_KEYS_MAX, DEVICES_MAX, LIDS_MAX, SENT_MESSAGES_MAX};
use super::super::{AskedAgain, PREFIX, Request, SessionBackend};
use super::{open, steps, temp};
use crate::store::{Batch, InjectedFault};

fn paired() -> Device {
    let mut device = Device::new();
    device.pn = "15550100:4@s.whatsapp.net".parse().ok();
    device.lid = "100000000000001:4@lid".parse().ok();
    device.push_name = "Example".into();
    device.next_pre_key_id = 813;
    device.edge_routing_info = Some(vec![7; 9_000]);
    device
}

#[test]
fn it_is_a_backend() {
    fn takes(_: Arc<dyn Backend>) {}
    let dir = temp();
    takes(Arc::new(open(dir.path()).1));
}

#[tokio::test]
async fn the_device_comes_back_whole_after_a_restart() {
    let dir = temp();
    let (store, backend) = open(dir.path());
    let device = paired();
    assert!(!backend.has_account().unwrap());
    backend.create().await.unwrap();
    assert!(!backend.has_account().unwrap(), "made, but not paired");
    backend.save(&device).await.unwrap();
    store.close();

    let (_store, backend) = open(dir.path());
    assert!(backend.has_account().unwrap());
    let loaded = backend.load().await.unwrap().unwrap();
    assert!(serde_json::to_vec(&loaded).unwrap() == serde_json::to_vec(&device).unwrap());
    backend.create().await.unwrap();
    assert!(backend.has_account().unwrap(), "making one again changes nothing");
}

#[tokio::test]
async fn forgetting_takes_the_whole_session_and_leaves_the_queue() {
    let dir = temp();
    let (store, backend) = open(dir.path());
    let mut queue = Batch::new();
    queue.put("queue/message/1", "a message").put("session", "not ours");
    store.commit(queue).await.unwrap();
    for step in steps::idempotent() {
        step(&backend).await;
    }
    backend.save(&paired()).await.unwrap();
    assert!(store.scan(PREFIX).count() > 10);

    let late = backend.clone();
    let syncs = store.stats().syncs;
    backend.forget().await.unwrap();
    assert_eq!(store.stats().syncs, syncs + 1, "in one go");
    assert_eq!(store.scan(PREFIX).count(), 0);
    assert_eq!(store.scan(b"").count(), 2);
    assert!(late.save(&paired()).await.is_err(), "an old task brings nothing back");
    assert!(late.put_session("a@x", b"x").await.is_err());
    assert!(!late.has_account().unwrap());
    store.close();

    let (store, backend) = open(dir.path());
    assert_eq!(store.scan(PREFIX).count(), 0);
    assert_eq!(store.get(b"queue/message/1").unwrap().as_deref(), Some(&b"a message"[..]));
    backend.save(&paired()).await.unwrap();
    assert!(backend.has_account().unwrap(), "a new pairing takes a new backend");
}

#[tokio::test]
async fn a_connection_that_is_over_writes_nothing_and_the_next_one_goes_on() {
    let dir = temp();
    let (_store, old) = open(dir.path());
    old.save(&paired()).await.unwrap();
    let late = old.clone();
    let next = old.next();
    assert!(late.save(&Device::new()).await.is_err());
    assert!(old.put_session("a@x", b"x").await.is_err());
    assert!(next.has_account().unwrap(), "what was stored is there");
    next.put_session("a@x", b"y").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_of_one_contact_token_never_lose_each_others_half() {
    let dir = temp();
    let (_store, backend) = open(dir.path());
    let tasks: Vec<_> = (1..=40)
        .map(|n| {
            let backend = backend.clone();
            tokio::spawn(async move {
                if n % 2 == 0 {
                    backend.store_received_tc_token("1@lid", &[n], i64::from(n)).await
                } else {
                    backend.touch_tc_token_sender_timestamp("1@lid", i64::from(n)).await
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let TcTokenEntry { token, token_timestamp, sender_timestamp } =
        backend.get_tc_token("1@lid").await.unwrap().unwrap();
    assert_eq!((token, token_timestamp, sender_timestamp), (vec![40], 40, Some(39)));
}

#[tokio::test]
async fn a_sent_message_that_was_taken_is_there_for_the_next_who_asks() {
    let dir = temp();
    let (_store, backend) = open(dir.path());
    backend.store_sent_message("chat", "id", b"payload").await.unwrap();
    for _ in 0..2 {
        let taken = backend.take_sent_message("chat", "id").await.unwrap();
        assert_eq!(taken.as_deref(), Some(&b"payload"[..]));
    }
}

#[tokio::test]
async fn sent_messages_are_bounded_and_leave_nothing_behind() {
    let dir = temp();
    let (store, backend) = open(dir.path());
    let surplus = 5;
    let sends = (0..SENT_MESSAGES_MAX + surplus).map(|n| {
        let backend = backend.clone();
        async move { backend.store_sent_message("chat", &format!("{n:05}"), b"x").await }
    });
    for sent in futures_util::future::join_all(sends).await {
        sent.unwrap();
    }
    let kept = store.scan(b"session/sent/").count();
    // One too many: an eighth goes at once.
    assert!((SENT_MESSAGES_MAX * 7 / 8..=SENT_MESSAGES_MAX).contains(&kept), "{kept}");
    assert_eq!(store.scan(b"session/sent_at/").count(), kept);
    assert!(backend.take_sent_message("chat", "01028").await.unwrap().is_some());
    // Counted anew by the next connection.
    let backend = backend.next();
    backend.store_sent_message("chat", "another", b"x").await.unwrap();
    let kept = kept + 1;
    assert_eq!(store.scan(b"session/sent/").count(), kept);
    let removed = backend.delete_expired_sent_messages(i64::MAX).await.unwrap();
    assert_eq!(removed as usize, kept);
    assert_eq!(store.scan(PREFIX).count(), 0);
}

#[tokio::test]
async fn a_batch_is_one_commit() {
    let dir = temp();
    let (store, backend) = open(dir.path());
    let before = store.stats();
    let keys: Vec<_> = (1..=812u32).map(|id| (id, bytes::Bytes::from(vec![3; 76]))).collect();
    backend.store_prekeys_batch(&keys, false).await.unwrap();
    let after = store.stats();
    assert_eq!((after.commits - before.commits, after.syncs - before.syncs), (1, 1));
    assert_eq!(backend.get_max_prekey_id().await.unwrap(), 812);
}

#[tokio::test]
async fn a_write_that_is_not_on_disk_is_an_error_to_the_library() {
    let dir = temp();
    let (store, backend) = open(dir.path());
    store.inject(InjectedFault::SyncFails);
    let error = backend.put_session("a@x", b"ratchet").await.unwrap_err();
    assert!(!error.is_database_busy_or_locked(), "not one to try again");
    let again = SessionBackend::new(store).put_session("a@x", b"ratchet").await;
    assert!(again.is_err());
}

fn learnt_at(n: usize) -> LidPnMappingEntry {
    LidPnMappingEntry {
        lid: format!("{n:015}"),
        phone_number: format!("1555{n:07}"),
        created_at: 1,
        updated_at: i64::try_from(n).unwrap(),
        learning_source: "usync".into(),
    }
}

#[tokio::test]
async fn invariant_10_what_the_network_gives_again_is_bounded_and_no_key_goes_with_it() {
    let dir = temp();
    let (store, backend) = open(dir.path());
    let oldest = learnt_at(0);
    let address = format!("{}@lid", oldest.lid);
    backend.put_session(&address, b"ratchet").await.unwrap();
    backend.put_identity(&address, [7; 32]).await.unwrap();
    let all: Vec<_> = (0..LIDS_MAX).map(learnt_at).collect();
    backend.put_lid_mappings(&all).await.unwrap();
    assert!(
        backend.get_pn_mapping(&oldest.phone_number).await.unwrap().is_some(),
        "up to the bound"
    );

    // A restart counts anew.
    let backend = SessionBackend::new(store.clone());
    let newest = learnt_at(LIDS_MAX);
    backend.put_lid_mapping(&newest).await.unwrap();
    let stored = store.scan(b"session/lid/").map(|record| record.unwrap().1);
    let left: Vec<LidPnMappingEntry> =
        stored.map(|value| serde_json::from_slice(&value).unwrap()).collect();
    assert!((LIDS_MAX / 2..=LIDS_MAX).contains(&left.len()), "{}", left.len());
    assert!(backend.get_lid_mapping(&oldest.lid).await.unwrap().is_none());
    assert!(backend.get_pn_mapping(&oldest.phone_number).await.unwrap().is_none());
    assert!(backend.get_pn_mapping(&newest.phone_number).await.unwrap().is_some());
    assert!(left.iter().all(|entry| entry.updated_at > 1_000), "the oldest give way");
    assert_eq!(store.scan(b"session/number/").count(), left.len());
    assert!(backend.get_session(&address).await.unwrap().is_some());
    assert_eq!(backend.load_identity(&address).await.unwrap(), Some([7; 32]));
}

#[tokio::test]
async fn invariant_10_device_lists_and_base_keys_are_bounded_while_it_runs() {
    let dir = temp();
    let (store, backend) = open(dir.path());
    let list = |n: usize| DeviceListRecord {
        user: format!("{n:015}"),
        devices: Vec::new(),
        timestamp: i64::try_from(n).unwrap(),
        phash: None,
        raw_id: None,
    };
    let half = DEVICES_MAX / 2;
    for part in 0..3 {
        let lists = (part * half..(part + 1) * half).map(list).collect();
        backend.update_device_lists(lists).await.unwrap();
    }
    let count = store.scan(b"session/devices/").count();
    assert!((half..=DEVICES_MAX).contains(&count), "{count}");
    assert!(backend.get_devices(&list(0).user).await.unwrap().is_none());
    assert!(backend.get_devices(&list(3 * half - 1).user).await.unwrap().is_some());

    let ids: Vec<_> = (0..=BASE_KEYS_MAX).map(|n| format!("{n:06}")).collect();
    let saves = ids.iter().map(|id| backend.save_base_key("15550111@s.whatsapp.net", id, b"k"));
    for saved in futures_util::future::join_all(saves).await {
        saved.unwrap();
    }
    assert!(store.scan(b"session/base_key/").count() <= BASE_KEYS_MAX);
    let last = format!("{BASE_KEYS_MAX:06}");
    assert!(backend.has_same_base_key("15550111@s.whatsapp.net", &last, b"k").await.unwrap());
}

#[tokio::test]
async fn invariant_10_message_secrets_without_an_end_are_bounded() {
    let dir = temp();
    let (store, backend) = open(dir.path());
    let (chat, sender) = ("15550111@s.whatsapp.net", "15550112@s.whatsapp.net");
    let id = |n: usize| format!("{:06}", (n * 7_919) % 1_000_000);
    let secret = |n: usize| MsgSecretEntry {
        chat: Arc::from(chat),
        sender: Arc::from(sender),
        msg_id: Arc::from(id(n)),
        secret: [7; 32],
        expires_at: 0,
        message_ts: i64::try_from(n).unwrap(),
    };
    let half = SECRETS_MAX / 2;
    for part in 0..3 {
        backend
            .put_msg_secrets((part * half..(part + 1) * half).map(secret).collect())
            .await
            .unwrap();
    }
    let left = store.scan(b"session/msg_secret/").count();
    assert!((half..=SECRETS_MAX).contains(&left), "{left}");
    assert_eq!(store.scan(b"session/msg_secret_at/").count(), left);
    let first = backend.get_msg_secret(chat, sender, &id(0)).await.unwrap();
    let last = backend.get_msg_secret(chat, sender, &id(3 * half - 1)).await.unwrap();
    assert_eq!((first, last), (None, Some(vec![7; 32])), "the oldest give way");
}

#[tokio::test]
async fn requests_for_messages_are_kept_for_ours_only_and_end() {
    let dir = temp();
    let (store, backend) = open(dir.path());
    let kept = AskedAgain(backend.clone());
    let request = |id: &str| Request::new("chat".into(), "device".into(), id.into(), 1);
    kept.note(&request("of-nobody")).await.unwrap();
    assert!(kept.left().await.unwrap().is_empty());
    backend.store_sent_message("other-name-of-the-chat", "ours", b"payload").await.unwrap();
    kept.note(&request("ours")).await.unwrap();
    for _ in 0..3 {
        let left = kept.left().await.unwrap();
        assert_eq!(left.len(), 1);
        kept.note_try(&left[0]).await.unwrap();
    }
    assert!(kept.left().await.unwrap().is_empty(), "it is tried for ever");
    assert_eq!(store.scan(b"session/asked_again/").count(), 0, "it lies there for ever");

    kept.note(&request("ours")).await.unwrap();
    let (key, _) = store.scan(b"session/asked_again/").next().unwrap().unwrap();
    let mut batch = Batch::new();
    batch.put(key, "no request");
    store.commit(batch).await.unwrap();
    assert!(kept.left().await.unwrap().is_empty());
    assert_eq!(store.scan(b"session/asked_again/").count(), 0);
}
