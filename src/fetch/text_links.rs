//! Links in texts: where each begins, and the addresses that it may be, since a text does not
//! say where a link ends. Asks nobody.

use url::{Host, Url};

use tetherd_api::URL_BYTES_MAX;

/// Links of one text that are checked.
pub const LINKS_MAX: usize = 3;
/// Addresses of one link that are asked.
const READINGS_MAX: usize = 4;
/// What often follows a link directly and is seldom its last character.
const TRAILING: &[char] = &['.', ',', ':', ';', '!', '?', '\'', '"', '*', '_', '~', '-', '(', '['];

/// A link of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextLink {
    /// The addresses that it may be, the likeliest first. Never empty.
    pub readings: Vec<Url>,
    /// Whether it can be no other: then it is broken if all of them are.
    pub complete: bool,
}

/// The first few links of a text, each once.
pub fn find(text: &str) -> Vec<TextLink> {
    // Almost every text ends here.
    if !text.contains("://") {
        return Vec::new();
    }
    let words = text.split(|c: char| c.is_ascii_whitespace() || c.is_ascii_control());
    let mut found: Vec<TextLink> = Vec::new();
    for link in words.filter_map(from_scheme).filter_map(read) {
        if !found.contains(&link) {
            found.push(link);
        }
        if found.len() == LINKS_MAX {
            break;
        }
    }
    found
}

/// The rest of a word from the scheme on.
fn from_scheme(word: &str) -> Option<&str> {
    word.get(scheme_at(word, 0)?..)
}

/// Where a scheme begins, not before this place.
fn scheme_at(word: &str, from: usize) -> Option<usize> {
    word.match_indices("://").find_map(|(colon, _)| {
        let before = word.get(..colon)?;
        let begin = ["https", "http"].into_iter().find_map(|scheme| {
            let begin = colon.checked_sub(scheme.len())?;
            before.get(begin..)?.eq_ignore_ascii_case(scheme).then_some(begin)
        })?;
        let letter_before = before.get(..begin)?.ends_with(|c: char| c.is_ascii_alphanumeric());
        (begin >= from && !letter_before).then_some(begin)
    })
}

/// A word that begins with a scheme, as the addresses that it may be.
fn read(word: &str) -> Option<TextLink> {
    let mut readings: Vec<Url> = Vec::new();
    let mut complete = true;
    for end in ends(word) {
        let Some(address) = word.get(..end) else { continue };
        if address.len() > URL_BYTES_MAX {
            complete = false;
            continue;
        }
        let Ok(mut url) = Url::parse(address) else { continue };
        // What follows `#` is the browser's, not the server's.
        url.set_fragment(None);
        if !readings.contains(&url) {
            readings.push(url);
        }
    }
    // A cut within the host's name leaves no public name.
    if readings.iter().any(has_public_host) {
        readings.retain(has_public_host);
    }
    complete &= readings.len() <= READINGS_MAX;
    readings.truncate(READINGS_MAX);
    (!readings.is_empty()).then_some(TextLink { readings, complete })
}

/// Where the address may end, the likeliest place first.
fn ends(word: &str) -> Vec<usize> {
    let body = word.find("://").map_or(0, |colon| colon + 3);
    let foreign = word.char_indices().find(|(at, c)| *at >= body && !is_of_addresses(*c));
    let inner = scheme_at(word, body).map(|at| (at, 'h'));
    let cut = foreign.into_iter().chain(inner).min_by_key(|(at, _)| *at);
    let whole = with_trimmed(word, word.len());
    let mut ends = Vec::new();
    match cut {
        // A letter of another script is likely a part of it, a quotation mark is not.
        Some((at, c)) if !c.is_alphanumeric() => {
            ends.extend(with_trimmed(word, at));
            ends.extend(whole);
        }
        Some((at, _)) => {
            ends.extend(whole);
            ends.extend(with_trimmed(word, at));
        }
        None => ends.extend(whole),
    }
    let mut others: Vec<usize> = word
        .char_indices()
        .filter(|(at, c)| *at > body && may_follow(word, *at, *c))
        .map(|(at, _)| at)
        .collect();
    others.reverse();
    ends.extend(others);
    ends
}

/// This end, and before it the end without the punctuation there.
fn with_trimmed(word: &str, end: usize) -> [usize; 2] {
    let mut address = word.get(..end).unwrap_or_default();
    while let Some(last) = address.chars().next_back() {
        let open = |open: char, close: char| {
            address.matches(close).count() > address.matches(open).count()
        };
        let strays = match last {
            ')' => open('(', ')'),
            ']' => open('[', ']'),
            c => TRAILING.contains(&c) || (!is_of_addresses(c) && !c.is_alphanumeric()),
        };
        if !strays {
            break;
        }
        address = address.get(..address.len() - last.len_utf8()).unwrap_or_default();
    }
    [address.len(), end]
}

/// Whether the address may have ended before this character.
fn may_follow(word: &str, at: usize, c: char) -> bool {
    let next_is_capital = || {
        word.get(at + c.len_utf8()..)
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
    };
    match c {
        '!' | '\'' | '(' | ')' | '*' | ',' | ';' | '[' | ']' => true,
        // "see http://host/page.Then", without a space.
        '.' | ':' | '?' => next_is_capital(),
        c => !is_of_addresses(c),
    }
}

/// Whether RFC 3986 has this character.
fn is_of_addresses(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c)
}

