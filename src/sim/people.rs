//! Everybody on the simulated network: accounts with their phones and clients,
//! recipients, groups. Owns who exists and what they have received; what they
//! do with a message is in `receive` and `compose`, how they answer queries in
//! `stanza`.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use whatsapp_rust::wacore::time::{now_secs, now_secs_u64};
use whatsapp_rust::wacore_binary::{Jid, JidExt as _, Node, Server};

use super::adv;
use super::compose::Sent;
use super::device::DeviceError;
use super::group_invites;
use super::groups::{Addressing, Group};
use super::inbox::InboxEntry;
use super::media::Files;
pub use super::person::AccountPhone;
use super::person::{Endpoint, Person, Player, StateKey, UploadedKeys};
use super::rules::Rules;
use super::stanza;
use super::stanza::message::Retry;

/// People on one simulated network.
pub const PEOPLE_MAX: usize = 20_000;
/// Simulated companion devices of one recipient.
pub const COMPANIONS_MAX: u8 = 20;

/// With fewer one-time keys a client is asked to upload more. The real server's bound is not known;
/// clients upload more below 5 (whatsapp-rust 0.7.0, prekeys.rs; Baileys 7.0.0).
const LOW_KEYS: usize = 5;

/// E.164: a number has at most 15 digits.
const NUMBER_DIGITS_MAX: usize = 15;
const NUMBER_DIGITS_MIN: usize = 5;
/// LIDs count up from here; they have 15 digits on the real network.
const LID_BASE: u64 = 100_000_000_000_000;

/// Why a change to the people is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeopleError {
    /// Not 5 to 15 digits, with or without `+`.
    #[error("not a phone number: give 5 to 15 digits, with or without +")]
    InvalidNumber,
    /// Nobody has this number.
    #[error("nobody has this number: add it first")]
    Unknown,
    /// Somebody has this number.
    #[error("somebody has this number")]
    Taken,
    /// The number belongs to an account, whose devices are real clients.
    #[error("this number is an account's, its devices are real clients")]
    IsAccount,
    /// The account has no such client.
    #[error("the account has no such companion device")]
    UnknownDevice,
    /// The uploaded keys cannot be read.
    #[error("the uploaded keys are malformed")]
    BadUpload,
    /// One of this module's limits.
    #[error("too many people, groups, members or devices")]
    TooMany,
    /// Keys could not be made.
    #[error("keys could not be made")]
    Keys(#[from] DeviceError),
}

/// Everybody, with their keys and inboxes. Written and read whole by serde.
#[derive(Default, Serialize, Deserialize)]
pub struct People {
    pub(super) persons: BTreeMap<String, Person>,
    /// LID user to number.
    lids: BTreeMap<String, String>,
    /// Other ways to write a number, each to the number that the network has for it.
    #[serde(default)]
    spellings: BTreeMap<String, String>,
    pub(super) groups: BTreeMap<String, Group>,
    /// What was written to accounts lately, for clients that could not read it.
    pub(super) sent: VecDeque<Sent>,
    /// The files on the media host.
    #[serde(skip)]
    pub(super) files: Files,
    /// How people are named.
    #[serde(skip)]
    pub(super) rules: Rules,
}

impl People {
    /// Adds a recipient, or changes an existing one: whether the number is on the
    /// network, and how many companion devices it has in addition to its phone. Returns the
    /// devices that are new and those that are gone.
    pub fn add_recipient(
        &mut self,
        number: &str,
        on_network: bool,
        companions: u8,
    ) -> Result<(Vec<u16>, Vec<u16>), PeopleError> {
        if companions > COMPANIONS_MAX {
            return Err(PeopleError::TooMany);
        }
        let person = self.ensure(number, on_network)?;
        if person.is_account() {
            return Err(PeopleError::IsAccount);
        }
        person.on_network = on_network;
        let before: Vec<u16> = person.devices.keys().copied().collect();
        person.set_companions(companions)?;
        let after: Vec<u16> = person.devices.keys().copied().collect();
        let missing = |from: &[u16], what: &[u16]| -> Vec<u16> {
            what.iter().filter(|id| !from.contains(id)).copied().collect()
        };
        Ok((missing(&before, &after), missing(&after, &before)))
    }

    /// Whoever asks about `spelling` is answered with the address of `number`, as for Brazil's
    /// numbers with and without their ninth digit. Nothing can be sent to the spelling itself.
    pub fn add_spelling(&mut self, number: &str, spelling: &str) -> Result<(), PeopleError> {
        let (number, spelling) = (digits(number)?, digits(spelling)?);
        if !self.persons.contains_key(&number) {
            return Err(PeopleError::Unknown);
        }
        if self.spellings.len() >= PEOPLE_MAX {
            return Err(PeopleError::TooMany);
        }
        self.spellings.insert(spelling, number);
        Ok(())
    }

    /// The number that the network has for one that people write.
    pub(super) fn number_behind<'n>(&'n self, written: &'n str) -> &'n str {
        self.spellings.get(written).map_or(written, String::as_str)
    }

