//! The one connection: what runs, what comes after it, and when to try again. Owns the
//! reconnect policy. Starts nothing by itself.

use super::passkey::Passkey;
use crate::action::{ActionBuffer, SessionCommand};
use crate::config::CoreConfig;
use crate::event::{EndReason, Offer, Token};
use crate::time::{Now, doubled};
use tetherd_api::{PairOffer, Redacted, SessionState, Time};

/// Restarts at the server's wish that are followed at once, until a connection holds.
pub(super) const RESTARTS_AT_ONCE_MAX: u32 = 3;
/// Callers that wait for the same pairing code.
pub(super) const PAIR_WAITERS_MAX: usize = 16;
/// The pause before a stream that the server ended in order is renewed.
pub(super) const RENEWAL_PAUSE_MS: std::ops::RangeInclusive<u64> = 1_000..=3_000;
/// A renewal that takes longer is a trouble, from the stream's end on.
const RENEWAL_MS_MAX: u64 = 60_000;
/// An outage of the network that is not older than this is expected to end soon, as when a router
/// starts anew ...
const SHORT_OUTAGE_MS: u64 = 300_000;
/// ... and no pause in it is longer: the session is back this soon after the network.
const SHORT_OUTAGE_PAUSE_MS_MAX: u64 = 8_000;
/// How long a run may go on once it has reported that its connection is gone.
pub(super) const BROKEN_RUN_MS_MAX: u64 = 10_000;

/// What runs, and what comes after it.
#[derive(Debug, Default)]
pub(super) struct Connection {
    /// At most one run at a time: none starts before the last one's `Ended`.
    pub(super) run: Option<Run>,
    /// The pairing that starts next.
    pub(super) next_pairing: Option<PairIntent>,
    /// When the next connection is due, monotonic. None: at once.
    pub(super) wait: Option<u64>,
    /// The server ended the stream as a matter of routine: until when its renewal is
    /// expected, monotonic.
    renewal: Option<u64>,
    /// Since when there is no connection, wall.
    pub(super) down_since: i64,
    /// Why the last run ended.
    pub(super) ended: Option<EndReason>,
    /// Since when nobody can be reached, monotonic.
    pub(super) unreachable_since: Option<u64>,
    /// Tries in a row that count for the backoff.
    pub(super) tries: u32,
    /// How often the pause has doubled.
    doublings: u32,
    /// Restarts in a row.
    pub(super) restarts: u32,
    /// Counts connections, so that an attempt knows its own.
    pub(super) generation: u64,
}

/// One run of the session.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) phase: Phase,
    /// It is to end, and this comes then.
    pub(super) closing: Option<Closing>,
    /// When it has taken too long, monotonic.
    pub(super) deadline: Option<u64>,
}

/// How far a run has come.
#[derive(Debug)]
pub(super) enum Phase {
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
pub(super) struct Pairing {
    pub(super) intent: PairIntent,
    /// What is shown now, and until when, monotonic.
    pub(super) offer: Option<(PairOffer, u64)>,
    /// The passkey that the phone asks for.
    pub(super) passkey: Option<Passkey>,
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
pub(super) enum Closing {
    /// A connection at once.
    Reconnect,
    /// A connection after a pause.
    Backoff,
    /// Nothing of its own accord.
    Done,
}

impl Connection {
    pub(super) fn new(now: Now) -> Connection {
        Connection { down_since: now.wall_ms, ..Connection::default() }
    }

    /// Where it stands, if a run is under way or a pairing is to start.
    pub(super) fn state(&self) -> Option<SessionState> {
        match &self.run {
            Some(Run { phase, closing: None, .. }) => Some(match phase {
                Phase::Connecting | Phase::Paired => SessionState::Connecting,
                Phase::Connected { .. } => SessionState::Connected,
                Phase::Pairing(Pairing { passkey: Some(_), .. }) => SessionState::PasskeyNeeded,
                Phase::Pairing(Pairing { passkey: None, .. }) => SessionState::Pairing,
            }),
            Some(_) | None if self.next_pairing.is_some() => Some(SessionState::Pairing),
            Some(_) | None => self.renewal.map(|_| SessionState::Connecting),
        }
    }

    /// Until when the renewal of a stream is expected, monotonic; none: none is under way.
    pub(super) fn renewal(&self) -> Option<u64> {
        self.renewal
    }

    /// Its renewal is over, or counts as failed.
    pub(super) fn end_renewal(&mut self) {
        self.renewal = None;
    }

    /// Since when an attempt can leave on it, monotonic; none: it cannot.
    pub(super) fn live_since(&self) -> Option<u64> {
        match &self.run {
            Some(Run {
                phase: Phase::Connected { since, broken: false }, closing: None, ..
            }) => Some(*since),
            Some(_) | None => None,
        }
    }

