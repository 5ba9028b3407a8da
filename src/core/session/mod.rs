//! The one session with the server: the connection and when to try it again, pairing, who
//! holds the session, and what the server holds against the account. Owns the reconnect
//! policy. Knows no message, no pace and no phone: [`crate::Core`] routes what they share.
//!
//! A further trouble of the account is a field and a condition in `account`.

use crate::account_names::AccountNames;
use crate::action::{ActionBuffer, SessionCommand, Wake};
use crate::condition::LastHour;
use crate::config::CoreConfig;
use crate::event::{ChallengeKind, EndReason};
use crate::explain;
use crate::facts::Facts;
use crate::time::{Now, Uptime};
use tetherd_api::{Error, ErrorKind, Event, PairEnd, PairFailure, Redacted, SessionState};

mod account;
mod conditions;
mod connection;
mod events;
mod login_pause;
mod passkey;
mod requests;
mod server_refusals;
mod takeover;
mod unacked;

#[cfg(test)]
pub(crate) use connection::PairIntent;
pub use login_pause::LoginPauseFacts;
pub(crate) use passkey::Settled;
pub use server_refusals::Refusal;
pub use takeover::{TAKEOVERS_PER_HOUR_MAX, TakeoverFacts};
pub use unacked::UnackedStanza;

use account::Account;
use connection::{Closing, Connection, Phase, Run};
use login_pause::LoginPause;
use takeover::Takeover;
use unacked::Unacked;

/// The session of the one account.
#[derive(Debug)]
pub(crate) struct Session {
    config: CoreConfig,
    now: Now,
    draining: bool,
    account: Account,
    connection: Connection,
    takeover: Takeover,
    login_pause: LoginPause,
    unacked: Unacked,
    /// How often the server refused messages, by code.
    refusals: Vec<Refusal>,
    /// When the server last said that it restricts the account, monotonic.
    restricted_at: Option<u64>,
    /// When the server last asked the account to prove itself, wall, and by what.
    challenged: Option<(i64, ChallengeKind)>,
    /// The state as last published, and since when.
    published_state: Option<(SessionState, i64)>,
}

impl Session {
    /// Takes over what was stored.
    pub(crate) fn new(config: CoreConfig, facts: &Facts, uptime: Uptime, now: Now) -> Session {
        let takeovers = facts.network.takeovers.clone();
        // The wall clock may have been set back meanwhile: it never stands longer for that.
        let challenged = facts.network.challenged.map(|(at, kind)| (at.min(now.wall_ms), kind));
        Session {
            now,
            draining: false,
            account: Account::new(facts, &config.client_version, now),
            connection: Connection::new(now),
            takeover: Takeover::new(takeovers, facts.replaced_since, uptime),
            login_pause: LoginPause::new(facts.network.login_pause, now),
            unacked: Unacked::new(facts.network.unacked.clone()),
            refusals: facts.network.refusals.clone(),
            challenged,
            published_state: None,
            restricted_at: None,
            config,
        }
    }

    /// Takes another configuration.
    pub(crate) fn set_config(&mut self, config: &CoreConfig) {
        self.config = config.clone();
    }

    /// The time of an input. Monotonic time never goes back.
    pub(crate) fn set_time(&mut self, now: Now) {
        self.now = now;
    }

    /// The daemon goes down: nothing new starts.
    pub(crate) fn on_drain(&mut self, error: Error, out: &mut ActionBuffer) {
        self.draining = true;
        self.fail_pairing(&error, out);
    }

    /// No attempt is under way any more: the run may end.
    pub(crate) fn on_drained(&mut self, out: &mut ActionBuffer, now: Now) {
        self.connection.close(Closing::Done, out, now);
    }

    /// Attempts have no answer on this connection: the next one resolves them.
    pub(crate) fn on_unresolved(&mut self, out: &mut ActionBuffer, now: Now) {
        self.connection.close(Closing::Reconnect, out, now);
    }

    /// The server asks the account to prove itself.
    pub(crate) fn on_challenge(&mut self, kind: ChallengeKind, out: &mut ActionBuffer, now: Now) {
        self.challenged = Some((now.wall_ms, kind));
        out.save_facts();
    }

    /// Counts a refusal of a message by its code.
    pub(crate) fn on_refusal(&mut self, code: u32, out: &mut ActionBuffer, now: Now) {
        server_refusals::count(&mut self.refusals, code, now);
        out.save_facts();
    }

