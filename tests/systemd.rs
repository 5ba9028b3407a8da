//! What passes between the daemon and a service manager, played by the test.

use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{DEADLINE, Daemon, Lab, Rpc};

/// Long enough that no busy machine lets a round be overdue, short enough to wait for.
const WATCHDOG_USEC: &str = "2000000";
const WATCHDOG: Duration = Duration::from_secs(2);
/// A notification is a few lines.
const NOTIFICATION_BYTES_MAX: usize = 4_096;

/// The service manager's end of the notifications.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    fn new(lab: &Lab) -> Manager {
        let path = lab.path().join("notify.sock");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        Manager { socket, path }
    }

    /// A daemon that is told of this manager.
    fn command(&self, config: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tetherd"));
        command.arg("--config").arg(config).stdin(Stdio::null());
        command.env("NOTIFY_SOCKET", &self.path);
        command
    }

    /// The next notification's lines.
    fn next(&self) -> Vec<String> {
        let mut bytes = [0; NOTIFICATION_BYTES_MAX];
        let count = loop {
            match self.socket.recv(&mut bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                count => break count.expect("no notification came"),
            }
        };
        let text = std::str::from_utf8(&bytes[..count]).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Reads on until a line begins so; answers its notification.
    #[track_caller]
    fn wait(&self, start: &str) -> Vec<String> {
        let started = Instant::now();
        let mut seen = Vec::new();
        while started.elapsed() < DEADLINE {
            let lines = self.next();
            if lines.iter().any(|line| line.starts_with(start)) {
                return lines;
            }
            seen.push(lines);
        }
        panic!("no notification {start:?}; instead: {seen:?}");
    }

    /// Listens for so long; no line may begin so.
    #[track_caller]
    fn hears_nothing_like(&self, start: &str, time: Duration) {
        let started = Instant::now();
        while let Some(left) = time.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
            self.socket.set_read_timeout(Some(left)).unwrap();
            let mut bytes = [0; NOTIFICATION_BYTES_MAX];
            // The time is up, or a signal came: the loop's head knows.
            let Ok(count) = self.socket.recv(&mut bytes) else { continue };
            let text = std::str::from_utf8(&bytes[..count]).unwrap();
            assert!(!text.lines().any(|line| line.starts_with(start)), "{text}");
        }
        self.socket.set_read_timeout(Some(DEADLINE)).unwrap();
    }

    /// How many of what is still unread begin so.
    fn rest(&self, start: &str) -> usize {
        self.socket.set_nonblocking(true).unwrap();
        let mut bytes = [0; NOTIFICATION_BYTES_MAX];
        let mut found = 0;
        while let Ok(count) = self.socket.recv(&mut bytes) {
            let text = std::str::from_utf8(&bytes[..count]).unwrap();
            found += text.lines().filter(|line| line.starts_with(start)).count();
        }
        self.socket.set_nonblocking(false).unwrap();
        found
    }
}

/// Runs the daemon on a listener, as a service manager would: at descriptor 3.
fn activated(config: &Path, listener: &UnixListener, names: &str) -> Command {
    let mut command = Command::new("sh");
    // The variables name the process that they are meant for, and exec keeps its id.
    let script = "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"";
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_tetherd"), "--config"]).arg(config);
    command.env("LISTEN_FDNAMES", names);
    command.stdin(Stdio::from(OwnedFd::from(listener.try_clone().unwrap())));
    command
}

#[test]
fn the_manager_is_told_of_the_whole_life_in_order() {
    let lab = Lab::new();
    let manager = Manager::new(&lab);
    let config = lab.config("");
    let mut command = manager.command(&config);
    command.env("WATCHDOG_USEC", WATCHDOG_USEC);
    let mut daemon = Daemon::spawn_as(command, &lab.socket());

    assert_eq!(manager.next(), ["STATUS=Verifying the store"]);
    assert!(manager.next()[0].starts_with("EXTEND_TIMEOUT_USEC="));
    manager.wait("READY=1");
    // Ready means that callers are served.
    daemon.status();
    manager.wait("STATUS=Not paired; queue empty; held by not_paired");
    // Idle and disconnected is healthy.
    for _ in 0..2 {
        manager.wait("WATCHDOG=1");
    }
    daemon.send("+15550111", "waits");
    manager.wait("STATUS=Not paired; 1 waiting; held by not_paired");

    daemon.signal(Signal::SIGHUP);
    let reloading = manager.wait("RELOADING=1");
    let at: u64 = reloading[1].strip_prefix("MONOTONIC_USEC=").unwrap().parse().unwrap();
    assert!(at > 0);
    manager.wait("READY=1");

    daemon.signal(Signal::SIGTERM);
    let stopping = manager.wait("STOPPING=1");
    let may_take: u64 = stopping[1].strip_prefix("EXTEND_TIMEOUT_USEC=").unwrap().parse().unwrap();
    assert!(may_take > 10_000_000, "{may_take}");
    assert!(daemon.wait().success(), "{}", daemon.log());
    assert_eq!(manager.rest("READY=1"), 0);
}

