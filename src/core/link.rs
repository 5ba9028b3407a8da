//! The one connection: what runs, what comes after it, and when to try again. Owns the
//! reconnect policy. Starts nothing by itself.

use crate::config::CoreConfig;
use crate::event::{EndReason, Offer, Token};
use crate::facts::Facts;
use crate::time::Now;
use crate::time::doubled;
use tetherd_api::{PairOffer, Redacted, SessionState, Time};

/// Restarts at the server's wish that are followed at once, until a connection holds.
pub(crate) const RESTARTS_AT_ONCE_MAX: u32 = 3;
/// Callers that wait for the same pairing code.
pub(crate) const PAIR_WAITERS_MAX: usize = 16;
/// How long a run may go on once it has told us that its connection is gone.
pub(crate) const BROKEN_RUN_MS_MAX: u64 = 10_000;

/// The link's state.
#[derive(Debug, Default)]
pub(crate) struct Link {
    /// At most one run at a time: none starts before the last one's `Ended`.
    pub(crate) run: Option<Run>,
    /// The pairing that starts next.
    pub(crate) next_pair: Option<PairIntent>,
    /// When the next connection is due, monotonic. None: at once.
    pub(crate) wait: Option<u64>,
    /// When the ban ends, monotonic.
    pub(crate) ban_ends: Option<u64>,
    /// Since when this client's version is refused, wall.
    pub(crate) outdated_since: Option<i64>,
    /// Since when there is no connection, wall.
    pub(crate) down_since: i64,
    /// Why the last run ended.
    pub(crate) ended: Option<EndReason>,
    /// Tries in a row that count for the backoff.
    pub(crate) tries: u32,
    /// Restarts in a row.
    pub(crate) restarts: u32,
    /// Counts connections, so that an attempt knows its own.
    pub(crate) generation: u64,
    /// How often another session took over.
    pub(crate) replaced: u64,
    /// The state as last told, and since when.
    pub(crate) state_since: Option<(SessionState, i64)>,
}

/// One run of the session.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) phase: Phase,
    /// We told it to end, and this comes then.
    pub(crate) closing: Option<Closing>,
    /// When it has taken too long, monotonic.
    pub(crate) deadline: Option<u64>,
}

/// How far a run has come.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Logging in.
    Connecting,
    /// Logged in.
    Connected {
        /// Since when, monotonic.
        since: u64,
        /// The session reported that the connection is gone; its end is to come.
        broken: bool,
    },
    /// Pairing.
    Pairing(Pairing),
    /// Paired; the restart is to come.
    Paired,
}

/// A pairing that runs.
#[derive(Debug)]
pub(crate) struct Pairing {
    pub(crate) intent: PairIntent,
    /// What is shown now, and until when, monotonic.
    pub(crate) offer: Option<(PairOffer, u64)>,
}

/// A pairing that somebody asked for.
#[derive(Debug)]
pub(crate) struct PairIntent {
    /// By code on this phone; none: by QR.
    pub(crate) phone: Option<Redacted<String>>,
    /// Who waits for the code.
    pub(crate) waiters: Vec<Token>,
}

/// What comes after a run that we end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// A connection at once.
    Reconnect,
    /// A connection after a pause.
    Backoff,
    /// Nothing of its own accord.
    Done,
}

impl Run {
    pub(crate) fn new(phase: Phase, deadline: u64) -> Run {
        Run { phase, closing: None, deadline: Some(deadline) }
    }
}

impl Link {
    pub(crate) fn new(facts: &Facts, now: Now) -> Link {
        let ban_ends = facts.banned.map(|(since, until, _)| {
            // The wall clock may have been set meanwhile: never wait longer than the ban was.
            let left = until.saturating_sub(now.wall_ms).min(until.saturating_sub(since));
            now.mono_ms.saturating_add(u64::try_from(left).unwrap_or(0))
        });
        Link { ban_ends, down_since: now.wall_ms, ..Link::default() }
    }

