//! Fire-and-forget requests of a connection, each in its own task; cancelled with the
//! connection.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use whatsapp_rust::PresenceError;
use whatsapp_rust::pair_code::PairCodeOptions;

use super::Connection;
use crate::whatsapp::connection::pairing::Purpose;
use crate::whatsapp::events::translate;

/// The presence after login.
const PRESENCE_TIMEOUT: Duration = Duration::from_secs(10);
/// The account's properties, after login.
const PROPS_TIMEOUT: Duration = Duration::from_secs(10);
/// The question about messages to new contacts, and the least time between two.
const TIMELOCK_TIMEOUT: Duration = Duration::from_secs(10);
const TIMELOCK_PAUSE: Duration = Duration::from_secs(60);

impl Connection<'_> {
    /// Messages wait for the account's properties, which say whether to send privacy tokens:
    /// without one the server refuses many a message. It sends them at each login anew, and
    /// the library takes a property that it does not have for off.
    pub(super) fn fetch_props(&mut self) {
        let client = Arc::clone(&self.client);
        let limit = PROPS_TIMEOUT.min(self.context.config.send_timeout / 2);
        let open = self.sends.open();
        self.spawn(async move {
            match timeout(limit, client.fetch_props()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => {
                    tracing::warn!("the account's properties are not known: sending without");
                }
            }
            open();
        });
    }

    /// A message to a new contact was refused: the server knows until when.
    pub(super) fn ask_timelock(&mut self) {
        let now = Instant::now();
        if self.asked_timelock.is_some_and(|at| now < at + TIMELOCK_PAUSE) {
            return;
        }
        self.asked_timelock = Some(now);
        let (client, queue) = (Arc::clone(&self.client), Arc::clone(&self.queue));
        self.spawn(async move {
            match timeout(TIMELOCK_TIMEOUT, client.mex().fetch_reachout_timelock()).await {
                Ok(Ok(lock)) => {
                    if let Some(event) = translate::timelock_answer(&lock) {
                        queue.push(event);
                    }
                }
                // Then the core goes by the refusal alone.
                Ok(Err(_)) | Err(_) => tracing::debug!("nothing is known about a timelock"),
            }
        });
    }

    /// What the phone sends of its history later is not read.
    pub(super) fn end_history(&mut self) {
        self.client.set_skip_history_sync(true);
        let keys = Arc::clone(&self.context.keys);
        self.spawn(async move {
            if let Err(error) = keys.end_history().await {
                tracing::warn!(%error, "that the history was read is not noted");
            }
        });
    }

    /// Without it the owner's phone stops notifying, because somebody seems to be here.
    pub(super) fn set_unavailable(&mut self) {
        let client = Arc::clone(&self.client);
        self.spawn(async move {
            match timeout(PRESENCE_TIMEOUT, client.presence().set_unavailable()).await {
                // Without a name yet it is set as soon as the phone has sent it.
                Ok(Ok(()) | Err(PresenceError::PushNameEmpty)) => {}
                Ok(Err(_)) | Err(_) => {
                    tracing::warn!("the presence could not be set: the phone may stop notifying");
                }
            }
        });
    }

    /// The code and the failure both come back as events.
    pub(super) fn request_code(&mut self) {
        let Purpose::PairCode(coding) = &self.purpose else { return };
        let options =
            PairCodeOptions { phone_number: coding.phone.0.clone(), ..Default::default() };
        let client = Arc::clone(&self.client);
        self.spawn(async move {
            let _ = client.pair_with_code(options).await;
        });
    }

    pub(super) fn spawn(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.background.retain(|task| !task.is_finished());
        self.background.push(tokio::spawn(work).abort_handle());
    }
}
