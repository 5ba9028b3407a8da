//! What goes on beside a connection's own loop, each in a task of its own: questions whose
//! answers nobody waits for. They end with the connection.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use whatsapp_rust::PresenceError;
use whatsapp_rust::pair_code::PairCodeOptions;

use super::Run;
use crate::whatsapp::pairing::Kind;
use crate::whatsapp::translate;

/// The presence after login.
const PRESENCE_TIMEOUT: Duration = Duration::from_secs(10);
/// The question about messages to new contacts, and the least time between two.
const TIMELOCK_TIMEOUT: Duration = Duration::from_secs(10);
const TIMELOCK_PAUSE: Duration = Duration::from_secs(60);

impl Run<'_> {
    /// A message to a new contact was refused: the server knows until when.
    pub(super) fn ask_timelock(&mut self) {
        let now = Instant::now();
        if self.asked_timelock.is_some_and(|at| now < at + TIMELOCK_PAUSE) {
            return;
        }
        self.asked_timelock = Some(now);
        let (client, tap) = (Arc::clone(&self.client), Arc::clone(&self.tap));
        self.help(async move {
            match timeout(TIMELOCK_TIMEOUT, client.mex().fetch_reachout_timelock()).await {
                Ok(Ok(lock)) => {
                    if let Some(seen) = translate::timelock_answer(&lock) {
                        tap.push(seen);
                    }
                }
                // Then the core goes by the refusal alone.
                Ok(Err(_)) | Err(_) => tracing::debug!("nothing is known about a timelock"),
            }
        });
    }

    /// Without it the owner's phone stops notifying, because somebody seems to be here.
    pub(super) fn set_unavailable(&mut self) {
        let client = Arc::clone(&self.client);
        self.help(async move {
            match timeout(PRESENCE_TIMEOUT, client.presence().set_unavailable()).await {
                // Without a name yet it is set as soon as the phone has told it.
                Ok(Ok(()) | Err(PresenceError::PushNameEmpty)) => {}
                Ok(Err(_)) | Err(_) => {
                    tracing::warn!("the presence could not be set: the phone may stop notifying");
                }
            }
        });
    }

    /// The code and the failure both come back as events.
    pub(super) fn request_code(&mut self) {
        let Kind::PairCode(coding) = &self.kind else { return };
        let options = PairCodeOptions { phone_number: coding.phone.clone(), ..Default::default() };
        let client = Arc::clone(&self.client);
        self.help(async move {
            let _ = client.pair_with_code(options).await;
        });
    }

    pub(super) fn help(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.helpers.retain(|helper| !helper.is_finished());
        self.helpers.push(tokio::spawn(work).abort_handle());
    }
}
