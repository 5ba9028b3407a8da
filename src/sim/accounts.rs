//! The accounts: each a phone with its companions, and what waits for them while
//! they are away. Knows no connections.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use whatsapp_rust::wacore::libsignal::protocol::{CurveError, IdentityKey, IdentityKeyPair};
use whatsapp_rust::wacore_binary::marshal::unmarshal_ref;
use whatsapp_rust::wacore_binary::util::unpack;
use whatsapp_rust::wacore_binary::{Jid, Node, marshal};

use super::cert::{fresh_private, key_pair};
use super::nodes::attr;

/// Most stanzas that wait for one companion; beyond it the oldest is forgotten.
const PENDING_MAX: usize = 10_000;
/// Most companions of one account.
const COMPANIONS_MAX: usize = 10;

/// Which companion of which account.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct DeviceId {
    /// The account's number, digits only.
    pub(super) user: String,
    /// The device, from 1.
    pub(super) device: u16,
}

impl DeviceId {
    /// The device's address by phone number.
    pub(super) fn jid(&self) -> Jid {
        Jid::pn_device(self.user.as_str(), self.device)
    }
}

/// A companion that has paired.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Companion {
    /// Its Noise static key: who logs in with another is not this companion.
    pub(super) noise_key: [u8; 32],
    /// How many one-time prekeys it has uploaded.
    pub(super) prekeys: usize,
    /// Whether it was given the app state key.
    pub(super) has_app_state_key: bool,
    /// Stanzas that it has not acknowledged, encoded, oldest first.
    pending: VecDeque<Vec<u8>>,
}

impl Companion {
    /// A companion that has just paired.
    pub(super) fn new(noise_key: [u8; 32]) -> Self {
        Companion { noise_key, prekeys: 0, has_app_state_key: false, pending: VecDeque::new() }
    }

    /// Keeps a stanza until it is acknowledged.
    pub(super) fn keep(&mut self, node: &Node) {
        let Ok(bytes) = marshal(node) else {
            tracing::error!("a stanza cannot be encoded and was not kept");
            return;
        };
        if self.pending.len() >= PENDING_MAX {
            tracing::warn!("too many stanzas wait for one companion; the oldest is forgotten");
            self.pending.pop_front();
        }
        self.pending.push_back(bytes);
    }

    /// What waits, oldest first.
    pub(super) fn pending(&self) -> Vec<Node> {
        self.pending.iter().filter_map(|bytes| decode(bytes)).collect()
    }

    /// Forgets what an acknowledgement names.
    pub(super) fn acknowledge(&mut self, tag: &str, id: &str, kind: Option<&str>, from: &str) {
        let found = self.pending.iter().position(|bytes| {
            decode(bytes).is_some_and(|node| {
                node.tag == tag
                    && attr(&node, "id").as_deref() == Some(id)
                    && attr(&node, "from").as_deref() == Some(from)
                    && (tag == "message" || attr(&node, "type").as_deref() == kind)
            })
        });
        if let Some(found) = found {
            self.pending.remove(found);
        }
    }
}

fn decode(bytes: &[u8]) -> Option<Node> {
    let plain = unpack(bytes).ok()?;
    unmarshal_ref(&plain).ok().map(|node| node.to_owned())
}

/// One account: the phone and its companions.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Account {
    /// The number, digits only.
    pub(super) user: String,
    /// The account's LID user.
    pub(super) lid_user: String,
    /// Shown to companions when they pair.
    pub(super) push_name: String,
    /// The phone's identity key, which signs companions in.
    identity: [u8; 32],
    /// Names this generation of devices in their signed identities.
    pub(super) raw_id: u32,
    /// Whether the phone is on.
    pub(super) phone_online: bool,
    /// What the phone answers once it is back: encoded stanzas by companion.
    phone_backlog: Vec<(u16, Vec<u8>)>,
    /// The number of the next companion.
    pub(super) next_device: u16,
    /// The companions by device number.
    pub(super) companions: BTreeMap<u16, Companion>,
}

impl Account {
    /// A fresh account with its phone on.
    pub(super) fn new(user: &str, lid_user: String, raw_id: u32) -> Self {
        Account {
            user: user.to_owned(),
            lid_user,
            push_name: format!("Phone {}", &user[user.len().saturating_sub(4)..]),
            identity: fresh_private(),
            raw_id,
            phone_online: true,
            phone_backlog: Vec::new(),
            next_device: 1,
            companions: BTreeMap::new(),
        }
    }

    /// The phone's identity.
    pub(super) fn identity(&self) -> Result<IdentityKeyPair, CurveError> {
        let pair = key_pair(&self.identity)?;
        Ok(IdentityKeyPair::new(IdentityKey::new(pair.public_key), pair.private_key))
    }

    /// Whether another companion may pair.
    pub(super) fn has_room(&self) -> bool {
        self.companions.len() < COMPANIONS_MAX
    }

    /// Keeps what the phone would say to a companion if it were on.
    pub(super) fn postpone(&mut self, device: u16, node: &Node) {
        if self.phone_backlog.len() >= PENDING_MAX {
            self.phone_backlog.remove(0);
        }
        if let Ok(bytes) = marshal(node) {
            self.phone_backlog.push((device, bytes));
        }
    }

    /// What the phone has to say now that it is back.
    pub(super) fn take_backlog(&mut self) -> Vec<(u16, Node)> {
        let backlog = std::mem::take(&mut self.phone_backlog);
        backlog.into_iter().filter_map(|(device, bytes)| Some((device, decode(&bytes)?))).collect()
    }
}

/// All accounts by number (digits only).
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Accounts(BTreeMap<String, Account>);

impl Accounts {
    /// An account by its number's digits.
    pub(super) fn get(&self, user: &str) -> Option<&Account> {
        self.0.get(user)
    }

    /// An account to change.
    pub(super) fn get_mut(&mut self, user: &str) -> Option<&mut Account> {
        self.0.get_mut(user)
    }

    /// An account, made if it is new.
    pub(super) fn or_insert(&mut self, user: &str, make: impl FnOnce() -> Account) -> &mut Account {
        self.0.entry(user.to_owned()).or_insert_with(make)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Account> {
        self.0.values()
    }

    /// A companion to change.
    pub(super) fn companion_mut(&mut self, id: &DeviceId) -> Option<&mut Companion> {
        self.0.get_mut(&id.user)?.companions.get_mut(&id.device)
    }

    /// The paired companion at an address, by number or by LID.
    pub(super) fn companion_at(&self, jid: &Jid) -> Option<DeviceId> {
        let account = if jid.is_lid() {
            self.0.values().find(|account| account.lid_user == jid.user.as_str())?
        } else {
            self.0.get(jid.user.as_str())?
        };
        account
            .companions
            .contains_key(&jid.device)
            .then(|| DeviceId { user: account.user.clone(), device: jid.device })
    }
}
