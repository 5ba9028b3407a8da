//! Times as people read them. Pure: what time it is, and where, is given.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::rpc::api::Time;

/// What time it is, and where the reader is.
#[derive(Clone, Debug)]
pub struct Clock {
    /// Milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// The reader's time zone.
    pub zone: TimeZone,
}

impl Clock {
    /// `14:02:11` today, with the date on other days.
    pub fn local(&self, time: Time) -> String {
        let zoned =
            |ms: i64| Timestamp::from_millisecond(ms).ok().map(|at| at.to_zoned(self.zone.clone()));
        let (Some(at), Some(now)) = (zoned(time.0), zoned(self.now_ms)) else {
            return time.to_string();
        };
        let format = if at.date() == now.date() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
        at.strftime(format).to_string()
    }

    /// `3 min`: how long ago `time` was; nothing below zero.
    pub fn since(&self, time: Time) -> String {
        span(u64::try_from(self.now_ms.saturating_sub(time.0)).unwrap_or(0))
    }

    /// `in 40 s (14:02:11)`, or `now`.
    pub fn until(&self, time: Time) -> String {
        match u64::try_from(time.0.saturating_sub(self.now_ms)) {
            Ok(ms) if ms >= 1_000 => format!("in {} ({})", span(ms), self.local(time)),
            Ok(_) | Err(_) => String::from("now"),
        }
    }
}

/// A length of time in its two largest units: `40 s`, `1 min 20 s`, `2 h 05 min`, `3 d 4 h`.
pub fn span(ms: u64) -> String {
    let seconds = ms / 1_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    if days > 0 {
        format!("{days} d {} h", hours % 24)
    } else if hours > 0 {
        format!("{hours} h {:02} min", minutes % 60)
    } else if minutes > 0 && !seconds.is_multiple_of(60) {
        format!("{minutes} min {} s", seconds % 60)
    } else if minutes > 0 {
        format!("{minutes} min")
    } else {
        format!("{seconds} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_their_two_largest_units() {
        for (ms, text) in [
            (0, "0 s"),
            (999, "0 s"),
            (40_000, "40 s"),
            (60_000, "1 min"),
            (80_000, "1 min 20 s"),
            (7_500_000, "2 h 05 min"),
            (273_600_000, "3 d 4 h"),
        ] {
            assert_eq!(span(ms), text);
        }
    }

    #[test]
    fn the_date_is_told_on_other_days_only() {
        let clock = Clock { now_ms: 1_767_225_600_000, zone: TimeZone::UTC };
        assert_eq!(clock.local(Time(1_767_225_661_000)), "00:01:01");
        assert_eq!(clock.local(Time(1_767_225_599_000)), "2025-12-31 23:59:59");
        assert_eq!(clock.until(Time(1_767_225_640_000)), "in 40 s (00:00:40)");
        assert_eq!(clock.until(Time(1_767_225_600_500)), "now");
        assert_eq!(clock.since(Time(1_767_225_700_000)), "0 s");
    }
}
