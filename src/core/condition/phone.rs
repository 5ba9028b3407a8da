//! Conditions of the phone and its battery.

use super::Condition;
use crate::Core;
use crate::phone::{DAY_MS, UNLINK_DAYS};
use crate::time::{Now, Timestamp};
use tetherd_api::{BatteryLevel, PhoneState};

impl Core {
    pub(super) fn phone_conditions(&self, now: Now) -> impl Iterator<Item = Condition> {
        [self.phone_away(now), self.battery_condition(now)].into_iter().flatten()
    }

    fn phone_away(&self, now: Now) -> Option<Condition> {
        let (state, since) = self.phone.known().state?;
        let seen = self.phone.known().seen.map(|(seen, _)| seen);
        let unlinked_at = seen.map(|seen| self.unlinked_at(seen, now));
        match state {
            PhoneState::Offline => {
                let holds = self.phone.holds_offline();
                Some(Condition::PhoneOffline { since, unlinked_at, holds })
            }
            // Before a phone is paired there is nobody to be heard of.
            PhoneState::Silent if self.has_phone() => {
                Some(Condition::PhoneSilent { since, unlinked_at })
            }
            PhoneState::Silent | PhoneState::Online | PhoneState::Unknown => None,
        }
    }

    /// Whether a phone is paired, as far as anybody knows.
    pub(crate) fn has_phone(&self) -> bool {
        self.facts.account.is_some() && self.facts.logged_out.is_none()
    }

    fn battery_condition(&self, now: Now) -> Option<Condition> {
        let critical = match self.phone.battery(now) {
            BatteryLevel::Critical => true,
            BatteryLevel::Low => false,
            BatteryLevel::Ok | BatteryLevel::Unknown => return None,
        };
        let report = self.phone.known().report.as_ref()?;
        Some(Condition::Battery {
            critical,
            since: report.measured.wall(now),
            until: self.wall_of(report.stale_at(self.phone.config()), now).0,
            holds: self.phone.holds_battery(now),
        })
    }

    /// When the network unlinks this device if the phone stays away, wall.
    pub(crate) fn unlinked_at(&self, seen: Timestamp, now: Now) -> i64 {
        self.wall_of(seen.after(UNLINK_DAYS * DAY_MS), now).0
    }
}
