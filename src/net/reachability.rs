//! How far the way to a server goes: its name, TCP in both families, TLS, and how long each
//! took. Goes no further: not a byte is sent after the handshake.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use futures_util::future::{join, select_ok};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use url::Host;

use crate::connect::{ADDRESSES_MAX, ConnectError, Network, ResolveError, System};
use crate::endpoint::{Endpoint, EndpointError};
use crate::tls::{TlsFault, handshake};
use crate::trust::{Trust, TrustError};

/// Why nothing can be tried.
#[derive(Debug, thiserror::Error)]
pub enum ReachabilityError {
    /// The endpoint cannot be used.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The certificates to trust cannot be read.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// The result of each step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reachability {
    /// The server's host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How long the name took.
    pub name: Result<Duration, ResolveError>,
    /// None: the name has no such address.
    pub v4: Option<Result<Duration, TcpFault>>,
    /// The same for IPv6.
    pub v6: Option<Result<Duration, TcpFault>>,
    /// None: no TCP connection was made.
    pub tls: Option<Result<Duration, TlsFault>>,
}

/// Why there is no TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpFault {
    /// The system's error.
    Failed(ErrorKind),
    /// Nothing answered in time.
    TimedOut,
}

/// Tries each step, with this much time for each.
pub async fn measure(
    endpoint: &str,
    ca_file: Option<&Path>,
    limit: Duration,
) -> Result<Reachability, ReachabilityError> {
    let endpoint: Endpoint = endpoint.parse()?;
    let trust = Trust::new(ca_file.map(Path::to_path_buf))?;
    let host = endpoint.url().host().ok_or(EndpointError::Malformed)?;
    let port = endpoint.url().port_or_known_default().ok_or(EndpointError::Malformed)?;
    let network = System::default();
    let began = Instant::now();
    let found = timeout(limit, addresses(&network, &host)).await;
    let found = found.unwrap_or(Err(ResolveError::NoResolver));
    let mut reachability = Reachability {
        host: host.to_string(),
        port,
        name: found.as_ref().map(|_| began.elapsed()).map_err(|error| *error),
        v4: None,
        v6: None,
        tls: None,
    };
    let Ok(found) = found else { return Ok(reachability) };
    let found = found.into_iter().take(ADDRESSES_MAX).map(|ip| SocketAddr::new(ip, port));
    let (v4, v6): (Vec<SocketAddr>, Vec<SocketAddr>) = found.partition(SocketAddr::is_ipv4);
    let (v4, v6) = join(tcp(&network, &v4, limit), tcp(&network, &v6, limit)).await;
    reachability.v4 = took(&v4);
    reachability.v6 = took(&v6);
    let connected = [v4, v6].into_iter().flatten().find_map(Result::ok);
    if let Some((_, stream)) = connected {
        reachability.tls = Some(tls(&trust, &host, stream, limit).await?);
    }
    Ok(reachability)
}

async fn addresses(network: &System, host: &Host<&str>) -> Result<Vec<IpAddr>, ResolveError> {
    match host {
        Host::Ipv4(address) => Ok(vec![IpAddr::V4(*address)]),
        Host::Ipv6(address) => Ok(vec![IpAddr::V6(*address)]),
        Host::Domain(name) => network.lookup(name).await,
    }
}

type Connected = Option<Result<(Duration, TcpStream), TcpFault>>;

fn took(connected: &Connected) -> Option<Result<Duration, TcpFault>> {
    let outcome = connected.as_ref()?;
    Some(outcome.as_ref().map(|(took, _)| *took).map_err(|fault| *fault))
}

/// The first address of a family that answers.
async fn tcp(network: &System, addresses: &[SocketAddr], limit: Duration) -> Connected {
    if addresses.is_empty() {
        return None;
    }
    let began = Instant::now();
    let tries = addresses.iter().map(|address| network.connect(*address));
    Some(match timeout(limit, select_ok(tries)).await {
        Ok(Ok((stream, _))) => Ok((began.elapsed(), stream)),
        Ok(Err(error)) => Err(TcpFault::Failed(error.kind())),
        Err(_) => Err(TcpFault::TimedOut),
    })
}

async fn tls(
    trust: &Trust,
    host: &Host<&str>,
    stream: TcpStream,
    limit: Duration,
) -> Result<Result<Duration, TlsFault>, ReachabilityError> {
    let began = Instant::now();
    match timeout(limit, handshake(trust, host, stream)).await {
        Ok(Ok(_)) => Ok(Ok(began.elapsed())),
        Ok(Err(ConnectError::Tls(fault))) => Ok(Err(fault)),
        Ok(Err(ConnectError::Trust(error))) => Err(error.into()),
        Ok(Err(
            ConnectError::BadHost
            | ConnectError::Resolve(_)
            | ConnectError::RefusedAddress
            | ConnectError::Tcp(_)
            | ConnectError::TimedOut(_),
        )) => Err(EndpointError::Malformed.into()),
        Err(_) => Ok(Err(TlsFault::TimedOut)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_without_a_listener_refuses_and_nothing_is_tried_after_it() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("wss://{}/ws", listener.local_addr().unwrap());
        drop(listener);
        let reachability = measure(&endpoint, None, Duration::from_secs(10)).await.unwrap();
        assert!(reachability.name.is_ok());
        let refused = TcpFault::Failed(ErrorKind::ConnectionRefused);
        assert_eq!(reachability.v4, Some(Err(refused)));
        assert_eq!((reachability.v6, reachability.tls), (None, None));
    }
}
