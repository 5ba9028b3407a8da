//! Times as people read and write them. Pure: what time it is, and where, is given.

use std::str::FromStr;
use std::time::Duration;

use jiff::civil::{DateTime, Time as DayTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use tetherd_config::value::parse_duration;

use tetherd_api::Time;

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

/// A moment as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// `2h`: so long from now.
    In(Duration),
    /// `14:30`: the next time that the clock reads this.
    Next(DayTime),
    /// `2026-01-31 14:30`: where the reader is.
    Local(DateTime),
    /// RFC 3339.
    Exact(Time),
}

/// A text that names no moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a duration (2h), a time (14:30), a date and time (2026-01-31 14:30), or RFC 3339")]
pub struct NotAMoment;

impl FromStr for Moment {
    type Err = NotAMoment;

    fn from_str(text: &str) -> Result<Moment, NotAMoment> {
        let text = text.trim();
        if let Ok(duration) = parse_duration(text) {
            return Ok(Moment::In(duration));
        }
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(Moment::Exact(Time(at.as_millisecond())));
        }
        // A zone that is named but not understood must not be passed over.
        let plain = text.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | ':' | ' ' | 'T'));
        if !plain {
            return Err(NotAMoment);
        }
        if let Ok(at) = DayTime::strptime("%H:%M", text) {
            return Ok(Moment::Next(at));
        }
        text.parse().map(Moment::Local).map_err(|_| NotAMoment)
    }
}

impl Moment {
    /// The moment on this clock. None: there is no such time.
    pub fn on(self, clock: &Clock) -> Option<Time> {
        let zone = &clock.zone;
        let at = match self {
            Moment::In(wait) => {
                let ms = i64::try_from(wait.as_millis()).ok()?;
                return clock.now_ms.checked_add(ms).map(Time);
            }
            Moment::Exact(at) => return Some(at),
            Moment::Local(at) => at.to_zoned(zone.clone()).ok()?,
            Moment::Next(time) => {
                let now = Timestamp::from_millisecond(clock.now_ms).ok()?.to_zoned(zone.clone());
                let today = now.date().to_datetime(time).to_zoned(zone.clone()).ok()?;
                if today > now {
                    today
                } else {
                    let tomorrow = now.date().checked_add(1.day()).ok()?;
                    tomorrow.to_datetime(time).to_zoned(zone.clone()).ok()?
                }
            }
        };
        Some(Time(at.timestamp().as_millisecond()))
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
    fn moments_are_read_as_people_write_them() {
        // 00:00 UTC, 01:00 in the reader's zone.
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let clock = Clock { now_ms: 1_767_225_600_000, zone };
        for (text, after_ms) in [
            ("90s", 90_000),
            ("01:30", 1_800_000),
            ("01:00", 86_400_000),
            ("00:30", 84_600_000),
            ("2026-01-01 02:00", 3_600_000),
            ("2026-01-01T02:00:30", 3_630_000),
            ("2026-01-01T02:00:00Z", 7_200_000),
            ("2026-01-01T02:00:00+02:00", 0),
        ] {
            let moment: Moment = text.parse().unwrap();
            assert_eq!(moment.on(&clock), Some(Time(clock.now_ms + after_ms)), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in
            ["", "soon", "25:00", "14:30 CET", "2026-13-01 10:00", "2026-01-01T10:00+x", "7"]
        {
            assert_eq!(text.parse::<Moment>(), Err(NotAMoment), "{text}");
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
