//! A subscription's way to its subscriber. Owns what a tier may see of an event, what
//! one who lags is told, and the order: the snapshot, then changes from the engine and
//! incoming messages from the store, each in their own order. Keeps no events: the
//! engine's bounded channel does, and the store.
//!
//! Incoming messages are no changes of the view: they carry the number of the last one.

use std::sync::atomic::Ordering;

use tokio::sync::{mpsc, watch};

use crate::daemon::connection::Outgoing;
use crate::daemon::engine_handle::Subscription;
use crate::daemon::inbox_service::Follow;
use crate::daemon::server::stopped;
use tetherd_api::frame::encode_event;
use tetherd_api::{Event, EventFrame, Gap, Incoming, Tier, Time};

/// Writes the snapshot and what follows, until the subscriber lags (then it is told),
/// or the engine or the connection ends.
pub(crate) async fn forward(
    subscription: Subscription,
    mut follow: Follow,
    tier: Option<Tier>,
    outgoing: &mpsc::Sender<Outgoing>,
    mut ending: watch::Receiver<bool>,
) {
    let forwarding = async {
        let Subscription { snapshot, mut events, lagged } = subscription;
        let mut last = (0, Time(0));
        for frame in snapshot {
            last = (frame.seq, frame.at);
            write(frame, tier, outgoing).await?;
        }
        loop {
            tokio::select! {
                // Changes first: they wait in a bounded channel, the others on the disk.
                biased;
                frame = events.recv() => {
                    let Some(frame) = frame else { break };
                    last = (frame.seq, frame.at);
                    write(frame, tier, outgoing).await?;
                }
                told = follow.next() => {
                    let (gap, messages) = told.map_err(|error| {
                        tracing::error!(%error, "the inbox cannot be read: a subscription ends");
                        Gone
                    })?;
                    tell(gap, messages, last, tier, outgoing).await?;
                }
            }
        }
        // The engine's end ends the events as well.
        if !lagged.load(Ordering::Acquire) {
            return Ok(());
        }
        let (seq, at) = last;
        write(EventFrame { seq, at, event: Event::Lagged {} }, tier, outgoing).await
    };
    tokio::select! {
        biased;
        () = stopped(&mut ending) => {}
        _ = forwarding => {}
    }
}

/// The connection is gone.
struct Gone;

async fn tell(
    gap: Option<Gap>,
    messages: Vec<Incoming>,
    (seq, at): (u64, Time),
    tier: Option<Tier>,
    outgoing: &mpsc::Sender<Outgoing>,
) -> Result<(), Gone> {
    if let Some(gap) = gap {
        write(EventFrame { seq, at, event: Event::Gap { gap } }, tier, outgoing).await?;
    }
    for message in messages {
        let at = message.received_at;
        let event = Event::Incoming { message: Box::new(message) };
        write(EventFrame { seq, at, event }, tier, outgoing).await?;
    }
    Ok(())
}

async fn write(
    frame: EventFrame,
    tier: Option<Tier>,
    outgoing: &mpsc::Sender<Outgoing>,
) -> Result<(), Gone> {
    match encode_event(&for_tier(frame, tier)) {
        Ok(line) => {
            outgoing.send(Outgoing { line, fds: Vec::new(), _permit: None }).await.map_err(|_| Gone)
        }
        // Without this event the subscriber's view would be wrong without their knowing.
        Err(error) => {
            tracing::error!(%error, "an event cannot be written");
            Err(Gone)
        }
    }
}

/// Whoever has a pairing code can take the account: only administrators see it.
fn for_tier(mut frame: EventFrame, tier: Option<Tier>) -> EventFrame {
    if let Event::Pairing { offer, .. } = &mut frame.event
        && tier < Some(Tier::Admin)
    {
        *offer = None;
    }
    frame
}
