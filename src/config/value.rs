//! The values that a configuration is made of: durations, versions, log levels.
//! Reads and writes them as text; knows no file and no key.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What a duration looks like, for error sentences.
pub const DURATION_REMEDY: &str =
    "Write a number and a unit (ms, s, m, h, d) in quotes, such as \"120s\" or \"1h30m\".";

const UNITS_MS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// A text that is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a duration is a number and a unit (ms, s, m, h, d), such as 120s, 2m or 1h30m")]
pub struct NotADuration;

/// Reads a duration such as `120s`, `2m` or `1h30m`.
pub fn parse_duration(text: &str) -> Result<Duration, NotADuration> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(NotADuration);
    }
    let mut total_ms: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.len() - tail.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, tail) = tail.split_at(letters);
        let number: u64 = number.parse().map_err(|_| NotADuration)?;
        let (_, unit_ms) =
            UNITS_MS.iter().find(|(name, _)| *name == unit).copied().ok_or(NotADuration)?;
        total_ms = number
            .checked_mul(unit_ms)
            .and_then(|ms| total_ms.checked_add(ms))
            .ok_or(NotADuration)?;
        rest = tail;
    }
    Ok(Duration::from_millis(total_ms))
}

/// Writes a duration in its largest whole unit, as [`parse_duration`] reads it.
pub fn format_duration(duration: Duration) -> String {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    // Up to two minutes in seconds: that is how people name the pacer's window.
    let largest = if ms > 120_000 { UNITS_MS.len() } else { 2 };
    let (unit, unit_ms) = UNITS_MS[..largest]
        .iter()
        .rev()
        .find(|(_, unit_ms)| ms % unit_ms == 0)
        .copied()
        .unwrap_or(UNITS_MS[0]);
    format!("{}{unit}", ms / unit_ms)
}

/// What a size looks like, for error sentences.
pub const SIZE_REMEDY: &str =
    "Write a number and a unit (B, KiB, MiB, GiB, or kB, MB, GB) in quotes, such as \"16MiB\".";

/// The units that sizes are written in, the largest last; then those that are only read.
const UNITS_BYTES: [(&str, u64); 7] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];
const UNITS_WRITTEN: usize = 4;

/// A text that is not a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a size is a number and a unit (B, KiB, MiB, GiB, or kB, MB, GB), such as 16MiB")]
pub struct NotASize;

/// Reads a size such as `16MiB` or `2GB`, in bytes.
pub fn parse_size(text: &str) -> Result<u64, NotASize> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| NotASize)?;
    let known = UNITS_BYTES.iter().find(|(name, _)| *name == unit.trim_start());
    known.and_then(|(_, bytes)| number.checked_mul(*bytes)).ok_or(NotASize)
}

/// Writes a size in its largest whole unit, as [`parse_size`] reads it.
pub fn format_size(bytes: u64) -> String {
    let whole = UNITS_BYTES.iter().take(UNITS_WRITTEN).rev();
    let (unit, unit_bytes) = whole
        .clone()
        .find(|(_, unit)| bytes.is_multiple_of(*unit) && bytes > 0)
        .unwrap_or(&UNITS_BYTES[0]);
    format!("{}{unit}", bytes / unit_bytes)
}

/// The version of WhatsApp Web that the session claims to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientVersion(
    /// The first number.
    pub u32,
    /// The second number.
    pub u32,
    /// The third number, which counts up with each release.
    pub u32,
);

/// A text that is not a client version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a client version is three numbers with dots between them")]
pub struct NotAVersion;

impl FromStr for ClientVersion {
    type Err = NotAVersion;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('.').map(|part| {
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| part.parse::<u32>().ok()).flatten()
        });
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Some(a)), Some(Some(b)), Some(Some(c)), None) => Ok(ClientVersion(a, b, c)),
            _ => Err(NotAVersion),
        }
    }
}

