//! A new user's machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::{Daemon, Lab};
pub(super) use crate::support::{Program, next_line};

/// The phone that the README pairs: the number in `pair --code`.
pub(super) const PHONE: &str = "15550199";
/// Whom the README writes to.
pub(super) const FRIEND: &str = "+15550100";
/// The file that the README sends.
const REPORT: &[u8] = b"%PDF-1.4\n1 0 obj << >> endobj\ntrailer << >>\n%%EOF\n";

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
