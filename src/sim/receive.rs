//! A client's message arrives: every addressed device that is played here opens
//! its copy, and the person's inbox keeps the books.

use serde_json::Value;
use whatsapp_rust::wacore::time::now_secs;
use whatsapp_rust::wacore_binary::{Jid, JidExt as _, Node};
use whatsapp_rust::waproto::whatsapp as wa;

use super::content;
use super::device::{DeviceError, EncType};
use super::groups::Addressing;
use super::inbox::Slip;
use super::media::Files;
use super::people::People;
use super::person::Person;
use super::stanza::message::{Head, Outgoing, Retry, envelope};

/// After so many unreadable copies of a message a device asks no more.
const RETRIES_MAX: u32 = 5;

/// What became of the copy for one device.
pub struct Delivered {
    /// The chat as the sender addressed it.
    pub chat: Jid,
    /// The device, in the same form of address.
    pub device: Jid,
    /// The message id.
    pub id: String,
    /// The copy was opened, or is the same ciphertext as one that was.
    pub ok: bool,
    /// It is the same ciphertext as one that was opened before.
    pub duplicate: bool,
    /// The device is the sender's own phone.
    pub is_own_phone: bool,
    /// The message is to the own phone and about the account (category `peer`).
    pub peer: bool,
    /// The own phone is asked for the key of the app state: `key_share` answers.
    pub key_request: bool,
    /// The receipt with which the device asks the sender to encrypt again.
    pub retry: Option<Node>,
    /// The device is a real client: the stanza that its connection is to get.
    /// Then nothing was opened, and `ok` is false.
    pub forward: Option<Node>,
}

impl std::fmt::Debug for Delivered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivered")
            .field("id", &self.id)
            .field("ok", &self.ok)
            .field("duplicate", &self.duplicate)
            .field("is_own_phone", &self.is_own_phone)
            .field("retry", &self.retry.is_some())
            .field("forward", &self.forward.is_some())
            .finish_non_exhaustive()
    }
}

/// One device that a message is for.
struct Target<'a> {
    number: String,
    device: u16,
    jid: Jid,
    encs: Vec<&'a Node>,
}

/// Who sent, and when.
struct Sender<'a> {
    jid: &'a Jid,
    number: String,
    address: String,
    at_s: i64,
}

impl People {
    /// Brings a `<message>` that the client `from` has sent to every device it is
    /// for. Devices that do not exist, and numbers that are not on the network,
    /// get nothing.
    pub async fn receive(&mut self, message: &Node, from: &Jid) -> Vec<Delivered> {
        let (Some(outgoing), Some(person)) = (Outgoing::parse(message), self.find(from)) else {
            return Vec::new();
        };
        let sender = Sender {
            jid: from,
            number: person.number.clone(),
            address: person.address(from.device),
            at_s: now_secs(),
        };
        let targets = if outgoing.to.is_group() {
            self.group_targets(&outgoing, &sender)
        } else {
            self.direct_targets(&outgoing, &sender)
        };
        let mut delivered = Vec::with_capacity(targets.len());
        for target in targets {
            delivered.extend(self.deliver(&outgoing, &sender, target).await);
        }
        delivered
    }

    fn direct_targets<'a>(&self, out: &Outgoing<'a>, sender: &Sender<'_>) -> Vec<Target<'a>> {
        let mut wanted = out.addressed.clone();
        if !out.direct.is_empty() {
            wanted.push((out.to.clone(), out.direct.clone()));
        }
        let exists = wanted.into_iter().filter_map(|(jid, encs)| {
            let person = self.find(&jid).filter(|person| person.on_network)?;
            let is_sender = person.number == sender.number && jid.device == sender.jid.device;
            if is_sender || !person.devices.contains_key(&jid.device) {
                return None;
            }
            Some(Target { number: person.number.clone(), device: jid.device, jid, encs })
        });
        exists.collect()
    }

