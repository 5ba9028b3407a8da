//! The terminal while the screen is on it: takes it over, and gives it back as it was, also after
//! a panic and before a signal ends the process. Draws nothing.

use std::io::{self, Stdout, Write as _, stdin, stdout};
use std::os::unix::net::UnixStream as StdStream;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crossterm::cursor::Show;
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen};
use nix::sys::signal::{Signal, raise};
use nix::sys::termios::{FlushArg, SetArg, Termios, cfmakeraw, tcflush, tcgetattr, tcsetattr};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::{emulate_default_handler, pipe};
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;

/// The terminal's settings before it was taken over. Here, so that a panic finds them.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// A terminal that is ours; it is given back when this is dropped.
pub(super) struct Screen {
    pub(super) terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    /// Takes the terminal of stdin and stdout over.
    pub(super) fn enter() -> io::Result<Screen> {
        let screen = Screen { terminal: Terminal::new(CrosstermBackend::new(stdout()))? };
        give_back_on_panic();
        take_over()?;
        Ok(screen)
    }

    /// Stops the process, as Ctrl-Z does where nothing takes the key, until it is continued.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        give_back();
        raise(Signal::SIGTSTP)?;
        self.again()
    }

    /// Takes over anew what somebody else may have used meanwhile.
    pub(super) fn again(&mut self) -> io::Result<()> {
        take_over()?;
        self.redraw()
    }

    /// Has everything drawn anew.
    pub(super) fn redraw(&mut self) -> io::Result<()> {
        // Its `clear` asks the terminal where the cursor is, and not every one answers.
        let size = self.terminal.size()?;
        self.terminal.resize(size.into())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn before() -> MutexGuard<'static, Option<Termios>> {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The keys come one by one and unseen; what is drawn goes to a screen of its own.
fn take_over() -> io::Result<()> {
    let found = tcgetattr(stdin())?;
    let mut raw = found.clone();
    cfmakeraw(&mut raw);
    before().get_or_insert(found);
    tcsetattr(stdin(), SetArg::TCSANOW, &raw)?;
    execute!(stdout(), EnterAlternateScreen)
}

/// As it was. What fails has no terminal to be seen on.
fn give_back() {
    let Some(before) = before().take() else { return };
    let mut out = stdout();
    let _ = execute!(out, LeaveAlternateScreen, Show);
    let _ = out.flush();
    // What was typed for the screen is not for the shell.
    let _ = tcflush(stdin(), FlushArg::TCIFLUSH);
    let _ = tcsetattr(stdin(), SetArg::TCSANOW, &before);
}

/// So that the message of a panic can be read.
fn give_back_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        give_back();
        report(panic);
    }));
}

/// A signal that the screen must know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// The process is to end by this one.
    End(i32),
    /// The process was stopped, and goes on.
    Continued,
}

/// Signals as a stream: the handlers only write a byte into a socket.
pub(super) struct Signals {
    sockets: [(UnixStream, Notice); 4],
}

impl Signals {
    /// Takes them over.
    pub(super) fn register() -> io::Result<Signals> {
        let one = |signal, notice| Ok::<_, io::Error>((registered(signal)?, notice));
        Ok(Signals {
            sockets: [
                one(SIGTERM, Notice::End(SIGTERM))?,
                one(SIGHUP, Notice::End(SIGHUP))?,
                one(SIGINT, Notice::End(SIGINT))?,
                one(SIGCONT, Notice::Continued)?,
            ],
        })
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Notice {
        let [term, hangup, interrupt, cont] = &mut self.sockets;
        tokio::select! {
            notice = caught(term) => notice,
            notice = caught(hangup) => notice,
            notice = caught(interrupt) => notice,
            notice = caught(cont) => notice,
        }
    }
}

fn registered(signal: i32) -> io::Result<UnixStream> {
    let (socket, handler) = StdStream::pair()?;
    pipe::register(signal, handler)?;
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

async fn caught((socket, notice): &mut (UnixStream, Notice)) -> Notice {
    // Several at once count as one.
    let _ = socket.read(&mut [0; 64]).await;
    *notice
}

/// Ends the process as the signal would have, had nobody taken it over.
pub(super) fn end_by(signal: i32) -> io::Result<()> {
    emulate_default_handler(signal)
}

#[cfg(test)]
mod tests;
