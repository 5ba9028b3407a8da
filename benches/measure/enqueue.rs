//! A message accepted, durable before its reply: by the daemon and by its peers, against what
//! the disk needs for it. All of them take turns, so that all meet the same machine.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::json;
use tempfile::TempDir;

use crate::lab::{self, Daemon, Program, until};
use crate::load::{CONNECTIONS_EACH, Clients, Kind, Round};
use crate::procfs::Process;
use crate::rpc::Rpc;
use crate::table::{Table, median, micros};

/// What a record takes.
const RECORD_BYTES: usize = 1_024;
const ROUNDS: usize = 12;
/// Calls of a round.
const CALLS: usize = 320;
/// All rounds together do not fill it, and clearing it keeps nothing.
const QUEUE: &str = "[queue]\ncapacity = 4000\nundo = \"off\"\n";

/// A server that runs, and how it is emptied.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    folder: TempDir,
    program: Runs,
}

enum Runs {
    Daemon(Daemon),
    Other(Program),
}

impl Server {
    /// None: its program is not installed.
    pub(crate) fn start(kind: Kind) -> Option<Server> {
        let folder = lab::folder();
        let socket = folder.path().join("socket");
        let program = match kind {
            Kind::Tetherd => Runs::Daemon(Daemon::alone(folder.path(), QUEUE)),
            Kind::Redis => {
                let mut redis = Command::new("redis-server");
                redis.args(["--port", "0", "--save", "", "--unixsocketperm", "777"]);
                redis.args(["--appendonly", "yes", "--appendfsync", "always", "--unixsocket"]);
                redis.arg(&socket).arg("--dir").arg(folder.path());
                other(&mut redis)?
            }
            Kind::Beanstalkd => {
                let mut beanstalkd = Command::new("beanstalkd");
                beanstalkd.arg("-l").arg(format!("unix:{}", socket.display()));
                beanstalkd.arg("-f0").arg("-b").arg(folder.path());
                other(&mut beanstalkd)?
            }
        };
        let server = Server { kind, folder, program };
        until("a server's socket", || {
            std::os::unix::net::UnixStream::connect(server.socket()).ok()
        });
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        if kind == Kind::Beanstalkd {
            std::fs::set_permissions(server.socket(), open).unwrap();
        }
        Some(server)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        match &self.program {
            Runs::Daemon(daemon) => daemon.socket(),
            Runs::Other(_) => self.folder.path().join("socket"),
        }
    }

    pub(crate) fn process(&self) -> Process {
        match &self.program {
            Runs::Daemon(daemon) => daemon.process(),
            Runs::Other(program) => program.process(),
        }
    }

    /// Removes what waits, where that is one call.
    fn clear(&self) {
        match self.kind {
            Kind::Tetherd => {
                let socket = self.socket();
                until("a free place", || {
                    Rpc::connect(&socket)?.try_call("queue.clear", &json!({}))
                });
            }
            Kind::Redis => {
                let mut redis = std::os::unix::net::UnixStream::connect(self.socket()).unwrap();
                redis.write_all(b"DEL queue\r\n").unwrap();
                std::io::Read::read(&mut redis, &mut [0; 16]).unwrap();
            }
            Kind::Beanstalkd => {}
        }
    }
}

fn other(command: &mut Command) -> Option<Runs> {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.spawn().ok().map(|child| Runs::Other(Program::of(child)))
}

/// What the disk needs: for one record, and for as many as there are clients.
struct Disk {
    appended: File,
    overwritten: File,
    at: u64,
}

impl Disk {
    const OVERWRITTEN_BYTES: usize = 1 << 20;

    fn new(folder: &Path) -> Disk {
        let open = |name: &str| {
            OpenOptions::new().create(true).truncate(true).write(true).open(folder.join(name))
        };
        let (appended, overwritten) = (open("appended").unwrap(), open("overwritten").unwrap());
        overwritten.write_all_at(&vec![0; Disk::OVERWRITTEN_BYTES], 0).unwrap();
        overwritten.sync_all().unwrap();
        Disk { appended, overwritten, at: 0 }
    }

