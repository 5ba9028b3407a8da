//! Stanzas that a real server refuses, or that show a mistake of their client. Owns the list
//! of them; changes nothing else. Where a code is not known from somewhere, it says so.

use std::collections::HashMap;

use serde::Serialize;
use whatsapp_rust::wacore::messages::MessageUtils;
use whatsapp_rust::wacore_binary::{Jid, JidExt as _, Node};

use super::accounts::DeviceId;
use super::groups::Addressing;
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
    /// A group's members are named by number where the group names them by LID, or the other
    /// way round.
    StaleAddressing,
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
            // whatsapp-rust 0.7.0, wacore's protocol/nack.rs; it asks for the group anew.
            Fault::StaleAddressing => Some(421),
            // The server takes these, and its ack carries its own hash (whatsapp-rust 0.7.0,
            // send/mod.rs: `handle_phash_mismatch`; Baileys, messages-recv.ts, takes any hash
            // in an ack for a sign that not all devices have the message).
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

/// What a strict server answers to a message stanza.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The code with which it is refused.
    pub(super) code: Option<u32>,
    /// The hash over the devices that it should have been for, where that is another one.
    pub(super) phash: Option<String>,
}

/// A fault, and the hash with which the server corrects it.
struct Found {
    fault: Fault,
    phash: Option<String>,
}

impl From<Fault> for Found {
    fn from(fault: Fault) -> Found {
        Found { fault, phash: None }
    }
}

/// Looks at a message stanza.
pub(super) fn look(world: &mut World, message: &Node, sender: &DeviceId) -> Verdict {
    if !world.settings.rules.strict {
        return Verdict::default();
    }
    let migrated = world.settings.rules.migrated;
    let found = find(&world.people, message, sender, migrated).or_else(|| {
        let account = sender.user.clone();
        duplicate(&world.people, &mut world.known_ids, message, account).map(Found::from)
    });
    let Some(Found { fault, phash }) = found else { return Verdict::default() };
    let code = fault.code();
    if world.stats.violations.len() < LISTED_MAX {
        let id = attr(message, "id").unwrap_or_default();
        world.stats.violations.push(Violation { fault, code, id });
    }
    Verdict { code, phash }
}

fn find(people: &People, message: &Node, sender: &DeviceId, migrated: bool) -> Option<Found> {
    let to = match form(people, message) {
        Ok(to) => to,
        Err(fault) => return Some(fault.into()),
    };
    if to.is_group() {
        return group(people, message, &to, sender);
    }
    person(people, message, &to, sender, migrated)
}

/// What every message has. Returns its chat.
fn form(people: &People, message: &Node) -> Result<Jid, Fault> {
    let kind = attr(message, "type").unwrap_or_default();
    if !TYPES.contains(&kind.as_str()) {
        return Err(Fault::UnknownType);
    }
    let to = jid_attr(message, "to").ok_or(Fault::AbsentRecipient)?;
    if has_first_message(message) && message.get_optional_child("device-identity").is_none() {
        return Err(Fault::NoDeviceIdentity);
    }
    if !to.is_group() && !people.on_network(&to) {
        return Err(Fault::AbsentRecipient);
    }
    Ok(to)
}

fn person(
    people: &People,
    message: &Node,
    to: &Jid,
    sender: &DeviceId,
    migrated: bool,
) -> Option<Found> {
    if to.is_lid() && !migrated {
        return Some(Fault::LidNotMigrated.into());
    }
    if to.is_pn() && migrated {
        return Some(Fault::NumberMigrated.into());
    }
    // What a single device has asked for again.
    if message.get_optional_child("enc").is_some() {
        return None;
    }
    let named = addressed(message);
    if named.iter().any(|jid| jid.is_lid() != to.is_lid()) {
        return Some(Fault::MixedNames.into());
    }
    let by = if to.is_lid() { Addressing::Lid } else { Addressing::Pn };
    let both = [people.find(to)?, people.persons.get(&sender.user)?];
    let mut wanted: Vec<Jid> = both.into_iter().flat_map(|person| devices(person, by)).collect();
    let own = both[1].jid(sender.device, by);
    wanted.retain(|device| *device != own);
    wanted.sort_by_key(Jid::to_string);
    wanted.dedup();
    let left_out = wanted.iter().any(|device| !named.contains(device));
    let phash = MessageUtils::participant_list_hash(&wanted).ok();
    left_out.then_some(Found { fault: Fault::DevicesLeftOut, phash })
}

fn group(people: &People, message: &Node, to: &Jid, sender: &DeviceId) -> Option<Found> {
    let group = people.groups.get(to.user.as_str()).filter(|group| group.has(&sender.user));
    let Some(group) = group else { return Some(Fault::ForeignGroup.into()) };
    let by = group.addressing;
    let named = addressed(message);
    let others = named.iter().filter(|jid| jid.is_lid() != (by == Addressing::Lid)).count();
    let mode = attr(message, "addressing_mode");
    let stale = mode.is_some_and(|mode| mode != by.as_wire());
    if stale || (others > 0 && others == named.len()) {
        return Some(Fault::StaleAddressing.into());
    }
    if others > 0 {
        return Some(Fault::MixedNames.into());
    }
    let phash = attr(message, "phash")?;
    let members = group.members.iter().filter_map(|number| people.persons.get(number));
    let jids: Vec<Jid> = members
        .filter(|person| person.on_network)
        .flat_map(|person| person.devices.keys().map(|device| person.jid(*device, by)))
        .collect();
    let ours = MessageUtils::participant_list_hash(&jids).ok();
    let differs = ours.as_deref() != Some(phash.as_str());
    differs.then_some(Found { fault: Fault::WrongPhash, phash: ours })
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

/// A person's devices to which something can be encrypted.
fn devices(person: &Person, by: Addressing) -> impl Iterator<Item = Jid> {
    let has_keys = |player: &Player| match player {
        Player::Simulated(_) => true,
        Player::Client(keys) => keys.is_some(),
    };
    let devices = person.devices.iter().filter(move |(device, endpoint)| {
        has_keys(&endpoint.player) && !person.no_keys.contains(device)
    });
    devices.map(move |(device, _)| person.jid(*device, by))
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
