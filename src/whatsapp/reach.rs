//! How far the way to the server goes: its name, TCP in both families, TLS, each with what
//! it took. Goes no further: not a byte is sent after the handshake.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use futures_util::future::{join, select_ok};
use rustls::CertificateError;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use crate::whatsapp::endpoint::{ADDRESSES_MAX, Endpoint, EndpointError, SIMULATOR_ONLY, allowed};
use crate::whatsapp::tls::{TlsError, Trust};

/// Why nothing can be tried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReachError {
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error(transparent)]
    Trust(#[from] TlsError),
}

/// What became of each step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// How long the name took.
    pub(crate) name: Result<Duration, NameFault>,
    /// None: the name has no such address.
    pub(crate) v4: Option<Result<Duration, TcpFault>>,
    pub(crate) v6: Option<Result<Duration, TcpFault>>,
    /// None: TCP did not come so far.
    pub(crate) tls: Option<Result<Duration, TlsFault>>,
}

/// Why there is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameFault {
    /// There is no such name.
    Unknown,
    /// The resolver does not answer, or not in time.
    NoResolver,
    /// It leads out of this machine, in a build that may not go there.
    Elsewhere,
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TcpFault {
    Failed(ErrorKind),
    TimedOut,
}

/// Why there is no encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsFault {
    /// The certificate begins later than our clock says.
    NotYetValid,
    /// It ended before.
    Expired,
    /// Nobody whom we trust has signed it.
    UnknownIssuer,
    /// It is somebody else's.
    WrongName,
    /// It does not verify for another reason.
    Certificate,
    /// The server, or something before it, breaks off.
    Broken,
    TimedOut,
}

/// Tries each step, with this much time for each.
pub(crate) async fn reach(
    endpoint: &str,
    ca_file: Option<&Path>,
    limit: Duration,
) -> Result<Reach, ReachError> {
    let endpoint: Endpoint = endpoint.parse()?;
    let trust = Trust::new(ca_file.map(Path::to_path_buf))?;
    let (host, port) = (endpoint.target().host().to_owned(), endpoint.target().port());
    let mut reach = Reach {
        host: host.clone(),
        port,
        name: Err(NameFault::NoResolver),
        v4: None,
        v6: None,
        tls: None,
    };
    let began = Instant::now();
    let found = timeout(limit, addresses(host.clone(), port)).await;
    let found = found.unwrap_or(Err(NameFault::NoResolver));
    reach.name = found.as_ref().map(|_| began.elapsed()).map_err(|fault| *fault);
    let Ok(found) = found else { return Ok(reach) };
    let (v4, v6): (Vec<SocketAddr>, Vec<SocketAddr>) =
        found.into_iter().partition(SocketAddr::is_ipv4);
    let (v4, v6) = join(tcp(&v4, limit), tcp(&v6, limit)).await;
    let mut stream = None;
    let mut keep = |tried: Option<Result<(Duration, TcpStream), TcpFault>>| {
        tried.map(|outcome| {
            outcome.map(|(took, connected)| {
                stream.get_or_insert(connected);
                took
            })
        })
    };
    reach.v4 = keep(v4);
    reach.v6 = keep(v6);
    if let Some(stream) = stream {
        reach.tls = Some(tls(&trust, host, stream, limit).await?);
    }
    Ok(reach)
}

/// On a thread of its own: the system's lookup cannot be called off, and the end of the
/// process does not wait for this one.
async fn addresses(host: String, port: u16) -> Result<Vec<SocketAddr>, NameFault> {
    let (reply, answer) = oneshot::channel();
    let lookup = move || {
        let _ = reply.send(getaddrinfo(&host));
    };
    let thread = std::thread::Builder::new().name("lookup".to_owned()).spawn(lookup);
    thread.map_err(|_| NameFault::NoResolver)?;
    let found = answer.await.map_err(|_| NameFault::NoResolver)??;
    let found = found.into_iter().take(ADDRESSES_MAX).map(|ip| SocketAddr::new(ip, port));
    allowed(found, SIMULATOR_ONLY).map_err(|_| NameFault::Elsewhere)
}