    fn append(&mut self, records: usize) -> f64 {
        let started = Instant::now();
        self.appended.write_all(&vec![7; records * RECORD_BYTES]).unwrap();
        self.appended.sync_data().unwrap();
        started.elapsed().as_secs_f64()
    }

    fn overwrite(&mut self, records: usize) -> f64 {
        let bytes = records * RECORD_BYTES;
        let started = Instant::now();
        self.overwritten.write_all_at(&vec![7; bytes], self.at).unwrap();
        self.overwritten.sync_data().unwrap();
        let time = started.elapsed().as_secs_f64();
        self.at = (self.at + bytes as u64) % (Disk::OVERWRITTEN_BYTES / 2) as u64;
        time
    }
}

/// What a number of clients measured: each server's rounds, and the disk's times.
struct Measured {
    rounds: Vec<Vec<Round>>,
    cpu: Vec<f64>,
    append: f64,
    overwrite: f64,
}

fn measure(servers: &[Server], disk: &mut Disk, connections: usize) -> Measured {
    let mut clients: Vec<Clients> = servers
        .iter()
        .map(|server| Clients::connect(server.kind, &server.socket(), connections))
        .collect();
    let mut rounds = vec![Vec::new(); servers.len()];
    let mut cpu = vec![0.0; servers.len()];
    let (mut append, mut overwrite) = (Vec::new(), Vec::new());
    let calls = CALLS.div_ceil(connections);
    for _ in 0..ROUNDS {
        append.extend((0..CALLS / 8).map(|_| disk.append(connections)));
        overwrite.extend((0..CALLS / 8).map(|_| disk.overwrite(connections)));
        for (at, server) in servers.iter().enumerate() {
            let before = server.process().cpu();
            rounds[at].push(clients[at].round(calls));
            cpu[at] += (server.process().cpu() - before).as_secs_f64();
        }
    }
    drop(clients);
    servers.iter().for_each(Server::clear);
    let all = (ROUNDS * calls * connections) as f64;
    cpu.iter_mut().for_each(|cpu| *cpu /= all);
    Measured { rounds, cpu, append: median(append), overwrite: median(overwrite) }
}

/// Prints the table.
pub(crate) fn run() {
    let servers: Vec<Server> = Kind::ALL
        .into_iter()
        .filter_map(|kind| {
            let server = Server::start(kind);
            if server.is_none() {
                println!("{} is not installed: left out", kind.name());
            }
            server
        })
        .collect();
    let folder = lab::folder();
    let mut disk = Disk::new(folder.path());
    println!("\n### Durable enqueue over a Unix socket\n");
    let table = Table::begin(["clients", "what", "p50", "a second", "CPU each", "ratio"]);
    for connections in [1, CONNECTIONS_EACH, 8 * CONNECTIONS_EACH] {
        if connections > CONNECTIONS_EACH && !nix::unistd::geteuid().is_root() {
            println!("{connections} clients are several users, which takes root: left out");
            continue;
        }
        let measured = measure(&servers, &mut disk, connections);
        rows(&table, &servers, connections, &measured);
    }
}

fn rows(table: &Table<6>, servers: &[Server], connections: usize, measured: &Measured) {
    let count = connections.to_string();
    let disk_rate = connections as f64 / measured.append;
    for (what, time) in
        [("append + fdatasync", measured.append), ("overwrite + fdatasync", measured.overwrite)]
    {
        let rate = connections as f64 / time;
        let ratio = format!("{:.2} x the time", time / measured.append);
        table.row([&count, what, &micros(time), &format!("{rate:.0}"), "", &ratio]);
    }
    for ((server, rounds), cpu) in servers.iter().zip(&measured.rounds).zip(&measured.cpu) {
        let p50 = median(rounds.iter().map(|round| round.p50).collect());
        let rate = median(rounds.iter().map(|round| round.rate).collect());
        let ratio = if connections == 1 {
            format!("{:.2} x the time", p50 / measured.append)
        } else {
            format!("{:.2} x the rate", rate / disk_rate)
        };
        let rate = format!("{rate:.0}");
        table.row([&count, server.kind.name(), &micros(p50), &rate, &micros(*cpu), &ratio]);
    }
}
