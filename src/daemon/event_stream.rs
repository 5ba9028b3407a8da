//! A subscription's way to its subscriber. Owns the order of what is written (ascending
//! numbers, messages and incoming messages alike), and what a tier may see of an event.
//! Keeps no events: the engine's index does, its bounded channel, and the store.
//!
//! A subscriber first catches up, page by page, at its own pace; then it is live. One that
//! falls behind catches up again: it gets fewer and newer states, and misses none.

use tokio::sync::{mpsc, watch};

use crate::daemon::connection::Outgoing;
use crate::daemon::engine_handle::EngineHandle;
use crate::daemon::event_hub::{Latest, Live, LiveEvent, Now, Page, Pairing, Walk};
use crate::daemon::inbox_service::{Arrival, Follow, Until};
use crate::daemon::server::stopped;
use tetherd_api::frame::encode_event;
use tetherd_api::{Event, EventFrame, Gap, GapOf, Status, Tier, Time};

/// A subscription that was accepted.
#[derive(Debug)]
pub(crate) struct Subscription {
    /// The way to the index.
    pub(crate) engine: EngineHandle,
    /// How things stood when it was accepted.
    pub(crate) start: Now,
    /// The number that it continues after; none: it begins with the live messages.
    pub(crate) after: Option<u64>,
    /// Its incoming messages.
    pub(crate) follow: Follow,
}

/// Writes a subscription's events until the engine or the connection ends.
pub(crate) async fn forward(
    subscription: Subscription,
    tier: Option<Tier>,
    outgoing: &mpsc::Sender<Outgoing>,
    mut ending: watch::Receiver<bool>,
) {
    let Subscription { engine, start, after, follow } = subscription;
    let (seq, at) = (after.unwrap_or(0), start.at);
    let written = (start.status.version, start.pairing.version);
    let mut stream = Stream { engine, follow, tier, outgoing, seq, at, written };
    tokio::select! {
        biased;
        () = stopped(&mut ending) => {}
        _ = stream.run(start, after) => {}
    }
}

/// The connection, the engine or the inbox is gone.
struct Gone;

struct Stream<'a> {
    engine: EngineHandle,
    follow: Follow,
    tier: Option<Tier>,
    outgoing: &'a mpsc::Sender<Outgoing>,
    /// Everything up to this number has been written.
    seq: u64,
    /// When the last event was.
    at: Time,
    /// The versions of the status and of the pairing that were written last.
    written: (u64, u64),
}

impl Stream<'_> {
    async fn run(&mut self, start: Now, after: Option<u64>) -> Result<(), Gone> {
        let Now { at, head, runs: _, status, pairing } = start;
        self.write(at, Event::Status { status: status.state }).await?;
        if let Some(Pairing { offer, ended: None }) = pairing.state {
            self.write(at, Event::Pairing { offer, ended: None }).await?;
        }
        let walk = match after {
            Some(after) => Walk { after, floor: after },
            None => Walk { after: 0, floor: head },
        };
        let mut live = self.catch_up(walk).await?;
        self.seq = self.seq.max(live.now.head);
        self.write(live.now.at, Event::SnapshotEnd {}).await?;
        loop {
            self.relay(live).await?;
            live = self.catch_up(Walk { after: self.seq, floor: self.seq }).await?;
        }
    }

    /// Writes what the index has for this walk.
    async fn catch_up(&mut self, mut walk: Walk) -> Result<Live, Gone> {
        let mut forgotten_reported = walk.floor;
        loop {
            let Page { messages, forgotten, live } =
                self.engine.walk(walk).await.map_err(|_| Gone)?;
            let reported = forgotten_reported.max(walk.after);
            if forgotten > reported {
                // Some that finished are removed. Which, is not known: the subscriber forgets
                // those that it takes for live, and is sent again which are.
                forgotten_reported = forgotten;
                walk.after = 0;
                self.gap(GapOf::Messages, Gap { from: reported + 1, to: forgotten }).await?;
                continue;
            }
            for (seq, message) in messages {
                self.incoming(Until::Below(seq)).await?;
                walk.after = seq;
                self.seq = self.seq.max(seq);
                self.write(message.changed_at, Event::Message { message: Box::new(message) })
                    .await?;
            }
            let Some(live) = live else { continue };
            self.incoming(Until::Through(live.incoming)).await?;
            self.pairing(live.now.at, live.now.pairing.clone()).await?;
            self.status(live.now.at, live.now.status.clone()).await?;
            return Ok(live);
        }
    }

    /// Writes what happens, until the subscriber falls behind.
    async fn relay(&mut self, mut live: Live) -> Result<(), Gone> {
        while let Some(event) = live.events.recv().await {
            match event {
                LiveEvent::Message { seq, message } => {
                    self.incoming(Until::Below(seq)).await?;
                    self.seq = seq;
                    self.write(message.changed_at, Event::Message { message }).await?;
                }
                LiveEvent::Incoming { through } => self.incoming(Until::Through(through)).await?,
                LiveEvent::Status { at, status } => self.status(at, status).await?,
                LiveEvent::Pairing { at, pairing } => self.pairing(at, pairing).await?,
            }
        }
        Ok(())
    }

    async fn status(&mut self, at: Time, status: Latest<Box<Status>>) -> Result<(), Gone> {
        if std::mem::replace(&mut self.written.0, status.version) == status.version {
            return Ok(());
        }
        self.write(at, Event::Status { status: status.state }).await
    }

    async fn pairing(&mut self, at: Time, pairing: Latest<Option<Pairing>>) -> Result<(), Gone> {
        if std::mem::replace(&mut self.written.1, pairing.version) == pairing.version {
            return Ok(());
        }
        let Some(Pairing { offer, ended }) = pairing.state else { return Ok(()) };
        self.write(at, Event::Pairing { offer, ended }).await
    }

    /// Writes the incoming messages that come before something else.
    async fn incoming(&mut self, until: Until) -> Result<(), Gone> {
        loop {
            let next = self.follow.next(until).map_err(|error| {
                tracing::error!(%error, "the inbox cannot be read: a subscription ends");
                Gone
            })?;
            match next {
                None => return Ok(()),
                Some(Arrival::Gap(gap)) => self.gap(GapOf::Incoming, gap).await?,
                Some(Arrival::Message(seq, message)) => {
                    self.seq = self.seq.max(seq);
                    self.write(message.received_at, Event::Incoming { message }).await?;
                }
            }
        }
    }

    async fn gap(&mut self, of: GapOf, gap: Gap) -> Result<(), Gone> {
        self.write(self.at, Event::Gap { of, gap }).await
    }

    async fn write(&mut self, at: Time, event: Event) -> Result<(), Gone> {
        self.at = self.at.max(at);
        let frame = EventFrame { seq: self.seq, at, event: for_tier(event, self.tier) };
        match encode_event(&frame) {
            Ok(line) => {
                let line = Outgoing { line, fds: Vec::new(), is_event: true, held: None };
                self.outgoing.send(line).await.map_err(|_| Gone)
            }
            // Without this event the subscriber's view would be wrong without their knowing.
            Err(error) => {
                tracing::error!(%error, "an event cannot be written");
                Err(Gone)
            }
        }
    }
}

/// Whoever has a pairing code can take the account: only administrators see it.
fn for_tier(mut event: Event, tier: Option<Tier>) -> Event {
    if let Event::Pairing { offer, .. } = &mut event
        && tier < Some(Tier::Admin)
    {
        *offer = None;
    }
    event
}