#[test]
fn a_burst_of_messages_is_not_a_burst_of_status_lines() {
    let lab = Lab::new();
    let manager = Manager::new(&lab);
    let daemon = Daemon::spawn_as(manager.command(&lab.config("")), &lab.socket());
    manager.wait("STATUS=Not paired; queue empty");
    let mut rpc = Rpc::connect(&lab.socket());
    for n in 0..200 {
        let text = format!("text {n}");
        rpc.call("message.send", json!({ "to": "+15550111", "text": text })).unwrap();
    }
    let mut lines = 1;
    while !manager.wait("STATUS=")[0].contains("200 waiting") {
        lines += 1;
    }
    // One a second at most; two hundred changes take a few seconds on a busy machine.
    assert!(lines < 50, "{lines}");
    drop(daemon);
}

#[test]
fn a_start_that_fails_is_never_ready_and_the_status_says_why() {
    let lab = Lab::new();
    let manager = Manager::new(&lab);
    std::fs::write(lab.path().join("state"), "not a directory").unwrap();
    let mut daemon = Daemon::spawn_as(manager.command(&lab.config("")), &lab.socket());
    assert_eq!(daemon.wait().code(), Some(73), "{}", daemon.log());
    let status = loop {
        let lines = manager.next();
        assert_ne!(lines[0], "READY=1");
        if lines[0].contains("not a directory") {
            break lines;
        }
    };
    assert!(status[0].starts_with("STATUS="));
    assert_eq!(manager.rest("READY=1"), 0);
}

/// A loop that stands still serves nobody, and from then on the watchdog is not fed.
#[track_caller]
fn starves_the_watchdog(stalled: &str, method: &str, params: Value) {
    let lab = Lab::new();
    let manager = Manager::new(&lab);
    let stalls = lab.path().join("stalls");
    std::fs::create_dir(&stalls).unwrap();
    let mut command = manager.command(&lab.config(""));
    command.env("WATCHDOG_USEC", WATCHDOG_USEC).env("TETHERD_SIM_STALL", &stalls);
    let mut daemon = Daemon::spawn_as(command, &lab.socket());
    // All is well, until somebody says otherwise.
    for _ in 0..2 {
        manager.wait("WATCHDOG=1");
    }
    Rpc::connect(&lab.socket()).call("version", json!({})).unwrap();

    std::fs::write(stalls.join(stalled), "").unwrap();
    let line = daemon.wait_log("a loop stands still");
    assert!(line.contains(&format!("of=\"{stalled}\"")), "{line}");
    // What came before it did.
    manager.rest("WATCHDOG=1");
    // The engine says what it waits for; about itself it says nothing any more.
    if stalled != "engine" {
        let line = daemon.wait_log("the watchdog is not fed");
        assert!(line.contains(&format!("loops=\"{stalled}\"")), "{line}");
    }
    let mut rpc = Rpc::connect(&lab.socket());
    rpc.write(method, params);
    manager.hears_nothing_like("WATCHDOG=1", WATCHDOG * 3 / 2);
    assert!(!rpc.has_reply(), "it was served");
    daemon.kill9();
    assert_eq!(manager.rest("WATCHDOG=1"), 0);
}

#[test]
fn a_hanging_committer_starves_the_watchdog() {
    starves_the_watchdog(
        "committer",
        "message.send",
        json!({ "to": "+15550111", "text": "never on disk" }),
    );
}

#[test]
fn a_hanging_session_starves_the_watchdog() {
    starves_the_watchdog("session", "session.pair", json!({}));
}

#[test]
fn a_hanging_accept_loop_starves_the_watchdog() {
    starves_the_watchdog("accept", "version", json!({}));
}

#[test]
fn a_hanging_engine_starves_the_watchdog() {
    starves_the_watchdog("engine", "status", json!({}));
}

#[test]
fn a_connected_session_feeds_the_watchdog_too() {
    let lab = Lab::new();
    let manager = Manager::new(&lab);
    let mut command = manager.command(&lab.config(""));
    command.env("WATCHDOG_USEC", WATCHDOG_USEC);
    let daemon = Daemon::spawn_as(command, &lab.socket());
    manager.wait("READY=1");
    lab.pair(&daemon);
    manager.wait("STATUS=Connected; queue empty");
    for _ in 0..2 {
        manager.wait("WATCHDOG=1");
    }
}

