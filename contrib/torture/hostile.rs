//! Clients of the control socket that mean no good: each of these kinds, on several connections
//! at once, while a good client goes on asking. It gets its answers, and the daemon stays small.
//!
//! Control: the daemon is gone.

use std::fs::File;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use serde_json::json;

use crate::Protection;
use crate::hung::{self, Hung};
use crate::judge::PEOPLE;
use crate::random::Random;
use crate::senders::call;
use crate::support::{Daemon, Lab};
use crate::tally::Tally;

/// Connections of one kind: the daemon takes eight of a user.
pub(crate) const CONNECTIONS: usize = 6;
/// What the daemon does not take within this time, it does not want.
const PATIENCE: Duration = Duration::from_millis(300);
const CALLS: usize = 40;
/// Kinds in a round, one after the other.
const KINDS_AT_A_TIME: usize = 8;
/// A call that takes longer was held up. The clients are the same user's, who share one budget
/// of memory: those who do not read their replies hold it until they are disconnected.
const SLOW_US: u64 = 300_000;
/// How long clients that have gone may take up their user's places.
const GONE_MAX: Duration = Duration::from_secs(5);
/// What they may make it grow by, in KiB.
const GROWTH_KIB_MAX: u64 = 64 * 1024;
const MIB: usize = 1024 * 1024;

pub(crate) type Act = fn(&mut UnixStream) -> io::Result<()>;

pub(crate) const KINDS: [(&str, Act); 28] = [
    ("says nothing", |_| Ok(())),
    ("a line without end", |s| s.write_all(&vec![b' '; 4 * MIB])),
    ("a line without end, of letters", |s| s.write_all(&vec![b'a'; 4 * MIB])),
    ("half a line", half_a_line),
    ("half a line, and no more to come", |s| {
        s.write_all(br#"{"jsonrpc":"2.0","id":1,"meth"#)?;
        s.shutdown(Shutdown::Write)
    }),
    ("brackets", |s| s.write_all(&vec![b'['; MIB])),
    ("nested objects", |s| s.write_all("{\"a\":".repeat(20_000).as_bytes())),
    ("empty lines", |s| s.write_all(&vec![b'\n'; 100_000])),
    ("zeros", |s| s.write_all(&vec![0; MIB])),
    ("no UTF-8", |s| s.write_all(&b"\xff\xfe{\"id\":1}\n".repeat(1_000))),
    ("a batch", |s| line(s, &json!(vec![request("status"); 2_000]))),
    ("unknown methods", |s| many(s, &request("no.such"), 2_000)),
    ("requests without an id", |s| many(s, &json!({"jsonrpc":"2.0","method":"status"}), 2_000)),
    ("a long id", |s| {
        line(s, &json!({"jsonrpc":"2.0","id":"x".repeat(100_000),"method":"status"}))
    }),
    ("a number of many digits", |s| {
        s.write_all(
            format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"status\"}}\n",
                "9".repeat(50_000)
            )
            .as_bytes(),
        )
    }),
    ("asks and never reads", |s| many(s, &request("rpc.discover"), 5_000)),
    ("asks and goes", |s| {
        many(s, &request("rpc.discover"), 20)?;
        s.shutdown(Shutdown::Both)
    }),
    ("subscribes and never reads", |s| line(s, &request("events.subscribe"))),
    ("subscribes again and again", |s| many(s, &request("events.subscribe"), 500)),
    ("reads a byte at a time", |s| {
        line(s, &request("rpc.discover"))?;
        (0..50).try_for_each(|_| s.read_exact(&mut [0]))
    }),
    ("writes a byte at a time", |s| {
        request("status").to_string().bytes().take(40).try_for_each(|byte| s.write_all(&[byte]))
    }),
    ("descriptors that nobody asked for", |s| {
        let null = File::open("/dev/null")?;
        (0..50).try_for_each(|_| with_descriptor(s, &request("status"), &null))
    }),
    ("descriptors with half a line", |s| {
        let null = File::open("/dev/null")?;
        (0..50).try_for_each(|_| with_descriptors(s, b"{", &[null.as_raw_fd(); 8]))
    }),
    ("descriptors, and they are closed", |s| {
        let null = File::open("/dev/null")?;
        with_descriptors(s, b"{", &[null.as_raw_fd(); 200])?;
        s.shutdown(Shutdown::Both)
    }),
    ("a file whose server is gone", |s| {
        let socket = s.peer_addr()?;
        let socket = socket.as_pathname().ok_or(io::ErrorKind::NotFound)?;
        with_descriptor(s, &file(), &File::open(hung::file_beside(socket))?)
    }),
    ("an endless file", |s| with_descriptor(s, &file(), &File::open("/dev/zero")?)),
    ("a folder as a file", |s| with_descriptor(s, &file(), &File::open("/")?)),
    ("long texts to nobody", |s| {
        let params = json!({ "to": "nobody", "text": "x".repeat(60_000) });
        many(s, &json!({"jsonrpc":"2.0","id":1,"method":"message.send","params":params}), 50)
    }),
];

