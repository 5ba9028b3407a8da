//! Files on their way in: descriptors, their copies, and what is left of those.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use serde_json::{Value, json};

use crate::support::{DEADLINE, Daemon, Lab, Rpc, StuckThread, message_is};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and some more";
const PERSON: &str = "+15550111";

fn spool(lab: &Lab) -> Vec<String> {
    let folder = lab.path().join("state/spool");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).collect()
}

/// Waits until the spool holds so many files: the daemon removes them after its answer.
#[track_caller]
pub(crate) fn wait_for_files(lab: &Lab, count: usize) {
    let started = Instant::now();
    while spool(lab).len() != count {
        assert!(started.elapsed() < DEADLINE, "{:?}", spool(lab));
        std::thread::yield_now();
    }
}

fn temporary(content: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    file
}

/// Writes these bytes in one call, with these descriptors.
fn pass(rpc: &mut Rpc, bytes: &[u8], fds: &[RawFd]) {
    let rights = [ControlMessage::ScmRights(fds)];
    let rights = if fds.is_empty() { &rights[..0] } else { &rights[..] };
    let iov = [std::io::IoSlice::new(bytes)];
    let sent = sendmsg::<()>(rpc.as_raw_fd(), &iov, rights, MsgFlags::empty(), None).unwrap();
    assert_eq!(sent, bytes.len());
}

fn request(id: u64, file: Value) -> String {
    let params = json!({ "to": PERSON, "file": file });
    let request = json!({ "jsonrpc": "2.0", "id": id, "method": "message.send", "params": params });
    format!("{request}\n")
}

fn send_fds(daemon: &Daemon, file: Value, fds: &[RawFd]) -> Result<Value, Value> {
    let mut rpc = Rpc::connect(daemon.socket());
    pass(&mut rpc, request(1, file).as_bytes(), fds);
    let reply = rpc.read().unwrap();
    match reply.get("error") {
        Some(error) => Err(error["data"]["kind"].clone()),
        None => Ok(reply["result"]["message"].clone()),
    }
}

/// Waits until the daemon has as many descriptors as before.
#[track_caller]
fn wait_for_descriptors(daemon: &Daemon, count: usize) {
    let started = Instant::now();
    while open_descriptors(daemon) > count {
        assert!(started.elapsed() < DEADLINE, "{} > {count}", open_descriptors(daemon));
        std::thread::yield_now();
    }
}

fn open_descriptors(daemon: &Daemon) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count()
}

#[test]
fn invariant_1_a_file_is_copied_in_before_the_reply_and_stays_over_a_kill() {
    let lab = Lab::new();
    let mut daemon = lab.daemon("");
    // One that has no name: only its descriptor leads to it. Its offset is its owner's.
    let mut file = temporary(PNG);
    let told = send_fds(&daemon, json!({ "fd": 0, "name": "a.png" }), &[file.as_raw_fd()]).unwrap();
    assert_eq!((&told["kind"], &told["state"]), (&json!("image"), &json!("queued")));
    assert_eq!(told["file"]["mime"], "image/png");
    assert_eq!(told["file"]["bytes"], PNG.len());
    assert_eq!(told["file"]["name"], "a.png");
    let names = spool(&lab);
    assert_eq!(std::fs::read(lab.path().join("state/spool").join(&names[0])).unwrap(), PNG);
    file.write_all(b"later").unwrap();
    let mut rest = Vec::new();
    assert_eq!(file.read_to_end(&mut rest).unwrap(), 0);

    // A life that was cut off leaves half a copy, and one whose message never was.
    daemon.kill9();
    let folder = lab.path().join("state/spool");
    std::fs::write(folder.join(format!("new-{}", "a".repeat(32))), b"half").unwrap();
    std::fs::write(folder.join("b".repeat(32)), b"whole").unwrap();
    let mut daemon = lab.daemon("");
    assert_eq!(spool(&lab), names);
    let id = told["id"].as_str().unwrap();
    assert_eq!(daemon.message(id)["file"], told["file"]);
    assert!(daemon.message(id)["text"].is_null());

    daemon.call("queue.cancel", json!({ "ids": [id] })).unwrap();
    daemon.call("queue.restore", json!({})).unwrap();
    assert_eq!(spool(&lab), names);
    daemon.stop();
    let daemon = lab.daemon("[queue]\nundo = \"off\"\n");
    daemon.call("queue.cancel", json!({ "ids": [id] })).unwrap();
    wait_for_files(&lab, 0);
    assert_eq!(daemon.message(id)["file"], told["file"]);
}

