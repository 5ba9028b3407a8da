//! The beginning: the only daemon's overview, or the list of all.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::html;

use super::{layout, words};
use crate::auth::Person;
use crate::front::Shared;

/// `GET /`.
pub(crate) async fn home(State(front): State<Shared>, _: Person) -> Response {
    let mut daemons = front.daemons.iter();
    if let (Some(only), None) = (daemons.next(), daemons.next()) {
        return Redirect::to(&format!("/d/{}/", only.name)).into_response();
    }
    let text = html! {
        h1 { "Daemons" }
        ul.cards {
            @for daemon in front.daemons.iter() {
                li {
                    a href=(format!("/d/{}/", daemon.name)) { strong { (daemon.name) } }
                    @match (daemon.trouble(), daemon.feed.status()) {
                        (Some(trouble), _) => p { (trouble) },
                        (None, Some(status)) => p {
                            (words::capital(&words::label(status.session.state.name()))) "; "
                            (words::messages(status.queue.capacity.saturating_sub(status.queue.free)))
                            " waiting, " (status.queue.parked) " parked"
                        },
                        (None, None) => p { "Nothing is known yet" },
                    }
                }
            }
        }
    };
    layout::bare("Daemons", &text).into_response()
}
