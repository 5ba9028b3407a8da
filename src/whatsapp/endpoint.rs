//! Where a connection may go. Owns the rule that a build with the simulator, which
//! skips the server's certificate check, talks to this machine only.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use hyper::Uri;
use tokio::net::{TcpStream, lookup_host};

use crate::whatsapp::transport::ConnectFault;

/// The port of both `wss` and `https`.
const PORT_DEFAULT: u16 = 443;
/// Addresses of one name that are tried.
pub(crate) const ADDRESSES_MAX: usize = 8;

/// A checked websocket URL.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    uri: Uri,
    target: Target,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Endpoint({})", self.uri)
    }
}

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
        let uri: Uri = text.parse().map_err(|_| EndpointError::Malformed)?;
        let target = Target::of(&uri, "wss")?;
        Ok(Endpoint { uri, target })
    }
}

impl Endpoint {
    /// The URL.
    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Host and port.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }
}

/// Host and port to connect to. The host is without brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    host: String,
    port: u16,
}

impl Target {
    /// The target of a URL, if its scheme is the given one and its host is allowed.
    pub(crate) fn of(uri: &Uri, scheme: &'static str) -> Result<Target, EndpointError> {
        if !uri.scheme_str().ok_or(EndpointError::Malformed)?.eq_ignore_ascii_case(scheme) {
            return Err(EndpointError::Scheme(scheme));
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(EndpointError::Malformed)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if SIMULATOR_ONLY && !names_loopback(&host) {
            return Err(EndpointError::OutsideLoopback);
        }
        Ok(Target { host, port: uri.port_u16().unwrap_or(PORT_DEFAULT) })
    }

    /// The host, as the certificate must name it.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Connects, trying the name's addresses in turn. The rule holds for them too:
    /// a name can resolve to anywhere.
    pub(crate) async fn connect(&self) -> Result<TcpStream, ConnectFault> {
        let found = lookup_host((self.host.as_str(), self.port));
        let addresses = found.await.map_err(|_| ConnectFault::Resolve)?;
        let mut last = ConnectFault::Resolve;
        for address in allowed(addresses, SIMULATOR_ONLY)?.into_iter().take(ADDRESSES_MAX) {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // Frames are small and answered: waiting to fill a segment costs a round trip.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(error) => last = ConnectFault::Tcp(error.kind()),
            }
        }
        Err(last)
    }
}

/// Whether this build may reach the simulator only.
pub(crate) const SIMULATOR_ONLY: bool = cfg!(feature = "sim");

/// `localhost` or an address of the loopback interface.
fn names_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_loopback)
}

fn is_loopback(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback(),
        IpAddr::V6(v6) => {
            v6.is_loopback() || v6.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback())
        }
    }
}

/// One address elsewhere spoils the name: which one is used would be chance.
pub(crate) fn allowed(
    addresses: impl Iterator<Item = SocketAddr>,
    simulator_only: bool,
) -> Result<Vec<SocketAddr>, ConnectFault> {
    let addresses: Vec<SocketAddr> = addresses.collect();
    if simulator_only && addresses.iter().any(|address| !is_loopback(address.ip())) {
        return Err(ConnectFault::Endpoint(EndpointError::OutsideLoopback));
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_encrypted_urls_with_a_host_are_endpoints() {
        assert_eq!("not a url".parse::<Endpoint>(), Err(EndpointError::Malformed));
        assert_eq!("localhost".parse::<Endpoint>(), Err(EndpointError::Malformed));
        assert_eq!("ws://localhost/ws".parse::<Endpoint>(), Err(EndpointError::Scheme("wss")));
        let endpoint: Endpoint = "wss://[::1]:4443/ws/chat".parse().unwrap();
        assert_eq!(endpoint.target().host(), "::1");
        assert_eq!(endpoint.target().port, 4443);
        assert_eq!("wss://localhost/ws".parse::<Endpoint>().unwrap().target().port, PORT_DEFAULT);
    }

    #[test]
    fn loopback_is_recognised_by_name_and_by_address() {
        for host in ["localhost", "LocalHost", "127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"]
        {
            assert!(names_loopback(host), "{host}");
        }
        for host in ["web.whatsapp.com", "10.0.0.1", "localhost.example.org", "::2", "128.0.0.1"] {
            assert!(!names_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_name_with_one_address_elsewhere_is_refused_by_a_simulator_build() {
        let here: SocketAddr = "127.0.0.1:443".parse().unwrap();
        let elsewhere: SocketAddr = "192.0.2.1:443".parse().unwrap();
        assert!(allowed([here].into_iter(), true).is_ok());
        assert!(matches!(
            allowed([here, elsewhere].into_iter(), true),
            Err(ConnectFault::Endpoint(EndpointError::OutsideLoopback))
        ));
        assert_eq!(allowed([here, elsewhere].into_iter(), false).unwrap().len(), 2);
    }

    #[cfg(feature = "sim")]
    #[test]
    fn a_simulator_build_refuses_the_network() {
        for url in [crate::whatsapp::ENDPOINT_DEFAULT, "wss://192.0.2.1/ws", "wss://example.org/"] {
            assert_eq!(url.parse::<Endpoint>(), Err(EndpointError::OutsideLoopback), "{url}");
        }
    }

    #[cfg(not(feature = "sim"))]
    #[test]
    fn a_build_without_the_simulator_takes_the_network() {
        assert!(crate::whatsapp::ENDPOINT_DEFAULT.parse::<Endpoint>().is_ok());
    }
}
