//! What must hold between keys, and what is allowed but unwise.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Config;
use super::keys::{TOLERATED_MESSAGES, TOLERATED_WINDOW};
use super::problem::{Problem, Source};
use super::value::format_duration;

/// Above this many places people lose sight of the queue.
const CAPACITY_USUAL: usize = 400;

struct Checker<'a> {
    source: &'a Source<'a>,
    places: &'a BTreeMap<&'static str, usize>,
}

impl Checker<'_> {
    fn problem(&self, key: &str, what: String, remedy: &str) -> Problem {
        match self.places.get(key) {
            Some(byte) => self.source.problem(*byte, what, remedy.into()),
            None => Problem::nowhere(what, remedy),
        }
    }
}

/// Errors and warnings about a configuration as a whole.
pub(super) fn check(
    config: &Config,
    source: &Source<'_>,
    places: &BTreeMap<&'static str, usize>,
) -> (Vec<Problem>, Vec<Problem>) {
    let checker = Checker { source, places };
    let mut errors = Vec::new();
    missing_paths(config, &checker, &mut errors);
    if config.session.backoff_first > config.session.backoff_cap {
        errors.push(checker.problem(
            "session.backoff_first",
            format!(
                "session.backoff_first ({}) is longer than session.backoff_cap ({}).",
                format_duration(config.session.backoff_first),
                format_duration(config.session.backoff_cap)
            ),
            "The first wait must not exceed the longest.",
        ));
    }
    if config.phone.battery_critical > config.phone.battery_low {
        errors.push(checker.problem(
            "phone.battery_critical",
            format!(
                "phone.battery_critical ({}) is above phone.battery_low ({}).",
                config.phone.battery_critical, config.phone.battery_low
            ),
            "A critical battery is a low one too.",
        ));
    }
    let mut warnings = Vec::new();
    warnings.extend(pace(config, &checker));
    warnings.extend(capacity(config, &checker));
    warnings.extend(endpoint(config, &checker));
    (errors, warnings)
}

fn missing_paths(config: &Config, checker: &Checker<'_>, errors: &mut Vec<Problem>) {
    if config.state.dir.as_os_str().is_empty() {
        errors.push(checker.problem(
            "state.dir",
            String::from("No place for the state is known: neither STATE_DIRECTORY, XDG_STATE_HOME nor HOME is set."),
            "Set dir under [state].",
        ));
    }
    if config.socket.path.as_os_str().is_empty() {
        errors.push(checker.problem(
            "socket.path",
            String::from(
                "No place for the socket is known: neither RUNTIME_DIRECTORY nor XDG_RUNTIME_DIR is set.",
            ),
            "Set path under [socket].",
        ));
    }
}

/// The most attempts that the pacer can let out in [`TOLERATED_WINDOW`].
fn peak(messages: usize, window: Duration) -> usize {
    let windows = TOLERATED_WINDOW.as_millis().div_ceil(window.as_millis().max(1));
    messages.saturating_mul(usize::try_from(windows).unwrap_or(usize::MAX))
}

fn pace(config: &Config, checker: &Checker<'_>) -> Option<Problem> {
    let peak = peak(config.pacing.messages, config.pacing.window);
    if peak <= TOLERATED_MESSAGES {
        return None;
    }
    let key = if checker.places.contains_key("pacing.window") {
        "pacing.window"
    } else {
        "pacing.messages"
    };
    Some(checker.problem(
        key,
        format!(
            "{} messages per {} is faster than the cautious default: up to {peak} would leave \
             within {}, instead of {TOLERATED_MESSAGES}.",
            config.pacing.messages,
            format_duration(config.pacing.window),
            format_duration(TOLERATED_WINDOW),
        ),
        "It may get the account restricted or banned; leave [pacing] out outside of tests.",
    ))
}

fn capacity(config: &Config, checker: &Checker<'_>) -> Option<Problem> {
    let capacity = config.queue.capacity;
    if capacity <= CAPACITY_USUAL {
        return None;
    }
    let windows = capacity.div_ceil(config.pacing.messages.max(1));
    let takes = config.pacing.window.saturating_mul(u32::try_from(windows).unwrap_or(u32::MAX));
    let minutes = takes.as_secs() / 60;
    Some(checker.problem(
        "queue.capacity",
        format!(
            "A full queue of {capacity} messages takes {} h {:02} min to leave at this pace.",
            minutes / 60,
            minutes % 60
        ),
        "A program that gets queue_full earlier learns earlier that something holds the queue.",
    ))
}

fn endpoint(config: &Config, checker: &Checker<'_>) -> Option<Problem> {
    if !cfg!(feature = "sim") || is_loopback(&config.session.endpoint) {
        return None;
    }
    Some(checker.problem(
        "session.endpoint",
        String::from(
            "This is a build with the simulator: it refuses every endpoint outside loopback.",
        ),
        "Use a build without the feature sim for the real network.",
    ))
}

fn is_loopback(endpoint: &str) -> bool {
    let rest = endpoint.strip_prefix("wss://").unwrap_or_default();
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_counts_every_window_that_fits_into_two_minutes() {
        assert_eq!(peak(5, Duration::from_secs(120)), 5);
        assert_eq!(peak(5, Duration::from_secs(3)), 200);
        assert_eq!(peak(1, Duration::from_secs(24)), 5);
        assert_eq!(peak(10, Duration::from_secs(240)), 10);
    }

    #[test]
    fn loopback_is_told_by_its_host() {
        for yes in ["wss://127.0.0.1:1/x", "wss://localhost/ws", "wss://[::1]:9/"] {
            assert!(is_loopback(yes), "{yes}");
        }
        for no in ["wss://web.whatsapp.com/ws", "wss://127.0.0.1.example/", "wss://10.0.0.1/"] {
            assert!(!is_loopback(no), "{no}");
        }
    }
}
