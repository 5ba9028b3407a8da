//! Names of chats and messages in other services' interfaces: `15550101@c.us` for a person,
//! where the network and the contract say `15550101@s.whatsapp.net`. Checks nothing: the daemon
//! does.

use tetherd_api::Redacted;

const OLD_PERSON: &str = "@c.us";
const PERSON: &str = "@s.whatsapp.net";

/// As the contract takes a recipient.
pub(super) fn to_contract(chat: &str) -> Redacted<String> {
    let chat = chat.trim();
    Redacted(match chat.strip_suffix(OLD_PERSON) {
        Some(number) => format!("{number}{PERSON}"),
        None if chat.contains('@') || chat.starts_with('+') => chat.to_owned(),
        None => format!("+{chat}"),
    })
}

/// As these interfaces write it.
pub(super) fn to_old(jid: &str) -> String {
    match jid.strip_suffix(PERSON) {
        Some(number) => format!("{number}{OLD_PERSON}"),
        None => jid.to_owned(),
    }
}

/// A message's id in the old service's interface.
pub(super) fn message_id(from_me: bool, chat: &str, wa_id: &str) -> String {
    format!("{from_me}_{}_{wa_id}", to_old(chat))
}

/// The network's id of a message, from either form.
pub(super) fn network_id(id: &str) -> &str {
    id.rsplit('_').next().unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_translated_there_and_back() {
        for (given, contract) in [
            ("15550101", "+15550101"),
            ("+1 555 01 01", "+1 555 01 01"),
            ("15550101@c.us", "15550101@s.whatsapp.net"),
            ("15550101@s.whatsapp.net", "15550101@s.whatsapp.net"),
            ("120363000000000001@g.us", "120363000000000001@g.us"),
            ("15550100-1479621234@g.us", "15550100-1479621234@g.us"),
            ("100000000000001@lid", "100000000000001@lid"),
            ("Family", "+Family"),
        ] {
            assert_eq!(to_contract(given).0, contract);
        }
        assert_eq!(to_old("15550101@s.whatsapp.net"), "15550101@c.us");
        assert_eq!(to_old("120363000000000001@g.us"), "120363000000000001@g.us");
        let id = message_id(true, "15550101@s.whatsapp.net", "3EB0AB");
        assert_eq!(id, "true_15550101@c.us_3EB0AB");
        assert_eq!((network_id(&id), network_id("3EB0AB")), ("3EB0AB", "3EB0AB"));
    }
}
