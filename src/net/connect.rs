//! From a URL to a connection: resolver, TCP, TLS. The address filter sits here and judges each
//! address that is connected to, so that no caller can forget it.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;
use url::{Host, Url};

use crate::endpoint::{SIMULATOR_ONLY, is_loopback};
use crate::ip_filter::IpFilter;
use crate::tls::{TlsFault, handshake};
use crate::trust::{Trust, TrustError};

/// Lookups at a time. One that is given up goes on until the system gives up too.
const LOOKUPS_MAX: usize = 16;
/// Addresses of one name that are tried.
pub(crate) const ADDRESSES_MAX: usize = 8;
/// TCP to one address, while there are others to try.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(4);

/// Names the variable that holds the names which a build with the simulator knows:
/// `good.example=127.0.0.1,lost.example=?`. A question mark is a resolver that does not
/// answer, and so is everything while the variable is not set; another name is unknown.
#[cfg(feature = "sim")]
pub const SIM_HOSTS: &str = "TETHERD_SIM_HOSTS";

/// Why a name has no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// It is certain that there is no such name, or that it has no address.
    #[error("the server's name cannot be resolved: there is no such name")]
    UnknownHost,
    /// Nobody could be asked: this says nothing about the name.
    #[error("the server's name cannot be resolved: the resolver does not answer")]
    NoResolver,
    /// It leads out of this machine, in a build that may not go there.
    #[error("this build connects to this machine only, and the server's name leads elsewhere")]
    OutsideLoopback,
}

/// Why there is no connection. Carries no name and no address.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ConnectError {
    /// The URL names no host that could have a certificate.
    #[error("the URL has no usable host")]
    BadHost,
    /// The host has no address.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The host has addresses, and the filter refuses all of them.
    #[error("no address of the server may be connected to")]
    RefusedAddress,
    /// No address takes a connection; this is of the last one.
    #[error("TCP: {0}")]
    Tcp(ErrorKind),
    /// The certificates to trust cannot be read.
    #[error("TLS: {0}")]
    Trust(#[from] TrustError),
    /// There is no encryption.
    #[error("TLS: {0}")]
    Tls(TlsFault),
    /// All of it took too long.
    #[error("no connection within {0:?}")]
    TimedOut(Duration),
}

/// Resolver and TCP. Tests bring their own.
#[async_trait]
pub trait Network: Send + Sync {
    /// All addresses of a name.
    async fn lookup(&self, host: &str) -> Result<Vec<IpAddr>, ResolveError>;

    /// A TCP connection to exactly this address.
    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream>;
}

/// The system's resolver and network. A build with the simulator knows only `localhost` and
/// the names in `TETHERD_SIM_HOSTS`, and reaches nothing outside loopback.
pub struct System {
    lookups: Arc<Semaphore>,
    #[cfg(feature = "sim")]
    names: Option<String>,
}

impl Default for System {
    fn default() -> Self {
        System::with_lookups(LOOKUPS_MAX)
    }
}

impl System {
    /// With a bound of its own for lookups at a time: those who use another one never wait for
    /// a resolver that does not answer these.
    pub fn with_lookups(max: usize) -> System {
        System {
            lookups: Arc::new(Semaphore::new(max)),
            #[cfg(feature = "sim")]
            names: std::env::var(SIM_HOSTS).ok(),
        }
    }
}

