//! Chats that somebody wrote in, and people who gave this account a privacy token: they are
//! not new contacts. Pure. Reads no message's content.

use std::collections::BTreeMap;

use whatsapp_rust::types::events::Event;
use whatsapp_rust::{Jid, Server};

use crate::whatsapp::events::translate::{ConnectionEvent, Me};
use crate::whatsapp::storage::TokenOf;
use tetherd_core::event::SessionEvent;
use tetherd_core::ids::ChatId;

/// The persons' chats in this event, each under its number and its hidden identity.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library has 60 kinds, we name ours")]
pub(crate) fn chat_activity(event: &Event, me: &Me) -> Option<ConnectionEvent> {
    let batch = match event {
        Event::Messages(batch) => batch,
        _ => return None,
    };
    let chats: BTreeMap<ChatId, i64> = batch
        .iter()
        .filter(|message| !message.info.source.is_from_me)
        .flat_map(|message| {
            let source = &message.info.source;
            let other = source.sender_alt.as_ref().filter(|_| !source.is_group);
            let at = message.info.timestamp.timestamp_millis();
            [Some(&source.chat), other].into_iter().flatten().map(move |jid| (jid, at))
        })
        // What our own phone sends to this device is not a chat.
        .filter(|(jid, _)| !me.owns(jid))
        .filter_map(|(jid, at)| Some((person(jid)?, at)))
        .collect();
    let chats: Vec<(ChatId, i64)> = chats.into_iter().collect();
    (!chats.is_empty()).then_some(ConnectionEvent::Report(SessionEvent::ChatActivity { chats }))
}

/// The chats of those who gave a token. The storage's key does not say whether it is a LID:
/// each goes under both.
pub(crate) fn tokens(given: &[TokenOf]) -> SessionEvent {
    let chats = given.iter().flat_map(|token| {
        let number = token.number.as_ref().unwrap_or(&token.user);
        let names = [Jid::lid(token.user.as_str()), Jid::pn(number.as_str())];
        names.into_iter().filter_map(|jid| Some((person(&jid)?, token.since.saturating_mul(1_000))))
    });
    SessionEvent::ChatActivity { chats: chats.collect() }
}

fn person(jid: &Jid) -> Option<ChatId> {
    if !matches!(jid.server, Server::Pn | Server::Lid) {
        return None;
    }
    jid.to_non_ad().to_string().parse().ok()
}
