//! What is to be sent, and to whom: the same from a caller's request over the queue to an
//! attempt. Plain data; its text lies in the store only.

use crate::files::{Source, SpooledFile};
use crate::ids::{ChatId, Digest, WaMessageId};
use tetherd_api::{Kind, LinkPreview, MessageId, Priority, Redacted};

/// A message that another one is about: that it answers, reacts to, edits or takes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its id on the network.
    pub wa_id: WaMessageId,
    /// Its own id, if it is one of ours.
    pub id: Option<MessageId>,
    /// Who sent it; none: this account.
    pub sender: Option<ChatId>,
    /// What it says, to be shown with an answer.
    pub quote: Option<Redacted<String>>,
}

/// A message as its caller wants it sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The network's id. Fresh and random, from the shell.
    pub wa_id: WaMessageId,
    /// The chat, normalised.
    pub to: ChatId,
    /// What it carries.
    pub kind: Kind,
    /// Its file in the spool.
    pub file: Option<SpooledFile>,
    /// Where its file is to be fetched, if it was not here.
    pub source: Option<Source>,
    /// Whether its text or caption has links to check; no more once somebody lets it through.
    pub has_links: bool,
    /// What is shown for a link in its text.
    pub link: Option<LinkPreview>,
    /// The message that it is about.
    pub target: Option<Target>,
    /// Persons whom its text mentions.
    pub mentions: Vec<ChatId>,
    /// Which of those that wait goes first.
    pub priority: Priority,
    /// Not sent before this, wall milliseconds.
    pub not_before: Option<i64>,
    /// Never sent after this, wall milliseconds.
    pub expires_at: Option<i64>,
    /// An edit that is a text of its own once the network takes no edit any more: until when it
    /// takes one, wall milliseconds.
    pub edit_until: Option<i64>,
    /// The caller's idempotency key.
    pub key: Option<Redacted<String>>,
    /// Over kind, recipient and content: two drafts with the same digest say the same.
    pub digest: Digest,
}

impl Draft {
    /// A text to somebody.
    pub fn text(to: ChatId, digest: Digest, wa_id: WaMessageId) -> Draft {
        Draft {
            wa_id,
            to,
            kind: Kind::Text,
            file: None,
            source: None,
            has_links: false,
            link: None,
            target: None,
            mentions: Vec::new(),
            priority: Priority::Normal,
            not_before: None,
            expires_at: None,
            edit_until: None,
            key: None,
            digest,
        }
    }
    /// After this it is not sent as it is, wall milliseconds.
    pub(crate) fn deadline(&self) -> Option<i64> {
        self.expires_at.into_iter().chain(self.edit_until).min()
    }
}
