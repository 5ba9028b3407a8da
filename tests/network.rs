//! What the network answers beside acks: another session, a logout, a ban, a refused
//! version, a timelock, a rate limit. The daemon stays up through all of them.

use serde_json::{Value, json};

use crate::support::{ACCOUNT, Daemon, Events, Lab, has_left, message_is, session_is};

const PACE: &str = "[pacing]\nwindow = \"3s\"\n";

/// How often a client logged in or was turned away.
fn logins(lab: &Lab) -> u64 {
    let stats = lab.sim.call("server.stats", json!({}));
    stats["logins"].as_u64().unwrap() + stats["login_failures"].as_u64().unwrap()
}

fn replace(lab: &Lab, events: &mut Events) {
    let answer = lab.sim.call("server.replace_session", json!({}));
    assert_eq!(answer["replaced"], 1);
    events.wait("the takeover", |event| session_is(event, "replaced"));
}

/// The kinds of the holds that stand.
fn holds(status: &Value) -> Vec<&str> {
    let conditions = status["conditions"].as_array().unwrap().iter();
    conditions.filter(|c| c["holds"] == "all").map(|c| c["kind"].as_str().unwrap()).collect()
}

/// Messages are accepted, shown, cancelled and cleared, whatever the network says.
fn the_queue_is_at_hand(daemon: &Daemon) {
    let first = daemon.send("+15550111", "waits");
    let second = daemon.send("+15550112", "waits too");
    let list = daemon.call("queue.list", json!({})).unwrap();
    assert_eq!(list["total"], 2);
    let cancelled = daemon.call("queue.cancel", json!({ "ids": [first] })).unwrap();
    assert_eq!(cancelled["cancelled"], json!([first]));
    let cleared = daemon.call("queue.clear", json!({})).unwrap();
    assert_eq!(cleared["cleared"], 1);
    assert_eq!(daemon.message(&second)["state"], "cancelled");
    assert_eq!(daemon.status()["queue"]["queued"], 0);
}

#[test]
fn invariant_11_replaced_ten_times_in_a_minute_makes_no_reconnect_storm() {
    let lab = Lab::new();
    let mut daemon = lab.paired();
    let mut events = daemon.events();
    let before = logins(&lab);
    for round in 0..10 {
        replace(&lab, &mut events);
        // Whoever takes over a session that we no longer hold takes nothing from us.
        let again = lab.sim.call("server.replace_session", json!({}));
        assert_eq!(again["replaced"], 0, "round {round}");
        if round < 9 {
            daemon.call("session.takeover", json!({})).unwrap();
            events.wait("the session to connect", |event| session_is(event, "connected"));
        }
    }
    assert_eq!(logins(&lab) - before, 9, "one for each command, none of its own");
    let status = daemon.status();
    assert_eq!(status["session"]["replaced_last_hour"], 10);
    assert_eq!(holds(&status), ["other_session"]);
    daemon.wait_log("hold began condition=other_session waiting=0");
    let told = daemon.ctl().args(&["status"]).ok();
    assert!(told.contains("replaced 10 times in the last hour"), "{told}");
    let why = daemon.ctl().args(&["why"]).ok();
    assert!(why.contains("- it happened 10 times in the last hour"), "{why}");
    let error = daemon.call("session.reconnect", json!({})).unwrap_err();
    assert_eq!(error["data"]["remedy"], "tetherctl takeover");
}

#[test]
fn automatic_takeovers_end_when_they_are_used_up_and_a_kill_gives_none_back() {
    let lab = Lab::new();
    let session =
        "on_conflict = \"takeover_after\"\ntakeover_after = \"1s\"\ntakeovers_per_hour = 2\n";
    let config = lab.config_with_session(PACE, session);
    let mut daemon = Daemon::start(&config, &lab.socket());
    lab.pair(&daemon);
    let mut events = daemon.events();
    let before = logins(&lab);
    for _ in 0..2 {
        replace(&lab, &mut events);
        events.wait("the session to be taken back", |event| session_is(event, "connected"));
    }
    replace(&lab, &mut events);
    let status = daemon.status();
    let at: jiff::Timestamp = status["session"]["takeover_at"].as_str().unwrap().parse().unwrap();
    let in_s = at.as_second() - jiff::Timestamp::now().as_second();
    assert!(in_s > 3_000, "the next one comes in {in_s} s");
    let by_itself = status["conditions"][0]["by_itself"].as_str().unwrap();
    assert!(by_itself.contains("No more takeovers by itself are allowed"), "{status}");

    drop(events);
    daemon.kill9();
    let daemon = Daemon::start(&config, &lab.socket());
    let status = daemon.status();
    assert_eq!(holds(&status), ["other_session"]);
    let at: jiff::Timestamp = status["session"]["takeover_at"].as_str().unwrap().parse().unwrap();
    assert!(at.as_second() - jiff::Timestamp::now().as_second() > 3_000);
    assert_eq!(status["session"]["replaced_last_hour"], 3);
    assert_eq!(logins(&lab) - before, 2);
    // By command it is always allowed.
    let mut events = daemon.events();
    daemon.call("session.takeover", json!({})).unwrap();
    events.wait("the session to connect", |event| session_is(event, "connected"));
}

