//! A question to our own phone that it answers by itself and shows to nobody: it is asked
//! for the key of the account's app state that this device has already, which changes nothing. The phone confirms it with a `peer_msg` receipt as soon as it is there, hours
//! later if need be.

use std::time::Duration;

use tokio::time::timeout;
use whatsapp_rust::store::persistence_manager::PersistenceManager;
use whatsapp_rust::wacore::message_processing::EncType;
use whatsapp_rust::wacore::messages::MessageUtils;
use whatsapp_rust::waproto::codec;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::waproto::whatsapp::message::protocol_message::Type as ProtocolType;
use whatsapp_rust::{Client, Jid, NodeBuilder};

/// One question, from the order until its frame is flushed.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);
/// The key that is asked for if this device has none yet.
const KEY_ID_FIRST: [u8; 6] = [0, 0, 0, 0, 0, 1];

/// Asks. False: certainly or possibly nothing left.
pub(crate) async fn ask(client: &Client, manager: &PersistenceManager) -> bool {
    match timeout(PROBE_TIMEOUT, send(client, manager)).await {
        Ok(Some(())) => true,
        Ok(None) | Err(_) => {
            tracing::debug!("the phone could not be asked");
            false
        }
    }
}

async fn send(client: &Client, manager: &PersistenceManager) -> Option<()> {
    let phone: Jid = client.pn()?.to_non_ad();
    client.signal().assert_sessions(std::slice::from_ref(&phone)).await.ok()?;
    let key = manager.backend().get_latest_sync_key_id().await.ok().flatten();
    let question = question(key.unwrap_or_else(|| KEY_ID_FIRST.to_vec()));
    let plain = MessageUtils::encode_and_pad(&question);
    let (kind, sealed) = client.signal().encrypt_message(&phone, &plain).await.ok()?;
    let first = kind == EncType::PreKeyMessage;
    let enc = NodeBuilder::new("enc")
        .attr("v", "2")
        .attr("type", if first { "pkmsg" } else { "msg" })
        .bytes(sealed)
        .build();
    let mut children = vec![NodeBuilder::new("meta").attr("appdata", "default").build(), enc];
    if first {
        // A session that begins says who this device is.
        let account = manager.get_device_snapshot().account.clone()?;
        let identity = codec::adv_signed_device_identity_to_vec(&account);
        children.push(NodeBuilder::new("device-identity").bytes(identity).build());
    }
    let stanza = NodeBuilder::new("message")
        .attr("to", phone)
        .attr("id", client.generate_message_id())
        .attr("type", "text")
        .attr("category", "peer")
        .attr("push_priority", "high")
        .children(children)
        .build();
    client.send_node(stanza).await.ok()
}

fn question(key_id: Vec<u8>) -> wa::Message {
    let key = wa::message::AppStateSyncKeyId { key_id: Some(key_id) };
    let request = wa::message::AppStateSyncKeyRequest { key_ids: vec![key] };
    let protocol = wa::message::ProtocolMessage {
        r#type: Some(ProtocolType::APP_STATE_SYNC_KEY_REQUEST),
        app_state_sync_key_request: request.into(),
        ..Default::default()
    };
    wa::Message { protocol_message: protocol.into(), ..Default::default() }
}
