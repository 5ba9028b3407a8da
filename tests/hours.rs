//! Sending hours, and slots that are kept for high priority.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{Daemon, Lab, has_left};

const ANN: &str = "+15550111";
const BEN: &str = "+15550112";

/// One hour of each day, which begins so many hours from now; in UTC.
fn hours_from_now(hours: i64) -> String {
    let from = Timestamp::now().to_zoned(TimeZone::UTC) + hours.hours();
    let to = &from + 1.hour();
    format!("[\"Mon-Sun {}-{}\"]", from.strftime("%H:%M"), to.strftime("%H:%M"))
}

fn config(hours: &str, more: &str) -> String {
    format!(
        "[pacing]\nmessages = 60\nwindow = \"1s\"\ntime_zone = \"UTC\"\nhours = {hours}\n{more}"
    )
}

fn id_of(sent: &serde_json::Value) -> String {
    sent["message"]["id"].as_str().unwrap().to_owned()
}

/// How long until a time that the daemon named.
fn hours_until(time: &serde_json::Value) -> i64 {
    let at: Timestamp = time.as_str().unwrap_or_else(|| panic!("{time}")).parse().unwrap();
    (at.as_second() - Timestamp::now().as_second() + 1_800) / 3_600
}

fn reload(daemon: &mut Daemon) {
    daemon.signal(Signal::SIGHUP);
    daemon.wait_log("reloaded: ");
}

#[test]
fn outside_the_hours_messages_wait_and_it_is_said_until_when() {
    let lab = Lab::new();
    lab.people(&[ANN]);
    let mut daemon = lab.paired_with(&config(&hours_from_now(3), ""));
    let id = daemon.send(ANN, "at work");
    let status = daemon.call("status", json!({})).unwrap();
    assert_eq!(hours_until(&status["pacing"]["opens_at"]), 3, "{status}");
    assert_eq!(hours_until(&status["queue"]["next_send_at"]), 3, "{status}");
    let message = daemon.message(&id);
    assert_eq!(message["held_by"], "outside_hours", "{message}");
    assert_eq!(hours_until(&message["expected_at"]), 3, "{message}");
    for args in [&["why"][..], &["status"], &["show", &id]] {
        let said = daemon.ctl().args(args).ok();
        assert!(said.contains("outside"), "{args:?}: {said}");
    }
    // What would expire before is refused while its caller still listens.
    let soon = (Timestamp::now() + 1.hour()).to_string();
    let late = json!({ "to": ANN, "text": "too late", "expires_at": soon });
    let error = daemon.call("message.send", late).unwrap_err();
    assert_eq!(error["data"]["kind"], "invalid_params", "{error}");
    assert!(error["message"].as_str().unwrap().contains("sending hours begin"), "{error}");
    // High priority keeps the hours too, unless it is allowed not to.
    let urgent = id_of(
        &daemon
            .call("message.send", json!({ "to": ANN, "text": "urgent", "priority": "high" }))
            .unwrap(),
    );
    assert_eq!(daemon.message(&urgent)["held_by"], "outside_hours");

    let mut events = daemon.events();
    lab.config(&config(&hours_from_now(3), "high_at_any_time = true\n"));
    reload(&mut daemon);
    events.wait("the urgent one", |event| has_left(event, &urgent));
    assert_eq!(daemon.message(&id)["state"], "queued");
    lab.config(&config("[]", ""));
    reload(&mut daemon);
    events.wait("the other one", |event| has_left(event, &id));
    assert_eq!(lab.sim.texts(ANN), ["urgent", "at work"]);
}

#[test]
fn messages_leave_when_the_hours_begin_also_after_a_restart() {
    let lab = Lab::new();
    lab.people(&[ANN]);
    let mut daemon = lab.paired_with(&config("[\"Mon-Sun 00:00-24:00\"]", ""));
    let id = daemon.send(ANN, "at any time");
    daemon.events().wait_until_left(&daemon, &[id]);
    daemon.kill9();
    let offset = lab.path().join("clock");
    std::fs::write(&offset, "0").unwrap();
    let later = lab.config(&config(&hours_from_now(5), ""));
    let daemon = Daemon::with_clock(&later, &lab.socket(), &offset);
    let mut events = daemon.events();
    let id = daemon.send(ANN, "this evening");
    let status = daemon.call("status", json!({})).unwrap();
    assert_eq!(hours_until(&status["pacing"]["opens_at"]), 5, "{status}");
    assert_eq!(daemon.message(&id)["state"], "queued");
    std::fs::write(&offset, "18300000").unwrap();
    // It looks at the clock with the next call at the latest.
    daemon.call("queue.resume", json!({})).unwrap();
    events.wait("the message", |event| has_left(event, &id));
    assert!(daemon.call("status", json!({})).unwrap()["pacing"]["opens_at"].is_null());
}

#[test]
fn hours_that_make_no_sense_are_refused_with_their_place() {
    let lab = Lab::new();
    for (pacing, said) in [
        ("hours = [\"Mon 08:00-08:00\"]", "Such as"),
        ("hours = [\"Mon-Fri 08:00-18:00\", \"Wed 12:00-13:00\"]", "overlap"),
        ("time_zone = \"Europe/Atlantis\"", "time zone"),
        ("messages = 5\nreserve = 5", "leaves no slot"),
    ] {
        let path = lab.config(&format!("[pacing]\n{pacing}\n"));
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_tetherd"))
            .arg("check-config")
            .arg("--config")
            .arg(&path)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains(said), "{pacing}: {text}");
    }
}

#[test]
fn invariant_3_a_slot_that_is_kept_is_taken_by_an_urgent_message_at_once() {
    let lab = Lab::new();
    lab.people(&[ANN, BEN]);
    let daemon = lab.paired_with("[pacing]\nmessages = 3\nwindow = \"1d\"\nreserve = 1\n");
    let mut events = daemon.events();
    let ids = ["one", "two", "three"].map(|text| daemon.send(ANN, text));
    events.wait_until_left(&daemon, &ids[..2]);
    let status = daemon.call("status", json!({})).unwrap();
    assert_eq!((&status["pacing"]["spent"], &status["pacing"]["reserve"]), (&json!(2), &json!(1)));
    assert!(status["pacing"]["next_slot_at"].is_string(), "{status}");
    let why = daemon.ctl().args(&["why"]).ok();
    assert!(why.contains("1 of them kept for high priority"), "{why}");
    let urgent = ["fire", "flood"].map(|text| {
        let params = json!({ "to": BEN, "text": text, "priority": "high" });
        id_of(&daemon.call("message.send", params).unwrap())
    });
    events.wait("the urgent one", |event| has_left(event, &urgent[0]));
    // No more than three in any window, whatever their priority.
    for id in [&urgent[1], &ids[2]] {
        assert_eq!(daemon.message(id)["state"], "queued");
    }
    assert_eq!(lab.sim.texts(BEN), ["fire"]);
}
