//! The causes that lie with groups.

use serde_json::json;
use tetherd_api::ConditionKind;

use super::Stage;
use crate::support::{Lab, message_is};

const TO: &str = "+15550111";

pub(super) const GROUPS: &[ConditionKind] =
    &[ConditionKind::GroupTrouble, ConditionKind::GroupUnchecked];

#[test]
fn what_lies_with_a_group() {
    let lab = Lab::new();
    lab.people(&[TO]);
    let daemon = lab.paired_with("[pacing]\nmessages = 60\nwindow = \"1s\"\n");
    let group = json!({ "subject": "News", "members": [TO, "+15550100"] });
    let group = lab.sim.call("group.add", group)["jid"].as_str().unwrap().to_owned();
    lab.sim.call("group.set", json!({ "jid": group, "announcement": true }));
    let mut events = daemon.events();
    let mut stage = Stage::set(GROUPS, &daemon);

    lab.sim.call("server.set", json!({ "ignore_groups": true }));
    let id = daemon.send(&group, "of an admin");
    stage.during(&daemon, ConditionKind::GroupUnchecked, "ignore_groups", &[&id]);
    lab.sim.call("server.set", json!({ "ignore_groups": false }));
    lab.sim.call("server.disconnect", json!({}));
    let parked = events.wait("the message to be parked", |event| message_is(event, &id, "parked"));
    assert_eq!(parked["message"]["reason"], json!({ "kind": "not_admin" }));
    stage.after(&daemon, ConditionKind::GroupUnchecked, "on a new connection");
    stage.during(&daemon, ConditionKind::GroupTrouble, "group.set announcement", &[&id]);

    lab.sim.call("group.set", json!({ "jid": group, "admins": ["+15550100"] }));
    events.wait_until_sent(&[id]);
    stage.after(&daemon, ConditionKind::GroupTrouble, "group.set admins");
    stage.end();
}