    fn group_targets<'a>(&self, out: &Outgoing<'a>, sender: &Sender<'_>) -> Vec<Target<'a>> {
        let group = self.groups.get(out.to.user.as_str());
        let Some(group) = group.filter(|group| group.has(&sender.number)) else {
            return Vec::new();
        };
        let only = out
            .participant
            .as_ref()
            .and_then(|jid| self.find(jid).map(|person| (person.number.as_str(), jid.device)));
        let mut targets = Vec::new();
        for person in group.members.iter().filter_map(|number| self.persons.get(number)) {
            for device in person.devices.keys().copied() {
                let is_sender = person.number == sender.number && device == sender.jid.device;
                let left_out = only.is_some_and(|only| only != (person.number.as_str(), device));
                if is_sender || left_out || !person.on_network {
                    continue;
                }
                let own = out.addressed.iter().filter(|(jid, _)| {
                    jid.device == device && self.number_of(jid) == Some(person.number.as_str())
                });
                let mut encs: Vec<&Node> = own.flat_map(|(_, encs)| encs.clone()).collect();
                encs.extend(out.direct.iter().copied());
                if !encs.is_empty() {
                    let jid = person.jid(device, group.addressing);
                    targets.push(Target { number: person.number.clone(), device, jid, encs });
                }
            }
        }
        targets
    }

    async fn deliver(
        &mut self,
        out: &Outgoing<'_>,
        sender: &Sender<'_>,
        target: Target<'_>,
    ) -> Option<Delivered> {
        let is_own = target.number == sender.number;
        let mut delivered = Delivered {
            chat: out.to.clone(),
            device: target.jid.clone(),
            id: out.id.clone(),
            ok: false,
            duplicate: false,
            is_own_phone: is_own && target.device == 0,
            peer: out.peer,
            key_request: false,
            retry: None,
            forward: None,
        };
        let person = self.persons.get_mut(&target.number)?;
        let Some(device) = person.simulated(target.device) else {
            let head = self.head(out, sender, &target)?;
            delivered.forward = Some(out.forward(&head, &target.encs));
            return Some(delivered);
        };
        let chat = out.to.to_string();
        let files = (!is_own).then_some(&self.files);
        let opened = open(device, &sender.address, &chat, &target.encs, files).await;
        let destination = opened.as_ref().ok().and_then(|content| content.destination.clone());
        let about = if out.to.is_group() {
            chat
        } else if is_own {
            self.destination(destination, &out.to)
        } else {
            sender.number.clone()
        };
        let slip = Slip { id: &out.id, chat: &about, from: &sender.number, at_s: sender.at_s };
        let person = self.persons.get_mut(&target.number)?;
        match opened {
            Ok(content) => {
                delivered.ok = true;
                delivered.key_request = delivered.is_own_phone && content.key_request;
                let mut shown = content.shown;
                if let (Some(edit), Some(shown)) = (&out.edit, shown.as_object_mut()) {
                    shown.insert("edit".to_owned(), Value::from(edit.as_str()));
                }
                if let Some(text) = content.text.filter(|_| !out.peer) {
                    person.inbox.arrived(&slip, target.device, Some(&text));
                    person.inbox.show(&slip, shown);
                }
            }
            // Only a repetition if this message was read before: otherwise the
            // sender has used the key of another message, and this one is lost.
            Err(DeviceError::Duplicate)
                if out.peer || person.inbox.has_read(&slip, target.device) =>
            {
                delivered.ok = true;
                delivered.duplicate = true;
                if !out.peer {
                    person.inbox.arrived(&slip, target.device, None);
                }
            }
            Err(error) => delivered.retry = ask_again(person, &slip, out, sender, &target, error),
        }
        Some(delivered)
    }

    /// The chat of a copy for an own device.
    fn destination(&self, named: Option<String>, to: &Jid) -> String {
        let jid = named.and_then(|text| text.parse::<Jid>().ok()).unwrap_or_else(|| to.clone());
        self.number_of(&jid).map_or_else(|| jid.to_string(), str::to_owned)
    }

