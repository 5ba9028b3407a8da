//! kill -9 at the worst moments, and a full queue.

use serde_json::json;

use crate::support::{Lab, message_is, session_is};

#[test]
fn invariant_4_killed_between_the_send_and_its_ack_the_recipient_has_one_message() {
    let lab = Lab::new();
    lab.people(&["+15550111"]);
    let mut daemon = lab.paired();
    lab.sim.call("server.set", json!({ "ack_drop": true, "receipts": "none" }));
    let before = daemon.send("+15550111", "only once");
    // The server has it, we have no answer.
    lab.sim.call("server.wait", json!({ "messages": 1 }));
    daemon.kill9();

    lab.sim.call("server.set", json!({ "ack_drop": false, "receipts": "all" }));
    let daemon = lab.daemon("[pacing]\nwindow = \"3s\"\n");
    let after = daemon.send("+15550111", "and this");
    daemon.events().wait_until_left(&daemon, &[before.clone(), after]);
    assert_eq!(lab.sim.texts("+15550111"), ["only once", "and this"]);
    let inbox = lab.sim.inbox("+15550111");
    assert_eq!(inbox[0]["id"], daemon.message(&before)["wa_id"]);
    assert!(inbox.iter().all(|m| m["failed"] == 0), "{inbox:?}");
}

#[test]
fn a_message_that_is_asked_for_again_is_answered_after_a_kill() {
    let lab = Lab::new();
    lab.people(&["+15550111"]);
    let mut daemon = lab.paired();
    let id = daemon.send("+15550111", "once more");
    daemon.events().wait_until_left(&daemon, std::slice::from_ref(&id));
    let wa_id = daemon.message(&id)["wa_id"].clone();
    // Its recipient asks for it; the request is acknowledged, and the answer gets lost.
    lab.sim.call("server.set", json!({ "lose_messages": true }));
    lab.sim.call("token.ask_again", json!({ "number": "+15550111", "id": wa_id }));
    lab.sim.call("server.wait", json!({ "attempts": 2 }));
    daemon.kill9();

    lab.sim.call("server.set", json!({ "lose_messages": false }));
    let mut daemon = lab.daemon("");
    lab.sim.call("server.wait", json!({ "attempts": 3, "messages": 2 }));
    let inbox = lab.sim.inbox("+15550111");
    let [entry] = inbox.as_slice() else { panic!("{inbox:?}") };
    assert_eq!((&entry["copies"], &entry["failed"]), (&json!(2), &json!(0)), "{entry}");

    // The answer was acknowledged: there is no other.
    let other = daemon.send("+15550111", "and another");
    daemon.events().wait_until_left(&daemon, &[other]);
    daemon.kill9();
    let daemon = lab.daemon("");
    let last = daemon.send("+15550111", "the last");
    daemon.events().wait_until_left(&daemon, &[last]);
    let inbox = lab.sim.inbox("+15550111");
    assert_eq!(inbox[0]["copies"], 2, "{inbox:?}");
    assert_eq!(lab.sim.texts("+15550111"), ["once more", "and another", "the last"]);
}

#[test]
fn an_answer_that_the_server_refuses_is_given_again_after_the_next_login() {
    let lab = Lab::new();
    lab.people(&["+15550111"]);
    let mut daemon = lab.paired();
    let id = daemon.send("+15550111", "once more");
    daemon.events().wait_until_left(&daemon, std::slice::from_ref(&id));
    let wa_id = daemon.message(&id)["wa_id"].clone();
    lab.sim.call("server.set", json!({ "ack_error": { "code": 479, "times": 1 } }));
    lab.sim.call("token.ask_again", json!({ "number": "+15550111", "id": wa_id }));
    lab.sim.call("server.wait", json!({ "attempts": 2 }));
    daemon.stop();

    let daemon = lab.daemon("");
    lab.sim.call("server.wait", json!({ "attempts": 3, "messages": 2 }));
    let inbox = lab.sim.inbox("+15550111");
    assert_eq!((&inbox[0]["copies"], &inbox[0]["failed"]), (&json!(2), &json!(0)), "{inbox:?}");
    assert_eq!(daemon.message(&id)["state"], "read");
}

