//! Stanzas about people: reads what clients ask, and builds what the server
//! answers. Never encrypts.

pub(super) mod groups;
pub(super) mod message;
pub(super) mod prekeys;
pub(super) mod usync;

use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore_binary::{Jid, Node, NodeContent};

use super::nodes::server;

/// An attribute that is a JID, in text or in binary form.
pub(super) fn jid_attr(node: &Node, key: &str) -> Option<Jid> {
    node.attrs.get(key).and_then(|value| value.to_jid())
}

/// An attribute as text, empty if it is missing.
pub(super) fn text_attr(node: &Node, key: &str) -> String {
    node.attrs.get(key).map(|value| value.as_str().into_owned()).unwrap_or_default()
}

/// A node's content as bytes.
pub(super) fn bytes_of(node: &Node) -> Option<&[u8]> {
    match node.content.as_ref()? {
        NodeContent::Bytes(bytes) => Some(bytes),
        NodeContent::String(text) => Some(text.as_bytes()),
        NodeContent::Nodes(_) => None,
    }
}

/// The result of an iq.
pub(super) fn result(iq: &Node, children: Vec<Node>) -> Node {
    reply(iq, "result").children(children).build()
}

/// The refusal of an iq.
pub(super) fn error(iq: &Node, code: u16, text: &'static str) -> Node {
    reply(iq, "error").children([error_node(code, text)]).build()
}

/// An `<error>`.
pub(super) fn error_node(code: u16, text: &'static str) -> Node {
    NodeBuilder::new("error").attr("code", code.to_string()).attr("text", text).build()
}

fn reply(iq: &Node, kind: &'static str) -> NodeBuilder {
    let from = jid_attr(iq, "to").unwrap_or_else(server);
    NodeBuilder::new("iq").attr("from", from).attr("type", kind).attr("id", text_attr(iq, "id"))
}