#[async_trait]
impl Network for System {
    async fn lookup(&self, host: &str) -> Result<Vec<IpAddr>, ResolveError> {
        #[cfg(feature = "sim")]
        if !host.eq_ignore_ascii_case("localhost") {
            return simulated_lookup(self.names.as_deref(), host);
        }
        reachable(system_lookup(&self.lookups, host).await?, SIMULATOR_ONLY)
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        if SIMULATOR_ONLY && !is_loopback(address.ip()) {
            return Err(ErrorKind::NetworkUnreachable.into());
        }
        let stream = TcpStream::connect(address).await?;
        // What is written is small and answered: waiting to fill a segment costs a round trip.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}

#[cfg(feature = "sim")]
fn simulated_lookup(names: Option<&str>, host: &str) -> Result<Vec<IpAddr>, ResolveError> {
    let Some(names) = names else { return Err(ResolveError::NoResolver) };
    let mut found = names.split(',').filter_map(|entry| entry.split_once('='));
    match found.find(|(name, _)| *name == host.trim_end_matches('.')) {
        Some((_, address)) => {
            address.parse().map(|address| vec![address]).map_err(|_| ResolveError::NoResolver)
        }
        None => Err(ResolveError::UnknownHost),
    }
}

/// One address elsewhere spoils the name: which one is used would be chance.
fn reachable(found: Vec<IpAddr>, simulator_only: bool) -> Result<Vec<IpAddr>, ResolveError> {
    if simulator_only && !found.iter().copied().all(is_loopback) {
        return Err(ResolveError::OutsideLoopback);
    }
    Ok(found)
}

/// On a thread of its own, because the system's lookup cannot be cancelled: the end of the
/// process does not wait for it.
async fn system_lookup(lookups: &Arc<Semaphore>, host: &str) -> Result<Vec<IpAddr>, ResolveError> {
    let permit = lookups.clone().acquire_owned().await.map_err(|_| ResolveError::NoResolver)?;
    let (reply, answer) = oneshot::channel();
    let host = host.to_owned();
    std::thread::Builder::new()
        .name("lookup".to_owned())
        .spawn(move || {
            // Nobody may wait any more.
            let _ = reply.send(getaddrinfo(&host));
            drop(permit);
        })
        .map_err(|_| ResolveError::NoResolver)?;
    answer.await.map_err(|_| ResolveError::NoResolver)?
}

fn getaddrinfo(host: &str) -> Result<Vec<IpAddr>, ResolveError> {
    use dns_lookup::{AddrInfoHints, LookupErrorKind, SockType};
    let hints = AddrInfoHints { socktype: SockType::Stream.into(), ..AddrInfoHints::default() };
    let found = dns_lookup::getaddrinfo(Some(host), None, Some(hints)).map_err(|error| {
        let unknown = matches!(error.kind(), LookupErrorKind::NoName | LookupErrorKind::NoData);
        if unknown { ResolveError::UnknownHost } else { ResolveError::NoResolver }
    })?;
    let mut addresses = Vec::new();
    for address in found.flatten().map(|entry| entry.sockaddr.ip()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() { Err(ResolveError::UnknownHost) } else { Ok(addresses) }
}

/// Bytes in both directions.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// A connection, encrypted or not.
pub type Stream = Box<dyn Connection>;

/// Opens connections.
pub struct Connector {
    trust: Arc<Trust>,
    filter: IpFilter,
    network: Arc<dyn Network>,
}

impl Connector {
    /// Over the system's resolver and network.
    pub fn new(trust: Arc<Trust>, filter: IpFilter) -> Connector {
        Connector::over(trust, filter, Arc::new(System::default()))
    }

    /// Over another network.
    pub fn over(trust: Arc<Trust>, filter: IpFilter, network: Arc<dyn Network>) -> Connector {
        Connector { trust, filter, network }
    }

    /// Connects to a URL's host and port. Encrypted, unless the scheme is `http` or `ws`.
    pub async fn open(&self, url: &Url, limit: Duration) -> Result<Stream, ConnectError> {
        match timeout(limit, self.open_untimed(url)).await {
            Ok(opened) => opened,
            Err(_) => Err(ConnectError::TimedOut(limit)),
        }
    }

    async fn open_untimed(&self, url: &Url) -> Result<Stream, ConnectError> {
        let host = url.host().ok_or(ConnectError::BadHost)?;
        let port = url.port_or_known_default().ok_or(ConnectError::BadHost)?;
        let stream = self.connect(&self.addresses(&host).await?, port).await?;
        if matches!(url.scheme(), "http" | "ws") {
            return Ok(Box::new(stream));
        }
        Ok(Box::new(handshake(&self.trust, &host, stream).await?))
    }

    /// Those of a host's addresses that the filter allows.
    async fn addresses(&self, host: &Host<&str>) -> Result<Vec<IpAddr>, ConnectError> {
        let mut addresses = match host {
            Host::Ipv4(address) => vec![IpAddr::V4(*address)],
            Host::Ipv6(address) => vec![IpAddr::V6(*address)],
            Host::Domain(name) => self.network.lookup(name).await?,
        };
        addresses.retain(|address| self.filter.allows(*address));
        addresses.truncate(ADDRESSES_MAX);
        if addresses.is_empty() { Err(ConnectError::RefusedAddress) } else { Ok(addresses) }
    }

    /// The first address that takes a connection.
    async fn connect(&self, addresses: &[IpAddr], port: u16) -> Result<TcpStream, ConnectError> {
        let Some((last, others)) = addresses.split_last() else {
            return Err(ConnectError::RefusedAddress);
        };
        for address in others {
            let connecting = self.network.connect(SocketAddr::new(*address, port));
            if let Ok(Ok(stream)) = timeout(ADDRESS_TIMEOUT, connecting).await {
                return Ok(stream);
            }
        }
        let connecting = self.network.connect(SocketAddr::new(*last, port)).await;
        connecting.map_err(|error| ConnectError::Tcp(error.kind()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_one_address_elsewhere_is_refused_by_a_simulator_build() {
        let here: IpAddr = "127.0.0.1".parse().unwrap();
        let elsewhere: IpAddr = "192.0.2.1".parse().unwrap();
        assert!(reachable(vec![here], true).is_ok());
        assert_eq!(reachable(vec![here, elsewhere], true), Err(ResolveError::OutsideLoopback));
        assert_eq!(reachable(vec![here, elsewhere], false).unwrap().len(), 2);
    }

    /// One name with an address that never answers, and one with a listener behind it.
    struct Silent(SocketAddr);

    #[async_trait]
    impl Network for Silent {
        async fn lookup(&self, _: &str) -> Result<Vec<IpAddr>, ResolveError> {
            Ok(vec!["192.0.2.1".parse().unwrap(), self.0.ip()])
        }

        async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
            if address.ip() != self.0.ip() {
                std::future::pending::<()>().await;
            }
            TcpStream::connect(self.0).await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_never_answers_leaves_time_for_the_next() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let network = Arc::new(Silent(listener.local_addr().unwrap()));
        let trust = Arc::new(Trust::new(None).unwrap());
        let connector = Connector::over(trust, IpFilter::Any, network);
        let url = Url::parse("http://server.example/").unwrap();
        assert!(connector.open(&url, ADDRESS_TIMEOUT * 2).await.is_ok());
    }
}
