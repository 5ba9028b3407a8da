//! The only reader of the machine's clocks and boot id.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

use tetherd_api::{FeedId, Time};
use tetherd_core::time::{BootId, Now};

/// Where the kernel names the current boot.
const BOOT_ID_PATH: &str = "/proc/sys/kernel/random/boot_id";

/// Tells what time it is: [`now`], or a test's own.
pub type Clock = fn() -> Now;

/// Reads both clocks.
///
/// The monotonic clock is `CLOCK_MONOTONIC`: shared by all processes of one boot,
/// never set, and standing still while the machine sleeps, so an interval measured
/// on it is never longer than the true one. A pacing window measured on it is
/// therefore never too short.
pub fn now() -> Now {
    let mono = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
    Now { wall_ms: wall_ms(), mono_ms: u64::try_from(mono.as_millis()).unwrap_or(u64::MAX) }
}

/// A clock's now, as the wire has it.
pub fn time(clock: Clock) -> Time {
    Time(clock().wall_ms)
}

/// Milliseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "this is the clock's room")]
pub fn wall_ms() -> i64 {
    let ms = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
    };
    #[cfg(feature = "sim")]
    let ms = ms.saturating_add(sim_offset_ms());
    ms
}

/// By how much the wall clock is set wrong, for tests: the file that `TETHERD_SIM_CLOCK`
/// names holds it, in milliseconds. Nobody may set the machine's own clock for a test.
#[cfg(feature = "sim")]
fn sim_offset_ms() -> i64 {
    static FILE: std::sync::OnceLock<Option<std::path::PathBuf>> = std::sync::OnceLock::new();
    let file = FILE.get_or_init(|| std::env::var_os("TETHERD_SIM_CLOCK").map(Into::into));
    let text = file.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
    text.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// This boot's name. Where the kernel has none, every start counts as a new boot,
/// which the pacer takes as the safe case: spent slots stay spent.
pub fn boot_id() -> BootId {
    let parsed = std::fs::read_to_string(BOOT_ID_PATH)
        .ok()
        .and_then(|text| u128::from_str_radix(&text.trim().replace('-', ""), 16).ok());
    BootId(parsed.unwrap_or_else(|| {
        let mut bytes = [0u8; 16];
        // A failing kernel generator leaves zeros: still a name, only a shared one.
        let _ = getrandom::fill(&mut bytes);
        u128::from_le_bytes(bytes)
    }))
}

/// A name for the changes feed from now on. A failing kernel generator leaves zeros, and a shared
/// name.
pub fn new_feed_id() -> FeedId {
    let mut bytes = [0; 8];
    let _ = getrandom::fill(&mut bytes);
    FeedId(u64::from_be_bytes(bytes))
}

/// How long until the monotonic clock reads `mono_ms`.
pub fn until(mono_ms: u64, now: Now) -> Duration {
    Duration::from_millis(mono_ms.saturating_sub(now.mono_ms))
}
