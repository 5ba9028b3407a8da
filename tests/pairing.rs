//! Pairing, restarts, and what ends a session: three processes on one machine.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::stat::Mode;
use serde_json::json;

use crate::support::{ACCOUNT, Daemon, Lab, session_is};

/// One message in a recipient's inbox, seen once by each of `devices` devices.
#[track_caller]
fn arrived_once(lab: &Lab, number: &str, text: &str, devices: usize) {
    let inbox = lab.sim.inbox(number);
    let entry = inbox
        .iter()
        .find(|m| m["text"] == text)
        .unwrap_or_else(|| panic!("{number} has no {text:?}: {inbox:?}"));
    assert_eq!(entry["devices"].as_object().unwrap().len(), devices, "{entry}");
    assert_eq!(entry["copies"], 1, "{entry}");
    assert_eq!(entry["failed"], 0, "{entry}");
}

#[test]
fn pairs_by_qr_sends_to_companions_and_a_group_and_again_after_all_restart() {
    let mut lab = Lab::new();
    lab.sim.call(
        "recipient.add",
        json!({ "number": "+15550111", "on_network": true, "companions": 2 }),
    );
    lab.people(&["+15550112"]);
    let mut daemon = lab.paired();
    let group = lab.sim.call(
        "group.add",
        json!({ "subject": "three", "members": [format!("+{ACCOUNT}"), "+15550111", "+15550112"] }),
    );
    let group = group["jid"].as_str().unwrap().to_owned();

    let mut events = daemon.events();
    let ids = [daemon.send("+15550111", "one"), daemon.send(&group, "two")];
    events.wait_until_sent(&ids);
    // The phone itself and the recipient's two companions: three devices.
    arrived_once(&lab, "+15550111", "one", 3);
    arrived_once(&lab, "+15550111", "two", 3);
    arrived_once(&lab, "+15550112", "two", 1);

    assert!(daemon.stop().success());
    lab.sim.restart();
    let daemon = lab.daemon("[pacing]\nwindow = \"3s\"\n");
    let mut events = daemon.events();
    events.wait("the session to connect", |event| session_is(event, "connected"));
    let ids = [daemon.send("+15550111", "three"), daemon.send(&group, "four")];
    events.wait_until_sent(&ids);
    arrived_once(&lab, "+15550111", "three", 3);
    arrived_once(&lab, "+15550112", "four", 1);
    assert_eq!(lab.sim.call("server.stats", json!({}))["pairings"], 0, "paired again");
}

#[test]
fn a_simulator_that_is_killed_right_after_a_pairing_still_knows_it() {
    let mut lab = Lab::new();
    let mut daemon = lab.paired();
    assert!(daemon.stop().success());
    lab.sim.kill_and_restart();
    let daemon = lab.daemon("");
    daemon.events().wait("the session to connect", |event| session_is(event, "connected"));
}

#[test]
fn pairs_by_a_code_typed_on_the_phone() {
    let lab = Lab::new();
    let daemon = lab.daemon("");
    let mut events = daemon.events();
    let offer = daemon.call("session.pair", json!({ "phone": format!("+{ACCOUNT}") })).unwrap();
    let code = offer["offer"]["code"].as_str().unwrap().to_owned();
    assert_eq!(code.replace('-', "").len(), 8, "{offer}");
    lab.sim.call("phone.enter_code", json!({ "account": ACCOUNT, "code": code }));
    let status = events.wait("the session to connect", |event| session_is(event, "connected"));
    assert_eq!(status["status"]["session"]["account"], format!("{ACCOUNT}@s.whatsapp.net"));
}

