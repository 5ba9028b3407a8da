//! What came in, the newest first, and its files.

use axum::extract::{Path, Query};
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;
use tetherd_api::{Incoming, IncomingKind, Method};

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
    let came = async {
        let newest = visit.daemon.newest_incoming().await?;
        let end = asked.before.map_or(newest, |before| before.saturating_sub(1).min(newest));
        visit.daemon.incoming_until(end, PAGE).await
    };
    let came = match came.await {
        Ok(came) => came,
        Err(error) => return visit.failed(error),
    };
    let text = html! {
        h1 { "Inbox" }
        section #inbox data-live {
            @if came.messages.is_empty() { p { "Nothing is kept here." } }
            ul.messages { @for message in came.messages.iter().rev() { (one(&visit, message)) } }
            @if let Some(gap) = came.gap {
                p.hint { "Messages " (gap.from) " to " (gap.to) " are kept no more." }
            }
            @else if came.after > 0 {
                @let older = format!("inbox?before={}", came.after + 1);
                p { a.button href=(visit.path(&older)) { "Older ones" } }
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
