//! What happens, an event a line.

use super::message::{brief, state};
use super::{Clock, chat, clean, pair_end, session};
use tetherd_api::{Event, EventFrame, Gap, GapOf, Holds, Incoming, IncomingKind, Message, Status};

/// One line of `events`: the number to continue after, when, what.
pub fn event(frame: &EventFrame, clock: &Clock) -> String {
    let (head, what) = match &frame.event {
        Event::Status { status } => ("status", status_line(status, clock)),
        Event::Message { message } => ("message", message_line(message)),
        Event::Incoming { message } => ("incoming", incoming_line(message)),
        Event::Gap { of, gap } => ("gap", gap_line(*of, gap)),
        Event::SnapshotEnd {} => ("snapshot", String::from("complete; from here on, what changes")),
        Event::Pairing { ended: Some(end), .. } => ("pairing", pair_end(end)),
        Event::Pairing { offer: Some(_), ended: None } => {
            ("pairing", String::from("there is a new code"))
        }
        Event::Pairing { offer: None, ended: None } => ("pairing", String::from("goes on")),
    };
    format!("{} {} {head:<9}{what}", frame.seq, clock.local(frame.at))
}

fn gap_line(of: GapOf, gap: &Gap) -> String {
    let what = match of {
        GapOf::Messages => "finished messages",
        GapOf::Incoming => "incoming messages",
    };
    format!("{what} with changes {} to {} are kept no more", gap.from, gap.to)
}

fn status_line(status: &Status, clock: &Clock) -> String {
    let holds: Vec<&str> = status
        .conditions
        .iter()
        .filter(|condition| condition.holds == Holds::All)
        .map(|condition| condition.kind.name())
        .collect();
    let holds = if holds.is_empty() { String::from("none") } else { holds.join(", ") };
    let queue = &status.queue;
    let waiting = queue.preparing + queue.queued + queue.sending + queue.unknown;
    let session = session(status, clock);
    format!("{session}; {waiting} waiting, {} parked; holds: {holds}", queue.parked)
}

fn message_line(message: &Message) -> String {
    let what = brief(message);
    format!("{} {} {} {what}", message.id, state(message), chat(&message.to))
}

/// A person by number, else by the username that the message states, else by LID; a group by its
/// JID.
fn person(jid: &str, message: &Incoming) -> String {
    match &message.username {
        Some(username) if jid.ends_with("@lid") => clean(username, false),
        Some(_) | None => chat(jid),
    }
}

/// One incoming message on a line.
pub fn incoming_line(message: &Incoming) -> String {
    let Incoming { cursor, kind, .. } = message;
    let from = if message.from_me {
        String::from("me")
    } else {
        let name = clean(message.name.as_deref().unwrap_or_default(), false);
        let person = person(&message.sender, message);
        if name.is_empty() { person } else { format!("{name} ({person})") }
    };
    let place = if message.chat == message.sender && !message.from_me {
        String::new()
    } else {
        format!(" in {}", person(&message.chat, message))
    };
    let text = clean(message.text.as_deref().unwrap_or_default(), false);
    let what = match kind {
        IncomingKind::Text => String::new(),
        IncomingKind::Image
        | IncomingKind::Video
        | IncomingKind::Audio
        | IncomingKind::Voice
        | IncomingKind::Document
        | IncomingKind::Sticker
        | IncomingKind::Location
        | IncomingKind::Contact
        | IncomingKind::Reaction
        | IncomingKind::Other => format!("[{}] ", kind.name()),
    };
    format!("{cursor} {from}{place}: {what}{text}").trim_end().to_owned()
}