#[test]
fn each_request_gets_the_descriptors_that_came_with_it() {
    let lab = Lab::new();
    let daemon = lab.daemon("");
    let (one, two) = (temporary(b"one"), temporary(b"the second"));
    let mut rpc = Rpc::connect(daemon.socket());
    let line = |id| request(id, json!({ "fd": 0 })).into_bytes();
    // Two requests at once; then one whose descriptor comes before it, and one in whose
    // middle it comes.
    pass(&mut rpc, &line(1), &[one.as_raw_fd()]);
    pass(&mut rpc, &line(2), &[two.as_raw_fd()]);
    pass(&mut rpc, b"\n", &[one.as_raw_fd()]);
    pass(&mut rpc, &line(3), &[]);
    let (begin, rest) = (line(4)[..20].to_vec(), line(4)[20..].to_vec());
    pass(&mut rpc, &begin, &[]);
    pass(&mut rpc, &rest[..1], &[two.as_raw_fd()]);
    pass(&mut rpc, &rest[1..], &[]);
    let mut bytes = [0; 4];
    for _ in 0..4 {
        let reply = rpc.read().unwrap();
        let id = usize::try_from(reply["id"].as_u64().unwrap()).unwrap();
        bytes[id - 1] = reply["result"]["message"]["file"]["bytes"].as_u64().unwrap();
    }
    assert_eq!(bytes, [3, 10, 3, 10]);
    // None came with this one.
    pass(&mut rpc, &line(5), &[]);
    assert_eq!(rpc.read().unwrap()["error"]["data"]["kind"], "bad_file");
}

#[test]
fn what_is_refused_leaves_neither_a_descriptor_nor_a_file() {
    let lab = Lab::new();
    let limits = "[files]\nimage_max = \"1KiB\"\nquota = \"4KiB\"\n[queue]\ncapacity = 2\n";
    let daemon = lab.daemon(limits);
    daemon.status();
    let before = open_descriptors(&daemon);
    let folder = File::open(lab.path()).unwrap();
    let device = File::open("/dev/zero").unwrap();
    let file = temporary(b"one");
    let large_image = temporary(&[PNG, &[0; 1024]].concat());
    let large = temporary(&[0; 5000]);
    let fd = json!({ "fd": 0 });
    let five = [file.as_raw_fd(); 5];
    for (params, fds, kind) in [
        (&fd, &[folder.as_raw_fd()][..], "bad_file"),
        (&fd, &[device.as_raw_fd()], "bad_file"),
        (&fd, &five, "bad_file"),
        (&json!({ "fd": 4 }), &five[..4], "bad_file"),
        (&fd, &[temporary(b"").as_raw_fd()], "bad_file"),
        (&json!({ "fd": 0, "as": "image" }), &five[..1], "bad_file"),
        (&fd, &[large_image.as_raw_fd()], "file_too_large"),
        (&fd, &[large.as_raw_fd()], "spool_full"),
        (&json!({ "base64": "?" }), &[], "bad_file"),
        (&json!({ "fd": 0, "base64": "YQ==" }), &five[..1], "invalid_params"),
        (&json!({ "url": "http://files.example/a" }), &[], "bad_url"),
    ] {
        assert_eq!(send_fds(&daemon, params.clone(), fds).unwrap_err(), kind, "{params}");
    }
    // A caller that is gone before its line ends.
    let mut rpc = Rpc::connect(daemon.socket());
    pass(&mut rpc, b"{", &five[..4]);
    drop(rpc);
    assert_eq!(spool(&lab), Vec::<String>::new());

    // The same key: one message, one file. Another content: none. A full queue: neither.
    let send = |content: &str, key: &str| {
        let params = json!({ "to": PERSON, "file": { "base64": content }, "key": key });
        daemon.call("message.send", params).map_err(|error| error["data"]["kind"].clone())
    };
    assert_eq!(send("YQ==", "k").unwrap()["duplicate"], false);
    assert_eq!(send("YQ==", "k").unwrap()["duplicate"], true);
    assert_eq!(send("YWE=", "k").unwrap_err(), "key_conflict");
    let file = json!({ "base64": "YQ==", "mime": "text/csv" });
    let typed = daemon.call("message.send", json!({ "to": PERSON, "file": file, "key": "k" }));
    assert_eq!(typed.unwrap_err()["data"]["kind"], "key_conflict", "another type");
    send("YQ==", "l").unwrap();
    assert_eq!(send("YQ==", "m").unwrap_err(), "queue_full");
    wait_for_files(&lab, 2);
    wait_for_descriptors(&daemon, before);
}

