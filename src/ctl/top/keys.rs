//! What a key asks for, by what is on the screen. Pure: does none of it.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::model::{Model, Overlay};
use super::request::Request;
use tetherd_api::State;

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Leave.
    Quit,
    /// Stop the process, as Ctrl-Z does.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Ask the daemon for something.
    Ask(Request),
    /// Show the keys.
    Help,
    /// Close what lies over the screen.
    Close,
    /// Select another message, so many lines further down.
    Select(isize),
    /// Show other lines of what is the case, so many further down.
    Scroll(isize),
}

/// Lines of a page.
const PAGE: isize = 5;

/// What this key asks for now.
pub(super) fn action(key: KeyEvent, model: &Model) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return with_control(key.code);
    }
    match &model.overlay {
        Overlay::None => on_the_screen(key.code, model),
        Overlay::Clear(Some(found)) if found.cleared > 0 && key.code == KeyCode::Char('y') => {
            Some(Action::Ask(Request::Clear))
        }
        Overlay::Clear(_) | Overlay::Help | Overlay::Pair { .. } | Overlay::Message(_) => {
            over_the_screen(key.code)
        }
    }
}

fn with_control(code: KeyCode) -> Option<Action> {
    match code.as_char()? {
        'c' => Some(Action::Quit),
        'z' => Some(Action::Suspend),
        'l' => Some(Action::Redraw),
        _ => None,
    }
}

/// Keys that move.
const MOVES: [(KeyCode, Action); 11] = [
    (KeyCode::Up, Action::Select(-1)),
    (KeyCode::Char('k'), Action::Select(-1)),
    (KeyCode::Down, Action::Select(1)),
    (KeyCode::Char('j'), Action::Select(1)),
    (KeyCode::Home, Action::Select(isize::MIN)),
    (KeyCode::Char('g'), Action::Select(isize::MIN)),
    (KeyCode::End, Action::Select(isize::MAX)),
    (KeyCode::Char('G'), Action::Select(isize::MAX)),
    (KeyCode::PageUp, Action::Scroll(-PAGE)),
    (KeyCode::PageDown, Action::Scroll(PAGE)),
    (KeyCode::Char(' '), Action::Scroll(PAGE)),
];

fn on_the_screen(code: KeyCode, model: &Model) -> Option<Action> {
    let selected = model.selected().map(|message| message.id);
    if let Some((_, action)) = MOVES.into_iter().find(|(key, _)| *key == code) {
        return Some(action);
    }
    if code == KeyCode::Enter {
        return selected.map(|id| Action::Ask(Request::Show(id)));
    }
    Some(match code.as_char()? {
        'q' => Action::Quit,
        '?' | 'h' => Action::Help,
        'p' if model.paused() => Action::Ask(Request::Resume),
        'p' => Action::Ask(Request::Pause),
        'c' => Action::Ask(Request::ClearPreview),
        'u' => Action::Ask(Request::Restore),
        'r' => Action::Ask(Request::Retry(selected?)),
        'R' => Action::Ask(Request::RetryAll),
        'x' => Action::Ask(Request::Cancel(selected?)),
        'l' => Action::Ask(Request::Pair),
        _ => return None,
    })
}

fn over_the_screen(code: KeyCode) -> Option<Action> {
    let closes = [KeyCode::Esc, KeyCode::Enter].contains(&code)
        || code.as_char().is_some_and(|c| "qn?h".contains(c));
    closes.then_some(Action::Close)
}

/// The keys with what each does, as the help shows them.
pub(super) const HELP: &[(&str, &str)] = &[
    ("p", "pause, or resume"),
    ("c", "clear: shows what would be withdrawn, and asks"),
    ("u", "undo: brings back what was withdrawn"),
    ("up, down", "select a message (also k, j, g, G)"),
    ("Enter", "show the selected message, with its whole text"),
    ("r", "put the selected parked message back into the queue"),
    ("R", "put all parked messages back"),
    ("x", "withdraw the selected message"),
    ("l", "link a phone, with a QR code"),
    ("PgUp, PgDn", "more of why messages wait (also Space)"),
    ("Ctrl-L", "draw the screen anew"),
    ("q", "quit (also Ctrl-C)"),
];

/// Whether a message can be put back.
pub(super) fn is_parked(model: &Model) -> bool {
    model.selected().is_some_and(|message| message.state == State::Parked)
}
