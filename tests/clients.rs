//! The clients in `contrib/clients/`: the Python one, the shell functions and the examples,
//! each by its own interpreter against the real daemon.
//!
//! Where an interpreter or a tool is missing, its tests say so and pass, but for `.ci/run`,
//! which brings them along.

mod examples;
mod readme;
mod shell;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::json;
use tetherctl::error::rpc_code;
use tetherd_api::{ErrorKind, Method};

use crate::support::{Ctl, Daemon, Lab, Program, next_line};

const PYTHON_CLIENT: &str = include_str!("../contrib/clients/tetherd.py");
const SHELL_CLIENT: &str = include_str!("../contrib/clients/tetherd.sh");

/// Whom the clients write to.
const FRIEND: &str = "+15550111";
const OTHER: &str = "+15550112";

/// Fast, and without a look at links, which lead nowhere here.
const CONFIG: &str = "[pacing]\nwindow = \"1s\"\n[preflight]\nlinks = \"off\"\n";

fn tree(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Where a program is, if it can be found.
fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Whether there is this program; if not, the test is left out and says so.
fn is_there(program: &str) -> bool {
    let mut there = found(program).is_some();
    if there && program == "python3" {
        // A minimal one has a part of the library only.
        let whole = Command::new(program).args(["-c", "import json, shutil"]).output().unwrap();
        there = whole.status.success();
    }
    // `.ci/run` brings it along and allows no exception.
    assert!(there || std::env::var_os("CI").is_none(), "{program} is needed");
    if !there {
        eprintln!("skipped: this test needs {program}");
    }
    there
}

/// A paired daemon whose account people can write to.
fn paired(lab: &Lab, extra: &str) -> Daemon {
    lab.people(&[FRIEND, OTHER]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tetherd"));
    // A name that no resolver answers, and none outside is asked for.
    command.arg("--config").arg(lab.config(extra)).env("TETHERD_SIM_HOSTS", "lost.example=?");
    let mut daemon = Daemon::spawn_as(command, &lab.socket());
    daemon.wait_log(" ready ");
    lab.pair(&daemon);
    lab.sim.call("server.wait", json!({ "key_uploads": 1 }));
    daemon
}

/// A program with the daemon's socket and the Python client in its environment.
fn command(lab: &Lab, program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(lab.path())
        .env("TETHERD_SOCKET", lab.socket())
        .env("PYTHONPATH", tree("contrib/clients"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Its standard output, after success.
#[track_caller]
fn ok(output: Output) -> String {
    let out = String::from_utf8(output.stdout).unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    out
}

/// Every kind of error, by its name: the reader of the contract lists them when it meets one
/// that there is not.
fn kinds() -> Vec<(String, ErrorKind)> {
    let listed = serde_json::from_value::<ErrorKind>(json!("none")).unwrap_err().to_string();
    let names = listed.split('`').skip(3).step_by(2);
    names.map(|name| (name.to_owned(), serde_json::from_value(json!(name)).unwrap())).collect()
}

/// What `tetherctl --json` calls errors that the daemon knows nothing of.
fn own_kind(socket: &Path) -> String {
    let output = Ctl::new(socket).args(&["--json", "status"]).run();
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    told["error"]["data"]["kind"].as_str().unwrap().to_owned()
}

#[test]
fn the_python_client_has_a_method_for_every_one_of_the_contract() {
    for method in Method::ALL {
        let name = match method.name() {
            "message.send" => "send_text".to_owned(),
            "events.subscribe" => "events".to_owned(),
            other => other.replace('.', "_"),
        };
        assert!(PYTHON_CLIENT.contains(&format!("    def {name}(")), "{name}");
        assert!(PYTHON_CLIENT.contains(&format!("\"{}\"", method.name())), "{}", method.name());
    }
}

#[test]
fn the_clients_know_every_kind_of_error_with_tetherctl_s_exit_code_and_no_other() {
    let kinds = kinds();
    assert!(kinds.len() >= 25, "{kinds:?}");
    let (_, codes) = PYTHON_CLIENT.split_once("_EXIT_CODES: Mapping[str, int] = {").unwrap();
    let (codes, _) = codes.split_once('}').unwrap();
    let (_, cases) = SHELL_CLIENT.split_once("_tetherd_code() {").unwrap();
    let (cases, _) = cases.split_once("\n}").unwrap();
    for (name, kind) in &kinds {
        let code = rpc_code(*kind);
        assert!(codes.contains(&format!("    \"{name}\": {code},\n")), "{name} {code}");
        let case = cases.lines().find(|line| line.split([' ', '|', ')']).any(|word| word == name));
        assert!(case.unwrap_or(name).ends_with(&format!("echo {code} ;;")), "{name} {code}");
    }
    let own = ["no_daemon", "cannot_connect", "socket_denied", "closed", "no_answer"];
    let known = |name: &str| kinds.iter().any(|(kind, _)| kind == name);
    // The quoted words of the tables, which are names of kinds.
    let (_, tables) = PYTHON_CLIENT.split_once("_CLASSES: ").unwrap();
    let (tables, _) = tables.split_once("\ndef ").unwrap();
    for name in tables.lines().filter_map(|line| line.trim().strip_prefix('"')?.split('"').next()) {
        let is_own = own.contains(&name) || name == "not_understood";
        assert!(known(name) || is_own, "{name} is no kind of error");
    }
    assert_eq!(own_kind(Path::new("/nonexistent.sock")), own[0]);
    assert_eq!(own_kind(Path::new(&format!("/{}", "x".repeat(200)))), own[1]);
}

#[test]
fn every_method_of_the_python_client_does_what_it_says() {
    if !is_there("python3") {
        return;
    }
    let lab = Lab::new();
    let _daemon = paired(&lab, CONFIG);
    let mut python = command(&lab, "python3");
    python.args(["-W", "error"]).arg(tree("tests/clients/methods.py"));
    python.arg(lab.path().join("sim.sock")).arg(lab.path());
    let output = python.args(Method::ALL.iter().map(|method| method.name())).output().unwrap();
    assert_eq!(ok(output), "done\n");
}

#[test]
fn what_goes_wrong_is_told_apart_and_repeated_only_where_that_is_safe() {
    if !is_there("python3") {
        return;
    }
    let lab = Lab::new();
    let _daemon = paired(&lab, &format!("{CONFIG}[queue]\ncapacity = 3\n"));
    let mut python = command(&lab, "python3");
    python.arg(tree("tests/clients/errors.py")).arg(lab.path().join("sim.sock"));
    assert_eq!(ok(python.output().unwrap()), "done\n");
}

#[test]
fn the_event_stream_tells_each_incoming_message_once_over_restarts_and_kills() {
    if !is_there("python3") {
        return;
    }
    let lab = Lab::new();
    let mut daemon = paired(&lab, CONFIG);
    let mut next = 0;
    let mut write = |texts: usize| {
        for _ in 0..texts {
            next += 1;
            let text = format!("text {next}");
            lab.sim.call("recipient.reply", json!({ "number": FRIEND, "text": text }));
        }
        format!("incoming {next} text {next}")
    };
    let last = write(3);
    let mut python = command(&lab, "python3");
    python.arg(tree("tests/clients/stream.py"));
    let (mut stream, lines) = Program::start(&mut python);
    let mut told = Vec::new();
    // What happened while nobody was connected comes in the order of its kind only.
    let mut wait = |wanted: &[&str]| {
        let mut missing = wanted.to_vec();
        next_line(&lines, |line| {
            told.push(line.to_owned());
            missing.retain(|part| !line.starts_with(part));
            missing.is_empty()
        });
    };
    wait(&["up to date", &last]);
    for kill in [false, true, false, true] {
        if kill {
            daemon.kill9();
        } else {
            assert!(daemon.stop().success());
        }
        let last = write(7);
        daemon = lab.daemon(CONFIG);
        // Accepted before the stream is back, or after: it is told either way.
        let id = daemon.call("queue.pause", json!({})).map(|_| daemon.send(FRIEND, "x")).unwrap();
        wait(&["up to date", &format!("{id} queued"), &last]);
        daemon.call("queue.clear", json!({})).unwrap();
        let last = write(2);
        wait(&[&last]);
    }
    lab.sim.call("recipient.reply", json!({ "number": FRIEND, "text": "end" }));
    wait(&["incoming 40 end"]);
    stream.ends_with_0();
    let incoming: Vec<&String> = told.iter().filter(|line| line.starts_with("incoming")).collect();
    for (at, line) in incoming.iter().enumerate().take(39) {
        assert_eq!(**line, format!("incoming {0} text {0}", at + 1));
    }
    assert_eq!(incoming.len(), 40);
    assert_eq!(told.iter().filter(|line| line.starts_with("up to date")).count(), 5);
}
