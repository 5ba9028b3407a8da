//! What phones, recipients and the server can be made to do: methods of [`Sim`],
//! which the control socket offers under the same names.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, timeout, timeout_at};
use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore::time::now_secs;
use whatsapp_rust::wacore_binary::{Jid, JidExt as _, Node};

use super::accounts::DeviceId;
use super::error::{PairingError, SimError};
use super::groups::GroupChange;
use super::inbox::InboxEntry;
use super::login::Failing;
use super::nodes::{attr, conflict, jid_attr};
use super::notices::{self, Fate};
use super::people::digits;
use super::settings::{LoginFailure, ReachoutTimelock, Settings, SettingsChange, Stats};
use super::world::{LinkId, World};
use super::{Sim, contacts, iq, pair_code, pairing, tokens};

/// The account of a phone that acts and was not named.
pub const DEFAULT_ACCOUNT: &str = "+15550100";
/// How long a phone waits for a client to complete a pairing.
const PAIRING_TIMEOUT: Duration = Duration::from_secs(30);

/// A message that somebody has received.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct InboxMessage {
    /// Its id.
    pub id: String,
    /// Its text.
    pub text: String,
    /// The sender's number.
    pub from: String,
    /// The group, or the number of the other person.
    pub chat: String,
    /// How many copies arrived under this id at the device that got most: 1 when all
    /// is well, however many devices there are.
    pub copies: u32,
    /// How many copies could not be decrypted.
    pub failed: u32,
    /// Copies by device.
    pub devices: BTreeMap<u16, u32>,
    /// What it shows besides a text: its file, opened and checked, its place, contact or
    /// link. Null for a plain text.
    pub content: Value,
}

impl std::fmt::Debug for InboxMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InboxMessage")
            .field("id", &self.id)
            .field("text", &format_args!("Body({} bytes)", self.text.len()))
            .field("devices", &self.devices)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

impl From<InboxEntry> for InboxMessage {
    fn from(entry: InboxEntry) -> Self {
        InboxMessage {
            copies: entry.copies(),
            id: entry.id,
            text: entry.text,
            from: format!("+{}", entry.from),
            chat: if entry.chat.contains('@') { entry.chat } else { format!("+{}", entry.chat) },
            failed: entry.failed,
            devices: entry.arrivals,
            content: entry.content,
        }
    }
}

/// What became of a message to accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Composed {
    /// Its id at each account that got it.
    pub ids: Vec<String>,
    /// How many clients it is on its way to, now or at their next login.
    pub clients: usize,
}

impl Sim {
    /// A phone scans a QR code; it and its account are made if they are new. Returns
    /// the companion's address.
    pub async fn phone_scan(&self, account: Option<&str>, qr: &str) -> Result<String, SimError> {
        let user = digits(account.unwrap_or(DEFAULT_ACCOUNT))?;
        let paired = pairing::scan(&mut *self.shared.change().await, &user, qr)?;
        let device = timeout(PAIRING_TIMEOUT, paired)
            .await
            .map_err(|_| SimError::TimedOut)?
            .map_err(|_| PairingError::Gone)??;
        Ok(device.jid().to_string())
    }

    /// The owner of a phone types the code that a client shows.
    pub async fn phone_enter_code(
        &self,
        account: Option<&str>,
        code: &str,
    ) -> Result<String, SimError> {
        let user = account.map(digits).transpose()?;
        let typing = pair_code::find(&*self.shared.look().await, user.as_deref())?;
        let code = code.to_owned();
        let hello = tokio::task::spawn_blocking(move || typing.derive(&code))
            .await
            .map_err(|_| SimError::WrongCode)??;
        let typed = pair_code::phone_hello(&mut *self.shared.change().await, hello)?;
        let device = timeout(PAIRING_TIMEOUT, pair_code::wait(typed))
            .await
            .map_err(|_| SimError::TimedOut)??;
        Ok(device.jid().to_string())
    }

    /// Turns a phone on or off. One that is back says what it had to say.
    pub async fn phone_set(&self, account: Option<&str>, online: bool) -> Result<(), SimError> {
        let user = digits(account.unwrap_or(DEFAULT_ACCOUNT))?;
        let mut world = self.shared.change().await;
        let account = world.accounts.get_mut(&user).ok_or(SimError::NoSuchAccount)?;
        account.phone_online = online;
        if online {
            for (device, node) in account.take_backlog() {
                world.deliver(&DeviceId { user: user.clone(), device }, node);
            }
        }
        Ok(())
    }

