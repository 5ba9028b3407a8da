//! The accounts: each a phone with its companions, and what waits for them while
//! they are away. Knows no connections.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use whatsapp_rust::wacore_binary::marshal::unmarshal_ref;
use whatsapp_rust::wacore_binary::util::unpack;
use whatsapp_rust::wacore_binary::{Jid, Node, marshal};

use super::app_state::AppState;
use super::nodes::attr;
use super::preferences::Preferences;

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
    /// Whether it was given the app state key.
    pub(super) has_app_state_key: bool,
    /// Whether the phone has sent it its history.
    #[serde(default)]
    pub(super) has_history: bool,
    /// Stanzas that it has not acknowledged, encoded, oldest first.
    pending: VecDeque<Vec<u8>>,
}

impl Companion {
    /// A companion that has just paired.
    pub(super) fn new(noise_key: [u8; 32]) -> Self {
        Companion {
            noise_key,
            has_app_state_key: false,
            has_history: false,
            pending: VecDeque::new(),
        }
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

    /// Forgets the message that a receipt names, whoever the receipt is addressed to:
    /// that of an own message goes to the chat, not to where the copy came from.
    pub(super) fn received(&mut self, id: &str) {
        self.drop_first(|node| node.tag == "message" && attr(node, "id").as_deref() == Some(id));
    }

    /// Forgets what an ack names. False: nothing waited under that name.
    pub(super) fn acknowledged(
        &mut self,
        class: &str,
        id: &str,
        kind: Option<&str>,
        from: &str,
    ) -> bool {
        self.drop_first(|node| {
            node.tag == class
                && attr(node, "id").as_deref() == Some(id)
                && attr(node, "from").as_deref() == Some(from)
                && (class == "message" || attr(node, "type").as_deref() == kind)
        })
    }

    fn drop_first(&mut self, is_it: impl Fn(&Node) -> bool) -> bool {
        let found = self.pending.iter().position(|bytes| decode(bytes).is_some_and(|n| is_it(&n)));
        found.and_then(|found| self.pending.remove(found)).is_some()
    }
}

fn decode(bytes: &[u8]) -> Option<Node> {
    let plain = unpack(bytes).ok()?;
    unmarshal_ref(&plain).ok().map(|node| node.to_owned())
}

/// One account: its phone's state and its companions. Its keys are with the people.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Account {
    /// Shown to companions when they pair.
    pub(super) push_name: String,
    /// Whether the phone is on.
    pub(super) phone_online: bool,
    /// What the phone answers once it is back: encoded stanzas by companion.
    phone_backlog: VecDeque<(u16, Vec<u8>)>,
    /// The lowest number that no companion has had.
    pub(super) next_device: u16,
    /// The companions by device number.
    pub(super) companions: BTreeMap<u16, Companion>,
    #[serde(default)]
    pub(super) app_state: AppState,
    #[serde(default)]
    pub(super) preferences: Preferences,
}

impl Account {
    /// A fresh account with its phone on.
    pub(super) fn new(user: &str) -> Self {
        Account {
            push_name: format!("Phone {}", &user[user.len().saturating_sub(4)..]),
            phone_online: true,
            phone_backlog: VecDeque::new(),
            next_device: 1,
            companions: BTreeMap::new(),
            app_state: AppState::default(),
            preferences: Preferences::default(),
        }
    }

    /// Whether another companion may pair.
    pub(super) fn has_room(&self) -> bool {
        self.companions.len() < COMPANIONS_MAX
    }

    /// Keeps what the phone would say to a companion if it were on.
    pub(super) fn postpone(&mut self, device: u16, node: &Node) {
        if self.phone_backlog.len() >= PENDING_MAX {
            self.phone_backlog.pop_front();
        }
        if let Ok(bytes) = marshal(node) {
            self.phone_backlog.push_back((device, bytes));
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

    /// An account gets another number.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        if let Some(account) = self.0.remove(from) {
            self.0.insert(to.to_owned(), account);
        }
    }

    /// The numbers of all of them.
    pub(super) fn users(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// A companion.
    pub(super) fn companion(&self, id: &DeviceId) -> Option<&Companion> {
        self.0.get(&id.user)?.companions.get(&id.device)
    }

    /// A companion to change.
    pub(super) fn companion_mut(&mut self, id: &DeviceId) -> Option<&mut Companion> {
        self.0.get_mut(&id.user)?.companions.get_mut(&id.device)
    }
}
