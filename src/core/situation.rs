//! Everything that `explain` goes by, as plain data: taken from the core in one moment,
//! turned into causes by [`crate::causes`]. Names no chat, no number and no text.

use std::collections::{BTreeMap, BTreeSet};

use crate::time::ClockJump;
use tetherd_api::{MessageId, PhoneStatus, ReasonKind};

/// All times are wall milliseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Situation {
    pub(crate) now: i64,
    /// The daemon is going down, since then.
    pub(crate) draining_since: Option<i64>,
    /// Records that did not read when the store was opened.
    pub(crate) set_aside: usize,
    pub(crate) started_at: i64,
    pub(crate) session: Session,
    pub(crate) phone: Phone,
    pub(crate) paused_since: Option<i64>,
    /// A backlog that wants a confirmation: since when it waits for that.
    pub(crate) backlog_since: Option<i64>,
    pub(crate) timelock: Option<Timelock>,
    pub(crate) slowdown: Option<Slowdown>,
    pub(crate) clock_jump: Option<ClockJump>,
    /// Messages that still need an attempt, in the order of acceptance.
    pub(crate) waiting: Vec<MessageId>,
    /// Parked messages by their reason.
    pub(crate) parked: BTreeMap<ReasonKind, Group>,
    /// Waiting for the network's word on their number.
    pub(crate) unchecked: Group,
    /// Waiting for a file or a link.
    pub(crate) preparing: Group,
    /// Waiting for the upload of their file.
    pub(crate) uploading: Group,
    /// Without the server's answer.
    pub(crate) unanswered: Group,
    /// Not before their time.
    pub(crate) early: Group,
    /// When the first of those is due.
    pub(crate) early_due: Option<i64>,
    /// With a link that could not be checked.
    pub(crate) doubtful: Group,
    /// The server's refusals by code: how many, and the last.
    pub(crate) refusals: BTreeMap<u32, (u64, i64)>,
    pub(crate) pacing: Pacing,
}

/// Messages with something in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) ids: Vec<MessageId>,
    /// Since when the first of them.
    pub(crate) since: Option<i64>,
    /// What is said about them: codes and details, each once.
    pub(crate) details: BTreeSet<String>,
}

impl Group {
    /// Takes a message in.
    pub(crate) fn add(&mut self, id: MessageId, since: i64) {
        self.ids.push(id);
        self.since = Some(self.since.map_or(since, |first| first.min(since)));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

/// Where the session stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    /// No phone is paired, since then; whether a pairing runs.
    pub(crate) not_paired: Option<(i64, bool)>,
    /// Since when, and the server's code.
    pub(crate) logged_out: Option<(i64, Option<u32>)>,
    /// Since when, until when, and the server's code.
    pub(crate) banned: Option<(i64, i64, u32)>,
    /// Since when this client's version is refused.
    pub(crate) outdated: Option<i64>,
    /// Since when another session has taken over.
    pub(crate) replaced: Option<i64>,
    /// How often that was so in the last hour.
    pub(crate) replaced_last_hour: u64,
    /// When the session is taken back by itself, if nothing else happens.
    pub(crate) takeover_at: Option<i64>,
    /// Automatic takeovers have been used up until then.
    pub(crate) takeovers_used_up_until: Option<i64>,
    /// There should be a connection, and there is none.
    pub(crate) down: Option<Down>,
    /// Since when there is one.
    pub(crate) connected_since: Option<i64>,
}

/// A connection that should be there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Down {
    pub(crate) since: i64,
    /// Why the last one ended, a clause.
    pub(crate) detail: Option<String>,
    pub(crate) next_try: Option<i64>,
    /// Tries in a row that failed.
    pub(crate) tries: u32,
}

/// The phone, and what follows for the queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Phone {
    pub(crate) status: PhoneStatus,
    /// Whether the queue is held while the phone is away.
    pub(crate) offline_holds: bool,
    /// Whether the queue is held for the battery as it is.
    pub(crate) battery_holds: bool,
}

/// The server refuses messages to new contacts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timelock {
    pub(crate) since: i64,
    pub(crate) until: i64,
    /// Whether the server named that end.
    pub(crate) told: bool,
    /// Messages that wait for the end, the refused ones with them.
    pub(crate) ids: Vec<MessageId>,
}

/// The server asked to slow down.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Slowdown {
    pub(crate) since: i64,
    pub(crate) until: i64,
    pub(crate) code: Option<u32>,
}

/// What the pacer allows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pacing {
    pub(crate) limit: usize,
    pub(crate) window_ms: u64,
    pub(crate) spent: usize,
    /// When the last attempt was made.
    pub(crate) last_attempt: Option<i64>,
    /// When the next slot is free, if none is now.
    pub(crate) next_slot: Option<i64>,
    pub(crate) last_send: Option<i64>,
}
