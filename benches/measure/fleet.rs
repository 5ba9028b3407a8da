//! Many daemons on one machine, each with an account of its own, and one simulator: memory and
//! processor time idle, and what they do when the server goes away and comes back.

use std::net::{SocketAddr, TcpListener};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::lab::{self, Daemon, Sim};
use crate::procfs::mib;
use crate::table::Table;

const IDLE: Duration = Duration::from_secs(30);
/// How long the server is away.
const AWAY: Duration = Duration::from_secs(20);
const SECOND: Duration = Duration::from_secs(1);

/// Prints the table.
pub(crate) fn run(count: usize) {
    println!("\n### {count} daemons, one simulator\n");
    let folder = lab::folder();
    let sim = Sim::start(folder.path(), "127.0.0.1:0");
    let started = Instant::now();
    let daemons: Vec<Daemon> = (0..count)
        .map(|n| Daemon::with_sim(&folder.path().join(format!("d{n}")), &sim, ""))
        .collect();
    let table = Table::begin(["what", "figure"]);
    let row = |what: &str, figure: String| table.row([what, &figure]);
    row("all started, one after the other", format!("{:.1?}", started.elapsed()));
    for (n, daemon) in daemons.iter().enumerate() {
        daemon.pair(&sim, Some(&format!("1555{:07}", 2_000_000 + n)));
    }
    row("all paired after", format!("{:.1?}", started.elapsed()));
    sleep(IDLE);
    let cpu = || -> f64 { daemons.iter().map(|one| one.process().cpu().as_secs_f64()).sum() };
    let wakes = || -> u64 { daemons.iter().map(|one| one.process().wakes()).sum() };
    let before = (cpu(), wakes());
    sleep(IDLE);
    let seconds = IDLE.as_secs_f64() * count as f64;
    row("idle, of a core each", format!("{:.5}", (cpu() - before.0) / seconds));
    row("wake-ups a second each", format!("{:.2}", (wakes() - before.1) as f64 / seconds));
    let pss: u64 = daemons.iter().map(|one| one.process().pss_kib()).sum();
    let rss: u64 = daemons.iter().map(|one| one.process().kib("VmRSS")).sum();
    row("PSS each, MB", mib(pss / count as u64));
    row("RSS each, MB", mib(rss / count as u64));
    restart(&daemons, sim, folder.path(), &row);
}

/// While the server is away, its address takes connections, counts them, and closes them.
fn restart(daemons: &[Daemon], sim: Sim, folder: &std::path::Path, row: &impl Fn(&str, String)) {
    let endpoint = sim.ready["endpoint"].as_str().unwrap().to_owned();
    let address = endpoint.trim_start_matches("wss://").split('/').next().unwrap();
    let address: SocketAddr = address.parse().unwrap();
    sim.stop();
    let listener = lab::until("the server's address", || TcpListener::bind(address).ok());
    let tries = attempts(&listener);
    drop(listener);
    let worst = tries.iter().copied().max().unwrap_or(0);
    let all: usize = tries.iter().sum();
    let each = all as f64 / daemons.len() as f64;
    let away = AWAY.as_secs();
    row("attempts of all in the worst second while it is away", worst.to_string());
    row(&format!("attempts each in {away} s"), format!("{each:.1}"));
    let back = Instant::now();
    let sim = Sim::start(folder, &address.to_string());
    let mut rpc = sim.rpc();
    let mut half = None;
    let stats = lab::until_within("the fleet", 10 * 60 * SECOND, || {
        let stats = rpc.call("server.stats", &json!({}));
        let up = stats["logged_in"].as_u64().unwrap() as usize;
        if up * 2 >= daemons.len() && half.is_none() {
            half = Some(back.elapsed());
        }
        (up == daemons.len()).then_some(stats)
    });
    row("half connected again after", format!("{:.1?}", half.unwrap_or_default()));
    row("all connected again after", format!("{:.1?}", back.elapsed()));
    row("connections that this took", stats["accepted"].to_string());
}

/// In each second.
fn attempts(listener: &TcpListener) -> Vec<usize> {
    listener.set_nonblocking(true).unwrap();
    let started = Instant::now();
    let mut tries = Vec::new();
    while started.elapsed() < AWAY {
        let second = started.elapsed().as_secs() as usize;
        tries.resize(second + 1, 0);
        match listener.accept() {
            Ok(_) => tries[second] += 1,
            Err(_) => sleep(Duration::from_millis(2)),
        }
    }
    tries
}
