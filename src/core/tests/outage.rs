//! Outages of the network: how soon the session is back after one, and what one costs.

use super::world::{Run, World};
use crate::event::EndReason;

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;
/// Attempts to connect in a day without network, at the default pauses.
const ATTEMPTS_A_DAY_MAX: usize = 700;
/// In half a minute.
const ATTEMPTS_A_HALF_MINUTE_MAX: usize = 40;
/// In four minutes.
const ATTEMPTS_IN_MINUTES_MAX: usize = 120;
/// After an outage of minutes the next attempt comes this soon.
const BACK_MS_MAX: u64 = 8_000;

/// Random numbers by their seed.
struct Rolls(u64);

impl Rolls {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// When it tries to connect while nobody can be reached, from the loss of the connection on; the
/// last attempt is the first one after this time.
fn attempts(seed: u64, outage_ms: u64) -> Vec<u64> {
    let mut rolls = Rolls(seed);
    let mut world = World::connected();
    world.pass(MINUTE_MS);
    let lost = world.now.mono_ms;
    world.end_with(EndReason::Lost { what: "reset".to_owned() }, rolls.next());
    let mut attempts = Vec::new();
    loop {
        while world.run == Run::None {
            let (at, _) = world.core.poll_timeout().unwrap();
            world.pass(at.saturating_sub(world.now.mono_ms));
        }
        let passed = world.now.mono_ms - lost;
        attempts.push(passed);
        if passed > outage_ms {
            return attempts;
        }
        let unreachable = EndReason::Unreachable { what: "refused".to_owned() };
        world.end_with(unreachable, rolls.next());
    }
}

#[test]
fn invariant_11_a_day_without_network_costs_at_most_700_attempts() {
    for seed in 0..30 {
        let attempts = attempts(seed, DAY_MS).len();
        assert!((400..=ATTEMPTS_A_DAY_MAX).contains(&attempts), "{attempts} with seed {seed}");
    }
}

#[test]
fn after_minutes_without_network_the_next_attempt_comes_within_8_s() {
    for (outage_ms, attempts_max) in
        [(MINUTE_MS / 2, ATTEMPTS_A_HALF_MINUTE_MAX), (4 * MINUTE_MS, ATTEMPTS_IN_MINUTES_MAX)]
    {
        for seed in 0..1_000 {
            let attempts = attempts(seed, outage_ms);
            let back = attempts.last().unwrap() - outage_ms;
            assert!(back <= BACK_MS_MAX, "back after {back} ms with seed {seed}");
            let attempts = attempts.len();
            assert!(attempts <= attempts_max, "{attempts} with seed {seed}");
        }
    }
}
