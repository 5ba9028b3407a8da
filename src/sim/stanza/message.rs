//! Message stanzas: reads what a client sends, builds what a client receives.

use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore_binary::{Jid, Node};

use super::{bytes_of, jid_attr, text_attr};
use crate::device::{Bundle, EncType, Envelope};
use crate::stanza::prekeys::key_nodes;

/// Padded content; version 3 has no padding.
const ENC_VERSION: u8 = 2;

/// Children of a message that its recipients get (whatsmeow, message.go and send.go).
const PASSED_ON: [&str; 3] = ["device-identity", "meta", "biz"];

/// A message as a client sent it.
pub(crate) struct Outgoing<'a> {
    pub(crate) id: String,
    pub(crate) to: Jid,
    /// The only member that a group retry is for.
    pub(crate) participant: Option<Jid>,
    /// To the account's own phone, about the account: not a message of a chat.
    pub(crate) peer: bool,
    kind: String,
    /// The `edit` attribute of an edit (1) or a revocation (7, 8).
    pub(crate) edit: Option<String>,
    /// `<enc>` for whoever the stanza is addressed to.
    pub(crate) direct: Vec<&'a Node>,
    /// `<enc>` for one device each.
    pub(crate) addressed: Vec<(Jid, Vec<&'a Node>)>,
    /// What else every device gets as it is: the sender's signed identity, and what the
    /// message is about.
    besides: Vec<&'a Node>,
}

impl<'a> Outgoing<'a> {
    pub(crate) fn parse(message: &'a Node) -> Option<Self> {
        let participants = message.get_optional_child("participants");
        let addressed = participants.map(|list| list.get_children_by_tag("to")).into_iter();
        let addressed = addressed
            .flatten()
            .filter_map(|to| Some((jid_attr(to, "jid")?, to.get_children_by_tag("enc").collect())));
        Some(Self {
            id: text_attr(message, "id"),
            to: jid_attr(message, "to")?,
            participant: jid_attr(message, "participant"),
            peer: text_attr(message, "category") == "peer",
            kind: text_attr(message, "type"),
            edit: Some(text_attr(message, "edit")).filter(|edit| !edit.is_empty()),
            direct: message.get_children_by_tag("enc").collect(),
            addressed: addressed.collect(),
            besides: PASSED_ON.iter().filter_map(|tag| message.get_optional_child(tag)).collect(),
        })
    }

    /// The stanza that another real client gets of this message.
    pub(crate) fn forward(&self, head: &Head<'_>, encs: &[&Node]) -> Node {
        let mut children: Vec<Node> = encs.iter().map(|enc| (*enc).clone()).collect();
        children.extend(self.besides.iter().map(|node| (*node).clone()));
        let mut node = head.start(&self.id, if self.kind.is_empty() { "text" } else { &self.kind });
        if self.peer {
            node = node.attr("category", "peer");
        }
        if let Some(edit) = &self.edit {
            node = node.attr("edit", edit.as_str());
        }
        node.children(children).build()
    }
}

/// Reads one `<enc>`.
pub(crate) fn envelope(enc: &Node) -> Option<Envelope<'_>> {
    let kind = EncType::from_wire(&text_attr(enc, "type"))?;
    let version = text_attr(enc, "v").parse().unwrap_or(ENC_VERSION);
    Some(Envelope { kind, version, bytes: bytes_of(enc)? })
}

/// Builds one `<enc>`.
pub(crate) fn enc(kind: EncType, bytes: Vec<u8>) -> Node {
    NodeBuilder::new("enc")
        .attr("v", ENC_VERSION.to_string())
        .attr("type", kind.as_wire())
        .bytes(bytes)
        .build()
}

