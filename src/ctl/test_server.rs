//! For tests: a daemon that answers from a script, and `tetherctl` run against it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use clap::Parser;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixListener;

use super::cli::Args;
use super::output::Output;
use super::{render, run};
use tetherd_api::exit::ExitCode;
use tetherd_api::frame::{Id, encode_error, encode_event, encode_reply, parse_request};
use tetherd_api::framing::LineReader;
use tetherd_api::{Error, ErrorKind, EventFrame, FRAME_BYTES_MAX};
use tetherd_config::Environment;

/// 2026-01-01 00:00:00 UTC.
pub(super) const NOW_MS: i64 = 1_767_225_600_000;

/// Answers each method with what the script says, and notes the parameters.
#[derive(Clone, Default)]
pub(super) struct TestServer {
    answers: HashMap<&'static str, Result<Value, Error>>,
    /// Sent after the reply to this method.
    events: Vec<(&'static str, Value)>,
    /// Closes after the reply to this method, and its events.
    last: Option<&'static str>,
    /// Serves the next connection.
    next: Option<Box<TestServer>>,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl TestServer {
    pub(super) fn new(method: &'static str, answer: Value) -> Self {
        TestServer::default().and(method, answer)
    }

    pub(super) fn and(mut self, method: &'static str, answer: Value) -> Self {
        self.answers.insert(method, Ok(answer));
        self
    }

    pub(super) fn refusing(method: &'static str, error: Error) -> Self {
        TestServer { answers: HashMap::from([(method, Err(error))]), ..TestServer::default() }
    }

    pub(super) fn event_after(mut self, method: &'static str, event: Value) -> Self {
        self.events.push((method, event));
        self
    }

    pub(super) fn closing_after(mut self, method: &'static str) -> Self {
        self.last = Some(method);
        self
    }

    pub(super) fn and_then(mut self, mut next: TestServer) -> Self {
        next.asked = Arc::clone(&self.asked);
        self.next = Some(Box::new(next));
        self
    }

    pub(super) fn asked(&self) -> Vec<(String, Value)> {
        self.asked.lock().unwrap().clone()
    }

    async fn serve(self, listener: UnixListener) {
        let mut next = Some(self);
        while let Some(mut daemon) = next.take() {
            next = daemon.next.take().map(|next| *next);
            daemon.serve_one(&listener).await;
        }
    }

    async fn serve_one(self, listener: &UnixListener) {
        let (stream, _) = listener.accept().await.unwrap();
        let (from, mut to) = stream.into_split();
        let mut lines = LineReader::new(from, FRAME_BYTES_MAX, None);
        while let Ok(Some(line)) = lines.next().await {
            let request = parse_request(&line).unwrap();
            let id = request.id.clone().unwrap_or(Id::Null);
            self.asked.lock().unwrap().push((request.method.clone(), json!(request.params)));
            let reply = match self.answers.get(request.method.as_str()) {
                Some(Ok(answer)) => encode_reply(&id, Ok(answer)).unwrap(),
                Some(Err(error)) => encode_error(&id, error),
                None => encode_error(&id, &Error::new(ErrorKind::MethodNotFound, "no such method")),
            };
            to.write_all(&reply).await.unwrap();
            for (_, event) in self.events.iter().filter(|(method, _)| *method == request.method) {
                let frame: EventFrame = serde_json::from_value(event.clone()).unwrap();
                to.write_all(&encode_event(&frame).unwrap()).await.unwrap();
            }
            if self.last == Some(request.method.as_str()) {
                return;
            }
        }
    }
}

#[derive(Clone, Default)]
pub(super) struct Sink(pub(super) Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Standard output, the sentence on standard error, and the exit code.
pub(super) struct Ran {
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) code: ExitCode,
}

pub(super) async fn ctl(line: &[&str], daemon: &TestServer) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    let serving = tokio::spawn(daemon.clone().serve(listener));
    let ran = ctl_at(&socket, line).await;
    serving.abort();
    ran
}

pub(super) async fn ctl_at(socket: &Path, line: &[&str]) -> Ran {
    let head = ["tetherctl", "--socket", socket.to_str().unwrap()];
    let args = Args::try_parse_from(head.iter().chain(line)).unwrap();
    let sink = Sink::default();
    let clock = render::Clock { now_ms: NOW_MS, zone: TimeZone::UTC };
    let mut out = Output::fixed(Box::new(sink.clone()), args.json, clock);
    let done = run(args, &Environment::default(), &mut out).await;
    let (stderr, code) = match &done {
        Ok(()) => (String::new(), ExitCode::Ok),
        Err(error) => (error.sentence().unwrap_or_default(), error.exit_code()),
    };
    let stdout = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    Ran { stdout, stderr, code }
}

pub(super) fn message(id: u64, state: &str) -> Value {
    json!({
        "id": format!("m{id}"), "wa_id": "3EB0AA", "to": "15550100@s.whatsapp.net",
        "state": state, "kind": "text", "preview": "hello \u{1b}[31mred", "chars": 14,
        "attempts": 0, "accepted_at": "2025-12-31T23:59:00Z",
        "changed_at": "2025-12-31T23:59:00Z",
    })
}

pub(super) fn with(mut message: Value, more: Value) -> Value {
    let fields = more.as_object().unwrap().clone();
    message.as_object_mut().unwrap().extend(fields);
    message
}

pub(super) fn status() -> Value {
    json!({
        "started_at": "2025-12-31T20:55:00Z",
        "session": { "state": "connected", "since": "2025-12-31T23:00:00Z",
            "account": "15550100@s.whatsapp.net", "connections": 1, "replaced": 0 },
        "queue": { "capacity": 400, "free": 388, "queued": 11, "sending": 1, "unknown": 0,
            "parked": 3, "history": 20, "paused": false,
            "next_send_at": "2026-01-01T00:00:40Z", "last_send_at": "2026-01-01T00:04:40Z" },
        "pacing": { "limit": 5, "window_ms": 120_000, "spent": 5,
            "next_slot_at": "2026-01-01T00:00:40Z" },
        "conditions": [{ "kind": "pacing", "active": true, "holds": "all",
            "since": "2025-12-31T23:59:50Z", "ends_by_itself": true,
            "until": "2026-01-01T00:00:40Z", "why": "At most 5 messages leave in any 120 s.",
            "evidence": [], "affected": { "count": 11, "ids": [] },
            "by_itself": "The next slot is free.", "by_itself_at": "2026-01-01T00:00:40Z" }],
    })
}

pub(super) fn event(seq: u64, event: Value) -> Value {
    with(json!({ "seq": seq, "at": "2026-01-01T00:00:00Z" }), event)
}

pub(super) fn about(message: Value) -> Value {
    event(2, json!({ "event": "message", "message": message }))
}
