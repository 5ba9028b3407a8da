//! Below the guard: names to addresses, and addresses to connections. The only place of
//! this room that touches the network.

use std::io;
use std::net::{IpAddr, SocketAddr};
#[cfg(not(feature = "sim"))]
use std::sync::Arc;

use async_trait::async_trait;
use tokio::net::TcpStream;
#[cfg(not(feature = "sim"))]
use tokio::sync::{Semaphore, oneshot};

/// Lookups at a time. One that is given up goes on until the system gives up too.
#[cfg(not(feature = "sim"))]
const LOOKUPS_MAX: usize = 16;

/// Why a name has no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookupFault {
    /// It is certain that there is no such name, or that it has no address.
    UnknownHost,
    /// Nobody could be asked: this says nothing about the name.
    NoResolver,
}

/// The network, as this room uses it.
#[async_trait]
pub trait Wire: Send + Sync {
    /// All addresses of a name.
    async fn lookup(&self, host: &str) -> Result<Vec<IpAddr>, LookupFault>;

    /// A TCP connection to exactly this address.
    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream>;
}

/// The system's resolver and network. A build with the simulator knows only the names
/// that the variable `TETHERD_SIM_HOSTS` gives it, and reaches nothing outside loopback.
pub struct System {
    #[cfg(not(feature = "sim"))]
    lookups: Arc<Semaphore>,
    #[cfg(feature = "sim")]
    lab: Option<String>,
}

/// Names the variable that holds the names which a build with the simulator knows:
/// `good.example=127.0.0.1,lost.example=?`. A question mark is a resolver that does not
/// answer, and so is everything while the variable is not set; another name is unknown.
#[cfg(feature = "sim")]
pub const LAB_HOSTS: &str = "TETHERD_SIM_HOSTS";

impl Default for System {
    fn default() -> Self {
        System {
            #[cfg(not(feature = "sim"))]
            lookups: Arc::new(Semaphore::new(LOOKUPS_MAX)),
            #[cfg(feature = "sim")]
            lab: std::env::var(LAB_HOSTS).ok(),
        }
    }
}

#[async_trait]
impl Wire for System {
    async fn lookup(&self, host: &str) -> Result<Vec<IpAddr>, LookupFault> {
        #[cfg(feature = "sim")]
        return lab_lookup(self.lab.as_deref(), host);
        #[cfg(not(feature = "sim"))]
        system_lookup(&self.lookups, host).await
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        if cfg!(feature = "sim") && !address.ip().is_loopback() {
            return Err(io::ErrorKind::NetworkUnreachable.into());
        }
        let stream = TcpStream::connect(address).await?;
        // Requests are small and answered: waiting to fill a segment costs a round trip.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}

#[cfg(feature = "sim")]
fn lab_lookup(lab: Option<&str>, host: &str) -> Result<Vec<IpAddr>, LookupFault> {
    let Some(lab) = lab else { return Err(LookupFault::NoResolver) };
    let mut found = lab.split(',').filter_map(|entry| entry.split_once('='));
    match found.find(|(name, _)| *name == host.trim_end_matches('.')) {
        Some((_, address)) => {
            address.parse().map(|address| vec![address]).map_err(|_| LookupFault::NoResolver)
        }
        None => Err(LookupFault::UnknownHost),
    }
}

/// A thread of its own, because the system's lookup cannot be called off: the end of the
/// process does not wait for it.
#[cfg(not(feature = "sim"))]
async fn system_lookup(lookups: &Arc<Semaphore>, host: &str) -> Result<Vec<IpAddr>, LookupFault> {
    let permit = lookups.clone().acquire_owned().await.map_err(|_| LookupFault::NoResolver)?;
    let (reply, answer) = oneshot::channel();
    let host = host.to_owned();
    std::thread::Builder::new()
        .name("lookup".to_owned())
        .spawn(move || {
            // Nobody may wait any more.
            let _ = reply.send(getaddrinfo(&host));
            drop(permit);
        })
        .map_err(|_| LookupFault::NoResolver)?;
    answer.await.map_err(|_| LookupFault::NoResolver)?
}

#[cfg(not(feature = "sim"))]
fn getaddrinfo(host: &str) -> Result<Vec<IpAddr>, LookupFault> {
    use dns_lookup::LookupErrorKind;
    let hints =
        dns_lookup::AddrInfoHints { socktype: nix::libc::SOCK_STREAM, ..Default::default() };
    let found = dns_lookup::getaddrinfo(Some(host), None, Some(hints)).map_err(|error| {
        let unknown = matches!(error.kind(), LookupErrorKind::NoName | LookupErrorKind::NoData);
        if unknown { LookupFault::UnknownHost } else { LookupFault::NoResolver }
    })?;
    let mut addresses = Vec::new();
    for entry in found.flatten() {
        let address = entry.sockaddr.ip();
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() { Err(LookupFault::UnknownHost) } else { Ok(addresses) }
}
