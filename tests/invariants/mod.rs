//! The invariants, where only the real binaries can break them: the disk that fails or
//! is full, a store that is damaged, what reaches the log, what is bounded.
//! Each invariant's tests begin `invariant_N_`, here and in the other rooms.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use nix::sys::stat::Mode;
use serde_json::{Value, json};
use tetherd_api::FRAME_BYTES_MAX;

use crate::support::{ACCOUNT, Daemon, Lab, Rpc, message_is, session_is};

mod damage;
mod full_disk;

const TO: &str = "+15550111";

/// Sends texts of this length until one is not acknowledged: the ids, and the error.
fn send_until_refused(lab: &Lab, chars: usize) -> (Vec<String>, Value) {
    const TRIES_MAX: usize = 400;
    let mut rpc = Rpc::connect(&lab.socket());
    let mut ids = Vec::new();
    for n in 0..TRIES_MAX {
        let text = format!("{n:0>chars$}");
        rpc.write("message.send", json!({ "to": TO, "text": text }));
        // One that ends between two requests may not have read the second.
        let Some(reply) = rpc.read() else { return (ids, json!({ "data": { "kind": "closed" } })) };
        if reply.get("error").is_some() {
            return (ids, reply["error"].clone());
        }
        ids.push(reply["result"]["message"]["id"].as_str().unwrap().to_owned());
    }
    panic!("nothing went wrong");
}

/// Everything acknowledged is there; at most the one without an answer is there too.
#[track_caller]
fn nothing_is_lost(daemon: &Daemon, ids: &[String], chars: usize) {
    for (n, id) in ids.iter().enumerate() {
        let message = daemon.message(id);
        assert_eq!(message["state"], "queued");
        assert_eq!(message["text"].as_str().unwrap(), format!("{n:0>chars$}"), "{id}");
    }
    let queued = usize::try_from(daemon.status()["queue"]["queued"].as_u64().unwrap()).unwrap();
    assert!([ids.len(), ids.len() + 1].contains(&queued), "{queued} of {}", ids.len());
}

#[test]
fn invariant_1_no_reply_before_the_sync_has_returned() {
    let lab = Lab::new();
    let pipe = lab.path().join("gate");
    let fault = format!("sync-waits-at:{}", pipe.display());
    let daemon = Daemon::with_fault(&lab.config(""), &lab.socket(), &fault);
    daemon.status();

    nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let mut caller = UnixStream::connect(lab.socket()).unwrap();
    let params = json!({ "to": TO, "text": "not yet" });
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "message.send", "params": params });
    caller.write_all(format!("{request}\n").as_bytes()).unwrap();
    // Returns once the daemon stands before its sync.
    let gate = OpenOptions::new().write(true).open(&pipe).unwrap();
    fs::remove_file(&pipe).unwrap();
    caller.set_nonblocking(true).unwrap();
    let early = caller.read(&mut [0; 1]).unwrap_err();
    assert_eq!(early.kind(), std::io::ErrorKind::WouldBlock);

    drop(gate);
    caller.set_nonblocking(false).unwrap();
    caller.set_read_timeout(Some(crate::support::DEADLINE)).unwrap();
    assert_eq!(caller.read(&mut [0; 1]).unwrap(), 1);
    assert_eq!(daemon.status()["queue"]["queued"], 1);
}

#[test]
fn invariant_1_a_failed_sync_ends_the_daemon_with_74_and_loses_nothing_acknowledged() {
    for (fault, remedy) in
        [("sync-fails-after:12", "look at the disk"), ("disk-full-after:12", "make room")]
    {
        let lab = Lab::new();
        let mut daemon = Daemon::with_fault(&lab.config(""), &lab.socket(), fault);
        let (ids, error) = send_until_refused(&lab, 20);
        assert!(!ids.is_empty());
        assert_eq!(error["data"]["kind"], "outcome_unknown", "{error}");
        assert!(error["data"]["remedy"].is_string(), "{error}");
        assert_eq!(daemon.wait().code(), Some(74), "{}", daemon.log());
        assert!(daemon.log().contains("the store failed"), "{}", daemon.log());
        assert!(daemon.remedy().starts_with(remedy), "{}", daemon.log());
        nothing_is_lost(&lab.daemon(""), &ids, 20);
    }
}

#[test]
fn invariant_1_a_failed_write_of_the_sessions_keys_ends_the_daemon_too() {
    let lab = Lab::new();
    // The queue is never used: only pairing writes. How far it comes depends on which of its
    // writes share a sync.
    for syncs in [2, 6, 8] {
        let fault = format!("sync-fails-after:{syncs}");
        let mut daemon = Daemon::with_fault(&lab.config(""), &lab.socket(), &fault);
        if let Ok(offer) = daemon.call("session.pair", json!({})) {
            let scan = json!({ "qr": offer["offer"]["qr"], "account": ACCOUNT });
            let _ = lab.sim.try_call("phone.scan", scan);
        }
        assert_eq!(daemon.wait().code(), Some(74), "{}", daemon.log());
    }
    let mut daemon = lab.daemon("");
    daemon.status();
    assert_eq!(daemon.stop().code(), Some(0));
}