#[test]
fn another_session_holds_the_queue_until_takeover() {
    let lab = Lab::new();
    lab.people(&["+15550111"]);
    let daemon = lab.paired();
    let mut events = daemon.events();
    lab.sim.call("server.replace_session", json!({}));
    let event = events.wait("the conflict", |event| session_is(event, "replaced"));
    assert_eq!(event["status"]["conditions"][0]["kind"], "other_session", "{event}");

    let id = daemon.send("+15550111", "held");
    assert_eq!(daemon.message(&id)["state"], "queued");
    let why = daemon.ctl().args(&["why"]).ok();
    assert!(why.contains("tetherctl takeover"), "{why}");

    daemon.ctl().args(&["takeover"]).ok();
    events.wait_until_sent(&[id]);
    arrived_once(&lab, "+15550111", "held", 1);
}

#[test]
fn logout_forgets_the_account_and_keeps_the_queue() {
    let lab = Lab::new();
    lab.people(&["+15550111"]);
    let daemon = lab.paired();
    daemon.call("queue.pause", json!({})).unwrap();
    let id = daemon.send("+15550111", "after the second pairing");
    let mut events = daemon.events();
    daemon.ctl().args(&["logout", "--yes"]).ok();
    events.wait("the session to end", |event| session_is(event, "not_paired"));
    assert_eq!(daemon.message(&id)["state"], "queued");

    lab.pair(&daemon);
    daemon.call("queue.resume", json!({})).unwrap();
    daemon.events().wait_until_sent(&[id]);
    arrived_once(&lab, "+15550111", "after the second pairing", 1);
}

#[test]
fn invariant_11_a_login_refused_as_banned_waits_until_the_ban_ends() {
    let lab = Lab::new();
    let daemon = lab.paired();
    let mut events = daemon.events();
    lab.sim.call(
        "server.fail_login",
        json!({ "reason": 402, "code": 101, "expire": 3600, "times": 1 }),
    );
    lab.sim.call("server.disconnect", json!({}));
    let event = events.wait("the ban", |event| session_is(event, "banned"));
    let hold = &event["status"]["conditions"][0];
    assert_eq!(hold["kind"], "banned", "{event}");
    assert!(hold["until"].is_string(), "{event}");
}

/// A disk that takes its time for each sync, until this is dropped.
struct SlowDisk {
    pipe: PathBuf,
    _end: mpsc::Sender<()>,
}

impl SlowDisk {
    fn new(pipe: PathBuf) -> SlowDisk {
        nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        let (end, ended) = mpsc::channel();
        let gate = pipe.clone();
        thread::spawn(move || {
            loop {
                // Returns once the daemon stands before a sync.
                let Ok(_gate) = OpenOptions::new().write(true).open(&gate) else { return };
                let waited = ended.recv_timeout(Duration::from_millis(100));
                if waited == Err(mpsc::RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        });
        SlowDisk { pipe, _end: end }
    }
}

impl Drop for SlowDisk {
    fn drop(&mut self) {
        // Whoever stands at it already is let go by the thread's end, or here.
        let _ = OpenOptions::new().read(true).write(true).open(&self.pipe);
        std::fs::remove_file(&self.pipe).unwrap();
    }
}

/// The server ends the connection as soon as the phone has linked the device, and the
/// library does not wait until what it writes then is on disk.
#[test]
fn a_slow_disk_while_the_phone_links_the_device_does_not_unlink_it() {
    let lab = Lab::new();
    let pipe = lab.path().join("gate");
    let fault = format!("sync-waits-at:{}", pipe.display());
    let daemon = Daemon::with_fault(&lab.config(""), &lab.socket(), &fault);
    let mut events = daemon.events();
    let offer = daemon.call("session.pair", json!({})).unwrap();
    let slow = SlowDisk::new(pipe);
    lab.sim.call("phone.scan", json!({ "qr": offer["offer"]["qr"], "account": ACCOUNT }));
    events.wait("the session to connect", |event| {
        assert!(!session_is(event, "logged_out"), "{event}");
        session_is(event, "connected")
    });
    drop(slow);
    assert_eq!(daemon.status()["session"]["state"], "connected");
}
