//! The stores behind one simulated Signal device: its identity, its keys, its
//! sessions. They keep and hand out records, and never encrypt anything.

use std::collections::BTreeMap;

use async_trait::async_trait;
use getrandom::{SysRng, rand_core::UnwrapErr};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use whatsapp_rust::wacore::libsignal::protocol::{
    Direction, GenericSignedPreKey, IdentityChange, IdentityKey, IdentityKeyPair, IdentityKeyStore,
    KeyPair, PreKeyId, PreKeyRecord, PreKeyStore, ProtocolAddress, PublicKey, SenderKeyName,
    SenderKeyRecord, SenderKeyStore, SessionRecord, SessionStore, SignalProtocolError,
    SignedPreKeyId, SignedPreKeyRecord, SignedPreKeyStore, Timestamp,
};

type Result<T> = std::result::Result<T, SignalProtocolError>;

/// One-time keys that were handed out and never used; the oldest go first.
const ONE_TIME_KEYS_MAX: usize = 1_000;

/// The simulator's randomness: the kernel's.
pub(crate) fn rng() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}

/// A Signal record that knows its own encoding.
trait Record: Sized {
    fn bytes(&self) -> Result<Vec<u8>>;
    fn parse(bytes: &[u8]) -> Result<Self>;
}

impl Record for SessionRecord {
    fn bytes(&self) -> Result<Vec<u8>> {
        self.serialize()
    }
    fn parse(bytes: &[u8]) -> Result<Self> {
        Self::deserialize(bytes)
    }
}

impl Record for SenderKeyRecord {
    fn bytes(&self) -> Result<Vec<u8>> {
        self.serialize()
    }
    fn parse(bytes: &[u8]) -> Result<Self> {
        Self::deserialize(bytes)
    }
}

/// A record that serde writes in its own encoding.
#[derive(Clone)]
struct Kept<T>(T);

impl<T: Record> Serialize for Kept<T> {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        let bytes =
            self.0.bytes().map_err(|_| serde::ser::Error::custom("unwritable Signal record"))?;
        hex::serialize(bytes, to)
    }
}

impl<'de, T: Record> Deserialize<'de> for Kept<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        let bytes: Vec<u8> = hex::deserialize(from)?;
        T::parse(&bytes).map(Kept).map_err(|_| D::Error::custom("unreadable Signal record"))
    }
}

/// The device's own identity, and the identities it has met.
#[derive(Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) pair: KeyPair,
    pub(super) registration_id: u32,
    met: BTreeMap<String, PublicKey>,
}

impl Identity {
    pub(super) fn new(pair: KeyPair, registration_id: u32) -> Self {
        Self { pair, registration_id, met: BTreeMap::new() }
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.met.remove(name);
    }
}

#[async_trait]
impl IdentityKeyStore for Identity {
    async fn get_identity_key_pair(&self) -> Result<IdentityKeyPair> {
        Ok(IdentityKeyPair::from(self.pair.clone()))
    }

    async fn get_local_registration_id(&self) -> Result<u32> {
        Ok(self.registration_id)
    }

    async fn save_identity(
        &mut self,
        address: &ProtocolAddress,
        identity: &IdentityKey,
    ) -> Result<IdentityChange> {
        let key = *identity.public_key();
        let before = self.met.insert(address.name().to_owned(), key);
        Ok(IdentityChange::from_changed(before.is_some_and(|old| old != key)))
    }

    // A phone accepts a contact's new identity and shows a notice: so do these.
    async fn is_trusted_identity(
        &self,
        _address: &ProtocolAddress,
        _identity: &IdentityKey,
        _direction: Direction,
    ) -> Result<bool> {
        Ok(true)
    }

    async fn get_identity(&self, address: &ProtocolAddress) -> Result<Option<IdentityKey>> {
        Ok(self.met.get(address.name()).map(|key| IdentityKey::new(*key)))
    }
}

