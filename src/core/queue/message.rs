//! A message. The rules of which state follows which are in [`super::transitions`].

use std::fmt;

use crate::files::{LinkWarning, MediaRef, Source, StoredFile};
use crate::ids::{ChatId, Digest, WaMessageId};
use tetherd_api::{Kind, LinkPreview, MessageId, Priority, Reason, ReasonKind, State};

/// A message as the core knows it and the store keeps it. The body lies beside it
/// in the store; the core never reads it.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Our id.
    pub id: MessageId,
    /// The network's id.
    pub wa_id: WaMessageId,
    /// The chat.
    pub to: ChatId,
    /// What it carries.
    pub kind: Kind,
    /// Its file in the spool.
    pub file: Option<StoredFile>,
    /// Its file on the network's media host, once it is there.
    pub media: Option<MediaRef>,
    /// Where its file comes from, if it was to be fetched.
    pub source: Option<Source>,
    /// Whether its text has links.
    pub has_links: bool,
    /// A link in its text that it is sent with all the same.
    pub link_warning: Option<LinkWarning>,
    /// What is shown for a link in its text.
    pub link: Option<LinkPreview>,
    /// Which of those that wait goes first.
    pub priority: Priority,
    /// Not sent before this, wall milliseconds.
    pub not_before: Option<i64>,
    /// Never sent after this, wall milliseconds.
    pub expires_at: Option<i64>,
    /// The caller's idempotency key.
    pub key: Option<String>,
    /// What the key stands for.
    pub digest: Digest,
    /// The text's length in characters.
    pub chars: usize,
    /// The text's beginning, for lists. Redacted by [`Preview`]'s `Debug`.
    pub preview: Preview,
    /// Where it stands.
    pub state: State,
    /// Why it is parked, failed or unknown.
    pub reason: Option<Reason>,
    /// While cancelled: how it is brought back.
    pub undo: Option<Undo>,
    /// Its place in the order of sending; greater is later. A retried one gets a new place.
    pub order: u64,
    /// Attempts made so far.
    pub attempts: u32,
    /// Those of them since it was accepted or retried that came to nothing.
    pub streak: u32,
    /// Whether an attempt may have reached the server without an answer.
    pub maybe_out: bool,
    /// How often the server answered it with "too many" since it was accepted or retried.
    pub limited: u32,
    /// Wall milliseconds.
    pub accepted_at: i64,
    /// Wall milliseconds.
    pub changed_at: i64,
    /// When that was, in milliseconds of uptime: what its age is counted from.
    pub changed_uptime_ms: u64,
    /// Wall milliseconds.
    pub sent_at: Option<i64>,
    /// Wall milliseconds.
    pub delivered_at: Option<i64>,
    /// Wall milliseconds.
    pub read_at: Option<i64>,
}

/// What a cancelled message was, so that it can be brought back. It keeps its order all
/// the while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undo {
    /// Until when, in milliseconds of uptime.
    pub until_uptime_ms: u64,
    /// Where it stood.
    pub state: State,
    /// Why.
    pub reason: Option<Reason>,
}

impl Undo {
    /// Whether it was set aside for want of an answer.
    pub fn is_unanswered(&self) -> bool {
        self.reason.as_ref().is_some_and(|reason| reason.kind == ReasonKind::NoAnswer)
    }
}

/// Whether a cancelled message can be brought back, so that all of it has to stay.
pub fn is_restorable(message: &Message) -> bool {
    message.state == State::Cancelled && message.undo.is_some()
}

/// The beginning of a text. `Debug` shows its length only.
#[derive(Clone, PartialEq, Eq)]
pub struct Preview(pub String);

impl fmt::Debug for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Preview({} bytes)", self.0.len())
    }
}
