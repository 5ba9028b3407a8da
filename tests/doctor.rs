//! `tetherctl doctor`, on machines that are well and on machines that are not.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Daemon, Lab};

/// Root's opposite.
const NOBODY: u32 = 65_534;

/// What the doctor said, and how it ended.
struct Told {
    findings: Vec<Value>,
    code: i32,
}

impl Told {
    #[track_caller]
    fn finding(&self, id: &str) -> &Value {
        let found = self.findings.iter().find(|finding| finding["id"] == id);
        found.unwrap_or_else(|| panic!("no {id}: {:#?}", self.findings))
    }

    #[track_caller]
    fn has(&self, id: &str, severity: &str) -> &Value {
        let finding = self.finding(id);
        assert_eq!(finding["severity"], severity, "{finding}");
        finding
    }

    fn ids(&self, severity: &str) -> Vec<&str> {
        let these = self.findings.iter().filter(|finding| finding["severity"] == severity);
        these.map(|finding| finding["id"].as_str().unwrap()).collect()
    }
}

fn doctor(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tetherctl"));
    command.args(["--json", "doctor"]).args(args);
    command.env_remove("TETHERD_SOCKET").env_remove("TETHERD_CONFIG").stdin(Stdio::null());
    command
}

#[track_caller]
fn run(command: &mut Command) -> Told {
    let output = command.output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(err, "", "everything is told in findings");
    let findings = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    Told { findings, code: output.status.code().unwrap() }
}

#[track_caller]
fn of(config: &Path, more: &[&str]) -> Told {
    run(doctor(&["--config", config.to_str().unwrap()]).args(more))
}

/// What this machine brings along, whatever is tested.
fn machine_s(id: &&str) -> bool {
    ["state_in_memory", "state_on_overlay", "disk_nearly_full"].contains(id)
}

#[test]
fn a_paired_daemon_is_well_and_the_doctor_changes_nothing() {
    let lab = Lab::new();
    // At the usual pace, which has no warning.
    let daemon = lab.paired_with("");
    let before = daemon.call("status", json!({})).unwrap();
    let told = of(&lab.config(""), &[]);
    let warnings = told.ids("warning");
    let bad: Vec<&&str> = warnings.iter().filter(|id| !machine_s(id)).collect();
    assert!(bad.is_empty() && told.ids("failure").is_empty(), "{:#?}", told.findings);
    assert_eq!(told.code, i32::from(!warnings.is_empty()));
    for id in [
        "config_ok",
        "state_ok",
        "state_locked",
        "store_format",
        "socket_ok",
        "access_ok",
        "version_ok",
        "session_connected",
        "nothing_held",
        "network_ok",
    ] {
        told.has(id, "ok");
    }
    let holder = told.finding("state_locked")["what"].as_str().unwrap();
    assert!(holder.contains(&format!("Process {} ", daemon.pid())), "{holder}");
    let after = daemon.call("status", json!({})).unwrap();
    for part in ["queue", "pacing", "session", "store"] {
        assert_eq!(before[part], after[part]);
    }
}

#[test]
fn people_read_columns_and_a_summary_and_nothing_on_standard_error() {
    let lab = Lab::new();
    let _daemon = lab.daemon("");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tetherctl"));
    command.args(["doctor", "--offline", "--config"]).arg(lab.config(""));
    let output = command.env_remove("TETHERD_SOCKET").output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{out}");
    assert_eq!(output.stderr, b"");
    let line =
        "warning  messages       No phone is paired.\n                        -> tetherctl why\n";
    assert!(out.contains(line), "{out}");
    assert!(out.trim_end().lines().last().unwrap().contains(" ok"), "{out}");
}

#[test]
fn a_fresh_machine_has_no_daemon_and_is_told_how_to_get_one() {
    let lab = Lab::new();
    let told = of(&lab.config(""), &["--offline"]);
    assert_eq!(told.code, 69);
    let remedy = told.has("no_daemon", "failure")["remedy"].as_str().unwrap();
    assert!(remedy.contains("`tetherd`"), "{remedy}");
    told.has("state_missing", "note");
    told.has("network_not_checked", "note");
    assert!(!lab.path().join("state").exists(), "it makes nothing");
}

#[test]
fn a_killed_daemon_leaves_a_stale_socket_and_a_state_that_nobody_uses() {
    let lab = Lab::new();
    let mut daemon = lab.daemon("");
    daemon.kill9();
    let told = of(&lab.config(""), &["--offline"]);
    assert_eq!(told.code, 69);
    told.has("socket_stale", "failure");
    told.has("state_unused", "ok");
    // As said, it is started again.
    let _daemon = lab.daemon("");
    of(&lab.config(""), &["--offline"]).has("socket_ok", "ok");
}

#[test]
fn a_wrong_configuration_is_told_by_line_with_what_was_meant() {
    let lab = Lab::new();
    let config = lab.config("[pacing]\nmesages = 5\n[queue]\ncapacity = 0\n");
    let told = of(&config, &[]);
    assert_eq!(told.code, 78);
    let errors: Vec<&Value> =
        told.findings.iter().filter(|finding| finding["id"] == "config_error").collect();
    assert_eq!(errors.len(), 2, "{errors:#?}");
    let what = errors[0]["what"].as_str().unwrap();
    assert!(what.contains("tetherd.toml:") && what.contains("mesages"), "{what}");
    assert!(errors[0]["remedy"].as_str().unwrap().contains("messages"), "{}", errors[0]);
    let missing = of(&lab.path().join("none.toml"), &[]);
    assert_eq!(missing.code, 78);
    missing.has("config_error", "failure");
}

