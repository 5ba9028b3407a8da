//! People write to an account: messages for its clients, encrypted with the keys
//! that they have uploaded.

use getrandom::rand_core::Rng;
use serde::{Deserialize, Serialize};
use whatsapp_rust::wacore::messages::wrap_device_sent;
use whatsapp_rust::wacore::send::stanza_type_from_message;
use whatsapp_rust::wacore::time::now_secs;
use whatsapp_rust::wacore_binary::{Jid, JidExt as _, Node};
use whatsapp_rust::waproto::codec;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::waproto::whatsapp::message::protocol_message::Type as ProtocolType;

use super::content;
use super::device::EncType;
use super::groups::Addressing;
use super::inbox::Slip;
use super::keys::rng;
use super::people::{People, digits};
use super::person::{Person, StateKey};
use super::receive;
use super::stanza::message::{Head, enc};
use super::stanza::text_attr;

/// Random bytes in a message id; phones use 16, too.
const MESSAGE_ID_BYTES: usize = 16;
/// Messages to accounts that can be encrypted again on request.
const SENT_MAX: usize = 500;

/// One message to an account, as it can be encrypted again.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Sent {
    id: String,
    /// The writer's number, which is the account's own for its phone.
    from: String,
    account: String,
    /// The group's JID.
    group: Option<String>,
    /// The chat of a copy that the account's phone sends to its clients.
    recipient: Option<String>,
    /// Between the account's devices, about the account.
    peer: bool,
    /// The encoded content.
    #[serde(with = "hex")]
    content: Vec<u8>,
}

impl Sent {
    fn new(from: &str, account: &str, message: &wa::Message) -> Self {
        Self {
            id: message_id(),
            from: from.to_owned(),
            account: account.to_owned(),
            group: None,
            recipient: None,
            peer: false,
            content: codec::message_to_vec(message),
        }
    }

    fn message(&self) -> Option<wa::Message> {
        codec::message_decode(&self.content).ok()
    }
}

impl People {
    /// Lets somebody write to an account, or to a group that both are in. Returns
    /// a stanza for each client that it is for and that has uploaded keys.
    pub async fn compose(
        &mut self,
        from_number: &str,
        account: &str,
        group: Option<&Jid>,
        text: &str,
    ) -> Vec<Node> {
        let account = digits(account).map(Jid::pn);
        let Some(to) = group.cloned().or(account.ok()) else { return Vec::new() };
        self.write(from_number, &to, &text_message(text)).await
    }

    /// Lets the account's phone write to somebody.
    pub async fn compose_from_phone(&mut self, account: &str, to: &Jid, text: &str) -> Vec<Node> {
        self.write(account, to, &text_message(text)).await
    }

    /// Lets somebody's phone write to somebody or to a group, with any content. It reaches
    /// everybody whom it is for: people who are played here find it in their inboxes, and the
    /// clients of accounts get stanzas, those of the writer's own account copies.
    pub(super) async fn write(
        &mut self,
        from_number: &str,
        to: &Jid,
        message: &wa::Message,
    ) -> Vec<Node> {
        let Ok(from) = digits(from_number) else { return Vec::new() };
        if !self.persons.contains_key(&from) {
            return Vec::new();
        }
        let id = message_id();
        let mut concerned = self.others_in_chat(&from, to);
        if to.is_group() && concerned.is_empty() {
            return Vec::new();
        }
        concerned.retain(|number| *number != from);
        let mut nodes = Vec::new();
        for number in concerned {
            self.arrive(&number, (&id, &from), to, message);
            let mut sent = Sent::new(&from, &number, message);
            sent.id.clone_from(&id);
            sent.group = to.is_group().then(|| to.to_string());
            nodes.extend(self.post(sent).await);
        }
        let mut copy = Sent::new(&from, &from, message);
        if to.is_group() {
            copy.group = Some(to.to_string());
        } else {
            let recipient = self.named(to, self.rules.addressing()).to_string();
            let wrapped = wrap_device_sent(message.clone(), recipient.clone());
            copy.content = codec::message_to_vec(&wrapped);
            copy.recipient = Some(recipient);
        }
        copy.id = id;
        nodes.extend(self.post(copy).await);
        nodes
    }

    /// Into the inbox of somebody who is played here.
    fn arrive(&mut self, number: &str, (id, from): (&str, &str), to: &Jid, message: &wa::Message) {
        let group = to.is_group().then(|| to.to_string());
        let chat = group.as_deref().unwrap_or(from);
        let text = receive::text_of(message).unwrap_or_default();
        let shown = content::shown(message, Some(&self.files));
        let person = self.persons.get_mut(number);
        let Some(person) = person.filter(|person| person.on_network && !person.is_account()) else {
            return;
        };
        let slip = Slip { id, chat, from, at_s: now_secs() };
        person.inbox.arrived(&slip, 0, Some(&text));
        person.inbox.show(&slip, shown);
    }

