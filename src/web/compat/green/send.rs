//! GREEN-API's methods that send.

use serde_json::{Map, Value, json};
use tetherd_api::{ContactCard, Error, ErrorKind, Location, Redacted, SendParams};

use super::super::fields::Fields;
use super::super::{Caller, jid, sending};
use crate::rest::Upload;

const QUOTED: &str = "quotedMessageId";

pub(super) async fn message(caller: &Caller, fields: &Fields) -> Result<Value, Error> {
    let text = Some(Redacted(fields.needed("message")?));
    let params = sending::begin(caller, fields, QUOTED).await?;
    send(caller, SendParams { text, ..params }).await
}

pub(super) async fn file(caller: &Caller, fields: &Fields) -> Result<Value, Error> {
    let (name, caption) = (fields.text("fileName"), fields.text("caption"));
    let file = Some(sending::file(&fields.needed("urlFile")?, name, caption)?);
    let params = sending::begin(caller, fields, QUOTED).await?;
    send(caller, SendParams { file, ..params }).await
}

/// A file that came with the request. It is not kept to be fetched again, so no address of it is
/// answered.
pub(super) async fn uploaded(caller: &Caller, mut upload: Upload) -> Result<Value, Error> {
    let fields = Fields::of_parts(std::mem::take(&mut upload.fields));
    // A part of this name is the contract's own way to say these.
    upload.params.retain(|name, _| name == "file");
    let Some(Value::Object(file)) = upload.params.get_mut("file") else {
        return Err(Error::new(ErrorKind::InvalidParams, "the part `file` is missing"));
    };
    for (name, given) in [("name", "fileName"), ("caption", "caption")] {
        if let Some(text) = fields.text(given) {
            file.insert(name.into(), text.into());
        }
    }
    let params = sending::begin(caller, &fields, QUOTED).await?;
    let bad = |error: serde_json::Error| Error::new(ErrorKind::InternalError, error.to_string());
    let more: Map<String, Value> =
        serde_json::from_value(serde_json::to_value(&params).map_err(bad)?).map_err(bad)?;
    upload.params.extend(more);
    let sent = upload.send(&caller.daemon).await?;
    Ok(json!({ "idMessage": sent["message"]["wa_id"], "urlFile": "" }))
}

pub(super) async fn contact(caller: &Caller, fields: &Fields) -> Result<Value, Error> {
    let contact = fields.object("contact")?;
    let phone = jid::to_contract(&contact.needed("phoneContact")?);
    let names = ["firstName", "middleName", "lastName"].map(|name| contact.text(name));
    let name = names.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let name = Some(name).filter(|name| !name.is_empty()).or_else(|| contact.text("company"));
    let name = name.map_or_else(|| phone.clone(), Redacted);
    let card = ContactCard { name, phones: vec![phone], vcard: None };
    let params = sending::begin(caller, fields, QUOTED).await?;
    send(caller, SendParams { contact: Some(card), ..params }).await
}

pub(super) async fn location(caller: &Caller, fields: &Fields) -> Result<Value, Error> {
    let (latitude, longitude) = (fields.number("latitude")?, fields.number("longitude")?);
    let location = Location {
        latitude: Redacted(latitude),
        longitude: Redacted(longitude),
        name: fields.text("nameLocation").map(Redacted),
        address: fields.text("address").map(Redacted),
    };
    let params = sending::begin(caller, fields, QUOTED).await?;
    send(caller, SendParams { location: Some(location), ..params }).await
}

async fn send(caller: &Caller, params: SendParams) -> Result<Value, Error> {
    let message = caller.send(&params).await?;
    Ok(json!({ "idMessage": message.wa_id }))
}
