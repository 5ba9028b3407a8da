//! Files, from the spool to a recipient who opens them, whatever happens on the way.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tetherd::core::io::{Body, Change};
use tetherd::rpc::api::MessageId;
use tetherd::store::{Store, queue};

use crate::support::{Daemon, Lab};

const PACE: &str = "[pacing]\nwindow = \"3s\"\n";
/// From this size on an upload can go on where it broke off.
const RESUMABLE: usize = 5 * 1024 * 1024;

/// A file that is sent.
struct File {
    to: &'static str,
    kind: &'static str,
    mime: &'static str,
    caption: &'static str,
    content: Vec<u8>,
}

impl File {
    fn document(to: &'static str, bytes: usize) -> File {
        let content = (0..bytes).map(|at| u8::try_from(at % 253).unwrap()).collect();
        File { to, kind: "document", mime: "application/pdf", caption: "", content }
    }

    fn sha256(&self) -> String {
        Sha256::digest(&self.content).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Ends the daemon, puts these messages into its store and their files into its spool,
/// and starts it again.
fn send_files(lab: &Lab, mut daemon: Daemon, files: &[File]) -> Daemon {
    assert!(daemon.stop().success());
    let state: PathBuf = lab.path().join("state");
    let store = Store::open(&state).unwrap();
    let (restored, _) = queue::restore(&store).unwrap();
    let mut facts = restored.facts;
    let mut changes = Vec::new();
    fs::create_dir_all(state.join("spool")).unwrap();
    for file in files {
        facts.last_id += 1;
        let id = facts.last_id;
        let spool = format!("{id:032x}");
        fs::write(state.join("spool").join(&spool), &file.content).unwrap();
        let message = json!({
            "id": MessageId(id), "wa_id": format!("3EB0{id:018X}"),
            "to": format!("{}@s.whatsapp.net", &file.to[1..]), "kind": file.kind,
            "file": { "spool": spool, "info": {
                "bytes": file.content.len(), "mime": file.mime, "sha256": file.sha256(),
                "name": "name.bin",
            }},
            "digest": vec![0; 32], "chars": 0, "preview": "", "state": "queued",
            "order": id, "attempts": 0, "streak": 0, "maybe_out": false,
            "accepted_at": 1_800_000_000_000_i64, "changed_at": 1_800_000_000_000_i64,
        });
        let message = serde_json::from_value(message).unwrap();
        changes.push(Change::PutMessage(Box::new(message)));
        changes.push(Change::PutBody { id: MessageId(id), body: Body(file.caption.into()) });
    }
    changes.push(Change::PutFacts(Box::new(facts)));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.commit(queue::batch(&changes))).unwrap();
    store.close();
    lab.daemon(PACE)
}

/// Waits until so many messages arrived, and returns what somebody saw of the last.
fn arrives(lab: &Lab, messages: u64, to: &str) -> Value {
    lab.sim.call("server.wait", json!({ "messages": messages }));
    let inbox = lab.sim.inbox(to);
    let last = inbox.last().unwrap();
    assert_eq!((&last["copies"], &last["failed"]), (&json!(1), &json!(0)), "{last}");
    assert_eq!(last["content"]["error"], Value::Null, "{last}");
    last["content"].clone()
}

fn stats(lab: &Lab) -> Value {
    lab.sim.call("media.stats", json!({}))
}

#[test]
fn a_file_of_each_kind_arrives_decrypts_and_hashes_equal() {
    let lab = Lab::new();
    let daemon = lab.paired();
    let file =
        |to, kind, mime, caption, bytes| File { kind, mime, caption, ..File::document(to, bytes) };
    let files = [
        file("+15550101", "image", "image/jpeg", "look", 100_000),
        file("+15550102", "video", "video/mp4", "", 300_000),
        file("+15550103", "audio", "audio/mpeg", "", 1),
        file("+15550104", "voice", "audio/ogg", "", 4_096),
        file("+15550105", "document", "application/pdf", "read this", 70_001),
    ];
    lab.people(&files.each_ref().map(|file| file.to));
    let _daemon = send_files(&lab, daemon, &files);
    lab.sim.call("server.wait", json!({ "messages": 5 }));
    for file in &files {
        let seen = arrives(&lab, 5, file.to);
        assert_eq!(seen["kind"], file.kind);
        assert_eq!(seen["sha256"], file.sha256(), "{seen}");
        assert_eq!(lab.sim.texts(file.to), [file.caption]);
    }
    assert_eq!(stats(&lab)["uploads"], 5);
}

#[test]
fn a_connection_that_dies_during_an_upload_costs_nothing_but_time() {
    let lab = Lab::new();
    let daemon = lab.paired();
    lab.people(&["+15550101"]);
    lab.sim.call("media.set", json!({ "stall_after": 100_000 }));
    let files = [File::document("+15550101", 3_000_000)];
    let _daemon = send_files(&lab, daemon, &files);
    lab.sim.call("media.wait", json!({ "stalled": 1 }));
    lab.sim.call("server.disconnect", json!({}));
    // The next connection has begun another upload, which stands still as well.
    lab.sim.call("media.wait", json!({ "begun": 2 }));
    lab.sim.call("media.set", json!({ "go_on": true }));
    assert_eq!(arrives(&lab, 1, "+15550101")["sha256"], files[0].sha256());
}

#[test]
fn a_large_upload_goes_on_where_kill_9_broke_it_off() {
    let lab = Lab::new();
    let daemon = lab.paired();
    lab.people(&["+15550101"]);
    lab.sim.call("media.set", json!({ "stall_after": RESUMABLE / 2 }));
    let files = [File::document("+15550101", RESUMABLE + 100_000)];
    let mut daemon = send_files(&lab, daemon, &files);
    lab.sim.call("media.wait", json!({ "stalled": 1 }));
    daemon.kill9();
    lab.sim.call("media.set", json!({ "go_on": true }));
    // The host has noticed that nothing more comes.
    lab.sim.call("media.wait", json!({ "bytes": RESUMABLE / 2 }));
    let _daemon = lab.daemon(PACE);
    assert_eq!(arrives(&lab, 1, "+15550101")["sha256"], files[0].sha256());
    let stats = stats(&lab);
    assert_eq!((&stats["uploads"], &stats["resumed"]), (&json!(1), &json!(1)), "{stats}");
    assert!(stats["bytes"].as_u64().unwrap() < RESUMABLE as u64 + 200_000, "{stats}");
}

#[test]
fn a_file_that_is_on_the_host_is_not_uploaded_again_after_kill_9() {
    let lab = Lab::new();
    let daemon = lab.paired();
    lab.people(&["+15550101"]);
    lab.sim.call("server.set", json!({ "lose_messages": true }));
    let files = [File::document("+15550101", 50_000)];
    let mut daemon = send_files(&lab, daemon, &files);
    lab.sim.call("media.wait", json!({ "uploads": 1 }));
    daemon.wait_log("message sending");
    daemon.kill9();
    lab.sim.call("server.set", json!({ "lose_messages": false }));
    let _daemon = lab.daemon(PACE);
    assert_eq!(arrives(&lab, 1, "+15550101")["sha256"], files[0].sha256());
    assert_eq!((&stats(&lab)["uploads"], &stats(&lab)["begun"]), (&json!(1), &json!(1)));
}

#[test]
fn a_host_that_fails_for_a_while_and_an_expired_authorisation_are_overcome() {
    let lab = Lab::new();
    let daemon = lab.paired();
    lab.people(&["+15550101"]);
    lab.sim.call("media.set", json!({ "stall_after": 1 }));
    let files = [File::document("+15550101", 1_000_000), File::document("+15550101", 60_000)];
    let _daemon = send_files(&lab, daemon, &files);
    lab.sim.call("media.wait", json!({ "stalled": 1 }));
    // The first is under way; the second comes with what no longer holds, to a host that
    // is out of order.
    let change = json!({ "expire_auth": true, "fail_status": 503, "fail_times": 2, "go_on": true });
    lab.sim.call("media.set", change);
    assert_eq!(arrives(&lab, 2, "+15550101")["sha256"], files[1].sha256());
    let stats = stats(&lab);
    assert_eq!((&stats["expired"], &stats["uploads"]), (&json!(1), &json!(2)), "{stats}");
    assert_eq!(stats["begun"], 4, "{stats}");
}

#[test]
fn a_file_that_is_too_large_or_gone_parks_its_message_and_the_chat_goes_on() {
    let lab = Lab::new();
    let daemon = lab.paired();
    lab.people(&["+15550101"]);
    lab.sim.call("media.set", json!({ "fail_status": 413, "fail_times": 1 }));
    let files = [File::document("+15550101", 10), File::document("+15550101", 20)];
    let daemon = send_files(&lab, daemon, &files);
    assert_eq!(arrives(&lab, 1, "+15550101")["sha256"], files[1].sha256());
    let parked = daemon.call("queue.list", json!({ "filter": { "states": ["parked"] } })).unwrap();
    assert_eq!(parked["messages"][0]["reason"]["kind"], "too_large", "{parked}");
    let id = parked["messages"][0]["id"].as_str().unwrap().to_owned();
    let spool = lab.path().join("state/spool");
    for entry in fs::read_dir(&spool).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let mut events = daemon.events();
    daemon.call("queue.retry", json!({ "filter": { "ids": [id] } })).unwrap();
    events.wait("the message to be parked again", |event| {
        event["event"] == "message" && event["message"]["reason"]["kind"] == "file_unreadable"
    });
}
