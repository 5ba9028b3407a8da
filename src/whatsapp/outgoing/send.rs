//! One message: gated, bounded in time, answered exactly once. Says what is known
//! about a failure: that certainly nothing left, or that it may have.
//!
//! What makes a second try safe: the library stores the Signal session's counters
//! ahead of use and flushes that before a frame leaves, so a crash skips keys and never
//! uses one twice. It needs a backend whose writes are on disk when they return. What somebody's
//! message changes of a chat's keys it writes a moment later, and takes for written when it
//! encrypts: a message that left in between, and a kill, would leave the other side's next message
//! unreadable. So a send writes first what is not on disk, which is mostly nothing.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};
use whatsapp_rust::anyhow;
use whatsapp_rust::client::ClientError;
use whatsapp_rust::socket::error::{EncryptSendError, EncryptSendErrorKind, SocketError};
use whatsapp_rust::store::persistence_manager::PersistenceManager;
use whatsapp_rust::types::message::AddressingMode;
use whatsapp_rust::wacore::store::error::StoreError;
use whatsapp_rust::wacore_binary::JidExt;
use whatsapp_rust::{Client, ErrorChainExt, Freshness, Jid, SendError, SendOptions};

use crate::whatsapp::events::translate::Me;
use crate::whatsapp::outgoing::about::Names;
use crate::whatsapp::outgoing::mentions::{self, Mention};
use crate::whatsapp::outgoing::sent_stanzas::SentStanzas;
use crate::whatsapp::outgoing::{content, group_keys};
use tetherd_core::action::Outgoing;
use tetherd_core::event::{Body, NotSent, SessionEvent};

/// How one attempt came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Written,
    NotSent(NotSent),
    CutOff,
}

impl Outcome {
    /// The report about this attempt.
    pub(crate) fn report(self, out: &Outgoing) -> SessionEvent {
        let (id, attempt) = (out.id, out.attempt);
        match self {
            Outcome::Written => SessionEvent::Written { id, attempt },
            Outcome::NotSent(why) => SessionEvent::NotSent { id, attempt, why },
            Outcome::CutOff => SessionEvent::CutOff { id, attempt },
        }
    }
}

/// A connection's client, and what it keeps.
pub(crate) struct Sender {
    pub(crate) client: Arc<Client>,
    pub(crate) manager: Arc<PersistenceManager>,
    pub(crate) stanzas: Arc<SentStanzas>,
}

/// Sends. The caller has seen that the connection is ready.
async fn send(sender: &Sender, out: &Outgoing, body: &Body, limit: Duration) -> Outcome {
    let client = &sender.client;
    let Ok(to) = out.draft.to.as_str().parse::<Jid>() else {
        return Outcome::NotSent(NotSent::Unsendable);
    };
    let deadline = Instant::now() + limit;
    let names = match timeout_at(deadline, names(client, &to, out)).await {
        Ok(Ok(names)) => names,
        Ok(Err(why)) => return Outcome::NotSent(why),
        Err(_) => return Outcome::NotSent(NotSent::Passing),
    };
    let body = &mentions::renamed(body, &names.mentions);
    let Some(message) = content::message(out, body, &names) else {
        return Outcome::NotSent(NotSent::Unsendable);
    };
    if !to.is_group() && !out.refresh.devices {
        match timeout_at(deadline, check_device(client, &to)).await {
            Ok(Ok(())) => {}
            Ok(Err(why)) => return Outcome::NotSent(why),
            Err(_) => return Outcome::NotSent(NotSent::Passing),
        }
    }
    if to.is_group() && out.attempt.0 > 1 && give_keys_again(sender, &to).await.is_err() {
        return Outcome::NotSent(NotSent::Passing);
    }
    let freshness = |fresh| if fresh { Freshness::Refresh } else { Freshness::CachePreferred };
    let options = SendOptions::default()
        .with_message_id(&out.draft.wa_id.0)
        .with_device_freshness(freshness(out.refresh.devices))
        .with_group_metadata_freshness(freshness(out.refresh.group));
    let Ok(holders) = holders_before(sender, &to).await else {
        return Outcome::NotSent(NotSent::Passing);
    };
    // As late as can be: what comes in from here on is not covered.
    match timeout_at(deadline, client.flush_pending_signal_state()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::error!(%error, "the keys of chats are not written");
            return Outcome::NotSent(NotSent::Passing);
        }
        Err(_) => return Outcome::NotSent(NotSent::Passing),
    }
    sender.stanzas.watch(client, &out.draft.wa_id.0, &to, Me::of(&sender.manager));
    let sending = client.send_message_with_options(to.clone(), message, options);
    match timeout_at(deadline, sending).await {
        Ok(Ok(_)) => written(sender, out, &to, &holders).await,
        Ok(Err(error)) => classify(&error),
        // Cancelled somewhere between its preparation and the flush.
        Err(_) => Outcome::CutOff,
    }
}

