//! What the server does to streams that stand, and says about them: methods of [`Sim`] under
//! the names `stream.*` of the control socket, and what waits for clients that log in. Decides
//! nothing else.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore::time::now_secs;
use whatsapp_rust::wacore_binary::Node;

use super::accounts::DeviceId;
use super::control::{Failure, params};
use super::error::SimError;
use super::nodes::{attr, server};
use super::people::digits;
use super::world::{LinkId, World, info};
use super::{DEFAULT_ACCOUNT, Sim};

/// How the server ends streams, and hands out what waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Streams {
    /// Each stream ends after so many seconds; 0: it does not. For connections that begin
    /// from then on.
    pub recycle_s: u64,
    /// Which messages of a receipt that lists several the server takes note of.
    pub list_receipts: ListReceipts,
    /// Of what waits, a client gets so many stanzas at its login, and the rest in the batches
    /// that it asks for, as WhatsApp Web does; 0: all at once.
    pub offline_primer: usize,
}

/// Which messages of a receipt that lists several count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListReceipts {
    /// All.
    #[default]
    All,
    /// The one in its `id` only. What is inferred of the real server for messages of category
    /// `peer` (whatsapp-rust's pull request 1619): it sends the others again at each login,
    /// and ends the stream over them.
    FirstOnly,
}

/// What the server knows beyond single streams.
#[derive(Default)]
pub(super) struct State {
    /// What clients have not cleaned yet.
    dirty: Vec<(DeviceId, String)>,
    /// The routing information that was given out last.
    routing: Option<Vec<u8>>,
}

