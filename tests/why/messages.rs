//! The causes that lie with single messages, the server's answers, and the pace.

use jiff::ToSpan as _;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tetherd_api::{ConditionKind, Time};

use super::{Stage, quiet, run_remedy};
use crate::support::{Answer, Daemon, Events, Lab, Web, message_is, start_with_web};

const TO: &str = "+15550111";
const ABSENT: &str = "+15550199";
const FAST: &str = "[pacing]\nmessages = 60\nwindow = \"1s\"\n";

/// A file through `tetherctl send --file`: its message's id.
fn send_file(lab: &Lab, daemon: &Daemon) -> String {
    let path = lab.path().join("note.txt");
    std::fs::write(&path, "some words\n".repeat(10_000)).unwrap();
    let path = path.to_str().unwrap();
    let out = daemon.ctl().args(&["--json", "send", TO, "--file", path]).ok();
    let sent: Value = serde_json::from_str(&out).unwrap();
    sent["message"]["id"].as_str().unwrap().to_owned()
}

#[track_caller]
fn parked(events: &mut Events, id: &str) {
    events.wait("the message to be parked", |event| message_is(event, id, "parked"));
}

pub(super) const SHELF: &[ConditionKind] = &[
    ConditionKind::NotOnNetwork,
    ConditionKind::Refused,
    ConditionKind::NotSendable,
    ConditionKind::FileTrouble,
];

#[test]
fn what_is_set_aside_with_its_reason() {
    let lab = Lab::new();
    lab.people(&[TO]);
    let daemon = lab.paired_with(FAST);
    let mut events = daemon.events();
    let mut stage = Stage::set(SHELF, &daemon);

    let id = daemon.send(ABSENT, "to nobody");
    parked(&mut events, &id);
    stage.during(&daemon, ConditionKind::NotOnNetwork, "nobody has this number", &[&id]);
    run_remedy(&daemon, ConditionKind::NotOnNetwork);
    stage.after(&daemon, ConditionKind::NotOnNetwork, "queue.clear");

    lab.sim.call("server.set", json!({ "ack_error": { "code": 488, "to": TO } }));
    let id = daemon.send(TO, "refused");
    parked(&mut events, &id);
    stage.during(&daemon, ConditionKind::Refused, "server.set ack_error 488", &[&id]);
    lab.sim.call("server.set", json!({ "ack_error": false }));
    run_remedy(&daemon, ConditionKind::Refused);
    events.wait_until_sent(&[id]);
    stage.after(&daemon, ConditionKind::Refused, "ack_error off, queue.retry");

    // The daemon has the list from before it was removed, and the server refuses the rest.
    let group = json!({ "subject": "Walks", "members": [TO, "+15550100"] });
    let group = lab.sim.call("group.add", group)["jid"].as_str().unwrap().to_owned();
    daemon.call("group.list", json!({})).unwrap();
    lab.sim.call("group.set", json!({ "jid": group, "members": [TO], "silent": true }));
    let id = daemon.send(&group, "to a group that it has left");
    parked(&mut events, &id);
    stage.during(&daemon, ConditionKind::NotSendable, "removed from the group", &[&id]);
    run_remedy(&daemon, ConditionKind::NotSendable);
    stage.after(&daemon, ConditionKind::NotSendable, "queue.clear");

    lab.sim.call("media.set", json!({ "fail_status": 413, "fail_times": 1 }));
    let id = send_file(&lab, &daemon);
    parked(&mut events, &id);
    stage.during(&daemon, ConditionKind::FileTrouble, "media.set fail_status 413", &[&id]);
    run_remedy(&daemon, ConditionKind::FileTrouble);
    stage.after(&daemon, ConditionKind::FileTrouble, "queue.clear");
    stage.end();
}

pub(super) const WAITING: &[ConditionKind] = &[
    ConditionKind::NumberUnchecked,
    ConditionKind::NotBefore,
    ConditionKind::FileUnderway,
    ConditionKind::NoAnswer,
];

