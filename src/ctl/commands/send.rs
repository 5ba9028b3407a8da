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
use tetherd_api::{Event, Message, MessageId, SendResult, State, TEXT_CHARS_MAX};

/// Longest text from stdin, in bytes: four for each character, and a line's end.
const STDIN_BYTES_MAX: usize = TEXT_CHARS_MAX * 4 + 2;

pub(crate) async fn run(
    args: SendArgs,
    client: &Client,
    sockets: &[PathBuf],
    out: &mut Output,
) -> Result<(), CommandError> {
    let (wait, timeout) = (args.wait, args.timeout);
    let (params, file) = content(args, &out.clock())?;
    let fds: Vec<BorrowedFd<'_>> = file.iter().map(AsFd::as_fd).collect();
    let sending = super::ask_with(client, call::MessageSend, &params, &fds);
    let Some(until) = wait else {
        let (sent, wire) = sending.await?;
        return tell_accepted(&sent, &wire, out);
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
    tell_accepted(&sent, &wire, out)?;
    out.flush()?;
    let id = sent.message.id;
    let latest = seen.remove(&id).into_iter().fold(sent.message, later);
    let waiting = settled(latest, until, &mut follower);
    let message = match timeout {
        None => waiting.await?,
        Some(limit) => tokio::time::timeout(limit, waiting)
            .await
            .map_err(|_| timed_out(id, until, limit))??,
    };
    tell_outcome(message, until, out)
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
    let mut text = String::from_utf8(bytes)
        .map_err(|_| CommandError::BadInput(String::from("the text on stdin is not UTF-8")))?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

fn tell_accepted(
    sent: &SendResult,
    wire: &serde_json::Value,
    out: &mut Output,
) -> Result<(), CommandError> {
    if out.json() {
        return out.json_line(wire);
    }
    let clock = out.clock();
    out.line(&render::accepted(&sent.message, sent.duplicate, &clock))
}

/// Whether the message is where it was wanted, or will never get there.
fn is_settled(state: State, until: Until) -> bool {
    match state {
        State::Preparing | State::Queued | State::Sending | State::Unknown => false,
        State::Sent => until == Until::Sent,
        State::Delivered | State::Read => true,
        State::Parked | State::Failed | State::Expired | State::Cancelled => true,
    }
}

async fn settled(
    mut message: Message,
    until: Until,
    events: &mut Follower<'_>,
) -> Result<Message, CommandError> {
    while !is_settled(message.state, until) {
        match events.next().await?.event {
            Event::Message { message: changed } if changed.id == message.id => message = *changed,
            Event::Message { .. }
            | Event::Status { .. }
            | Event::SnapshotEnd {}
            | Event::Incoming { .. }
            | Event::Gap { .. }
            | Event::Pairing { .. } => {}
        }
    }
    Ok(message)
}

fn timed_out(id: MessageId, until: Until, limit: Duration) -> CommandError {
    let what = match until {
        Until::Sent => "sent",
        Until::Delivered => "delivered",
    };
    let waited = tetherd_config::value::format_duration(limit);
    CommandError::TimedOut(format!(
        "{id} was not {what} within {waited}; it stays in the queue: `tetherctl why` says what \
         holds it"
    ))
}

fn tell_outcome(message: Message, until: Until, out: &mut Output) -> Result<(), CommandError> {
    if out.json() {
        out.json_line(&json!({ "message": message }))?;
    }
    let good = match until {
        Until::Sent => matches!(message.state, State::Sent | State::Delivered | State::Read),
        Until::Delivered => matches!(message.state, State::Delivered | State::Read),
    };
    if !good {
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
    fn an_unknown_outcome_is_waited_for_and_a_parked_one_is_not() {
        assert!(!is_settled(State::Unknown, Until::Sent));
        assert!(!is_settled(State::Sent, Until::Delivered));
        assert!(is_settled(State::Parked, Until::Sent));
        assert!(is_settled(State::Read, Until::Delivered));
    }
}