#[test]
fn a_client_that_came_before_the_daemon_is_served() {
    let lab = Lab::new();
    let listener = UnixListener::bind(lab.socket()).unwrap();
    let mut early = Rpc::connect(&lab.socket());
    early.write("version", json!({}));
    let config = lab.config("");
    let mut daemon = Daemon::spawn_as(activated(&config, &listener, "control"), &lab.socket());
    assert!(early.read().unwrap()["result"]["version"].is_string());
    daemon.wait_log("ready");

    // The path is not ours: it stays, and whoever comes now is served by the next daemon.
    assert!(daemon.stop().success(), "{}", daemon.log());
    assert!(lab.socket().exists());
    let mut between = Rpc::connect(&lab.socket());
    between.write("status", json!({}));
    let mut daemon = Daemon::spawn_as(activated(&config, &listener, "control"), &lab.socket());
    assert!(between.read().unwrap()["result"]["session"].is_object());

    // So it is after a crash.
    daemon.kill9();
    let mut after = Rpc::connect(&lab.socket());
    after.write("status", json!({}));
    let _daemon = Daemon::spawn_as(activated(&config, &listener, "control"), &lab.socket());
    assert!(after.read().unwrap()["result"]["session"].is_object());
}

#[test]
fn who_waits_for_a_start_that_needs_a_person_is_told_so_and_not_left_to_wait() {
    let lab = Lab::new();
    let manager = Manager::new(&lab);
    let listener = UnixListener::bind(lab.socket()).unwrap();
    let wrong = lab.path().join("wrong.toml");
    std::fs::write(&wrong, "[queue]\ncapacity = \"many\"\n").unwrap();
    // A state directory that others may look into.
    let open = lab.config("");
    std::fs::DirBuilder::new().mode(0o755).create(lab.path().join("state")).unwrap();

    for (config, code, why) in [(&wrong, 78, "capacity"), (&open, 77, "state")] {
        let mut early = Rpc::connect(&lab.socket());
        early.write("status", json!({}));
        let mut silent = Rpc::connect(&lab.socket());
        let mut command = activated(config, &listener, "control");
        command.env("NOTIFY_SOCKET", &manager.path);
        let mut daemon = Daemon::spawn_as(command, &lab.socket());
        assert_eq!(daemon.wait().code(), Some(code), "{}", daemon.log());
        while !manager.wait("STATUS=")[0].contains(why) {}
        for caller in [&mut early, &mut silent] {
            let error = caller.read().unwrap()["error"].clone();
            assert_eq!(error["data"]["kind"], "shutting_down");
            assert!(error["data"]["remedy"].as_str().unwrap().contains("systemctl status"));
            assert!(!error.to_string().contains(why), "{error}");
            assert!(caller.read().is_none());
        }
        // Nobody is left for whom it would be started again.
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}

#[test]
fn a_passed_socket_of_another_name_is_refused_and_the_log_says_what_to_set() {
    let lab = Lab::new();
    let listener = UnixListener::bind(lab.socket()).unwrap();
    let mut daemon = Daemon::spawn_as(activated(&lab.config(""), &listener, "web"), &lab.socket());
    assert_eq!(daemon.wait().code(), Some(78));
    assert!(daemon.log().contains("FileDescriptorName=control"), "{}", daemon.log());
    assert!(lab.socket().exists());
}

#[test]
fn descriptors_for_another_process_are_left_alone() {
    let lab = Lab::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tetherd"));
    command.arg("--config").arg(lab.config("")).stdin(Stdio::null());
    command.env("LISTEN_PID", "1").env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", "control");
    let mut daemon = Daemon::spawn_as(command, &lab.socket());
    daemon.wait_log("ready");
    daemon.status();
}

#[test]
fn of_a_hundred_daemons_one_owns_the_state_and_the_others_name_it() {
    const DAEMONS: usize = 100;
    let lab = Lab::new();
    let config = lab.config("");
    // What a killed daemon leaves behind.
    drop(UnixListener::bind(lab.socket()).unwrap());
    std::fs::DirBuilder::new().mode(0o700).create(lab.path().join("state")).unwrap();
    std::fs::write(lab.path().join("state/lock"), "4194304\n").unwrap();

    let daemons: Vec<Daemon> =
        (0..DAEMONS).map(|_| Daemon::spawn(&config, &lab.socket())).collect();
    let (mut owner, mut refused) = (Vec::new(), Vec::new());
    for mut daemon in daemons {
        match daemon.ready_or_ended() {
            None => owner.push(daemon),
            Some(code) => {
                assert_eq!(code, 75, "{}", daemon.log());
                refused.push(daemon);
            }
        }
    }
    assert_eq!(owner.len(), 1);
    assert_eq!(refused.len(), DAEMONS - 1);
    let pid = owner[0].pid();
    for daemon in &mut refused {
        let log = daemon.log();
        assert!(log.contains(&format!("is in use by process {pid}\n")), "{log}");
    }
    owner[0].status();
}
