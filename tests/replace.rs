//! The newest content of a key wins: in place while it waits, behind it once it has left.

use serde_json::{Value, json};

use crate::support::{Daemon, Lab};

const ANN: &str = "+15550111";
const FAST: &str = "[pacing]\nmessages = 60\nwindow = \"1s\"\n";
const KEY: &str = "disk-7";

fn lab() -> (Lab, Daemon) {
    let lab = Lab::new();
    lab.people(&[ANN]);
    let daemon = lab.paired_with(FAST);
    (lab, daemon)
}

#[track_caller]
fn replace(daemon: &Daemon, text: &str, how: &str) -> Value {
    let params = json!({ "to": ANN, "text": text, "key": KEY, "replace": how });
    daemon.call("message.send", params).unwrap()
}

fn id_of(result: &Value) -> String {
    result["message"]["id"].as_str().unwrap().to_owned()
}

#[test]
fn while_it_waits_only_the_newest_state_is_sent() {
    let (lab, daemon) = lab();
    daemon.call("queue.pause", json!({})).unwrap();
    let send = ["send", ANN, "disk 7 is full", "--key", KEY];
    daemon.ctl().args(&send).ok();
    let behind = daemon.send(ANN, "something else");
    let sent = daemon.ctl().args(&["send", ANN, "disk 7 has room", "-k", KEY, "--replace"]).ok();
    assert!(sent.starts_with("m1 queued, with its new content"), "{sent}");
    let shown = daemon.ctl().args(&["show", "m1"]).ok();
    assert!(shown.contains("disk 7 has room"), "{shown}");
    // Without --replace the key still stands for one content.
    let refused = daemon.call("message.send", json!({ "to": ANN, "text": "x", "key": KEY }));
    assert_eq!(refused.unwrap_err()["data"]["kind"], "key_conflict");
    let without = daemon.call("message.send", json!({ "to": ANN, "text": "x", "replace": "new" }));
    assert_eq!(without.unwrap_err()["data"]["kind"], "invalid_params");
    daemon.call("queue.resume", json!({})).unwrap();
    daemon.events().wait_until_left(&daemon, &["m1".to_owned(), behind]);
    assert_eq!(lab.sim.texts(ANN), ["disk 7 has room", "something else"]);
}

#[test]
fn what_has_left_is_edited_or_followed() {
    let (lab, daemon) = lab();
    let first = id_of(&replace(&daemon, "disk 7 is full", "edit"));
    daemon.events().wait_until_left(&daemon, std::slice::from_ref(&first));
    let edit = ["send", ANN, "disk 7 has room", "--key", KEY, "--replace=edit"];
    let sent = daemon.ctl().args(&edit).ok();
    assert!(sent.starts_with("m2 ") && sent.contains(", in place of m1"), "{sent}");
    daemon.events().wait_until_left(&daemon, &["m2".to_owned()]);
    let content = lab.sim.inbox(ANN).last().unwrap()["content"].clone();
    let about = daemon.message(&first)["wa_id"].clone();
    assert_eq!((&content["kind"], &content["target"]["id"]), (&json!("edit"), &about), "{content}");
    assert_eq!(content["text"], "disk 7 has room");
    let again = replace(&daemon, "disk 7 has room", "edit");
    assert_eq!((again["duplicate"].as_bool(), id_of(&again)), (Some(true), "m2".to_owned()));
    let new = replace(&daemon, "disk 7 is full again", "new");
    assert_eq!(new["message"]["kind"], "text", "{new}");
    daemon.events().wait_until_left(&daemon, &[id_of(&new)]);
    assert_eq!(lab.sim.texts(ANN).last().unwrap(), "disk 7 is full again");
    let by_key = daemon.call("message.get", json!({ "key": KEY })).unwrap();
    assert_eq!(by_key["id"], id_of(&new).as_str(), "{by_key}");
}

#[test]
fn the_same_text_about_another_occurrence_is_no_repetition() {
    let (lab, daemon) = lab();
    let send = |more: Value| {
        let mut params = json!({ "to": ANN, "text": "disk 7 is full", "key": KEY });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        daemon.call("message.send", params)
    };
    let about = |which: &str| send(json!({ "replace": "new", "occurrence": which })).unwrap();
    assert_eq!(id_of(&about("monday")), "m1");
    daemon.events().wait_until_left(&daemon, &["m1".to_owned()]);
    assert_eq!(about("monday")["duplicate"], true);
    let later = about("thursday");
    assert_eq!((id_of(&later), &later["duplicate"]), ("m2".to_owned(), &json!(false)));
    daemon.events().wait_until_left(&daemon, &["m2".to_owned()]);
    assert_eq!(lab.sim.texts(ANN), ["disk 7 is full"; 2]);
    for wrong in [
        json!({ "occurrence": "friday" }),
        json!({ "replace": "new", "occurrence": "" }),
        json!({ "replace": "new", "occurrence": "x".repeat(129) }),
    ] {
        assert_eq!(send(wrong).unwrap_err()["data"]["kind"], "invalid_params");
    }
}

#[test]
fn killed_between_a_replacement_and_its_send_nothing_is_doubled() {
    let lab = Lab::new();
    lab.people(&[ANN]);
    let mut daemon = lab.paired_with(FAST);
    let mut expected = Vec::new();
    for round in 0..4 {
        let (full, room) = (format!("{round}: full"), format!("{round}: has room"));
        let first = id_of(&replace(&daemon, &full, "new"));
        daemon.events().wait_until_left(&daemon, &[first]);
        daemon.call("queue.pause", json!({})).unwrap();
        let second = id_of(&replace(&daemon, &room, "new"));
        daemon.kill9();
        daemon = lab.daemon(FAST);
        // The caller does not know what became of the call.
        let again = replace(&daemon, &room, "new");
        assert_eq!((again["duplicate"].as_bool(), id_of(&again)), (Some(true), second.clone()));
        daemon.call("queue.resume", json!({})).unwrap();
        daemon.events().wait_until_left(&daemon, &[second]);
        expected.extend([full, room]);
    }
    assert_eq!(lab.sim.texts(ANN), expected);
}
