//! Marks incoming messages as read, on the connection that there is. Bounded in time; whether
//! the server took note of it is not known, and to repeat it does no harm.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::timeout;
use whatsapp_rust::types::message::AddressingMode;
use whatsapp_rust::wacore_binary::JidExt as _;
use whatsapp_rust::{Client, Jid};

use super::CurrentConnection;
use tetherd_api::Incoming;

/// All receipts of one request.
const MARK_TIMEOUT: Duration = Duration::from_secs(20);

/// There is no connection, or it did not take all of them.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("not marked as read")]
pub struct NotMarked;

impl CurrentConnection {
    /// Tells the server that these have been read.
    pub(crate) async fn mark_read(&self, messages: &[Incoming]) -> Result<(), NotMarked> {
        let (client, _) = self.get().ok_or(NotMarked)?;
        let marking = mark(&client, messages);
        timeout(MARK_TIMEOUT, marking).await.map_err(|_| NotMarked)?
    }
}

/// One receipt for each chat and sender.
async fn mark(client: &Client, messages: &[Incoming]) -> Result<(), NotMarked> {
    let mut by_sender: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for message in messages {
        let parties = (message.chat.0.as_str(), message.sender.0.as_str());
        by_sender.entry(parties).or_default().push(&message.wa_id);
    }
    let by_lid = client.is_lid_migrated().await;
    for ((chat, sender), ids) in by_sender {
        let chat: Jid = chat.parse().map_err(|_| NotMarked)?;
        let sender: Jid = sender.parse().map_err(|_| NotMarked)?;
        let (chat, sender) = if chat.is_group() {
            let sender = member(client, &chat, sender).await;
            (chat, Some(sender))
        } else if by_lid {
            (named(client, chat).await, None)
        } else {
            (chat, None)
        };
        client.mark_as_read(&chat, sender.as_ref(), &ids).await.map_err(|_| NotMarked)?;
    }
    Ok(())
}

/// As the group names its members. The library remembers what a group is like.
async fn member(client: &Client, group: &Jid, sender: Jid) -> Jid {
    match client.groups().query_info(group).await {
        Ok(info) if info.addressing_mode == AddressingMode::Pn => sender,
        Ok(_) | Err(_) => named(client, sender).await,
    }
}

/// By the LID, where it is known: the message came from it.
async fn named(client: &Client, jid: Jid) -> Jid {
    if !jid.is_pn() {
        return jid;
    }
    match client.get_lid_pn_entry(&jid).await {
        Ok(Some(entry)) => Jid::lid(entry.lid.to_string()),
        Ok(None) | Err(_) => jid,
    }
}
