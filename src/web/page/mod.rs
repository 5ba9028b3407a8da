//! The page for people.

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use crate::front::Shared;

/// Where the pages are.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
}

/// What is not there.
pub(crate) async fn not_found() -> Response {
    StatusCode::NOT_FOUND.into_response()
}
