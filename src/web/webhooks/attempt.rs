//! One attempt to deliver: a signed POST over a connection of its own, and what its answer means.
//! The address that is connected to is judged when it is connected to; a redirect is not followed.
//! Never keeps anything of an answer's body.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use axum::http::{HeaderMap, HeaderValue, Method, Request};
use tetherd_api::Time;
use tetherd_net::connect::{ConnectError, Connector, Network};
use tetherd_net::http::{self, Answer, Body, HttpError, Limits};
use tetherd_net::ip_filter::IpFilter;
use tetherd_net::trust::{Loaded, Trust, TrustError};
use tokio::time::timeout;

use super::place::{Event, Trouble};
use super::schedule::retry_after;
use super::secret::Secrets;
use super::settings::{Settings, Target};

/// Resolver, TCP and TLS.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// All of an attempt, up to the head of its answer.
pub(super) const ATTEMPT_TIME: Duration = Duration::from_secs(20);
/// For the body of an answer, which is dropped.
const DRAIN_TIME: Duration = Duration::from_secs(2);
/// As much of it is read.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;
/// Who sends.
const AGENT: &str = concat!("tether-web/", env!("CARGO_PKG_VERSION"));

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The receiver has it.
    Delivered,
    /// The receiver wants no more of them.
    Gone(Trouble),
    /// Not now. The receiver may have said when.
    Failed(Trouble, Option<Duration>),
}

/// Posts events to one address.
pub(super) struct Poster {
    target: Target,
    connector: Connector,
    trust: Arc<Trust>,
    /// The certificates, while there is more to send: to parse them takes milliseconds.
    loaded: Mutex<Option<Loaded>>,
}

impl std::fmt::Debug for Poster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Poster(..)")
    }
}

impl Poster {
    pub(super) fn new(
        settings: &Settings,
        network: Arc<dyn Network>,
    ) -> Result<Poster, TrustError> {
        let trust = Arc::new(Trust::new(settings.ca_file.clone())?);
        let allowed = settings.allow_addresses.iter().map(|network| network.0).collect();
        let connector = Connector::over(Arc::clone(&trust), IpFilter::Public(allowed), network);
        let (target, loaded) = (settings.url.clone(), Mutex::default());
        Ok(Poster { target, connector, trust, loaded })
    }

    /// Frees what the next attempt can use: it is not made at once.
    pub(super) fn rest(&self) {
        self.keep(None);
    }

    fn keep(&self, loaded: Option<Loaded>) {
        *self.loaded.lock().unwrap_or_else(PoisonError::into_inner) = loaded;
    }

    /// Makes one attempt, signed for this time.
    pub(super) async fn post(&self, event: &Event, secrets: &Secrets, now: Time) -> Outcome {
        let trouble = |code: &str, status, why| Trouble { code: code.into(), status, why, at: now };
        let Some(request) = request(event, secrets, now) else {
            // An id and a signature are plain text.
            return Outcome::Failed(
                trouble("request", None, "the request is malformed".into()),
                None,
            );
        };
        let limits = Limits {
            connect: CONNECT_TIME,
            stall: ATTEMPT_TIME,
            allowance: ATTEMPT_TIME,
            bytes_per_s_min: u64::MAX,
            body_bytes_max: ANSWER_BYTES_MAX,
        };
        let asked = http::exchange(&self.connector, self.target.url(), request, limits);
        let answer = match timeout(ATTEMPT_TIME, asked).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                let trouble = trouble(code(&error), None, error.to_string());
                return Outcome::Failed(trouble, None);
            }
            Err(_) => {
                let why = format!("no answer within {} s", ATTEMPT_TIME.as_secs());
                return Outcome::Failed(trouble("timeout", None, why), None);
            }
        };
        self.keep(self.trust.loaded());
        let (status, wait) = (answer.status(), asked_to_wait(&answer.head.headers, now));
        // The status is the answer, however the rest of it ends.
        let _ = timeout(DRAIN_TIME, drain(answer)).await;
        let why = format!("the receiver answered {status}");
        match status {
            200..=299 => Outcome::Delivered,
            410 => Outcome::Gone(trouble("gone", Some(status), why)),
            300..=399 => {
                let why = format!("{why}: a redirect is not followed");
                Outcome::Failed(trouble("redirect", Some(status), why), wait)
            }
            _ => Outcome::Failed(trouble("status", Some(status), why), wait),
        }
    }
}

fn request(event: &Event, secrets: &Secrets, now: Time) -> Option<Request<Body>> {
    let seconds = now.0.div_euclid(1_000);
    let signature = secrets.sign(&event.id, seconds, &event.body);
    let mut request = Request::new(http::body(event.body.0.clone()));
    *request.method_mut() = Method::POST;
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    headers.insert("webhook-id", HeaderValue::from_str(&event.id).ok()?);
    headers.insert("webhook-timestamp", HeaderValue::from(seconds));
    headers.insert("webhook-signature", HeaderValue::from_str(&signature).ok()?);
    Some(request)
}

fn asked_to_wait(headers: &HeaderMap, now: Time) -> Option<Duration> {
    retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?, now)
}

/// Reads what is left, so that the receiver can write it.
async fn drain(mut answer: Answer) {
    while let Ok(Some(_)) = answer.next().await {}
}

/// A stable name of what is wrong.
fn code(error: &HttpError) -> &'static str {
    match error {
        HttpError::Connect(error) => match error {
            ConnectError::BadHost => "bad_host",
            ConnectError::Resolve(_) => "resolve",
            ConnectError::RefusedAddress => "refused_address",
            ConnectError::Tcp(_) => "connect",
            ConnectError::Trust(_) | ConnectError::Tls(_) => "tls",
            ConnectError::TimedOut(_) => "timeout",
        },
        HttpError::Request => "request",
        HttpError::Broken => "broken",
        HttpError::NotHttp | HttpError::TooLarge(_) => "not_http",
        HttpError::Stalled(_) | HttpError::TooSlow => "timeout",
    }
}
