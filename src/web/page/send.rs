//! Sending a message by hand, with a file or without.

use axum::RequestExt as _;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use serde_json::{Value, json};
use tetherd_api::{Method, TEXT_CHARS_MAX};

use super::layout::{self, csrf};
use super::posted::{Fields, ours, sentence, stale};
use super::visit::Visit;
use crate::front::Shared;
use crate::rest::{receive, refuse};

/// `GET /d/NAME/send`.
pub(super) async fn form(visit: Visit) -> Response {
    if !visit.may(Method::MessageSend) {
        return visit.denied(Method::MessageSend);
    }
    layout::page(&visit, "Send", "send", &text(&visit, &Fields::default(), None)).into_response()
}

fn text(visit: &Visit, fields: &Fields, wrong: Option<&str>) -> Markup {
    html! {
        h1 { "Send" }
        @if let Some(wrong) = wrong { p.notice.bad role="alert" { (wrong) } }
        form.stacked method="post" action=(visit.path("send")) enctype="multipart/form-data" {
            (csrf(visit))
            label for="to" { "To" }
            input #to name="to" required value=[fields.get("to")] autocomplete="off"
                placeholder="+15550100, @name, or a group's name";
            label for="text" { "Text, or a file's caption" }
            textarea #text name="text" rows="5" dir="auto" maxlength=(TEXT_CHARS_MAX) {
                (fields.raw("text").unwrap_or_default())
            }
            label for="file" { "File (optional)" }
            input #file name="file" type="file";
            button { "Send" }
            p.hint { "It leaves at the pace, in its turn." }
        }
    }
}

/// `POST /d/NAME/send`.
pub(super) async fn send(State(front): State<Shared>, mut request: Request) -> Response {
    let visit = match request.extract_parts_with_state::<Visit, _>(&front).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    // A file that may not be sent is not received.
    if !visit.may(Method::MessageSend) {
        return visit.denied(Method::MessageSend);
    }
    let mut upload = match receive(&front, request).await {
        Ok(upload) => upload,
        Err(error) => return refuse(&error),
    };
    let fields = Fields::new(std::mem::take(&mut upload.fields));
    if !ours(&visit, &fields) {
        return stale(&visit);
    }
    upload.params.insert("to".into(), json!(fields.get("to").unwrap_or_default()));
    let words = fields.raw("text").filter(|text| !text.trim().is_empty());
    // A form's lines end as in a letter; a message's do not.
    let words = words.map(|text| text.replace("\r\n", "\n"));
    match (upload.params.get_mut("file"), words) {
        (Some(file), Some(words)) => file["caption"] = json!(words),
        (None, words) => {
            upload.params.insert("text".into(), json!(words.unwrap_or_default()));
        }
        (Some(_), None) => {}
    }
    match upload.send(&visit.daemon).await {
        Ok(answer) => sent(&visit, &answer),
        Err(error) => {
            let page = text(&visit, &fields, Some(&sentence(&error)));
            layout::page(&visit, "Send", "send", &page).into_response()
        }
    }
}

fn sent(visit: &Visit, answer: &Value) -> Response {
    let id = answer["message"]["id"].as_str().unwrap_or_default();
    visit.front.sessions.leave(&visit.person.0, format!("Accepted as {id}."));
    Redirect::to(&visit.path(&format!("message/{id}"))).into_response()
}
