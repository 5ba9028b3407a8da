//! What is the case about the phone: that it is away, its battery, and whether that holds the
//! queue. Changes nothing.

use super::{DAY_MS, Phone};
use crate::condition::Condition;
use crate::time::{Now, wall_of};
use tetherd_api::{BatteryLevel, PhoneState};

/// The network unlinks this device when the phone was away for so many days.
const UNLINK_DAYS: u64 = 14;
/// From this day on it is warned of.
const WARN_DAYS: u64 = 10;
const _: () = assert!(WARN_DAYS < UNLINK_DAYS);

impl Phone {
    /// What is the case about the phone and its battery.
    pub(crate) fn conditions(&self, now: Now) -> impl Iterator<Item = Condition> {
        [self.away(now), self.battery_condition(now)].into_iter().flatten()
    }

    fn away(&self, now: Now) -> Option<Condition> {
        let (state, since) = self.known.state?;
        let unlinked_at = self.unlinked_at(now);
        match state {
            PhoneState::Offline => {
                let holds = self.holds_offline();
                Some(Condition::PhoneOffline { since, unlinked_at, holds })
            }
            // Before a phone is paired there is none that could be silent.
            PhoneState::Silent if self.around.paired => {
                Some(Condition::PhoneSilent { since, unlinked_at })
            }
            PhoneState::Silent | PhoneState::Online | PhoneState::Unknown => None,
        }
    }

    /// When the network unlinks this device if the phone stays away, wall.
    pub(crate) fn unlinked_at(&self, now: Now) -> Option<i64> {
        let (seen, _) = self.known.seen?;
        Some(wall_of(seen.after(UNLINK_DAYS * DAY_MS), now))
    }

    fn battery_condition(&self, now: Now) -> Option<Condition> {
        let critical = match self.battery(now) {
            BatteryLevel::Critical => true,
            BatteryLevel::Low => false,
            BatteryLevel::Ok | BatteryLevel::Unknown => return None,
        };
        let report = self.known.report.as_ref()?;
        Some(Condition::Battery {
            critical,
            since: report.measured.wall(now),
            until: wall_of(report.stale_at(&self.config), now),
            holds: self.holds_battery(now),
        })
    }

    /// Whether the phone holds the queue.
    pub(crate) fn holds(&self, now: Now) -> bool {
        self.holds_offline() || self.holds_battery(now)
    }

    fn holds_offline(&self) -> bool {
        self.config.hold_when_offline && self.is_offline()
    }

    /// For how many whole days it gave no sign of life, from the first day of warning on.
    pub(crate) fn absent_days(&self, now: Now) -> Option<u64> {
        let days = self.known.seen?.0.age_ms(now) / DAY_MS;
        (days >= WARN_DAYS).then_some(days.min(UNLINK_DAYS))
    }

    /// When the next day of warning begins, monotonic.
    pub(super) fn next_warning(&self) -> Option<u64> {
        let (seen, _) = self.known.seen?;
        match self.absent_days(self.now) {
            None => Some(seen.after(WARN_DAYS * DAY_MS)),
            Some(days) if days < UNLINK_DAYS => Some(seen.after((days + 1) * DAY_MS)),
            Some(_) => None,
        }
    }
}
