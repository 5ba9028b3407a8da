//! Chats that somebody wrote in: their people are not new contacts. Pure. Reads no message's
//! content.

use whatsapp_rust::types::events::Event;
use whatsapp_rust::{Jid, Server};

use crate::whatsapp::events::translate::{ConnectionEvent, Me};
use tetherd_core::event::SessionEvent;
use tetherd_core::ids::ChatId;

/// The persons' chats in this event, each under its number and its hidden identity.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library has 60 kinds, we name ours")]
pub(crate) fn chat_activity(event: &Event, me: &Me) -> Option<ConnectionEvent> {
    let batch = match event {
        Event::Messages(batch) => batch,
        _ => return None,
    };
    let mut chats: Vec<ChatId> = batch
        .iter()
        .flat_map(|message| {
            let source = &message.info.source;
            let other = if source.is_from_me { &source.recipient_alt } else { &source.sender_alt };
            [Some(&source.chat), other.as_ref().filter(|_| !source.is_group)]
        })
        .flatten()
        // What our own phone sends to this device is not a chat.
        .filter(|jid| !me.owns(jid))
        .filter_map(person)
        .collect();
    chats.sort_unstable();
    chats.dedup();
    (!chats.is_empty()).then_some(ConnectionEvent::Report(SessionEvent::ChatActivity { chats }))
}

fn person(jid: &Jid) -> Option<ChatId> {
    if !matches!(jid.server, Server::Pn | Server::Lid) {
        return None;
    }
    jid.to_non_ad().to_string().parse().ok()
}
