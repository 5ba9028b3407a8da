//! Privacy tokens in notifications, seen before the library stores them: it acknowledges the
//! notification then, so such a token does not wait to be written. Stores nothing itself.

use std::sync::Arc;

use whatsapp_rust::types::events::{Event, EventHandler, EventInterest, EventKind};
use whatsapp_rust::wacore::iq::tctoken::parse_privacy_token_notification;

use crate::whatsapp::storage::ContactTokens;

/// Says of each such token that a notification has brought it.
pub(crate) struct Notified(pub(crate) Arc<ContactTokens>);

impl EventHandler for Notified {
    fn handle_event(&self, event: Arc<Event>) {
        let Event::RawNode(node) = &*event else { return };
        let node = node.get();
        let of_tokens = node.get_attr("type").is_some_and(|kind| kind == "privacy_token");
        if node.tag.as_ref() != "notification" || !of_tokens {
            return;
        }
        // One that does not parse is not stored by the library either.
        let tokens = parse_privacy_token_notification(node).unwrap_or_default();
        for token in tokens {
            self.0.notified(&token.token);
        }
    }

    fn interest(&self) -> EventInterest {
        EventInterest::of(&[EventKind::RawNode])
    }
}

#[cfg(test)]
mod tests {
    use whatsapp_rust::wacore_binary::marshal::marshal;
    use whatsapp_rust::{NodeBuilder, OwnedNodeRef};

    use super::*;

    fn seen(kind: &'static str, token_type: &'static str) -> bool {
        let token = NodeBuilder::new("token").attr("type", token_type).attr("t", "5");
        let tokens = NodeBuilder::new("tokens").children([token.bytes(b"token".to_vec()).build()]);
        let node = NodeBuilder::new("notification").attr("type", kind);
        let bytes = marshal(&node.children([tokens.build()]).build()).unwrap();
        // A byte of flags comes first.
        let node = OwnedNodeRef::new(bytes[1..].to_vec()).unwrap();
        let tokens = Arc::<ContactTokens>::default();
        Notified(Arc::clone(&tokens)).handle_event(Arc::new(Event::RawNode(Arc::new(node))));
        tokens.take_notified(b"token")
    }

    #[test]
    fn tokens_of_notifications_are_seen_and_no_others() {
        assert!(seen("privacy_token", "trusted_contact"));
        assert!(!seen("privacy_token", "another"));
        assert!(!seen("another", "trusted_contact"));
    }
}
