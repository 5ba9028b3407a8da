//! The queue of what the library reports to the connection's task. The library calls its
//! handlers synchronously, from many tasks, so nothing here may wait.
//!
//! Only what is translated is queued, so the queue grows with traffic about our own messages.
//! When it is full the connection ends instead of losing an event silently, and the core asks
//! again about whatever it has no answer to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, watch};
use whatsapp_rust::types::events::{Event, EventHandler, EventInterest};

use crate::whatsapp::events::chat_activity::chat_activity;
use crate::whatsapp::events::names::names;
use crate::whatsapp::events::phone_activity::phone_activity;
use crate::whatsapp::events::stream::acked_devices;
use crate::whatsapp::events::translate::{self, ConnectionEvent, Me};
use crate::whatsapp::outgoing::sent_stanzas::SentStanzas;
use tetherd_core::event::{ReceiptKind, SessionEvent};
use tetherd_core::ids::WaMessageId;

/// What waits for the connection's task at most. The core is a few microseconds away:
/// this many means that it has stopped, or that the server floods us.
const WAITING_MAX: usize = 8192;

/// The library's handler and the queue behind it.
pub(crate) struct EventQueue {
    queue: Mutex<Queue>,
    more: Notify,
    me: Box<dyn Fn() -> Me + Send + Sync>,
    stanzas: Arc<SentStanzas>,
    /// How many stanzas the library has reported.
    read: watch::Sender<u64>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<ConnectionEvent>,
    overflowed: bool,
}

/// The queue was full: something is missing from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

impl EventQueue {
    /// `me` tells who we are at the time of an event: it is learnt on the way.
    pub(crate) fn new(
        me: impl Fn() -> Me + Send + Sync + 'static,
        stanzas: Arc<SentStanzas>,
    ) -> Arc<EventQueue> {
        Arc::new(EventQueue {
            queue: Mutex::new(Queue::default()),
            more: Notify::new(),
            me: Box::new(me),
            stanzas,
            read: watch::Sender::new(0),
        })
    }

    /// The next report. Cancelling the wait loses nothing.
    pub(crate) async fn next(&self) -> Result<ConnectionEvent, Overflow> {
        loop {
            if let Some(next) = self.try_next() {
                return next;
            }
            self.more.notified().await;
        }
    }

    /// The next report that is already here.
    pub(crate) fn try_next(&self) -> Option<Result<ConnectionEvent, Overflow>> {
        let mut queue = self.lock();
        match queue.waiting.pop_front() {
            Some(seen) => Some(Ok(seen)),
            None if queue.overflowed => {
                queue.overflowed = false;
                Some(Err(Overflow))
            }
            None => None,
        }
    }

    /// Waits until so many stanzas have been reported.
    pub(crate) async fn has_read(&self, stanzas: u64) {
        // The sender is ours: it does not go away.
        let _ = self.read.subscribe().wait_for(|read| *read >= stanzas).await;
    }

    /// Adds what was learnt in another way than by an event.
    pub(crate) fn push(&self, seen: ConnectionEvent) {
        let mut queue = self.lock();
        if queue.waiting.len() < WAITING_MAX {
            queue.waiting.push_back(seen);
        } else {
            queue.overflowed = true;
        }
        drop(queue);
        self.more.notify_one();
    }

    /// Without what is about a stanza for nobody.
    fn counting(&self, mut seen: ConnectionEvent) -> Option<ConnectionEvent> {
        match &mut seen {
            ConnectionEvent::Report(SessionEvent::Ack { wa_id, .. }) => {
                self.stanzas.ack_counts(&wa_id.0).then_some(seen)
            }
            ConnectionEvent::Report(SessionEvent::Receipt {
                wa_ids,
                kind: ReceiptKind::OwnPhone,
            }) => {
                wa_ids.retain(|wa_id| self.stanzas.own_receipt_counts(&wa_id.0));
                (!wa_ids.is_empty()).then_some(seen)
            }
            ConnectionEvent::Report(_)
            | ConnectionEvent::Ready
            | ConnectionEvent::Named
            | ConnectionEvent::HistoryRead
            | ConnectionEvent::Offer(_)
            | ConnectionEvent::CodeRefresh { .. }
            | ConnectionEvent::QrExhausted
            | ConnectionEvent::End(_)
            | ConnectionEvent::Gone(_) => Some(seen),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventHandler for EventQueue {
    fn handle_event(&self, event: Arc<Event>) {
        if let Event::RawNode(node) = &*event
            && let Some((id, phash)) = acked_devices(node)
            && self.stanzas.devices_differ(&id, &phash)
        {
            let event = SessionEvent::DevicesDiffer { wa_id: WaMessageId(id) };
            self.push(ConnectionEvent::Report(event));
        }
        let me = (self.me)();
        let seen = [
            translate::translate(&event, &me),
            phone_activity(&event, &me),
            chat_activity(&event, &me),
        ];
        let seen = seen.into_iter().flatten().chain(names(&event, &me));
        for seen in seen.filter_map(|seen| self.counting(seen)) {
            self.push(seen);
        }
        if let Event::RawNode(_) = &*event {
            self.read.send_modify(|read| *read = read.saturating_add(1));
        }
    }

    fn interest(&self) -> EventInterest {
        translate::interest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_says_so_after_what_it_kept() {
        let queue = EventQueue::new(Me::default, Arc::default());
        for _ in 0..=WAITING_MAX {
            queue.push(ConnectionEvent::Ready);
        }
        for _ in 0..WAITING_MAX {
            assert_eq!(queue.next().await, Ok(ConnectionEvent::Ready));
        }
        assert_eq!(queue.next().await, Err(Overflow));
        assert_eq!(queue.try_next(), None);
    }
}
