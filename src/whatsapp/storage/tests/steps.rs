//! What is done with a backend, step by step, and how it answered as a text.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use whatsapp_rust::wacore::appstate::hash::HashState;
use whatsapp_rust::wacore::appstate::processor::AppStateMutationMAC;
use whatsapp_rust::wacore::store::traits::{
    AppStateSyncKey, Backend, DeviceInfo, DeviceListRecord, LidPnMappingEntry, MsgSecretEntry,
    PendingInboundKey, PendingInboundRow, TcTokenEntry,
};

type Step = for<'a> fn(&'a dyn Backend) -> Pin<Box<dyn Future<Output = String> + Send + 'a>>;

macro_rules! steps {
    ($($b:ident => $($answer:expr),+;)+) => {
        vec![$(|$b| Box::pin(async move {
            let mut said = Vec::new();
            $(said.push(say($answer));)+
            said.join(" ")
        })),+]
    };
}

fn say(answer: impl Debug) -> String {
    format!("{answer:?}")
}

fn sorted<T: Ord, E>(answer: Result<Vec<T>, E>) -> Result<Vec<T>, E> {
    answer.map(|mut items| {
        items.sort();
        items
    })
}

/// Longer than one entry of the store may be.
fn long(byte: u8) -> Vec<u8> {
    vec![byte; 70_000]
}

fn lid(lid: &str, phone: &str, at: i64) -> LidPnMappingEntry {
    LidPnMappingEntry {
        lid: lid.into(),
        phone_number: phone.into(),
        created_at: 1,
        updated_at: at,
        learning_source: "usync".into(),
    }
}

fn devices(user: &str, count: u32) -> DeviceListRecord {
    DeviceListRecord {
        user: user.into(),
        devices: (0..count).map(|n| DeviceInfo::new(n, Some(n)).with_hosting(n == 1)).collect(),
        timestamp: 5,
        phash: Some("2:abc".into()),
        raw_id: Some(9),
    }
}

fn secret(id: &str, byte: u8, expires_at: i64, message_ts: i64) -> MsgSecretEntry {
    MsgSecretEntry {
        chat: Arc::from("15550100@s.whatsapp.net"),
        sender: Arc::from("15550101@s.whatsapp.net"),
        msg_id: Arc::from(id),
        secret: [byte; 32],
        expires_at,
        message_ts,
    }
}

fn mac(index: u8, value: u8) -> AppStateMutationMAC {
    AppStateMutationMAC { index_mac: vec![index; 32], value_mac: vec![value; 32] }
}

fn hash_state() -> HashState {
    let mut state = HashState { version: 7, ..HashState::default() };
    state.hash[3] = 200;
    state.index_value_map.insert("index".into(), vec![1, 2]);
    state
}

fn token(token: &[u8], at: i64, ours: Option<i64>) -> TcTokenEntry {
    TcTokenEntry { token: token.to_vec(), token_timestamp: at, sender_timestamp: ours }
}

fn sync_key(byte: u8) -> AppStateSyncKey {
    AppStateSyncKey { key_data: vec![byte; 32], fingerprint: vec![1, byte], timestamp: 3 }
}

const ALICE: &str = "15550100@s.whatsapp.net";
const BOB: &str = "15550101@s.whatsapp.net";
const GROUP: &str = "120363000000000001@g.us";
const OTHER_GROUP: &str = "120363000000000001@g.us2";

async fn secrets(b: &dyn Backend) -> Vec<String> {
    let mut said = Vec::new();
    for id in ["A", "B", "C", "D"] {
        said.push(say(b.get_msg_secret_with_ts(ALICE, BOB, id).await));
    }
    said
}

async fn tokens(b: &dyn Backend) -> Vec<String> {
    let mut said = Vec::new();
    for jid in ["1@lid", "2@lid", "3@lid"] {
        said.push(say(b.get_tc_token(jid).await));
    }
    said
}