    /// The phone's message that gives a client the key of the account's app state:
    /// clients wait for it at their first login. `None` until the client has
    /// uploaded its keys.
    pub async fn key_share(&mut self, account: &str, device_id: u16) -> Option<Node> {
        let account = digits(account).ok()?;
        let key = self.persons.get(&account)?.state_key.as_ref()?;
        let share = key_share_message(key);
        self.peer_message(&account, device_id, &share).await
    }

    /// A message of the account's phone to a client, about the account. `None` until the
    /// client has uploaded its keys.
    pub(super) async fn peer_message(
        &mut self,
        account: &str,
        device_id: u16,
        message: &wa::Message,
    ) -> Option<Node> {
        let mut sent = Sent::new(account, account, message);
        sent.peer = true;
        let nodes = self.encrypt_for(&sent, vec![device_id]).await;
        self.remember(sent);
        nodes.into_iter().next()
    }

    /// Answers a client's `<receipt type="retry">`: the message once more, on a new
    /// session. `None` if it is unknown or too old.
    pub async fn resend(&mut self, receipt: &Node, client: &Jid) -> Option<Node> {
        let id = text_attr(receipt, "id");
        let account = self.number_of(client)?;
        let known = self.sent.iter().rev().find(|sent| sent.id == id && sent.account == account);
        let sent = known?.clone();
        let address = self.persons.get(&sent.account)?.address(client.device);
        self.persons.get_mut(&sent.from)?.phone()?.forget(&address);
        self.encrypt_for(&sent, vec![client.device]).await.into_iter().next()
    }

    async fn post(&mut self, sent: Sent) -> Vec<Node> {
        let person = self.persons.get(&sent.account);
        let clients = person.map(Person::clients).unwrap_or_default();
        if clients.is_empty() {
            return Vec::new();
        }
        let nodes = self.encrypt_for(&sent, clients).await;
        self.remember(sent);
        nodes
    }

    fn remember(&mut self, sent: Sent) {
        if self.sent.len() >= SENT_MAX {
            self.sent.pop_front();
        }
        self.sent.push_back(sent);
    }

    async fn encrypt_for(&mut self, sent: &Sent, clients: Vec<u16>) -> Vec<Node> {
        match sent.group.as_ref().map(|group| group.parse::<Jid>()) {
            Some(Ok(group)) => self.group_messages(sent, &group, clients).await,
            Some(Err(_)) => Vec::new(),
            None => self.direct_messages(sent, clients).await,
        }
    }

    async fn direct_messages(&mut self, sent: &Sent, clients: Vec<u16>) -> Vec<Node> {
        let Some(message) = sent.message() else {
            return Vec::new();
        };
        let mut nodes = Vec::new();
        for client in clients {
            let sealed = self.seal(&sent.from, &sent.account, client, &message).await;
            // Devices of one account speak about it under its number.
            let by = if sent.peer { Addressing::Pn } else { self.rules.addressing() };
            let head = self.direct_head(&sent.from, &sent.account, client, by);
            if let (Some(sealed), Some(mut head)) = (sealed, head) {
                let recipient = sent.recipient.as_ref().and_then(|jid| jid.parse::<Jid>().ok());
                if let Some(recipient) = recipient {
                    head.recipient_pn = self.number_besides(&recipient);
                    head.username = self.username_besides(&recipient);
                    head.recipient = Some(recipient);
                }
                nodes.push(if sent.peer {
                    head.peer(&sent.id, sealed)
                } else {
                    head.typed(&sent.id, stanza_type_from_message(&message), vec![sealed])
                });
            }
        }
        nodes
    }

    async fn group_messages(&mut self, sent: &Sent, group: &Jid, clients: Vec<u16>) -> Vec<Node> {
        let known = self.groups.get(group.user.as_str());
        let Some(known) = known.filter(|g| g.has(&sent.from) && g.has(&sent.account)) else {
            return Vec::new();
        };
        let (name, by) = (known.jid().to_string(), known.addressing);
        let mut sender_keys = Vec::new();
        for client in clients {
            let key = self.share_sender_key(&sent.from, &sent.account, client, &name).await;
            sender_keys.extend(key.map(|key| (client, key)));
        }
        let Some(message) = sent.message() else {
            return Vec::new();
        };
        let Some(sealed) = self.seal_for_group(&sent.from, &name, &message).await else {
            return Vec::new();
        };
        let mut nodes = Vec::new();
        for (client, mut encs) in sender_keys {
            encs.push(sealed.clone());
            if let Some(head) = self.group_head(&sent.from, &sent.account, client, group, by) {
                nodes.push(head.typed(&sent.id, stanza_type_from_message(&message), encs));
            }
        }
        nodes
    }

