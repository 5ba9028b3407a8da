//! Pairing: the references of QR codes, the phone's signatures and HMAC over the
//! companion's keys, and the checks of everything that the companion answers.

use tokio::sync::oneshot;
use whatsapp_rust::NodeBuilder;
use whatsapp_rust::buffa::Message as _;
use whatsapp_rust::wacore::libsignal::crypto::hmac_sha256;
use whatsapp_rust::wacore::libsignal::protocol::{CurveError, PublicKey};
use whatsapp_rust::wacore::time::now_secs;
use whatsapp_rust::wacore_binary::{Jid, Node};
use whatsapp_rust::waproto::codec;
use whatsapp_rust::waproto::whatsapp::client_payload::DevicePairingRegistrationData;
use whatsapp_rust::waproto::whatsapp::{
    ADVEncryptionType, ADVSignedDeviceIdentity, ADVSignedDeviceIdentityHMAC, ClientPairingProps,
};

use super::accounts::{Companion, DeviceId};
use super::error::{PairingError, SimError};
use super::nodes::{attr, child_content, server};
use super::notices::{self, Fate};
use super::passkey;
use super::world::{Ending, LinkId, PairingLink, Standing, World, random};

/// How many QR references a client gets at once.
const REFERENCES: usize = 6;
/// The companion signs this before the details and both identities.
const DEVICE_PREFIX: [u8; 2] = [6, 1];
/// What the HMAC of a hosted account begins with.
const HOSTED_PREFIX: [u8; 2] = [6, 5];
/// The type byte of a curve key.
const KEY_TYPE: u8 = 5;
/// What a QR code may start with when it is a link.
const LINK_PREFIX: &str = "https://wa.me/settings/linked_devices#";

/// The keys that a client registers.
#[derive(Clone)]
pub(super) struct Registration {
    /// Its identity key.
    pub(super) identity: [u8; 32],
}

/// A pairing that the phone has signed and the client has yet to sign.
pub(super) struct Pending {
    iq: String,
    device: DeviceId,
    key_index: u32,
    signed: ADVSignedDeviceIdentity,
    ending: Ending<Result<DeviceId, PairingError>>,
}

/// How a pairing ends, for whoever waits for it.
pub(super) type Paired = oneshot::Receiver<Result<DeviceId, PairingError>>;

/// Takes a client that wants to register, after checking the keys it brings, and
/// gives it the references for its QR codes.
pub(super) fn begin(world: &mut World, link: LinkId, data: &DevicePairingRegistrationData) {
    let Some(registration) = check_registration(data) else {
        tracing::debug!("a registration with unusable keys");
        world.say(link, NodeBuilder::new("failure").attr("reason", 400).build());
        world.hang_up(link);
        return;
    };
    let references: Vec<String> = (0..REFERENCES).map(|_| reference()).collect();
    let children =
        references.iter().map(|text| NodeBuilder::new("ref").bytes(text.as_bytes()).build());
    let iq = NodeBuilder::new("iq")
        .attr("from", server())
        .attr("type", "set")
        .attr("id", world.iq_id())
        .attr("xmlns", "md")
        .children([NodeBuilder::new("pair-device").children(children).build()])
        .build();
    let pairing = PairingLink { registration, references, code: None, gate: None, pending: None };
    world.stand(link, Standing::Pairing(Box::new(pairing)));
    world.say(link, iq);
}

/// A QR code's reference. No commas: they separate the code's fields.
pub(super) fn reference() -> String {
    let random: [u8; 24] = random();
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("2@{hex}")
}

fn check_registration(data: &DevicePairingRegistrationData) -> Option<Registration> {
    let identity: [u8; 32] = data.e_ident.as_deref()?.try_into().ok()?;
    let signed_key: [u8; 32] = data.e_skey_val.as_deref()?.try_into().ok()?;
    let signature = data.e_skey_sig.as_deref()?;
    let key = PublicKey::from_djb_public_key_bytes(&identity).ok()?;
    let signed = [&[KEY_TYPE][..], &signed_key].concat();
    let usable = data.e_keytype.as_deref() == Some(&[KEY_TYPE])
        && data.e_regid.as_ref().is_some_and(|id| id.len() == 4)
        && key.verify_signature(&signed, signature);
    usable.then_some(Registration { identity })
}

/// The fields of a QR code.
struct Qr {
    reference: String,
    noise_key: [u8; 32],
    identity: [u8; 32],
    adv_secret: [u8; 32],
}

impl Qr {
    fn parse(text: &str) -> Result<Qr, SimError> {
        let text = text.trim();
        let mut fields = text.strip_prefix(LINK_PREFIX).unwrap_or(text).split(',');
        let mut field = || fields.next().ok_or(SimError::BadQr("it has less than four fields"));
        let reference = field()?.to_owned();
        let mut key = || {
            base64(field()?)
                .and_then(|bytes| bytes.try_into().ok())
                .ok_or(SimError::BadQr("a field is not a key in base64"))
        };
        Ok(Qr { reference, noise_key: key()?, identity: key()?, adv_secret: key()? })
    }
}

