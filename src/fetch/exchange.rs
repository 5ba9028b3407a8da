//! One request, and the redirects that it leads through. Every hop is looked up, judged
//! and connected anew, to the very address that was judged.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, HOST, HeaderMap, HeaderValue,
    LOCATION, RANGE, USER_AGENT,
};
use hyper::http::response::Parts;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{DnsName, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use url::{Host, Position, Url};

use crate::fetch::address::{self, Schemes};
use crate::fetch::wire::LookupFault;
use crate::fetch::{ADDRESS_TIME, Fault, Fetcher, REDIRECTS_MAX};

/// Who asks.
const AGENT: &str = concat!("tetherd/", env!("CARGO_PKG_VERSION"));
/// An answer's status line and headers, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// An answer's headers.
const HEADERS_MAX: usize = 100;
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Everything.
    Get,
    /// Only whether it is there.
    Head,
    /// The same, of a server that does not answer that: its first byte.
    FirstByte,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// An answer whose body is still to come.
pub(super) struct Answer {
    pub(super) head: Parts,
    body: Incoming,
    _line: Line,
}

impl Answer {
    /// The next bytes; none at the end.
    pub(super) async fn next(&mut self, stall: Duration) -> Result<Option<Bytes>, Fault> {
        loop {
            let frame = timeout(stall, self.body.frame()).await.map_err(|_| Fault::Stalled)?;
            match frame {
                None => return Ok(None),
                Some(Err(_)) => return Err(Fault::ConnectionLost),
                Some(Ok(frame)) => {
                    // Trailers say nothing that is needed.
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }
}

/// Moves the bytes; gone with the answer.
struct Line(JoinHandle<()>);

impl Drop for Line {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Fetcher {
    /// Asks, and follows redirects. The answer is any that is not one.
    pub(super) async fn ask(&self, url: &Url, ask: Ask, schemes: Schemes) -> Result<Answer, Fault> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            address::check(&url, schemes)?;
            let answer = self.hop(&url, ask).await?;
            if !matches!(answer.head.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(answer);
            }
            let to = answer.head.headers.get(LOCATION).ok_or(Fault::BadRedirect)?;
            let to = to.to_str().map_err(|_| Fault::BadRedirect)?;
            url = url.join(to).map_err(|_| Fault::BadRedirect)?;
        }
        Err(Fault::TooManyRedirects)
    }

    async fn hop(&self, url: &Url, ask: Ask) -> Result<Answer, Fault> {
        let stream = timeout(self.limits.connect, self.connect(url));
        let stream = stream.await.unwrap_or(Err(Fault::Timeout))?;
        let exchange = exchange(stream, request(url, ask)?);
        timeout(self.limits.stall, exchange).await.unwrap_or(Err(Fault::Stalled))
    }

    async fn connect(&self, url: &Url) -> Result<Box<dyn Stream>, Fault> {
        let host = url.host().ok_or(Fault::BadAddress)?;
        let port = url.port_or_known_default().ok_or(Fault::BadAddress)?;
        let stream = self.open(&self.judged(&host).await?, port).await?;
        if url.scheme() == "http" {
            return Ok(Box::new(stream));
        }
        let connector = self.trust.connector().map_err(|_| Fault::TlsSetup)?;
        let tls = connector.connect(server_name(&host)?, stream).await.map_err(|error| {
            let tls = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
            if tls { Fault::Tls } else { Fault::ConnectionLost }
        })?;
        Ok(Box::new(tls))
    }

    /// Those of a host's addresses that may be connected to.
    async fn judged(&self, host: &Host<&str>) -> Result<Vec<IpAddr>, Fault> {
        let found = match host {
            Host::Ipv4(address) => vec![IpAddr::V4(*address)],
            Host::Ipv6(address) => vec![IpAddr::V6(*address)],
            Host::Domain(name) => self.wire.lookup(name).await.map_err(|fault| match fault {
                LookupFault::UnknownHost => Fault::UnknownHost,
                LookupFault::NoResolver => Fault::NoResolver,
            })?,
        };
        let allowed: Vec<IpAddr> =
            found.into_iter().filter(|address| self.guard.allows(*address)).collect();
        if allowed.is_empty() { Err(Fault::RefusedAddress) } else { Ok(allowed) }
    }

    async fn open(&self, addresses: &[IpAddr], port: u16) -> Result<TcpStream, Fault> {
        let mut fault = Fault::Unreachable;
        for address in addresses.iter().take(ADDRESSES_MAX) {
            let opened = self.wire.connect(SocketAddr::new(*address, port));
            match timeout(ADDRESS_TIME, opened).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => {
                    fault = if error.kind() == ErrorKind::ConnectionRefused {
                        Fault::ConnectionRefused
                    } else if error.kind() == ErrorKind::TimedOut {
                        Fault::Timeout
                    } else {
                        Fault::Unreachable
                    }
                }
                Err(_) => fault = Fault::Timeout,
            }
        }
        Err(fault)
    }
}

/// The name that the certificate must have.
fn server_name(host: &Host<&str>) -> Result<ServerName<'static>, Fault> {
    Ok(match host {
        Host::Ipv4(address) => ServerName::from(IpAddr::V4(*address)),
        Host::Ipv6(address) => ServerName::from(IpAddr::V6(*address)),
        Host::Domain(name) => {
            let name = name.trim_end_matches('.').to_owned();
            ServerName::DnsName(DnsName::try_from(name).map_err(|_| Fault::BadAddress)?)
        }
    })
}

async fn exchange(
    stream: Box<dyn Stream>,
    request: Request<Empty<Bytes>>,
) -> Result<Answer, Fault> {
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|_| Fault::ConnectionLost)?;
    // Its errors reach the request and the body too.
    let line = Line(tokio::spawn(async move { drop(connection.await) }));
    let answer = sender
        .send_request(request)
        .await
        .map_err(|error| if error.is_parse() { Fault::NotHttp } else { Fault::ConnectionLost })?;
    let (head, body) = answer.into_parts();
    Ok(Answer { head, body, _line: line })
}

fn request(url: &Url, ask: Ask) -> Result<Request<Empty<Bytes>>, Fault> {
    let method = match ask {
        Ask::Head => Method::HEAD,
        Ask::Get | Ask::FirstByte => Method::GET,
    };
    let mut request = Request::builder()
        .method(method)
        .uri(&url[Position::BeforePath..Position::AfterQuery])
        .body(Empty::new())
        .map_err(|_| Fault::BadAddress)?;
    let headers = request.headers_mut();
    let host = HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort]);
    headers.insert(HOST, host.map_err(|_| Fault::BadAddress)?);
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if ask == Ask::FirstByte {
        headers.insert(RANGE, HeaderValue::from_static("bytes=0-0"));
    }
    Ok(request)
}

/// What the answer says that its length is.
pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// Whether the body is not the file but something to be unpacked.
pub(super) fn is_encoded(headers: &HeaderMap) -> bool {
    let encodings = headers.get_all(CONTENT_ENCODING).iter();
    encodings
        .map(|encoding| encoding.as_bytes().trim_ascii())
        .any(|encoding| !encoding.is_empty() && !encoding.eq_ignore_ascii_case(b"identity"))
}
