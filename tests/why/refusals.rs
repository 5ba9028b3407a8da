//! What the server refuses of single messages, and what reaches no device.

use serde_json::{Value, json};
use tetherd_api::ConditionKind;

use super::Stage;
use crate::support::{Daemon, Events, Lab, message_is};

const FAST: &str = "[pacing]\nwindow = \"1s\"\n";
const FRIEND: &str = "+15550111";
const STRANGER: &str = "+15550112";
const OTHER: &str = "+15550113";

pub(super) const TOKEN: &[ConditionKind] = &[ConditionKind::TokenMissing];
pub(super) const QUOTA: &[ConditionKind] = &[ConditionKind::NewChatQuota];
pub(super) const DEVICE: &[ConditionKind] = &[ConditionKind::NoDevice];

fn parked(events: &mut Events, id: &str) {
    events.wait("it is parked", |event| message_is(event, id, "parked"));
}

fn reason(daemon: &Daemon, id: &str) -> Value {
    daemon.message(id)["reason"].clone()
}

fn attempts(lab: &Lab, daemon: &Daemon, id: &str) -> usize {
    lab.attempts(daemon.message(id)["wa_id"].as_str().unwrap()).len()
}

/// Without tokens of its own making: the account has no salt.
fn strict(lab: &Lab) -> Daemon {
    lab.sim.call("token.props", json!({ "24941": "0" }));
    lab.sim.call("recipient.add", json!({ "number": STRANGER, "token_required": true }));
    lab.people(&[FRIEND, OTHER]);
    lab.paired_with(FAST)
}

#[test]
fn a_missing_token_parks_its_message_alone_and_one_that_arrives_sends_it() {
    for as_null in [false, true] {
        let lab = Lab::new();
        let daemon = strict(&lab);
        let mut events = daemon.events();
        let mut stage = Stage::set(TOKEN, &daemon);
        lab.sim
            .call("server.timelock", json!({ "active": false, "notify": false, "null": as_null }));
        let id = daemon.send(STRANGER, "without a token");
        parked(&mut events, &id);
        let other = daemon.send(OTHER, "goes on");
        events.wait_until_sent(&[other]);
        stage.during(&daemon, ConditionKind::TokenMissing, "token_required", &[&id]);
        assert_eq!(reason(&daemon, &id), json!({ "kind": "token_missing", "code": 463 }));
        assert!(daemon.status()["session"]["timelock_until"].is_null());
        let show = daemon.ctl().args(&["show", &id]).ok();
        assert!(show.contains("token_missing"), "{show}");
        lab.sim.call("server.wait", json!({ "key_uploads": 1 }));
        lab.sim.call("recipient.reply", json!({ "number": STRANGER, "text": "hello" }));
        events.wait_until_sent(std::slice::from_ref(&id));
        stage.after(&daemon, ConditionKind::TokenMissing, "recipient.reply");
        assert_eq!(attempts(&lab, &daemon, &id), 2);
        stage.end();
    }
}

#[test]
fn a_token_that_does_not_help_brings_a_message_back_once_only() {
    let lab = Lab::new();
    let daemon = strict(&lab);
    let mut events = daemon.events();
    lab.writes(&mut events, FRIEND);
    lab.sim.call("server.set", json!({ "ack_error": { "code": 463, "to": FRIEND } }));
    let id = daemon.send(FRIEND, "refused whatever it carries");
    parked(&mut events, &id);
    for (round, attempts_by_then) in [(1, 2), (2, 2)] {
        lab.sim.call("recipient.reply", json!({ "number": FRIEND, "text": "again" }));
        events.wait("the message", |event| event["event"] == "incoming");
        if round == 1 {
            parked(&mut events, &id);
        }
        let other = daemon.send(OTHER, "leaves after any retry");
        events.wait_until_sent(&[other]);
        assert_eq!(attempts(&lab, &daemon, &id), attempts_by_then, "round {round}");
        assert_eq!(daemon.message(&id)["state"], "parked");
    }
}

#[test]
fn a_used_up_quota_holds_new_chats_until_its_cycle_ends() {
    let lab = Lab::new();
    lab.people(&[FRIEND, STRANGER, OTHER]);
    let daemon = lab.paired_with(FAST);
    let mut events = daemon.events();
    lab.writes(&mut events, FRIEND);
    let mut stage = Stage::set(QUOTA, &daemon);
    let quota = |status: &str, used, ends_in_s, notify| {
        let quota = json!({
            "status": status, "used": used, "total": 50, "ends_in_s": ends_in_s, "notify": notify
        });
        lab.sim.call("token.quota", quota);
    };
    // Nobody is told: the refusal makes the daemon ask.
    quota("CAPPED", 50, 3600, false);
    let refused = daemon.send(STRANGER, "one chat too many");
    parked(&mut events, &refused);
    let (new, friend) = (daemon.send(OTHER, "another one"), daemon.send(FRIEND, "goes on"));
    events.wait_until_sent(&[friend]);
    events.wait_explained(&daemon, "50 of 50 new chats");
    stage.during(&daemon, ConditionKind::NewChatQuota, "token.quota CAPPED", &[&refused, &new]);
    let message = daemon.message(&new);
    assert_eq!(message["held_by"], "new_chat_quota", "{message}");
    assert!(message["expected_at"].is_string(), "{message}");
    for args in [&["show", &new][..], &["why"]] {
        let said = daemon.ctl().args(args).ok();
        assert!(said.contains("new_chat_quota"), "{args:?}: {said}");
    }
    quota("FIRST_WARNING", 40, 3600, true);
    events.wait_until_sent(&[refused, new]);
    let why = daemon.ctl().args(&["why"]).ok();
    assert!(why.contains("40 of 50 new chats"), "{why}");
    quota("NONE", 1, 3600, true);
    events.wait_explained(&daemon, "is known of a limit to new chats");
    stage.after(&daemon, ConditionKind::NewChatQuota, "token.quota NONE");
    stage.end();
}

