//! What a form has sent: bounded, in time, and with the session's own secret. Nothing is done
//! for a form that lacks it.

use std::collections::BTreeMap;

use axum::RequestExt as _;
use axum::body::Body;
use axum::extract::{Form, FromRequest, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::html;
use tetherd_api::{ClearParams, Error, ErrorKind, Filter, ReasonKind, State};

use super::layout;
use super::visit::Visit;
use crate::auth::same;
use crate::front::Shared;
use crate::limits::FORM_BYTES_MAX;
use crate::rest::{body, refuse};

/// The fields of a form. The last one of a name counts.
#[derive(Debug, Default)]
pub(super) struct Fields(BTreeMap<String, String>);

impl Fields {
    pub(super) fn new(pairs: Vec<(String, String)>) -> Fields {
        Fields(pairs.into_iter().collect())
    }

    /// What was filled in.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())
    }

    /// As it was typed.
    pub(super) fn raw(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The messages that the fields select, or what is wrong with them.
    pub(super) fn filter(&self) -> Result<Filter, Error> {
        let wrong =
            |what: &str| Error::new(ErrorKind::InvalidParams, format!("{what} is not known"));
        let states = match self.get("state") {
            None => Vec::new(),
            Some(name) => {
                let known = State::ALL.into_iter().find(|state| state.name() == name);
                vec![known.ok_or_else(|| wrong("the state"))?]
            }
        };
        let reason = match self.get("reason") {
            None => None,
            Some(name) => {
                let known = ReasonKind::ALL.into_iter().find(|kind| kind.name() == name);
                Some(known.ok_or_else(|| wrong("the reason"))?)
            }
        };
        let older_than_s = match self.get("hours") {
            None => None,
            Some(hours) => {
                let hours: u64 = hours.parse().map_err(|_| wrong("the age"))?;
                Some(hours.saturating_mul(3_600))
            }
        };
        let to = self.get("to").map(Into::into);
        let key_prefix = self.get("key_prefix").map(Into::into);
        let ids = match self.get("id") {
            None => Vec::new(),
            Some(id) => vec![id.parse().map_err(|_| wrong("the message"))?],
        };
        Ok(Filter { states, to, reason, older_than_s, key_prefix, ids })
    }

    /// The same, to be cleared.
    pub(super) fn clear(&self, dry_run: bool) -> Result<ClearParams, Error> {
        Ok(ClearParams { filter: self.filter()?, dry_run })
    }
}

/// A form that a person has sent from one of our pages.
#[derive(Debug)]
pub(super) struct Posted {
    pub(super) visit: Visit,
    pub(super) fields: Fields,
}

impl FromRequest<Shared> for Posted {
    type Rejection = Response;

    async fn from_request(mut request: Request, front: &Shared) -> Result<Posted, Response> {
        let visit: Visit = request.extract_parts_with_state(front).await?;
        let fields = read(front, request).await?;
        if !ours(&visit, &fields) {
            return Err(stale(&visit));
        }
        Ok(Posted { visit, fields })
    }
}

/// Whether a form is one that this session was given.
pub(super) fn ours(visit: &Visit, fields: &Fields) -> bool {
    same(fields.get("csrf").unwrap_or_default(), &visit.person.0.csrf)
}

/// The answer to a form that is not.
pub(super) fn stale(visit: &Visit) -> Response {
    let text = html! {
        h1 { "This form is not one of this session" }
        p { "Nothing was done. Go back, load the page anew, and try again." }
    };
    (StatusCode::FORBIDDEN, layout::page(visit, "Not done", "", &text)).into_response()
}

/// The fields of a form that fits into memory.
pub(super) async fn read(front: &Shared, request: Request) -> Result<Fields, Response> {
    let headers = request.headers().clone();
    let (bytes, _share) =
        body(front, request, FORM_BYTES_MAX).await.map_err(|error| refuse(&error))?;
    let mut whole = Request::post("/").body(Body::from(bytes)).map_err(|_| unreadable())?;
    *whole.headers_mut() = headers;
    let form = Form::<Vec<(String, String)>>::from_request(whole, &()).await;
    let Form(pairs) = form.map_err(|_| unreadable())?;
    Ok(Fields::new(pairs))
}

fn unreadable() -> Response {
    refuse(&Error::new(ErrorKind::InvalidRequest, "the form cannot be read"))
}

impl Posted {
    /// Back to where the form was, or to another page of the daemon, with a sentence.
    pub(super) fn back(&self, to: &str, notice: String) -> Response {
        let own = self.visit.path("");
        let given = self.fields.get("back").filter(|path| path.starts_with(&own));
        let to = given.map_or_else(|| self.visit.path(to), str::to_owned);
        self.visit.front.sessions.leave(&self.visit.person.0, notice);
        Redirect::to(&to).into_response()
    }

    /// The same, with the daemon's reason why it was not done.
    pub(super) fn back_with(&self, to: &str, error: &Error) -> Response {
        self.back(to, sentence(error))
    }
}

/// An error as people read it.
pub(super) fn sentence(error: &Error) -> String {
    let mut text = format!("Not done: {}.", error.message.trim_end_matches('.'));
    if let Some(remedy) = &error.data.remedy {
        text.push_str(&format!(" {remedy}"));
    }
    text
}
