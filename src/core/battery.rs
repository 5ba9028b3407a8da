//! What is reported about the phone's battery from beside the session: how a report is
//! taken, what it means while it is fresh, and whether that holds the queue. Invents
//! nothing: no report, or an old one, is unknown.

use serde::{Deserialize, Serialize};

use crate::Core;
use crate::phone::{Phone, PhoneConfig};
use crate::time::Now;
use crate::time::Timestamp;
use tetherd_api::{self as api, BatteryLevel};

/// A report may say that it was made so much later than now: clocks differ.
pub(crate) const REPORT_AHEAD_MS_MAX: i64 = 5 * 60 * 1_000;

/// At which battery the queue is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// A report from beside the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub(crate) percent: Option<u8>,
    pub(crate) charging: Option<bool>,
    pub(crate) network: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) measured: Timestamp,
    pub(crate) received: Timestamp,
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
}

impl Phone {
    /// What the last report means now.
    pub(crate) fn battery(&self, config: &PhoneConfig, now: Now) -> BatteryLevel {
        let Some(report) = &self.known.report else { return BatteryLevel::Unknown };
        let Some(percent) = report.percent else { return BatteryLevel::Unknown };
        if report.is_stale(config, now) {
            BatteryLevel::Unknown
        } else if report.charging == Some(true) {
            BatteryLevel::Ok
        } else if percent <= config.battery_critical {
            BatteryLevel::Critical
        } else if percent <= config.battery_low {
            BatteryLevel::Low
        } else {
            BatteryLevel::Ok
        }
    }
}

impl Core {
    /// Takes a report from beside. One that is older than the last is left alone.
    pub(crate) fn heartbeat(
        &mut self,
        report: Heartbeat,
        now: Now,
    ) -> Result<api::PhoneStatus, api::Error> {
        let Heartbeat { percent, charging, network, source, at } = report;
        if at.is_some_and(|at| at > now.wall_ms.saturating_add(REPORT_AHEAD_MS_MAX)) {
            let sentence = "`at` lies more than five minutes in the future";
            return Err(api::Error::new(api::ErrorKind::InvalidParams, sentence)
                .remedy("set the clock of whoever reports, or leave `at` out"));
        }
        let age = at.map_or(0, |at| u64::try_from(now.wall_ms.saturating_sub(at)).unwrap_or(0));
        let measured = Timestamp::ago(age, self.phone.boot, now);
        let known = &mut self.phone.known;
        if known.report.as_ref().is_some_and(|last| last.measured.is_later_than(measured)) {
            return Ok(self.phone_status(now));
        }
        let received = Timestamp::new(self.phone.boot, now);
        let connected = network.as_deref().is_some_and(|network| network != "none");
        // Only a hint that asking again is worth the while: whoever reports may be wrong,
        // or sit beside the phone and not on it.
        if connected
            && age < self.config.phone.battery_stale_after_ms
            && let Some(probe) = &mut known.probe
        {
            probe.tries = 0;
        }
        known.report = Some(Report { percent, charging, network, source, measured, received });
        self.out.facts = true;
        self.judge_phone(now);
        Ok(self.phone_status(now))
    }

    pub(crate) fn holds_battery(&self, now: Now) -> bool {
        let level = self.phone.battery(&self.config.phone, now);
        match self.config.phone.hold_when_battery {
            HoldBattery::Never => false,
            HoldBattery::Critical => level == BatteryLevel::Critical,
            HoldBattery::Low => matches!(level, BatteryLevel::Low | BatteryLevel::Critical),
        }
    }
}
