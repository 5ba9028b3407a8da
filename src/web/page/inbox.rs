//! What came in, the newest first, and its files.

use axum::extract::{Path, Query};
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;
use tetherd_api::{InboxListParams, Incoming, IncomingKind, Method, call};

use super::visit::Visit;
use super::words::{chat, size, when};
use super::{layout, not_found};
use crate::files;

/// Messages on one page.
const PAGE: u64 = 50;

#[derive(Deserialize)]
pub(super) struct Asked {
    before: Option<u64>,
}

/// `GET /d/NAME/inbox`.
pub(super) async fn show(visit: Visit, Query(asked): Query<Asked>) -> Response {
    // The oldest, for the newest one's cursor.
    let first = InboxListParams { after: None, limit: Some(1) };
    let newest = match visit.daemon.call(call::InboxList, &first).await {
        Ok(answer) => answer.newest,
        Err(error) => return visit.failed(error),
    };
    let end = asked.before.unwrap_or(u64::MAX).min(newest.saturating_add(1));
    let after = end.saturating_sub(PAGE + 1);
    let limit = usize::try_from(PAGE).ok();
    let page = InboxListParams { after: Some(after), limit };
    let answer = match visit.daemon.call(call::InboxList, &page).await {
        Ok(answer) => answer,
        Err(error) => return visit.failed(error),
    };
    let shown = answer.messages.iter().rev().filter(|message| message.cursor < end);
    let shown: Vec<&Incoming> = shown.collect();
    let text = html! {
        h1 { "Inbox" }
        section #inbox data-live {
            @if shown.is_empty() { p { "Nothing is kept here." } }
            ul.messages { @for message in &shown { (one(&visit, message)) } }
            @if let Some(gap) = answer.gap {
                p.hint { "Messages " (gap.from) " to " (gap.to) " are kept no more." }
            }
            @else if after > 0 {
                p { a.button href=(visit.path(&format!("inbox?before={}", after + 1))) { "Older ones" } }
            }
        }
    };
    layout::page(&visit, "Inbox", "inbox", &text).into_response()
}

fn one(visit: &Visit, message: &Incoming) -> Markup {
    let file = visit.path(&format!("inbox/{}/file", message.cursor));
    html! {
        li #{ "i" (message.cursor) } {
            p.meta {
                strong dir="auto" {
                    @match &message.name { Some(name) => bdi { (name.0) }, None => (chat(&message.sender)) }
                }
                @if message.name.is_some() { " " (chat(&message.sender)) }
                @if message.chat != message.sender { " in " (chat(&message.chat)) }
                @if message.from_me { " (from this account)" }
                ", " (when(message.sent_at)) " · i" (message.cursor)
                @if message.kind != IncomingKind::Text { " · " (message.kind.name()) }
            }
            @if let Some(text) = &message.text { p.body dir="auto" { (text.0) } }
            @if message.cut { p.hint { "It was longer, and is cut here." } }
            @if let Some(geo) = &message.geo { p { code { (geo.0) } } }
            @if let Some(vcard) = &message.vcard {
                details #{ "v" (message.cursor) } { summary { "vCard" } pre { (vcard.0) } }
            }
            @if let Some(info) = &message.file {
                p { a.button href=(file) {
                    "Get "
                    @match &info.name { Some(name) => bdi { (name.0) }, None => "the file" }
                    " (" (size(info.bytes)) ")"
                } }
            }
        }
    }
}

/// `GET /d/NAME/inbox/CURSOR/file`.
pub(super) async fn file(visit: Visit, Path((_, cursor)): Path<(String, String)>) -> Response {
    let Ok(cursor) = cursor.parse::<u64>() else {
        return not_found(axum::extract::State(visit.front)).await;
    };
    let params = json!({ "cursor": cursor });
    match visit.daemon.exchange(Method::InboxFile.name(), &params, &[]).await {
        Ok((answer, fds)) => match fds.into_iter().next() {
            Some(fd) => match files::download(fd, &answer["file"], false) {
                Ok(response) => response,
                Err(error) => visit.refused(&error),
            },
            None => not_found(axum::extract::State(visit.front)).await,
        },
        Err(error) => visit.failed(error),
    }
}