#[test]
fn invariant_1_a_disk_that_is_really_full_is_said_and_loses_nothing_acknowledged() {
    const TEXT_CHARS: usize = 60_000;
    const BLOCK_BYTES: u64 = 512;
    const ROOM_BLOCKS: u64 = 2_048;
    let lab = Lab::new();
    let config = lab.config("");
    assert!(Daemon::start(&config, &lab.socket()).stop().success());
    let size = fs::metadata(lab.path().join("state/store/db")).unwrap().len();
    let blocks = size.div_ceil(BLOCK_BYTES) + ROOM_BLOCKS;
    let mut daemon = Daemon::with_file_limit(&config, &lab.socket(), blocks);
    daemon.wait_log(" ready ");
    let (ids, error) = send_until_refused(&lab, TEXT_CHARS);
    // The database finds no room for what the journal has: nobody waits for that, unless it
    // came in between.
    let kind = error["data"]["kind"].as_str().unwrap();
    assert!(["shutting_down", "outcome_unknown", "closed"].contains(&kind), "{error}");
    assert_eq!(daemon.wait().code(), Some(74), "{}", daemon.log());
    assert!(daemon.remedy().starts_with("make room"), "{}", daemon.log());

    // No room to start either: said, and nothing is touched that matters.
    let mut daemon = Daemon::with_file_limit(&config, &lab.socket(), 1);
    if daemon.ready_or_ended().is_none() {
        let _ = daemon.call("message.send", json!({ "to": TO, "text": "x".repeat(TEXT_CHARS) }));
    }
    assert_eq!(daemon.wait().code(), Some(74), "{}", daemon.log());
    assert!(daemon.remedy().starts_with("make room"), "{}", daemon.log());
    nothing_is_lost(&lab.daemon(""), &ids, TEXT_CHARS);
}

/// Nothing of what a log must not hold.
#[track_caller]
fn tells_nothing(what: &str, said: &str, secrets: &[String]) {
    for secret in secrets {
        assert!(!said.contains(secret.as_str()), "{what} tells {secret:?}:\n{said}");
    }
}