/// Writes that change nothing when they come a second time.
pub(super) fn idempotent() -> Vec<Step> {
    steps! {
        b => b.put_identity("a@x", [1; 32]).await, b.put_session("a@x", &long(2)).await;
        b => b.store_prekeys_batch(&[(1, Bytes::from_static(b"one"))], true).await;
        b => b.mark_prekeys_uploaded(&[1, 2]).await, b.remove_prekey(9).await;
        b => b.set_sync_key(b"k", sync_key(1)).await, b.set_version("critical", hash_state()).await;
        b => b.put_mutation_macs("critical", 1, &[mac(1, 1)]).await;
        b => b.set_sender_key_status(GROUP, &[("d", true)]).await;
        b => b.put_lid_mapping(&lid("1", "15550100", 1)).await;
        b => b.update_device_list(devices("15550100", 2)).await;
        b => b.put_group_metadata(GROUP, &long(1)).await;
        b => b.store_received_tc_token("1@lid", b"t", 5).await;
        b => b.touch_tc_token_sender_timestamp("1@lid", 5).await;
        b => b.put_msg_secrets(vec![secret("A", 1, 50, 1)]).await;
        b => b.delete_expired_msg_secrets(1).await, b.delete_expired_sent_messages(1).await;
        b => b.delete_expired_pending_inbound(1).await, b.delete_expired_tc_tokens(1, 1).await;
        b => b.create().await;
    }
}

pub(super) fn all() -> Vec<Step> {
    let mut all = signal();
    all.extend(app_sync());
    all.extend(protocol());
    all.extend(messages());
    all
}

fn signal() -> Vec<Step> {
    steps! {
        b => b.load_identity("15550100@s.whatsapp.net").await, b.has_session("x").await;
        b => b.put_identity("15550100:3@s.whatsapp.net", [1; 32]).await;
        b => b.put_identities_batch(&[(Arc::from("9@lid"), [2; 32]), (Arc::from("8@lid"), [3; 32])]).await;
        b => b.load_identity("15550100:3@s.whatsapp.net").await, b.load_identity("8@lid").await;
        b => b.has_signal_state_for_user("15550100").await, b.has_signal_state_for_user("1555010").await;
        b => b.delete_identity("8@lid").await, b.load_identity("8@lid").await;
        b => b.put_session("7@lid", b"short").await, b.put_session("7:1@lid", &long(1)).await;
        b => b.get_session("7@lid").await, b.get_session("7:1@lid").await, b.has_session("7:1@lid").await;
        b => b.put_sessions_batch(&[(Arc::from("7@lid"), Bytes::from(long(9))), (Arc::from("6@lid"), Bytes::new())]).await;
        b => b.get_session("7@lid").await, b.get_session("6@lid").await, b.get_session("5@lid").await;
        b => b.has_signal_state_for_user("7").await, b.has_signal_state_for_user("").await;
        b => b.delete_session("7@lid").await, b.get_session("7@lid").await, b.has_session("7@lid").await;
        b => b.get_max_prekey_id().await, b.load_prekey(1).await;
        b => b.store_prekey(300, b"three hundred", false).await, b.store_prekey(2, b"", true).await;
        b => b.store_prekeys_batch(&[(5, Bytes::from_static(b"five")), (6, Bytes::from_static(b"six"))], false).await;
        b => b.get_max_prekey_id().await, b.load_prekey(300).await, b.load_prekey(2).await;
        b => b.load_prekeys_batch(&[6, 5, 4]).await;
        b => b.remove_prekey(6).await, b.mark_prekeys_uploaded(&[5, 6]).await;
        b => b.load_prekey(6).await, b.load_prekey(5).await;
        b => b.store_signed_prekey(1, b"signed").await, b.store_signed_prekey(2, b"again").await;
        b => b.load_signed_prekey(1).await, sorted(b.load_all_signed_prekeys().await);
        b => b.remove_signed_prekey(1).await, b.load_signed_prekey(1).await;
        b => b.put_sender_key("g::a", &long(4)).await, b.get_sender_key("g::a").await;
        b => b.put_sender_keys_batch(&[(Arc::from("g::b"), Bytes::from_static(b"b")), (Arc::from("g::a"), Bytes::from_static(b"a"))]).await;
        b => b.get_sender_key("g::a").await, b.get_sender_key("g::b").await;
        b => b.delete_sender_key("g::a").await, b.get_sender_key("g::a").await;
    }
}

