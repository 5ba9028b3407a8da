//! The contract's limits: their names, their values, and what their doc comments say.

use serde_json::{Value, json};

use crate::daemon::connection::{IN_FLIGHT_MAX, LINE_TIME_MAX, WRITE_TIME_MAX};
use crate::daemon::engine_handle::SUBSCRIBER_EVENTS_MAX;
use crate::daemon::server::{CONNECTIONS_MAX, CONNECTIONS_PER_USER_MAX};
use crate::rpc::{api, fds, frame};

use super::words;

const API: &str = include_str!("../api.rs");
const CAUSE: &str = include_str!("../api/cause.rs");
const CONTENT: &str = include_str!("../api/content.rs");
const INBOX: &str = include_str!("../api/inbox.rs");
const PHONE: &str = include_str!("../api/phone.rs");
const FDS: &str = include_str!("../fds.rs");
const FRAME: &str = include_str!("../frame.rs");
const CONNECTION: &str = include_str!("../../daemon/connection.rs");
const SERVER: &str = include_str!("../../daemon/server.rs");
const ENGINE: &str = include_str!("../../daemon/engine_handle.rs");

/// One limit: the constant's name, its value in the unit that is told, the unit where the
/// name has none, and the source that documents it.
struct Limit(&'static str, u64, &'static str, &'static str);

fn all() -> Vec<Limit> {
    let n = |value: usize| u64::try_from(value).unwrap();
    vec![
        Limit("FRAME_BYTES_MAX", n(api::FRAME_BYTES_MAX), "", API),
        Limit("JSON_DEPTH_MAX", n(api::JSON_DEPTH_MAX), "", API),
        Limit("ID_BYTES_MAX", n(frame::ID_BYTES_MAX), "", FRAME),
        Limit("CONNECTIONS_MAX", n(CONNECTIONS_MAX), "", SERVER),
        Limit("CONNECTIONS_PER_USER_MAX", n(CONNECTIONS_PER_USER_MAX), "", SERVER),
        Limit("IN_FLIGHT_MAX", n(IN_FLIGHT_MAX), "", CONNECTION),
        Limit("LINE_TIME_MAX", LINE_TIME_MAX.as_secs(), "_s", CONNECTION),
        Limit("WRITE_TIME_MAX", WRITE_TIME_MAX.as_secs(), "_s", CONNECTION),
        Limit("SUBSCRIBER_EVENTS_MAX", n(SUBSCRIBER_EVENTS_MAX), "", ENGINE),
        Limit("FDS_PER_LINE_MAX", n(fds::FDS_PER_LINE_MAX), "", FDS),
        Limit("TEXT_CHARS_MAX", n(api::TEXT_CHARS_MAX), "", API),
        Limit("PREVIEW_CHARS_MAX", n(api::PREVIEW_CHARS_MAX), "", API),
        Limit("CAPTION_CHARS_MAX", n(api::CAPTION_CHARS_MAX), "", CONTENT),
        Limit("KEY_BYTES_MAX", n(api::KEY_BYTES_MAX), "", API),
        Limit("FILE_NAME_BYTES_MAX", n(api::FILE_NAME_BYTES_MAX), "", CONTENT),
        Limit("INLINE_FILE_BYTES_MAX", n(api::INLINE_FILE_BYTES_MAX), "", CONTENT),
        Limit("URL_BYTES_MAX", n(api::URL_BYTES_MAX), "", CONTENT),
        Limit("LIST_ENTRIES_MAX", n(api::LIST_ENTRIES_MAX), "", API),
        Limit("INBOX_LIST_MAX", n(api::INBOX_LIST_MAX), "", INBOX),
        Limit("CLEAR_EXAMPLES_MAX", n(api::CLEAR_EXAMPLES_MAX), "", API),
        Limit("IDS_MAX", n(api::IDS_MAX), "", API),
        Limit("CAUSE_IDS_MAX", n(api::CAUSE_IDS_MAX), "", CAUSE),
        Limit("CHECK_NUMBERS_MAX", n(api::CHECK_NUMBERS_MAX), "", PHONE),
        Limit("HEARTBEAT_NAME_BYTES_MAX", n(api::HEARTBEAT_NAME_BYTES_MAX), "", PHONE),
    ]
}

pub(super) fn value_of(name: &str) -> Option<u64> {
    all().iter().find(|limit| limit.0 == name).map(|limit| limit.1)
}

/// `x-limits` of the document.
pub(super) fn told() -> Value {
    let limits = all().into_iter().map(|Limit(name, value, unit, source)| {
        let name_told = format!("{}{unit}", name.to_lowercase());
        json!({ "name": name_told, "value": value, "description": documented(name, source) })
    });
    limits.collect()
}

/// The doc comment above a constant.
fn documented(name: &str, source: &str) -> String {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let declared = format!("const {name}:");
    let at = lines.iter().position(|line| line.contains(&declared)).unwrap_or_else(|| {
        panic!("{name} is declared elsewhere");
    });
    let mut words: Vec<&str> = Vec::new();
    words
        .extend(lines[..at].iter().rev().map_while(|line| line.strip_prefix("///")).map(str::trim));
    words.reverse();
    assert!(!words.is_empty(), "{name} says nothing");
    words::plain(&words.join("\n"))
}
