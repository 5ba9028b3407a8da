//! Clearing and bringing back, messages with a time, and priorities, across restarts.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tetherd_api::Time;

use crate::support::{Daemon, Lab, message_is};

const TO: &str = "+15550111";
const OTHER: &str = "+15550112";

/// So many milliseconds from now, as the wire writes it.
fn from_now(ms: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    Time(i64::try_from(now).unwrap() + ms).to_string()
}

fn send_with(daemon: &Daemon, to: &str, text: &str, more: &Value) -> String {
    let mut params = json!({ "to": to, "text": text });
    params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let sent = daemon.call("message.send", params).unwrap();
    sent["message"]["id"].as_str().unwrap().to_owned()
}

/// The queued ones with their places.
fn places(daemon: &Daemon) -> Vec<(String, u64)> {
    let list = daemon.call("queue.list", json!({})).unwrap();
    let messages = list["messages"].as_array().unwrap().iter();
    let place = |m: &Value| (m["id"].as_str().unwrap().to_owned(), m["position"].as_u64().unwrap());
    messages.map(place).collect()
}

#[test]
fn clear_restore_and_clear_by_filter_hold_across_restarts() {
    let lab = Lab::new();
    lab.people(&[TO, OTHER]);
    let fast = "[pacing]\nmessages = 60\nwindow = \"1s\"\n";
    let mut daemon = lab.daemon(fast);
    for n in 0..6 {
        let key = format!("{}-{n}", ["bill", "news"][n % 2]);
        send_with(&daemon, [TO, OTHER][n % 2], &format!("text {n}"), &json!({ "key": key }));
    }
    let before = places(&daemon);
    assert_eq!(before.len(), 6);

    let dry = daemon.call("queue.clear", json!({ "dry_run": true })).unwrap();
    assert!(dry["undo_until"].is_null());
    let cleared = daemon.call("queue.clear", json!({})).unwrap();
    assert_eq!(cleared["cleared"], 6);
    assert!(cleared["undo_until"].is_string(), "{cleared}");
    daemon.kill9();
    daemon = lab.daemon(fast);
    assert_eq!(daemon.status()["queue"]["free"], 400);
    assert_eq!(daemon.message("m1")["text"], "text 0");
    assert!(daemon.message("m1")["undo_until"].is_string());
    let mut events = daemon.events();
    let restored = daemon.call("queue.restore", json!({})).unwrap();
    assert_eq!(restored["restored"], json!(["m1", "m2", "m3", "m4", "m5", "m6"]));
    events.wait("the news", |event| message_is(event, "m6", "queued"));
    daemon.kill9();
    daemon = lab.daemon(fast);
    assert_eq!(places(&daemon), before);

    // By filter: one half goes, and a part of it comes back.
    let filter = json!({ "key_prefix": "news-" });
    let params = json!({ "filter": filter });
    assert_eq!(
        daemon.call("queue.cancel", params).unwrap()["cancelled"],
        json!(["m2", "m4", "m6"])
    );
    assert!(daemon.stop().success());
    daemon = lab.daemon(fast);
    let params = json!({ "filter": { "ids": ["m6", "m4"] } });
    assert_eq!(daemon.call("queue.restore", params).unwrap()["restored"], json!(["m4", "m6"]));
    daemon.kill9();
    daemon = lab.daemon(fast);
    assert_eq!(daemon.message("m2")["state"], "cancelled");
    lab.pair(&daemon);
    let ids: Vec<String> = ["m1", "m3", "m4", "m5", "m6"].map(String::from).into();
    daemon.events().wait_until_left(&daemon, &ids);
    assert_eq!(lab.sim.texts(TO), ["text 0", "text 2", "text 4"]);
    assert_eq!(lab.sim.texts(OTHER), ["text 3", "text 5"]);
    let nothing = daemon.call("queue.restore", json!({ "filter": { "ids": ["m1"] } })).unwrap();
    assert_eq!(nothing["restored"], json!([]));
}

#[test]
fn a_cancel_that_names_nothing_is_refused() {
    let lab = Lab::new();
    let daemon = lab.daemon("");
    let id = daemon.send(TO, "stays");
    for params in [json!({}), json!({ "ids": [], "filter": {}, "dry_run": true })] {
        let error = daemon.call("queue.cancel", params).unwrap_err();
        assert_eq!(error["data"]["kind"], "invalid_params", "{error}");
    }
    assert_eq!(daemon.message(&id)["state"], "queued");
}

