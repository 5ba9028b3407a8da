//! `GET /d/NAME/live`: says that something has changed, at most once a second. What it is,
//! the page shows.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;

use super::visit::Visit;

/// The shortest time between two notices.
const PACE: Duration = Duration::from_secs(1);

/// Follows a daemon.
pub(super) async fn follow(visit: Visit) -> Response {
    let Ok(place) = Arc::clone(&visit.front.live).try_acquire_owned() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let mut version = visit.daemon.feed.watch();
    version.mark_changed();
    let state = (visit, version, place);
    let notices = stream::unfold(state, |(visit, mut version, place)| async move {
        version.changed().await.ok()?;
        tokio::time::sleep(PACE).await;
        version.mark_unchanged();
        // Logged out, or the token is gone: the page then leads to the log-in.
        visit.front.sessions.holds(&visit.person.0, &visit.front.tokens).then_some(())?;
        let notice = Ok::<_, Infallible>(Event::default().data("changed"));
        Some((notice, (visit, version, place)))
    });
    Sse::new(notices).keep_alive(KeepAlive::default()).into_response()
}
