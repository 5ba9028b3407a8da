//! The page for people: what is the case and why, the queue, the inbox, and linking. Shows
//! what the daemon says in the daemon's words, and does what a person asks for. Works without
//! script; with it, it follows what happens.

mod acts;
mod assets;
mod chart;
mod clear;
mod condition;
mod home;
mod inbox;
mod layout;
mod link;
mod live;
mod login;
mod message;
mod overview;
mod posted;
mod qr;
mod queue;
mod send;
mod visit;
mod webhooks;
mod words;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use maud::html;

use crate::front::Shared;

/// Where the pages are.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/", get(home::home))
        .route("/login", get(login::form).post(login::begin))
        .route("/logout", post(login::end))
        .route("/style.css", get(assets::style))
        .route("/live.js", get(assets::script))
        .route("/icon.svg", get(assets::icon))
        .route("/d/{daemon}/", get(overview::show))
        .route("/d/{daemon}/live", get(live::follow))
        .route("/d/{daemon}/queue", get(queue::show))
        .route("/d/{daemon}/message/{id}", get(message::show))
        .route("/d/{daemon}/clear", get(clear::preview).post(clear::carry_out))
        .route("/d/{daemon}/act/{verb}", post(acts::act))
        .route("/d/{daemon}/send", get(send::form).post(send::send))
        .route("/d/{daemon}/inbox", get(inbox::show))
        .route("/d/{daemon}/inbox/{cursor}/file", get(inbox::file))
        .route("/d/{daemon}/webhooks", get(webhooks::show))
        .route("/d/{daemon}/webhooks/{webhook}/{act}", post(webhooks::act))
        .route("/d/{daemon}/link", get(link::show).post(link::begin))
        .route("/d/{daemon}/link/passkey", post(link::passkey))
        .route("/d/{daemon}/link/confirm", post(link::confirm))
}

/// What is not there.
pub(crate) async fn not_found(State(_): State<Shared>) -> Response {
    let text = html! { h1 { "There is no such page" } p { a href="/" { "To the beginning" } } };
    (StatusCode::NOT_FOUND, layout::bare("No such page", &text)).into_response()
}
