//! What a message says about another one: a quote, mentions, a reaction, an edit, a revocation.
//! Builds; who is named how in a group is decided by the caller.

use whatsapp_rust::Jid;
use whatsapp_rust::buffa::MessageField;
use whatsapp_rust::wacore::proto_helpers::{build_quote_context_with_info, build_reaction_message};
use whatsapp_rust::wacore::time::now_millis;
use whatsapp_rust::wacore_binary::JidExt as _;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::waproto::whatsapp::message::ProtocolMessage;
use whatsapp_rust::waproto::whatsapp::message::protocol_message::Type;

use super::mentions::Mention;
use tetherd_core::draft::{Draft, Target};

/// The parties of a chat, as its messages name them.
pub(crate) struct Names {
    /// The chat.
    pub(crate) chat: Jid,
    /// This account.
    pub(crate) own: Jid,
    /// Who sent the message that this one is about, if that is not this account.
    pub(crate) sender: Option<Jid>,
    /// Whom it mentions.
    pub(crate) mentions: Vec<Mention>,
}

/// The quote and the mentions of a message; none: it has neither.
pub(crate) fn context(draft: &Draft, names: &Names) -> Option<wa::ContextInfo> {
    let mut context = match &draft.target {
        Some(target) => quote(target, names),
        None if names.mentions.is_empty() => return None,
        None => wa::ContextInfo::default(),
    };
    context.mentioned_jid = names.mentions.iter().map(|mention| mention.jid.clone()).collect();
    Some(context)
}

fn quote(target: &Target, names: &Names) -> wa::ContextInfo {
    let text = target.quote.as_ref().map(|text| text.0.clone()).unwrap_or_default();
    let quoted = wa::Message { conversation: Some(text), ..Default::default() };
    let (id, sender) = (target.wa_id.0.as_str(), names.sender.as_ref().unwrap_or(&names.own));
    build_quote_context_with_info(id, sender, &names.chat, &names.chat, &quoted)
}

/// A reaction with this emoji.
pub(crate) fn reaction(target: &Target, emoji: &str, names: &Names) -> wa::Message {
    build_reaction_message(key(target, names), emoji, now_millis())
}

/// Another content for a message. In a group its author is named, as the library does it.
pub(crate) fn edit(target: &Target, content: wa::Message, names: &Names) -> wa::Message {
    let mut key = key(target, names);
    key.participant = names.chat.is_group().then(|| names.own.to_string());
    protocol(ProtocolMessage {
        key: MessageField::some(key),
        r#type: Some(Type::MESSAGE_EDIT),
        edited_message: MessageField::some(content),
        timestamp_ms: Some(now_millis()),
        ..Default::default()
    })
}

/// The message is taken back.
pub(crate) fn revoke(target: &Target, names: &Names) -> wa::Message {
    protocol(ProtocolMessage {
        key: MessageField::some(key(target, names)),
        r#type: Some(Type::REVOKE),
        ..Default::default()
    })
}

fn protocol(message: ProtocolMessage) -> wa::Message {
    wa::Message { protocol_message: MessageField::some(message), ..Default::default() }
}

/// Names a message. Its author is named in a group only, and only if that is somebody else.
fn key(target: &Target, names: &Names) -> wa::MessageKey {
    let sender = names.sender.as_ref().filter(|_| names.chat.is_group());
    wa::MessageKey {
        remote_jid: Some(names.chat.to_string()),
        from_me: Some(names.sender.is_none()),
        id: Some(target.wa_id.0.clone()),
        participant: sender.map(Jid::to_string),
    }
}
