//! What must hold for any text that names a recipient. Entrances for contrib/fuzz; part of no
//! program.

use tetherd_api::number::{number_digits, parse_number};

use crate::contacts::Number;
use crate::ids::{ChatId, Recipient};
use crate::trouble::ServerText;

/// Whom a text names, in each way in which texts are read.
pub fn recipients(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Recipient::parse(text) {
        Ok(Recipient::Chat(chat)) => self::chat(&chat),
        Ok(Recipient::GroupName(name)) => assert!(!name.contains('@') && !name.starts_with('+')),
        Err(_) => {}
    }
    if let Ok(number) = Number::parse(text) {
        self::number(&number);
    }
    if let Ok(digits) = parse_number(text) {
        assert_eq!(number_digits(&digits), Ok(digits.clone()));
        assert_eq!(parse_number(&format!("+{digits}")), Ok(digits));
    }
    if let Some(said) = ServerText::new(text) {
        assert!(!said.as_str().contains(char::is_control));
    }
}

/// A chat's name is in its normal form, of one kind, and not shown.
fn chat(chat: &ChatId) {
    assert_eq!(chat.as_str().parse(), Ok(chat.clone()));
    let kinds = [chat.is_by_number(), chat.is_lid(), chat.is_group(), chat.is_username()];
    assert_eq!(kinds.iter().filter(|is| **is).count(), 1);
    if let Some(user) = chat.as_str().rsplit_once('@').map(|(user, _)| user) {
        assert!(user.len() < 2 || !format!("{chat:?}").contains(user));
    }
    if let Some(number) = Number::of(chat) {
        self::number(&number);
    }
}

fn number(number: &Number) {
    assert_eq!(Number::from_stored(number.as_str()).as_ref(), Some(number));
    assert_eq!(Number::parse(&number.written()).as_ref(), Ok(number));
    assert_eq!(Number::of(&number.chat()).as_ref(), Some(number));
}

#[cfg(test)]
#[path = "../../contrib/fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    #[test]
    fn kept_inputs_hold() {
        super::replay::replay("recipients", super::recipients);
    }
}