/// The pairwise sessions, by address name.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Sessions(BTreeMap<String, Kept<SessionRecord>>);

impl Sessions {
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn load_session(&self, address: &ProtocolAddress) -> Result<Option<SessionRecord>> {
        Ok(self.0.get(address.name()).map(|kept| kept.0.clone()))
    }

    async fn has_session(&self, address: &ProtocolAddress) -> Result<bool> {
        Ok(self.has(address.name()))
    }

    async fn store_session(
        &mut self,
        address: &ProtocolAddress,
        record: SessionRecord,
    ) -> Result<()> {
        self.0.insert(address.name().to_owned(), Kept(record));
        Ok(())
    }
}

/// The group sender keys, own and others', by group and sender.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct SenderKeys(BTreeMap<String, Kept<SenderKeyRecord>>);

#[async_trait]
impl SenderKeyStore for SenderKeys {
    async fn store_sender_key(
        &mut self,
        name: &SenderKeyName,
        record: SenderKeyRecord,
    ) -> Result<()> {
        self.0.insert(name.cache_key().to_owned(), Kept(record));
        Ok(())
    }

    async fn load_sender_key(&self, name: &SenderKeyName) -> Result<Option<SenderKeyRecord>> {
        Ok(self.0.get(name.cache_key()).map(|kept| kept.0.clone()))
    }
}

/// The one-time keys that are out with somebody. A key is made when it is asked
/// for, so that the supply never runs dry.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct OneTimeKeys {
    last_id: u32,
    out: BTreeMap<u32, KeyPair>,
}

impl OneTimeKeys {
    /// Prekey ids are three bytes on the wire.
    const ID_MAX: u32 = 0x00ff_ffff;

    pub(super) fn hand_out(&mut self) -> (u32, PublicKey) {
        self.last_id = if self.last_id >= Self::ID_MAX { 1 } else { self.last_id + 1 };
        let pair = KeyPair::generate(&mut rng());
        let public = pair.public_key;
        self.out.insert(self.last_id, pair);
        while self.out.len() > ONE_TIME_KEYS_MAX {
            self.out.pop_first();
        }
        (self.last_id, public)
    }

    pub(super) fn used(&mut self, id: PreKeyId) {
        self.out.remove(&u32::from(id));
    }
}

#[async_trait]
impl PreKeyStore for OneTimeKeys {
    async fn get_pre_key(&self, id: PreKeyId) -> Result<PreKeyRecord> {
        let pair = self.out.get(&u32::from(id)).ok_or(SignalProtocolError::InvalidPreKeyId)?;
        Ok(PreKeyRecord::new(id, pair))
    }

    async fn save_pre_key(&mut self, id: PreKeyId, record: &PreKeyRecord) -> Result<()> {
        self.out.insert(id.into(), record.key_pair()?);
        Ok(())
    }

    async fn remove_pre_key(&mut self, id: PreKeyId) -> Result<()> {
        self.used(id);
        Ok(())
    }
}

/// The signed prekey.
#[derive(Serialize, Deserialize)]
pub(super) struct SignedKey {
    pub(super) id: u32,
    pub(super) pair: KeyPair,
    #[serde(with = "hex")]
    pub(super) signature: Vec<u8>,
}

#[async_trait]
impl SignedPreKeyStore for SignedKey {
    async fn get_signed_pre_key(&self, id: SignedPreKeyId) -> Result<SignedPreKeyRecord> {
        if u32::from(id) != self.id {
            return Err(SignalProtocolError::InvalidSignedPreKeyId);
        }
        let made = Timestamp::from_epoch_millis(0);
        Ok(SignedPreKeyRecord::new(id, made, &self.pair, &self.signature))
    }

    // Nothing rotates these keys.
    async fn save_signed_pre_key(
        &mut self,
        _id: SignedPreKeyId,
        _record: &SignedPreKeyRecord,
    ) -> Result<()> {
        Ok(())
    }
}
