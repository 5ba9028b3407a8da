//! Places in the changes feed: a number, and the feed that it is of.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a changes feed. Each start of the daemon continues the feed under a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeedId(
    /// A random number.
    pub u64,
);

impl fmt::Display for FeedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A text that is no name of a feed.
#[derive(Debug, thiserror::Error)]
#[error("a feed is named by 16 hexadecimal digits")]
pub struct NotAFeedId;

/// How long the name is.
const FEED_ID_DIGITS: usize = 16;

impl FromStr for FeedId {
    type Err = NotAFeedId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != FEED_ID_DIGITS || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NotAFeedId);
        }
        u64::from_str_radix(text, 16).map(FeedId).map_err(|_| NotAFeedId)
    }
}

impl Serialize for FeedId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FeedId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Up to where a subscriber has dealt with a feed. As text: `FEED:SEQ`, or `SEQ` alone where the
/// feed is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FeedPlace {
    /// The feed that the number is of. Without it, another feed that has reached the number is
    /// taken for the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed: Option<FeedId>,
    /// The last number that was dealt with.
    pub seq: u64,
}

impl FeedPlace {
    /// The beginning of whichever feed there is.
    pub const START: FeedPlace = FeedPlace { feed: None, seq: 0 };

    /// The same, or further on in the feed that an event was read from.
    #[must_use]
    pub fn advanced(self, feed: Option<FeedId>, seq: u64) -> FeedPlace {
        FeedPlace { feed, seq: self.seq.max(seq) }
    }
}

impl fmt::Display for FeedPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.feed {
            Some(feed) => write!(f, "{feed}:{}", self.seq),
            None => write!(f, "{}", self.seq),
        }
    }
}

/// A text that is no place in a feed.
#[derive(Debug, thiserror::Error)]
#[error("a place in the feed is a number like 104, or one with its feed: 9f3c0a1b2c3d4e5f:104")]
pub struct NotAFeedPlace;

impl FromStr for FeedPlace {
    type Err = NotAFeedPlace;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (feed, seq) = match text.split_once(':') {
            Some((feed, seq)) => (Some(feed.parse().map_err(|_| NotAFeedPlace)?), seq),
            None => (None, text),
        };
        Ok(FeedPlace { feed, seq: seq.parse().map_err(|_| NotAFeedPlace)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        for (text, place) in [
            ("104", FeedPlace { feed: None, seq: 104 }),
            ("00000000000000ff:7", FeedPlace { feed: Some(FeedId(255)), seq: 7 }),
        ] {
            assert_eq!(text.parse::<FeedPlace>().unwrap(), place);
            assert_eq!(place.to_string(), text);
        }
        for bad in
            ["", ":", "x", "ff:7", "00000000000000ff:", "00000000000000ff", "+0000000000000ff:1"]
        {
            bad.parse::<FeedPlace>().unwrap_err();
        }
    }
}
