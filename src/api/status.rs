//! The daemon as callers see it: session, queue, pacer, and the conditions that are the case.

use serde::{Deserialize, Serialize};

use super::{Condition, FeedId, PhoneStatus, Redacted, Time};

/// Where the session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// No phone is paired, and no pairing runs.
    NotPaired,
    /// A pairing runs.
    Pairing,
    /// A pairing runs, and the phone asks for a passkey.
    PasskeyNeeded,
    /// A connection is being made.
    Connecting,
    /// Logged in: messages can leave.
    Connected,
    /// Waiting before the next try.
    Waiting,
    /// Another session took over.
    Replaced,
    /// Logged out.
    LoggedOut,
    /// The account is locked.
    Locked,
    /// Banned, and nothing says that it ends.
    BannedForGood,
    /// Banned for a time.
    Banned,
    /// This client's version is refused.
    Outdated,
    /// The login is refused for what it is.
    Declined,
}

impl SessionState {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            SessionState::NotPaired => "not_paired",
            SessionState::Pairing => "pairing",
            SessionState::PasskeyNeeded => "passkey_needed",
            SessionState::Connecting => "connecting",
            SessionState::Connected => "connected",
            SessionState::Waiting => "waiting",
            SessionState::Replaced => "replaced",
            SessionState::LoggedOut => "logged_out",
            SessionState::Locked => "locked",
            SessionState::BannedForGood => "banned_for_good",
            SessionState::Banned => "banned",
            SessionState::Outdated => "outdated",
            SessionState::Declined => "declined",
        }
    }
}

/// The session's part of `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionStatus {
    /// Where it stands.
    pub state: SessionState,
    /// Since when.
    pub since: Time,
    /// The paired account's JID, without its device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Redacted<String>>,
    /// Why the last connection ended, or why the session stands still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// When the next try is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try_at: Option<Time>,
    /// Connections since the daemon started.
    pub connections: u64,
    /// How often another session took over since the daemon started.
    pub replaced: u64,
    /// How often it did in the last hour.
    #[serde(default)]
    pub replaced_last_hour: u64,
    /// When the session is taken back by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takeover_at: Option<Time>,
    /// Until when messages to new contacts wait because the server refuses them;
    /// existing chats and groups go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timelock_until: Option<Time>,
}

/// The queue's part of `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QueueStatus {
    /// Places in all.
    pub capacity: usize,
    /// Places left.
    pub free: usize,
    /// Waiting for a file or a link.
    #[serde(default)]
    pub preparing: usize,
    /// Waiting.
    pub queued: usize,
    /// On their way.
    pub sending: usize,
    /// Without an answer.
    pub unknown: usize,
    /// Parked.
    pub parked: usize,
    /// Finished messages that are still readable.
    pub history: usize,
    /// Whether somebody paused the queue.
    pub paused: bool,
    /// When the next message leaves, if nothing but the pacer holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_send_at: Option<Time>,
    /// When the last waiting message will have left at this pace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_send_at: Option<Time>,
}

/// The pacer's part of `status`: at most `limit` attempts in any `window_ms`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PacingStatus {
    /// Attempts allowed in one window.
    pub limit: usize,
    /// How many of them are kept for messages of high priority.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reserve: usize,
    /// The window's length, in milliseconds.
    pub window_ms: u64,
    /// Slots spent in the window that ends now.
    pub spent: usize,
    /// When the next slot becomes free, if none is now; one that is kept for high priority is
    /// not. Outside the sending hours: at their beginning, or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_slot_at: Option<Time>,
    /// When the sending hours begin, if it is outside them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<Time>,
    /// Until when nothing leaves because the server asked to slow down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slowed_until: Option<Time>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The store's part of `status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StoreStatus {
    /// Whether the session's secrets lie there encrypted.
    pub sealed: bool,
    /// Records that were damaged and quarantined when it was opened.
    pub quarantined: usize,
    /// The changes feed, as `events.subscribe` names it. It has another name after each start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed: Option<FeedId>,
}

/// Answer of `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Status {
    /// When the daemon started.
    pub started_at: Time,
    /// The session.
    pub session: SessionStatus,
    /// The queue.
    pub queue: QueueStatus,
    /// The pacer.
    pub pacing: PacingStatus,
    /// The store.
    #[serde(default)]
    pub store: StoreStatus,
    /// The phone.
    #[serde(default)]
    pub phone: PhoneStatus,
    /// What is the case, the weightiest first; in an event, as it was then.
    pub conditions: Vec<Condition>,
}

/// Answer of `explain`: why messages wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Explanation {
    /// One sentence.
    pub summary: String,
    /// Messages waiting or in flight.
    pub waiting: usize,
    /// When the next message leaves; absent while that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_send_at: Option<Time>,
    /// When the last one will have left at this pace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_send_at: Option<Time>,
    /// Every condition: those that are the case first, the weightiest of them first, then
    /// the others.
    pub conditions: Vec<Condition>,
}

/// Answer of `version`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Version {
    /// Always `tetherd`.
    pub name: String,
    /// The daemon's version.
    pub version: String,
    /// The git revision that it was built from, `-dirty` at its end if the sources were
    /// changed after it; absent if the build knew none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The contract's version.
    pub protocol: u32,
    /// Whether this is a build with the simulator, which connects to loopback only.
    pub sim: bool,
}
