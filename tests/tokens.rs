//! Privacy tokens: they come with messages and with the phone's history, are kept over
//! restarts, and go with the first message of every connection.

use serde_json::{Value, json};

use super::support::{Lab, session_is};

const FRIEND: &str = "+15550111";

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
fn without_an_answer_about_properties_messages_leave_all_the_same() {
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    let config = "[pacing]\nwindow = \"1s\"\n";
    let mut daemon = lab.paired_with(config);
    lab.writes(&mut daemon.events(), FRIEND);
    assert!(daemon.stop().success());
    lab.sim.call("server.set", json!({ "silent_props": true }));
    let path = lab.config_with_session(config, "send_timeout = \"4s\"");
    let daemon = super::support::Daemon::start(&path, &lab.socket());
    let mut events = daemon.events();
    events.wait("the session to connect", |event| session_is(event, "connected"));
    let id = daemon.send(FRIEND, "hello");
    events.wait_until_sent(std::slice::from_ref(&id));
    assert_eq!(carried(&lab, &daemon.message(&id)), [Value::Null]);
}
