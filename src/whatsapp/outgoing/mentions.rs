//! Persons whom a message mentions, named as its group names its members: by LID or by number, in
//! the list and in the text alike. An app shows a name only where both agree. Decides nothing.

use std::sync::Arc;

use whatsapp_rust::types::message::AddressingMode;
use whatsapp_rust::{Client, Jid};

use tetherd_core::event::Body;
use tetherd_core::ids::ChatId;

/// A person who is mentioned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mention {
    /// As the text names them, without the `@`.
    written: String,
    /// As the group does.
    pub(crate) jid: String,
}

impl Mention {
    /// As their caller wrote them.
    pub(crate) fn new(chat: &ChatId) -> Mention {
        let written = chat.as_str().split('@').next().unwrap_or_default().to_owned();
        Mention { written, jid: chat.as_str().to_owned() }
    }

    /// As a group of this kind names them, where the session has learnt it.
    pub(crate) async fn in_group(self, mode: AddressingMode, client: &Client) -> Mention {
        let Ok(jid) = self.jid.parse::<Jid>() else { return self };
        let foreign = match mode {
            AddressingMode::Lid => jid.is_pn(),
            AddressingMode::Pn => jid.is_lid(),
        };
        if !foreign {
            return self;
        }
        let Ok(Some(entry)) = client.get_lid_pn_entry(&jid).await else { return self };
        let jid = match mode {
            AddressingMode::Lid => Jid::lid(entry.lid.to_string()),
            AddressingMode::Pn => Jid::pn(entry.phone_number.to_string()),
        };
        Mention { jid: jid.to_string(), ..self }
    }

    fn user(&self) -> &str {
        self.jid.split('@').next().unwrap_or_default()
    }
}

/// The text with each of these named as the list does.
pub(crate) fn renamed(body: &Body, mentions: &[Mention]) -> Body {
    if mentions.iter().all(|mention| mention.written == mention.user()) {
        return body.clone();
    }
    let mut parts = body.0.split('@');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push('@');
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (digits, rest) = part.split_at(end);
        let named = mentions.iter().find(|mention| mention.written == digits);
        text.push_str(named.map_or(digits, Mention::user));
        text.push_str(rest);
    }
    Body(Arc::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mention(written: &str, jid: &str) -> Mention {
        Mention { written: written.to_owned(), jid: jid.to_owned() }
    }

    #[test]
    fn whole_numbers_are_renamed_and_nothing_else() {
        let mentions = [mention("15550111", "100@lid"), mention("1555", "15@lid")];
        let text = "@15550111, @155501112 and @1555: mail a@15550111@1555x @ @@15550111";
        let Body(renamed) = renamed(&Body(text.into()), &mentions);
        assert_eq!(&*renamed, "@100, @155501112 and @15: mail a@100@15x @ @@100");
    }

    #[test]
    fn a_text_stays_where_the_names_do() {
        let mentions = [mention("15550111", "15550111@s.whatsapp.net")];
        let body = Body("hello @15550111".into());
        assert_eq!(renamed(&body, &mentions), body);
    }
}
