//! What comes in: hands the library's messages to the inbox before the server is told
//! that they came, and gives whoever fetches a file the connection of the moment.
//! Acknowledges nothing itself: the library does, once the inbox has answered.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_trait::async_trait;
use whatsapp_rust::types::events::InboundMessage;
use whatsapp_rust::wacore::net::HttpClient;
use whatsapp_rust::wacore::time::now_millis;
use whatsapp_rust::{Client, InboundDurabilityHook, Jid, Server, anyhow};

use crate::inbox::{Inbox, Letter};
use crate::whatsapp::letters::{self, Parties};

/// What the session needs for incoming messages.
#[derive(Clone, Debug, Default)]
pub struct Inbound {
    /// Where they go; none: nowhere.
    pub inbox: Option<Inbox>,
    /// Told which connection there is.
    pub line: Line,
}

/// The connection of the moment, for those who fetch.
#[derive(Clone, Default)]
pub struct Line(Arc<Mutex<Option<Connected>>>);

/// What a fetch needs of a connection.
#[derive(Clone)]
struct Connected {
    client: Weak<Client>,
    https: Arc<dyn HttpClient>,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Line(up: {})", self.lock().is_some())
    }
}

impl Line {
    /// There is a connection, logged in.
    pub(crate) fn up(&self, client: &Arc<Client>, https: Arc<dyn HttpClient>) {
        *self.lock() = Some(Connected { client: Arc::downgrade(client), https });
    }

    /// There is none.
    pub(crate) fn down(&self) {
        *self.lock() = None;
    }

    /// The connection, if there is one, and what asks the media hosts on it.
    pub(crate) fn connection(&self) -> Option<(Arc<Client>, Arc<dyn HttpClient>)> {
        let Connected { client, https } = self.lock().clone()?;
        Some((client.upgrade()?, https))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Connected>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The library's hook.
pub(crate) struct ToInbox(pub(crate) Inbox);

#[async_trait]
impl InboundDurabilityHook for ToInbox {
    async fn on_messages(
        &self,
        client: Arc<Client>,
        batch: &[InboundMessage],
    ) -> anyhow::Result<()> {
        let own_device = client.pn().map(|jid| jid.device);
        let mut letters = Vec::with_capacity(batch.len());
        for InboundMessage { message, info, .. } in batch {
            let source = &info.source;
            // Our own sends are no news, should the server ever bring one back.
            let ours = source.is_from_me && Some(source.sender.device) == own_device;
            if !ours && letters::is_wanted(info) {
                let parties = named(&client, Parties::of(info)).await;
                letters.extend(letters::letter(message, info, &parties));
            }
        }
        self.keep(letters).await
    }
}

impl ToInbox {
    async fn keep(&self, letters: Vec<Letter>) -> anyhow::Result<()> {
        if letters.is_empty() {
            return Ok(());
        }
        let count = letters.len();
        match self.0.put(letters, now_millis()).await {
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
    Parties { chat, sender }
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