    /// Whether a connection stands.
    pub(super) fn is_connected(&self) -> bool {
        self.state() == Some(SessionState::Connected)
    }

    /// When the next connection is due, monotonic, if one is wanted; none if a run stands in
    /// its way.
    pub(super) fn next_try(&self) -> Option<u64> {
        let free = self.run.is_none() && self.next_pairing.is_none();
        free.then(|| self.wait.unwrap_or(0))
    }

    /// The pairing that runs, if nobody has ended it.
    pub(super) fn pairing(&mut self) -> Option<&mut Pairing> {
        match &mut self.run {
            Some(Run { phase: Phase::Pairing(pairing), closing: None, .. }) => Some(pairing),
            Some(_) | None => None,
        }
    }

    /// Everybody who waits for a pairing code.
    pub(super) fn take_waiters(&mut self) -> Vec<Token> {
        let mut waiters = Vec::new();
        if let Some(Run { phase: Phase::Pairing(pairing), .. }) = &mut self.run {
            waiters.append(&mut pairing.intent.waiters);
            waiters.extend(pairing.passkey.as_mut().and_then(Passkey::take_caller));
        }
        if let Some(mut intent) = self.next_pairing.take() {
            waiters.append(&mut intent.waiters);
        }
        waiters
    }

    /// What went wrong before does not count for the next connection.
    pub(super) fn start_afresh(&mut self) {
        self.wait = None;
        self.renewal = None;
        self.ended = None;
        self.unreachable_since = None;
        self.tries = 0;
        self.doublings = 0;
        self.restarts = 0;
    }

    /// Starts a run, which takes too long from `deadline` on.
    pub(super) fn start(&mut self, phase: Phase, deadline: u64) {
        self.run = Some(Run { phase, closing: None, deadline: Some(deadline) });
    }

    /// Tells the run to end, once.
    pub(super) fn close(&mut self, then: Closing, out: &mut ActionBuffer, now: Now) {
        if let Some(run) = &mut self.run
            && run.closing.is_none()
        {
            run.closing = Some(then);
            run.deadline = None;
            if matches!(run.phase, Phase::Connected { .. }) {
                self.down_since = now.wall_ms;
            }
            out.command(SessionCommand::Close);
        }
    }

    /// The pause before the next connection: full jitter under a bound that doubles, and stays
    /// small while an outage is short.
    pub(super) fn back_off(&mut self, roll: u64, config: &CoreConfig, now: Now) {
        let mut bound = doubled(config.backoff_first_ms, self.doublings, config.backoff_cap_ms);
        let short_max = SHORT_OUTAGE_PAUSE_MS_MAX.max(config.backoff_first_ms);
        let is_short = self
            .unreachable_since
            .is_some_and(|since| now.mono_ms.saturating_sub(since) < SHORT_OUTAGE_MS);
        if is_short && bound > short_max {
            bound = short_max;
        } else {
            self.doublings = self.doublings.saturating_add(1);
        }
        self.tries = self.tries.saturating_add(1);
        self.wait = Some(now.mono_ms.saturating_add(roll % bound.saturating_add(1)));
    }

    /// The server ended a stream that had held: another one, soon.
    pub(super) fn renew(&mut self, roll: u64, now: Now) {
        let (first, last) = RENEWAL_PAUSE_MS.into_inner();
        let pause = first.saturating_add(roll % (last - first + 1));
        self.wait = Some(now.mono_ms.saturating_add(pause));
        self.renewal = Some(now.mono_ms.saturating_add(RENEWAL_MS_MAX));
        self.ended = None;
    }

    /// A connection that held long enough starts the backoff afresh. True if this one did.
    pub(super) fn note_held(&mut self, run: &Run, config: &CoreConfig, now: Now) -> bool {
        let held = matches!(run.phase, Phase::Connected { since, .. }
            if now.mono_ms.saturating_sub(since) >= config.stable_ms);
        if held {
            self.tries = 0;
            self.doublings = 0;
            self.restarts = 0;
        }
        held
    }
}

/// An offer as the wire shows it, and for how long it is good.
pub(super) fn wire_offer(offer: Offer, now: Now) -> (PairOffer, u64) {
    let expires = |valid_ms: u64| {
        Time(now.wall_ms.saturating_add(i64::try_from(valid_ms).unwrap_or(i64::MAX)))
    };
    match offer {
        Offer::Qr { text, valid_ms } => {
            (PairOffer::Qr { qr: text, expires_at: expires(valid_ms) }, valid_ms)
        }
        Offer::Code { code, valid_ms } => {
            (PairOffer::Code { code, expires_at: expires(valid_ms) }, valid_ms)
        }
    }
}
