//! What must hold for any configuration. Entrances for contrib/fuzz; part of no program.

use crate::hours::HoursEntry;
use crate::value::{ClientVersion, format_duration, format_size, parse_duration, parse_size};
use crate::{Config, ConfigError, Environment};

/// A file, and its text as each of the values that have a form of their own.
pub fn configuration(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    file(text);
    values(text.trim());
}

/// What is read is reported in a form that reads as the same; what is wrong is somewhere.
fn file(text: &str) {
    let env = Environment::system();
    let loaded = match Config::from_text(text, None, &env) {
        Ok(loaded) => loaded,
        Err(ConfigError { problems }) => {
            assert!(!problems.is_empty());
            assert!(problems.iter().all(|problem| !problem.to_string().is_empty()));
            return;
        }
    };
    let again = match Config::from_text(&loaded.report(), None, &env) {
        Ok(again) => again,
        Err(error) => unreachable!("the report does not read: {error}"),
    };
    assert_eq!(again.config, loaded.config);
}

fn values(text: &str) {
    if let Ok(duration) = parse_duration(text) {
        let written = format_duration(duration);
        let read = parse_duration(&written).map(|read| read.as_millis());
        assert_eq!(read, Ok(duration.as_millis()), "{written}");
    }
    if let Ok(bytes) = parse_size(text) {
        assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
    }
    if let Ok(version) = text.parse::<ClientVersion>() {
        assert_eq!(version.to_string().parse(), Ok(version));
    }
    if let Ok(hours) = text.parse::<HoursEntry>() {
        assert_eq!(hours.to_string().parse(), Ok(hours));
    }
}

#[cfg(test)]
#[path = "../../contrib/fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    #[test]
    fn kept_inputs_hold() {
        super::replay::replay("configuration", super::configuration);
    }
}