#[test]
fn logged_out_from_the_phone_the_queue_stays_at_hand_and_goes_on_after_pairing() {
    let lab = Lab::new();
    lab.people(&["+15550111", "+15550112"]);
    let mut daemon = lab.paired();
    let mut events = daemon.events();
    lab.sim.call("phone.unlink", json!({}));
    events.wait("the logout", |event| session_is(event, "logged_out"));
    daemon.wait_log("session logged_out");
    assert_eq!(holds(&daemon.status()), ["logged_out"]);
    the_queue_is_at_hand(&daemon);
    let id = daemon.send("+15550111", "after pairing again");
    let before = logins(&lab);
    let error = daemon.call("session.reconnect", json!({})).unwrap_err();
    assert_eq!(error["data"]["remedy"], "tetherctl pair");
    assert_eq!(logins(&lab), before);
    lab.pair(&daemon);
    events.wait_until_sent(&[id]);
}

#[test]
fn each_refusal_of_a_login_has_its_hold_and_leaves_the_queue_at_hand() {
    for (reason, state, hold) in [
        (401, "logged_out", "logged_out"),
        (403, "locked", "locked"),
        (406, "banned_for_good", "banned_for_good"),
        (405, "outdated", "client_outdated"),
    ] {
        let lab = Lab::new();
        let mut daemon = lab.paired();
        let mut events = daemon.events();
        lab.sim.call("server.fail_login", json!({ "reason": reason }));
        lab.sim.call("server.disconnect", json!({}));
        events.wait(hold, |event| session_is(event, state));
        daemon.wait_log(&format!("session {state}"));
        assert_eq!(holds(&daemon.status()), [hold], "{reason}");
        let before = logins(&lab);
        the_queue_is_at_hand(&daemon);
        assert_eq!(logins(&lab), before, "it does not knock again");
    }
}

#[test]
fn a_ban_ends_by_itself_and_the_queue_stays_at_hand_meanwhile() {
    let lab = Lab::new();
    lab.people(&["+15550111", "+15550112"]);
    let mut daemon = lab.paired();
    let mut events = daemon.events();
    lab.sim.call("server.fail_login", json!({ "reason": 402, "code": 101, "expire": 6 }));
    lab.sim.call("server.disconnect", json!({}));
    let event = events.wait("the ban", |event| session_is(event, "banned"));
    let hold = &event["status"]["conditions"][0];
    assert_eq!(hold["kind"], "banned");
    assert!(hold["until"].is_string(), "{hold}");
    daemon.wait_log("session banned");
    the_queue_is_at_hand(&daemon);
    let id = daemon.send("+15550111", "after the ban");
    let before = logins(&lab);
    events.wait("the ban to end", |event| session_is(event, "connected"));
    assert_eq!(logins(&lab) - before, 1, "one login, when the ban was over");
    events.wait_until_left(&daemon, &[id]);
}

#[test]
fn a_server_that_is_out_of_order_for_now_is_tried_again() {
    let lab = Lab::new();
    let daemon = lab.paired();
    let mut events = daemon.events();
    for reason in [500, 503] {
        lab.sim.call("server.fail_login", json!({ "reason": reason, "times": 2 }));
        lab.sim.call("server.disconnect", json!({}));
        events.wait("the loss", |event| session_is(event, "waiting"));
        events.wait("the session to connect", |event| session_is(event, "connected"));
    }
    lab.sim.call("server.stream_error", json!({ "code": 503 }));
    events.wait("the loss", |event| session_is(event, "waiting"));
    events.wait("the session to connect", |event| session_is(event, "connected"));
}

