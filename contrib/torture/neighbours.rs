//! Hostile clients of one user, and a good one of another, whose calls take no longer than they do
//! without them. Each user is a process: this program again, under another user id.
//!
//! Control: the daemon stands still.

use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::Protection;
use crate::hostile::{Act, CONNECTIONS, KINDS, attack, half_a_line, request};
use crate::hung::Hung;
use crate::random::Random;
use crate::support::{Daemon, Lab};
use crate::tally::Tally;

/// Says to this program which user it is: `good` or `hostile`, and the socket.
const ROLE: &str = "TETHER_TORTURE_ROLE";
/// Nobody's.
const GROUP: u32 = 61_000;
const GOOD: u32 = 61_001;
const HOSTILE: u32 = 61_002;
/// Calls of which the slowest but two count.
const CALLS: usize = 300;
/// A good client may take so many times as long as before them,
const TIMES_MAX: u64 = 3;
/// and this long besides. Seen: 0.4 to 8 ms before, at most 59 ms with six clients that write 2,000
/// requests each, in a debug build while others compiled on the same two cores. Requests take turns,
/// so some of theirs come before each of its own. A user who is held up waits for seconds.
const BESIDES_US: u64 = 100_000;
/// Each time that the control's daemon stands still: longer than what is allowed.
const STANDS: Duration = Duration::from_millis(250);
/// And goes on in between: few calls fit in, so that more than the slowest ones are held up.
const RUNS: Duration = Duration::from_millis(5);
/// An answer that does not come.
const NEVER: Duration = Duration::from_secs(60);

/// Each kind with the number of its connections. The last has more than the daemon takes.
fn kinds() -> impl Iterator<Item = (&'static str, usize, Act)> + Clone {
    let slow: (_, _, Act) = ("1,000 slow clients", 1_000, half_a_line);
    KINDS.into_iter().map(|(name, act)| (name, CONNECTIONS, act)).chain([slow])
}

/// Whether this process is one of the users; if so, it has been.
pub(crate) fn was_a_user() -> bool {
    let Ok(role) = std::env::var(ROLE) else { return false };
    let (role, socket) = role.split_once(' ').unwrap();
    match role {
        "good" => good(Path::new(socket)),
        _ => hostile(role.parse().unwrap(), Path::new(socket)),
    }
    true
}

pub(crate) fn lacks() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("other users need root".to_owned());
    }
    let mut command = user(GOOD, "good /nonexistent");
    let ran = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    let why = "another user cannot run this program";
    (!ran.is_ok_and(|status| status.success())).then(|| why.to_owned())
}

fn user(uid: u32, role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.uid(uid).gid(GROUP).env(ROLE, role).current_dir("/");
    command
}

/// For each line that comes, calls; the time that the slowest but two took, in microseconds.
fn good(socket: &Path) {
    let Ok(stream) = UnixStream::connect(socket) else { return };
    stream.set_read_timeout(Some(NEVER)).unwrap();
    let mut replies = BufReader::new(stream.try_clone().unwrap());
    for line in std::io::stdin().lines() {
        line.unwrap();
        let mut times: Vec<u64> = (0..CALLS).map(|_| one_call(&stream, &mut replies)).collect();
        times.sort_unstable();
        println!("{}", times[CALLS - 1 - CALLS / 100]);
    }
}

fn one_call(mut stream: &UnixStream, replies: &mut BufReader<UnixStream>) -> u64 {
    let started = Instant::now();
    stream.write_all(format!("{}\n", request("status")).as_bytes()).unwrap();
    let mut reply = String::new();
    replies.read_line(&mut reply).unwrap();
    assert!(reply.contains("\"result\""), "{reply}");
    started.elapsed().as_micros().try_into().unwrap()
}

/// Does what its kind does, again and again, until its standard input ends.
fn hostile(kind: usize, socket: &Path) {
    let (_, connections, act) = kinds().nth(kind).unwrap();
    let open = attack(socket, connections, act);
    println!("{}", open.len());
    let _ = std::io::stdin().read(&mut [0]);
}

/// A process of a user.
struct User {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl User {
    fn start(uid: u32, role: &str, socket: &Path) -> User {
        let mut command = user(uid, &format!("{role} {}", socket.display()));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        User { stdin: child.stdin.take(), child, stdout }
    }

    fn say(&mut self) {
        self.stdin.as_ref().unwrap().write_all(b"\n").unwrap();
    }

    /// The number that it writes; none: it ended.
    fn number(&mut self) -> Option<u64> {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim().parse().ok()
    }
}

impl Drop for User {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn round(random: &mut Random, protection: Protection, tally: &mut Tally) {
    let lab = Lab::new();
    std::fs::set_permissions(lab.path(), Permissions::from_mode(0o711)).unwrap();
    let daemon = Daemon::start(&shared_config(&lab), &lab.socket());
    let hung = Hung::beside(&lab.socket());
    let mut good = User::start(GOOD, "good", &lab.socket());
    let quiet = p99(&mut good).unwrap();
    tally.largest("longest p99 before us", quiet);
    if protection == Protection::Off {
        return stands_still(&daemon, &mut good, quiet, tally);
    }
    // Each once, from some kind on.
    let count = kinds().count();
    let first = random.index(count);
    for (kind, (name, ..)) in kinds().enumerate().cycle().skip(first).take(count) {
        let mut hostile = User::start(HOSTILE, &kind.to_string(), &lab.socket());
        let with = p99(&mut good);
        tally.broken += hostile.number().unwrap_or_default();
        let Some(with) = with else {
            tally.wrong(format!("{name}: another user's client has no answer"));
            return;
        };
        tally.largest("longest p99 with them us", with);
        let hung = hung.as_ref().map_or(0, |hung| hung.readers() as u64);
        tally.largest("most reads that hang", hung);
        if with > quiet * TIMES_MAX + BESIDES_US {
            eprintln!("neighbours: {name}: {with} us, before {quiet} us");
            tally.wrong(format!("{name}: another user's calls took {with} us, before {quiet} us"));
        }
    }
}

fn p99(good: &mut User) -> Option<u64> {
    good.say();
    good.number()
}

/// A daemon that both users may call.
fn shared_config(lab: &Lab) -> PathBuf {
    let path = lab.config("");
    let text = std::fs::read_to_string(&path).unwrap();
    let shared = format!("[socket]\ngroup_send = \"{GROUP}\"\n");
    std::fs::write(&path, text.replace("[socket]\n", &shared)).unwrap();
    path
}

/// It stands still for most of the time.
fn stands_still(daemon: &Daemon, good: &mut User, quiet: u64, tally: &mut Tally) {
    let (done, is_done) = std::sync::mpsc::sync_channel::<()>(0);
    let pid = nix::unistd::Pid::from_raw(daemon.pid().try_into().unwrap());
    let stopping = std::thread::spawn(move || {
        let wait = |signal, time| {
            nix::sys::signal::kill(pid, signal).unwrap();
            is_done.recv_timeout(time) == Err(RecvTimeoutError::Timeout)
        };
        while wait(Signal::SIGSTOP, STANDS) && wait(Signal::SIGCONT, RUNS) {}
        nix::sys::signal::kill(pid, Signal::SIGCONT).unwrap();
    });
    let with = p99(good).unwrap_or(u64::MAX);
    drop(done);
    stopping.join().unwrap();
    if with > quiet * TIMES_MAX + BESIDES_US {
        tally.wrong(format!("stands still: another user's calls took {with} us"));
    }
}
