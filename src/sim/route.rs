//! The way of messages: a client's stanza to everybody's devices, its ack and the
//! receipts back, and receipts between clients. Opens nothing itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore::time::now_secs;
use whatsapp_rust::wacore_binary::{Jid, JidExt as _, Node};

use super::accounts::DeviceId;
use super::contacts;
use super::dispatch::ack;
use super::groups::Addressing;
use super::nodes::{attr, jid_attr};
use super::quota::{self, QUOTA_CODE};
use super::receive::Delivered;
use super::settings::{REACHOUT_CODE, READS_MAX, Receipts};
use super::shared::Shared;
use super::streams::ListReceipts;
use super::strict;
use super::tokens;
use super::world::{LinkId, World};
use super::{notices, presence};

/// The refusal of a message to a group that takes none from its sender. Which code the real
/// server gives is not known; 403 is what it answers to other requests about such a group.
const GROUP_CODE: u32 = 403;

/// Types of receipts by which an account says that it has seen something.
const SEEN: [&str; 4] = ["read", "read-self", "played", "played-self"];

/// What follows a message: its ack, then what devices answer.
struct Aftermath {
    link: LinkId,
    sender: DeviceId,
    ack: Option<Node>,
    /// From others' devices: those that have it.
    receipts: Vec<Node>,
    /// From others' phones: those that have read it. After all that have it, the sender's phone
    /// too, because a client may take the last word for the state of the message.
    reads: Vec<Node>,
    /// From the sender's own phone, which may be off.
    from_phone: Vec<Node>,
}

/// Takes a client's message in.
pub(super) async fn message(
    shared: &Arc<Shared>,
    world: &mut World,
    link: LinkId,
    node: &Node,
    arrived: Instant,
) {
    let Some(sender) = world.device(link).cloned() else {
        tracing::debug!("a message from a client that is not logged in");
        return;
    };
    if attr(node, "category").as_deref() == Some("peer") {
        return to_own_phone(world, link, &sender, node).await;
    }
    world.note_attempt(node, &sender.user, arrived);
    if world.settings.lose_messages.take() {
        return;
    }
    let verdict = strict::look(world, node, &sender);
    let refused = verdict.code.or_else(|| refusal(world, node, &sender.user));
    let mut after = Aftermath {
        link,
        sender: sender.clone(),
        ack: None,
        receipts: Vec::new(),
        reads: Vec::new(),
        from_phone: Vec::new(),
    };
    if let Some(code) = refused {
        let mut nack = ack(node, "message");
        nack.attrs.insert("error", code);
        after.ack = Some(nack);
    } else {
        let dropped = world.settings.ack_drop.take();
        let mut taken = ack(node, "message");
        if let Some(phash) = verdict.phash {
            taken.attrs.insert("phash", phash);
        }
        after.ack = (!dropped).then_some(taken);
        world.stats.messages += 1;
        for delivered in world.people.receive(node, &sender.jid()).await {
            outcome(world, &mut after, delivered);
        }
    }
    let delay = Duration::from_millis(world.settings.ack_delay_ms);
    if delay.is_zero() {
        return follow(world, after);
    }
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        tokio::time::sleep(delay).await;
        follow(&mut *shared.change().await, after);
    });
}

/// The code with which the server refuses a message, if it does.
fn refusal(world: &mut World, node: &Node, account: &str) -> Option<u32> {
    if contacts::locked(world, node, account) || tokens::missing(world, node, account) {
        return Some(REACHOUT_CODE);
    }
    if quota::refuses(world, node, account) {
        return Some(QUOTA_CODE);
    }
    let to = jid_attr(node, "to");
    if let Some(group) = to.as_ref().filter(|to| to.is_group())
        && !world.people.group_takes(group, account)
    {
        return Some(GROUP_CODE);
    }
    let error = world.settings.ack_error;
    let number = to.as_ref().and_then(|to| world.people.number_of(to)).map(str::to_owned);
    let meant = error.to.is_none_or(|to| number.as_deref() == Some(to.to_string().as_str()))
        && (!error.new_contacts || contacts::is_new(world, node, account));
    (meant && world.settings.ack_error.times.take()).then_some(error.code)
}

