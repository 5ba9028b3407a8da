//! Draws the [`Model`] into a buffer of whatever size. Pure. What does not fit is said to be
//! missing, and never pushes anything else away. Its own drawing is ASCII, but for the QR code.

mod lines;
mod overlay;
mod paint;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::model::{Model, Overlay, Verdict};
use crate::render::{Clock, chat, clean, said};
use paint::{fit, put, rule, wrap};
use tetherd_api::Time;

/// Below it, nothing that helps can be drawn.
const WIDTH_MIN: u16 = 30;
const HEIGHT_MIN: u16 = 8;
/// Lines of the summary.
const SUMMARY_LINES_MAX: usize = 3;
/// Rows of a pane before others are dropped, its title included.
const WHY_ROWS_MIN: u16 = 5;
const QUEUE_ROWS_MIN: u16 = 4;
const EVENTS_ROWS_MIN: u16 = 3;

/// How things look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Theme {
    /// Whether colour is welcome. Nothing is said by colour alone.
    pub(super) colour: bool,
}

impl Theme {
    fn coloured(self, colour: Color) -> Style {
        if self.colour { Style::new().fg(colour) } else { Style::new() }
    }

    fn bold(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    fn badge(self, colour: Color) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED);
        if self.colour { style.fg(colour) } else { style }
    }

    fn bar(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}

/// Draws everything. Answers how far what is the case can be scrolled.
pub(super) fn draw(
    model: &Model,
    clock: &Clock,
    theme: Theme,
    area: Rect,
    buf: &mut Buffer,
) -> usize {
    if area.width < WIDTH_MIN || area.height < HEIGHT_MIN {
        let sentence = format!("top needs a window of {WIDTH_MIN} x {HEIGHT_MIN} (q quits)");
        for (row, line) in area.rows().zip(wrap(&sentence, area.width)) {
            put(buf, row, &Line::raw(line));
        }
        return 0;
    }
    let mut rows = area;
    let head = take(&mut rows, 1);
    let foot = Rect { y: area.bottom() - 2, height: 2, ..area };
    rows.height -= 2;
    draw_foot(model, theme, foot, buf);
    if model.overlay != Overlay::None {
        put(buf, head, &header(model, clock, theme, "", area.width));
        overlay::draw(model, clock, theme, rows, buf);
        return 0;
    }
    let top = verdict(model, clock, theme, area.width);
    let state = lines::state(model, clock, theme, area.width);
    for line in top.iter().chain(&state) {
        put(buf, take(&mut rows, 1), line);
    }
    let (below, missing) = panes(model, clock, theme, rows, buf);
    put(buf, head, &header(model, clock, theme, &missing, area.width));
    below
}

/// Cuts rows off above; fewer where there are no more.
fn take(rows: &mut Rect, height: u16) -> Rect {
    let height = height.min(rows.height);
    let taken = Rect { height, ..*rows };
    rows.y += height;
    rows.height -= height;
    taken
}

/// Whose daemon, what there is no room for, and the time.
fn header(
    model: &Model,
    clock: &Clock,
    theme: Theme,
    missing: &str,
    columns: u16,
) -> Line<'static> {
    let account = model.status.as_ref().and_then(|status| status.session.account.as_deref());
    let left = format!(" tetherd {}  {missing}", account.map(chat).unwrap_or_default());
    let right = format!(" {} ", clock.local(Time(clock.now_ms)));
    let left = fit(&left, usize::from(columns).saturating_sub(right.len()));
    Line::styled(format!("{left}{right}"), theme.bar())
}

/// Whether it is well, and the daemon's sentence about it.
fn verdict(model: &Model, clock: &Clock, theme: Theme, width: u16) -> Vec<Line<'static>> {
    let (badge, colour) = match model.verdict() {
        Verdict::Starting => (" ... ", Color::Blue),
        Verdict::Well => (" WELL ", Color::Green),
        Verdict::SomeHeld => (" SOME HELD ", Color::Yellow),
        Verdict::Held => (" HELD ", Color::Red),
        Verdict::NoDaemon => (" NO DAEMON ", Color::Red),
    };
    let sentence = match (&model.lost, &model.why) {
        (Some(lost), _) => format!(
            "for {}: {}. Tries go on; below is what was known before.",
            clock.since(lost.at),
            clean(&lost.why, false)
        ),
        (None, Some(why)) => said(&why.summary, clock),
        (None, None) => String::from("waiting for the daemon's answer"),
    };
    // The badge is one word of the width that it takes.
    let placeholder = "-".repeat(badge.len());
    let mut wrapped = wrap(&format!("{placeholder} {sentence}"), width);
    if wrapped.len() > SUMMARY_LINES_MAX {
        wrapped.truncate(SUMMARY_LINES_MAX);
        wrapped.iter_mut().last().into_iter().for_each(|last| last.push_str(" ..."));
    }
    let lines = wrapped.into_iter().enumerate().map(|(index, text)| {
        match text.strip_prefix(&placeholder) {
            Some(rest) if index == 0 => Line::from(vec![
                Span::styled(badge, theme.badge(colour)),
                Span::styled(rest.to_owned(), theme.bold()),
            ]),
            Some(_) | None => Line::styled(text, theme.bold()),
        }
    });
    lines.collect()
}

