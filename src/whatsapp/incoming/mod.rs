//! Incoming messages: hands the library's messages to the inbox before they are acknowledged to
//! the server, and gives those who download a file the current connection. Acknowledges nothing
//! itself: the library does, once the inbox has answered.

pub(crate) mod asked_again;
pub(crate) mod incoming_message;
pub(crate) mod peer_receipts;
pub(crate) mod privacy_tokens;
mod read;
pub(crate) mod usernames;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_trait::async_trait;
use whatsapp_rust::types::events::InboundMessage;
use whatsapp_rust::wacore::net::HttpClient;
use whatsapp_rust::wacore::time::now_millis;
use whatsapp_rust::{Client, InboundDurabilityHook, Jid, Server, anyhow};

use crate::inbox::{Inbox, NewMessage};
use incoming_message::Parties;
pub use read::NotMarked;
use tetherd_api::Redacted;
use usernames::StatedUsernames;

/// What the session needs for incoming messages.
#[derive(Clone, Debug, Default)]
pub struct Inbound {
    /// Where they go; none: nowhere.
    pub inbox: Option<Inbox>,
    /// Holds the connection that there is.
    pub connection: CurrentConnection,
}

/// The connection that there is, for downloads and read receipts.
#[derive(Clone, Debug, Default)]
pub struct CurrentConnection(Redacted<Arc<Mutex<Option<Connected>>>>);

/// What a download needs of a connection.
#[derive(Clone)]
struct Connected {
    client: Weak<Client>,
    https: Arc<dyn HttpClient>,
}

impl CurrentConnection {
    /// There is a connection, logged in.
    pub(crate) fn set(&self, client: &Arc<Client>, https: Arc<dyn HttpClient>) {
        *self.lock() = Some(Connected { client: Arc::downgrade(client), https });
    }

    /// There is none.
    pub(crate) fn clear(&self) {
        *self.lock() = None;
    }

    /// The connection, if there is one, and what asks the media hosts on it.
    pub(crate) fn get(&self) -> Option<(Arc<Client>, Arc<dyn HttpClient>)> {
        let Connected { client, https } = self.lock().clone()?;
        Some((client.upgrade()?, https))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Connected>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The library's hook.
pub(crate) struct InboxHook {
    pub(crate) inbox: Inbox,
    /// What the stanzas of the messages stated besides.
    pub(crate) usernames: Arc<StatedUsernames>,
}

#[async_trait]
impl InboundDurabilityHook for InboxHook {
    async fn on_messages(
        &self,
        client: Arc<Client>,
        batch: &[InboundMessage],
    ) -> anyhow::Result<()> {
        let own_device = client.pn().map(|jid| jid.device);
        let mut new = Vec::with_capacity(batch.len());
        for InboundMessage { message, info, .. } in batch {
            let source = &info.source;
            // Our own sends, should the server ever return one.
            let ours = source.is_from_me && Some(source.sender.device) == own_device;
            if !ours && incoming_message::is_wanted(info) {
                let mut parties = named(&client, Parties::of(info)).await;
                parties.username = self.usernames.take(info);
                new.extend(incoming_message::new_message(message, info, &parties));
            }
        }
        self.keep(new).await
    }
}

impl InboxHook {
    async fn keep(&self, messages: Vec<NewMessage>) -> anyhow::Result<()> {
        if messages.is_empty() {
            return Ok(());
        }
        let count = messages.len();
        match self.inbox.put(messages, now_millis()).await {
            Ok(new) => {
                tracing::debug!(new, known = count - new, "messages came in");
                Ok(())
            }
            // The server keeps them, and delivers them again at the next login.
            Err(error) => {
                tracing::error!(%error, "incoming messages could not be kept");
                Err(error.into())
            }
        }
    }
}

/// With numbers in place of hidden identities, as far as this session has learnt them.
async fn named(client: &Client, parties: Parties) -> Parties {
    let sender = number(client, &parties.sender).await;
    let chat = if parties.chat == parties.sender {
        sender.clone()
    } else {
        number(client, &parties.chat).await
    };
    Parties { chat, sender, ..parties }
}

async fn number(client: &Client, jid: &Jid) -> Jid {
    if jid.server != Server::Lid {
        return jid.clone();
    }
    match client.get_lid_pn_entry(jid).await {
        Ok(Some(entry)) => Jid::pn(entry.phone_number.to_string()),
        Ok(None) | Err(_) => jid.clone(),
    }
}
