//! Every key of the configuration: its name, its limits, how it is read and written,
//! and whether a running daemon takes a new value over. One table, so that the reader,
//! `check-config`, reloading and the example cannot disagree.

use std::time::Duration;

use toml::de::DeValue;

use super::fetching::{links, networks, write_networks};
pub use super::readers::Wrong;
use super::readers::{
    absolute_path, client_version, count, device_name, duration, duration_or_off, endpoint, group,
    hold_battery, level, on_conflict, on_rate_limit, optional_path, or_off, quoted, size,
    socket_path, switch, write_count, write_duration, write_duration_or_off, write_group,
    write_optional_path, write_or_off, write_path, write_size, write_switch, write_text,
};
use super::value::{ClientVersion, Level, Links, OnConflict, OnRateLimit};
use super::{Config, HoldBattery};
use ipnet::IpNet;

/// What the network is known to tolerate: this many messages ...
pub const TOLERATED_MESSAGES: usize = 5;
/// ... in any span of this length.
pub const TOLERATED_WINDOW: Duration = Duration::from_secs(120);

/// Most places in the queue. At the default pace this many take more than a day to
/// leave; a longer queue only hides that something holds it.
pub const CAPACITY_MAX: usize = 4_000;
/// Most parked messages.
pub const PARKED_MAX: usize = 10_000;
/// Most finished messages kept.
pub const HISTORY_MAX: usize = 100_000;
/// Most incoming messages kept.
pub const INBOX_MAX: usize = 100_000;
/// The largest file that may be fetched, in bytes.
pub const INBOX_FILE_MAX: u64 = 2 << 30;
/// Most slots in a window: each is kept on disk.
pub const PACING_MESSAGES_MAX: usize = 60;
/// Shortest window: below it, pacing is no pacing.
pub const PACING_WINDOW_MIN: Duration = Duration::from_secs(1);
/// Shortest time between two questions about numbers: for tests.
pub const CHECK_EVERY_MIN: Duration = Duration::from_millis(10);
/// Longest `connect_timeout`: with the login after it, a try must end before the core
/// gives it up.
pub const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(25);
/// Longest `send_timeout`: the session must give up before the core does.
pub const SEND_TIMEOUT_MAX: Duration = Duration::from_secs(60);
/// Shortest `takeover_after`: sooner is a fight with whoever took over.
pub const TAKEOVER_AFTER_MIN_NETWORK: Duration = Duration::from_secs(60);
/// The same in this build. Against the simulator, which is all that a build with it
/// connects to, it may be a second.
pub const TAKEOVER_AFTER_MIN: Duration =
    if cfg!(feature = "sim") { Duration::from_secs(1) } else { TAKEOVER_AFTER_MIN_NETWORK };
/// Largest quota of all files that wait: 1 TiB.
pub const FILES_QUOTA_MAX: u64 = 1 << 40;
/// Largest file: the network takes no larger ones.
pub const FILE_BYTES_MAX: u64 = 2 << 30;
/// Longest name of a device or group, in characters.
pub const NAME_CHARS_MAX: usize = 64;

/// Longest `retry_pause`: the message's chat waits for it.
pub const RETRY_PAUSE_MAX: Duration = Duration::from_secs(60);
/// A full battery.
const PERCENT_MAX: usize = 100;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// The modules that `[log.modules]` can name; `store::commit` names a part of one.
pub const LOG_MODULES: [&str; 11] = [
    "config", "core", "ctl", "daemon", "fetch", "inbox", "rpc", "sim", "spool", "store", "whatsapp",
];

/// One key.
#[derive(Debug)]
pub struct Key {
    /// Section and name, with a dot between them.
    pub path: &'static str,
    /// Whether a running daemon takes over a new value on SIGHUP.
    pub reloads: bool,
    /// Reads a value into the configuration.
    pub set: fn(&mut Config, &DeValue<'_>) -> Result<(), Wrong>,
    /// Writes the value as it stands in a file.
    pub get: fn(&Config) -> String,
}

impl Key {
    /// The section's name.
    pub fn section(&self) -> &'static str {
        self.path.split_once('.').map_or("", |(section, _)| section)
    }

    /// The key's name in its section.
    pub fn name(&self) -> &'static str {
        self.path.split_once('.').map_or(self.path, |(_, name)| name)
    }
}

macro_rules! key {
    ($section:ident . $name:ident, $reloads:expr, $read:expr, $write:expr) => {
        Key {
            path: concat!(stringify!($section), ".", stringify!($name)),
            reloads: $reloads,
            set: |config, value| {
                config.$section.$name = $read(value)?;
                Ok(())
            },
            get: |config| $write(&config.$section.$name),
        }
    };
}

