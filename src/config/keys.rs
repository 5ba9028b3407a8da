//! Every key of the configuration: its name, its limits, how it is read and written,
//! and whether a running daemon takes a new value over. One table, so that the reader,
//! `check-config`, reloading and the example cannot disagree.

use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use super::fetching::{links, networks, write_networks};
use super::value::{
    ClientVersion, DURATION_REMEDY, Level, Links, OnConflict, OnRateLimit, did_you_mean,
};
use super::value::{SIZE_REMEDY, format_duration, format_size, parse_duration, parse_size};
use super::{Config, HoldBattery};
use crate::fetch::guard::Network;

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
/// Shortest `takeover_after`: sooner is a fight with whoever took over. Against the
/// simulator, which is all that such a build connects to, it may be a second.
pub const TAKEOVER_AFTER_MIN: Duration =
    if cfg!(feature = "sim") { Duration::from_secs(1) } else { Duration::from_secs(60) };
/// Largest quota of all files that wait: 1 TiB.
pub const FILES_QUOTA_MAX: u64 = 1 << 40;
/// Largest file: the network takes no larger ones.
pub const FILE_BYTES_MAX: u64 = 2 << 30;
/// Longest name of a device or group, in characters.
pub const NAME_CHARS_MAX: usize = 64;

/// Longest `retry_pause`: the message's chat waits for it.
pub const RETRY_PAUSE_MAX: Duration = Duration::from_secs(60);
/// What stands for no duration at all.
const OFF: &str = "off";
/// A full battery.
const PERCENT_MAX: usize = 100;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// The modules that `[log.modules]` can name; `store::commit` names a part of one.
pub const LOG_MODULES: [&str; 11] = [
    "config", "core", "ctl", "daemon", "fetch", "inbox", "rpc", "sim", "spool", "store", "whatsapp",
];

/// A value that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// What is wrong with it, to stand after the key's name: `must be a whole number`.
    pub what: String,
    /// What to write instead.
    pub remedy: String,
}

impl Wrong {
    pub(super) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Wrong { what: what.into(), remedy: remedy.into() }
    }
}

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
    key!(fetch.allow_addresses, false, networks, |v: &Vec<Network>| write_networks(v)),
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
        |v| count(v, 0, crate::core::TAKEOVERS_PER_HOUR_MAX),
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

pub(super) fn quoted(value: impl std::fmt::Display) -> String {
    toml::Value::String(value.to_string()).to_string()
}

fn write_path(path: &std::path::Path) -> String {
    quoted(path.display())
}

fn write_optional_path(path: &Option<PathBuf>) -> String {
    path.as_deref().map_or_else(|| quoted(""), write_path)
}

fn write_text(text: &str) -> String {
    quoted(text)
}

fn write_group(group: &Option<String>) -> String {
    quoted(group.as_deref().unwrap_or(""))
}

fn write_count(count: &usize) -> String {
    count.to_string()
}

fn write_size(bytes: &u64) -> String {
    quoted(format_size(*bytes))
}

fn write_duration(duration: &Duration) -> String {
    quoted(format_duration(*duration))
}

fn write_duration_or_off(duration: &Duration) -> String {
    if duration.is_zero() { quoted(OFF) } else { write_duration(duration) }
}

pub(super) fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

pub(super) fn text<'v>(value: &'v DeValue<'_>) -> Result<&'v str, Wrong> {
    value.as_str().ok_or_else(|| {
        Wrong::new(format!("must be a text, not {}.", type_name(value)), "Put it in quotes.")
    })
}

fn count(value: &DeValue<'_>, min: usize, max: usize) -> Result<usize, Wrong> {
    let Some(integer) = value.as_integer() else {
        return Err(Wrong::new(
            format!("must be a whole number, not {}.", type_name(value)),
            format!("Write a number from {min} to {max}, without quotes."),
        ));
    };
    usize::from_str_radix(integer.as_str(), integer.radix())
        .ok()
        .filter(|number| (min..=max).contains(number))
        .ok_or_else(|| {
            let what = format!("is {integer}, which is out of range.");
            Wrong::new(what, format!("Write a number from {min} to {max}."))
        })
}

fn duration(value: &DeValue<'_>, min: Duration, max: Duration) -> Result<Duration, Wrong> {
    let Some(text) = value.as_str() else {
        return Err(Wrong::new(
            format!("must be a duration, not {}.", type_name(value)),
            DURATION_REMEDY,
        ));
    };
    let read = parse_duration(text)
        .map_err(|_| Wrong::new(format!("is {text:?}, which is no duration."), DURATION_REMEDY))?;
    if read < min || read > max {
        let limits = (format_duration(min), format_duration(max));
        return Err(Wrong::new(
            format!("is {text:?}, which is out of range."),
            format!("Write a duration from {:?} to {:?}.", limits.0, limits.1),
        ));
    }
    Ok(read)
}

fn size(value: &DeValue<'_>, max: u64) -> Result<u64, Wrong> {
    let Some(text) = value.as_str() else {
        let what = format!("must be a size, not {}.", type_name(value));
        return Err(Wrong::new(what, SIZE_REMEDY));
    };
    let read = parse_size(text)
        .map_err(|_| Wrong::new(format!("is {text:?}, which is no size."), SIZE_REMEDY))?;
    if read > max {
        let remedy = format!("Write a size up to {:?}; \"0B\" takes none.", format_size(max));
        return Err(Wrong::new(format!("is {text:?}, which is out of range."), remedy));
    }
    Ok(read)
}

