//! A point in time, and the daemon's name of a message.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A point in time: RFC 3339, UTC, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(
    /// Milliseconds since the Unix epoch.
    pub i64,
);

impl Time {
    /// The latest that can be written; later ones are written as this.
    pub const MAX: Time = Time(253_402_207_200_000);
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => f.write_str("9999-12-30T22:00:00.000Z"),
        }
    }
}

/// A text that is not a point in time. It quotes nothing.
#[derive(Debug, thiserror::Error)]
#[error("a time looks like 2026-01-31T08:30:00Z")]
pub struct NotATime;

impl FromStr for Time {
    type Err = NotATime;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let time: jiff::Timestamp = text.parse().map_err(|_| NotATime)?;
        Ok(Time(time.as_millisecond()))
    }
}

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The daemon's own name of a message: `m1`, `m2`, ... in order of acceptance.
/// Never reused within a state directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(
    /// Counts from 1.
    pub u64,
);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}", self.0)
    }
}

/// A text that is not a message id.
#[derive(Debug, thiserror::Error)]
#[error("a message id looks like m42")]
pub struct NotAMessageId;

impl FromStr for MessageId {
    type Err = NotAMessageId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('m').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NotAMessageId);
        }
        digits.parse().map(MessageId).map_err(|_| NotAMessageId)
    }
}

/// A message that another one is about: `m42` is one of the daemon's, `i17` the incoming
/// message with cursor 17.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageRef {
    /// One of the daemon's.
    Own(MessageId),
    /// An incoming one, by its cursor.
    Incoming(u64),
}

impl fmt::Display for MessageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MessageRef::Own(id) => id.fmt(f),
            MessageRef::Incoming(cursor) => write!(f, "i{cursor}"),
        }
    }
}

/// A text that names no message.
#[derive(Debug, thiserror::Error)]
#[error("a message is named like m42 (one of the daemon's) or i17 (the inbox's, by its cursor)")]
pub struct NotAMessageRef;

impl FromStr for MessageRef {
    type Err = NotAMessageRef;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_at_checked(1).ok_or(NotAMessageRef)? {
            ("m", _) => text.parse().map(MessageRef::Own).map_err(|_| NotAMessageRef),
            ("i", digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map(MessageRef::Incoming).map_err(|_| NotAMessageRef)
            }
            _ => Err(NotAMessageRef),
        }
    }
}

impl Serialize for MessageRef {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MessageRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for MessageId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MessageId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
