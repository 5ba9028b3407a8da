//! The first look: is it well, and if not, why and what to do; what leaves next; the pace over
//! time; the phone.

use axum::extract::Query;
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use serde::Deserialize;
use tetherd_api::{Condition, Explanation, Method, NoParams, Status, call};

use super::chart::{self, Span};
use super::condition::{self, restore};
use super::layout;
use super::visit::Visit;
use super::words::{at, capital, chat, label, messages, said, span, when};

/// How often the page is loaded anew without script, in seconds.
const REFRESH_S: u32 = 15;

#[derive(Deserialize)]
pub(super) struct Asked {
    span: Option<String>,
}

/// `GET /d/NAME/`.
pub(super) async fn show(visit: Visit, Query(asked): Query<Asked>) -> Response {
    let explained = visit.daemon.call(call::Explain, &NoParams {}).await;
    let status = visit.daemon.call(call::Status, &NoParams {}).await;
    let (explained, status) = match (explained, status) {
        (Ok(explained), Ok(status)) => (explained, status),
        (Err(error), _) | (_, Err(error)) => return visit.failed(error),
    };
    let span = Span::named(asked.span.as_deref().unwrap_or_default());
    let undo = restore(&visit).await;
    let text = html! {
        h1 { "Overview" }
        (verdict(&explained))
        (undo)
        (conditions(&visit, &explained))
        (controls(&visit, &status))
        div.columns {
            (queue(&status))
            (phone(&status))
        }
        (chart::draw(&visit, &status, span))
    };
    layout::refreshed(&visit, "Overview", "", REFRESH_S, &text).into_response()
}

/// How bad it is, by what holds the queue.
fn verdict(explained: &Explanation) -> Markup {
    let active = explained.conditions.iter().filter(|condition| condition.active);
    let worst = active.map(condition::weight).max().unwrap_or(condition::Weight::Fine);
    html! {
        section #verdict data-live class=(format!("verdict {}", worst.class())) role="status" {
            span.sign aria-hidden="true" { (worst.sign()) }
            p { (said(&capital(&explained.summary))) }
        }
    }
}

fn conditions(visit: &Visit, explained: &Explanation) -> Markup {
    let (active, others): (Vec<&Condition>, Vec<&Condition>) =
        explained.conditions.iter().partition(|condition| condition.active);
    html! {
        section #conditions data-live aria-labelledby="why" {
            h2 #why { "Why" }
            @if active.is_empty() { p { "Nothing is the case that messages would wait for." } }
            @for condition in active { (condition::card(visit, condition)) }
            details #others {
                summary { "What is not the case (" (others.len()) ")" }
                ul.plain {
                    @for condition in others {
                        li { strong { (label(condition.kind.name())) } ": " (said(&condition.why)) }
                    }
                }
            }
        }
    }
}

/// What can be done with the queue and the session as a whole.
fn controls(visit: &Visit, status: &Status) -> Markup {
    html! {
        section #controls data-live .buttons {
            @if visit.may(Method::QueuePause) {
                // While it is paused, the condition above has the button that ends it.
                @if !status.queue.paused {
                    (layout::button(visit, "pause", "Pause sending", &[]))
                }
                a.button href=(visit.path("clear")) { "Clear the queue…" }
            }
        }
    }
}

fn queue(status: &Status) -> Markup {
    let (queue, pacing) = (&status.queue, &status.pacing);
    let taken = queue.capacity.saturating_sub(queue.free);
    html! {
        section #numbers data-live {
            h2 { "Queue" }
            dl {
                dt { "Next message" }
                dd { @match queue.next_send_at {
                    Some(time) => (when(time)),
                    None if taken == 0 => "none waits",
                    None => "not known",
                } }
                @if let Some(last) = queue.last_send_at { dt { "Last one" } dd { (when(last)) } }
                dt { "Places" }
                dd {
                    (taken) " of " (queue.capacity) " taken"
                    meter min="0" max=(queue.capacity) value=(taken)
                        aria-label="Places taken" { (taken) }
                }
                dt { "Pace" }
                dd {
                    (pacing.spent) " of " (pacing.limit) " in the last " (span(pacing.window_ms))
                    @if let Some(time) = pacing.next_slot_at { "; a slot is free " (when(time)) }
                }
                @if let Some(time) = pacing.opens_at { dt { "Sending hours" } dd { "begin " (when(time)) } }
                @if let Some(time) = pacing.slowed_until { dt { "Slowed down" } dd { "until " (when(time)) } }
                dt { "Waiting" }
                dd { (queue.queued) " queued, " (queue.preparing) " preparing, "
                    (queue.sending) " sending, " (queue.unknown) " without an answer" }
                dt { "Parked" } dd { (messages(queue.parked)) }
            }
        }
    }
}

fn phone(status: &Status) -> Markup {
    let (session, phone) = (&status.session, &status.phone);
    html! {
        section #phone data-live {
            h2 { "Session and phone" }
            dl {
                dt { "Session" }
                dd { (capital(&label(session.state.name()))) " since " (at(session.since))
                    @if let Some(detail) = &session.detail { "; " (said(detail)) } }
                @if let Some(account) = &session.account { dt { "Account" } dd { (chat(account)) } }
                @if let Some(time) = session.next_try_at { dt { "Next try" } dd { (when(time)) } }
                @if let Some(time) = session.takeover_at { dt { "Taken back" } dd { (when(time)) } }
                dt { "Phone" }
                dd { (capital(phone.state.name())) " since " (at(phone.since)) }
                @for reason in &phone.reasons {
                    dt { "Seen" }
                    dd { (said(&reason.what)) @if let Some(time) = reason.at { ", " (when(time)) } }
                }
                @if let Some(time) = phone.unlinked_at { dt { "Unlinked" } dd { (when(time)) } }
                dt { "Battery" }
                dd { (battery(status)) }
            }
        }
    }
}

fn battery(status: &Status) -> Markup {
    let Some(battery) = &status.phone.battery else {
        return html! { "Unknown: no program reports it" };
    };
    html! {
        @match battery.percent {
            Some(percent) => { (percent) " %" },
            None => (capital(battery.level.name())),
        }
        @match battery.charging {
            Some(true) => ", charging",
            Some(false) => ", not charging",
            None => {}
        }
        ", " (when(battery.at))
        @if battery.stale { " (too old to go by)" }
        @if let Some(percent) = battery.percent {
            meter min="0" max="100" low="20" high="50" optimum="100" value=(percent)
                aria-label="Battery" { (percent) " %" }
        }
    }
}
