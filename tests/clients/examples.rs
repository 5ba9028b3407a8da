//! The examples: each is run as it stands, also by users in and out of the group that may.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::json;

use super::{CONFIG, FRIEND, OTHER, command, found, is_there, ok, paired, tree};
use crate::support::{Daemon, Lab, Program, next_line};

/// Nobody: not on the simulated network.
const NOBODY: &str = "+15550188";

fn example(lab: &Lab, name: &str) -> Command {
    command(lab, tree("contrib/clients/examples").join(name).to_str().unwrap())
}

/// Runs it with this on its standard input.
fn with_input(mut command: Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    // It may end without having read it.
    let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Its exit code, and what it said on both streams.
fn ended(output: Output) -> (i32, String) {
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

fn pause(daemon: &Daemon, paused: bool) {
    let method = if paused { "queue.pause" } else { "queue.resume" };
    daemon.call(method, json!({})).unwrap();
}

#[test]
fn an_alert_from_a_shell_script_is_sent_or_says_what_holds_it() {
    if !is_there("socat") {
        return;
    }
    let lab = Lab::new();
    let daemon = paired(&lab, CONFIG);
    let alert = |args: &[&str]| {
        let mut alert = example(&lab, "alert.sh");
        alert.args(args);
        ended(with_input(alert, "the disk\nis \"full\"\n"))
    };
    let check = || ended(example(&lab, "check.sh").output().unwrap());
    assert_eq!(alert(&[]).0, 64);
    assert_eq!(alert(&[FRIEND, "alert-1"]).0, 0);
    assert_eq!(alert(&[FRIEND, "alert-1"]).0, 0);
    assert_eq!(lab.sim.texts(FRIEND), ["the disk\nis \"full\""]);
    assert_eq!(check(), (0, "TETHERD OK: 0 waiting, 0 parked\n".to_owned()));

    let (code, said) = alert(&[NOBODY]);
    assert_eq!(code, 1);
    assert!(said.starts_with("m2 parked\n") && said.contains("not_on_network"), "{said}");
    let (code, said) = check();
    assert!(code == 1 && said.starts_with("TETHERD WARNING: 0 waiting, 1 parked\n"), "{said}");

    pause(&daemon, true);
    let (code, said) = alert(&[FRIEND, "alert-2", "1"]);
    assert!(code == 124 && said.starts_with("m3 queued\n") && said.contains("paused: "), "{said}");
    let (code, said) = check();
    let line = "TETHERD CRITICAL: 1 waiting, 1 parked, held by paused\n";
    assert!(code == 2 && said.starts_with(line), "{said}");
}

#[test]
fn the_python_examples_do_what_they_say() {
    if !is_there("python3") {
        return;
    }
    let lab = Lab::new();
    let mut daemon = paired(&lab, CONFIG);
    let parked = daemon.send(NOBODY, "one");
    daemon.events().wait("the message to be parked", |event| {
        event["event"] == "message" && event["message"]["state"] == "parked"
    });
    let (code, said) = ended(example(&lab, "parked.py").arg("--once").output().unwrap());
    let line = format!("{parked} to 15550188@s.whatsapp.net is parked: not_on_network\n");
    assert_eq!((code, said), (1, line));

    digest(&lab);

    // Two that run on over a restart of the daemon.
    let (watcher, parked) = Program::start(&mut example(&lab, "parked.py"));
    next_line(&parked, |line| line.starts_with("m1 "));
    let (responder, answered) = Program::start(example(&lab, "responder.py").arg("cursor"));
    // It begins with what comes from now on: it has to be there before.
    let started = std::time::Instant::now();
    while !lab.path().join("cursor").exists() {
        assert!(started.elapsed() < crate::support::DEADLINE);
        std::thread::yield_now();
    }
    lab.sim.call("recipient.reply", json!({ "number": FRIEND, "text": "Ping" }));
    next_line(&answered, |line| line == "1: answered");
    daemon.kill9();
    lab.sim.call("recipient.reply", json!({ "number": FRIEND, "text": "ping" }));
    let file = json!({ "kind": "image", "mime": "image/jpeg", "bytes": 2_000 });
    lab.sim.call("media.send", json!({ "number": OTHER, "file": file }));
    let daemon = lab.daemon(CONFIG);
    // Two chats: which of them comes first is not promised.
    let mut rest = Vec::new();
    next_line(&answered, |line| {
        rest.push(line.to_owned());
        rest.len() == 2
    });
    rest.sort_unstable_by_key(|line| line.ends_with(" bytes of image/jpeg"));
    let picture = if rest[0] == "2: answered" { "3" } else { "2" };
    let answer = if picture == "3" { "2" } else { "3" };
    let expected = [format!("{answer}: answered"), format!("{picture}: 2000 bytes of image/jpeg")];
    assert_eq!(rest, expected);
    assert_eq!(fs::read(lab.path().join(format!("{picture}.bin"))).unwrap().len(), 2_000);
    responder.interrupt();
    // Parked again: told again, and the first one is not.
    daemon.send("+15550189", "two");
    let line = next_line(&parked, |line| !line.is_empty());
    assert!(line.contains("15550189"), "{line}");
    watcher.interrupt();
    lab.sim.call("server.wait", json!({ "messages": 4 }));
    assert_eq!(lab.sim.texts(FRIEND), ["the digest", "pong", "pong"]);
}

/// The digest goes to each once a day, whatever is wrong with others.
fn digest(lab: &Lab) {
    let list = format!("{FRIEND} # a friend\n\n# nobody\nnonsense\n{OTHER}\n");
    fs::write(lab.path().join("numbers.txt"), list).unwrap();
    let digest = |text: &str| {
        let mut digest = example(lab, "digest.py");
        digest.args(["--name", "disk", "numbers.txt"]);
        ended(with_input(digest, text))
    };
    let (code, said) = digest("the digest\n");
    assert_eq!(code, 65);
    assert!(said.contains(&format!("{FRIEND}: m2\n{OTHER}: m3\n")), "{said}");
    assert!(said.contains("nonsense: a recipient is"), "{said}");
    let (_, said) = digest("the digest");
    assert!(said.contains(&format!("{OTHER}: m3 (was sent before)\n")), "{said}");
    let (_, said) = digest("another");
    assert!(said.contains("run `tetherctl show m3`"), "{said}");
    lab.sim.call("server.wait", json!({ "messages": 2 }));
}

/// Who is nobody else here, and a group that they are in or not.
const STRANGER: u32 = 40_001;
const GROUP: u32 = 40_002;

/// As this user, who is in this group alone.
fn user_runs(lab: &Lab, group: u32, program: &Path, args: &[&str]) -> (i32, String) {
    let mut command = Command::new(program);
    command.args(args).current_dir("/").env("TETHERD_SOCKET", lab.socket());
    command.env("PYTHONDONTWRITEBYTECODE", "1").uid(STRANGER).gid(group);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    ended(with_input(command, "from a user\n"))
}

fn copy_open_to_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_open_to_all(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), &to).unwrap();
            fs::set_permissions(&to, Permissions::from_mode(0o755)).unwrap();
        }
    }
    fs::set_permissions(to, Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_user_in_the_group_is_served_and_one_who_is_not_is_told_so_with_77() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root can be somebody else");
        return;
    }
    if !is_there("socat") {
        return;
    }
    // One group: the socket is closed to others. Two: each call is refused.
    let two = format!("group_send = \"{GROUP}\"\ngroup_read = \"40003\"\n");
    for groups in [format!("group_send = \"{GROUP}\"\n"), two] {
        let lab = Lab::new();
        lab.people(&[FRIEND]);
        fs::set_permissions(lab.path(), Permissions::from_mode(0o755)).unwrap();
        let clients = lab.path().join("clients");
        copy_open_to_all(&tree("contrib/clients"), &clients);
        let config = lab.config(CONFIG);
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, text.replace("[session]", &format!("{groups}[session]"))).unwrap();
        let daemon = Daemon::start(&config, &lab.socket());
        lab.pair(&daemon);
        let alert = clients.join("examples/alert.sh");
        let (code, said) = user_runs(&lab, GROUP, &alert, &[FRIEND]);
        assert_eq!(code, 0, "{said}");
        let refusals = ["no permission to open", "you have no access to this tetherd"];
        let (code, said) = user_runs(&lab, STRANGER, &alert, &[FRIEND]);
        assert_eq!(code, 77, "{said}");
        assert!(refusals.iter().any(|part| said.contains(part)), "{said}");
        // An interpreter that this user may run.
        let python = Path::new("/usr/bin/python3");
        if python.exists() {
            let parked = clients.join("examples/parked.py");
            let args = [parked.to_str().unwrap(), "--once"];
            assert_eq!(user_runs(&lab, GROUP, python, &args), (0, String::new()));
            let (code, said) = user_runs(&lab, STRANGER, python, &args);
            assert_eq!(code, 77, "{said}");
            assert!(refusals.iter().any(|part| said.contains(part)), "{said}");
        } else {
            eprintln!("skipped: there is no python3 that another user can run");
        }
        assert_eq!(lab.sim.texts(FRIEND), ["from a user"]);
        assert!(ok(daemon.ctl().args(&["status"]).run()).contains("connected"));
    }
}

#[test]
fn every_example_is_known_to_these_tests() {
    let known = ["alert.sh", "check.sh", "digest.py", "parked.py", "responder.py"];
    let folder = tree("contrib/clients/examples");
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| {
            let mode = entry.metadata().unwrap().permissions().mode();
            assert!(mode & 0o111 == 0o111, "{:?} cannot be run", entry.file_name());
            entry.file_name().into_string().unwrap()
        })
        .collect();
    names.sort();
    assert_eq!(names, known);
    assert!(found("sh").is_some());
}
