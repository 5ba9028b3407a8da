//! Starts the real binaries in a fresh folder and waits on what they say.
//!
//! Nothing here sleeps: every wait is for a line, a reply or an event, with a deadline.

mod daemon;
mod program;
mod rpc;
pub(crate) mod schema;
mod sim;
mod stuck_thread;
mod terminal;
mod web;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

pub(crate) use daemon::{Ctl, Daemon};
pub(crate) use program::{Program, next_line};
pub(crate) use rpc::{Events, Rpc};
pub(crate) use sim::SimServer;
pub(crate) use stuck_thread::StuckThread;
pub(crate) use terminal::Terminal;
pub(crate) use web::{Answer, Web, start_with_web};

/// The longest that anything may take on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// The account that tests pair with.
pub(crate) const ACCOUNT: &str = "15550100";

/// A fresh folder with a simulator, ready for daemons.
pub(crate) struct Lab {
    // Dropped in this order: the simulator ends before its folder is removed.
    pub(crate) sim: SimServer,
    folder: tempfile::TempDir,
}

impl Lab {
    pub(crate) fn new() -> Lab {
        let folder = tempfile::Builder::new().prefix("tetherd-test-").tempdir().unwrap();
        let sim = SimServer::start(folder.path());
        Lab { sim, folder }
    }

    /// A folder from `tests/compat/`: a state directory, and the simulator that it was paired
    /// with.
    pub(crate) fn from_fixture(name: &str) -> Lab {
        let folder = tempfile::Builder::new().prefix("tetherd-test-").tempdir().unwrap();
        let archive = format!("{}/tests/compat/{name}.tar.gz", env!("CARGO_MANIFEST_DIR"));
        let mut tar = Command::new("tar");
        tar.args(["-xzf", &archive, "-C"]).arg(folder.path());
        assert!(tar.status().unwrap().success());
        let owner_only = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(folder.path().join("state"), owner_only).unwrap();
        let sim = SimServer::start(folder.path());
        Lab { sim, folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path().join("control.sock")
    }

    /// Writes a configuration that points at the simulator. `extra` is more TOML, by
    /// section: it may not repeat `[state]`, `[socket]` or `[session]`.
    pub(crate) fn config(&self, extra: &str) -> PathBuf {
        self.config_with_session(extra, "")
    }

    /// The same, with more keys for `[session]`.
    pub(crate) fn config_with_session(&self, extra: &str, session: &str) -> PathBuf {
        let path = self.path().join("tetherd.toml");
        let text = format!(
            "[state]\ndir = {state:?}\n\n[socket]\npath = {socket:?}\n\n\
             [session]\nendpoint = {endpoint:?}\nca_file = {ca:?}\nbackoff_first = \"100ms\"\nack_timeout = \"2s\"\n{session}\n{extra}\n",
            state = self.path().join("state"),
            socket = self.socket(),
            endpoint = self.sim.endpoint,
            ca = self.sim.ca_file,
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Starts a daemon with this configuration and waits until it is ready.
    pub(crate) fn daemon(&self, extra: &str) -> Daemon {
        Daemon::start(&self.config(extra), &self.socket())
    }

    /// A daemon whose window is three seconds, paired and connected.
    pub(crate) fn paired(&self) -> Daemon {
        self.paired_with("[pacing]\nwindow = \"3s\"\n")
    }

    pub(crate) fn paired_with(&self, extra: &str) -> Daemon {
        let daemon = self.daemon(extra);
        self.pair(&daemon);
        daemon
    }

    /// Pairs by QR and waits until messages can leave.
    pub(crate) fn pair(&self, daemon: &Daemon) {
        let mut events = daemon.events();
        let offer = daemon.call("session.pair", json!({})).unwrap();
        let qr = offer["offer"]["qr"].as_str().unwrap().to_owned();
        self.sim.call("phone.scan", json!({ "qr": qr, "account": ACCOUNT }));
        events.wait("the session to connect", |event| session_is(event, "connected"));
    }

    /// Lets somebody write to the account, who is no new contact then, and waits until the
    /// daemon has it.
    pub(crate) fn writes(&self, events: &mut Events, number: &str) {
        self.sim.call("server.wait", json!({ "key_uploads": 1 }));
        self.sim.call("recipient.reply", json!({ "number": number, "text": "hello" }));
        events.wait("the message", |event| event["event"] == "incoming");
    }

    /// The message stanzas of one id that reached the server, in order.
    pub(crate) fn attempts(&self, wa_id: &str) -> Vec<Value> {
        let stats = self.sim.call("server.stats", json!({}));
        let attempts = stats["attempts"].as_array().unwrap_or_else(|| panic!("{stats}"));
        attempts.iter().filter(|attempt| attempt["id"] == wa_id).cloned().collect()
    }

    /// Adds people who are on the network.
    pub(crate) fn people(&self, numbers: &[&str]) {
        for number in numbers {
            self.sim.call(
                "recipient.add",
                json!({ "number": number, "on_network": true, "companions": 0 }),
            );
        }
    }
}

/// Whether an event tells that the session is in this state.
pub(crate) fn session_is(event: &Value, state: &str) -> bool {
    event["event"] == "status" && event["status"]["session"]["state"] == state
}

/// Why another project's client for node is left out, if it is: `variable` names the folder with
/// the client in its `node_modules` (see CONTRIBUTING.md).
pub(crate) fn lacks_client(variable: &str) -> Option<String> {
    if std::env::var_os(variable).is_none() {
        return Some(format!("{variable} names no folder with the client"));
    }
    let mut node = Command::new("node");
    let there = node.arg("--version").stdout(std::process::Stdio::null()).status();
    (!there.is_ok_and(|status| status.success())).then(|| "there is no node".to_owned())
}

/// Whether an event tells that this message is in this state.
pub(crate) fn message_is(event: &Value, id: &str, state: &str) -> bool {
    event["event"] == "message"
        && event["message"]["id"] == id
        && event["message"]["state"] == state
}

/// Whether an event tells that this message got at least as far as `sent`.
pub(crate) fn has_left(event: &Value, id: &str) -> bool {
    ["sent", "delivered", "read"].iter().any(|state| message_is(event, id, state))
}
