//! A message, its ids and its chat. The rules of which state follows which are in
//! [`crate::life`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::media::MediaRef;
use crate::preparing::{LinkWarning, Source};
use tetherd_api::{FileInfo, Kind, LinkPreview, MessageId, Priority, Reason, ReasonKind, State};

/// A message's id on the network: `3EB0` and 18 upper-case hex digits. Given once,
/// kept for life.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WaMessageId(pub String);

/// Which attempt at a message, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attempt(pub u32);

/// SHA-256 over what a message says and to whom.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest(pub [u8; 32]);

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(..)")
    }
}

/// A chat: a person's or a group's JID, normalised. `Debug` redacts it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChatId(String);

impl ChatId {
    /// The JID.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a group.
    pub fn is_group(&self) -> bool {
        self.0.ends_with("@g.us")
    }
}

impl fmt::Debug for ChatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = self.0.rsplit('@').next().unwrap_or("");
        write!(f, "ChatId(..@{server})")
    }
}

/// Digits of a phone number, shortest and longest (E.164 allows 15).
const NUMBER_DIGITS_MIN: usize = 7;
const NUMBER_DIGITS_MAX: usize = 15;
/// Longest user part of a JID that is not a number, in bytes.
const USER_BYTES_MAX: usize = 40;

/// Why a text names no recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRecipient {
    /// No plus sign and no at sign.
    #[error("a recipient is + and digits with the country code, like +15550100, or a JID")]
    NeitherNumberNorJid,
    /// A number of another length.
    #[error("a number has {NUMBER_DIGITS_MIN} to {NUMBER_DIGITS_MAX} digits with its country code")]
    NumberLength,
    /// Something else than digits.
    #[error("a number has digits only; spaces, dots, dashes and parentheses are ignored")]
    NotDigits,
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
        if let Some(number) = text.strip_prefix('+') {
            return Ok(ChatId(format!("{}@s.whatsapp.net", number_digits(number)?)));
        }
        let (user, server) = text.rsplit_once('@').ok_or(BadRecipient::NeitherNumberNorJid)?;
        let fits = match server {
            // c.us is the old spelling of a person's server.
            "s.whatsapp.net" | "c.us" => {
                return Ok(ChatId(format!("{}@s.whatsapp.net", number_digits(user)?)));
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

/// The digits of a number that people wrote for people.
pub fn number_digits(text: &str) -> Result<String, BadRecipient> {
    let mut digits = String::with_capacity(NUMBER_DIGITS_MAX);
    for c in text.chars() {
        match c {
            '0'..='9' => digits.push(c),
            ' ' | '.' | '-' | '(' | ')' | '\u{a0}' => {}
            _ => return Err(BadRecipient::NotDigits),
        }
    }
    if (NUMBER_DIGITS_MIN..=NUMBER_DIGITS_MAX).contains(&digits.len()) {
        Ok(digits)
    } else {
        Err(BadRecipient::NumberLength)
    }
}

/// A message as the core knows it and the store keeps it. The body lies beside it
/// in the store; the core never reads it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Our id.
    pub id: MessageId,
    /// The network's id.
    pub wa_id: WaMessageId,
    /// The chat.
    pub to: ChatId,
    /// What it carries.
    pub kind: Kind,
    /// Its file in the spool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<StoredFile>,
    /// Its file on the network's media host, once it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<MediaRef>,
    /// Where its file comes from, if it was to be fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Whether its text has links.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_links: bool,
    /// A link in its text that it is sent with all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_warning: Option<LinkWarning>,
    /// What is shown for a link in its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkPreview>,
    /// Which of those that wait goes first.
    #[serde(default, skip_serializing_if = "Priority::is_normal")]
    pub priority: Priority,
    /// Not sent before this, wall milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<i64>,
    /// Never sent after this, wall milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// The caller's idempotency key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What the key stands for.
    pub digest: Digest,
    /// The text's length in characters.
    pub chars: usize,
    /// The text's beginning, for lists. Redacted by [`Preview`]'s `Debug`.
    pub preview: Preview,
    /// Where it stands.
    pub state: State,
    /// Why it is parked, failed or unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// While cancelled: how it is brought back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
    /// Its place in the order of sending; greater is later. A retried one gets a new place.
    pub order: u64,
    /// Attempts made so far.
    pub attempts: u32,
    /// Those of them since it was accepted or retried that came to nothing.
    pub streak: u32,
    /// Whether an attempt may have reached the server without an answer.
    pub maybe_out: bool,
    /// How often the server answered it with "too many" since it was accepted or retried.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub limited: u32,
    /// Wall milliseconds.
    pub accepted_at: i64,
    /// Wall milliseconds.
    pub changed_at: i64,
    /// When that was, in milliseconds of uptime: what its age is counted from.
    #[serde(default, rename = "changed_lived_ms")]
    pub changed_uptime_ms: u64,
    /// Wall milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<i64>,
    /// Wall milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<i64>,
    /// Wall milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<i64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// What a cancelled message was, so that it can be brought back. It keeps its order all
/// the while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Until when, in milliseconds of uptime.
    #[serde(rename = "until_lived_ms")]
    pub until_uptime_ms: u64,
    /// Where it stood.
    pub state: State,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

impl Undo {
    /// Whether it was set aside for want of an answer.
    pub fn is_unanswered(&self) -> bool {
        self.reason.as_ref().is_some_and(|reason| reason.kind == ReasonKind::NoAnswer)
    }
}

/// Whether a cancelled message can be brought back, so that all of it has to stay.
pub fn is_restorable(message: &Message) -> bool {
    message.state == State::Cancelled && message.undo.is_some()
}

/// Names a file in the spool: 32 lower-case hex digits, random.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SpoolId(pub String);

/// A file that was copied in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Where it lies.
    pub spool: SpoolId,
    /// What it is.
    pub info: FileInfo,
}

/// The beginning of a text. `Debug` shows its length only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview(pub String);

impl fmt::Debug for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Preview({} bytes)", self.0.len())
    }
}
