//! How a value of each sort is read, with what is wrong with it, and written as it
//! stands in a file. Knows no key.

use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use super::HoldBattery;
use super::keys::NAME_CHARS_MAX;
use super::value::{ClientVersion, DURATION_REMEDY, Level, OnConflict, OnRateLimit, did_you_mean};
use super::value::{SIZE_REMEDY, format_duration, format_size, parse_duration, parse_size};

/// What stands for no duration at all.
const OFF: &str = "off";

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

pub(super) fn quoted(value: impl std::fmt::Display) -> String {
    toml::Value::String(value.to_string()).to_string()
}

pub(super) fn write_path(path: &std::path::Path) -> String {
    quoted(path.display())
}

pub(super) fn write_optional_path(path: &Option<PathBuf>) -> String {
    path.as_deref().map_or_else(|| quoted(""), write_path)
}

pub(super) fn write_text(text: &str) -> String {
    quoted(text)
}

pub(super) fn write_group(group: &Option<String>) -> String {
    quoted(group.as_deref().unwrap_or(""))
}

pub(super) fn write_count(count: &usize) -> String {
    count.to_string()
}

pub(super) fn write_size(bytes: &u64) -> String {
    quoted(format_size(*bytes))
}

pub(super) fn write_duration(duration: &Duration) -> String {
    quoted(format_duration(*duration))
}

pub(super) fn write_duration_or_off(duration: &Duration) -> String {
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

pub(super) fn count(value: &DeValue<'_>, min: usize, max: usize) -> Result<usize, Wrong> {
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

pub(super) fn duration(
    value: &DeValue<'_>,
    min: Duration,
    max: Duration,
) -> Result<Duration, Wrong> {
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

pub(super) fn size(value: &DeValue<'_>, max: u64) -> Result<u64, Wrong> {
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
pub(super) fn duration_or_off(value: &DeValue<'_>, max: Duration) -> Result<Duration, Wrong> {
    if value.as_str() == Some(OFF) {
        Ok(Duration::ZERO)
    } else {
        duration(value, Duration::ZERO, max)
    }
}

/// A duration, or "off".
pub(super) fn or_off(
    value: &DeValue<'_>,
    min: Duration,
    max: Duration,
) -> Result<Option<Duration>, Wrong> {
    if value.as_str() == Some("off") { Ok(None) } else { duration(value, min, max).map(Some) }
}

pub(super) fn write_or_off(duration: &Option<Duration>) -> String {
    duration.as_ref().map_or_else(|| quoted("off"), write_duration)
}

pub(super) fn switch(value: &DeValue<'_>) -> Result<bool, Wrong> {
    value.as_bool().ok_or_else(|| {
        let what = format!("must be true or false, not {}.", type_name(value));
        Wrong::new(what, "Write true or false, without quotes.")
    })
}

pub(super) fn write_switch(switch: &bool) -> String {
    switch.to_string()
}

pub(super) fn hold_battery(value: &DeValue<'_>) -> Result<HoldBattery, Wrong> {
    let name = text(value)?;
    HoldBattery::ALL.into_iter().find(|level| level.name() == name).ok_or_else(|| {
        let names = HoldBattery::ALL.map(|level| format!("{:?}", level.name()));
        let what = format!("is {name:?}, which is none of them.");
        Wrong::new(what, format!("Write one of {}.", names.join(", ")))
    })
}

pub(super) fn absolute_path(value: &DeValue<'_>) -> Result<PathBuf, Wrong> {
    let path = PathBuf::from(text(value)?);
    if path.is_absolute() {
        return Ok(path);
    }
    Err(Wrong::new(
        "must be an absolute path.",
        "Write it from / on; ~ and variables are not expanded.",
    ))
}

pub(super) fn socket_path(value: &DeValue<'_>) -> Result<PathBuf, Wrong> {
    /// What fits into `sockaddr_un` with its closing zero.
    const SOCKET_PATH_BYTES_MAX: usize = 107;
    let path = absolute_path(value)?;
    if path.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
        let what = format!("is longer than {SOCKET_PATH_BYTES_MAX} bytes.");
        return Err(Wrong::new(what, "The kernel allows no longer path for a socket: shorten it."));
    }
    Ok(path)
}

pub(super) fn optional_path(value: &DeValue<'_>) -> Result<Option<PathBuf>, Wrong> {
    if text(value)?.is_empty() { Ok(None) } else { absolute_path(value).map(Some) }
}

pub(super) fn group(value: &DeValue<'_>) -> Result<Option<String>, Wrong> {
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

pub(super) fn device_name(value: &DeValue<'_>) -> Result<String, Wrong> {
    let name = text(value)?;
    let length = name.chars().count();
    if length == 0 || length > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(Wrong::new(
            "is no name of a device.",
            "Write 1 to 64 printable characters; it is the name in the phone's list of linked \
             devices.",
        ));
    }
    Ok(name.to_owned())
}

pub(super) fn endpoint(value: &DeValue<'_>) -> Result<String, Wrong> {
    let url = text(value)?;
    let host = url.strip_prefix("wss://").map(|rest| rest.split(['/', '?']).next().unwrap_or(""));
    let printable = url.chars().all(|c| c.is_ascii_graphic());
    match host {
        Some(host) if !host.is_empty() && !host.contains('@') && printable => Ok(url.to_owned()),
        Some(_) | None => Err(Wrong::new(
            format!("is {url:?}, which is no wss:// address."),
            "Write an address that begins with wss://; leave it out to use the network's own.",
        )),
    }
}

pub(super) fn client_version(value: &DeValue<'_>) -> Result<ClientVersion, Wrong> {
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
pub(super) fn policy<T: Copy>(
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

pub(super) fn on_conflict(value: &DeValue<'_>) -> Result<OnConflict, Wrong> {
    policy(value, &OnConflict::ALL, OnConflict::name)
}

pub(super) fn on_rate_limit(value: &DeValue<'_>) -> Result<OnRateLimit, Wrong> {
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