/// The panes that take what is left: why, queue, events. Answers how far the first can be
/// scrolled, and which have no room.
fn panes(
    model: &Model,
    clock: &Clock,
    theme: Theme,
    mut rows: Rect,
    buf: &mut Buffer,
) -> (usize, String) {
    let why = lines::why(model, clock, theme, rows.width);
    let queue = lines::queue(model, clock, theme);
    let events = lines::events(model, clock, rows.height);
    let wanted = [&why, &queue, &events].map(|pane| pane_rows(pane.len()));
    let heights = share(rows.height, wanted);

    let below = why.len().saturating_sub(usize::from(heights[0].saturating_sub(1)));
    let first = model.scrolled.min(below);
    let title = lines::why_title(why.len(), first, heights[0]);
    pane(take(&mut rows, heights[0]), &title, why.iter().skip(first), theme, buf);

    let first = lines::queue_first(model, heights[1]);
    let title = lines::queue_title(model, first, heights[1]);
    let below_head = queue.iter().skip(first + 1);
    let shown = queue.first().into_iter().chain(below_head);
    pane(take(&mut rows, heights[1]), &title, shown, theme, buf);

    let first = events.len().saturating_sub(usize::from(heights[2].saturating_sub(1)));
    pane(take(&mut rows, heights[2]), "Events", events.iter().skip(first), theme, buf);

    (below, missing(heights, wanted))
}

fn missing(heights: [u16; 3], wanted: [u16; 3]) -> String {
    let all = ["why", "queue", "events"].into_iter().zip(heights).zip(wanted);
    let names: Vec<&str> = all
        .filter(|((_, height), wanted)| *height == 0 && *wanted > 0)
        .map(|((name, _), _)| name)
        .collect();
    if names.is_empty() { String::new() } else { format!("no room for: {}", names.join(", ")) }
}

/// Rows with the title; none for nothing.
fn pane_rows(lines: usize) -> u16 {
    if lines == 0 { 0 } else { u16::try_from(lines + 1).unwrap_or(u16::MAX) }
}

/// Each gets its least, the first ones first; then what it wants; the last takes the rest.
fn share(rows: u16, wanted: [u16; 3]) -> [u16; 3] {
    let least = [WHY_ROWS_MIN, QUEUE_ROWS_MIN, EVENTS_ROWS_MIN];
    let mut left = rows;
    let mut heights = [0; 3];
    for ((height, wanted), least) in heights.iter_mut().zip(wanted).zip(least) {
        let give = wanted.min(least);
        // A title without a line below it says nothing.
        *height = if give <= left || left >= 2 { give.min(left) } else { 0 };
        left -= *height;
    }
    for (height, wanted) in heights.iter_mut().zip(wanted) {
        let give = if *height == 0 { 0 } else { (wanted - *height).min(left) };
        *height += give;
        left -= give;
    }
    if heights[2] > 0 {
        heights[2] += left;
    }
    heights
}

fn pane<'a>(
    mut rows: Rect,
    title: &str,
    lines: impl Iterator<Item = &'a Line<'static>>,
    theme: Theme,
    buf: &mut Buffer,
) {
    rule(buf, take(&mut rows, 1), title, theme.coloured(Color::Cyan));
    for (row, line) in rows.rows().zip(lines) {
        put(buf, row, line);
    }
}

/// The last act as a command, and the keys.
fn draw_foot(model: &Model, theme: Theme, mut foot: Rect, buf: &mut Buffer) {
    put(buf, take(&mut foot, 1), &lines::note(model, theme));
    put(buf, foot, &Line::styled(lines::hints(model, foot.width), theme.bar()));
}
