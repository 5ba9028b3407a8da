//! Time: the two clocks of an input, instants that outlive a restart, how long the daemon
//! has run, and clocks that jump. Reads no clock.
//!
//! - A duration within this run is counted on the monotonic clock.
//! - An age that goes on while the daemon is down is counted from a [`Timestamp`].
//! - A budget or an age that only counts while the daemon runs is counted in `Uptime`:
//!   neither a restart nor a clock that is set refills it.
//! - The wall clock is for people, and for what people ask for by it.

/// The wall clock can be set, and goes on while the machine sleeps: with a deadline by it
/// outstanding, it is looked at this often at least.
pub(crate) const WALL_LOOK_MS: u64 = 30_000;
/// Less than this between two inputs is drift, or somebody's time service at work.
const JUMP_MS_MIN: u64 = 60_000;
/// A wall clock that moved less than this against the monotonic one was not set.
const CLOCK_SET_MS_MIN: u64 = 2_000;

/// Both clocks, read once by the shell and given with each input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since the Unix epoch. For people and for `expires`; never for pacing.
    pub wall_ms: i64,
    /// Milliseconds on a clock that never goes backwards within one boot of the machine
    /// and is shared by all its processes (CLOCK_MONOTONIC).
    pub mono_ms: u64,
}

/// Names one boot of the machine: monotonic times compare within one only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BootId(pub u128);

/// When something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// In which boot of the machine.
    pub boot: BootId,
    /// In that boot's monotonic milliseconds; below zero, before it.
    pub mono_ms: i64,
    /// What the wall clock said.
    pub wall_ms: i64,
}

impl Timestamp {
    /// So many milliseconds ago.
    pub(crate) fn ago(age_ms: u64, boot: BootId, now: Now) -> Timestamp {
        let age = signed(age_ms);
        Timestamp {
            boot,
            mono_ms: signed(now.mono_ms).saturating_sub(age),
            wall_ms: now.wall_ms.saturating_sub(age),
        }
    }

    /// Now.
    pub(crate) fn new(boot: BootId, now: Now) -> Timestamp {
        Timestamp::ago(0, boot, now)
    }

    /// The same instant in this boot's time. Of another boot's only the wall clock
    /// tells the age; that it is at least as old as the boot is certain.
    #[must_use]
    pub(crate) fn in_boot(self, boot: BootId, now: Now) -> Timestamp {
        let age_ms = if self.boot == boot {
            self.age_ms(now)
        } else {
            let by_wall = u64::try_from(now.wall_ms.saturating_sub(self.wall_ms)).unwrap_or(0);
            by_wall.max(now.mono_ms)
        };
        Timestamp { boot, mono_ms: signed(now.mono_ms).saturating_sub(signed(age_ms)), ..self }
    }

    /// How long ago it is. Both in the same boot.
    pub(crate) fn age_ms(self, now: Now) -> u64 {
        u64::try_from(signed(now.mono_ms).saturating_sub(self.mono_ms)).unwrap_or(0)
    }

    /// When it is so old, monotonic; 0: before this boot.
    pub(crate) fn after(self, age_ms: u64) -> u64 {
        u64::try_from(self.mono_ms.saturating_add(signed(age_ms))).unwrap_or(0)
    }

    /// Whether it comes after the other one. Both in the same boot.
    pub(crate) fn is_later_than(self, other: Timestamp) -> bool {
        self.mono_ms > other.mono_ms
    }

    /// What the wall clock said then; if it was set since, what it would have said if it
    /// had always stood as it does now.
    pub(crate) fn wall(self, now: Now) -> i64 {
        let by_age = now.wall_ms.saturating_sub(signed(self.age_ms(now)));
        let moved = by_age.saturating_sub(self.wall_ms).unsigned_abs();
        if moved < CLOCK_SET_MS_MIN { self.wall_ms } else { by_age }
    }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// For how long the daemon has run, all its runs together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Uptime {
    /// When this run began, monotonic.
    began_ms: u64,
    /// How long those before it lasted.
    before_ms: u64,
}

impl Uptime {
    /// A run begins now.
    pub(crate) fn new(before_ms: u64, now: Now) -> Uptime {
        Uptime { began_ms: now.mono_ms, before_ms }
    }

    /// The uptime at an instant of this run.
    pub(crate) fn at(self, now: Now) -> u64 {
        self.before_ms.saturating_add(self.this_run(now))
    }

    /// How long this run has lasted.
    pub(crate) fn this_run(self, now: Now) -> u64 {
        now.mono_ms.saturating_sub(self.began_ms)
    }

