//! What a web address may look like before anything is looked up: its scheme, its port,
//! no credentials. Read as browsers read it, so that `http://0x7f.1/` is 127.0.0.1 here
//! too, and judged as that.

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::fetch::FetchError;
use tetherd_api::{FILE_NAME_BYTES_MAX, URL_BYTES_MAX};

/// Ports below this belong to other protocols, whose servers could take a request for
/// words of their own; only the web's own two of them are used.
const PORT_FREE_MIN: u16 = 1_024;
const PORTS_WEB: [u16; 2] = [80, 443];
/// Last labels of names that public name servers do not have, and a recipient's may.
const PRIVATE_DOMAINS: [&str; 10] = [
    "localhost",
    "local",
    "lan",
    "home",
    "internal",
    "intranet",
    "corp",
    "private",
    "arpa",
    "onion",
];

/// Which schemes will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schemes {
    /// `https` only.
    Https,
    /// `http` too.
    Both,
}

/// Why an address cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// Longer than is useful.
    #[error("the address is longer than {URL_BYTES_MAX} bytes")]
    TooLong,
    /// Not an address at all.
    #[error("this is no web address")]
    Malformed,
    /// Not encrypted.
    #[error("only https:// addresses are fetched")]
    NotHttps,
    /// Another scheme.
    #[error("only web addresses are fetched, by https://")]
    Scheme,
    /// A name and password in it.
    #[error("an address with a user name or password in it is not fetched")]
    Credentials,
    /// A port of another protocol.
    #[error("only ports 80, 443 and those from {PORT_FREE_MIN} on are used")]
    Port,
}

impl BadAddress {
    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            BadAddress::TooLong => "use a shorter one",
            BadAddress::Malformed => "write it whole: https://host/path",
            BadAddress::NotHttps => {
                "use https://, or set allow_http = true under [fetch] in the configuration"
            }
            BadAddress::Scheme => {
                "send a file of yours with --file; fetch what lies elsewhere first"
            }
            BadAddress::Credentials => {
                "fetch it yourself and send it as a file; secrets do not belong into addresses"
            }
            BadAddress::Port => "serve it on another port, or send it as a file",
        }
    }
}

impl From<BadAddress> for FetchError {
    fn from(bad: BadAddress) -> FetchError {
        match bad {
            BadAddress::TooLong | BadAddress::Malformed | BadAddress::Scheme => {
                FetchError::BadAddress
            }
            BadAddress::NotHttps => FetchError::NotHttps,
            BadAddress::Credentials => FetchError::Credentials,
            BadAddress::Port => FetchError::RefusedPort,
        }
    }
}

/// Reads and checks an address.
pub fn parse(text: &str, schemes: Schemes) -> Result<Url, BadAddress> {
    if text.len() > URL_BYTES_MAX {
        return Err(BadAddress::TooLong);
    }
    let url = Url::parse(text).map_err(|_| BadAddress::Malformed)?;
    check(&url, schemes)?;
    Ok(url)
}

/// Checks an address, be it a caller's or a redirect's.
pub fn check(url: &Url, schemes: Schemes) -> Result<(), BadAddress> {
    match (url.scheme(), schemes) {
        ("https", _) | ("http", Schemes::Both) => {}
        ("http", Schemes::Https) => return Err(BadAddress::NotHttps),
        _ => return Err(BadAddress::Scheme),
    }
    if url.as_str().len() > URL_BYTES_MAX {
        return Err(BadAddress::TooLong);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BadAddress::Credentials);
    }
    if url.host().is_none_or(|host| matches!(host, Host::Domain(""))) {
        return Err(BadAddress::Malformed);
    }
    let port = url.port_or_known_default().ok_or(BadAddress::Malformed)?;
    if port < PORT_FREE_MIN && !PORTS_WEB.contains(&port) {
        return Err(BadAddress::Port);
    }
    Ok(())
}

/// The name that a file would be kept under: the last part of the path, decoded.
pub fn file_name(url: &Url) -> Option<String> {
    let last = url.path_segments()?.next_back()?;
    let name = percent_decode_str(last).decode_utf8().ok()?.into_owned();
    is_file_name(&name).then_some(name)
}

/// Whether a file can be kept under this name.
pub(super) fn is_file_name(name: &str) -> bool {
    !name.is_empty()
        && !matches!(name, "." | "..")
        && name.len() <= FILE_NAME_BYTES_MAX
        && !name.chars().any(|c| c.is_control() || matches!(c, '/' | '\\'))
}

/// Whether the host's name may exist although public name servers have no such name.
pub(super) fn has_private_name(url: &Url) -> bool {
    let name = url.domain().unwrap_or_default().trim_end_matches('.');
    name.rsplit_once('.').is_none_or(|(_, last)| PRIVATE_DOMAINS.contains(&last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_https_addresses_are_taken() {
        for good in [
            "https://files.example/x",
            "HTTPS://FILES.EXAMPLE",
            "https://files.example:8443/x?y#z",
            "https://bücher.example/",
        ] {
            assert!(parse(good, Schemes::Https).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("", BadAddress::Malformed),
            ("files.example/x", BadAddress::Malformed),
            ("https://", BadAddress::Malformed),
            ("https://[fe80::1%25eth0]/", BadAddress::Malformed),
            ("https://1.2.3.4.5.0x/", BadAddress::Malformed),
            ("http://files.example/", BadAddress::NotHttps),
            ("ftp://files.example/", BadAddress::Scheme),
            ("file:///etc/passwd", BadAddress::Scheme),
            ("data:,x", BadAddress::Scheme),
            ("https://user@files.example/", BadAddress::Credentials),
            ("https://user:secret@files.example/", BadAddress::Credentials),
            ("https://files.example:22/", BadAddress::Port),
            ("https://files.example:0/", BadAddress::Port),
        ] {
            assert_eq!(parse(bad, Schemes::Https), Err(why), "{bad}");
            // Allowing http helps with http only.
            assert_eq!(why.remedy().contains("allow_http"), why == BadAddress::NotHttps, "{bad}");
        }
        assert!(parse("http://files.example/", Schemes::Both).is_ok());
        let long = format!("https://files.example/{}", "x".repeat(URL_BYTES_MAX));
        assert_eq!(parse(&long, Schemes::Https), Err(BadAddress::TooLong));
    }

    #[test]
    fn a_files_name_is_the_last_part_of_its_path() {
        let name = |text: &str| file_name(&Url::parse(text).unwrap());
        assert_eq!(name("https://a.example/b/c.pdf?d=e").as_deref(), Some("c.pdf"));
        assert_eq!(name("https://a.example/r%C3%A9sum%C3%A9.pdf").as_deref(), Some("résumé.pdf"));
        assert_eq!(name("https://a.example/100%").as_deref(), Some("100%"));
        for none in ["", "b/", "%2Fetc%2Fpasswd", "%ff", "a%00b", "%2e%2e%5cx"] {
            assert_eq!(name(&format!("https://a.example/{none}")), None, "{none}");
        }
    }
}
