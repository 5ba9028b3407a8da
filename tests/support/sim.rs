//! `tether-sim` as a process, driven over its own socket.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

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
    control: PathBuf,
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
        }
    }

    /// Ends it in order, so that it keeps its accounts, and starts it again on the same
    /// address.
    pub(crate) fn restart(&mut self) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap());
        kill(pid, Signal::SIGTERM).unwrap();
        assert!(self.child.wait().unwrap().success());
        *self = SimServer::start_on(&self.folder.clone(), &self.listen.clone());
    }

    /// Kills it and starts it again on the same address.
    pub(crate) fn kill_and_restart(&mut self) {
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
        self.stop();
    }
}
