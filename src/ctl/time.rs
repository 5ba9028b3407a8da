//! Times as people read and write them. Pure: what time it is, and where, is given.

use std::str::FromStr;
use std::time::Duration;

use jiff::civil::{DateTime, Time as DayTime};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{Timestamp, ToSpan};

use tetherd_config::value::parse_duration;

use tetherd_api::Time;

/// The most days from one reading of a clock to the next: one day may skip it.
const DAYS_BETWEEN_READINGS_MAX: i64 = 2;

/// What time it is, and where the reader is.
#[derive(Clone, Debug)]
pub struct Clock {
    /// Milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// The reader's time zone; where it is not known, times are in UTC.
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

    /// When this clock reads `time` next. A day whose clock skips it has none, and one that
    /// reads it twice has two.
    fn next(&self, time: DayTime) -> Option<Time> {
        let now = Timestamp::from_millisecond(self.now_ms).ok()?;
        let today = now.to_zoned(self.zone.clone()).date();
        for days in 0..=DAYS_BETWEEN_READINGS_MAX {
            let at = today.checked_add(days.days()).ok()?.to_datetime(time);
            let offsets = match self.zone.to_ambiguous_timestamp(at).offset() {
                AmbiguousOffset::Unambiguous { offset } => [Some(offset), None],
                AmbiguousOffset::Gap { .. } => [None, None],
                AmbiguousOffset::Fold { before, after } => [Some(before), Some(after)],
            };
            let readings = offsets.into_iter().flatten().filter_map(|o| o.to_timestamp(at).ok());
            if let Some(next) = readings.into_iter().find(|reading| *reading > now) {
                return Some(Time(next.as_millisecond()));
            }
        }
        None
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

/// The zone of `TZ`, or else the system's. [`TimeZone::unknown`] where `TZ` names one that
/// is not known; UTC where nothing names one, as the C library has it.
pub fn system_zone() -> TimeZone {
    match TimeZone::try_system() {
        Ok(zone) => zone,
        Err(_) if std::env::var_os("TZ").is_none() => TimeZone::UTC,
        Err(_) => TimeZone::unknown(),
    }
}

/// A time as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeSpec {
    /// `2h`: so long from now.
    In(Duration),
    /// `14:30`: the next time that the clock reads this.
    Next(DayTime),
    /// `2026-01-31 14:30`: where the reader is.
    Local(DateTime),
    /// RFC 3339.
    Exact(Time),
}

/// Why a text names no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeSpecError {
    /// It is written in no known way.
    #[error(
        "write a duration (2h), a time (14:30), a date and time (2026-01-31 14:30), or RFC 3339"
    )]
    Form,
    /// It is a local time, and nobody knows where.
    #[error(
        "TZ names a time zone that is not known here; correct TZ, or write the time with its \
         offset (2026-01-31T14:30:00+01:00)"
    )]
    UnknownZone,
    /// The clocks are put forward over it.
    #[error("{0} does not exist in this time zone: the clocks are put forward over it")]
    Skipped(DateTime),
    /// The clocks are put back, and read it twice.
    #[error(
        "{0} happens twice in this time zone, as the clocks are put back: write {0}{1} or {0}{2}"
    )]
    Twice(DateTime, Offset, Offset),
    /// It lies beyond the calendar.
    #[error("there is no such time")]
    OutOfRange,
}

impl FromStr for TimeSpec {
    type Err = TimeSpecError;

    fn from_str(text: &str) -> Result<TimeSpec, TimeSpecError> {
        let text = text.trim();
        if let Ok(duration) = parse_duration(text) {
            return Ok(TimeSpec::In(duration));
        }
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(TimeSpec::Exact(Time(at.as_millisecond())));
        }
        // A zone that is named but not understood must not be passed over.
        let plain = text.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | ':' | ' ' | 'T'));
        if !plain {
            return Err(TimeSpecError::Form);
        }
        if let Ok(at) = DayTime::strptime("%H:%M", text) {
            return Ok(TimeSpec::Next(at));
        }
        text.parse().map(TimeSpec::Local).map_err(|_| TimeSpecError::Form)
    }
}

