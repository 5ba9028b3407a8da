//! Messages: one whole, one a line, and where one is. Pure.

use super::{Clock, chat, clean, size, table};
use tetherd_api::{
    ContactCard, FileInfo, Kind, Location, Message, Reason, SendResult, State, Time,
};

/// `show`: everything about one message.
pub fn message(message: &Message, clock: &Clock) -> String {
    let ago = |at: Time| format!("{} ({} ago)", clock.local(at), clock.since(at));
    let rows = [
        ("id", Some(message.id.to_string())),
        ("to", Some(chat(&message.to))),
        ("address", message.address.as_deref().map(|jid| format!("{}, by the network", chat(jid)))),
        ("kind", (message.kind != Kind::Text).then(|| message.kind.name().to_owned())),
        ("about", message.reply_to.as_deref().map(bare)),
        ("file", message.file.as_ref().map(file)),
        ("state", Some(state(message))),
        ("asked", message.reason.as_ref().and_then(|reason| reason.url.as_deref()).map(bare)),
        ("network id", Some(clean(&message.wa_id, false))),
        ("key", message.key.as_deref().map(|key| clean(key, false))),
        ("place", message.position.map(|position| position.to_string())),
        ("leaves", message.expected_at.map(|at| clock.until(at))),
        ("held by", message.held_by.map(|kind| kind.name().to_owned())),
        ("after", message.after.map(|after| format!("{after}, which is before it in its chat"))),
        ("priority", (!message.priority.is_normal()).then(|| message.priority.name().to_owned())),
        ("not before", message.not_before.map(|at| clock.local(at))),
        ("expires", message.expires_at.map(|at| clock.local(at))),
        ("restorable", message.undo_until.map(|at| format!("until {}", clock.local(at)))),
        ("attempts", Some(message.attempts.to_string())),
        ("accepted", Some(ago(message.accepted_at))),
        ("sent", message.sent_at.map(ago)),
        ("delivered", message.delivered_at.map(ago)),
        ("read", message.read_at.map(ago)),
        ("changed", Some(ago(message.changed_at))),
    ];
    let mut text = String::new();
    for (name, value) in rows {
        if let Some(value) = value {
            text.push_str(&format!("{name:<11} {value}\n"));
        }
    }
    let body = content(message);
    if !body.is_empty() {
        text.push_str(&format!("\n{}\n", clean(&body, true)));
    }
    text
}

/// One line after `send`.
pub fn accepted(sent: &SendResult, clock: &Clock) -> String {
    let SendResult { message, duplicate, replaces } = sent;
    let mut text = format!("{} {}", message.id, state(message));
    if *duplicate {
        text.push_str(", already there under this key");
    }
    match replaces {
        Some(id) if *id == message.id => text.push_str(", with its new content"),
        Some(id) => text.push_str(&format!(", in place of {id}")),
        None => {}
    }
    if let Some(position) = message.position {
        text.push_str(&format!(", place {position}"));
    }
    match (message.expected_at, message.after) {
        (Some(at), _) => text.push_str(&format!(", leaves {}", clock.until(at))),
        (None, Some(after)) => text.push_str(&format!(", leaves after {after} of its chat")),
        (None, None) => {}
    }
    match message.held_by {
        Some(kind) => {
            text.push_str(&format!("; held by {}, see `tetherctl why`", kind.name()));
        }
        None if message.state == State::Queued
            && message.expected_at.is_none()
            && message.after.is_none() =>
        {
            text.push_str("; something holds it, see `tetherctl why`");
        }
        None => {}
    }
    text
}

/// `queue`: a table.
pub fn queue(list: &[Message], clock: &Clock) -> String {
    let mut rows = vec![["ID", "STATE", "TO", "AGE", "LEAVES", "TEXT"].map(String::from)];
    for message in list {
        rows.push([
            message.id.to_string(),
            state(message),
            chat(&message.to),
            clock.since(message.accepted_at),
            leaves(message, clock),
            brief(message),
        ]);
    }
    table(&rows)
}

