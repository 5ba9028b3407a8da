//! Doc comments as plain text: paragraphs on one line each, constants by their values.
//! Refuses what only a reader of Rust would understand.

use super::limits;

/// A doc comment as it goes into the document. Code stays in backticks, as in Markdown.
pub(super) fn plain(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|paragraph| {
        let mut lines = String::new();
        for line in paragraph.trim().lines() {
            let line = line.trim();
            if !lines.is_empty() {
                // Items of a list and rows of a table keep their lines.
                lines.push(if begins_item(line) { '\n' } else { ' ' });
            }
            lines.push_str(line);
        }
        with_values(&lines)
    });
    let text = paragraphs.collect::<Vec<_>>().join("\n\n");
    for foreign in ["[`", "::", "crate", "Some(", "`None`"] {
        assert!(!text.contains(foreign), "{foreign:?} is nothing for a caller: {text}");
    }
    text
}

fn begins_item(line: &str) -> bool {
    line.starts_with(['-', '|'])
        || line.split_once(". ").is_some_and(|(number, _)| number.parse::<u8>().is_ok())
}

/// Links to constants become what they are worth.
fn with_values(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[`") {
        let (path, after) = after.split_once("`]").unwrap_or_else(|| panic!("no end: {text}"));
        let name = path.rsplit("::").next().unwrap_or(path);
        let value = limits::value_of(name)
            .unwrap_or_else(|| panic!("a link to {path}, which is no limit: {text}"));
        out.push_str(before);
        out.push_str(&value.to_string());
        rest = after;
    }
    out + rest
}

/// The first sentence, and the rest.
pub(super) fn summary(text: &str) -> (&str, &str) {
    let end = text.find(". ").or_else(|| text.find(".\n")).map_or(text.len(), |at| at + 1);
    let (first, rest) = text.split_at(end);
    (first, rest.trim())
}

#[test]
fn links_to_constants_become_their_values() {
    assert_eq!(
        plain("At most [`super::TEXT_CHARS_MAX`]\ncharacters."),
        "At most 65536 characters."
    );
    assert_eq!(plain("One,\ntwo.\n\n- a\n- b\n  c"), "One, two.\n\n- a\n- b c");
}

#[test]
#[should_panic(expected = "no limit")]
fn a_link_to_anything_else_is_refused() {
    plain("See [`super::Error`].");
}
