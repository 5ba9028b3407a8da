//! JSON for people: on one line what fits; else as many members a line as fit. What is too
//! long for a line is cut.

use serde_json::Value;

/// Columns that a terminal of 80 leaves an example.
const WIDTH: usize = 69;
/// What a string is never cut below.
const KEPT_CHARS_MIN: usize = 8;

/// An object with its members in this order: all on one line, or all but the last.
pub(super) fn members(members: &[(&str, &Value)]) -> String {
    let parts: Vec<String> =
        members.iter().map(|(name, value)| format!("\"{name}\": {}", flat(value))).collect();
    let line = format!("{{{}}}", parts.join(", "));
    let (Some((name, value)), true) = (members.last(), line.len() > WIDTH) else { return line };
    let before = parts[..parts.len() - 1].join(", ");
    let last = format!("\"{name}\": ");
    let value = shown(value, 1, last.len());
    format!("{{{before},\n {last}{value}}}")
}

/// A value that begins after so many columns of a line with this indentation.
fn shown(value: &Value, indent: usize, before: usize) -> String {
    let line = flat(value);
    // A comma or a bracket may follow.
    let room = WIDTH.saturating_sub(indent + before + 2);
    if line.len() <= room {
        return line;
    }
    match value {
        Value::Object(object) => {
            let parts = object.iter().map(|(name, value)| (format!("\"{name}\": "), value));
            format!("{{\n{}\n{}}}", filled(parts, indent + 1), " ".repeat(indent))
        }
        Value::Array(values) => {
            let parts = values.iter().map(|value| (String::new(), value));
            format!("[\n{}\n{}]", filled(parts, indent + 1), " ".repeat(indent))
        }
        Value::String(text) => {
            let kept: String =
                text.chars().take(room.saturating_sub(5).max(KEPT_CHARS_MIN)).collect();
            Value::from(format!("{}...", kept.trim_end())).to_string()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => line,
    }
}

/// Members, as many a line as fit; what takes several lines begins one of its own.
fn filled<'a>(parts: impl Iterator<Item = (String, &'a Value)>, indent: usize) -> String {
    let start = " ".repeat(indent);
    let mut lines: Vec<String> = Vec::new();
    let mut open = false;
    for (name, value) in parts {
        let part = name.clone() + &flat(value);
        let fits = indent + part.len() + 2 <= WIDTH;
        match lines.last_mut() {
            Some(line) if open && fits && line.len() + part.len() + 4 <= WIDTH => {
                line.push_str(&format!(", {part}"));
            }
            last => {
                if let Some(line) = last {
                    line.push(',');
                }
                let shown =
                    if fits { part } else { name.clone() + &shown(value, indent, name.len()) };
                open = !shown.contains('\n');
                lines.push(format!("{start}{shown}"));
            }
        }
    }
    lines.join("\n")
}

fn flat(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            let of = |(name, value): (&String, &Value)| format!("\"{name}\": {}", flat(value));
            format!("{{{}}}", object.iter().map(of).collect::<Vec<_>>().join(", "))
        }
        Value::Array(values) => {
            format!("[{}]", values.iter().map(flat).collect::<Vec<_>>().join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}
