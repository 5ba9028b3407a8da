//! One HTTPS exchange at a time with the network's media hosts. A completed exchange
//! is a success whatever its status: the library tells the statuses apart.
//!
//! A file's body streams in both directions, in bounded memory, for as long as bytes
//! move: a stalled line ends, a slow one may take its time.
//!
//! Keeps no connection open, follows no redirect, sends nothing unencrypted.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout;
use whatsapp_rust::anyhow;
use whatsapp_rust::wacore::net::{
    HttpClient, HttpRequest, HttpResponse, StreamingHttpResponse, UploadBody,
};

use crate::whatsapp::endpoint::{EndpointError, Target};
use crate::whatsapp::http_body::{Download, Metered, Pace, ReaderBody};
use crate::whatsapp::tls::Trust;
use crate::whatsapp::transport::{BROWSER, ConnectFault, open_tls};

/// The largest body taken into memory, in bytes.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// TCP and TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// Why there was no exchange, without addresses.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpFault {
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error(transparent)]
    Connect(#[from] ConnectFault),
    #[error("the request is malformed")]
    Request,
    #[error("the exchange broke off")]
    Broken,
    #[error("the answer exceeds {0} bytes")]
    TooLarge(usize),
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    #[error("no byte moved for {0:?}")]
    Stalled(Duration),
    #[error("the exchange is too slow to end")]
    TooSlow,
    #[error("the session's connection has ended")]
    Halted,
    #[error("outside of the runtime")]
    NoRuntime,
}

/// The library's HTTP client, for one connection of the session.
pub(crate) struct Https {
    trust: Arc<Trust>,
    body_bytes_max: usize,
    pace: Pace,
    streams_downloads: bool,
    halted: watch::Receiver<bool>,
}

type Body = UnsyncBoxBody<Bytes, std::io::Error>;
type Connection = http1::Connection<TokioIo<Metered>, Body>;

impl Https {
    /// Its exchanges end when `halted` says so, or when nobody can say it any more.
    pub(crate) fn new(trust: Arc<Trust>, halted: watch::Receiver<bool>) -> Https {
        Https {
            trust,
            body_bytes_max: BODY_BYTES_MAX,
            pace: Pace::default(),
            streams_downloads: false,
            halted,
        }
    }

    /// Downloads stream to whoever reads them, who has to bound them: only for what goes
    /// to a file. Without this the library takes downloads into memory, bounded here.
    #[must_use]
    pub(crate) fn streaming(mut self) -> Https {
        self.streams_downloads = true;
        self
    }

    #[cfg(test)]
    pub(crate) fn bounded(mut self, body_bytes_max: usize) -> Https {
        self.body_bytes_max = body_bytes_max;
        self
    }

    #[cfg(test)]
    pub(crate) fn paced(mut self, pace: Pace) -> Https {
        self.pace = pace;
        self
    }

    async fn connect(
        &self,
        uri: &Uri,
    ) -> Result<
        (http1::SendRequest<Body>, Connection, Arc<crate::whatsapp::http_body::Meter>),
        HttpFault,
    > {
        let target = Target::of(uri, "https")?;
        let tls = match timeout(CONNECT_TIMEOUT, open_tls(&target, &self.trust)).await {
            Ok(opened) => opened?,
            Err(_) => return Err(HttpFault::TimedOut(CONNECT_TIMEOUT)),
        };
        let (metered, meter) = Metered::new(tls);
        let (sender, connection) =
            http1::handshake(TokioIo::new(metered)).await.map_err(|_| HttpFault::Broken)?;
        Ok((sender, connection, meter))
    }

    /// A whole exchange. The body of the answer is taken into memory.
    async fn exchange(&self, request: HttpRequest, body: Body) -> Result<HttpResponse, HttpFault> {
        let uri: Uri = request.url.parse().map_err(|_| HttpFault::Request)?;
        let (mut sender, connection, meter) = self.connect(&uri).await?;
        let answer = async {
            let answer = send(&mut sender, request, &uri, body).await?;
            self.whole(answer).await
        };
        tokio::pin!(answer);
        let exchange = async {
            // The connection moves the bytes. When it ends, the answer is all there or
            // never will be.
            tokio::select! {
                answer = &mut answer => answer,
                _ = connection => answer.await,
            }
        };
        tokio::select! {
            answer = exchange => answer,
            fault = self.pace.watch(&meter) => Err(fault),
        }
    }

