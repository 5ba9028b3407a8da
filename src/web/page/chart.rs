//! Place and pace over time: how many messages waited, and how many left, drawn as SVG from
//! what the feed has said. The same numbers stand below it, for those who cannot see it.

use maud::{Markup, html};
use tetherd_api::{Status, Time};

use super::visit::Visit;
use super::words::{at, messages};
use crate::clock;
use crate::daemon::Left;

const WIDTH: i64 = 640;
const HEIGHT: i64 = 160;
/// Room for the numbers at the side and below.
const LEFT: i64 = 34;
const BOTTOM: i64 = 20;
const TOP: i64 = 8;
/// Points from left to right.
const STEPS: i64 = 60;

/// For how long it looks back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    Quarter,
    Hours,
    Day,
    Week,
}

impl Span {
    const ALL: [Span; 4] = [Span::Quarter, Span::Hours, Span::Day, Span::Week];

    pub(super) fn named(name: &str) -> Span {
        Span::ALL.into_iter().find(|span| span.name() == name).unwrap_or(Span::Hours)
    }

    const fn name(self) -> &'static str {
        match self {
            Span::Quarter => "15m",
            Span::Hours => "3h",
            Span::Day => "24h",
            Span::Week => "7d",
        }
    }

    const fn ms(self) -> i64 {
        let minute = 60_000;
        match self {
            Span::Quarter => 15 * minute,
            Span::Hours => 180 * minute,
            Span::Day => 1_440 * minute,
            Span::Week => 10_080 * minute,
        }
    }
}

/// What is drawn: per step, how many waited at its end, and how many left in it.
#[derive(Debug, PartialEq, Eq)]
struct Series {
    waiting: Vec<i64>,
    sent: Vec<i64>,
}

fn series(times: &[Left], now: i64, span: i64) -> Series {
    let (step, from) = (span / STEPS, now - span);
    let ends = (1..=STEPS).map(|n| from + n * step);
    let waiting = ends.clone().map(|end| {
        let waits =
            |left: &&Left| left.accepted_at.0 <= end && left.left_at.is_none_or(|at| at.0 > end);
        count(times.iter().filter(waits).count())
    });
    let sent = ends.map(|end| {
        let left = |at: Time| at.0 > end - step && at.0 <= end;
        count(times.iter().filter(|times| times.sent_at.is_some_and(left)).count())
    });
    Series { waiting: waiting.collect(), sent: sent.collect() }
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// A number at the top of an axis that everything fits below: 1, 2 or 5 and noughts.
fn top(most: i64) -> i64 {
    let mut scale = 1;
    loop {
        for step in [1, 2, 5] {
            if step * scale >= most.max(4) {
                return step * scale;
            }
        }
        scale *= 10;
    }
}

/// Draws it.
pub(super) fn draw(visit: &Visit, status: &Status, span: Span) -> Markup {
    let now = clock::now().0;
    let series = series(&visit.daemon.feed.times(), now, span.ms());
    let most = series.waiting.iter().chain(&series.sent).copied().max().unwrap_or(0);
    let top = top(most);
    let sent: i64 = series.sent.iter().sum();
    let waiting = series.waiting.last().copied().unwrap_or(0);
    let summary = format!(
        "In the last {}, at most {} waited at a time, {} left, and {} wait now. The pace is {} \
         per {} s.",
        span.name(),
        series.waiting.iter().max().unwrap_or(&0),
        sent,
        waiting,
        status.pacing.limit,
        status.pacing.window_ms / 1_000,
    );
    html! {
        section #chart data-live {
            h2 { "Place and pace" }
            p.spans {
                @for known in Span::ALL {
                    a href=(visit.path(&format!("?span={}", known.name())))
                        aria-current=[(known == span).then_some("true")] { (known.name()) }
                }
            }
            figure {
                (svg(&series, top, now, span, &summary))
                figcaption {
                    span.key.waiting { "waiting" } " " span.key.sent { "left" }
                    " · " (summary)
                }
            }
            @if sent == 0 && most == 0 { p.hint { (messages(0)) " in this time." } }
        }
    }
}

fn svg(series: &Series, top: i64, now: i64, span: Span, summary: &str) -> Markup {
    let (right, floor) = (WIDTH - 4, HEIGHT - BOTTOM);
    let x = |n: i64| LEFT + n * (right - LEFT) / STEPS;
    let y = |value: i64| floor - value * (floor - TOP) / top;
    let mut area = format!("M{} {floor}", x(0));
    for (n, value) in (0..).zip(&series.waiting) {
        area.push_str(&format!("L{} {}L{} {}", x(n), y(*value), x(n + 1), y(*value)));
    }
    area.push_str(&format!("L{} {floor}Z", x(STEPS)));
    let width = ((right - LEFT) / STEPS - 2).max(2);
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(summary) {
            @for value in [0, top / 2, top] {
                line.grid x1=(LEFT) x2=(right) y1=(y(value)) y2=(y(value)) {}
                text.axis x=(LEFT - 6) y=(y(value) + 4) text-anchor="end" { (value) }
            }
            path.waiting d=(area) {}
            @for (n, value) in (0..).zip(&series.sent).filter(|(_, value)| **value > 0) {
                rect.sent x=(x(n) + 1) y=(y(*value)) width=(width) height=(floor - y(*value)) {}
            }
            text.axis x=(LEFT) y=(HEIGHT - 4) { (ago(span)) }
            text.axis x=(right) y=(HEIGHT - 4) text-anchor="end" { "now" }
            desc { "until " (at(Time(now))) }
        }
    }
}

fn ago(span: Span) -> String {
    format!("{} ago", span.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waited_and_what_left_is_counted_per_step() {
        let step = Span::Quarter.ms() / STEPS;
        let (now, start) = (Span::Quarter.ms(), 0);
        let left = |accepted: i64, left: Option<i64>, sent: Option<i64>| Left {
            accepted_at: Time(start + accepted),
            left_at: left.map(|at| Time(start + at)),
            sent_at: sent.map(|at| Time(start + at)),
        };
        let times = [
            left(1, Some(step + 1), Some(step + 1)),
            left(1, Some(step + 2), None),
            left(2 * step + 1, None, None),
        ];
        let series = series(&times, now, Span::Quarter.ms());
        assert_eq!(series.waiting[..4], [2, 0, 1, 1]);
        assert_eq!(series.sent[..4], [0, 1, 0, 0]);
        assert_eq!(series.waiting.last(), Some(&1));
        assert_eq!((top(0), top(5), top(11), top(400)), (5, 5, 20, 500));
    }
}
