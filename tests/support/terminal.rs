//! `tetherctl top` on a terminal of its own, and what a person would see there.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{Termios, tcgetattr};
use nix::unistd::Pid;

use super::DEADLINE;

/// Pieces of output that a test may leave unread.
const PIECES_MAX: usize = 100_000;

pub(crate) struct Terminal {
    program: Child,
    /// The keyboard.
    keys: File,
    /// Kept open, so that the terminal is there after the program too.
    line: OwnedFd,
    before: Termios,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
}

impl Terminal {
    /// `tetherctl top` in a window of this size.
    pub(crate) fn top(socket: &Path, columns: u16, rows: u16) -> Terminal {
        Terminal::with(socket, columns, rows, &[])
    }

    /// The same, in this environment.
    pub(crate) fn with(
        socket: &Path,
        columns: u16,
        rows: u16,
        environment: &[(&str, &str)],
    ) -> Terminal {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).unwrap();
        let before = tcgetattr(&pty.slave).unwrap();
        let end = || Stdio::from(pty.slave.try_clone().unwrap());
        // Its controlling terminal: a hangup reaches it as from a lost ssh connection.
        let program = Command::new("setsid")
            .args(["--ctty", env!("CARGO_BIN_EXE_tetherctl"), "--socket"])
            .arg(socket)
            .arg("top")
            .env("TERM", "xterm-256color")
            .envs(environment.iter().copied())
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let keys = File::from(pty.master);
        let output = pieces_of(keys.try_clone().unwrap());
        let screen = vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0);
        Terminal { program, keys, line: pty.slave, before, output, screen }
    }

    /// What is on the screen.
    pub(crate) fn contents(&self) -> String {
        self.screen.screen().contents()
    }

    /// Waits until this is on the screen.
    #[track_caller]
    pub(crate) fn wait(&mut self, part: &str) {
        self.wait_for(part, |contents| contents.contains(part));
    }

    /// Waits until the screen is so.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, what: &str, fits: impl Fn(&str) -> bool) {
        let started = Instant::now();
        while !fits(&self.contents()) {
            let left = DEADLINE.saturating_sub(started.elapsed());
            let Ok(piece) = self.output.recv_timeout(left) else {
                panic!("not on the screen: {what}\n{}", self.contents());
            };
            self.screen.process(&piece);
        }
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.program.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits for the program's end. The terminal must be as it was, on its first screen.
    #[track_caller]
    pub(crate) fn ends_and_gives_the_terminal_back(&mut self) -> ExitStatus {
        let status = self.program.wait().unwrap();
        assert_eq!(tcgetattr(&self.line).unwrap(), self.before, "the settings are others");
        // All that it wrote is there before this, which comes back as an echo.
        self.press("the shell's\r");
        self.wait("the shell's");
        assert!(!self.screen.screen().alternate_screen(), "{}", self.contents());
        assert!(!self.screen.screen().hide_cursor(), "the cursor is hidden");
        status
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn pieces_of(mut out: File) -> Receiver<Vec<u8>> {
    let (sender, pieces) = sync_channel(PIECES_MAX);
    std::thread::spawn(move || {
        let mut piece = [0; 8_192];
        while let Ok(bytes @ 1..) = out.read(&mut piece) {
            let _ = sender.try_send(piece[..bytes].to_vec());
        }
    });
    pieces
}
