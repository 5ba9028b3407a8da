//! Who is there and who writes: presence and chat states are passed on to the clients that are
//! connected, and what simulated people see of an account is listed, read receipts included.
//! Keeps nothing for clients that are away.
//!
//! Methods of the control socket:
//! - `presence.set {number, available}`: a person is there, or not. Who subscribed learns it.
//! - `presence.chat {number, to, state}`: a person writes to an account or a group: `composing`,
//!   `recording` or `paused`.
//! - `presence.seen {number}`: what a person has seen of accounts: chat states, presence, and
//!   which messages they have read.

use std::collections::{HashMap, HashSet, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore::time::now_secs;
use whatsapp_rust::wacore_binary::{Jid, JidExt as _, Node};

use super::Sim;
use super::accounts::DeviceId;
use super::api::{DEFAULT_ACCOUNT, address};
use super::control::{Failure, params};
use super::error::SimError;
use super::nodes::{attr, first_child_tag, jid_attr};
use super::people::{PeopleError, digits};
use super::world::{LinkId, World};

/// Subscriptions, and people who were there, at most.
const SUBSCRIPTIONS_MAX: usize = 100_000;
/// What one person has seen, at most; the oldest goes first.
const SEEN_MAX: usize = 1_000;

/// What a person sees of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SeenActivity {
    /// The account's number.
    pub from: String,
    /// The group, or the account's number.
    pub chat: String,
    /// `composing`, `recording`, `paused`, `available`, `unavailable`, `read`.
    pub kind: String,
    /// The messages that were read.
    pub ids: Vec<String>,
}

/// Who is there, who wants to know it, and what people saw.
#[derive(Default)]
pub(super) struct Presence {
    /// Since when accounts' clients are there.
    clients: HashSet<DeviceId>,
    /// People who are played here: whether they are there, and since when.
    people: HashMap<String, (bool, i64)>,
    /// Which client wants to know of whom, and the name by which it asked.
    subscriptions: HashMap<(DeviceId, String), Jid>,
    seen: HashMap<String, VecDeque<SeenActivity>>,
}

impl Presence {
    /// What a person has seen.
    pub(super) fn seen(&self, number: &str) -> Vec<SeenActivity> {
        self.seen.get(number).into_iter().flatten().cloned().collect()
    }

    fn see(&mut self, number: &str, seen: SeenActivity) {
        let list = self.seen.entry(number.to_owned()).or_default();
        if list.len() >= SEEN_MAX {
            list.pop_front();
        }
        list.push_back(seen);
    }

    fn is_there(&self, number: &str) -> (bool, Option<i64>) {
        if self.clients.iter().any(|client| client.user == number) {
            return (true, None);
        }
        let state = self.people.get(number);
        (state.is_some_and(|(there, _)| *there), state.map(|(_, since)| *since))
    }
}

/// A connection has ended: its client is not there any more.
pub(super) fn gone(world: &mut World, device: &DeviceId) {
    world.presence.subscriptions.retain(|(client, _), _| client != device);
    leave(world, device);
}

fn leave(world: &mut World, device: &DeviceId) {
    if world.presence.clients.remove(device) {
        world.presence.people.insert(device.user.clone(), (false, now_secs()));
        tell(world, &device.user);
    }
}

/// A client's `<presence>`.
pub(super) fn stanza(world: &mut World, link: LinkId, node: &Node) {
    let Some(device) = world.device(link).cloned() else { return };
    let target = jid_attr(node, "to").map(|to| to.to_non_ad());
    // By this the server learns an account's name.
    let name = attr(node, "name").filter(|name| !name.is_empty());
    if let (Some(name), Some(account)) = (name, world.accounts.get_mut(&device.user)) {
        account.push_name = name;
    }
    match (attr(node, "type").as_deref(), target) {
        (Some("subscribe"), Some(target)) => subscribe(world, link, &device, target),
        (Some("unsubscribe"), Some(target)) => {
            if let Some(number) = world.people.number_of(&target).map(str::to_owned) {
                world.presence.subscriptions.remove(&(device, number));
            }
        }
        (Some("available") | None, None) => {
            if world.presence.clients.insert(device.clone()) {
                tell(world, &device.user);
            }
        }
        (Some("unavailable"), None) => leave(world, &device),
        (Some(_) | None, _) => world.stats.not_understood += 1,
    }
}

fn subscribe(world: &mut World, link: LinkId, device: &DeviceId, target: Jid) {
    let Some(number) = world.people.number_of(&target).map(str::to_owned) else { return };
    if world.presence.subscriptions.len() >= SUBSCRIPTIONS_MAX {
        return;
    }
    let state = presence(&target, world.presence.is_there(&number));
    world.presence.subscriptions.insert((device.clone(), number), target);
    world.say(link, state);
}

/// A presence as clients read it: the last time only of who is not there
/// (whatsmeow, presence.go).
fn presence(who: &Jid, (there, last): (bool, Option<i64>)) -> Node {
    let node = NodeBuilder::new("presence").attr("from", who);
    match (there, last) {
        (true, _) => node.attr("type", "available").build(),
        (false, Some(last)) => node.attr("type", "unavailable").attr("last", last).build(),
        (false, None) => node.attr("type", "unavailable").attr("last", "deny").build(),
    }
}

