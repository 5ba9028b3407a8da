//! What "sent" means, the pace in real time, and what an answer that never comes does.

use serde_json::json;

use crate::support::{Lab, has_left, message_is, session_is};

/// The pace that these tests run at.
const LIMIT: usize = 5;
const WINDOW_MS: u64 = 3_000;

/// When each message stanza reached the server, in its monotonic milliseconds.
fn attempts_ms(lab: &Lab) -> Vec<u64> {
    let stats = lab.sim.call("server.stats", json!({}));
    let attempts = stats["attempts"].as_array().unwrap_or_else(|| panic!("{stats}"));
    attempts.iter().map(|a| a["at_ms"].as_u64().unwrap_or_else(|| panic!("{a}"))).collect()
}

/// No window of the pacer holds more than its limit. The server's clock reads later
/// than the daemon's by the way between them, which varies by this much at most.
#[track_caller]
fn no_window_holds_more(times: &[u64]) {
    const WAY_MS: u64 = 500;
    for window in times.windows(LIMIT + 1) {
        let width = window[LIMIT] - window[0];
        assert!(width + WAY_MS >= WINDOW_MS, "six attempts within {width} ms: {times:?}");
    }
}

#[test]
fn invariant_3_twelve_messages_keep_the_pace_over_restarts() {
    let lab = Lab::new();
    lab.people(&["+15550111", "+15550112", "+15550113"]);
    let pace = "[pacing]\nwindow = \"3s\"\n";
    let mut daemon = lab.paired_with(pace);
    let mut ids = Vec::new();
    for n in 0..12 {
        ids.push(daemon.send(["+15550111", "+15550112", "+15550113"][n % 3], &format!("text {n}")));
    }
    // Restarts between the windows, one of them unannounced.
    daemon.events().wait_until_left(&daemon, &ids[..3]);
    daemon.kill9();
    let mut daemon = lab.daemon(pace);
    daemon.events().wait_until_left(&daemon, &ids[..7]);
    assert!(daemon.stop().success());
    let daemon = lab.daemon(pace);
    daemon.events().wait_until_left(&daemon, &ids);

    no_window_holds_more(&attempts_ms(&lab));
    for (person, number) in ["+15550111", "+15550112", "+15550113"].iter().enumerate() {
        let expected: Vec<String> = (0..4).map(|k| format!("text {}", person + 3 * k)).collect();
        assert_eq!(lab.sim.texts(number), expected);
    }
}

#[test]
fn invariant_7_a_refusal_never_reads_as_sent() {
    let lab = Lab::new();
    lab.people(&["+15550111"]);
    let daemon = lab.paired();
    // A chat that exists: in a new one, what comes after the 463 waits with it.
    let hello = daemon.send("+15550111", "hello");
    daemon.events().wait_until_left(&daemon, &[hello]);
    for (code, reason) in [(463, "token_missing"), (487, "refused")] {
        let mut events = daemon.events();
        lab.sim.call("server.set", json!({ "ack_error": code, "receipts": "none" }));
        let id = daemon.send("+15550111", &format!("refused with {code}"));
        let event = events.wait("the refusal", |event| {
            assert!(!has_left(event, &id), "{event}");
            message_is(event, &id, "parked")
        });
        assert_eq!(event["message"]["reason"], json!({ "kind": reason, "code": code }));
        assert!(event["message"]["sent_at"].is_null());
    }
    // A parked message blocks nothing.
    lab.sim.call("server.set", json!({ "ack_error": false, "receipts": "all" }));
    let mut events = daemon.events();
    let id = daemon.send("+15550111", "goes on");
    events.wait_until_sent(&[id]);
}

#[test]
fn invariant_6_an_answer_that_never_comes_reads_unknown_and_resolves_after_reconnect() {
    let lab = Lab::new();
    lab.people(&["+15550111"]);
    let daemon = lab.paired();
    let mut events = daemon.events();
    // No ack, no receipt from the recipient, and none from our own phone: each of them
    // would prove that the server has it.
    lab.sim.call("server.set", json!({ "ack_drop": true, "receipts": "none" }));
    lab.sim.call("phone.set", json!({ "online": false }));
    let id = daemon.send("+15550111", "first");
    let later = daemon.send("+15550111", "second");
    events.wait("the timeout", |event| {
        assert!(!has_left(event, &id), "{event}");
        message_is(event, &id, "unknown")
    });
    assert_eq!(daemon.message(&later)["state"], "queued", "it must not overtake");

    lab.sim.call("server.set", json!({ "ack_drop": false, "receipts": "all" }));
    lab.sim.call("server.disconnect", json!({}));
    events.wait_until_sent(&[id.clone(), later]);
    assert_eq!(lab.sim.texts("+15550111"), ["first", "second"]);
    let inbox = lab.sim.inbox("+15550111");
    assert_eq!(inbox[0]["id"], daemon.message(&id)["wa_id"]);
    assert_eq!(inbox[0]["failed"], 0);
}

#[test]
fn delivery_and_read_receipts_arrive() {
    let lab = Lab::new();
    lab.people(&["+15550111"]);
    let daemon = lab.paired();
    let mut events = daemon.events();
    lab.sim.call("server.set", json!({ "receipts": "all" }));
    let id = daemon.send("+15550111", "read me");
    let event = events.wait("the read receipt", |event| message_is(event, &id, "read"));
    for field in ["sent_at", "delivered_at", "read_at"] {
        assert!(event["message"][field].is_string(), "{event}");
    }
}

#[test]
fn a_lost_connection_comes_back_by_itself() {
    let lab = Lab::new();
    lab.people(&["+15550111"]);
    let daemon = lab.paired();
    let mut events = daemon.events();
    lab.sim.call("server.disconnect", json!({}));
    events.wait("the loss", |event| !session_is(event, "connected") && event["event"] == "status");
    events.wait("the return", |event| session_is(event, "connected"));
    let id = daemon.send("+15550111", "back again");
    events.wait_until_sent(&[id]);
}

#[test]
fn a_group_gets_the_senders_key_again_after_a_lost_attempt() {
    let lab = Lab::new();
    let people = ["+15550111", "+15550112"];
    lab.people(&people);
    let daemon = lab.paired();
    let members = ["+15550100", people[0], people[1]];
    let group = lab.sim.call("group.add", json!({ "subject": "all", "members": members }));
    let group = group["jid"].as_str().unwrap();
    // The frame leaves, the server does not look at it, and the connection ends. The
    // devices of everybody are known by then: that costs the server no answer.
    let mut events = daemon.events();
    let known: Vec<String> = people.iter().map(|number| daemon.send(number, "hello")).collect();
    events.wait_until_sent(&known);
    lab.sim.call("server.set", json!({ "lose_messages": 1 }));
    let id = daemon.send(group, "to all");
    events.wait("the timeout", |event| message_is(event, &id, "unknown"));
    lab.sim.call("server.disconnect", json!({}));
    let next = daemon.send(group, "and again");
    events.wait_until_sent(&[id, next]);
    for number in people {
        assert_eq!(lab.sim.texts(number), ["hello", "to all", "and again"]);
        let inbox = lab.sim.inbox(number);
        assert!(inbox.iter().all(|m| m["failed"] == 0), "{inbox:?}");
    }
}