/// What waited for a client at its login.
#[derive(Default)]
pub(super) struct Offline {
    /// What it has not been given yet.
    backlog: VecDeque<Node>,
    /// The messages among all of it.
    messages: Vec<String>,
    count: usize,
    ended: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    account: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dirty {
    account: Option<String>,
    kind: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EdgeRouting {
    account: Option<String>,
    info: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PeerMessages {
    account: Option<String>,
    count: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientExpiration {
    account: Option<String>,
    in_s: i64,
}

/// A call of the control socket.
pub(super) async fn call(sim: &Sim, method: &str, given: Value) -> Result<Value, Failure> {
    match method {
        "stream.client_expiration" => {
            let ClientExpiration { account, in_s } = params(given)?;
            let clients = sim.stream_client_expiration(account.as_deref(), in_s).await?;
            Ok(json!({ "clients": clients }))
        }
        "stream.dirty" => {
            let Dirty { account, kind } = params(given)?;
            Ok(json!({ "clients": sim.stream_dirty(account.as_deref(), &kind).await? }))
        }
        "stream.edge_routing" => {
            let EdgeRouting { account, info } = params(given)?;
            Ok(json!({ "clients": sim.stream_edge_routing(account.as_deref(), &info).await? }))
        }
        "stream.peer_messages" => {
            let PeerMessages { account, count } = params(given)?;
            let sent = sim.stream_peer_messages(account.as_deref(), count).await?;
            Ok(json!({ "messages": sent }))
        }
        "stream.end" => {
            let Whose { account } = params(given)?;
            Ok(json!({ "closed": sim.stream_end(account.as_deref()).await? }))
        }
        _ => Err(Failure::NoMethod),
    }
}

/// Ends a stream in order. Clients are to log in again. A message that waited at the login and
/// is not acknowledged is named first.
pub(super) fn end(world: &mut World, link: LinkId) {
    if let Some(id) = unacknowledged(world, link) {
        world.stats.unacknowledged_named += 1;
        let ack = NodeBuilder::new("ack").attr("class", "message").attr("id", id).build();
        world.say(link, NodeBuilder::new("stream:error").children([ack]).build());
    }
    world.say(link, NodeBuilder::new("xmlstreamend").build());
    world.hang_up(link);
}

fn unacknowledged(world: &mut World, link: LinkId) -> Option<String> {
    let device = world.device(link)?.clone();
    let waiting = world.accounts.companion(&device)?.pending();
    let waiting: Vec<String> = waiting.iter().filter_map(|node| attr(node, "id")).collect();
    world.offline(link)?.messages.iter().find(|id| waiting.contains(id)).cloned()
}

/// Gives a client what waited for it, or the first part of it, and the end mark without which
/// clients do not count themselves connected.
pub(super) fn hand_out(world: &mut World, link: LinkId, device: &DeviceId, waiting: Vec<Node>) {
    let dirty = world.streams.dirty.iter().filter(|(whose, _)| whose == device);
    let dirty: Vec<Node> = dirty.map(|(_, kind)| dirty_node(kind)).collect();
    for node in dirty {
        world.say(link, node);
    }
    let count = waiting.len();
    if count > 0 {
        let tagged = |tag: &str| waiting.iter().filter(|node| node.tag == tag).count();
        let (messages, receipts) = (tagged("message"), tagged("receipt"));
        let preview = NodeBuilder::new("offline_preview")
            .attr("count", count)
            .attr("message", messages)
            .attr("receipt", receipts)
            .attr("notification", count - messages - receipts)
            .attr("appdata", 0)
            .build();
        world.say(link, info(preview));
    }
    let primer = world.settings.streams.offline_primer;
    let messages = waiting.iter().filter(|node| node.tag == "message");
    let messages = messages.filter_map(|node| attr(node, "id")).collect();
    let mut backlog = VecDeque::from(waiting);
    for (position, node) in backlog.iter_mut().enumerate() {
        node.attrs.insert("offline", position);
    }
    if let Some(offline) = world.offline(link) {
        *offline = Offline { backlog, messages, count, ended: false };
    }
    batch(world, link, if primer == 0 { count } else { primer });
}

/// So many more of what waited.
fn batch(world: &mut World, link: LinkId, most: usize) {
    let Some(offline) = world.offline(link) else { return };
    let most = most.min(offline.backlog.len());
    let part: Vec<Node> = offline.backlog.drain(..most).collect();
    let ends = offline.backlog.is_empty() && !std::mem::replace(&mut offline.ended, true);
    let count = offline.count;
    for node in part {
        world.say(link, node);
    }
    if ends {
        world.say(link, info(NodeBuilder::new("offline").attr("count", count).build()));
    }
}

/// A client's `<ib>`.
pub(super) fn client_info(world: &mut World, link: LinkId, node: &Node) {
    let wanted = node.get_optional_child("offline_batch").and_then(|batch| attr(batch, "count"));
    if let Some(count) = wanted.and_then(|count| count.parse().ok()) {
        world.stats.batches += 1;
        batch(world, link, count);
    }
}

/// A client says that it has brought something up to date.
pub(super) fn clean(world: &mut World, link: LinkId, iq: &Node) {
    let Some(device) = world.device(link).cloned() else { return };
    for clean in iq.get_children_by_tag("clean") {
        let kind = attr(clean, "type").unwrap_or_default();
        let before = world.streams.dirty.len();
        world.streams.dirty.retain(|(whose, dirty)| *whose != device || *dirty != kind);
        if world.streams.dirty.len() < before {
            world.stats.cleaned += 1;
        }
    }
}

/// A client began with this routing information.
pub(super) fn routed(world: &mut World, routing: &[u8]) {
    if world.streams.routing.as_deref() == Some(routing) {
        world.stats.routed += 1;
    }
}

fn dirty_node(kind: &str) -> Node {
    let dirty = NodeBuilder::new("dirty").attr("type", kind).attr("timestamp", now_secs());
    info(dirty.build())
}

impl Sim {
    /// The streams of this account, or of all, end in order.
    pub async fn stream_end(&self, account: Option<&str>) -> Result<usize, SimError> {
        self.each_link(account, end).await
    }

    /// Something of the account is to be brought up to date (`groups`, `account_sync`,
    /// `syncd_app_state`, ...): said now, and at each login until the client says that it did.
    pub async fn stream_dirty(&self, account: Option<&str>, kind: &str) -> Result<usize, SimError> {
        self.each_link(account, |world, link| {
            let Some(device) = world.device(link).cloned() else { return };
            world.streams.dirty.push((device, kind.to_owned()));
            world.say(link, dirty_node(kind));
        })
        .await
    }

    /// Clients are to begin their next connections with this routing information.
    pub async fn stream_edge_routing(
        &self,
        account: Option<&str>,
        routing: &str,
    ) -> Result<usize, SimError> {
        self.each_link(account, |world, link| {
            world.streams.routing = Some(routing.as_bytes().to_vec());
            let child = NodeBuilder::new("routing_info").bytes(routing.as_bytes()).build();
            world.say(link, info(NodeBuilder::new("edge_routing").children([child]).build()));
        })
        .await
    }

    /// An account's phone writes so many messages of category `peer` to each of its clients,
    /// which get them at their next login if they are away.
    pub async fn stream_peer_messages(
        &self,
        account: Option<&str>,
        count: u8,
    ) -> Result<usize, SimError> {
        let user = digits(account.unwrap_or(DEFAULT_ACCOUNT))?;
        let mut world = self.shared.change().await;
        let account = world.accounts.get(&user).ok_or(SimError::NoSuchAccount)?;
        let devices: Vec<u16> = account.companions.keys().copied().collect();
        let mut sent = 0;
        for device in devices {
            for _ in 0..count {
                let Some(node) = world.people.key_share(&user, device).await else { break };
                world.phone_says(&DeviceId { user: user.clone(), device }, node);
                sent += 1;
            }
        }
        Ok(sent)
    }

    /// Clients learn until when the server takes their version (WhatsApp Web's
    /// `ClientExpirationRequest`: a date in seconds).
    pub async fn stream_client_expiration(
        &self,
        account: Option<&str>,
        in_s: i64,
    ) -> Result<usize, SimError> {
        self.each_link(account, |world, link| {
            let expiration =
                NodeBuilder::new("client_expiration").attr("t", now_secs().saturating_add(in_s));
            let ib = NodeBuilder::new("ib").attr("from", server());
            world.say(link, ib.children([expiration.build()]).build());
        })
        .await
    }
}