/// Lets the daemon open so many descriptors more, and no others.
fn leave_room(daemon: &Daemon, count: usize) {
    let folder = std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap();
    let taken: std::collections::BTreeSet<u64> =
        folder.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
    let last = (0..).filter(|fd| !taken.contains(fd)).nth(count).unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(daemon.pid()).unwrap());
    let limit = rustix::process::Rlimit { current: Some(last), maximum: Some(1_024) };
    rustix::process::prlimit(pid, rustix::process::Resource::Nofile, limit).unwrap();
}

#[test]
fn invariant_10_descriptors_that_find_no_room_in_the_daemon_are_refused_and_none_stays() {
    let lab = Lab::new();
    let daemon = lab.daemon("");
    let mut rpc = Rpc::connect(daemon.socket());
    rpc.call("version", json!({})).unwrap();
    let before = open_descriptors(&daemon);
    leave_room(&daemon, 2);
    let file = temporary(b"one");
    for id in 0..20 {
        pass(&mut rpc, request(id, json!({ "fd": 0 })).as_bytes(), &[file.as_raw_fd(); 4]);
        assert_eq!(rpc.read().unwrap()["error"]["data"]["kind"], "bad_file");
        wait_for_descriptors(&daemon, before);
    }
}

#[test]
fn a_request_goes_on_when_its_caller_has_gone_and_ends_with_its_pipe() {
    let lab = Lab::new();
    let daemon = lab.daemon("");
    daemon.status();
    let before = open_descriptors(&daemon);
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut rpc = Rpc::connect(daemon.socket());
    pass(&mut rpc, request(1, json!({ "fd": 0 })).as_bytes(), &[theirs.as_raw_fd()]);
    drop(theirs);
    ours.write_all(b"a beginning").unwrap();
    wait_for_files(&lab, 1);
    drop(rpc);
    // Whoever ends its side may still read: that cannot be told from going away.
    let mut events = daemon.events();
    ours.shutdown(std::net::Shutdown::Write).unwrap();
    events.wait("the message", |event| message_is(event, "m1", "queued"));
    drop(events);
    assert_eq!(spool(&lab).len(), 1);
    wait_for_descriptors(&daemon, before);
}

#[test]
fn a_disk_that_takes_no_more_refuses_the_file_and_nothing_else() {
    let lab = Lab::new();
    let config = lab.config("");
    // Larger than what the store needs, smaller than the file.
    let mut daemon = Daemon::with_file_limit(&config, &lab.socket(), 8 * 1024);
    assert_eq!(daemon.ready_or_ended(), None);
    let large = temporary(&vec![7; 12 * 1024 * 1024]);
    let refused = send_fds(&daemon, json!({ "fd": 0 }), &[large.as_raw_fd()]);
    assert_eq!(refused.unwrap_err(), "spool_full");
    assert_eq!(spool(&lab), Vec::<String>::new());
    daemon.send(PERSON, "goes on");
    send_fds(&daemon, json!({ "fd": 0 }), &[temporary(PNG).as_raw_fd()]).unwrap();
}

#[test]
fn tetherctl_sends_files_places_and_contacts() {
    let lab = Lab::new();
    let daemon = lab.daemon("");
    let path = lab.path().join("note.txt");
    std::fs::write(&path, "some words").unwrap();
    let path = path.to_str().unwrap();
    daemon.ctl().args(&["send", PERSON, "--file", path, "--caption", "read this"]).ok();
    daemon.ctl().args(&["send", PERSON, "--file", "-", "--name", "in.txt"]).input("piped").ok();
    daemon.ctl().args(&["send", PERSON, "--location", "-1.5,2", "--place", "home"]).ok();
    let contact = ["send", PERSON, "--contact", "Ann", "--phone", "+15550112"];
    daemon.ctl().args(&contact).ok();
    let (code, said) = daemon.ctl().args(&["send", PERSON, "--file", "/dev/null"]).fails();
    assert_eq!(code, 65, "{said}");
    let (_, said) = daemon.ctl().args(&["send", PERSON, "--file", "/nowhere"]).fails();
    assert!(said.contains("cannot open /nowhere"), "{said}");

    let queue = daemon.ctl().args(&["queue"]).ok();
    for part in [
        "[document note.txt, 10 B] read this",
        "[document in.txt, 5 B]",
        "[location] home",
        "[contact] Ann",
    ] {
        assert!(queue.contains(part), "{queue}");
    }
    let show = |id: &str| daemon.ctl().args(&["show", id]).ok();
    assert!(show("m1").contains("note.txt, 10 B, text/plain"), "{}", show("m1"));
    assert!(show("m3").contains("home\n-1.5, 2"), "{}", show("m3"));
    assert!(show("m4").contains("Ann\n+15550112"), "{}", show("m4"));
}