    /// Where the session stands.
    pub(crate) fn state(&self, facts: &Facts) -> SessionState {
        if let Some(Run { phase, closing: None, .. }) = &self.run {
            return match phase {
                Phase::Connecting | Phase::Paired => SessionState::Connecting,
                Phase::Connected { .. } => SessionState::Connected,
                Phase::Pairing(_) => SessionState::Pairing,
            };
        }
        if self.next_pair.is_some() {
            SessionState::Pairing
        } else if facts.logged_out.is_some() {
            SessionState::LoggedOut
        } else if facts.account.is_none() {
            SessionState::NotPaired
        } else if facts.banned.is_some() {
            SessionState::Banned
        } else if self.outdated_since.is_some() {
            SessionState::Outdated
        } else if facts.replaced_since.is_some() {
            SessionState::Replaced
        } else {
            SessionState::Waiting
        }
    }

    /// Remembers since when the session is in its state.
    pub(crate) fn note_state(&mut self, facts: &Facts, now: Now) {
        let state = self.state(facts);
        if self.state_since.is_none_or(|(told, _)| told != state) {
            let stored = match state {
                SessionState::LoggedOut => facts.logged_out.map(|(since, _)| since),
                SessionState::Banned => facts.banned.map(|(since, ..)| since),
                SessionState::Replaced => facts.replaced_since,
                SessionState::NotPaired
                | SessionState::Pairing
                | SessionState::Connecting
                | SessionState::Connected
                | SessionState::Waiting
                | SessionState::Outdated => None,
            };
            self.state_since = Some((state, stored.unwrap_or(now.wall_ms)));
        }
    }

    /// Whether an attempt can leave on the connection.
    pub(crate) fn can_send(&self) -> bool {
        matches!(
            &self.run,
            Some(Run { phase: Phase::Connected { broken: false, .. }, closing: None, .. })
        )
    }

    /// Whether a connection stands.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(&self.run, Some(Run { phase: Phase::Connected { .. }, closing: None, .. }))
    }

    /// Whether a connection is wanted, now or later, when no run stands in its way.
    pub(crate) fn wants_connection(&self, facts: &Facts) -> bool {
        facts.account.is_some()
            && facts.logged_out.is_none()
            && facts.replaced_since.is_none()
            && self.outdated_since.is_none()
    }

    /// When the next connection is due, monotonic; none if one runs or none is wanted.
    pub(crate) fn next_try(&self, facts: &Facts) -> Option<u64> {
        if self.run.is_some() || self.next_pair.is_some() || !self.wants_connection(facts) {
            return None;
        }
        Some(self.wait.unwrap_or(0).max(self.ban_ends.unwrap_or(0)))
    }

    /// The pause before the next connection: full jitter under a bound that doubles.
    pub(crate) fn back_off(&mut self, roll: u64, config: &CoreConfig, now: Now) {
        let bound = doubled(config.backoff_first_ms, self.tries, config.backoff_cap_ms);
        self.tries = self.tries.saturating_add(1);
        self.wait = Some(now.mono_ms.saturating_add(roll % bound.saturating_add(1)));
    }

    /// A connection that held long enough starts the backoff afresh.
    pub(crate) fn note_held(&mut self, run: &Run, config: &CoreConfig, now: Now) {
        if let Phase::Connected { since, .. } = run.phase
            && now.mono_ms.saturating_sub(since) >= config.stable_ms
        {
            self.tries = 0;
            self.restarts = 0;
        }
    }
}

/// An offer as the wire shows it.
pub(crate) fn wire_offer(offer: Offer, now: Now) -> (PairOffer, u64) {
    let expires = |valid_ms: u64| {
        Time(now.wall_ms.saturating_add(i64::try_from(valid_ms).unwrap_or(i64::MAX)))
    };
    match offer {
        Offer::Qr { text, valid_ms } => (
            PairOffer::Qr { qr: text, expires_at: expires(valid_ms) },
            now.mono_ms.saturating_add(valid_ms),
        ),
        Offer::Code { code, valid_ms } => (
            PairOffer::Code { code, expires_at: expires(valid_ms) },
            now.mono_ms.saturating_add(valid_ms),
        ),
    }
}
