//! The configured sending hours as instants: which spans of the week are open, in the time zone
//! and over its changes of the clock. Works them out for a week back and a week ahead, and anew
//! before they run out. Decides nothing about a message.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use tetherd_config::hours::WeekHours;
use tetherd_config::settings::PacingSection;
use tetherd_core::pacing::{OpenHours, OpenSpan};

/// They are worked out anew so often.
const RENEW_MS: i64 = 6 * 60 * 60 * 1_000;
/// For so many days before and after: what the core needs, and a day for what lies between two
/// times.
const DAYS: i64 = 9;

/// When messages may leave.
#[derive(Debug)]
pub(super) struct SendingHours {
    week: WeekHours,
    /// None: the machine's.
    zone: Option<String>,
    /// When they were last worked out, wall milliseconds.
    worked_out: Option<i64>,
}

impl SendingHours {
    pub(super) fn new(pacing: &PacingSection) -> SendingHours {
        let (week, zone) = (pacing.hours.clone(), pacing.time_zone.clone());
        SendingHours { week, zone, worked_out: None }
    }

    /// The hours, if the core does not know them yet, or not for long enough.
    pub(super) fn news(&mut self, wall_ms: i64) -> Option<Option<OpenHours>> {
        let good = |at: i64| (at..at.saturating_add(RENEW_MS)).contains(&wall_ms);
        let known = self.worked_out.is_some_and(|at| self.week.is_empty() || good(at));
        if known {
            return None;
        }
        self.worked_out = Some(wall_ms);
        Some(self.around(wall_ms))
    }

    fn around(&self, wall_ms: i64) -> Option<OpenHours> {
        if self.week.is_empty() {
            return None;
        }
        // One that the configuration was read with is known; UTC is what is left otherwise.
        let zone = match &self.zone {
            Some(name) => TimeZone::get(name).unwrap_or(TimeZone::UTC),
            None => TimeZone::try_system().unwrap_or(TimeZone::UTC),
        };
        let now = Timestamp::from_millisecond(wall_ms).ok()?;
        let today = zone.to_datetime(now).date();
        let days = (-DAYS..=DAYS).filter_map(|n| today.checked_add(n.days()).ok());
        let mut spans: Vec<OpenSpan> = days.flat_map(|day| self.on(day, &zone)).collect();
        spans.sort_unstable_by_key(|span| span.opens);
        OpenHours::new(joined(spans))
    }

    fn on(&self, day: Date, zone: &TimeZone) -> Vec<OpenSpan> {
        let weekday = day.weekday().to_monday_zero_offset();
        let spans = self.week.on(u32::try_from(weekday).unwrap_or(0));
        let span = |(from, to)| {
            let span =
                OpenSpan { opens: instant(day, from, zone)?, closes: instant(day, to, zone)? };
            // The clocks are put forward over one that is empty.
            Some(span).filter(|span| span.opens < span.closes)
        };
        spans.filter_map(span).collect()
    }
}

/// So many minutes after a day's midnight, as its clocks read them. What they are put forward
/// over is as much later; of what they read twice, the first.
fn instant(day: Date, minutes: u32, zone: &TimeZone) -> Option<i64> {
    let day = day.checked_add(i64::from(minutes / 1_440).days()).ok()?;
    let (hour, minute) = (minutes % 1_440 / 60, minutes % 60);
    let time = Time::new(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0).ok()?;
    let at = zone.to_ambiguous_timestamp(day.to_datetime(time)).compatible().ok()?;
    Some(at.as_millisecond())
}

/// Without those that follow each other at once.
fn joined(spans: Vec<OpenSpan>) -> Vec<OpenSpan> {
    let mut all: Vec<OpenSpan> = Vec::with_capacity(spans.len());
    for span in spans {
        match all.last_mut() {
            Some(last) if last.closes >= span.opens => last.closes = last.closes.max(span.closes),
            Some(_) | None => all.push(span),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use tetherd_config::Config;

    const HOUR: i64 = 3_600_000;

    fn hours(entries: &[&str], zone: &str) -> SendingHours {
        let mut pacing = Config::default().pacing;
        let text = format!("[pacing]\nhours = {entries:?}\ntime_zone = {zone:?}\n");
        let loaded = Config::from_text(&text, None, &tetherd_config::Environment::system());
        pacing.clone_from(&loaded.unwrap().config.pacing);
        SendingHours::new(&pacing)
    }

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    /// The spans that begin within so many hours of this time, in hours from it.
    fn spans(hours: &SendingHours, from: &str, within: i64) -> Vec<(i64, i64)> {
        let from = at(from);
        let all = (-DAYS..=DAYS).flat_map(|n| {
            let now = Timestamp::from_millisecond(from).unwrap();
            let zone = TimeZone::get(hours.zone.as_deref().unwrap()).unwrap();
            let day = zone.to_datetime(now).date().checked_add(n.days()).unwrap();
            hours.on(day, &zone)
        });
        let all = joined(all.collect());
        let near = all.iter().filter(|s| (0..within * HOUR).contains(&(s.opens - from)));
        near.map(|s| ((s.opens - from) / HOUR, (s.closes - from) / HOUR)).collect()
    }

    #[test]
    fn a_day_is_an_hour_shorter_or_longer_when_the_clocks_change() {
        let berlin = hours(&["Mon-Sun 08:00-18:00"], "Europe/Berlin");
        // Forward on 2026-03-29, back on 2026-10-25.
        assert_eq!(spans(&berlin, "2026-03-28T00:00:00+01:00", 48), [(8, 18), (31, 41)]);
        assert_eq!(spans(&berlin, "2026-10-24T00:00:00+02:00", 48), [(8, 18), (33, 43)]);
        // Open all night, over the change.
        let night = hours(&["Sat 22:00-06:00"], "Europe/Berlin");
        assert_eq!(spans(&night, "2026-03-28T00:00:00+01:00", 48), [(22, 29)]);
        assert_eq!(spans(&night, "2026-10-24T00:00:00+02:00", 48), [(22, 31)]);
        // The hour that does not exist.
        let gap = hours(&["Sun 02:00-03:00"], "Europe/Berlin");
        assert_eq!(spans(&gap, "2026-03-28T00:00:00+01:00", 48), []);
    }

    #[test]
    fn spans_that_meet_are_one_and_midnight_is_no_end() {
        let all = hours(&["Mon-Sun 00:00-24:00"], "UTC");
        let open = all.around(at("2026-11-27T12:00:00Z")).unwrap();
        assert_eq!(
            open,
            OpenHours::new(vec![OpenSpan {
                opens: at("2026-11-18T00:00:00Z"),
                closes: at("2026-12-07T00:00:00Z"),
            }])
            .unwrap()
        );
    }

    #[test]
    fn they_are_worked_out_before_they_run_out_and_after_the_clock_was_set() {
        let mut some = hours(&["Mon 08:00-09:00"], "UTC");
        let now = at("2026-11-27T12:00:00Z");
        assert!(some.news(now).unwrap().is_some());
        assert!(some.news(now + HOUR).is_none());
        assert!(some.news(now + 6 * HOUR).unwrap().is_some());
        assert!(some.news(now).unwrap().is_some(), "the clock was set back");
        let mut none = hours(&[], "UTC");
        assert_eq!(none.news(now), Some(None));
        assert!(none.news(now + 100 * HOUR).is_none());
    }
}
