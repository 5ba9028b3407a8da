//! The chain from an account's phone to its companion devices: signed device
//! identities and the signed list of valid key indexes. Keeps nothing.

use whatsapp_rust::buffa::Message as _;
use whatsapp_rust::wacore::adv::{AdvValidation, validate_adv_with_identity_key};
use whatsapp_rust::wacore::libsignal::protocol::{KeyPair, PublicKey};
use whatsapp_rust::waproto::{codec, whatsapp as wa};

use super::device::DeviceError;
use super::keys::rng;

// What a signature in this chain is for is marked by its first two bytes.
const ACCOUNT_SIGNATURE: [u8; 2] = [6, 0];
const DEVICE_SIGNATURE: [u8; 2] = [6, 1];
const KEY_INDEX_SIGNATURE: [u8; 2] = [6, 2];

fn sign(key: &KeyPair, parts: &[&[u8]]) -> Result<Vec<u8>, DeviceError> {
    let signature = key.calculate_signature(&parts.concat(), &mut rng());
    signature.map(|bytes| bytes.to_vec()).map_err(|_| DeviceError::Unreadable)
}

/// The account's half of a companion's identity: signed by the phone, not yet
/// by the companion.
pub(super) fn account_half(
    phone: &KeyPair,
    companion: &PublicKey,
    raw_id: u32,
    key_index: u32,
    timestamp: u64,
) -> Result<wa::ADVSignedDeviceIdentity, DeviceError> {
    let details = wa::ADVDeviceIdentity {
        raw_id: Some(raw_id),
        timestamp: Some(timestamp),
        key_index: Some(key_index),
        ..Default::default()
    }
    .encode_to_vec();
    let signature = sign(phone, &[&ACCOUNT_SIGNATURE, &details, companion.public_key_bytes()])?;
    Ok(wa::ADVSignedDeviceIdentity {
        details: Some(details),
        account_signature_key: Some(phone.public_key.public_key_bytes().to_vec()),
        account_signature: Some(signature),
        device_signature: None,
    })
}

/// The whole identity of a companion whose private key is at hand.
pub(super) fn device_identity(
    phone: &KeyPair,
    companion: &KeyPair,
    raw_id: u32,
    key_index: u32,
    timestamp: u64,
) -> Result<Vec<u8>, DeviceError> {
    let mut identity = account_half(phone, &companion.public_key, raw_id, key_index, timestamp)?;
    let details = identity.details.as_deref().unwrap_or_default();
    let signature = sign(
        companion,
        &[
            &DEVICE_SIGNATURE,
            details,
            companion.public_key.public_key_bytes(),
            phone.public_key.public_key_bytes(),
        ],
    )?;
    identity.device_signature = Some(signature);
    Ok(codec::adv_signed_device_identity_to_vec(&identity))
}

/// The list of valid key indexes, signed by the phone.
pub(super) fn key_index_list(
    phone: &KeyPair,
    raw_id: u32,
    timestamp: u64,
    valid_indexes: Vec<u32>,
) -> Result<Vec<u8>, DeviceError> {
    let list = wa::ADVKeyIndexList {
        raw_id: Some(raw_id),
        timestamp: Some(timestamp),
        current_index: Some(valid_indexes.iter().copied().max().unwrap_or(0)),
        valid_indexes,
        ..Default::default()
    };
    let details = codec::adv_key_index_list_to_vec(&list);
    let signature = sign(phone, &[&KEY_INDEX_SIGNATURE, &details])?;
    Ok(codec::adv_signed_key_index_list_to_vec(&wa::ADVSignedKeyIndexList {
        details: Some(details),
        account_signature: Some(signature),
        account_signature_key: Some(phone.public_key.public_key_bytes().to_vec()),
    }))
}

/// The key index inside a companion's signed identity.
pub(super) fn key_index_of(signed: &[u8]) -> Option<u32> {
    let signed = codec::adv_signed_device_identity_decode(signed).ok()?;
    codec::adv_device_identity_decode(signed.details.as_deref()?).ok()?.key_index
}

/// Whether both signatures of a companion's identity are right, the account's by
/// this very phone.
pub(super) fn is_whole(signed: &[u8], phone: &PublicKey, companion: &PublicKey) -> bool {
    let Ok(identity) = codec::adv_signed_device_identity_decode(signed) else {
        return false;
    };
    // Clients may leave the account's key out of what they send back.
    let named = identity.account_signature_key.unwrap_or_default();
    let is_ours = named.is_empty() || named == phone.public_key_bytes();
    let (Ok(phone), Ok(companion)) =
        (phone.public_key_bytes().try_into(), companion.public_key_bytes().try_into())
    else {
        return false;
    };
    let verdict = validate_adv_with_identity_key(signed, companion, Some(phone));
    is_ours && verdict == AdvValidation::Valid
}
