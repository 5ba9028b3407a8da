//! Answers, mentions, reactions, edits and revocations, as recipients see them.

use serde_json::{Value, json};

use crate::support::{ACCOUNT, Daemon, Lab, message_is};

const ANN: &str = "+15550111";
const BEN: &str = "+15550112";
const FAST: &str = "[pacing]\nmessages = 60\nwindow = \"1s\"\n";

fn lab() -> (Lab, Daemon) {
    let lab = Lab::new();
    lab.people(&[ANN, BEN]);
    let daemon = lab.paired_with(FAST);
    (lab, daemon)
}

fn id_of(result: &Value) -> String {
    result["message"]["id"].as_str().unwrap().to_owned()
}

/// A call whose message leaves.
#[track_caller]
fn leaves(daemon: &Daemon, method: &str, params: Value) -> String {
    let id = id_of(&daemon.call(method, params).unwrap());
    daemon.events().wait_until_left(daemon, std::slice::from_ref(&id));
    id
}

/// What the last message in somebody's inbox shows besides a text.
fn shown(lab: &Lab, number: &str) -> Value {
    lab.sim.inbox(number).last().unwrap()["content"].clone()
}

fn wa_id(daemon: &Daemon, id: &str) -> Value {
    daemon.message(id)["wa_id"].clone()
}

/// Somebody writes, and the inbox has it: its cursor.
fn incoming(lab: &Lab, daemon: &Daemon, to: &str, text: &str) -> u64 {
    lab.sim.call("server.wait", json!({ "key_uploads": 1 }));
    let mut events = daemon.events();
    lab.sim.call("recipient.reply", json!({ "number": ANN, "to": to, "text": text }));
    let event = events.wait("the message to come in", |event| event["event"] == "incoming");
    event["message"]["cursor"].as_u64().unwrap()
}

#[test]
fn an_answer_quotes_our_own_message_or_one_of_the_inbox() {
    let (lab, daemon) = lab();
    let first = leaves(&daemon, "message.send", json!({ "to": ANN, "text": "the door is open" }));
    let answer = json!({ "to": ANN, "text": "it is closed", "reply_to": first });
    let id = leaves(&daemon, "message.send", answer);
    let context = &shown(&lab, ANN)["context"];
    assert_eq!(context["reply_to"], wa_id(&daemon, &first), "{context}");
    assert_eq!(context["quoted"], "the door is open");
    assert!(context["author"].as_str().unwrap().starts_with(ACCOUNT), "{context}");
    assert_eq!(daemon.message(&id)["reply_to"], json!(first));

    let cursor = incoming(&lab, &daemon, &format!("+{ACCOUNT}"), "thanks");
    let answer = json!({ "to": ANN, "text": "welcome", "reply_to": format!("i{cursor}") });
    leaves(&daemon, "message.send", answer);
    let context = &shown(&lab, ANN)["context"];
    assert_eq!(context["quoted"], "thanks", "{context}");
    let elsewhere = json!({ "to": BEN, "text": "hm", "reply_to": first });
    let error = daemon.call("message.send", elsewhere).unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("another chat"), "{error}");
}

#[test]
fn persons_are_mentioned_where_the_text_names_them() {
    let (lab, daemon) = lab();
    let sent = daemon.ctl().args(&["send", ANN, "@15550112 knows", "--mention", BEN]).ok();
    assert!(sent.starts_with("m1"), "{sent}");
    daemon.events().wait_until_left(&daemon, &["m1".to_owned()]);
    let mentions = &shown(&lab, ANN)["context"]["mentions"];
    assert_eq!(mentions, &json!(["15550112@s.whatsapp.net"]));
    let nobody = json!({ "to": ANN, "text": "hello", "mentions": [BEN] });
    let error = daemon.call("message.send", nobody).unwrap_err();
    assert_eq!(error["data"]["kind"], "invalid_params", "{error}");
    assert!(error["data"]["remedy"].as_str().unwrap().contains("@15550100"), "{error}");
}

