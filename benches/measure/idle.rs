//! Nothing to do: memory, wake-ups, processor time, writes and syncs of the daemon with its
//! session up and 400 messages waiting, and of its peers with as many.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use crate::enqueue::Server;
use crate::lab::{self, Daemon, Sim};
use crate::load::{Clients, Kind};
use crate::procfs::{Process, mib};
use crate::table::Table;

const IDLE: Duration = Duration::from_secs(60);
/// Until what was begun is done.
const SETTLED: Duration = Duration::from_secs(5);
const WAITING: usize = 400;

/// Prints the table.
pub(crate) fn run() {
    let seconds = IDLE.as_secs();
    println!("\n### Idle for {seconds} s, {WAITING} messages waiting\n");
    let folder = lab::folder();
    let sim = Sim::start(folder.path(), "127.0.0.1:0");
    let daemon = Daemon::with_sim(&folder.path().join("daemon"), &sim, "");
    daemon.pair(&sim, None);
    daemon.rpc().call("queue.pause", &json!({}));
    let texts: Vec<_> =
        (0..WAITING).map(|n| json!({ "to": "+15550111", "text": format!("{n}") })).collect();
    daemon.rpc().pipelined("message.send", &texts);
    let peers: Vec<Server> =
        [Kind::Redis, Kind::Beanstalkd].into_iter().filter_map(Server::start).collect();
    for peer in &peers {
        Clients::connect(peer.kind, &peer.socket(), 1).round(WAITING);
    }
    let peers = peers.iter().map(|peer| (peer.kind.name(), peer.process()));
    let mut all = vec![("tetherd, session up", daemon.process())];
    all.extend(peers);
    sleep(SETTLED);
    watch(&all, seconds);
}

fn watch(all: &[(&str, Process)], seconds: u64) {
    let noted = |process: Process| (process.wakes(), process.cpu(), process.written());
    let before: Vec<_> = all.iter().map(|(_, process)| noted(*process)).collect();
    sleep(IDLE);
    let after: Vec<_> = all.iter().map(|(_, process)| noted(*process)).collect();
    // Afterwards: to be traced wakes the threads.
    let syncs: Vec<_> = all.iter().map(|(_, process)| Syncs::count(*process)).collect();
    sleep(IDLE);
    let table = Table::begin([
        "what",
        "RSS MB",
        "anonymous MB",
        "PSS MB",
        "threads",
        "wake-ups a second",
        "CPU ms a minute",
        "bytes written",
        "syncs",
    ]);
    for (((name, process), syncs), (before, after)) in
        all.iter().zip(syncs).zip(before.iter().zip(&after))
    {
        let cpu = (after.1 - before.1).as_secs_f64() * 1e3 * 60.0 / seconds as f64;
        table.row([
            name,
            &mib(process.kib("VmRSS")),
            &mib(process.kib("RssAnon")),
            &mib(process.pss_kib()),
            &process.threads().to_string(),
            &format!("{:.2}", (after.0 - before.0) as f64 / seconds as f64),
            &format!("{cpu:.1}"),
            &(after.2 - before.2).to_string(),
            &syncs.map_or("no strace".to_owned(), Syncs::end),
        ]);
    }
}

/// Its syncs, as strace sees them.
struct Syncs(std::process::Child);

impl Syncs {
    fn count(process: Process) -> Option<Syncs> {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-q", "-e", "trace=fsync,fdatasync,sync_file_range"]);
        strace.arg("-p").arg(process.0.to_string());
        let quiet = strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        quiet.spawn().ok().map(Syncs)
    }

    fn end(self) -> String {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::SIGINT).unwrap();
        let output = self.0.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        text.lines().filter(|line| line.contains("sync")).count().to_string()
    }
}
