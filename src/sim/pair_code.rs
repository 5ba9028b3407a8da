//! Pairing by code: the companion's hello, the phone that types the code, and the
//! companion's key bundle, opened and checked. Ends where QR pairing begins: with a
//! shared secret.

use tokio::sync::oneshot;
use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore::crypto::{generate_curve_key_pair, hkdf_sha256_into};
use whatsapp_rust::wacore::libsignal::crypto::aes_256_gcm_decrypt;
use whatsapp_rust::wacore::libsignal::protocol::{KeyPair, PublicKey};
use whatsapp_rust::wacore::pair_code::PairCodeUtils;
use whatsapp_rust::wacore::time::now_secs;
use whatsapp_rust::wacore_binary::Node;

use super::accounts::DeviceId;
use super::cert::public_bytes;
use super::error::{PairingError, SimError};
use super::nodes::{
    attr, child_array, child_content, jid_attr, refusal, result, result_with, server,
};
use super::pairing::{Paired, sign_in};
use super::world::{Ending, LinkId, Standing, World, random};

/// A wrapped ephemeral key: salt, iv, key.
const WRAPPED_BYTES: usize = 80;
/// Salt, then iv, before the sealed bundle.
const BUNDLE_PREFIX_BYTES: usize = 32 + 12;
/// Companion identity, phone identity, random.
const BUNDLE_BYTES: usize = 96;

/// Systems that the server takes in a client's name for itself.
const SYSTEMS: [&str; 6] = ["Windows", "Mac OS", "Linux", "Ubuntu", "Android", "iOS"];

/// A code that a client shows.
pub(super) struct CodeOffer {
    /// The number whose phone is to type it, digits only.
    pub(super) user: String,
    reference: Vec<u8>,
    wrapped: [u8; WRAPPED_BYTES],
    typed: Option<Typed>,
}

/// What the phone did with the code.
struct Typed {
    phone_ephemeral: KeyPair,
    companion_ephemeral: [u8; 32],
    ending: Ending<Result<Paired, SimError>>,
}

/// Handles `<link_code_companion_reg>` requests.
pub(super) fn request(world: &mut World, link: LinkId, iq: &Node) {
    let node = iq.get_optional_child("link_code_companion_reg");
    let stage = node.and_then(|node| attr(node, "stage"));
    match (node, stage.as_deref()) {
        (Some(node), Some("companion_hello")) => hello(world, link, iq, node),
        (Some(node), Some("companion_finish")) => finish(world, link, iq, node),
        (Some(_) | None, _) => world.say(link, refusal(iq, 400, "bad-request")),
    }
}

fn hello(world: &mut World, link: LinkId, iq: &Node, node: &Node) {
    let noise_key = world.link(link).map(|link| link.noise_key);
    let wrapped = child_array(node, &["link_code_pairing_wrapped_companion_ephemeral_pub"]);
    let claimed: Option<[u8; 32]> = child_array(node, &["companion_server_auth_key_pub"]);
    let user = jid_attr(node, "jid").filter(|jid| jid.is_pn()).map(|jid| jid.user.to_string());
    let (Some(pairing), Some(wrapped), Some(user)) = (world.pairing(link), wrapped, user) else {
        return world.say(link, refusal(iq, 400, "bad-request"));
    };
    let display = child_content(node, &["companion_platform_display"]).unwrap_or_default();
    if claimed.is_none() || claimed != noise_key || !is_a_system(&display) {
        return world.say(link, refusal(iq, 400, "bad-request"));
    }
    let reference = random::<16>().to_vec();
    pairing.code = Some(CodeOffer { user, reference: reference.clone(), wrapped, typed: None });
    let reply = NodeBuilder::new("link_code_companion_reg")
        .attr("stage", "companion_hello")
        .children([NodeBuilder::new("link_code_pairing_ref").bytes(reference).build()])
        .build();
    world.say(link, result_with(iq, [reply]));
}

