//! Clients that put messages into a queue and wait for each reply. They are processes of their
//! own, so that some can be other users: a user has few connections.
//!
//! One thread serves all connections of a process, so that the clients take little of what the
//! server needs. They do the same for every kind of server: a request is one write, a reply one
//! line.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read as _, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::json;

use crate::lab::{Program, SENDERS_GID};

/// Connections of one process: no more than a user may have.
pub(crate) const CONNECTIONS_EACH: usize = 8;
/// A text of a usual length: a record of it takes about a kilobyte with every server.
const TEXT_CHARS: usize = 120;
/// In place of a kind: the connections follow events.
const FOLLOW: &str = "follow";

/// What listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tetherd,
    Redis,
    Beanstalkd,
}

impl Kind {
    pub(crate) const ALL: [Kind; 3] = [Kind::Tetherd, Kind::Redis, Kind::Beanstalkd];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Kind::Tetherd => "tetherd",
            Kind::Redis => "redis",
            Kind::Beanstalkd => "beanstalkd",
        }
    }

    fn request(self, n: usize) -> Vec<u8> {
        let text = format!("{n:0>TEXT_CHARS$}");
        let to = format!("+15550{}", 101 + n % 5);
        let message = json!({ "to": to, "text": text });
        match self {
            Kind::Tetherd => {
                let call = json!({
                    "jsonrpc": "2.0", "id": n, "method": "message.send", "params": message
                });
                format!("{call}\n").into_bytes()
            }
            Kind::Redis => {
                let text = message.to_string();
                format!("*3\r\n$5\r\nRPUSH\r\n$5\r\nqueue\r\n${}\r\n{text}\r\n", text.len())
                    .into_bytes()
            }
            Kind::Beanstalkd => {
                let text = message.to_string();
                format!("put 0 0 60 {}\r\n{text}\r\n", text.len()).into_bytes()
            }
        }
    }

    fn is_good(self, reply: &[u8]) -> bool {
        match self {
            Kind::Tetherd => reply.windows(9).any(|part| part == b"\"result\":"),
            Kind::Redis => reply.starts_with(b":"),
            Kind::Beanstalkd => reply.starts_with(b"INSERTED"),
        }
    }
}

/// The clients of one server: as many processes as it takes.
pub(crate) struct Clients(Vec<Client>);

struct Client {
    _program: Program,
    go: ChildStdin,
    done: BufReader<ChildStdout>,
}

/// How a round went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    /// Of one client: the middle of the times of its calls, in seconds.
    pub(crate) p50: f64,
    /// Calls a second, of all clients.
    pub(crate) rate: f64,
}

impl Clients {
    /// Connects so many. Beyond what one user may have, others are needed, which takes root.
    pub(crate) fn connect(kind: Kind, socket: &Path, connections: usize) -> Clients {
        let processes = connections.div_ceil(CONNECTIONS_EACH);
        // The last is the daemon's own user, for whom the last places are kept.
        let clients = (0..processes).rev().map(|n| {
            let count = connections.div_ceil(processes).to_string();
            Client::start(n, &[OsStr::new(kind.name()), socket.as_os_str(), OsStr::new(&count)])
        });
        Clients(clients.collect())
    }

    /// Every connection makes so many calls.
    pub(crate) fn round(&mut self, calls: usize) -> Round {
        let started = Instant::now();
        for client in &mut self.0 {
            writeln!(client.go, "{calls}").unwrap();
        }
        let lines: Vec<String> = self.0.iter_mut().map(Client::line).collect();
        let elapsed = started.elapsed().as_secs_f64();
        let numbers = |line: &String| {
            let (p50, count) = line.trim().split_once(' ').unwrap();
            (p50.parse::<f64>().unwrap(), count.parse::<f64>().unwrap())
        };
        let rounds: Vec<(f64, f64)> = lines.iter().map(numbers).collect();
        let count: f64 = rounds.iter().map(|(_, count)| count).sum();
        Round { p50: rounds.first().map_or(0.0, |(p50, _)| *p50), rate: count / elapsed }
    }
}

impl Client {
    /// As the daemon's own user, or as another one who may send.
    fn start(user: usize, arguments: &[&OsStr]) -> Client {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("client").args(arguments);
        if user > 0 {
            let uid = SENDERS_GID + u32::try_from(user).unwrap();
            command.gid(SENDERS_GID).uid(uid);
        }
        let mut program = Program::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let go = program.child().stdin.take().unwrap();
        let done = BufReader::new(program.child().stdout.take().unwrap());
        let mut client = Client { _program: program, go, done };
        client.line();
        client
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.done.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "a client broke off");
        line
    }
}

