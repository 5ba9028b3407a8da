//! Messages all the way: accepted, sent, delivered and read, as fast as it goes, by the daemon
//! and by Baileys, each with the simulator as its server. The simulator's own processor time is
//! counted by itself.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::lab::{self, Daemon, Program, Sim, until};
use crate::rpc::Rpc;
use crate::svg::{Curve, draw};
use crate::table::{Table, median, micros};

/// As fast as it goes: a build with the simulator may.
pub(crate) const UNPACED: &str = "[pacing]\nmessages = 60\nwindow = \"1ms\"\n\
                                  [queue]\ncapacity = 4000\nundo = \"off\"\n";
/// Messages that are handed over at a time.
pub(crate) const BATCH: usize = 250;
const FRIEND: &str = "+15550111";
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// What one message of a batch cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// Processor seconds.
    pub(crate) cpu: f64,
    /// Those of the simulator.
    pub(crate) sim_cpu: f64,
    /// Messages a second.
    pub(crate) rate: f64,
    pub(crate) rss_kib: u64,
}

/// Sends so many through the daemon, in batches, to these numbers in turn.
pub(crate) fn send(
    sim: &Sim,
    daemon: &Daemon,
    numbers: &[String],
    first: usize,
    count: usize,
) -> Cost {
    let mut rpc = daemon.rpc();
    let before = (daemon.process().cpu(), sim.process().cpu());
    let started = Instant::now();
    let messages: Vec<Value> = (first..first + count)
        .map(|n| json!({ "to": numbers[n % numbers.len()], "text": format!("text number {n}") }))
        .collect();
    rpc.pipelined("message.send", &messages);
    until("the messages to be read", || {
        // Seldom: the questions are not what is measured.
        sleep(LOOK_PAUSE);
        are_read(&mut rpc).then_some(())
    });
    let elapsed = started.elapsed().as_secs_f64();
    let after = (daemon.process().cpu(), sim.process().cpu());
    let each = count as f64;
    Cost {
        cpu: (after.0 - before.0).as_secs_f64() / each,
        sim_cpu: (after.1 - before.1).as_secs_f64() / each,
        rate: each / elapsed,
        rss_kib: daemon.process().kib("VmRSS"),
    }
}

fn are_read(rpc: &mut Rpc) -> bool {
    let queue = rpc.call("status", &json!({}))["queue"].take();
    let waits = ["preparing", "queued", "sending", "unknown"];
    waits.iter().all(|state| queue[state] == 0) && {
        let filter = json!({ "states": ["sent", "delivered"] });
        rpc.call("queue.list", &json!({ "filter": filter, "limit": 1 }))["total"] == 0
    }
}

/// The daemon's batches.
fn tetherd(count: usize) -> Vec<Cost> {
    let folder = lab::folder();
    let sim = Sim::start(folder.path(), "127.0.0.1:0");
    sim.people([FRIEND.to_owned()]);
    let daemon = Daemon::with_sim(&folder.path().join("daemon"), &sim, UNPACED);
    daemon.pair(&sim, None);
    let friend = [FRIEND.to_owned()];
    let firsts = (0..count).step_by(BATCH);
    firsts.map(|first| send(&sim, &daemon, &friend, first, BATCH)).collect()
}

/// Those of Baileys, which has no queue of its own; none without it.
fn baileys(count: usize) -> Option<Vec<Cost>> {
    let Some(modules) = std::env::var_os("TETHERD_BAILEYS").map(PathBuf::from) else {
        println!("Baileys is left out: TETHERD_BAILEYS names no folder with it\n");
        return None;
    };
    let folder = lab::folder();
    let sim = Sim::start(folder.path(), "127.0.0.1:0");
    sim.rpc().call("server.set", &json!({ "strict": false }));
    sim.people([FRIEND.to_owned()]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/baileys.mjs");
    let mut node = Command::new("node");
    node.arg(script).arg(modules).arg(sim.ready.to_string());
    node.args([count.to_string(), BATCH.to_string()]);
    node.env("NODE_EXTRA_CA_CERTS", sim.ready["ca_file"].as_str().unwrap());
    node.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut program = Program::start(&mut node);
    let out = BufReader::new(program.child().stdout.take().unwrap());
    let mut costs = Vec::new();
    let mut before = sim.process().cpu();
    for line in out.lines() {
        // Its libraries say something now and then.
        let Ok(batch) = serde_json::from_str::<Value>(&line.unwrap()) else { continue };
        let sim_cpu = sim.process().cpu();
        costs.push(Cost {
            cpu: batch["cpu_s"].as_f64().unwrap() / BATCH as f64,
            sim_cpu: (sim_cpu - before).as_secs_f64() / BATCH as f64,
            rate: BATCH as f64 / batch["elapsed_s"].as_f64().unwrap(),
            rss_kib: batch["rss_kib"].as_u64().unwrap(),
        });
        before = sim_cpu;
    }
    Some(costs)
}

/// Prints the table, and draws the curves into this folder.
pub(crate) fn run(count: usize, pictures: Option<&Path>) {
    println!("\n### {count} messages to one recipient, sent and read, without a pace\n");
    let mut of = vec![("tetherd, durable", tetherd(count))];
    of.extend(baileys(count).map(|costs| ("Baileys, no queue", costs)));
    let table = Table::begin([
        "what",
        "CPU each, first 250",
        "last 1,000",
        "a second",
        "RSS MB",
        "simulator's CPU each",
    ]);
    for (what, costs) in &of {
        let last = &costs[costs.len().saturating_sub(4)..];
        let middle = |of: fn(&Cost) -> f64| median(last.iter().map(of).collect());
        table.row([
            what,
            &micros(costs[0].cpu),
            &micros(middle(|cost| cost.cpu)),
            &format!("{:.0}", middle(|cost| cost.rate)),
            &crate::procfs::mib(last[last.len() - 1].rss_kib),
            &micros(middle(|cost| cost.sim_cpu)),
        ]);
    }
    let Some(folder) = pictures else { return };
    let curves = of.iter().map(|(what, costs)| {
        let at = |(n, cost): (usize, &Cost)| (((n + 1) * BATCH) as f64, cost.cpu * 1e3);
        Curve { name: what, points: costs.iter().enumerate().map(at).collect() }
    });
    let text = draw("CPU a message (ms) by messages sent", &curves.collect::<Vec<_>>());
    std::fs::write(folder.join("sending.svg"), text).unwrap();
}
