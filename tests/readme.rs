//! The README is run: every command in it as printed, every configuration through the
//! real reader. A block or a command that nothing here knows how to run is an error.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use clap::{CommandFactory, Parser};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tetherd::config::{Config, Environment};

use crate::support::{DEADLINE, Daemon, Lab, Rpc, message_is};

const README: &str = include_str!("../README.md");
/// The phone that the README pairs: the number in `pair --code`.
const PHONE: &str = "15550199";
/// Whom the README writes to.
const FRIEND: &str = "+15550100";
/// Nobody: not on the simulated network.
const NOBODY: &str = "+15550188";
/// The longest that the demonstration may take.
const DEMO_TIME_MAX: Duration = Duration::from_secs(60);
/// Lines of a program's output that a test may leave unread.
const LINES_MAX: usize = 100_000;

/// A fenced block: its language and its text.
struct Block {
    language: &'static str,
    text: String,
}

fn blocks() -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for line in README.lines() {
        match (line.trim_start().strip_prefix("```"), open) {
            (Some(language), false) => {
                blocks.push(Block { language, text: String::new() });
                open = true;
            }
            (Some(_), true) => open = false,
            (None, true) => {
                let text = &mut blocks.last_mut().unwrap().text;
                text.push_str(line);
                text.push('\n');
            }
            (None, false) => {}
        }
    }
    assert!(!open, "a block of the README does not end");
    blocks
}

/// The commands of the `sh` blocks, a block each, without their comments.
fn scripts() -> Vec<Vec<String>> {
    let shell = blocks().into_iter().filter(|block| block.language == "sh");
    let lines = |block: Block| {
        let bare = block.text.lines().map(|l| l.split(" #").next().unwrap().trim().to_owned());
        bare.filter(|line| !line.is_empty()).collect()
    };
    shell.map(lines).collect()
}

/// What runs a command of the README.
#[derive(Debug, PartialEq)]
enum Runner {
    /// `cargo`, which cannot be run inside `cargo test`: what it names is checked.
    Cargo,
    /// The daemon, in the foreground.
    Daemon,
    /// A shell with `tetherctl` in its path.
    Shell,
}

fn runner(line: &str) -> Runner {
    if line.starts_with("cargo ") {
        return Runner::Cargo;
    }
    if line == "tetherd" {
        return Runner::Daemon;
    }
    let programs = line.split(['|', ';']).map(|part| part.trim().split(' ').next().unwrap());
    for program in programs {
        assert!(["tetherctl", "echo"].contains(&program), "no test can run {line:?}");
    }
    Runner::Shell
}

#[test]
fn every_block_of_the_readme_is_run_by_a_test() {
    for block in blocks() {
        let known = ["sh", "toml", "python"].contains(&block.language);
        assert!(known, "no test can run a block of {:?}:\n{}", block.language, block.text);
    }
    let kinds: Vec<Vec<Runner>> =
        scripts().iter().map(|lines| lines.iter().map(|line| runner(line)).collect()).collect();
    // The tests below take whole blocks: what runs where must not change unnoticed.
    let all = |kind: &Vec<Runner>, what| kind.iter().all(|runner| *runner == what);
    assert!(all(&kinds[0], Runner::Cargo), "{kinds:?}");
    assert_eq!(kinds[1], [Runner::Cargo, Runner::Daemon]);
    assert!(all(&kinds[2], Runner::Shell) && all(&kinds[3], Runner::Shell), "{kinds:?}");
    assert_eq!(kinds.len(), 4, "{kinds:?}");
}

#[test]
fn every_command_within_a_sentence_is_one() {
    let mut commands = 0;
    let prose = README.split("```").step_by(2);
    for span in prose.flat_map(|text| text.split('`').skip(1).step_by(2)) {
        let words = span.split_whitespace();
        if span.starts_with("tetherctl ") {
            let parsed = tetherd::ctl::cli::Args::try_parse_from(words);
            let help = |e: &clap::Error| e.kind() == clap::error::ErrorKind::DisplayHelp;
            assert!(parsed.as_ref().err().is_none_or(help), "{span}: {}", parsed.unwrap_err());
            commands += 1;
        } else if span.starts_with("tetherd ") {
            tetherd::config::args::Args::try_parse_from(words).unwrap();
            commands += 1;
        }
    }
    assert!(commands >= 10, "{commands}");
}

#[test]
fn every_subcommand_is_in_the_readme() {
    for command in tetherd::ctl::cli::Args::command().get_subcommands() {
        let call = format!("tetherctl {}", command.get_name());
        assert!(README.contains(&call), "{call}");
    }
}