fn app_sync() -> Vec<Step> {
    steps! {
        b => b.get_sync_key(b"k1").await, b.get_latest_sync_key_id().await;
        b => b.set_sync_key(b"k1", sync_key(1)).await, b.set_sync_key(b"k0", sync_key(2)).await;
        b => b.get_sync_key(b"k1").await, b.get_latest_sync_key_id().await;
        b => b.get_version("regular").await, b.set_version("regular", hash_state()).await;
        b => b.get_version("regular").await, b.get_version("regular_low").await;
        b => b.put_mutation_macs("regular", 1, &[mac(1, 1), mac(2, 2), mac(3, 3)]).await;
        b => b.put_mutation_macs("regular_low", 1, &[mac(1, 9)]).await;
        b => b.put_mutation_macs("regular", 2, &[mac(1, 4)]).await;
        b => b.get_mutation_mac("regular", &[1; 32]).await, b.get_mutation_mac("regular", &[7; 32]).await;
        b => b.get_mutation_macs("regular", &[[2; 32]]).await, b.get_mutation_macs("regular", &[[8; 32]]).await;
        b => b.delete_mutation_macs("regular", &[vec![2; 32], vec![8; 32]]).await;
        b => b.get_mutation_mac("regular", &[2; 32]).await, b.get_mutation_mac("regular", &[3; 32]).await;
        b => b.clear_mutation_macs("regular").await;
        b => b.get_mutation_mac("regular", &[1; 32]).await, b.get_mutation_mac("regular_low", &[1; 32]).await;
    }
}

fn protocol() -> Vec<Step> {
    steps! {
        b => b.get_sender_key_devices(GROUP).await;
        b => b.set_sender_key_status(GROUP, &[("a:1@lid", true), ("b@lid", false)]).await;
        b => b.set_sender_key_status(OTHER_GROUP, &[("a:1@lid", true)]).await;
        b => b.set_sender_key_status(GROUP, &[("b@lid", true), ("c@lid", false)]).await;
        b => sorted(b.get_sender_key_devices(GROUP).await), sorted(b.get_sender_key_devices(OTHER_GROUP).await);
        b => b.delete_sender_key_device_rows(&["a:1@lid", "z@lid"]).await, b.delete_sender_key_device_rows(&[]).await;
        b => sorted(b.get_sender_key_devices(GROUP).await), sorted(b.get_sender_key_devices(OTHER_GROUP).await);
        b => b.set_sender_key_status(OTHER_GROUP, &[("d@lid", true)]).await;
        b => b.clear_sender_key_devices(GROUP).await;
        b => b.get_sender_key_devices(GROUP).await, b.get_sender_key_devices(OTHER_GROUP).await;
        b => b.clear_all_sender_key_devices().await, b.get_sender_key_devices(OTHER_GROUP).await;
        b => b.get_lid_mapping("1").await, b.get_pn_mapping("15550100").await;
        b => b.put_lid_mapping(&lid("1", "15550100", 1)).await;
        b => b.put_lid_mappings(&[lid("2", "15550102", 1), lid("3", "15550103", 1)]).await;
        b => b.get_lid_mapping("1").await, b.get_pn_mapping("15550100").await, b.get_pn_mapping("15550103").await;
        b => b.put_lid_mapping(&lid("1", "15550199", 2)).await;
        b => b.get_lid_mapping("1").await, b.get_pn_mapping("15550100").await, b.get_pn_mapping("15550199").await;
        b => b.put_lid_mapping(&lid("4", "15550102", 3)).await, b.get_pn_mapping("15550102").await;
        b => b.get_lid_mapping("2").await;
        b => b.get_lid_mapping("1").await, b.get_lid_mapping("3").await, b.get_lid_mapping("4").await;
        b => b.has_same_base_key("a", "bc", b"k").await, b.save_base_key("a", "bc", b"k").await;
        b => b.has_same_base_key("a", "bc", b"k").await, b.has_same_base_key("ab", "c", b"k").await;
        b => b.has_same_base_key("a", "bc", b"other").await, b.delete_base_key("a", "bc").await;
        b => b.has_same_base_key("a", "bc", b"k").await;
        b => b.get_devices("15550100").await, b.update_device_list(devices("15550100", 2)).await;
        b => b.update_device_lists(vec![devices("15550100", 1), devices("5", 400)]).await;
        b => b.get_devices("15550100").await, b.get_devices("5").await;
        b => b.delete_devices("5").await, b.get_devices("5").await;
        b => b.get_group_metadata(GROUP).await, b.put_group_metadata(GROUP, &long(1)).await;
        b => b.get_group_metadata(GROUP).await, b.put_group_metadata(GROUP, b"small").await;
        b => b.get_group_metadata(GROUP).await, b.delete_group_metadata(GROUP).await;
        b => b.get_group_metadata(GROUP).await;
        b => b.touch_tc_token_sender_timestamp("1@lid", 50).await, tokens(b).await;
        b => b.store_received_tc_token("1@lid", b"first", 10).await, tokens(b).await;
        b => b.store_received_tc_token("1@lid", b"stale", 9).await, tokens(b).await;
        b => b.store_received_tc_token("1@lid", b"same time", 10).await, tokens(b).await;
        b => b.touch_tc_token_sender_timestamp("1@lid", 40).await, tokens(b).await;
        b => b.touch_tc_token_sender_timestamp("1@lid", 60).await, tokens(b).await;
        b => b.put_tc_token("2@lid", &token(b"t", 100, None)).await, b.put_tc_token("3@lid", &token(b"", 100, Some(5))).await;
        b => sorted(b.get_all_tc_token_jids().await), b.delete_expired_tc_tokens(11, 60).await, tokens(b).await;
        b => b.delete_expired_tc_tokens(101, 61).await, sorted(b.get_all_tc_token_jids().await);
        b => b.put_tc_token("2@lid", &token(b"t", 1, None)).await, b.delete_tc_token("2@lid").await, tokens(b).await;
    }
}

