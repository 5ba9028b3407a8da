//! What people read: plain and aligned. Pure. Never lets a control character of
//! somebody's text through to the terminal.

use tetherd_api::{Condition, Holds, PairEnd, SessionState, Status, Time};

mod events;
mod groups;
mod message;

pub use super::time::{Clock, span};
pub use events::{event, incoming_line};
pub use groups::groups;
pub use message::{accepted, known_and_not_sent, message, not_sent, queue, whereabouts};
pub(crate) use message::{brief, leaves, state};

/// `text` without what could steer a terminal. Newlines and tabs stay if `lines`.
pub fn clean(text: &str, lines: bool) -> String {
    let steers =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .map(|c| match c {
            '\n' | '\t' if lines => c,
            '\n' | '\t' | '\r' => ' ',
            c if steers(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// `1 message`, `2 messages`.
pub fn messages(count: usize) -> String {
    if count == 1 { String::from("1 message") } else { format!("{count} messages") }
}

/// A chat as people write it: a number for a person.
pub fn chat(jid: &str) -> String {
    match jid.strip_suffix("@s.whatsapp.net") {
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => format!("+{digits}"),
        Some(_) | None => clean(jid, false),
    }
}

/// A sentence of the daemon, with its times (RFC 3339) as the reader's clock shows them.
pub fn local_times(sentence: &str, clock: &Clock) -> String {
    let words: Vec<String> = sentence
        .split(' ')
        .map(|word| {
            let bare = word.trim_end_matches(['.', ',', ';', ':', ')']);
            match bare.parse::<jiff::Timestamp>() {
                Ok(at) => {
                    format!("{}{}", clock.local(Time(at.as_millisecond())), &word[bare.len()..])
                }
                Err(_) => word.to_owned(),
            }
        })
        .collect();
    words.join(" ")
}

/// A sentence of the daemon, safe for a terminal.
pub(crate) fn said(sentence: &str, clock: &Clock) -> String {
    local_times(&clean(sentence, false), clock)
}

/// `status`.
pub fn status(status: &Status, clock: &Clock) -> String {
    let queue = &status.queue;
    let pacing = &status.pacing;
    let taken = queue.capacity.saturating_sub(queue.free);
    let mut text = format!("session  {}\n", session(status, clock));
    text.push_str(&super::phone::lines(&status.phone, clock));
    text.push_str(&format!(
        "queue    {taken} of {} places taken: {} queued, {} sending, {} unknown\n",
        queue.capacity, queue.queued, queue.sending, queue.unknown
    ));
    text.push_str(&format!("parked   {}, and {} in history\n", queue.parked, queue.history));
    let window = span(pacing.window_ms);
    text.push_str(&format!("pace     {} of {} in the last {window}", pacing.spent, pacing.limit));
    if let Some(at) = pacing.next_slot_at {
        text.push_str(&format!("; a slot is free {}", clock.until(at)));
    }
    text.push('\n');
    text.push_str(&limits(status, clock));
    text.push_str(&next(queue.next_send_at, queue.last_send_at, clock));
    text.push_str(&conditions(status, clock));
    let secrets = if status.store.sealed { "encrypted" } else { "plain" };
    text.push_str(&format!("store    the session's secrets lie {secrets}"));
    if status.store.quarantined > 0 {
        text.push_str(&format!("; {} damaged records quarantined", status.store.quarantined));
    }
    text.push('\n');
    text.push_str(&format!("daemon   up for {}\n", clock.since(status.started_at)));
    text
}

/// What the network's answers bring about, where something holds.
fn limits(status: &Status, clock: &Clock) -> String {
    let mut text = String::new();
    let session = &status.session;
    if session.replaced_last_hour > 0 {
        let times = session.replaced_last_hour;
        text.push_str(&format!("replaced {times} times in the last hour"));
        if let Some(at) = session.takeover_at {
            text.push_str(&format!("; taken back by itself {}", clock.until(at)));
        }
        text.push('\n');
    } else if let Some(at) = session.takeover_at {
        text.push_str(&format!("replaced taken back by itself {}\n", clock.until(at)));
    }
    if let Some(at) = session.timelock_until {
        let until = clock.until(at);
        text.push_str(&format!("contacts messages to new ones wait; they may leave {until}\n"));
    }
    if let Some(at) = status.pacing.opens_at {
        let until = clock.until(at);
        text.push_str(&format!("hours    outside the sending hours; they begin {until}\n"));
    }
    if let Some(at) = status.pacing.slowed_until {
        let until = clock.until(at);
        text.push_str(&format!("slowed   the server asked for it; it ends {until}\n"));
    }
    text
}

/// Where the session stands.
pub(crate) fn session(status: &Status, clock: &Clock) -> String {
    let session = &status.session;
    let mut text = String::from(match session.state {
        SessionState::NotPaired => "no phone is paired",
        SessionState::Pairing => "pairing",
        SessionState::PasskeyNeeded => "pairing: the phone asks for a passkey (tetherctl pair)",
        SessionState::Connecting => "connecting",
        SessionState::Connected => "connected",
        SessionState::Waiting => "waiting for the next try",
        SessionState::Replaced => "another session took over",
        SessionState::LoggedOut => "logged out",
        SessionState::Locked => "the account is locked",
        SessionState::BannedForGood => "banned",
        SessionState::Banned => "banned for a time",
        SessionState::Outdated => "this client version is refused",
        SessionState::Declined => "the login is refused",
    });
    let account = session.account.as_deref().map(chat);
    let connected = session.state == SessionState::Connected;
    if let Some(account) = account.as_deref().filter(|_| connected) {
        text.push_str(&format!(" as {account}"));
    }
    text.push_str(&format!(", for {}", clock.since(session.since)));
    if let Some(account) = account.as_deref().filter(|_| !connected) {
        text.push_str(&format!("; account {account}"));
    }
    if let Some(detail) = &session.detail {
        text.push_str(&format!("; {}", said(detail, clock).trim_end_matches('.')));
    }
    if let Some(at) = session.next_try_at {
        text.push_str(&format!("; next try {}", clock.until(at)));
    }
    text
}

fn next(first: Option<Time>, last: Option<Time>, clock: &Clock) -> String {
    match (first, last) {
        (Some(first), Some(last)) if last > first => {
            format!("next     {}, the last one {}\n", clock.until(first), clock.until(last))
        }
        (Some(first), _) => format!("next     {}\n", clock.until(first)),
        (None, _) => String::new(),
    }
}

/// What holds everything that waits, and what else is the case.
fn conditions(status: &Status, clock: &Clock) -> String {
    let (holds, also): (Vec<_>, Vec<_>) =
        status.conditions.iter().partition(|condition| condition.holds == Holds::All);
    let mut text = String::new();
    if holds.is_empty() {
        text.push_str("holds    none\n");
    }
    for (lead, list) in [("holds", holds), ("also", also)] {
        for (index, condition) in list.into_iter().enumerate() {
            let lead = if index == 0 { lead } else { "" };
            text.push_str(&format!("{lead:<9}{}\n", one_condition(condition, clock)));
        }
    }
    text
}

fn one_condition(condition: &Condition, clock: &Clock) -> String {
    let mut text = condition.kind.name().to_owned();
    if let Some(since) = condition.since {
        text.push_str(&format!(" for {}", clock.since(since)));
    }
    if let Some(until) = condition.until {
        text.push_str(&format!(", ends {}", clock.until(until)));
    }
    format!("{text}: {}", said(&condition.why, clock))
}

/// `512 B`, `1.5 MiB`.
pub fn size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.into_iter().find(|(_, power)| bytes >> power > 0) {
        Some((unit, power)) => {
            let tenths = (u128::from(bytes) * 10) >> power;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} B"),
    }
}

/// Aligned columns, the last one as long as it is.
fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let mut widths = [0; COLUMNS];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    // The last column needs no padding.
    if let Some(last) = widths.last_mut() {
        *last = 0;
    }
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> =
            widths.iter().zip(row).map(|(width, cell)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// How a pairing ended.
pub fn pair_end(end: &PairEnd) -> String {
    match end {
        PairEnd::Paired { account } => format!("paired with {}", chat(account)),
        PairEnd::TimedOut {} => String::from("nobody scanned or typed the code in time"),
        PairEnd::Failed { why, remedy, .. } => {
            let remedy = remedy.as_ref().map(|it| format!("; {it}")).unwrap_or_default();
            format!("the pairing failed: {}{}", clean(why, false), clean(&remedy, false))
        }
    }
}
