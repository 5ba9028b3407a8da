//! The machine's clock: whether it can be right, and whether somebody keeps it so.

use std::path::Path;

use crate::doctor::finding::{Finding, Topic};
use tetherd_api::exit::ExitCode;

const ABOUT: Topic = Topic::Clock;
/// There once systemd-timesyncd has set the clock.
const TIMESYNC: &str = "/run/systemd/timesync/synchronized";
/// No clock that is right shows less than this: 2026-01-01, in seconds.
const EARLIEST_S: i64 = 1_767_225_600;
/// Nor more than this: 2060-01-01.
const LATEST_S: i64 = 2_840_140_800;

/// What was found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Seconds since 1970.
    pub(crate) now_s: i64,
    /// None: the kernel does not know.
    pub(crate) synchronised: Option<bool>,
}

impl Facts {
    /// Asks the kernel, and looks for systemd's mark.
    pub(crate) fn gather() -> Facts {
        let marked = Path::new(TIMESYNC).exists();
        Facts {
            now_s: jiff::Timestamp::now().as_second(),
            synchronised: if marked { Some(true) } else { kernel_is_synchronised() },
        }
    }
}

#[expect(unsafe_code, reason = "no safe wrapper of adjtimex exists in our dependencies")]
fn kernel_is_synchronised() -> Option<bool> {
    use nix::libc;
    // SAFETY: all of `timex` is integers, for which zeroes are a value; with `modes` 0 the
    // call only fills it in, and it outlives the call.
    let (state, status) = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        let state = libc::adjtimex(&raw mut timex);
        (state, timex.status)
    };
    (state >= 0).then_some(status & libc::STA_UNSYNC == 0)
}

/// What to say about it.
pub(crate) fn judge(facts: Facts) -> Finding {
    let remedy = "timedatectl set-ntp true";
    if !(EARLIEST_S..LATEST_S).contains(&facts.now_s) {
        let date = jiff::Timestamp::from_second(facts.now_s)
            .map_or_else(|_| "nonsense".to_owned(), |at| at.strftime("%Y-%m-%d").to_string());
        let what = format!("The clock says {date}: no certificate verifies, and times are wrong.");
        return ABOUT.failure("clock_wrong", ExitCode::Config, what).remedy(remedy);
    }
    match facts.synchronised {
        Some(true) => ABOUT.ok("clock_ok", "The clock is synchronised."),
        // Nothing here depends on seconds, and some ways to keep a clock do not inform the kernel.
        Some(false) => {
            let what = "The kernel does not know the clock as synchronised.";
            ABOUT.note("clock_not_synchronised", what).remedy(remedy)
        }
        None => {
            ABOUT.note("clock_unknown", "Whether the clock is synchronised cannot be known here.")
        }
    }
}
