//! Random faults against the real binaries, by seed: whatever happens, each message
//! arrives once, in order, at the pace, and can be read.
//!
//! `TETHER_CHAOS_SEEDS=3,7` or `=100..200` chooses the seeds, `TETHER_CHAOS_SECONDS`
//! how long the faults of each last.

mod faults;
mod random;
mod senders;
mod verdict;

use std::time::Duration;

use serde_json::json;

use crate::support::Lab;
use faults::Storm;
use random::Random;
use senders::Senders;

/// The seeds of an ordinary run.
const SEEDS: [u64; 2] = [1, 2];
/// How long the faults of an ordinary run last.
const STORM: Duration = Duration::from_secs(12);
/// The pace: five in a second.
const PACE: &str = "[queue]\ncapacity = 40\n\n[pacing]\nwindow = \"1s\"\n";
/// The people, each with as many companions as their place in this list.
const PEOPLE: [&str; 3] = ["+15550111", "+15550112", "+15550113"];

fn seeds() -> Vec<u64> {
    let Ok(given) = std::env::var("TETHER_CHAOS_SEEDS") else { return SEEDS.to_vec() };
    match given.split_once("..") {
        Some((from, to)) => (from.parse().unwrap()..to.parse().unwrap()).collect(),
        None => given.split(',').map(|seed| seed.trim().parse().unwrap()).collect(),
    }
}

fn storm() -> Duration {
    let given = std::env::var("TETHER_CHAOS_SECONDS").ok();
    given.map_or(STORM, |seconds| Duration::from_secs(seconds.parse().unwrap()))
}

#[test]
fn nothing_is_lost_doubled_reordered_or_burst_under_random_faults() {
    for seed in seeds() {
        println!("seed {seed}");
        eprintln!("chaos: seed {seed}");
        run(seed);
    }
}

fn run(seed: u64) {
    let mut random = Random::new(seed);
    let lab = Lab::new();
    for (companions, number) in PEOPLE.iter().enumerate() {
        let person = json!({ "number": number, "on_network": true, "companions": companions });
        lab.sim.call("recipient.add", person);
    }
    // The account exists once its phone has scanned, and only then can be in a group.
    let mut storm = Storm::new(lab, PACE, random.fork());
    storm.pair_roughly();
    let group = storm.group();
    let mut chats: Vec<String> = PEOPLE.iter().map(|&number| number.to_owned()).collect();
    chats.push(group.clone());
    let senders = Senders::start(&storm.socket(), &chats, &mut random);
    storm.rage(&senders, self::storm());
    let accepted = senders.stop();
    storm.calm();
    verdict::judge(&mut storm, &accepted, &group);
}