fn has_public_host(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.trim_end_matches('.').contains('.'),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(text: &str) -> Vec<String> {
        let links = find(text);
        links.into_iter().flat_map(|link| link.readings).map(String::from).collect()
    }

    fn first(text: &str) -> Vec<String> {
        find(text).iter().map(|link| link.readings[0].to_string()).collect()
    }

    #[test]
    fn links_are_found_as_people_write_them() {
        assert_eq!(first("no link, not even example.com or a@b.example"), [""; 0]);
        assert_eq!(first("See (https://a.example/x)."), ["https://a.example/x"]);
        let fragments = "https://a.example/#one, https://a.example/#two!";
        assert_eq!(readings(fragments), ["https://a.example/"]);
        assert_eq!(first("ftp://a.example http://b.example"), ["http://b.example/"]);
        assert_eq!(first("HTTPS://A.EXAMPLE/X"), ["https://a.example/X"]);
        assert_eq!(first("xhttp://a.example"), [""; 0]);
        let many = "https://a.example https://b.example https://c.example https://d.example";
        assert_eq!(first(many).len(), 3);
    }

    #[test]
    fn a_plain_address_between_blanks_is_read_in_one_way() {
        for address in [
            "https://a.example/x",
            "https://a.example/a-b_c~d/e.pdf?f=g&h=%20#i",
            "https://a.example:8443/@user/x+y",
            "https://bücher.example/",
            "http://192.0.2.1/x",
            "http://[2001:db8::1]/x",
            "http://www.example.com/Index.html",
        ] {
            for text in [address.to_owned(), format!("a {address} b"), format!("{address}\nb")] {
                let links = find(&text);
                assert_eq!(links.len(), 1, "{text}");
                assert_eq!(links[0].readings.len(), 1, "{text}: {links:?}");
                assert!(links[0].complete, "{text}");
            }
        }
    }

    /// The page is among the readings, and how early.
    #[test]
    fn whatever_stands_behind_an_address_its_page_is_asked_too() {
        for (text, place) in [
            ("“https://a.example/page”", 0),
            ("„https://a.example/page“", 0),
            ("«https://a.example/page»", 0),
            ("‘https://a.example/page’", 0),
            ("https://a.example/page…", 0),
            ("https://a.example/page–und", 0),
            ("https://a.example/page—", 0),
            ("https://a.example/page👍", 0),
            ("https://a.example/page\u{a0}x", 0),
            ("https://a.example/page\u{200b}", 0),
            ("https://a.example/page\u{feff}", 0),
            ("https://a.example/page\u{2028}x", 0),
            ("https://a.example/page。", 0),
            ("（https://a.example/page）", 0),
            ("「https://a.example/page」を見て", 0),
            ("https://a.example/page、次", 0),
            ("https://a.example/page看看", 1),
            ("~https://a.example/page~", 0),
            ("*https://a.example/page*", 0),
            ("_https://a.example/page_", 0),
            ("```https://a.example/page```", 0),
            ("<https://a.example/page>", 0),
            ("\"https://a.example/page\",", 0),
            ("'https://a.example/page'", 0),
            ("[x](https://a.example/page)", 0),
            ("(https://a.example/page)!", 0),
            ("{https://a.example/page}", 0),
            ("|https://a.example/page|", 0),
            ("https://a.example/page\\n", 0),
            ("https://a.example/page;https://a.example/other", 1),
            ("https://a.example/page,https://a.example/other", 1),
            ("https://a.example/page,danke", 1),
            ("https://a.example/page;danke", 1),
            ("https://a.example/page)danke", 1),
            ("https://a.example/page.Danke", 1),
            ("https://a.example/page:Danke", 1),
            ("https://a.example/page!Danke", 1),
            ("https://a.example/page.”", 0),
            ("https://a.example/page”).", 0),
            ("https://a.example/page.\u{201d}\u{a0}–", 0),
        ] {
            let all = readings(text);
            let found = all.iter().position(|url| url == "https://a.example/page");
            assert_eq!(found, Some(place), "{text}: {all:?}");
        }
    }

    #[test]
    fn an_address_without_a_path_is_asked_too() {
        for text in [
            "https://a.example’s page",
            "https://a.example看看",
            "“https://a.example”",
            "https://a.example…",
            "https://a.example.Danke",
            "https://a.example,",
            "https://a.example👍",
            "https://a.example\u{200b}",
        ] {
            let all = readings(text);
            assert!(all.iter().any(|url| url == "https://a.example/"), "{text}: {all:?}");
        }
    }

    #[test]
    fn punctuation_that_belongs_to_an_address_is_kept() {
        for (text, page) in [
            ("https://a.example/Foo_(bar)", "https://a.example/Foo_(bar)"),
            ("(https://a.example/Foo_(bar))", "https://a.example/Foo_(bar)"),
            ("https://a.example/Foo_(bar).", "https://a.example/Foo_(bar)"),
            ("https://a.example/wiki/Inc.", "https://a.example/wiki/Inc."),
            ("https://a.example/key_", "https://a.example/key_"),
            ("https://a.example/a,b;c", "https://a.example/a,b;c"),
            ("https://a.example/Россия", "https://a.example/%D0%A0%D0%BE%D1%81%D1%81%D0%B8%D1%8F"),
            ("https://a.example/r/https://b.example/x", "https://a.example/r/https://b.example/x"),
        ] {
            let all = readings(text);
            assert!(all.iter().any(|url| url == page), "{text}: {all:?}");
        }
    }

    #[test]
    fn what_has_too_many_readings_or_is_too_long_is_never_complete() {
        assert!(!find("https://a.example/a!b!c!d!e!f")[0].complete);
        let long = format!("https://a.example/x”{}", "y".repeat(URL_BYTES_MAX));
        assert!(!find(&long)[0].complete);
        assert_eq!(readings(&long), ["https://a.example/x", "https://a.example/x%E2%80%9D"][..1]);
    }
}