/// About the account and for its phone: no message of a chat, and no attempt at one. It is
/// acknowledged whatever the server does wrong otherwise; the phone answers if it is on,
/// and once it is back if it is off.
async fn to_own_phone(world: &mut World, link: LinkId, sender: &DeviceId, node: &Node) {
    world.stats.peer_messages += 1;
    world.say(link, ack(node, "message"));
    for delivered in world.people.receive(node, &sender.jid()).await {
        if let Some(retry) = &delivered.retry {
            world.phone_says(sender, retry.clone());
        } else if delivered.ok && delivered.is_own_phone {
            world.phone_says(sender, from_own_phone(&delivered));
        }
    }
}

fn follow(world: &mut World, after: Aftermath) {
    if let Some(ack) = after.ack {
        // A client that has gone does not get it, and has to ask again.
        if world.link(after.link).is_some() {
            world.stats.acks += 1;
        }
        world.say(after.link, ack);
    }
    for receipt in after.receipts {
        to_author(world, &after.sender, receipt);
    }
    for receipt in after.from_phone {
        world.phone_says(&after.sender, receipt);
    }
    for receipt in after.reads {
        to_author(world, &after.sender, receipt);
    }
}

/// A receipt for all clients of the author's account; one that asks for the message again, for
/// the client that has sent it.
fn to_author(world: &mut World, author: &DeviceId, receipt: Node) {
    if attr(&receipt, "type").as_deref() == Some("retry") {
        return world.deliver(author, receipt);
    }
    for client in notices::clients(world, &author.user, None) {
        world.deliver(&client, receipt.clone());
    }
}

/// What one device does with its copy.
fn outcome(world: &mut World, after: &mut Aftermath, delivered: Delivered) {
    if let Some(forward) = &delivered.forward {
        if let Some(to) = jid_attr(forward, "to").and_then(|to| world.companion_at(&to)) {
            let mut forward = forward.clone();
            if let Some(account) = world.accounts.get(&after.sender.user) {
                forward.attrs.insert("notify", account.push_name.clone());
            }
            world.deliver(&to, forward);
        }
        return;
    }
    let from_phone = delivered.is_own_phone;
    match &delivered.retry {
        Some(retry) if from_phone => after.from_phone.push(retry.clone()),
        Some(retry) => after.receipts.push(retry.clone()),
        None if !delivered.ok => {}
        None if from_phone => after.from_phone.push(from_own_phone(&delivered)),
        None => receipts(after, &delivered, world.settings.receipts),
    }
}

fn receipt(delivered: &Delivered) -> NodeBuilder {
    let node = NodeBuilder::new("receipt").attr("id", delivered.id.as_str()).attr("t", now_secs());
    if delivered.chat.is_group() {
        node.attr("from", &delivered.chat).attr("participant", &delivered.device)
    } else {
        node.attr("from", &delivered.device)
    }
}

/// The phone has its copy: of a message to others, or of one about the account.
fn from_own_phone(delivered: &Delivered) -> Node {
    if delivered.peer {
        return receipt(delivered).attr("type", "peer_msg").build();
    }
    let node = receipt(delivered).attr("type", "sender");
    if delivered.chat.is_group() {
        return node.build();
    }
    node.attr("recipient", &delivered.chat).build()
}

/// Each device says that it has the message; the phone, that it was read.
fn receipts(after: &mut Aftermath, delivered: &Delivered, wanted: Receipts) {
    if wanted != Receipts::None {
        after.receipts.push(receipt(delivered).build());
    }
    if wanted == Receipts::All && delivered.device.device == 0 {
        after.reads.push(receipt(delivered).attr("type", "read").build());
    }
}

