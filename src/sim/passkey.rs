//! Pairing with a passkey, the server's and the phone's side: the request that comes in
//! place of `pair-success`, the client's prologue, the ephemeral keys, the code that both
//! sides show, and the pairing request with the new secret. Ends where a plain pairing ends.
//!
//! The stanzas are those of WhatsApp Web as whatsmeow (pair-passkey.go) and wacore
//! (shortcake.rs) have them. With which codes the real server refuses is not known.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::{Instant, sleep};
use whatsapp_rust::NodeBuilder;
use whatsapp_rust::buffa::Message as _;
use whatsapp_rust::wacore::crypto::generate_curve_key_pair;
use whatsapp_rust::wacore::libsignal::crypto::aes_256_gcm_decrypt;
use whatsapp_rust::wacore::libsignal::protocol::KeyPair;
use whatsapp_rust::wacore::shortcake::ShortcakeUtils;
use whatsapp_rust::wacore::time::now_secs;
use whatsapp_rust::wacore_binary::Node;
use whatsapp_rust::waproto::whatsapp as wa;

use super::cert::public_bytes;
use super::error::SimError;
use super::nodes::{
    child_array, child_content, first_child_tag, refusal, result, result_with, server,
};
use super::pairing;
use super::shared::Shared;
use super::webauthn::{self, Flaw};
use super::world::{LinkId, Standing, World, random};

/// How long the phone takes to answer a client.
const PHONE_TIME: Duration = Duration::from_millis(100);

/// What a phone does about the proof that client and phone share a secret already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// With a good one no code is compared.
    #[default]
    Accepted,
    /// The code is compared all the same.
    Ignored,
    /// Without a good one the server refuses.
    Required,
}

/// Whether and how a phone asks for a passkey before it links a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct PasskeyPolicy {
    /// Whether it does.
    pub on: bool,
    /// The notification comes without the options, and the client must ask for them.
    #[serde(default)]
    pub without_options: bool,
    /// What the phone does about the proof.
    #[serde(default)]
    pub proof: Proof,
    /// For how long the request stands.
    #[serde(default = "ten_minutes")]
    pub timeout_ms: u64,
}

fn ten_minutes() -> u64 {
    600_000
}

/// A pairing that a passkey holds up.
pub(super) struct Gate {
    /// Whose phone asks.
    pub(super) user: String,
    policy: PasskeyPolicy,
    /// What client and phone share from the QR code or the typed code.
    shared_secret: [u8; 32],
    challenge: [u8; 32],
    expires: Instant,
    reference: Option<String>,
    exchange: Option<Exchange>,
    /// The owner of the phone said no.
    refused: bool,
}

/// The keys of one exchange.
struct Exchange {
    identity: wa::CompanionEphemeralIdentity,
    payload: wa::ProloguePayload,
    /// A good proof, on a phone that goes by it.
    proven: bool,
    /// When the server took the prologue.
    since: Instant,
    /// The phone has sent its key.
    announced: bool,
    phone: KeyPair,
    nonce: [u8; 32],
    /// What both sides show.
    code: Option<String>,
    /// The owner of the phone has compared it.
    compared: bool,
    /// The new secret, once the client has sent it.
    secret: Option<[u8; 32]>,
}

/// Asks for the passkey, if this phone does. True if it does.
pub(super) fn ask(world: &mut World, link: LinkId, user: &str, secret: &[u8; 32]) -> bool {
    let policy = world.linking.passkeys.get(user).copied().filter(|policy| policy.on);
    let Some(policy) = policy else { return false };
    let challenge = random();
    let mut notification = notification(world, "passkey_prologue_request");
    if !policy.without_options {
        notification = notification.children([options(&challenge, policy.timeout_ms)]);
    }
    if let Some(pairing) = world.pairing(link) {
        pairing.gate = Some(Gate {
            user: user.to_owned(),
            policy,
            shared_secret: *secret,
            challenge,
            expires: Instant::now() + Duration::from_millis(policy.timeout_ms),
            reference: None,
            exchange: None,
            refused: false,
        });
    }
    world.say(link, notification.build());
    true
}

