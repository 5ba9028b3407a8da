//! The engine's side of `events.subscribe`: numbers the changes and hands each to
//! every subscriber, without ever waiting for one. Who lags is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::daemon::engine_handle::Subscription;
use tetherd_api::SUBSCRIBER_EVENTS_MAX;
use tetherd_api::{Event, EventFrame, Message, Status, Time};

/// Everybody who listens.
#[derive(Default)]
pub(crate) struct EventHub {
    seq: u64,
    channels: Vec<Channel>,
}

struct Channel {
    events: mpsc::Sender<EventFrame>,
    lagged: Arc<AtomicBool>,
}

impl EventHub {
    /// A new subscriber: the state as it is now, and a channel for what follows.
    pub(crate) fn add(&mut self, status: Status, messages: Vec<Message>, at: Time) -> Subscription {
        let (sender, events) = mpsc::channel(SUBSCRIBER_EVENTS_MAX);
        let lagged = Arc::new(AtomicBool::new(false));
        self.channels.retain(|channel| !channel.events.is_closed());
        self.channels.push(Channel { events: sender, lagged: Arc::clone(&lagged) });
        let frame = |event| EventFrame { seq: self.seq, at, event };
        let mut snapshot = Vec::with_capacity(messages.len() + 2);
        snapshot.push(frame(Event::Status { status: Box::new(status) }));
        snapshot.extend(
            messages
                .into_iter()
                .map(|message| frame(Event::Message { message: Box::new(message) })),
        );
        snapshot.push(frame(Event::SnapshotEnd {}));
        Subscription { snapshot, events, lagged }
    }

    /// Tells everybody, at once or never.
    pub(crate) fn publish(&mut self, event: Event, at: Time) {
        self.seq += 1;
        if self.channels.is_empty() {
            return;
        }
        let frame = EventFrame { seq: self.seq, at, event };
        self.channels.retain(|channel| match channel.events.try_send(frame.clone()) {
            Ok(()) => true,
            // The server tells it that it lagged, and closes.
            Err(TrySendError::Full(_)) => {
                channel.lagged.store(true, Ordering::Release);
                false
            }
            Err(TrySendError::Closed(_)) => false,
        });
    }
}