    /// When the uptime is so long, monotonic; what lies before this run is its beginning.
    pub(crate) fn mono_of(self, uptime_ms: u64) -> u64 {
        self.began_ms.saturating_add(uptime_ms.saturating_sub(self.before_ms))
    }
}

/// The wall clock was set, or the machine slept.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ClockJump {
    /// The wall clock afterwards.
    pub(crate) at: i64,
    /// How far it jumped.
    pub(crate) by_ms: i64,
}

/// Notices when wall time and monotonic time no longer run side by side. Changes nothing
/// that is counted in monotonic time.
#[derive(Debug)]
pub(crate) struct ClockJumps {
    /// Wall time less monotonic time at the last input.
    offset: i64,
    last: Option<ClockJump>,
}

impl ClockJumps {
    pub(crate) fn new(now: Now) -> ClockJumps {
        ClockJumps { offset: offset(now), last: None }
    }

    pub(crate) fn on_time(&mut self, now: Now) {
        let by_ms = offset(now).saturating_sub(self.offset);
        self.offset = offset(now);
        if by_ms.unsigned_abs() >= JUMP_MS_MIN {
            self.last = Some(ClockJump { at: now.wall_ms, by_ms });
        }
    }

    /// The last jump since the start.
    pub(crate) fn last(&self) -> Option<ClockJump> {
        self.last
    }
}

fn offset(now: Now) -> i64 {
    now.wall_ms.saturating_sub(signed(now.mono_ms))
}

/// A monotonic instant on the wall clock as it stands now, in milliseconds.
pub(crate) fn wall_of(mono_ms: u64, now: Now) -> i64 {
    let from_now = i64::try_from(i128::from(mono_ms) - i128::from(now.mono_ms));
    now.wall_ms.saturating_add(from_now.unwrap_or(i64::MAX))
}

/// `first * 2^times`, at most `cap`: the next pause of a backoff.
pub(crate) fn doubled(first: u64, times: u32, cap: u64) -> u64 {
    1_u64.checked_shl(times).map_or(cap, |factor| first.saturating_mul(factor)).min(cap)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: BootId = BootId(1);
    const NEXT: BootId = BootId(2);

    fn at(wall_ms: i64, mono_ms: u64) -> Now {
        Now { wall_ms, mono_ms }
    }

    #[test]
    fn a_wall_clock_that_jumps_changes_no_age() {
        let timestamp = Timestamp::new(HERE, at(1_000_000, 500));
        assert_eq!(timestamp.age_ms(at(9_000_000, 700)), 200);
        assert_eq!(timestamp.in_boot(HERE, at(-5, 700)).age_ms(at(-5, 700)), 200);
        assert_eq!(timestamp.wall(at(9_000_000, 700)), 8_999_800);
    }

    #[test]
    fn after_another_boot_the_wall_clock_counts_and_the_boot_is_the_least() {
        let timestamp = Timestamp::new(HERE, at(1_000_000, 500_000));
        let now = at(1_060_000, 20_000);
        assert_eq!(timestamp.in_boot(NEXT, now).age_ms(now), 60_000);
        let back = at(3, 20_000);
        assert_eq!(timestamp.in_boot(NEXT, back).age_ms(back), 20_000);
    }

    #[test]
    fn uptime_goes_on_where_the_last_run_ended() {
        let uptime = Uptime::new(5_000, at(0, 100));
        assert_eq!(uptime.at(at(-9, 300)), 5_200);
        assert_eq!(uptime.mono_of(5_200), 300);
        assert_eq!(uptime.mono_of(10), 100);
    }

    const WALL: i64 = 1_767_323_045_000;

    fn since(wall_ms: i64, mono_ms: u64) -> Now {
        at(WALL + wall_ms, mono_ms)
    }

    #[test]
    fn clocks_that_run_side_by_side_or_drift_slowly_do_not_jump() {
        let mut jumps = ClockJumps::new(since(0, 5));
        for second in 1..10_000 {
            jumps.on_time(since(1_010 * second, 1_000 * u64::try_from(second).unwrap() + 5));
        }
        assert!(jumps.last().is_none());
    }

    #[test]
    fn a_clock_that_was_set_back_and_a_machine_that_slept_differ_in_their_sign() {
        let mut jumps = ClockJumps::new(since(0, 0));
        jumps.on_time(since(-3_600_000, 1_000));
        assert_eq!(jumps.last().unwrap().by_ms, -3_601_000);
        jumps.on_time(since(3_600_000, 2_000));
        assert_eq!(jumps.last().unwrap().by_ms, 7_199_000);
        jumps.on_time(since(3_601_000, 3_000));
        assert_eq!(jumps.last().unwrap().at, WALL + 3_600_000);
    }
}
