//! Whether a chat's keys have changed by somebody's message and may not be on disk yet: the
//! library writes them a moment after, and takes them for written when it encrypts. A message
//! that left under them before a kill could not be answered: the other side's next message would
//! not be readable. Owns two counts; what a send changes itself is the library's to write.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use whatsapp_rust::Client;
use whatsapp_rust::types::events::{Event, EventHandler, EventInterest, EventKind};

/// The keys of one connection.
#[derive(Debug, Default)]
pub(crate) struct UnwrittenKeys {
    /// Times that a message has changed them.
    changes: AtomicU64,
    /// So many of these are on disk for certain.
    written: AtomicU64,
}

/// They could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotWritten;

impl UnwrittenKeys {
    /// A message was decrypted.
    pub(crate) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// Waits until they are on disk, where they may not be. Not to be called where a message
    /// comes in.
    pub(crate) async fn write(&self, client: &Client) -> Result<(), NotWritten> {
        let changes = self.changes.load(Ordering::Acquire);
        if self.written.load(Ordering::Acquire) >= changes {
            return Ok(());
        }
        client.flush_pending_signal_state().await.map_err(|error| {
            tracing::error!(%error, "the keys of chats are not written");
            NotWritten
        })?;
        self.written.fetch_max(changes, Ordering::AcqRel);
        Ok(())
    }
}

/// Without an inbox nobody else sees the messages.
impl EventHandler for UnwrittenKeys {
    fn handle_event(&self, event: Arc<Event>) {
        if let Event::Messages(_) = &*event {
            self.changed();
        }
    }

    fn interest(&self) -> EventInterest {
        EventInterest::of(&[EventKind::Messages])
    }
}
