//! The queue by hand: idempotency, pause, cancel, clear, retry, and `tetherctl`.

use serde_json::{Value, json};

use crate::support::Lab;

#[test]
fn the_same_key_answers_the_same_message() {
    let lab = Lab::new();
    let daemon = lab.daemon("");
    let send = |text: &str| {
        daemon.call("message.send", json!({ "to": "+15550111", "text": text, "key": "order-7" }))
    };
    let first = send("hello").unwrap();
    let again = send("hello").unwrap();
    assert_eq!(first["duplicate"], false);
    assert_eq!(again["duplicate"], true);
    assert_eq!(first["message"]["id"], again["message"]["id"]);
    assert_eq!(send("something else").unwrap_err()["data"]["kind"], "key_conflict");
    assert_eq!(daemon.status()["queue"]["queued"], 1);
}

#[test]
fn the_same_key_answers_the_same_message_after_kill_9() {
    let lab = Lab::new();
    let mut daemon = lab.daemon("");
    let params = json!({ "to": "+15550111", "text": "hello", "key": "order-7" });
    let first = daemon.call("message.send", params.clone()).unwrap();
    daemon.kill9();
    let daemon = lab.daemon("");
    let again = daemon.call("message.send", params).unwrap();
    assert_eq!(again["duplicate"], true);
    assert_eq!(again["message"]["id"], first["message"]["id"]);
    assert_eq!(again["message"]["wa_id"], first["message"]["wa_id"]);
}

#[test]
fn cancel_clear_and_ids_that_are_never_reused() {
    let lab = Lab::new();
    let mut daemon = lab.daemon("");
    let ids: Vec<String> = (0..6)
        .map(|n| daemon.send(["+15550111", "+15550112"][n % 2], &format!("text {n}")))
        .collect();

    let cancelled = daemon.call("queue.cancel", json!({ "ids": [ids[0], "m999"] })).unwrap();
    assert_eq!(cancelled["cancelled"], json!([ids[0]]));
    assert_eq!(cancelled["not_found"], json!(["m999"]));

    let filter = json!({ "to": "+15550112" });
    let dry = daemon.call("queue.clear", json!({ "filter": filter, "dry_run": true })).unwrap();
    assert_eq!((dry["cleared"].clone(), dry["dry_run"].clone()), (json!(3), json!(true)));
    assert_eq!(daemon.status()["queue"]["queued"], 5);
    let cleared = daemon.call("queue.clear", json!({ "filter": filter })).unwrap();
    assert_eq!(cleared["cleared"], 3);
    assert_eq!(cleared["examples"][0]["preview"], "text 1");
    assert_eq!(daemon.call("clearMessagesQueue", json!({})).unwrap()["cleared"], 2);
    assert_eq!(daemon.status()["queue"]["free"], 400);

    daemon.kill9();
    let daemon = lab.daemon("");
    assert_eq!(daemon.message(&ids[3])["state"], "cancelled");
    assert_eq!(daemon.message(&ids[3])["text"], "text 3");
    let next = daemon.send("+15550111", "next");
    assert_eq!(next, "m7");
}

#[test]
fn a_misspelt_filter_clears_nothing() {
    let lab = Lab::new();
    let daemon = lab.daemon("");
    daemon.send("+15550111", "stays");
    let error =
        daemon.call("queue.clear", json!({ "filter": { "two": "+15550111" } })).unwrap_err();
    assert_eq!(error["data"]["kind"], "invalid_params", "{error}");
    assert_eq!(daemon.status()["queue"]["queued"], 1);
}

#[test]
fn the_longest_text_goes_in_and_comes_back_whole() {
    let lab = Lab::new();
    let mut daemon = lab.daemon("");
    let text = "\u{1f980}".repeat(65_536);
    let id = daemon.send("+15550111", &text);
    let error = daemon
        .call("message.send", json!({ "to": "+15550111", "text": format!("{text}!") }))
        .unwrap_err();
    assert_eq!(error["data"]["kind"], "bad_text", "{error}");
    daemon.kill9();
    let daemon = lab.daemon("");
    assert_eq!(daemon.message(&id)["text"].as_str().unwrap(), text);
}

#[test]
fn tetherctl_tells_people_what_they_need() {
    let lab = Lab::new();
    let daemon = lab.daemon("");
    let ctl = |args: &[&str]| daemon.ctl().args(args);

    let why = ctl(&["why"]).ok();
    assert!(why.contains("tetherctl pair"), "{why}");
    let sent: Value =
        serde_json::from_str(&ctl(&["--json", "send", "+15550111", "hello"]).ok()).unwrap();
    assert_eq!(sent["message"]["id"], "m1");
    daemon.ctl().args(&["send", "+15550112", "-"]).input("from stdin").ok();
    assert!(ctl(&["show", "m2"]).ok().contains("from stdin"));
    let queue = ctl(&["queue"]).ok();
    assert!(queue.contains("m1") && queue.contains("m2"), "{queue}");
    assert!(ctl(&["status"]).ok().contains("no phone is paired"));
    ctl(&["pause"]).ok();
    assert!(ctl(&["why"]).ok().contains("tetherctl resume"));
    ctl(&["resume"]).ok();
    ctl(&["cancel", "m1"]).ok();
    let (code, error) = ctl(&["clear"]).fails();
    assert!(error.contains("--yes"), "{code} {error}");
    ctl(&["clear", "--yes"]).ok();
    assert_eq!(daemon.status()["queue"]["queued"], 0);

    let (code, error) = ctl(&["send", "nobody", "x"]).fails();
    assert_eq!(code, 1, "without an account no group is known: {error}");
    assert!(error.contains("+15550100"), "an example helps: {error}");
    let (code, error) = ctl(&["send", "15550112", "x"]).fails();
    assert_eq!(code, 65, "no name of a group: {error}");
    let (code, _) = ctl(&["show", "m999"]).fails();
    assert_ne!(code, 0);
}

#[test]
fn a_missing_daemon_is_said_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("control.sock");
    let (code, error) = crate::support::Ctl::new(&socket).args(&["status"]).fails();
    assert_eq!(code, 69, "{error}");
    assert!(error.contains("no daemon"), "{error}");
}
