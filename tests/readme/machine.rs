//! A new user's machine, and programs that run on it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::support::{DEADLINE, Daemon, Lab};

/// The phone that the README pairs: the number in `pair --code`.
pub(super) const PHONE: &str = "15550199";
/// Whom the README writes to.
pub(super) const FRIEND: &str = "+15550100";
/// The file that the README sends.
const REPORT: &[u8] = b"%PDF-1.4\n1 0 obj << >> endobj\ntrailer << >>\n%%EOF\n";
/// Lines of a program's output that a test may leave unread.
const LINES_MAX: usize = 100_000;

/// A new user's machine: the programs in the path, the configuration and the socket
/// named by the environment, and a simulated network.
pub(super) struct Machine {
    pub(super) lab: Lab,
    config: PathBuf,
}

impl Machine {
    pub(super) fn new() -> Machine {
        let lab = Lab::new();
        lab.people(&[FRIEND]);
        let config = lab.config("[pacing]\nwindow = \"1s\"\n[fetch]\nretry_pause = \"100ms\"\n");
        // What the commands name is where they are typed.
        std::fs::write(lab.path().join("report.pdf"), REPORT).unwrap();
        std::fs::write(lab.path().join("numbers.txt"), format!("# friends\n{FRIEND}\n")).unwrap();
        Machine { lab, config }
    }

    /// As the README starts it: without arguments.
    pub(super) fn daemon(&self) -> Daemon {
        Daemon::start_bare(&self.config, &self.lab.socket())
    }

    pub(super) fn command(&self, program: &str, args: &[&str]) -> Command {
        let programs = Path::new(env!("CARGO_BIN_EXE_tetherctl")).parent().unwrap();
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.lab.path())
            .env("PATH", format!("{}:{path}", programs.display()))
            .env("TETHERD_SOCKET", self.lab.socket())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs one line of the README to its end, and answers what it printed.
    #[track_caller]
    pub(super) fn run(&self, line: &str) -> String {
        let output = self.command("sh", &["-e", "-c", line]).output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{line}: {}\n{out}\n{err}", output.status);
        assert_eq!(err, "", "{line}");
        out
    }

    /// Runs the README's pairing; the phone scans what it prints.
    pub(super) fn pair(&self, line: &str) {
        let mut sh = self.command("sh", &["-c", &format!("exec {line}")]);
        let (mut pair, lines) = Program::start(&mut sh);
        let qr = next_line(&lines, |line| line.starts_with("2@"));
        self.lab.sim.call("phone.scan", json!({ "qr": qr, "account": PHONE }));
        next_line(&lines, |line| line == format!("paired with +{PHONE}"));
        pair.ends_with_0();
    }
}

/// A program that ends with its test, whatever becomes of the test.
pub(super) struct Program(Child);

impl Program {
    pub(super) fn start(command: &mut Command) -> (Program, Receiver<String>) {
        let mut child = command.spawn().unwrap();
        let lines = lines_of(child.stdout.take().unwrap());
        (Program(child), lines)
    }

    /// Ctrl-C.
    pub(super) fn interrupt(&self) {
        kill(Pid::from_raw(self.0.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    }

    #[track_caller]
    pub(super) fn ends_with_0(&mut self) {
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
pub(super) fn next_line(lines: &Receiver<String>, fits: impl Fn(&str) -> bool) -> String {
    let mut seen = Vec::new();
    while let Ok(line) = lines.recv_timeout(DEADLINE) {
        if fits(&line) {
            return line;
        }
        seen.push(line);
    }
    panic!("the line did not come; before it:\n{}", seen.join("\n"));
}
