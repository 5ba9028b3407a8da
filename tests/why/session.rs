//! The causes that lie with the session, the phone, the store and the daemon.

use serde_json::{Value, json};
use tetherd::store::{Batch, Store};
use tetherd_api::ConditionKind;

use super::{Stage, cause, explain, holds, run_remedy};
use crate::support::{self, DEADLINE, Daemon, Lab, message_is, session_is};

const TO: &str = "+15550111";
/// Another client version than the default.
const NEWER: &str = "client_version = \"2.3000.1099999999\"";
const FAST: &str = "[pacing]\nmessages = 60\nwindow = \"1s\"\n";

pub(super) const PAIRING: &[ConditionKind] = &[ConditionKind::NotPaired, ConditionKind::LoggedOut];

#[test]
fn without_a_phone_and_unlinked_from_it() {
    let lab = Lab::new();
    lab.people(&[TO]);
    let daemon = lab.paired_with(FAST);
    let mut events = daemon.events();
    let mut stage = Stage::set(PAIRING, &daemon);

    daemon.call("session.logout", json!({})).unwrap();
    events.wait("the end of the session", |event| session_is(event, "not_paired"));
    let id = daemon.send(TO, "waits for a phone");
    stage.during(&daemon, ConditionKind::NotPaired, "session.logout", &[&id]);
    lab.pair(&daemon);
    stage.after(&daemon, ConditionKind::NotPaired, "phone.scan");
    events.wait_until_sent(&[id]);

    lab.sim.call("phone.unlink", json!({}));
    events.wait("the logout", |event| session_is(event, "logged_out"));
    let id = daemon.send(TO, "waits for a phone again");
    stage.during(&daemon, ConditionKind::LoggedOut, "phone.unlink", &[&id]);
    lab.pair(&daemon);
    stage.after(&daemon, ConditionKind::LoggedOut, "phone.scan");
    events.wait_until_sent(&[id]);
    stage.end();
}

pub(super) const BAN: &[ConditionKind] = &[ConditionKind::Banned, ConditionKind::StaleBacklog];

#[test]
fn banned_for_a_time_and_then_a_backlog_that_wants_a_word() {
    let lab = Lab::new();
    lab.people(&[TO]);
    let daemon = lab.paired_with(&format!("{FAST}\n[queue]\nconfirm_after = \"1s\"\n"));
    let mut events = daemon.events();
    let mut stage = Stage::set(BAN, &daemon);

    lab.sim.call("server.fail_login", json!({ "reason": 402, "code": 101, "expire": 8 }));
    lab.sim.call("server.disconnect", json!({}));
    events.wait("the ban", |event| session_is(event, "banned"));
    let id = daemon.send(TO, "may be out of date");
    stage.during(&daemon, ConditionKind::Banned, "server.fail_login 402, expire 8", &[&id]);
    events.wait("the ban to end", |event| session_is(event, "connected"));
    stage.after(&daemon, ConditionKind::Banned, "eight seconds later");

    stage.during(&daemon, ConditionKind::StaleBacklog, "connected after a long hold", &[&id]);
    run_remedy(&daemon, ConditionKind::StaleBacklog);
    events.wait_until_sent(&[id]);
    stage.after(&daemon, ConditionKind::StaleBacklog, "queue.release");
    stage.end();
}

pub(super) const LINE: &[ConditionKind] = &[
    ConditionKind::Disconnected,
    ConditionKind::OtherSession,
    ConditionKind::Paused,
    ConditionKind::ClientOutdated,
];

