//! The old service's methods about messages that came in, and those that the account's phone
//! sent. A message's number is its cursor of the inbox.

use serde_json::{Value, json};
use tetherd_api::{Error, INBOX_LIST_MAX, Incoming, IncomingKind};

use super::super::fields::Fields;
use super::super::{Caller, history, jid};

/// Messages of one answer, where the caller does not say.
const USUAL_COUNT: u64 = 100;

/// `messages`: those after `lastMessageNumber`, or the `last`.
pub(super) async fn messages(caller: &Caller, fields: &Fields) -> Result<Value, Error> {
    let count = count(fields, "limit")?;
    let after = fields.whole("lastMessageNumber")?;
    let found = match after {
        Some(after) if !fields.flag("last") => {
            history::incoming_after(caller, after, count).await?
        }
        Some(_) | None if fields.flag("last") => history::incoming_newest(caller, count, 0).await?,
        Some(_) | None => history::incoming_after(caller, 0, count).await?,
    };
    // One that is left out by a filter is passed all the same.
    let last = found.last().map(|message| message.cursor).or(after).unwrap_or(0);
    let from = fields.whole("min_time")?.unwrap_or(0);
    let until = fields.whole("max_time")?.unwrap_or(u64::MAX);
    let times = from..=until;
    let in_time =
        |message: &&Incoming| u64::try_from(seconds(message)).is_ok_and(|at| times.contains(&at));
    let chat = fields.text("chatId").map(|chat| jid::to_contract(&chat));
    let in_chat = |message: &&Incoming| chat.as_ref().is_none_or(|chat| *chat == message.chat);
    let shown = found.iter().filter(in_time).filter(in_chat);
    let shown: Vec<Value> = shown.map(|message| entry(caller, message)).collect();
    Ok(json!({ "messages": shown, "lastMessageNumber": last }))
}

/// `messagesHistory`: by page, the newest first.
pub(super) async fn history(caller: &Caller, fields: &Fields) -> Result<Value, Error> {
    let (count, page) = (count(fields, "count")?, fields.whole("page")?.unwrap_or(0));
    let skipped = page.saturating_mul(count as u64);
    let mut found = history::incoming_newest(caller, count, skipped).await?;
    found.reverse();
    let shown: Vec<Value> = found.iter().map(|message| entry(caller, message)).collect();
    Ok(json!({ "messages": shown, "page": page }))
}

/// 0 is as many as fit.
fn count(fields: &Fields, name: &str) -> Result<usize, Error> {
    let asked = usize::try_from(fields.whole(name)?.unwrap_or(USUAL_COUNT)).unwrap_or(usize::MAX);
    Ok(if asked == 0 { INBOX_LIST_MAX } else { asked.min(INBOX_LIST_MAX) })
}

fn seconds(message: &Incoming) -> i64 {
    message.sent_at.0.div_euclid(1_000)
}

fn entry(caller: &Caller, message: &Incoming) -> Value {
    let text = message.text.as_ref().map(|text| &*text.0);
    let has_file = message.file.is_some();
    let place = message.geo.as_ref().map(|geo| geo.trim_start_matches("geo:").replace(',', ";"));
    let vcard = message.vcard.as_ref().map(|vcard| vcard.0.clone());
    let body = if has_file {
        caller.file_link(message.cursor)
    } else {
        vcard.or(place).unwrap_or_else(|| text.unwrap_or_default().to_owned())
    };
    json!({
        "id": jid::message_id(message.from_me, &message.chat, &message.wa_id), "body": body,
        "type": kind(message.kind), "caption": text.filter(|_| has_file),
        "fromMe": message.from_me, "self": u8::from(message.from_me), "isForwarded": 0,
        "author": jid::to_old(&message.sender), "senderName": message.name,
        "chatId": jid::to_old(&message.chat), "time": seconds(message),
        "messageNumber": message.cursor, "quotedMsgId": message.reply_to,
    })
}

fn kind(kind: IncomingKind) -> &'static str {
    match kind {
        IncomingKind::Text => "chat",
        IncomingKind::Voice => "ptt",
        IncomingKind::Contact => "vcard",
        IncomingKind::Image
        | IncomingKind::Video
        | IncomingKind::Audio
        | IncomingKind::Document
        | IncomingKind::Sticker
        | IncomingKind::Location
        | IncomingKind::Reaction
        | IncomingKind::Other => kind.name(),
    }
}
