//! The account's troubles, end to end: what the server does, what `tetherctl` says of it, what
//! happens to messages and keys, and what happens by itself.

use serde_json::{Value, json};

use crate::support::{ACCOUNT, Daemon, Lab, session_is};

const TO: &str = "+15550111";
/// More than the pause after a lock's first login, in milliseconds.
const LATER_MS: &str = "3700000";

fn stats(lab: &Lab) -> Value {
    lab.sim.call("server.stats", json!({}))
}

/// Ends the connection, and the next logins like this.
fn fail_logins(lab: &Lab, failure: Value) {
    lab.sim.call("server.fail_login", failure);
    lab.sim.call("server.disconnect", json!({}));
}

#[test]
fn invariant_11_a_lock_keeps_the_keys_and_leaves_the_server_alone() {
    let lab = Lab::new();
    lab.people(&[TO]);
    let mut daemon = lab.paired();
    let mut events = daemon.events();
    fail_logins(
        &lab,
        json!({
            "reason": 403,
            "quiet_s": 3600,
            "logout_message_header": "Account\nlocked",
            "logout_message_subtext": "Open WhatsApp on your phone",
            "appeal_token": "SECRET-TOKEN",
        }),
    );
    events.wait("the lock", |event| session_is(event, "locked"));
    let refused = stats(&lab)["login_failures"].clone();
    let id = daemon.send(TO, "waits for the lock to end");
    assert_eq!(daemon.message(&id)["state"], "queued");

    let why = daemon.ctl().args(&["why"]).ok();
    assert!(why.contains("Account locked Open WhatsApp on your phone"), "{why}");
    assert!(why.contains("Do not pair again"), "{why}");
    assert!(!why.contains("SECRET"), "{why}");
    let status = daemon.ctl().args(&["status"]).ok();
    assert!(status.contains("the account is locked"), "{status}");
    let doctor = daemon.ctl().args(&["doctor"]).run();
    let said = String::from_utf8(doctor.stdout).unwrap();
    assert!(!doctor.status.success() && said.contains("has locked the account"), "{said}");

    let (code, said) = daemon.ctl().args(&["pair"]).fails();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("--anyway"), "{said}");
    let (code, said) = daemon.ctl().args(&["reconnect"]).fails();
    assert_eq!(code, 1, "{said}");

    // It dies in the middle of a pairing: the keys of before are still there.
    daemon.call("session.pair", json!({ "anyway": true })).unwrap();
    daemon.kill9();
    let offset = lab.path().join("offset");
    std::fs::write(&offset, "0").unwrap();
    let config = lab.config("[pacing]\nwindow = \"3s\"\n");
    let mut daemon = Daemon::with_clock(&config, &lab.socket(), &offset);
    assert_eq!(daemon.status()["session"]["state"], "locked");
    assert_eq!(daemon.status()["session"]["account"], format!("{ACCOUNT}@s.whatsapp.net"));
    assert_eq!(stats(&lab)["login_failures"], refused, "nobody tried");
    let log = daemon.log();
    assert!(!log.contains("Open WhatsApp") && !log.contains("SECRET"), "{log}");
    assert!(daemon.stop().success());

    // An hour later the daemon tries by itself, and the server takes the same keys.
    lab.sim.call("server.fail_login", json!({ "reason": 403, "times": 0 }));
    std::fs::write(&offset, LATER_MS).unwrap();
    let daemon = Daemon::with_clock(&config, &lab.socket(), &offset);
    daemon.events().wait_until_left(&daemon, &[id]);
    assert_eq!(stats(&lab)["pairings"], 1);
}

#[test]
fn invariant_11_a_ban_is_not_over_because_the_account_is_linked_again() {
    let lab = Lab::new();
    lab.people(&[TO]);
    let mut daemon = lab.paired();
    let mut events = daemon.events();
    fail_logins(&lab, json!({ "reason": 402, "expire": 3600 }));
    events.wait("the ban", |event| session_is(event, "banned"));
    let banned = |daemon: &Daemon| {
        let conditions = daemon.status()["conditions"].clone();
        let ban = conditions.as_array().unwrap().iter().find(|one| one["kind"] == "banned");
        ban.unwrap()["until"].clone()
    };
    let until = banned(&daemon);
    assert!(until.is_string());
    daemon.ctl().args(&["logout", "--yes"]).ok();
    let error = daemon.call("session.pair", json!({})).unwrap_err();
    assert_eq!(error["data"]["kind"], "account_barred", "{error}");

    let logins = stats(&lab)["logins"].clone();
    let offer = daemon.call("session.pair", json!({ "anyway": true })).unwrap();
    lab.sim.call("phone.scan", json!({ "qr": offer["offer"]["qr"], "account": ACCOUNT }));
    events.wait("the ban again", |event| session_is(event, "banned"));
    let id = daemon.send(TO, "waits for the ban to end");
    assert_eq!(banned(&daemon), until);
    assert!(daemon.stop().success());
    let daemon = lab.daemon("");
    assert_eq!(banned(&daemon), until);
    assert_eq!(daemon.message(&id)["state"], "queued");
    assert_eq!(stats(&lab)["logins"], logins, "no login into a ban");
}

#[test]
fn a_ban_without_an_end_or_a_code_is_named_and_tried_later() {
    let lab = Lab::new();
    let daemon = lab.paired();
    let mut events = daemon.events();
    fail_logins(&lab, json!({ "reason": 402, "message": "too many\u{202e} messages" }));
    let event = events.wait("the ban", |event| session_is(event, "banned"));
    let ban = &event["status"]["conditions"][0];
    assert_eq!((&ban["kind"], &ban["until"]), (&json!("banned"), &Value::Null), "{ban}");
    assert!(ban["by_itself_at"].is_string(), "{ban}");
    let why = daemon.ctl().args(&["why"]).ok();
    assert!(why.contains("too many messages"), "{why}");
    assert!(why.contains("named no end"), "{why}");
}

#[test]
fn an_unlinking_right_after_a_restriction_is_told_as_the_servers() {
    let lab = Lab::new();
    let daemon = lab.paired();
    let mut events = daemon.events();
    lab.sim.call("server.timelock", json!({ "active": true, "ends_in_s": 600_000 }));
    lab.sim.call("phone.unlink", json!({}));
    events.wait("the logout", |event| session_is(event, "logged_out"));
    let why = daemon.ctl().args(&["why"]).ok();
    assert!(why.contains("it was the server that unlinked this device"), "{why}");
    assert!(why.contains("linking anew at once makes it worse"), "{why}");
}

#[test]
fn an_account_whose_number_changed_sends_what_waited_for_it() {
    let lab = Lab::new();
    lab.people(&[TO]);
    let daemon = lab.paired();
    let mut events = daemon.events();
    daemon.call("queue.pause", json!({})).unwrap();
    let id = daemon.send(TO, "of the number before");
    lab.sim.call("phone.change_number", json!({ "to": "+15550177" }));
    events.wait("the unlinking", |event| session_is(event, "logged_out"));
    let offer = daemon.call("session.pair", json!({})).unwrap();
    let scan = json!({ "qr": offer["offer"]["qr"], "account": "+15550177" });
    lab.sim.call("phone.scan", scan);
    events.wait("the new number", |event| session_is(event, "connected"));
    let status = daemon.status();
    assert_eq!(status["session"]["account"], "15550177@s.whatsapp.net");
    assert!(!status.to_string().contains("account_changed"), "{status}");
    daemon.call("queue.resume", json!({})).unwrap();
    events.wait_until_sent(&[id]);
    assert_eq!(lab.sim.texts(TO), ["of the number before"]);
}
