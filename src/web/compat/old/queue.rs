//! The old service's methods about the queue.

use serde_json::{Value, json};
use tetherd_api::{ClearParams, Error, Kind, Message, call};

use super::super::{Caller, history, jid};

/// Messages of one `showMessagesQueue`.
const SHOWN_MAX: usize = 100;

pub(super) async fn show(caller: &Caller) -> Result<Value, Error> {
    let (messages, total) = history::waiting(caller, SHOWN_MAX).await?;
    let first: Vec<Value> = messages.iter().map(entry).collect();
    Ok(json!({ "totalMessages": total, "first100": first }))
}

fn entry(message: &Message) -> Value {
    let metadata = json!({
        "chatId": jid::to_old(&message.to), "msgId": message.wa_id,
        "state": message.state.name(), "reason": message.reason.as_ref().map(|r| r.kind.name()),
    });
    // Of one that was tried, its last change is the end of that.
    let last_try = (message.attempts > 0).then_some(message.changed_at.0.div_euclid(1_000));
    json!({
        "id": message.id.0, "body": history::text_of(message), "type": kind(message.kind),
        "last_try": last_try, "metadata": metadata.to_string(),
    })
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "chat",
        Kind::Voice => "ptt",
        Kind::Contact => "vcard",
        Kind::Image
        | Kind::Video
        | Kind::Audio
        | Kind::Document
        | Kind::Location
        | Kind::Reaction
        | Kind::Edit
        | Kind::Revoke => kind.name(),
    }
}

pub(super) async fn clear(caller: &Caller) -> Result<Value, Error> {
    let cleared = caller.call(call::QueueClear, &ClearParams::default()).await?;
    let texts: Vec<&str> = cleared.examples.iter().map(|example| &*example.preview.0).collect();
    let message = format!("Cleared {} messages", cleared.cleared);
    Ok(json!({ "message": message, "messageTextsExample": texts }))
}
