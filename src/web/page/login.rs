//! Logging in with a token, and out again.

use axum::extract::{Request, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse as _, Redirect, Response};
use maud::{Markup, html};

use super::layout;
use super::posted::read;
use crate::auth::{
    Person, Refused, cookie, login_cookie, peer, present, same, secret, session_cookie, set_cookie,
};
use crate::front::Shared;

/// `GET /login`.
pub(crate) async fn form(State(front): State<Shared>) -> Response {
    ask(&front, StatusCode::OK, None)
}

/// The form, tied to this browser: nobody else's page can log it in.
fn ask(front: &Shared, status: StatusCode, wrong: Option<&str>) -> Response {
    let Ok(csrf) = secret() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let cookie = set_cookie(front, login_cookie(front), Some(&csrf));
    let page = layout::bare("Log in", &text(&csrf, wrong));
    (status, AppendHeaders([(SET_COOKIE, cookie)]), page).into_response()
}

fn text(csrf: &str, wrong: Option<&str>) -> Markup {
    html! {
        h1 { "Log in" }
        @if let Some(wrong) = wrong { p.notice.bad role="alert" { (wrong) } }
        form.stacked method="post" action="/login" {
            input type="hidden" name="csrf" value=(csrf);
            label for="token" { "Token" }
            input #token name="token" type="password" autocomplete="current-password" required
                autofocus spellcheck="false" autocapitalize="none";
            p.hint { "Whoever looks after this machine makes one: "
                code { "tether-web token add NAME --tier admin" } }
            button { "Log in" }
        }
    }
}

/// `POST /login`.
pub(crate) async fn begin(State(front): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let (peer, headers) = (peer(&parts, &front), parts.headers.clone());
    let fields = match read(&front, Request::from_parts(parts, body)).await {
        Ok(fields) => fields,
        Err(response) => return response,
    };
    let known = cookie(&headers, login_cookie(&front)).unwrap_or_default();
    if !same(fields.get("csrf").unwrap_or_default(), &known) {
        return ask(&front, StatusCode::FORBIDDEN, Some("The form was too old. Try again."));
    }
    let token = match present(&front, peer, fields.get("token").unwrap_or_default()) {
        Ok(token) => token,
        Err(Refused::Missing | Refused::Unknown) => {
            return ask(&front, StatusCode::UNAUTHORIZED, Some("This token is not known."));
        }
        Err(Refused::TooMany) => {
            let wait = "Too many wrong tokens. Wait a minute, then try again.";
            return ask(&front, StatusCode::TOO_MANY_REQUESTS, Some(wait));
        }
    };
    // One that was known before is not taken on.
    end_session(&front, &headers);
    let Ok(id) = front.sessions.begin(&token) else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let cookies = [
        (SET_COOKIE, set_cookie(&front, session_cookie(&front), Some(&id))),
        (SET_COOKIE, set_cookie(&front, login_cookie(&front), None)),
    ];
    (AppendHeaders(cookies), Redirect::to("/")).into_response()
}

fn end_session(front: &Shared, headers: &HeaderMap) {
    if let Some(id) = cookie(headers, session_cookie(front)) {
        front.sessions.end(&id);
    }
}

/// `POST /logout`.
pub(crate) async fn end(State(front): State<Shared>, person: Person, request: Request) -> Response {
    let headers = request.headers().clone();
    match read(&front, request).await {
        Ok(fields) if same(fields.get("csrf").unwrap_or_default(), &person.0.csrf) => {
            end_session(&front, &headers);
            let gone = [(SET_COOKIE, set_cookie(&front, session_cookie(&front), None))];
            (AppendHeaders(gone), Redirect::to("/login")).into_response()
        }
        Ok(_) => StatusCode::FORBIDDEN.into_response(),
        Err(response) => response,
    }
}
