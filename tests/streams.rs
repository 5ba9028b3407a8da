//! How streams end, end to end: what the server does and says about them, what `tetherctl`
//! says of it, and what happens by itself.

use serde_json::{Value, json};

use crate::support::{Events, Lab, session_is};

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
        let event = events.wait("the end", |event| session_is(event, "waiting"));
        let hold = &event["status"]["conditions"][0];
        assert_eq!(hold["kind"], "disconnected", "{hold}");
        assert!(hold["why"].as_str().unwrap().contains("the server ended the stream"), "{hold}");
        events.wait("the session to connect", |event| session_is(event, "connected"));
    }
    let id = daemon.send(FRIEND, "at last");
    events.wait_until_sent(&[id]);
}
