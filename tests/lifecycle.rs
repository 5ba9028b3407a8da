//! How the daemon starts, is told things by signals, and ends: exit codes, sentences.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{Daemon, Lab, message_is, session_is};

/// Far more than an idle daemon needs to leave, and less than the wait for an attempt.
const AT_ONCE: Duration = Duration::from_secs(8);

fn tetherd(args: &[&str], config: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tetherd"))
        .args(args)
        .arg("--config")
        .arg(config)
        .output()
        .unwrap()
}

/// Starts a daemon that refuses to, and answers its code and its log.
#[track_caller]
fn refusal(lab: &Lab, extra: &str) -> (i32, String, Daemon) {
    let mut daemon = Daemon::spawn(&lab.config(extra), &lab.socket());
    let code = daemon.ready_or_ended().expect("it started");
    let log = daemon.log();
    (code, log, daemon)
}

#[test]
fn check_config_prints_what_is_in_force_and_ends_with_0() {
    let lab = Lab::new();
    let output = tetherd(&["check-config"], &lab.config("[queue]\ncapacity = 77\n"));
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("no errors\n") && said.contains("capacity = 77\n"), "{said}");
    assert!(!lab.path().join("state").exists(), "it only looks");
}

#[test]
fn a_wrong_configuration_ends_with_78_and_names_line_and_remedy() {
    let lab = Lab::new();
    let config = lab.config("[pacing]\nmesages = 5\nwindow = \"soon\"\n");
    for args in [&["check-config"][..], &["run"], &[]] {
        let output = tetherd(args, &config);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{said}");
        let at = |line: usize| format!("{}:{line}:", config.display());
        let lines: Vec<&str> = said.lines().collect();
        let text = fs::read_to_string(&config).unwrap();
        let line = text.lines().position(|line| line.starts_with("mesages")).unwrap() + 1;
        assert!(lines[0].contains(&at(line)) && lines[0].contains("messages"), "{said}");
        assert!(lines[1].contains(&at(line + 1)) && lines[1].contains("120s"), "{said}");
    }
    let output = tetherd(&["check-config"], &lab.path().join("not there.toml"));
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--config"));
}

#[test]
fn wrong_arguments_end_with_64_and_the_help_lists_every_code() {
    let lab = Lab::new();
    assert_eq!(tetherd(&["--wrong"], &lab.config("")).status.code(), Some(64));
    let output = tetherd(&["--help"], &lab.config(""));
    let help = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    for code in ["65", "70", "73", "74", "75", "76", "77", "78"] {
        assert!(help.contains(&format!("   {code}  ")), "{code}: {help}");
    }
}

#[test]
fn a_state_directory_that_cannot_be_one_ends_with_73() {
    let lab = Lab::new();
    let state = lab.path().join("state");
    fs::write(&state, "something else").unwrap();
    let (code, log, mut daemon) = refusal(&lab, "");
    assert_eq!(code, 73, "{log}");
    assert!(log.contains("is not a directory"), "{log}");
    assert!(daemon.remedy().contains("move "), "{log}");
    assert_eq!(fs::read(&state).unwrap(), b"something else");

    // Below a file no folder can be made, by nobody.
    let config = lab.config("");
    let text = fs::read_to_string(&config).unwrap();
    let below = state.join("deeper");
    let text = text.replace(&format!("dir = {state:?}"), &format!("dir = {below:?}"));
    fs::write(&config, text).unwrap();
    let mut daemon = Daemon::spawn(&config, &lab.socket());
    assert_eq!(daemon.ready_or_ended(), Some(73), "{}", daemon.log());
    assert!(daemon.log().contains("cannot create"), "{}", daemon.log());
}

#[test]
fn a_state_directory_open_to_others_ends_with_77_and_the_remedy_works_as_printed() {
    let lab = Lab::new();
    let state = lab.path().join("state");
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
    let (code, log, mut daemon) = refusal(&lab, "");
    assert_eq!(code, 77, "{log}");
    assert_eq!(fs::read_dir(&state).unwrap().count(), 0, "nothing is made in it");
    assert!(Command::new("sh").arg("-c").arg(daemon.remedy()).status().unwrap().success());
    lab.daemon("");
}

