//! Encrypted URLs that the configuration or the server names. Owns the rule that a build with
//! the simulator, which skips the server's certificate check, talks to this machine only.

use std::net::IpAddr;
use std::str::FromStr;

use url::{Host, Url};

/// Whether this build may reach the simulator only.
pub const SIMULATOR_ONLY: bool = cfg!(feature = "sim");

/// A checked websocket URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(Url);

/// Why an endpoint cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not a URL.
    #[error("the endpoint is not a URL: wss://HOST[:PORT]/PATH is one")]
    Malformed,
    /// Another scheme than the one that is encrypted.
    #[error("the endpoint must begin with {0}://")]
    Scheme(&'static str),
    /// Outside this machine, in a build that does not check who answers.
    #[error(
        "this build contains the simulator and does not check the server's certificate: \
         it connects to this machine only. Build without the feature `sim` to reach the network"
    )]
    OutsideLoopback,
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        encrypted_url(text, "wss").map(Endpoint)
    }
}

impl Endpoint {
    /// The URL. Its scheme is `wss`, and it has a host.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

/// A URL of exactly this scheme, with a host that this build may connect to.
pub fn encrypted_url(text: &str, scheme: &'static str) -> Result<Url, EndpointError> {
    let url = Url::parse(text).map_err(|_| EndpointError::Malformed)?;
    if url.scheme() != scheme {
        return Err(EndpointError::Scheme(scheme));
    }
    let host = url.host().ok_or(EndpointError::Malformed)?;
    if SIMULATOR_ONLY && !is_loopback_host(&host) {
        return Err(EndpointError::OutsideLoopback);
    }
    Ok(url)
}

/// `localhost` or an address of the loopback interface.
fn is_loopback_host(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => name.eq_ignore_ascii_case("localhost"),
        Host::Ipv4(address) => is_loopback((*address).into()),
        Host::Ipv6(address) => is_loopback((*address).into()),
    }
}

pub(crate) fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_encrypted_urls_with_a_host_are_endpoints() {
        assert_eq!("not a url".parse::<Endpoint>(), Err(EndpointError::Malformed));
        assert_eq!("localhost".parse::<Endpoint>(), Err(EndpointError::Malformed));
        assert_eq!("wss://".parse::<Endpoint>(), Err(EndpointError::Malformed));
        assert_eq!("ws://localhost/ws".parse::<Endpoint>(), Err(EndpointError::Scheme("wss")));
        let endpoint: Endpoint = "wss://[::1]:4443/ws/chat".parse().unwrap();
        assert_eq!(endpoint.url().host_str(), Some("[::1]"));
        assert_eq!(endpoint.url().port(), Some(4443));
        let endpoint: Endpoint = "wss://localhost/ws".parse().unwrap();
        assert_eq!(endpoint.url().port_or_known_default(), Some(443));
    }

    #[test]
    fn loopback_is_recognised_by_name_and_by_address() {
        let is_loopback = |host: &str| {
            let url = Url::parse(&format!("wss://{host}/")).unwrap();
            is_loopback_host(&url.host().unwrap())
        };
        for host in
            ["localhost", "LocalHost", "127.0.0.1", "127.8.9.1", "[::1]", "[::ffff:127.0.0.1]"]
        {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["web.whatsapp.com", "10.0.0.1", "localhost.example.org", "[::2]", "128.0.0.1"]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[cfg(feature = "sim")]
    #[test]
    fn a_simulator_build_refuses_the_network() {
        for url in ["wss://web.whatsapp.com/ws/chat", "wss://192.0.2.1/ws", "wss://example.org/"] {
            assert_eq!(url.parse::<Endpoint>(), Err(EndpointError::OutsideLoopback), "{url}");
        }
    }

    #[cfg(not(feature = "sim"))]
    #[test]
    fn a_build_without_the_simulator_takes_the_network() {
        assert!("wss://web.whatsapp.com/ws/chat".parse::<Endpoint>().is_ok());
    }
}
