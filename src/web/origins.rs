//! What browsers call this front. A page of somebody else, and a name of somebody else that
//! resolves to this address (DNS rebinding), are recognised by it.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::Error as _;

/// A scheme and an authority, in lower case and without the scheme's own port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    https: bool,
    authority: String,
}

impl Origin {
    /// Whether it is one of TLS.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// Host, and port where it is not the scheme's own.
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.https { "https" } else { "http" }, self.authority)
    }
}

impl FromStr for Origin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Origin, &'static str> {
        let text = text.to_ascii_lowercase();
        let (https, authority) = match (text.strip_prefix("https://"), text.strip_prefix("http://"))
        {
            (Some(authority), _) => (true, authority),
            (None, Some(authority)) => (false, authority),
            (None, None) => return Err("an origin looks like https://queue.example"),
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
        if authority.is_empty() || !authority.chars().all(fits) {
            return Err("an origin has a host and no path, such as https://queue.example");
        }
        Ok(Origin { https, authority: without_own_port(authority, https).to_owned() })
    }
}

impl<'de> Deserialize<'de> for Origin {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Origin, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

fn without_own_port(authority: &str, https: bool) -> &str {
    authority.strip_suffix(if https { ":443" } else { ":80" }).unwrap_or(authority)
}

/// All of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origins(Vec<Origin>);

impl Origins {
    /// Those that are named, and those of a loopback address.
    pub fn new(named: &[Origin], own: Option<SocketAddr>) -> Origins {
        let mut all = named.to_vec();
        if let Some(address) = own {
            let port = address.port();
            let names = [address.to_string(), format!("localhost:{port}")];
            all.extend(names.iter().filter_map(|name| format!("http://{name}").parse().ok()));
        }
        Origins(all)
    }

    /// Whether a request may be for this `Host`.
    pub fn has_host(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.0.iter().any(|origin| without_own_port(&host, origin.https) == origin.authority)
    }

    /// Whether a page of this `Origin` is one of ours.
    pub fn has(&self, origin: &str) -> bool {
        origin.parse::<Origin>().is_ok_and(|origin| self.0.contains(&origin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_are_ours() {
        let named = ["https://Queue.example:443".parse().unwrap()];
        let origins = Origins::new(&named, Some("127.0.0.1:8420".parse().unwrap()));
        for host in ["queue.example", "QUEUE.example:443", "127.0.0.1:8420", "localhost:8420"] {
            assert!(origins.has_host(host), "{host}");
        }
        for host in ["", "127.0.0.1", "127.0.0.1:84200", "rebound.example:8420", "queue.example."] {
            assert!(!origins.has_host(host), "{host}");
        }
        for origin in ["https://queue.example", "http://localhost:8420"] {
            assert!(origins.has(origin), "{origin}");
        }
        for origin in [
            "null",
            "http://queue.example",
            "https://localhost:8420",
            "https://queue.example.evil.example",
        ] {
            assert!(!origins.has(origin), "{origin}");
        }
    }
}
