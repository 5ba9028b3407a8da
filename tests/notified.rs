//! Notifications of the server about devices, keys and the account: what the daemon does then.

use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{DEADLINE, Daemon, Lab};

/// A window that holds nothing back.
const FAST: &str = "[pacing]\nmessages = 60\nwindow = \"1s\"\n";
const FRIEND: &str = "+15550111";

fn stats(lab: &Lab) -> Value {
    lab.sim.call("server.stats", json!({}))
}

/// How many notifications of this type were acknowledged: they have been taken in by then.
fn notified(lab: &Lab, kind: &str) -> u64 {
    stats(lab)["notified"][kind].as_u64().unwrap_or(0)
}

/// Does something of which the server notifies the daemon, and waits until that was taken in.
fn once_notified(lab: &Lab, kind: &str, act: impl FnOnce()) {
    let before = notified(lab, kind);
    act();
    lab.sim.call("server.wait", json!({ "notified": { kind: before + 1 } }));
}

/// Sends, waits until it is sent, and answers the devices that have it.
fn sent(lab: &Lab, daemon: &Daemon, text: &str) -> Value {
    let mut events = daemon.events();
    let id = daemon.send(FRIEND, text);
    events.wait_until_sent(std::slice::from_ref(&id));
    assert_eq!(daemon.message(&id)["attempts"], 1);
    let inbox = lab.sim.inbox(FRIEND);
    let found = inbox.iter().find(|message| message["text"] == text);
    found.unwrap_or_else(|| panic!("{text:?} is not among {inbox:?}"))["devices"].clone()
}

fn nothing_is_wrong(daemon: &mut Daemon) {
    assert!(daemon.ctl().args(&["why"]).ok().starts_with("Nothing is wrong"));
    let log = daemon.log();
    // After a pairing the server wants another login.
    let mut ends = log.split("connection ended reason=").skip(1);
    assert!(ends.all(|end| end.starts_with("Restart")), "{log}");
}

#[test]
fn the_next_message_is_for_the_devices_that_the_server_notifies_of() {
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    let mut daemon = lab.paired_with(FAST);
    lab.writes(&mut daemon.events(), FRIEND);
    assert_eq!(sent(&lab, &daemon, "one device"), json!({ "0": 1 }));
    let companions = |count: u8| {
        let change = json!({ "number": FRIEND, "companions": count });
        once_notified(&lab, "devices", || drop(lab.sim.call("recipient.add", change)));
    };
    companions(1);
    assert_eq!(sent(&lab, &daemon, "two devices"), json!({ "0": 1, "11": 1 }));
    companions(2);
    assert_eq!(sent(&lab, &daemon, "three"), json!({ "0": 1, "11": 1, "12": 1 }));
    companions(0);
    assert_eq!(sent(&lab, &daemon, "one again"), json!({ "0": 1 }));
    nothing_is_wrong(&mut daemon);
}

#[test]
fn a_notification_that_came_while_the_daemon_was_off_counts_all_the_same() {
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    let mut daemon = lab.paired_with(FAST);
    lab.writes(&mut daemon.events(), FRIEND);
    sent(&lab, &daemon, "one device");
    assert!(daemon.stop().success());
    let mut restarted = None;
    once_notified(&lab, "devices", || {
        lab.sim.call("recipient.add", json!({ "number": FRIEND, "companions": 1 }));
        restarted = Some(lab.daemon(FAST));
    });
    let daemon = restarted.unwrap();
    daemon.events().wait_connected(&daemon);
    assert_eq!(sent(&lab, &daemon, "two devices"), json!({ "0": 1, "11": 1 }));
}

#[test]
fn another_client_of_the_account_has_copies_of_what_is_sent_from_then_on() {
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    let mut daemon = lab.paired_with(FAST);
    sent(&lab, &daemon, "alone");
    let config = lab.path().join("other.toml");
    let socket = lab.path().join("other.sock");
    let text = std::fs::read_to_string(lab.path().join("tetherd.toml")).unwrap();
    let own = |text: String, what: &str, other: &str| {
        text.replace(
            lab.path().join(what).to_str().unwrap(),
            lab.path().join(other).to_str().unwrap(),
        )
    };
    let text = own(own(text, "state", "other-state"), "control.sock", "other.sock");
    std::fs::write(&config, text).unwrap();
    let mut other = Daemon::start(&config, &socket);
    once_notified(&lab, "account_sync", || lab.pair(&other));
    lab.sim.call("server.wait", json!({ "key_uploads": 2 }));
    let received = stats(&lab)["received"].as_u64().unwrap();
    // That no device is left out is looked at in every message.
    assert_eq!(sent(&lab, &daemon, "two clients"), json!({ "0": 1 }));
    lab.sim.call("server.wait", json!({ "received": received + 1 }));
    nothing_is_wrong(&mut daemon);
    nothing_is_wrong(&mut other);
}

#[test]
fn a_client_whose_one_time_keys_run_out_uploads_more() {
    // Each takes one of the 60 keys.
    const WRITERS: u32 = 60;
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    let mut daemon = lab.paired_with(FAST);
    lab.sim.call("server.wait", json!({ "key_uploads": 1 }));
    let before = stats(&lab)["key_uploads"].as_u64().unwrap();
    once_notified(&lab, "encrypt", || {
        for writer in 0..WRITERS {
            let number = format!("+155501{}", 20 + writer);
            lab.people(&[&number]);
            lab.sim.call("recipient.reply", json!({ "number": number, "text": "hello" }));
        }
    });
    lab.sim.call("server.wait", json!({ "key_uploads": before + 1 }));
    assert_eq!(sent(&lab, &daemon, "goes on"), json!({ "0": 1 }));
    nothing_is_wrong(&mut daemon);
}

#[test]
fn what_changes_in_the_app_state_is_fetched_and_kept_over_restarts_too() {
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    let mut daemon = lab.paired_with(FAST);
    let archive = |archived: bool| {
        lab.sim.call("phone.archive", json!({ "chat": FRIEND, "archived": archived }));
    };
    let patches = || stats(&lab)["patches"].as_u64().unwrap();
    // A client that has nothing yet asks for a snapshot.
    once_notified(&lab, "server_sync", || archive(true));
    lab.sim.call("server.wait", json!({ "snapshots": 1 }));
    // While a client fetches, it leaves what changes to the next notification (whatsapp-rust
    // 0.7.0, client/app_state.rs).
    let started = Instant::now();
    while patches() == 0 {
        assert!(started.elapsed() < DEADLINE, "nothing is fetched: {}", stats(&lab));
        once_notified(&lab, "server_sync", || archive(false));
    }
    nothing_is_wrong(&mut daemon);
    daemon.kill9();
    let before = patches();
    archive(true);
    let mut daemon = lab.daemon(FAST);
    daemon.events().wait_connected(&daemon);
    lab.sim.call("server.wait", json!({ "patches": before + 1 }));
    assert_eq!(sent(&lab, &daemon, "goes on"), json!({ "0": 1 }));
    assert_eq!(stats(&lab)["snapshots"], 1, "what was fetched is kept");
    nothing_is_wrong(&mut daemon);
}
