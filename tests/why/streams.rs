//! The causes that lie with how the server ends streams.

use serde_json::{Value, json};
use tetherd_api::ConditionKind;

use super::{Stage, run_remedy};
use crate::streams::next_stream;
use crate::support::Lab;

const TO: &str = "+15550111";

pub(super) const LOGINS: &[ConditionKind] = &[ConditionKind::LoginLimited];

/// Five minutes are too long for a test: that the daemon connects when they are over is shown
/// in virtual time, beside the core.
#[test]
fn invariant_11_too_many_logins_are_followed_by_none_for_minutes_over_a_kill_too() {
    let lab = Lab::new();
    lab.people(&[TO]);
    let mut daemon = lab.paired();
    let mut events = daemon.events();
    let mut stage = Stage::set(LOGINS, &daemon);
    lab.sim.call("server.stream_error", json!({ "code": 429 }));
    let event = events.wait("the pause", |event| has(event, "login_limited"));
    let at = event["status"]["session"]["next_try_at"].as_str().unwrap().to_owned();
    let left = at.parse::<jiff::Timestamp>().unwrap().duration_since(jiff::Timestamp::now());
    assert!(left.as_secs() > 290 && left.as_secs() < 380, "{event}");
    let id = daemon.send(TO, "waits for the pause");
    stage.during(&daemon, ConditionKind::LoginLimited, "server.stream_error 429", &[&id]);
    let logins = lab.sim.call("server.stats", json!({}))["logins"].clone();

    drop(events);
    daemon.kill9();
    let daemon = lab.daemon("[pacing]\nwindow = \"3s\"\n");
    let refused = daemon.call("session.reconnect", json!({})).unwrap_err();
    assert!(refused["data"]["retry_after_ms"].as_u64().unwrap() > 200_000, "{refused}");
    let status = daemon.status();
    let seconds = |at: &str| at.parse::<jiff::Timestamp>().unwrap().as_second();
    let next = status["session"]["next_try_at"].as_str().unwrap();
    assert!((seconds(next) - seconds(&at)).abs() <= 2, "the same time: {status}");
    assert_eq!(lab.sim.call("server.stats", json!({}))["logins"], logins);

    // Whoever pairs anew begins anew.
    daemon.call("session.logout", json!({})).unwrap();
    stage.after(&daemon, ConditionKind::LoginLimited, "session.logout");
    stage.end();
}

pub(super) const STANZA: &[ConditionKind] = &[ConditionKind::StanzaUnacknowledged];

fn has(event: &Value, kind: &str) -> bool {
    let conditions = event["status"]["conditions"].as_array();
    conditions.is_some_and(|all| all.iter().any(|condition| condition["kind"] == kind))
}

#[test]
fn the_same_stanza_twice_is_named_and_acknowledged_on_its_own() {
    let lab = Lab::new();
    lab.people(&[TO]);
    let mut daemon = lab.paired();
    let mut stage = Stage::set(STANZA, &daemon);
    lab.sim.call("server.wait", json!({ "key_uploads": 1, "received": 1 }));
    assert!(daemon.stop().success());
    // The server takes note of no receipt for now.
    let deaf = json!({ "list_receipts": "first_only", "ignore_receipts": true });
    lab.sim.call("server.set", deaf);
    lab.sim.call("stream.peer_messages", json!({ "count": 3 }));
    let daemon = lab.daemon("[pacing]\nwindow = \"3s\"\n");
    let mut events = daemon.events();
    events.wait_connected(&daemon);
    next_stream(&lab, &daemon, &mut events);
    super::quiet(&daemon, ConditionKind::StanzaUnacknowledged, "a stanza once");
    lab.sim.call("stream.end", json!({}));
    events.wait("the condition", |event| has(event, "stanza_unacknowledged"));
    stage.during(&daemon, ConditionKind::StanzaUnacknowledged, "the same stanza twice", &[]);
    let id = daemon.send(TO, "leaves all the same");
    events.wait_until_sent(&[id]);

    let before = lab.sim.call("server.set", json!({ "ignore_receipts": false }));
    assert_eq!(before["list_receipts"], "first_only");
    let received = lab.sim.call("server.stats", json!({}))["received"].as_u64().unwrap();
    run_remedy(&daemon, ConditionKind::StanzaUnacknowledged);
    lab.sim.call("server.wait", json!({ "received": received + 3 }));
    events.wait_connected(&daemon);
    next_stream(&lab, &daemon, &mut events);
    stage.after(&daemon, ConditionKind::StanzaUnacknowledged, "each receipt on its own");
    assert_eq!(lab.sim.call("server.stats", json!({}))["unacknowledged_named"], 2);
    stage.end();
}
