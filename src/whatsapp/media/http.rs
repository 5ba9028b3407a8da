//! The library's HTTP client, for the network's media hosts: encrypted only, and over with the
//! session's connection. A completed exchange is a success whatever its status: the library
//! distinguishes them.

use std::io::{self, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use hyper::header::{HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request};
use tetherd_net::connect::Connector;
use tetherd_net::endpoint::{EndpointError, encrypted_url};
use tetherd_net::http::{self, Answer, Body, HttpError, Limits};
use tokio::runtime::Handle;
use tokio::sync::watch;
use whatsapp_rust::anyhow;
use whatsapp_rust::wacore::net::{
    HttpClient, HttpRequest, HttpResponse, StreamingHttpResponse, UploadBody,
};

use crate::whatsapp::transport::BROWSER;

/// Read from a file at a time, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;
/// The largest body that is taken into memory, in bytes.
const BODY_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// The largest download, in bytes: the network's files end at 2 GB.
const DOWNLOAD_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024 + 1024 * 1024;

/// A slow connection may take its time, a stalled one ends.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(15),
    stall: Duration::from_secs(60),
    allowance: Duration::from_secs(120),
    bytes_per_s_min: 4 * 1024,
    body_bytes_max: BODY_BYTES_MAX,
};

/// Why there was no exchange, without addresses.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MediaHttpError {
    #[error(transparent)]
    Url(#[from] EndpointError),
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("the session's connection has ended")]
    Halted,
    #[error("outside of the runtime")]
    NoRuntime,
}

/// The client, for one connection of the session.
#[derive(Clone)]
pub(crate) struct MediaHttp {
    connector: Arc<Connector>,
    limits: Limits,
    streams_downloads: bool,
    halted: watch::Receiver<bool>,
}

impl MediaHttp {
    /// Its exchanges end when `halted` says so, or when nobody can say it any more.
    pub(crate) fn new(connector: Arc<Connector>, halted: watch::Receiver<bool>) -> MediaHttp {
        MediaHttp { connector, limits: LIMITS, streams_downloads: false, halted }
    }

    /// Downloads stream to whoever reads them, who has to bound them: only for what goes
    /// to a file. Without this the library takes downloads into memory, bounded here.
    #[must_use]
    pub(crate) fn streaming(mut self) -> MediaHttp {
        self.streams_downloads = true;
        self.limits.body_bytes_max = DOWNLOAD_BYTES_MAX;
        self
    }

    #[cfg(test)]
    pub(crate) fn limited(mut self, change: impl FnOnce(&mut Limits)) -> MediaHttp {
        change(&mut self.limits);
        self
    }

    async fn open(&self, request: &HttpRequest, body: Body) -> Result<Answer, MediaHttpError> {
        let url = encrypted_url(&request.url, "https")?;
        let exchange = async {
            let request = build(request, body).ok_or(HttpError::Request)?;
            http::exchange(&self.connector, &url, request, self.limits).await
        };
        until_halted(&self.halted, exchange).await
    }

    async fn whole(&self, request: HttpRequest, body: Body) -> anyhow::Result<HttpResponse> {
        let answer = self.open(&request, body).await?;
        let status_code = answer.status();
        let body = until_halted(&self.halted, answer.whole()).await?;
        Ok(HttpResponse { status_code, body })
    }
}

/// Ends early when the session's connection does.
async fn until_halted<T>(
    halted: &watch::Receiver<bool>,
    work: impl Future<Output = Result<T, HttpError>>,
) -> Result<T, MediaHttpError> {
    let mut halted = halted.clone();
    tokio::select! {
        done = work => Ok(done?),
        _ = halted.wait_for(|halted| *halted) => Err(MediaHttpError::Halted),
    }
}

fn build(request: &HttpRequest, body: Body) -> Option<Request<Body>> {
    let mut built = Request::new(body);
    *built.method_mut() = Method::from_bytes(request.method.as_bytes()).ok()?;
    let headers = built.headers_mut();
    headers.insert(USER_AGENT, HeaderValue::from_static(BROWSER));
    for (name, value) in &request.headers {
        headers.insert(name.parse::<HeaderName>().ok()?, value.parse().ok()?);
    }
    Some(built)
}

fn body_of(request: &HttpRequest) -> Body {
    http::body(request.body.clone().unwrap_or_default())
}

/// The library calls the streaming half from a thread that may block: the exchange runs
/// there, and so does the reading of the file.
fn runtime() -> Result<Handle, MediaHttpError> {
    Handle::try_current().map_err(|_| MediaHttpError::NoRuntime)
}

#[async_trait]
impl HttpClient for MediaHttp {
    async fn execute(&self, request: HttpRequest) -> Result<HttpResponse, anyhow::Error> {
        let body = body_of(&request);
        self.whole(request, body).await
    }

    fn supports_streaming(&self) -> bool {
        self.streams_downloads
    }

    fn execute_streaming(
        &self,
        request: HttpRequest,
    ) -> Result<StreamingHttpResponse, anyhow::Error> {
        let answer = runtime()?.block_on(self.open(&request, body_of(&request)))?;
        let status_code = answer.status();
        let body = Download { answer, chunk: Bytes::new(), halted: self.halted.clone() };
        Ok(StreamingHttpResponse { status_code, body: Box::new(body) })
    }

    fn supports_upload_streaming(&self) -> bool {
        true
    }

    fn execute_upload(
        &self,
        request: HttpRequest,
        body: UploadBody,
        content_length: u64,
    ) -> Result<HttpResponse, anyhow::Error> {
        let body = ReaderBody { reader: body, left: content_length }.boxed_unsync();
        runtime()?.block_on(self.whole(request, body))
    }
}

/// A body of known length that a reader gives. Polled on a thread that may block.
struct ReaderBody {
    reader: Box<dyn Read + Send>,
    left: u64,
}

impl hyper::body::Body for ReaderBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let wanted = usize::try_from(self.left).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
        let mut chunk = vec![0; wanted];
        Poll::Ready(Some(match self.reader.read(&mut chunk) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(bytes) => {
                chunk.truncate(bytes);
                self.left -= bytes as u64;
                Ok(Frame::data(chunk.into()))
            }
            Err(error) => Err(error),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// The body of an answer, read on a thread that may block.
struct Download {
    answer: Answer,
    chunk: Bytes,
    halted: watch::Receiver<bool>,
}

impl Read for Download {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.chunk.is_empty() {
            let next = until_halted(&self.halted, self.answer.next());
            let next = runtime().and_then(|runtime| runtime.block_on(next));
            self.chunk = next.map_err(io::Error::other)?.unwrap_or_default();
        }
        let bytes = self.chunk.len().min(buf.len());
        buf[..bytes].copy_from_slice(&self.chunk.split_to(bytes));
        Ok(bytes)
    }
}