#[test]
fn no_connection_another_session_a_pause_and_an_old_client() {
    let lab = Lab::new();
    lab.people(&[TO]);
    let mut daemon = lab.paired_with(FAST);
    let mut events = daemon.events();
    let mut stage = Stage::set(LINE, &daemon);

    lab.sim.call("server.fail_login", json!({ "reason": 503, "times": 1_000 }));
    lab.sim.call("server.disconnect", json!({}));
    events.wait("a try that is not soon", |event| {
        let at = event["status"]["session"]["next_try_at"].as_str();
        let at = at.and_then(|at| at.parse::<jiff::Timestamp>().ok());
        at.is_some_and(|at| at.as_millisecond() > jiff::Timestamp::now().as_millisecond() + 2_000)
    });
    let id = daemon.send(TO, "waits for a connection");
    stage.during(&daemon, ConditionKind::Disconnected, "server.fail_login 503", &[&id]);
    lab.sim.call("server.fail_login", json!({ "reason": 503, "times": 0 }));
    run_remedy(&daemon, ConditionKind::Disconnected);
    events.wait_until_sent(&[id]);
    stage.after(&daemon, ConditionKind::Disconnected, "logins succeed again");

    lab.sim.call("server.replace_session", json!({}));
    events.wait("the takeover", |event| session_is(event, "replaced"));
    let id = daemon.send(TO, "waits for the session");
    stage.during(&daemon, ConditionKind::OtherSession, "server.replace_session", &[&id]);
    run_remedy(&daemon, ConditionKind::OtherSession);
    events.wait_until_sent(&[id]);
    stage.after(&daemon, ConditionKind::OtherSession, "session.takeover");

    daemon.call("queue.pause", json!({})).unwrap();
    let id = daemon.send(TO, "waits for its end");
    stage.during(&daemon, ConditionKind::Paused, "queue.pause", &[&id]);
    run_remedy(&daemon, ConditionKind::Paused);
    events.wait_until_sent(&[id]);
    stage.after(&daemon, ConditionKind::Paused, "queue.resume");

    lab.sim.call("server.fail_login", json!({ "reason": 405 }));
    lab.sim.call("server.disconnect", json!({}));
    events.wait("the refusal", |event| session_is(event, "outdated"));
    let id = daemon.send(TO, "waits for a newer client");
    stage.during(&daemon, ConditionKind::ClientOutdated, "server.fail_login 405", &[&id]);
    assert!(daemon.stop().success());
    let mut daemon = lab.daemon(FAST);
    assert_eq!(daemon.status()["session"]["state"], "outdated", "the same version");
    assert!(daemon.stop().success());
    let config = lab.config_with_session(FAST, NEWER);
    let daemon = Daemon::start(&config, &lab.socket());
    daemon.events().wait_until_left(&daemon, &[id]);
    stage.after(&daemon, ConditionKind::ClientOutdated, "a restart with a newer version");
    stage.end();
}

pub(super) const ACCOUNT: &[ConditionKind] = &[
    ConditionKind::Locked,
    ConditionKind::BannedForGood,
    ConditionKind::LoginDeclined,
    ConditionKind::ClientExpiresSoon,
];

#[test]
fn what_the_server_holds_against_the_account() {
    let lab = Lab::new();
    lab.people(&[TO]);
    let daemon = lab.paired_with(FAST);
    let mut events = daemon.events();
    let mut stage = Stage::set(ACCOUNT, &daemon);
    let pair = |lab: &Lab| {
        let offer = daemon.call("session.pair", json!({ "anyway": true })).unwrap();
        let scan = json!({ "qr": offer["offer"]["qr"], "account": support::ACCOUNT });
        lab.sim.call("phone.scan", scan);
    };

    for (reason, kind, state) in [
        (403, ConditionKind::Locked, "locked"),
        (406, ConditionKind::BannedForGood, "banned_for_good"),
    ] {
        lab.sim.call("server.fail_login", json!({ "reason": reason }));
        lab.sim.call("server.disconnect", json!({}));
        events.wait("the refusal", |event| session_is(event, state));
        let id = daemon.send(TO, "waits for the account");
        stage.during(&daemon, kind, &format!("server.fail_login {reason}"), &[&id]);
        pair(&lab);
        events.wait_until_sent(&[id]);
        stage.after(&daemon, kind, "session.pair anyway, and the phone takes it");
    }

    lab.sim.call("server.fail_login", json!({ "reason": 415 }));
    lab.sim.call("server.disconnect", json!({}));
    events.wait("the refusal", |event| session_is(event, "declined"));
    let id = daemon.send(TO, "waits for a change");
    stage.during(&daemon, ConditionKind::LoginDeclined, "server.fail_login 415", &[&id]);
    run_remedy(&daemon, ConditionKind::LoginDeclined);
    events.wait_until_sent(&[id]);
    stage.after(&daemon, ConditionKind::LoginDeclined, "reconnect, and it is taken");

    lab.sim.call("stream.client_expiration", json!({ "in_s": 13 * 86_400 }));
    events.wait("the warning", |event| has_condition(event, "client_expires_soon"));
    stage.during(&daemon, ConditionKind::ClientExpiresSoon, "stream.client_expiration", &[]);
    lab.sim.call("stream.client_expiration", json!({ "in_s": 90 * 86_400 }));
    events.wait("its end", |event| !has_condition(event, "client_expires_soon"));
    stage.after(&daemon, ConditionKind::ClientExpiresSoon, "a later date");
    stage.end();
}

pub(super) const CHANGED: &[ConditionKind] = &[ConditionKind::AccountChanged];

