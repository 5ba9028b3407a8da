//! How streams end, end to end: what the server does and says about them, what `tetherctl`
//! says of it, and what happens by itself.

use serde_json::{Value, json};

use crate::support::{Daemon, Events, Lab, session_is};

const FRIEND: &str = "+15550111";

/// Reads on until the session is connected, and answers every status on the way.
fn statuses(events: &mut Events) -> Vec<Value> {
    let mut seen = Vec::new();
    events.wait("the session to connect", |event| {
        if event["event"] == "status" {
            seen.push(event["status"].clone());
        }
        session_is(event, "connected") && seen.iter().any(|s| s["session"]["state"] != "connected")
    });
    seen
}

#[test]
fn a_stream_that_the_server_recycles_is_renewed_and_no_trouble_is_shown() {
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    // Longer than a connection has to hold to count as stable.
    lab.sim.call("server.set", json!({ "recycle_s": 31 }));
    let mut daemon = lab.paired();
    let mut events = daemon.events();
    let seen = statuses(&mut events);
    for status in &seen {
        assert_eq!(status["conditions"], json!([]), "{status}");
        assert_ne!(status["session"]["state"], "waiting", "{status}");
        assert!(status["session"]["detail"].is_null(), "{status}");
    }
    assert!(daemon.ctl().args(&["why"]).ok().starts_with("Nothing is wrong"));
    let log = daemon.log();
    let since = log.split_once("connection ended reason=StreamEnded").expect("a stream ended").1;
    assert!(!since.contains("hold began"), "{log}");
    let id = daemon.send(FRIEND, "on the next stream");
    events.wait_until_sent(&[id]);
}

#[test]
fn streams_that_end_one_right_after_the_other_are_shown_as_a_trouble() {
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    let daemon = lab.paired();
    let mut events = daemon.events();
    for _ in 0..3 {
        lab.sim.call("stream.end", json!({}));
        // A pause may be so short that it is over at once.
        let is_over = |event: &Value| ["waiting", "connecting"].map(|s| session_is(event, s));
        let event = events.wait("the end", |event| is_over(event).contains(&true));
        let hold = &event["status"]["conditions"][0];
        assert_eq!(hold["kind"], "disconnected", "{hold}");
        assert!(hold["why"].as_str().unwrap().contains("the server ended the stream"), "{hold}");
        events.wait("the session to connect", |event| session_is(event, "connected"));
    }
    let id = daemon.send(FRIEND, "at last");
    events.wait_until_sent(&[id]);
}

#[test]
fn messages_about_the_account_that_waited_are_acknowledged_one_by_one() {
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    let mut daemon = lab.paired();
    lab.sim.call("server.wait", json!({ "key_uploads": 1, "received": 1 }));
    assert!(daemon.stop().success());
    lab.sim.call("server.set", json!({ "list_receipts": "first_only" }));
    let before = stats(&lab)["received"].as_u64().unwrap();
    lab.sim.call("stream.peer_messages", json!({ "count": 20 }));
    let daemon = lab.daemon("");
    let mut events = daemon.events();
    events.wait_connected(&daemon);
    // Without receipts of their own the server hears of the first only.
    lab.sim.call("server.wait", json!({ "received": before + 20 }));
    for _ in 0..2 {
        next_stream(&lab, &daemon, &mut events);
    }
    assert_eq!(stats(&lab)["unacknowledged_named"], 0);
    assert!(daemon.ctl().args(&["why"]).ok().starts_with("Nothing is wrong"));
}

/// Ends the stream in order, and waits for the next one.
pub(crate) fn next_stream(lab: &Lab, daemon: &Daemon, events: &mut Events) {
    let connections = |status: &Value| status["session"]["connections"].as_u64().unwrap();
    let before = connections(&daemon.status());
    lab.sim.call("stream.end", json!({}));
    events.wait("the next stream", |event| {
        session_is(event, "connected") && connections(&event["status"]) > before
    });
}

fn stats(lab: &Lab) -> Value {
    lab.sim.call("server.stats", json!({}))
}

#[test]
fn a_server_that_is_out_of_order_ends_streams_and_is_tried_again() {
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    let daemon = lab.paired();
    let mut events = daemon.events();
    for code in [500, 503] {
        lab.sim.call("server.stream_error", json!({ "code": code }));
        let event = events.wait("the end", |event| session_is(event, "waiting"));
        let hold = &event["status"]["conditions"][0];
        assert_eq!(hold["kind"], "disconnected", "{hold}");
        assert!(hold["why"].as_str().unwrap().contains(&format!("code {code}")), "{hold}");
        assert!(hold["by_itself_at"].is_string(), "{hold}");
        events.wait("the session to connect", |event| session_is(event, "connected"));
    }
}

#[test]
fn what_waits_in_batches_is_read_before_the_session_is_connected() {
    const WAITING: u64 = 450;
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    let mut daemon = lab.paired();
    lab.sim.call("server.wait", json!({ "key_uploads": 1, "received": 1 }));
    assert!(daemon.stop().success());
    lab.sim.call("server.set", json!({ "offline_primer": 5 }));
    let before = stats(&lab);
    for n in 0..WAITING {
        lab.sim.call("recipient.reply", json!({ "number": FRIEND, "text": n.to_string() }));
    }
    let mut daemon = lab.daemon("");
    let mut events = daemon.events();
    events.wait_connected(&daemon);
    let log = daemon.log();
    assert!(!log.contains("connection ended"), "at the first login: {log}");
    let received = before["received"].as_u64().unwrap() + WAITING;
    lab.sim.call("server.wait", json!({ "received": received }));
    let batches = stats(&lab)["batches"].as_u64().unwrap();
    assert!(batches >= 3, "{batches} batches of 200");
    let id = daemon.send(FRIEND, "goes on");
    events.wait_until_sent(&[id]);
}

#[test]
fn what_is_to_be_brought_up_to_date_is_and_the_server_is_told() {
    let lab = Lab::new();
    let daemon = lab.paired();
    let mut events = daemon.events();
    for kind in ["account_sync", "groups", "syncd_app_state"] {
        lab.sim.call("stream.dirty", json!({ "kind": kind }));
    }
    lab.sim.call("server.wait", json!({ "cleaned": 3 }));
    assert_eq!(daemon.status()["conditions"], json!([]));
    next_stream(&lab, &daemon, &mut events);
    assert_eq!(stats(&lab)["cleaned"], 3, "nothing is said twice");
}

#[test]
fn the_next_connections_begin_with_the_routing_information_over_restarts_too() {
    let lab = Lab::new();
    let mut daemon = lab.paired();
    lab.sim.call("stream.edge_routing", json!({ "info": "to the nearest edge" }));
    // The library has it once it answers what was said after it.
    lab.sim.call("stream.dirty", json!({ "kind": "account_sync" }));
    lab.sim.call("server.wait", json!({ "cleaned": 1 }));
    let mut events = daemon.events();
    next_stream(&lab, &daemon, &mut events);
    assert_eq!(stats(&lab)["routed"], 1);
    drop(events);
    daemon.kill9();
    let daemon = lab.daemon("");
    daemon.events().wait_connected(&daemon);
    assert_eq!(stats(&lab)["routed"], 2);
}
