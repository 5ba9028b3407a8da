//! One thread of a daemon, stopped in the middle of a system call: what a file on a
//! filesystem that hangs does to the thread that reads it, without the right to mount one.

use std::time::Instant;

use nix::libc;
use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::{DEADLINE, Daemon};

/// Drop it before its daemon: the kernel keeps a process until its traced threads are waited
/// for.
pub(crate) struct StuckThread {
    thread: Pid,
    has_ended: bool,
}

impl StuckThread {
    /// Waits for a thread that waits for one descriptor, and stops it there.
    #[track_caller]
    pub(crate) fn polling(daemon: &Daemon) -> StuckThread {
        let started = Instant::now();
        let thread = loop {
            match threads(daemon).into_iter().find(|thread| polls(daemon, *thread)) {
                Some(thread) => break thread,
                None => assert!(started.elapsed() < DEADLINE, "no thread polls"),
            }
            std::thread::yield_now();
        };
        ptrace::seize(thread, ptrace::Options::empty()).unwrap();
        ptrace::interrupt(thread).unwrap();
        let stopped = waitpid(thread, Some(WaitPidFlag::__WALL)).unwrap();
        assert!(matches!(stopped, WaitStatus::PtraceEvent(..)), "{stopped:?}");
        StuckThread { thread, has_ended: false }
    }

    /// Waits for the end of its process, which alone ends it.
    #[track_caller]
    pub(crate) fn ends_with_its_process(&mut self) {
        let started = Instant::now();
        loop {
            let flags = WaitPidFlag::__WALL | WaitPidFlag::WNOHANG;
            let status = waitpid(self.thread, Some(flags)).unwrap();
            if matches!(status, WaitStatus::Exited(..) | WaitStatus::Signaled(..)) {
                break;
            }
            assert_eq!(status, WaitStatus::StillAlive);
            assert!(started.elapsed() < DEADLINE, "the daemon does not end");
            std::thread::yield_now();
        }
        self.has_ended = true;
    }
}

impl Drop for StuckThread {
    fn drop(&mut self) {
        if !self.has_ended {
            let _ = ptrace::detach(self.thread, None);
        }
    }
}

fn threads(daemon: &Daemon) -> Vec<Pid> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap();
    let id =
        |task: std::io::Result<std::fs::DirEntry>| task.ok()?.file_name().to_str()?.parse().ok();
    tasks.filter_map(id).map(Pid::from_raw).collect()
}

/// `7 0x7f.. 0x1 0xc8 ..`: the call's number and its arguments.
fn polls(daemon: &Daemon, thread: Pid) -> bool {
    #[cfg(target_arch = "x86_64")]
    const POLL: libc::c_long = libc::SYS_poll;
    #[cfg(not(target_arch = "x86_64"))]
    const POLL: libc::c_long = libc::SYS_ppoll;
    let path = format!("/proc/{}/task/{thread}/syscall", daemon.pid());
    let call = std::fs::read_to_string(path).unwrap_or_default();
    let words: Vec<&str> = call.split(' ').collect();
    words.len() > 2 && words[0] == POLL.to_string() && words[2] == "0x1"
}