#[test]
fn an_expired_message_is_never_sent() {
    let lab = Lab::new();
    lab.people(&[TO]);
    let mut daemon = lab.daemon("");
    let past = json!({ "to": TO, "text": "x", "expires_at": from_now(-1_000) });
    let error = daemon.call("message.send", past).unwrap_err();
    assert_eq!(error["data"]["kind"], "invalid_params", "{error}");

    let expiring = send_with(&daemon, TO, "too late", &json!({ "expires_at": from_now(1_500) }));
    let last = daemon.send(TO, "in time");
    daemon.kill9();
    daemon = lab.daemon("");
    let mut events = daemon.events();
    if daemon.message(&expiring)["state"] != "expired" {
        events.wait("the expiry", |event| message_is(event, &expiring, "expired"));
    }
    daemon.kill9();
    daemon = lab.daemon("");
    assert_eq!(daemon.message(&expiring)["state"], "expired");
    lab.pair(&daemon);
    daemon.events().wait_until_left(&daemon, &[last]);
    assert_eq!(lab.sim.texts(TO), ["in time"]);
}

#[test]
fn a_scheduled_message_leaves_when_it_is_due_and_holds_nothing_back() {
    let lab = Lab::new();
    lab.people(&[TO]);
    let mut daemon = lab.paired_with("");
    let due = from_now(4_000);
    let scheduled = send_with(&daemon, TO, "at its time", &json!({ "not_before": due }));
    let now = daemon.send(TO, "at once");
    let mut events = daemon.events();
    events.wait_until_left(&daemon, std::slice::from_ref(&now));
    let waiting = daemon.message(&scheduled);
    assert_eq!((&waiting["state"], &waiting["expected_at"]), (&json!("queued"), &json!(due)));
    daemon.kill9();
    daemon = lab.daemon("");
    daemon.events().wait_until_left(&daemon, std::slice::from_ref(&scheduled));
    assert_eq!(lab.sim.texts(TO), ["at once", "at its time"]);
    let sent: Time = serde_json::from_value(daemon.message(&scheduled)["sent_at"].clone()).unwrap();
    let due: Time = serde_json::from_value(json!(due)).unwrap();
    assert!(sent >= due, "{sent} is before {due}");
}

#[test]
fn high_goes_first_and_a_priority_keeps_its_order() {
    let lab = Lab::new();
    lab.people(&[TO, OTHER]);
    let daemon = lab.paired_with("[pacing]\nmessages = 60\nwindow = \"1s\"\n");
    daemon.call("queue.pause", json!({})).unwrap();
    let mut ids = Vec::new();
    for (priority, text) in
        [("low", "5"), ("normal", "3"), ("high", "1"), ("normal", "4"), ("high", "2")]
    {
        ids.push(send_with(&daemon, TO, text, &json!({ "priority": priority })));
    }
    assert_eq!(daemon.message(&ids[2])["position"], 1);
    assert_eq!(daemon.message(&ids[0])["position"], 5);
    daemon.call("queue.resume", json!({})).unwrap();
    let mut events = daemon.events();
    events.wait_until_left(&daemon, &ids);
    assert_eq!(lab.sim.texts(TO), ["1", "2", "3", "4", "5"]);
}

#[test]
fn tetherctl_clears_and_says_how_to_bring_it_back() {
    let lab = Lab::new();
    let daemon = lab.daemon("");
    let ctl = |args: &[&str]| daemon.ctl().args(args);
    ctl(&["send", TO, "soon", "--in", "1h", "--expires", "2h", "--priority", "high"]).ok();
    ctl(&["send", TO, "bulk", "--key", "bulk-1"]).ok();
    let shown = ctl(&["show", "m1"]).ok();
    assert!(shown.contains("not before") && shown.contains("priority    high"), "{shown}");
    let dry = ctl(&["cancel", "--key-prefix", "bulk-", "--dry-run"]).ok();
    assert!(dry.contains("would be withdrawn: m2"), "{dry}");
    assert_eq!(daemon.status()["queue"]["queued"], 2);
    let cleared = ctl(&["clear", "--yes"]).ok();
    assert!(cleared.contains("2 messages withdrawn") && cleared.contains("tetherctl restore"));
    assert!(ctl(&["restore", "--dry-run"]).ok().contains("would be back: m1, m2"));
    assert!(ctl(&["restore", "--key-prefix", "bulk-"]).ok().contains("back where they were: m2"));
    assert_eq!(daemon.status()["queue"]["queued"], 1);
    let (code, error) = ctl(&["cancel"]).fails();
    assert!(error.contains("required"), "{code} {error}");
}
