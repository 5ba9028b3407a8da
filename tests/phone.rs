//! The phone off and on, its battery, and the scripts that report it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Daemon, Lab, has_left};

/// A quick pace, and a phone that is asked and given up soon.
const QUICK: &str = "[pacing]\nmessages = 60\nwindow = \"1s\"\n\n\
                     [phone]\nask_after = \"1s\"\noffline_after = \"1s\"\n";
const LIMIT: usize = 60;
const WINDOW_MS: u64 = 1_000;

fn phone_is(event: &Value, state: &str) -> bool {
    event["event"] == "status" && event["status"]["phone"]["state"] == state
}

fn holds(daemon: &Daemon) -> Vec<String> {
    let status = daemon.status();
    let conditions = status["conditions"].as_array().unwrap().iter();
    let holds = conditions.filter(|condition| condition["holds"] == "all");
    holds.map(|hold| hold["kind"].as_str().unwrap().to_owned()).filter(|k| k != "pacing").collect()
}

#[test]
fn while_the_phone_is_off_messages_wait_and_then_leave_at_the_pace() {
    let lab = Lab::new();
    lab.people(&["+15550111"]);
    let mut daemon = lab.paired_with(QUICK);
    let mut events = daemon.events();
    lab.sim.call("phone.set", json!({ "online": false }));
    let first = daemon.send("+15550111", "first");
    events.wait("the phone to be missed", |event| phone_is(event, "offline"));
    daemon.wait_log("phone offline");
    assert_eq!(daemon.message(&first)["state"], "read", "its copy alone is missing");
    assert_eq!(holds(&daemon), ["phone_offline"]);

    daemon.kill9();
    let mut daemon = lab.daemon(QUICK);
    assert!(holds(&daemon).contains(&"phone_offline".to_owned()), "{:?}", holds(&daemon));
    let ids: Vec<String> =
        (0..400).map(|n| daemon.send("+15550111", &format!("text {n}"))).collect();
    let params = json!({ "to": "+15550111", "text": "one too many" });
    let full = daemon.call("message.send", params).unwrap_err();
    assert_eq!(full["data"]["kind"], "queue_full", "{full}");
    let mut events = daemon.events();
    events.wait("the connection", |event| crate::support::session_is(event, "connected"));
    assert_eq!(holds(&daemon), ["phone_offline"]);
    assert_eq!(daemon.status()["queue"]["queued"], 400);
    let said = daemon.ctl().args(&["status"]).ok();
    assert!(said.contains("phone    offline for "), "{said}");
    let before = lab.sim.call("server.stats", json!({}))["attempts"].as_array().unwrap().len();

    lab.sim.call("phone.set", json!({ "online": true }));
    events.wait("the phone's return", |event| phone_is(event, "online"));
    daemon.wait_log("phone online");
    events.wait_until_left(&daemon, &ids);
    let texts = lab.sim.texts("+15550111");
    assert_eq!(texts[0], "first");
    assert_eq!(texts[1..], (0..400).map(|n| format!("text {n}")).collect::<Vec<_>>());
    let stats = lab.sim.call("server.stats", json!({}));
    let times: Vec<u64> = stats["attempts"].as_array().unwrap()[before..]
        .iter()
        .map(|attempt| attempt["at_ms"].as_u64().unwrap())
        .collect();
    assert_eq!(times.len(), 400);
    // The way to the server varies by this much at most.
    const WAY_MS: u64 = 500;
    for window in times.windows(LIMIT + 1) {
        assert!(window[LIMIT] - window[0] + WAY_MS >= WINDOW_MS, "{times:?}");
    }
}

#[test]
fn a_critical_battery_holds_messages_until_the_phone_charges() {
    let lab = Lab::new();
    lab.people(&["+15550111"]);
    let mut daemon = lab.paired();
    let report = |daemon: &Daemon, args: &[&str]| {
        daemon.ctl().args(&["heartbeat", "--source", "test", "--battery"]).args(args).ok()
    };
    let said = report(&daemon, &["4", "--not-charging"]);
    assert!(said.contains("battery  critical: 4 %, not charging; reported by test"), "{said}");
    let id = daemon.send("+15550111", "waits for the charger");
    assert_eq!(holds(&daemon), ["battery_critical"]);
    daemon.kill9();
    let daemon = lab.daemon("[pacing]\nwindow = \"3s\"\n");
    let mut events = daemon.events();
    events.wait("the connection", |event| crate::support::session_is(event, "connected"));
    assert_eq!(holds(&daemon), ["battery_critical"]);
    assert_eq!(daemon.message(&id)["state"], "queued");
    report(&daemon, &["5", "--charging"]);
    events.wait("the message to leave", |event| has_left(event, &id));
    assert!(holds(&daemon).is_empty());
}

fn contrib(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/heartbeat").join(name)
}

/// Runs a script on a sample, and answers what the daemon makes of it.
fn parse(lab: &Lab, daemon: &Daemon, script: &str, sample: Stdio) -> Value {
    let output = Command::new("sh")
        .arg(contrib(script))
        .arg("--parse")
        .env("TETHERCTL", env!("CARGO_BIN_EXE_tetherctl"))
        .env("TETHERD_SOCKET", lab.socket())
        .stdin(sample)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{script}: {error}");
    daemon.status()["phone"]["battery"].clone()
}

#[test]
fn every_contributed_script_reports_what_its_sample_says() {
    let lab = Lab::new();
    let daemon = lab.daemon("");
    let report = |script: &str, sample: &str| {
        parse(&lab, &daemon, script, File::open(contrib(sample)).unwrap().into())
    };
    // What it brings is as old as it says: newer reports come after.
    let battery = report("owntracks.sh", "samples/owntracks.jsonl");
    assert_eq!((&battery["percent"], &battery["charging"]), (&json!(8), &json!(false)));
    assert_eq!((&battery["network"], &battery["source"]), (&json!("wifi"), &json!("owntracks")));
    assert_eq!((&battery["level"], &battery["stale"]), (&json!("unknown"), &json!(true)));
    assert!(battery["at"].as_str().unwrap().starts_with("2026-01-02T03:04:05"), "{battery}");
    for (script, sample, percent, charging) in [
        ("termux.sh", "samples/termux.json", 42, false),
        ("kdeconnect.sh", "samples/kdeconnect.txt", 17, true),
        ("adb.sh", "samples/adb.txt", 63, true),
    ] {
        let battery = report(script, sample);
        assert_eq!(
            (&battery["percent"], &battery["charging"]),
            (&json!(percent), &json!(charging))
        );
        assert_eq!((&battery["level"], &battery["stale"]), (&json!("ok"), &json!(false)));
        assert_eq!(battery["source"], script.trim_end_matches(".sh"));
    }
}

#[test]
fn a_battery_that_kde_connect_only_remembers_is_not_reported() {
    let lab = Lab::new();
    let daemon = lab.daemon("");
    let sample = lab.path().join("unreachable.txt");
    std::fs::write(&sample, "b false\ni 17\nb true\n").unwrap();
    let battery = parse(&lab, &daemon, "kdeconnect.sh", File::open(&sample).unwrap().into());
    assert_eq!(battery, Value::Null);
}