    /// The phone itself writes to somebody; its companions get copies.
    pub async fn phone_send(
        &self,
        account: Option<&str>,
        to: &str,
        text: &str,
    ) -> Result<Composed, SimError> {
        let user = digits(account.unwrap_or(DEFAULT_ACCOUNT))?;
        let to = address(to)?;
        let mut world = self.shared.change().await;
        let nodes = world.people.compose_from_phone(&user, &to, text).await;
        send_out(&mut world, nodes)
    }

    /// The owner of a phone removes its companions, or one of them.
    pub async fn phone_unlink(
        &self,
        account: Option<&str>,
        device: Option<u16>,
    ) -> Result<usize, SimError> {
        let user = digits(account.unwrap_or(DEFAULT_ACCOUNT))?;
        let mut world = self.shared.change().await;
        let account = world.accounts.get(&user).ok_or(SimError::NoSuchAccount)?;
        let gone: Vec<DeviceId> = account
            .companions
            .keys()
            .filter(|id| device.is_none_or(|device| device == **id))
            .map(|id| DeviceId { user: user.clone(), device: *id })
            .collect();
        for device in &gone {
            let link = world.link_of(device).map(|(link, _)| link);
            iq::forget(&mut world, device);
            if let Some(link) = link {
                world.say(link, conflict("device_removed", Some(401)));
                world.hang_up(link);
            }
        }
        Ok(gone.len())
    }

    /// Adds a recipient with companion devices in addition to the phone, or changes one.
    pub async fn recipient_add(
        &self,
        number: &str,
        on_network: bool,
        companions: u8,
    ) -> Result<(), SimError> {
        let mut world = self.shared.change().await;
        let (added, removed) = world.people.add_recipient(number, on_network, companions)?;
        let number = digits(number)?;
        notices::devices(&mut world, &number, &added, Fate::Added);
        notices::devices(&mut world, &number, &removed, Fate::Removed);
        Ok(())
    }

    /// Adds another way to write a recipient's number, see [`crate::people::People::add_spelling`].
    pub async fn recipient_spelling(&self, number: &str, spelling: &str) -> Result<(), SimError> {
        Ok(self.shared.change().await.people.add_spelling(number, spelling)?)
    }

    /// Makes a group of recipients and accounts. Returns its address.
    pub async fn group_add(&self, subject: &str, members: &[String]) -> Result<String, SimError> {
        Ok(self.shared.change().await.people.add_group(subject, members)?.to_string())
    }

    /// Changes a group: its name, its members and admins, who may send. The clients of its
    /// members are notified.
    pub async fn group_set(&self, group: &str, change: GroupChange) -> Result<(), SimError> {
        let jid = address(group)?;
        let silent = change.silent;
        let mut world = self.shared.change().await;
        let concerned = world.people.change_group(&jid, change)?;
        if silent {
            return Ok(());
        }
        let id = world.iq_id();
        let Some(notice) = world.people.group_notice(&jid, &id) else { return Ok(()) };
        let mut devices = Vec::new();
        for number in &concerned {
            let account = world.accounts.get(number);
            let companions = account.into_iter().flat_map(|account| account.companions.keys());
            devices.extend(companions.map(|id| DeviceId { user: number.clone(), device: *id }));
        }
        for device in devices {
            world.deliver(&device, notice.clone());
        }
        Ok(())
    }

    /// What somebody has received, oldest first.
    pub async fn recipient_inbox(&self, number: &str) -> Vec<InboxMessage> {
        let entries = self.shared.look().await.people.inbox(number);
        entries.into_iter().map(InboxMessage::from).collect()
    }

    /// Somebody writes to an account, or to a group, which reaches all accounts in it.
    pub async fn recipient_reply(
        &self,
        number: &str,
        to: Option<&str>,
        text: &str,
    ) -> Result<Composed, SimError> {
        let to = address(to.unwrap_or(DEFAULT_ACCOUNT))?;
        let mut world = self.shared.change().await;
        if !to.is_group() {
            let account = world.people.number_of(&to).ok_or(SimError::NoSuchAccount)?.to_owned();
            let number = digits(number)?;
            world.contacts.know(&account, &number);
            if world.tokens.given(&account, &number).is_none() {
                tokens::give(&mut world, &account, &number);
            }
        }
        let nodes = world.people.compose_from_phone(number, &to, text).await;
        send_out(&mut world, nodes)
    }

    /// Changes how the server behaves.
    pub async fn server_set(&self, change: SettingsChange) -> Settings {
        let mut world = self.shared.change().await;
        world.settings.apply(change);
        world.people.rules = world.settings.rules;
        world.settings
    }

    /// The next logins fail like this.
    pub async fn server_fail_login(&self, failure: LoginFailure) {
        self.shared.change().await.failure = Failing::new(failure);
    }

