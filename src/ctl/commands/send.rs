//! `send`, and waiting for what becomes of it.

use std::collections::HashMap;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::follow::Follower;
use super::payload::content;
use crate::cli::{SendArgs, Until};
use crate::error::CommandError;
use crate::output::Output;
use crate::render;
use tetherd_api::call;
use tetherd_api::client::Client;
use tetherd_api::{Event, Message, SendResult, State, TEXT_CHARS_MAX};

/// Longest text from stdin, in bytes: four for each character, and a line's end.
const STDIN_BYTES_MAX: usize = TEXT_CHARS_MAX * 4 + 2;

pub(crate) async fn run(
    args: SendArgs,
    client: &Client,
    sockets: &[PathBuf],
    out: &mut Output,
) -> Result<(), CommandError> {
    let (wait, timeout) = (args.wait, args.timeout);
    let (params, file) = content(args, &out.input_clock())?;
    let fds: Vec<BorrowedFd<'_>> = file.iter().map(AsFd::as_fd).collect();
    let sending = super::ask_with(client, call::MessageSend, &params, &fds);
    let Some(until) = wait else {
        let (sent, wire) = sending.await?;
        return print_accepted(&sent, &wire, out);
    };
    // Before sending: nothing that becomes of the message may be missed.
    let mut follower = Follower::new(client, sockets, None).await?.skipping_snapshot();
    let mut seen = HashMap::new();
    let note = |event| {
        if let Event::Message { message } = event {
            seen.insert(message.id, *message);
        }
    };
    let (sent, wire) = super::call_while_reading(sending, &mut follower.events, note).await?;
    print_accepted(&sent, &wire, out)?;
    out.flush()?;
    let id = sent.message.id;
    let mut message = seen.remove(&id).into_iter().fold(sent.message, later);
    let waiting = settled(&mut message, until, &mut follower);
    match timeout {
        None => waiting.await?,
        Some(limit) => match tokio::time::timeout(limit, waiting).await {
            Ok(done) => done?,
            Err(_) => return Err(timed_out(&message, until, limit)),
        },
    }
    print_outcome(message, until, out)
}

/// Of the reply and an event that came before it, the one that is further on.
fn later(reply: Message, event: Message) -> Message {
    if event.changed_at >= reply.changed_at { event } else { reply }
}