fn messages() -> Vec<Step> {
    steps! {
        b => b.take_sent_message(ALICE, "A").await, b.store_sent_message(ALICE, "A", &long(1)).await;
        b => b.store_sent_message(ALICE, "A", b"replaced").await, b.store_sent_message(BOB, "A", b"bob's").await;
        b => b.delete_expired_sent_messages(0).await, b.take_sent_message(ALICE, "A").await;
        // As the library does with what it has taken.
        b => b.store_sent_message(ALICE, "A", b"replaced").await;
        b => b.delete_expired_sent_messages(i64::MAX).await, b.take_sent_message(ALICE, "A").await;
        b => b.take_sent_message(BOB, "A").await;
        b => b.get_pending_inbound(ALICE, BOB, "A").await, b.store_pending_inbound(ALICE, BOB, "A", &long(2)).await;
        b => b.get_pending_inbound(ALICE, BOB, "A").await, b.get_pending_inbound(BOB, ALICE, "A").await;
        b => b.delete_pending_inbound(ALICE, BOB, "A").await, b.get_pending_inbound(ALICE, BOB, "A").await;
        b => b.store_pending_inbound_batch(&[
            PendingInboundRow { chat: ALICE, sender: BOB, id: "B", message: b"b" },
            PendingInboundRow { chat: ALICE, sender: BOB, id: "C", message: b"c" },
            PendingInboundRow { chat: ALICE, sender: BOB, id: "D", message: b"d" },
        ]).await;
        b => b.delete_pending_inbound_batch(&[
            PendingInboundKey { chat: ALICE, sender: BOB, id: "B" },
            PendingInboundKey { chat: ALICE, sender: BOB, id: "?" },
        ]).await;
        b => b.get_pending_inbound(ALICE, BOB, "B").await, b.get_pending_inbound(ALICE, BOB, "C").await;
        b => b.delete_expired_pending_inbound(0).await, b.delete_expired_pending_inbound(i64::MAX).await;
        b => b.get_pending_inbound(ALICE, BOB, "C").await;
        b => secrets(b).await, b.put_msg_secret(ALICE, BOB, "A", &[1; 32]).await;
        b => b.put_msg_secrets(vec![secret("B", 2, 100, 7), secret("C", 3, 200, 0), secret("B", 4, 50, 9)]).await;
        b => secrets(b).await, b.get_msg_secret(ALICE, BOB, "B").await;
        b => b.put_msg_secrets(vec![secret("C", 5, 150, 3)]).await, secrets(b).await;
        b => b.delete_expired_msg_secrets(99).await, b.delete_expired_msg_secrets(100).await, secrets(b).await;
        b => b.put_msg_secrets(vec![secret("C", 6, 0, 1), secret("D", 7, 300, 0)]).await, secrets(b).await;
        b => b.delete_expired_msg_secrets(i64::MAX - 1).await, secrets(b).await;
        b => b.put_msg_secrets(Vec::new()).await;
        b => b.exists().await, b.load().await.map(|device| device.is_some());
        b => b.create().await, b.exists().await;
        b => b.load().await.map(|device| device.map(|device| device.push_name));
    }
}
