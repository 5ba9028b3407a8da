//! Which part of the server a stanza is for.

use std::sync::Arc;

use tokio::time::Instant;
use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore::time::now_secs;
use whatsapp_rust::wacore_binary::Node;

use super::nodes::attr;
use super::shared::Shared;
use super::world::{LinkId, World};
use super::{calls, iq, pairing, passkey, presence, route, streams};

/// Handles one stanza from a client, and when it came.
pub(super) async fn stanza(shared: &Arc<Shared>, link: LinkId, node: Node, arrived: Instant) {
    let mut world = shared.change().await;
    let world = &mut *world;
    match node.tag.as_ref() {
        "iq" => match attr(&node, "type").as_deref() {
            Some("result" | "error") => pairing::answered(world, link, &node),
            Some(_) | None => {
                iq::request(world, link, &node).await;
                passkey::phone_continues(shared, link, &node);
            }
        },
        "message" => route::message(shared, world, link, &node, arrived).await,
        "receipt" => route::client_receipt(world, link, &node).await,
        "ack" => acknowledged(world, link, &node),
        "presence" => presence::stanza(world, link, &node),
        "chatstate" => presence::chat_state(world, link, &node),
        "call" => calls::stanza(world, link, &node),
        "ib" => streams::client_info(world, link, &node),
        "xmlstreamend" => world.hang_up(link),
        tag => {
            world.stats.not_understood += 1;
            tracing::debug!(tag, "a stanza that the server does not understand");
        }
    }
}

/// A client's ack of something that the server sent.
fn acknowledged(world: &mut World, link: LinkId, node: &Node) {
    let Some(device) = world.device(link).cloned() else { return };
    let class = attr(node, "class").unwrap_or_default();
    let id = attr(node, "id").unwrap_or_default();
    let to = attr(node, "to").unwrap_or_default();
    let kind = attr(node, "type");
    let Some(companion) = world.accounts.companion_mut(&device) else { return };
    let waited = companion.acknowledged(&class, &id, kind.as_deref(), &to);
    if let Some(kind) = kind.filter(|_| waited && class == "notification") {
        *world.stats.notified.entry(kind).or_default() += 1;
    }
}

/// The server's ack of a client's stanza.
pub(super) fn ack(node: &Node, class: &'static str) -> Node {
    let mut ack = NodeBuilder::new("ack")
        .attr("class", class)
        .attr("id", attr(node, "id").unwrap_or_default())
        .attr("from", attr(node, "to").unwrap_or_default())
        .attr("t", now_secs());
    if let Some(participant) = attr(node, "participant") {
        ack = ack.attr("participant", participant);
    }
    if class != "message"
        && let Some(kind) = attr(node, "type")
    {
        ack = ack.attr("type", kind);
    }
    ack.build()
}
