//! The screen as it is drawn in each state, and what its keys ask for.

mod keys;
mod screens;

use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use serde_json::{Value, json};

use super::model::Model;
use super::request::Look;
use super::view::{self, Theme};
use crate::render::Clock;
use crate::test_server::{NOW_MS, event, message, status, with};
use tetherd_api::EventFrame;

fn clock() -> Clock {
    Clock { now_ms: NOW_MS, zone: TimeZone::UTC }
}

fn frame(value: Value) -> EventFrame {
    serde_json::from_value(value).unwrap()
}

fn look(status: Value, summary: &str, conditions: Value, messages: Vec<Value>) -> Look {
    let why = json!({ "summary": summary, "waiting": 0, "conditions": conditions });
    let queue = json!({ "messages": messages, "total": messages.len() });
    Look {
        status: Box::new(serde_json::from_value(status).unwrap()),
        why: serde_json::from_value(why).unwrap(),
        queue: serde_json::from_value(queue).unwrap(),
    }
}

/// A daemon at the pace, with messages that wait and one that is parked.
fn busy() -> Model {
    let mut model = Model::default();
    model.connected();
    model.event(frame(event(1, json!({ "event": "status", "status": status() }))));
    let sent = with(message(3, "delivered"), json!({ "sent_at": "2025-12-31T23:59:40Z" }));
    model.event(frame(event(2, json!({ "event": "message", "message": sent }))));
    let status = with(
        status(),
        json!({ "phone": { "state": "online", "since": "2025-12-31T23:00:00Z",
            "last_seen_at": "2025-12-31T23:58:00Z", "reasons": [],
            "battery": { "level": "ok", "percent": 80, "charging": false, "source": "termux",
                "at": "2025-12-31T23:56:00Z", "received_at": "2025-12-31T23:56:00Z",
                "stale": false } } }),
    );
    let pacing = status["conditions"].clone();
    let summary = "Nothing is wrong; 11 messages wait for their turn, the next leaves at \
                   2026-01-01T00:00:40Z, the last at 2026-01-01T00:04:40Z.";
    let parked = json!({ "reason": { "kind": "not_on_network" }, "preview": "\u{5d0}\u{5d1} \u{202e}gnp.exe" });
    let queue = vec![
        message(4, "sending"),
        with(message(5, "queued"), json!({ "expected_at": "2026-01-01T00:00:40Z", "position": 1 })),
        with(message(6, "queued"), json!({ "after": "m5", "preview": "\u{6f22}\u{5b57} wide" })),
        with(message(7, "parked"), parked),
    ];
    model.looked(look(status, summary, pacing, queue), &clock());
    model
}

fn drawn(model: &Model, columns: u16, rows: u16, theme: Theme) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal
        .draw(|frame| {
            view::draw(model, &clock(), theme, frame.area(), frame.buffer_mut());
        })
        .unwrap();
    terminal.backend().buffer().clone()
}

/// What is drawn, a row a line, without what fills the rows up.
fn text(model: &Model, columns: u16, rows: u16) -> String {
    let buffer = drawn(model, columns, rows, Theme { colour: false });
    let mut text = String::new();
    for row in buffer.area.rows() {
        let mut line = String::new();
        let mut skip = 0;
        for cell in row.columns().map(|cell| &buffer[cell.as_position()]) {
            if skip == 0 {
                line.push_str(cell.symbol());
                skip = ratatui::text::Span::raw(cell.symbol()).width();
            }
            skip = skip.saturating_sub(1);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
