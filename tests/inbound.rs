//! What comes in is told exactly once and in order, or a gap is said: over restarts,
//! kills, redeliveries and slow readers.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{ACCOUNT, Daemon, Events, Lab, session_is};

const FRIEND: &str = "+15550111";
const FRIEND_JID: &str = "15550111@s.whatsapp.net";

/// A daemon that people can write to: the server has its keys.
fn paired(lab: &Lab, extra: &str) -> Daemon {
    let daemon = lab.paired_with(extra);
    lab.sim.call("server.wait", json!({ "key_uploads": 1 }));
    daemon
}

/// Somebody writes to the account.
fn writes(lab: &Lab, text: &str) -> String {
    let sent = lab.sim.call("recipient.reply", json!({ "number": FRIEND, "text": text }));
    sent["ids"][0].as_str().unwrap_or_else(|| panic!("{sent}")).to_owned()
}

fn write_many(lab: &Lab, from: usize, to: usize) {
    for n in from..=to {
        writes(lab, &format!("text {n}"));
    }
}

fn subscribe(lab: &Lab, after: u64) -> Events {
    Events::subscribe_with(&lab.socket(), json!({ "after": after })).0
}

/// The number of the event that brought this message.
fn seq_of(lab: &Lab, cursor: u64) -> u64 {
    let is_it = |event: &Value| event["message"]["cursor"] == cursor;
    subscribe(lab, 0).wait("the message", is_it)["seq"].as_u64().unwrap()
}

/// The next incoming message or gap.
#[track_caller]
fn next(events: &mut Events) -> Value {
    events.wait("an incoming message", |event| {
        matches!(event["event"].as_str(), Some("incoming" | "gap"))
    })
}

#[track_caller]
fn message(event: &Value) -> (u64, &str) {
    let message = &event["message"];
    let cursor = message["cursor"].as_u64().unwrap_or_else(|| panic!("{event}"));
    (cursor, message["text"].as_str().unwrap_or_default())
}

/// Everything in the inbox, by pages of this length.
fn listed(daemon: &Daemon, limit: usize) -> Vec<Value> {
    let mut all = Vec::new();
    let mut after = json!({ "limit": limit });
    loop {
        let page = daemon.call("inbox.list", after).unwrap();
        assert!(page.get("gap").is_none(), "{page}");
        let messages = page["messages"].as_array().unwrap().clone();
        let Some(last) = messages.last() else { return all };
        after = json!({ "limit": limit, "after": last["cursor"] });
        let done = last["cursor"] == page["newest"];
        all.extend(messages);
        if done {
            return all;
        }
    }
}

/// Waits until the inbox has given away this cursor.
fn wait_cursor(lab: &Lab, cursor: u64) {
    subscribe(lab, 0).wait("the newest", |event| event["message"]["cursor"] == cursor);
}

#[test]
fn a_text_comes_in_with_its_sender_and_stays_over_a_restart() {
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    let mut daemon = paired(&lab, "");
    let mut events = subscribe(&lab, 0);
    let id = writes(&lab, "hello there");
    let event = next(&mut events);
    let told = event["message"].clone();
    assert_eq!(message(&event), (1, "hello there"));
    assert_eq!((&told["chat"], &told["sender"]), (&json!(FRIEND_JID), &json!(FRIEND_JID)));
    assert_eq!((&told["wa_id"], &told["from_me"]), (&json!(id), &json!(false)));
    assert_eq!((&told["kind"], &told["name"]), (&json!("text"), &json!("Simulated")));
    assert!(!daemon.log().contains("hello there") && !daemon.log().contains("15550111"));

    assert!(daemon.stop().success());
    let daemon = lab.daemon("");
    let list = daemon.call("inbox.list", json!({})).unwrap();
    assert_eq!((&list["messages"][0], &list["newest"]), (&told, &json!(1)));
    let shown = daemon.ctl().args(&["inbox"]).ok();
    assert!(shown.contains("1 Simulated (+15550111): hello there"), "{shown}");
    let error = daemon.call("inbox.file", json!({ "cursor": 1 })).unwrap_err();
    assert_eq!(error["data"]["kind"], "not_found");
}

#[test]
fn what_our_own_phone_writes_comes_in_as_from_me() {
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    let daemon = paired(&lab, "");
    let members = ["+15550100", FRIEND];
    let group = lab.sim.call("group.add", json!({ "subject": "all", "members": members }));
    let group = group["jid"].as_str().unwrap();
    let mut events = subscribe(&lab, 0);
    let own = format!("{ACCOUNT}@s.whatsapp.net");
    for (to, chat) in [(FRIEND, FRIEND_JID), (group, group)] {
        lab.sim.call("phone.send", json!({ "to": to, "text": "from the phone" }));
        let event = next(&mut events);
        let told = &event["message"];
        assert_eq!((&told["from_me"], &told["sender"]), (&json!(true), &json!(own)), "{event}");
        assert_eq!((&told["chat"], &told["text"]), (&json!(chat), &json!("from the phone")));
    }
    // What we send ourselves is not told: its answer is the next that comes in.
    let id = daemon.send(FRIEND, "by tetherd");
    events.wait_until_sent(&[id]);
    lab.sim.call("recipient.reply", json!({ "number": FRIEND, "to": group, "text": "in all" }));
    let event = next(&mut events);
    assert_eq!(message(&event), (3, "in all"));
    assert_eq!(event["message"]["chat"], group);
    assert_eq!(event["message"]["sender"], FRIEND_JID);
}

