//! The name that a server gives a file: `Content-Disposition` as of RFC 6266, and as servers
//! write it. A name is checked like any other; one that cannot be used is no name.

use hyper::header::{CONTENT_DISPOSITION, HeaderMap};
use percent_encoding::percent_decode_str;

use crate::fetch::address::is_file_name;

/// `filename*`, which may be any text, before `filename`.
pub(super) fn file_name(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_DISPOSITION)?.as_bytes();
    let value = text(value);
    let parameters: Vec<(String, String)> = parameters(&value);
    let named = |name: &'static str| {
        let named = parameters.iter().filter(move |(known, _)| known == name);
        named.map(|(_, value)| value)
    };
    let extended = named("filename*").filter_map(|value| extended(value));
    extended.chain(named("filename").cloned()).find_map(|name| usable(&name))
}

/// The last part, where somebody sent a path.
fn usable(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next()?.trim();
    is_file_name(last).then(|| last.to_owned())
}

/// Bytes as UTF-8, or else as ISO 8859-1.
fn text(bytes: &[u8]) -> String {
    let latin = || bytes.iter().map(|byte| char::from(*byte)).collect();
    std::str::from_utf8(bytes).map_or_else(|_| latin(), str::to_owned)
}

/// `name=value`, names in lower case. The type before the first `;` has no `=`, if it is there.
fn parameters(value: &str) -> Vec<(String, String)> {
    let mut rest = value;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let end = rest.find([';', '=']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let Some(after) = after.strip_prefix('=') else {
            rest = after.get(1..).unwrap_or_default();
            continue;
        };
        let (value, after) = parameter_value(after.trim_start());
        found.push((name.trim().to_ascii_lowercase(), value));
        rest = after.split_once(';').map_or("", |(_, rest)| rest);
    }
    found
}

/// A token or a quoted string, and what follows it.
fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_at(text.find(';').unwrap_or(text.len()));
        return (value.trim().to_owned(), rest);
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, quoted.get(at + 1..).unwrap_or_default()),
            // Only these two need it; elsewhere it is Windows' folders.
            '\\' if quoted.get(at + 1..).is_some_and(|next| next.starts_with(['"', '\\'])) => {
                value.extend(chars.next().map(|(_, c)| c));
            }
            c => value.push(c),
        }
    }
    (value, "")
}

/// `UTF-8'en'r%C3%A9sum%C3%A9.pdf`.
fn extended(value: &str) -> Option<String> {
    let mut parts = value.splitn(3, '\'');
    let (charset, _language, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes: Vec<u8> = percent_decode_str(encoded).collect();
    if charset.eq_ignore_ascii_case("utf-8") {
        String::from_utf8(bytes).ok()
    } else {
        charset.eq_ignore_ascii_case("iso-8859-1").then(|| text(&bytes))
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn name(value: &[u8]) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_DISPOSITION, HeaderValue::from_bytes(value).unwrap());
        file_name(&headers)
    }

    #[test]
    fn a_server_names_a_file_in_many_ways() {
        for (value, expected) in [
            ("attachment; filename=\"Rechnung 2026-07.pdf\"", "Rechnung 2026-07.pdf"),
            ("attachment; filename=report.pdf", "report.pdf"),
            ("attachment;filename=report.pdf;size=3", "report.pdf"),
            ("inline; FileName=\"a.png\"", "a.png"),
            ("filename=\"a.png\"", "a.png"),
            ("attachment; filename = \"a;b=c.txt\" ; x=y", "a;b=c.txt"),
            ("attachment; filename=\"say \\\"hi\\\".txt\"", "say \"hi\".txt"),
            ("attachment; filename=\"x.pdf\"; filename*=UTF-8''R%C3%A4.pdf", "Rä.pdf"),
            ("attachment; filename*=utf-8'de'R%C3%A4.pdf; filename=x.pdf", "Rä.pdf"),
            ("attachment; filename*=ISO-8859-1''R%E4.pdf", "Rä.pdf"),
            ("attachment; filename*=UTF-16''x; filename=y.pdf", "y.pdf"),
            ("attachment; filename*=UTF-8''%2e%2e; filename=y.pdf", "y.pdf"),
            ("attachment; filename=\"../../etc/passwd\"", "passwd"),
            ("attachment; filename=\"C:\\\\docs\\\\a.pdf\"", "a.pdf"),
            ("attachment; filename=\"C:\\docs\\a.pdf\"", "a.pdf"),
            ("attachment; filename=\"unterminated.pdf", "unterminated.pdf"),
        ] {
            assert_eq!(name(value.as_bytes()).as_deref(), Some(expected), "{value}");
        }
        assert_eq!(name(b"attachment; filename=\"R\xe4.pdf\"").as_deref(), Some("Rä.pdf"));
        let utf8 = "attachment; filename=\"Rä.pdf\"";
        assert_eq!(name(utf8.as_bytes()).as_deref(), Some("Rä.pdf"));
    }

    #[test]
    fn what_cannot_be_a_name_is_none() {
        for value in [
            "attachment",
            "",
            ";;;",
            "=",
            "attachment; filename=",
            "attachment; filename=\"\"",
            "attachment; filename=\"..\"",
            "attachment; filename=\"a/\"",
            "attachment; filename*=UTF-8''a%00b",
            "attachment; filename*=UTF-8''%ff",
            "attachment; filename*=x",
        ] {
            assert_eq!(name(value.as_bytes()), None, "{value}");
        }
        let long = format!("attachment; filename={}", "x".repeat(256));
        assert_eq!(name(long.as_bytes()), None);
    }
}
