//! One person of the simulated network: a number, a LID, and devices, some
//! played here, some real clients of which only the public keys are known.

use std::collections::{BTreeMap, VecDeque};

use getrandom::rand_core::Rng;
use serde::{Deserialize, Serialize};
use whatsapp_rust::Jid;
use whatsapp_rust::wacore::libsignal::protocol::{KeyPair, PublicKey};
use whatsapp_rust::wacore::time::now_secs_u64;
use whatsapp_rust::waproto::whatsapp as wa;

use super::adv;
use super::device::{Bundle, Device, DeviceError};
use super::groups::Addressing;
use super::inbox::Inbox;
use super::keys::rng;

/// The first device id of a simulated companion; real ones count from 1.
pub(super) const COMPANION_ID_FIRST: u16 = 11;

/// The keys that a real client has uploaded.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct UploadedKeys {
    pub(super) registration_id: u32,
    pub(super) identity: PublicKey,
    pub(super) signed_id: u32,
    pub(super) signed_key: PublicKey,
    #[serde(with = "hex")]
    pub(super) signature: Vec<u8>,
    pub(super) one_time: VecDeque<(u32, PublicKey)>,
    /// Whether the client was notified that they have become few.
    #[serde(default)]
    pub(super) warned: bool,
}

impl UploadedKeys {
    fn bundle(&mut self) -> Bundle {
        Bundle {
            registration_id: self.registration_id,
            identity: self.identity,
            signed: (self.signed_id, self.signed_key, self.signature.clone()),
            one_time: self.one_time.pop_front(),
            device_identity: None,
        }
    }
}

/// Who plays a device.
#[derive(Serialize, Deserialize)]
pub(super) enum Player {
    /// The simulator.
    Simulated(Box<Device>),
    /// A client on a connection, with its keys once it has uploaded them.
    Client(Option<UploadedKeys>),
}

/// One device of a person.
#[derive(Serialize, Deserialize)]
pub(super) struct Endpoint {
    /// Its place in the account's list of keys; 0 for the phone.
    pub(super) key_index: u32,
    /// A companion's signed identity.
    #[serde(with = "hex")]
    pub(super) adv: Vec<u8>,
    pub(super) player: Player,
}

impl Endpoint {
    /// Public keys for one new session, if there are any.
    pub(super) fn bundle(&mut self) -> Option<Bundle> {
        let mut bundle = match &mut self.player {
            Player::Simulated(device) => device.bundle(),
            Player::Client(keys) => keys.as_mut()?.bundle(),
        };
        bundle.device_identity = (!self.adv.is_empty()).then(|| self.adv.clone());
        Some(bundle)
    }
}

/// The key that encrypts the account's app state.
#[derive(Serialize, Deserialize)]
pub(super) struct StateKey {
    #[serde(with = "hex")]
    pub(super) id: Vec<u8>,
    #[serde(with = "hex")]
    pub(super) data: Vec<u8>,
    pub(super) made_s: u64,
}

impl StateKey {
    pub(super) fn generate() -> Self {
        let mut data = vec![0; 32];
        rng().fill_bytes(&mut data);
        Self { id: vec![0, 0, 0, 0, 0, 1], data, made_s: now_secs_u64() }
    }
}

/// One person.
#[derive(Serialize, Deserialize)]
pub(super) struct Person {
    pub(super) number: String,
    pub(super) lid: String,
    pub(super) on_network: bool,
    /// What it calls itself in what it sends; none: one of the simulator's.
    #[serde(default)]
    pub(super) name: Option<String>,
    /// Without its at sign.
    #[serde(default)]
    pub(super) username: Option<String>,
    /// What whoever asks for the username has to give.
    #[serde(default)]
    pub(super) username_key: Option<String>,
    /// Others do not see the number.
    #[serde(default)]
    pub(super) hidden: bool,
    /// Names the account's list of keys.
    pub(super) raw_id: u32,
    pub(super) since_s: u64,
    pub(super) devices: BTreeMap<u16, Endpoint>,
    pub(super) inbox: Inbox,
    /// Only for a person whose companions are real clients.
    pub(super) state_key: Option<StateKey>,
    /// Devices whose keys the server leaves out of its answers.
    #[serde(default)]
    pub(super) no_keys: Vec<u16>,
    /// What the person says about itself, if it has changed it.
    #[serde(default)]
    pub(super) about: Option<String>,
    /// How long messages of new chats last; 0: for good.
    #[serde(default)]
    pub(super) disappearing_s: u32,
}

impl Person {
    pub(super) fn new(number: &str, lid: String, on_network: bool) -> Result<Self, DeviceError> {
        let phone = Endpoint {
            key_index: 0,
            adv: Vec::new(),
            player: Player::Simulated(Box::new(Device::generate()?)),
        };
        Ok(Self {
            number: number.to_owned(),
            lid,
            on_network,
            name: None,
            username: None,
            username_key: None,
            hidden: false,
            raw_id: rng().next_u32() >> 1,
            since_s: now_secs_u64(),
            devices: BTreeMap::from([(0, phone)]),
            inbox: Inbox::default(),
            state_key: None,
            no_keys: Vec::new(),
            about: None,
            disappearing_s: 0,
        })
    }

