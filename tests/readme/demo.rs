//! The demonstration, and what the simulator prints when it is started alone.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use serde_json::{Value, json};

use super::alias;
use super::machine::{Program, next_line};
use crate::support::{DEADLINE, Rpc};

/// The longest that the demonstration may take.
const DEMO_TIME_MAX: Duration = Duration::from_secs(60);

/// The demonstration, as `cargo demo` and these arguments start it.
fn demo(args: &[&str]) -> (Program, Receiver<String>) {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_tetherd"));
    Program::start(demo.args(alias("demo")).args(args).stdin(Stdio::null()).stdout(Stdio::piped()))
}

#[test]
fn the_demonstration_runs_once_checks_itself_and_ends_with_0() {
    let started = std::time::Instant::now();
    let (mut demo, lines) = demo(&["--once"]);
    next_line(&lines, |line| line.contains("each arrived exactly once and in order"));
    assert!(lines.recv_timeout(DEADLINE).is_err(), "one summary, and nothing after it");
    demo.ends_with_0();
    assert!(started.elapsed() < DEMO_TIME_MAX, "{:?}", started.elapsed());
}

#[test]
fn the_demonstration_is_open_to_a_second_terminal_and_ends_with_ctrl_c() {
    let (mut demo, lines) = demo(&[]);
    // A line to copy: it has to work as it stands.
    let hint = next_line(&lines, |line| line.ends_with(" status"));
    next_line(&lines, |line| line.ends_with("session: connected"));
    let status = Command::new("sh").args(["-c", hint.trim()]).output().unwrap();
    let told = String::from_utf8(status.stdout).unwrap();
    assert!(told.starts_with("session  "), "{told}");
    demo.interrupt();
    next_line(&lines, |line| line == "stopping");
    demo.ends_with_0();
}

#[test]
fn what_the_simulator_prints_can_be_copied_into_a_configuration() {
    let folder = tempfile::Builder::new().prefix("tetherd-test-").tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tether-sim"));
    command
        .args(["--dir", "sim", "--control", "sim.sock"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let (mut sim, lines) = Program::start(&mut command);
    let line = next_line(&lines, |_| true);
    let ready: Value = serde_json::from_str(&line).unwrap();
    for name in ["ca_file", "control"] {
        let path = Path::new(ready[name].as_str().unwrap());
        assert!(path.is_absolute() && path.exists(), "{line}");
    }
    let control = Path::new(ready["control"].as_str().unwrap());
    Rpc::connect(control).call("server.stats", json!({})).unwrap();
    sim.interrupt();
    sim.ends_with_0();
}
