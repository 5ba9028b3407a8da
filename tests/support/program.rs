//! Programs that a test starts and listens to.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, sync_channel};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::DEADLINE;

/// Lines of a program's output that a test may leave unread.
const LINES_MAX: usize = 100_000;

/// A program that ends with its test, whatever becomes of the test.
pub(crate) struct Program(Child);

impl Program {
    pub(crate) fn start(command: &mut Command) -> (Program, Receiver<String>) {
        let mut child = command.spawn().unwrap();
        let lines = lines_of(child.stdout.take().unwrap());
        (Program(child), lines)
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&self) {
        kill(Pid::from_raw(self.0.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    }

    #[track_caller]
    pub(crate) fn ends_with_0(&mut self) {
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
pub(crate) fn next_line(lines: &Receiver<String>, mut fits: impl FnMut(&str) -> bool) -> String {
    let mut seen = Vec::new();
    while let Ok(line) = lines.recv_timeout(DEADLINE) {
        if fits(&line) {
            return line;
        }
        seen.push(line);
    }
    panic!("the line did not come; before it:\n{}", seen.join("\n"));
}
