//! Lines and envelopes, in any slices and with any bytes.

use proptest::prelude::*;
use serde_json::json;

use crate::ID_BYTES_MAX;
use crate::frame::{
    FromDaemon, Id, check_depth, encode_reply, encode_request, parse_from_daemon, parse_request,
};
use crate::framing::{LineBuffer, LineTooLong};
use crate::{Error, ErrorKind, JSON_DEPTH_MAX};

const SMALL: usize = 64;
/// What the buffer may hold: a line, a push, and the growth of a vector.
const HELD_MAX: usize = 4 * (SMALL + SMALL);

/// The lines of some bytes, by the simplest means.
fn model(bytes: &[u8]) -> Result<Vec<Vec<u8>>, LineTooLong> {
    let mut lines = Vec::new();
    let mut rest = bytes;
    while let Some(end) = rest.iter().position(|b| *b == b'\n') {
        if end + 1 > SMALL {
            return Err(LineTooLong { bytes_max: SMALL });
        }
        lines.push(rest[..end].to_vec());
        rest = &rest[end + 1..];
    }
    if rest.len() >= SMALL {
        return Err(LineTooLong { bytes_max: SMALL });
    }
    lines.push(rest.to_vec());
    for line in &mut lines {
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    }
    lines.retain(|line| !line.iter().all(u8::is_ascii_whitespace));
    Ok(lines)
}

fn read_in_slices(bytes: &[u8], slice: usize) -> Result<Vec<Vec<u8>>, LineTooLong> {
    let mut buffer = LineBuffer::new(SMALL);
    let mut lines = Vec::new();
    for slice in bytes.chunks(slice) {
        buffer.push(slice);
        while let Some(line) = buffer.next_line()? {
            lines.push(line);
        }
        assert!(buffer.held_bytes() <= HELD_MAX, "{} bytes held", buffer.held_bytes());
    }
    lines.extend(buffer.take_rest());
    assert!(!buffer.has_started_line());
    Ok(lines)
}

fn bytes_with_many_ends() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        3 => any::<u8>(),
        2 => Just(b'\n'),
        1 => Just(b'\r'),
        1 => Just(b' '),
        3 => prop::sample::select(br#"{}[]":,1a\"#.to_vec()),
    ];
    prop::collection::vec(byte, 0..600)
}

proptest! {
    #[test]
    fn any_bytes_in_any_slices_give_the_same_lines_within_bounded_memory(
        bytes in bytes_with_many_ends(),
        slice in 1..SMALL,
    ) {
        prop_assert_eq!(read_in_slices(&bytes, slice), model(&bytes));
    }

    #[test]
    fn no_line_makes_either_side_panic(line in bytes_with_many_ends()) {
        let _ = parse_request(&line);
        let _ = parse_from_daemon(&line);
    }

    #[test]
    fn a_request_survives_its_journey(id in any::<u64>(), text in any::<String>()) {
        let line = encode_request(id, "message.send", &json!({ "text": text })).unwrap();
        prop_assert_eq!(line.iter().filter(|b| **b == b'\n').count(), 1);
        let request = parse_request(&line).unwrap();
        prop_assert_eq!(request.id, Some(Id::Number(id.into())));
        prop_assert_eq!(request.params.0.get("text").and_then(|t| t.as_str()), Some(text.as_str()));
    }
}

#[test]
fn a_line_of_exactly_the_bound_is_taken() {
    let mut line = vec![b'x'; SMALL - 1];
    line.push(b'\n');
    assert_eq!(read_in_slices(&line, 7).unwrap(), [vec![b'x'; SMALL - 1]]);
    line.insert(0, b'x');
    read_in_slices(&line, 7).unwrap_err();
}

#[test]
fn a_buffer_that_grew_gives_its_memory_back() {
    let mut buffer = LineBuffer::new(1024 * 1024);
    buffer.push(&vec![b'x'; 512 * 1024]);
    assert_eq!(buffer.next_line(), Ok(None));
    buffer.push(b"\n");
    assert_eq!(buffer.next_line().unwrap().unwrap().len(), 512 * 1024);
    buffer.push(b"");
    assert!(buffer.held_bytes() <= 64 * 1024);
}

#[test]
fn depth_counts_brackets_outside_strings_only() {
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    check_depth(nested(JSON_DEPTH_MAX).as_bytes()).unwrap();
    check_depth(nested(JSON_DEPTH_MAX + 1).as_bytes()).unwrap_err();
    let quoted = format!(r#"["\"{}"]"#, "[".repeat(JSON_DEPTH_MAX * 2));
    check_depth(quoted.as_bytes()).unwrap();
    check_depth("[]".repeat(1_000).as_bytes()).unwrap();
}

#[test]
fn too_long_an_id_is_refused() {
    let request = |len: usize| {
        let id = "i".repeat(len);
        format!(r#"{{"jsonrpc":"2.0","id":"{id}","method":"status"}}"#)
    };
    parse_request(request(ID_BYTES_MAX).as_bytes()).unwrap();
    let rejected = parse_request(request(ID_BYTES_MAX + 1).as_bytes()).unwrap_err();
    assert_eq!(rejected.error.data.kind, ErrorKind::InvalidRequest);
}

#[test]
fn a_reply_carries_its_result_or_its_error() {
    let id = Id::String("a".into());
    let line = encode_reply(&id, Ok(&json!({"x": 1}))).unwrap();
    assert_eq!(line, b"{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":{\"x\":1}}\n");
    let error = Error::new(ErrorKind::QueueFull, "full").remedy("wait").retry_after_ms(5);
    let line = encode_reply::<()>(&id, Err(&error)).unwrap();
    let FromDaemon::Reply { id: back, outcome } = parse_from_daemon(&line).unwrap() else {
        panic!("a reply")
    };
    assert_eq!((back, outcome), (id, Err(error)));
}

#[test]
fn an_error_of_a_newer_contract_keeps_its_code_and_sentence() {
    let line =
        br#"{"jsonrpc":"2.0","id":1,"error":{"code":1999,"message":"new","data":{"kind":"x"}}}"#;
    let FromDaemon::Reply { outcome: Err(error), .. } = parse_from_daemon(line).unwrap() else {
        panic!("an error")
    };
    assert_eq!((error.code, error.message.as_str()), (1_999, "new"));
}

#[test]
fn an_event_of_a_newer_contract_is_passed_over() {
    let line = br#"{"jsonrpc":"2.0","method":"event","params":{"seq":1,"event":"new_thing"}}"#;
    assert!(matches!(parse_from_daemon(line), Ok(FromDaemon::Unknown)));
    let line = br#"{"jsonrpc":"2.0","method":"other","params":[1]}"#;
    assert!(matches!(parse_from_daemon(line), Ok(FromDaemon::Unknown)));
}
