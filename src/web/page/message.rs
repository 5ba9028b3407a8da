//! One message, whole, with its history and what can be done with it.

use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use tetherd_api::{GetParams, Kind, Message, MessageId, Method, ReasonKind, State, Time, call};

use super::visit::Visit;
use super::words::{capital, chat, label, size, when};
use super::{layout, queue};
use crate::clock;

/// `GET /d/NAME/message/ID`.
pub(super) async fn show(visit: Visit, Path((_, id)): Path<(String, String)>) -> Response {
    let Ok(id) = id.parse::<MessageId>() else {
        return super::not_found(axum::extract::State(visit.front)).await;
    };
    let params = GetParams { id: Some(id), ..GetParams::default() };
    let message = match visit.daemon.call(call::MessageGet, &params).await {
        Ok(message) => message,
        Err(error) => return visit.failed(error),
    };
    let title = format!("Message {id}");
    let text = html! {
        h1 { (title) }
        (whole(&message))
        (acts(&visit, &message))
        (history(&message))
    };
    layout::page(&visit, &title, "queue", &text).into_response()
}

fn whole(message: &Message) -> Markup {
    let text = message.text.as_deref().unwrap_or(&message.preview);
    html! {
        section #whole data-live {
            dl {
                dt { "To" } dd { (chat(&message.to))
                    @if let Some(address) = &message.address { ", by way of " (chat(address)) } }
                dt { "State" } dd { (state(message)) }
                @if message.state == State::Queued {
                    @if let Some(place) = message.position { dt { "Place" } dd { (place) } }
                    dt { "Leaves" } dd { (queue::leaves(message)) }
                }
                @if let Some(reason) = &message.reason { (reasons(reason)) }
                dt { "Kind" } dd { (capital(message.kind.name()))
                    @if let Some(about) = &message.reply_to { ", about " bdi { (about) } } }
                @if let Some(file) = &message.file {
                    dt { "File" }
                    dd { @if let Some(name) = &file.name { bdi { (name.0) } ", " }
                        (size(file.bytes)) ", " (file.mime) }
                }
                @if !message.priority.is_normal() { dt { "Priority" } dd { (message.priority.name()) } }
                @if let Some(key) = &message.key { dt { "Key" } dd { bdi { (key.0) } } }
                dt { "Network id" } dd { code { (message.wa_id) } }
            }
            @if !text.is_empty() {
                h2 { (if message.kind == Kind::Text { "Text" } else { "Content" }) }
                p.body dir="auto" { (text) }
            }
        }
    }
}

fn reasons(reason: &tetherd_api::Reason) -> Markup {
    html! {
        dt { "Reason" }
        dd {
            (capital(&label(reason.kind.name())))
            @if let Some(code) = reason.code { " (" (code) ")" }
            @if let Some(detail) = &reason.detail { ", " (label(detail)) }
            @if let Some(url) = &reason.url { ": " bdi { (url.0) } }
        }
    }
}

fn history(message: &Message) -> Markup {
    let known: [(&str, Option<Time>); 7] = [
        ("Accepted", Some(message.accepted_at)),
        ("Not before", message.not_before),
        ("Sent: the server has it", message.sent_at),
        ("Delivered: a device has it", message.delivered_at),
        ("Read", message.read_at),
        ("Never sent after", message.expires_at),
        ("Can be brought back until", message.undo_until),
    ];
    let mut known: Vec<(&str, Time)> =
        known.into_iter().filter_map(|(name, time)| Some((name, time?))).collect();
    let changed = format!("Last change: {}", label(message.state.name()));
    if known.iter().all(|(_, time)| *time != message.changed_at) {
        known.push((&changed, message.changed_at));
    }
    known.sort_by_key(|(_, time)| *time);
    html! {
        section #history data-live {
            h2 { "History" }
            ol.history { @for (name, time) in known { li { (name) ": " (when(time)) } } }
            p { "Attempts: " (message.attempts) }
        }
    }
}

fn acts(visit: &Visit, message: &Message) -> Markup {
    let id = message.id.to_string();
    let broken =
        message.reason.as_ref().is_some_and(|reason| reason.kind == ReasonKind::LinkBroken);
    let back = message.undo_until.is_some_and(|until| until > clock::now());
    html! {
        div #acts data-live .buttons {
            @if message.state == State::Parked && visit.may(Method::QueueRetry) {
                (layout::button(visit, "retry", "Try again", &[("id", &id)]))
                @if broken {
                    (layout::button(visit, "retry", "Send in spite of its link",
                        &[("id", &id), ("anyway", "yes")]))
                }
            }
            @if can_be_cancelled(message) && visit.may(Method::QueueCancel) {
                (layout::button(visit, "cancel", "Withdraw", &[("id", &id)]))
            }
            @if message.state == State::Cancelled && back && visit.may(Method::QueueRestore) {
                (layout::button(visit, "restore", "Bring back", &[("id", &id)]))
            }
        }
    }
}

/// Whether it has not left.
pub(super) const fn can_be_cancelled(message: &Message) -> bool {
    matches!(message.state, State::Preparing | State::Queued | State::Parked)
}

/// A message's state, with its reason.
pub(super) fn state(message: &Message) -> Markup {
    html! {
        span class=(format!("state {}", message.state.name())) { (message.state.name()) }
        @if let Some(reason) = &message.reason {
            " " span.hint { (label(reason.kind.name()))
                @if let Some(code) = reason.code { " " (code) } }
        }
    }
}

/// One line about what a message carries.
pub(super) fn brief(message: &Message) -> Markup {
    html! {
        @if message.kind != Kind::Text {
            span.hint { "[" (message.kind.name())
                @if let Some(file) = &message.file {
                    @if let Some(name) = &file.name { " " bdi { (name.0) } }
                    ", " (size(file.bytes))
                } "] " }
        }
        span dir="auto" { (message.preview.0) }
    }
}
