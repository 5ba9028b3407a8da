//! A moment that outlives a restart. Its age is counted on the monotonic clock, so that
//! a wall clock that jumps while the daemon runs changes nothing.

use serde::{Deserialize, Serialize};

use crate::io::{BootId, Now};

/// A wall clock that moved less than this against the monotonic one was not set.
const CLOCK_SET_MS_MIN: u64 = 2_000;

/// When something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// In which boot of the machine.
    boot: BootId,
    /// In that boot's monotonic milliseconds; below zero, before it.
    mono_ms: i64,
    /// What the wall clock said.
    wall_ms: i64,
}

impl Moment {
    /// So many milliseconds ago.
    pub(crate) fn ago(age_ms: u64, boot: BootId, now: Now) -> Moment {
        let age = signed(age_ms);
        Moment {
            boot,
            mono_ms: signed(now.mono_ms).saturating_sub(age),
            wall_ms: now.wall_ms.saturating_sub(age),
        }
    }

    /// Now.
    pub(crate) fn new(boot: BootId, now: Now) -> Moment {
        Moment::ago(0, boot, now)
    }

    /// The same moment in this boot's time. Of another boot's moment only the wall clock
    /// tells the age; that it is at least as old as the boot is certain.
    #[must_use]
    pub(crate) fn in_boot(self, boot: BootId, now: Now) -> Moment {
        let age_ms = if self.boot == boot {
            self.age_ms(now)
        } else {
            let by_wall = u64::try_from(now.wall_ms.saturating_sub(self.wall_ms)).unwrap_or(0);
            by_wall.max(now.mono_ms)
        };
        Moment { boot, mono_ms: signed(now.mono_ms).saturating_sub(signed(age_ms)), ..self }
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
    pub(crate) fn is_later_than(self, other: Moment) -> bool {
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
        let moment = Moment::new(HERE, at(1_000_000, 500));
        assert_eq!(moment.age_ms(at(9_000_000, 700)), 200);
        assert_eq!(moment.in_boot(HERE, at(-5, 700)).age_ms(at(-5, 700)), 200);
        assert_eq!(moment.wall(at(9_000_000, 700)), 8_999_800);
    }

    #[test]
    fn after_another_boot_the_wall_clock_counts_and_the_boot_is_the_least() {
        let moment = Moment::new(HERE, at(1_000_000, 500_000));
        let now = at(1_060_000, 20_000);
        assert_eq!(moment.in_boot(NEXT, now).age_ms(now), 60_000);
        let back = at(3, 20_000);
        assert_eq!(moment.in_boot(NEXT, back).age_ms(back), 20_000);
    }
}