#[test]
fn invariant_11_another_account_sends_what_waited_only_after_a_release() {
    let lab = Lab::new();
    lab.people(&[TO]);
    let mut daemon = lab.paired_with(FAST);
    let stage = &mut Stage::set(CHANGED, &daemon);
    daemon.call("queue.pause", json!({})).unwrap();
    let id = daemon.send(TO, "of the first account");
    daemon.ctl().args(&["logout", "--yes"]).ok();
    let mut events = daemon.events();
    events.wait("the logout", |event| session_is(event, "not_paired"));
    let offer = daemon.call("session.pair", json!({})).unwrap();
    let scan = json!({ "qr": offer["offer"]["qr"], "account": "+15550177" });
    lab.sim.call("phone.scan", scan);
    events.wait("the other account", |event| session_is(event, "connected"));
    daemon.call("queue.resume", json!({})).unwrap();
    stage.during(&daemon, ConditionKind::AccountChanged, "another phone scans", &[&id]);
    assert!(daemon.ctl().args(&["queue"]).ok().contains("account_changed"));
    let second = daemon.send(TO, "of the second account");
    events.wait_until_sent(&[second]);
    assert!(daemon.stop().success());

    let daemon = lab.daemon(FAST);
    let mut events = daemon.events();
    events.wait("the session to connect", |event| session_is(event, "connected"));
    let third = daemon.send(TO, "after a restart");
    events.wait_until_sent(&[third]);
    assert_eq!(daemon.message(&id)["state"], "queued");
    assert_eq!(daemon.message(&id)["held_by"], "account_changed");
    run_remedy(&daemon, ConditionKind::AccountChanged);
    events.wait_until_sent(&[id]);
    stage.after(&daemon, ConditionKind::AccountChanged, "queue.release");
    let texts = lab.sim.texts(TO);
    assert_eq!(texts, ["of the second account", "after a restart", "of the first account"]);
}

fn has_condition(event: &Value, kind: &str) -> bool {
    let conditions = event["status"]["conditions"].as_array();
    conditions.is_some_and(|all| all.iter().any(|one| one["kind"] == kind))
}

pub(super) const CHALLENGE: &[ConditionKind] = &[ConditionKind::IntegrityChallenge];

#[test]
fn an_account_that_is_to_prove_itself() {
    let lab = Lab::new();
    lab.people(&[TO]);
    let mut daemon = lab.paired_with(FAST);
    let mut events = daemon.events();
    let mut stage = Stage::set(CHALLENGE, &daemon);
    lab.sim.call("server.integrity_challenge", json!({ "kind": "PASSKEY" }));
    events.wait("the challenge", |event| has_condition(event, "integrity_challenge"));
    stage.during(&daemon, ConditionKind::IntegrityChallenge, "server.integrity_challenge", &[]);
    let id = daemon.send(TO, "leaves all the same");
    events.wait_until_sent(&[id]);
    assert!(daemon.stop().success());
    let daemon = lab.daemon(FAST);
    holds(&daemon, ConditionKind::IntegrityChallenge, "a restart", &[]);
    daemon.ctl().args(&["logout", "--yes"]).ok();
    stage.after(&daemon, ConditionKind::IntegrityChallenge, "a logout");
    stage.end();
}

pub(super) const PHONE: &[ConditionKind] =
    &[ConditionKind::BatteryLow, ConditionKind::BatteryCritical, ConditionKind::PhoneOffline];

fn phone_is(event: &Value, state: &str) -> bool {
    event["event"] == "status" && event["status"]["phone"]["state"] == state
}

#[test]
fn a_battery_that_runs_empty_and_a_phone_that_is_off() {
    let lab = Lab::new();
    lab.people(&[TO]);
    let quick = format!("{FAST}\n[phone]\nask_after = \"1s\"\noffline_after = \"1s\"\n");
    let daemon = lab.paired_with(&quick);
    let mut events = daemon.events();
    let mut stage = Stage::set(PHONE, &daemon);
    let report = |battery: &str| {
        let args = ["heartbeat", "--source", "test", "--not-charging", "--battery", battery];
        daemon.ctl().args(&args).ok();
    };

    report("12");
    stage.during(&daemon, ConditionKind::BatteryLow, "heartbeat: 12 %", &[]);
    report("4");
    stage.after(&daemon, ConditionKind::BatteryLow, "heartbeat: 4 %");
    let id = daemon.send(TO, "waits for the charger");
    stage.during(&daemon, ConditionKind::BatteryCritical, "heartbeat: 4 %", &[&id]);
    run_remedy(&daemon, ConditionKind::BatteryCritical);
    stage.after(&daemon, ConditionKind::BatteryCritical, "heartbeat: it charges");
    events.wait_until_sent(&[id]);

    lab.sim.call("phone.set", json!({ "online": false }));
    let first = daemon.send(TO, "its copy stays unconfirmed");
    events.wait_until_sent(&[first]);
    events.wait("the phone to be missed", |event| phone_is(event, "offline"));
    let id = daemon.send(TO, "waits for the phone");
    stage.during(&daemon, ConditionKind::PhoneOffline, "phone.set offline", &[&id]);
    lab.sim.call("phone.set", json!({ "online": true }));
    events.wait_until_sent(&[id]);
    stage.after(&daemon, ConditionKind::PhoneOffline, "phone.set online");
    stage.end();
}

