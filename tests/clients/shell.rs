//! The shell functions, in each shell and over each way to the socket that there is, with
//! texts that break what is not careful.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::json;

use super::{CONFIG, FRIEND, command, found, is_there, ok, paired, tree};
use crate::support::{Lab, Program, next_line};

/// Lines that are sent as they are, each with a second line that names the run.
const HOSTILE: &str = "\"quoted\" \\ back\\\\slash \\n \\u0041 'single'\n\
    $(touch pwned) `touch pwned` ${HOME} $HOME %s %d !! * ? [a-z] ; & | < >\n\
    -n -e --help\n\
    emoji \u{1f600}\u{1f469}\u{200d}\u{1f467} \u{fc}mlaut \u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{6f22} \u{ffff}\u{10ffff}\n\
    {\"to\":\"+15550188\"}, \"key\":\"x\"\n\
    tab\there, bell\u{7}, escape\u{1b}[31m, delete\u{7f}, return\r end\n";

/// What the functions, and the test's script, call besides the way to the socket.
const TOOLS: [&str; 9] = ["awk", "cat", "date", "grep", "id", "od", "sed", "sleep", "tr"];

/// A path with these tools alone; each notes the arguments that it is called with.
fn noting(lab: &Lab, way: &str) -> PathBuf {
    let folder = lab.path().join("bin");
    fs::create_dir_all(&folder).unwrap();
    for tool in TOOLS.iter().chain([&way]) {
        let tool_path = found(tool).unwrap_or_else(|| panic!("there is no {tool}"));
        // What is found may be a script that looks for the real one.
        let tool_path = if *tool == "python3" {
            let show = ["-c", "import sys; print(sys.executable)"];
            ok(Command::new(tool).args(show).output().unwrap()).trim().into()
        } else {
            tool_path
        };
        let script = format!(
            "#!/bin/sh\nprintf '%s\\n' \"$*\" >>'{}'\nexec '{}' \"$@\"\n",
            lab.path().join("arguments").display(),
            tool_path.display(),
        );
        let file = folder.join(tool);
        fs::write(&file, script).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

/// Runs the test's script in these shells, with this way to the socket.
fn run(way: &str, shells: &[&str]) {
    let lab = Lab::new();
    let daemon = paired(&lab, &format!("{CONFIG}[queue]\ncapacity = 10\n"));
    symlink(tree("contrib/clients"), lab.path().join("clients")).unwrap();
    symlink(lab.socket(), lab.path().join("it's, a:!\"\\ (link)")).unwrap();
    drop(UnixListener::bind(lab.path().join("stale.sock")).unwrap());
    fs::write(lab.path().join("texts"), HOSTILE).unwrap();
    let path = noting(&lab, way);
    for shell in shells {
        let Some(program) = found(shell) else {
            eprintln!("skipped: there is no {shell}");
            continue;
        };
        let run = format!("{way} {shell}");
        let mut sh = command(&lab, program.to_str().unwrap());
        sh.env("PATH", &path).arg(tree("tests/clients/hostile.sh")).arg(lab.path()).arg(&run);
        let said = ok(sh.output().unwrap());
        assert_eq!(said, "done\n", "{run}");
        let texts = lab.sim.texts(FRIEND);
        for line in HOSTILE.lines() {
            let text = format!("{line}\n{run}");
            assert_eq!(texts.iter().filter(|other| **other == text).count(), 1, "{text:?}");
        }
    }
    assert!(!lab.path().join("pwned").exists());
    let arguments = fs::read_to_string(lab.path().join("arguments")).unwrap();
    for secret in ["15550111", "emoji", "-key-", "to nobody"] {
        assert!(!arguments.contains(secret), "{secret} was an argument");
    }
    assert_eq!(daemon.status()["queue"]["queued"], 0);
}

#[test]
fn the_shell_functions_send_any_text_unharmed_and_unseen_through_socat() {
    if is_there("socat") {
        run("socat", &["sh", "dash", "bash"]);
    }
}

#[test]
fn without_socat_they_go_through_nc() {
    let help = found("nc").map(|nc| command_output(&nc, "-h"));
    // Others of this name cannot speak to a Unix socket, or not end their side.
    match help {
        Some(help) if help.contains("-N") && help.contains("-U") => run("nc", &["sh"]),
        _ => eprintln!("skipped: there is no nc of OpenBSD's"),
    }
}

fn command_output(program: &std::path::Path, argument: &str) -> String {
    let Output { stdout, stderr, .. } = Command::new(program).arg(argument).output().unwrap();
    String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned()
}

#[test]
fn without_either_they_go_through_python() {
    if is_there("python3") {
        run("python3", &["sh"]);
    }
}

#[test]
fn without_any_of_them_they_say_what_is_needed() {
    let lab = Lab::new();
    let _daemon = lab.daemon("");
    let path = noting(&lab, "cat");
    let mut sh = command(&lab, found("sh").unwrap().to_str().unwrap());
    let script = ". \"$0\"; tetherd_status";
    let output = sh.env("PATH", path).args(["-c", script]).arg(tree("contrib/clients/tetherd.sh"));
    let output = output.output().unwrap();
    assert_eq!(output.status.code(), Some(69));
    let problem = String::from_utf8(output.stderr).unwrap();
    assert_eq!(problem, "tetherd: one of socat, nc (with -U and -N) and python3 is needed\n");
}

#[test]
fn a_send_is_repeated_over_a_restart_and_leaves_once() {
    if !is_there("socat") {
        return;
    }
    let lab = Lab::new();
    let mut daemon = paired(&lab, CONFIG);
    assert!(daemon.stop().success());
    let mut sh = command(&lab, "sh");
    let script = ". \"$0\"; tetherd_status; echo waiting; \
        tetherd_send_until 60 +15550111 'at last' once && \
        tetherd_send_until 60 +15550111 'at last' once";
    sh.args(["-c", script]).arg(tree("contrib/clients/tetherd.sh"));
    let (mut sh, lines) = Program::start(&mut sh);
    next_line(&lines, |line| line == "waiting");
    let daemon = lab.daemon(CONFIG);
    let first = next_line(&lines, |line| line.starts_with('m'));
    let second = next_line(&lines, |line| line.starts_with('m'));
    assert_eq!(first, second);
    sh.ends_with_0();
    daemon.events().wait_until_left(&daemon, &[first]);
    lab.sim.call("server.wait", json!({ "messages": 1 }));
    assert_eq!(lab.sim.texts(FRIEND), ["at last"]);
}