    /// Encrypts for one client, on a new session if there is none.
    async fn seal(
        &mut self,
        from: &str,
        account: &str,
        client: u16,
        message: &wa::Message,
    ) -> Option<Node> {
        let to = self.ensure_session(from, account, client).await?;
        let phone = self.persons.get_mut(from)?.phone()?;
        let (kind, bytes) = phone.encrypt(&to, message).await.ok()?;
        Some(enc(kind, bytes))
    }

    async fn ensure_session(&mut self, from: &str, account: &str, client: u16) -> Option<String> {
        let to = self.persons.get(account)?.address(client);
        if !self.persons.get_mut(from)?.phone()?.has_session(&to) {
            let bundle = self.persons.get_mut(account)?.devices.get_mut(&client)?.bundle()?;
            self.persons.get_mut(from)?.phone()?.start_session(&to, &bundle).await.ok()?;
        }
        Some(to)
    }

    /// The envelope with the sender key, if this client does not hold it yet.
    async fn share_sender_key(
        &mut self,
        from: &str,
        account: &str,
        client: u16,
        group: &str,
    ) -> Option<Vec<Node>> {
        let to = self.ensure_session(from, account, client).await?;
        let person = self.persons.get_mut(from)?;
        let own = person.address(0);
        let phone = person.phone()?;
        let Some(key) = phone.distribute(group, &own, &to).await.ok()? else {
            return Some(Vec::new());
        };
        let (kind, bytes) = phone.encrypt(&to, &key).await.ok()?;
        Some(vec![enc(kind, bytes)])
    }

    async fn seal_for_group(
        &mut self,
        from: &str,
        group: &str,
        message: &wa::Message,
    ) -> Option<Node> {
        let person = self.persons.get_mut(from)?;
        let own = person.address(0);
        let bytes = person.phone()?.encrypt_group(group, &own, message).await.ok()?;
        Some(enc(EncType::SenderKey, bytes))
    }

    fn direct_head(
        &self,
        from: &str,
        account: &str,
        client: u16,
        by: Addressing,
    ) -> Option<Head<'static>> {
        let sender = self.persons.get(from)?;
        let alias = from != account && self.names_besides(sender, by);
        Some(Head {
            to: self.persons.get(account)?.pn_jid(client),
            from: sender.jid(0, by),
            alias: alias.then(|| sender.jid(0, by.other())),
            participant: None,
            recipient: None,
            recipient_pn: None,
            username: self.username_besides(&sender.jid(0, by)),
            addressing: by.as_wire(),
            notify: sender.name.clone().unwrap_or_else(|| "Simulated".to_owned()),
            at_s: now_secs(),
        })
    }

    fn group_head(
        &self,
        from: &str,
        account: &str,
        client: u16,
        group: &Jid,
        by: Addressing,
    ) -> Option<Head<'static>> {
        let sender = self.persons.get(from)?;
        let mut head = self.direct_head(from, account, client, by)?;
        head.from = group.clone();
        head.participant = Some(sender.jid(0, by));
        head.alias = self.names_besides(sender, by).then(|| sender.jid(0, by.other()));
        Some(head)
    }
}

fn text_message(text: &str) -> wa::Message {
    wa::Message { conversation: Some(text.to_owned()), ..Default::default() }
}

fn message_id() -> String {
    let mut bytes = [0; MESSAGE_ID_BYTES];
    rng().fill_bytes(&mut bytes);
    hex::encode(bytes).to_uppercase()
}

fn key_share_message(key: &StateKey) -> wa::Message {
    let fingerprint = wa::message::AppStateSyncKeyFingerprint {
        raw_id: Some(1),
        current_index: Some(0),
        device_indexes: vec![0],
    };
    let data = wa::message::AppStateSyncKeyData {
        key_data: Some(key.data.clone()),
        fingerprint: fingerprint.into(),
        timestamp: i64::try_from(key.made_s).ok().map(|seconds| seconds.saturating_mul(1_000)),
    };
    let id = wa::message::AppStateSyncKeyId { key_id: Some(key.id.clone()) };
    let share = wa::message::AppStateSyncKeyShare {
        keys: vec![wa::message::AppStateSyncKey { key_id: id.into(), key_data: data.into() }],
    };
    let protocol = wa::message::ProtocolMessage {
        r#type: Some(ProtocolType::APP_STATE_SYNC_KEY_SHARE),
        app_state_sync_key_share: share.into(),
        ..Default::default()
    };
    wa::Message { protocol_message: protocol.into(), ..Default::default() }
}