/// Every key, in the order of the example.
pub static KEYS: &[Key] = &[
    key!(state.dir, false, absolute_path, write_path),
    key!(state.key_file, false, optional_path, write_optional_path),
    key!(socket.path, false, socket_path, write_path),
    key!(socket.group_read, false, group, write_group),
    key!(socket.group_send, false, group, write_group),
    key!(socket.group_admin, false, group, write_group),
    key!(queue.capacity, true, |v| count(v, 1, CAPACITY_MAX), write_count),
    key!(queue.parked_max, true, |v| count(v, 1, PARKED_MAX), write_count),
    key!(queue.history_max, true, |v| count(v, 0, HISTORY_MAX), write_count),
    key!(queue.history_age, true, |v| duration(v, HOUR, 365 * DAY), write_duration),
    key!(queue.undo, true, |v| duration_or_off(v, DAY), write_duration_or_off),
    key!(queue.confirm_after, true, |v| or_off(v, SECOND, 30 * DAY), write_or_off),
    key!(pacing.messages, true, |v| count(v, 1, PACING_MESSAGES_MAX), write_count),
    key!(pacing.window, true, |v| duration(v, PACING_WINDOW_MIN, DAY), write_duration),
    key!(pacing.on_rate_limit, true, on_rate_limit, |v: &OnRateLimit| quoted(v.name())),
    key!(pacing.slow_first, true, |v| duration(v, SECOND, HOUR), write_duration),
    key!(pacing.slow_cap, true, |v| duration(v, SECOND, DAY), write_duration),
    key!(preflight.numbers, true, switch, write_switch),
    key!(preflight.yes_for, true, |v| duration(v, SECOND, 365 * DAY), write_duration),
    key!(preflight.no_for, true, |v| duration(v, SECOND, 365 * DAY), write_duration),
    key!(preflight.check_every, true, |v| duration(v, CHECK_EVERY_MIN, HOUR), write_duration),
    key!(preflight.links, true, links, |v: &Links| quoted(v.name())),
    key!(files.quota, false, |v| size(v, FILES_QUOTA_MAX), write_size),
    key!(files.image_max, false, |v| size(v, FILE_BYTES_MAX), write_size),
    key!(files.video_max, false, |v| size(v, FILE_BYTES_MAX), write_size),
    key!(files.audio_max, false, |v| size(v, FILE_BYTES_MAX), write_size),
    key!(files.document_max, false, |v| size(v, FILE_BYTES_MAX), write_size),
    key!(fetch.allow_http, false, switch, write_switch),
    key!(fetch.allow_addresses, false, networks, |v: &Vec<IpNet>| write_networks(v)),
    key!(fetch.ca_file, false, optional_path, write_optional_path),
    key!(fetch.retry_pause, true, |v| duration(v, SECOND / 10, RETRY_PAUSE_MAX), write_duration),
    key!(session.endpoint, false, endpoint, write_text),
    key!(session.ca_file, false, optional_path, write_optional_path),
    key!(session.client_version, false, client_version, |v: &ClientVersion| quoted(v)),
    key!(session.device_name, false, device_name, write_text),
    key!(
        session.connect_timeout,
        false,
        |v| duration(v, SECOND, CONNECT_TIMEOUT_MAX),
        write_duration
    ),
    key!(session.send_timeout, false, |v| duration(v, SECOND, SEND_TIMEOUT_MAX), write_duration),
    key!(session.ack_timeout, true, |v| duration(v, SECOND, HOUR), write_duration),
    key!(session.backoff_first, true, |v| duration(v, SECOND / 10, HOUR), write_duration),
    key!(session.backoff_cap, true, |v| duration(v, SECOND, DAY), write_duration),
    key!(session.on_conflict, true, on_conflict, |v: &OnConflict| quoted(v.name())),
    key!(session.takeover_after, true, |v| duration(v, TAKEOVER_AFTER_MIN, DAY), write_duration),
    key!(
        session.takeovers_per_hour,
        true,
        |v| count(v, 0, tetherd_core::TAKEOVERS_PER_HOUR_MAX),
        write_count
    ),
    key!(phone.hold_when_offline, true, switch, write_switch),
    key!(phone.hold_when_battery, true, hold_battery, |v: &HoldBattery| quoted(v.name())),
    key!(phone.silent_after, true, |v| duration(v, SECOND, DAY), write_duration),
    key!(phone.ask_after, true, |v| duration(v, SECOND, HOUR), write_duration),
    key!(phone.offline_after, true, |v| duration(v, SECOND, DAY), write_duration),
    key!(phone.battery_low, true, |v| count(v, 0, PERCENT_MAX), write_count),
    key!(phone.battery_critical, true, |v| count(v, 0, PERCENT_MAX), write_count),
    key!(phone.battery_stale_after, true, |v| duration(v, SECOND, DAY), write_duration),
    key!(inbox.max, true, |v| count(v, 0, INBOX_MAX), write_count),
    key!(inbox.max_age, true, |v| duration(v, HOUR, 365 * DAY), write_duration),
    key!(inbox.file_max, true, |v| size(v, INBOX_FILE_MAX), write_size),
    key!(log.level, true, level, |v: &Level| quoted(v)),
    key!(log.library, true, level, |v: &Level| quoted(v)),
];

/// The sections, in the order of the example.
pub const SECTIONS: [&str; 11] = [
    "state",
    "socket",
    "queue",
    "pacing",
    "preflight",
    "files",
    "fetch",
    "session",
    "phone",
    "inbox",
    "log",
];