/// Whether a client's name for itself is a browser on a system: the server takes no other one
/// with a code, though any with a QR code (Baileys pull request 2769, measured).
fn is_a_system(display: &[u8]) -> bool {
    let display = std::str::from_utf8(display).unwrap_or_default();
    let system = display.split_once(" (").and_then(|(_, system)| system.strip_suffix(')'));
    system.is_some_and(|system| SYSTEMS.contains(&system))
}

/// A code that a phone is about to type: what it needs outside the lock, because
/// deriving a key from a code takes a while by design.
pub(super) struct Typing {
    link: LinkId,
    reference: Vec<u8>,
    wrapped: [u8; WRAPPED_BYTES],
}

/// Finds the client that shows a code for this number; without a number, the latest.
pub(super) fn find(world: &World, user: Option<&str>) -> Result<Typing, SimError> {
    world
        .links()
        .into_iter()
        .rev()
        .find_map(|(id, link)| match &link.standing {
            Standing::Pairing(pairing) => {
                let offer = pairing.code.as_ref()?;
                user.is_none_or(|user| user == offer.user).then(|| Typing {
                    link: id,
                    reference: offer.reference.clone(),
                    wrapped: offer.wrapped,
                })
            }
            Standing::Fresh | Standing::LoggedIn { .. } => None,
        })
        .ok_or(SimError::NoCodeOffered)
}

/// The phone's keys for one typed code.
pub(super) struct PhoneHello {
    typing: Typing,
    phone_ephemeral: KeyPair,
    companion_ephemeral: [u8; 32],
    wrapped: [u8; WRAPPED_BYTES],
}

impl Typing {
    /// Derives the keys from the code. Slow: not for the lock.
    pub(super) fn derive(self, code: &str) -> Result<PhoneHello, SimError> {
        let code: String =
            code.chars().filter(|c| !matches!(c, '-' | ' ')).collect::<String>().to_uppercase();
        if !PairCodeUtils::validate_code(&code) {
            return Err(SimError::WrongCode);
        }
        let companion_ephemeral =
            PairCodeUtils::decrypt_primary_ephemeral_pub(&self.wrapped, &code)
                .map_err(|_| SimError::WrongCode)?;
        let phone_ephemeral = generate_curve_key_pair();
        let wrapped =
            PairCodeUtils::encrypt_ephemeral_pub(&public_bytes(&phone_ephemeral.public_key), &code);
        Ok(PhoneHello { typing: self, phone_ephemeral, companion_ephemeral, wrapped })
    }
}

/// The phone answers the companion's hello.
pub(super) fn phone_hello(
    world: &mut World,
    hello: PhoneHello,
) -> Result<oneshot::Receiver<Result<Paired, SimError>>, SimError> {
    let PhoneHello { typing, phone_ephemeral, companion_ephemeral, wrapped } = hello;
    let user = world
        .pairing(typing.link)
        .and_then(|pairing| pairing.code.as_ref())
        .filter(|offer| offer.reference == typing.reference)
        .map(|offer| offer.user.clone())
        .ok_or(SimError::NoCodeOffered)?;
    let identity = public_bytes(&phone_identity(world, &user)?.public_key);
    let (ending, paired) = oneshot::channel();
    let offer = world.pairing(typing.link).and_then(|pairing| pairing.code.as_mut());
    if let Some(offer) = offer {
        offer.typed = Some(Typed { phone_ephemeral, companion_ephemeral, ending });
    }
    let child = |tag, bytes: &[u8]| NodeBuilder::new(tag).bytes(bytes).build();
    let body = NodeBuilder::new("link_code_companion_reg")
        .attr("stage", "primary_hello")
        .children([
            child("link_code_pairing_wrapped_primary_ephemeral_pub", &wrapped),
            child("primary_identity_pub", &identity),
            child("link_code_pairing_ref", &typing.reference),
        ])
        .build();
    let notification = NodeBuilder::new("notification")
        .attr("from", server())
        .attr("type", "link_code_companion_reg")
        .attr("id", world.iq_id())
        .attr("t", now_secs())
        .children([body])
        .build();
    world.say(typing.link, notification);
    Ok(paired)
}

