//! `tether-sim` as a process, driven over its own socket.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::Rpc;

pub(crate) struct SimServer {
    child: Child,
    folder: PathBuf,
    listen: String,
    pub(crate) endpoint: String,
    pub(crate) ca_file: String,
    /// The line that it prints when it is ready.
    pub(crate) ready: String,
    pub(crate) control: PathBuf,
    /// Faults that the test makes the daemon commit.
    expected: Mutex<Vec<String>>,
}

impl SimServer {
    pub(crate) fn start(folder: &Path) -> SimServer {
        SimServer::start_on(folder, "127.0.0.1:0")
    }

    fn start_on(folder: &Path, listen: &str) -> SimServer {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tether-sim"))
            .args(["--listen", listen, "--control"])
            .arg(folder.join("sim.sock"))
            .arg("--dir")
            .arg(folder.join("sim"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}"));
        let text = |name: &str| ready[name].as_str().unwrap().to_owned();
        let endpoint = text("endpoint");
        let address = endpoint.split('/').nth(2).unwrap().to_owned();
        SimServer {
            child,
            folder: folder.to_owned(),
            listen: address,
            endpoint,
            ca_file: text("ca_file"),
            control: text("control").into(),
            ready: line,
            expected: Mutex::default(),
        }
    }

    /// The test makes the daemon send stanzas with this fault; without it none may have any.
    pub(crate) fn expect_violation(&self, fault: &str) {
        self.expected.lock().unwrap().push(fault.to_owned());
    }

    /// A real server would have taken every stanza as it was. Nothing is known of a simulator
    /// that has ended.
    #[track_caller]
    fn check_violations(&self) {
        if UnixStream::connect(&self.control).is_err() {
            return;
        }
        let stats = self.call("server.stats", json!({}));
        let violations = stats["violations"].as_array().unwrap_or_else(|| panic!("{stats}"));
        let expected = self.expected.lock().unwrap();
        let is_expected = |one: &&Value| expected.iter().any(|fault| one["fault"] == **fault);
        let unexpected: Vec<&Value> = violations.iter().filter(|one| !is_expected(one)).collect();
        assert!(unexpected.is_empty(), "a real server refuses or corrects these: {unexpected:?}");
    }

    /// Ends it in order, so that it keeps its accounts, and starts it again on the same
    /// address.
    pub(crate) fn restart(&mut self) {
        self.check_violations();
        let pid = Pid::from_raw(self.child.id().try_into().unwrap());
        kill(pid, Signal::SIGTERM).unwrap();
        assert!(self.child.wait().unwrap().success());
        *self = SimServer::start_on(&self.folder.clone(), &self.listen.clone());
    }

    /// Kills it and starts it again on the same address.
    pub(crate) fn kill_and_restart(&mut self) {
        self.check_violations();
        self.stop();
        *self = SimServer::start_on(&self.folder.clone(), &self.listen.clone());
    }

    fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    #[track_caller]
    pub(crate) fn call(&self, method: &str, params: Value) -> Value {
        self.try_call(method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    pub(crate) fn try_call(&self, method: &str, params: Value) -> Result<Value, Value> {
        Rpc::connect(&self.control).call(method, params)
    }

    /// What a recipient has: one entry for each message id, in order of arrival.
    pub(crate) fn inbox(&self, number: &str) -> Vec<Value> {
        let inbox = self.call("recipient.inbox", json!({ "number": number }));
        inbox["messages"].as_array().unwrap_or_else(|| panic!("{inbox}")).clone()
    }

    pub(crate) fn texts(&self, number: &str) -> Vec<String> {
        self.inbox(number).iter().map(|m| m["text"].as_str().unwrap_or("?").to_owned()).collect()
    }
}

impl Drop for SimServer {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.check_violations();
        }
        self.stop();
    }
}
