//! A small web server on loopback, and a daemon that finds it under a name.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use super::{DEADLINE, Daemon, Lab};

/// Answers by path; what it has no answer for is a 404.
pub(crate) struct Web {
    pub(crate) address: SocketAddr,
    answers: Arc<Mutex<Vec<(&'static str, Answer)>>>,
    asked: Arc<Asked>,
}

/// Methods and paths, as they came in.
#[derive(Default)]
struct Asked {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

#[derive(Clone)]
pub(crate) enum Answer {
    Bytes(&'static [u8]),
    /// The same, with more lines in its head.
    Headed(&'static str, &'static [u8]),
    Status(u16),
    Redirect(String),
    /// Begins, and never goes on.
    Stall,
    /// Never answers.
    Silent,
}

impl Web {
    pub(crate) fn start() -> Web {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answers = Arc::new(Mutex::new(Vec::new()));
        let table: Arc<Mutex<Vec<(&'static str, Answer)>>> = Arc::clone(&answers);
        let asked = Arc::new(Asked::default());
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (table, log) = (Arc::clone(&table), Arc::clone(&log));
                std::thread::spawn(move || answer(&stream, &table, &log));
            }
        });
        Web { address, answers, asked }
    }

    pub(crate) fn set(&self, path: &'static str, answer: Answer) {
        let mut answers = self.answers.lock().unwrap();
        answers.retain(|(known, _)| *known != path);
        answers.push((path, answer));
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lines.lock().unwrap().clone()
    }

    /// Waits until this was asked.
    #[track_caller]
    pub(crate) fn wait_asked(&self, line: &str) {
        let lines = self.asked.lines.lock().unwrap();
        let unasked = |lines: &mut Vec<String>| !lines.iter().any(|known| known == line);
        let waited = self.asked.more.wait_timeout_while(lines, DEADLINE, unasked).unwrap();
        assert!(!waited.1.timed_out(), "{line} was not asked");
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://web.example:{}{path}", self.address.port())
    }
}

fn answer(
    stream: &TcpStream,
    table: &Mutex<Vec<(&'static str, Answer)>>,
    asked: &Asked,
) -> Option<()> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let Some(first) = lines.next() else {
        // That was TLS: it is told in plain words that nobody here speaks it.
        let mut to = stream;
        to.write_all(b"HTTP/1.1 400 X\r\ncontent-length: 0\r\n\r\n").ok()?;
        return None;
    };
    lines.find(String::is_empty)?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?, words.next()?.to_owned());
    asked.lines.lock().unwrap().push(format!("{method} {path}"));
    asked.more.notify_all();
    let known = table.lock().unwrap().iter().find(|(known, _)| *known == path).cloned();
    let mut to = stream;
    let (head, body): (String, &[u8]) = match known.map(|(_, answer)| answer) {
        Some(Answer::Bytes(bytes)) => {
            (format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", bytes.len()), bytes)
        }
        Some(Answer::Headed(lines, bytes)) => {
            let length = bytes.len();
            (format!("HTTP/1.1 200 OK\r\n{lines}\r\ncontent-length: {length}\r\n\r\n"), bytes)
        }
        Some(Answer::Status(code)) => {
            (format!("HTTP/1.1 {code} X\r\ncontent-length: 0\r\n\r\n"), b"")
        }
        Some(Answer::Redirect(url)) => {
            (format!("HTTP/1.1 302 X\r\nlocation: {url}\r\ncontent-length: 0\r\n\r\n"), b"")
        }
        Some(Answer::Stall) => {
            to.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx").ok()?;
            // Until the other side has had enough.
            let _ = std::io::Read::read(&mut to, &mut [0]);
            return None;
        }
        Some(Answer::Silent) => {
            // Until the other side has had enough.
            let _ = std::io::Read::read(&mut to, &mut [0]);
            return None;
        }
        None => ("HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n".to_owned(), b""),
    };
    to.write_all(head.as_bytes()).ok()?;
    if method != "HEAD" {
        to.write_all(body).ok()?;
    }
    Some(())
}

/// A daemon that knows two names: one is the server's, for the other no resolver answers.
pub(crate) fn start_with_web(lab: &Lab, extra: &str) -> Daemon {
    let config = lab.config(&format!(
        "[fetch]\nallow_http = true\nallow_addresses = [\"127.0.0.0/8\"]\n\
         retry_pause = \"100ms\"\n{extra}"
    ));
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tetherd"));
    command.arg("--config").arg(config).stdin(std::process::Stdio::null());
    command.env("TETHERD_SIM_HOSTS", "web.example=127.0.0.1,lost.example=?");
    let mut daemon = Daemon::spawn_as(command, &lab.socket());
    daemon.wait_log("ready");
    daemon
}
