//! What the feed says, as events of a webhook: type, time and data, as Standard Webhooks
//! recommends. Pure. A message is sent without what changes while it waits (its place, when it is
//! expected to leave), so that the same change has the same body whenever it is read.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tetherd_api::{Condition, Event as Fed, EventFrame, GapOf, Redacted, Status, Time};

use super::place::{Event, Mark, Place};
use super::settings::Kind;

/// Bytes of the body's digest that an id has.
const ID_BYTES: usize = 16;

/// Makes the events of one daemon's feed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Maker<'a> {
    pub(super) daemon: &'a str,
    pub(super) wanted: &'a BTreeSet<Kind>,
}

impl Maker<'_> {
    /// The events of one frame for a webhook that stands there. None: it is nothing to send.
    pub(super) fn of_frame(&self, frame: &EventFrame, place: &Place) -> Vec<Event> {
        let (seq, at) = (frame.seq, frame.at);
        match &frame.event {
            Fed::Status { status } => self.of_status(status, at, place),
            Fed::Message { message } if self.wants(Kind::Message) && !place.has_passed(seq) => {
                let data = json!({ "seq": seq, "message": message.without_forecast() });
                vec![self.event("message.changed", at, data, Mark::Passed(seq))]
            }
            Fed::Incoming { message } if self.wants(Kind::Incoming) && !place.has_passed(seq) => {
                let data = json!({ "seq": seq, "message": message });
                vec![self.event("message.incoming", at, data, Mark::Passed(seq))]
            }
            Fed::Gap { of, gap } if self.wants(kind_of(*of)) && gap.to > place.gap(*of) => {
                let from = gap.from.max(place.gap(*of) + 1);
                let data = json!({ "of": of, "from": from, "to": gap.to });
                vec![self.event("feed.gap", at, data, Mark::Gap(*of, gap.to))]
            }
            Fed::Message { .. }
            | Fed::Incoming { .. }
            | Fed::Gap { .. }
            | Fed::SnapshotEnd {}
            | Fed::Pairing { .. } => Vec::new(),
        }
    }

    fn wants(&self, kind: Kind) -> bool {
        self.wanted.contains(&kind)
    }

    /// Conditions that have begun and ended since the receiver was last sent any.
    fn of_status(&self, status: &Status, at: Time, place: &Place) -> Vec<Event> {
        if !self.wants(Kind::Condition) {
            return Vec::new();
        }
        let (active, known) = (active(status), place.conditions());
        let ended = known.difference(&active).map(|kind| {
            let data = json!({ "condition": { "kind": kind } });
            self.event("condition.ended", at, data, Mark::Ended(kind.clone()))
        });
        let is_new =
            |condition: &&Condition| condition.active && !known.contains(condition.kind.name());
        let began = status.conditions.iter().filter(is_new).map(|condition| {
            let mark = Mark::Began(condition.kind.name().to_owned());
            self.event("condition.began", at, json!({ "condition": shown(condition) }), mark)
        });
        ended.chain(began).collect()
    }

    /// Whether a status has conditions that the receiver does not know, or lacks some.
    pub(super) fn has_changed(&self, status: &Status, place: &Place) -> bool {
        self.wants(Kind::Condition) && active(status) != *place.conditions()
    }

    /// The feed is another one: its numbers begin anew.
    pub(super) fn renewed(&self, after: u64, at: Time) -> Event {
        self.event("feed.renewed", at, json!({ "after": after }), Mark::Renewed)
    }

    fn event(&self, kind: &str, at: Time, mut data: Value, mark: Mark) -> Event {
        data["daemon"] = self.daemon.into();
        let body = json!({ "type": kind, "timestamp": at, "data": data }).to_string();
        let digest = Sha256::digest(body.as_bytes());
        let id = format!("msg_{}", hex::encode(&digest[..ID_BYTES]));
        Event { id, at, body: Redacted(body), mark }
    }
}

/// The names of the conditions that are the case.
pub(super) fn active(status: &Status) -> BTreeSet<String> {
    let active = status.conditions.iter().filter(|condition| condition.active);
    active.map(|condition| condition.kind.name().to_owned()).collect()
}

fn kind_of(of: GapOf) -> Kind {
    match of {
        GapOf::Messages => Kind::Message,
        GapOf::Incoming => Kind::Incoming,
    }
}

/// A condition, without what changes while it lasts.
fn shown(condition: &Condition) -> Value {
    json!({
        "kind": condition.kind, "holds": condition.holds, "since": condition.since,
        "why": condition.why, "by_itself": condition.by_itself, "remedy": condition.remedy,
    })
}

