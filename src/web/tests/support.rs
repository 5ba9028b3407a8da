//! A front on loopback, and a client that sends exactly what it is given.

use std::net::SocketAddr;

use tempfile::TempDir;
use tether_web::auth::TokenFile;
use tether_web::config::{Address, Config};
use tether_web::front::{self, Running};
use tether_web::listen::Listener;
use tetherd_api::Tier;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A front whose daemon is not there.
pub(crate) struct Front {
    _running: Running,
    pub(crate) address: SocketAddr,
    pub(crate) tokens: TokenFile,
    _dir: TempDir,
}

impl Front {
    pub(crate) async fn start() -> Front {
        Front::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Front {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.listen.address = Address::Tcp(([127, 0, 0, 1], 0).into());
        config.tokens.file = Some(dir.path().join("tokens"));
        config.daemons.insert("main".into(), dir.path().join("control.sock"));
        change(&mut config);
        let listener = Listener::bind(&config.listen.address).unwrap();
        let running = front::start(config, listener).unwrap();
        let (address, tokens) =
            (running.address.unwrap(), TokenFile::new(dir.path().join("tokens")));
        Front { _running: running, address, tokens, _dir: dir }
    }

    pub(crate) fn token(&self, tier: Tier) -> String {
        let made = self
            .tokens
            .add(&format!("{}-{}", tier.name(), self.tokens.list().unwrap().len()), tier);
        made.unwrap().secret
    }

    /// Logs in with a fresh token; the session's cookie.
    pub(crate) async fn log_in(&self, tier: Tier) -> String {
        let form = self.ask("GET /login", &[], "").await;
        let (_, rest) = form.body.split_once("name=\"csrf\" value=\"").unwrap();
        let (csrf, _) = rest.split_once('"').unwrap();
        let kind = "application/x-www-form-urlencoded";
        let headers = [("cookie", &*format!("tether-login={csrf}")), ("content-type", kind)];
        let fields = format!("csrf={csrf}&token={}", self.token(tier));
        let answer = self.ask("POST /login", &headers, &fields).await;
        let cookie = answer.header("set-cookie").unwrap_or_else(|| panic!("{answer:?}"));
        cookie.split(';').next().unwrap().to_owned()
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Asks on a connection of its own; the answer to its end.
    pub(crate) async fn ask(&self, request: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let host = self.address.to_string();
        let mut head = format!("{request} HTTP/1.1\r\nconnection: close\r\n");
        let named = |name: &str| headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        if !named("host") {
            head.push_str(&format!("host: {host}\r\n"));
        }
        let has_length = named("content-length") || named("transfer-encoding");
        if !has_length && !request.starts_with("GET") {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut stream = self.connect().await;
        // The front may refuse before it has read everything.
        let _ = stream.write_all(format!("{head}\r\n{body}").as_bytes()).await;
        Answer::read(&mut stream).await
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) async fn read(stream: &mut TcpStream) -> Answer {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        Answer { status, head: head.to_ascii_lowercase(), body: body.into() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    pub(crate) fn kind(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        body["error"]["data"]["kind"].as_str().unwrap().to_owned()
    }
}
