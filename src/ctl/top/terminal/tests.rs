//! The terminal is given back, whatever happens to the program on it.

use std::os::fd::AsFd as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, Stdio};

use nix::pty::openpty;
use nix::sys::termios::{LocalFlags, tcgetattr};

use super::Screen;

/// Set for the process that panics on the screen.
const CHILD: &str = "TETHERCTL_TEST_PANICS";

#[test]
fn a_panic_gives_the_terminal_back() {
    if std::env::var_os(CHILD).is_some() {
        let _screen = Screen::enter().unwrap();
        let raw = tcgetattr(std::io::stdin()).unwrap();
        assert!(!raw.local_flags.contains(LocalFlags::ICANON));
        panic!("on the screen");
    }
    let pty = openpty(None, None).unwrap();
    let before = tcgetattr(pty.slave.as_fd()).unwrap();
    assert!(before.local_flags.contains(LocalFlags::ICANON | LocalFlags::ECHO));
    let name = std::thread::current().name().unwrap().to_owned();
    let end = || Stdio::from(pty.slave.try_clone().unwrap());
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture"])
        .env(CHILD, "1")
        .stdin(end())
        .stdout(end())
        .stderr(Stdio::null())
        .process_group(0)
        .status()
        .unwrap();
    assert_eq!((status.code(), status.signal()), (Some(101), None));
    assert_eq!(tcgetattr(pty.slave.as_fd()).unwrap(), before);
}