    /// The server ends the stream for want of the acknowledgement of this stanza.
    pub(crate) fn on_unacked(&mut self, id: String, out: &mut ActionBuffer, now: Now) {
        self.unacked.on_named(id, now);
        out.save_facts();
    }

    /// The server says that it restricts the account.
    pub(crate) fn on_restriction(&mut self, now: Now) {
        self.restricted_at = Some(now.mono_ms);
    }

    /// The server says until when it takes this client's version.
    pub(crate) fn on_client_expires(&mut self, at: i64, out: &mut ActionBuffer) {
        out.facts |= self.account.on_expiry(at, &self.config);
    }

    /// Ends what is over, and what takes too long.
    pub(crate) fn on_time(&mut self, out: &mut ActionBuffer, now: Now) {
        self.end_late_run(out, now);
        if self.connection.renewal().is_some_and(|at| at <= now.mono_ms) {
            self.connection.end_renewal();
        }
        if !self.draining {
            let due = self.takeover.facts().takeover_due_uptime_ms;
            if self.takeover.on_time(&self.config, now) {
                self.connection.start_afresh();
            }
            out.facts |= self.takeover.facts().takeover_due_uptime_ms != due;
        }
        out.facts |= self.account.on_time(now);
        out.facts |= self.unacked.on_time(self.live_since(), now);
    }

    fn end_late_run(&mut self, out: &mut ActionBuffer, now: Now) {
        let is_late = |run: &Run| run.deadline.is_some_and(|at| at <= now.mono_ms);
        let Some(run) = self.connection.run.as_ref().filter(|run| is_late(run)) else { return };
        match &run.phase {
            Phase::Pairing(pairing) if pairing.passkey.is_some() => {
                return self.end_pairing(PairFailure::PasskeyTimedOut, out, now);
            }
            Phase::Pairing(_) => {}
            Phase::Connecting | Phase::Connected { .. } | Phase::Paired => {
                return self.connection.close(Closing::Backoff, out, now);
            }
        }
        let why = "The pairing took too long.";
        let error = Error::new(ErrorKind::PairingFailed, why).remedy("tetherctl pair");
        self.fail_pairing(&error, out);
        out.event(Event::Pairing { offer: None, ended: Some(PairEnd::TimedOut {}) });
        self.connection.close(Closing::Done, out, now);
    }

    /// Ends the pairing that runs, and says why to everybody who waits.
    fn end_pairing(&mut self, why: PairFailure, out: &mut ActionBuffer, now: Now) {
        let error = explain::pairing_over(why);
        self.fail_pairing(&error, out);
        out.event(Event::Pairing { offer: None, ended: Some(failed(why)) });
        self.connection.close(Closing::Done, out, now);
    }

    /// Starts the run that is due, if none stands in its way.
    pub(crate) fn start_due(&mut self, out: &mut ActionBuffer, now: Now) {
        if self.connection.run.is_some() || self.draining {
            return;
        }
        if let Some(intent) = self.connection.next_pairing.take() {
            return self.start_pairing(intent, out, now);
        }
        if self.next_try().is_some_and(|at| at <= now.mono_ms) {
            self.connection.wait = None;
            let deadline = now.mono_ms.saturating_add(self.config.connect_timeout_ms);
            self.connection.start(Phase::Connecting, deadline);
            out.command(SessionCommand::Connect);
        }
    }

    /// Tells everybody who waits for a pairing code that none comes.
    fn fail_pairing(&mut self, error: &Error, out: &mut ActionBuffer) {
        for token in self.connection.take_waiters() {
            out.refuse(token, error.clone());
        }
    }

    /// When time alone brings something about, monotonic, and what.
    pub(crate) fn poll_timeout(&self) -> Option<(u64, Wake)> {
        let run = self.connection.run.as_ref();
        let next = [
            (run.and_then(|run| run.deadline), Wake::RunTimeout),
            (self.connection.renewal(), Wake::RunTimeout),
            (self.account.ban_ends(), Wake::BanEnds),
            (self.warning_at(), Wake::ClientExpires),
            (self.unacked.quiet_at(self.live_since()), Wake::StanzaForgotten),
            (self.next_try(), Wake::Connect),
            (self.takeover_at().filter(|_| !self.draining), Wake::Takeover),
        ];
        let next = next.into_iter().filter_map(|(at, wake)| Some((at?, wake)));
        next.min_by_key(|(at, _)| *at)
    }

