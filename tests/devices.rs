//! Devices that the daemon does not know of: what the server corrects, the next message heeds.

use serde_json::{Value, json};

use crate::support::{Daemon, Lab};

/// A window that holds nothing back.
const FAST: &str = "[pacing]\nmessages = 60\nwindow = \"1s\"\n";
const FRIEND: &str = "+15550111";
const OTHER: &str = "+15550112";

/// Sends, and waits until it is sent.
fn sent(daemon: &Daemon, to: &str, text: &str) -> Value {
    let mut events = daemon.events();
    let id = daemon.send(to, text);
    events.wait_until_sent(std::slice::from_ref(&id));
    daemon.message(&id)
}

/// The devices that have the message with this text.
fn devices(lab: &Lab, number: &str, text: &str) -> Value {
    let inbox = lab.sim.inbox(number);
    let found = inbox.iter().find(|message| message["text"] == text);
    found.unwrap_or_else(|| panic!("{text:?} is not among {inbox:?}"))["devices"].clone()
}

fn violations(lab: &Lab) -> Vec<Value> {
    let stats = lab.sim.call("server.stats", json!({}));
    stats["violations"].as_array().unwrap().iter().map(|one| one["fault"].clone()).collect()
}

/// A person gets another device, of which the server notifies nobody.
fn add_device(lab: &Lab, number: &str) {
    lab.sim.call("recipient.add", json!({ "number": number, "companions": 1 }));
}

#[test]
fn a_device_that_one_message_left_out_has_the_next() {
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    lab.sim.expect_violation("devices_left_out");
    let daemon = lab.paired_with(FAST);
    sent(&daemon, FRIEND, "first");
    add_device(&lab, FRIEND);
    sent(&daemon, FRIEND, "second");
    assert_eq!(violations(&lab), ["devices_left_out"]);
    sent(&daemon, FRIEND, "third");
    sent(&daemon, FRIEND, "fourth");
    assert_eq!(violations(&lab), ["devices_left_out"]);
    assert_eq!(devices(&lab, FRIEND, "second"), json!({ "0": 1 }));
    assert_eq!(devices(&lab, FRIEND, "third"), json!({ "0": 1, "11": 1 }));
}

fn group(lab: &Lab) -> String {
    let members = json!({ "subject": "all", "members": ["+15550100", FRIEND, OTHER] });
    lab.sim.call("group.add", members)["jid"].as_str().unwrap().to_owned()
}

#[test]
fn a_members_device_that_one_message_left_out_has_the_next() {
    let lab = Lab::new();
    lab.people(&[FRIEND, OTHER]);
    lab.sim.expect_violation("wrong_phash");
    let daemon = lab.paired_with(FAST);
    let group = group(&lab);
    sent(&daemon, &group, "first");
    add_device(&lab, OTHER);
    sent(&daemon, &group, "second");
    assert_eq!(violations(&lab), ["wrong_phash"]);
    sent(&daemon, &group, "third");
    assert_eq!(violations(&lab), ["wrong_phash"]);
    assert_eq!(devices(&lab, OTHER, "third"), json!({ "0": 1, "11": 1 }));
    assert_eq!(devices(&lab, FRIEND, "third"), json!({ "0": 1 }));
}

#[test]
fn a_group_that_names_its_members_otherwise_now_is_asked_about_and_gets_the_message() {
    let lab = Lab::new();
    lab.people(&[FRIEND, OTHER]);
    lab.sim.expect_violation("stale_addressing");
    let daemon = lab.paired_with(FAST);
    let group = group(&lab);
    sent(&daemon, &group, "first");
    let change = json!({ "jid": group, "addressing": "pn", "silent": true });
    lab.sim.call("group.set", change);
    let message = sent(&daemon, &group, "second");
    assert_eq!(message["attempts"], 2, "{message}");
    assert_eq!(violations(&lab), ["stale_addressing"]);
    assert_eq!(devices(&lab, FRIEND, "second"), json!({ "0": 1 }));
}
