//! Numbers and LIDs: accounts that are migrated to LIDs, and those that are not.

use serde_json::{Value, json};

use crate::support::{ACCOUNT, Daemon, Events, Lab, message_is};

/// A window that holds nothing back.
const FAST: &str = "[pacing]\nmessages = 60\nwindow = \"1s\"\n";
const FRIEND: &str = "+15550111";
const STRANGER: &str = "+15550112";

fn paired(lab: &Lab) -> Daemon {
    lab.people(&[FRIEND]);
    let daemon = lab.paired_with(FAST);
    // People can write to it from here on.
    lab.sim.call("server.wait", json!({ "key_uploads": 1 }));
    daemon
}

/// How the last message stanza was addressed.
fn last_address(lab: &Lab) -> String {
    let stats = lab.sim.call("server.stats", json!({}));
    let attempts = stats["attempts"].as_array().unwrap();
    attempts.last().unwrap()["address"].as_str().unwrap().to_owned()
}

/// What comes in when this person writes.
fn written_by(lab: &Lab, number: &str) -> Value {
    written(lab, json!({ "number": number, "text": "back" }))
}

/// What comes in when this person writes in a group.
fn written_in(lab: &Lab, number: &str, group: &Value) -> Value {
    written(lab, json!({ "number": number, "to": group, "text": "to all" }))
}

fn written(lab: &Lab, reply: Value) -> Value {
    let mut events = Events::subscribe_with(&lab.socket(), json!({})).0;
    lab.sim.call("recipient.reply", reply);
    events.wait("what they wrote", |event| event["event"] == "incoming")["message"].clone()
}

#[test]
fn an_account_that_is_migrated_and_one_that_is_not_send_and_receive() {
    for (migrated, server) in [(true, "@lid"), (false, "@s.whatsapp.net")] {
        let lab = Lab::new();
        lab.sim.call("server.set", json!({ "migrated": migrated }));
        let daemon = paired(&lab);
        let mut events = daemon.events();
        let id = daemon.send(FRIEND, "hello");
        events.wait_until_sent(&[id]);
        assert!(last_address(&lab).ends_with(server), "{}", last_address(&lab));
        assert_eq!(lab.sim.texts(FRIEND), ["hello"]);
        let incoming = written_by(&lab, FRIEND);
        assert_eq!(incoming["chat"], "15550111@s.whatsapp.net", "{incoming}");
    }
}

#[test]
fn whose_number_is_not_stated_is_known_by_it_once_somebody_wrote_to_it() {
    let lab = Lab::new();
    let daemon = paired(&lab);
    lab.sim.call("server.set", json!({ "sender_pn": false }));
    let mut events = daemon.events();
    let id = daemon.send(FRIEND, "hello");
    events.wait_until_sent(&[id]);
    let incoming = written_by(&lab, FRIEND);
    assert_eq!(incoming["sender"], "15550111@s.whatsapp.net", "{incoming}");
    // Whom no history names.
    lab.people(&[STRANGER]);
    let incoming = written_by(&lab, STRANGER);
    assert!(incoming["sender"].as_str().unwrap().ends_with("@lid"), "{incoming}");
    assert_eq!(incoming["name"], "Simulated");
}

/// The first person that was added; whose LID the simulator counts up from here.
const FRIEND_LID: &str = "100000000000001@lid";

#[test]
fn invariant_5_a_person_gets_what_was_sent_to_the_lid_and_to_the_number_in_order() {
    for migrated in [true, false] {
        let lab = Lab::new();
        lab.sim.call("server.set", json!({ "migrated": migrated }));
        let daemon = paired(&lab);
        let mut events = daemon.events();
        // So that the first is under way while the name of the second is learnt.
        lab.sim.call("server.set", json!({ "ack_delay_ms": 300 }));
        let to = if migrated { FRIEND_LID } else { FRIEND };
        let ids: Vec<String> = [to, FRIEND, to, FRIEND]
            .iter()
            .enumerate()
            .map(|(n, to)| daemon.send(to, &format!("text {n}")))
            .collect();
        events.wait_until_sent(&ids);
        assert_eq!(lab.sim.texts(FRIEND), ["text 0", "text 1", "text 2", "text 3"]);
    }
}

#[test]
fn a_person_who_wrote_is_found_under_either_name() {
    let lab = Lab::new();
    let daemon = paired(&lab);
    assert_eq!(written_by(&lab, FRIEND)["chat"], "15550111@s.whatsapp.net");
    daemon.call("queue.pause", json!({})).unwrap();
    let ids = [FRIEND, FRIEND_LID].map(|to| daemon.send(to, "text"));
    for to in [FRIEND, FRIEND_LID] {
        let listed = daemon.call("queue.list", json!({ "filter": { "to": to } })).unwrap();
        let found: Vec<&str> = listed["messages"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|m| m["id"].as_str())
            .collect();
        assert_eq!(found, ids, "{to}");
    }
}

