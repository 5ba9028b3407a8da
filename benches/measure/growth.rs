//! What a message costs after many, and among much: subscribers, cached numbers, incoming
//! messages, chats with sessions.

use std::path::Path;

use serde_json::json;

use crate::lab::{self, Daemon, Sim};
use crate::load::Subscribers;
use crate::sending::{BATCH, Cost, UNPACED, send};
use crate::svg::{Curve, draw};
use crate::table::{Table, median, micros};

const CHATS: usize = 2_000;
const NUMBERS: usize = 10_000;
const INBOX: usize = 2_000;
/// With the one that measures: as many as there may be.
const SUBSCRIBERS: usize = 60;
const CHECKS: &str = "[preflight]\nchecks_per_day = 10000\ncheck_every = \"10ms\"\n";

/// Prints the table, and draws the curve into this folder.
pub(crate) fn run(count: usize, pictures: Option<&Path>) {
    println!("\n### What grows: {count} messages to one recipient, then among much else\n");
    let folder = lab::folder();
    let sim = Sim::start(folder.path(), "127.0.0.1:0");
    let people: Vec<String> = (0..CHATS).map(|n| format!("+1555{:07}", 3_000_000 + n)).collect();
    sim.people(people.iter().cloned());
    let daemon =
        Daemon::with_sim(&folder.path().join("daemon"), &sim, &format!("{UNPACED}{CHECKS}"));
    daemon.pair(&sim, None);
    let table =
        Table::begin(["what", "CPU each", "a second", "RSS MB", "simulator's CPU each", "ratio"]);
    let mut sent = 0;
    let mut batches = |numbers: &[String], count: usize| {
        let costs: Vec<Cost> = (0..count.div_ceil(BATCH))
            .map(|_| {
                sent += BATCH;
                send(&sim, &daemon, numbers, sent - BATCH, BATCH)
            })
            .collect();
        costs
    };
    let alone = batches(&people[..1], count);
    let base = median(alone[..4].iter().map(|cost| cost.cpu).collect());
    let row = |what: &str, costs: &[Cost]| {
        let middle = |of: fn(&Cost) -> f64| median(costs.iter().map(of).collect());
        let cpu = middle(|cost| cost.cpu);
        table.row([
            what,
            &micros(cpu),
            &format!("{:.0}", middle(|cost| cost.rate)),
            &crate::procfs::mib(costs[costs.len() - 1].rss_kib),
            &micros(middle(|cost| cost.sim_cpu)),
            &format!("{:.2} x", cpu / base),
        ]);
    };
    row("the first 1,000", &alone[..4]);
    row(&format!("the last 1,000 of {count}"), &alone[alone.len() - 4..]);
    row(&format!("{CHATS} chats, each for the first time"), &batches(&people, CHATS));
    row(&format!("{CHATS} chats, again"), &batches(&people, CHATS));
    let mut rpc = daemon.rpc();
    for n in (0..NUMBERS).step_by(50) {
        let numbers: Vec<String> =
            (n..n + 50).map(|n| format!("+1555{:07}", 5_000_000 + n)).collect();
        rpc.call("phone.check", &json!({ "numbers": numbers }));
    }
    row(&format!("and {NUMBERS} numbers remembered"), &batches(&people, 1_000));
    let mut phone = sim.rpc();
    for n in 0..INBOX {
        let reply = json!({ "number": people[n % CHATS], "text": format!("text {n}") });
        phone.call("recipient.reply", &reply);
    }
    row(&format!("and {INBOX} incoming messages"), &batches(&people, 1_000));
    drop(rpc);
    let subscribers = Subscribers::connect(&daemon.socket(), SUBSCRIBERS);
    row(&format!("and {SUBSCRIBERS} subscribers"), &batches(&people, 1_000));
    drop(subscribers);
    let Some(folder) = pictures else { return };
    let points = |of: fn(&Cost) -> f64| {
        let at = |(n, cost): (usize, &Cost)| (((n + 1) * BATCH) as f64, of(cost) * 1e3);
        alone.iter().enumerate().map(at).collect()
    };
    let curves = [
        Curve { name: "tetherd", points: points(|cost| cost.cpu) },
        Curve { name: "the simulator", points: points(|cost| cost.sim_cpu) },
    ];
    let text = draw("CPU a message (ms) by messages sent", &curves);
    std::fs::write(folder.join("growth.svg"), text).unwrap();
}
