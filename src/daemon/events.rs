//! A subscription's way to its subscriber. Owns what a tier may see of an event and
//! what one who lags is told. Keeps no events: the engine's bounded channel does.

use std::sync::atomic::Ordering;

use tokio::sync::{mpsc, watch};

use crate::daemon::connection::Outgoing;
use crate::daemon::engine_handle::Subscription;
use crate::daemon::server::stopped;
use crate::rpc::api::{Event, EventFrame, Tier, Time};
use crate::rpc::frame::encode_event;

/// Writes the snapshot and what follows, until the subscriber lags (then it is told),
/// or the engine or the connection ends.
pub(crate) async fn forward(
    subscription: Subscription,
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
        while let Some(frame) = events.recv().await {
            last = (frame.seq, frame.at);
            write(frame, tier, outgoing).await?;
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