/// A duration, none of which is written as a word.
fn duration_or_off(value: &DeValue<'_>, max: Duration) -> Result<Duration, Wrong> {
    if value.as_str() == Some(OFF) {
        Ok(Duration::ZERO)
    } else {
        duration(value, Duration::ZERO, max)
    }
}

/// A duration, or "off".
fn or_off(value: &DeValue<'_>, min: Duration, max: Duration) -> Result<Option<Duration>, Wrong> {
    if value.as_str() == Some("off") { Ok(None) } else { duration(value, min, max).map(Some) }
}

fn write_or_off(duration: &Option<Duration>) -> String {
    duration.as_ref().map_or_else(|| quoted("off"), write_duration)
}

fn switch(value: &DeValue<'_>) -> Result<bool, Wrong> {
    value.as_bool().ok_or_else(|| {
        let what = format!("must be true or false, not {}.", type_name(value));
        Wrong::new(what, "Write true or false, without quotes.")
    })
}

fn write_switch(switch: &bool) -> String {
    switch.to_string()
}

fn hold_battery(value: &DeValue<'_>) -> Result<HoldBattery, Wrong> {
    let name = text(value)?;
    HoldBattery::ALL.into_iter().find(|level| level.name() == name).ok_or_else(|| {
        let names = HoldBattery::ALL.map(|level| format!("{:?}", level.name()));
        let what = format!("is {name:?}, which is none of them.");
        Wrong::new(what, format!("Write one of {}.", names.join(", ")))
    })
}

fn absolute_path(value: &DeValue<'_>) -> Result<PathBuf, Wrong> {
    let path = PathBuf::from(text(value)?);
    if path.is_absolute() {
        return Ok(path);
    }
    Err(Wrong::new(
        "must be an absolute path.",
        "Write it from / on; ~ and variables are not expanded.",
    ))
}

fn socket_path(value: &DeValue<'_>) -> Result<PathBuf, Wrong> {
    /// What fits into `sockaddr_un` with its closing zero.
    const SOCKET_PATH_BYTES_MAX: usize = 107;
    let path = absolute_path(value)?;
    if path.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
        let what = format!("is longer than {SOCKET_PATH_BYTES_MAX} bytes.");
        return Err(Wrong::new(what, "The kernel allows no longer path for a socket: shorten it."));
    }
    Ok(path)
}

fn optional_path(value: &DeValue<'_>) -> Result<Option<PathBuf>, Wrong> {
    if text(value)?.is_empty() { Ok(None) } else { absolute_path(value).map(Some) }
}

fn group(value: &DeValue<'_>) -> Result<Option<String>, Wrong> {
    let name = text(value)?;
    if name.is_empty() {
        return Ok(None);
    }
    let fits = |c: char| c.is_ascii_graphic() && c != ':' && c != ',';
    if name.len() > NAME_CHARS_MAX || !name.chars().all(fits) {
        return Err(Wrong::new(
            format!("is {name:?}, which is no name of a group."),
            "Write a name from /etc/group, or \"\" for none.",
        ));
    }
    Ok(Some(name.to_owned()))
}

fn device_name(value: &DeValue<'_>) -> Result<String, Wrong> {
    let name = text(value)?;
    let length = name.chars().count();
    if length == 0 || length > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(Wrong::new(
            "must be 1 to 64 printable characters.",
            "It is the name in the phone's list of linked devices, such as \"tetherd\".",
        ));
    }
    Ok(name.to_owned())
}

fn endpoint(value: &DeValue<'_>) -> Result<String, Wrong> {
    let url = text(value)?;
    let host = url.strip_prefix("wss://").map(|rest| rest.split(['/', '?']).next().unwrap_or(""));
    let printable = url.chars().all(|c| c.is_ascii_graphic());
    match host {
        Some(host) if !host.is_empty() && !host.contains('@') && printable => Ok(url.to_owned()),
        Some(_) | None => Err(Wrong::new(
            format!("is {url:?}, which is no wss:// address."),
            "Leave it out to use the network's own.",
        )),
    }
}

fn client_version(value: &DeValue<'_>) -> Result<ClientVersion, Wrong> {
    let text = text(value)?;
    text.parse().map_err(|_| {
        let what = format!("is {text:?}, which is no client version.");
        Wrong::new(
            what,
            "Write three numbers with dots between them, such as \"2.3000.1042742319\".",
        )
    })
}

/// One of the names of a policy.
fn policy<T: Copy>(
    value: &DeValue<'_>,
    all: &[T],
    name: fn(T) -> &'static str,
) -> Result<T, Wrong> {
    let text = text(value)?;
    all.iter().copied().find(|policy| name(*policy) == text).ok_or_else(|| {
        let names: Vec<String> = all.iter().map(|policy| format!("{:?}", name(*policy))).collect();
        let what = format!("is {text:?}, which is no policy.");
        Wrong::new(what, format!("Write {}.", names.join(" or ")))
    })
}

fn on_conflict(value: &DeValue<'_>) -> Result<OnConflict, Wrong> {
    policy(value, &OnConflict::ALL, OnConflict::name)
}

fn on_rate_limit(value: &DeValue<'_>) -> Result<OnRateLimit, Wrong> {
    policy(value, &OnRateLimit::ALL, OnRateLimit::name)
}

/// Reads a log level.
pub(super) fn level(value: &DeValue<'_>) -> Result<Level, Wrong> {
    let text = text(value)?;
    Level::find(text).ok_or_else(|| {
        let names = Level::ALL.map(Level::name);
        let hint = match did_you_mean(text, names) {
            Some(name) => format!("Did you mean {name:?}? "),
            None => String::new(),
        };
        let what = format!("is {text:?}, which is no log level.");
        Wrong::new(what, format!("{hint}There are {}.", names.join(", ")))
    })
}