/// Standard base64 with or without padding.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0u32, 0u32);
    for symbol in text.trim_end_matches('=').bytes() {
        let value = match symbol {
            b'A'..=b'Z' => symbol - b'A',
            b'a'..=b'z' => symbol - b'a' + 26,
            b'0'..=b'9' => symbol - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held).to_be_bytes()[3]);
        }
    }
    Some(bytes)
}

/// The phone scans a QR code: finds the client that shows it and signs it in.
pub(super) fn scan(world: &mut World, user: &str, qr: &str) -> Result<Paired, SimError> {
    let qr = Qr::parse(qr)?;
    let link = world
        .links()
        .into_iter()
        .find_map(|(id, link)| match &link.standing {
            Standing::Pairing(pairing) if pairing.references.contains(&qr.reference) => {
                Some((id, link.noise_key, pairing.registration.identity))
            }
            Standing::Pairing(_) | Standing::Fresh | Standing::LoggedIn { .. } => None,
        })
        .ok_or(SimError::BadQr("no client shows it any more"))?;
    let (link, noise_key, identity) = link;
    if noise_key != qr.noise_key {
        return Err(SimError::BadQr("its Noise key is not the client's"));
    }
    if identity != qr.identity {
        return Err(SimError::BadQr("its identity key is not the client's"));
    }
    sign_in(world, link, user, &qr.adv_secret)
}

/// The phone has seen the code: links the client, or asks for a passkey first.
pub(super) fn sign_in(
    world: &mut World,
    link: LinkId,
    user: &str,
    adv_secret: &[u8; 32],
) -> Result<Paired, SimError> {
    if !world.phone(user)?.has_room() {
        return Err(SimError::TooManyCompanions);
    }
    if passkey::ask(world, link, user, adv_secret) {
        return Err(SimError::PasskeyAsked);
    }
    link_device(world, link, user, adv_secret)
}

/// The phone signs the companion's identity and proves with the shared secret that it
/// is the phone that saw the code.
pub(super) fn link_device(
    world: &mut World,
    link: LinkId,
    user: &str,
    adv_secret: &[u8; 32],
) -> Result<Paired, SimError> {
    let companion = world.pairing(link).ok_or(SimError::NoCodeOffered)?.registration.identity;
    let companion = PublicKey::from_djb_public_key_bytes(&companion)?;
    let account = world.phone(user)?;
    let device = DeviceId { user: user.to_owned(), device: account.next_device };
    account.next_device += 1;
    let push_name = account.push_name.clone();
    let key_index = u32::from(device.device);
    let phone = world.people.account_phone(user).ok_or(SimError::NoSuchAccount)?;
    let signed = phone.sign_companion(&companion, key_index)?;
    let lid = phone.lid().with_device(device.device);
    let iq = world.iq_id();
    let migrated = world.settings.rules.migrated;
    let sealed = sealed(&signed, adv_secret, world.linking.hosted.contains(user));
    let stanza = pair_success(&iq, &device, (lid, migrated), &push_name, sealed);
    let (ending, paired) = oneshot::channel();
    let pending = Pending { iq, device, key_index, signed, ending };
    if let Some(pairing) = world.pairing(link) {
        pairing.pending = Some(pending);
    }
    world.say(link, stanza);
    Ok(paired)
}

/// The identity under the shared secret. Of a hosted account the container is marked and its
/// HMAC has a prefix, while the identity in it, an end-to-end encrypted device's, is signed
/// as any other: whatsapp-rust pull request 1440.
fn sealed(
    signed: &ADVSignedDeviceIdentity,
    adv_secret: &[u8; 32],
    hosted: bool,
) -> ADVSignedDeviceIdentityHMAC {
    let details = codec::adv_signed_device_identity_to_vec(signed);
    let prefix = if hosted { &HOSTED_PREFIX[..] } else { &[] };
    let hmac = hmac_sha256(adv_secret, &[prefix, &details].concat());
    ADVSignedDeviceIdentityHMAC {
        details: Some(details),
        hmac: Some(hmac.to_vec()),
        account_type: hosted.then_some(ADVEncryptionType::HOSTED),
    }
}

fn pair_success(
    iq: &str,
    device: &DeviceId,
    (lid, migrated): (Jid, bool),
    push_name: &str,
    sealed: ADVSignedDeviceIdentityHMAC,
) -> Node {
    let props =
        ClientPairingProps { is_chat_db_lid_migrated: Some(migrated), ..Default::default() };
    let success = NodeBuilder::new("pair-success").children([
        NodeBuilder::new("device-identity").bytes(sealed.encode_to_vec()).build(),
        NodeBuilder::new("device").attr("jid", device.jid()).attr("lid", lid).build(),
        NodeBuilder::new("platform").attr("name", "android").build(),
        NodeBuilder::new("biz").attr("name", push_name).build(),
        NodeBuilder::new("client-props").bytes(props.encode_to_vec()).build(),
    ]);
    NodeBuilder::new("iq")
        .attr("from", server())
        .attr("type", "set")
        .attr("id", iq)
        .attr("xmlns", "md")
        .attr("t", now_secs())
        .children([success.build()])
        .build()
}

