//! People write to an account: messages for its clients, encrypted with the keys
//! that they have uploaded.

use getrandom::rand_core::Rng;
use whatsapp_rust::wacore::messages::wrap_device_sent;
use whatsapp_rust::wacore::time::now_secs;
use whatsapp_rust::wacore_binary::{Jid, JidExt as _, Node};
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::waproto::whatsapp::message::protocol_message::Type as ProtocolType;

use super::device::EncType;
use super::groups::Addressing;
use super::hex;
use super::inbox::Slip;
use super::keys::rng;
use super::people::{People, digits};
use super::person::StateKey;
use super::stanza::message::{Head, enc};

/// Random bytes in a message id; phones use 16, too.
const MESSAGE_ID_BYTES: usize = 16;

impl People {
    /// Lets somebody write to an account, or to a group that both are in. Returns
    /// a stanza for each client of the account that has uploaded keys.
    pub async fn compose(
        &mut self,
        from_number: &str,
        account: &str,
        group: Option<&Jid>,
        text: &str,
    ) -> Vec<Node> {
        let (Ok(from), Ok(account)) = (digits(from_number), digits(account)) else {
            return Vec::new();
        };
        let message = wa::Message { conversation: Some(text.to_owned()), ..Default::default() };
        match group {
            Some(group) => self.to_group(&from, &account, group, &message).await,
            None => self.to_account(&from, &account, &message).await,
        }
    }

    async fn to_account(&mut self, from: &str, account: &str, message: &wa::Message) -> Vec<Node> {
        let id = message_id();
        let mut nodes = Vec::new();
        for client in self.clients_of(account) {
            let sealed = self.seal(from, account, client, message).await;
            let (Some(sealed), Some(head)) = (sealed, self.letter(from, account, client)) else {
                continue;
            };
            nodes.push(head.text(&id, vec![sealed]));
        }
        nodes
    }

    async fn to_group(
        &mut self,
        from: &str,
        account: &str,
        group: &Jid,
        message: &wa::Message,
    ) -> Vec<Node> {
        let known = self.groups.get(group.user.as_str());
        let Some(known) = known.filter(|group| group.has(from) && group.has(account)) else {
            return Vec::new();
        };
        let (name, by) = (known.jid().to_string(), known.addressing);
        let mut letters = Vec::new();
        for client in self.clients_of(account) {
            if let Some(key) = self.share_sender_key(from, account, client, &name).await {
                letters.push((client, key));
            }
        }
        let Some(sealed) = self.seal_for_group(from, &name, message).await else {
            return Vec::new();
        };
        let id = message_id();
        let mut nodes = Vec::new();
        for (client, mut encs) in letters {
            encs.push(sealed.clone());
            if let Some(head) = self.group_letter(from, account, client, group, by) {
                nodes.push(head.text(&id, encs));
            }
        }
        nodes
    }

    /// Lets the account's phone write to somebody: the copies for the account's
    /// clients. A recipient that is played here finds the message in its inbox.
    pub async fn compose_from_phone(&mut self, account: &str, to: &Jid, text: &str) -> Vec<Node> {
        let Ok(account) = digits(account) else {
            return Vec::new();
        };
        if to.is_group() {
            return self.compose(&account, &account, Some(to), text).await;
        }
        let id = message_id();
        let slip = Slip { id: &id, chat: &account, from: &account, at_s: now_secs() };
        if let Some(person) = self.find_mut(to).filter(|person| person.on_network) {
            person.inbox.arrived(&slip, 0, Some(text));
        }
        let message = wa::Message { conversation: Some(text.to_owned()), ..Default::default() };
        let copy = wrap_device_sent(message, to.to_string());
        let mut nodes = Vec::new();
        for client in self.clients_of(&account) {
            let sealed = self.seal(&account, &account, client, &copy).await;
            let head = self.letter(&account, &account, client);
            if let (Some(sealed), Some(mut head)) = (sealed, head) {
                head.recipient = Some(to.to_non_ad());
                nodes.push(head.text(&id, vec![sealed]));
            }
        }
        nodes
    }

    /// The phone's message that gives a client the key of the account's app state:
    /// clients wait for it at their first login. `None` until the client has
    /// uploaded its keys.
    pub async fn key_share(&mut self, account: &str, device_id: u16) -> Option<Node> {
        let account = digits(account).ok()?;
        let key = self.persons.get(&account)?.state_key.as_ref()?;
        let message = key_share_message(key);
        let sealed = self.seal(&account, &account, device_id, &message).await?;
        let head = self.letter(&account, &account, device_id)?;
        Some(head.peer(&message_id(), sealed))
    }

    fn clients_of(&self, account: &str) -> Vec<u16> {
        self.persons.get(account).map(|person| person.clients()).unwrap_or_default()
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

    fn letter(&self, from: &str, account: &str, client: u16) -> Option<Head<'static>> {
        let sender = self.persons.get(from)?;
        Some(Head {
            to: self.persons.get(account)?.pn_jid(client),
            from: sender.pn_jid(0),
            alias: (from != account).then(|| sender.lid_jid(0)),
            participant: None,
            recipient: None,
            addressing: Addressing::Pn.as_wire(),
            notify: "Simulated",
            at_s: now_secs(),
        })
    }

    fn group_letter(
        &self,
        from: &str,
        account: &str,
        client: u16,
        group: &Jid,
        by: Addressing,
    ) -> Option<Head<'static>> {
        let sender = self.persons.get(from)?;
        let alias = match by {
            Addressing::Pn => sender.lid_jid(0),
            Addressing::Lid => sender.pn_jid(0),
        };
        let mut head = self.letter(from, account, client)?;
        head.from = group.clone();
        head.participant = Some(sender.jid(0, by));
        head.alias = Some(alias);
        head.addressing = by.as_wire();
        Some(head)
    }
}

fn message_id() -> String {
    let mut bytes = [0; MESSAGE_ID_BYTES];
    rng().fill_bytes(&mut bytes);
    hex::encode(&bytes).to_uppercase()
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