    pub(super) fn pn_jid(&self, device: u16) -> Jid {
        Jid::pn_device(self.number.as_str(), device)
    }

    pub(super) fn lid_jid(&self, device: u16) -> Jid {
        Jid::lid_device(self.lid.as_str(), device)
    }

    pub(super) fn jid(&self, device: u16, by: Addressing) -> Jid {
        match by {
            Addressing::Pn => self.pn_jid(device),
            Addressing::Lid => self.lid_jid(device),
        }
    }

    /// The name of a device in other devices' session stores.
    pub(super) fn address(&self, device: u16) -> String {
        format!("{}:{device}", self.lid)
    }

    pub(super) fn is_account(&self) -> bool {
        self.state_key.is_some()
    }

    /// The person's phone.
    pub(super) fn phone(&mut self) -> Option<&mut Device> {
        self.simulated(0)
    }

    pub(super) fn simulated(&mut self, device: u16) -> Option<&mut Device> {
        match &mut self.devices.get_mut(&device)?.player {
            Player::Simulated(device) => Some(device),
            Player::Client(_) => None,
        }
    }

    pub(super) fn phone_identity(&self) -> Option<&KeyPair> {
        match &self.devices.get(&0)?.player {
            Player::Simulated(device) => Some(device.identity()),
            Player::Client(_) => None,
        }
    }

    /// The ids of the devices that are real clients.
    pub(super) fn clients(&self) -> Vec<u16> {
        let clients = self.devices.iter().filter(|(_, endpoint)| match endpoint.player {
            Player::Simulated(_) => false,
            Player::Client(_) => true,
        });
        clients.map(|(id, _)| *id).collect()
    }

    /// Gives the person exactly `count` simulated companions.
    pub(super) fn set_companions(&mut self, count: u8) -> Result<(), DeviceError> {
        let end = COMPANION_ID_FIRST + u16::from(count);
        self.devices.retain(|id, _| *id < end);
        for id in COMPANION_ID_FIRST..end {
            if self.devices.contains_key(&id) {
                continue;
            }
            let device = Device::generate()?;
            let key_index = u32::from(id);
            let phone = self.phone_identity().ok_or(DeviceError::NoSession)?;
            let adv = adv::device_identity(
                phone,
                device.identity(),
                self.raw_id,
                key_index,
                self.since_s,
            )?;
            let player = Player::Simulated(Box::new(device));
            self.devices.insert(id, Endpoint { key_index, adv, player });
        }
        Ok(())
    }

    /// The signed list of key indexes, when there are companions.
    pub(super) fn key_index_list(&self) -> Option<Vec<u8>> {
        if self.devices.len() < 2 {
            return None;
        }
        let valid = self.devices.values().map(|endpoint| endpoint.key_index).collect();
        adv::key_index_list(self.phone_identity()?, self.raw_id, self.since_s, valid).ok()
    }
}

/// The phone that owns an account: the part that pairing needs.
#[derive(Clone, Copy)]
pub struct AccountPhone<'a>(pub(super) &'a Person);

impl AccountPhone<'_> {
    /// The account's number, without `+`.
    pub fn number(&self) -> &str {
        &self.0.number
    }

    /// The account's JID by number.
    pub fn jid(&self) -> Jid {
        self.0.pn_jid(0)
    }

    /// The account's LID.
    pub fn lid(&self) -> Jid {
        self.0.lid_jid(0)
    }

    /// The identity key pair, which signs the account's companions.
    pub fn identity(&self) -> Option<&KeyPair> {
        self.0.phone_identity()
    }

    /// A device id that is free for a new companion. Its key index is the same.
    pub fn free_device_id(&self) -> u16 {
        let taken = self.0.devices.keys().copied().max().unwrap_or(0);
        taken.saturating_add(1)
    }

    /// The phone's half of a new companion's identity, to be put into an HMAC
    /// container; the companion adds its own signature.
    pub fn sign_companion(
        &self,
        companion: &PublicKey,
        key_index: u32,
    ) -> Result<wa::ADVSignedDeviceIdentity, DeviceError> {
        let phone = self.0.phone_identity().ok_or(DeviceError::NoSession)?;
        adv::account_half(phone, companion, self.0.raw_id, key_index, now_secs_u64())
    }

    /// Whether a companion's whole identity, as it comes back from pairing, is
    /// signed by this phone and by the companion with this identity key.
    pub fn vouches_for(&self, signed: &[u8], companion: &PublicKey) -> bool {
        let trusted = self.0.phone_identity().map(|phone| phone.public_key);
        trusted.is_some_and(|phone| adv::is_whole(signed, &phone, companion))
    }
}