/// The attributes of a message on its way to a client.
pub(crate) struct Head<'a> {
    pub(crate) to: Jid,
    /// The chat as the client knows it: a person's device, or a group.
    pub(crate) from: Jid,
    /// The other name of a sender who is not the client's own account.
    pub(crate) alias: Option<Jid>,
    /// The sender within a group.
    pub(crate) participant: Option<Jid>,
    /// The chat, when the account itself is the sender.
    pub(crate) recipient: Option<Jid>,
    /// Its number, where the chat is addressed by LID.
    pub(crate) recipient_pn: Option<Jid>,
    /// The username of whom the stanza names by LID: the chat's person where the account itself
    /// is the sender, else the sender.
    pub(crate) username: Option<String>,
    pub(crate) addressing: &'a str,
    pub(crate) notify: String,
    pub(crate) at_s: i64,
}

impl Head<'_> {
    fn start(&self, id: &str, kind: &str) -> NodeBuilder {
        let mut node = NodeBuilder::new("message")
            .attr("from", &self.from)
            .attr("to", &self.to)
            .attr("id", id)
            .attr("type", kind)
            .attr("t", self.at_s.to_string())
            .attr("addressing_mode", self.addressing);
        if !self.notify.is_empty() {
            node = node.attr("notify", self.notify.clone());
        }
        if let Some(participant) = &self.participant {
            node = node.attr("participant", participant);
        }
        if let Some(recipient) = &self.recipient {
            node = node.attr("recipient", recipient);
        }
        if let Some(number) = &self.recipient_pn {
            node = node.attr("peer_recipient_pn", number);
        }
        if let Some(username) = &self.username {
            // As WhatsApp Web reads them (WAWebHandleMsgParser).
            let key = match (self.participant.is_some(), self.recipient.is_some()) {
                (true, _) => "participant_username",
                (false, true) => "peer_recipient_username",
                (false, false) => "username",
            };
            node = node.attr(key, username.as_str());
        }
        if let Some(alias) = &self.alias {
            let key = match (self.participant.is_some(), alias.is_lid()) {
                (true, true) => "participant_lid",
                (true, false) => "participant_pn",
                (false, true) => "sender_lid",
                (false, false) => "sender_pn",
            };
            node = node.attr(key, alias);
        }
        node
    }

    /// A message of this type: `text` or `media`.
    pub(crate) fn typed(&self, id: &str, kind: &'static str, encs: Vec<Node>) -> Node {
        self.start(id, kind).children(encs).build()
    }

    /// A message of the account's phone to its companion, about the account.
    pub(crate) fn peer(&self, id: &str, enc: Node) -> Node {
        self.start(id, "text").attr("category", "peer").children([enc]).build()
    }
}

/// What a retry receipt says.
pub(crate) struct Retry<'a> {
    pub(crate) id: &'a str,
    /// The sender's device, which is to encrypt again.
    pub(crate) to: &'a Jid,
    /// The device that could not read.
    pub(crate) device: &'a Jid,
    /// The group, or `None` between two people.
    pub(crate) group: Option<&'a Jid>,
    /// The chat, when the device is the sender's own phone.
    pub(crate) recipient: Option<&'a Jid>,
    pub(crate) count: u32,
    pub(crate) reason: u8,
    pub(crate) at_s: i64,
}

impl Retry<'_> {
    /// The receipt, with keys for a new session.
    pub(crate) fn receipt(&self, bundle: Bundle) -> Node {
        let at = self.at_s.to_string();
        let retry = NodeBuilder::new("retry")
            .attr("v", "1")
            .attr("count", self.count.to_string())
            .attr("id", self.id)
            .attr("t", at.as_str())
            .attr("error", self.reason.to_string())
            .build();
        let registration =
            NodeBuilder::new("registration").bytes(bundle.registration_id.to_be_bytes()).build();
        let keys = NodeBuilder::new("keys").children(key_nodes(bundle)).build();
        let mut receipt = NodeBuilder::new("receipt")
            .attr("id", self.id)
            .attr("to", self.to)
            .attr("type", "retry")
            .attr("t", at.as_str())
            .attr("from", self.group.unwrap_or(self.device));
        if self.group.is_some() {
            receipt = receipt.attr("participant", self.device);
        }
        if let Some(recipient) = self.recipient {
            receipt = receipt.attr("recipient", recipient);
        }
        receipt.children([retry, registration, keys]).build()
    }
}
