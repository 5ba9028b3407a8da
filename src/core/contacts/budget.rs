//! How many numbers callers may have the network asked about in a day: who looks up
//! numbers in bulk gets the account banned. What messages of the queue need is not counted.

use crate::time::{BootId, Now, Timestamp};

/// What was asked within so long counts as one.
const HOUR_MS: u64 = 60 * 60 * 1_000;
/// It counts for a day, from its last question on.
const COUNTS_FOR_MS: u64 = 25 * HOUR_MS;

/// Numbers that were asked about within an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpentHour {
    /// When the first of them was.
    pub began: Timestamp,
    /// How many.
    pub count: usize,
}

/// What was spent, the oldest first, and what may be.
#[derive(Debug)]
pub(super) struct Budget {
    per_day: usize,
    boot: BootId,
    hours: Vec<SpentHour>,
}

impl Budget {
    /// Takes over what was stored.
    pub(super) fn new(per_day: usize, stored: &[SpentHour], boot: BootId, now: Now) -> Budget {
        let here = |hour: &SpentHour| SpentHour { began: hour.began.in_boot(boot, now), ..*hour };
        Budget { per_day, boot, hours: stored.iter().map(here).collect() }
    }

    pub(super) fn set_limit(&mut self, per_day: usize) {
        self.per_day = per_day;
    }

    pub(super) fn limit(&self) -> usize {
        self.per_day
    }

    /// How many more numbers may be asked about now.
    pub(super) fn left(&self, now: Now) -> usize {
        let counts = self.hours.iter().filter(|hour| hour.began.age_ms(now) < COUNTS_FOR_MS);
        let spent = counts.fold(0_usize, |sum, hour| sum.saturating_add(hour.count));
        self.per_day.saturating_sub(spent)
    }

    /// In how many milliseconds so many may be asked about; none: that is never allowed.
    pub(super) fn wait_ms(&self, numbers: usize, now: Now) -> Option<u64> {
        let mut left = self.left(now);
        if left >= numbers {
            return Some(0);
        }
        for hour in self.hours.iter().filter(|hour| hour.began.age_ms(now) < COUNTS_FOR_MS) {
            left = left.saturating_add(hour.count);
            if left >= numbers {
                return Some(COUNTS_FOR_MS.saturating_sub(hour.began.age_ms(now)));
            }
        }
        None
    }

    /// So many are asked about.
    pub(super) fn spend(&mut self, numbers: usize, now: Now) {
        self.hours.retain(|hour| hour.began.age_ms(now) < COUNTS_FOR_MS);
        match self.hours.last_mut().filter(|hour| hour.began.age_ms(now) < HOUR_MS) {
            Some(hour) => hour.count = hour.count.saturating_add(numbers),
            None => {
                let began = Timestamp::new(self.boot, now);
                self.hours.push(SpentHour { began, count: numbers });
            }
        }
    }

    /// What is to be stored.
    pub(super) fn stored(&self) -> Vec<SpentHour> {
        self.hours.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Now {
        Now { wall_ms: i64::try_from(ms).unwrap(), mono_ms: ms }
    }

    #[test]
    fn never_more_than_the_limit_in_any_day_and_again_after_it() {
        let mut budget = Budget::new(10, &[], BootId(1), at(0));
        budget.spend(4, at(0));
        budget.spend(6, at(HOUR_MS / 2));
        assert_eq!(budget.left(at(24 * HOUR_MS)), 0);
        assert_eq!(budget.wait_ms(1, at(HOUR_MS)), Some(24 * HOUR_MS));
        assert_eq!(budget.left(at(25 * HOUR_MS)), 10);
        assert_eq!(budget.wait_ms(11, at(25 * HOUR_MS)), None);
    }

    #[test]
    fn a_restart_and_a_clock_that_is_set_refill_nothing() {
        let mut budget = Budget::new(10, &[], BootId(1), at(0));
        budget.spend(10, at(0));
        let set = Now { wall_ms: 400 * 24 * 3_600_000, mono_ms: 5 };
        assert_eq!(Budget::new(10, &budget.stored(), BootId(1), set).left(set), 0);
        let rebooted = Now { wall_ms: -1, mono_ms: 5 };
        assert_eq!(Budget::new(10, &budget.stored(), BootId(2), rebooted).left(rebooted), 0);
    }

    #[test]
    fn invariant_10_what_is_kept_is_bounded() {
        let mut budget = Budget::new(usize::MAX, &[], BootId(1), at(0));
        for minute in 0..10_000 {
            budget.spend(1, at(minute * 60_000));
        }
        assert!(budget.stored().len() <= 26, "{}", budget.stored().len());
    }
}
