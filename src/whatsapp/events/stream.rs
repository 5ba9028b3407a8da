//! What the server says about the stream itself, which the library does not report: read from
//! the stanzas as they come in. Pure: a stanza in, at most one [`ConnectionEvent`] out.

use whatsapp_rust::OwnedNodeRef;

use crate::whatsapp::events::translate::ConnectionEvent;
use tetherd_core::event::SessionEvent;

/// What the stanza means; none: nothing to us.
pub(crate) fn stream_notice(node: &OwnedNodeRef) -> Option<ConnectionEvent> {
    let node = node.get();
    if node.tag.as_ref() != "ib" {
        return None;
    }
    // A date in seconds. The library only notes it in its log.
    let expires = node.get_optional_child("client_expiration")?;
    let seconds = expires.get_attr("t")?.as_str().parse::<i64>().ok().filter(|t| *t > 0)?;
    let at = seconds.saturating_mul(1_000);
    Some(ConnectionEvent::Report(SessionEvent::ClientExpires { at }))
}
