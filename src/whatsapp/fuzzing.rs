//! What must hold for whatever the session's server says. Entrances for contrib/fuzz; part of
//! no program.

use std::sync::Arc;

use whatsapp_rust::types::events::{
    BatchOrigin, ConnectFailure, ConnectFailureReason, Event, InboundMessage, LoggedOut,
    MessageBatch, MexNotification, Receipt, ServerAck, StreamError, TempBanReason, TemporaryBan,
};
use whatsapp_rust::wacore::chrono::{DateTime, Duration};
use whatsapp_rust::wacore::types::message::{MessageInfo, MessageSource};
use whatsapp_rust::wacore::types::presence::ReceiptType;
use whatsapp_rust::wacore_binary::Node;
use whatsapp_rust::waproto::codec;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::{Jid, OwnedNodeRef};

use crate::whatsapp::events::chat_activity::chat_activity;
use crate::whatsapp::events::names::names;
use crate::whatsapp::events::phone_activity::phone_activity;
use crate::whatsapp::events::stream::{acked_devices, stream_notice};
use crate::whatsapp::events::translate::{ConnectionEvent, Me, translate};
use crate::whatsapp::incoming::incoming_message::{Parties, is_wanted, new_message};
use crate::whatsapp::media::metadata;
use tetherd_api::{FILE_NAME_BYTES_MAX, Kind, Redacted, TEXT_CHARS_MAX};
use tetherd_core::event::SessionEvent;
use tetherd_core::files::MediaMetadata;

/// A line with a kind and its fields, between `|`, then what comes in bytes: a stanza, JSON, or
/// a message.
pub fn events(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (line, body) = data.split_at(end);
    let body = body.get(1..).unwrap_or_default();
    let Ok(line) = std::str::from_utf8(line) else { return };
    let mut fields = line.split('|');
    let kind = fields.next().unwrap_or_default();
    let fields = Fields(fields.collect());
    if kind == "raw" {
        return stanza(body);
    }
    if let Some(event) = event(kind, &fields, body) {
        meaning(&event);
    }
}

/// What a file of this kind is seen to be.
pub(crate) fn media_metadata(kind: Kind, content: &[u8]) -> MediaMetadata {
    metadata::read(kind, content, content)
}

struct Fields<'a>(Vec<&'a str>);

impl Fields<'_> {
    fn text(&self, at: usize) -> String {
        self.0.get(at).map_or_else(String::new, |text| (*text).to_owned())
    }

    fn some(&self, at: usize) -> Option<String> {
        Some(self.text(at)).filter(|text| !text.is_empty())
    }

    fn jid(&self, at: usize) -> Option<Jid> {
        self.0.get(at)?.parse().ok()
    }

    fn number<T: std::str::FromStr>(&self, at: usize) -> Option<T> {
        self.0.get(at)?.parse().ok()
    }

    fn flag(&self, at: usize) -> bool {
        self.0.get(at) == Some(&"1")
    }
}

fn me() -> Me {
    let jid = |text: &str| text.parse().ok().map(Redacted);
    Me { pn: jid("15550100:7@s.whatsapp.net"), lid: jid("100000000000100:7@lid") }
}

fn event(kind: &str, fields: &Fields<'_>, body: &[u8]) -> Option<Event> {
    let raw = node(body);
    Some(match kind {
        "ack" => Event::ServerAck(
            ServerAck::builder()
                .id(fields.text(0))
                .maybe_class(fields.some(1))
                .maybe_error(fields.some(2))
                .build(),
        ),
        "receipt" => Event::Receipt(
            Receipt::builder()
                .source(source(fields)?)
                .message_ids(vec![fields.text(5)])
                .timestamp(DateTime::from_timestamp(fields.number(6)?, 0)?)
                .r#type(ReceiptType::from(fields.text(7)))
                .offline(fields.flag(8))
                .build(),
        ),
        "out" => Event::LoggedOut(
            LoggedOut::builder()
                .on_connect(fields.flag(0))
                .reason(ConnectFailureReason::from(fields.number::<i32>(1)?))
                .maybe_raw(raw)
                .build(),
        ),
        "failure" => Event::ConnectFailure(
            ConnectFailure::builder()
                .reason(ConnectFailureReason::from(fields.number::<i32>(0)?))
                .maybe_raw(raw)
                .build(),
        ),
        "ban" => Event::TemporaryBan(
            TemporaryBan::builder()
                .code(TempBanReason::BlockedByUsers)
                .expire(Duration::seconds(0))
                .maybe_raw(raw)
                .build(),
        ),
        "stream" => {
            Event::StreamError(StreamError::builder().code(fields.text(0)).maybe_raw(raw).build())
        }
        "mex" => Event::MexNotification(
            MexNotification::builder()
                .op_name(fields.text(0))
                .payload(serde_json::from_slice(body).ok()?)
                .build(),
        ),
        "message" => Event::Messages(message(fields, body)?),
        _ => return None,
    })
}