    fn head(
        &self,
        out: &Outgoing<'_>,
        sender: &Sender<'_>,
        target: &Target<'_>,
    ) -> Option<Head<'static>> {
        let person = self.persons.get(&sender.number)?;
        let device = sender.jid.device;
        let by = match self.groups.get(out.to.user.as_str()).filter(|_| out.to.is_group()) {
            Some(group) => group.addressing,
            None if target.jid.is_lid() => Addressing::Lid,
            None => Addressing::Pn,
        };
        let alias = person.jid(device, by.other());
        let from = person.jid(device, by);
        let is_own = target.number == sender.number;
        let to = self.persons.get(&target.number)?.pn_jid(target.device);
        let (from, participant) =
            if out.to.is_group() { (out.to.clone(), Some(from)) } else { (from, None) };
        let recipient = (is_own && participant.is_none()).then(|| out.to.clone());
        let named = recipient.as_ref().or(participant.as_ref()).unwrap_or(&from);
        let username = self.username_besides(named);
        Some(Head {
            to,
            from,
            alias: ((!is_own || participant.is_some()) && self.rules.names_besides(by))
                .then_some(alias),
            participant,
            recipient_pn: recipient.as_ref().and_then(|jid| self.number_besides(jid)),
            username,
            recipient,
            addressing: by.as_wire(),
            notify: String::new(),
            at_s: sender.at_s,
        })
    }
}

/// What all envelopes for one device held together.
struct Content {
    /// `None` if there was nothing but a sender key.
    text: Option<String>,
    destination: Option<String>,
    key_request: bool,
    /// See [`InboxEntry::content`](super::inbox::InboxEntry::content).
    shown: Value,
}

async fn open(
    device: &mut super::device::Device,
    sender: &str,
    chat: &str,
    encs: &[&Node],
    files: Option<&Files>,
) -> Result<Content, DeviceError> {
    let mut content =
        Content { text: None, destination: None, key_request: false, shown: Value::Null };
    let mut failed = None;
    // A sender key travels in a pairwise envelope, and must be there first.
    let mut envelopes: Vec<_> = encs.iter().map(|enc| envelope(enc)).collect();
    envelopes.sort_by_key(|envelope| {
        envelope.as_ref().is_some_and(|envelope| envelope.kind == EncType::SenderKey)
    });
    for envelope in envelopes {
        let Some(envelope) = envelope else {
            failed = Some(DeviceError::Unreadable);
            continue;
        };
        match device.decrypt(sender, chat, envelope).await {
            Ok(opened) => {
                let protocol = opened.message.protocol_message.as_option();
                content.key_request |=
                    protocol.is_some_and(|p| p.app_state_sync_key_request.is_set());
                if let Some(text) = text_of(&opened.message) {
                    content.text = Some(text);
                    content.shown = content::shown(&opened.message, files);
                    content.destination = opened.destination;
                }
            }
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) if content.text.is_none() => Err(error),
        Some(_) | None => Ok(content),
    }
}

/// The text of a message: empty for one without text, `None` if it is only a
/// sender key.
pub(super) fn text_of(message: &wa::Message) -> Option<String> {
    if let Some(text) = &message.conversation {
        return Some(text.clone());
    }
    let extended = message.extended_text_message.as_option();
    if let Some(text) = extended.and_then(|extended| extended.text.clone()) {
        return Some(text);
    }
    if let Some(caption) = content::caption(message) {
        return Some(caption);
    }
    let only_key = message.sender_key_distribution_message.is_set();
    (!only_key).then(String::new)
}

fn ask_again(
    person: &mut Person,
    slip: &Slip<'_>,
    out: &Outgoing<'_>,
    sender: &Sender<'_>,
    target: &Target<'_>,
    error: DeviceError,
) -> Option<Node> {
    let count = person.inbox.failed(slip);
    if count > RETRIES_MAX {
        return None;
    }
    let endpoint = person.devices.get_mut(&target.device)?;
    // The old session stays: what is under way on it can still be read. The keys
    // in the receipt start a second one.
    let bundle = endpoint.bundle()?;
    let is_own = target.number == sender.number;
    let retry = Retry {
        id: &out.id,
        to: sender.jid,
        device: &target.jid,
        group: out.to.is_group().then_some(&out.to),
        recipient: (is_own && !out.to.is_group()).then_some(&out.to),
        count,
        reason: error.retry_reason(),
        at_s: sender.at_s,
    };
    Some(retry.receipt(bundle))
}
