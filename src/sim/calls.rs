//! Calls: nobody here can be called. A client's offer is acknowledged, and declined by the
//! person whom it is for.

use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore::time::now_secs;
use whatsapp_rust::wacore_binary::Node;

use super::dispatch::ack;
use super::nodes::{attr, jid_attr};
use super::world::{LinkId, World};

/// A client's `<call>`. An offer is declined as a called phone does it (whatsapp-rust 0.7.0,
/// handlers/call.rs; Baileys 7.0.0, `rejectCall`); all else is acknowledged.
pub(super) fn stanza(world: &mut World, link: LinkId, node: &Node) {
    if world.device(link).is_none() {
        return;
    }
    let action = node.children().and_then(|children| children.first());
    let mut acknowledged = ack(node, "call");
    if let Some(action) = action {
        acknowledged.attrs.insert("type", action.tag.to_string());
    }
    let Some(offer) = action.filter(|action| action.tag == "offer") else {
        return world.say(link, acknowledged);
    };
    let to = jid_attr(node, "to");
    if to.as_ref().and_then(|to| world.people.number_of(to)).is_none() {
        acknowledged.attrs.insert("error", 404);
        return world.say(link, acknowledged);
    }
    world.say(link, acknowledged);
    let decline = NodeBuilder::new("reject")
        .attr("call-id", attr(offer, "call-id").unwrap_or_default())
        .attr("call-creator", attr(offer, "call-creator").unwrap_or_default())
        .attr("count", "0");
    let call = NodeBuilder::new("call")
        .attr("from", to.unwrap_or_default())
        .attr("id", world.iq_id())
        .attr("t", now_secs())
        .children([decline.build()]);
    world.say(link, call.build());
}