    /// Makes this number an account with a phone of its own; a number that is one
    /// already stays as it is.
    pub fn add_account_phone(&mut self, number: &str) -> Result<AccountPhone<'_>, PeopleError> {
        let person = self.ensure(number, true)?;
        if !person.is_account() {
            person.on_network = true;
            person.set_companions(0)?;
            person.state_key = Some(StateKey::generate());
        }
        Ok(AccountPhone(person))
    }

    /// An account gets another number, which nobody has, and keeps its LID, its keys and its
    /// groups.
    pub fn change_number(&mut self, number: &str, to: &str) -> Result<(), PeopleError> {
        let (number, to) = (digits(number)?, digits(to)?);
        self.account_mut(&number)?;
        if self.persons.contains_key(&to) {
            return Err(PeopleError::Taken);
        }
        let Some(mut person) = self.persons.remove(&number) else { return Ok(()) };
        person.number.clone_from(&to);
        self.lids.insert(person.lid.clone(), to.clone());
        for group in self.groups.values_mut() {
            let members = group.members.iter_mut().chain(&mut group.admins);
            members.filter(|member| **member == number).for_each(|member| member.clone_from(&to));
        }
        self.persons.insert(to, person);
        Ok(())
    }

    /// The phone of an account.
    pub fn account_phone(&self, number: &str) -> Option<AccountPhone<'_>> {
        let person = self.persons.get(&digits(number).ok()?)?;
        person.is_account().then_some(AccountPhone(person))
    }

    /// Lists a real client as a device of its account, with the signed identity
    /// that pairing ended with. Sessions with an earlier client under the same id
    /// are forgotten.
    pub fn add_companion_of_account(
        &mut self,
        number: &str,
        device_id: u16,
        adv_signed_identity: Vec<u8>,
    ) -> Result<(), PeopleError> {
        let person = self.account_mut(number)?;
        let key_index = adv::key_index_of(&adv_signed_identity).ok_or(PeopleError::BadUpload)?;
        person.since_s = now_secs_u64();
        let player = Player::Client(None);
        let endpoint = Endpoint { key_index, adv: adv_signed_identity, player };
        person.devices.insert(device_id, endpoint);
        let address = person.address(device_id);
        self.forget(&address);
        Ok(())
    }

    /// Takes a client off its account: logged out, by itself or by the phone.
    pub fn remove_companion_of_account(
        &mut self,
        number: &str,
        device_id: u16,
    ) -> Result<(), PeopleError> {
        let person = self.account_mut(number)?;
        match person.devices.get(&device_id).map(|endpoint| &endpoint.player) {
            Some(Player::Client(_)) => {}
            Some(Player::Simulated(_)) | None => return Err(PeopleError::UnknownDevice),
        }
        person.devices.remove(&device_id);
        person.since_s = now_secs_u64();
        let address = person.address(device_id);
        self.forget(&address);
        Ok(())
    }

    /// Takes in the keys of an `<iq type="set" xmlns="encrypt">`: a whole upload,
    /// more one-time keys, or a new signed prekey.
    pub fn set_companion_keys(
        &mut self,
        number: &str,
        device_id: u16,
        upload: &Node,
    ) -> Result<(), PeopleError> {
        let person = self.account_mut(number)?;
        let address = person.address(device_id);
        let endpoint = person.devices.get_mut(&device_id).ok_or(PeopleError::UnknownDevice)?;
        let Player::Client(keys) = &mut endpoint.player else {
            return Err(PeopleError::UnknownDevice);
        };
        let before = keys.as_ref().map(|keys| keys.identity);
        let after = stanza::prekeys::take_upload(keys, upload)?;
        if before.is_some_and(|before| before != after) {
            self.forget(&address);
        }
        Ok(())
    }

    /// Answers an `<iq xmlns="usync">`.
    pub fn usync(&mut self, iq: &Node, asking: &Jid) -> Node {
        stanza::usync::answer(self, iq, asking)
    }

    /// Answers an `<iq type="get" xmlns="encrypt">`: key bundles, the count of the
    /// asking client's one-time keys, or the digest of its keys.
    pub fn prekeys(&mut self, iq: &Node, asking: &Jid) -> Node {
        stanza::prekeys::answer(self, iq, asking)
    }

    /// Answers an `<iq type="get" xmlns="w:g2">`.
    pub fn group_info(&mut self, iq: &Node, asking: &Jid) -> Node {
        group_invites::get(self, iq, asking)
            .unwrap_or_else(|| stanza::groups::answer(self, iq, asking))
    }

    /// A person's phone asks the sender of a message to encrypt it again, as one does that was
    /// restored or could not read it. The receipt for each of the account's clients.
    pub(super) fn ask_again(&mut self, number: &str, account: &str, id: &str) -> Vec<Node> {
        let by = self.rules.addressing();
        let Some(owner) = self.persons.get(account) else { return Vec::new() };
        let clients: Vec<Jid> =
            owner.clients().into_iter().map(|device| owner.jid(device, by)).collect();
        let Some(person) = self.persons.get_mut(number) else { return Vec::new() };
        let device = person.jid(0, by);
        let receipts = clients.iter().filter_map(|to| {
            let bundle = person.devices.get_mut(&0)?.bundle()?;
            let retry = Retry {
                id,
                to,
                device: &device,
                group: None,
                recipient: None,
                count: 1,
                reason: DeviceError::Unreadable.retry_reason(),
                at_s: now_secs(),
            };
            Some(retry.receipt(bundle))
        });
        receipts.collect()
    }

    /// What this number has received, oldest first.
    pub fn inbox(&self, number: &str) -> Vec<InboxEntry> {
        let person = digits(number).ok().and_then(|number| self.persons.get(&number));
        person.map(|person| person.inbox.entries().to_vec()).unwrap_or_default()
    }

    /// How many one-time keys of a client are left; `None` for what is not a
    /// client, or has not uploaded any. The real server tells a client when it
    /// runs low.
    pub fn one_time_keys_left(&self, client: &Jid) -> Option<usize> {
        self.client_keys(client).map(|keys| keys.one_time.len())
    }

    /// The clients whose one-time keys have become few since they last uploaded some, each once.
    pub(super) fn take_low_keys(&mut self) -> Vec<(String, u16)> {
        let mut low = Vec::new();
        for person in self.persons.values_mut().filter(|person| person.is_account()) {
            for (id, endpoint) in &mut person.devices {
                let Player::Client(Some(keys)) = &mut endpoint.player else { continue };
                if keys.one_time.len() < LOW_KEYS && !keys.warned {
                    keys.warned = true;
                    low.push((person.number.clone(), *id));
                }
            }
        }
        low
    }

    /// Whether the number behind a JID (or any group that exists) can be sent to.
    pub fn on_network(&self, jid: &Jid) -> bool {
        if jid.is_group() {
            return self.groups.contains_key(jid.user.as_str());
        }
        self.find(jid).is_some_and(|person| person.on_network)
    }

    /// The number behind a JID, by number or by LID, without `+`.
    pub fn number_of(&self, jid: &Jid) -> Option<&str> {
        let number = if jid.is_lid() {
            self.lids.get(jid.user_base())?
        } else if matches!(jid.server, Server::Pn | Server::Legacy) {
            jid.user_base()
        } else {
            return None;
        };
        self.persons.get_key_value(number).map(|(number, _)| number.as_str())
    }

    /// A person under this kind of name; whom nobody knows stays as named.
    pub(super) fn named(&self, jid: &Jid, by: Addressing) -> Jid {
        self.find(jid).map_or_else(|| jid.to_non_ad(), |person| person.jid(0, by))
    }

    /// The number that a stanza names besides a LID.
    pub(super) fn number_besides(&self, jid: &Jid) -> Option<Jid> {
        let named = jid.is_lid() && self.rules.sender_pn;
        self.find(jid).filter(|person| named && !person.hidden).map(|person| person.pn_jid(0))
    }

    pub(super) fn find(&self, jid: &Jid) -> Option<&Person> {
        self.persons.get(self.number_of(jid)?)
    }

    pub(super) fn find_mut(&mut self, jid: &Jid) -> Option<&mut Person> {
        let number = self.number_of(jid)?.to_owned();
        self.persons.get_mut(&number)
    }

    pub(super) fn account_mut(&mut self, number: &str) -> Result<&mut Person, PeopleError> {
        let person = self.persons.get_mut(&digits(number)?).ok_or(PeopleError::Unknown)?;
        if person.is_account() { Ok(person) } else { Err(PeopleError::Unknown) }
    }

    pub(super) fn client_keys(&self, jid: &Jid) -> Option<&UploadedKeys> {
        match &self.find(jid)?.devices.get(&jid.device)?.player {
            Player::Client(keys) => keys.as_ref(),
            Player::Simulated(_) => None,
        }
    }

    fn ensure(&mut self, number: &str, on_network: bool) -> Result<&mut Person, PeopleError> {
        let number = digits(number)?;
        if !self.persons.contains_key(&number) {
            if self.persons.len() >= PEOPLE_MAX {
                return Err(PeopleError::TooMany);
            }
            let lid = (LID_BASE + self.persons.len() as u64 + 1).to_string();
            let person = Person::new(&number, lid.clone(), on_network)?;
            self.lids.insert(lid, number.clone());
            self.persons.insert(number.clone(), person);
        }
        self.persons.get_mut(&number).ok_or(PeopleError::Unknown)
    }

    // A client with new keys knows nothing of the old sessions.
    fn forget(&mut self, address: &str) {
        for person in self.persons.values_mut() {
            for endpoint in person.devices.values_mut() {
                if let Player::Simulated(device) = &mut endpoint.player {
                    device.forget(address);
                }
            }
        }
    }
}

/// A phone number as its digits.
pub(super) fn digits(number: &str) -> Result<String, PeopleError> {
    let digits = number.strip_prefix('+').unwrap_or(number);
    let length = NUMBER_DIGITS_MIN..=NUMBER_DIGITS_MAX;
    if !length.contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PeopleError::InvalidNumber);
    }
    Ok(digits.to_owned())
}

#[cfg(test)]
mod tests;
