//! One HTTPS exchange at a time with the network's media hosts. A completed exchange
//! is a success whatever its status: the library tells the statuses apart.
//!
//! Keeps no connection open, follows no redirect, sends nothing unencrypted.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use whatsapp_rust::anyhow;
use whatsapp_rust::wacore::net::{HttpClient, HttpRequest, HttpResponse};

use crate::whatsapp::endpoint::{EndpointError, Target};
use crate::whatsapp::tls::Trust;
use crate::whatsapp::transport::{BROWSER, ConnectFault, open_tls};

/// The largest body taken, in bytes.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// TCP and TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// The whole exchange after that.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(120);

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
}

/// The library's HTTP client.
pub(crate) struct Https {
    trust: Arc<Trust>,
    body_bytes_max: usize,
}

impl Https {
    pub(crate) fn new(trust: Arc<Trust>) -> Https {
        Https::bounded(trust, BODY_BYTES_MAX)
    }

    pub(crate) fn bounded(trust: Arc<Trust>, body_bytes_max: usize) -> Https {
        Https { trust, body_bytes_max }
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpFault> {
        let uri: Uri = request.url.parse().map_err(|_| HttpFault::Request)?;
        let target = Target::of(&uri, "https")?;
        let tls = match timeout(CONNECT_TIMEOUT, open_tls(&target, &self.trust)).await {
            Ok(opened) => opened?,
            Err(_) => return Err(HttpFault::TimedOut(CONNECT_TIMEOUT)),
        };
        let request = build(request, &uri)?;
        let exchange = async {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls))
                .await
                .map_err(|_| HttpFault::Broken)?;
            let answer = self.answer(&mut sender, request);
            tokio::pin!(answer);
            // The connection moves the bytes. When it ends, the answer is all there or
            // never will be.
            tokio::select! {
                answer = &mut answer => answer,
                _ = connection => answer.await,
            }
        };
        match timeout(EXCHANGE_TIMEOUT, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(HttpFault::TimedOut(EXCHANGE_TIMEOUT)),
        }
    }

    async fn answer(
        &self,
        sender: &mut hyper::client::conn::http1::SendRequest<Full<Bytes>>,
        request: Request<Full<Bytes>>,
    ) -> Result<HttpResponse, HttpFault> {
        let response = sender.send_request(request).await.map_err(|_| HttpFault::Broken)?;
        let status_code = response.status().as_u16();
        let body = Limited::new(response.into_body(), self.body_bytes_max).collect().await;
        let body = body.map_err(|error| {
            let too_large = error.is::<http_body_util::LengthLimitError>();
            if too_large { HttpFault::TooLarge(self.body_bytes_max) } else { HttpFault::Broken }
        })?;
        Ok(HttpResponse { status_code, body: body.to_bytes().to_vec() })
    }
}

fn build(request: HttpRequest, uri: &Uri) -> Result<Request<Full<Bytes>>, HttpFault> {
    let malformed = |_| HttpFault::Request;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = uri.authority().ok_or(HttpFault::Request)?.as_str();
    let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| HttpFault::Request)?;
    let mut built = Request::builder()
        .method(method)
        .uri(path)
        .body(Full::new(request.body.unwrap_or_default()))
        .map_err(|_| HttpFault::Request)?;
    let headers = built.headers_mut();
    headers.insert(USER_AGENT, HeaderValue::from_static(BROWSER));
    for (name, value) in &request.headers {
        let name: HeaderName = name.parse().map_err(|_| HttpFault::Request)?;
        headers.insert(name, value.parse().map_err(|_| HttpFault::Request)?);
    }
    headers.insert(HOST, HeaderValue::from_str(authority).map_err(malformed)?);
    Ok(built)
}

#[async_trait]
impl HttpClient for Https {
    async fn execute(&self, request: HttpRequest) -> Result<HttpResponse, anyhow::Error> {
        Ok(self.exchange(request).await?)
    }
}
