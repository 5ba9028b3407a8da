//! The engine's side of the service manager: when its watchdog is fed, and when it is
//! notified of the status. Without a manager it does nothing and wakes nobody.
//!
//! The watchdog is fed once every loop has answered since it was last fed, and by the
//! engine itself, so that a wedged engine feeds nothing either. Whether the daemon is
//! connected, or has anything to do, does not matter.

use std::future::pending;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::daemon::systemd::{Manager, Notify};
#[cfg(feature = "sim")]
use crate::liveness::stall;
use crate::liveness::{Liveness, LivenessProbe, Loop};
use crate::store::{Batch, Store};
use tetherd_api::{self as api, ConditionKind, Holds, SessionState, Time};

/// Least time between two status lines: a burst of messages is one line.
const STATUS_PAUSE: Duration = Duration::from_secs(1);
/// Least time between two rounds of questions, whatever the manager asks for.
const ROUND_TIME_MIN: Duration = Duration::from_millis(10);
/// Times further away than this are written with their date.
const CLOCK_ONLY_MS_MAX: i64 = 20 * 3_600 * 1_000;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// To ask the loops.
    Round,
    /// To take a loop's answer.
    Answer(Loop),
    /// To report the status.
    Status,
}

/// The ends that the loops answer at.
pub(super) struct WatchedLoops {
    pub(super) session: Liveness,
    pub(super) accept: Liveness,
}

/// What the engine does for the service manager.
pub(super) struct Supervision {
    status: Option<StatusLine>,
    watchdog: Option<Watchdog>,
    notify: Notify,
}

impl Supervision {
    /// As far as this manager wants it.
    pub(super) fn new(manager: &Manager) -> (Supervision, WatchedLoops) {
        let notify = manager.notify();
        let status = notify.is_wanted().then(StatusLine::new);
        let (watchdog, watched) = match manager.watchdog {
            Some(interval) => {
                let (watchdog, watched) = Watchdog::new(interval);
                (Some(watchdog), watched)
            }
            None => (
                None,
                WatchedLoops { session: Liveness::unwatched(), accept: Liveness::unwatched() },
            ),
        };
        (Supervision { status, watchdog, notify }, watched)
    }

    /// Waits for what is due next; forever if nothing ever is. Loses nothing when dropped.
    pub(super) async fn due(&mut self) -> Due {
        let Supervision { status, watchdog, .. } = self;
        let beat = async {
            match watchdog {
                Some(watchdog) => watchdog.due().await,
                None => pending().await,
            }
        };
        let line = async {
            match status {
                Some(status) => status.due().await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            due = beat => due,
            () = line => Due::Status,
        }
    }

    /// Does what is due.
    pub(super) fn act(
        &mut self,
        due: Due,
        store: &Store,
        status: impl FnOnce() -> (api::Status, bool, Time),
    ) {
        match due {
            Due::Round => {
                #[cfg(feature = "sim")]
                if stall::is_due(stall::ENGINE) {
                    stall::stand_still();
                }
                if let Some(watchdog) = &mut self.watchdog {
                    watchdog.round(store);
                }
            }
            Due::Answer(of) => {
                if self.watchdog.as_mut().is_some_and(|watchdog| watchdog.answered(of)) {
                    self.notify.watchdog();
                }
            }
            Due::Status => {
                if let Some(line) = &mut self.status {
                    let (status, draining, now) = status();
                    if let Some(news) = line.news(sentence(&status, draining, now)) {
                        self.notify.status(news);
                    }
                }
            }
        }
    }

    /// After each turn: the status may be another one. It is worked out only once it is due.
    pub(super) fn turned(&mut self) {
        if let Some(line) = &mut self.status {
            line.turned();
        }
    }
}

/// The status as last reported, and whether it may have changed.
struct StatusLine {
    reported: String,
    is_stale: bool,
    not_before: Instant,
}

impl StatusLine {
    fn new() -> StatusLine {
        let not_before = Instant::now();
        StatusLine { reported: String::new(), is_stale: false, not_before }
    }

    async fn due(&self) {
        if !self.is_stale {
            return pending().await;
        }
        sleep_until(self.not_before).await;
    }

    fn turned(&mut self) {
        self.is_stale = true;
    }

    /// The status as it is now, if it was not reported last.
    fn news(&mut self, sentence: String) -> Option<&str> {
        self.is_stale = false;
        self.not_before = Instant::now() + STATUS_PAUSE;
        if self.reported == sentence {
            return None;
        }
        self.reported = sentence;
        Some(&self.reported)
    }
}

/// Asks every loop at half of the manager's interval.
struct Watchdog {
    half: Duration,
    next_round: Instant,
    session: LivenessProbe,
    accept: LivenessProbe,
    answer: mpsc::Sender<Loop>,
    answers: mpsc::Receiver<Loop>,
    /// Who has not answered in this round. Empty: it is over, and the watchdog is fed.
    missing: Vec<Loop>,
    complained: bool,
}

impl Watchdog {
    fn new(interval: Duration) -> (Watchdog, WatchedLoops) {
        let (answer, answers) = mpsc::channel(Loop::ALL.len());
        let (session, session_asker) = Liveness::watched(Loop::Session, answer.clone());
        let (accept, accept_asker) = Liveness::watched(Loop::Accept, answer.clone());
        let watchdog = Watchdog {
            half: (interval / 2).max(ROUND_TIME_MIN),
            next_round: Instant::now(),
            session: session_asker,
            accept: accept_asker,
            answer,
            answers,
            missing: Vec::new(),
            complained: false,
        };
        (watchdog, WatchedLoops { session, accept })
    }