#[test]
fn invariant_2_four_hundred_survive_kill_9_and_the_next_is_refused_with_a_hint() {
    const CAPACITY: usize = 400;
    let lab = Lab::new();
    let mut daemon = lab.daemon("");
    let mut rpc = crate::support::Rpc::connect(&lab.socket());
    let mut ids = Vec::new();
    for n in 0..CAPACITY {
        let reply = rpc
            .call(
                "message.send",
                json!({ "to": format!("+15550{:03}", 100 + n % 3), "text": format!("text {n}") }),
            )
            .unwrap();
        ids.push(reply["message"]["id"].as_str().unwrap().to_owned());
    }
    let refusal =
        rpc.call("message.send", json!({ "to": "+15550111", "text": "too many" })).unwrap_err();
    assert_eq!(refusal["data"]["kind"], "queue_full", "{refusal}");
    assert_eq!(refusal["code"], 1001);
    let sentence = refusal["message"].as_str().unwrap();
    assert!(sentence.contains("400"), "{sentence}");
    daemon.kill9();

    let daemon = lab.daemon("");
    let list = daemon.call("queue.list", json!({})).unwrap();
    assert_eq!(list["total"], CAPACITY);
    let kept: Vec<&str> =
        list["messages"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect();
    assert_eq!(kept, ids);
    let refusal =
        daemon.call("message.send", json!({ "to": "+15550111", "text": "x" })).unwrap_err();
    assert_eq!(refusal["data"]["kind"], "queue_full");
}

#[test]
fn killed_at_any_moment_of_a_send_no_key_is_used_twice() {
    // From the start of an attempt over its encryption, its flush and its ack.
    const MOMENTS_US: [u64; 16] = [
        0, 300, 600, 900, 1_200, 1_500, 2_000, 2_500, 3_000, 4_000, 5_000, 6_500, 8_000, 10_000,
        15_000, 25_000,
    ];
    let pace = "[pacing]\nwindow = \"1s\"\n";
    let lab = Lab::new();
    let person = json!({ "number": "+15550111", "on_network": true, "companions": 1 });
    lab.sim.call("recipient.add", person);
    let mut daemon = lab.paired_with(pace);
    let first = daemon.send("+15550111", "sessions are there");
    daemon.events().wait_until_left(&daemon, &[first]);
    let mut texts = vec!["sessions are there".to_owned()];
    for moment in MOMENTS_US {
        let mut events = daemon.events();
        let text = format!("killed after {moment} us");
        let id = daemon.send("+15550111", &text);
        events.wait("the attempt", |event| message_is(event, &id, "sending"));
        let moment = std::time::Duration::from_micros(moment);
        assert!(!daemon.log_within("nothing that it says", moment));
        daemon.kill9();
        daemon = lab.daemon(pace);
        daemon.events().wait_until_left(&daemon, &[id]);
        texts.push(text);
    }
    assert_eq!(lab.sim.texts("+15550111"), texts);
    let inbox = lab.sim.inbox("+15550111");
    assert!(inbox.iter().all(|m| m["failed"] == 0), "{inbox:?}");
}

#[test]
fn invariant_5_a_full_queue_arrives_once_each_in_order() {
    // The whole queue, through three kills, at a pace that a test can wait for.
    const MESSAGES: usize = 400;
    let people = ["+15550111", "+15550112", "+15550113"];
    let pace = "[pacing]\nmessages = 60\nwindow = \"1s\"\n";
    let lab = Lab::new();
    lab.people(&people);
    let mut daemon = lab.paired_with(pace);
    daemon.call("queue.pause", json!({})).unwrap();
    let ids: Vec<String> = (0..MESSAGES)
        .map(|n| daemon.send(people[n % people.len()], &format!("text {n}")))
        .collect();
    let full = daemon.call("message.send", json!({ "to": "+15550111", "text": "x" })).unwrap_err();
    assert_eq!(full["data"]["kind"], "queue_full");
    daemon.call("queue.resume", json!({})).unwrap();
    for kill_after in [50, 150, 300] {
        daemon.events().wait_until_left(&daemon, &ids[..kill_after]);
        daemon.kill9();
        daemon = lab.daemon(pace);
    }
    daemon.events().wait_until_left(&daemon, &ids);
    for (person, number) in people.iter().enumerate() {
        let expected: Vec<String> =
            (person..MESSAGES).step_by(people.len()).map(|n| format!("text {n}")).collect();
        assert_eq!(lab.sim.texts(number), expected);
        let inbox = lab.sim.inbox(number);
        assert!(inbox.iter().all(|m| m["failed"] == 0), "{inbox:?}");
    }
}

#[test]
fn a_second_daemon_is_told_who_holds_the_state_directory() {
    let lab = Lab::new();
    let first = lab.daemon("");
    let mut second = crate::support::Daemon::spawn(&lab.config(""), &lab.socket());
    let status = second.wait();
    assert_eq!(status.code(), Some(75), "{}", second.log());
    assert!(second.log().contains(&first.pid().to_string()), "{}", second.log());
    // And the first goes on.
    first.status();
}

#[test]
fn sigterm_leaves_in_order_and_the_socket_goes() {
    let lab = Lab::new();
    let mut daemon = lab.paired();
    let mut events = daemon.events();
    assert!(daemon.stop().success(), "{}", daemon.log());
    while events.next().is_some() {}
    assert!(!lab.socket().exists());
}

#[test]
fn a_message_in_flight_is_answered_before_the_daemon_leaves() {
    let lab = Lab::new();
    lab.people(&["+15550111"]);
    let mut daemon = lab.paired();
    let mut events = daemon.events();
    lab.sim.call("server.set", json!({ "ack_delay_ms": 500 }));
    let id = daemon.send("+15550111", "on its way");
    events.wait("the attempt", |event| message_is(event, &id, "sending"));
    assert!(daemon.stop().success(), "{}", daemon.log());
    let daemon = lab.daemon("");
    let state = daemon.message(&id)["state"].as_str().unwrap().to_owned();
    assert!(["sent", "delivered", "read"].contains(&state.as_str()), "{state}");
    daemon.events().wait("the session", |event| session_is(event, "connected"));
    assert_eq!(lab.sim.texts("+15550111"), ["on its way"]);
}
