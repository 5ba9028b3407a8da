//! Groups: the list, a group by its name, and groups that take no messages from this account.

use serde_json::{Value, json};

use crate::support::{ACCOUNT, Daemon, Lab, message_is};

const ANN: &str = "+15550111";
const BEN: &str = "+15550112";
const FAST: &str = "[pacing]\nmessages = 60\nwindow = \"1s\"\n";

/// A group that Ann has made, with the account in it.
fn group(lab: &Lab, name: &str) -> String {
    let members = json!([ANN, BEN, format!("+{ACCOUNT}")]);
    let added = lab.sim.call("group.add", json!({ "subject": name, "members": members }));
    added["jid"].as_str().unwrap().to_owned()
}

fn lab() -> Lab {
    let lab = Lab::new();
    lab.people(&[ANN, BEN]);
    lab
}

fn groups(daemon: &Daemon) -> Vec<Value> {
    let list = daemon.call("group.list", json!({})).unwrap();
    assert_eq!(list["current"], true, "{list}");
    list["groups"].as_array().unwrap().clone()
}

fn attempts(lab: &Lab) -> usize {
    lab.sim.call("server.stats", json!({}))["attempts"].as_array().unwrap().len()
}

#[test]
fn the_list_says_who_may_send_and_follows_what_the_network_reports() {
    let lab = lab();
    let daemon = lab.paired_with(FAST);
    let (walks, news) = (group(&lab, "Walks"), group(&lab, "News"));
    let community = "120363000000000777@g.us";
    let change = json!({ "jid": news, "announcement": true, "community": community });
    lab.sim.call("group.set", change);
    assert_eq!(
        groups(&daemon),
        [
            json!({ "jid": news, "name": "News", "size": 3, "may_send": false,
                "why_not": "not_admin", "announcement": true, "community": community }),
            json!({ "jid": walks, "name": "Walks", "size": 3, "may_send": true }),
        ]
    );
    let shown = daemon.ctl().args(&["groups"]).ok();
    assert!(shown.contains("no: admins only") && shown.contains(&walks), "{shown}");

    let change = json!({ "jid": news, "admins": [ACCOUNT], "subject": "Old news" });
    lab.sim.call("group.set", change);
    lab.sim.call("group.set", json!({ "jid": walks, "suspended": true }));
    // The notification may be on its way still; asking anew does not wait for it.
    let fresh = daemon.call("group.list", json!({ "fresh": true })).unwrap();
    assert_eq!(fresh["groups"][0]["name"], "Old news", "{fresh}");
    assert_eq!(fresh["groups"][0]["may_send"], true, "{fresh}");
    assert_eq!(fresh["groups"][1]["why_not"], "group_suspended", "{fresh}");
}

#[test]
fn a_message_goes_to_a_group_by_its_name() {
    let lab = lab();
    let daemon = lab.paired_with(FAST);
    group(&lab, "Walks");
    group(&lab, "Twins");
    group(&lab, "Twins");
    let id = daemon.send("Walks", "at noon");
    daemon.events().wait_until_sent(&[id]);
    assert_eq!(lab.sim.texts(ANN), ["at noon"]);
    assert_eq!(lab.sim.texts(BEN), ["at noon"]);
    for (name, part) in [("Twins", "@g.us"), ("walks", "`Walks`"), ("Swims", "groups")] {
        let params = json!({ "to": name, "text": "hello" });
        let error = daemon.call("message.send", params).unwrap_err();
        assert_eq!(error["data"]["kind"], "bad_recipient", "{error}");
        assert!(error["data"]["remedy"].as_str().unwrap().contains(part), "{error}");
    }
    // Filters take it too.
    let filter = json!({ "filter": { "to": "Walks", "states": ["delivered", "read", "sent"] } });
    assert_eq!(daemon.call("queue.list", filter).unwrap()["total"], 1);
}

#[test]
fn what_only_admins_may_send_leaves_once_the_account_is_one() {
    let lab = lab();
    let daemon = lab.paired_with(FAST);
    let news = group(&lab, "News");
    lab.sim.call("group.set", json!({ "jid": news, "announcement": true }));
    let mut events = daemon.events();
    let id = daemon.send("News", "of today");
    let parked = events.wait("the message to be parked", |event| message_is(event, &id, "parked"));
    assert_eq!(parked["message"]["reason"], json!({ "kind": "not_admin" }));
    assert_eq!(attempts(&lab), 0, "nothing leaves");
    let why = daemon.ctl().args(&["why"]).ok();
    assert!(why.contains("group_trouble") && why.contains("only admins"), "{why}");
    lab.sim.call("group.set", json!({ "jid": news, "admins": [ACCOUNT] }));
    events.wait_until_sent(&[id]);
    assert_eq!(lab.sim.texts(ANN), ["of today"]);
}

#[test]
fn a_group_that_the_account_has_left_parks_its_messages() {
    let lab = lab();
    let daemon = lab.paired_with(FAST);
    let walks = group(&lab, "Walks");
    let mut events = daemon.events();
    groups(&daemon);
    lab.sim.call("group.set", json!({ "jid": walks, "members": [ANN, BEN] }));
    daemon.call("group.list", json!({ "fresh": true })).unwrap();
    let id = daemon.send(&walks, "where is everybody?");
    let parked = events.wait("the message to be parked", |event| message_is(event, &id, "parked"));
    assert_eq!(parked["message"]["reason"], json!({ "kind": "not_in_group" }));
    assert_eq!(attempts(&lab), 0);
}

#[test]
fn a_name_before_the_first_connection_is_refused_for_now() {
    let lab = lab();
    let daemon = lab.daemon(FAST);
    let params = json!({ "to": "Walks", "text": "at noon" });
    let error = daemon.call("message.send", params).unwrap_err();
    assert_eq!(error["data"]["kind"], "wrong_state", "{error}");
    assert!(error["data"]["retry_after_ms"].is_u64(), "{error}");
}

#[test]
fn after_a_restart_a_group_is_known_by_its_name_before_there_is_a_connection() {
    let lab = lab();
    let mut daemon = lab.paired_with(FAST);
    let walks = group(&lab, "Walks");
    daemon.call("group.list", json!({ "fresh": true })).unwrap();
    daemon.kill9();
    lab.sim.call("server.fail_login", json!({ "reason": 503, "times": 1_000 }));
    let daemon = lab.daemon(FAST);
    let sent = daemon.call("message.send", json!({ "to": "Walks", "text": "at nine" })).unwrap();
    assert_eq!(sent["message"]["to"], walks.as_str(), "{sent}");
    let unknown = daemon.call("message.send", json!({ "to": "Swims", "text": "at nine" }));
    assert_eq!(unknown.unwrap_err()["data"]["kind"], "bad_recipient");
    let mut events = daemon.events();
    lab.sim.call("server.fail_login", json!({ "reason": 503, "times": 0 }));
    let id = sent["message"]["id"].as_str().unwrap().to_owned();
    events.wait_until_sent(&[id]);
    assert_eq!(lab.sim.texts(ANN), ["at nine"]);
}