fn getaddrinfo(host: &str) -> Result<Vec<IpAddr>, NameFault> {
    use dns_lookup::LookupErrorKind;
    let hints =
        dns_lookup::AddrInfoHints { socktype: nix::libc::SOCK_STREAM, ..Default::default() };
    let found = dns_lookup::getaddrinfo(Some(host), None, Some(hints)).map_err(|error| {
        let unknown = matches!(error.kind(), LookupErrorKind::NoName | LookupErrorKind::NoData);
        if unknown { NameFault::Unknown } else { NameFault::NoResolver }
    })?;
    let mut addresses = Vec::new();
    for ip in found.flatten().map(|entry| entry.sockaddr.ip()) {
        if !addresses.contains(&ip) {
            addresses.push(ip);
        }
    }
    if addresses.is_empty() { Err(NameFault::Unknown) } else { Ok(addresses) }
}

/// The first of a family that answers.
async fn tcp(
    addresses: &[SocketAddr],
    limit: Duration,
) -> Option<Result<(Duration, TcpStream), TcpFault>> {
    if addresses.is_empty() {
        return None;
    }
    let began = Instant::now();
    let tries = addresses.iter().map(|address| Box::pin(TcpStream::connect(*address)));
    Some(match timeout(limit, select_ok(tries)).await {
        Ok(Ok((stream, _))) => Ok((began.elapsed(), stream)),
        Ok(Err(error)) => Err(TcpFault::Failed(error.kind())),
        Err(_) => Err(TcpFault::TimedOut),
    })
}

async fn tls(
    trust: &Trust,
    host: String,
    stream: TcpStream,
    limit: Duration,
) -> Result<Result<Duration, TlsFault>, ReachError> {
    let connector = trust.connector()?;
    let name = ServerName::try_from(host).map_err(|_| EndpointError::Malformed)?;
    let began = Instant::now();
    Ok(match timeout(limit, connector.connect(name, stream)).await {
        Ok(Ok(_)) => Ok(began.elapsed()),
        Ok(Err(error)) => Err(verdict(&error)),
        Err(_) => Err(TlsFault::TimedOut),
    })
}

fn verdict(error: &io::Error) -> TlsFault {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(fault)) = inner else { return TlsFault::Broken };
    // Each has a form with and one without what it was compared with.
    let is =
        |plain: CertificateError| std::mem::discriminant(fault) == std::mem::discriminant(&plain);
    if matches!(fault, CertificateError::NotValidYetContext { .. })
        || is(CertificateError::NotValidYet)
    {
        TlsFault::NotYetValid
    } else if matches!(fault, CertificateError::ExpiredContext { .. })
        || is(CertificateError::Expired)
    {
        TlsFault::Expired
    } else if matches!(fault, CertificateError::NotValidForNameContext { .. })
        || is(CertificateError::NotValidForName)
    {
        TlsFault::WrongName
    } else if is(CertificateError::UnknownIssuer) || is(CertificateError::BadSignature) {
        // The second: somebody took the name of one whom we trust.
        TlsFault::UnknownIssuer
    } else {
        TlsFault::Certificate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificate_s_fault_is_told_apart() {
        let of = |fault| {
            verdict(&io::Error::new(
                ErrorKind::InvalidData,
                rustls::Error::InvalidCertificate(fault),
            ))
        };
        assert_eq!(of(CertificateError::Expired), TlsFault::Expired);
        assert_eq!(of(CertificateError::NotValidYet), TlsFault::NotYetValid);
        assert_eq!(of(CertificateError::NotValidForName), TlsFault::WrongName);
        assert_eq!(of(CertificateError::UnknownIssuer), TlsFault::UnknownIssuer);
        assert_eq!(of(CertificateError::BadSignature), TlsFault::UnknownIssuer);
        assert_eq!(of(CertificateError::BadEncoding), TlsFault::Certificate);
        assert_eq!(verdict(&ErrorKind::ConnectionReset.into()), TlsFault::Broken);
    }

    #[tokio::test]
    async fn an_address_without_a_listener_refuses_and_nothing_is_tried_after_it() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("wss://{}/ws", listener.local_addr().unwrap());
        drop(listener);
        let reach = reach(&endpoint, None, Duration::from_secs(10)).await.unwrap();
        assert!(reach.name.is_ok());
        assert_eq!(reach.v4, Some(Err(TcpFault::Failed(ErrorKind::ConnectionRefused))));
        assert_eq!((reach.v6, reach.tls), (None, None));
    }
}
