//! What keys ask for, and when the daemon is looked at.

use clap::Parser as _;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::json;

use super::{busy, clock, frame};
use crate::cli::Args;
use crate::render::Clock;
use crate::test_server::{NOW_MS, about, message};
use crate::top::keys::{Action, HELP, action};
use crate::top::model::{Model, Overlay};
use crate::top::request::{Done, Request};
use tetherd_api::MessageId;

fn press(model: &Model, code: KeyCode) -> Option<Action> {
    action(KeyEvent::new(code, KeyModifiers::NONE), model)
}

fn key(model: &Model, c: char) -> Option<Action> {
    press(model, KeyCode::Char(c))
}

#[test]
fn keys_on_the_screen() {
    let mut model = busy();
    for (c, asked) in [
        ('p', Some(Action::Ask(Request::Pause))),
        ('c', Some(Action::Ask(Request::ClearPreview))),
        ('u', Some(Action::Ask(Request::Restore))),
        ('R', Some(Action::Ask(Request::RetryAll))),
        ('l', Some(Action::Ask(Request::Pair))),
        ('?', Some(Action::Help)),
        ('q', Some(Action::Quit)),
        // Nothing is selected.
        ('r', None),
        ('x', None),
        ('y', None),
    ] {
        assert_eq!(key(&model, c), asked, "{c}");
    }
    model.select(isize::MAX);
    assert_eq!(key(&model, 'r'), Some(Action::Ask(Request::Retry(MessageId(7)))));
    model.select(-1);
    assert_eq!(key(&model, 'x'), Some(Action::Ask(Request::Cancel(MessageId(6)))));
    assert_eq!(press(&model, KeyCode::Enter), Some(Action::Ask(Request::Show(MessageId(6)))));
}

#[test]
fn ctrl_c_quits_whatever_is_shown() {
    let mut model = busy();
    let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    for overlay in [Overlay::None, Overlay::Help, Overlay::Clear(None)] {
        model.overlay = overlay;
        assert_eq!(action(ctrl_c, &model), Some(Action::Quit));
    }
}

#[test]
fn p_resumes_what_is_paused() {
    let mut model = busy();
    model.status.as_mut().unwrap().queue.paused = true;
    assert_eq!(key(&model, 'p'), Some(Action::Ask(Request::Resume)));
}

#[test]
fn nothing_is_withdrawn_but_by_y_below_its_preview() {
    let mut model = busy();
    model.asked(Request::ClearPreview);
    assert_eq!(key(&model, 'y'), None, "there is no preview yet");
    let found = json!({ "cleared": 3, "in_flight": [], "examples": [], "dry_run": true });
    let done = Done::Cleared(serde_json::from_value(found.clone()).unwrap());
    model.answered(Request::ClearPreview, Ok(done), &clock());
    assert_eq!(press(&model, KeyCode::Enter), Some(Action::Close));
    assert_eq!(key(&model, 'n'), Some(Action::Close));
    assert_eq!(key(&model, 'c'), None);
    assert_eq!(key(&model, 'y'), Some(Action::Ask(Request::Clear)));
    // Somebody left it before the answer came: it does not come back.
    model.overlay = Overlay::None;
    let done = Done::Cleared(serde_json::from_value(found).unwrap());
    model.answered(Request::ClearPreview, Ok(done), &clock());
    assert_eq!(model.overlay, Overlay::None);
}

#[test]
fn an_empty_preview_offers_nothing() {
    let mut model = busy();
    let none = json!({ "cleared": 0, "in_flight": [], "examples": [], "dry_run": true });
    model.overlay = Overlay::Clear(Some(serde_json::from_value(none).unwrap()));
    assert_eq!(key(&model, 'y'), None);
}

#[test]
fn every_request_is_a_command_of_this_program() {
    let id = MessageId(42);
    for request in [
        Request::Pause,
        Request::Resume,
        Request::ClearPreview,
        Request::Clear,
        Request::Restore,
        Request::Retry(id),
        Request::RetryAll,
        Request::Cancel(id),
        Request::Show(id),
        Request::Pair,
    ] {
        let command = request.command();
        assert!(Args::try_parse_from(command.split(' ')).is_ok(), "{command}");
    }
}

#[test]
fn the_help_names_every_key_that_is_one_character() {
    let mut model = busy();
    model.select(0);
    let keys: Vec<&str> = HELP.iter().flat_map(|(keys, _)| keys.split(", ")).collect();
    let also: Vec<&str> = HELP.iter().map(|(_, what)| *what).collect();
    for c in ' '..='~' {
        if key(&model, c).is_some() && !['?', 'h', ' '].contains(&c) {
            let named = keys.contains(&c.to_string().as_str())
                || also.iter().any(|what| {
                    what.contains(&format!(" {c},")) || what.contains(&format!(" {c})"))
                });
            assert!(named, "{c}");
        }
    }
}

fn at(seconds: i64) -> Clock {
    Clock { now_ms: NOW_MS + seconds * 1_000, ..clock() }
}

#[test]
fn the_daemon_is_looked_at_when_something_changes_and_not_more_than_once_a_second() {
    let mut model = Model::default();
    assert!(!model.takes_look(&at(0)), "there is no connection");
    model.connected();
    assert!(model.takes_look(&at(0)));
    assert!(!model.takes_look(&at(5)), "it is under way");
    model.look_failed(&at(5));
    assert!(!model.takes_look(&at(5)));
    assert!(model.takes_look(&at(6)));

    let mut model = busy();
    assert!(model.takes_look(&at(1)), "of what was connected");
    model.looked(empty_look(), &at(1));
    assert!(!model.takes_look(&at(100)), "nothing has changed");
    model.event(frame(about(message(8, "queued"))));
    assert!(model.takes_look(&at(100)));
}

#[test]
fn the_daemon_is_looked_at_when_a_time_that_it_named_has_come() {
    let mut model = busy();
    assert!(model.takes_look(&at(1)));
    let mut look = empty_look();
    look.status.queue.next_send_at = Some(tetherd_api::Time(NOW_MS + 40_000));
    model.looked(look, &at(2));
    assert!(!model.takes_look(&at(39)));
    assert!(model.takes_look(&at(40)));
}

/// Of an idle daemon.
fn empty_look() -> crate::top::request::Look {
    let mut look =
        super::look(crate::test_server::status(), "Nothing waits.", json!([]), Vec::new());
    look.status.queue.next_send_at = None;
    look.status.pacing.next_slot_at = None;
    look.status.pacing.spent = 0;
    look
}
