//! What must hold for the fields and names of other services' calls. Entrances for contrib/fuzz;
//! part of no program.

use super::fields::Fields;
use super::jid;

const NAMES: [&str; 6] = ["phone", "chatId", "limit", "lat", "ids", "contact"];

/// A form or a JSON object, and its parts as names of chats and messages.
pub fn fields(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let of_json = Fields::of_json(data).unwrap_or_default();
    for fields in [Fields::of_form(text), of_json] {
        for name in NAMES {
            let _ = (fields.whole(name), fields.flag(name), fields.list(name));
            let text = fields.text(name);
            assert_eq!(fields.needed(name).ok(), text);
            assert!(fields.number(name).is_ok_and(f64::is_finite) || fields.number(name).is_err());
            if let Ok(object) = fields.object(name) {
                self::name(&object.text(name).unwrap_or_default());
            }
            self::name(&text.unwrap_or_default());
        }
    }
    name(text);
}

/// A name goes there and back.
fn name(text: &str) {
    let contract = jid::to_contract(text);
    assert_eq!(jid::to_contract(&jid::to_old(&contract)), contract);
    let id = jid::message_id(true, &contract, "3EB0AB");
    assert_eq!(jid::network_id(&id), "3EB0AB");
}
