//! The real daemon, without an account, and a plain client of its socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) struct Process {
    child: Child,
    socket: PathBuf,
}

impl Process {
    /// Starts it in this folder, over what is there, and waits until it is ready.
    pub(crate) fn start(folder: &TempDir) -> Process {
        let folder = folder.path();
        let (config, socket) = (folder.join("tetherd.toml"), folder.join("control.sock"));
        let state = folder.join("state");
        std::fs::create_dir_all(folder).unwrap();
        // Never connected to, without an account; a build with the simulator wants loopback.
        let text = format!(
            "[state]\ndir = {state:?}\n[socket]\npath = {socket:?}\n\
             [session]\nendpoint = \"wss://127.0.0.1:1/\"\n"
        );
        std::fs::write(&config, text).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_tetherd"))
            .arg("--config")
            .arg(&config)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut lines = log.lines().map_while(Result::ok);
        let mut said = Vec::new();
        while !said.last().is_some_and(|line: &String| line.contains(" ready")) {
            let Some(line) = lines.next() else { panic!("no start: {}", said.join("; ")) };
            said.push(line);
        }
        std::thread::spawn(move || lines.for_each(drop));
        Process { child, socket }
    }

    pub(crate) fn client(&self) -> Client {
        let stream = UnixStream::connect(&self.socket).unwrap();
        Client { reader: BufReader::new(stream) }
    }

    /// Queues this many messages.
    pub(crate) fn fill(&self, messages: usize) {
        let mut client = self.client();
        for n in 0..messages {
            let (method, params) = super::send(n);
            client.write(method, &params);
            client.read();
        }
    }
}

impl Process {
    /// Withdraws what waits.
    pub(crate) fn clear(&self) {
        let mut client = self.client();
        client.write("queue.clear", &json!({}));
        client.read();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) struct Client {
    reader: BufReader<UnixStream>,
}

impl Client {
    pub(crate) fn write(&mut self, method: &str, params: &Value) {
        self.writer().write(method, params);
    }

    pub(crate) fn writer(&self) -> Writer {
        Writer(self.reader.get_ref().try_clone().unwrap())
    }

    /// The next reply, which must be good.
    pub(crate) fn read(&mut self) {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        assert!(line.contains("\"result\""), "{line}");
    }
}

pub(crate) struct Writer(UnixStream);

impl Writer {
    pub(crate) fn write(&mut self, method: &str, params: &Value) {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        writeln!(self.0, "{request}").unwrap();
    }
}
