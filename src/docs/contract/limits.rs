//! The contract's limits: their names, their values, and what their doc comments say.

use serde_json::{Value, json};

use tetherd_api as api;

use super::words;

const SOURCE: &str = include_str!("../../api/limits.rs");

/// One limit: the constant's name, its value in the unit that is documented, and the unit where
/// the name has none.
struct Limit(&'static str, u64, &'static str);

fn all() -> Vec<Limit> {
    let n = |value: usize| u64::try_from(value).unwrap();
    vec![
        Limit("FRAME_BYTES_MAX", n(api::FRAME_BYTES_MAX), ""),
        Limit("JSON_DEPTH_MAX", n(api::JSON_DEPTH_MAX), ""),
        Limit("ID_BYTES_MAX", n(api::ID_BYTES_MAX), ""),
        Limit("CONNECTIONS_MAX", n(api::CONNECTIONS_MAX), ""),
        Limit("CONNECTIONS_PER_USER_MAX", n(api::CONNECTIONS_PER_USER_MAX), ""),
        Limit("CONNECTIONS_KEPT", n(api::CONNECTIONS_KEPT), ""),
        Limit("IN_FLIGHT_MAX", n(api::IN_FLIGHT_MAX), ""),
        Limit("LINE_TIME_MAX", api::LINE_TIME_MAX.as_secs(), "_s"),
        Limit("IDLE_TIME_MAX", api::IDLE_TIME_MAX.as_secs(), "_s"),
        Limit("WRITE_TIME_MAX", api::WRITE_TIME_MAX.as_secs(), "_s"),
        Limit("FDS_PER_LINE_MAX", n(api::FDS_PER_LINE_MAX), ""),
        Limit("TEXT_CHARS_MAX", n(api::TEXT_CHARS_MAX), ""),
        Limit("PREVIEW_CHARS_MAX", n(api::PREVIEW_CHARS_MAX), ""),
        Limit("CAPTION_CHARS_MAX", n(api::CAPTION_CHARS_MAX), ""),
        Limit("KEY_BYTES_MAX", n(api::KEY_BYTES_MAX), ""),
        Limit("FILE_NAME_BYTES_MAX", n(api::FILE_NAME_BYTES_MAX), ""),
        Limit("INLINE_FILE_BYTES_MAX", n(api::INLINE_FILE_BYTES_MAX), ""),
        Limit("URL_BYTES_MAX", n(api::URL_BYTES_MAX), ""),
        Limit("LIST_ENTRIES_MAX", n(api::LIST_ENTRIES_MAX), ""),
        Limit("INBOX_LIST_MAX", n(api::INBOX_LIST_MAX), ""),
        Limit("CLEAR_EXAMPLES_MAX", n(api::CLEAR_EXAMPLES_MAX), ""),
        Limit("IDS_MAX", n(api::IDS_MAX), ""),
        Limit("CONDITION_IDS_MAX", n(api::CONDITION_IDS_MAX), ""),
        Limit("CHECK_NUMBERS_MAX", n(api::CHECK_NUMBERS_MAX), ""),
        Limit("MENTIONS_MAX", n(api::MENTIONS_MAX), ""),
        Limit("EMOJI_BYTES_MAX", n(api::EMOJI_BYTES_MAX), ""),
        Limit("GROUPS_MAX", n(api::GROUPS_MAX), ""),
        Limit("GROUP_NAME_CHARS_MAX", n(api::GROUP_NAME_CHARS_MAX), ""),
        Limit("HEARTBEAT_NAME_BYTES_MAX", n(api::HEARTBEAT_NAME_BYTES_MAX), ""),
    ]
}

pub(super) fn value_of(name: &str) -> Option<u64> {
    all().iter().find(|limit| limit.0 == name).map(|limit| limit.1)
}

/// `x-limits` of the document.
pub(super) fn documented() -> Value {
    let limits = all().into_iter().map(|Limit(name, value, unit)| {
        let documented_name = format!("{}{unit}", name.to_lowercase());
        json!({ "name": documented_name, "value": value, "description": doc_comment(name) })
    });
    limits.collect()
}

/// The doc comment above a constant.
fn doc_comment(name: &str) -> String {
    let lines: Vec<&str> = SOURCE.lines().map(str::trim).collect();
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
