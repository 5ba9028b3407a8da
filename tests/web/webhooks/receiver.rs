//! A receiver of webhooks on loopback. It hands each request to the test, which answers it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};

use serde_json::Value;
use standardwebhooks::Webhook as Reference;

use crate::support::DEADLINE;

/// A request, and the connection on which it is answered. Dropping it is a receiver's death.
pub(super) struct Got {
    stream: TcpStream,
    headers: BTreeMap<String, String>,
    pub(super) content: String,
}

impl Got {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {:?}", self.headers))
    }

    pub(super) fn id(&self) -> String {
        self.header("webhook-id").to_owned()
    }

    pub(super) fn body(&self) -> Value {
        serde_json::from_str(&self.content).unwrap()
    }

    /// The specification's own library takes it, and takes nothing that differs.
    #[track_caller]
    pub(super) fn verify(&self, secret: &str) {
        let mut headers = hyper::HeaderMap::new();
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            headers.insert(name, self.header(name).parse().unwrap());
        }
        let reference = Reference::new(secret.trim()).unwrap();
        reference.verify(self.content.as_bytes(), &headers).unwrap();
        reference.verify(format!("{} ", self.content).as_bytes(), &headers).unwrap_err();
    }

    pub(super) fn answer(mut self, head: &str) {
        let answer = format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\n\r\n");
        self.stream.write_all(answer.as_bytes()).unwrap();
    }
}

/// Ids and contents, as they came in.
type Seen = Arc<Mutex<Vec<(String, String)>>>;

pub(super) struct Receiver {
    address: SocketAddr,
    requests: mpsc::Receiver<Got>,
    seen: Seen,
}

impl Receiver {
    pub(super) fn start() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (to, requests) = mpsc::sync_channel(64);
        let seen = Seen::default();
        let noted = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Some(got) = read(stream.unwrap()) else { continue };
                noted.lock().unwrap().push((got.id(), got.content.clone()));
                if to.send(got).is_err() {
                    return;
                }
            }
        });
        Receiver { address, requests, seen }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(super) fn next(&self) -> Got {
        self.requests.recv_timeout(DEADLINE).unwrap()
    }

    /// Over all that has come in.
    pub(super) fn assert_one_content_under_each_id(&self) {
        let mut known = BTreeMap::new();
        for (id, content) in self.seen.lock().unwrap().iter() {
            let first = known.entry(id.clone()).or_insert_with(|| content.clone());
            assert_eq!(first, content, "{id}");
        }
        assert!(known.len() > 3, "{known:?}");
    }
}

/// A whole request; none: the connection ended before, or somebody else came by, who looks for
/// whatever had this port before.
fn read(stream: TcpStream) -> Option<Got> {
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    let mut headers = BTreeMap::new();
    let mut line = String::new();
    lines.read_line(&mut line).ok()?;
    if line.trim_end() != "POST /hook HTTP/1.1" {
        return None;
    }
    loop {
        line.clear();
        lines.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length: usize = headers.get("content-length")?.parse().unwrap();
    let mut content = vec![0; length];
    lines.read_exact(&mut content).ok()?;
    Some(Got { stream, headers, content: String::from_utf8(content).unwrap() })
}
