//! What must hold between keys, and what is allowed but unwise.

use std::time::Duration;

use crate::parse::Places;
use crate::problem::{Problem, Source};
use crate::settings::{Config, TOLERATED_MESSAGES, TOLERATED_WINDOW};
use crate::value::format_duration;

/// Above this many places people lose sight of the queue.
const CAPACITY_USUAL: usize = 400;

pub(crate) struct Checker<'a> {
    pub(crate) config: &'a Config,
    pub(crate) source: &'a Source<'a>,
    pub(crate) places: &'a Places,
}

impl Checker<'_> {
    fn problem(&self, key: &str, what: String, remedy: &str) -> Problem {
        match self.places.get(key) {
            Some(byte) => self.source.problem(*byte, what, remedy.into()),
            None => Problem { file: None, at: None, what, remedy: remedy.into() },
        }
    }

    /// What makes the configuration unusable.
    pub(crate) fn errors(&self) -> Vec<Problem> {
        let Config { state, socket, session, pacing, phone, .. } = self.config;
        let unset = |is_unset: bool, key, what, variables, remedy| {
            let what = format!("No place for the {what} is known: neither {variables} is set.");
            is_unset.then(|| self.problem(key, what, remedy))
        };
        let order = |low_key: &str, low, high_key, high, relation, remedy| {
            let what = format!("{low_key} ({low}) is {relation} {high_key} ({high}).");
            self.problem(low_key, what, remedy)
        };
        let longer = |low_key, low: Duration, high_key, high: Duration, remedy| {
            let written = (format_duration(low), format_duration(high));
            let problem = order(low_key, written.0, high_key, written.1, "longer than", remedy);
            (low > high).then_some(problem)
        };
        let (low, critical) = (phone.battery_low, phone.battery_critical);
        let problems = [
            unset(
                state.dir.as_os_str().is_empty(),
                "state.dir",
                "state",
                "STATE_DIRECTORY, XDG_STATE_HOME nor HOME",
                "Set dir under [state].",
            ),
            unset(
                socket.path.as_os_str().is_empty(),
                "socket.path",
                "socket",
                "RUNTIME_DIRECTORY nor XDG_RUNTIME_DIR",
                "Set path under [socket].",
            ),
            longer(
                "session.backoff_first",
                session.backoff_first,
                "session.backoff_cap",
                session.backoff_cap,
                "The first wait must not exceed the longest.",
            ),
            longer(
                "pacing.slow_first",
                pacing.slow_first,
                "pacing.slow_cap",
                pacing.slow_cap,
                "The first pause must not exceed the longest.",
            ),
            (pacing.reserve >= pacing.messages).then(|| {
                let what = format!(
                    "pacing.reserve ({}) leaves no slot of pacing.messages ({}) to other messages.",
                    pacing.reserve, pacing.messages
                );
                self.problem("pacing.reserve", what, "Keep fewer than there are.")
            }),
            pacing.hours.overlap().map(|(one, other)| {
                let what = format!("pacing.hours has {one} and {other}, which overlap.");
                self.problem("pacing.hours", what, "Write each time once.")
            }),
            (critical > low).then(|| {
                let (low, critical) = (low.to_string(), critical.to_string());
                let remedy = "A critical battery is a low one too.";
                order("phone.battery_critical", critical, "phone.battery_low", low, "above", remedy)
            }),
        ];
        problems.into_iter().flatten().collect()
    }

    /// What is allowed but unwise.
    pub(crate) fn warnings(&self) -> Vec<Problem> {
        [self.pace(), self.capacity(), self.endpoint()].into_iter().flatten().collect()
    }

    fn pace(&self) -> Option<Problem> {
        let (messages, window) = (self.config.pacing.messages, self.config.pacing.window);
        let peak = peak(messages, window);
        let what = format!(
            "{messages} messages per {} is faster than the cautious default: up to {peak} would \
             leave within {}, instead of {TOLERATED_MESSAGES}.",
            format_duration(window),
            format_duration(TOLERATED_WINDOW),
        );
        let remedy =
            "It may get the account restricted or banned; leave [pacing] out outside of tests.";
        let written = ["pacing.window", "pacing.messages"];
        let key = written.into_iter().find(|key| self.places.contains_key(key));
        (peak > TOLERATED_MESSAGES).then(|| self.problem(key.unwrap_or(written[1]), what, remedy))
    }

    fn capacity(&self) -> Option<Problem> {
        let (capacity, pacing) = (self.config.queue.capacity, &self.config.pacing);
        let windows = u32::try_from(capacity.div_ceil(pacing.messages.max(1))).unwrap_or(u32::MAX);
        let minutes = pacing.window.saturating_mul(windows).as_secs() / 60;
        let what = format!(
            "A full queue of {capacity} messages takes {} h {:02} min to leave at this pace.",
            minutes / 60,
            minutes % 60
        );
        let remedy =
            "A program that gets queue_full earlier learns earlier that something holds the queue.";
        (capacity > CAPACITY_USUAL).then(|| self.problem("queue.capacity", what, remedy))
    }

    fn endpoint(&self) -> Option<Problem> {
        let refused = cfg!(feature = "sim") && !is_loopback(&self.config.session.endpoint);
        let what =
            "This is a build with the simulator: it refuses every endpoint outside loopback.";
        let remedy = "Use a build without the feature sim for the real network.";
        refused.then(|| self.problem("session.endpoint", what.to_owned(), remedy))
    }
}

/// The most attempts that the pacer can let out in [`TOLERATED_WINDOW`].
fn peak(messages: usize, window: Duration) -> usize {
    let windows = TOLERATED_WINDOW.as_millis().div_ceil(window.as_millis().max(1));
    messages.saturating_mul(usize::try_from(windows).unwrap_or(usize::MAX))
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
    fn loopback_is_recognised_by_its_host() {
        for yes in ["wss://127.0.0.1:1/x", "wss://localhost/ws", "wss://[::1]:9/"] {
            assert!(is_loopback(yes), "{yes}");
        }
        for no in ["wss://web.whatsapp.com/ws", "wss://127.0.0.1.example/", "wss://10.0.0.1/"] {
            assert!(!is_loopback(no), "{no}");
        }
    }
}
