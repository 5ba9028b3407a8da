//! The end of a connection: the library's client is closed in order and its state saved, and
//! why it ended is concluded from what was seen.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Connection, Ending, Leave};
use crate::whatsapp::KeyStore;
use crate::whatsapp::transport::Progress;
use tetherd_core::action::SessionCommand;
use tetherd_core::event::EndReason;

/// The request to unlink this device.
const LOGOUT_TIMEOUT: Duration = Duration::from_secs(10);
/// The library's orderly end: it waits for its own tasks and flushes its state.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(12);
/// What came before the end, until it has been reported.
const READ_TIMEOUT: Duration = Duration::from_millis(500);
/// The library's loop, after it was asked to end.
const RUNNER_GRACE: Duration = Duration::from_millis(500);

impl Connection<'_> {
    /// Ends the library's client for good: it flushes its state to the key store.
    pub(super) async fn tear_down(&mut self, leave: &Leave, mut runner: JoinHandle<()>) {
        self.context.inbound.connection.clear();
        self.sends.close();
        self.uploads.halt();
        for task in self.background.drain(..) {
            task.abort();
        }
        if matches!(leave, Leave::Ordered(Some(SessionCommand::Logout)))
            && self.ready
            && timeout(LOGOUT_TIMEOUT, self.client.logout()).await.is_err()
        {
            tracing::warn!("the server did not confirm in time that this device is unlinked");
        }
        if timeout(CLOSE_TIMEOUT, self.client.disconnect()).await.is_err() {
            tracing::warn!("the connection did not close in time");
        }
        if !runner.is_finished() && timeout(RUNNER_GRACE, &mut runner).await.is_err() {
            runner.abort();
        }
        // The library reads most stanzas in tasks of their own, which its loop does not wait for.
        let frames = self.client.stats().frames_received;
        if timeout(READ_TIMEOUT, self.queue.has_read(frames)).await.is_err() {
            tracing::debug!("not every stanza was read");
        }
        self.save_device().await;
    }

    /// The library saves in a task of its own, and does not wait for a save that this has
    /// begun already. The next connection starts with what lies there.
    async fn save_device(&self) {
        let device = self.sends.manager().get_device_snapshot().to_serializable();
        if let Err(error) = self.context.keys.save(&device).await {
            tracing::warn!(%error, "the session's state was not saved at the connection's end");
        }
        // Its last part does not come again.
        if self.history_read {
            note_end_of_history(&*self.context.keys).await;
        }
    }

    pub(super) fn ending(self, leave: Leave) -> Ending {
        match leave {
            Leave::Ordered(next) => Ending {
                reason: EndReason::Closed,
                next: next.filter(|command| !matches!(command, SessionCommand::Close)),
            },
            Leave::Over => {
                let reason = self.verdict.or(self.gone);
                let reason = reason.unwrap_or_else(|| from_progress(self.trace.progress()));
                Ending { reason, next: None }
            }
        }
    }
}

/// Notes that the phone's history was read.
pub(super) async fn note_end_of_history(keys: &dyn KeyStore) {
    match keys.end_history().await {
        Ok(()) => tracing::info!("the phone's history has been read"),
        Err(error) => tracing::warn!(%error, "that the history was read is not noted"),
    }
}

/// The library ended without a reason: how far the transport came shows why.
fn from_progress(progress: Progress) -> EndReason {
    let unreachable = |what: &str| EndReason::Unreachable { what: what.to_owned() };
    match progress {
        Progress::None => unreachable("the connection was not made"),
        Progress::Failed(what) => EndReason::Unreachable { what },
        Progress::Open => unreachable("the server does not answer the handshake"),
        // The library saw the server's key and certificates and hung up over them.
        Progress::Answered { presents_key: true } => EndReason::Untrusted,
        // It resumed with a key that it knows, and the answer did not fit. The next try
        // starts afresh and looks at the certificates.
        Progress::Answered { presents_key: false } => unreachable("the server's key has changed"),
        Progress::Past => went_silent(),
    }
}

/// The server no longer answers on a connection that stood.
pub(super) fn went_silent() -> EndReason {
    EndReason::Lost { what: "the connection went silent".to_owned() }
}
