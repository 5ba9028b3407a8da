//! The name that a server gives a file: `Content-Disposition` as of RFC 6266, and as servers
//! write it. A name is checked like any other; one that cannot be used is no name.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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
    let plain = named("filename").map(|value| encoded(value));
    extended.chain(plain).find_map(|name| usable(&name))
}

/// What browsers take for a name that was encoded, though the standard has `filename*` for it:
/// words as of RFC 2047 (`=?UTF-8?B?..?=`), and percent-encoded UTF-8.
fn encoded(value: &str) -> String {
    if let Some(words) = value.split_ascii_whitespace().map(word).collect::<Option<String>>()
        && !words.is_empty()
    {
        return words;
    }
    let escapes = |text: &str| {
        let mut parts = text.split('%').skip(1);
        let hex = |part: &str| part.as_bytes().get(..2).is_some_and(all_hex);
        parts.clone().next().is_some() && parts.all(hex)
    };
    let decoded = percent_decode_str(value).decode_utf8().ok().filter(|_| escapes(value));
    decoded.map_or_else(|| value.to_owned(), |name| name.into_owned())
}

fn all_hex(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_hexdigit)
}

/// `=?UTF-8?Q?R=C3=A4.pdf?=`.
fn word(word: &str) -> Option<String> {
    let inner = word.strip_prefix("=?")?.strip_suffix("?=")?;
    let mut parts = inner.splitn(3, '?');
    let (charset, encoding, coded) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = if encoding.eq_ignore_ascii_case("b") {
        STANDARD.decode(coded).ok()?
    } else if encoding.eq_ignore_ascii_case("q") {
        // Its escapes are those of an address, with another mark.
        let escaped = coded.replace('%', "%25").replace('_', " ").replace('=', "%");
        percent_decode_str(&escaped).collect()
    } else {
        return None;
    };
    in_charset(charset, &bytes)
}

/// Bytes in one of the two character sets that a name comes in.
fn in_charset(charset: &str, bytes: &[u8]) -> Option<String> {
    if charset.eq_ignore_ascii_case("utf-8") {
        String::from_utf8(bytes.to_vec()).ok()
    } else {
        charset.eq_ignore_ascii_case("iso-8859-1").then(|| text(bytes))
    }
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
    in_charset(charset, &bytes)
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
            ("attachment; filename=\"=?UTF-8?B?UsOkLnBkZg==?=\"", "Rä.pdf"),
            ("attachment; filename==?utf-8?q?R=C3=A4_100%.pdf?=", "Rä 100%.pdf"),
            ("attachment; filename=\"=?iso-8859-1?Q?R=E4?= =?UTF-8?Q?=20b.pdf?=\"", "Rä b.pdf"),
            ("attachment; filename=\"=?x?B?..?=.pdf\"", "=?x?B?..?=.pdf"),
            ("attachment; filename=\"R%C3%A4%20b.pdf\"", "Rä b.pdf"),
            ("attachment; filename=\"100%.pdf\"", "100%.pdf"),
            ("attachment; filename=\"%FF.pdf\"", "%FF.pdf"),
            ("attachment; filename=\"..%2F..%2Fpasswd\"", "passwd"),
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
