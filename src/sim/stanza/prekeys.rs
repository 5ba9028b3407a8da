//! Key bundles: what clients upload, and what they fetch of each other.

use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore::libsignal::protocol::PublicKey;
use whatsapp_rust::wacore::prekeys::compute_key_bundle_digest;
use whatsapp_rust::wacore_binary::{Jid, Node};

use super::{bytes_of, error, error_node, jid_attr, result};
use crate::device::Bundle;
use crate::people::{People, PeopleError};
use crate::person::UploadedKeys;

/// One-time keys that are kept of one client.
const ONE_TIME_KEYS_MAX: usize = 10_000;
/// Curve25519, as the wire says it.
const KEY_TYPE: u8 = 5;
const SIGNATURE_BYTES: usize = 64;

/// Answers a query for bundles, for the count of one-time keys, or for the digest.
pub(crate) fn answer(people: &mut People, iq: &Node, asking: &Jid) -> Node {
    if let Some(wanted) = iq.get_optional_child("key") {
        let users: Vec<Node> =
            wanted.get_children_by_tag("user").filter_map(|user| one(people, user)).collect();
        return result(iq, vec![NodeBuilder::new("list").children(users).build()]);
    }
    if iq.get_optional_child("count").is_some() {
        let count = people.one_time_keys_left(asking).unwrap_or(0);
        let count = NodeBuilder::new("count").attr("value", count.to_string()).build();
        return result(iq, vec![count]);
    }
    if iq.get_optional_child("digest").is_some() {
        // 404 makes the client upload its keys, which is right when there are none.
        return match people.client_keys(asking) {
            Some(keys) => result(iq, vec![digest(keys)]),
            None => error(iq, 404, "item-not-found"),
        };
    }
    error(iq, 501, "feature-not-implemented")
}

fn one(people: &mut People, user: &Node) -> Option<Node> {
    let jid = jid_attr(user, "jid")?;
    let answer = NodeBuilder::new("user").attr("jid", &jid);
    let person = people.find_mut(&jid).filter(|person| person.on_network);
    let Some(person) = person else {
        return Some(answer.children([error_node(404, "item-not-found")]).build());
    };
    if person.no_keys.contains(&jid.device) {
        return None;
    }
    let bundle = person.devices.get_mut(&jid.device).and_then(|endpoint| endpoint.bundle());
    Some(match bundle {
        Some(bundle) => answer.attr("t", person.since_s.to_string()).children(keys(bundle)).build(),
        None => answer.children([error_node(406, "not-acceptable")]).build(),
    })
}

fn bytes(tag: &'static str, content: impl Into<Vec<u8>>) -> Node {
    NodeBuilder::new(tag).bytes(content).build()
}

fn id(id: u32) -> Node {
    bytes("id", &id.to_be_bytes()[1..])
}

fn public(tag: &'static str, key: &PublicKey) -> Node {
    bytes(tag, key.public_key_bytes())
}

/// The children that describe a bundle, in an answer and in a retry receipt.
fn keys(bundle: Bundle) -> Vec<Node> {
    let mut nodes = vec![bytes("registration", bundle.registration_id.to_be_bytes())];
    nodes.extend(key_nodes(bundle));
    nodes
}

/// The same without the registration id, which a retry receipt has elsewhere.
pub(crate) fn key_nodes(bundle: Bundle) -> Vec<Node> {
    let (signed_id, signed_key, signature) = bundle.signed;
    let mut nodes = vec![
        bytes("type", [KEY_TYPE]),
        public("identity", &bundle.identity),
        NodeBuilder::new("skey")
            .children([id(signed_id), public("value", &signed_key), bytes("signature", signature)])
            .build(),
    ];
    if let Some((key_id, key)) = bundle.one_time {
        nodes.push(NodeBuilder::new("key").children([id(key_id), public("value", &key)]).build());
    }
    if let Some(identity) = bundle.device_identity {
        nodes.push(bytes("device-identity", identity));
    }
    nodes
}