/// The arguments that `cargo` hands to the program behind an alias.
fn alias(name: &str) -> Vec<String> {
    let config: toml::Table = include_str!("../.cargo/config.toml").parse().unwrap();
    let line = config["alias"][name].as_str().unwrap();
    let (cargo, program) = line.split_once(" -- ").unwrap();
    assert_eq!(cargo, "run --quiet --features sim --bin tetherd");
    program.split(' ').map(str::to_owned).collect()
}

#[test]
fn every_cargo_command_of_the_readme_names_what_is_there() {
    let manifest: toml::Table = include_str!("../Cargo.toml").parse().unwrap();
    let features = manifest["features"].as_table().unwrap();
    for line in scripts().iter().flatten().filter(|line| runner(line) == Runner::Cargo) {
        let words: Vec<&str> = line.split(' ').skip(1).collect();
        match words.as_slice() {
            // Run by the tests on the demonstration.
            ["demo"] | ["demo", "--once"] => assert_eq!(alias("demo"), ["demo"]),
            // This very test.
            ["test", "--features", "sim"] => assert!(features.contains_key("sim")),
            ["install", "--path", ".", "--locked"] => {
                assert_eq!(features["default"].as_array().unwrap().len(), 0);
                for program in ["tetherd", "tetherctl"] {
                    let source = format!("{}/src/bin/{program}.rs", env!("CARGO_MANIFEST_DIR"));
                    assert!(Path::new(&source).exists(), "{source}");
                }
                assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock").exists());
            }
            _ => panic!("no test can run {line:?}"),
        }
    }
}

#[test]
fn every_configuration_in_the_readme_is_accepted() {
    let configurations: Vec<Block> =
        blocks().into_iter().filter(|block| block.language == "toml").collect();
    assert!(!configurations.is_empty());
    for block in configurations {
        let loaded = Config::from_text(&block.text, None, &Environment::system());
        assert!(loaded.is_ok(), "{}: {}", block.text, loaded.unwrap_err());
    }
}

/// A new user's machine: the programs in the path, the configuration and the socket
/// named by the environment, and a simulated network.
struct Machine {
    lab: Lab,
    config: PathBuf,
}

impl Machine {
    fn new() -> Machine {
        let lab = Lab::new();
        lab.people(&[FRIEND]);
        let config = lab.config("[pacing]\nwindow = \"1s\"\n");
        Machine { lab, config }
    }

    /// As the README starts it: without arguments.
    fn daemon(&self) -> Daemon {
        Daemon::start_bare(&self.config, &self.lab.socket())
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let programs = Path::new(env!("CARGO_BIN_EXE_tetherctl")).parent().unwrap();
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new(program);
        command
            .args(args)
            .env("PATH", format!("{}:{path}", programs.display()))
            .env("TETHERD_SOCKET", self.lab.socket())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs one line of the README to its end, and answers what it printed.
    #[track_caller]
    fn run(&self, line: &str) -> String {
        let output = self.command("sh", &["-e", "-c", line]).output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{line}: {}\n{out}\n{err}", output.status);
        assert_eq!(err, "", "{line}");
        out
    }

    /// Runs the README's pairing; the phone scans what it prints.
    fn pair(&self, line: &str) {
        let mut sh = self.command("sh", &["-c", &format!("exec {line}")]);
        let (mut pair, lines) = Program::start(&mut sh);
        let qr = next_line(&lines, |line| line.starts_with("2@"));
        self.lab.sim.call("phone.scan", json!({ "qr": qr, "account": PHONE }));
        next_line(&lines, |line| line == format!("paired with +{PHONE}"));
        pair.ends_with_0();
    }
}

/// A program that ends with its test, whatever becomes of the test.
struct Program(Child);

impl Program {
    fn start(command: &mut Command) -> (Program, Receiver<String>) {
        let mut child = command.spawn().unwrap();
        let lines = lines_of(child.stdout.take().unwrap());
        (Program(child), lines)
    }

