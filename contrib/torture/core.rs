//! The core alone, with a simulated store, network, phone and clock: the property test of
//! `tetherd-core` with a seed of its own and many cases. Each case is up to 160 operations, among
//! them crashes, clocks that jump by an hour, a day, 40 days or to 1970, and suspends; the laws
//! hold after each.
//!
//! Control: a store that forgets the latest message in a crash.

use std::process::Command;
use std::time::Instant;

use crate::Protection;
use crate::random::Random;
use crate::tally::Tally;

/// Cases of a round.
const CASES: u64 = 250;
const DAY_MS: u64 = 24 * 3_600_000;

/// Without cargo there is no test to run.
pub(crate) fn lacks() -> Option<String> {
    let lack = "there is no cargo to run the test of tetherd-core with";
    std::env::var_os("CARGO").is_none().then(|| lack.to_owned())
}

pub(crate) fn round(random: &mut Random, protection: Protection, tally: &mut Tally) {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("simulated");
    let seed = random.below(u64::MAX);
    let mut test = Command::new(std::env::var_os("CARGO").unwrap());
    test.args(["test", "--quiet", "--package", "tetherd-core", "--lib", "no_run_of_operations"])
        .env("PROPTEST_CASES", CASES.to_string())
        .env("PROPTEST_RNG_SEED", seed.to_string())
        .env("TETHER_MODEL_REPORT", &report);
    if protection == Protection::Off {
        test.env("TETHER_MODEL_FORGETS", "1");
    }
    let started = Instant::now();
    let output = test.output().unwrap();
    let seconds = started.elapsed().as_secs().max(1);
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        // What else goes wrong, such as a build, finds nothing.
        assert!(said.contains("minimal failing input"), "{said}");
        return tally.wrong(format!("PROPTEST_RNG_SEED={seed}: {said}"));
    }
    let ms: u64 = std::fs::read_to_string(report).unwrap().parse().unwrap();
    tally.broken += CASES;
    tally.count("simulated days", ms / DAY_MS);
    tally.largest("most simulated days in a second", ms / DAY_MS / seconds);
}
