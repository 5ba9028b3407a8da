//! The sending hours: when messages may leave, as instants that the shell has worked out. Knows
//! no clock, no day and no time zone.

use std::sync::Arc;

/// After the spans that are known, the last week repeats: clocks that are put forward or back
/// then move it by an hour, until the shell has worked it out anew.
const WEEK_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

/// A time in which messages may leave, in wall milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenSpan {
    /// Its beginning.
    pub opens: i64,
    /// The first instant after it.
    pub closes: i64,
}

/// When messages may leave: a week of the past and a week to come at least, in order, and with
/// time between them. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenHours(Arc<[OpenSpan]>);

impl OpenHours {
    /// None where nothing is open: then there are no hours to keep.
    pub fn new(spans: Vec<OpenSpan>) -> Option<OpenHours> {
        (!spans.is_empty()).then(|| OpenHours(spans.into()))
    }

    /// The first instant from this one on at which messages may leave.
    pub(super) fn open_from(&self, wall_ms: i64) -> i64 {
        let last = self.0.last().map_or(i64::MAX, |span| span.closes);
        let over = wall_ms.saturating_sub(last);
        let weeks = if over < 0 { 0 } else { over / WEEK_MS + 1 };
        let shift = weeks.saturating_mul(WEEK_MS);
        let at = wall_ms.saturating_sub(shift);
        let span = self.0.iter().find(|span| span.closes > at);
        span.map_or(wall_ms, |span| span.opens.max(at)).saturating_add(shift)
    }

    /// Whether messages may leave, by the spans alone.
    #[cfg(test)]
    pub(crate) fn is_open(&self, wall_ms: i64) -> bool {
        let last = self.0.last().map_or(0, |span| span.closes);
        let in_span = |at: i64| self.0.iter().any(|span| (span.opens..span.closes).contains(&at));
        let mut at = wall_ms;
        while at >= last {
            at -= WEEK_MS;
        }
        in_span(at)
    }

    /// Since when nothing leaves; none: messages may leave.
    pub(super) fn closed_since(&self, wall_ms: i64) -> Option<i64> {
        if self.open_from(wall_ms) == wall_ms {
            return None;
        }
        let before = self.0.iter().rev().find(|span| span.closes <= wall_ms);
        Some(before.map_or(wall_ms, |span| span.closes))
    }

    /// When that changes next.
    pub(super) fn changes_at(&self, wall_ms: i64) -> i64 {
        let opens = self.open_from(wall_ms);
        if opens > wall_ms {
            return opens;
        }
        let span = self.0.iter().find(|span| span.closes > wall_ms);
        span.map_or(wall_ms.saturating_add(WEEK_MS), |span| span.closes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    const DAY: i64 = 24 * HOUR;

    /// From 8 to 18 on five days of each week.
    fn hours() -> OpenHours {
        let day =
            |day: i64| OpenSpan { opens: day * DAY + 8 * HOUR, closes: day * DAY + 18 * HOUR };
        OpenHours::new((0..14).filter(|n| n % 7 < 5).map(day).collect()).unwrap()
    }

    #[test]
    fn it_opens_at_once_or_with_the_next_span_and_weeks_repeat() {
        let hours = hours();
        for week in 0..300 {
            let week = week * 7 * DAY;
            assert_eq!(hours.open_from(week + 9 * HOUR), week + 9 * HOUR);
            assert_eq!(hours.open_from(week + 7 * HOUR), week + 8 * HOUR);
            assert_eq!(hours.open_from(week + 18 * HOUR), week + DAY + 8 * HOUR);
            assert_eq!(hours.open_from(week + 5 * DAY), week + 7 * DAY + 8 * HOUR);
        }
        assert_eq!(hours.closed_since(7 * DAY), Some(4 * DAY + 18 * HOUR));
        assert_eq!(hours.closed_since(8 * HOUR), None);
        assert_eq!(hours.changes_at(8 * HOUR), 18 * HOUR);
        assert_eq!(hours.changes_at(18 * HOUR), DAY + 8 * HOUR);
    }
}
