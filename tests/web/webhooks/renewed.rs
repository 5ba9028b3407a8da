//! A state directory that was restored from a copy, or begun anew, while the front was away, and
//! whose feed has grown past everybody's place: nothing is skipped, and who follows is told.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;
use tetherd_api::FeedPlace;

use super::*;
use crate::web::Sent;
use crate::web::green::Green;

const TO: &str = "+15550111";
const STATE: &str = "state";
const COPY: &str = "copy";

/// A message is accepted and withdrawn. Answers its id on the network.
fn change(daemon: &Daemon, text: &str) -> String {
    let id = daemon.send(TO, text);
    daemon.call("queue.clear", json!({})).unwrap();
    daemon.message(&id)["wa_id"].as_str().unwrap().to_owned()
}

fn is_withdrawn(message: &Value, text: &str) -> bool {
    message["preview"] == text && message["state"] == "cancelled"
}

/// Takes what comes until the message was withdrawn. Answers the bodies.
fn take(receiver: &Receiver, text: &str) -> Vec<Value> {
    let mut bodies = Vec::new();
    loop {
        let got = receiver.next();
        bodies.push(got.body());
        got.answer("200 OK");
        if is_withdrawn(&bodies[bodies.len() - 1]["data"]["message"], text) {
            return bodies;
        }
    }
}

/// Deletes notifications until one is about this message.
fn receive(green: &Green<'_>, wa_id: &str) {
    loop {
        let next = green.next("outgoingMessageStatus");
        assert_eq!(green.delete(&next["receiptId"])["result"], true);
        if next["body"]["idMessage"] == wa_id {
            return;
        }
    }
}

struct Followed<'a> {
    lab: &'a Lab,
    receiver: Receiver,
    read: String,
}

impl Followed<'_> {
    fn front(&self, daemon: &Daemon) -> Front {
        front(self.lab, daemon, &[&self.receiver])
    }

    fn bearer(&self) -> (&'static str, String) {
        ("authorization", format!("Bearer {}", self.read))
    }

    /// The events after this place until the message was withdrawn.
    fn events(&self, front: &Front, place: &str, text: &str) -> Vec<Sent> {
        let headers = [self.bearer(), ("last-event-id", place.to_owned())];
        let (mut stream, mut events) = (front.follow("/v1/events", &headers), Vec::new());
        loop {
            events.push(stream.next());
            if is_withdrawn(&events[events.len() - 1].data["message"], text) {
                return events;
            }
        }
    }

    /// The message is seen by everybody. Answers the place in the feed, and that of the webhook.
    fn see(&self, front: &Front, text: &str, wa_id: &str) -> (String, u64) {
        take(&self.receiver, text);
        receive(&Green { front, token: self.read.clone() }, wa_id);
        let last = self.events(front, "0", text).pop().unwrap();
        let admin = Admin::of(front);
        let standing = admin.until("w0", |standing| standing["behind"] == 0);
        (last.id.unwrap().to_string(), standing["after"].as_u64().unwrap())
    }
}

/// The messages that these are about, by their texts.
fn texts<'a>(events: impl Iterator<Item = &'a Value>) -> BTreeSet<&'a str> {
    events.filter_map(|event| event["message"]["preview"].as_str()).collect()
}

/// `is_restored`: who has seen nothing that is lost is sent only what is new.
fn check(renew: impl FnOnce(&Lab), is_restored: bool) {
    let lab = Lab::new();
    let mut daemon = lab.daemon("");
    let receiver = Receiver::start();
    let first = front(&lab, &daemon, &[&receiver]);
    let followed = Followed { lab: &lab, receiver, read: first.token(Tier::Read) };
    Admin::of(&first).begun("w0");
    let green = Green { front: &first, token: followed.read.clone() };
    assert_eq!(green.got("receiveNotification", ""), Value::Null);
    let (early, _) = followed.see(&first, "early", &change(&daemon, "early"));
    assert!(daemon.stop().success());
    let mut copy = Command::new("cp");
    assert!(
        copy.arg("-a")
            .args([lab.path().join(STATE), lab.path().join(COPY)])
            .status()
            .unwrap()
            .success()
    );
    let mut daemon = lab.daemon("");
    let (late, webhook_at) = followed.see(&first, "late", &change(&daemon, "late"));
    drop(first);
    assert!(daemon.stop().success());
    std::fs::remove_dir_all(lab.path().join(STATE)).unwrap();
    renew(&lab);

    let daemon = lab.daemon("");
    let late_seq = late.parse::<FeedPlace>().unwrap().seq;
    let mut new = BTreeMap::new();
    while Events::subscribe_with(daemon.socket(), json!({})).1["seq"].as_u64() <= Some(late_seq) {
        let text = format!("new {}", new.len());
        new.insert(text.clone(), change(&daemon, &text));
    }
    let wanted: BTreeSet<&str> = new.keys().map(String::as_str).collect();
    let last = format!("new {}", new.len() - 1);
    let second = followed.front(&daemon);

    let bodies = take(&followed.receiver, &last);
    assert_eq!(bodies[0]["type"], "feed.renewed", "{bodies:?}");
    assert_eq!(bodies[0]["data"]["after"], webhook_at);
    assert!(texts(bodies.iter().map(|body| &body["data"])).is_superset(&wanted), "{bodies:?}");

    let events = followed.events(&second, &late, &last);
    assert_eq!((events[0].name.as_str(), &events[0].id), ("feed_renewed", &None));
    assert_eq!(events[0].data["after"], late);
    assert!(texts(events.iter().map(|event| &event.data)).is_superset(&wanted), "{events:?}");
    let refused = second.ask(&format!("GET /v1/events?after={late}"), &[followed.bearer()], b"");
    assert_eq!(refused.status, 409, "{}", refused.text());
    assert_eq!(refused.json()["error"]["data"]["kind"], "feed_renewed");
    let (code, sentence) = daemon.ctl().args(&["events", "--after", &late]).fails();
    assert!(code == 65 && sentence.contains("begin with 0"), "{code}: {sentence}");

    let green = Green { front: &second, token: followed.read.clone() };
    for wa_id in new.values() {
        receive(&green, wa_id);
    }

    let events = followed.events(&second, &early, &last);
    assert_eq!(events[0].name == "feed_renewed", !is_restored, "{events:?}");
    if is_restored {
        assert_eq!(texts(events.iter().map(|event| &event.data)), wanted);
    }
}

#[test]
fn a_restored_copy_that_has_grown_past_a_place_is_told_from_the_feed_that_was() {
    check(|lab| std::fs::rename(lab.path().join(COPY), lab.path().join(STATE)).unwrap(), true);
}

#[test]
fn a_new_state_directory_that_has_grown_past_a_place_is_told_from_the_feed_that_was() {
    check(|_| {}, false);
}
