//! The sending hours of a week, as they are written: `Mon-Fri 08:00-18:00`. Knows no date and no
//! time zone.

use std::fmt;
use std::str::FromStr;

/// The days, as they are written; a week begins on Monday.
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const DAY_MIN: u32 = 24 * 60;
const WEEK_MIN: u32 = 7 * DAY_MIN;
/// Most entries of a week.
pub(crate) const ENTRIES_MAX: usize = 32;

/// A part of the week: on each of these days, from one time to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoursEntry {
    /// The first and the last day, 0 for Monday. The last may lie before the first.
    days: (u32, u32),
    /// Minutes of the day; the end may be midnight, and lies on the next day where it is not
    /// after the beginning.
    times: (u32, u32),
}

/// Why a text is no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an entry is days and times, such as Mon-Fri 08:00-18:00")]
pub struct NotAnEntry;

/// When messages may leave; without an entry, at any time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WeekHours(Vec<HoursEntry>);

impl HoursEntry {
    fn days(self) -> impl Iterator<Item = u32> {
        let (first, last) = self.days;
        (0..=(last + 7 - first) % 7).map(move |n| (first + n) % 7)
    }

    /// From its beginning on a day, in minutes; the end may lie on the next day.
    fn minutes(self) -> (u32, u32) {
        let (from, to) = self.times;
        (from, if to > from { to } else { to + DAY_MIN })
    }

    /// Its spans, in minutes of the week. They may pass its end.
    fn spans(self) -> impl Iterator<Item = (u32, u32)> {
        let (from, to) = self.minutes();
        self.days().map(move |day| (day * DAY_MIN + from, day * DAY_MIN + to))
    }

    fn overlaps(self, other: HoursEntry) -> bool {
        let meet = |(a, b): (u32, u32), (c, d): (u32, u32)| a < d && c < b;
        self.spans().any(|one| {
            other.spans().any(|(from, to)| {
                [0, WEEK_MIN].into_iter().any(|week| {
                    meet(one, (from + week, to + week))
                        || meet((one.0 + week, one.1 + week), (from, to))
                })
            })
        })
    }
}

impl WeekHours {
    /// These; none: there are too many.
    pub(crate) fn new(entries: Vec<HoursEntry>) -> Option<WeekHours> {
        (entries.len() <= ENTRIES_MAX).then_some(WeekHours(entries))
    }

    /// As they are written.
    pub(crate) fn entries(&self) -> &[HoursEntry] {
        &self.0
    }

    /// Whether messages may leave at any time.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The spans that begin on this day of the week, 0 for Monday, in minutes of that day. An end
    /// beyond it lies on the next day.
    pub fn on(&self, day: u32) -> impl Iterator<Item = (u32, u32)> {
        let entries = self.0.iter().filter(move |entry| entry.days().any(|other| other == day));
        entries.map(|entry| entry.minutes())
    }

    /// Two entries with a time in common.
    pub(crate) fn overlap(&self) -> Option<(HoursEntry, HoursEntry)> {
        self.0.iter().enumerate().find_map(|(n, one)| {
            let other = self.0[..n].iter().find(|other| one.overlaps(**other))?;
            Some((*other, *one))
        })
    }
}

impl FromStr for HoursEntry {
    type Err = NotAnEntry;

    fn from_str(text: &str) -> Result<HoursEntry, NotAnEntry> {
        let (days, times) = text.trim().split_once(' ').ok_or(NotAnEntry)?;
        let (from, to) = times.trim().split_once('-').ok_or(NotAnEntry)?;
        let days = match days.split_once('-') {
            Some((first, last)) => (day(first)?, day(last)?),
            None => (day(days)?, day(days)?),
        };
        let times = (time(from)?, time(to)?);
        // Nothing is open then.
        if times.0 == DAY_MIN || times.0 == times.1 {
            return Err(NotAnEntry);
        }
        Ok(HoursEntry { days, times })
    }
}

fn day(text: &str) -> Result<u32, NotAnEntry> {
    let index = DAYS.iter().position(|day| day.eq_ignore_ascii_case(text));
    index.and_then(|index| u32::try_from(index).ok()).ok_or(NotAnEntry)
}

/// `08:00`, `24:00`.
fn time(text: &str) -> Result<u32, NotAnEntry> {
    let (hours, minutes) = text.split_once(':').ok_or(NotAnEntry)?;
    let number = |text: &str, max| {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse().ok().filter(|number: &u32| digits && *number <= max);
        number.ok_or(NotAnEntry)
    };
    let minutes = number(hours, 24)? * 60 + number(minutes, 59)?;
    if minutes > DAY_MIN { Err(NotAnEntry) } else { Ok(minutes) }
}

impl fmt::Display for HoursEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |day: u32| usize::try_from(day).ok().and_then(|day| DAYS.get(day)).copied();
        let (first, last) = (name(self.days.0), name(self.days.1));
        write!(f, "{}", first.unwrap_or_default())?;
        if first != last {
            write!(f, "-{}", last.unwrap_or_default())?;
        }
        let (from, to) = self.times;
        write!(f, " {:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn week(entries: &[&str]) -> WeekHours {
        WeekHours::new(entries.iter().map(|entry| entry.parse().unwrap()).collect()).unwrap()
    }

    fn on(week: &WeekHours, day: u32) -> Vec<(u32, u32)> {
        week.on(day).collect()
    }

    #[test]
    fn entries_are_read_and_written() {
        for text in ["Mon-Fri 08:00-18:00", "Sat 09:30-12:00", "Fri-Mon 22:00-02:00"] {
            assert_eq!(text.parse::<HoursEntry>().unwrap().to_string(), text);
        }
        assert_eq!("sun 8:00-24:00".parse::<HoursEntry>().unwrap().to_string(), "Sun 08:00-24:00");
        for text in [
            "",
            "Mon",
            "Mon 8-9",
            "Mon 08:00",
            "Mon-Xyz 08:00-09:00",
            "Mon 08:60-09:00",
            "Mon 08:00-24:01",
            "Mon 24:00-02:00",
            "Mon 08:00-08:00",
            "Mon,Tue 08:00-09:00",
            "Mon +8:00-09:00",
            "08:00-18:00",
        ] {
            assert!(text.parse::<HoursEntry>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_day_has_the_spans_that_begin_on_it() {
        let week = week(&["Sat-Mon 22:00-02:00", "Mon 08:00-24:00"]);
        assert_eq!(on(&week, 0), [(22 * 60, 26 * 60), (8 * 60, 24 * 60)]);
        assert_eq!(on(&week, 6), [(22 * 60, 26 * 60)]);
        assert_eq!(on(&week, 3), []);
        assert!(week.overlap().is_some(), "both are open on Monday at 23:00");
    }

    #[test]
    fn what_overlaps_is_found_over_the_ends_of_days_and_of_the_week() {
        for (entries, overlap) in [
            (["Mon-Fri 08:00-18:00", "Sat 08:00-18:00"], false),
            (["Mon-Fri 08:00-12:00", "Mon-Fri 12:00-18:00"], false),
            (["Mon-Fri 08:00-12:01", "Mon-Fri 12:00-18:00"], true),
            (["Sun 22:00-02:00", "Mon 01:00-03:00"], true),
            (["Sun 22:00-02:00", "Mon 02:00-03:00"], false),
            (["Mon 22:00-02:00", "Tue 01:00-03:00"], true),
        ] {
            assert_eq!(week(&entries).overlap().is_some(), overlap, "{entries:?}");
        }
    }
}
