//! "Did you mean": the name that a caller probably meant, and how much of what they wrote
//! comes back to them.

use std::borrow::Cow;

/// Longest piece of the caller's that an error quotes, in characters.
const QUOTED_CHARS_MAX: usize = 300;
/// Names less alike than this are not suggested.
const LIKENESS_MIN: f64 = 0.7;
/// Characters that are compared: the cost grows with the square of the lengths.
const COMPARED_CHARS_MAX: usize = 64;

/// The name that was probably meant.
pub(crate) fn closest<'a>(name: &str, among: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name: String = name.chars().take(COMPARED_CHARS_MAX).collect();
    among
        .map(|known| (strsim::jaro_winkler(&name, known), known))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// What the caller wrote, short enough to be quoted to them.
pub(crate) fn clipped(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()).into(),
        None => text.into(),
    }
}
