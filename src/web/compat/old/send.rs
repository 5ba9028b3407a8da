//! The old service's methods that send.

use serde_json::{Value, json};
use tetherd_api::{ContactCard, Error, ErrorKind, Location, Message, Redacted, SendParams};

use super::super::fields::Fields;
use super::super::{Caller, jid, sending};

const QUOTED: &str = "quotedMsgId";

pub(super) async fn message(caller: &Caller, fields: &Fields) -> Result<Value, Error> {
    let text = Some(Redacted(fields.needed("body")?));
    let mentions = fields.list("mentionedPhones");
    let mentions = mentions.iter().map(|phone| jid::to_contract(phone)).collect();
    let params = sending::begin(caller, fields, QUOTED).await?;
    send(caller, SendParams { text, mentions, ..params }).await
}

pub(super) async fn file(caller: &Caller, fields: &Fields) -> Result<Value, Error> {
    let (name, caption) = (fields.text("filename"), fields.text("caption"));
    let file = Some(sending::file(&fields.needed("body")?, name, caption)?);
    let params = sending::begin(caller, fields, QUOTED).await?;
    send(caller, SendParams { file, ..params }).await
}

pub(super) async fn contact(caller: &Caller, fields: &Fields) -> Result<Value, Error> {
    let contacts = fields.list("contactId");
    let [contact] = contacts.as_slice() else {
        let sentence = "`contactId` takes one contact a message";
        return Err(Error::new(ErrorKind::InvalidParams, sentence));
    };
    let phone = jid::to_contract(contact.trim_end_matches("@c.us"));
    let card = ContactCard { name: phone.clone(), phones: vec![phone], vcard: None };
    let params = sending::begin(caller, fields, QUOTED).await?;
    send(caller, SendParams { contact: Some(card), ..params }).await
}

pub(super) async fn location(caller: &Caller, fields: &Fields) -> Result<Value, Error> {
    let (latitude, longitude) = (fields.number("lat")?, fields.number("lng")?);
    let location = Location {
        latitude: Redacted(latitude),
        longitude: Redacted(longitude),
        name: None,
        address: fields.text("address").map(Redacted),
    };
    let params = sending::begin(caller, fields, QUOTED).await?;
    send(caller, SendParams { location: Some(location), ..params }).await
}

async fn send(caller: &Caller, params: SendParams) -> Result<Value, Error> {
    let message: Message = caller.send(&params).await?;
    let to = jid::to_old(&message.to);
    Ok(json!({
        "sent": true, "id": jid::message_id(true, &message.to, &message.wa_id),
        "message": format!("Sent to {to}"), "queueNumber": message.id.0,
    }))
}
