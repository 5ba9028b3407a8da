//! What the daemon does while there is nothing to do.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::{Lab, Rpc};

/// Every file under a folder, with its size and the time of its last write.
fn files(folder: &Path) -> BTreeMap<PathBuf, (u64, i64, i64)> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let meta = path.metadata().unwrap();
        if meta.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path, (meta.len(), meta.mtime(), meta.mtime_nsec()));
        }
    }
    found
}

#[test]
fn nothing_is_written_while_four_hundred_wait_and_the_session_is_up() {
    const LEAVE: usize = 5;
    const WAIT: usize = 400;
    let lab = Lab::new();
    lab.people(&["+15550111"]);
    let mut daemon = lab.paired_with("[pacing]\nwindow = \"1h\"\n");
    let mut events = daemon.events();
    let ids: Vec<String> =
        (0..LEAVE).map(|n| daemon.send("+15550111", &format!("text {n}"))).collect();
    let mut unread: std::collections::BTreeSet<&str> = ids.iter().map(String::as_str).collect();
    events.wait("the first to be read", |event| {
        if event["message"]["state"] == "read" {
            unread.remove(event["message"]["id"].as_str().unwrap());
        }
        unread.is_empty()
    });
    daemon.wait_log("the phone's history has been read");
    let state = lab.path().join("state");
    let empty = files(&state);
    let mut rpc = Rpc::connect(&lab.socket());
    for n in 0..WAIT {
        let text = format!("waiting {n}");
        rpc.call("message.send", json!({ "to": "+15550111", "text": text })).unwrap();
    }
    let full = files(&state);
    assert_ne!(full, empty, "a write is seen here");

    // A keepalive comes after at least fifteen seconds without a word from the server.
    let before = lab.sim.call("server.stats", json!({}))["keepalives"].as_u64().unwrap();
    lab.sim.call("server.wait", json!({ "keepalives": before + 1 }));
    let status = daemon.status();
    assert_eq!(status["queue"]["queued"], WAIT);
    assert_eq!(status["session"]["state"], "connected");
    assert_eq!(files(&state), full);
}