fn notification(world: &mut World, kind: &'static str) -> NodeBuilder {
    NodeBuilder::new("notification")
        .attr("from", server())
        .attr("type", kind)
        .attr("id", world.iq_id())
        .attr("t", now_secs())
}

fn options(challenge: &[u8; 32], timeout_ms: u64) -> Node {
    NodeBuilder::new("passkey_request_options")
        .bytes(webauthn::options(challenge, timeout_ms).into_bytes())
        .build()
}

/// Handles the requests of a client whose pairing a passkey holds up. False: none of them.
pub(super) fn request(world: &mut World, link: LinkId, iq: &Node, child: &str) -> bool {
    let reply = match child {
        "ref" => reference(world, link, iq),
        "passkey_request_options" => ask_again(world, link, iq),
        "passkey_prologue" => prologue(world, link, iq),
        "companion_nonce" => nonce(world, link, iq),
        "encrypted_pairing_request" => pairing_request(world, link, iq),
        _ => return false,
    };
    let reply = reply.unwrap_or_else(|(code, text)| refusal(iq, code, text));
    world.say(link, reply);
    true
}

type Answer = Result<Node, (u16, &'static str)>;

const BAD_REQUEST: (u16, &str) = (400, "bad-request");
const NOT_AUTHORIZED: (u16, &str) = (401, "not-authorized");
const FORBIDDEN: (u16, &str) = (403, "forbidden");
const GONE: (u16, &str) = (410, "gone");

fn gate(world: &mut World, link: LinkId) -> Result<&mut Gate, (u16, &'static str)> {
    let gate = world.pairing(link).and_then(|pairing| pairing.gate.as_mut()).ok_or(BAD_REQUEST)?;
    if gate.refused { Err(FORBIDDEN) } else { Ok(gate) }
}

fn reference(world: &mut World, link: LinkId, iq: &Node) -> Answer {
    let gate = gate(world, link)?;
    let reference = pairing::reference();
    gate.reference = Some(reference.clone());
    Ok(result_with(iq, [NodeBuilder::new("ref").bytes(reference.into_bytes()).build()]))
}

fn ask_again(world: &mut World, link: LinkId, iq: &Node) -> Answer {
    let gate = gate(world, link)?;
    Ok(result_with(iq, [options(&gate.challenge, gate.policy.timeout_ms)]))
}

fn prologue(world: &mut World, link: LinkId, iq: &Node) -> Answer {
    let gate = gate(world, link)?;
    if gate.expires <= Instant::now() {
        return Err(GONE);
    }
    let part = |name| child_content(iq, &["passkey_prologue", name]).ok_or(BAD_REQUEST);
    let (credential, assertion) = (part("credential_id")?, part("webauthn_assertion")?);
    let bytes = part("prologue_payload")?;
    webauthn::check(&gate.user, &gate.challenge, &credential, &assertion).map_err(
        |flaw| match flaw {
            Flaw::Malformed => BAD_REQUEST,
            Flaw::Credential => NOT_AUTHORIZED,
            Flaw::Origin | Flaw::Challenge => FORBIDDEN,
        },
    )?;
    let payload = wa::ProloguePayload::decode_from_slice(&bytes).map_err(|_| BAD_REQUEST)?;
    let identity = payload.companion_ephemeral_identity.as_deref().ok_or(BAD_REQUEST)?;
    let identity =
        wa::CompanionEphemeralIdentity::decode_from_slice(identity).map_err(|_| BAD_REQUEST)?;
    let keyed = identity.public_key.as_ref().is_some_and(|key| key.len() == 32);
    if !keyed || gate.reference.is_none() || identity.r#ref != gate.reference {
        return Err(BAD_REQUEST);
    }
    let proof: Option<[u8; 32]> = child_array(iq, &["passkey_prologue", "pairing_handoff_proof"]);
    let good = proof.is_some_and(|proof| Some(proof) == expected_proof(gate, &bytes));
    if gate.policy.proof == Proof::Required && !good {
        return Err(FORBIDDEN);
    }
    gate.exchange = Some(Exchange {
        identity,
        payload,
        proven: good && gate.policy.proof != Proof::Ignored,
        since: Instant::now(),
        announced: false,
        phone: generate_curve_key_pair(),
        nonce: random(),
        code: None,
        compared: false,
        secret: None,
    });
    Ok(result(iq))
}

