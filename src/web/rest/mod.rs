//! The contract over HTTP: `POST /v1/METHOD` for each method of the one table, with its
//! parameters as the body and its result as the answer. Checks the token's tier before the
//! daemon is asked: the front itself may do more than its callers.

mod bounded;
mod openapi;
mod status;
mod upload;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use tetherd_api::{Call, Error, ErrorKind, FRAME_BYTES_MAX, Method};
use tokio::time::timeout;

use crate::auth::Program;
use crate::daemon::Daemon;
use crate::files;
use crate::front::Shared;
use crate::limits::{BODY_TIME_MAX, Share};

pub(crate) use openapi::openapi;
pub(crate) use status::of as status_of;
pub(crate) use upload::{Upload, receive};

/// `POST /v1/METHOD`.
pub(crate) async fn of_usual(
    State(front): State<Shared>,
    Path(method): Path<String>,
    program: Program,
    request: Request,
) -> Response {
    match usual(&front) {
        Ok(daemon) => answer(&front, daemon, &method, &program, request).await,
        Err(error) => refuse(&error),
    }
}

/// `POST /v1/DAEMON/METHOD`.
pub(crate) async fn of_named(
    State(front): State<Shared>,
    Path((daemon, method)): Path<(String, String)>,
    program: Program,
    request: Request,
) -> Response {
    match named(&front, &daemon) {
        Ok(daemon) => answer(&front, daemon, &method, &program, request).await,
        Err(error) => refuse(&error),
    }
}

/// The daemon that is meant when none is named.
pub(crate) fn usual(front: &Shared) -> Result<&Daemon, Error> {
    let several = || Error::new(ErrorKind::NotFound, "there are several daemons; name one");
    front.daemons.usual().map(AsRef::as_ref).ok_or_else(several)
}

/// A daemon by its name.
pub(crate) fn named<'a>(front: &'a Shared, name: &str) -> Result<&'a Daemon, Error> {
    let unknown = || Error::new(ErrorKind::NotFound, "there is no daemon of this name");
    front.daemons.get(name).map(AsRef::as_ref).ok_or_else(unknown)
}

async fn answer(
    front: &Shared,
    daemon: &Daemon,
    method: &str,
    program: &Program,
    request: Request,
) -> Response {
    match carry_out(front, daemon, method, program, request).await {
        Ok(response) => response,
        Err(error) => refuse(&error),
    }
}

async fn carry_out(
    front: &Shared,
    daemon: &Daemon,
    method: &str,
    program: &Program,
    request: Request,
) -> Result<Response, Error> {
    let method = Method::find(method)?;
    program.may(method.tier())?;
    if method == Method::EventsSubscribe {
        let error = Error::new(ErrorKind::WrongState, "over HTTP, events are a stream");
        return Err(error.remedy("GET /v1/events"));
    }
    if method == Method::MessageSend && upload::is_multipart(request.headers()) {
        let upload = receive(front, request).await?;
        return upload.send(daemon).await.map(|value| json_response(StatusCode::OK, &value));
    }
    let (params, share) = params(front, request).await?;
    // What does not fit is said without asking the daemon.
    Call::decode(method, params.clone())?;
    let asked = daemon.exchange(method.name(), &Value::Object(params), &[]).await;
    let (value, fds) = asked.map_err(|error| error.into_contract())?;
    match fds.into_iter().next() {
        Some(fd) if method == Method::InboxFile => files::download(fd, &value["file"], true),
        Some(_) | None => Ok(json_held(&value, share)),
    }
}

/// The body as parameters. An empty one is none.
async fn params(front: &Shared, request: Request) -> Result<(Map<String, Value>, Share), Error> {
    let (bytes, share) = body(front, request, FRAME_BYTES_MAX).await?;
    if bytes.is_empty() {
        return Ok((Map::new(), share));
    }
    let not_json = |_| Error::new(ErrorKind::ParseError, "the body is not a JSON object");
    Ok((serde_json::from_slice(&bytes).map_err(not_json)?, share))
}

/// A body that fits into memory, and its part of the budget.
pub(crate) async fn body(
    front: &Shared,
    request: Request,
    bytes_max: usize,
) -> Result<(Bytes, Share), Error> {
    let too_long = || {
        let sentence = format!("the body is longer than {bytes_max} bytes");
        Error::new(ErrorKind::FrameTooLong, sentence)
    };
    let announced = announced(request.headers()).unwrap_or(bytes_max as u64);
    let bytes = usize::try_from(announced).unwrap_or(usize::MAX);
    if bytes > bytes_max {
        return Err(too_long());
    }
    // The answer takes memory as well.
    let Some(share) = front.budget.take(bytes + FRAME_BYTES_MAX).await else {
        let error = Error::new(ErrorKind::TooManyConnections, "too many large requests at a time");
        return Err(error.retry_after_ms(1_000));
    };
    match timeout(BODY_TIME_MAX, to_bytes(request.into_body(), bytes_max)).await {
        Ok(Ok(bytes)) => Ok((bytes, share)),
        Ok(Err(_)) => Err(too_long()),
        Err(_) => Err(Error::new(ErrorKind::TooSlow, "the body did not come in time")),
    }
}

/// How long the body is said to be.
fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// An error with the status that fits it.
pub(crate) fn refuse(error: &Error) -> Response {
    error_response(status::of(error.data.kind), error)
}

/// An error as the contract says it.
pub(crate) fn error_response(status: StatusCode, error: &Error) -> Response {
    let mut response = json_response(status, &json!({ "error": error }));
    if let Some(ms) = error.data.retry_after_ms {
        response.headers_mut().insert(RETRY_AFTER, ms.div_ceil(1_000).into());
    }
    response
}

/// JSON.
pub(crate) fn json_response(status: StatusCode, value: &Value) -> Response {
    let kind = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (status, kind, Body::from(value.to_string())).into_response()
}

/// JSON that keeps its part of the budget until the client has taken it.
pub(crate) fn json_held(value: &Value, share: Share) -> Response {
    let mut response = json_response(StatusCode::OK, &Value::Null);
    let text = value.to_string();
    *response.body_mut() = Body::from(Bytes::from_owner(Held { text, _share: share }));
    response
}

struct Held {
    text: String,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{BUDGET_BYTES, Budget};

    #[tokio::test(start_paused = true)]
    async fn an_answer_keeps_its_part_of_the_budget_until_it_is_taken() {
        let budget = Budget::default();
        let share = budget.take(BUDGET_BYTES).await.unwrap();
        let answer = json_held(&json!({ "a": 1 }), share);
        let bytes = to_bytes(answer.into_body(), 100).await.unwrap();
        assert_eq!(bytes, r#"{"a":1}"#);
        assert!(budget.take(1).await.is_none());
        drop(bytes);
        assert!(budget.take(1).await.is_some());
    }
}