fn digest(keys: &UploadedKeys) -> Node {
    let one_time: Vec<&[u8]> =
        keys.one_time.iter().map(|(_, key)| key.public_key_bytes()).collect();
    let hash = compute_key_bundle_digest(
        keys.identity.public_key_bytes(),
        keys.signed_key.public_key_bytes(),
        &keys.signature,
        &one_time,
    );
    let ids = keys.one_time.iter().map(|(key_id, _)| id(*key_id));
    NodeBuilder::new("digest")
        .children([
            bytes("registration", keys.registration_id.to_be_bytes()),
            bytes("type", [KEY_TYPE]),
            public("identity", &keys.identity),
            NodeBuilder::new("skey")
                .children([
                    id(keys.signed_id),
                    public("value", &keys.signed_key),
                    bytes("signature", keys.signature.as_slice()),
                ])
                .build(),
            NodeBuilder::new("list").children(ids).build(),
            bytes("hash", hash),
        ])
        .build()
}

/// Takes an upload into what is known of a client; returns its identity key.
pub(crate) fn take_upload(
    known: &mut Option<UploadedKeys>,
    iq: &Node,
) -> Result<PublicKey, PeopleError> {
    if let Some(rotated) = iq.get_optional_child("rotate") {
        let known = known.as_mut().ok_or(PeopleError::BadUpload)?;
        let signed = rotated.get_optional_child("skey").and_then(signed_key);
        (known.signed_id, known.signed_key, known.signature) =
            signed.ok_or(PeopleError::BadUpload)?;
        return Ok(known.identity);
    }
    let mut fresh = whole(iq).ok_or(PeopleError::BadUpload)?;
    if !fresh.identity.verify_signature(&fresh.signed_key.serialize(), &fresh.signature) {
        return Err(PeopleError::BadUpload);
    }
    if let Some(old) = known.take().filter(|old| old.identity == fresh.identity) {
        let mut one_time = old.one_time;
        one_time.retain(|(id, _)| fresh.one_time.iter().all(|(new, _)| new != id));
        one_time.append(&mut fresh.one_time);
        fresh.one_time = one_time;
    }
    let surplus = fresh.one_time.len().saturating_sub(ONE_TIME_KEYS_MAX);
    fresh.one_time.drain(..surplus);
    let identity = fresh.identity;
    *known = Some(fresh);
    Ok(identity)
}

fn whole(iq: &Node) -> Option<UploadedKeys> {
    let registration = bytes_of(iq.get_optional_child("registration")?)?;
    let (signed_id, signed_key, signature) = signed_key(iq.get_optional_child("skey")?)?;
    let list = iq.get_optional_child("list")?;
    Some(UploadedKeys {
        registration_id: number(registration)?,
        identity: key(iq.get_optional_child("identity")?)?,
        signed_id,
        signed_key,
        signature,
        one_time: list.get_children_by_tag("key").filter_map(numbered_key).collect(),
        warned: false,
    })
}

fn signed_key(node: &Node) -> Option<(u32, PublicKey, Vec<u8>)> {
    let (id, key) = numbered_key(node)?;
    let signature = bytes_of(node.get_optional_child("signature")?)?;
    (signature.len() == SIGNATURE_BYTES).then(|| (id, key, signature.to_vec()))
}

fn numbered_key(node: &Node) -> Option<(u32, PublicKey)> {
    let id = number(bytes_of(node.get_optional_child("id")?)?)?;
    Some((id, key(node.get_optional_child("value")?)?))
}

fn key(node: &Node) -> Option<PublicKey> {
    PublicKey::from_djb_public_key_bytes(bytes_of(node)?).ok()
}

// Big endian, of 1 to 4 bytes.
fn number(bytes: &[u8]) -> Option<u32> {
    if bytes.is_empty() || bytes.len() > 4 {
        return None;
    }
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}
