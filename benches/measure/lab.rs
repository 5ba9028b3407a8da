//! The programs that are measured, each in a folder of its own that goes with it. They listen
//! on loopback and on Unix sockets only.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::procfs::Process;
use crate::rpc::Rpc;

const TICK: Duration = Duration::from_millis(1);
const START_TIME_MAX: Duration = Duration::from_secs(120);

/// A group that may send, for users who are not the daemon's: no account has this number.
pub(crate) const SENDERS_GID: u32 = 61_000;

/// A program that ends with this one.
pub(crate) struct Program(Child);

impl Program {
    pub(crate) fn start(command: &mut Command) -> Program {
        Program(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    pub(crate) fn of(child: Child) -> Program {
        Program(child)
    }

    pub(crate) fn process(&self) -> Process {
        Process(self.0.id())
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// Ends it as a service manager does, and waits.
    pub(crate) fn stop(mut self) {
        let pid = i32::try_from(self.0.id()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGTERM).unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program of this name that was built with this one.
pub(crate) fn built(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let path = own.ancestors().nth(2).unwrap().join(name);
    assert!(path.exists(), "{name} is not built: cargo build --release --features sim --bins");
    path
}

/// A folder that others may look into.
pub(crate) fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// Asks again and again until there is an answer.
pub(crate) fn until<T>(what: &str, find: impl FnMut() -> Option<T>) -> T {
    until_within(what, START_TIME_MAX, find)
}

/// The same, for so long.
pub(crate) fn until_within<T>(
    what: &str,
    time: Duration,
    mut find: impl FnMut() -> Option<T>,
) -> T {
    let end = Instant::now() + time;
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(Instant::now() < end, "waited too long for {what}");
        sleep(TICK);
    }
}

/// The simulator.
pub(crate) struct Sim {
    program: Program,
    folder: PathBuf,
    /// What it prints once it is ready.
    pub(crate) ready: Value,
}

impl Sim {
    /// Starts it in a folder; again over what it kept there, at the same address, if it ran
    /// there before.
    pub(crate) fn start(folder: &Path, listen: &str) -> Sim {
        let mut command = Command::new(built("tether-sim"));
        command.args(["--listen", listen, "--control"]).arg(folder.join("sim.sock"));
        command.arg("--dir").arg(folder.join("sim"));
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut program = Program::start(&mut command);
        let mut line = String::new();
        let out = program.child().stdout.take().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no simulator: {line}"));
        Sim { program, folder: folder.to_path_buf(), ready }
    }

    pub(crate) fn process(&self) -> Process {
        self.program.process()
    }

    pub(crate) fn stop(self) {
        self.program.stop();
    }

    pub(crate) fn rpc(&self) -> Rpc {
        until("the simulator", || Rpc::connect(&self.folder.join("sim.sock")))
    }

    /// People who take messages.
    pub(crate) fn people(&self, numbers: impl IntoIterator<Item = String>) {
        let mut rpc = self.rpc();
        for number in numbers {
            rpc.call("recipient.add", &json!({ "number": number }));
        }
    }

    fn session(&self) -> String {
        format!(
            "[session]\nendpoint = {}\nca_file = {}\n",
            self.ready["endpoint"], self.ready["ca_file"]
        )
    }
}

/// A folder with a configuration, and the daemon that runs there.
pub(crate) struct Daemon {
    program: Program,
    folder: PathBuf,
}

impl Daemon {
    /// Without an account: never connected to.
    pub(crate) fn alone(folder: &Path, more: &str) -> Daemon {
        Daemon::configured(folder, "[session]\nendpoint = \"wss://127.0.0.1:1/\"\n", more)
    }

    /// With the simulator as its server.
    pub(crate) fn with_sim(folder: &Path, sim: &Sim, more: &str) -> Daemon {
        Daemon::configured(folder, &sim.session(), more)
    }

    fn configured(folder: &Path, session: &str, more: &str) -> Daemon {
        fs::create_dir_all(folder).unwrap();
        let mut text = String::new();
        let (state, socket) = (folder.join("state"), folder.join("control.sock"));
        write!(text, "[state]\ndir = {state:?}\n[socket]\npath = {socket:?}\n").unwrap();
        write!(text, "group_send = \"{SENDERS_GID}\"\n{session}{more}").unwrap();
        fs::write(folder.join("tetherd.toml"), text).unwrap();
        Daemon::start(folder)
    }

    /// Starts it with the configuration that is there, and waits until it answers.
    pub(crate) fn start(folder: &Path) -> Daemon {
        let daemon = Daemon::spawn(folder);
        daemon.rpc().call("version", &json!({}));
        daemon
    }

    /// Starts it and waits for nothing.
    pub(crate) fn spawn(folder: &Path) -> Daemon {
        let _ = fs::remove_file(folder.join("control.sock"));
        let log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
        let mut command = Command::new(built("tetherd"));
        command.arg("--config").arg(folder.join("tetherd.toml")).stdout(Stdio::null()).stderr(log);
        Daemon { program: Program::start(&mut command), folder: folder.to_path_buf() }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("control.sock")
    }

    pub(crate) fn process(&self) -> Process {
        self.program.process()
    }

    pub(crate) fn rpc(&self) -> Rpc {
        until("the daemon", || Rpc::connect(&self.socket()))
    }

    /// Pairs it with the account's phone.
    pub(crate) fn pair(&self, sim: &Sim, account: Option<&str>) {
        let mut rpc = self.rpc();
        let offer = rpc.call("session.pair", &json!({}));
        let mut scan = json!({ "qr": offer["offer"]["qr"] });
        if let Some(account) = account {
            scan["account"] = json!(account);
        }
        sim.rpc().call("phone.scan", &scan);
        until("the session", || self.is_connected(&mut rpc).then_some(()));
    }

    pub(crate) fn is_connected(&self, rpc: &mut Rpc) -> bool {
        rpc.call("status", &json!({}))["session"]["state"] == "connected"
    }

    pub(crate) fn stop(self) {
        self.program.stop();
    }

    /// Ends it at once.
    pub(crate) fn kill(self) {
        drop(self.program);
    }
}
