//! Clearing the queue: first what would go, then the deed. It can be undone for a while.

use axum::extract::Query;
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use tetherd_api::{CLEAR_EXAMPLES_MAX, ClearResult, Method, ReasonKind, State, call};

use super::layout::{self, csrf};
use super::posted::{Fields, Posted};
use super::visit::Visit;
use super::words::{chat, label, messages};

/// What narrows it down.
const FILTERS: [&str; 5] = ["to", "state", "reason", "hours", "key_prefix"];

/// `GET /d/NAME/clear`.
pub(super) async fn preview(visit: Visit, Query(pairs): Query<Vec<(String, String)>>) -> Response {
    if !visit.may(Method::QueueClear) {
        return visit.denied(Method::QueueClear);
    }
    let fields = Fields::new(pairs);
    let outcome = match fields.clear(true) {
        Ok(params) => {
            let asked = visit.daemon.call(call::QueueClear, &params).await;
            asked.map_err(|error| error.into_contract())
        }
        Err(error) => Err(error),
    };
    let text = html! {
        h1 { "Clear the queue" }
        p { "What has left cannot be taken back. What is withdrawn here can be brought back for a "
            "few minutes." }
        (narrow(&visit, &fields))
        @match &outcome {
            Ok(answer) => (would_go(&visit, &fields, answer)),
            Err(error) => p.notice.bad role="alert" { (super::posted::sentence(error)) },
        }
    };
    layout::page(&visit, "Clear the queue", "queue", &text).into_response()
}

fn narrow(visit: &Visit, fields: &Fields) -> Markup {
    let states = [State::Preparing, State::Queued, State::Parked];
    let chosen = |name: &str, value: &str| fields.get(name) == Some(value);
    html! {
        form.filter method="get" action=(visit.path("clear")) {
            div {
                label for="to" { "To" }
                input #to name="to" value=[fields.get("to")] placeholder="anybody: +15550100, @name, a group";
            }
            div {
                label for="state" { "State" }
                select #state name="state" {
                    option value="" { "all that has not left" }
                    @for state in states {
                        option value=(state.name()) selected[chosen("state", state.name())] { (state.name()) }
                    }
                }
            }
            div {
                label for="reason" { "Reason" }
                select #reason name="reason" {
                    option value="" { "any, or none" }
                    @for kind in ReasonKind::ALL {
                        option value=(kind.name()) selected[chosen("reason", kind.name())] { (label(kind.name())) }
                    }
                }
            }
            div {
                label for="hours" { "Accepted at least so many hours ago" }
                input #hours name="hours" type="number" min="0" max="8760" value=[fields.get("hours")];
            }
            div {
                label for="key_prefix" { "Key begins with" }
                input #key_prefix name="key_prefix" value=[fields.get("key_prefix")];
            }
            button.quiet { "Look again" }
        }
    }
}

fn would_go(visit: &Visit, fields: &Fields, answer: &ClearResult) -> Markup {
    html! {
        section aria-live="polite" {
            h2 { "What would go" }
            @if answer.cleared == 0 { p { "Nothing fits." } }
            @else {
                p { strong { (messages(answer.cleared)) } "."
                    @if answer.cleared > CLEAR_EXAMPLES_MAX { " The first of them:" } }
                ul.examples {
                    @for one in &answer.examples {
                        li { a href=(visit.path(&format!("message/{}", one.id))) { (one.id) } " to "
                            (chat(&one.to)) ": " span dir="auto" { (one.preview.0) } }
                    }
                }
                form method="post" action=(visit.path("clear")) {
                    (csrf(visit))
                    @for name in FILTERS {
                        @if let Some(value) = fields.get(name) {
                            input type="hidden" name=(name) value=(value);
                        }
                    }
                    button.danger { "Withdraw " (messages(answer.cleared)) }
                    " " a href=(visit.path("queue")) { "Leave it" }
                }
            }
            @if !answer.in_flight.is_empty() {
                p.hint { (messages(answer.in_flight.len())) " already on the way: "
                    "they cannot be taken back." }
            }
        }
    }
}

/// `POST /d/NAME/clear`.
pub(super) async fn carry_out(posted: Posted) -> Response {
    if !posted.visit.may(Method::QueueClear) {
        return posted.visit.denied(Method::QueueClear);
    }
    let params = match posted.fields.clear(false) {
        Ok(params) => params,
        Err(error) => return posted.back_with("clear", &error),
    };
    match posted.visit.daemon.call(call::QueueClear, &params).await {
        Ok(answer) => posted.back("queue", format!("{} withdrawn.", messages(answer.cleared))),
        Err(error) => posted.back_with("clear", &error.into_contract()),
    }
}