#[test]
fn reactions_edits_and_revocations_reach_the_recipient_under_their_own_ids() {
    let (lab, daemon) = lab();
    let id = leaves(&daemon, "message.send", json!({ "to": ANN, "text": "disk full" }));
    let target = wa_id(&daemon, &id);
    let about = |content: &Value, kind: &str| {
        assert_eq!(content["kind"], kind, "{content}");
        assert_eq!(content["target"]["id"], target, "{content}");
        assert_eq!(content["target"]["from_me"], true, "{content}");
    };
    leaves(&daemon, "message.react", json!({ "message": id, "emoji": "\u{1f44d}" }));
    let reaction = shown(&lab, ANN);
    about(&reaction, "reaction");
    assert_eq!(reaction["emoji"], "\u{1f44d}");

    let edit = leaves(&daemon, "message.edit", json!({ "id": id, "text": "resolved" }));
    let content = shown(&lab, ANN);
    about(&content, "edit");
    assert_eq!((&content["text"], &content["edit"]), (&json!("resolved"), &json!("1")));
    let shows = daemon.message(&edit);
    assert_eq!((&shows["kind"], &shows["reply_to"]), (&json!("edit"), &json!(id)));

    leaves(&daemon, "message.revoke", json!({ "id": id }));
    let content = shown(&lab, ANN);
    about(&content, "revoke");
    assert_eq!(content["edit"], "7");
    // Each was a stanza with an id of its own.
    let stats = lab.sim.call("server.stats", json!({}));
    assert_eq!(stats["attempts"].as_array().unwrap().len(), 4);
}

#[test]
fn a_mention_in_a_group_names_the_member_as_the_group_does() {
    let (lab, daemon) = lab();
    let members = json!([ANN, BEN, format!("+{ACCOUNT}")]);
    for addressing in ["lid", "pn"] {
        let subject = format!("Walks by {addressing}");
        let group = lab.sim.call("group.add", json!({ "subject": subject, "members": members }));
        let group = group["jid"].as_str().unwrap();
        lab.sim.call("group.set", json!({ "jid": group, "addressing": addressing }));
        let text = "@15550112 knows, ask @15550112; not @155501123";
        let sent = json!({ "to": group, "text": text, "mentions": [BEN] });
        leaves(&daemon, "message.send", sent);
        let shown = lab.sim.inbox(ANN).last().unwrap().clone();
        let mentioned = shown["content"]["context"]["mentions"][0].as_str().unwrap().to_owned();
        let (user, server) = mentioned.split_once('@').unwrap();
        let by_lid = addressing == "lid";
        assert_eq!(server, if by_lid { "lid" } else { "s.whatsapp.net" }, "{shown}");
        assert_eq!(user == "15550112", !by_lid, "{shown}");
        let expected = format!("@{user} knows, ask @{user}; not @155501123");
        assert_eq!(shown["text"], expected, "{shown}");
    }
}

#[test]
fn a_reaction_to_somebody_in_a_group_names_the_author() {
    let (lab, daemon) = lab();
    let members = json!([ANN, BEN, format!("+{ACCOUNT}")]);
    let group = lab.sim.call("group.add", json!({ "subject": "Walks", "members": members }));
    let group = group["jid"].as_str().unwrap();
    let cursor = incoming(&lab, &daemon, group, "who comes?");
    let reaction = json!({ "message": format!("i{cursor}"), "emoji": "\u{1f64b}" });
    leaves(&daemon, "message.react", reaction);
    let content = shown(&lab, BEN);
    assert_eq!(content["target"]["chat"], group, "{content}");
    assert_eq!(content["target"]["from_me"], false, "{content}");
    // The group names its members by hidden identities.
    assert!(content["target"]["author"].as_str().unwrap().ends_with("@lid"), "{content}");
}

#[test]
fn what_waits_is_changed_or_withdrawn_in_its_place() {
    let (lab, daemon) = lab();
    daemon.call("queue.pause", json!({})).unwrap();
    let first = daemon.send(ANN, "disk full");
    let second = daemon.send(ANN, "never mind");
    let edited = daemon.ctl().args(&["edit", &first, "disk was full"]).ok();
    assert!(edited.starts_with(&first), "{edited}");
    let revoked = daemon.ctl().args(&["revoke", &second]).ok();
    assert!(revoked.starts_with(&format!("{second} cancelled")), "{revoked}");
    daemon.call("queue.resume", json!({})).unwrap();
    daemon.events().wait_until_left(&daemon, &[first]);
    assert_eq!(lab.sim.texts(ANN), ["disk was full"]);
}

#[test]
fn a_reaction_to_what_is_parked_is_refused_and_an_edit_puts_it_back() {
    let (lab, daemon) = lab();
    lab.sim.call("server.set", json!({ "ack_error": { "code": 488, "to": ANN } }));
    let mut events = daemon.events();
    let id = daemon.send(ANN, "refused");
    events.wait("the message to be parked", |event| message_is(event, &id, "parked"));
    let (code, said) = daemon.ctl().args(&["react", &id, "\u{1f44d}"]).fails();
    assert!(code != 0 && said.contains("parked"), "{said}");
    lab.sim.call("server.set", json!({ "ack_error": false }));
    let edited = leaves(&daemon, "message.edit", json!({ "id": id, "text": "taken" }));
    assert_eq!(edited, id);
    assert_eq!(lab.sim.texts(ANN), ["taken"]);
}