impl fmt::Display for ClientVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Nothing.
    Off,
    /// Our bugs.
    Error,
    /// Also what is bad but possible.
    Warn,
    /// Also changes of the link and of messages.
    Info,
    /// Also steps.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    /// Every level, the quietest first.
    pub const ALL: [Level; 6] =
        [Level::Off, Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Trace];

    /// The name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Level::Off => "off",
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
            Level::Trace => "trace",
        }
    }

    /// Finds a level by its name.
    pub fn find(name: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.name() == name)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What to do when another session took over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// `hold`: wait for a command.
    Hold,
    /// `takeover_after`: take the session back after a while.
    TakeoverAfter,
}

impl OnConflict {
    /// Every policy.
    pub const ALL: [OnConflict; 2] = [OnConflict::Hold, OnConflict::TakeoverAfter];

    /// The name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            OnConflict::Hold => "hold",
            OnConflict::TakeoverAfter => "takeover_after",
        }
    }
}

/// What to do when the server asks to slow down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRateLimit {
    /// `slow`: pause for a while, longer each time.
    Slow,
    /// `pause`: pause the queue as well until somebody resumes it.
    Pause,
}

impl OnRateLimit {
    /// Every policy.
    pub const ALL: [OnRateLimit; 2] = [OnRateLimit::Slow, OnRateLimit::Pause];

    /// The name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            OnRateLimit::Slow => "slow",
            OnRateLimit::Pause => "pause",
        }
    }
}

/// The candidate that somebody who typed `typed` probably meant.
pub fn did_you_mean<'a>(
    typed: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    /// Below this likeness a suggestion confuses more than it helps.
    const LIKENESS_MIN: f64 = 0.75;
    let typed = typed.to_ascii_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&typed, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// What becomes of a text with a link that leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// It is parked.
    Park,
    /// It is sent, and `explain` warns.
    Warn,
    /// Links are not looked at.
    Off,
}

impl Links {
    /// Every value.
    pub const ALL: [Links; 3] = [Links::Park, Links::Warn, Links::Off];

    /// How it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Links::Park => "park",
            Links::Warn => "warn",
            Links::Off => "off",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_any_unit_and_in_parts() {
        for (text, ms) in
            [("250ms", 250), ("120s", 120_000), ("2m", 120_000), ("1h30m", 5_400_000), ("0s", 0)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "120", "s", "2 m", "-1s", "1.5s", "1y", "99999999999999999999s", "1sm"] {
            assert_eq!(parse_duration(text), Err(NotADuration), "{text}");
        }
    }

    #[test]
    fn durations_are_written_as_people_say_them() {
        for text in ["0s", "250ms", "1s", "90s", "120s", "5m", "7d", "25h"] {
            let read = parse_duration(text).unwrap();
            let written = format_duration(read);
            assert_eq!(parse_duration(&written), Ok(read));
            if text != "0s" {
                assert_eq!(written, text);
            }
        }
    }

    #[test]
    fn sizes_are_read_with_any_unit_and_written_in_the_largest_whole_one() {
        for (text, bytes, written) in [
            ("16MiB", 16 << 20, "16MiB"),
            ("2 GiB", 2 << 30, "2GiB"),
            ("1536KiB", 1536 << 10, "1536KiB"),
            ("1024KiB", 1 << 20, "1MiB"),
            ("2GB", 2_000_000_000, "1953125KiB"),
            ("0B", 0, "0B"),
            ("7B", 7, "7B"),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
            assert_eq!(format_size(bytes), written, "{text}");
            assert_eq!(parse_size(written), Ok(bytes));
        }
        for text in ["", "16", "MiB", "1.5MiB", "-1B", "16mib", "99999999999GiB", "1MiB1B"] {
            assert_eq!(parse_size(text), Err(NotASize), "{text}");
        }
    }

    #[test]
    fn versions_are_three_numbers() {
        assert_eq!("2.3000.5".parse(), Ok(ClientVersion(2, 3000, 5)));
        for text in ["", "2.3000", "2.3000.5.1", "2.3000.x", "2.3000.+5"] {
            assert_eq!(text.parse::<ClientVersion>(), Err(NotAVersion), "{text}");
        }
    }

    #[test]
    fn a_near_miss_is_suggested_and_a_far_one_is_not() {
        let keys = ["capacity", "parked_max", "history_max"];
        assert_eq!(did_you_mean("capasity", keys), Some("capacity"));
        assert_eq!(did_you_mean("colour", keys), None);
    }
}
