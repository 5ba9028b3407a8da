//! One HTTP/1.1 request and its answer, over a connection of its own. A status is an answer,
//! not an error; redirects are the caller's.
//!
//! Bodies stream in both directions, in bounded memory, for as long as bytes move. Nothing is
//! spawned: whoever waits for the answer drives the connection, and dropping it closes it.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::http::response::Parts;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep, timeout};
use url::{Position, Url};

use crate::connect::{ConnectError, Connector, Stream};

/// An answer's status line and headers, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// An answer's headers.
const HEADERS_MAX: usize = 100;

/// The body of a request.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A body that is in memory already.
pub fn body(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// How long an exchange may take, and how large its answer may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Resolver, TCP and TLS.
    pub connect: Duration,
    /// Without any byte in either direction.
    pub stall: Duration,
    /// All in all, in addition to what its bytes allow.
    pub allowance: Duration,
    /// The least that a body has to move on the whole, in bytes a second.
    pub bytes_per_s_min: u64,
    /// The body of the answer.
    pub body_bytes_max: u64,
}

impl Limits {
    fn is_too_slow(&self, elapsed: Duration, bytes: u64) -> bool {
        elapsed > self.allowance + Duration::from_secs(bytes / self.bytes_per_s_min.max(1))
    }

    /// Ends when the exchange stalls, or is too slow on the whole.
    async fn watch(&self, meter: &Meter) -> HttpError {
        let started = Instant::now();
        let mut seen = meter.bytes();
        loop {
            sleep(self.stall).await;
            let bytes = meter.bytes();
            if bytes == seen {
                return HttpError::Stalled(self.stall);
            }
            if self.is_too_slow(started.elapsed(), bytes) {
                return HttpError::TooSlow;
            }
            seen = bytes;
        }
    }
}

/// Why there is no answer, or not all of it. Carries no name and no address.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum HttpError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The URL cannot be asked for.
    #[error("the request is malformed")]
    Request,
    /// The connection broke.
    #[error("the exchange broke off")]
    Broken,
    /// What answers does not speak HTTP.
    #[error("the answer is not HTTP")]
    NotHttp,
    /// The answer's body is larger than its limit.
    #[error("the answer exceeds {0} bytes")]
    TooLarge(u64),
    /// No byte moved for this long.
    #[error("no byte moved for {0:?}")]
    Stalled(Duration),
    /// Bytes move, and too few of them.
    #[error("the exchange is too slow to end")]
    TooSlow,
}

type Driver = Pin<Box<http1::Connection<TokioIo<Metered>, Body>>>;

/// Asks. The target and the `Host` header of the request are the URL's.
pub async fn exchange(
    connector: &Connector,
    url: &Url,
    request: Request<Body>,
    limits: Limits,
) -> Result<Answer, HttpError> {
    let request = addressed(url, request)?;
    let stream = connector.open(url, limits.connect).await?;
    exchange_on(stream, request, limits).await
}

fn addressed(url: &Url, mut request: Request<Body>) -> Result<Request<Body>, HttpError> {
    let target = &url[Position::BeforePath..Position::AfterQuery];
    *request.uri_mut() = target.parse().map_err(|_| HttpError::Request)?;
    let host = HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort]);
    request.headers_mut().insert(HOST, host.map_err(|_| HttpError::Request)?);
    Ok(request)
}

/// Asks on a connection that is there.
pub(crate) async fn exchange_on(
    stream: Stream,
    request: Request<Body>,
    limits: Limits,
) -> Result<Answer, HttpError> {
    let meter = Arc::new(Meter::default());
    let metered = Metered { stream, meter: Arc::clone(&meter) };
    let (mut sender, driver) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .handshake(TokioIo::new(metered))
        .await
        .map_err(|_| HttpError::Broken)?;
    let mut driver = Some(Box::pin(driver));
    let answer = tokio::select! {
        answer = drive(&mut driver, sender.send_request(request)) => answer,
        error = limits.watch(&meter) => return Err(error),
    };
    let answer =
        answer.map_err(|e| if e.is_parse() { HttpError::NotHttp } else { HttpError::Broken })?;
    let (head, body) = answer.into_parts();
    Ok(Answer { head, body, driver, limits, started: Instant::now(), bytes: 0 })
}

/// Moves the connection's bytes until the work is done. Once the connection has ended, all that
/// it will ever bring is there, and the work ends by itself.
async fn drive<T>(driver: &mut Option<Driver>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    if let Some(connection) = driver {
        tokio::select! {
            biased;
            done = &mut work => return done,
            // Its error reaches the work too.
            _ = connection => {}
        }
        *driver = None;
    }
    work.await
}

/// An answer whose body is still to come.
pub struct Answer {
    /// Status and headers.
    pub head: Parts,
    body: Incoming,
    driver: Option<Driver>,
    limits: Limits,
    started: Instant,
    bytes: u64,
}

impl Answer {
    /// The status.
    pub fn status(&self) -> u16 {
        self.head.status.as_u16()
    }

    /// The next bytes of the body, never empty; none at its end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, HttpError> {
        loop {
            let frame = drive(&mut self.driver, self.body.frame());
            let frame = match timeout(self.limits.stall, frame).await {
                Ok(None) => return Ok(None),
                Ok(Some(frame)) => frame.map_err(|_| HttpError::Broken)?,
                Err(_) => return Err(HttpError::Stalled(self.limits.stall)),
            };
            // Trailers say nothing that is needed.
            let data = frame.into_data().unwrap_or_default();
            self.bytes += data.len() as u64;
            if self.bytes > self.limits.body_bytes_max {
                return Err(HttpError::TooLarge(self.limits.body_bytes_max));
            }
            if self.limits.is_too_slow(self.started.elapsed(), self.bytes) {
                return Err(HttpError::TooSlow);
            }
            if !data.is_empty() {
                return Ok(Some(data));
            }
        }
    }

    /// The whole body, in memory.
    pub async fn whole(mut self) -> Result<Vec<u8>, HttpError> {
        let mut whole = Vec::new();
        while let Some(bytes) = self.next().await? {
            whole.extend_from_slice(&bytes);
        }
        Ok(whole)
    }
}

/// Counts the bytes of a connection in both directions.
#[derive(Debug, Default)]
struct Meter(AtomicU64);

impl Meter {
    fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// A connection with a meter.
struct Metered {
    stream: Stream,
    meter: Arc<Meter>,
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.meter.add(buf.filled().len() - before);
        polled
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(bytes)) = &polled {
            self.meter.add(*bytes);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
