//! What of a webhook is on disk: its place in the changes feed, the event that is being sent, and
//! whether it sends at all. The event's bytes are there before its first attempt, so that every
//! attempt sends the same under its id, over restarts too.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tetherd_api::{FeedId, FeedPlace, GapOf, Redacted, Time};

use crate::durable;

/// The file, in bytes: an event with the longest text, each character escaped twice.
const BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Where a webhook stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    /// The last number of the feed that is dealt with; none: it begins where the feed ends.
    #[serde(default)]
    pub(crate) after: Option<u64>,
    /// The feed that the number is of, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) feed: Option<FeedId>,
    /// Up to which numbers messages and incoming messages were reported as kept no more.
    #[serde(default)]
    gaps: (u64, u64),
    /// The conditions whose beginning was reported, and whose end was not.
    #[serde(default)]
    conditions: BTreeSet<String>,
    /// The event that is being sent.
    #[serde(default)]
    pub(crate) pending: Option<Pending>,
    /// Whether it sends.
    #[serde(default)]
    pub(crate) switch: Switch,
}

/// Whether a webhook sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Switch {
    /// It does.
    #[default]
    On,
    /// Somebody paused it.
    Paused,
    /// The receiver answered that it is gone (410), at this time.
    Gone(Time),
}

/// An event that is being sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// What is sent.
    pub(crate) event: Event,
    /// Attempts that failed.
    #[serde(default)]
    pub(crate) failures: u32,
    /// When the first of them failed.
    #[serde(default)]
    pub(crate) since: Option<Time>,
    /// What was wrong the last time.
    #[serde(default)]
    pub(crate) last: Option<Trouble>,
}

impl Pending {
    pub(super) fn new(event: Event) -> Pending {
        Pending { event, failures: 0, since: None, last: None }
    }
}

/// What was wrong with an attempt. Holds nothing that the receiver has said but its status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "WebhookTrouble"))]
pub(crate) struct Trouble {
    /// A stable name.
    pub(crate) code: String,
    /// The status, if there was an answer.
    #[serde(default)]
    pub(crate) status: Option<u16>,
    /// In a sentence.
    pub(crate) why: String,
    /// When.
    pub(crate) at: Time,
}

/// An event, as it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Event {
    /// Made of the body: another body has another one.
    pub(crate) id: String,
    /// When it happened.
    pub(crate) at: Time,
    /// The payload, which is signed and sent as it is.
    pub(crate) body: Redacted<String>,
    /// What is dealt with once it is delivered.
    pub(crate) mark: Mark,
}

/// What an event deals with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mark {
    /// Everything up to this number of the feed.
    Passed(u64),
    /// Numbers up to this one, which are kept no more.
    Gap(GapOf, u64),
    /// A condition that has begun.
    Began(String),
    /// A condition that has ended.
    Ended(String),
    /// The feed is another one, and is read from its beginning.
    Renewed,
}

impl Place {
    /// From a file; a place at the feed's end if there is none.
    pub(super) fn read(path: &Path) -> io::Result<Place> {
        match durable::read(path, BYTES_MAX)? {
            Some(content) => Ok(serde_json::from_slice(&content)?),
            None => Ok(Place::default()),
        }
    }

    /// To a file, whole or not at all.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        durable::replace(path, &serde_json::to_vec(self)?)
    }

    /// Up to where the feed is dealt with.
    pub(super) fn in_feed(&self) -> Option<FeedPlace> {
        self.after.map(|seq| FeedPlace { feed: self.feed, seq })
    }

    /// Begins at a place of the feed, where these conditions were the case.
    pub(super) fn begin(&mut self, at: FeedPlace, conditions: BTreeSet<String>) {
        (self.after, self.feed, self.conditions) = (Some(at.seq), at.feed, conditions);
    }

    /// Goes on after another number. What was being sent is sent again in its turn, if it is
    /// later.
    pub(super) fn replay(&mut self, after: u64) {
        (self.after, self.gaps, self.pending) = (Some(after), (0, 0), None);
    }

    /// Sends again, as if nothing had failed.
    pub(super) fn enable(&mut self) {
        self.switch = Switch::On;
        if let Some(pending) = &mut self.pending {
            (pending.failures, pending.since) = (0, None);
        }
    }

    /// An event is dealt with.
    pub(super) fn passed(&mut self, mark: &Mark) {
        match mark {
            Mark::Passed(seq) => self.after = Some(*seq),
            Mark::Gap(GapOf::Messages, to) => self.gaps.0 = *to,
            Mark::Gap(GapOf::Incoming, to) => self.gaps.1 = *to,
            Mark::Began(kind) => drop(self.conditions.insert(kind.clone())),
            Mark::Ended(kind) => drop(self.conditions.remove(kind)),
            Mark::Renewed => {
                self.replay(0);
                self.feed = None;
            }
        }
    }

    /// Whether another one has the same to come, and nothing is being sent.
    pub(super) fn stands_as(&self, other: &Place) -> bool {
        let rest = |place: &Place| (place.after, place.gaps);
        let same = rest(self) == rest(other) && self.conditions == other.conditions;
        same && self.pending.is_none() && other.pending.is_none()
    }

    /// Whether a number is dealt with.
    pub(super) fn has_passed(&self, seq: u64) -> bool {
        self.after.is_some_and(|after| seq <= after)
    }

    /// Up to which number these were reported as kept no more.
    pub(super) fn gap(&self, of: GapOf) -> u64 {
        match of {
            GapOf::Messages => self.gaps.0,
            GapOf::Incoming => self.gaps.1,
        }
    }

    /// The conditions that the receiver takes for the case.
    pub(super) fn conditions(&self) -> &BTreeSet<String> {
        &self.conditions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_kept_whole_and_what_is_no_place_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shop/main.json");
        assert_eq!(Place::read(&path).unwrap(), Place::default());
        let mut place = Place::default();
        let at = FeedPlace { feed: Some(FeedId(3)), seq: 7 };
        place.begin(at, ["paused".to_owned()].into());
        for mark in [
            Mark::Passed(9),
            Mark::Gap(GapOf::Incoming, 4),
            Mark::Began("banned".into()),
            Mark::Ended("paused".into()),
        ] {
            place.passed(&mark);
        }
        let body = Redacted("the text".to_owned());
        let event = Event { id: "msg_1".into(), at: Time(5), body, mark: Mark::Passed(12) };
        place.pending = Some(Pending::new(event));
        place.switch = Switch::Gone(Time(6));
        place.write(&path).unwrap();
        assert_eq!(Place::read(&path).unwrap(), place);
        assert!(!format!("{place:?}").contains("the text"), "{place:?}");
        assert!(place.has_passed(9) && !place.has_passed(10));
        assert_eq!((place.gap(GapOf::Incoming), place.gap(GapOf::Messages)), (4, 0));
        assert!(place.conditions().contains("banned") && place.conditions().len() == 1);

        place.passed(&Mark::Renewed);
        assert_eq!((place.in_feed(), place.gap(GapOf::Incoming)), (Some(FeedPlace::START), 0));
        assert_eq!(place.pending, None);
        std::fs::write(&path, "{\"after\": 1, \"befor").unwrap();
        Place::read(&path).unwrap_err();
    }
}
