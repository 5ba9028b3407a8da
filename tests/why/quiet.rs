//! What is said while nothing is wrong.

use serde_json::Value;
use tetherd_api::ConditionKind;

use super::explain;
use crate::support::Lab;

#[test]
fn a_quiet_system_says_that_nothing_is_wrong_and_when_the_next_message_leaves() {
    let lab = Lab::new();
    lab.people(&["+15550111"]);
    let daemon = lab.paired_with("[pacing]\nmessages = 1\nwindow = \"60s\"\n");
    let explained = explain(&daemon);
    let active = |explained: &Value| -> Vec<Value> {
        let causes = explained["conditions"].as_array().unwrap().iter();
        causes.filter(|cause| cause["active"] == true).cloned().collect()
    };
    assert_eq!(active(&explained), [Value::Null; 0]);
    assert_eq!(explained["conditions"].as_array().unwrap().len(), ConditionKind::ALL.len());
    let why = daemon.ctl().args(&["why"]).ok();
    assert!(why.starts_with("Nothing is wrong"), "{why}");
    let mut events = daemon.events();
    let first = daemon.send("+15550111", "leaves");
    events.wait_until_sent(&[first]);
    daemon.send("+15550111", "waits for its turn");
    let why = daemon.ctl().args(&["why"]).ok();
    assert!(why.starts_with("Nothing is wrong; the next message leaves "), "{why}");
    assert!(why.contains("\nnext     "), "{why}");
    eprintln!("{why}");
}
