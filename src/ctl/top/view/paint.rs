//! Text into cells: lines that are cut are marked, long ones are wrapped, all by the width that
//! a terminal gives each character.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// Ends a line that goes on.
const CUT: &str = ">";
/// Indents what continues a line, beyond the line's own indent.
const HANG: usize = 2;

/// Draws a line into the first row of an area; where it is cut, that is marked.
pub(super) fn put(buf: &mut Buffer, row: Rect, line: &Line<'_>) {
    if row.is_empty() {
        return;
    }
    if line.style != Style::default() {
        buf.set_style(Rect { height: 1, ..row }, line.style);
    }
    buf.set_line(row.x, row.y, line, row.width);
    if line.width() > usize::from(row.width) {
        buf.set_string(row.right() - 1, row.y, CUT, line.style);
    }
}

/// A title with a rule behind it.
pub(super) fn rule(buf: &mut Buffer, row: Rect, title: &str, style: Style) {
    let head = format!("-- {title} ");
    let rest = usize::from(row.width).saturating_sub(Span::raw(&head).width());
    put(buf, row, &Line::from(Span::styled(format!("{head}{}", "-".repeat(rest)), style)));
}

/// How wide a terminal shows it.
pub(super) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// Exactly this wide: cut and marked, or filled up.
pub(super) fn fit(text: &str, columns: usize) -> String {
    let taken = width(text);
    if taken <= columns {
        return format!("{text}{}", " ".repeat(columns - taken));
    }
    let (head, _) = split(text, columns.saturating_sub(CUT.len()));
    let fill = columns.saturating_sub(width(head) + CUT.len());
    format!("{head}{CUT}{}", " ".repeat(fill))
}

/// Broken into lines between words; what continues a line is indented more than it.
pub(super) fn wrap(text: &str, columns: u16) -> Vec<String> {
    let columns = usize::from(columns).max(1);
    if width(text) <= columns {
        return vec![text.to_owned()];
    }
    let indent = text.len() - text.trim_start_matches(' ').len();
    let hang = " ".repeat((indent + HANG).min(columns / 2));
    let mut lines = Vec::new();
    let mut line = " ".repeat(indent.min(columns / 2));
    let mut empty = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let mut word = word;
        let gap = usize::from(!empty);
        if !empty && width(&line) + gap + width(word) > columns {
            lines.push(std::mem::replace(&mut line, hang.clone()));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        while width(&line) + width(word) > columns {
            let (head, rest) = split(word, columns.saturating_sub(width(&line)).max(1));
            if head.is_empty() {
                break;
            }
            line.push_str(head);
            lines.push(std::mem::replace(&mut line, hang.clone()));
            word = rest;
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(line);
    lines
}

/// As much as fits into so many columns, and the rest.
fn split(text: &str, columns: usize) -> (&str, &str) {
    let mut end = 0;
    for (at, c) in text.char_indices() {
        let next = at + c.len_utf8();
        if width(&text[..next]) > columns {
            break;
        }
        end = next;
    }
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_is_marked_by_the_width_of_its_characters() {
        for (text, columns, fitted) in [
            ("abc", 5, "abc  "),
            ("abcdef", 5, "abcd>"),
            ("\u{6f22}\u{5b57}\u{6f22}", 5, "\u{6f22}\u{5b57}>"),
            ("\u{6f22}\u{5b57}\u{6f22}", 4, "\u{6f22}> "),
            ("e\u{301}e\u{301}", 2, "e\u{301}e\u{301}"),
        ] {
            assert_eq!(fit(text, columns), fitted, "{text}");
            assert_eq!(width(&fit(text, columns)), columns, "{text}");
        }
    }

    #[test]
    fn lines_are_broken_between_words_and_long_words_anywhere() {
        assert_eq!(wrap("one two three", 8), ["one two", "  three"]);
        assert_eq!(wrap("  - evidence here", 12), ["  - evidence", "    here"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "  ef", "  gh", "  ij"]);
        assert_eq!(wrap("", 4), [""]);
        let wide = "\u{6f22}".repeat(30);
        assert!(wrap(&wide, 1).len() < 100, "a column too narrow for a character");
        assert!(wrap(&wide, 7).iter().all(|line| width(line) <= 7));
    }
}
