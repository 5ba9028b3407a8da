//! What `contrib/torture` wants of the property test: how much time it has simulated, and a
//! store that forgets, with which the test must fail.

use std::sync::atomic::{AtomicU64, Ordering};

/// The environment variable that names a file for the milliseconds simulated so far.
const REPORT: &str = "TETHER_MODEL_REPORT";
/// The environment variable with which a crash takes the latest message along.
const FORGETS: &str = "TETHER_MODEL_FORGETS";

/// A run has come to its end after so much simulated time.
pub(super) fn ran(ms: u64) {
    static TOTAL_MS: AtomicU64 = AtomicU64::new(0);
    let total = TOTAL_MS.fetch_add(ms, Ordering::Relaxed) + ms;
    if let Some(path) = std::env::var_os(REPORT) {
        std::fs::write(path, total.to_string()).unwrap();
    }
}

/// Whether a crash takes the latest message along.
pub(super) fn forgets() -> bool {
    std::env::var_os(FORGETS).is_some()
}
