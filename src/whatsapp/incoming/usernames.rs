//! Usernames that message stanzas state, which the library does not report: read from the stanza
//! before the library has read it, and kept until the message comes to the inbox. Bounded; one
//! that is lost costs a name that people know the sender by, never a message.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use whatsapp_rust::types::events::{Event, EventHandler, EventInterest, EventKind};
use whatsapp_rust::types::message::MessageInfo;
use whatsapp_rust::wacore_binary::NodeRef;
use whatsapp_rust::{Jid, Server};

use tetherd_api::Redacted;
use tetherd_api::number::is_username;

/// Messages of one connection whose username is kept; one more, and the oldest one's goes. The
/// server delivers what waited in batches of 200.
const KEPT_MAX: usize = 1_024;
/// The longest id of a message whose username is kept.
const ID_BYTES_MAX: usize = 128;

/// What a message stanza states about a person's username.
pub(crate) struct StatedUsername {
    /// The message's id.
    id: String,
    /// The account or person that sent it, without the device.
    sender: Jid,
    /// With its at sign: the sender's, or, of what our own account wrote to somebody, theirs.
    pub(crate) username: Redacted<String>,
    /// Who wrote it to us, in a chat of two under the LID.
    pub(crate) writer: Option<Jid>,
}

impl StatedUsername {
    /// The attributes are those that WhatsApp Web reads (WAWebHandleMsgParser; Baileys,
    /// decode-wa-message.ts).
    pub(crate) fn of(message: &NodeRef<'_>) -> Option<StatedUsername> {
        if message.tag.as_ref() != "message" {
            return None;
        }
        let mut attrs = message.attrs();
        let from = attrs.optional_jid("from")?;
        let member = attrs.optional_jid("participant");
        let names: &[&str] = if member.is_some() {
            &["participant_username"]
        } else if attrs.optional_jid("recipient").is_some() {
            &["peer_recipient_username", "recipient_username"]
        } else {
            &["username"]
        };
        let stated = names.iter().find_map(|name| message.get_attr(name))?;
        let username = Some(stated.as_str()).filter(|name| is_username(name))?;
        let writes = names == ["username"] && from.server == Server::Lid;
        let id = message.get_attr("id")?.as_str().into_owned();
        (id.len() <= ID_BYTES_MAX).then(|| StatedUsername {
            id,
            sender: member.as_ref().unwrap_or(&from).to_non_ad(),
            username: Redacted(format!("@{username}")),
            writer: writes.then(|| from.to_non_ad()),
        })
    }

    fn is_of(&self, info: &MessageInfo) -> bool {
        self.id == info.id && self.sender == info.source.sender.to_non_ad()
    }
}

/// The usernames of messages that are under way to the inbox, the oldest first.
#[derive(Default)]
pub(crate) struct StatedUsernames(Mutex<VecDeque<StatedUsername>>);

impl StatedUsernames {
    fn keep(&self, stated: StatedUsername) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A message that the server delivers again.
        kept.retain(|other| (&other.id, &other.sender) != (&stated.id, &stated.sender));
        if kept.len() >= KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(stated);
    }

    /// The username that this message's stanza stated, once.
    pub(crate) fn take(&self, info: &MessageInfo) -> Option<Redacted<String>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|stated| stated.is_of(info))?;
        kept.remove(at).map(|stated| stated.username)
    }
}

impl EventHandler for StatedUsernames {
    fn handle_event(&self, event: Arc<Event>) {
        if let Event::RawNode(node) = &*event
            && let Some(stated) = StatedUsername::of(node.get())
        {
            self.keep(stated);
        }
    }

    fn interest(&self) -> EventInterest {
        EventInterest::of(&[EventKind::RawNode])
    }
}