pub(crate) fn half_a_line(stream: &mut UnixStream) -> io::Result<()> {
    stream.write_all(br#"{"jsonrpc":"2.0","id":1,"meth"#)
}

pub(crate) fn request(method: &str) -> serde_json::Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": {} })
}

fn file() -> serde_json::Value {
    let params = json!({ "to": PEOPLE[0], "file": { "fd": 0, "name": "a.bin" } });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "message.send", "params": params })
}

fn line(stream: &mut UnixStream, request: &serde_json::Value) -> io::Result<()> {
    stream.write_all(format!("{request}\n").as_bytes())
}

fn many(stream: &mut UnixStream, request: &serde_json::Value, times: usize) -> io::Result<()> {
    stream.write_all(format!("{request}\n").repeat(times).as_bytes())
}

fn with_descriptor(
    stream: &UnixStream,
    request: &serde_json::Value,
    file: &File,
) -> io::Result<()> {
    with_descriptors(stream, format!("{request}\n").as_bytes(), &[file.as_raw_fd()])
}

fn with_descriptors(stream: &UnixStream, text: &[u8], descriptors: &[RawFd]) -> io::Result<()> {
    let rights = [ControlMessage::ScmRights(descriptors)];
    let text = [IoSlice::new(text)];
    sendmsg::<()>(stream.as_raw_fd(), &text, &rights, MsgFlags::MSG_NOSIGNAL, None)?;
    Ok(())
}

pub(crate) fn round(random: &mut Random, protection: Protection, tally: &mut Tally) {
    let lab = Lab::new();
    let mut daemon = lab.daemon("");
    // Where it cannot be had, that kind does nothing.
    let hung = Hung::beside(&lab.socket());
    let before = slowest(&lab.socket(), "before them", tally);
    tally.largest("longest call before us", before);
    let small = resident_kib(&daemon);
    for _ in 0..KINDS_AT_A_TIME {
        let (name, act) = KINDS[random.index(KINDS.len())];
        if protection == Protection::Off {
            daemon.kill9();
            slowest(&lab.socket(), name, tally);
            return;
        }
        let open = attack(&lab.socket(), CONNECTIONS, act);
        tally.broken += open.len() as u64;
        let with = slowest(&lab.socket(), name, tally);
        if with > SLOW_US {
            tally.count("kinds that made it wait", 1);
            eprintln!("hostile: {name}: a call took {with} us");
        }
        tally.largest("longest call with them us", with);
        drop(open);
    }
    let readers = hung.as_ref().map_or(0, |hung| hung.readers() as u64);
    tally.largest("most reads that hang", readers);
    let grown = resident_kib(&daemon).saturating_sub(small);
    tally.largest("longest growth KiB", grown);
    if grown > GROWTH_KIB_MAX {
        tally.wrong(format!("it has grown by {grown} KiB"));
    }
    // A process ends once each of its reads has an answer: the kernel cuts none of these off.
    drop(hung);
    let status = daemon.stop();
    if !status.success() {
        tally.wrong(format!("it ended with {status}: {}", daemon.log()));
    }
}

/// Connections that have done it, and stay open.
pub(crate) fn attack(socket: &Path, connections: usize, act: Act) -> Vec<UnixStream> {
    let each = |_| {
        let socket = socket.to_owned();
        std::thread::spawn(move || {
            let mut stream = UnixStream::connect(socket).ok()?;
            stream.set_write_timeout(Some(PATIENCE)).ok()?;
            stream.set_read_timeout(Some(PATIENCE)).ok()?;
            // The daemon may have closed it.
            let _ = act(&mut stream);
            Some(stream)
        })
    };
    let threads: Vec<_> = (0..connections).map(each).collect();
    threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
}

/// The longest of a good client's calls, in microseconds.
fn slowest(socket: &Path, among: &str, tally: &mut Tally) -> u64 {
    let mut slowest = 0;
    for _ in 0..CALLS {
        let started = Instant::now();
        if !is_answered(socket, started) {
            tally.wrong(format!("a good client has no answer: {among}"));
        }
        slowest = slowest.max(started.elapsed().as_micros());
    }
    slowest.try_into().unwrap()
}

/// Whether a call gets its answer, once the daemon has noticed who has gone before.
fn is_answered(socket: &Path, started: Instant) -> bool {
    loop {
        match call(socket, "status", &json!({})) {
            Some(Err(error)) if error["data"]["kind"] == "too_many_connections" => {
                if started.elapsed() > GONE_MAX {
                    return false;
                }
            }
            answer => return matches!(answer, Some(Ok(_))),
        }
    }
}

fn resident_kib(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
