//! `tetherd` and `tetherctl` as processes.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::{DEADLINE, Events, Rpc};

/// Lines of a daemon's log that a test may leave unread.
const LOG_LINES_MAX: usize = 100_000;
/// A daemon ends a start that hangs after five minutes.
const START_TIME_MAX: Duration = Duration::from_secs(6 * 60);

pub(crate) struct Daemon {
    child: Child,
    log: Receiver<String>,
    seen: Vec<String>,
    socket: PathBuf,
}

impl Daemon {
    pub(crate) fn start(config: &Path, socket: &Path) -> Daemon {
        let mut daemon = Daemon::spawn(config, socket);
        daemon.wait_log("ready");
        daemon
    }

    /// Starts it without waiting.
    pub(crate) fn spawn(config: &Path, socket: &Path) -> Daemon {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tetherd"));
        command.arg("--config").arg(config);
        Daemon::launch(command, socket)
    }

    /// Starts it without arguments: the environment names the configuration.
    pub(crate) fn start_bare(config: &Path, socket: &Path) -> Daemon {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tetherd"));
        command.env("TETHERD_CONFIG", config);
        let mut daemon = Daemon::launch(command, socket);
        daemon.wait_log("ready");
        daemon
    }

    /// Starts it with something that is to go wrong, named as `TETHERD_SIM_FAULT` says.
    pub(crate) fn with_fault(config: &Path, socket: &Path, fault: &str) -> Daemon {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tetherd"));
        command.arg("--config").arg(config).env("TETHERD_SIM_FAULT", fault);
        let mut daemon = Daemon::launch(command, socket);
        daemon.wait_log("a fault is armed");
        daemon
    }

    /// Starts it with a wall clock that is off by the milliseconds in this file.
    pub(crate) fn with_clock(config: &Path, socket: &Path, offset: &Path) -> Daemon {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tetherd"));
        command.arg("--config").arg(config).env("TETHERD_SIM_CLOCK", offset);
        let mut daemon = Daemon::launch(command, socket);
        daemon.wait_log(" ready ");
        daemon
    }

    /// Starts it on a disk with as many bytes free as this file says, besides the reserve.
    pub(crate) fn with_free_bytes(config: &Path, socket: &Path, free: &Path) -> Daemon {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tetherd"));
        command.arg("--config").arg(config).env("TETHERD_SIM_FREE_BYTES", free);
        Daemon::launch(command, socket)
    }

    /// Starts it where no file may grow beyond this many blocks of 512 bytes (of 1024,
    /// where `sh` counts so).
    pub(crate) fn with_file_limit(config: &Path, socket: &Path, blocks: u64) -> Daemon {
        let mut command = Command::new("sh");
        command
            .args(["-c", r#"ulimit -f "$1" && exec "$2" --config "$3""#, "sh"])
            .arg(blocks.to_string())
            .arg(env!("CARGO_BIN_EXE_tetherd"))
            .arg(config);
        Daemon::launch(command, socket)
    }

    /// Starts what becomes the daemon. Its standard input is empty.
    fn launch(mut command: Command, socket: &Path) -> Daemon {
        command.stdin(Stdio::null());
        Daemon::spawn_as(command, socket)
    }

    /// Starts what becomes the daemon, with the standard input that it was given.
    pub(crate) fn spawn_as(mut command: Command, socket: &Path) -> Daemon {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .env_remove("JOURNAL_STREAM")
            .spawn()
            .unwrap();
        let (lines, log) = sync_channel(LOG_LINES_MAX);
        let stderr = child.stderr.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = lines.try_send(line);
            }
        });
        Daemon { child, log, seen: Vec::new(), socket: socket.to_owned() }
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a log line that contains this.
    #[track_caller]
    pub(crate) fn wait_log(&mut self, part: &str) -> String {
        let started = Instant::now();
        while let Some(left) = DEADLINE.checked_sub(started.elapsed()) {
            let Ok(line) = self.log.recv_timeout(left) else { break };
            self.seen.push(line.clone());
            if line.contains(part) {
                return line;
            }
        }
        panic!("no log line with {part:?}; the log:\n{}", self.seen.join("\n"));
    }

    /// Waits until it is ready, or has ended: then its exit code.
    #[track_caller]
    pub(crate) fn ready_or_ended(&mut self) -> Option<i32> {
        if self.becomes_ready() {
            return None;
        }
        Some(self.wait().code().expect("it ended by a signal"))
    }

