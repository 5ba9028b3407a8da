//! A JSON-RPC caller as a stranger would write it: a socket, lines, no types of ours.
//! Whatever a daemon says is compared with its OpenRPC document.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{DEADLINE, schema};

pub(crate) struct Rpc {
    reader: BufReader<UnixStream>,
    next_id: u64,
}

impl Rpc {
    pub(crate) fn connect(path: &Path) -> Rpc {
        let stream =
            UnixStream::connect(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Rpc { reader: BufReader::new(stream), next_id: 0 }
    }

    pub(crate) fn call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.write(method, params);
        loop {
            let reply = self.read().expect("the connection closed before the reply");
            if reply["id"] == id {
                let outcome = match reply.get("error") {
                    Some(error) => Err(error.clone()),
                    None => Ok(reply["result"].clone()),
                };
                schema::check_reply(method, outcome.as_ref());
                return outcome;
            }
        }
    }

    pub(crate) fn write(&mut self, method: &str, params: Value) -> u64 {
        self.next_id += 1;
        let request =
            json!({ "jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params });
        self.write_line(&request.to_string());
        self.next_id
    }

    /// A line as it is. The daemon may close before it has read all of it.
    pub(crate) fn write_line(&mut self, line: &str) {
        let _ = self.reader.get_mut().write_all(format!("{line}\n").as_bytes());
    }

    pub(crate) fn as_raw_fd(&self) -> RawFd {
        self.reader.get_ref().as_raw_fd()
    }

    /// Whether something has come that is still unread, or the other side has closed.
    pub(crate) fn has_reply(&self) -> bool {
        let stream = self.reader.get_ref();
        stream.set_nonblocking(true).unwrap();
        let peeked = nix::sys::socket::recv(
            stream.as_raw_fd(),
            &mut [0],
            nix::sys::socket::MsgFlags::MSG_PEEK,
        );
        stream.set_nonblocking(false).unwrap();
        peeked != Err(nix::errno::Errno::EAGAIN)
    }

    /// The next line; none when the other side closed.
    pub(crate) fn read(&mut self) -> Option<Value> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(serde_json::from_str(&line).unwrap()),
        }
    }
}

/// A subscription: every event, in order.
pub(crate) struct Events {
    rpc: Rpc,
}

impl Events {
    pub(crate) fn subscribe(path: &Path) -> Events {
        Events::subscribe_with(path, json!({})).0
    }

    /// With these parameters; answers the result as well.
    pub(crate) fn subscribe_with(path: &Path, params: Value) -> (Events, Value) {
        let mut rpc = Rpc::connect(path);
        let result = rpc.call("events.subscribe", params).unwrap();
        (Events { rpc }, result)
    }

    /// The next event; none when the daemon closed.
    pub(crate) fn next(&mut self) -> Option<Value> {
        loop {
            let line = self.rpc.read()?;
            if line["method"] == "event" {
                schema::check_event(&line["params"]);
                return Some(line["params"].clone());
            }
        }
    }

    /// The next event within this time.
    pub(crate) fn next_within(&mut self, time: Duration) -> Option<Value> {
        self.rpc.reader.get_ref().set_read_timeout(Some(time)).unwrap();
        let event = self.next();
        self.rpc.reader.get_ref().set_read_timeout(Some(DEADLINE)).unwrap();
        event
    }

    /// Reads on until an event fits.
    #[track_caller]
    pub(crate) fn wait(&mut self, what: &str, mut fits: impl FnMut(&Value) -> bool) -> Value {
        let started = Instant::now();
        let mut last = Value::Null;
        while started.elapsed() < DEADLINE {
            match self.next() {
                Some(event) if fits(&event) => return event,
                Some(event) => last = event,
                None => panic!("the daemon closed while waiting for {what}; last event: {last}"),
            }
        }
        panic!("waited too long for {what}; last event: {last}");
    }

    /// Waits until `tetherctl why` says this.
    #[track_caller]
    pub(crate) fn wait_explained(&mut self, daemon: &super::Daemon, part: &str) {
        while !daemon.call("explain", json!({})).unwrap().to_string().contains(part) {
            self.wait("a change of the status", |event| event["event"] == "status");
        }
    }

    /// Waits until the session is connected, if it is not yet.
    #[track_caller]
    pub(crate) fn wait_connected(&mut self, daemon: &super::Daemon) {
        if daemon.status()["session"]["state"] != "connected" {
            self.wait("the session to connect", |event| super::session_is(event, "connected"));
        }
    }

    /// Reads on until every one of these messages has left.
    #[track_caller]
    pub(crate) fn wait_until_sent(&mut self, ids: &[String]) {
        let mut missing: std::collections::BTreeSet<&str> =
            ids.iter().map(String::as_str).collect();
        if missing.is_empty() {
            return;
        }
        let what = format!("all of {missing:?} to leave");
        self.wait(&what, |event| {
            if let Some(id) = event["message"]["id"].as_str()
                && super::has_left(event, id)
            {
                missing.remove(id);
            }
            missing.is_empty()
        });
    }

    /// As [`Events::wait_until_sent`], for a subscription that may have begun after
    /// some of them had already left: those the daemon is asked for.
    #[track_caller]
    pub(crate) fn wait_until_left(&mut self, daemon: &super::Daemon, ids: &[String]) {
        let missing: Vec<String> = ids
            .iter()
            .filter(|id| {
                let state = daemon.message(id)["state"].as_str().unwrap_or_default().to_owned();
                !["sent", "delivered", "read"].contains(&state.as_str())
            })
            .cloned()
            .collect();
        self.wait_until_sent(&missing);
    }
}
