//! The configuration of the core. Checked for sense by the config room.

use serde::{Deserialize, Serialize};

use crate::contacts::ContactsConfig;
use crate::phone::PhoneConfig;

// What no key of the configuration says. The defaults of those that one does stand in the
// table of keys.

/// Attempts without an answer (or without leaving) before a message is parked.
pub const ATTEMPTS_MAX: u32 = 5;
/// How long an outcome may be unknown before the connection is replaced.
pub const UNKNOWN_RECONNECT_MS: u64 = 60_000;
/// How long a connection must hold for the pauses between attempts to start small again.
pub const STABLE_MS: u64 = 30_000;
/// After so long without a "too many" of the server the next pause is half as long again.
pub const SLOW_QUIET_MS: u64 = 30 * 60 * 1_000;
/// How long messages to new contacts wait when the server says that it refuses them and names
/// no end: a minute, as the official web client assumes. Each further time doubles it.
pub const TIMELOCK_FIRST_MS: u64 = 60 * 1_000;
/// How long at most: six hours. A try costs one refused message.
pub const TIMELOCK_CAP_MS: u64 = 6 * 60 * 60 * 1_000;

/// What to do when another session took over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// Wait for a command.
    Hold,
    /// Take the session back by itself.
    TakeoverAfter {
        /// After so long at the least, and a jitter.
        after_ms: u64,
    },
}

/// What to do when the server asks to slow down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnRateLimit {
    /// Pause for a while, longer each time.
    Slow,
    /// Pause the queue as well until somebody resumes it.
    Pause,
}

/// What becomes of a text with a link that leads nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkPolicy {
    /// It is parked.
    #[default]
    Park,
    /// It is sent, with a warning.
    Warn,
    /// Links are not looked at.
    Off,
}

/// Limits and times. All durations in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreConfig {
    /// Messages that wait or are in flight, at most.
    pub capacity: usize,
    /// Parked messages, at most; one more, and the oldest is given up.
    pub parked_max: usize,
    /// Finished messages that stay readable, at most.
    pub history_max: usize,
    /// How long a finished message stays readable.
    pub history_ms: u64,
    /// For how long a cancelled message can be brought back; 0: not at all.
    pub undo_ms: u64,
    /// Attempts in any window, at most.
    pub pace_limit: usize,
    /// How many of them only messages of high priority may make; fewer than that.
    pub pace_reserve: usize,
    /// Whether those leave outside the sending hours too.
    pub high_at_any_time: bool,
    /// The window's length.
    pub window_ms: u64,
    /// How long a written message waits for the server's answer before it is `unknown`.
    pub ack_timeout_ms: u64,
    /// How long the session may take to write one before it is `unknown`. The session
    /// has a shorter limit of its own; this one holds if that fails.
    pub write_timeout_ms: u64,
    /// How long an unknown message waits on a live connection before that connection is
    /// closed once, so that the next one resolves it.
    pub unknown_reconnect_ms: u64,
    /// Attempts in a row without an answer (or without leaving) before a message is parked.
    pub attempts_max: u32,
    /// The longest first pause, before the jitter.
    pub backoff_first_ms: u64,
    /// The longest pause of all.
    pub backoff_cap_ms: u64,
    /// How long a connection must hold for the pauses to start small again.
    pub stable_ms: u64,
    /// How long one try to connect may take. The session has a shorter limit of its own,
    /// and so for the next one; the shell sees to it.
    pub connect_timeout_ms: u64,
    /// How long one pairing may take.
    pub pairing_timeout_ms: u64,
    /// What is asked about numbers.
    pub contacts: ContactsConfig,
    /// What to do when another session took over.
    pub on_conflict: OnConflict,
    /// Automatic takeovers in any hour, at most.
    pub takeovers_per_hour: usize,
    /// What to do when the server asks to slow down.
    pub on_rate_limit: OnRateLimit,
    /// The first pause then.
    pub slow_first_ms: u64,
    /// The longest one.
    pub slow_cap_ms: u64,
    /// After so long without such an answer the next pause is half as long again.
    pub slow_quiet_ms: u64,
    /// How long messages to new contacts wait when the server names no end.
    pub timelock_first_ms: u64,
    /// How long at most.
    pub timelock_cap_ms: u64,
    /// What becomes of a text with a broken link.
    pub links: LinkPolicy,
    /// The pause before the second try at a file that could not be fetched.
    pub prepare_pause_ms: u64,
    /// How long a backlog may be held before it wants a confirmation; none: however long.
    pub confirm_after_ms: Option<u64>,
    /// What is done about the phone.
    pub phone: PhoneConfig,
    /// The version of the client that the session announces.
    pub client_version: String,
}

/// What tests begin with.
#[cfg(test)]
impl Default for CoreConfig {
    fn default() -> Self {
        CoreConfig {
            capacity: 400,
            parked_max: 400,
            history_max: 2_000,
            history_ms: 7 * 24 * 60 * 60 * 1_000,
            undo_ms: 10 * 60 * 1_000,
            pace_limit: 5,
            pace_reserve: 0,
            high_at_any_time: false,
            window_ms: 120_000,
            ack_timeout_ms: 20_000,
            write_timeout_ms: 90_000,
            unknown_reconnect_ms: UNKNOWN_RECONNECT_MS,
            attempts_max: ATTEMPTS_MAX,
            backoff_first_ms: 1_000,
            backoff_cap_ms: 300_000,
            stable_ms: STABLE_MS,
            connect_timeout_ms: 120_000,
            pairing_timeout_ms: 300_000,
            contacts: ContactsConfig::default(),
            on_conflict: OnConflict::Hold,
            takeovers_per_hour: 3,
            on_rate_limit: OnRateLimit::Slow,
            slow_first_ms: 120_000,
            slow_cap_ms: 3_600_000,
            slow_quiet_ms: SLOW_QUIET_MS,
            timelock_first_ms: TIMELOCK_FIRST_MS,
            timelock_cap_ms: TIMELOCK_CAP_MS,
            links: LinkPolicy::Park,
            prepare_pause_ms: 5_000,
            confirm_after_ms: None,
            phone: PhoneConfig::default(),
            client_version: "2.3000.1".to_owned(),
        }
    }
}
