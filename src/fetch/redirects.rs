//! One request, and the redirects that it leads through. Every hop is checked, resolved,
//! filtered and connected anew.

use std::io::ErrorKind;

use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap,
    HeaderValue, LOCATION, RANGE, USER_AGENT,
};
use hyper::{Method, Request};
use tetherd_net::connect::{ConnectError, ResolveError};
use tetherd_net::http::{self, Answer, Body, HttpError};
use url::Url;

use crate::fetch::address::{self, Schemes};
use crate::fetch::{FetchError, Fetcher, REDIRECTS_MAX};

/// Who asks.
const AGENT: &str = concat!("tetherd/", env!("CARGO_PKG_VERSION"));

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

impl Fetcher {
    /// Asks, and follows redirects. The answer is any that is not one, with a body of at most
    /// `body_bytes_max`; and the address that gave it.
    pub(super) async fn ask(
        &self,
        url: &Url,
        ask: Ask,
        schemes: Schemes,
        body_bytes_max: u64,
    ) -> Result<(Answer, Url), FetchError> {
        let limits = http::Limits { body_bytes_max, ..self.limits.hop };
        let mut url = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            address::check(&url, schemes)?;
            let answer = http::exchange(&self.connector, &url, request(ask), limits).await?;
            if !matches!(answer.status(), 301 | 302 | 303 | 307 | 308) {
                return Ok((answer, url));
            }
            let to = answer.head.headers.get(LOCATION).ok_or(FetchError::BadRedirect)?;
            let to = to.to_str().map_err(|_| FetchError::BadRedirect)?;
            url = url.join(to).map_err(|_| FetchError::BadRedirect)?;
        }
        Err(FetchError::TooManyRedirects)
    }
}

fn request(ask: Ask) -> Request<Body> {
    let mut request = Request::new(http::body(""));
    *request.method_mut() = match ask {
        Ask::Head => Method::HEAD,
        Ask::Get | Ask::FirstByte => Method::GET,
    };
    let headers = request.headers_mut();
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if ask == Ask::FirstByte {
        headers.insert(RANGE, HeaderValue::from_static("bytes=0-0"));
    }
    request
}

impl From<HttpError> for FetchError {
    fn from(error: HttpError) -> FetchError {
        match error {
            HttpError::Connect(error) => error.into(),
            HttpError::Request => FetchError::BadAddress,
            HttpError::Broken => FetchError::ConnectionLost,
            HttpError::NotHttp => FetchError::NotHttp,
            HttpError::TooLarge(_) => FetchError::TooLarge,
            HttpError::Stalled(_) => FetchError::Stalled,
            HttpError::TooSlow => FetchError::Timeout,
        }
    }
}

impl From<ConnectError> for FetchError {
    fn from(error: ConnectError) -> FetchError {
        use tetherd_net::tls::TlsFault;
        match error {
            ConnectError::BadHost => FetchError::BadAddress,
            ConnectError::Resolve(ResolveError::UnknownHost) => FetchError::UnknownHost,
            ConnectError::Resolve(ResolveError::NoResolver) => FetchError::NoResolver,
            ConnectError::Resolve(ResolveError::OutsideLoopback) => FetchError::Unreachable,
            ConnectError::RefusedAddress => FetchError::RefusedAddress,
            ConnectError::Tcp(ErrorKind::ConnectionRefused) => FetchError::ConnectionRefused,
            ConnectError::Tcp(ErrorKind::TimedOut) => FetchError::Timeout,
            ConnectError::Tcp(_) => FetchError::Unreachable,
            ConnectError::Trust(_) => FetchError::TlsSetup,
            ConnectError::Tls(TlsFault::Broken(_)) => FetchError::ConnectionLost,
            ConnectError::Tls(
                TlsFault::NotYetValid
                | TlsFault::Expired
                | TlsFault::UnknownIssuer
                | TlsFault::WrongName
                | TlsFault::Certificate
                | TlsFault::Refused(_)
                | TlsFault::Protocol,
            ) => FetchError::Tls,
            ConnectError::Tls(TlsFault::TimedOut) | ConnectError::TimedOut(_) => {
                FetchError::Timeout
            }
        }
    }
}

/// The length that the answer announces.
pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// The type that the answer names.
pub(super) fn content_type(headers: &HeaderMap) -> Option<String> {
    Some(headers.get(CONTENT_TYPE)?.to_str().ok()?.to_owned())
}

/// Whether the body is not the file but something to be unpacked.
pub(super) fn is_encoded(headers: &HeaderMap) -> bool {
    let encodings = headers.get_all(CONTENT_ENCODING).iter();
    encodings
        .map(|encoding| encoding.as_bytes().trim_ascii())
        .any(|encoding| !encoding.is_empty() && !encoding.eq_ignore_ascii_case(b"identity"))
}
