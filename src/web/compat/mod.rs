//! Other services' HTTP interfaces over the contract, for programs that speak those: the old
//! service's and GREEN-API's. Here is what both need: who asks, about which daemon, and what.
//! A method needs the tier that its counterpart in the contract needs. Never logs an address:
//! it carries a token.

mod fields;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod green;
mod history;
mod jid;
mod links;
mod number;
mod old;
mod png;
mod references;
mod sending;

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::http::header::{HOST, HeaderValue, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{Method as Verb, StatusCode};
use axum::response::Response;
use serde_json::Value;
use tetherd_api::{Error, ErrorKind, Message, SendParams, Signature, call};

use crate::auth::{self, Program, Refused};
use crate::daemon::Daemon;
use crate::front::Shared;
use crate::limits::FAILURES_WINDOW;
use crate::rest::{json_response, status_of, usual};

pub(crate) use old::by_query;

/// What these interfaces keep.
#[derive(Debug)]
pub(crate) struct Compat {
    links: links::Links,
    notifications: green::Notifications,
}

impl Compat {
    /// With its state below this folder.
    pub(crate) fn new(state_dir: &Path) -> Result<Compat, getrandom::Error> {
        let notifications = green::Notifications::new(state_dir.join("green"));
        Ok(Compat { links: links::Links::new()?, notifications })
    }
}

/// Where they are.
pub(crate) fn routes() -> Router<Shared> {
    Router::new().merge(old::routes()).merge(green::routes()).merge(links::routes())
}

/// Why nothing was done.
#[derive(Debug)]
enum Refusal {
    /// The token.
    Token(Refused),
    /// There is no such method.
    NoMethod,
    /// Not by this method of HTTP.
    BadVerb,
    /// The contract.
    Contract(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal::Contract(error)
    }
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Refusal::Token(Refused::Missing | Refused::Unknown) => StatusCode::UNAUTHORIZED,
            Refusal::Token(Refused::TooMany) => StatusCode::TOO_MANY_REQUESTS,
            Refusal::NoMethod => StatusCode::NOT_FOUND,
            Refusal::BadVerb => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::Contract(error) => status_of(error.data.kind),
        }
    }

    fn sentence(&self) -> &str {
        match self {
            Refusal::Token(Refused::Missing | Refused::Unknown) => {
                "the token is missing or not known"
            }
            Refusal::Token(Refused::TooMany) => "too many wrong tokens",
            Refusal::NoMethod => "there is no such method",
            Refusal::BadVerb => "not by this method of HTTP",
            Refusal::Contract(error) => &error.message,
        }
    }

    fn retry_after_s(&self) -> Option<u64> {
        match self {
            Refusal::Token(Refused::TooMany) => Some(FAILURES_WINDOW.as_secs()),
            Refusal::Contract(error) => error.data.retry_after_ms.map(|ms| ms.div_ceil(1_000)),
            Refusal::Token(Refused::Missing | Refused::Unknown)
            | Refusal::NoMethod
            | Refusal::BadVerb => None,
        }
    }

    /// As an answer, with a body of the interface's own form.
    fn answer(&self, body: &Value) -> Response {
        let mut response = json_response(self.status(), body);
        if let Some(seconds) = self.retry_after_s() {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Only these change or answer anything: a HEAD would carry a change out and answer nothing.
fn check_verb(parts: &Parts, verbs: &[Verb]) -> Result<(), Refusal> {
    verbs.contains(&parts.method).then_some(()).ok_or(Refusal::BadVerb)
}

/// Who asks, and about which daemon.
#[derive(Clone, Debug)]
struct Caller {
    front: Shared,
    daemon: Arc<Daemon>,
    program: Program,
    instance: u64,
    /// What the caller calls this front: a scheme and a host.
    origin: String,
}

impl Caller {
    /// By the token, and the instance's number.
    fn identify(
        front: &Shared,
        parts: &Parts,
        instance: &str,
        secret: &str,
    ) -> Result<Caller, Refusal> {
        let peer = auth::peer(parts, front);
        let program = Program::with_secret(front, peer, secret).map_err(Refusal::Token)?;
        let no_number = || Error::new(ErrorKind::NotFound, "an instance is a number");
        let instance = instance.parse().map_err(|_| no_number())?;
        let daemon = daemon_of(front, instance)?;
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let scheme = if front.config.listen.tls_in_front { "https" } else { "http" };
        let origin = format!("{scheme}://{host}");
        Ok(Caller { front: front.clone(), daemon, program, instance, origin })
    }

    /// Calls a method of the contract, if the token may.
    async fn call<C: Signature>(&self, method: C, params: &C::Params) -> Result<C::Result, Error> {
        self.program.may(C::METHOD.tier())?;
        self.daemon.call(method, params).await.map_err(|error| error.into_contract())
    }

    /// Sends a message.
    async fn send(&self, params: &SendParams) -> Result<Message, Error> {
        Ok(self.call(call::MessageSend, params).await?.message)
    }
}

fn daemon_of(front: &Shared, instance: u64) -> Result<Arc<Daemon>, Error> {
    let instances = &front.config.instances;
    if instances.is_empty() {
        usual(front)?;
    }
    let named = instances.get(&instance.to_string()).and_then(|name| front.daemons.get(name));
    let usual = front.daemons.usual().filter(|_| instances.is_empty());
    let unknown = || Error::new(ErrorKind::NotFound, "there is no such instance");
    named.or(usual).cloned().ok_or_else(unknown)
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;
    use tetherd_api::Status;

    use super::*;

    /// A daemon's status with this session and these conditions.
    pub(crate) fn status(state: &str, conditions: &[&str]) -> Status {
        let condition = |kind: &&str| {
            json!({
                "kind": kind, "active": true, "holds": "none", "ends_by_itself": true,
                "why": "this is so", "evidence": [], "affected": { "count": 0, "ids": [] },
                "by_itself": "it passes",
            })
        };
        let conditions: Vec<Value> = conditions.iter().map(condition).collect();
        serde_json::from_value(json!({
            "started_at": "2026-01-31T08:30:00Z",
            "session": {
                "state": state, "since": "2026-01-31T08:30:00Z", "connections": 1, "replaced": 0,
            },
            "queue": {
                "capacity": 400, "free": 400, "queued": 0, "sending": 0, "unknown": 0,
                "parked": 0, "history": 0, "paused": false,
            },
            "pacing": { "limit": 5, "window_ms": 120_000, "spent": 0 },
            "conditions": conditions,
        }))
        .unwrap()
    }
}