/// Connections that follow the daemon's events, and take them as they come.
pub(crate) struct Subscribers {
    _clients: Vec<Client>,
}

impl Subscribers {
    /// So many, as many users: one connection of the daemon's own user is left.
    pub(crate) fn connect(socket: &Path, connections: usize) -> Subscribers {
        let others = connections.div_ceil(CONNECTIONS_EACH);
        let users = if nix::unistd::geteuid().is_root() { 1..=others } else { 0..=0 };
        let each = connections.div_ceil(others).min(CONNECTIONS_EACH - 1).to_string();
        let start = |user| {
            Client::start(user, &[OsStr::new(FOLLOW), socket.as_os_str(), OsStr::new(&each)])
        };
        Subscribers { _clients: users.map(start).collect() }
    }
}

fn follow(connections: &mut [UnixStream]) -> ! {
    for connection in connections.iter_mut() {
        let request = r#"{"jsonrpc":"2.0","id":1,"method":"events.subscribe","params":{}}"#;
        connection.write_all(format!("{request}\n").as_bytes()).unwrap();
    }
    let mut events = vec![0; 64 * 1024];
    loop {
        for at in readable(connections) {
            // The end of the daemon is the end of this.
            if connections[at].read(&mut events).map_or(true, |length| length == 0) {
                std::process::exit(0);
            }
        }
    }
}

/// The other end: `client KIND SOCKET CONNECTIONS`, then a number of calls a line.
pub(crate) fn client(arguments: &[String]) {
    let [kind, socket, connections] = arguments else { panic!("{arguments:?}") };
    let count = connections.parse().unwrap();
    let mut connections: Vec<UnixStream> =
        (0..count).map(|_| UnixStream::connect(socket).unwrap()).collect();
    println!("connected");
    if kind == FOLLOW {
        follow(&mut connections);
    }
    let kind = Kind::ALL.into_iter().find(|one| one.name() == kind).unwrap();
    let mut sent = 0;
    for line in std::io::stdin().lines() {
        let calls: usize = line.unwrap().parse().unwrap();
        let requests: Vec<Vec<u8>> = (0..calls * count).map(|n| kind.request(sent + n)).collect();
        sent += requests.len();
        let mut times = all(kind, &mut connections, &requests);
        times.sort_by(f64::total_cmp);
        println!("{} {}", times[times.len() / 2], times.len());
    }
}

/// Sends the requests over the connections, one at a time over each. How long each took.
fn all(kind: Kind, connections: &mut [UnixStream], requests: &[Vec<u8>]) -> Vec<f64> {
    let mut requests = requests.iter();
    let mut times = Vec::with_capacity(requests.len());
    let mut since: Vec<Option<Instant>> = vec![None; connections.len()];
    let mut lines = vec![Vec::new(); connections.len()];
    loop {
        for (connection, since) in connections.iter_mut().zip(&mut since) {
            if since.is_none()
                && let Some(request) = requests.next()
            {
                *since = Some(Instant::now());
                connection.write_all(request).unwrap();
            }
        }
        if since.iter().all(Option::is_none) {
            return times;
        }
        for at in readable(connections) {
            let mut part = [0; 4_096];
            let length = connections[at].read(&mut part).unwrap();
            assert!(length > 0, "{kind:?} has closed a connection");
            lines[at].extend_from_slice(&part[..length]);
            if lines[at].ends_with(b"\n") {
                let line = String::from_utf8_lossy(&lines[at]);
                assert!(kind.is_good(&lines[at]), "{kind:?}: {line}");
                lines[at].clear();
                times.extend(since[at].take().map(|since| since.elapsed().as_secs_f64()));
            }
        }
    }
}

/// The connections that can be read. One alone is simply read.
fn readable(connections: &[UnixStream]) -> Vec<usize> {
    if connections.len() == 1 {
        return vec![0];
    }
    let flags = PollFlags::POLLIN;
    let mut polled: Vec<PollFd<'_>> =
        connections.iter().map(|connection| PollFd::new(connection.as_fd(), flags)).collect();
    poll(&mut polled, PollTimeout::NONE).unwrap();
    let ready = |fd: &PollFd<'_>| fd.revents().is_some_and(|revents| !revents.is_empty());
    polled.iter().enumerate().filter(|(_, fd)| ready(fd)).map(|(at, _)| at).collect()
}