impl TimeSpec {
    /// When that is on this clock.
    pub fn on(self, clock: &Clock) -> Result<Time, TimeSpecError> {
        match self {
            TimeSpec::In(wait) => i64::try_from(wait.as_millis())
                .ok()
                .and_then(|ms| clock.now_ms.checked_add(ms))
                .map(Time)
                .ok_or(TimeSpecError::OutOfRange),
            TimeSpec::Exact(at) => Ok(at),
            TimeSpec::Local(_) | TimeSpec::Next(_) if clock.zone.is_unknown() => {
                Err(TimeSpecError::UnknownZone)
            }
            TimeSpec::Local(at) => {
                let offset = match clock.zone.to_ambiguous_timestamp(at).offset() {
                    AmbiguousOffset::Unambiguous { offset } => offset,
                    AmbiguousOffset::Gap { .. } => return Err(TimeSpecError::Skipped(at)),
                    AmbiguousOffset::Fold { before, after } => {
                        return Err(TimeSpecError::Twice(at, before, after));
                    }
                };
                let at = offset.to_timestamp(at).map_err(|_| TimeSpecError::OutOfRange)?;
                Ok(Time(at.as_millisecond()))
            }
            TimeSpec::Next(time) => clock.next(time).ok_or(TimeSpecError::OutOfRange),
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
    fn time_specs_are_read_as_people_write_them() {
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
            let time_spec: TimeSpec = text.parse().unwrap();
            assert_eq!(time_spec.on(&clock), Ok(Time(clock.now_ms + after_ms)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_spec_is_refused() {
        for text in
            ["", "soon", "25:00", "14:30 CET", "2026-13-01 10:00", "2026-01-01T10:00+x", "7"]
        {
            assert_eq!(text.parse::<TimeSpec>(), Err(TimeSpecError::Form), "{text}");
        }
    }

    /// 2026-03-29 and 2026-10-25, when the clocks of central Europe change.
    #[test]
    fn a_local_time_that_the_clock_skips_or_reads_twice_is_not_guessed() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let clock = Clock { now_ms: 0, zone };
        for (text, said) in [
            (
                "2026-03-29 02:30",
                "2026-03-29T02:30:00 does not exist in this time zone: the clocks are put forward \
                 over it",
            ),
            (
                "2026-10-25 02:30",
                "2026-10-25T02:30:00 happens twice in this time zone, as the clocks are put back: \
                 write 2026-10-25T02:30:00+02 or 2026-10-25T02:30:00+01",
            ),
        ] {
            let error = text.parse::<TimeSpec>().unwrap().on(&clock).unwrap_err();
            assert_eq!(error.to_string(), said);
        }
        for (text, at) in [
            ("2026-10-25T02:30:00+02", 1_792_888_200_000),
            ("2026-10-25T02:30:00+01", 1_792_891_800_000),
            ("2026-03-29 03:00", 1_774_746_000_000),
        ] {
            assert_eq!(text.parse::<TimeSpec>().unwrap().on(&clock), Ok(Time(at)), "{text}");
        }
    }

    #[test]
    fn the_next_time_that_the_clock_reads_something_is_found_over_a_change() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let on = |now: &str| Clock {
            now_ms: now.parse::<Timestamp>().unwrap().as_millisecond(),
            zone: zone.clone(),
        };
        for (now, next) in [
            ("2026-03-29T01:59:00+01", "2026-03-30T02:30:00+02"),
            ("2026-03-28T02:30:00+01", "2026-03-30T02:30:00+02"),
            ("2026-10-25T02:00:00+02", "2026-10-25T02:30:00+02"),
            ("2026-10-25T02:30:00+02", "2026-10-25T02:30:00+01"),
            ("2026-10-25T02:30:00+01", "2026-10-26T02:30:00+01"),
        ] {
            let time_spec: TimeSpec = "02:30".parse().unwrap();
            let at = next.parse::<Timestamp>().unwrap().as_millisecond();
            assert_eq!(time_spec.on(&on(now)), Ok(Time(at)), "{now}");
        }
    }

    #[test]
    fn in_a_zone_that_is_not_known_only_a_local_time_is_refused() {
        let clock = Clock { now_ms: 1_767_225_600_000, zone: TimeZone::unknown() };
        for text in ["22:30", "2026-01-01 22:30"] {
            let time_spec: TimeSpec = text.parse().unwrap();
            assert_eq!(time_spec.on(&clock), Err(TimeSpecError::UnknownZone), "{text}");
        }
        for text in ["2h", "2026-01-01T22:30:00Z"] {
            assert!(text.parse::<TimeSpec>().unwrap().on(&clock).is_ok(), "{text}");
        }
        assert_eq!(clock.local(Time(1_767_225_661_000)), "00:01:01");
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