#[test]
fn a_timelock_holds_new_contacts_back_until_it_is_lifted() {
    let lab = Lab::new();
    lab.people(&["+15550111", "+15550112"]);
    let mut daemon = lab.paired();
    let mut events = daemon.events();
    lab.writes(&mut events, "+15550111");
    lab.sim.call("server.timelock", json!({ "active": true, "ends_in_s": 3600 }));
    events.wait("the timelock", |event| event["status"]["session"]["timelock_until"].is_string());
    daemon.wait_log("messages to new contacts wait");
    let new = ["one", "two"].map(|text| daemon.send("+15550112", text));
    let friend = daemon.send("+15550111", "goes on");
    let jid = lab.sim.call(
        "group.add",
        json!({
            "subject": "group", "members": ["+15550111", "+15550112", format!("+{ACCOUNT}")]
        }),
    );
    let group = daemon.send(jid["jid"].as_str().unwrap(), "goes on, too");
    events.wait_until_sent(&[friend, group]);
    for id in &new {
        assert_eq!(daemon.message(id)["state"], "queued");
    }
    let told = daemon.ctl().args(&["status"]).ok();
    assert!(told.contains("contacts messages to new ones wait"), "{told}");

    drop(events);
    daemon.kill9();
    let daemon = lab.daemon(PACE);
    let mut events = daemon.events();
    events.wait("the session to connect", |event| session_is(event, "connected"));
    assert!(daemon.status()["session"]["timelock_until"].is_string());
    assert_eq!(daemon.message(&new[0])["state"], "queued");
    lab.sim.call("server.timelock", json!({ "active": false }));
    events.wait_until_sent(&new);
    // The group's message is in the inbox as well.
    let texts = lab.sim.texts("+15550112");
    assert_eq!(texts[texts.len() - 2..], ["one", "two"]);
}

#[test]
fn who_wrote_to_us_is_no_new_contact() {
    let lab = Lab::new();
    lab.people(&["+15550111", "+15550112"]);
    let daemon = lab.paired();
    let mut events = daemon.events();
    lab.writes(&mut events, "+15550112");
    lab.sim.call("server.timelock", json!({ "active": true, "ends_in_s": 3600 }));
    events.wait("the timelock", |event| event["status"]["session"]["timelock_until"].is_string());
    let stranger = daemon.send("+15550111", "waits");
    let friend = daemon.send("+15550112", "goes on");
    events.wait_until_sent(&[friend]);
    assert_eq!(daemon.message(&stranger)["state"], "queued");
}

#[test]
fn a_timelock_that_was_told_to_nobody_is_asked_for_after_a_refusal_and_ends_by_itself() {
    let lab = Lab::new();
    lab.people(&["+15550111", "+15550112"]);
    let daemon = lab.paired();
    let mut events = daemon.events();
    lab.sim.call("server.timelock", json!({ "active": true, "ends_in_s": 8, "notify": false }));
    let first = daemon.send("+15550111", "first");
    // A refusal alone may be about a token: the server is asked first.
    events.wait("the reason", |event| {
        let reason = json!({ "kind": "reachout_timelock", "code": 463 });
        message_is(event, &first, "parked") && event["message"]["reason"] == reason
    });
    let later = daemon.send("+15550111", "second");
    events.wait("the server's word on when it ends", |event| {
        let until = event["status"]["session"]["timelock_until"].as_str();
        until
            .and_then(|until| until.parse::<jiff::Timestamp>().ok())
            .is_some_and(|until| until.as_second() - jiff::Timestamp::now().as_second() < 60)
    });
    assert_eq!(daemon.message(&later)["state"], "queued");
    events.wait_until_sent(&[first, later]);
    assert_eq!(lab.sim.texts("+15550111"), ["first", "second"]);
    assert_eq!(daemon.status()["session"]["timelock_until"], Value::Null);
}

#[test]
fn a_refused_new_contact_holds_the_other_new_ones_back_and_nobody_else() {
    let lab = Lab::new();
    lab.people(&["+15550111", "+15550112", "+15550113"]);
    let daemon = lab.paired();
    let mut events = daemon.events();
    lab.writes(&mut events, "+15550111");
    lab.sim.call("server.timelock", json!({ "active": true, "notify": false }));
    let refused = daemon.send("+15550112", "refused");
    events.wait("the refusal", |event| message_is(event, &refused, "parked"));
    let new = daemon.send("+15550113", "waits");
    let friend = daemon.send("+15550111", "goes on");
    events.wait_until_sent(&[friend]);
    assert_eq!(daemon.message(&new)["state"], "queued");
    lab.sim.call("server.timelock", json!({ "active": false }));
    events.wait_until_sent(&[refused, new]);
}