    /// Ctrl-C.
    fn interrupt(&self) {
        kill(Pid::from_raw(self.0.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    }

    #[track_caller]
    fn ends_with_0(&mut self) {
        let status = self.0.wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a program prints, line by line.
fn lines_of(out: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = sync_channel(LINES_MAX);
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            let _ = sender.try_send(line);
        }
    });
    lines
}

/// Reads on until a line fits.
#[track_caller]
fn next_line(lines: &Receiver<String>, fits: impl Fn(&str) -> bool) -> String {
    let mut seen = Vec::new();
    while let Ok(line) = lines.recv_timeout(DEADLINE) {
        if fits(&line) {
            return line;
        }
        seen.push(line);
    }
    panic!("the line did not come; before it:\n{}", seen.join("\n"));
}

#[test]
fn the_first_use_with_a_phone_goes_as_printed() {
    let machine = Machine::new();
    let mut daemon = machine.daemon();
    let scripts = scripts();
    let [pair, rest @ ..] = scripts[2].as_slice() else { panic!("nothing to run") };
    machine.pair(pair);
    let told: Vec<String> = rest.iter().map(|line| machine.run(line)).collect();
    assert!(told[0].contains(&format!("+{PHONE}")), "{}", told[0]);
    let state = told[1].lines().last().unwrap();
    assert!(["m1 delivered", "m1 read"].contains(&state), "{}", told[1]);
    assert_eq!(machine.lab.sim.texts(FRIEND), ["hello"]);
    assert!(daemon.stop().success());
}

/// Spends the ids up to the README's `m42` and `m43`, which are then parked.
fn park_42_and_43(machine: &Machine, daemon: &Daemon) {
    daemon.call("queue.pause", json!({})).unwrap();
    let spent: Vec<String> = (1..=41).map(|_| daemon.send(FRIEND, "withdrawn")).collect();
    daemon.call("queue.cancel", json!({ "ids": spent })).unwrap();
    let parked = [daemon.send(NOBODY, "one"), daemon.send(NOBODY, "two")];
    assert_eq!(parked, ["m42", "m43"]);
    let mut events = daemon.events();
    machine.run("tetherctl resume");
    for id in &parked {
        events.wait("the message to be parked", |event| message_is(event, id, "parked"));
    }
}

#[test]
fn the_daily_use_goes_as_printed() {
    let machine = Machine::new();
    let daemon = machine.daemon();
    machine.pair("tetherctl pair");
    park_42_and_43(&machine, &daemon);
    for line in &scripts()[3] {
        if line == "tetherctl events" {
            let (_events, lines) = Program::start(&mut machine.command("tetherctl", &["events"]));
            next_line(&lines, |line| line.contains("snapshot complete"));
        } else {
            let told = machine.run(line);
            assert!(!told.is_empty(), "{line} says nothing");
        }
    }
    assert_eq!(daemon.message("m43")["state"], "cancelled");
    let ids: Vec<String> = (44..=46).map(|n| format!("m{n}")).collect();
    daemon.events().wait_until_left(&daemon, &ids);
    assert_eq!(machine.lab.sim.texts(FRIEND), ["hello", "from a pipe", "invoice 7"]);
}

#[test]
fn a_program_without_tetherctl_sends_as_printed() {
    let machine = Machine::new();
    let daemon = machine.daemon();
    machine.pair("tetherctl pair");
    let programs: Vec<Block> =
        blocks().into_iter().filter(|block| block.language == "python").collect();
    assert!(!programs.is_empty());
    for block in programs {
        let output = match machine.command("python3", &["-c", &block.text]).output() {
            Ok(output) => output,
            // `.ci/run` brings python3 along and allows no exception.
            Err(error) if std::env::var_os("CI").is_none() => {
                eprintln!("skipped: the README's Python program needs python3 ({error})");
                return;
            }
            Err(error) => panic!("python3 is needed: {error}"),
        };
        let said = String::from_utf8(output.stdout).unwrap();
        let problem = String::from_utf8_lossy(&output.stderr);
        let answer: Value =
            serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}{problem}"));
        let id = answer["result"]["message"]["id"].as_str().unwrap().to_owned();
        daemon.events().wait_until_left(&daemon, &[id]);
    }
    assert_eq!(machine.lab.sim.texts(FRIEND), ["hello"]);
}

#[test]
fn completions_load_in_bash_and_offer_the_states() {
    let machine = Machine::new();
    let script = r#"
        source <(tetherctl completions bash)
        COMP_WORDS=(tetherctl queue --state "") COMP_CWORD=3
        _tetherctl tetherctl "" --state
        echo "${COMPREPLY[@]}"
    "#;
    let output = machine.command("bash", &["-eu", "-c", script]).output().unwrap();
    let problem = String::from_utf8(output.stderr).unwrap();
    assert_eq!(problem, "");
    let offered = String::from_utf8(output.stdout).unwrap();
    assert!(offered.contains("parked") && offered.contains(" all"), "{offered}");
}

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
