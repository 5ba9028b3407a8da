//! Privacy tokens: they come with messages and with the phone's history, are kept over
//! restarts, and go with the first message of every connection.

use serde_json::{Value, json};

use super::support::{Daemon, Lab, session_is};

const FRIEND: &str = "+15550111";
const OTHER: &str = "+15550112";

fn carried(lab: &Lab, message: &Value) -> Vec<Value> {
    let attempts = lab.attempts(message["wa_id"].as_str().unwrap());
    attempts.iter().map(|attempt| attempt["token"].clone()).collect()
}

#[test]
fn the_first_message_of_ten_starts_carries_the_token_that_is_stored() {
    let lab = Lab::new();
    lab.sim.call("recipient.add", json!({ "number": FRIEND, "token_required": true }));
    let mut daemon = lab.paired();
    lab.writes(&mut daemon.events(), FRIEND);
    for start in 0..10 {
        // In order and by force, in turn.
        if start % 2 == 0 {
            assert!(daemon.stop().success());
        } else {
            daemon.kill9();
        }
        daemon = lab.daemon("[pacing]\nwindow = \"1s\"\n");
        let mut events = daemon.events();
        let id = daemon.send(FRIEND, &format!("start {start}"));
        events.wait_until_sent(std::slice::from_ref(&id));
        assert_eq!(carried(&lab, &daemon.message(&id)), ["tctoken"], "start {start}");
    }
}

#[test]
fn a_token_and_a_salt_that_only_the_history_brings_go_with_the_first_messages() {
    let lab = Lab::new();
    for number in [FRIEND, OTHER] {
        lab.sim.call("recipient.add", json!({ "number": number, "token_required": true }));
    }
    // Nobody is notified of it: no client is there yet.
    lab.sim.call("token.give", json!({ "number": FRIEND }));
    let mut daemon = lab.paired();
    daemon.wait_log("the phone's history has been read");
    let mut events = daemon.events();
    for (number, token) in [(FRIEND, "tctoken"), (OTHER, "cstoken")] {
        let id = daemon.send(number, "the first");
        events.wait_until_sent(std::slice::from_ref(&id));
        let message = daemon.message(&id);
        assert_eq!(carried(&lab, &message), [token], "{message}");
    }
}

/// In the middle of it the phone does not send again what it has announced.
#[test]
fn a_kill_after_the_history_was_read_leaves_the_tokens_that_it_brought() {
    let lab = Lab::new();
    lab.sim.call("recipient.add", json!({ "number": FRIEND, "token_required": true }));
    lab.sim.call("recipient.add", json!({ "number": OTHER, "token_required": true }));
    for number in [FRIEND, OTHER] {
        lab.sim.call("token.give", json!({ "number": number }));
    }
    lab.sim.call("token.history", json!({ "chats": 1_200, "messages": 1 }));
    let mut daemon = lab.paired();
    daemon.wait_log("the phone's history has been read");
    daemon.kill9();
    let daemon = lab.daemon("[pacing]\nwindow = \"1s\"\n");
    let mut events = daemon.events();
    for number in [FRIEND, OTHER] {
        let id = daemon.send(number, "the first");
        events.wait_until_sent(std::slice::from_ref(&id));
        let message = daemon.message(&id);
        assert_eq!(carried(&lab, &message), ["tctoken"], "{message}");
    }
}

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// A message is sent, and so many days later its recipient asks for it again.
fn asked_again_after(lab: &Lab, days: u64) -> Daemon {
    lab.people(&[FRIEND]);
    let offset = lab.path().join("offset");
    std::fs::write(&offset, "0").unwrap();
    let config = lab.config("[pacing]\nwindow = \"1s\"\n");
    let mut daemon = Daemon::with_clock(&config, &lab.socket(), &offset);
    lab.pair(&daemon);
    let id = daemon.send(FRIEND, "days ago");
    daemon.events().wait_until_sent(std::slice::from_ref(&id));
    let wa_id = daemon.message(&id)["wa_id"].clone();
    assert!(daemon.stop().success());
    std::fs::write(&offset, (days * DAY_MS).to_string()).unwrap();
    let daemon = Daemon::with_clock(&config, &lab.socket(), &offset);
    daemon.events().wait("the session to connect", |event| session_is(event, "connected"));
    lab.sim.call("token.ask_again", json!({ "number": FRIEND, "id": wa_id }));
    daemon
}

fn copies(lab: &Lab) -> Value {
    lab.sim.inbox(FRIEND)[0]["devices"]["0"].clone()
}

#[test]
fn who_asks_again_thirteen_days_later_gets_the_message() {
    let lab = Lab::new();
    let _daemon = asked_again_after(&lab, 13);
    lab.sim.call("server.wait", json!({ "messages": 2 }));
    assert_eq!(copies(&lab), 2);
    assert_eq!(lab.sim.texts(FRIEND), ["days ago"]);
}

#[test]
fn who_asks_again_fifteen_days_later_does_not_and_the_log_says_so() {
    let lab = Lab::new();
    let mut daemon = asked_again_after(&lab, 15);
    daemon.wait_log("asks again for a message that is not kept any more");
    // What is asked for in its time is answered: that would have come first.
    let id = daemon.send(FRIEND, "now");
    daemon.events().wait_until_sent(&[id]);
    assert_eq!(copies(&lab), 1);
}

#[test]
fn without_an_answer_about_properties_messages_leave_all_the_same() {
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    let config = "[pacing]\nwindow = \"1s\"\n";
    let mut daemon = lab.paired_with(config);
    lab.writes(&mut daemon.events(), FRIEND);
    assert!(daemon.stop().success());
    lab.sim.call("server.set", json!({ "silent_props": true }));
    let path = lab.config_with_session(config, "send_timeout = \"4s\"");
    let daemon = Daemon::start(&path, &lab.socket());
    let mut events = daemon.events();
    events.wait("the session to connect", |event| session_is(event, "connected"));
    let id = daemon.send(FRIEND, "hello");
    events.wait_until_sent(std::slice::from_ref(&id));
    assert_eq!(carried(&lab, &daemon.message(&id)), [Value::Null]);
}