#[test]
fn away_for_a_thousand_and_a_restart_each_comes_exactly_once_and_in_order() {
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    let mut daemon = paired(&lab, "");
    write_many(&lab, 1, 3);
    let third = seq_of(&lab, 3);
    // Some come while the daemon runs, most while it is gone.
    write_many(&lab, 4, 200);
    wait_cursor(&lab, 100);
    daemon.kill9();
    write_many(&lab, 201, 1_003);
    let daemon = lab.daemon("");
    // More come during the replay.
    let mut events = subscribe(&lab, third);
    std::thread::scope(|scope| {
        scope.spawn(|| write_many(&lab, 1_004, 1_010));
        for n in 4..=1_010 {
            assert_eq!(message(&next(&mut events)), (n, format!("text {n}").as_str()));
        }
    });
    let all = listed(&daemon, 150);
    let cursors: Vec<u64> = all.iter().map(|m| m["cursor"].as_u64().unwrap()).collect();
    assert_eq!(cursors, (1..=1_010).collect::<Vec<_>>());
    let ids: BTreeSet<&str> = all.iter().map(|m| m["wa_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 1_010);
    // All of it was acknowledged: nothing comes again at the next login.
    lab.sim.call("server.disconnect", json!({}));
    events.wait("the return", |event| session_is(event, "connected"));
    writes(&lab, "last");
    assert_eq!(message(&next(&mut events)), (1_011, "last"));
}

#[test]
fn with_less_room_than_came_the_gap_is_said_and_then_the_rest() {
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    let small = "[inbox]\nmax = 20\n";
    let mut daemon = paired(&lab, small);
    write_many(&lab, 1, 5);
    let fifth = seq_of(&lab, 5);
    assert!(daemon.stop().success());
    write_many(&lab, 6, 60);
    let daemon = lab.daemon(small);
    wait_cursor(&lab, 60);
    let mut events = subscribe(&lab, fifth);
    let gap = next(&mut events);
    assert_eq!((&gap["of"], &gap["seq"]), (&json!("incoming"), &json!(fifth)), "{gap}");
    assert_eq!(gap["gap"]["from"], fifth + 1, "{gap}");
    let first = next(&mut events);
    assert_eq!(message(&first), (41, "text 41"));
    let (lost, kept) = (gap["gap"]["to"].as_u64().unwrap(), first["seq"].as_u64().unwrap());
    assert!(fifth + 35 <= lost && lost < kept, "{gap} {first}");
    for n in 42..=60 {
        assert_eq!(message(&next(&mut events)), (n, format!("text {n}").as_str()));
    }
    let page = daemon.call("inbox.list", json!({ "after": 1, "limit": 2 })).unwrap();
    assert_eq!(page["gap"], json!({ "from": 2, "to": 40 }));
    assert_eq!(page["messages"][1]["cursor"], 42);
    let shown = daemon.ctl().args(&["inbox", "--after", "1", "-n", "1"]).ok();
    assert!(shown.starts_with("incoming messages 2 to 40 are kept no more\n"), "{shown}");
}

#[test]
fn invariant_1_killed_before_the_write_or_before_the_ack_it_comes_again_and_is_told_once() {
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    let mut daemon = paired(&lab, "");
    writes(&lab, "before");
    let first = seq_of(&lab, 1);
    daemon.kill9();
    // Killed at some moment of taking it in; or a sync fails there, which ends the daemon:
    // that of the library's own copy, of ours, or of the cleaning up after it.
    for round in 0..3 {
        writes(&lab, &format!("text {}", 2 * round));
        let mut killed = lab.daemon("");
        killed.wait_log("connected");
        killed.kill9();
        writes(&lab, &format!("text {}", 2 * round + 1));
        let fault = format!("sync-fails-after:{}", 4 + 3 * round);
        let mut broken = Daemon::with_fault(&lab.config(""), &lab.socket(), &fault);
        broken.log_within("remedy: ", Duration::from_secs(10));
        broken.kill9();
    }
    let daemon = lab.daemon("");
    let mut events = subscribe(&lab, first);
    for n in 0..6 {
        assert_eq!(message(&next(&mut events)), (n + 2, format!("text {n}").as_str()));
    }
    writes(&lab, "after");
    assert_eq!(message(&next(&mut events)), (8, "after"));
    assert_eq!(listed(&daemon, 3).len(), 8);
}

#[test]
fn what_the_server_delivers_twice_is_told_once() {
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    let daemon = paired(&lab, "");
    let mut events = subscribe(&lab, 0);
    // Twice on the same connection, and again at the next login because the server took
    // no note of the receipt.
    lab.sim.call("server.set", json!({ "deliver_twice": true, "ignore_receipts": true }));
    for n in 1..=5 {
        writes(&lab, &format!("text {n}"));
        assert_eq!(message(&next(&mut events)), (n, format!("text {n}").as_str()));
    }
    lab.sim.call("server.disconnect", json!({}));
    events.wait("the loss", |event| event["event"] == "status" && !session_is(event, "connected"));
    events.wait("the return", |event| session_is(event, "connected"));
    lab.sim.call("server.set", json!({ "deliver_twice": false, "ignore_receipts": false }));
    writes(&lab, "last");
    assert_eq!(message(&next(&mut events)), (6, "last"));
    assert_eq!(listed(&daemon, 200).len(), 6);
}

#[test]
fn a_reader_that_stops_reading_misses_nothing() {
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    let _daemon = paired(&lab, "");
    let mut slow = subscribe(&lab, 0);
    // More than the backlog of a subscriber, and more than a socket's buffer takes.
    let long = "x".repeat(8_000);
    for n in 1..=300 {
        writes(&lab, &format!("{n} {long}"));
    }
    wait_cursor(&lab, 300);
    for n in 1..=300 {
        let event = next(&mut slow);
        let (cursor, text) = message(&event);
        assert_eq!(cursor, n);
        assert!(text.starts_with(&format!("{n} ")));
    }
}

#[test]
fn a_cursor_from_elsewhere_is_refused_and_without_one_only_the_new_is_told() {
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    let daemon = paired(&lab, "");
    write_many(&lab, 1, 2);
    wait_cursor(&lab, 2);
    let (mut events, result) = Events::subscribe_with(&lab.socket(), json!({}));
    let newest = result["seq"].as_u64().unwrap();
    for (method, after, kind, says) in [
        ("events.subscribe", newest + 1_000, "feed_renewed", "newest number is "),
        ("inbox.list", 3, "invalid_params", "newest cursor is 2"),
    ] {
        let error = daemon.call(method, json!({ "after": after })).unwrap_err();
        assert_eq!(error["data"]["kind"], kind);
        assert!(error["message"].as_str().unwrap().contains(says), "{error}");
    }
    writes(&lab, "text 3");
    assert_eq!(message(&next(&mut events)), (3, "text 3"));
}

#[test]
fn an_inbox_that_is_switched_off_keeps_nothing_and_the_server_is_told_all_the_same() {
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    let daemon = paired(&lab, "[inbox]\nmax = 0\n");
    writes(&lab, "into nothing");
    lab.sim.call("server.wait", json!({ "received": 1 }));
    let list = daemon.call("inbox.list", json!({})).unwrap();
    assert_eq!(list, json!({ "messages": [], "newest": 0 }));
}

#[test]
fn a_file_is_fetched_on_request_within_its_bound_and_while_connected() {
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    let daemon = paired(&lab, "[inbox]\nfile_max = \"1KiB\"\n");
    let mut events = subscribe(&lab, 0);
    for (bytes, name) in [(5, "small.bin"), (2_000, "large.bin"), (7, "other.bin")] {
        let file = json!({
            "kind": "document", "mime": "application/x-test", "name": name,
            "caption": "see this", "bytes": bytes,
        });
        lab.sim.call("media.send", json!({ "number": FRIEND, "file": file }));
        let event = next(&mut events);
        let told = &event["message"];
        assert_eq!((&told["kind"], &told["text"]), (&json!("document"), &json!("see this")));
        assert_eq!(told["file"]["bytes"], bytes, "{event}");
        assert_eq!(told["file"]["name"], name);
    }
    let fetched = daemon.call("inbox.file", json!({ "cursor": 1, "inline": true })).unwrap();
    assert_eq!(fetched["base64"], "AAECAwQ=");
    let got = daemon.ctl().args(&["inbox", "file", "1"]).ok();
    assert_eq!(got.as_bytes(), [0, 1, 2, 3, 4]);
    let error = daemon.call("inbox.file", json!({ "cursor": 2, "inline": true })).unwrap_err();
    assert_eq!(error["data"]["kind"], "file_too_large", "{error}");
    let error = daemon.call("inbox.file", json!({ "cursor": 4, "inline": true })).unwrap_err();
    assert_eq!(error["data"]["kind"], "not_found", "{error}");
    // The state directory holds no trace of it.
    let names: Vec<String> = std::fs::read_dir(lab.path().join("state"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.iter().all(|name| !name.contains("bin")), "{names:?}");

    // Without a connection one that was not asked for before cannot be had now, and says when
    // to ask again. One that was is not fetched anew.
    lab.sim.call("server.replace_session", json!({}));
    events.wait("the end of the session", |event| session_is(event, "replaced"));
    let again = daemon.call("inbox.file", json!({ "cursor": 1, "inline": true })).unwrap();
    assert_eq!(again["base64"], "AAECAwQ=");
    let error = daemon.call("inbox.file", json!({ "cursor": 3, "inline": true })).unwrap_err();
    assert_eq!(error["data"]["kind"], "file_gone", "{error}");
    assert!(error["data"]["retry_after_ms"].is_u64(), "{error}");
}
