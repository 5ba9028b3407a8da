//! Webhooks of a daemon: how each stands, and buttons for administrators. The address is theirs
//! to see: it may hold a secret.

use axum::RequestExt as _;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use tetherd_api::{Error, ErrorKind, Tier};

use super::posted::Posted;
use super::visit::Visit;
use super::words::{capital, label, span, when};
use super::{layout, not_found};
use crate::front::Shared;
use crate::webhooks::{Act, Standing, State as Doing};

/// `GET /d/NAME/webhooks`.
pub(super) async fn show(visit: Visit) -> Response {
    let text = html! {
        h1 { "Webhooks" }
        section #webhooks data-live {
            @if !any(&visit) { p { "None is configured for this daemon." } }
            @for webhook in visit.front.webhooks.iter().filter(|one| one.is_of(&visit.daemon.name)) {
                (one(&visit, &webhook.standing(), webhook.address()))
            }
        }
    };
    layout::page(&visit, "Webhooks", "webhooks", &text).into_response()
}

/// Whether this daemon has any.
pub(super) fn any(visit: &Visit) -> bool {
    visit.front.webhooks.iter().any(|webhook| webhook.is_of(&visit.daemon.name))
}

fn weight(state: Doing) -> &'static str {
    match state {
        Doing::Active => "fine",
        Doing::Retrying | Doing::Paused => "some",
        Doing::Failing | Doing::Blocked | Doing::Disabled => "all",
    }
}

fn one(visit: &Visit, standing: &Standing, address: &str) -> Markup {
    let admin = visit.person.may(Tier::Admin);
    html! {
        article class=(format!("condition {}", weight(standing.state))) id=(format!("w-{}", standing.name)) {
            h2 { (standing.name) ": " (label(standing.state.name())) }
            @if standing.by_configuration { p { "The configuration pauses it." } }
            @if let Some(trouble) = &standing.trouble { p { (capital(trouble)) "." } }
            dl {
                @if admin { dt { "Address" } dd { bdi { (address) } } }
                dt { "Place in the feed" }
                dd { @match standing.after { Some(after) => (after), None => "not begun" } }
                dt { "Behind" }
                dd {
                    (standing.behind)
                    @if standing.lag_s > 0 {
                        "; the event that is sent is " (span(standing.lag_s * 1_000)) " old"
                    }
                }
                @if let Some(error) = &standing.last_error {
                    dt { "Last error" }
                    dd { (capital(&error.why)) " (" (error.code) "), " (when(error.at)) "; "
                        (standing.failures) " failed" }
                }
                @if let Some(at) = standing.next_at { dt { "Next attempt" } dd { (when(at)) } }
            }
            @if admin { (buttons(visit, standing)) }
        }
    }
}

fn buttons(visit: &Visit, standing: &Standing) -> Markup {
    let form = |act: &str, inner: Markup| {
        let action = visit.path(&format!("webhooks/{}/{act}", standing.name));
        html! {
            form.act method="post" action=(action) { (layout::csrf(visit)) (inner) }
        }
    };
    let id = |act: &str| format!("b-{}-{act}", standing.name);
    let button = |act: &str, label: &str| form(act, html! { button id=(id(act)) { (label) } });
    html! {
        .buttons {
            @match standing.state {
                Doing::Paused if standing.by_configuration => {}
                Doing::Paused | Doing::Disabled => (button("enable", "Enable")),
                Doing::Active | Doing::Retrying | Doing::Failing | Doing::Blocked => (button("pause", "Pause")),
            }
            @if standing.next_at.is_some() { (button("retry", "Try now")) }
            (form("replay", html! {
                label for=(id("after")) { "Send again what came after " }
                input id=(id("after")) name="after" inputmode="numeric" required
                    value=(standing.after.unwrap_or_default());
                " " button.quiet id=(id("replay")) { "Send again" }
            }))
        }
    }
}

/// `POST /d/NAME/webhooks/WEBHOOK/ACT`.
pub(super) async fn act(State(front): State<Shared>, request: Request) -> Response {
    let mut request = request;
    let path = request.extract_parts::<Path<(String, String, String)>>().await;
    let posted: Posted = match request.extract_with_state(&front).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let Ok(Path((_, name, act))) = path else { return not_found(State(front)).await };
    if !posted.visit.person.may(Tier::Admin) {
        return posted.visit.denied_to(Tier::Admin);
    }
    match carry_out(&posted, &name, &act).await {
        Ok(sentence) => posted.back("webhooks", sentence),
        Err(error) => posted.back_with("webhooks", &error),
    }
}

async fn carry_out(posted: &Posted, name: &str, act: &str) -> Result<String, Error> {
    let (visit, bad) = (&posted.visit, |what| Error::new(ErrorKind::InvalidParams, what));
    let after = posted.fields.get("after").map(str::parse).transpose();
    let act = Act::named(act, after.map_err(|_| bad("a place is a whole number from 0"))?)?;
    let found = visit.front.webhooks.get(name).filter(|one| one.is_of(&visit.daemon.name));
    let webhook = found.ok_or_else(|| bad("there is no webhook of this name"))?;
    webhook.act(act).await?;
    Ok(match act {
        Act::Pause => format!("{name} is paused."),
        Act::Enable => format!("{name} sends."),
        Act::Retry => format!("{name} is tried now."),
        Act::Replay(after) => format!("{name} sends again what came after {after}."),
    })
}
