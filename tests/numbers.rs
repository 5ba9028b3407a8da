//! Who is on the network: asked before anything is sent, remembered, and never guessed.

use serde_json::{Value, json};

use crate::support::{Events, Lab, has_left, message_is};

/// A window that holds nothing back, and questions as often as they are wanted.
const FAST: &str =
    "[pacing]\nmessages = 60\nwindow = \"1s\"\n\n[preflight]\ncheck_every = \"10ms\"\n";

fn stats(lab: &Lab) -> Value {
    lab.sim.call("server.stats", json!({}))
}

fn checks(lab: &Lab) -> u64 {
    stats(lab)["checks"].as_u64().unwrap()
}

/// To whom message stanzas went, as the server saw them.
fn receivers(lab: &Lab) -> Vec<String> {
    let stats = stats(lab);
    let attempts = stats["attempts"].as_array().unwrap();
    attempts.iter().map(|attempt| attempt["to"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn wait_until_parked(events: &mut Events, id: &str) {
    let event = events.wait("the message to be parked", |event| {
        assert!(!has_left(event, id), "{event}");
        message_is(event, id, "parked")
    });
    assert_eq!(event["message"]["reason"], json!({ "kind": "not_on_network" }));
    assert_eq!(event["message"]["attempts"], 0);
}

#[test]
fn invariant_7_ten_absent_numbers_among_thirty_are_parked_before_anything_is_sent_and_the_others_pass()
 {
    let lab = Lab::new();
    let number = |n: usize| format!("+155502{n:02}");
    let there: Vec<String> = (0..20).map(number).collect();
    lab.people(&there.iter().map(String::as_str).collect::<Vec<_>>());
    let daemon = lab.paired_with(FAST);
    let mut events = daemon.events();
    daemon.call("queue.pause", json!({})).unwrap();
    let ids: Vec<String> = (0..30).map(|n| daemon.send(&number(n), &format!("text {n}"))).collect();
    assert_eq!(checks(&lab), 0, "nothing is asked while nothing may leave");
    daemon.call("queue.resume", json!({})).unwrap();
    let (pass, lost) = ids.split_at(20);
    let mut open: Vec<&String> = ids.iter().collect();
    events.wait("every message to leave or to be parked", |event| {
        open.retain(|id| {
            let parked = message_is(event, id, "parked");
            assert!(!(parked && pass.contains(id)), "{event}");
            assert!(!(has_left(event, id) && lost.contains(id)), "{event}");
            !parked && !has_left(event, id)
        });
        open.is_empty()
    });
    for id in lost {
        let message = daemon.message(id);
        assert_eq!(message["reason"]["kind"], "not_on_network");
        assert_eq!(message["attempts"], 0);
    }
    let receivers = receivers(&lab);
    assert_eq!(receivers.len(), 20, "{receivers:?}");
    assert!(!receivers.iter().any(|to| to.starts_with("1555022")), "{receivers:?}");
    for (n, to) in there.iter().enumerate() {
        assert_eq!(lab.sim.texts(to), [format!("text {n}")]);
    }
    assert_eq!(checks(&lab), 1);
}

#[test]
fn after_a_retry_a_number_that_has_joined_meanwhile_gets_its_message() {
    let lab = Lab::new();
    let daemon = lab.paired_with(FAST);
    let mut events = daemon.events();
    let id = daemon.send("+15550111", "are you there?");
    wait_until_parked(&mut events, &id);
    assert_eq!(checks(&lab), 1);
    // From memory, without another question.
    let second = daemon.send("+15550111", "and now?");
    wait_until_parked(&mut events, &second);
    assert_eq!(checks(&lab), 1);
    lab.people(&["+15550111"]);
    daemon.ctl().args(&["retry"]).ok();
    events.wait_until_sent(&[id, second]);
    assert_eq!(lab.sim.texts("+15550111"), ["are you there?", "and now?"]);
    assert_eq!(checks(&lab), 2);
}

#[test]
fn an_error_is_unknown_and_asked_again_and_never_a_no() {
    for answer in ["error", "rate_limit", "empty"] {
        let lab = Lab::new();
        lab.people(&["+15550111"]);
        let daemon = lab.paired_with(FAST);
        lab.sim.call("server.set", json!({ "check": { "answer": answer, "times": 2 } }));
        let mut events = daemon.events();
        let id = daemon.send("+15550111", answer);
        let lost = daemon.send("+15550112", answer);
        wait_until_parked(&mut events, &lost);
        daemon.events().wait_until_left(&daemon, &[id]);
        // Two in vain, and the third; the second message may have needed one of its own.
        let checks = checks(&lab);
        assert!((3..=4).contains(&checks), "{answer}: {checks}");
        assert_eq!(receivers(&lab).len(), 1);
    }
}

#[test]
fn a_check_that_stays_broken_holds_no_message_for_long() {
    for answer in ["error", "empty"] {
        let lab = Lab::new();
        lab.people(&["+15550111"]);
        let daemon = lab.paired_with(FAST);
        lab.sim.call("server.set", json!({ "check": answer }));
        let mut events = daemon.events();
        let id = daemon.send("+15550111", "through");
        let lost = daemon.send("+15550112", "to nobody");
        events.wait("the absent one to be parked", |event| message_is(event, &lost, "parked"));
        daemon.events().wait_until_left(&daemon, &[id]);
        assert_eq!(receivers(&lab).len(), 1, "nothing is sent to nobody");
        // Asked for and not answered is unknown.
        let result = daemon.call("phone.check", json!({ "numbers": ["+15550113"] })).unwrap();
        assert_eq!(result["numbers"][0]["answer"], "unknown", "{result}");
        assert!(result["numbers"][0]["why"].is_string(), "{result}");
    }
}

#[test]
fn a_server_that_says_nothing_is_unknown() {
    let lab = Lab::new();
    lab.people(&["+15550111"]);
    let daemon = lab.paired_with(FAST);
    lab.sim.call("server.set", json!({ "check": { "answer": "silent", "times": 1 } }));
    let mut events = daemon.events();
    let id = daemon.send("+15550111", "in the end");
    events.wait_until_sent(&[id]);
    assert_eq!(checks(&lab), 2);
}

#[test]
fn answers_outlive_kill_9_and_an_offline_session_tells_only_them() {
    let lab = Lab::new();
    lab.people(&["+15550111"]);
    let mut daemon = lab.paired_with(FAST);
    let asked = ["+15550111", "+1 (555) 0112"];
    let result = daemon.call("phone.check", json!({ "numbers": asked })).unwrap();
    let answers = |result: &Value| -> Vec<(String, String, bool)> {
        let numbers = result["numbers"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let one = |n: &Value| (text(&n["number"]), text(&n["answer"]), n["cached"] == true);
        numbers.iter().map(one).collect()
    };
    let expected = |cached: bool| {
        vec![
            ("+15550111".to_owned(), "on_network".to_owned(), cached),
            ("+15550112".to_owned(), "not_on_network".to_owned(), cached),
        ]
    };
    assert_eq!(answers(&result), expected(false));
    daemon.kill9();
    let daemon = lab.daemon(FAST);
    let result = daemon.call("phone.check", json!({ "numbers": asked })).unwrap();
    assert_eq!(answers(&result), expected(true));
    assert_eq!(checks(&lab), 1);

    let mut events = daemon.events();
    events.wait("the session", |event| crate::support::session_is(event, "connected"));
    lab.sim.call("server.replace_session", json!({}));
    events.wait("the conflict", |event| crate::support::session_is(event, "replaced"));
    let numbers = ["+15550111", "+15550119"];
    let result = daemon.call("phone.check", json!({ "numbers": numbers })).unwrap();
    assert_eq!(result["numbers"][0]["answer"], "on_network");
    assert_eq!(result["numbers"][1]["answer"], "unknown");
    assert_eq!(result["numbers"][1]["why"], "There is no connection to WhatsApp.");
    assert_eq!(checks(&lab), 1);
}

#[test]
fn two_thousand_lines_are_checked_with_few_questions() {
    let lab = Lab::new();
    let daemon = lab.paired_with(&format!("{FAST}checks_per_day = 2000\n"));
    let number = |n: u32| format!("+1555{:07}", 9_000_000 + n);
    let there: Vec<String> = (0..2_000).step_by(100).map(number).collect();
    lab.people(&there.iter().map(String::as_str).collect::<Vec<_>>());
    let mut lines = String::from("# our customers\n\n");
    for n in 0..2_000 {
        lines.push_str(&format!("{}\n", number(n)));
    }
    let output = daemon.ctl().args(&["check", "-"]).input(&lines).run();
    let out = String::from_utf8(output.stdout).unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert_eq!(err, "tetherctl: 1980 of 2000 checked are not on the network\n");
    let told: Vec<&str> = out.lines().collect();
    assert_eq!(told.len(), 2_000);
    for (n, line) in (0..).zip(told) {
        let answer = if n % 100 == 0 { "on_network" } else { "not_on_network" };
        assert_eq!(line, format!("{}  {answer}", number(n)));
    }
    let stats = stats(&lab);
    assert!(stats["checks"].as_u64().unwrap() <= 80, "{}", stats["checks"]);
    assert_eq!(stats["checked_numbers"], 2_000);
    assert!(receivers(&lab).is_empty());

    // All of them are remembered, and those who are there are all of the question.
    let output = daemon.ctl().args(&["--json", "check"]).input(&there.join("\n")).run();
    assert_eq!(output.status.code(), Some(0));
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(out.lines().count(), 20);
    for (line, number) in out.lines().zip(&there) {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&line["number"], &line["cached"]), (&json!(number), &json!(true)));
    }
    assert_eq!(checks(&lab), stats["checks"].as_u64().unwrap());
}

#[test]
fn a_bad_line_is_named_and_left_out_and_what_is_unknown_has_an_exit_code_of_its_own() {
    let lab = Lab::new();
    lab.people(&["+15550111"]);
    let daemon = lab.paired_with(FAST);
    let lines = "+15550111\n\nnobody\n# +15550112\n0155501\n";
    let (code, err) = daemon.ctl().args(&["check"]).input(lines).fails();
    let what = "a number begins with + and the country code, like +15550100; left out";
    assert_eq!(
        (code, err),
        (
            65,
            format!(
                "tetherctl: line 3: {what}\ntetherctl: line 5: {what}\n\
                 tetherctl: 2 could not be read as numbers\n"
            )
        )
    );
    lab.sim.call("server.set", json!({ "check": "empty" }));
    let (code, err) = daemon.ctl().args(&["check", "+15550111", "+15550113"]).fails();
    assert_eq!(code, 75, "{err}");
    assert!(err.contains("1 of 2 checked are unknown"), "{err}");
}

/// Brazil's ninth digit and Mexico's 1: people write one number, the network has another.
#[test]
fn a_message_goes_to_the_address_that_the_network_has_for_its_number() {
    let lab = Lab::new();
    for (number, spelling) in
        [("+551155550101", "+5511955550101"), ("+5215555550102", "+525555550102")]
    {
        let person = json!({ "number": number, "spellings": [spelling] });
        lab.sim.call("recipient.add", person);
    }
    let mut daemon = lab.paired_with(FAST);
    let checked = daemon.ctl().args(&["check", "+5511955550101"]).ok();
    assert_eq!(checked, "+5511955550101  on_network  messages go to its address +551155550101\n");
    let mut events = daemon.events();
    let ids = ["+5511955550101", "+525555550102"].map(|to| daemon.send(to, "text"));
    let mut open: Vec<&String> = ids.iter().collect();
    events.wait("both messages to be read", |event| {
        open.retain(|id| !message_is(event, id, "read"));
        open.is_empty()
    });
    assert_eq!(lab.sim.texts("+551155550101"), ["text"]);
    assert_eq!(lab.sim.texts("+5215555550102"), ["text"]);
    let message = daemon.message(&ids[0]);
    assert_eq!(message["to"], "5511955550101@s.whatsapp.net");
    assert_eq!(message["address"], "551155550101@s.whatsapp.net");
    let shown = daemon.ctl().args(&["show", &ids[0]]).ok();
    assert!(shown.contains("address     +551155550101, by the network"), "{shown}");
    // It is remembered over a restart, and nothing is asked again.
    let asked = checks(&lab);
    drop(events);
    daemon.kill9();
    let daemon = lab.daemon(FAST);
    let mut events = daemon.events();
    let id = daemon.send("+5511955550101", "again");
    events.wait("the message to leave", |event| has_left(event, &id));
    assert_eq!(daemon.message(&id)["address"], "551155550101@s.whatsapp.net");
    assert_eq!(checks(&lab), asked);
}