async fn holders_before(sender: &Sender, to: &Jid) -> Result<HashSet<String>, StoreError> {
    if to.is_group() { group_keys::holders(&sender.manager, to).await } else { Ok(HashSet::new()) }
}

/// The frame is out. What it was for, the library does not say.
async fn written(sender: &Sender, out: &Outgoing, to: &Jid, holders: &HashSet<String>) -> Outcome {
    let Some(left) = sender.stanzas.left(&out.draft.wa_id.0) else { return Outcome::Written };
    if !left.reaches {
        return Outcome::NotSent(NotSent::NoDevice);
    }
    if to.is_group() {
        let unmarked = group_keys::unmark_missed(&sender.manager, to, holders, &left.devices);
        if let Err(error) = unmarked.await {
            tracing::warn!(%error, "who did not get a group's key is not noted");
        }
    }
    Outcome::Written
}

/// How the chat names this account and the author of what the message is about: in a group
/// whose members are hidden identities, by these. A group is asked about only for a message
/// that names somebody; the library remembers the answer for the send.
async fn names(client: &Client, chat: &Jid, out: &Outgoing) -> Result<Names, NotSent> {
    let pn = client.pn().ok_or(NotSent::NotConnected)?.to_non_ad();
    let sender = out.draft.target.as_ref().and_then(|target| target.sender.as_ref());
    let sender = match sender.map(|sender| sender.as_str().parse::<Jid>()).transpose() {
        Ok(sender) => sender,
        Err(_) => return Err(NotSent::Unsendable),
    };
    let mentions: Vec<Mention> = out.draft.mentions.iter().map(Mention::new).collect();
    let mut names = Names { chat: chat.clone(), own: pn, sender, mentions };
    if !chat.is_group() || (out.draft.target.is_none() && names.mentions.is_empty()) {
        return Ok(names);
    }
    let group = client.groups().query_info(chat).await;
    let group = group.map_err(|error| before_the_frame(&error))?;
    if group.addressing_mode == AddressingMode::Lid {
        names.own = client.lid().map_or(names.own, |lid| lid.to_non_ad());
        if let Some(sender) = names.sender.as_mut().filter(|sender| sender.is_pn())
            && let Ok(Some(entry)) = client.get_lid_pn_entry(sender).await
        {
            *sender = Jid::lid(entry.lid.to_string());
        }
    }
    for mention in std::mem::take(&mut names.mentions) {
        names.mentions.push(mention.in_group(group.addressing_mode, client).await);
    }
    Ok(names)
}

/// Somebody must be there to encrypt to. The library would send a message to nobody
/// as a copy for our own phone only, and the server would take that. It remembers the
/// devices of a recipient, so this asks the server no more often than the send would.
async fn check_device(client: &Client, to: &Jid) -> Result<(), NotSent> {
    let bare = to.to_non_ad();
    match client.signal().get_user_devices(std::slice::from_ref(&bare)).await {
        Ok(devices) if devices.is_empty() => Err(NotSent::NoDevice),
        Ok(_) => Ok(()),
        Err(error) => Err(before_the_frame(&error)),
    }
}

/// The library notes who holds this device's key of a group when the frame is written.
/// If an earlier frame was lost with its connection, or with this process, nobody has
/// what it carried: everybody is given the key anew.
async fn give_keys_again(sender: &Sender, group: &Jid) -> Result<(), StoreError> {
    sender.manager.clear_sender_key_devices(&group.to_string()).await
}

/// What a failure means for the frame. The library hands the frame over as the last
/// step that can fail, so everything that is not about handing over came before it.
fn classify(error: &SendError) -> Outcome {
    match error {
        SendError::Client(error) => classify_client(error),
        SendError::NotLoggedIn => Outcome::NotSent(NotSent::NotConnected),
        SendError::InvalidRequest(_) => Outcome::NotSent(NotSent::Unsendable),
        SendError::Iq(_) => Outcome::NotSent(before_the_frame(error)),
        SendError::Internal(inner) if says_no_device(inner) => Outcome::NotSent(NotSent::NoDevice),
        SendError::Internal(_) => Outcome::NotSent(before_the_frame(error)),
        // A kind that did not exist when this was written: the safe answer.
        _ => Outcome::CutOff,
    }
}

fn classify_client(error: &ClientError) -> Outcome {
    match error {
        ClientError::NotConnected | ClientError::NotLoggedIn => {
            Outcome::NotSent(NotSent::NotConnected)
        }
        ClientError::EncryptSend(error) => handing_over(error),
        ClientError::Socket(error) => match error {
            SocketError::Marshal(_) => Outcome::NotSent(NotSent::Unsendable),
            SocketError::SocketClosed => Outcome::NotSent(NotSent::NotConnected),
            SocketError::Io(_) | SocketError::Cipher(_) => Outcome::CutOff,
            _ => Outcome::CutOff,
        },
        ClientError::Iq(_) | ClientError::Internal(_) => Outcome::NotSent(before_the_frame(error)),
        _ => Outcome::CutOff,
    }
}