/// Whoever wants to know about a person learns the state.
fn tell(world: &mut World, number: &str) {
    let state = world.presence.is_there(number);
    let interested: Vec<(DeviceId, Jid)> = world
        .presence
        .subscriptions
        .iter()
        .filter(|((_, whom), _)| whom == number)
        .map(|((client, _), name)| (client.clone(), name.clone()))
        .collect();
    for (client, name) in interested {
        if let Some((link, true)) = world.link_of(&client) {
            world.say(link, presence(&name, state));
        }
    }
}

/// A client's `<chatstate>`.
pub(super) fn chat_state(world: &mut World, link: LinkId, node: &Node) {
    let Some(device) = world.device(link).cloned() else { return };
    let Some(to) = jid_attr(node, "to") else { return };
    let media = node.children().and_then(|children| attr(children.first()?, "media"));
    let state = match (first_child_tag(node), media.as_deref()) {
        ("composing", Some("audio")) => "recording",
        ("composing", _) => "composing",
        ("paused", _) => "paused",
        _ => return world.stats.not_understood += 1,
    };
    pass_on(world, &device.user, &to, state);
}

/// Others in the chat learn that somebody writes.
fn pass_on(world: &mut World, from: &str, to: &Jid, state: &str) {
    for number in world.people.others_in_chat(from, to) {
        see(world, &number, from, to, state, Vec::new());
        let Some(node) = chat_state_from(world, from, to, state) else { continue };
        for client in super::notices::clients(world, &number, None) {
            if let Some((link, true)) = world.link_of(&client) {
                world.say(link, node.clone());
            }
        }
    }
}

fn chat_state_from(world: &World, from: &str, to: &Jid, state: &str) -> Option<Node> {
    let person = world.people.persons.get(from)?;
    let child = match state {
        "recording" => NodeBuilder::new("composing").attr("media", "audio"),
        "composing" => NodeBuilder::new("composing"),
        _ => NodeBuilder::new("paused"),
    };
    let node = NodeBuilder::new("chatstate");
    let node = match world.people.group_addressing(to) {
        Some(by) => node.attr("from", to).attr("participant", person.jid(0, by)),
        None => node.attr("from", person.jid(0, world.settings.rules.addressing())),
    };
    Some(node.children([child.build()]).build())
}

/// A person who is played here sees something of an account.
pub(super) fn see(
    world: &mut World,
    number: &str,
    from: &str,
    chat: &Jid,
    kind: &str,
    ids: Vec<String>,
) {
    if world.accounts.get(number).is_some() || !world.people.persons.contains_key(number) {
        return;
    }
    let from = format!("+{from}");
    let chat = if chat.is_group() { chat.to_string() } else { from.clone() };
    let seen = SeenActivity { from, chat, kind: kind.to_owned(), ids };
    world.presence.see(number, seen);
}

impl Sim {
    /// A person is there, or not any more.
    pub async fn presence_set(&self, number: &str, available: bool) -> Result<(), SimError> {
        let number = digits(number)?;
        let mut world = self.shared.change().await;
        if !world.people.persons.contains_key(&number) {
            return Err(PeopleError::Unknown.into());
        }
        world.presence.people.insert(number.clone(), (available, now_secs()));
        tell(&mut world, &number);
        Ok(())
    }

    /// A person writes to an account or a group, see the module's documentation.
    pub async fn presence_chat(
        &self,
        number: &str,
        to: Option<&str>,
        state: &str,
    ) -> Result<(), SimError> {
        let (number, to) = (digits(number)?, address(to.unwrap_or(DEFAULT_ACCOUNT))?);
        pass_on(&mut *self.shared.change().await, &number, &to, state);
        Ok(())
    }

    /// What a person has seen of accounts, oldest first.
    pub async fn presence_seen(&self, number: &str) -> Result<Vec<SeenActivity>, SimError> {
        let number = digits(number)?;
        Ok(self.shared.look().await.presence.seen(&number))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    number: String,
    available: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ChatState {
    Composing,
    Recording,
    Paused,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chat {
    number: String,
    to: Option<String>,
    state: ChatState,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    number: String,
}

/// A call of the control socket.
pub(super) async fn call(sim: &Sim, method: &str, given: Value) -> Result<Value, Failure> {
    match method {
        "presence.set" => {
            let Set { number, available } = params(given)?;
            sim.presence_set(&number, available).await?;
            Ok(json!({}))
        }
        "presence.chat" => {
            let Chat { number, to, state } = params(given)?;
            let state = match state {
                ChatState::Composing => "composing",
                ChatState::Recording => "recording",
                ChatState::Paused => "paused",
            };
            sim.presence_chat(&number, to.as_deref(), state).await?;
            Ok(json!({}))
        }
        "presence.seen" => {
            let Whose { number } = params(given)?;
            Ok(json!({ "seen": sim.presence_seen(&number).await? }))
        }
        _ => Err(Failure::NoMethod),
    }
}