fn source(fields: &Fields<'_>) -> Option<MessageSource> {
    Some(MessageSource {
        chat: fields.jid(0)?,
        sender: fields.jid(1)?,
        sender_alt: fields.jid(2),
        is_from_me: fields.flag(3),
        is_group: fields.flag(4),
        ..MessageSource::default()
    })
}

fn message(fields: &Fields<'_>, body: &[u8]) -> Option<MessageBatch> {
    let info = MessageInfo {
        source: source(fields)?,
        id: fields.text(5),
        timestamp: DateTime::from_timestamp(fields.number(6)?, 0)?,
        push_name: fields.text(7),
        is_offline: fields.flag(8),
        ..MessageInfo::default()
    };
    let message: wa::Message = codec::message_decode(body).ok()?;
    inbox(&message, &info);
    let message = InboundMessage::builder().message(Arc::new(message)).info(Arc::new(info)).build();
    let messages = Arc::from([message]);
    Some(MessageBatch::builder().messages(messages).origin(BatchOrigin::Live).build())
}

/// What a message becomes in the inbox is within its bounds, and can be kept.
fn inbox(message: &wa::Message, info: &MessageInfo) {
    if !is_wanted(info) {
        return;
    }
    let Some(new) = new_message(message, info, &Parties::of(info)) else { return };
    let incoming = &new.incoming;
    let text = incoming.text.as_ref().map_or(0, |text| text.chars().count());
    assert!(text <= TEXT_CHARS_MAX && (!incoming.cut || text == TEXT_CHARS_MAX));
    assert!(!incoming.wa_id.contains(char::is_control));
    assert!(incoming.name.as_ref().is_none_or(|name| !name.contains(char::is_control)));
    let name = incoming.file.as_ref().and_then(|file| file.name.as_ref());
    if let Some(name) = name {
        assert!(name.len() <= FILE_NAME_BYTES_MAX && !name.contains(['/', '\\']));
    }
    crate::inbox::fuzzing::is_kept(new);
}

/// The same event means the same, and only a recipient's device delivers or reads.
fn meaning(event: &Event) {
    let me = me();
    let meaning = translate(event, &me);
    assert_eq!(translate(event, &me), meaning);
    if let (Event::Receipt(receipt), Some(ConnectionEvent::Report(report))) = (event, &meaning) {
        let own = me.owns(&receipt.source.sender);
        let is_phone = own && receipt.source.sender.device == 0;
        let SessionEvent::Receipt { kind, .. } = report else { unreachable!("{report:?}") };
        let is_ours = *kind == tetherd_core::event::ReceiptKind::OwnPhone;
        assert!(if own {
            is_ours && is_phone
        } else {
            !is_ours || receipt.source.sender_alt.is_some()
        });
    }
    phone_activity(event, &me);
    chat_activity(event, &me);
    names(event, &me);
}

fn node(body: &[u8]) -> Option<Node> {
    Some(OwnedNodeRef::new(body.to_vec()).ok()?.to_owned_node())
}

/// A stanza as it comes over the connection.
fn stanza(body: &[u8]) {
    let Ok(node) = OwnedNodeRef::new(body.to_vec()) else { return };
    let meaning = stream_notice(&node);
    if let Some(ConnectionEvent::Report(SessionEvent::ClientExpires { at })) = meaning {
        assert!(at > 0);
    }
    if let Some((id, _)) = acked_devices(&node) {
        assert_eq!(node.get().get_attr("id").map(|id| id.as_str().into_owned()), Some(id));
    }
    let event = Event::RawNode(Arc::new(node));
    self::meaning(&event);
}

#[cfg(test)]
mod tests {
    #[test]
    fn kept_inputs_hold() {
        crate::replay::replay("events", super::events);
    }
}
