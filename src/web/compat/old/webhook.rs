//! The old service's `webhook`: shows the address that the configuration names. It sets none: an
//! address belongs to a secret and to what may be connected to, which are the configuration's.

use serde_json::{Value, json};
use tetherd_api::{Error, ErrorKind, Tier};

use super::super::Caller;
use super::super::fields::Fields;

/// `webhook`: for administrators, since an address may hold a secret.
pub(super) fn webhook(caller: &Caller, fields: &Fields) -> Result<Value, Error> {
    caller.program.may(Tier::Admin)?;
    let webhooks = &caller.front.webhooks;
    let mut known = webhooks.iter().filter(|webhook| webhook.is_of(&caller.daemon.name));
    let asked = fields.text("webhookUrl").or_else(|| fields.text("set"));
    let Some(asked) = asked else {
        return Ok(json!({ "webhookUrl": known.next().map_or("", |webhook| webhook.address()) }));
    };
    if known.any(|webhook| webhook.address() == asked) {
        return Ok(json!({ "set": true, "webhookUrl": asked }));
    }
    let sentence = "webhooks are set in the configuration of tether-web, as [[webhook]]";
    Err(Error::new(ErrorKind::WrongState, sentence).remedy("see WEBHOOKS in tether-web(8)"))
}
