//! What is drawn.

use expect_test::{ExpectFile, expect_file};
use ratatui::style::Color;
use serde_json::{Value, json};

use super::{busy, clock, drawn, frame, look, text};
use crate::test_server::{event, message, status, with};
use crate::top::model::{Model, Overlay, Verdict};
use crate::top::request::{Done, Request};
use crate::top::view::Theme;
use tetherd_api::PairOffer;

fn is(model: &Model, columns: u16, rows: u16, expected: &ExpectFile) {
    expected.assert_eq(&text(model, columns, rows));
}

fn condition(kind: &str, holds: &str, more: Value) -> Value {
    with(
        json!({ "kind": kind, "active": true, "holds": holds, "ends_by_itself": false,
            "since": "2025-12-31T23:50:00Z", "evidence": [],
            "affected": { "count": 0, "ids": [] } }),
        more,
    )
}

fn with_status(more: Value) -> Value {
    let mut status = status();
    for (part, fields) in more.as_object().unwrap() {
        let old = status[part].clone();
        status[part] = if old.is_object() { with(old, fields.clone()) } else { fields.clone() };
    }
    status
}

#[test]
fn well() {
    let model = busy();
    assert_eq!(model.verdict(), Verdict::Well);
    is(&model, 80, 24, &expect_file!["screens/well.txt"]);
}

#[test]
fn paused() {
    let mut model = busy();
    let paused = condition(
        "paused",
        "all",
        json!({ "why": "The queue is paused.", "remedy": "tetherctl resume",
            "evidence": [{ "what": "`queue.pause` was called", "at": "2025-12-31T23:50:00Z" }],
            "affected": { "count": 2, "ids": ["m5", "m6"] },
            "by_itself": "Nothing leaves until it is resumed." }),
    );
    let status = with_status(json!({ "queue": { "paused": true }, "conditions": [paused] }));
    let summary = "2 messages wait because the queue is paused.";
    let queue = vec![message(5, "queued"), message(6, "queued")];
    model.asked(Request::Pause);
    let done = Done::Status(Box::new(serde_json::from_value(status.clone()).unwrap()));
    model.answered(Request::Pause, Ok(done), &clock());
    model.looked(look(status, summary, json!([paused]), queue), &clock());
    assert_eq!(model.verdict(), Verdict::Held);
    is(&model, 80, 24, &expect_file!["screens/paused.txt"]);
}

fn phone_away() -> Model {
    let mut model = busy();
    let away = condition(
        "phone_offline",
        "all",
        json!({ "why": "the phone does not answer, and messages wait for it",
            "evidence": [
                { "what": "a question to it was not answered within 60 s", "at": "2025-12-31T23:50:00Z" },
                { "what": "the last receipt of the phone came long before that, over the network of a place with a long name", "at": "2025-12-31T23:40:00Z" }],
            "affected": { "count": 2, "ids": ["m5", "m6"] },
            "by_itself": "It is asked again and again, and once it answers they leave.",
            "remedy": "open WhatsApp on the phone, with a connection" }),
    );
    let parked = condition(
        "not_on_network",
        "some",
        json!({ "why": "1 message is parked, since its recipient is not on the network",
            "by_itself": "Nothing happens to it by itself; it blocks no other message.",
            "affected": { "count": 1, "ids": ["m7"] },
            "remedy": "tetherctl clear --reason not_on_network" }),
    );
    let phone = json!({ "state": "offline", "since": "2025-12-31T23:50:00Z",
        "last_seen_at": "2025-12-31T23:40:00Z",
        "reasons": [{ "what": "a question to it was not answered" }] });
    let status = with_status(json!({ "phone": phone, "conditions": [away] }));
    let held = |id| with(message(id, "queued"), json!({ "held_by": "phone_offline" }));
    let queue = (5..30).map(held).collect();
    let summary = "25 messages wait because the phone does not answer.";
    model.looked(look(status, summary, json!([away, parked]), queue), &clock());
    model
}

#[test]
fn phone_away_with_messages_waiting() {
    let mut model = phone_away();
    is(&model, 80, 24, &expect_file!["screens/phone_away.txt"]);
    model.scroll(100);
    model.scroll_at_most(7);
    model.select(0);
    model.select(20);
    is(&model, 80, 24, &expect_file!["screens/phone_away_scrolled.txt"]);
    is(&model, 60, 15, &expect_file!["screens/phone_away_60x15.txt"]);
    is(&model, 25, 10, &expect_file!["screens/too_small.txt"]);
}

#[test]
fn not_paired() {
    let mut model = Model::default();
    model.connected();
    let unpaired = condition(
        "not_paired",
        "all",
        json!({ "why": "no phone is paired", "remedy": "tetherctl pair",
            "evidence": [{ "what": "the state directory has no account's keys" }],
            "by_itself": "Nothing leaves until a phone is paired." }),
    );
    let mut status = with_status(json!({
        "session": { "state": "not_paired", "connections": 0 },
        "queue": { "free": 400, "queued": 0, "sending": 0, "parked": 0, "history": 0 },
        "pacing": { "spent": 0 }, "conditions": [unpaired] }));
    status["session"].as_object_mut().unwrap().remove("account");
    status["pacing"].as_object_mut().unwrap().remove("next_slot_at");
    for time in ["next_send_at", "last_send_at"] {
        status["queue"].as_object_mut().unwrap().remove(time);
    }
    let summary = "Nothing waits, but no message could leave, because no phone is paired.";
    model.looked(look(status, summary, json!([unpaired]), Vec::new()), &clock());
    is(&model, 80, 24, &expect_file!["screens/not_paired.txt"]);
}

