//! Log lines about the phone: one for each change of its state, of its
//! battery, and of what the network's limit for an absent phone leaves. Names nobody.

use tetherd_api::{BatteryLevel, PhoneState, PhoneStatus};

/// Remembers what it logged last.
#[derive(Debug, Default)]
pub(crate) struct PhoneLog {
    state: Option<PhoneState>,
    battery: Option<BatteryLevel>,
    warned: Option<String>,
}

/// A line for the log.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Info(String),
    Warn(String),
}

impl PhoneLog {
    /// Writes the lines that are news.
    pub(crate) fn note(&mut self, phone: &PhoneStatus) {
        for line in self.lines(phone) {
            match line {
                Line::Info(line) => tracing::info!("{line}"),
                Line::Warn(line) => tracing::warn!("{line}"),
            }
        }
    }

    fn lines(&mut self, phone: &PhoneStatus) -> Vec<Line> {
        let mut lines = Vec::new();
        let reported = self.state.replace(phone.state);
        if reported != Some(phone.state)
            && (reported.is_some() || phone.state != PhoneState::Unknown)
        {
            lines.push(Line::Info(format!("phone {}", phone.state.name())));
        }
        let level = phone.battery.as_ref().map_or(BatteryLevel::Unknown, |battery| battery.level);
        let reported = self.battery.replace(level);
        if reported != Some(level) && (reported.is_some() || level != BatteryLevel::Unknown) {
            lines.push(Line::Info(format!("phone's battery {}", level.name())));
        }
        let mut reasons = phone.reasons.iter().map(|reason| &reason.what);
        let warning = reasons.find(|reason| reason.contains(" unlinks this device "));
        // The time in it moves with the clock, the days do not.
        let days = warning.and_then(|warning| warning.split(':').next()).map(str::to_owned);
        if days != self.warned {
            self.warned = days;
            lines.extend(warning.map(|warning| Line::Warn(format!("phone: {warning}"))));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tetherd_api::{Evidence, Time};

    #[test]
    fn each_change_is_said_once() {
        let mut log = PhoneLog::default();
        let mut phone = PhoneStatus::unknown(Time(0));
        assert_eq!(log.lines(&phone), []);
        phone.state = PhoneState::Offline;
        assert_eq!(log.lines(&phone), [Line::Info("phone offline".to_owned())]);
        assert_eq!(log.lines(&phone), []);
        let what = "the network unlinks this device soon".to_owned();
        phone.reasons = vec![Evidence { what, at: None, age_s: None }];
        let warning = "phone: the network unlinks this device soon".to_owned();
        assert_eq!(log.lines(&phone), [Line::Warn(warning)]);
        assert_eq!(log.lines(&phone), []);
        phone.state = PhoneState::Unknown;
        assert_eq!(log.lines(&phone), [Line::Info("phone unknown".to_owned())]);
    }
}
