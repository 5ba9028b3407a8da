//! `GET /v1/events`: the changes feed as server-sent events. The `id` of an event is its place in
//! the feed, so that a client which connects again misses nothing. Shows a caller nothing that
//! its tier would not see on the socket.

use std::convert::Infallible;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;
use tetherd_api::{Error, ErrorKind, Event, EventFrame, FeedPlace, NotAFeedPlace, Tier};

use crate::auth::Program;
use crate::daemon::{CallError, Daemon, Subscription};
use crate::front::Shared;
use crate::rest::{named, refuse, usual};

/// The event that says that the feed is another one; all that it holds follows.
const RENEWED: &str = "feed_renewed";

/// Where to begin.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Begin {
    after: Option<String>,
}

/// Of the only daemon, or of `main`.
pub(crate) async fn of_usual(
    State(front): State<Shared>,
    program: Program,
    Query(begin): Query<Begin>,
    headers: HeaderMap,
) -> Response {
    let stream = match usual(&front) {
        Ok(daemon) => follow(&front, daemon, program, &begin, &headers).await,
        Err(error) => Err(error),
    };
    stream.unwrap_or_else(|error| refuse(&error))
}

/// Of a daemon by its name.
pub(crate) async fn of_named(
    State(front): State<Shared>,
    Path(daemon): Path<String>,
    program: Program,
    Query(begin): Query<Begin>,
    headers: HeaderMap,
) -> Response {
    let stream = match named(&front, &daemon) {
        Ok(daemon) => follow(&front, daemon, program, &begin, &headers).await,
        Err(error) => Err(error),
    };
    stream.unwrap_or_else(|error| refuse(&error))
}

/// The place after which the address asks to begin.
fn asked(begin: &Begin) -> Result<Option<FeedPlace>, Error> {
    let bad = |error: NotAFeedPlace| Error::new(ErrorKind::InvalidParams, error.to_string());
    begin.after.as_deref().map(str::parse).transpose().map_err(bad)
}

/// The place that a browser gives by itself when it connects again. It is newer than the address.
fn last_seen(headers: &HeaderMap) -> Option<FeedPlace> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}

struct Stream {
    subscription: Subscription,
    front: Shared,
    program: Program,
    /// Whether a place is good to continue from: of a snapshot, only the last one is.
    numbered: bool,
    /// The place after which another feed begins, until the client is notified.
    renewed_after: Option<FeedPlace>,
}

async fn follow(
    front: &Shared,
    daemon: &Daemon,
    program: Program,
    begin: &Begin,
    headers: &HeaderMap,
) -> Result<Response, Error> {
    let seen = last_seen(headers);
    let after = seen.map_or_else(|| asked(begin), |seen| Ok(Some(seen)))?;
    let mut subscribed = daemon.subscribe(after).await;
    // Who connects again by itself cannot do anything about an error.
    let renewed_after = seen.filter(|_| is_renewed(&subscribed));
    if renewed_after.is_some() {
        subscribed = daemon.subscribe(Some(FeedPlace::START)).await;
    }
    let subscription = subscribed.map_err(CallError::into_contract)?;
    let (front, numbered) = (front.clone(), after.is_some());
    let stream = Stream { subscription, front, program, numbered, renewed_after };
    let events = stream::unfold(stream, async |mut stream| {
        let event = stream.next().await?;
        Some((Ok::<_, Infallible>(event), stream))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

fn is_renewed(subscribed: &Result<Subscription, CallError>) -> bool {
    subscribed.as_ref().is_err_and(CallError::is_feed_renewed)
}

impl Stream {
    async fn next(&mut self) -> Option<sse::Event> {
        if let Some(after) = self.renewed_after.take() {
            let data = json!({ "event": RENEWED, "after": after.to_string() });
            return Some(sse::Event::default().event(RENEWED).data(data.to_string()));
        }
        let frame = self.subscription.events.next().await.ok()?;
        // A token that was removed ends its streams.
        self.program.still_holds(&self.front).then_some(())?;
        self.numbered |= matches!(frame.event, Event::SnapshotEnd {});
        let place = FeedPlace { seq: frame.seq, ..self.subscription.newest };
        let place = self.numbered.then_some(place);
        Some(event(&seen(frame, self.program.tier), place))
    }
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

fn event(frame: &EventFrame, place: Option<FeedPlace>) -> sse::Event {
    let event = sse::Event::default().event(name(&frame.event));
    let event = match place {
        Some(place) => event.id(place.to_string()),
        None => event,
    };
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
