//! The front as a whole: what its handlers share, its routes, and what holds for every
//! request and every answer.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, HeaderValue, ORIGIN, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tetherd_api::{Error, ErrorKind};
use tetherd_metrics::Counts;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::auth::{Failures, Sessions, TokenFile};
use crate::compat::{self, Compat};
use crate::config::{Config, ConfigError};
use crate::daemon::Daemons;
use crate::limits::{Budget, LIVE_MAX, UPLOADS_MAX};
use crate::listen::{Listener, serve};
use crate::origins::Origins;
use crate::webhooks::{self, Webhooks};
use crate::{events, metrics, page, receivers, rest};

/// Nothing but what this front serves itself, and no script but its own file.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
     img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'";

/// What the handlers share.
#[derive(Debug)]
pub struct Front {
    pub(crate) config: Config,
    pub(crate) origins: Origins,
    pub(crate) tokens: TokenFile,
    pub(crate) sessions: Sessions,
    pub(crate) failures: Failures,
    pub(crate) budget: Budget,
    pub(crate) uploads: Semaphore,
    pub(crate) live: Arc<Semaphore>,
    pub(crate) counts: Counts,
    pub(crate) daemons: Daemons,
    pub(crate) compat: Compat,
    pub(crate) webhooks: Webhooks,
}

/// The same, for each handler.
#[derive(Clone, Debug)]
pub struct Shared(Arc<Front>);

impl Deref for Shared {
    type Target = Front;

    fn deref(&self) -> &Front {
        &self.0
    }
}

/// A front that serves. Dropping it ends it at once.
#[derive(Debug)]
pub struct Running {
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    /// Where it listens, if that is an address.
    pub address: Option<SocketAddr>,
}

impl Running {
    /// Ends it: what is under way has a little time.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let _ = (&mut self.serving).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Serves on this listener, if the configuration allows it.
pub fn start(config: Config, listener: Listener) -> Result<Running, ConfigError> {
    let address = listener.address();
    config.check_listener(address)?;
    let front = assembled(config, address)?;
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(serve(listener, router(Shared(Arc::new(front))), stopped));
    Ok(Running { stop, serving, address })
}

/// The routes of a front that listens nowhere.
#[cfg(any(test, fuzzing))]
pub(crate) fn routes(config: Config) -> Result<Router, ConfigError> {
    Ok(router(Shared(Arc::new(assembled(config, None)?))))
}

fn assembled(config: Config, address: Option<SocketAddr>) -> Result<Front, ConfigError> {
    let counts = Counts::default();
    let daemons = Daemons::start(&config.daemons, &counts);
    Ok(Front {
        origins: config.origins(address),
        tokens: TokenFile::new(config.tokens_file()),
        sessions: Sessions::default(),
        failures: Failures::default(),
        budget: Budget::default(),
        uploads: Semaphore::new(UPLOADS_MAX),
        live: Arc::new(Semaphore::new(LIVE_MAX)),
        webhooks: Webhooks::start(&config, &daemons, &counts)?,
        daemons,
        compat: Compat::new(&config.state_dir())?,
        counts,
        config,
    })
}

fn router(front: Shared) -> Router {
    Router::new()
        .route("/openapi.json", get(rest::openapi))
        .route("/metrics", get(metrics::show))
        .route("/v1/events", get(events::of_usual))
        .route("/v1/{daemon}/events", get(events::of_named))
        .route("/v1/{method}", post(rest::of_usual))
        .route("/v1/{daemon}/{method}", post(rest::of_named))
        .merge(page::routes())
        .merge(compat::routes())
        .merge(receivers::routes())
        .merge(webhooks::routes())
        .fallback(compat::by_query)
        .layer(from_fn_with_state(front.clone(), guard))
        .with_state(front)
}

/// What holds for every request: it is for us, and a page of nobody else made it. And for
/// every answer: nothing but our own is loaded with it, and nobody keeps it.
async fn guard(State(front): State<Shared>, request: Request, next: Next) -> Response {
    let mut response = match refused(&front, &request) {
        Some(response) => response,
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(CONTENT_SECURITY_POLICY, CONTENT_POLICY);
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(X_FRAME_OPTIONS, "DENY");
    // With `no-referrer` a browser would not say from which page a form comes.
    set(REFERRER_POLICY, "same-origin");
    set(CACHE_CONTROL, "no-store");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    if front.config.listen.tls_in_front {
        set(STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    response
}

fn refused(front: &Shared, request: &Request) -> Option<Response> {
    let header = |name| request.headers().get(name).map(|value: &HeaderValue| value.to_str());
    let host = match (request.uri().authority(), header(HOST)) {
        (Some(authority), _) => authority.as_str(),
        (None, Some(Ok(host))) => host,
        (None, Some(Err(_)) | None) => "",
    };
    if !front.origins.has_host(host) {
        let sentence = "this front is not called so; see `origins` in its configuration";
        return Some(plain(StatusCode::MISDIRECTED_REQUEST, sentence));
    }
    let changes = ![Method::GET, Method::HEAD].contains(request.method());
    let foreign = match header(ORIGIN) {
        Some(origin) => !origin.is_ok_and(|origin| front.origins.has(origin)),
        None => false,
    };
    (changes && foreign).then(|| plain(StatusCode::FORBIDDEN, "a page of another origin made this"))
}

fn plain(status: StatusCode, sentence: &str) -> Response {
    rest::error_response(status, &Error::new(ErrorKind::Denied, sentence)).into_response()
}