/// Takes a client's answer to a request of ours. Only pairing asks anything that
/// matters; the rest is read and forgotten.
pub(super) fn answered(world: &mut World, link: LinkId, iq: &Node) {
    let Some(pairing) = world.pairing(link) else { return };
    let id = attr(iq, "id");
    let Some(pending) = pairing.pending.take_if(|pending| Some(&pending.iq) == id.as_ref()) else {
        return;
    };
    let identity = pairing.registration.identity;
    let checked = check_answer(iq, &pending, &identity);
    let ending = checked.and_then(|adv| complete(world, link, &pending, adv));
    if let Err(error) = &ending {
        tracing::debug!(%error, "a pairing failed");
        world.say(link, NodeBuilder::new("stream:error").attr("code", 401).build());
        world.hang_up(link);
    }
    let ending = ending.map(|()| pending.device);
    let _ = pending.ending.send(ending);
}

/// Checks the companion's signature. Returns the identity with all signatures on it.
fn check_answer(
    iq: &Node,
    pending: &Pending,
    identity: &[u8; 32],
) -> Result<Vec<u8>, PairingError> {
    if attr(iq, "type").as_deref() != Some("result") {
        let error = iq.get_optional_child("error");
        let say = |key| error.and_then(|error| attr(error, key)).unwrap_or_default();
        return Err(PairingError::Refused { code: say("code"), text: say("text") });
    }
    let node = iq
        .get_optional_child_by_tag(&["pair-device-sign", "device-identity"])
        .ok_or(PairingError::BadAnswer("no device identity"))?;
    if attr(node, "key-index") != Some(pending.key_index.to_string()) {
        return Err(PairingError::BadAnswer("another key index"));
    }
    let bytes = child_content(iq, &["pair-device-sign", "device-identity"]).unwrap_or_default();
    let theirs = codec::adv_signed_device_identity_decode(&bytes)
        .map_err(|_| PairingError::BadAnswer("the device identity cannot be decoded"))?;
    let mut signed = pending.signed.clone();
    // Some clients leave our own key out of their answer; none may change it.
    let same_key = theirs.account_signature_key.is_none()
        || theirs.account_signature_key == signed.account_signature_key;
    if theirs.details != signed.details
        || theirs.account_signature != signed.account_signature
        || !same_key
    {
        return Err(PairingError::BadAnswer("the phone's part was changed"));
    }
    signed.device_signature = theirs.device_signature;
    if !device_signature_holds(&signed, identity).unwrap_or(false) {
        return Err(PairingError::BadAnswer("the device signature does not hold"));
    }
    Ok(codec::adv_signed_device_identity_to_vec(&signed))
}

fn device_signature_holds(
    signed: &ADVSignedDeviceIdentity,
    identity: &[u8; 32],
) -> Result<bool, CurveError> {
    let part = |bytes: &Option<Vec<u8>>| bytes.clone().unwrap_or_default();
    let message = [
        &DEVICE_PREFIX[..],
        &part(&signed.details),
        identity,
        &part(&signed.account_signature_key),
    ]
    .concat();
    let key = PublicKey::from_djb_public_key_bytes(identity)?;
    Ok(key.verify_signature(&message, &part(&signed.device_signature)))
}

/// Writes the companion down and sends it away to log in.
fn complete(
    world: &mut World,
    link: LinkId,
    pending: &Pending,
    adv: Vec<u8>,
) -> Result<(), PairingError> {
    let DeviceId { user, device } = &pending.device;
    let noise_key = world.link(link).ok_or(PairingError::Gone)?.noise_key;
    let unknown = |_| PairingError::BadAnswer("the account cannot take it");
    world.people.add_companion_of_account(user, *device, adv).map_err(unknown)?;
    let account = world.phone(user).map_err(unknown)?;
    account.companions.insert(*device, Companion::new(noise_key));
    world.stats.pairings += 1;
    notices::devices(world, user, &[*device], Fate::Added);
    world.say(link, NodeBuilder::new("stream:error").attr("code", 515).build());
    world.hang_up(link);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_reads_every_length_with_and_without_padding() {
        for (text, plain) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zg", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("/+8=", "\u{0}"),
        ] {
            let expected =
                if text == "/+8=" { vec![0xff, 0xef] } else { plain.as_bytes().to_vec() };
            assert_eq!(base64(text), Some(expected));
        }
        assert_eq!(base64("a-b_"), None);
    }
}
