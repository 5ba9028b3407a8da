//! Stanzas that a real server refuses, or that show a mistake of their client. Owns the list
//! of them; changes nothing else. Where a code is not known from somewhere, it says so.

use std::collections::HashMap;

use serde::Serialize;
use whatsapp_rust::wacore::messages::MessageUtils;
use whatsapp_rust::wacore_binary::{Jid, JidExt as _, Node};

use super::accounts::DeviceId;
use super::nodes::{attr, jid_attr};
use super::people::People;
use super::person::{Person, Player};
use super::world::World;

/// Most violations that are listed; later ones are only refused.
const LISTED_MAX: usize = 1_000;
/// Most message ids that are remembered; beyond it none is a duplicate.
const IDS_MAX: usize = 100_000;
/// The types of message stanzas (wacore 0.7.0, types/stanza.rs and send/classify.rs).
const TYPES: [&str; 7] = ["text", "media", "reaction", "poll", "event", "medianotify", "pay"];

/// What is wrong with a message stanza.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Devices are named by number and by LID in one stanza, or otherwise than the chat is.
    MixedNames,
    /// A LID, from an account that is not migrated.
    LidNotMigrated,
    /// A number that has a LID, from an account that is migrated.
    NumberMigrated,
    /// A first message of a session without the sender's signed identity.
    NoDeviceIdentity,
    /// The hash over a group's devices is another one than ours.
    WrongPhash,
    /// Not every device of the recipient and of the account has a copy.
    DevicesLeftOut,
    /// A group that does not exist, or that the account is not in.
    ForeignGroup,
    /// Not a type of a message.
    UnknownType,
    /// Nobody is there.
    AbsentRecipient,
    /// The id belongs to a message to another chat, or of another type.
    DuplicateId,
}

impl Fault {
    /// The code with which the server refuses the stanza; none: it takes it.
    pub fn code(self) -> Option<u32> {
        match self {
            // Schema invalid, such as a wrong form of JID (whatsapp-rust 0.7.0,
            // client/node_io.rs). That a number is refused in the same way is not verified.
            Fault::MixedNames
            | Fault::NumberMigrated
            | Fault::NoDeviceIdentity
            | Fault::UnknownType => Some(479),
            // whatsapp-rust 0.7.0, client/lid_pn.rs: `resolve_dm_wire_jid`.
            Fault::LidNotMigrated => Some(400),
            // whatsapp-rust 0.7.0, client/node_io.rs.
            Fault::AbsentRecipient => Some(404),
            // As a query for the group is answered; for messages it is not verified.
            Fault::ForeignGroup => Some(403),
            // Not verified: that the same message under its id is taken again is.
            Fault::DuplicateId => Some(400),
            // The server takes these, and answers with its own hash (whatsapp-rust 0.7.0,
            // send/mod.rs: `handle_phash_mismatch`).
            Fault::WrongPhash | Fault::DevicesLeftOut => None,
        }
    }
}

/// One such stanza.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// What is wrong.
    pub fault: Fault,
    /// The code of the refusal; absent: it was taken.
    pub code: Option<u32>,
    /// The message's id.
    pub id: String,
}

/// The chat and type of each message id of an account.
pub(super) type KnownIds = HashMap<(String, String), (String, String)>;

/// Looks at a message stanza. Returns the code with which it is refused, if it is.
pub(super) fn refusal(world: &mut World, message: &Node, sender: &DeviceId) -> Option<u32> {
    if !world.settings.rules.strict {
        return None;
    }
    let migrated = world.settings.rules.migrated;
    let fault = find(&world.people, message, sender, migrated).or_else(|| {
        let account = sender.user.clone();
        duplicate(&world.people, &mut world.known_ids, message, account)
    })?;
    let code = fault.code();
    if world.stats.violations.len() < LISTED_MAX {
        let id = attr(message, "id").unwrap_or_default();
        world.stats.violations.push(Violation { fault, code, id });
    }
    code
}