fn expected_proof(gate: &Gate, payload: &[u8]) -> Option<[u8; 32]> {
    let key = ShortcakeUtils::derive_pairing_handoff_hmac_key(&gate.shared_secret).ok()?;
    Some(ShortcakeUtils::compute_pairing_handoff_proof(&key, payload))
}

/// What the phone does once a client's request has reached it. It is a network away: clients
/// rely on having the server's answer before the phone's.
pub(super) fn phone_continues(shared: &Arc<Shared>, link: LinkId, iq: &Node) {
    let act = match first_child_tag(iq) {
        "passkey_prologue" => send_phone_key,
        "encrypted_pairing_request" => link_if_agreed,
        _ => return,
    };
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        sleep(PHONE_TIME).await;
        act(&mut *shared.change().await, link);
    });
}

/// The phone sends its ephemeral key.
fn send_phone_key(world: &mut World, link: LinkId) {
    // A phone whose owner says no says so at the client's next step.
    let gate = world.pairing(link).and_then(|pairing| pairing.gate.as_mut());
    let Some(exchange) = gate.and_then(|gate| gate.exchange.as_mut()) else { return };
    // The time of a prologue that was refused is not that of the next one.
    if exchange.announced || exchange.since.elapsed() < PHONE_TIME {
        return;
    }
    exchange.announced = true;
    let primary = wa::PrimaryEphemeralIdentity {
        public_key: Some(public_bytes(&exchange.phone.public_key).to_vec()),
        nonce: Some(exchange.nonce.to_vec()),
    };
    let primary =
        NodeBuilder::new("primary_ephemeral_identity").bytes(primary.encode_to_vec()).build();
    let notification = notification(world, "crsc_continuation").children([primary]).build();
    world.say(link, notification);
}

/// The client reveals what it had only committed to: from here on both sides know the code.
fn nonce(world: &mut World, link: LinkId, iq: &Node) -> Answer {
    let exchange = gate(world, link)?.exchange.as_mut().ok_or(BAD_REQUEST)?;
    let nonce: [u8; 32] = child_array(iq, &["companion_nonce"]).ok_or(BAD_REQUEST)?;
    let identity = exchange.payload.companion_ephemeral_identity.as_deref().unwrap_or_default();
    let hash = ShortcakeUtils::commitment_hash(identity, &nonce);
    let committed = exchange.payload.commitment.as_option().and_then(|it| it.hash.as_deref());
    if committed != Some(&hash[..]) {
        return Err(FORBIDDEN);
    }
    let phone = public_bytes(&exchange.phone.public_key);
    let code = ShortcakeUtils::derive_verification_code(&nonce, &phone, &exchange.nonce);
    exchange.code = Some(code);
    Ok(result(iq))
}

fn pairing_request(world: &mut World, link: LinkId, iq: &Node) -> Answer {
    let noise_key = world.link(link).map(|link| link.noise_key).ok_or(BAD_REQUEST)?;
    let identity = world.pairing(link).ok_or(BAD_REQUEST)?.registration.identity;
    let exchange = gate(world, link)?.exchange.as_mut().ok_or(BAD_REQUEST)?;
    let sealed = child_content(iq, &["encrypted_pairing_request"]).ok_or(BAD_REQUEST)?;
    let request = open(exchange, &sealed).ok_or(FORBIDDEN)?;
    let is = |key: &Option<Vec<u8>>, wanted: [u8; 32]| key.as_deref() == Some(&wanted[..]);
    let secret = request.adv_secret.as_deref().and_then(|secret| secret.try_into().ok());
    if exchange.code.is_none()
        || !is(&request.companion_public_key, noise_key)
        || !is(&request.companion_identity_key, identity)
    {
        return Err(FORBIDDEN);
    }
    exchange.secret = Some(secret.ok_or(BAD_REQUEST)?);
    Ok(result(iq))
}

