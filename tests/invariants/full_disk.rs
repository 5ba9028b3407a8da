//! A full disk with the real binaries: new messages are refused, and what makes room goes on.

use std::fs;

use serde_json::json;

use super::{TO, send_until_refused};
use crate::support::{Daemon, Lab};

const MIB: u64 = 1024 * 1024;

#[test]
fn on_a_full_disk_new_messages_are_refused_and_list_cancel_and_clear_work() {
    let lab = Lab::new();
    let (config, free) = (lab.config(""), lab.path().join("free"));
    let reserve = lab.path().join("state/reserve");
    let have = |bytes: u64| fs::write(&free, bytes.to_string()).unwrap();
    have(200 * MIB);
    let mut daemon = Daemon::with_free_bytes(&config, &lab.socket(), &free);
    daemon.wait_log(" ready ");
    assert_eq!(fs::metadata(&reserve).unwrap().len(), 8 * MIB);
    let ids: Vec<String> = (0..4).map(|n| daemon.send(TO, &format!("text {n}"))).collect();

    // The disk fills up: it is noticed once the journal's changes need room in the database.
    have(MIB);
    let (long, refused) = send_until_refused(&lab, 60_000);
    assert!(!reserve.exists());
    assert_eq!(refused["data"]["kind"], "disk_full", "{refused}");
    assert!(refused["data"]["remedy"].as_str().unwrap().contains("make room"), "{refused}");
    let sent = daemon.ctl().args(&["send", TO, "x"]).run();
    assert_eq!(sent.status.code(), Some(75));
    let why = daemon.ctl().args(&["why"]).run();
    let why = String::from_utf8(why.stdout).unwrap();
    assert!(why.contains("disk of the state directory is full"), "{why}");
    assert!(why.contains("    Do: make room on that disk"), "{why}");
    // Each command that it names can be typed.
    for command in why.split("`tetherctl ").skip(1) {
        let name = command.split(['`', ' ']).next().unwrap();
        let help = daemon.ctl().args(&[name, "--help"]).run();
        assert!(help.status.success(), "{name}: {why}");
    }
    daemon.call("queue.cancel", json!({ "ids": ids })).unwrap();
    let total = daemon.call("queue.list", json!({})).unwrap()["total"].as_u64().unwrap();
    assert_eq!(total, u64::try_from(long.len()).unwrap());

    // It starts on a full disk too, as long as the reserve was enough.
    daemon.kill9();
    let mut daemon = Daemon::with_free_bytes(&config, &lab.socket(), &free);
    daemon.wait_log(" ready ");
    assert_eq!(daemon.status()["queue"]["queued"], total);
    daemon.call("queue.clear", json!({})).unwrap();
    assert_eq!(daemon.status()["queue"]["queued"], 0);
    assert!(daemon.call("message.send", json!({ "to": TO, "text": "x" })).is_err());

    // There is room again: nobody has to do anything.
    let mut events = daemon.events();
    have(200 * MIB);
    while daemon.status()["conditions"].to_string().contains("disk_full") {
        events.wait("a change of the status", |event| event["event"] == "status");
    }
    daemon.send(TO, "after");
    assert!(reserve.exists());
    assert!(daemon.stop().success());
}
