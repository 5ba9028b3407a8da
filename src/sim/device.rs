//! One simulated Signal device: opens what clients encrypt, and encrypts for
//! them. It never sees a stanza and knows nobody's number.

use std::collections::BTreeSet;

use getrandom::rand_core::Rng;
use serde::{Deserialize, Serialize};
use whatsapp_rust::wacore::libsignal::protocol::{
    CiphertextMessage, DeviceId, KeyPair, PreKeyBundle, PreKeySignalMessage, ProtocolAddress,
    PublicKey, SenderKeyDistributionMessage, SenderKeyName, SignalMessage, SignalProtocolError,
    UsePQRatchet, create_sender_key_distribution_message, group_decrypt, group_encrypt,
    message_decrypt_prekey, message_decrypt_signal, message_encrypt, process_prekey_bundle,
    process_sender_key_distribution_message,
};
use whatsapp_rust::wacore::messages::{MessageUtils, decode_plaintext, unwrap_device_sent};
use whatsapp_rust::waproto::whatsapp as wa;

use super::keys::{Identity, OneTimeKeys, SenderKeys, Sessions, SignedKey, rng};

/// Registration ids are 14 bits wide.
const REGISTRATION_ID_MASK: u32 = 0x3fff;

/// What a ciphertext is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncType {
    /// The first of a session: carries what sets it up.
    PreKey,
    /// Within an established session.
    Signal,
    /// For a group, by its sender's key.
    SenderKey,
}

impl EncType {
    /// Reads the `type` attribute of an `<enc>`.
    pub fn from_wire(text: &str) -> Option<Self> {
        match text {
            "pkmsg" => Some(Self::PreKey),
            "msg" => Some(Self::Signal),
            "skmsg" => Some(Self::SenderKey),
            _ => None,
        }
    }

    /// The `type` attribute of an `<enc>`.
    pub fn as_wire(self) -> &'static str {
        match self {
            Self::PreKey => "pkmsg",
            Self::Signal => "msg",
            Self::SenderKey => "skmsg",
        }
    }
}

/// One ciphertext as it came off the wire.
#[derive(Clone, Copy)]
pub struct Envelope<'a> {
    /// Its type.
    pub kind: EncType,
    /// Its version: 2 pads the content, 3 does not.
    pub version: u8,
    /// The ciphertext.
    pub bytes: &'a [u8],
}

/// What was in an envelope.
pub struct Opened {
    /// The content, with a copy from one of the account's own devices unwrapped.
    pub message: wa::Message,
    /// The chat it was sent to, when it is such a copy.
    pub destination: Option<String>,
}

/// Why an envelope stays closed, or cannot be made. Carries no address and no
/// key, because both name people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// The very same ciphertext was opened before.
    #[error("the same ciphertext was opened before")]
    Duplicate,
    /// There is no session or sender key for it.
    #[error("no session or sender key for this sender")]
    NoSession,
    /// It uses a prekey that this device does not have.
    #[error("the ciphertext uses an unknown prekey")]
    UnknownPreKey,
    /// Its authentication code is wrong.
    #[error("the ciphertext is not authentic")]
    NotAuthentic,
    /// It is not a ciphertext of its type, or the cipher refuses it.
    #[error("the ciphertext cannot be read")]
    Unreadable,
    /// It opened, but its padding or its content is malformed.
    #[error("the content is malformed")]
    Malformed,
}

impl DeviceError {
    /// The reason code of a retry receipt.
    pub fn retry_reason(self) -> u8 {
        match self {
            Self::Duplicate | Self::Malformed => 0,
            Self::NoSession => 1,
            Self::UnknownPreKey => 3,
            Self::Unreadable => 4,
            Self::NotAuthentic => 7,
        }
    }
}

impl From<SignalProtocolError> for DeviceError {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum; the rest is one case")]
    fn from(error: SignalProtocolError) -> Self {
        match error {
            SignalProtocolError::DuplicatedMessage(..) => Self::Duplicate,
            SignalProtocolError::SessionNotFound(_) | SignalProtocolError::NoSenderKeyState(_) => {
                Self::NoSession
            }
            SignalProtocolError::InvalidPreKeyId | SignalProtocolError::InvalidSignedPreKeyId => {
                Self::UnknownPreKey
            }
            SignalProtocolError::BadMac(_) | SignalProtocolError::SignatureValidationFailed => {
                Self::NotAuthentic
            }
            _ => Self::Unreadable,
        }
    }
}