fn finish(world: &mut World, link: LinkId, iq: &Node, node: &Node) {
    let reference = child_content(node, &["link_code_pairing_ref"]);
    let offer = world.pairing(link).and_then(|pairing| {
        pairing.code.take_if(|code| Some(&code.reference) == reference.as_ref())
    });
    let Some(CodeOffer { user, typed: Some(typed), .. }) = offer else {
        return world.say(link, refusal(iq, 400, "bad-request"));
    };
    world.say(link, result(iq));
    let secret = open_bundle(world, link, &user, &typed, node);
    let ending = secret.and_then(|secret| sign_in(world, link, &user, &secret));
    let _ = typed.ending.send(ending);
}

fn phone_identity(world: &mut World, user: &str) -> Result<KeyPair, SimError> {
    world.phone(user)?;
    let phone = world.people.account_phone(user).ok_or(SimError::NoSuchAccount)?;
    phone.identity().cloned().ok_or(SimError::NoSuchAccount)
}

/// Opens the companion's key bundle, checks both identities in it, and derives the
/// secret that both sides now share.
fn open_bundle(
    world: &mut World,
    link: LinkId,
    user: &str,
    typed: &Typed,
    node: &Node,
) -> Result<[u8; 32], SimError> {
    let wrong = || SimError::from(PairingError::WrongCode);
    let registered = world.pairing(link).ok_or_else(wrong)?.registration.identity;
    let claimed: [u8; 32] = child_array(node, &["companion_identity_public"])
        .ok_or(PairingError::BadAnswer("no identity key"))?;
    if claimed != registered {
        return Err(PairingError::BadAnswer("another identity key than registered").into());
    }
    let sealed = child_content(node, &["link_code_pairing_wrapped_key_bundle"])
        .filter(|sealed| sealed.len() > BUNDLE_PREFIX_BYTES)
        .ok_or(PairingError::BadAnswer("no key bundle"))?;
    let phone = phone_identity(world, user)?;
    let companion_ephemeral = PublicKey::from_djb_public_key_bytes(&typed.companion_ephemeral)?;
    let shared = typed.phone_ephemeral.private_key.calculate_agreement(&companion_ephemeral)?;

    let mut key = [0; 32];
    let info = b"link_code_pairing_key_bundle_encryption_key";
    hkdf_sha256_into(&shared, Some(&sealed[..32]), info, &mut key).map_err(|_| wrong())?;
    let nonce: [u8; 12] = sealed[32..BUNDLE_PREFIX_BYTES].try_into().map_err(|_| wrong())?;
    let mut bundle = Vec::with_capacity(BUNDLE_BYTES);
    aes_256_gcm_decrypt(&key, &nonce, b"", &sealed[BUNDLE_PREFIX_BYTES..], &mut bundle)
        .map_err(|_| wrong())?;
    if bundle.len() != BUNDLE_BYTES
        || bundle[..32] != registered
        || bundle[32..64] != public_bytes(&phone.public_key)
    {
        return Err(PairingError::BadAnswer("the bundle names other identities").into());
    }
    let companion = PublicKey::from_djb_public_key_bytes(&registered)?;
    let identities = phone.private_key.calculate_agreement(&companion)?;
    let material = [&shared[..], &identities, &bundle[64..]].concat();
    let mut secret = [0; 32];
    hkdf_sha256_into(&material, None, b"adv_secret", &mut secret).map_err(|_| wrong())?;
    Ok(secret)
}

/// Waits for both halves of a pairing by code.
pub(super) async fn wait(
    typed: oneshot::Receiver<Result<Paired, SimError>>,
) -> Result<DeviceId, SimError> {
    let paired = typed.await.map_err(|_| PairingError::Gone)??;
    Ok(paired.await.map_err(|_| PairingError::Gone)??)
}
