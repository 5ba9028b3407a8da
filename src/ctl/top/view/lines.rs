//! What stands in each part of the screen, as lines. Pure.

use ratatui::style::Color;
use ratatui::text::{Line, Span};

use super::Theme;
use super::paint::{fit, width, wrap};
use crate::explain;
use crate::phone;
use crate::render::{self, Clock, brief, chat, event, leaves, span};
use crate::top::keys;
use crate::top::model::{Model, Overlay};
use tetherd_api::{Holds, Message, State, Status};

/// Cells of a bar.
const BAR_CELLS: usize = 10;
/// Columns below which the words are worth more than a bar.
const BAR_COLUMNS_MIN: usize = 70;
/// The widest column but the text's.
const COLUMN_MAX: usize = 26;

/// Session, phone, queue and pace.
pub(super) fn state(
    model: &Model,
    clock: &Clock,
    theme: Theme,
    columns: u16,
) -> Vec<Line<'static>> {
    let Some(status) = &model.status else { return Vec::new() };
    let mut text = format!("session  {}\n", render::session(status, clock));
    text.push_str(&phone::lines(&status.phone, clock));
    text.push_str(&queue_line(status, model.sent_lately(clock)));
    text.push_str(&pace_line(status, clock));
    text.push_str(&next_line(status, clock));
    let bar_fits = usize::from(columns) >= BAR_COLUMNS_MIN;
    text.lines().map(|line| labelled(line, bar_fits, theme)).collect()
}

/// The label before the ninth column stands out.
fn labelled(line: &str, bar_fits: bool, theme: Theme) -> Line<'static> {
    let (label, rest) = line.split_at_checked(9).unwrap_or((line, ""));
    let rest = match rest.split_once("] ") {
        Some((bar, after)) if bar.starts_with('[') && !bar_fits => after,
        Some(_) | None => rest,
    };
    Line::from(vec![
        Span::styled(label.to_owned(), theme.coloured(Color::Cyan)),
        Span::raw(rest.to_owned()),
    ])
}

fn queue_line(status: &Status, sent: usize) -> String {
    let queue = &status.queue;
    let taken = queue.capacity.saturating_sub(queue.free);
    let more: Vec<String> =
        [(queue.preparing, "preparing"), (queue.sending, "sending"), (queue.unknown, "unknown")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, name)| format!(", {count} {name}"))
            .collect();
    format!(
        "queue    {} {taken} of {} waiting{}; {} parked; {sent} sent within 1 h\n",
        bar(taken, queue.capacity),
        queue.capacity,
        more.concat(),
        queue.parked
    )
}

fn pace_line(status: &Status, clock: &Clock) -> String {
    let pacing = &status.pacing;
    let mut text = format!(
        "pace     {} {} of {} in {}",
        bar(pacing.spent, pacing.limit),
        pacing.spent,
        pacing.limit,
        span(pacing.window_ms)
    );
    let times = [
        (pacing.next_slot_at, "a slot is free"),
        (pacing.opens_at, "the sending hours begin"),
        (pacing.slowed_until, "slowed by the server, ends"),
    ];
    for (at, what) in times {
        if let Some(at) = at {
            text.push_str(&format!("; {what} {}", clock.until(at)));
        }
    }
    text.push('\n');
    text
}

fn next_line(status: &Status, clock: &Clock) -> String {
    let queue = &status.queue;
    let stopped = status.conditions.iter().any(|one| one.holds == Holds::All);
    match (queue.next_send_at, queue.last_send_at) {
        _ if queue.paused => String::from("next     paused: nothing leaves\n"),
        (Some(next), Some(last)) if last > next => {
            format!("next     leaves {}, the last one {}\n", clock.until(next), clock.until(last))
        }
        (Some(next), _) => format!("next     leaves {}\n", clock.until(next)),
        (None, _) if status.queue.free == status.queue.capacity => {
            String::from("next     nothing waits\n")
        }
        (None, _) if stopped => String::from("next     leaves once what holds it is resolved\n"),
        (None, _) => String::from("next     not known\n"),
    }
}

/// `[#####...............]`
fn bar(part: usize, whole: usize) -> String {
    let filled = (part * BAR_CELLS).div_ceil(whole.max(1)).min(BAR_CELLS);
    format!("[{}{}]", "#".repeat(filled), ".".repeat(BAR_CELLS - filled))
}

/// What is the case, as `tetherctl why` says it.
pub(super) fn why(model: &Model, clock: &Clock, theme: Theme, columns: u16) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for condition in model.conditions() {
        let colour = match condition.holds {
            Holds::All => Color::Red,
            Holds::Some => Color::Yellow,
            Holds::None => Color::Reset,
        };
        let text = explain::one_condition(condition, clock);
        for (index, line) in text.trim_start_matches('\n').lines().enumerate() {
            let style =
                if index == 0 { theme.coloured(colour) } else { ratatui::style::Style::new() };
            lines.extend(wrap(line, columns).into_iter().map(|line| Line::styled(line, style)));
        }
    }
    lines
}

