//! A message. The rules of which state follows which are in [`super::transitions`].

use crate::account_names::AccountNames;
use crate::action::Refresh;
use crate::draft::Draft;
use crate::files::{LinkWarning, MediaRef};
use crate::ids::ChatId;
use crate::server_codes::{INVALID_STANZA, STALE_GROUP};
use tetherd_api::{MessageId, Reason, ReasonKind, Redacted, State};

/// A message as the core knows it. Its text is in the store only: the core never reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Our id.
    pub id: MessageId,
    /// What is to be sent.
    pub draft: Draft,
    /// The chat whose order it keeps: that of its recipient under the name that all of the
    /// person's names share. Never stored: it follows from what is known about people.
    pub chat: ChatId,
    /// Where its attempts go instead: the network has another address for the number.
    pub address: Option<ChatId>,
    /// Whether a check of its links was begun: only a command repeats it, since a link may
    /// work once.
    pub links_asked: bool,
    /// Whether it was sent again by itself because a token of its recipient had come: once.
    pub token_retried: bool,
    /// Whose it is, if another account is linked than the one that it was accepted for.
    pub account: Option<AccountNames>,
    /// A link in its text that it is sent with all the same.
    pub link_warning: Option<LinkWarning>,
    /// The text's length in characters.
    pub chars: usize,
    /// The text's beginning, for lists.
    pub preview: Redacted<String>,
    /// Where it stands.
    pub state: MessageState,
    /// Its place in the order of sending; greater is later. A retried one gets a new place.
    pub order: u64,
    /// Attempts made so far.
    pub attempts: u32,
    /// Wall milliseconds.
    pub accepted_at: i64,
    /// When its state, or the reason for it, last changed, wall milliseconds.
    pub changed_at: i64,
    /// When its state last changed, in milliseconds of uptime: its age is counted from this.
    pub changed_uptime_ms: u64,
}

/// Where a message stands, with what is valid there only. `transitions` has the
/// ways from one to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageState {
    /// Its file is being fetched, or its links are being checked.
    Preparing(Pending),
    /// It waits for its turn.
    Queued(Pending, Tries),
    /// An attempt is under way.
    Sending(Pending, Tries),
    /// The last attempt has no answer, so one of them may have reached the server.
    Unknown {
        /// Its file on the media host.
        media: Option<MediaRef>,
        /// Attempts that came to nothing.
        tries: Tries,
    },
    /// It waits for an operator.
    Parked(Parked),
    /// The server has it.
    Sent {
        /// Wall milliseconds.
        sent_at: i64,
    },
    /// A recipient's device has it.
    Delivered {
        /// Wall milliseconds.
        sent_at: i64,
        /// Wall milliseconds.
        delivered_at: i64,
    },
    /// The recipient has seen it.
    Read {
        /// Wall milliseconds.
        sent_at: i64,
        /// Wall milliseconds.
        delivered_at: i64,
        /// Wall milliseconds.
        read_at: i64,
    },
    /// It was given up.
    Failed {
        /// Why.
        reason: Reason,
    },
    /// `expires_at` has passed.
    Expired {
        /// Why no attempt succeeded, if one was made: it may have left then.
        reason: Option<Reason>,
    },
    /// It was withdrawn.
    Cancelled {
        /// How it comes back, as long as it can.
        undo: Option<Undo>,
    },
}

/// What every message has that can still be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// Its file on the network's media host, once it is there.
    pub media: Option<MediaRef>,
    /// Whether an attempt may have reached the server without an answer.
    pub maybe_out: bool,
}

/// Attempts that came to nothing since the message was accepted or retried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tries {
    /// Without an answer, or failed in passing.
    pub streak: u32,
    /// Answered with "too many" by the server.
    pub limited: u32,
    /// The refusal after which another attempt is made: one at most.
    pub resent: Option<u32>,
    /// Whether an attempt reached none of the recipient's devices.
    pub reached_nobody: bool,
}

/// A message that waits for an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// Why.
    pub reason: Reason,
    /// What it still has.
    pub pending: Pending,
}

/// What a cancelled message was, so that it can be restored. It keeps its order all the
/// while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undo {
    /// Until when, in milliseconds of uptime.
    pub until_uptime_ms: u64,
    /// Where it stood.
    pub before: Withdrawn,
}

/// The states from which a message can be cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Withdrawn {
    /// From [`MessageState::Preparing`].
    Preparing(Pending),
    /// From [`MessageState::Queued`].
    Queued(Pending, Tries),
    /// From [`MessageState::Parked`].
    Parked(Parked),
}

/// Why a message without an answer waits, or has ended.
static NO_ANSWER: Reason =
    Reason { kind: ReasonKind::NoAnswer, code: None, detail: None, url: None };

impl Message {
    /// Where it stands, without what is valid there only.
    pub fn state(&self) -> State {
        match &self.state {
            MessageState::Preparing(_) => State::Preparing,
            MessageState::Queued(..) => State::Queued,
            MessageState::Sending(..) => State::Sending,
            MessageState::Unknown { .. } => State::Unknown,
            MessageState::Parked(_) => State::Parked,
            MessageState::Sent { .. } => State::Sent,
            MessageState::Delivered { .. } => State::Delivered,
            MessageState::Read { .. } => State::Read,
            MessageState::Failed { .. } => State::Failed,
            MessageState::Expired { .. } => State::Expired,
            MessageState::Cancelled { .. } => State::Cancelled,
        }
    }