/// Reads a text, without its last line end.
pub(super) fn read_text(from: impl Read) -> Result<String, CommandError> {
    let mut bytes = Vec::new();
    from.take(STDIN_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > STDIN_BYTES_MAX {
        let sentence = format!("the text on stdin is longer than {TEXT_CHARS_MAX} characters");
        return Err(CommandError::BadInput(sentence));
    }
    let mut text = String::from_utf8(plain_text(bytes)?)
        .map_err(|_| CommandError::BadInput(String::from("the text on stdin is not UTF-8")))?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

/// What is on stdin without a byte order mark. Refuses what is no text of bytes.
pub(super) fn plain_text(mut bytes: Vec<u8>) -> Result<Vec<u8>, CommandError> {
    const UTF_8_MARK: &[u8] = b"\xef\xbb\xbf";
    let utf_16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    if utf_16 || bytes.contains(&0) {
        let what = if utf_16 { "is UTF-16" } else { "holds NUL bytes, as UTF-16 does" };
        return Err(CommandError::BadInput(format!(
            "the text on stdin {what}; make it UTF-8, for example with `iconv -f UTF-16 -t UTF-8`"
        )));
    }
    if bytes.starts_with(UTF_8_MARK) {
        bytes.drain(..UTF_8_MARK.len());
    }
    Ok(bytes)
}

/// Prints where the message is. Under a known key that may be an end: then nothing will be
/// sent, and the exit code says so.
fn print_accepted(
    sent: &SendResult,
    wire: &serde_json::Value,
    out: &mut Output,
) -> Result<(), CommandError> {
    let message = &sent.message;
    if out.json() {
        out.json_line(wire)?;
    } else if !is_lost(message.state) {
        let clock = out.clock();
        out.line(&render::accepted(sent, &clock))?;
    }
    if is_lost(message.state) {
        return Err(CommandError::No(render::known_and_not_sent(message)));
    }
    Ok(())
}

/// Whether the message is not going to be sent by itself.
fn is_lost(state: State) -> bool {
    match state {
        State::Parked | State::Failed | State::Expired | State::Cancelled => true,
        State::Preparing
        | State::Queued
        | State::Sending
        | State::Unknown
        | State::Sent
        | State::Delivered
        | State::Read => false,
    }
}

/// Whether the message has come as far as was asked.
fn is_reached(state: State, until: Until) -> bool {
    match state {
        State::Read => true,
        State::Delivered => until != Until::Read,
        State::Sent => until == Until::Sent,
        State::Preparing
        | State::Queued
        | State::Sending
        | State::Unknown
        | State::Parked
        | State::Failed
        | State::Expired
        | State::Cancelled => false,
    }
}

/// Keeps `message` current until it is where it was wanted, or will never get there.
async fn settled(
    message: &mut Message,
    until: Until,
    events: &mut Follower<'_>,
) -> Result<(), CommandError> {
    while !is_reached(message.state, until) && !is_lost(message.state) {
        match events.next().await?.event {
            Event::Message { message: changed } if changed.id == message.id => *message = *changed,
            Event::Message { .. }
            | Event::Status { .. }
            | Event::SnapshotEnd {}
            | Event::Incoming { .. }
            | Event::Gap { .. }
            | Event::Pairing { .. } => {}
        }
    }
    Ok(())
}

fn timed_out(message: &Message, until: Until, limit: Duration) -> CommandError {
    let what = match until {
        Until::Sent => "sent",
        Until::Delivered => "delivered",
        Until::Read => "read",
    };
    let waited = tetherd_config::value::format_duration(limit);
    let place = render::whereabouts(message);
    CommandError::TimedOut(format!("{} was not {what} within {waited}; {place}", message.id))
}

fn print_outcome(message: Message, until: Until, out: &mut Output) -> Result<(), CommandError> {
    if out.json() {
        out.json_line(&json!({ "message": message }))?;
    }
    if !is_reached(message.state, until) {
        return Err(CommandError::No(render::not_sent(&message)));
    }
    if !out.json() {
        out.line(&format!("{} {}", message.id, message.state))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stdin_loses_one_line_end_and_no_more() {
        assert_eq!(read_text(&b"a\nb\n\n"[..]).unwrap(), "a\nb\n");
        assert_eq!(read_text(&b"a\r\n"[..]).unwrap(), "a");
        assert_eq!(read_text(&b"a"[..]).unwrap(), "a");
    }

    #[test]
    fn stdin_is_bounded_and_must_be_utf_8() {
        assert!(matches!(read_text(&b"\xff"[..]), Err(CommandError::BadInput(_))));
        assert!(matches!(read_text(std::io::repeat(b'x')), Err(CommandError::BadInput(_))));
        let longest = "\u{10ffff}".repeat(TEXT_CHARS_MAX) + "\n";
        assert!(read_text(longest.as_bytes()).is_ok());
    }

    #[test]
    fn a_byte_order_mark_is_dropped_and_utf_16_is_named() {
        assert_eq!(read_text(&b"\xef\xbb\xbfhi\n"[..]).unwrap(), "hi");
        for utf_16 in [&b"\xff\xfeh\0i\0"[..], b"\xfe\xff\0h\0i", b"h\0i\0"] {
            let error = read_text(utf_16).unwrap_err();
            assert!(matches!(&error, CommandError::BadInput(text) if text.contains("UTF-16")));
        }
    }

    #[test]
    fn an_unknown_outcome_is_waited_for_and_a_parked_one_is_not() {
        assert!(!is_reached(State::Unknown, Until::Sent) && !is_lost(State::Unknown));
        assert!(!is_reached(State::Sent, Until::Delivered));
        assert!(!is_reached(State::Delivered, Until::Read));
        assert!(is_lost(State::Parked));
        assert!(is_reached(State::Read, Until::Delivered));
    }
}
