//! What lies over the screen: the keys, the preview of a clear, a pairing, one message. Pure.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::text::Line;

use super::paint::{put, rule, width, wrap};
use super::{Theme, take};
use crate::qr;
use crate::render::{self, Clock, chat, clean, messages, pair_end};
use crate::top::keys;
use crate::top::model::{Model, Overlay};
use tetherd_api::{ClearResult, PairEnd, PairOffer};

/// Columns of the help's keys.
const KEY_COLUMNS: usize = 12;

pub(super) fn draw(model: &Model, clock: &Clock, theme: Theme, mut rows: Rect, buf: &mut Buffer) {
    let head = take(&mut rows, 1);
    let (title, text) = match &model.overlay {
        Overlay::None => return,
        Overlay::Help => (String::from("Keys"), help()),
        Overlay::Clear(None) => (String::from("Clear"), vec![String::from("...")]),
        Overlay::Clear(Some(found)) => (clear_title(found), clear(found, rows)),
        Overlay::Message(message) => {
            let text = render::message(message, clock);
            (message.id.to_string(), text.lines().map(|line| line.replace('\t', "    ")).collect())
        }
        Overlay::Pair { offer, ended } => {
            rule(buf, head, "Link a phone", theme.coloured(Color::Cyan));
            return pairing(offer.as_ref(), ended.as_ref(), clock, theme, rows, buf);
        }
    };
    let wrapped: Vec<String> = text.iter().flat_map(|line| wrap(line, rows.width)).collect();
    let cut = wrapped.len().saturating_sub(usize::from(rows.height));
    let title = if cut == 0 { title } else { format!("{title} ({cut} more lines do not fit)") };
    rule(buf, head, &title, theme.coloured(Color::Cyan));
    for (row, line) in rows.rows().zip(wrapped) {
        put(buf, row, &Line::raw(line));
    }
}

fn help() -> Vec<String> {
    let keys = keys::HELP.iter().map(|(key, what)| format!("  {key:<KEY_COLUMNS$}{what}"));
    let more = [
        "",
        "The line above the keys names the command that does the same.",
        "WELL: messages leave. SOME HELD: some do not. HELD: none does.",
    ];
    keys.chain(more.map(String::from)).collect()
}

fn clear_title(found: &ClearResult) -> String {
    match found.cleared {
        0 => String::from("Clear: nothing waits and nothing is parked"),
        count => format!("Clear: {} would be withdrawn", messages(count)),
    }
}

/// Examples, as many as fit, and how many more there are.
fn clear(found: &ClearResult, rows: Rect) -> Vec<String> {
    let mut after = Vec::new();
    if !found.in_flight.is_empty() {
        let ids: Vec<String> = found.in_flight.iter().map(ToString::to_string).collect();
        after.push(format!("already on their way, and left alone: {}", ids.join(", ")));
    }
    if found.cleared > 0 {
        after.push(String::from("u brings them back, for a while. Withdraw them? y or n"));
    }
    let room = usize::from(rows.height).saturating_sub(after.len() + 1);
    let cells = |example: &tetherd_api::ClearExample| {
        let text = clean(&example.preview, false);
        let line = format!("  {} {} {text}", example.id, chat(&example.to));
        super::paint::fit(&line, usize::from(rows.width)).trim_end().to_owned()
    };
    let mut text: Vec<String> = found.examples.iter().take(room).map(cells).collect();
    let more = found.cleared.saturating_sub(text.len());
    if more > 0 {
        text.push(format!("  and {more} more"));
    }
    text.extend(after);
    text
}

fn pairing(
    offer: Option<&PairOffer>,
    ended: Option<&PairEnd>,
    clock: &Clock,
    theme: Theme,
    rows: Rect,
    buf: &mut Buffer,
) {
    let mut style = Style::new();
    let text = match (ended, offer) {
        (Some(end), _) => wrap(&pair_end(end), rows.width),
        (None, None) => vec![String::from("...")],
        (None, Some(PairOffer::Qr { qr, expires_at })) => match code(qr, rows) {
            Ok(drawing) => {
                if theme.colour {
                    style = style.fg(Color::White).bg(Color::Black);
                }
                let until = clock.until(*expires_at);
                let below = format!("Linked devices, Link a device, scan this. Replaced {until}.");
                draw_code(&drawing, style, &below, rows, buf);
                return;
            }
            Err(text) => text,
        },
        (None, Some(PairOffer::Code { .. })) => wrap(
            "A pairing by a typed code runs. `tetherctl pair --code` in another terminal shows it.",
            rows.width,
        ),
        (None, Some(PairOffer::Passkey { .. } | PairOffer::PasskeyCode { .. })) => wrap(
            "The phone asks for a passkey. Run `tetherctl pair` in another terminal, which joins \
             this pairing and says what to do.",
            rows.width,
        ),
    };
    for (row, line) in rows.rows().zip(text) {
        put(buf, row, &Line::raw(line));
    }
}

/// The drawing, or what to do where it has no room.
fn code(qr: &str, rows: Rect) -> Result<Vec<String>, Vec<String>> {
    let drawing = match qr::draw(qr, false) {
        Ok(drawing) => drawing,
        Err(error) => return Err(wrap(&error.to_string(), rows.width)),
    };
    let drawing: Vec<String> = drawing.lines().map(str::to_owned).collect();
    let (wide, high) = (drawing.first().map_or(0, |line| width(line)), drawing.len());
    if wide <= usize::from(rows.width) && high < usize::from(rows.height) {
        return Ok(drawing);
    }
    // The rows above and below these, and the line below the code.
    let needed = high + 5;
    Err(wrap(
        &format!(
            "The code does not fit: it needs a window of {wide} x {needed}. Make the window \
             larger, or the font smaller. Or leave, and let the phone type one: \
             `tetherctl pair --code` with its number."
        ),
        rows.width,
    ))
}

fn draw_code(drawing: &[String], style: Style, below: &str, mut rows: Rect, buf: &mut Buffer) {
    for line in drawing {
        let row = take(&mut rows, 1);
        let cells = u16::try_from(width(line)).unwrap_or(u16::MAX).min(row.width);
        put(buf, Rect { width: cells, ..row }, &Line::styled(line.clone(), style));
    }
    put(buf, rows, &Line::raw(below.to_owned()));
}
