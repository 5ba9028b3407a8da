//! Values as texts: durations, sizes, versions; log levels and policies. Knows no key.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::{Span, SpanRelativeTo};
use serde::{Deserialize, Serialize};

/// A text that is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a duration is a number and a unit (ms, s, m, h, d), such as 120s, 2m or 1h30m")]
pub struct NotADuration;

/// Reads a duration such as `120s`, `2m` or `1h30m`. A day has 24 hours.
pub fn parse_duration(text: &str) -> Result<Duration, NotADuration> {
    let span: Span = text.trim().parse().map_err(|_| NotADuration)?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours());
    Duration::try_from(duration.map_err(|_| NotADuration)?).map_err(|_| NotADuration)
}

const DURATION_UNITS_MS: [(&str, u128); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
const SIZE_UNITS_BYTES: [(&str, u128); 4] =
    [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Writes a duration in its largest whole unit, as [`parse_duration`] reads it.
pub fn format_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    // Up to two minutes in seconds: that is how people name the pacer's window.
    let units = if ms > 120_000 { &DURATION_UNITS_MS[..] } else { &DURATION_UNITS_MS[3..] };
    in_largest_unit(ms, units)
}

/// A text that is not a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a size is a number and a unit (B, KiB, MiB, GiB, or kB, MB, GB), such as 16MiB")]
pub struct NotASize;

/// Reads a size such as `16MiB` or `2GB`, in bytes.
pub fn parse_size(text: &str) -> Result<u64, NotASize> {
    text.trim().parse::<ByteSize>().map(|size| size.as_u64()).map_err(|_| NotASize)
}

/// Writes a size in its largest whole unit, as [`parse_size`] reads it.
pub fn format_size(bytes: u64) -> String {
    // Nothing is 0B.
    let units = if bytes > 0 { &SIZE_UNITS_BYTES[..] } else { &SIZE_UNITS_BYTES[3..] };
    in_largest_unit(bytes.into(), units)
}

fn in_largest_unit(number: u128, units: &[(&'static str, u128)]) -> String {
    let whole = |(_, unit): &&(&str, u128)| number.is_multiple_of(*unit);
    let (name, unit) = units.iter().find(whole).copied().unwrap_or(("", 1));
    format!("{}{name}", number / unit)
}

/// The version of WhatsApp Web that the session claims to be: three numbers, the last of
/// which counts up with each release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientVersion(pub u32, pub u32, pub u32);

/// A text that is not a client version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a client version is three numbers with dots between them")]
pub struct NotAVersion;

impl FromStr for ClientVersion {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The number type itself would take a sign.
        let number = |part: &str| part.parse().ok().filter(|_| !part.starts_with('+'));
        let numbers: Option<Vec<u32>> = text.split('.').map(number).collect();
        match numbers.as_deref() {
            Some([a, b, c]) => Ok(ClientVersion(*a, *b, *c)),
            Some(_) | None => Err(NotAVersion),
        }
    }
}

impl fmt::Display for ClientVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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

/// What to do when another session took over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictPolicy {
    /// `hold`: wait for a command.
    Hold,
    /// `takeover_after`: take the session back after a while.
    TakeoverAfter,
}

/// A group as the configuration writes it: a name, or a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupRef {
    /// By number.
    Gid(u32),
    /// By name.
    Name(String),
}

impl GroupRef {
    /// What is no number is a name.
    pub fn from_text(text: &str) -> Self {
        text.parse().map_or_else(|_| GroupRef::Name(text.to_string()), GroupRef::Gid)
    }
}

/// The candidate that somebody who typed `typed` probably meant.
pub(crate) fn did_you_mean<'a>(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_any_unit_and_in_parts() {
        for (text, ms) in [
            ("250ms", 250),
            ("120s", 120_000),
            ("2m", 120_000),
            ("1h30m", 5_400_000),
            ("0s", 0),
            ("2 min", 120_000),
            ("1.5s", 1_500),
            ("7d", 604_800_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "120", "s", "-1s", "1y", "99999999999999999999s", "1sm"] {
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
        assert_eq!(parse_size("1.5 mib"), Ok(3 << 19));
        for text in ["", "MiB", "-1B", "1MiB1B"] {
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