#[test]
fn a_store_of_a_newer_program_ends_with_76() {
    let lab = Lab::new();
    assert!(lab.daemon("").stop().success());
    let format = lab.path().join("state/store/format");
    fs::write(&format, "99\n").unwrap();
    let (code, log, mut daemon) = refusal(&lab, "");
    assert_eq!(code, 76, "{log}");
    assert!(daemon.remedy().contains("newer program"), "{log}");
    fs::write(&format, "1\n").unwrap();
    lab.daemon("");
}

#[test]
fn a_socket_that_cannot_be_made_ends_with_73_and_says_what_to_do() {
    let lab = Lab::new();
    fs::write(lab.socket(), "not a socket").unwrap();
    let (code, log, _) = refusal(&lab, "");
    assert_eq!(code, 73, "{log}");
    assert!(log.contains("move it away"), "{log}");
    assert_eq!(fs::read(lab.socket()).unwrap(), b"not a socket");

    fs::remove_file(lab.socket()).unwrap();
    let _somebody = std::os::unix::net::UnixListener::bind(lab.socket()).unwrap();
    let (code, log, _) = refusal(&lab, "");
    assert_eq!(code, 73, "{log}");
    assert!(log.contains("another process listens"), "{log}");
}

#[test]
fn a_group_that_does_not_exist_ends_with_78() {
    let lab = Lab::new();
    let config = lab.config("");
    let text = fs::read_to_string(&config).unwrap();
    let text = text.replace("[socket]\n", "[socket]\ngroup_read = \"no-such-group-here\"\n");
    fs::write(&config, text).unwrap();
    let mut daemon = Daemon::spawn(&config, &lab.socket());
    assert_eq!(daemon.ready_or_ended(), Some(78), "{}", daemon.log());
    assert!(daemon.remedy().contains("create the group"), "{}", daemon.log());
}

#[test]
fn sigterm_and_sigint_end_an_idle_daemon_at_once_with_0() {
    let lab = Lab::new();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut daemon = lab.daemon("");
        let told = Instant::now();
        daemon.signal(signal);
        assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.log());
        assert!(told.elapsed() < AT_ONCE, "{signal}: {:?}", told.elapsed());
        assert!(!daemon.log().contains("cut off"), "{}", daemon.log());
    }
    // The same with a session that is connected, and one that cannot connect.
    let mut daemon = lab.paired();
    let told = Instant::now();
    assert_eq!(daemon.stop().code(), Some(0));
    assert!(told.elapsed() < AT_ONCE, "{:?}", told.elapsed());
    lab.sim.call("server.fail_login", json!({ "reason": 503, "times": 100 }));
    let mut daemon = lab.daemon("");
    daemon.wait_log("connection ended");
    let told = Instant::now();
    assert_eq!(daemon.stop().code(), Some(0));
    assert!(told.elapsed() < AT_ONCE, "{:?}", told.elapsed());
}

#[test]
fn a_second_sigterm_cuts_off_what_is_in_flight_and_it_goes_out_under_its_id() {
    let lab = Lab::new();
    lab.people(&["+15550111"]);
    let config = lab.config("[pacing]\nwindow = \"3s\"\n");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("ack_timeout = \"2s\"", "ack_timeout = \"1h\"")).unwrap();
    let mut daemon = Daemon::start(&config, &lab.socket());
    lab.pair(&daemon);
    let mut events = daemon.events();
    lab.sim.call("server.set", json!({ "ack_drop": true, "receipts": "none" }));
    lab.sim.call("phone.set", json!({ "online": false }));
    let id = daemon.send("+15550111", "in flight");
    events.wait("the attempt", |event| message_is(event, &id, "sending"));
    daemon.signal(Signal::SIGTERM);
    daemon.wait_log("stopping");
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.log());
    assert!(daemon.log().contains("a second signal"), "{}", daemon.log());

    lab.sim.call("server.set", json!({ "ack_drop": false, "receipts": "all" }));
    lab.sim.call("phone.set", json!({ "online": true }));
    let daemon = lab.daemon("[pacing]\nwindow = \"3s\"\n");
    daemon.events().wait_until_left(&daemon, std::slice::from_ref(&id));
    assert_eq!(lab.sim.texts("+15550111"), ["in flight"]);
    assert_eq!(lab.sim.inbox("+15550111")[0]["id"], daemon.message(&id)["wa_id"]);
}

