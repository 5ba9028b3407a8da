//! What must hold for any bytes on the socket. Entrances for contrib/fuzz; part of no program.

use serde_json::Value;

use crate::frame::{
    FromDaemon, Id, encode_error, encode_event, encode_reply, parse_from_daemon, parse_request,
};
use crate::framing::LineBuffer;
use crate::state_replica::StateReplica;
use crate::{Call, Error, FRAME_BYTES_MAX, Method};

/// A bound that a few bytes reach.
const LINE_BYTES_MAX: usize = 512;

/// Bytes as they come: the first says in pieces of what length.
pub fn frames(data: &[u8]) {
    let Some((piece, bytes)) = data.split_first() else { return };
    let lines = lines(bytes, usize::from(*piece).max(1));
    assert_eq!(lines, self::lines(bytes, bytes.len().max(1)), "the pieces change the lines");
    for line in &lines {
        assert!(line.len() < LINE_BYTES_MAX);
        request(line);
        answer(line);
    }
}

/// The first byte names a method, the rest is its parameters.
pub fn params(data: &[u8]) {
    let Some((index, json)) = data.split_first() else { return };
    let Some(method) = Method::ALL.get(usize::from(*index) % Method::ALL.len()) else { return };
    if let Ok(Value::Object(params)) = serde_json::from_slice(json) {
        decoded(*method, params);
    }
}

fn lines(bytes: &[u8], piece: usize) -> Vec<Vec<u8>> {
    let mut buffer = LineBuffer::new(LINE_BYTES_MAX);
    let mut lines = Vec::new();
    for piece in bytes.chunks(piece) {
        buffer.push(piece);
        loop {
            match buffer.next_line() {
                Ok(Some(line)) => lines.push(line),
                Ok(None) => break,
                Err(_) => return lines,
            }
        }
    }
    assert!(!buffer.has_started_line() || !bytes.ends_with(b"\n"));
    lines.extend(buffer.take_rest());
    lines
}

fn request(line: &[u8]) {
    let request = match parse_request(line) {
        Ok(request) => request,
        Err(rejected) => return refused(&rejected.id, &rejected.error),
    };
    let id = request.id.unwrap_or(Id::Null);
    match Method::find(&request.method) {
        Ok(method) => {
            assert!(method.name() == request.method || method.alias() == Some(&request.method));
            decoded(method, request.params.0);
        }
        Err(error) => refused(&id, &error),
    }
    let reply = encode_reply(&id, Ok(&Value::Null)).unwrap_or_default();
    match parse_from_daemon(trimmed(&reply)) {
        Ok(FromDaemon::Reply { id: read, outcome: Ok(Value::Null) }) => assert_eq!(read, id),
        other => unreachable!("a result is an answer: {other:?}"),
    }
}

/// What is written as parameters reads as the same.
fn decoded(method: Method, params: serde_json::Map<String, Value>) {
    let call = match Call::decode(method, params) {
        Ok(call) => call,
        Err(error) => return refused(&Id::Null, &error),
    };
    let written = match call.params() {
        Ok(Value::Object(written)) => written,
        other => unreachable!("parameters are an object: {other:?}"),
    };
    assert_eq!(Call::decode(method, written), Ok(call));
}

/// An error always fits into a line, and is read as what it is.
fn refused(id: &Id, error: &Error) {
    let line = encode_error(id, error);
    assert!(line.len() <= FRAME_BYTES_MAX && line.ends_with(b"\n"));
    match parse_from_daemon(trimmed(&line)) {
        Ok(FromDaemon::Reply { id: read, outcome: Err(same) }) => {
            assert_eq!((&read, &same), (id, error));
        }
        other => unreachable!("an error is an answer: {other:?}"),
    }
}

/// What a daemon says.
fn answer(line: &[u8]) {
    match parse_from_daemon(line) {
        Ok(FromDaemon::Event(frame)) => {
            let mut replica = StateReplica::new();
            replica.apply(&frame);
            let written = encode_event(&frame).unwrap_or_default();
            let read = parse_from_daemon(trimmed(&written));
            assert!(matches!(read, Ok(FromDaemon::Event(same)) if same == frame));
        }
        Ok(FromDaemon::Reply { id, outcome: Err(error) }) => refused(&id, &error),
        Ok(FromDaemon::Reply { .. } | FromDaemon::Unknown) | Err(_) => {}
    }
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

#[cfg(test)]
#[path = "../../contrib/fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use super::replay::replay;

    #[test]
    fn kept_inputs_hold() {
        replay("frames", super::frames);
        replay("params", super::params);
    }
}
