//! Notices when the wall clock is set, or the machine slept: wall time and monotonic time
//! then no longer run side by side. Changes nothing that is counted in monotonic time.

use crate::io::Now;
use crate::situation::ClockJump;

/// Less than this between two inputs is drift, or somebody's time service at work.
const JUMP_MS_MIN: u64 = 60_000;

/// How the two clocks stood at the last input.
#[derive(Debug)]
pub(crate) struct Clockwork {
    /// Wall time less monotonic time.
    offset: i64,
    jump: Option<ClockJump>,
}

impl Clockwork {
    pub(crate) fn new(now: Now) -> Clockwork {
        Clockwork { offset: offset(now), jump: None }
    }

    pub(crate) fn note(&mut self, now: Now) {
        let by_ms = offset(now).saturating_sub(self.offset);
        self.offset = offset(now);
        if by_ms.unsigned_abs() >= JUMP_MS_MIN {
            self.jump = Some(ClockJump { at: now.wall_ms, by_ms });
        }
    }

    /// The last jump since the start.
    pub(crate) fn jump(&self) -> Option<ClockJump> {
        self.jump
    }
}

fn offset(now: Now) -> i64 {
    now.wall_ms.saturating_sub(i64::try_from(now.mono_ms).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: i64 = 1_767_323_045_000;

    fn at(wall_ms: i64, mono_ms: u64) -> Now {
        Now { wall_ms: WALL + wall_ms, mono_ms }
    }

    #[test]
    fn clocks_that_run_side_by_side_or_drift_slowly_do_not_jump() {
        let mut clockwork = Clockwork::new(at(0, 5));
        for second in 1..10_000 {
            clockwork.note(at(1_010 * second, 1_000 * u64::try_from(second).unwrap() + 5));
        }
        assert!(clockwork.jump().is_none());
    }

    #[test]
    fn a_clock_that_was_set_back_and_a_machine_that_slept_are_told_apart_by_their_sign() {
        let mut clockwork = Clockwork::new(at(0, 0));
        clockwork.note(at(-3_600_000, 1_000));
        assert_eq!(clockwork.jump().unwrap().by_ms, -3_601_000);
        clockwork.note(at(3_600_000, 2_000));
        assert_eq!(clockwork.jump().unwrap().by_ms, 7_199_000);
        clockwork.note(at(3_601_000, 3_000));
        assert_eq!(clockwork.jump().unwrap().at, WALL + 3_600_000);
    }
}