/// The public keys that let somebody start a session with a device.
pub struct Bundle {
    /// The device's registration id.
    pub registration_id: u32,
    /// Its identity key.
    pub identity: PublicKey,
    /// Id, key and signature of its signed prekey.
    pub signed: (u32, PublicKey, Vec<u8>),
    /// Id and key of a one-time prekey, while there are any.
    pub one_time: Option<(u32, PublicKey)>,
    /// The signed device identity of a companion.
    pub device_identity: Option<Vec<u8>>,
}

/// One Signal device with its keys and sessions.
#[derive(Serialize, Deserialize)]
pub struct Device {
    identity: Identity,
    signed: SignedKey,
    one_time: OneTimeKeys,
    sessions: Sessions,
    sender_keys: SenderKeys,
    /// Who holds this device's current sender key: group and address.
    distributed: BTreeSet<(String, String)>,
}

impl Device {
    /// A new device with fresh keys.
    pub fn generate() -> Result<Self, DeviceError> {
        let mut rng = rng();
        let identity = KeyPair::generate(&mut rng);
        let pair = KeyPair::generate(&mut rng);
        let signature = identity
            .calculate_signature(&pair.public_key.serialize(), &mut rng)
            .map_err(|_| DeviceError::Unreadable)?;
        let registration_id = (rng.next_u32() & REGISTRATION_ID_MASK).max(1);
        Ok(Self {
            identity: Identity::new(identity, registration_id),
            signed: SignedKey { id: 1, pair, signature: signature.to_vec() },
            one_time: OneTimeKeys::default(),
            sessions: Sessions::default(),
            sender_keys: SenderKeys::default(),
            distributed: BTreeSet::new(),
        })
    }

    /// The identity key pair.
    pub fn identity(&self) -> &KeyPair {
        &self.identity.pair
    }

    /// The registration id.
    pub fn registration_id(&self) -> u32 {
        self.identity.registration_id
    }

    /// Public keys for one new session, with a one-time prekey of its own.
    pub fn bundle(&mut self) -> Bundle {
        Bundle {
            registration_id: self.identity.registration_id,
            identity: self.identity.pair.public_key,
            signed: (self.signed.id, self.signed.pair.public_key, self.signed.signature.clone()),
            one_time: Some(self.one_time.hand_out()),
            device_identity: None,
        }
    }

    /// Opens an envelope. `sender` is the sending device's address; `chat` names
    /// the group of a sender key.
    pub async fn decrypt(
        &mut self,
        sender: &str,
        chat: &str,
        envelope: Envelope<'_>,
    ) -> Result<Opened, DeviceError> {
        let padded = match envelope.kind {
            EncType::PreKey => self.open_prekey(&address(sender), envelope.bytes).await?,
            EncType::Signal => self.open_signal(&address(sender), envelope.bytes).await?,
            EncType::SenderKey => {
                let name = SenderKeyName::from_parts(chat, sender);
                group_decrypt(envelope.bytes, &mut self.sender_keys, &name).await?
            }
        };
        let outer =
            decode_plaintext(&padded, envelope.version).map_err(|_| DeviceError::Malformed)?;
        let copy = outer.device_sent_message.as_option();
        let destination = copy.and_then(|copy| copy.destination_jid.clone());
        let message = unwrap_device_sent(outer);
        self.learn_sender_key(sender, chat, &message).await?;
        Ok(Opened { message, destination })
    }

    async fn open_prekey(
        &mut self,
        sender: &ProtocolAddress,
        bytes: &[u8],
    ) -> Result<Vec<u8>, DeviceError> {
        let opened = message_decrypt_prekey(
            &PreKeySignalMessage::try_from(bytes)?,
            sender,
            &mut self.sessions,
            &mut self.identity,
            &mut self.one_time,
            &self.signed,
            &mut rng(),
            UsePQRatchet::No,
        )
        .await?;
        if let Some(id) = opened.consumed_prekey_id {
            self.one_time.used(id);
        }
        Ok(opened.plaintext)
    }

    async fn open_signal(
        &mut self,
        sender: &ProtocolAddress,
        bytes: &[u8],
    ) -> Result<Vec<u8>, DeviceError> {
        let message = SignalMessage::try_from(bytes)?;
        let opened = message_decrypt_signal(
            &message,
            sender,
            &mut self.sessions,
            &mut self.identity,
            &mut rng(),
        )
        .await?;
        Ok(opened.plaintext)
    }