/// Someone whose number nobody sees: it names them towards the simulator only.
const BOB: &str = "+15550119";

fn add_bob(lab: &Lab) {
    let bob = json!({ "number": BOB, "username": "bob.b", "hidden": true });
    lab.sim.call("recipient.add", bob);
}

#[test]
fn a_username_gets_its_messages_and_is_resolved_once() {
    let lab = Lab::new();
    let mut daemon = paired(&lab);
    add_bob(&lab);
    let checked = daemon.ctl().args(&["check", "@Bob.b"]).ok();
    assert!(checked.starts_with("@Bob.b  on_network  messages go to its address 1"), "{checked}");
    let mut events = daemon.events();
    let id = daemon.send("@bob.b", "hello");
    events.wait_until_sent(std::slice::from_ref(&id));
    assert_eq!(lab.sim.texts(BOB), ["hello"]);
    let message = daemon.message(&id);
    assert_eq!(message["to"], "@bob.b");
    let lid = message["address"].as_str().unwrap().to_owned();
    assert!(lid.ends_with("@lid"), "{message}");
    let incoming = written_by(&lab, BOB);
    assert_eq!(incoming["chat"], json!(lid), "{incoming}");

    drop(events);
    daemon.kill9();
    let daemon = lab.daemon(FAST);
    let mut events = daemon.events();
    let asked = lab.sim.call("server.stats", json!({}))["checks"].clone();
    let ids = ["@bob.b", &lid, "@bob.b"].map(|to| daemon.send(to, to));
    events.wait_until_sent(&ids);
    assert_eq!(lab.sim.texts(BOB), ["hello", "@bob.b", &lid, "@bob.b"]);
    assert_eq!(lab.sim.call("server.stats", json!({}))["checks"], asked);
}

#[test]
fn who_has_a_username_and_no_number_is_shown_by_it_and_answered_without_a_question() {
    for sender_pn in [true, false] {
        let lab = Lab::new();
        lab.sim.call("server.set", json!({ "sender_pn": sender_pn }));
        let mut daemon = paired(&lab);
        add_bob(&lab);
        let members = json!([BOB, FRIEND, format!("+{ACCOUNT}")]);
        let added = json!({ "subject": "Walks", "members": members });
        let group = lab.sim.call("group.add", added)["jid"].clone();
        let direct = written_by(&lab, BOB);
        let in_group = written_in(&lab, BOB, &group);
        let lid = direct["sender"].as_str().unwrap().to_owned();
        assert!(lid.ends_with("@lid"), "{direct}");
        assert_eq!((&direct["chat"], &in_group["chat"]), (&json!(lid), &group));
        for incoming in [&direct, &in_group] {
            let named = ["sender", "username", "name"].map(|field| &incoming[field]);
            assert_eq!(named, [&json!(lid), &json!("@bob.b"), &json!("Simulated")], "{incoming}");
        }
        lab.sim.call("phone.send", json!({ "to": BOB, "text": "from the phone" }));
        let shows = |daemon: &Daemon| {
            let inbox = daemon.ctl().args(&["inbox"]).ok();
            let [direct, in_group, own] = *inbox.lines().collect::<Vec<&str>>() else {
                panic!("{inbox}");
            };
            assert!(direct.ends_with(" 1 Simulated (@bob.b): back"), "{inbox}");
            let from = format!(" 2 Simulated (@bob.b) in {}: ", group.as_str().unwrap());
            assert!(in_group.contains(&from), "{inbox}");
            assert!(own.ends_with(" 3 me in @bob.b: from the phone"), "{inbox}");
        };
        let mut events = Events::subscribe_with(&lab.socket(), json!({ "after": 0 })).0;
        events.wait("the phone's message", |event| event["message"]["cursor"] == 3);
        shows(&daemon);

        drop(events);
        daemon.kill9();
        let daemon = lab.daemon(FAST);
        let mut events = daemon.events();
        shows(&daemon);
        let ids = ["@bob.b", &lid].map(|to| daemon.send(to, to));
        events.wait_until_sent(&ids);
        assert_eq!(lab.sim.texts(BOB).last(), Some(&lid));
        let checks = &lab.sim.call("server.stats", json!({}))["checks"];
        assert!(!checks.to_string().contains("bob"), "{checks}");
    }
}

#[test]
fn who_has_a_username_and_a_number_is_shown_by_the_number() {
    let lab = Lab::new();
    let daemon = paired(&lab);
    lab.sim.call("recipient.add", json!({ "number": STRANGER, "username": "ann" }));
    let incoming = written_by(&lab, STRANGER);
    assert_eq!(incoming["sender"], "15550112@s.whatsapp.net", "{incoming}");
    assert_eq!(incoming["username"], "@ann", "{incoming}");
    let inbox = daemon.ctl().args(&["inbox"]).ok();
    assert!(inbox.trim_end().ends_with(" 1 Simulated (+15550112): back"), "{inbox}");
    // No username: by the LID, behind the name.
    lab.sim.call("recipient.add", json!({ "number": BOB, "hidden": true }));
    let lid = written_by(&lab, BOB)["sender"].clone();
    let inbox = daemon.ctl().args(&["inbox"]).ok();
    let shown = format!(" 2 Simulated ({}): back", lid.as_str().unwrap());
    assert!(inbox.trim_end().ends_with(&shown), "{inbox}");
}

