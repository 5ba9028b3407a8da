//! Names of things: messages, attempts, chats, files. Owns how a recipient is written.

use std::fmt;
use std::str::FromStr;

use tetherd_api::number::{BadNumber, number_digits, parse_number, parse_username};

/// A message's id on the network: `3EB0` and 18 upper-case hex digits. Given once,
/// kept for life.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaMessageId(pub String);

/// Which attempt at a message, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt(pub u32);

/// SHA-256 over what a message says and to whom.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub [u8; 32]);

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(..)")
    }
}

/// A chat: a person's or a group's JID, normalised. `Debug` redacts it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChatId(String);

impl ChatId {
    /// The JID.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The chat of the person with this number.
    pub(crate) fn of_person(digits: &str) -> ChatId {
        ChatId(format!("{digits}@s.whatsapp.net"))
    }

    /// Whether it is a person's under the name that hides the number.
    pub fn is_lid(&self) -> bool {
        self.0.ends_with("@lid") && !self.is_username()
    }

    /// The chat of the person with this username, until its LID is known.
    pub(crate) fn of_username(name: &str) -> ChatId {
        ChatId(format!("@{name}"))
    }

    /// Whether it is a person's by username: the network has to say whose.
    pub fn is_username(&self) -> bool {
        self.0.starts_with('@')
    }

    /// Whether it is a person's, by number.
    pub fn is_by_number(&self) -> bool {
        self.0.ends_with("@s.whatsapp.net") && !self.is_username()
    }

    /// Whether it is a group.
    pub fn is_group(&self) -> bool {
        self.0.ends_with("@g.us") && !self.is_username()
    }
}

impl fmt::Debug for ChatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = self.0.rsplit('@').next().unwrap_or("");
        write!(f, "ChatId(..@{server})")
    }
}

/// Whom a text names.
#[derive(Clone, PartialEq, Eq)]
pub enum Recipient<'a> {
    /// By number or JID.
    Chat(ChatId),
    /// By the name of a group.
    GroupName(&'a str),
}

impl<'a> Recipient<'a> {
    /// A name has a letter, and neither an `@` nor a plus sign at its beginning: what has one
    /// of these is a JID or a number, however it is misspelt.
    pub fn parse(text: &'a str) -> Result<Recipient<'a>, BadRecipient> {
        match text.parse() {
            Ok(chat) => Ok(Recipient::Chat(chat)),
            Err(BadRecipient::NeitherNumberNorJid) if text.chars().any(char::is_alphabetic) => {
                Ok(Recipient::GroupName(text.trim()))
            }
            Err(error) => Err(error),
        }
    }
}

/// Longest user part of a JID that is not a number, in bytes.
const USER_BYTES_MAX: usize = 40;

/// Why a text names no recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRecipient {
    /// No plus sign and no at sign, and yet like a number.
    #[error(
        "a recipient is + and digits with the country code, like +15550100, @username, or a JID"
    )]
    NeitherNumberNorJid,
    /// A number that cannot be.
    #[error(transparent)]
    Number(#[from] BadNumber),
    /// A server that is not a person's or a group's.
    #[error("a JID ends in @s.whatsapp.net, @lid or @g.us")]
    Server,
    /// A user part that cannot be.
    #[error("the part of the JID before the @ is malformed")]
    User,
}

impl FromStr for ChatId {
    type Err = BadRecipient;

    fn from_str(text: &str) -> Result<Self, BadRecipient> {
        let text = text.trim();
        if let Some(name) = parse_username(text) {
            return Ok(ChatId::of_username(&name?.name));
        }
        let Some((user, server)) = text.rsplit_once('@') else {
            return match parse_number(text) {
                Ok(digits) => Ok(ChatId::of_person(&digits)),
                Err(BadNumber::NoPlus) => Err(BadRecipient::NeitherNumberNorJid),
                Err(error) => Err(BadRecipient::Number(error)),
            };
        };
        let fits = match server {
            // c.us is the old spelling of a person's server.
            "s.whatsapp.net" | "c.us" => {
                return Ok(ChatId::of_person(&number_digits(user)?));
            }
            "lid" => !user.is_empty() && user.bytes().all(|b| b.is_ascii_digit()),
            "g.us" => !user.is_empty() && user.bytes().all(|b| b.is_ascii_digit() || b == b'-'),
            _ => return Err(BadRecipient::Server),
        };
        if !fits || user.len() > USER_BYTES_MAX {
            return Err(BadRecipient::User);
        }
        Ok(ChatId(format!("{user}@{server}")))
    }
}

/// Names a file in the spool: 32 lower-case hex digits, random.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpoolId(pub String);
