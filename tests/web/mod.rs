//! The HTTP front before a real daemon: in this process, as `tether-web` runs it in its own.

mod green;
mod metrics;
mod old;
mod page;
mod receivers;
mod rest;
mod webhooks;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;
use tether_web::auth::TokenFile;
use tether_web::config::{Address, Config};
use tether_web::front::{self, Running};
use tether_web::listen::Listener;
use tetherd_api::{FeedPlace, Tier};
use tokio::runtime::Runtime;

use crate::support::{DEADLINE, Daemon, Lab};

/// A front of one daemon, called `main`.
pub(crate) struct Front {
    // Dropped in this order.
    _running: Running,
    _runtime: Runtime,
    pub(crate) address: SocketAddr,
    tokens: TokenFile,
}

impl Front {
    pub(crate) fn start(lab: &Lab, daemon: &Daemon) -> Front {
        Front::with(lab, daemon, |_| {})
    }

    pub(crate) fn with(lab: &Lab, daemon: &Daemon, change: impl FnOnce(&mut Config)) -> Front {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().unwrap();
        let mut config = Config::default();
        config.listen.address = Address::Tcp(([127, 0, 0, 1], 0).into());
        config.tokens.file = Some(lab.path().join("tokens"));
        config.daemons.insert("main".into(), daemon.socket().to_owned());
        change(&mut config);
        let running = runtime.block_on(async {
            let listener = Listener::bind(&config.listen.address).unwrap();
            front::start(config, listener).unwrap()
        });
        let (address, tokens) =
            (running.address.unwrap(), TokenFile::new(lab.path().join("tokens")));
        Front { _running: running, _runtime: runtime, address, tokens }
    }

    /// A fresh token.
    pub(crate) fn token(&self, tier: Tier) -> String {
        let name = format!("{}-{}", tier.name(), self.tokens.list().unwrap().len());
        self.tokens.add(&name, tier).unwrap().secret
    }

    /// Calls a method over HTTP.
    pub(crate) fn call(&self, token: &str, method: &str, params: &Value) -> Answer {
        let headers = [("authorization", format!("Bearer {token}"))];
        self.ask(&format!("POST /v1/{method}"), &headers, params.to_string().as_bytes())
    }

    /// Asks, and reads the answer to its end.
    pub(crate) fn ask(&self, request: &str, headers: &[(&str, String)], body: &[u8]) -> Answer {
        let mut stream = self.begin(request, headers, body);
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let end = bytes.windows(4).position(|part| part == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut body = bytes.split_off(end + 4);
        if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
            body = unchunked(&body);
        }
        Answer { status, head, body }
    }

    fn begin(&self, request: &str, headers: &[(&str, String)], body: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut head =
            format!("{request} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        stream
    }

    /// Follows server-sent events.
    pub(crate) fn follow(&self, path: &str, headers: &[(&str, String)]) -> Sse {
        let mut lines = BufReader::new(self.begin(&format!("GET {path}"), headers, b""));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(lines.read_line(&mut head).unwrap(), 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        Sse { lines }
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = body.windows(2).position(|part| part == b"\r\n") {
        let length = std::str::from_utf8(&body[..end]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            break;
        }
        whole.extend_from_slice(&body[end + 2..end + 2 + length]);
        body = &body[end + 4 + length..];
    }
    whole
}

/// A stream of events.
pub(crate) struct Sse {
    lines: BufReader<TcpStream>,
}

/// One event.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) id: Option<FeedPlace>,
    pub(crate) name: String,
    pub(crate) data: Value,
}

impl Sse {
    /// The next event.
    pub(crate) fn next(&mut self) -> Sent {
        let mut sent = Sent { id: None, name: String::new(), data: Value::Null };
        loop {
            let mut line = String::new();
            assert_ne!(self.lines.read_line(&mut line).unwrap(), 0, "the stream has ended");
            match line.trim_end().split_once(": ") {
                Some(("id", id)) => sent.id = Some(id.parse().unwrap()),
                Some(("event", name)) => sent.name = name.into(),
                Some(("data", data)) => sent.data = serde_json::from_str(data).unwrap(),
                // A chunk's length, or the end of an event.
                Some(_) | None if sent.data.is_null() => {}
                Some(_) | None => return sent,
            }
        }
    }

    /// Reads on until an event fits.
    pub(crate) fn wait(&mut self, mut fits: impl FnMut(&Sent) -> bool) -> Sent {
        loop {
            let sent = self.next();
            if fits(&sent) {
                return sent;
            }
        }
    }
}
