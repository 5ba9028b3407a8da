//! GREEN-API's methods about the queue.

use serde_json::{Value, json};
use tetherd_api::{ClearParams, Error, Kind, LIST_ENTRIES_MAX, Message, call};

use super::super::{Caller, history, jid};

pub(super) async fn show(caller: &Caller) -> Result<Value, Error> {
    let (messages, _) = history::waiting(caller, LIST_ENTRIES_MAX).await?;
    Ok(messages.iter().map(entry).collect())
}

fn entry(message: &Message) -> Value {
    let text = history::text_of(message);
    let mut body = json!({ "chatId": jid::to_old(&message.to) });
    let kind = match message.kind {
        Kind::Text | Kind::Reaction | Kind::Edit | Kind::Revoke => {
            body["message"] = text.into();
            "sendMessage"
        }
        Kind::Image | Kind::Video | Kind::Audio | Kind::Voice | Kind::Document => {
            let name = message.file.as_ref().and_then(|file| file.name.as_ref());
            body["fileName"] = json!(name);
            body["caption"] = text.into();
            "sendFileByUrl"
        }
        Kind::Location => {
            body["nameLocation"] = text.into();
            "sendLocation"
        }
        Kind::Contact => {
            body["contact"] = json!({ "firstName": text });
            "sendContact"
        }
    };
    json!({ "messageID": message.wa_id, "type": kind, "body": body })
}

pub(super) async fn clear(caller: &Caller) -> Result<Value, Error> {
    caller.call(call::QueueClear, &ClearParams::default()).await?;
    Ok(json!({ "isCleared": true }))
}