#[test]
fn invariant_6_a_message_for_none_of_the_recipients_devices_is_never_sent() {
    let lab = Lab::new();
    lab.people(&[OTHER]);
    lab.sim.call("recipient.add", json!({ "number": FRIEND, "companions": 2 }));
    lab.sim.call("token.no_keys", json!({ "number": FRIEND, "devices": [0, 11, 12] }));
    let daemon = lab.paired_with(FAST);
    let mut events = daemon.events();
    let mut stage = Stage::set(DEVICE, &daemon);
    let id = daemon.send(FRIEND, "for nobody");
    events.wait("it is parked", |event| {
        let state = event["message"]["state"].as_str().filter(|_| event["message"]["id"] == id);
        assert!(!matches!(state, Some("sent" | "delivered" | "read")), "{event}");
        state == Some("parked")
    });
    assert_eq!(reason(&daemon, &id), json!({ "kind": "no_device" }));
    let other = daemon.send(OTHER, "goes on");
    // What left before it the server has read.
    events.wait_until_sent(&[other]);
    assert_eq!(attempts(&lab, &daemon, &id), 2, "with fresh devices, under the same id");
    stage.during(&daemon, ConditionKind::NoDevice, "token.no_keys", &[&id]);
    lab.sim.call("token.no_keys", json!({ "number": FRIEND, "devices": [] }));
    super::run_remedy(&daemon, ConditionKind::NoDevice);
    events.wait_until_sent(&[id]);
    stage.after(&daemon, ConditionKind::NoDevice, "token.no_keys [], queue.retry");
    assert_eq!(lab.sim.texts(FRIEND), ["for nobody"]);
    stage.end();
}

#[test]
fn a_message_that_one_device_of_three_misses_is_sent() {
    let lab = Lab::new();
    lab.sim.call("recipient.add", json!({ "number": FRIEND, "companions": 2 }));
    lab.sim.call("token.no_keys", json!({ "number": FRIEND, "devices": [11] }));
    let daemon = lab.paired_with(FAST);
    let mut events = daemon.events();
    let id = daemon.send(FRIEND, "for two of three");
    events.wait_until_sent(std::slice::from_ref(&id));
    assert_eq!(attempts(&lab, &daemon, &id), 1);
    let devices = lab.sim.inbox(FRIEND)[0]["devices"].clone();
    assert_eq!(devices, json!({ "0": 1, "12": 1 }));
}

#[test]
fn a_note_to_self_is_no_message_to_nobody() {
    let lab = Lab::new();
    let daemon = lab.paired_with(FAST);
    let mut events = daemon.events();
    let id = daemon.send(&format!("+{}", crate::support::ACCOUNT), "remember");
    events.wait_until_sent(&[id]);
}

#[test]
fn a_member_whose_keys_could_not_be_fetched_gets_the_groups_key_with_the_next_message() {
    let lab = Lab::new();
    lab.people(&[FRIEND, STRANGER]);
    lab.sim.call("token.no_keys", json!({ "number": STRANGER, "devices": [0] }));
    let daemon = lab.paired_with(FAST);
    let mut events = daemon.events();
    let me = format!("+{}", crate::support::ACCOUNT);
    let members = json!({ "subject": "group", "members": [FRIEND, STRANGER, me] });
    let group = lab.sim.call("group.add", members)["jid"].as_str().unwrap().to_owned();
    let first = daemon.send(&group, "first");
    events.wait_until_sent(&[first]);
    lab.sim.call("token.no_keys", json!({ "number": STRANGER, "devices": [] }));
    let second = daemon.send(&group, "second");
    events.wait_until_sent(std::slice::from_ref(&second));
    let inbox = lab.sim.inbox(STRANGER);
    let wa_id = daemon.message(&second)["wa_id"].clone();
    let got = inbox.iter().find(|message| message["id"] == wa_id).unwrap_or_else(|| {
        panic!("the second message did not arrive: {inbox:?}");
    });
    assert_eq!((&got["text"], &got["failed"]), (&json!("second"), &json!(0)));
}

#[test]
fn what_another_try_may_cure_has_one_and_the_rest_says_why() {
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    let daemon = lab.paired_with(FAST);
    let mut events = daemon.events();
    for code in [421, 479, 503] {
        lab.sim.call("server.set", json!({ "ack_error": { "code": code, "times": 1 } }));
        let id = daemon.send(FRIEND, &format!("refused once with {code}"));
        events.wait_until_sent(std::slice::from_ref(&id));
        assert_eq!(attempts(&lab, &daemon, &id), 2, "{code}");
    }
    for (code, kind) in [(400, "not_sendable"), (404, "not_on_network")] {
        lab.sim.call("server.set", json!({ "ack_error": { "code": code, "times": 1 } }));
        let id = daemon.send(FRIEND, &format!("refused with {code}"));
        parked(&mut events, &id);
        assert_eq!(reason(&daemon, &id), json!({ "kind": kind, "code": code }));
        assert_eq!(attempts(&lab, &daemon, &id), 1, "{code}");
    }
}