    /// Waits until it is ready, or has ended in whatever way.
    #[track_caller]
    pub(crate) fn becomes_ready(&mut self) -> bool {
        let started = Instant::now();
        while let Some(left) = START_TIME_MAX.checked_sub(started.elapsed()) {
            match self.log.recv_timeout(left) {
                Ok(line) => self.seen.push(line),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return false,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => break,
            }
            if self.seen.last().is_some_and(|line| line.contains(" ready ")) {
                return true;
            }
        }
        panic!("neither ready nor ended; the log:\n{}", self.seen.join("\n"));
    }

    /// The remedy in its log.
    #[track_caller]
    pub(crate) fn remedy(&mut self) -> String {
        let log = self.log();
        let remedy = log.lines().find_map(|line| line.split_once("remedy: "));
        remedy.unwrap_or_else(|| panic!("no remedy in the log:\n{log}")).1.to_owned()
    }

    /// Everything logged so far.
    pub(crate) fn log(&mut self) -> String {
        self.seen.extend(self.log.try_iter());
        self.seen.join("\n")
    }

    /// A log line that contains this, if there is one within this time.
    pub(crate) fn log_within(&mut self, part: &str, within: Duration) -> bool {
        let started = Instant::now();
        while let Some(left) = within.checked_sub(started.elapsed()) {
            let Ok(line) = self.log.recv_timeout(left) else { break };
            self.seen.push(line.clone());
            if line.contains(part) {
                return true;
            }
        }
        false
    }

    pub(crate) fn call(&self, method: &str, params: Value) -> Result<Value, Value> {
        Rpc::connect(&self.socket).call(method, params)
    }

    pub(crate) fn events(&self) -> Events {
        Events::subscribe(&self.socket)
    }

    pub(crate) fn status(&self) -> Value {
        self.call("status", json!({})).unwrap()
    }

    /// Sends a text and answers its id.
    #[track_caller]
    pub(crate) fn send(&self, to: &str, text: &str) -> String {
        let result = self.call("message.send", json!({ "to": to, "text": text })).unwrap();
        result["message"]["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn message(&self, id: &str) -> Value {
        self.call("message.get", json!({ "id": id })).unwrap()
    }

    /// kill -9, and gone.
    pub(crate) fn kill9(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// SIGTERM, and its exit status.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait()
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.wait_within(DEADLINE)
    }

    /// Waits for its end, at most this long.
    #[track_caller]
    pub(crate) fn wait_within(&mut self, time: Duration) -> ExitStatus {
        // The log's pipe closes when the process ends: an event to wait for.
        let started = Instant::now();
        while let Some(left) = time.checked_sub(started.elapsed()) {
            match self.log.recv_timeout(left) {
                Ok(line) => self.seen.push(line),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => {
                    return self.child.wait().unwrap();
                }
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => break,
            }
        }
        panic!("the daemon does not end; the log:\n{}", self.seen.join("\n"));
    }

    /// `tetherctl` on this daemon's socket.
    pub(crate) fn ctl(&self) -> Ctl {
        Ctl::new(&self.socket)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the daemon's log:\n{}", self.log());
        }
    }
}

/// One `tetherctl` call.
pub(crate) struct Ctl {
    command: Command,
    input: Option<String>,
}

impl Ctl {
    pub(crate) fn new(socket: &Path) -> Ctl {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tetherctl"));
        command.arg("--socket").arg(socket);
        Ctl { command, input: None }
    }

    pub(crate) fn args(mut self, args: &[&str]) -> Ctl {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Ctl {
        self.command.env(name, value);
        self
    }

    pub(crate) fn input(mut self, text: &str) -> Ctl {
        self.input = Some(text.to_owned());
        self
    }

    pub(crate) fn run(mut self) -> Output {
        let stdin = if self.input.is_some() { Stdio::piped() } else { Stdio::null() };
        let mut child = self
            .command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        if let Some(input) = self.input {
            child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        }
        child.wait_with_output().unwrap()
    }

    /// Its standard output, after success.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        let output = self.run();
        let out = String::from_utf8(output.stdout).unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
        out
    }

    /// Its exit code and standard error, after failure.
    #[track_caller]
    pub(crate) fn fails(self) -> (i32, String) {
        let output = self.run();
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        (output.status.code().unwrap(), err)
    }
}