    async fn learn_sender_key(
        &mut self,
        sender: &str,
        chat: &str,
        message: &wa::Message,
    ) -> Result<(), DeviceError> {
        let Some(carrier) = message.sender_key_distribution_message.as_option() else {
            return Ok(());
        };
        let Some(bytes) = carrier.axolotl_sender_key_distribution_message.as_deref() else {
            return Ok(());
        };
        let group = carrier.group_id.as_deref().unwrap_or(chat);
        let name = SenderKeyName::from_parts(group, sender);
        let key = SenderKeyDistributionMessage::try_from(bytes)?;
        process_sender_key_distribution_message(&name, &key, &mut self.sender_keys).await?;
        Ok(())
    }

    /// Whether a session with this address exists.
    pub fn has_session(&self, to: &str) -> bool {
        self.sessions.has(to)
    }

    /// Forgets the session with an address and what it holds: its keys are new.
    pub fn forget(&mut self, name: &str) {
        self.sessions.forget(name);
        self.identity.forget(name);
        self.distributed.retain(|(_, holder)| holder != name);
    }

    /// Starts a session from somebody's public keys.
    pub async fn start_session(&mut self, to: &str, bundle: &Bundle) -> Result<(), DeviceError> {
        let (id, key, signature) = &bundle.signed;
        let public = PreKeyBundle::new(
            bundle.registration_id,
            DeviceId::new(0),
            bundle.one_time.map(|(id, key)| (id.into(), key)),
            (*id).into(),
            *key,
            signature.clone(),
            bundle.identity.into(),
        )?;
        process_prekey_bundle(
            &address(to),
            &mut self.sessions,
            &mut self.identity,
            &public,
            &mut rng(),
            UsePQRatchet::No,
        )
        .await?;
        Ok(())
    }

    /// Encrypts for one device with which there is a session.
    pub async fn encrypt(
        &mut self,
        to: &str,
        message: &wa::Message,
    ) -> Result<(EncType, Vec<u8>), DeviceError> {
        let padded = MessageUtils::encode_and_pad(message);
        let sealed =
            message_encrypt(&padded, &address(to), &mut self.sessions, &mut self.identity).await?;
        match sealed {
            CiphertextMessage::PreKeySignalMessage(m) => {
                Ok((EncType::PreKey, m.serialized().to_vec()))
            }
            CiphertextMessage::SignalMessage(m) => Ok((EncType::Signal, m.serialized().to_vec())),
            CiphertextMessage::SenderKeyMessage(_) | CiphertextMessage::PlaintextContent(_) => {
                Err(DeviceError::Unreadable)
            }
        }
    }

    /// The message that gives this device's sender key to `holder`, or nothing
    /// if it has been given. `own` is this device's address.
    pub async fn distribute(
        &mut self,
        group: &str,
        own: &str,
        holder: &str,
    ) -> Result<Option<wa::Message>, DeviceError> {
        if !self.distributed.insert((group.to_owned(), holder.to_owned())) {
            return Ok(None);
        }
        let name = SenderKeyName::from_parts(group, own);
        let key = create_sender_key_distribution_message(&name, &mut self.sender_keys, &mut rng())
            .await?;
        let carrier = wa::message::SenderKeyDistributionMessage {
            group_id: Some(group.to_owned()),
            axolotl_sender_key_distribution_message: Some(key.serialized().to_vec()),
        };
        Ok(Some(wa::Message {
            sender_key_distribution_message: carrier.into(),
            ..Default::default()
        }))
    }

    /// Encrypts for everybody who holds this device's sender key of a group.
    pub async fn encrypt_group(
        &mut self,
        group: &str,
        own: &str,
        message: &wa::Message,
    ) -> Result<Vec<u8>, DeviceError> {
        let padded = MessageUtils::encode_and_pad(message);
        let name = SenderKeyName::from_parts(group, own);
        let sealed = group_encrypt(&mut self.sender_keys, &name, &padded, &mut rng()).await?;
        Ok(sealed.serialized().to_vec())
    }
}

// The device number is part of the name, as on the real network.
fn address(name: &str) -> ProtocolAddress {
    ProtocolAddress::new(name, DeviceId::new(0))
}