#[test]
fn what_waits_for_an_answer_its_time_or_its_file() {
    let lab = Lab::new();
    lab.people(&[TO]);
    let daemon = lab.paired_with(FAST);
    let mut events = daemon.events();
    let mut stage = Stage::set(WAITING, &daemon);

    // While nothing may leave nobody is asked: that is not what it waits for.
    daemon.call("queue.pause", json!({})).unwrap();
    let id = daemon.send(TO, "is the number there?");
    quiet(&daemon, ConditionKind::NumberUnchecked, "queue.pause");
    lab.sim.call("server.set", json!({ "check": "silent" }));
    daemon.call("queue.resume", json!({})).unwrap();
    stage.during(&daemon, ConditionKind::NumberUnchecked, "server.set check silent", &[&id]);
    lab.sim.call("server.set", json!({ "check": "ok" }));
    lab.sim.call("server.disconnect", json!({}));
    events.wait_until_sent(&[id]);
    stage.after(&daemon, ConditionKind::NumberUnchecked, "check ok, on a new connection");

    let due = Time(jiff::Timestamp::now().as_millisecond() + 5_000).to_string();
    let params = json!({ "to": TO, "text": "later", "not_before": due });
    let sent = daemon.call("message.send", params).unwrap();
    let id = sent["message"]["id"].as_str().unwrap().to_owned();
    stage.during(&daemon, ConditionKind::NotBefore, "not_before in five seconds", &[&id]);
    events.wait_until_sent(&[id]);
    stage.after(&daemon, ConditionKind::NotBefore, "its time has come");

    lab.sim.call("media.set", json!({ "stall_after": 10_000 }));
    let id = send_file(&lab, &daemon);
    lab.sim.call("media.wait", json!({ "stalled": 1 }));
    stage.during(&daemon, ConditionKind::FileUnderway, "media.set stall_after 10000", &[&id]);
    lab.sim.call("media.set", json!({ "go_on": true }));
    events.wait_until_sent(&[id]);
    stage.after(&daemon, ConditionKind::FileUnderway, "media.set go_on");

    lab.sim.call("server.set", json!({ "lose_messages": true }));
    // The new connection that would bring the next attempt does not come about.
    lab.sim.call("server.fail_login", json!({ "reason": 503, "times": 1_000 }));
    let id = daemon.send(TO, "did it arrive?");
    events.wait("the doubt", |event| message_is(event, &id, "unknown"));
    stage.during(&daemon, ConditionKind::NoAnswer, "server.set lose_messages", &[&id]);
    lab.sim.call("server.set", json!({ "lose_messages": false }));
    lab.sim.call("server.fail_login", json!({ "reason": 503, "times": 0 }));
    run_remedy(&daemon, ConditionKind::NoAnswer);
    events.wait_until_sent(&[id]);
    stage.after(&daemon, ConditionKind::NoAnswer, "messages arrive again");
    stage.end();
}

pub(super) const LINKS: &[ConditionKind] =
    &[ConditionKind::LinkBroken, ConditionKind::LinkDoubtful];

#[test]
fn links_that_lead_nowhere_and_links_in_doubt() {
    let lab = Lab::new();
    lab.people(&[TO]);
    let web = Web::start();
    web.set("/gone", Answer::Status(410));
    web.set("/down", Answer::Status(500));
    let daemon = start_with_web(&lab, FAST);
    lab.pair(&daemon);
    let mut events = daemon.events();
    let mut stage = Stage::set(LINKS, &daemon);

    let id = daemon.send(TO, &format!("look: {}", web.url("/gone")));
    parked(&mut events, &id);
    stage.during(&daemon, ConditionKind::LinkBroken, "the page answers 410", &[&id]);
    web.set("/gone", Answer::Status(200));
    run_remedy(&daemon, ConditionKind::LinkBroken);
    events.wait_until_sent(&[id]);
    stage.after(&daemon, ConditionKind::LinkBroken, "it answers 200, queue.retry");

    daemon.call("queue.pause", json!({})).unwrap();
    let id = daemon.send(TO, &format!("look: {}", web.url("/down")));
    events.wait("the link to be looked at", |event| message_is(event, &id, "queued"));
    stage.during(&daemon, ConditionKind::LinkDoubtful, "the page answers 500", &[&id]);
    daemon.call("queue.resume", json!({})).unwrap();
    events.wait_until_sent(&[id]);
    stage.after(&daemon, ConditionKind::LinkDoubtful, "the message has left all the same");
    stage.end();
}

pub(super) const SERVER: &[ConditionKind] =
    &[ConditionKind::ReachoutTimelock, ConditionKind::RateLimited];

