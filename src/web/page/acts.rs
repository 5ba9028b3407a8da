//! What a button does: one method of the contract each, named by the last part of the form's
//! address. Afterwards the way leads back to where the button was.

use axum::RequestExt as _;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde_json::{Value, json};
use tetherd_api::{Error, ErrorKind, Method};

use super::posted::{Fields, Posted};
use super::words::messages;
use crate::front::Shared;

/// `POST /d/NAME/act/VERB`.
pub(super) async fn act(State(front): State<Shared>, request: Request) -> Response {
    let mut request = request;
    let path = request.extract_parts::<Path<(String, String)>>().await;
    let verb = path.map(|Path((_, verb))| verb).unwrap_or_default();
    let posted: Posted = match request.extract_with_state(&front).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let (method, params) = match asked(&verb, &posted.fields) {
        Ok(asked) => asked,
        Err(error) => return posted.back_with("", &error),
    };
    if !posted.visit.may(method) {
        return posted.visit.denied(method);
    }
    match posted.visit.daemon.exchange(method.name(), &params, &[]).await {
        Ok((answer, _)) => posted.back("", done(method, &answer)),
        Err(error) => posted.back_with("", &error.into_contract()),
    }
}

/// The method and its parameters.
fn asked(verb: &str, fields: &Fields) -> Result<(Method, Value), Error> {
    let filter = || fields.filter().map(|filter| json!({ "filter": filter }));
    let none = json!({});
    Ok(match verb {
        "pause" => (Method::QueuePause, none),
        "resume" => (Method::QueueResume, none),
        "release" => (Method::QueueRelease, none),
        "takeover" => (Method::SessionTakeover, none),
        "reconnect" => (Method::SessionReconnect, none),
        "logout" => (Method::SessionLogout, none),
        "restore" => (Method::QueueRestore, filter()?),
        "cancel" if fields.get("id").is_some() => {
            (Method::QueueCancel, json!({ "ids": fields.filter()?.ids }))
        }
        "retry" => {
            let mut params = filter()?;
            params["anyway"] = fields.get("anyway").is_some().into();
            (Method::QueueRetry, params)
        }
        _ => return Err(Error::new(ErrorKind::NotFound, "there is no such button")),
    })
}

/// What was done, in a sentence.
fn done(method: Method, answer: &Value) -> String {
    let count = |field: &str| answer[field].as_array().map_or(0, Vec::len);
    let besides = match count("no_place") + count("not_cancelled") + count("not_found") {
        0 => String::new(),
        left => format!(" {} left as they were.", messages(left)),
    };
    let lists = [
        ("requeued", "back in the queue"),
        ("cancelled", "withdrawn"),
        ("restored", "brought back"),
    ];
    match lists.into_iter().find(|(field, _)| answer[field].is_array()) {
        Some((field, what)) => format!("{} {what}.{besides}", messages(count(field))),
        None => {
            let known = WORDS.iter().find(|(known, _)| *known == method);
            known.map_or_else(|| format!("Done: {}.", method.name()), |(_, words)| (*words).into())
        }
    }
}

/// What was done, of methods that answer no list.
const WORDS: [(Method, &str); 6] = [
    (Method::QueuePause, "Sending is paused."),
    (Method::QueueResume, "Sending goes on."),
    (Method::QueueRelease, "What was held may leave."),
    (Method::SessionTakeover, "The session is being taken back."),
    (Method::SessionReconnect, "A connection is being made."),
    (Method::SessionLogout, "The device is unlinked."),
];