    /// Why it is unknown, parked, failed or expired.
    pub fn reason(&self) -> Option<&Reason> {
        match &self.state {
            MessageState::Unknown { .. } => Some(&NO_ANSWER),
            MessageState::Parked(Parked { reason, .. }) | MessageState::Failed { reason } => {
                Some(reason)
            }
            MessageState::Expired { reason } => reason.as_ref(),
            MessageState::Preparing(_)
            | MessageState::Queued(..)
            | MessageState::Sending(..)
            | MessageState::Sent { .. }
            | MessageState::Delivered { .. }
            | MessageState::Read { .. }
            | MessageState::Cancelled { .. } => None,
        }
    }

    /// How it is restored, while it is cancelled and can be.
    pub fn undo(&self) -> Option<&Undo> {
        match &self.state {
            MessageState::Cancelled { undo } => undo.as_ref(),
            MessageState::Preparing(_)
            | MessageState::Queued(..)
            | MessageState::Sending(..)
            | MessageState::Unknown { .. }
            | MessageState::Parked(_)
            | MessageState::Sent { .. }
            | MessageState::Delivered { .. }
            | MessageState::Read { .. }
            | MessageState::Failed { .. }
            | MessageState::Expired { .. } => None,
        }
    }

    /// Its file on the media host, while it can still be sent.
    pub fn media(&self) -> Option<&MediaRef> {
        match &self.state {
            MessageState::Preparing(pending)
            | MessageState::Queued(pending, _)
            | MessageState::Sending(pending, _)
            | MessageState::Parked(Parked { pending, .. }) => pending.media.as_ref(),
            MessageState::Unknown { media, .. } => media.as_ref(),
            MessageState::Cancelled { undo } => undo.as_ref()?.before.pending().media.as_ref(),
            MessageState::Sent { .. }
            | MessageState::Delivered { .. }
            | MessageState::Read { .. }
            | MessageState::Failed { .. }
            | MessageState::Expired { .. } => None,
        }
    }

    /// When the server, a recipient's device and the recipient had it, wall milliseconds.
    pub fn reached_at(&self) -> [Option<i64>; 3] {
        match self.state {
            MessageState::Sent { sent_at } => [Some(sent_at), None, None],
            MessageState::Delivered { sent_at, delivered_at } => {
                [Some(sent_at), Some(delivered_at), None]
            }
            MessageState::Read { sent_at, delivered_at, read_at } => {
                [Some(sent_at), Some(delivered_at), Some(read_at)]
            }
            MessageState::Preparing(_)
            | MessageState::Queued(..)
            | MessageState::Sending(..)
            | MessageState::Unknown { .. }
            | MessageState::Parked(_)
            | MessageState::Failed { .. }
            | MessageState::Expired { .. }
            | MessageState::Cancelled { .. } => [None; 3],
        }
    }

    /// Whether the server has it.
    pub fn is_sent(&self) -> bool {
        self.reached_at()[0].is_some()
    }

    /// Whether it must not be sent any more at this time, or not as it is.
    pub fn is_past_deadline(&self, wall_ms: i64) -> bool {
        self.draft.deadline().is_some_and(|at| at <= wall_ms)
    }

    /// Whether it is parked for this reason.
    pub fn is_parked_for(&self, kind: ReasonKind) -> bool {
        matches!(&self.state, MessageState::Parked(parked) if parked.reason.kind == kind)
    }

    /// Whether its last attempts reached none of the recipient's devices: that our own phone
    /// has a copy of one says nothing.
    pub fn reached_nobody(&self) -> bool {
        if let MessageState::Queued(_, tries)
        | MessageState::Sending(_, tries)
        | MessageState::Unknown { tries, .. }
        | MessageState::Cancelled {
            undo: Some(Undo { before: Withdrawn::Queued(_, tries), .. }),
        } = &self.state
        {
            return tries.reached_nobody;
        }
        let reason = self.reason().or_else(|| self.undo()?.before.reason());
        reason.is_some_and(|reason| reason.kind == ReasonKind::NoDevice)
    }

    /// What its next attempt must not take from a cache.
    pub(super) fn refresh(&self) -> Refresh {
        let MessageState::Sending(_, tries) = &self.state else { return Refresh::default() };
        Refresh {
            devices: tries.reached_nobody || tries.resent == Some(INVALID_STANZA),
            group: tries.resent == Some(STALE_GROUP),
        }
    }

    /// Whether it still needs its file: until it is sent, or will never be. One that was
    /// cancelled needs it while it can be restored.
    pub fn needs_file(&self) -> bool {
        self.state().is_live() || self.undo().is_some()
    }

    /// Whether nothing of it can be under way.
    pub fn can_be_cancelled(&self) -> bool {
        matches!(
            self.state,
            MessageState::Preparing(_) | MessageState::Queued(..) | MessageState::Parked(_)
        )
    }
}

impl Withdrawn {
    /// Where the message stood.
    pub fn state(&self) -> State {
        match self {
            Withdrawn::Preparing(_) => State::Preparing,
            Withdrawn::Queued(..) => State::Queued,
            Withdrawn::Parked(_) => State::Parked,
        }
    }

    /// Why it was parked.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Withdrawn::Preparing(_) | Withdrawn::Queued(..) => None,
            Withdrawn::Parked(parked) => Some(&parked.reason),
        }
    }

    /// What it still has.
    pub fn pending(&self) -> &Pending {
        match self {
            Withdrawn::Preparing(pending)
            | Withdrawn::Queued(pending, _)
            | Withdrawn::Parked(Parked { pending, .. }) => pending,
        }
    }
}

impl From<Withdrawn> for MessageState {
    fn from(before: Withdrawn) -> MessageState {
        match before {
            Withdrawn::Preparing(pending) => MessageState::Preparing(pending),
            Withdrawn::Queued(pending, tries) => MessageState::Queued(pending, tries),
            Withdrawn::Parked(parked) => MessageState::Parked(parked),
        }
    }
}