#[test]
fn a_server_that_refuses_new_contacts_and_one_that_wants_less() {
    let lab = Lab::new();
    lab.people(&[TO, "+15550112"]);
    let daemon = lab.paired_with("[pacing]\nwindow = \"1s\"\nslow_first = \"6s\"\n");
    let mut events = daemon.events();
    lab.writes(&mut events, TO);
    let mut stage = Stage::set(SERVER, &daemon);

    lab.sim.call("server.timelock", json!({ "active": true, "ends_in_s": 3600 }));
    events.wait("the timelock", |event| event["status"]["session"]["timelock_until"].is_string());
    let id = daemon.send("+15550112", "to somebody new");
    stage.during(&daemon, ConditionKind::ReachoutTimelock, "server.timelock active", &[&id]);
    let message = daemon.message(&id);
    assert_eq!(message["held_by"], "reachout_timelock", "{message}");
    let sent = daemon.ctl().args(&["send", "+15550112", "and again"]).ok();
    assert!(sent.contains(", leaves in ") && sent.contains("reachout_timelock"), "{sent}");
    for args in [&["queue"][..], &["show", &id], &["status"], &["why"]] {
        let said = daemon.ctl().args(args).ok();
        let times = ["next ", "leaves ", "queued "].map(|of| said.split(of).nth(1));
        let now = times.iter().flatten().any(|of| of.lines().next().unwrap().contains("now"));
        assert!(!now, "{args:?}: {said}");
    }
    lab.sim.call("server.timelock", json!({ "active": false }));
    let again = sent.split_whitespace().next().unwrap().to_owned();
    events.wait_until_sent(&[id, again]);
    stage.after(&daemon, ConditionKind::ReachoutTimelock, "server.timelock lifted");

    lab.sim.call("server.set", json!({ "ack_error": { "code": 429, "times": 1 } }));
    let id = daemon.send(TO, "too many");
    events.wait("the slow-down", |event| event["status"]["pacing"]["slowed_until"].is_string());
    stage.during(&daemon, ConditionKind::RateLimited, "server.set ack_error 429", &[&id]);
    events.wait_until_sent(&[id]);
    stage.after(&daemon, ConditionKind::RateLimited, "six seconds later");
    stage.end();
}

pub(super) const HOURS: &[ConditionKind] = &[ConditionKind::OutsideHours];

#[test]
fn a_time_at_which_no_message_leaves() {
    let lab = Lab::new();
    lab.people(&[TO]);
    let mut daemon = lab.paired_with("");
    let mut stage = Stage::set(HOURS, &daemon);
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    let [from, to] = [2, 3].map(|n| (&now + n.hours()).strftime("%H:%M").to_string());
    let hours = format!("[pacing]\ntime_zone = \"UTC\"\nhours = [\"Mon-Sun {from}-{to}\"]\n");
    lab.config(&hours);
    daemon.signal(Signal::SIGHUP);
    daemon.wait_log("reloaded: ");
    let id = daemon.send(TO, "at work");
    stage.during(&daemon, ConditionKind::OutsideHours, "the hours begin later", &[&id]);
    let why = daemon.ctl().args(&["why"]).ok();
    assert!(why.contains("outside the sending hours; the next message leaves at"), "{why}");
    let mut events = daemon.events();
    lab.config("");
    daemon.signal(Signal::SIGHUP);
    events.wait_until_sent(&[id]);
    stage.after(&daemon, ConditionKind::OutsideHours, "there are no hours to keep");
    stage.end();
}

pub(super) const PACE: &[ConditionKind] = &[ConditionKind::Pacing];

#[test]
fn more_messages_than_may_leave_now() {
    let lab = Lab::new();
    lab.people(&[TO]);
    let daemon = lab.paired_with("[pacing]\nmessages = 2\nwindow = \"8s\"\n");
    let mut events = daemon.events();
    let mut stage = Stage::set(PACE, &daemon);
    let ids = ["one", "two", "three", "four"].map(|text| daemon.send(TO, text));
    events.wait_until_sent(&ids[..2]);
    stage.during(
        &daemon,
        ConditionKind::Pacing,
        "four messages, two may leave",
        &[&ids[2], &ids[3]],
    );
    events.wait_until_sent(&ids[2..]);
    stage.after(&daemon, ConditionKind::Pacing, "the window has passed");
    stage.end();
}
