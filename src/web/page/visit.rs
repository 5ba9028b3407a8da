//! Who looks at which daemon: what every page of a daemon begins with.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use maud::html;
use serde::Deserialize;
use tetherd_api::{Error, Method, Tier};

use super::layout;
use crate::auth::Person;
use crate::daemon::{CallError, Daemon};
use crate::front::Shared;
use crate::rest::status_of;

/// A person at a daemon's pages.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    pub(super) front: Shared,
    pub(super) person: Person,
    pub(super) daemon: Arc<Daemon>,
    /// Where they are: path and query.
    pub(super) here: String,
    /// Whether a script asks on their behalf, to show what is new.
    pub(super) live: bool,
}

#[derive(Deserialize)]
struct Named {
    daemon: String,
}

impl FromRequestParts<Shared> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, front: &Shared) -> Result<Visit, Response> {
        let person = Person::from_request_parts(parts, front).await?;
        let named = Path::<Named>::from_request_parts(parts, front).await;
        let found = named.ok().and_then(|Path(named)| front.daemons.get(&named.daemon).cloned());
        let Some(daemon) = found else { return Err(unknown()) };
        let here = parts.uri.path_and_query().map_or("/", |here| here.as_str()).to_owned();
        let live = parts.headers.contains_key("x-live");
        Ok(Visit { front: front.clone(), person, daemon, here, live })
    }
}

fn unknown() -> Response {
    let text = html! { h1 { "There is no such daemon" } p { a href="/" { "To the beginning" } } };
    (StatusCode::NOT_FOUND, layout::bare("No such daemon", &text)).into_response()
}

impl Visit {
    /// A path below this daemon's.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("/d/{}/{rest}", self.daemon.name)
    }

    /// Whether the person may call a method.
    pub(super) fn may(&self, method: Method) -> bool {
        self.person.may(method.tier())
    }

    /// A page that cannot be shown, with the daemon's reason.
    pub(super) fn failed(&self, error: CallError) -> Response {
        self.refused(&error.into_contract())
    }

    /// The same, of an error as the contract says it.
    pub(super) fn refused(&self, error: &Error) -> Response {
        let text = html! {
            h1 { "This cannot be shown now" }
            p { (error.message) }
            @if let Some(remedy) = &error.data.remedy { p { (remedy) } }
            p { a href=(self.here) { "Try again" } }
        };
        let page = layout::page(self, "Not now", "", &text);
        (status_of(error.data.kind), page).into_response()
    }

    /// Refuses what this person may not do.
    pub(super) fn denied(&self, method: Method) -> Response {
        self.denied_to(method.tier())
    }

    /// Refuses what needs a tier that this person has not.
    pub(super) fn denied_to(&self, tier: Tier) -> Response {
        let text = html! {
            h1 { "You may not do this" }
            p { "It needs a token of the tier " strong { (tier.name()) }
                "; yours has " strong { (self.person.0.tier.name()) } "." }
        };
        (StatusCode::FORBIDDEN, layout::page(self, "Not allowed", "", &text)).into_response()
    }
}
