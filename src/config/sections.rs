//! The configuration's sections, as they hold once they are checked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::{ClientVersion, HoldBattery, Level, Links, OnConflict, OnRateLimit};
use ipnet::IpNet;

/// `[state]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateConfig {
    /// `dir`: the state directory. One account, one daemon, one directory.
    pub dir: PathBuf,
    /// `key_file`: what the session's secrets are encrypted with. None: they lie plain.
    pub key_file: Option<PathBuf>,
}

/// `[socket]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketConfig {
    /// `path`: the control socket.
    pub path: PathBuf,
    /// `group_read`: whose members may look. None: no group.
    pub group_read: Option<String>,
    /// `group_send`: whose members may also send. None: no group.
    pub group_send: Option<String>,
    /// `group_admin`: whose members may do everything. None: no group.
    pub group_admin: Option<String>,
}

/// `[queue]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueConfig {
    /// `capacity`: places for messages that wait or are on their way.
    pub capacity: usize,
    /// `parked_max`: places for messages set aside with a reason.
    pub parked_max: usize,
    /// `history_max`: finished messages that stay readable.
    pub history_max: usize,
    /// `history_age`: how long finished messages stay readable.
    pub history_age: Duration,
    /// `undo`: how long withdrawn messages can be brought back; nothing: not at all.
    pub undo: Duration,
    /// `confirm_after`: a backlog that was held for so long leaves after a word only.
    /// None: without one.
    pub confirm_after: Option<Duration>,
}

/// `[pacing]`: at most `messages` attempts in any `window`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacingConfig {
    /// `messages`: attempts in one window.
    pub messages: usize,
    /// `window`: the window's length.
    pub window: Duration,
    /// `on_rate_limit`: what to do when the server asks to slow down.
    pub on_rate_limit: OnRateLimit,
    /// `slow_first`: the first pause then.
    pub slow_first: Duration,
    /// `slow_cap`: the longest one.
    pub slow_cap: Duration,
}

/// `[preflight]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreflightConfig {
    /// `numbers`: whether a message waits until the network has said that its recipient is
    /// there.
    pub numbers: bool,
    /// `yes_for`: how long a yes of the network counts.
    pub yes_for: Duration,
    /// `no_for`: how long a no does.
    pub no_for: Duration,
    /// `check_every`: the least time between two questions, but for a few at once.
    pub check_every: Duration,
    /// `links`: what becomes of a text with a link that leads nowhere.
    pub links: Links,
}

/// `[session]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// `endpoint`: the server's websocket, `wss://`.
    pub endpoint: String,
    /// `ca_file`: a PEM file with the only certificate authorities to trust.
    /// None: the system's, or Mozilla's where the system has none.
    pub ca_file: Option<PathBuf>,
    /// `client_version`: which WhatsApp Web the session says it is.
    pub client_version: ClientVersion,
    /// `device_name`: the name in the phone's list of linked devices.
    pub device_name: String,
    /// `connect_timeout`: name resolution, TCP, TLS and websocket together; not the login.
    pub connect_timeout: Duration,
    /// `send_timeout`: building, encrypting and writing one message.
    pub send_timeout: Duration,
    /// `ack_timeout`: how long the server's answer may take before a message is `unknown`.
    pub ack_timeout: Duration,
    /// `backoff_first`: the longest wait before the second try to connect.
    pub backoff_first: Duration,
    /// `backoff_cap`: the longest wait between two tries.
    pub backoff_cap: Duration,
    /// `on_conflict`: what to do when another session took over.
    pub on_conflict: OnConflict,
    /// `takeover_after`: how long at least before the session is taken back by itself.
    pub takeover_after: Duration,
    /// `takeovers_per_hour`: how often at most.
    pub takeovers_per_hour: usize,
}

/// `[files]`. All in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesConfig {
    /// `quota`: all files of messages that wait, together.
    pub quota: u64,
    /// `image_max`: the largest image.
    pub image_max: u64,
    /// `video_max`: the largest video.
    pub video_max: u64,
    /// `audio_max`: the largest audio file or voice message.
    pub audio_max: u64,
    /// `document_max`: the largest document.
    pub document_max: u64,
}

/// `[fetch]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchConfig {
    /// `allow_http`: files may come unencrypted.
    pub allow_http: bool,
    /// `allow_addresses`: networks besides the public ones.
    pub allow_addresses: Vec<IpNet>,
    /// `ca_file`: a PEM file with the only authorities to trust. None: the system's.
    pub ca_file: Option<PathBuf>,
    /// `retry_pause`: before the second try; the one before the third is four times as long.
    pub retry_pause: Duration,
}

/// `[phone]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhoneConfig {
    /// `hold_when_offline`: whether messages wait while the phone is offline.
    pub hold_when_offline: bool,
    /// `hold_when_battery`: at which battery they wait.
    pub hold_when_battery: HoldBattery,
    /// `silent_after`: how old the last sign of life may be.
    pub silent_after: Duration,
    /// `ask_after`: how long a message's copy may stay unconfirmed by the phone.
    pub ask_after: Duration,
    /// `offline_after`: how long the phone may leave a question unanswered.
    pub offline_after: Duration,
    /// `battery_low`: low at or below so many percent.
    pub battery_low: usize,
    /// `battery_critical`: critical at or below so many percent.
    pub battery_critical: usize,
    /// `battery_stale_after`: how old a report may be to go by.
    pub battery_stale_after: Duration,
}

/// `[inbox]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxConfig {
    /// `max`: incoming messages that are kept; 0: none are taken.
    pub max: usize,
    /// `max_age`: how long they are kept.
    pub max_age: Duration,
    /// `file_max`: the largest file that is fetched for a caller, in bytes.
    pub file_max: u64,
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// `level`: of the whole daemon.
    pub level: Level,
    /// `library`: of the protocol library, whose records may name people.
    pub library: Level,
    /// `[log.modules]`: other levels for single modules (`store`, `daemon::server`).
    pub modules: BTreeMap<String, Level>,
}