fn find(people: &People, message: &Node, sender: &DeviceId, migrated: bool) -> Option<Fault> {
    let kind = attr(message, "type").unwrap_or_default();
    if !TYPES.contains(&kind.as_str()) {
        return Some(Fault::UnknownType);
    }
    let Some(to) = jid_attr(message, "to") else { return Some(Fault::AbsentRecipient) };
    if has_first_message(message) && message.get_optional_child("device-identity").is_none() {
        return Some(Fault::NoDeviceIdentity);
    }
    if to.is_group() {
        return group(people, message, &to, sender);
    }
    let Some(person) = people.find(&to).filter(|person| person.on_network) else {
        return Some(Fault::AbsentRecipient);
    };
    if to.is_lid() && !migrated {
        return Some(Fault::LidNotMigrated);
    }
    if to.is_pn() && migrated {
        return Some(Fault::NumberMigrated);
    }
    // What a single device has asked for again.
    if message.get_optional_child("enc").is_some() {
        return None;
    }
    let named = addressed(message);
    if named.iter().any(|jid| jid.is_lid() != to.is_lid()) {
        return Some(Fault::MixedNames);
    }
    let own = people.persons.get(&sender.user)?;
    let mut wanted = devices(person);
    wanted.extend(devices(own));
    let has = |(number, device): &(String, u16)| {
        named.iter().any(|jid| jid.device == *device && people.number_of(jid) == Some(number))
    };
    let is_sender =
        |(number, device): &(String, u16)| *number == sender.user && *device == sender.device;
    let left_out = wanted.iter().any(|device| !is_sender(device) && !has(device));
    left_out.then_some(Fault::DevicesLeftOut)
}

fn group(people: &People, message: &Node, to: &Jid, sender: &DeviceId) -> Option<Fault> {
    let group = people.groups.get(to.user.as_str()).filter(|group| group.has(&sender.user));
    let Some(group) = group else { return Some(Fault::ForeignGroup) };
    let by = group.addressing;
    let by_lid = by == super::groups::Addressing::Lid;
    if addressed(message).iter().any(|jid| jid.is_lid() != by_lid) {
        return Some(Fault::MixedNames);
    }
    let phash = attr(message, "phash")?;
    let members = group.members.iter().filter_map(|number| people.persons.get(number));
    let jids: Vec<Jid> = members
        .filter(|person| person.on_network)
        .flat_map(|person| person.devices.keys().map(|device| person.jid(*device, by)))
        .collect();
    let ours = MessageUtils::participant_list_hash(&jids).ok();
    (ours.as_deref() != Some(phash.as_str())).then_some(Fault::WrongPhash)
}

/// The same id for the same chat is a message once more: its ack was lost.
fn duplicate(
    people: &People,
    known: &mut KnownIds,
    message: &Node,
    account: String,
) -> Option<Fault> {
    let to = jid_attr(message, "to")?;
    let chat = people.number_of(&to).map_or_else(|| to.to_non_ad_string(), str::to_owned);
    let said = (chat, attr(message, "type")?);
    let id = (account, attr(message, "id")?);
    match known.get(&id) {
        Some(before) => (*before != said).then_some(Fault::DuplicateId),
        None => {
            if known.len() < IDS_MAX {
                known.insert(id, said);
            }
            None
        }
    }
}

/// Everybody's devices to which something can be encrypted.
fn devices(person: &Person) -> Vec<(String, u16)> {
    let has_keys = |player: &Player| match player {
        Player::Simulated(_) => true,
        Player::Client(keys) => keys.is_some(),
    };
    let devices = person.devices.iter().filter(|(_, endpoint)| has_keys(&endpoint.player));
    devices.map(|(device, _)| (person.number.clone(), *device)).collect()
}

fn addressed(message: &Node) -> Vec<Jid> {
    let list = message.get_optional_child("participants").into_iter();
    list.flat_map(|list| list.get_children_by_tag("to"))
        .filter_map(|to| jid_attr(to, "jid"))
        .collect()
}

fn has_first_message(message: &Node) -> bool {
    let is_first = |enc: &Node| attr(enc, "type").as_deref() == Some("pkmsg");
    let list = message.get_optional_child("participants").into_iter();
    let mut copies = list.flat_map(|list| list.get_children_by_tag("to"));
    message.get_children_by_tag("enc").any(is_first)
        || copies.any(|to| to.get_children_by_tag("enc").any(is_first))
}