#[test]
fn a_group_that_is_not_there_and_an_open_state_directory_are_failures() {
    let lab = Lab::new();
    let mut daemon = lab.daemon("");
    assert!(daemon.stop().success());
    let state = lab.path().join("state");
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o755)).unwrap();
    let told = of(&lab.config(""), &["--offline"]);
    assert_eq!(told.code, 77, "the cause of no daemon comes before it");
    let remedy = told.has("state_open", "failure")["remedy"].as_str().unwrap();
    // As typed.
    assert!(Command::new("sh").args(["-c", remedy]).status().unwrap().success());
    let text = std::fs::read_to_string(lab.config("")).unwrap();
    let text = text.replace("[socket]\n", "[socket]\ngroup_send = \"no-such-group-here\"\n");
    let config = lab.path().join("groups.toml");
    std::fs::write(&config, text).unwrap();
    let told = of(&config, &["--offline"]);
    assert_eq!(told.code, 78);
    told.has("group_missing", "failure");
    told.has("state_ok", "ok");
}

#[test]
fn a_socket_alone_is_looked_at_without_a_guess_at_its_configuration() {
    let lab = Lab::new();
    let _daemon = lab.daemon("");
    let told = run(doctor(&["--socket", lab.socket().to_str().unwrap()]).env_remove("HOME"));
    assert_eq!(told.ids("failure"), [""; 0]);
    for id in ["config_unknown", "state_not_checked", "network_not_checked"] {
        told.has(id, "note");
    }
    told.has("socket_ok", "ok");
    told.has("not_paired", "warning");
}

#[test]
fn one_who_listens_and_says_nothing_is_no_daemon() {
    let lab = Lab::new();
    let listener = UnixListener::bind(lab.socket()).unwrap();
    let told = std::thread::scope(|scope| {
        scope.spawn(|| {
            // A knock, then a conversation that ends at once.
            drop(listener.accept());
            drop(listener.accept());
        });
        of(&lab.config(""), &["--offline"])
    });
    assert_eq!(told.code, 76);
    told.has("socket_foreign", "failure");
}

/// The endpoint's own words in the configuration, replaced.
fn with_session(lab: &Lab, key: &str, value: &str) -> PathBuf {
    let text = std::fs::read_to_string(lab.config("")).unwrap();
    let line = |line: &str| match line.split_once(" = ") {
        Some((name, _)) if name == key => format!("{key} = {value:?}\n"),
        Some(_) | None => format!("{line}\n"),
    };
    let config = lab.path().join("other.toml");
    std::fs::write(&config, text.lines().map(line).collect::<String>()).unwrap();
    config
}

#[test]
fn an_endpoint_that_refuses_one_with_a_strange_certificate_and_one_elsewhere_are_told_apart() {
    let lab = Lab::new();
    let _daemon = lab.daemon("");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("wss://{}/ws", closed.local_addr().unwrap());
    drop(closed);
    let told = of(&with_session(&lab, "endpoint", &endpoint), &[]);
    assert_eq!(told.code, 69);
    told.has("no_connection", "failure");

    let stranger = Lab::new();
    let told = of(&with_session(&lab, "ca_file", &stranger.sim.ca_file), &[]);
    assert_eq!(told.code, 69);
    told.has("certificate_unknown_issuer", "failure");

    let told = of(&with_session(&lab, "endpoint", "wss://server.example/ws"), &[]);
    assert_eq!(told.code, 78, "a build with the simulator goes nowhere else");
    told.has("endpoint_unusable", "failure");
}

#[test]
fn nobody_is_told_what_is_not_for_them_and_whom_to_ask() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("NOT RUN: only root can become somebody else");
        return;
    }
    let lab = Lab::new();
    let text = std::fs::read_to_string(lab.config("")).unwrap();
    // A group lets everybody connect, and nobody in it do anything.
    let text = text.replace("[socket]\n", "[socket]\ngroup_read = \"1\"\ngroup_send = \"2\"\n");
    let config = lab.path().join("tetherd.toml");
    std::fs::write(&config, text).unwrap();
    let open = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open(lab.path(), 0o711);
    open(&config, 0o644);
    let _daemon = Daemon::start(&config, &lab.socket());
    // The program may lie where only root can enter.
    let program = lab.path().join("tetherctl");
    std::fs::copy(env!("CARGO_BIN_EXE_tetherctl"), &program).unwrap();
    open(&program, 0o755);
    let mut command = Command::new(&program);
    command.args(["--json", "doctor", "--offline", "--config"]).arg(&config);
    // To change the user drops root's groups, too.
    command.env_clear().current_dir("/").uid(NOBODY).gid(NOBODY);
    let told = run(&mut command);
    assert_eq!(told.code, 77, "{:#?}", told.findings);
    assert_eq!(told.ids("failure"), ["access_denied"]);
    assert_eq!(told.ids("warning"), [""; 0]);
    told.has("state_not_checked", "note");
    told.has("socket_ok", "ok");
    open(&lab.socket(), 0o600);
    let told = run(&mut command);
    assert_eq!((told.code, told.ids("failure")), (77, vec!["socket_denied"]));
    open(&config, 0o600);
    let told = run(&mut command);
    told.has("config_unreadable", "failure");
}