/// A client's receipt: it has the message, has read it, or could not read it. The
/// server acknowledges it, and brings it to the sender where that is a client, too.
pub(super) async fn client_receipt(world: &mut World, link: LinkId, node: &Node) {
    world.say(link, ack(node, "receipt"));
    if world.settings.ignore_receipts.take() {
        return;
    }
    let Some(device) = world.device(link).cloned() else { return };
    let ids = named(node, world.settings.streams.list_receipts);
    world.stats.received += u64::try_from(ids.len()).unwrap_or(u64::MAX);
    if let Some(companion) = world.accounts.companion_mut(&device) {
        for id in &ids {
            companion.received(id);
        }
    }
    if attr(node, "type").as_deref() == Some("read") {
        let reads = &mut world.stats.reads;
        reads.extend(ids.iter().cloned());
        reads.drain(..reads.len().saturating_sub(READS_MAX));
    }
    let resent = match attr(node, "type").as_deref() {
        Some("retry") => world.people.resend(node, &device.jid()).await,
        Some(_) | None => None,
    };
    if let Some(resent) = resent {
        return world.deliver(&device, resent);
    }
    let kind = attr(node, "type");
    if kind.as_deref().is_some_and(|kind| SEEN.contains(&kind)) {
        let copy = own_copy(world, &device, node);
        for client in notices::clients(world, &device.user, Some(&device)) {
            world.deliver(&client, copy.clone());
        }
    }
    if kind.as_deref().is_some_and(|kind| kind.ends_with("-self")) {
        return;
    }
    let to = jid_attr(node, "to");
    let Some(author) = jid_attr(node, "participant").or_else(|| to.clone()) else { return };
    if let (Some("read"), Some(number)) = (kind.as_deref(), world.people.number_of(&author)) {
        let number = number.to_owned();
        let chat = to.unwrap_or_default();
        presence::see(world, &number, &device.user, &chat, "read", ids);
    }
    for author in authors(world, &author, kind.as_deref()) {
        if author != device {
            let passed = pass_on(world, &device, node, &author);
            world.deliver(&author, passed);
        }
    }
}

/// The clients that a receipt is for: the one that is named, or all of the account if the
/// receipt names none. A phone's message is encrypted again by the phone alone.
fn authors(world: &World, author: &Jid, kind: Option<&str>) -> Vec<DeviceId> {
    if author.device != 0 || kind == Some("retry") {
        return world.companion_at(author).into_iter().collect();
    }
    let account = world.people.number_of(author);
    account.map(|account| notices::clients(world, account, None)).unwrap_or_default()
}

/// What an account's other clients learn of a message that one of them has seen
/// (whatsmeow, receipt.go: from the own account, with the chat as `recipient`).
fn own_copy(world: &World, device: &DeviceId, node: &Node) -> Node {
    let mut copy = pass_on(world, device, node, device);
    if let Some(chat) = jid_attr(node, "to").filter(|to| !to.is_group()) {
        copy.attrs.insert("recipient", chat);
    }
    copy
}

/// The messages that a receipt is about: after a client was away, one receipt may name
/// many.
fn named(receipt: &Node, listed: ListReceipts) -> Vec<String> {
    let list = receipt.get_optional_child("list").filter(|_| listed == ListReceipts::All);
    let items = list.into_iter().flat_map(|list| list.get_children_by_tag("item"));
    attr(receipt, "id").into_iter().chain(items.filter_map(|item| attr(item, "id"))).collect()
}

/// A receipt as the author of the message gets it.
fn pass_on(world: &World, device: &DeviceId, node: &Node, author: &DeviceId) -> Node {
    let mut passed = node.clone();
    passed.attrs.0.retain(|(key, _)| !matches!(key.as_ref(), "to" | "participant"));
    let by_lid = jid_attr(node, "to").is_some_and(|to| {
        let named_by = world.people.group_addressing(&to);
        to.is_lid() || named_by == Some(Addressing::Lid)
    });
    let own = if by_lid { world.lid(device) } else { None }.unwrap_or_else(|| device.jid());
    let group = jid_attr(node, "to").filter(Jid::is_group);
    match group {
        Some(group) => {
            passed.attrs.insert("from", group);
            passed.attrs.insert("participant", own);
        }
        None => passed.attrs.insert("from", own),
    }
    if device.user == author.user && attr(&passed, "type").is_none() {
        passed.attrs.insert("type", "sender");
    }
    passed.attrs.insert("t", now_secs());
    passed
}