#[test]
fn the_preview_of_a_clear() {
    let mut model = busy();
    let examples: Vec<Value> = (5..60)
        .map(|id| json!({ "id": format!("m{id}"), "to": "15550100@s.whatsapp.net",
            "preview": "hello \u{1b}[2J \u{5e9}\u{5dc}\u{5d5}\u{5dd} and more words than there are columns for them" }))
        .collect();
    let found =
        json!({ "cleared": 70, "in_flight": ["m4"], "examples": examples, "dry_run": true });
    model.asked(Request::ClearPreview);
    let done = Done::Cleared(serde_json::from_value(found).unwrap());
    model.answered(Request::ClearPreview, Ok(done), &clock());
    is(&model, 80, 24, &expect_file!["screens/clear.txt"]);
    let none = json!({ "cleared": 0, "in_flight": [], "examples": [], "dry_run": true });
    let done = Done::Cleared(serde_json::from_value(none).unwrap());
    model.answered(Request::ClearPreview, Ok(done), &clock());
    let screen = text(&model, 80, 24);
    assert!(screen.contains("nothing waits and nothing is parked"), "{screen}");
}

#[test]
fn pairing_with_a_qr_code() {
    let mut model = busy();
    let offer: PairOffer = serde_json::from_value(json!({ "method": "qr",
        "qr": format!("2@{},key,identity,secret", "A".repeat(180)),
        "expires_at": "2026-01-01T00:00:20Z" }))
    .unwrap();
    model.asked(Request::Pair);
    model.answered(Request::Pair, Ok(Done::Offer(offer)), &clock());
    is(&model, 80, 40, &expect_file!["screens/pairing.txt"]);
    let screen = text(&model, 80, 24);
    assert!(screen.contains("The code does not fit: it needs a window of "), "{screen}");
    let ended = json!({ "event": "pairing", "ended": { "result": "paired",
        "account": "15550100@s.whatsapp.net" } });
    model.event(frame(event(9, ended)));
    let screen = text(&model, 80, 24);
    assert!(screen.contains("paired with +15550100"), "{screen}");
}

#[test]
fn the_window_that_a_qr_code_is_said_to_need_is_enough() {
    let mut model = busy();
    let qr = format!("2@{},key,identity,secret", "A".repeat(180));
    let offer = json!({ "method": "qr", "qr": qr, "expires_at": "2026-01-01T00:00:20Z" });
    let offer: PairOffer = serde_json::from_value(offer).unwrap();
    model.overlay = Overlay::Pair { offer: Some(offer), ended: None };
    let screen = text(&model, 200, 10).replace('\n', " ");
    let (_, size) = screen.split_once("a window of ").unwrap();
    let (columns, rest) = size.split_once(" x ").unwrap();
    let (rows, _) = rest.split_once('.').unwrap();
    let (columns, rows) = (columns.parse().unwrap(), rows.parse().unwrap());
    assert!(text(&model, columns, rows).contains('\u{2588}'), "{columns} x {rows}");
    assert!(!text(&model, columns, rows - 1).contains('\u{2588}'), "{columns} x {rows}");
    assert!(!text(&model, columns - 1, rows).contains('\u{2588}'), "{columns} x {rows}");
}

#[test]
fn help() {
    let mut model = busy();
    model.overlay = Overlay::Help;
    is(&model, 80, 24, &expect_file!["screens/help.txt"]);
}

#[test]
fn the_daemon_is_gone() {
    let mut model = busy();
    model.lost(
        String::from("no daemon listens at /run/tetherd/control.sock; start `tetherd`"),
        &clock(),
    );
    is(&model, 80, 24, &expect_file!["screens/gone.txt"]);
    model.connected();
    assert_eq!(model.verdict(), Verdict::Well);
}

#[test]
fn before_the_first_answer() {
    let screen = text(&Model::default(), 80, 24);
    assert!(screen.contains("waiting for the daemon's answer"), "{screen}");
}

#[test]
fn one_message_is_shown_whole_and_cannot_steer_the_terminal() {
    let mut model = busy();
    let whole =
        with(message(7, "queued"), json!({ "text": "line one\nline\ttwo \u{1b}[2J\u{202e}" }));
    let done = Done::Message(Box::new(serde_json::from_value(whole).unwrap()));
    model.answered(Request::Show(tetherd_api::MessageId(7)), Ok(done), &clock());
    let screen = text(&model, 80, 24);
    assert!(screen.contains("\nline one\nline"), "{screen}");
    assert!(!screen.contains(['\u{1b}', '\u{202e}', '\t']), "{screen}");
}

#[test]
fn without_colour_no_cell_has_one_and_the_selection_shows() {
    let mut model = phone_away();
    model.select(0);
    for (colour, has) in [(false, false), (true, true)] {
        let buffer = drawn(&model, 80, 24, Theme { colour });
        let coloured =
            buffer.content.iter().any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset);
        assert_eq!(coloured, has);
    }
    let plain = Theme { colour: false };
    let selected = drawn(&model, 80, 24, plain);
    model.select(1);
    assert_ne!(selected, drawn(&model, 80, 24, plain));
}

#[test]
fn every_size_is_drawn() {
    for model in [busy(), phone_away(), Model::default()] {
        for (columns, rows) in (1..100).flat_map(|columns| [(columns, 24), (80, columns.min(50))]) {
            drawn(&model, columns, rows, Theme { colour: true });
        }
    }
}