#[test]
fn invariant_9_no_number_text_key_or_code_reaches_the_log_or_an_error() {
    let lab = Lab::new();
    lab.people(&["+15550111"]);
    let quiet = "[pacing]\nwindow = \"1s\"\n\n[log]\nlevel = \"trace\"\nlibrary = \"off\"\n";
    let mut daemon = lab.daemon(quiet);
    let mut secrets: Vec<String> =
        ["1555", "5550111", "zanzibar", "order-of-mine"].map(str::to_owned).into();
    let mut errors = Vec::new();

    // Both ways of pairing.
    let mut events = daemon.events();
    let offer = daemon.call("session.pair", json!({})).unwrap();
    let qr = offer["offer"]["qr"].as_str().unwrap().to_owned();
    secrets.extend(qr.split(',').filter(|part| part.len() > 8).map(str::to_owned));
    lab.sim.call("phone.scan", json!({ "qr": qr, "account": ACCOUNT }));
    events.wait("the session", |event| session_is(event, "connected"));
    daemon.call("session.logout", json!({})).unwrap();
    events.wait("its end", |event| session_is(event, "not_paired"));
    let offer = daemon.call("session.pair", json!({ "phone": format!("+{ACCOUNT}") })).unwrap();
    let code = offer["offer"]["code"].as_str().unwrap().to_owned();
    lab.sim.call("phone.enter_code", json!({ "account": ACCOUNT, "code": code }));
    secrets.extend([code.replace('-', ""), code]);
    events.wait("the session", |event| session_is(event, "connected"));

    // A message that arrives, one that is refused, one to nobody, one that is answered.
    let key = json!({ "to": TO, "text": "to zanzibar", "key": "order-of-mine" });
    let sent = daemon.call("message.send", key).unwrap();
    let id = sent["message"]["id"].as_str().unwrap().to_owned();
    events.wait_until_sent(&[id]);
    lab.sim.call("server.set", json!({ "ack_error": 487 }));
    let id = daemon.send(TO, "refused in zanzibar");
    events.wait("the refusal", |event| message_is(event, &id, "parked"));
    lab.sim.call("server.set", json!({ "ack_error": false }));
    let id = daemon.send("+15550199", "nobody in zanzibar");
    events.wait("the shelf", |event| message_is(event, &id, "parked"));
    lab.sim.call("server.replace_session", json!({}));
    events.wait("the conflict", |event| session_is(event, "replaced"));
    daemon.call("session.takeover", json!({})).unwrap();
    events.wait("the session", |event| session_is(event, "connected"));

    // What callers do wrong.
    let mut wrong = |method: &str, params: Value| {
        errors.push(daemon.call(method, params).unwrap_err().to_string());
    };
    wrong("message.send", json!({ "to": TO, "text": "zanzibar else", "key": "order-of-mine" }));
    wrong("message.send", json!({ "to": "+1555", "text": "zanzibar" }));
    wrong("message.send", json!({ "to": "15550111@zanzibar", "text": "zanzibar" }));
    wrong("message.send", json!({ "to": TO, "text": "" }));
    wrong("message.send", json!({ "to": 15_550_111, "text": "zanzibar" }));
    wrong("message.send", json!({ "to": TO, "text": ["zanzibar"] }));
    wrong("message.get", json!({ "key": "order-of-mine-2" }));
    wrong("message.get", json!({ "id": "zanzibar" }));
    wrong("queue.list", json!({ "filter": { "to": "zanzibar" } }));
    wrong("queue.list", json!({ "filter": { "states": ["zanzibar"] } }));
    wrong("session.pair", json!({ "phone": "zanzibar 15550111" }));
    let mut rpc = Rpc::connect(&lab.socket());
    rpc.write_line(&format!("{{\"method\":\"message.send\",\"text\":\"zanzibar {TO}"));
    errors.push(rpc.read().unwrap().to_string());
    rpc.write_line(&format!("\"zanzibar {TO}\""));
    errors.push(rpc.read().unwrap().to_string());
    let _ = daemon.call("zanzibar.15550111", json!({ "zanzibar": TO }));
    let _ = daemon.call("message.send", json!({ "zanzibar": TO }));

    daemon.call("session.logout", json!({})).unwrap();
    events.wait("its end", |event| session_is(event, "not_paired"));
    assert!(daemon.stop().success());
    let log = daemon.log();
    // A receipt may overtake the ack: then the message is told as delivered or read.
    let told = ["message sent", "message delivered", "message read"];
    assert!(told.iter().any(|line| log.contains(line)), "{log}");
    assert!(log.contains("message parked") && log.contains("pairing ended"), "{log}");
    tells_nothing("the log", &log, &secrets);
    // An example in a remedy may name an invented number; none is the caller's.
    for error in errors {
        tells_nothing("an error", &error.replace("+15550100", ""), &secrets);
    }
    let mut left: Vec<_> =
        fs::read_dir(lab.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    let known = ["control.sock.lock", "sim", "sim.sock", "state", "tetherd.toml"];
    assert_eq!(left, known, "no other files are made");
}

#[test]
fn invariant_10_history_and_shelf_keep_as_many_as_configured() {
    let lab = Lab::new();
    lab.people(&[TO]);
    let small = "[queue]\nhistory_max = 3\nparked_max = 2\nundo = \"off\"\n\n\
                 [pacing]\nwindow = \"1s\"\n";
    let mut daemon = lab.paired_with(small);
    let mut events = daemon.events();
    lab.sim.call("server.set", json!({ "ack_error": 487 }));
    for n in 1..=3 {
        let id = daemon.send(TO, &format!("refused {n}"));
        events.wait("the refusal", |event| message_is(event, &id, "parked"));
    }
    // The oldest is given up.
    assert_eq!(daemon.message("m1")["state"], "failed");
    assert_eq!(daemon.status()["queue"]["parked"], 2);

    daemon.call("queue.pause", json!({})).unwrap();
    for n in 4..=8 {
        let id = daemon.send(TO, &format!("withdrawn {n}"));
        daemon.call("queue.cancel", json!({ "ids": [id] })).unwrap();
    }
    for round in 0..2 {
        assert_eq!(daemon.status()["queue"]["history"], 3);
        for gone in ["m1", "m4", "m5"] {
            let error = daemon.call("message.get", json!({ "id": gone })).unwrap_err();
            assert_eq!(error["data"]["kind"], "not_found", "{round}: {error}");
        }
        assert_eq!(daemon.message("m6")["text"], "withdrawn 6");
        daemon.kill9();
        daemon = lab.daemon(small);
    }
}

#[test]
fn invariant_10_frames_depth_and_connections_are_bounded() {
    let lab = Lab::new();
    let daemon = lab.daemon("");
    let kind = |reply: Value| reply["error"]["data"]["kind"].as_str().unwrap().to_owned();
    let mut rpc = Rpc::connect(&lab.socket());
    rpc.write_line(&format!("{}{}", "[".repeat(33), "]".repeat(33)));
    assert_eq!(kind(rpc.read().unwrap()), "invalid_request");
    rpc.write_line(&" ".repeat(FRAME_BYTES_MAX + 1));
    assert_eq!(kind(rpc.read().unwrap()), "frame_too_long");
    assert!(rpc.read().is_none());

    let open: Vec<Rpc> = (0..8)
        .map(|_| {
            let mut rpc = Rpc::connect(&lab.socket());
            rpc.call("version", json!({})).unwrap();
            rpc
        })
        .collect();
    let mut ninth = Rpc::connect(&lab.socket());
    assert_eq!(kind(ninth.read().unwrap()), "too_many_connections");
    drop(open);
    drop(daemon);
}