fn open(exchange: &Exchange, sealed: &[u8]) -> Option<wa::PairingRequest> {
    let sealed = wa::EncryptedPairingRequest::decode_from_slice(sealed).ok()?;
    let public: [u8; 32] = exchange.identity.public_key.as_deref()?.try_into().ok()?;
    let key = ShortcakeUtils::derive_encryption_key(
        &exchange.phone,
        &public,
        exchange.identity.device_type?,
        exchange.identity.r#ref.as_deref()?,
    )
    .ok()?;
    let iv: [u8; 12] = sealed.iv.as_deref()?.try_into().ok()?;
    let mut plain = Vec::new();
    let payload = sealed.encrypted_payload.as_deref()?;
    aes_256_gcm_decrypt(&key, &iv, b"", payload, &mut plain).ok()?;
    wa::PairingRequest::decode_from_slice(&plain).ok()
}

/// Links the client once it has sent its secret and the code needs no comparing any more.
fn link_if_agreed(world: &mut World, link: LinkId) {
    let Ok(Gate { user, exchange: Some(exchange), .. }) = gate(world, link) else { return };
    let Some(secret) = exchange.secret.filter(|_| exchange.proven || exchange.compared) else {
        return;
    };
    let user = user.clone();
    if let Err(error) = pairing::link_device(world, link, &user, &secret) {
        tracing::debug!(%error, "a pairing with a passkey failed");
        world.hang_up(link);
    }
}

/// Finds the client that this phone is asked to link.
pub(super) fn find(world: &World, user: &str) -> Result<LinkId, SimError> {
    let held = |standing: &Standing| match standing {
        Standing::Pairing(pairing) => pairing.gate.as_ref().is_some_and(|gate| gate.user == user),
        Standing::Fresh | Standing::LoggedIn { .. } => false,
    };
    let mut links = world.links().into_iter().rev();
    let found = links.find(|(_, link)| held(&link.standing)).map(|(id, _)| id);
    found.ok_or(SimError::NoPasskeyAsked)
}

/// The code that the phone shows, once it does.
pub(super) fn code(world: &World, user: &str) -> Option<String> {
    let link = world.link(find(world, user).ok()?)?;
    let Standing::Pairing(pairing) = &link.standing else { return None };
    pairing.gate.as_ref()?.exchange.as_ref()?.code.clone()
}

/// The owner of the phone says that the client shows this code.
pub(super) fn compare(world: &mut World, user: &str, shown: &str) -> Result<(), SimError> {
    let link = find(world, user)?;
    let Ok(Gate { exchange: Some(exchange), .. }) = gate(world, link) else {
        return Err(SimError::NoPasskeyAsked);
    };
    let shown: String = shown.chars().filter(|c| *c != '-').collect();
    if exchange.code.as_deref() != Some(&shown) {
        return Err(SimError::WrongCode);
    }
    exchange.compared = true;
    link_if_agreed(world, link);
    Ok(())
}

/// The owner of the phone says no: the client's next step is refused.
pub(super) fn refuse(world: &mut World, user: &str) -> Result<(), SimError> {
    let link = find(world, user)?;
    if let Some(gate) = world.pairing(link).and_then(|pairing| pairing.gate.as_mut()) {
        let waits = gate.exchange.as_ref().is_some_and(|exchange| exchange.secret.is_some());
        gate.refused = true;
        if waits {
            world.hang_up(link);
        }
    }
    Ok(())
}
