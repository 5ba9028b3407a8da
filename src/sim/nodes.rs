//! Small helpers around the binary stanzas. Knows no protocol.

use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore_binary::{Jid, Node, NodeContent, Server};

/// The server's own address. An address and no text: clients compare it as one, and as
/// a text it would be written as a token.
pub(super) fn server() -> Jid {
    Jid::new("", Server::Pn)
}

/// An attribute as text.
pub(super) fn attr(node: &Node, key: &str) -> Option<String> {
    node.attrs.get(key).map(|value| value.as_str().into_owned())
}

/// An attribute as an address.
pub(super) fn jid_attr(node: &Node, key: &str) -> Option<Jid> {
    node.attrs.get(key).and_then(|value| value.to_jid())
}

/// The content as bytes, however it was encoded.
pub(super) fn content(node: &Node) -> Option<Vec<u8>> {
    match &node.content {
        Some(NodeContent::Bytes(bytes)) => Some(bytes.clone()),
        Some(NodeContent::String(text)) => Some(text.as_bytes().to_vec()),
        Some(NodeContent::Nodes(_)) | None => None,
    }
}

/// The content of the child at this path.
pub(super) fn child_content(node: &Node, path: &[&str]) -> Option<Vec<u8>> {
    node.get_optional_child_by_tag(path).and_then(content)
}

/// The content of the child at this path, if it has exactly this length.
pub(super) fn child_array<const N: usize>(node: &Node, path: &[&str]) -> Option<[u8; N]> {
    child_content(node, path)?.try_into().ok()
}

/// The tag of the first child, or nothing.
pub(super) fn first_child_tag(node: &Node) -> &str {
    node.children().and_then(|children| children.first()).map_or("", |child| &child.tag)
}

/// An iq's answer, addressed as the request asked.
fn answer(iq: &Node, kind: &'static str) -> NodeBuilder {
    let from = jid_attr(iq, "to").unwrap_or_else(server);
    NodeBuilder::new("iq")
        .attr("from", from)
        .attr("type", kind)
        .attr("id", attr(iq, "id").unwrap_or_default())
}

/// An empty success.
pub(super) fn result(iq: &Node) -> Node {
    answer(iq, "result").build()
}

/// A success with children.
pub(super) fn result_with(iq: &Node, children: impl IntoIterator<Item = Node>) -> Node {
    answer(iq, "result").children(children).build()
}

/// A refusal.
pub(super) fn refusal(iq: &Node, code: u16, text: &'static str) -> Node {
    let error = NodeBuilder::new("error").attr("code", code).attr("text", text).build();
    answer(iq, "error").children([error]).build()
}

/// `<stream:error><conflict type=.../></stream:error>`.
pub(super) fn conflict(kind: &'static str, code: Option<u16>) -> Node {
    let conflict = NodeBuilder::new("conflict").attr("type", kind).build();
    let error = NodeBuilder::new("stream:error");
    let error = match code {
        Some(code) => error.attr("code", code),
        None => error,
    };
    error.children([conflict]).build()
}
