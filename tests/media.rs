//! Files, from `tetherctl send --file` to a recipient who opens them, whatever happens on the way.

use std::fs;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{Daemon, Lab};

const PACE: &str = "[pacing]\nwindow = \"3s\"\n";
const VOICE: &str = "audio/ogg; codecs=opus";
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
    /// A file of so many bytes, of which these come first.
    fn new(to: &'static str, kind: &'static str, mime: &'static str, bytes: usize) -> File {
        let mut content = match mime {
            "image/jpeg" => b"\xff\xd8\xff\xe0\0\x10JFIF\0".to_vec(),
            "video/mp4" => b"\0\0\0\x18ftypisom\0\0\0\0isom".to_vec(),
            "audio/mpeg" => b"ID3\x03\0".to_vec(),
            VOICE => [b"OggS".as_slice(), &[0; 24], b"OpusHead"].concat(),
            "application/pdf" => b"%PDF-1.7\n".to_vec(),
            other => panic!("{other}"),
        };
        let rest = bytes.saturating_sub(content.len());
        content.extend((0..rest).map(|at| u8::try_from(at % 253).unwrap()));
        File { to, kind, mime, caption: "", content }
    }

    fn document(to: &'static str, bytes: usize) -> File {
        File::new(to, "document", "application/pdf", bytes)
    }

    fn sha256(&self) -> String {
        Sha256::digest(&self.content).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Sends these files through `tetherctl send --file`.
fn send_files(lab: &Lab, daemon: &Daemon, files: &[File]) {
    for file in files {
        let path = lab.path().join("name.bin");
        fs::write(&path, &file.content).unwrap();
        let mut args = vec!["--json", "send", file.to, "--file", path.to_str().unwrap()];
        // Any of the others is told by its content.
        if file.kind == "voice" {
            args.extend(["--as", "voice"]);
        }
        if !file.caption.is_empty() {
            args.extend(["--caption", file.caption]);
        }
        let sent: Value = serde_json::from_str(&daemon.ctl().args(&args).ok()).unwrap();
        // The copy is the daemon's: the caller's may go.
        fs::remove_file(&path).unwrap();
        let told = &sent["message"];
        assert_eq!((&told["kind"], &told["file"]["mime"]), (&json!(file.kind), &json!(file.mime)));
        assert_eq!(told["file"]["sha256"], file.sha256(), "{sent}");
    }
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
fn a_file_of_each_kind_arrives_decrypts_and_hashes_equal_also_after_kill_9() {
    let lab = Lab::new();
    let mut daemon = lab.paired();
    let captioned = |caption, file| File { caption, ..file };
    let files = [
        captioned("look", File::new("+15550101", "image", "image/jpeg", 100_000)),
        File::new("+15550102", "video", "video/mp4", 300_000),
        File::new("+15550103", "audio", "audio/mpeg", 1),
        File::new("+15550104", "voice", VOICE, 4_096),
        captioned("read this", File::document("+15550105", 70_001)),
    ];
    lab.people(&files.each_ref().map(|file| file.to));
    send_files(&lab, &daemon, &files);
    lab.sim.call("server.wait", json!({ "messages": 5 }));
    for file in &files {
        let seen = arrives(&lab, 5, file.to);
        assert_eq!(seen["kind"], file.kind);
        assert_eq!(seen["sha256"], file.sha256(), "{seen}");
        assert_eq!(lab.sim.texts(file.to), [file.caption]);
    }
    assert_eq!(stats(&lab)["uploads"], 5);

    // And once more, accepted by a life that ends before any of them could leave.
    daemon.call("queue.pause", json!({})).unwrap();
    send_files(&lab, &daemon, &files);
    daemon.kill9();
    daemon = lab.daemon(PACE);
    daemon.call("queue.resume", json!({})).unwrap();
    for file in &files {
        assert_eq!(arrives(&lab, 10, file.to)["sha256"], file.sha256());
        assert_eq!(lab.sim.texts(file.to), [file.caption, file.caption]);
    }
}

/// One file of each kind, of so many bytes, each to somebody else.
fn one_of_each(bytes: usize) -> [File; 5] {
    [
        File::new("+15550101", "image", "image/jpeg", bytes),
        File::new("+15550102", "video", "video/mp4", bytes),
        File::new("+15550103", "audio", "audio/mpeg", bytes),
        File::new("+15550104", "voice", VOICE, bytes),
        File::document("+15550105", bytes),
    ]
}

#[test]
fn a_connection_that_dies_during_an_upload_of_any_kind_costs_nothing_but_time() {
    let lab = Lab::new();
    let daemon = lab.paired();
    let files = one_of_each(1_000_000);
    lab.people(&files.each_ref().map(|file| file.to));
    for (n, file) in (1..).zip(&files) {
        lab.sim.call("media.set", json!({ "stall_after": 100_000 }));
        send_files(&lab, &daemon, std::slice::from_ref(file));
        lab.sim.call("media.wait", json!({ "begun": 2 * n - 1, "stalled": 1 }));
        lab.sim.call("server.disconnect", json!({}));
        // The next connection has begun another upload, which stands still as well.
        lab.sim.call("media.wait", json!({ "begun": 2 * n }));
        lab.sim.call("media.set", json!({ "go_on": true }));
        assert_eq!(arrives(&lab, n, file.to)["sha256"], file.sha256(), "{}", file.kind);
    }
}

#[test]
fn a_kill_9_during_an_upload_of_any_kind_costs_nothing_but_time() {
    let lab = Lab::new();
    let mut daemon = lab.paired_with(PACE);
    let files = one_of_each(1_000_000);
    lab.people(&files.each_ref().map(|file| file.to));
    for (n, file) in (1..).zip(&files) {
        lab.sim.call("media.set", json!({ "stall_after": 100_000 }));
        send_files(&lab, &daemon, std::slice::from_ref(file));
        lab.sim.call("media.wait", json!({ "begun": 2 * n - 1, "stalled": 1 }));
        daemon.kill9();
        lab.sim.call("media.set", json!({ "go_on": true }));
        daemon = lab.daemon(PACE);
        assert_eq!(arrives(&lab, n, file.to)["sha256"], file.sha256(), "{}", file.kind);
    }
}

#[test]
fn a_large_upload_goes_on_where_kill_9_broke_it_off() {
    let lab = Lab::new();
    let mut daemon = lab.paired();
    lab.people(&["+15550101"]);
    lab.sim.call("media.set", json!({ "stall_after": RESUMABLE / 2 }));
    let files = [File::document("+15550101", RESUMABLE + 100_000)];
    send_files(&lab, &daemon, &files);
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
    let mut daemon = lab.paired();
    lab.people(&["+15550101"]);
    lab.sim.call("server.set", json!({ "lose_messages": true }));
    let files = [File::document("+15550101", 50_000)];
    send_files(&lab, &daemon, &files);
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
    send_files(&lab, &daemon, &files);
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
    send_files(&lab, &daemon, &files);
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

#[test]
fn a_place_a_contact_and_a_links_preview_arrive_as_what_they_are() {
    let lab = Lab::new();
    let daemon = lab.paired_with("[preflight]\nlinks = \"off\"\n");
    lab.people(&["+15550101"]);
    let send = |content: Value| {
        let mut params = json!({ "to": "+15550101" });
        params.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
        daemon.call("message.send", params).unwrap();
    };
    send(json!({ "location": { "latitude": -1.5, "longitude": 2.25, "name": "home" } }));
    let place = arrives(&lab, 1, "+15550101");
    let wanted = json!({
        "kind": "location", "latitude": -1.5, "longitude": 2.25, "name": "home", "address": null
    });
    assert_eq!(place, wanted);
    send(json!({ "contact": { "name": "Ann; B", "phones": ["+15550102"] } }));
    let contact = arrives(&lab, 2, "+15550101");
    assert_eq!((&contact["kind"], &contact["name"]), (&json!("contact"), &json!("Ann; B")));
    let vcard = contact["vcard"].as_str().unwrap();
    assert!(vcard.contains("FN:Ann\\; B") && vcard.contains("waid=15550102"), "{vcard}");
    let url = "https://files.example/a";
    let preview = json!({ "url": url, "title": "A file", "description": "to look at" });
    send(json!({ "text": format!("see {url}"), "preview": preview }));
    let link = arrives(&lab, 3, "+15550101");
    let wanted = json!({
        "kind": "link", "url": url, "title": "A file", "description": "to look at",
        "thumbnail_bytes": null
    });
    assert_eq!(link, wanted);
    let text = format!("see {url}");
    assert_eq!(lab.sim.texts("+15550101").last(), Some(&text));
}
