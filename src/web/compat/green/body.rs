//! What happened, as the bodies of GREEN-API's notifications. Decides which states of a message
//! are worth one; texts and numbers go nowhere else.

use serde_json::{Value, json};
use tetherd_api::{Incoming, IncomingKind, Message, ReasonKind, State, Time};

use super::super::jid;

/// Which instance they are about.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub(super) id: u64,
    /// The account, as these interfaces write it.
    pub(super) wid: String,
}

impl Instance {
    fn notification(&self, kind: &str, at: Time, more: Value) -> Value {
        let mut body = json!({
            "typeWebhook": kind, "timestamp": seconds(at),
            "instanceData": { "idInstance": self.id, "wid": self.wid, "typeInstance": "whatsapp" },
        });
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        body
    }

    /// Of a message that came in, or that the account's phone sent.
    pub(super) fn incoming(&self, message: &Incoming, file_link: &str) -> Value {
        let kind =
            if message.from_me { "outgoingMessageReceived" } else { "incomingMessageReceived" };
        let (chat, sender) = (jid::to_old(&message.chat), jid::to_old(&message.sender));
        let name = message.name.as_ref().map_or("", |name| &**name);
        let more = json!({
            "idMessage": message.wa_id,
            "senderData": {
                "chatId": chat, "sender": sender, "chatName": name, "senderName": name,
                "senderContactName": "",
            },
            "messageData": content(message, file_link),
        });
        self.notification(kind, message.sent_at, more)
    }

    /// Of a message of the daemon's; none: this state is nothing to GREEN-API.
    pub(super) fn status(&self, message: &Message) -> Option<Value> {
        let (status, description) = status_of(message)?;
        let more = json!({
            "chatId": jid::to_old(&message.to), "idMessage": message.wa_id, "status": status,
            "sendByApi": true, "description": description,
        });
        Some(self.notification("outgoingMessageStatus", message.changed_at, more))
    }

    /// Of another state of the instance.
    pub(super) fn state(&self, state: &str, at: Time) -> Value {
        self.notification("stateInstanceChanged", at, json!({ "stateInstance": state }))
    }
}

fn seconds(at: Time) -> i64 {
    at.0.div_euclid(1_000)
}

/// GREEN-API's status of a message, and why.
pub(super) fn status_of(message: &Message) -> Option<(&'static str, Option<&'static str>)> {
    let reason = message.reason.as_ref().map(|reason| reason.kind);
    let status = match (message.state, reason) {
        (State::Sent, _) => "sent",
        (State::Delivered, _) => "delivered",
        (State::Read, _) => "read",
        (State::Parked | State::Failed, Some(ReasonKind::NotOnNetwork)) => "noAccount",
        (State::Parked | State::Failed, Some(ReasonKind::NotInGroup)) => "notInGroup",
        (State::Parked | State::Failed, Some(ReasonKind::ReachoutTimelock)) => "yellowCard",
        (State::Parked | State::Failed | State::Expired | State::Cancelled, _) => "failed",
        (State::Preparing | State::Queued | State::Sending | State::Unknown, _) => return None,
    };
    let why = reason.map(ReasonKind::name);
    let state = matches!(message.state, State::Expired | State::Cancelled);
    Some((status, why.or(state.then(|| message.state.name()))))
}

/// GREEN-API's name of a kind of content.
pub(super) fn type_of(message: &Incoming) -> &'static str {
    match message.kind {
        IncomingKind::Text if message.reply_to.is_some() => "quotedMessage",
        IncomingKind::Text | IncomingKind::Other => "textMessage",
        IncomingKind::Image => "imageMessage",
        IncomingKind::Video => "videoMessage",
        IncomingKind::Audio | IncomingKind::Voice => "audioMessage",
        IncomingKind::Document => "documentMessage",
        IncomingKind::Sticker => "stickerMessage",
        IncomingKind::Location => "locationMessage",
        IncomingKind::Contact => "contactMessage",
        IncomingKind::Reaction => "reactionMessage",
    }
}

/// A file's fields.
pub(super) fn file(message: &Incoming, link: &str) -> Value {
    let file = message.file.as_ref();
    let name = file.and_then(|file| file.name.as_ref()).map_or("", |name| &**name);
    json!({
        "downloadUrl": link, "caption": text(message), "fileName": name, "jpegThumbnail": "",
        "mimeType": file.map_or("", |file| &file.mime), "isForwarded": false, "forwardingScore": 0,
    })
}

/// A place's fields.
pub(super) fn location(message: &Incoming) -> Value {
    let geo = message.geo.as_ref().map_or("", |geo| geo.trim_start_matches("geo:"));
    let (latitude, longitude) = geo.split_once(',').unwrap_or_default();
    let degrees = |text: &str| text.split(';').next().and_then(|text| text.parse::<f64>().ok());
    json!({
        "nameLocation": text(message), "address": "", "jpegThumbnail": "",
        "latitude": degrees(latitude), "longitude": degrees(longitude),
        "isForwarded": false, "forwardingScore": 0,
    })
}

/// A contact's fields.
pub(super) fn contact(message: &Incoming) -> Value {
    let vcard = message.vcard.as_ref().map_or("", |vcard| &**vcard);
    json!({
        "displayName": text(message), "vcard": vcard, "isForwarded": false, "forwardingScore": 0,
    })
}

/// A message's text.
pub(super) fn text(message: &Incoming) -> &str {
    message.text.as_ref().map_or("", |text| &**text)
}

fn content(message: &Incoming, file_link: &str) -> Value {
    let kind = type_of(message);
    let mut content = json!({ "typeMessage": kind });
    let (field, value) = match message.kind {
        IncomingKind::Text if message.reply_to.is_some() => (
            "extendedTextMessageData",
            json!({ "text": text(message), "stanzaId": message.reply_to }),
        ),
        IncomingKind::Text | IncomingKind::Other => {
            ("textMessageData", json!({ "textMessage": text(message) }))
        }
        IncomingKind::Image
        | IncomingKind::Video
        | IncomingKind::Audio
        | IncomingKind::Voice
        | IncomingKind::Document
        | IncomingKind::Sticker => ("fileMessageData", file(message, file_link)),
        IncomingKind::Location => ("locationMessageData", location(message)),
        IncomingKind::Contact => ("contactMessageData", contact(message)),
        IncomingKind::Reaction => ("extendedTextMessageData", json!({ "text": text(message) })),
    };
    content[field] = value;
    if let Some(id) = &message.reply_to {
        content["quotedMessage"] = json!({ "stanzaId": id });
    }
    content
}
