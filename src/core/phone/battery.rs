//! The phone's battery, as external programs report it: how a report is taken, what it
//! means while it is fresh, and whether that holds the queue. Invents nothing: no report,
//! or an old one, is unknown.

use serde::{Deserialize, Serialize};

use super::{Phone, PhoneConfig};
use crate::action::ActionBuffer;
use crate::time::{BootId, Now, Timestamp};
use tetherd_api::{self as api, BatteryLevel};

/// A report may say that it was made so much later than now: clocks differ.
pub(crate) const REPORT_AHEAD_MS_MAX: i64 = 5 * 60 * 1_000;

/// At which battery the queue is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldBattery {
    /// At none.
    Never,
    /// At critical.
    Critical,
    /// At low, and at critical.
    Low,
}

impl HoldBattery {
    /// Every value.
    pub const ALL: [HoldBattery; 3] = [HoldBattery::Never, HoldBattery::Critical, HoldBattery::Low];

    /// The name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            HoldBattery::Never => "never",
            HoldBattery::Critical => "critical",
            HoldBattery::Low => "low",
        }
    }
}

/// The last report that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// 0 to 100.
    pub percent: Option<u8>,
    /// Whether it is being charged.
    pub charging: Option<bool>,
    /// What the phone is connected to.
    pub network: Option<String>,
    /// Who says so.
    pub source: Option<String>,
    /// When it was measured.
    pub measured: Timestamp,
    /// When it came in.
    pub received: Timestamp,
}

/// A checked `phone.heartbeat`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heartbeat {
    /// 0 to 100.
    pub percent: Option<u8>,
    /// Whether it is being charged.
    pub charging: Option<bool>,
    /// What it is connected to.
    pub network: Option<String>,
    /// Who says so.
    pub source: Option<String>,
    /// When it was measured, wall milliseconds; none: now.
    pub at: Option<i64>,
}

impl Report {
    pub(crate) fn is_stale(&self, config: &PhoneConfig, now: Now) -> bool {
        self.measured.age_ms(now) >= config.battery_stale_after_ms
    }

    /// When it is too old to go by, monotonic.
    pub(crate) fn stale_at(&self, config: &PhoneConfig) -> u64 {
        self.measured.after(config.battery_stale_after_ms)
    }

    pub(super) fn move_to(&mut self, boot: BootId, now: Now) {
        self.measured = self.measured.in_boot(boot, now);
        self.received = self.received.in_boot(boot, now);
    }
}

impl Phone {
    /// Takes a report of an external program. One that is older than the last is left alone.
    pub(crate) fn on_heartbeat(
        &mut self,
        report: Heartbeat,
        out: &mut ActionBuffer,
        now: Now,
    ) -> Result<(), api::Error> {
        let Heartbeat { percent, charging, network, source, at } = report;
        if at.is_some_and(|at| at > now.wall_ms.saturating_add(REPORT_AHEAD_MS_MAX)) {
            let sentence = "`at` lies more than five minutes in the future";
            return Err(api::Error::new(api::ErrorKind::InvalidParams, sentence)
                .remedy("set the clock of whoever reports, or leave `at` out"));
        }
        let age = at.map_or(0, |at| u64::try_from(now.wall_ms.saturating_sub(at)).unwrap_or(0));
        let measured = Timestamp::ago(age, self.boot, now);
        let last = self.known.report.as_ref();
        if last.is_some_and(|last| last.measured.is_later_than(measured)) {
            return Ok(());
        }
        let received = Timestamp::new(self.boot, now);
        let connected = network.as_deref().is_some_and(|network| network != "none");
        // Only a hint that asking again is worth the while: whoever reports may be wrong,
        // or run on another machine.
        if connected
            && age < self.config.battery_stale_after_ms
            && let Some(probe) = &mut self.known.probe
        {
            probe.tries = 0;
        }
        self.known.report = Some(Report { percent, charging, network, source, measured, received });
        out.save_facts();
        self.on_time(out, now);
        Ok(())
    }

    /// What the last report means now.
    pub(crate) fn battery(&self, now: Now) -> BatteryLevel {
        let Some(report) = &self.known.report else { return BatteryLevel::Unknown };
        let Some(percent) = report.percent else { return BatteryLevel::Unknown };
        if report.is_stale(&self.config, now) {
            BatteryLevel::Unknown
        } else if report.charging == Some(true) {
            BatteryLevel::Ok
        } else if percent <= self.config.battery_critical {
            BatteryLevel::Critical
        } else if percent <= self.config.battery_low {
            BatteryLevel::Low
        } else {
            BatteryLevel::Ok
        }
    }

    pub(super) fn holds_battery(&self, now: Now) -> bool {
        let level = self.battery(now);
        match self.config.hold_when_battery {
            HoldBattery::Never => false,
            HoldBattery::Critical => level == BatteryLevel::Critical,
            HoldBattery::Low => matches!(level, BatteryLevel::Low | BatteryLevel::Critical),
        }
    }
}
