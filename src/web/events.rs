//! `GET /v1/events`: the changes feed as server-sent events. The `id` of an event is its
//! `seq`, so that a client which connects again misses nothing. Shows a caller nothing that
//! its tier would not see on the socket.

use std::convert::Infallible;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde::Deserialize;
use tetherd_api::{Event, EventFrame, Tier};

use crate::auth::Program;
use crate::daemon::{Daemon, Subscription};
use crate::front::Shared;
use crate::rest::{named, refuse, usual};

/// Where to begin.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Begin {
    after: Option<u64>,
}

/// Of the only daemon, or of `main`.
pub(crate) async fn of_usual(
    State(front): State<Shared>,
    program: Program,
    Query(begin): Query<Begin>,
    headers: HeaderMap,
) -> Response {
    match usual(&front) {
        Ok(daemon) => follow(&front, daemon, program, after(&headers, begin)).await,
        Err(error) => refuse(&error),
    }
}

/// Of a daemon by its name.
pub(crate) async fn of_named(
    State(front): State<Shared>,
    Path(daemon): Path<String>,
    program: Program,
    Query(begin): Query<Begin>,
    headers: HeaderMap,
) -> Response {
    match named(&front, &daemon) {
        Ok(daemon) => follow(&front, daemon, program, after(&headers, begin)).await,
        Err(error) => refuse(&error),
    }
}

/// The header is what a browser sends when it connects again: it is the newer.
fn after(headers: &HeaderMap, begin: Begin) -> Option<u64> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    last.or(begin.after)
}

struct Stream {
    subscription: Subscription,
    front: Shared,
    program: Program,
    /// Whether a number is good to continue from: of a snapshot, only the last one is.
    numbered: bool,
}

async fn follow(front: &Shared, daemon: &Daemon, program: Program, after: Option<u64>) -> Response {
    let subscription = match daemon.subscribe(after).await {
        Ok(subscription) => subscription,
        Err(error) => return refuse(&error.into_contract()),
    };
    let numbered = after.is_some();
    let stream = Stream { subscription, front: front.clone(), program, numbered };
    let events = stream::unfold(stream, |mut stream| async move {
        let frame = stream.subscription.events.next().await.ok()?;
        // A token that was removed ends its streams.
        stream.program.still_holds(&stream.front).then_some(())?;
        stream.numbered |= matches!(frame.event, Event::SnapshotEnd {});
        let event = event(&seen(frame, stream.program.tier), stream.numbered);
        Some((Ok::<_, Infallible>(event), stream))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

/// What a caller of this tier sees of an event: a pairing's codes are for who may pair.
fn seen(mut frame: EventFrame, tier: Tier) -> EventFrame {
    if let Event::Pairing { offer, .. } = &mut frame.event
        && tier < Tier::Admin
    {
        *offer = None;
    }
    frame
}

fn event(frame: &EventFrame, numbered: bool) -> sse::Event {
    let event = sse::Event::default().event(name(&frame.event));
    let event = if numbered { event.id(frame.seq.to_string()) } else { event };
    event.data(serde_json::to_string(frame).unwrap_or_default())
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::Status { .. } => "status",
        Event::Message { .. } => "message",
        Event::Incoming { .. } => "incoming",
        Event::Gap { .. } => "gap",
        Event::SnapshotEnd {} => "snapshot_end",
        Event::Pairing { .. } => "pairing",
    }
}

#[cfg(test)]
mod tests {
    use tetherd_api::{PairOffer, Time};

    use super::*;

    #[test]
    fn a_pairing_code_is_shown_to_admins_only() {
        let offer = Some(PairOffer::Qr { qr: "2@secret".into(), expires_at: Time(0) });
        let event = Event::Pairing { offer, ended: None };
        let frame = EventFrame { seq: 1, at: Time(0), event };
        for (tier, shown) in [(Tier::Read, false), (Tier::Send, false), (Tier::Admin, true)] {
            let text = serde_json::to_string(&seen(frame.clone(), tier)).unwrap();
            assert_eq!(text.contains("2@secret"), shown, "{text}");
        }
    }
}
