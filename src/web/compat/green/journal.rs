//! GREEN-API's journals: what came in and went out lately, the newest first.

use serde_json::{Value, json};
use tetherd_api::{Error, ErrorKind, INBOX_LIST_MAX, Incoming, IncomingKind, Kind, Message};

use super::super::fields::Fields;
use super::super::{Caller, history, jid, references};
use super::body;
use crate::clock;

/// Messages of one answer, where the caller does not say.
const USUAL_COUNT: u64 = 100;
/// How far back a journal goes, where the caller does not say, in minutes.
const USUAL_MINUTES: u64 = 24 * 60;

/// An entry, and when it was.
type Dated = (i64, Value);

pub(super) async fn chat(caller: &Caller, fields: &Fields) -> Result<Value, Error> {
    let chat = jid::to_contract(&fields.needed("chatId")?);
    let count = fields.whole("count")?.unwrap_or(USUAL_COUNT);
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(INBOX_LIST_MAX);
    let incoming = history::incoming_newest(caller, INBOX_LIST_MAX, 0).await?;
    let incoming = incoming.iter().filter(|message| message.chat == chat);
    let mut entries: Vec<Dated> = incoming.map(|message| came_in(caller, message)).collect();
    let outgoing = history::outgoing_newest(caller, Some(chat), count).await?;
    entries.extend(outgoing.iter().map(went_out));
    Ok(newest_first(entries).into_iter().take(count).collect())
}

pub(super) async fn incoming(caller: &Caller, fields: &Fields) -> Result<Value, Error> {
    let since = since_s(fields)?;
    let found = history::incoming_newest(caller, INBOX_LIST_MAX, 0).await?;
    let found = found.iter().filter(|message| !message.from_me);
    let entries = found.map(|message| came_in(caller, message)).filter(|(at, _)| *at >= since);
    Ok(newest_first(entries.collect()).into())
}

pub(super) async fn outgoing(caller: &Caller, fields: &Fields) -> Result<Value, Error> {
    let since = since_s(fields)?;
    let found = history::outgoing_newest(caller, None, INBOX_LIST_MAX).await?;
    let entries = found.iter().map(went_out).filter(|(at, _)| *at >= since);
    Ok(newest_first(entries.collect()).into())
}

/// Where the file of an incoming message can be had.
pub(super) async fn file(caller: &Caller, fields: &Fields) -> Result<Value, Error> {
    caller.program.may(tetherd_api::Method::InboxFile.tier())?;
    let message = references::find_incoming(caller, &fields.needed("idMessage")?).await?;
    let none = || Error::new(ErrorKind::NotFound, "this message has no file");
    message.file.as_ref().ok_or_else(none)?;
    let link = caller.file_link(message.cursor);
    // The documentation has one name, the published client's types have the other.
    Ok(json!({ "downloadUrl": link, "urlFile": link }))
}

fn since_s(fields: &Fields) -> Result<i64, Error> {
    let minutes = fields.whole("minutes")?.unwrap_or(USUAL_MINUTES);
    let seconds = i64::try_from(minutes.saturating_mul(60)).unwrap_or(i64::MAX);
    Ok(clock::now().0.div_euclid(1_000).saturating_sub(seconds))
}

/// Of those of one time, the later one first.
fn newest_first(mut entries: Vec<Dated>) -> Vec<Value> {
    entries.sort_by_key(|(at, _)| *at);
    entries.into_iter().rev().map(|(_, entry)| entry).collect()
}

fn came_in(caller: &Caller, message: &Incoming) -> Dated {
    let at = message.sent_at.0.div_euclid(1_000);
    let name = message.name.as_ref().map_or("", |name| &**name);
    let mut entry = json!({
        "type": if message.from_me { "outgoing" } else { "incoming" }, "timestamp": at,
        "idMessage": message.wa_id, "typeMessage": body::type_of(message),
        "chatId": jid::to_old(&message.chat), "senderId": jid::to_old(&message.sender),
        "senderName": name, "senderContactName": "", "isForwarded": false, "forwardingScore": 0,
    });
    match message.kind {
        IncomingKind::Text | IncomingKind::Other => {
            entry["textMessage"] = body::text(message).into()
        }
        IncomingKind::Reaction => {
            entry["extendedTextMessageData"] = json!({ "text": body::text(message) });
        }
        IncomingKind::Location => entry["location"] = body::location(message),
        IncomingKind::Contact => entry["contact"] = body::contact(message),
        IncomingKind::Image
        | IncomingKind::Video
        | IncomingKind::Audio
        | IncomingKind::Voice
        | IncomingKind::Document
        | IncomingKind::Sticker => {
            let file = body::file(message, &caller.file_link(message.cursor));
            if let (Some(entry), Value::Object(file)) = (entry.as_object_mut(), file) {
                entry.extend(file);
            }
        }
    }
    (at, entry)
}

fn went_out(message: &Message) -> Dated {
    let at = message.sent_at.unwrap_or(message.accepted_at).0.div_euclid(1_000);
    let kind = match message.kind {
        Kind::Text | Kind::Edit | Kind::Revoke => "textMessage",
        Kind::Image => "imageMessage",
        Kind::Video => "videoMessage",
        Kind::Audio | Kind::Voice => "audioMessage",
        Kind::Document => "documentMessage",
        Kind::Location => "locationMessage",
        Kind::Contact => "contactMessage",
        Kind::Reaction => "reactionMessage",
    };
    let status = body::status_of(message).map_or("", |(status, _)| status);
    let text = if message.kind.has_file() { "caption" } else { "textMessage" };
    let name = message.file.as_ref().and_then(|file| file.name.as_ref());
    let entry = json!({
        "type": "outgoing", "idMessage": message.wa_id, "timestamp": at, "typeMessage": kind,
        "chatId": jid::to_old(&message.to), text: history::text_of(message), "fileName": name,
        "statusMessage": status, "sendByApi": true, "isForwarded": false, "forwardingScore": 0,
    });
    (at, entry)
}