    async fn whole(&self, answer: Response<Incoming>) -> Result<HttpResponse, HttpFault> {
        let status_code = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), self.body_bytes_max).collect().await;
        let body = body.map_err(|error| {
            let too_large = error.is::<http_body_util::LengthLimitError>();
            if too_large { HttpFault::TooLarge(self.body_bytes_max) } else { HttpFault::Broken }
        })?;
        Ok(HttpResponse { status_code, body: body.to_bytes().to_vec() })
    }

    /// An exchange whose answer is read piece by piece.
    async fn open(&self, request: HttpRequest) -> Result<StreamingHttpResponse, HttpFault> {
        let uri: Uri = request.url.parse().map_err(|_| HttpFault::Request)?;
        let (mut sender, connection, meter) = self.connect(&uri).await?;
        let connection = tokio::spawn(async move {
            // Its end shows in the body.
            let _ = connection.await;
        });
        let line = connection.abort_handle();
        let body = whole_body(&request);
        let answer = tokio::select! {
            answer = send(&mut sender, request, &uri, body) => answer,
            fault = self.pace.watch(&meter) => Err(fault),
        };
        let answer = answer.inspect_err(|_| line.abort())?;
        let status_code = answer.status().as_u16();
        let halted = self.halted.clone();
        let body = Download::new(answer.into_body(), line, self.pace, halted);
        Ok(StreamingHttpResponse { status_code, body: Box::new(body) })
    }

    /// Ends early when the session's connection does.
    async fn until_halted<T>(
        &self,
        work: impl Future<Output = Result<T, HttpFault>>,
    ) -> Result<T, HttpFault> {
        let mut halted = self.halted.clone();
        tokio::select! {
            done = work => done,
            _ = halted.wait_for(|halted| *halted) => Err(HttpFault::Halted),
        }
    }
}

async fn send(
    sender: &mut http1::SendRequest<Body>,
    request: HttpRequest,
    uri: &Uri,
    body: Body,
) -> Result<Response<Incoming>, HttpFault> {
    let request = build(&request, uri, body)?;
    sender.send_request(request).await.map_err(|_| HttpFault::Broken)
}

fn whole_body(request: &HttpRequest) -> Body {
    let body = Full::new(request.body.clone().unwrap_or_default());
    body.map_err(|never| match never {}).boxed_unsync()
}

fn build(request: &HttpRequest, uri: &Uri, body: Body) -> Result<Request<Body>, HttpFault> {
    let malformed = |_| HttpFault::Request;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = uri.authority().ok_or(HttpFault::Request)?.as_str();
    let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| HttpFault::Request)?;
    let mut built =
        Request::builder().method(method).uri(path).body(body).map_err(|_| HttpFault::Request)?;
    let headers = built.headers_mut();
    headers.insert(USER_AGENT, HeaderValue::from_static(BROWSER));
    for (name, value) in &request.headers {
        let name: HeaderName = name.parse().map_err(|_| HttpFault::Request)?;
        headers.insert(name, value.parse().map_err(|_| HttpFault::Request)?);
    }
    headers.insert(HOST, HeaderValue::from_str(authority).map_err(malformed)?);
    Ok(built)
}

/// The library calls the streaming half from a thread that may block: the exchange runs
/// there, and so does the reading of the file.
fn here() -> Result<Handle, HttpFault> {
    Handle::try_current().map_err(|_| HttpFault::NoRuntime)
}

#[async_trait]
impl HttpClient for Https {
    async fn execute(&self, request: HttpRequest) -> Result<HttpResponse, anyhow::Error> {
        let body = whole_body(&request);
        Ok(self.until_halted(self.exchange(request, body)).await?)
    }

    fn supports_streaming(&self) -> bool {
        self.streams_downloads
    }

    fn execute_streaming(
        &self,
        request: HttpRequest,
    ) -> Result<StreamingHttpResponse, anyhow::Error> {
        Ok(here()?.block_on(self.until_halted(self.open(request)))?)
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
        let body = ReaderBody::new(body, content_length).boxed_unsync();
        Ok(here()?.block_on(self.until_halted(self.exchange(request, body)))?)
    }
}