    async fn due(&mut self) -> Due {
        tokio::select! {
            biased;
            Some(of) = self.answers.recv() => Due::Answer(of),
            () = sleep_until(self.next_round) => Due::Round,
        }
    }

    /// Begins a round, unless somebody still owes an answer to the last one. A late
    /// answer feeds the watchdog when it comes.
    fn round(&mut self, store: &Store) {
        self.next_round = Instant::now() + self.half;
        if !self.missing.is_empty() {
            if !self.complained {
                let names: Vec<&str> = self.missing.iter().map(|of| of.name()).collect();
                tracing::error!(
                    loops = names.join(","),
                    "the watchdog is not fed: a loop does not move"
                );
                self.complained = true;
            }
            return;
        }
        self.missing = Loop::ALL.to_vec();
        self.session.ask();
        self.accept.ask();
        ask_committer(store, self.answer.clone());
    }

    /// Whether the round is over with this answer.
    fn answered(&mut self, of: Loop) -> bool {
        self.missing.retain(|missing| *missing != of);
        if !self.missing.is_empty() {
            return false;
        }
        if std::mem::take(&mut self.complained) {
            tracing::warn!("all loops move again");
        }
        true
    }
}

/// An empty change goes through the committer like any other, and costs no write.
fn ask_committer(store: &Store, answer: mpsc::Sender<Loop>) {
    #[cfg(feature = "sim")]
    if stall::is_due(Loop::Committer.name()) {
        drop(
            store.update(|_| -> Result<(Batch, ()), crate::store::ReadError> {
                stall::stand_still()
            }),
        );
    }
    let passed = store.commit(Batch::new());
    tokio::spawn(async move {
        // A store that has failed ends the daemon by other means.
        if passed.await.is_ok() {
            let _ = answer.try_send(Loop::Committer);
        }
    });
}

/// The status as a sentence. Numbers, names and texts of people are not among them.
fn sentence(status: &api::Status, draining: bool, now: Time) -> String {
    let mut words = String::from(if draining { "Stopping" } else { session(status) });
    if let Some(at) = status.session.next_try_at {
        words.push_str(&format!(", next try at {}", clock_time(at, now)));
    }
    let queue = &status.queue;
    let counts = [
        (queue.queued + queue.unknown, "waiting"),
        (queue.sending, "on the way"),
        (queue.parked, "parked"),
    ];
    let counts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    words.push_str("; ");
    words.push_str(&if counts.is_empty() { "queue empty".to_owned() } else { counts.join(", ") });
    let holds: Vec<String> = status
        .conditions
        .iter()
        .filter(|one| one.holds == Holds::All && one.kind != ConditionKind::Pacing)
        .map(|hold| match hold.until {
            Some(until) => format!("{} until {}", hold.kind.name(), clock_time(until, now)),
            None => hold.kind.name().to_owned(),
        })
        .collect();
    if !holds.is_empty() {
        words.push_str(&format!("; held by {}", holds.join(", ")));
    }
    if let Some(at) = queue.next_send_at.filter(|at| *at > now) {
        words.push_str(&format!("; next send at {}", clock_time(at, now)));
    }
    words
}

const fn session(status: &api::Status) -> &'static str {
    match status.session.state {
        SessionState::NotPaired => "Not paired",
        SessionState::Pairing => "Pairing",
        SessionState::PasskeyNeeded => "Pairing: the phone asks for a passkey",
        SessionState::Connecting => "Connecting",
        SessionState::Connected => "Connected",
        SessionState::Waiting => "Disconnected",
        SessionState::Replaced => "Replaced by another session",
        SessionState::LoggedOut => "Logged out",
        SessionState::Locked => "Account locked",
        SessionState::BannedForGood => "Banned",
        SessionState::Banned => "Banned for a time",
        SessionState::Outdated => "Client version refused",
        SessionState::Declined => "Login refused",
    }
}

fn clock_time(at: Time, now: Time) -> String {
    let format = if (at.0 - now.0).abs() < CLOCK_ONLY_MS_MAX {
        "%H:%M:%S UTC"
    } else {
        "%Y-%m-%d %H:%M:%S UTC"
    };
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(time) => time.strftime(format).to_string(),
        Err(_) => at.to_string(),
    }
}

#[cfg(test)]
mod tests;
