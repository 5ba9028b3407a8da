//! Fire-and-forget requests of a connection, each in its own task; cancelled with the
//! connection.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use whatsapp_rust::PresenceError;
use whatsapp_rust::features::{MexError, MexRequest};
use whatsapp_rust::pair_code::PairCodeOptions;
use whatsapp_rust::wacore::iq::mex_operations::fetch_new_chat_message_capping_info as capping;

use super::Connection;
use crate::whatsapp::connection::ending::note_end_of_history;
use crate::whatsapp::connection::pairing::Purpose;
use crate::whatsapp::events::mex;
use tetherd_core::server_codes::{NEW_CHAT_QUOTA, TOKEN_MISSING};

/// The presence after login.
const PRESENCE_TIMEOUT: Duration = Duration::from_secs(10);
/// The account's properties, after login.
const PROPS_TIMEOUT: Duration = Duration::from_secs(10);
/// A question about what the account may send, and the least time between two of a kind.
const ACCOUNT_TIMEOUT: Duration = Duration::from_secs(10);
const ACCOUNT_PAUSE: Duration = Duration::from_secs(60);
/// A history of which nothing comes for so long after its last part is over.
const HISTORY_QUIET: Duration = Duration::from_secs(2);
/// The quota that is asked about.
const QUOTA_TYPE: &str = "INDIVIDUAL_NEW_CHAT_THREAD";

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

    /// Who asked for a message on an earlier connection and has no answer.
    pub(super) fn answer_requests(&mut self) {
        if let Some(requests) = self.requests.take() {
            self.spawn(requests.answer_left());
        }
    }

    /// A message was refused: the server may know more about it.
    pub(super) fn ask_why(&mut self, code: u32) {
        match code {
            TOKEN_MISSING => self.ask_timelock(),
            NEW_CHAT_QUOTA => self.ask_quota(),
            _ => {}
        }
    }

    /// A message to a new contact was refused: the server knows until when.
    fn ask_timelock(&mut self) {
        if !may_ask(&mut self.asked_timelock) {
            return;
        }
        let (client, queue) = (Arc::clone(&self.client), Arc::clone(&self.queue));
        self.spawn(async move {
            match timeout(ACCOUNT_TIMEOUT, client.mex().fetch_reachout_timelock()).await {
                Ok(Ok(lock)) => queue.push(mex::timelock_answer(Some(&lock))),
                // The library takes a null for an answer that it cannot read.
                Ok(Err(MexError::PayloadParsing(_))) => queue.push(mex::timelock_answer(None)),
                Ok(Err(_)) | Err(_) => tracing::debug!("nothing is known about a timelock"),
            }
        });
    }

    /// A message was refused because the account has begun as many chats as it may. The
    /// library's own type for the answer takes numbers where the server sends text.
    fn ask_quota(&mut self) {
        if !may_ask(&mut self.asked_quota) {
            return;
        }
        let (client, queue) = (Arc::clone(&self.client), Arc::clone(&self.queue));
        self.spawn(async move {
            let variables = serde_json::json!({ "input": { "type": QUOTA_TYPE } });
            let request = MexRequest::new(capping::NAME, capping::DOC_ID, variables);
            let answer = timeout(ACCOUNT_TIMEOUT, client.mex().query(request)).await;
            let data = answer.ok().and_then(Result::ok).and_then(|response| response.data);
            match data.as_ref().and_then(mex::quota_answer) {
                Some(event) => queue.push(event),
                None => tracing::debug!("nothing is known about the quota of new chats"),
            }
        });
    }

    /// What the phone sends of its history later is not read. Parts that came before the last
    /// one may still be read: until nothing comes of them.
    pub(super) fn end_history(&mut self) {
        self.history_read = true;
        let (client, keys) = (Arc::clone(&self.client), Arc::clone(&self.context.keys));
        self.spawn(async move {
            let tokens = keys.contact_tokens();
            loop {
                let before = tokens.of_history();
                sleep(HISTORY_QUIET).await;
                if tokens.of_history() == before {
                    break;
                }
            }
            note_end_of_history(&*keys).await;
            client.set_skip_history_sync(true);
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

/// Whether a question may be asked now; then it is noted.
fn may_ask(asked: &mut Option<Instant>) -> bool {
    let now = Instant::now();
    let may = asked.is_none_or(|at| now >= at + ACCOUNT_PAUSE);
    if may {
        *asked = Some(now);
    }
    may
}