    /// When the end of this client's version becomes a condition, monotonic.
    fn warning_at(&self) -> Option<u64> {
        let left = self.account.expiry_warning(self.now)?.saturating_sub(self.now.wall_ms);
        Some(self.now.mono_ms.saturating_add(u64::try_from(left).unwrap_or(0)))
    }

    /// Where the session stands.
    pub(crate) fn state(&self) -> SessionState {
        self.state_and_since().0
    }

    /// The same, and since when if that is stored.
    fn state_and_since(&self) -> (SessionState, Option<i64>) {
        if let Some(state) = self.connection.state() {
            (state, None)
        } else if let Some(state) = self.account.state() {
            state
        } else if let Some(since) = self.takeover.replaced_since() {
            (SessionState::Replaced, Some(since))
        } else {
            (SessionState::Waiting, None)
        }
    }

    /// Remembers since when the session is in its state.
    pub(crate) fn on_published(&mut self, now: Now) {
        let (state, since) = self.state_and_since();
        if self.published_state.is_none_or(|(published, _)| published != state) {
            self.published_state = Some((state, since.unwrap_or(now.wall_ms)));
        }
    }

    /// Since when the session is in its state, wall.
    pub(crate) fn since(&self, now: Now) -> i64 {
        match self.published_state {
            Some((state, since)) if state == self.state() => since,
            Some(_) | None => now.wall_ms,
        }
    }

    /// The paired account, under its number and its LID.
    pub(crate) fn account_names(&self) -> Option<&AccountNames> {
        self.account.names()
    }

    /// The paired account's JID.
    pub(crate) fn account(&self) -> Option<&Redacted<String>> {
        self.account.jid()
    }

    /// Whether a phone is paired, as far as anybody knows.
    pub(crate) fn has_phone(&self) -> bool {
        self.account.jid().is_some() && !self.account.is_logged_out()
    }

    /// Since when an attempt can leave, monotonic; none: it cannot.
    pub(crate) fn live_since(&self) -> Option<u64> {
        self.connection.live_since()
    }

    /// Whether an attempt can leave.
    pub(crate) fn can_send(&self) -> bool {
        self.live_since().is_some()
    }

    /// Whether a connection stands.
    pub(crate) fn is_connected(&self) -> bool {
        self.connection.is_connected()
    }

    /// Counts connections.
    pub(crate) fn generation(&self) -> u64 {
        self.connection.generation
    }

    /// Why the last run ended.
    pub(crate) fn ended(&self) -> Option<&EndReason> {
        self.connection.ended.as_ref()
    }

    /// Whether a connection is wanted, now or later, when no run stands in its way.
    fn wants_connection(&self) -> bool {
        self.account.may_log_in() && self.takeover.replaced_since().is_none()
    }

    /// When the next connection is due, monotonic; none if one runs or none is wanted.
    pub(crate) fn next_try(&self) -> Option<u64> {
        if self.draining || !self.wants_connection() {
            return None;
        }
        let pauses = self.account.next_login().max(self.login_pause.until(self.now));
        Some(self.connection.next_try()?.max(pauses.unwrap_or(0)))
    }

    /// When the session is taken back by itself, monotonic. None: never.
    pub(crate) fn takeover_at(&self) -> Option<u64> {
        self.takeover.at(&self.config)
    }

    /// How often another session took over since the start.
    pub(crate) fn replaced(&self) -> u64 {
        self.takeover.replaced()
    }

    /// Conflicts about the session in the last hour.
    pub(crate) fn last_hour(&self, now: Now) -> LastHour {
        self.takeover.last_hour(&self.config, now)
    }

    /// How often the server refused messages, by code.
    pub(crate) fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    /// What of it outlives a restart.
    pub(crate) fn store_facts(&self, facts: &mut Facts) {
        self.account.store_facts(facts);
        facts.replaced_since = self.takeover.replaced_since();
        facts.network.takeovers = self.takeover.facts().clone();
        facts.network.refusals.clone_from(&self.refusals);
        facts.network.login_pause = self.login_pause.facts();
        facts.network.unacked = self.unacked.stanzas().to_vec();
        facts.network.challenged = self.challenged;
    }
}

/// The end of a pairing that failed.
fn failed(why: PairFailure) -> PairEnd {
    let (what, remedy) = explain::pair_failure(why);
    PairEnd::Failed { kind: why, why: what.to_owned(), remedy: remedy.map(str::to_owned) }
}