#[test]
fn sighup_takes_over_what_it_can_and_names_what_needs_a_restart() {
    let lab = Lab::new();
    let mut daemon = lab.daemon("");
    let config = lab.config(
        "[pacing]\nmessages = 3\nwindow = \"90s\"\n[queue]\ncapacity = 2\n[log]\nlevel = \"warn\"\n",
    );
    let text = fs::read_to_string(&config).unwrap();
    let text = text.replace("[session]\n", "[session]\ndevice_name = \"another\"\n");
    fs::write(&config, &text).unwrap();
    daemon.signal(Signal::SIGHUP);
    let line = daemon.wait_log("takes a restart: ");
    assert!(line.ends_with("takes a restart: session.device_name"), "{line}");
    assert!(!daemon.log().contains("reloaded:"), "the level holds at once: {}", daemon.log());

    fs::write(&config, text.replace("level = \"warn\"", "level = \"debug\"")).unwrap();
    daemon.signal(Signal::SIGHUP);
    daemon.wait_log("reloaded: log.level");
    // By module, too: the socket's answers are told at debug.
    daemon.status();
    daemon.wait_log("a request was answered method=\"status\"");
    let quiet = text.replace("level = \"warn\"", "level = \"debug\"")
        + "[log.modules]\n\"daemon::connection\" = \"warn\"\n";
    fs::write(&config, quiet).unwrap();
    daemon.signal(Signal::SIGHUP);
    daemon.wait_log("reloaded: log.modules");
    let status = daemon.status();
    assert!(!daemon.log_within("a request was answered", Duration::from_millis(300)));
    assert_eq!(status["pacing"]["limit"], 3, "{status}");
    assert_eq!(status["pacing"]["window_ms"], 90_000);
    assert_eq!(status["queue"]["capacity"], 2);
    daemon.send("+15550111", "one");
    daemon.send("+15550111", "two");
    let full = daemon.call("message.send", json!({ "to": "+15550111", "text": "three" }));
    assert_eq!(full.unwrap_err()["data"]["kind"], "queue_full");

    fs::write(&config, text.replace("capacity = 2", "capacity = \"many\"")).unwrap();
    daemon.signal(Signal::SIGHUP);
    let line = daemon.wait_log("is not reloaded");
    assert!(line.contains("tetherd.toml:") && line.contains("capacity"), "{line}");
    fs::remove_file(&config).unwrap();
    daemon.signal(Signal::SIGHUP);
    daemon.wait_log("cannot be read");
    assert_eq!(daemon.status()["queue"]["capacity"], 2, "the old one stays in force");
    assert_eq!(daemon.stop().code(), Some(0));
}

#[test]
fn a_smaller_capacity_drops_nothing() {
    let lab = Lab::new();
    let mut daemon = lab.daemon("[queue]\ncapacity = 4\n");
    for n in 0..4 {
        daemon.send("+15550111", &format!("text {n}"));
    }
    lab.config("[queue]\ncapacity = 1\n");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_log("reloaded: queue.capacity");
    let status = daemon.status();
    assert_eq!((&status["queue"]["queued"], &status["queue"]["free"]), (&json!(4), &json!(0)));
    daemon.kill9();
    let daemon = lab.daemon("[queue]\ncapacity = 1\n");
    assert_eq!(daemon.status()["queue"]["queued"], 4);
}

#[test]
fn the_session_is_told_of_a_stop_while_it_pairs() {
    let lab = Lab::new();
    let mut daemon = lab.daemon("");
    let mut events = daemon.events();
    daemon.call("session.pair", json!({})).unwrap();
    events.wait("the pairing", |event| session_is(event, "pairing"));
    let told = Instant::now();
    assert_eq!(daemon.stop().code(), Some(0), "{}", daemon.log());
    assert!(told.elapsed() < AT_ONCE, "{:?}", told.elapsed());
}
