//! What a message says about another one, as a recipient sees it: a quote, mentions, a
//! reaction, an edit, a revocation.

use serde_json::{Value, json};
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::waproto::whatsapp::message::protocol_message::Type;

/// A message that is nothing but that; null for any other.
pub(super) fn shown(message: &wa::Message) -> Value {
    if let Some(reaction) = message.reaction_message.as_option() {
        let target = key(reaction.key.as_option());
        return json!({ "kind": "reaction", "emoji": reaction.text, "target": target });
    }
    let Some(protocol) = message.protocol_message.as_option() else { return Value::Null };
    let target = key(protocol.key.as_option());
    match protocol.r#type {
        Some(Type::REVOKE) => json!({ "kind": "revoke", "target": target }),
        Some(Type::MESSAGE_EDIT) => {
            let text = protocol.edited_message.as_option().and_then(super::receive::text_of);
            json!({ "kind": "edit", "text": text, "target": target })
        }
        _ => Value::Null,
    }
}

/// The quote and the mentions of a message; null: it has neither.
pub(super) fn context(context: Option<&wa::ContextInfo>) -> Value {
    let Some(context) = context else { return Value::Null };
    if context.stanza_id.is_none() && context.mentioned_jid.is_empty() {
        return Value::Null;
    }
    let quoted = context.quoted_message.as_option().and_then(super::receive::text_of);
    json!({
        "reply_to": context.stanza_id, "author": context.participant, "quoted": quoted,
        "mentions": context.mentioned_jid,
    })
}

fn key(key: Option<&wa::MessageKey>) -> Value {
    let Some(key) = key else { return Value::Null };
    json!({
        "id": key.id, "chat": key.remote_jid, "from_me": key.from_me, "author": key.participant,
    })
}