/// The frame was handed to the sender of the connection.
fn handing_over(error: &EncryptSendError) -> Outcome {
    match error.kind {
        // Refused before any byte: the line had broken earlier.
        EncryptSendErrorKind::Poisoned => Outcome::NotSent(NotSent::NotConnected),
        EncryptSendErrorKind::Crypto | EncryptSendErrorKind::Framing => {
            Outcome::NotSent(NotSent::Passing)
        }
        EncryptSendErrorKind::Transport
        | EncryptSendErrorKind::Join
        | EncryptSendErrorKind::ChannelClosed => Outcome::CutOff,
        _ => Outcome::CutOff,
    }
}

fn before_the_frame<E: std::error::Error + 'static>(error: &E) -> NotSent {
    if error.is_transport_unavailable() {
        return NotSent::NotConnected;
    }
    match error.server_rejection() {
        Some(rejection) if rejection.code == RATE_LIMITED => NotSent::RateLimited,
        Some(rejection) if is_final(rejection.code) => NotSent::Unsendable,
        Some(_) | None => NotSent::Passing,
    }
}

/// Too many requests.
const RATE_LIMITED: u16 = 429;

/// Whether asking again would be answered the same: a group that is not there, or that
/// this account is not in. Too many requests and a timeout (408) pass.
fn is_final(code: u16) -> bool {
    (400..500).contains(&code) && code != 408 && code != RATE_LIMITED
}

/// The library has no type for it. A text of it that changes costs a retry, not a loss.
fn says_no_device(error: &anyhow::Error) -> bool {
    let text = error.to_string();
    text.starts_with("encryption failed for all") && text.contains("recipient device")
}

/// Sends when one of the permits is free. Closed permits: the connection has ended.
pub(crate) async fn in_turn(
    sender: Sender,
    permits: Arc<Semaphore>,
    out: Outgoing,
    body: Body,
    limit: Duration,
) -> Outcome {
    match timeout(limit, permits.acquire_owned()).await {
        Ok(Ok(_permit)) => send(&sender, &out, &body, limit).await,
        Ok(Err(_)) => Outcome::NotSent(NotSent::NotConnected),
        Err(_) => Outcome::NotSent(NotSent::Passing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handed_over(error: EncryptSendError) -> Outcome {
        classify(&SendError::Client(ClientError::EncryptSend(error)))
    }

    #[test]
    fn a_frame_that_met_a_broken_line_may_have_left() {
        assert_eq!(handed_over(EncryptSendError::transport(anyhow::anyhow!("x"))), Outcome::CutOff);
        assert_eq!(handed_over(EncryptSendError::channel_closed()), Outcome::CutOff);
        assert_eq!(handed_over(EncryptSendError::join(anyhow::anyhow!("x"))), Outcome::CutOff);
    }

    #[test]
    fn a_frame_that_was_refused_before_the_line_did_not_leave() {
        let not_connected = Outcome::NotSent(NotSent::NotConnected);
        assert_eq!(handed_over(EncryptSendError::poisoned()), not_connected);
        assert_eq!(classify(&SendError::Client(ClientError::NotConnected)), not_connected);
        assert_eq!(classify(&SendError::NotLoggedIn), not_connected);
        let passing = Outcome::NotSent(NotSent::Passing);
        assert_eq!(handed_over(EncryptSendError::framing(anyhow::anyhow!("x"))), passing);
    }

    #[test]
    fn what_fails_in_preparation_did_not_leave() {
        let invalid = SendError::InvalidRequest("x".into());
        assert_eq!(classify(&invalid), Outcome::NotSent(NotSent::Unsendable));
        let timed_out = SendError::Iq(whatsapp_rust::IqError::Timeout);
        assert_eq!(classify(&timed_out), Outcome::NotSent(NotSent::Passing));
        let gone = SendError::Iq(whatsapp_rust::IqError::NotConnected);
        assert_eq!(classify(&gone), Outcome::NotSent(NotSent::NotConnected));
        let store = SendError::Internal(anyhow::anyhow!("the disk"));
        assert_eq!(classify(&store), Outcome::NotSent(NotSent::Passing));
    }

    #[test]
    fn nobody_to_encrypt_to_is_told_from_a_failure() {
        let nobody = anyhow::anyhow!("encryption failed for all 1 recipient device(s)");
        assert_eq!(classify(&SendError::Internal(nobody)), Outcome::NotSent(NotSent::NoDevice));
    }
}