#[test]
fn python_passes_a_descriptor_with_send_fds() {
    let script = r#"
import json, os, socket, sys, tempfile
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
f = tempfile.TemporaryFile(); f.write(b"from python"); f.flush()
r = {"jsonrpc": "2.0", "id": 1, "method": "message.send",
     "params": {"to": "+15550111", "file": {"fd": 0, "name": "p.txt"}}}
socket.send_fds(s, [(json.dumps(r) + "\n").encode()], [f.fileno()])
print(json.loads(s.makefile().readline())["result"]["message"]["file"]["bytes"])
"#;
    let lab = Lab::new();
    let daemon = lab.daemon("");
    let mut python = std::process::Command::new("python3");
    python.args(["-c", script]).arg(daemon.socket());
    // The same in Rust is above: without Python there is nothing more to see.
    let Ok(output) = python.output() else { return };
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "11", "{output:?}");
    assert_eq!(spool(&lab).len(), 1);
}

#[test]
fn a_read_that_hangs_does_not_keep_the_daemon_from_ending_in_order() {
    let lab = Lab::new();
    let mut daemon = lab.daemon("");
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut rpc = Rpc::connect(daemon.socket());
    pass(&mut rpc, request(1, json!({ "fd": 0 })).as_bytes(), &[theirs.as_raw_fd()]);
    ours.write_all(b"a beginning").unwrap();
    wait_for_files(&lab, 1);
    let mut reading = StuckThread::polling(&daemon);
    daemon.signal(Signal::SIGTERM);
    reading.ends_with_its_process();
    let status = daemon.wait();
    assert_eq!(status.code(), Some(0), "{status}: {}", daemon.log());
    drop(reading);

    // What it had copied goes at the next start, and the caller can send it again.
    let daemon = lab.daemon("");
    assert!(spool(&lab).is_empty());
    let file = temporary(PNG);
    let told = send_fds(&daemon, json!({ "fd": 0 }), &[file.as_raw_fd()]).unwrap();
    assert_eq!(told["state"], "queued");
}

#[test]
fn tetherctl_says_what_to_do_about_a_file_and_a_name() {
    let lab = Lab::new();
    let daemon = lab.daemon("");
    for name in ["a\\b.txt", "a\nb.txt"] {
        let path = lab.path().join(name);
        std::fs::write(&path, "x\n").unwrap();
        let path = path.to_str().unwrap();
        let (code, sentence) = daemon.ctl().args(&["send", PERSON, "--file", path]).fails();
        assert_eq!(code, 65, "{sentence}");
        assert!(sentence.contains("--name"), "{sentence}");
        let line = ["--json", "send", PERSON, "--file", path, "--name", "a.csv", "--mime", "x/y"];
        let sent: Value = serde_json::from_str(&daemon.ctl().args(&line).ok()).unwrap();
        let file = &sent["message"]["file"];
        assert_eq!((&file["name"], &file["mime"]), (&json!("a.csv"), &json!("x/y")));
    }
    let bmp = lab.path().join("a.bmp");
    std::fs::write(&bmp, [b"BM\x46\0\0\0".as_slice(), &[0; 64]].concat()).unwrap();
    let line = ["send", PERSON, "--file", bmp.to_str().unwrap(), "--as", "image"];
    let (code, sentence) = daemon.ctl().args(&line).fails();
    assert_eq!(code, 65, "{sentence}");
    assert!(sentence.contains("JPEG"), "{sentence}");
    for url in ["file:///etc/hostname", "ftp://files.example/x"] {
        let (code, sentence) = daemon.ctl().args(&["send", PERSON, "--url", url]).fails();
        assert_eq!(code, 65, "{sentence}");
        assert!(sentence.contains("--file") && !sentence.contains("allow_http"), "{sentence}");
    }
}

#[test]
fn a_caption_of_blanks_is_no_caption() {
    let lab = Lab::new();
    let daemon = lab.daemon("");
    for caption in ["", " ", "\n\t ", "\u{a0}\u{3000}", "\u{200b}\u{feff}", "\u{2800}"] {
        let file = json!({ "base64": "aGVsbG8=", "caption": caption });
        let sent = daemon.call("message.send", json!({ "to": PERSON, "file": file })).unwrap();
        assert_eq!(sent["message"]["preview"], "", "{caption:?}");
        assert_eq!(sent["message"]["chars"], 0, "{caption:?}");
        // And no reason against a kind that has none.
        let voice = json!({ "base64": "aGVsbG8=", "as": "audio", "caption": caption });
        let params = json!({ "to": PERSON, "file": voice });
        let error = daemon.call("message.send", params).unwrap_err();
        assert_eq!(error["data"]["kind"], "bad_file", "{caption:?}: {error}");
    }
}