#[test]
fn a_rate_limit_pauses_the_queue_and_every_message_arrives_once_over_a_kill() {
    let lab = Lab::new();
    lab.people(&["+15550111"]);
    let config = "[pacing]\nwindow = \"3s\"\nslow_first = \"4s\"\n";
    let mut daemon = lab.paired_with(config);
    let mut events = daemon.events();
    lab.sim.call("server.set", json!({ "ack_error": { "code": 429, "times": 1 } }));
    let ids = ["one", "two"].map(|text| daemon.send("+15550111", text));
    let event =
        events.wait("the slow-down", |event| event["status"]["pacing"]["slowed_until"].is_string());
    let until = event["status"]["pacing"]["slowed_until"].as_str().unwrap().to_owned();
    assert_eq!(daemon.message(&ids[0])["state"], "queued");
    let told = daemon.ctl().args(&["status"]).ok();
    assert!(told.contains("slowed   the server asked for it"), "{told}");
    drop(events);
    daemon.kill9();
    let daemon = lab.daemon(config);
    daemon.events().wait_until_left(&daemon, &ids);
    let until: jiff::Timestamp = until.parse().unwrap();
    let sent: jiff::Timestamp =
        daemon.message(&ids[0])["sent_at"].as_str().unwrap().parse().unwrap();
    assert!(sent >= until, "{sent} is before {until}");
    assert_eq!(lab.sim.texts("+15550111"), ["one", "two"]);
}

#[test]
fn requests_that_are_too_many_slow_down_and_the_message_waits() {
    let lab = Lab::new();
    lab.people(&["+15550111"]);
    // The question about the number would be the request that is refused.
    let config = "[preflight]\nnumbers = false\n[pacing]\nwindow = \"3s\"\nslow_first = \"1s\"\n";
    let daemon = lab.paired_with(config);
    let mut events = daemon.events();
    // The login may still be asking for our own devices: that is one of them.
    lab.sim.call("server.set", json!({ "limit_requests": 3 }));
    let id = daemon.send("+15550111", "waits a moment");
    events.wait("the slow-down", |event| event["status"]["pacing"]["slowed_until"].is_string());
    events.wait("the message", |event| has_left(event, &id));
    assert_eq!(lab.sim.texts("+15550111"), ["waits a moment"]);
}

#[test]
fn an_unknown_refusal_is_kept_with_its_code_and_only_for_whom_it_was_meant() {
    let lab = Lab::new();
    lab.people(&["+15550111", "+15550112"]);
    let mut daemon = lab.paired();
    let mut events = daemon.events();
    lab.sim.call("server.set", json!({ "ack_error": { "code": 488, "to": "+15550111" } }));
    let refused = daemon.send("+15550111", "refused");
    let other = daemon.send("+15550112", "goes");
    events.wait("the refusal", |event| message_is(event, &refused, "parked"));
    events.wait_until_left(&daemon, std::slice::from_ref(&other));
    let message = daemon.message(&refused);
    assert_eq!(message["reason"], json!({ "kind": "refused", "code": 488 }));
    drop(events);
    daemon.kill9();
    let daemon = lab.daemon(PACE);
    let explained = daemon.call("explain", json!({})).unwrap();
    let told = explained["conditions"].as_array().unwrap().iter().find(|c| c["kind"] == "refused");
    assert!(told.unwrap().to_string().contains("488"), "{explained}");
}

#[test]
fn a_flood_of_receipts_for_foreign_messages_is_outlived() {
    let lab = Lab::new();
    lab.people(&["+15550111"]);
    let daemon = lab.paired();
    let mut events = daemon.events();
    for _ in 0..3 {
        lab.sim.call("server.flood", json!({ "count": 15_000 }));
    }
    let id = daemon.send("+15550111", "after the flood");
    events.wait_until_sent(&[id]);
    assert_eq!(daemon.status()["queue"]["queued"], 0);
    assert_eq!(lab.sim.texts("+15550111"), ["after the flood"]);
}