    /// Another client takes over: connections of this account, or of all, are replaced.
    pub async fn server_replace_session(&self, account: Option<&str>) -> Result<usize, SimError> {
        self.each_link(account, World::replace).await
    }

    /// The server refuses messages to new contacts, or takes them again.
    pub async fn server_timelock(&self, lock: ReachoutTimelock) {
        contacts::set(&mut *self.shared.change().await, lock);
    }

    /// Every client gets so many receipts for messages that it never sent.
    pub async fn server_flood(&self, count: u32) -> Result<usize, SimError> {
        self.each_link(None, |world, link| {
            for _ in 0..count {
                let id = world.iq_id();
                let receipt = NodeBuilder::new("receipt").attr("from", Jid::pn("15550199"));
                world.say(link, receipt.attr("id", id).attr("t", now_secs()).build());
            }
        })
        .await
    }

    /// Connections of this account, or of all, end with a stream error of this code.
    pub async fn server_stream_error(
        &self,
        account: Option<&str>,
        code: u16,
    ) -> Result<usize, SimError> {
        self.each_link(account, |world, link| {
            world.say(link, NodeBuilder::new("stream:error").attr("code", code).build());
            world.hang_up(link);
        })
        .await
    }

    /// Connections of this account, or of all, end without a word.
    pub async fn server_disconnect(&self, account: Option<&str>) -> Result<usize, SimError> {
        self.each_link(account, World::hang_up).await
    }

    pub(super) async fn each_link(
        &self,
        account: Option<&str>,
        act: impl Fn(&mut World, LinkId),
    ) -> Result<usize, SimError> {
        let user = account.map(digits).transpose()?;
        let mut world = self.shared.change().await;
        let chosen = |id: &LinkId| {
            let device = world.device(*id);
            device.is_some_and(|device| user.as_ref().is_none_or(|user| *user == device.user))
        };
        let links: Vec<_> = world.links().into_iter().map(|(id, _)| id).filter(chosen).collect();
        for link in &links {
            act(&mut world, *link);
        }
        Ok(links.len())
    }

    /// The server gets another static key: clients' cached ones are stale.
    pub async fn server_rotate_key(&self) {
        self.shared.change().await.noise.rotate();
    }

    /// What has happened.
    pub async fn server_stats(&self) -> Stats {
        self.shared.look().await.stats.clone()
    }

    /// Waits until the counts are as wanted, and returns them.
    pub async fn wait_for(
        &self,
        wanted: impl Fn(&Stats) -> bool,
        within: Duration,
    ) -> Result<Stats, SimError> {
        self.wait(|world| wanted(&world.stats).then(|| world.stats.clone()), within).await
    }

    /// Waits until somebody's inbox is as wanted, and returns it.
    pub async fn wait_for_inbox(
        &self,
        number: &str,
        wanted: impl Fn(&[InboxMessage]) -> bool,
        within: Duration,
    ) -> Result<Vec<InboxMessage>, SimError> {
        let look = |world: &World| {
            let inbox: Vec<_> =
                world.people.inbox(number).into_iter().map(InboxMessage::from).collect();
            wanted(&inbox).then_some(inbox)
        };
        self.wait(look, within).await
    }

    /// Waits until something is found in the world.
    pub(super) async fn wait<T>(
        &self,
        found: impl Fn(&World) -> Option<T>,
        within: Duration,
    ) -> Result<T, SimError> {
        let deadline = Instant::now() + within;
        let mut changes = self.shared.changes();
        loop {
            changes.borrow_and_update();
            if let Some(found) = found(&*self.shared.look().await) {
                return Ok(found);
            }
            match timeout_at(deadline, changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(SimError::TimedOut),
            }
        }
    }
}

/// A number or a JID as an address.
pub(super) fn address(text: &str) -> Result<Jid, SimError> {
    if text.contains('@') {
        return text.parse().map_err(|_| SimError::BadAddress);
    }
    Ok(Jid::pn(digits(text)?))
}

/// Puts composed stanzas on their way.
pub(super) fn send_out(world: &mut World, nodes: Vec<Node>) -> Result<Composed, SimError> {
    let mut composed = Composed { ids: Vec::new(), clients: 0 };
    notices::low_keys(world);
    for node in nodes {
        let to = jid_attr(&node, "to").and_then(|to| world.companion_at(&to));
        let (Some(to), Some(id)) = (to, attr(&node, "id")) else { continue };
        if !composed.ids.contains(&id) {
            composed.ids.push(id);
        }
        composed.clients += 1;
        world.deliver(&to, node);
    }
    if composed.clients == 0 { Err(SimError::NoClient) } else { Ok(composed) }
}
