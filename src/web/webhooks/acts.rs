//! What people and programs can do with a webhook, and how it stands, for whoever may look.

use std::sync::Arc;

use serde::Serialize;
use tetherd_api::{Error, ErrorKind, Time};

use super::place::{Place, Switch, Trouble};
use super::schedule::FAILING_AFTER;
use super::worker::{Worker, not_kept};
use crate::clock;

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Send nothing until it is enabled.
    Pause,
    /// Send again, after a pause or after the receiver was gone.
    Enable,
    /// Make the next attempt now.
    Retry,
    /// Send what happened after this number of the feed again.
    Replay(u64),
}

impl Act {
    /// Their names.
    pub(super) const NAMES: [&str; 4] = ["pause", "enable", "retry", "replay"];

    /// One by its name, with the number that a replay needs.
    pub(crate) fn named(name: &str, after: Option<u64>) -> Result<Act, Error> {
        let act = match (name, after) {
            ("pause", None) => Act::Pause,
            ("enable", None) => Act::Enable,
            ("retry", None) => Act::Retry,
            ("replay", Some(after)) => Act::Replay(after),
            ("replay", None) | ("pause" | "enable" | "retry", Some(_)) => {
                let sentence = "`after`, a number of the feed, goes with `replay` and only with it";
                return Err(Error::new(ErrorKind::InvalidParams, sentence));
            }
            (_, _) => {
                let sentence = format!("a webhook takes {}", Act::NAMES.join(", "));
                return Err(Error::new(ErrorKind::NotFound, sentence));
            }
        };
        Ok(act)
    }
}

/// How a webhook does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "WebhookState"))]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// The last attempt was taken, or none was made yet.
    Active,
    /// The last attempt failed; it is repeated.
    Retrying,
    /// Attempts have failed for three days; they are repeated.
    Failing,
    /// Something here prevents attempts: the disk, the secret, the daemon.
    Blocked,
    /// Somebody paused it.
    Paused,
    /// The receiver is gone: nothing is sent until somebody enables it.
    Disabled,
}

impl State {
    /// Every state.
    pub(crate) const ALL: [State; 6] = [
        State::Active,
        State::Retrying,
        State::Failing,
        State::Blocked,
        State::Paused,
        State::Disabled,
    ];

    /// The name on the wire.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            State::Active => "active",
            State::Retrying => "retrying",
            State::Failing => "failing",
            State::Blocked => "blocked",
            State::Paused => "paused",
            State::Disabled => "disabled",
        }
    }
}

/// How a webhook stands. Holds no address and nothing of an event.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Webhook"))]
pub(crate) struct Standing {
    /// What it is called.
    pub(crate) name: String,
    /// The daemon whose feed it sends.
    pub(crate) daemon: String,
    /// How it does.
    pub(crate) state: State,
    /// Whether it is the configuration that pauses it.
    #[serde(skip)]
    pub(crate) by_configuration: bool,
    /// The last number of the feed that is dealt with.
    pub(crate) after: Option<u64>,
    /// How many numbers of the feed come after it.
    pub(crate) behind: u64,
    /// How old the event is that is being sent.
    pub(crate) lag_s: u64,
    /// Failed attempts of it.
    pub(crate) failures: u32,
    /// When the next attempt is made, if one has failed.
    pub(crate) next_at: Option<Time>,
    /// What was wrong the last time.
    pub(crate) last_error: Option<Trouble>,
    /// What prevents attempts here.
    pub(crate) trouble: Option<String>,
}

impl Worker {
    /// How it stands now.
    pub(crate) fn standing(&self) -> Standing {
        let now = clock::now();
        let known = self.known();
        let pending = known.place.pending.as_ref();
        let since = |at: Time| u64::try_from(now.0.saturating_sub(at.0)).unwrap_or(0) / 1_000;
        let failing = pending.and_then(|pending| pending.since).map(since);
        let paused = self.settings.paused;
        let trouble = known.unwritten.as_ref().or(known.trouble.as_ref()).cloned();
        let state = match (known.place.switch, failing) {
            (Switch::Gone(_), _) => State::Disabled,
            (Switch::Paused, _) => State::Paused,
            (Switch::On, _) if paused => State::Paused,
            (Switch::On, _) if trouble.is_some() => State::Blocked,
            (Switch::On, Some(seconds)) if seconds >= FAILING_AFTER.as_secs() => State::Failing,
            (Switch::On, Some(_)) => State::Retrying,
            (Switch::On, None) => State::Active,
        };
        // What was read to its end and is not wanted is dealt with too.
        let passed = known.passed.map(|passed| passed.seq).filter(|_| pending.is_none());
        let after = passed.max(known.place.after);
        let behind = after.map_or(0, |after| self.daemon.feed.place().seq.saturating_sub(after));
        Standing {
            name: self.settings.name.clone(),
            daemon: self.daemon.name.clone(),
            state,
            by_configuration: paused,
            after: known.place.after,
            behind,
            lag_s: pending.map_or(0, |pending| since(pending.event.at)),
            failures: pending.map_or(0, |pending| pending.failures),
            next_at: known.next_at,
            last_error: pending.and_then(|pending| pending.last.clone()),
            trouble,
        }
    }

    /// Does something with it.
    pub(crate) async fn act(self: &Arc<Worker>, act: Act) -> Result<(), Error> {
        let done = match act {
            Act::Pause => self.change(|place| place.switch = Switch::Paused).await,
            Act::Enable if self.settings.paused => {
                let error = Error::new(ErrorKind::WrongState, "the configuration pauses it");
                return Err(error.remedy("remove `paused` below its [[webhook]], and restart"));
            }
            Act::Enable => self.change(Place::enable).await,
            Act::Retry => Ok(()),
            Act::Replay(after) => {
                self.check_replay(after)?;
                self.change(move |place| place.replay(after)).await
            }
        };
        done.map_err(|error| Error::new(ErrorKind::InternalError, not_kept(&error)))?;
        self.wake.notify_one();
        Ok(())
    }

    /// A replay goes back: further on, it would skip events or leave the feed.
    fn check_replay(&self, after: u64) -> Result<(), Error> {
        if let Some(trouble) = self.daemon.trouble() {
            let sentence = format!("whether the daemon has this number is not known: {trouble}");
            let error = Error::new(ErrorKind::WrongState, sentence);
            return Err(error.remedy("try again when the daemon runs"));
        }
        let end = self.daemon.feed.place().seq;
        let place = self.place().after.unwrap_or(end);
        let sentence = if after > end {
            format!("the feed ends at {end}")
        } else if after > place {
            format!("events after {place} are not delivered yet, and would be skipped")
        } else {
            return Ok(());
        };
        let error = Error::new(ErrorKind::InvalidParams, sentence);
        Err(error.remedy(format!("give a number from 0 to {}", place.min(end))))
    }

    /// Puts how it stands into the metrics.
    pub(crate) fn count(&self) {
        let standing = self.standing();
        let states = State::ALL.map(State::name);
        self.counts.stands(standing.behind, standing.lag_s, &states, standing.state.name());
    }

    /// Whether it is about this daemon.
    pub(crate) fn is_of(&self, daemon: &str) -> bool {
        self.daemon.name == daemon
    }

    /// Where events are posted to. For administrators: it may hold a secret.
    pub(crate) fn address(&self) -> &str {
        self.settings.url.url().as_str()
    }
}