#[test]
fn a_username_that_nobody_has_is_parked_and_an_error_is_never_a_no() {
    let lab = Lab::new();
    let daemon = paired(&lab);
    add_bob(&lab);
    let mut events = daemon.events();
    lab.sim.call("server.set", json!({ "check": { "answer": "error", "times": 2 } }));
    let there = daemon.send("@bob.b", "hello");
    events.wait_until_sent(&[there]);
    let lost = daemon.send("@nobody", "hello?");
    let event = events.wait("it to be parked", |event| message_is(event, &lost, "parked"));
    assert_eq!(event["message"]["reason"]["kind"], "not_on_network");
    let why = daemon.ctl().args(&["why"]).ok();
    assert!(why.contains("not_on_network"), "{why}");
    let error = daemon.call("message.send", json!({ "to": "@1234", "text": "x" })).unwrap_err();
    assert_eq!(error["data"]["kind"], "bad_recipient", "{error}");
}

/// Somebody whose username is answered only to who gives its key.
fn add_bob_with_key(lab: &Lab) {
    let bob = json!({ "number": BOB, "username": "bob.b", "hidden": true, "key": "0042" });
    lab.sim.call("recipient.add", bob);
}

#[test]
fn a_username_that_demands_a_key_is_resolved_with_it_and_the_key_is_kept_no_longer() {
    let lab = Lab::new();
    let mut daemon = paired(&lab);
    add_bob_with_key(&lab);
    let mut events = daemon.events();
    for to in ["@bob.b", "@bob.b#4200"] {
        let id = daemon.send(to, "hello?");
        let event = events.wait("it to be parked", |event| message_is(event, &id, "parked"));
        assert_eq!(event["message"]["reason"]["kind"], "not_on_network");
        assert_eq!(event["message"]["to"], "@bob.b");
    }
    let why = daemon.ctl().args(&["why"]).ok();
    assert!(why.contains("send again with it: @name#1234"), "{why}");
    // One that waits over a restart waits with its key.
    daemon.call("queue.pause", json!({})).unwrap();
    let id = daemon.send("@bob.b#0042", "hello");
    drop(events);
    daemon.kill9();
    let mut daemon = lab.daemon(FAST);
    let mut events = daemon.events();
    daemon.call("queue.resume", json!({})).unwrap();
    events.wait_until_sent(std::slice::from_ref(&id));
    let message = daemon.message(&id);
    assert_eq!(message["to"], "@bob.b");
    assert!(message["address"].as_str().unwrap().ends_with("@lid"), "{message}");
    assert!(!message.to_string().contains("0042"), "{message}");

    // From now on the name is enough, also after a restart and where the network is to be asked.
    drop(events);
    daemon.kill9();
    let daemon = lab.daemon(FAST);
    let mut events = daemon.events();
    let asked = lab.sim.call("server.stats", json!({}))["checks"].clone();
    let checked = daemon.ctl().args(&["check", "--fresh", "@bob.b"]).ok();
    assert!(checked.starts_with("@bob.b  on_network  messages go to its address 1"), "{checked}");
    let again = daemon.send("@bob.b", "again");
    events.wait_until_sent(std::slice::from_ref(&again));
    assert_eq!(lab.sim.texts(BOB), ["hello", "again"]);
    assert_eq!(lab.sim.call("server.stats", json!({}))["checks"], asked);
}

#[test]
fn a_check_takes_the_key_of_a_username_and_what_is_none_is_refused() {
    let lab = Lab::new();
    let daemon = paired(&lab);
    add_bob_with_key(&lab);
    let check = |to: &str| {
        let result = daemon.call("phone.check", json!({ "numbers": [to] })).unwrap();
        result["numbers"][0].clone()
    };
    assert_eq!(check("@bob.b")["answer"], "not_on_network");
    assert_eq!(check("@bob.b#4200")["answer"], "not_on_network");
    let found = check("@bob.b#0042");
    assert_eq!((&found["answer"], &found["number"]), (&json!("on_network"), &json!("@bob.b")));
    for to in ["@bob.b#", "@bob.b#042", "@bob.b#00421", "@bob.b#004a"] {
        let send = json!({ "to": to, "text": "x" });
        let error = daemon.call("message.send", send).unwrap_err();
        assert_eq!(error["data"]["kind"], "bad_recipient", "{error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("exactly 4 digits") && !message.contains("bob"), "{error}");
        daemon.call("phone.check", json!({ "numbers": [to] })).unwrap_err();
    }
}
