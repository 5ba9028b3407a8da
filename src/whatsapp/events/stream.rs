//! What the server says about the stream itself and about messages in their acks, which the
//! library does not report: read from the stanzas as they come in. Pure: a stanza in, at most one
//! [`ConnectionEvent`] out.

use whatsapp_rust::OwnedNodeRef;
use whatsapp_rust::wacore_binary::NodeRef;

use crate::whatsapp::events::translate::ConnectionEvent;
use tetherd_core::event::{EndReason, SessionEvent};

/// The longest id of a stanza that is taken over.
const STANZA_ID_BYTES_MAX: usize = 64;

/// What the stanza means; none: nothing to us.
pub(crate) fn stream_notice(node: &OwnedNodeRef) -> Option<ConnectionEvent> {
    let node = node.get();
    match node.tag.as_ref() {
        // The library ends the connection for it without an event.
        "xmlstreamend" => Some(ConnectionEvent::Gone(EndReason::StreamEnded)),
        "stream:error" => unacked(node),
        "ib" => client_expires(node),
        _ => None,
    }
}

/// The server ends the stream next. Ids are made by the sender's device: what is no plain id is
/// not taken over.
fn unacked(error: &NodeRef<'_>) -> Option<ConnectionEvent> {
    let id = error.get_optional_child("ack")?.get_attr("id")?.as_str().into_owned();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let fit = (1..=STANZA_ID_BYTES_MAX).contains(&id.len()) && id.chars().all(plain);
    fit.then_some(ConnectionEvent::Report(SessionEvent::StanzaUnacked { id }))
}

fn client_expires(ib: &NodeRef<'_>) -> Option<ConnectionEvent> {
    // A date in seconds. The library only notes it in its log.
    let expires = ib.get_optional_child("client_expiration")?;
    let seconds = expires.get_attr("t")?.as_str().parse::<i64>().ok().filter(|t| *t > 0)?;
    let at = seconds.saturating_mul(1_000);
    Some(ConnectionEvent::Report(SessionEvent::ClientExpires { at }))
}

/// The message that an ack is about, and the server's hash over the devices of its recipients.
pub(crate) fn acked_devices(node: &OwnedNodeRef) -> Option<(String, String)> {
    let node = node.get();
    let attr = |name| Some(node.get_attr(name)?.as_str().into_owned());
    let is_message = node.tag.as_ref() == "ack" && attr("class").as_deref() == Some("message");
    if !is_message || node.get_attr("error").is_some() {
        return None;
    }
    Some((attr("id")?, attr("phash")?))
}