pub(super) const SILENCE: &[ConditionKind] = &[ConditionKind::PhoneSilent];

#[test]
fn a_phone_that_was_not_heard_of() {
    let lab = Lab::new();
    lab.people(&[TO]);
    let daemon = lab.paired_with(&format!("{FAST}\n[phone]\nsilent_after = \"6s\"\n"));
    let mut events = daemon.events();
    daemon.send(TO, "its copy is confirmed");
    events.wait("the phone's receipt", |event| phone_is(event, "online"));
    let mut stage = Stage::set(SILENCE, &daemon);
    events.wait("silence", |event| phone_is(event, "silent"));
    stage.during(
        &daemon,
        ConditionKind::PhoneSilent,
        "the phone says nothing for six seconds",
        &[],
    );
    lab.sim.call("phone.send", json!({ "to": TO, "text": "typed on the phone" }));
    events.wait("the phone's message", |event| phone_is(event, "online"));
    stage.after(&daemon, ConditionKind::PhoneSilent, "phone.send");
    stage.end();
}

pub(super) const STORE: &[ConditionKind] = &[ConditionKind::StoreTrouble];

#[test]
fn a_record_that_does_not_read() {
    let lab = Lab::new();
    let mut daemon = lab.daemon("");
    daemon.send(TO, "one");
    daemon.send(TO, "two");
    let mut stage = Stage::set(STORE, &daemon);
    assert!(daemon.stop().success());
    let store = Store::open(&lab.path().join("state")).unwrap();
    let mut batch = Batch::new();
    batch.put([&b"queue/message/"[..], &2u64.to_be_bytes()].concat(), "not a record");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.commit(batch)).unwrap();
    store.close();
    let mut daemon = lab.daemon("");
    stage.during(&daemon, ConditionKind::StoreTrouble, "a record was overwritten", &[]);
    assert!(daemon.stop().success());
    stage.after(&lab.daemon(""), ConditionKind::StoreTrouble, "another start");
    stage.end();
}

pub(super) const CLOCK: &[ConditionKind] = &[ConditionKind::ClockJumped];

#[test]
fn a_clock_that_is_set_back() {
    let lab = Lab::new();
    let offset = lab.path().join("offset");
    std::fs::write(&offset, "0").unwrap();
    let mut daemon = Daemon::with_clock(&lab.config(""), &lab.socket(), &offset);
    let mut stage = Stage::set(CLOCK, &daemon);
    std::fs::write(&offset, "-7200000").unwrap();
    // It notices when it next has something to do.
    daemon.call("queue.resume", json!({})).unwrap();
    stage.during(&daemon, ConditionKind::ClockJumped, "the clock was set back by two hours", &[]);
    let told = cause(&explain(&daemon), ConditionKind::ClockJumped);
    assert!(told["why"].as_str().unwrap().contains("went back by 7"), "{told}");
    assert!(daemon.stop().success());
    stage.after(&lab.daemon(""), ConditionKind::ClockJumped, "another start");
    stage.end();
}

pub(super) const END: &[ConditionKind] = &[ConditionKind::ShuttingDown];

#[test]
fn a_daemon_that_goes_down() {
    let lab = Lab::new();
    lab.people(&[TO]);
    let config = lab.config(FAST);
    // What is in flight keeps it from going down meanwhile.
    let text = std::fs::read_to_string(&config).unwrap();
    let patient = text.replace("ack_timeout = \"2s\"", "ack_timeout = \"30s\"");
    assert_ne!(patient, text);
    std::fs::write(&config, patient).unwrap();
    let mut daemon = Daemon::start(&config, &lab.socket());
    lab.pair(&daemon);
    let mut events = daemon.events();
    let mut stage = Stage::set(END, &daemon);
    lab.sim.call("server.set", json!({ "lose_messages": true }));
    let first = daemon.send(TO, "in flight");
    events.wait("its attempt", |event| message_is(event, &first, "sending"));
    let second = daemon.send(TO, "behind it");
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    let started = std::time::Instant::now();
    while cause(&explain(&daemon), ConditionKind::ShuttingDown)["active"] == false {
        assert!(started.elapsed() < DEADLINE);
        std::thread::yield_now();
    }
    stage.during(&daemon, ConditionKind::ShuttingDown, "SIGTERM", &[&second]);
    // Told again, it does not wait for what is in flight.
    assert!(daemon.stop().success());
    lab.sim.call("server.set", json!({ "lose_messages": false }));
    let daemon = lab.daemon(FAST);
    daemon.events().wait_until_left(&daemon, &[first, second]);
    stage.after(&daemon, ConditionKind::ShuttingDown, "its next start");
    stage.end();
}