#[cfg(test)]
mod tests {
    use tetherd_api::{FeedPlace, Gap, Message};

    use super::*;
    use crate::compat::tests::status;

    fn all() -> BTreeSet<Kind> {
        [Kind::Incoming, Kind::Message, Kind::Condition].into()
    }

    fn message() -> Message {
        serde_json::from_value(json!({
            "id": "m1", "wa_id": "3EB0", "to": "15550111@s.whatsapp.net", "state": "queued",
            "kind": "text", "preview": "hello", "chars": 5, "attempts": 0, "position": 3,
            "accepted_at": "2026-01-31T08:30:00Z", "changed_at": "2026-01-31T08:30:00Z",
        }))
        .unwrap()
    }

    fn frame(seq: u64, event: Fed) -> EventFrame {
        EventFrame { seq, at: Time(1_000), event }
    }

    fn made(wanted: &BTreeSet<Kind>, frame: &EventFrame, place: &Place) -> Vec<Event> {
        Maker { daemon: "main", wanted }.of_frame(frame, place)
    }

    #[test]
    fn the_same_change_has_the_same_id_and_another_one_another() {
        let (wanted, place) = (all(), Place::default());
        let of = |seq, message: Message| {
            let event = Fed::Message { message: Box::new(message) };
            made(&wanted, &frame(seq, event), &place).remove(0)
        };
        let one = of(4, message());
        let moved = Message { position: Some(2), ..message() };
        assert_eq!(of(4, moved), one);
        assert!(one.id.starts_with("msg_") && !one.id.contains('.'), "{}", one.id);
        let sent = Message { attempts: 1, ..message() };
        assert_ne!(of(4, sent).id, one.id);
        assert_ne!(of(5, message()).id, one.id);
        let body: Value = serde_json::from_str(&one.body).unwrap();
        assert_eq!(body["type"], "message.changed");
        assert_eq!(body["timestamp"], "1970-01-01T00:00:01.000Z");
        assert_eq!(body["data"]["daemon"], "main");
        assert_eq!(
            (&body["data"]["seq"], &body["data"]["message"]["id"]),
            (&json!(4), &json!("m1"))
        );
        assert_eq!(one.mark, Mark::Passed(4));
    }

    #[test]
    fn what_is_dealt_with_or_not_wanted_is_nothing() {
        let mut place = Place::default();
        place.begin(FeedPlace { feed: None, seq: 4 }, BTreeSet::new());
        let event = |seq| frame(seq, Fed::Message { message: Box::new(message()) });
        assert_eq!(made(&all(), &event(4), &place), []);
        assert_eq!(made(&all(), &event(5), &place).len(), 1);
        assert_eq!(made(&[Kind::Incoming].into(), &event(5), &place), []);
        let status = Fed::Status { status: Box::new(status("connected", &["paused"])) };
        assert_eq!(made(&[Kind::Message].into(), &frame(5, status), &place), []);
    }

    #[test]
    fn a_condition_is_reported_when_it_begins_and_when_it_ends() {
        let mut place = Place::default();
        place.begin(FeedPlace { feed: None, seq: 4 }, ["paused".to_owned()].into());
        let at = |conditions| Fed::Status { status: Box::new(status("connected", conditions)) };
        assert_eq!(made(&all(), &frame(4, at(&["paused"])), &place), []);
        let events = made(&all(), &frame(4, at(&["banned"])), &place);
        let marks: Vec<&Mark> = events.iter().map(|event| &event.mark).collect();
        assert_eq!(marks, [&Mark::Ended("paused".into()), &Mark::Began("banned".into())]);
        assert!(events[1].body.contains("this is so"));
        for event in &events {
            place.passed(&event.mark);
        }
        assert_eq!(made(&all(), &frame(9, at(&["banned"])), &place), []);
    }

    #[test]
    fn what_is_kept_no_more_is_said_once() {
        let mut place = Place::default();
        place.begin(FeedPlace { feed: None, seq: 4 }, BTreeSet::new());
        let gap = |to| Fed::Gap { of: GapOf::Incoming, gap: Gap { from: 5, to } };
        let event = made(&all(), &frame(4, gap(9)), &place).remove(0);
        assert!(event.body.contains("feed.gap") && event.body.contains("\"to\":9"));
        place.passed(&event.mark);
        assert_eq!(made(&all(), &frame(4, gap(9)), &place), []);
        let later = made(&all(), &frame(4, gap(12)), &place).remove(0);
        assert!(later.body.contains("\"from\":10"), "{}", later.body.0);
        assert_eq!(made(&[Kind::Message].into(), &frame(4, gap(12)), &place), []);
        assert_eq!(place.after, Some(4));
    }
}
