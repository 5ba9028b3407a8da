//! Incoming messages are marked as read when somebody says so, and never else.

use serde_json::{Value, json};

use crate::support::{ACCOUNT, Daemon, Lab, session_is};

const FRIEND: &str = "+15550111";

/// A daemon that people can write to: the server has its keys.
fn paired(lab: &Lab) -> Daemon {
    let daemon = lab.paired();
    lab.sim.call("server.wait", json!({ "key_uploads": 1 }));
    daemon
}

/// Somebody writes, and it is in the inbox: its cursor and its id.
fn comes_in(lab: &Lab, daemon: &Daemon, to: &str) -> (u64, String) {
    let mut events = daemon.events();
    lab.sim.call("recipient.reply", json!({ "number": FRIEND, "to": to, "text": "hello" }));
    let event = events.wait("the message to come in", |event| event["event"] == "incoming");
    let message = &event["message"];
    (message["cursor"].as_u64().unwrap(), message["wa_id"].as_str().unwrap().to_owned())
}

/// What the server was told to have been read.
fn reads(lab: &Lab) -> Value {
    lab.sim.call("server.stats", json!({}))["reads"].clone()
}

#[test]
fn what_is_marked_is_seen_as_read_and_nothing_else_is() {
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    let daemon = paired(&lab);
    let account = format!("+{ACCOUNT}");
    let (first, first_id) = comes_in(&lab, &daemon, &account);
    let (second, second_id) = comes_in(&lab, &daemon, &account);
    comes_in(&lab, &daemon, &account);
    assert_eq!(reads(&lab), json!([]), "without a call");
    let read = ["read", &first.to_string(), &second.to_string(), &first.to_string()];
    assert_eq!(daemon.ctl().args(&read).ok().trim(), "2 messages marked as read");
    lab.sim.call("server.wait", json!({ "reads": 2 }));
    assert_eq!(reads(&lab), json!([first_id, second_id]));
    // All or none.
    let unknown = daemon.call("message.read", json!({ "cursors": [first, 99] })).unwrap_err();
    assert_eq!(unknown["data"]["kind"], "not_found", "{unknown}");
    for cursors in [json!([]), json!(vec![1; 1_000])] {
        let error = daemon.call("message.read", json!({ "cursors": cursors })).unwrap_err();
        assert_eq!(error["data"]["kind"], "invalid_params", "{error}");
    }
}

#[test]
fn in_a_group_the_author_sees_it() {
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    let daemon = paired(&lab);
    let members = json!([FRIEND, format!("+{ACCOUNT}")]);
    let group = lab.sim.call("group.add", json!({ "subject": "Walks", "members": members }));
    let (cursor, id) = comes_in(&lab, &daemon, group["jid"].as_str().unwrap());
    daemon.call("message.read", json!({ "cursors": [cursor] })).unwrap();
    lab.sim.call("server.wait", json!({ "reads": 1 }));
    assert_eq!(reads(&lab), json!([id]));
}

#[test]
fn without_a_connection_it_is_refused_and_says_why() {
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    let daemon = paired(&lab);
    let (cursor, _) = comes_in(&lab, &daemon, &format!("+{ACCOUNT}"));
    let mut events = daemon.events();
    lab.sim.call("server.replace_session", json!({}));
    events.wait("the session to be replaced", |event| session_is(event, "replaced"));
    let error = daemon.call("message.read", json!({ "cursors": [cursor] })).unwrap_err();
    assert_eq!(error["data"]["kind"], "wrong_state", "{error}");
    assert!(error["data"]["remedy"].as_str().unwrap().contains("tetherctl why"), "{error}");
    assert!(error["data"]["retry_after_ms"].as_u64().unwrap() > 0, "{error}");
    assert_eq!(reads(&lab), json!([]));
}
