//! A full disk: what `why` says of it, and that it ends by itself.

use serde_json::json;

use super::Stage;
use crate::support::{Daemon, Lab};
use tetherd_api::ConditionKind;

const TO: &str = "+15550111";

pub(super) const DISK: &[ConditionKind] = &[ConditionKind::DiskFull];

#[test]
fn a_disk_that_is_full() {
    const MIB: u64 = 1024 * 1024;
    let lab = Lab::new();
    let free = lab.path().join("free");
    let have = |bytes: u64| std::fs::write(&free, bytes.to_string()).unwrap();
    have(200 * MIB);
    let mut daemon = Daemon::with_free_bytes(&lab.config(""), &lab.socket(), &free);
    daemon.wait_log(" ready ");
    let mut stage = Stage::set(DISK, &daemon);
    have(MIB);
    let long = json!({ "to": TO, "text": "x".repeat(60_000) });
    let refused = (0..400).any(|_| daemon.call("message.send", long.clone()).is_err());
    assert!(refused, "nothing went wrong");
    stage.during(&daemon, ConditionKind::DiskFull, "the disk filled up", &[]);
    let mut events = daemon.events();
    have(200 * MIB);
    while daemon.status()["conditions"].to_string().contains("disk_full") {
        events.wait("a change of the status", |event| event["event"] == "status");
    }
    stage.after(&daemon, ConditionKind::DiskFull, "there was room again");
    stage.end();
}
