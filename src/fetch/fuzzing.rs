//! What must hold for any text with links, and for any name that a server gives to a file.
//! Entrances for contrib/fuzz; part of no program.

use hyper::header::{CONTENT_DISPOSITION, HeaderMap, HeaderValue};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tetherd_api::URL_BYTES_MAX;

use super::address::{self, Schemes, is_file_name};
use super::disposition::file_name;
use super::{LINKS_MAX, find_links};

/// A text, an address, and the head of an answer.
pub fn links(data: &[u8]) {
    disposition(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    let found = find_links(text);
    assert!(found.len() <= LINKS_MAX);
    for url in found.iter().flat_map(|link| &link.readings) {
        assert!(matches!(url.scheme(), "http" | "https") && url.fragment().is_none());
    }
    assert!(found.iter().all(|link| !link.readings.is_empty()));
    if let Ok(url) = address::parse(text, Schemes::Both) {
        assert!(url.as_str().len() <= URL_BYTES_MAX && url.has_host());
        assert_eq!(address::parse(url.as_str(), Schemes::Both).as_ref(), Ok(&url));
        assert!(address::file_name(&url).is_none_or(|name| is_file_name(&name)));
    }
}

/// A name can be kept, and is the same where it comes in the standard's form.
fn disposition(value: &[u8]) {
    let Some(name) = named(value) else { return };
    assert!(is_file_name(&name) && name.trim() == name);
    let standard = format!("a; filename*=UTF-8''{}", utf8_percent_encode(&name, NON_ALPHANUMERIC));
    assert_eq!(named(standard.as_bytes()), Some(name));
}

fn named(value: &[u8]) -> Option<String> {
    let value = HeaderValue::from_bytes(value).ok()?;
    file_name(&HeaderMap::from_iter([(CONTENT_DISPOSITION, value)]))
}

#[cfg(test)]
mod tests {
    #[test]
    fn kept_inputs_hold() {
        crate::replay::replay("links", super::links);
    }
}
