//! Who asks: programs by a bearer token, people by a session that a token began. Owns the
//! checks before every handler. Never lets a caller do more than its token may.

mod failures;
mod sessions;
mod token_file;

use axum::extract::FromRequestParts;
use axum::http::header::{ACCEPT, AUTHORIZATION, COOKIE, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use subtle::ConstantTimeEq as _;
use tetherd_api::{Error, ErrorKind, Tier};

use crate::front::Shared;
use crate::listen::Peer;
use crate::rest::error_response;

pub use failures::Failures;
pub use sessions::{Session, Sessions};
pub use token_file::{NewToken, Token, TokenError, TokenFile};

/// A program, by its token.
#[derive(Clone, Debug)]
pub struct Program {
    /// What it may do.
    pub tier: Tier,
    digest: [u8; 32],
}

impl Program {
    /// The one whose token this is.
    pub fn with_secret(front: &Shared, peer: Peer, secret: &str) -> Result<Program, Refused> {
        let token = present(front, peer, secret)?;
        Ok(Program { tier: token.tier, digest: token.digest })
    }

    /// What its token is known by, which is not the token.
    pub(crate) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Whether its token is still there.
    pub fn still_holds(&self, front: &Shared) -> bool {
        front.tokens.with_digest(&self.digest).is_some()
    }

    /// Whether it may do what needs this tier.
    pub fn may(&self, needed: Tier) -> Result<(), Error> {
        if self.tier >= needed {
            return Ok(());
        }
        let sentence =
            format!("this needs the tier {}; the token has {}", needed.name(), self.tier.name());
        let remedy = format!("make one: tether-web token add NAME --tier {}", needed.name());
        Err(Error::new(ErrorKind::Denied, sentence).remedy(remedy))
    }
}

impl FromRequestParts<Shared> for Program {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, front: &Shared) -> Result<Program, Response> {
        let secret = bearer(&parts.headers).unwrap_or_default();
        Program::with_secret(front, peer(parts, front), secret).map_err(Refused::answer)
    }
}

pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, secret) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(secret.trim())
}

/// The password of basic authentication. The name before it says nothing.
pub(crate) fn password(headers: &HeaderMap) -> Option<String> {
    let (scheme, pair) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let pair = scheme.eq_ignore_ascii_case("basic").then(|| BASE64_STANDARD.decode(pair.trim()))?;
    let pair = String::from_utf8(pair.ok()?).ok()?;
    pair.split_once(':').map(|(_, password)| password.to_owned())
}

fn unauthorized(sentence: &str) -> Response {
    let error = Error::new(ErrorKind::Denied, sentence)
        .remedy("make one: tether-web token add NAME --tier read");
    let mut response = error_response(StatusCode::UNAUTHORIZED, &error);
    let challenge = axum::http::HeaderValue::from_static("Bearer");
    response.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, challenge);
    response
}

fn too_many() -> Response {
    let wait = crate::limits::FAILURES_WINDOW;
    let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    let error = Error::new(ErrorKind::Denied, "too many wrong tokens").retry_after_ms(ms);
    let mut response = error_response(StatusCode::TOO_MANY_REQUESTS, &error);
    response.headers_mut().insert(RETRY_AFTER, wait.as_secs().into());
    response
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// None is given.
    Missing,
    /// There is none such.
    Unknown,
    /// Nor is there, and the peer has given too many wrong ones.
    TooMany,
}

impl Refused {
    /// As the contract says it.
    pub(crate) fn answer(self) -> Response {
        match self {
            Refused::Missing => unauthorized("give a token: `Authorization: Bearer ...`"),
            Refused::Unknown => unauthorized("the token is not known"),
            Refused::TooMany => too_many(),
        }
    }
}

/// Looks a token up, and counts a wrong one against its peer.
pub fn present(front: &Shared, peer: Peer, secret: &str) -> Result<Token, Refused> {
    if secret.is_empty() {
        return Err(Refused::Missing);
    }
    front.tokens.find(secret).ok_or_else(|| {
        if front.failures.is_blocked(peer) {
            return Refused::TooMany;
        }
        front.failures.count(peer);
        Refused::Unknown
    })
}

/// Who is at the other end: behind a proxy, the last address that the proxy named.
pub fn peer(parts: &Parts, front: &Shared) -> Peer {
    let peer = parts.extensions.get::<Peer>().copied().unwrap_or_default();
    if !front.config.listen.tls_in_front {
        return peer;
    }
    let lists = parts.headers.get_all("x-forwarded-for").iter().next_back();
    let last = lists.and_then(|list| list.to_str().ok()?.rsplit(',').next());
    last.and_then(|address| address.trim().parse().ok()).map_or(peer, Peer::of)
}

/// A person whose session holds. Without one, the way leads to the log-in.
#[derive(Clone, Debug)]
pub struct Person(pub Session);

impl Person {
    /// Whether they may do what needs this tier.
    pub fn may(&self, needed: Tier) -> bool {
        self.0.tier >= needed
    }
}

impl FromRequestParts<Shared> for Person {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, front: &Shared) -> Result<Person, Response> {
        let id = cookie(&parts.headers, session_cookie(front));
        let by_person = !is_script(&parts.headers);
        match id.and_then(|id| front.sessions.get(&id, &front.tokens, by_person)) {
            Some(session) => Ok(Person(session)),
            None => Err(Redirect::to("/login").into_response()),
        }
    }
}

/// Whether a page's script asks by itself: for what is new, or for the stream of notices, which
/// browsers ask for again when it has broken off.
pub(crate) fn is_script(headers: &HeaderMap) -> bool {
    let streams = headers.get(ACCEPT).is_some_and(|kind| kind == "text/event-stream");
    headers.contains_key("x-live") || streams
}

/// The name of the cookie with the session: behind TLS, one that no other host, and nothing
/// without TLS, can set.
pub fn session_cookie(front: &Shared) -> &'static str {
    if front.config.listen.tls_in_front { "__Host-tether" } else { "tether" }
}

/// The name of the cookie that ties the log-in's form to the browser that asked for it.
pub fn login_cookie(front: &Shared) -> &'static str {
    if front.config.listen.tls_in_front { "__Host-tether-login" } else { "tether-login" }
}

/// A cookie's value.
pub fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(known, _)| known.trim() == name).map(|(_, value)| value.trim().to_owned())
}

/// A line that sets a cookie, or (without a value) removes it.
pub fn set_cookie(front: &Shared, name: &str, value: Option<&str>) -> String {
    let secure = if front.config.listen.tls_in_front { "; Secure" } else { "" };
    let end = if value.is_none() { "; Max-Age=0" } else { "" };
    format!("{name}={}; Path=/; HttpOnly; SameSite=Strict{secure}{end}", value.unwrap_or_default())
}

/// Whether a form carries this session's or browser's own secret.
pub fn same(given: &str, known: &str) -> bool {
    !known.is_empty() && bool::from(given.as_bytes().ct_eq(known.as_bytes()))
}

/// A secret of 256 bits, in hex.
pub fn secret() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(hex::encode(bytes))
}
