//! A daemon on the state directories of every format, from `tests/compat/`.

use serde_json::json;

use crate::support::{Lab, session_is};

const PACE: &str = "[pacing]\nwindow = \"3s\"\n";

#[test]
fn what_format_1_left_waiting_leaves_under_its_own_session() {
    let lab = Lab::from_fixture("v1");
    lab.sim.call("server.set", json!({ "ack_drop": false, "receipts": "all" }));
    lab.sim.call("phone.set", json!({ "online": true }));
    let daemon = lab.daemon(PACE);
    let mut events = daemon.events();
    if daemon.status()["session"]["state"] != "connected" {
        events.wait("the session to connect", |event| session_is(event, "connected"));
    }
    let status = daemon.status();
    assert_eq!(status["session"]["account"], "15550100@s.whatsapp.net");
    assert_eq!(status["queue"]["paused"], true);
    assert_eq!(daemon.message("m5")["reason"]["kind"], "not_on_network");
    assert_eq!(daemon.message("m1")["state"], "read");
    let inbox = daemon.call("inbox.list", json!({ "after": 12 })).unwrap();
    assert_eq!(inbox["newest"], 13);

    daemon.call("queue.restore", json!({ "filter": { "ids": ["m12"] } })).unwrap();
    daemon.call("queue.resume", json!({})).unwrap();
    let waiting = ["m7", "m8", "m9", "m10", "m11", "m12"].map(String::from);
    events.wait_until_left(&daemon, &waiting);
    let new = daemon.send("+15550111", "and a new one");
    events.wait_until_left(&daemon, std::slice::from_ref(&new));
    assert_eq!(new, "m131", "no id is given away again");
    // The file in the spool, and a text of many chunks, as they were.
    let file = lab.sim.inbox("+15550112").pop().unwrap();
    assert_eq!(file["content"]["kind"], "document", "{file}");
    assert_eq!(file["text"], "the file that waits");
    let long = lab.sim.texts("+15550111");
    assert!(long.iter().any(|text| text.chars().count() == 60_000));
}