pub(super) fn why_title(lines: usize, first: usize, rows: u16) -> String {
    let shown = usize::from(rows.saturating_sub(1));
    let below = lines.saturating_sub(first + shown);
    match (first, below) {
        (0, 0) => String::from("Why"),
        (0, below) => format!("Why ({below} more lines: PgDn)"),
        (above, 0) => format!("Why ({above} lines above: PgUp)"),
        (above, below) => format!("Why ({above} lines above, {below} below: PgUp, PgDn)"),
    }
}

/// The names of the columns, and a line for each message.
pub(super) fn queue(model: &Model, clock: &Clock, theme: Theme) -> Vec<Line<'static>> {
    if model.queue.is_empty() {
        return Vec::new();
    }
    let mut rows = vec![["ID", "STATE", "TO", "AGE", "LEAVES", "TEXT"].map(String::from)];
    rows.extend(model.queue.iter().map(|message| cells(message, clock)));
    let mut widths = [0; 5];
    for row in &rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = width(cell).max(*widest).min(COLUMN_MAX);
        }
    }
    let selected = model.selected_line().map(|line| line + 1);
    let line = |(index, row): (usize, &[String; 6])| {
        let cells: Vec<String> =
            widths.iter().zip(row).map(|(width, cell)| fit(cell, *width)).collect();
        let [.., text] = row;
        let text = format!("{}  {text}", cells.join("  "));
        match index.checked_sub(1).and_then(|index| model.queue.get(index)) {
            None => Line::styled(text, theme.bold()),
            Some(_) if selected == Some(index) => Line::styled(text, theme.bar()),
            Some(message) => Line::styled(text, theme.coloured(colour_of(message.state))),
        }
    };
    rows.iter().enumerate().map(line).collect()
}

fn cells(message: &Message, clock: &Clock) -> [String; 6] {
    [
        message.id.to_string(),
        render::state(message),
        chat(&message.to),
        clock.since(message.accepted_at),
        leaves(message, clock),
        brief(message),
    ]
}

fn colour_of(state: State) -> Color {
    match state {
        State::Sending => Color::Green,
        State::Unknown | State::Parked => Color::Yellow,
        State::Preparing
        | State::Queued
        | State::Sent
        | State::Delivered
        | State::Read
        | State::Failed
        | State::Expired
        | State::Cancelled => Color::Reset,
    }
}

/// The first message that is shown, so that the selected one is.
pub(super) fn queue_first(model: &Model, rows: u16) -> usize {
    let shown = usize::from(rows.saturating_sub(2)).max(1);
    model.selected_line().map_or(0, |line| (line + 1).saturating_sub(shown))
}

pub(super) fn queue_title(model: &Model, first: usize, rows: u16) -> String {
    let shown = usize::from(rows.saturating_sub(2));
    let last = (first + shown).min(model.queue.len());
    if first == 0 && last == model.queue_total {
        return String::from("Queue");
    }
    format!("Queue ({} to {last} of {})", first + 1, model.queue_total)
}

/// The newest last.
pub(super) fn events(model: &Model, clock: &Clock, rows: u16) -> Vec<Line<'static>> {
    let skip = model.events.len().saturating_sub(usize::from(rows));
    model
        .events
        .iter()
        .skip(skip)
        .map(|frame| {
            let line = event(frame, clock);
            // The number to continue after is for programs.
            Line::raw(line.split_once(' ').map_or("", |(_, line)| line).to_owned())
        })
        .collect()
}

/// The command that the last key equals, and what came of it.
pub(super) fn note(model: &Model, theme: Theme) -> Line<'static> {
    let Some(note) = &model.note else { return Line::default() };
    let command = Span::styled(format!("$ {}", note.command), theme.bold());
    match &note.outcome {
        None => Line::from(vec![command, Span::raw(": ...")]),
        Some(Ok(done)) => Line::from(vec![command, Span::raw(format!(": {done}"))]),
        Some(Err(why)) => {
            let why = render::clean(why, false);
            Line::from(vec![
                command,
                Span::styled(format!(": not done: {why}"), theme.coloured(Color::Red)),
            ])
        }
    }
}

/// The keys that matter now, as many as fit; the first ones matter most.
pub(super) fn hints(model: &Model, columns: u16) -> String {
    let pause = if model.paused() { "p resume" } else { "p pause" };
    let hints: Vec<&str> = match &model.overlay {
        Overlay::None => {
            let retry = if keys::is_parked(model) { "r retry" } else { "R retry all" };
            let one = model.selected().is_some();
            let mut hints = vec!["? help", "q quit", pause, "c clear", "u undo", retry];
            hints.extend(one.then_some(["x cancel", "Enter show"]).into_iter().flatten());
            hints.extend(["l link phone"]);
            hints
        }
        Overlay::Clear(Some(found)) if found.cleared > 0 => vec!["y withdraw them", "n leave them"],
        Overlay::Clear(_) | Overlay::Help | Overlay::Pair { .. } | Overlay::Message(_) => {
            vec!["Esc close"]
        }
    };
    let mut text = String::new();
    for hint in hints {
        if text.len() + hint.len() + 3 > usize::from(columns) {
            break;
        }
        text.push_str(&format!(" {hint} "));
    }
    text
}