/// Where a message is that did not come as far as somebody waited for.
pub fn whereabouts(message: &Message) -> String {
    match message.state {
        State::Preparing | State::Queued => {
            String::from("it stays in the queue: `tetherctl why` says what holds it")
        }
        State::Sending => String::from("it is being sent"),
        State::Unknown => String::from(
            "it left and the server has not answered: it is sent again under the same id after \
             the next reconnect",
        ),
        State::Sent => {
            String::from("it is sent, and no device of the recipient has confirmed it yet")
        }
        State::Delivered => String::from(
            "it is delivered; a recipient whose read receipts are off never shows more",
        ),
        State::Read | State::Parked | State::Failed | State::Expired | State::Cancelled => {
            format!("it is {}", state(message))
        }
    }
}

/// One sentence about a message that will not get where `send --wait` wanted it.
pub fn not_sent(message: &Message) -> String {
    let id = message.id;
    let remedy = if message.state == State::Parked {
        format!(
            "; put it back with `tetherctl retry {id}`, or drop it with `tetherctl cancel {id}`"
        )
    } else {
        String::new()
    };
    format!("{id} is {}{remedy}", state(message))
}

/// Why `send` under a known key sends nothing.
pub fn known_and_not_sent(message: &Message) -> String {
    let again = match message.state {
        State::Cancelled => {
            format!("bring it back with `tetherctl restore {}`, or ", message.id)
        }
        State::Preparing
        | State::Queued
        | State::Sending
        | State::Unknown
        | State::Sent
        | State::Delivered
        | State::Read
        | State::Parked
        | State::Failed
        | State::Expired => String::new(),
    };
    format!(
        "{}, already there under this key; {again}use another key to send a new one",
        not_sent(message)
    )
}

/// Where it stands, and why.
pub(crate) fn state(message: &Message) -> String {
    match &message.reason {
        Some(Reason { kind, code: Some(code), .. }) => {
            format!("{} ({} {code})", message.state, kind.name())
        }
        Some(Reason { kind, code: None, .. }) => format!("{} ({})", message.state, kind.name()),
        None => message.state.to_string(),
    }
}

/// When a message leaves, or what it waits for.
pub(crate) fn leaves(message: &Message, clock: &Clock) -> String {
    match (message.expected_at, message.held_by, message.after) {
        (Some(at), ..) if at.0 <= clock.now_ms => String::from("now"),
        (Some(at), ..) => clock.local(at),
        (None, Some(kind), _) => kind.name().to_owned(),
        (None, None, Some(after)) => format!("after {after}"),
        (None, None, None) => {
            String::from(if message.state == State::Queued { "held" } else { "-" })
        }
    }
}

/// A text, a caption, a place or a contact, whole.
fn content(message: &Message) -> String {
    let text = message.text.as_deref().unwrap_or(&message.preview);
    match message.kind {
        Kind::Text
        | Kind::Image
        | Kind::Video
        | Kind::Audio
        | Kind::Voice
        | Kind::Document
        | Kind::Reaction
        | Kind::Edit
        | Kind::Revoke => text.to_owned(),
        Kind::Location => serde_json::from_str(text).map_or_else(
            |_| text.to_owned(),
            |Location { latitude, longitude, name, address }| {
                let words = [name, address].into_iter().flatten();
                let lines =
                    words.map(|word| word.0).chain([format!("{}, {}", latitude.0, longitude.0)]);
                lines.collect::<Vec<_>>().join("\n")
            },
        ),
        Kind::Contact => serde_json::from_str(text).map_or_else(
            |_| text.to_owned(),
            |ContactCard { name, phones, vcard }| {
                let lines = [name].into_iter().chain(phones).chain(vcard).map(|line| line.0);
                lines.collect::<Vec<_>>().join("\n")
            },
        ),
    }
}

/// One line about what a message carries.
pub(crate) fn brief(message: &Message) -> String {
    let text = clean(&message.preview, false);
    if message.kind == Kind::Text {
        return text;
    }
    let what = match &message.file {
        Some(file) => {
            let name = file.name.as_deref().map(|name| format!(" {}", clean(name, false)));
            let (size, name) = (size(file.bytes), name.unwrap_or_default());
            format!("[{}{name}, {size}]", message.kind.name())
        }
        None => format!("[{}]", message.kind.name()),
    };
    format!("{what} {text}").trim_end().to_owned()
}

fn file(file: &FileInfo) -> String {
    let name = file.name.as_deref().map(|name| format!("{}, ", clean(name, false)));
    let (name, mime) = (name.unwrap_or_default(), clean(&file.mime, false));
    format!("{name}{}, {mime}", size(file.bytes))
}

fn bare(text: &str) -> String {
    clean(text, false)
}
