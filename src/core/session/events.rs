//! What the run reports about itself. Late, doubled and foreign reports are normal input and
//! change nothing.

use super::Session;
use super::connection::{BROKEN_RUN_MS_MAX, Closing, Phase, RESTARTS_AT_ONCE_MAX, Run, wire_offer};
use super::passkey::Passkey;
use crate::account_names::AccountNames;
use crate::action::ActionBuffer;
use crate::event::{EndReason, Offer, Token};
use crate::explain;
use crate::server_codes::RATE_LIMITED;
use crate::time::Now;
use crate::trouble::TroubleKind;
use tetherd_api::{self as api, Error, ErrorKind, Event, PairEnd, PairFailure, PairOffer, call};

/// An unlinking so soon after a restriction of the account was announced is the server's
/// doing, not a person's at the phone: they were seen milliseconds apart.
const ENFORCEMENT_MS: u64 = 60_000;

impl Session {
    /// A secret to show.
    pub(crate) fn on_offer(&mut self, offer: Offer, out: &mut ActionBuffer, now: Now) {
        // Once the phone asks for a passkey, a code is only the library's way of waiting.
        if self.connection.pairing().is_none_or(|pairing| pairing.passkey.is_some()) {
            return;
        }
        // A code is offered only to a device whose old keys are gone. From here on keys
        // are this pairing's, and they count even if the daemon dies before it hears of it.
        out.facts |= self.account.on_new_keys();
        let (offer, valid_ms) = wire_offer(offer, now);
        self.show(offer, valid_ms, out, now);
    }

    /// Answers it to those who wait for what is to be shown, and reports it to subscribers.
    pub(super) fn show(
        &mut self,
        offer: PairOffer,
        valid_ms: u64,
        out: &mut ActionBuffer,
        now: Now,
    ) {
        let Some(pairing) = self.connection.pairing() else { return };
        pairing.offer = Some((offer.clone(), now.mono_ms.saturating_add(valid_ms)));
        let waiters = std::mem::take(&mut pairing.intent.waiters);
        out.event(Event::Pairing { offer: Some(offer.clone()), ended: None });
        for token in waiters {
            let result = api::PairResult { offer: offer.clone() };
            out.reply::<call::SessionPair>(token, Ok(result));
        }
    }

    /// The pairing succeeded; the restart is to come.
    pub(crate) fn on_paired(&mut self, account: AccountNames, out: &mut ActionBuffer, now: Now) {
        let Some(run) = &mut self.connection.run else { return };
        if !matches!(run.phase, Phase::Pairing(_)) {
            return;
        }
        // Whoever still waits for a code asked for what is already done.
        let error = Error::new(ErrorKind::AlreadyPaired, "A phone has just been paired.");
        self.fail_pairing(&error.remedy("tetherctl status"), out);
        if let Some(run) = &mut self.connection.run {
            run.phase = Phase::Paired;
            if run.closing.is_none() {
                let deadline = now.mono_ms.saturating_add(self.config.connect_timeout_ms);
                run.deadline = Some(deadline);
            } else {
                run.closing = Some(Closing::Reconnect);
            }
        }
        self.forget_account();
        self.account.on_paired(account.clone());
        out.save_facts();
        let ended = PairEnd::Paired { account: account.jid };
        out.event(Event::Pairing { offer: None, ended: Some(ended) });
    }

    /// Logged in and ready to send. True if that is a new connection.
    pub(crate) fn on_connected(
        &mut self,
        account: AccountNames,
        out: &mut ActionBuffer,
        now: Now,
    ) -> bool {
        let Some(run) = &mut self.connection.run else { return false };
        if run.closing.is_some() || matches!(run.phase, Phase::Connected { .. }) {
            return false;
        }
        if matches!(run.phase, Phase::Pairing(_)) {
            self.on_paired(account.clone(), out, now);
        }
        if let Some(run) = &mut self.connection.run {
            run.phase = Phase::Connected { since: now.mono_ms, broken: false };
            run.deadline = None;
        }
        self.connection.generation = self.connection.generation.saturating_add(1);
        self.connection.ended = None;
        self.connection.end_renewal();
        self.unacked.on_connected();
        out.facts |= self.account.on_logged_in(account);
        true
    }

    /// An attempt on this connection found that it is gone, though its end has not been
    /// reported: without this, every free slot would be spent on it.
    pub(crate) fn on_connection_gone(&mut self, now: Now) {
        if let Some(run) = &mut self.connection.run
            && let Phase::Connected { broken, .. } = &mut run.phase
            && run.closing.is_none()
            && !*broken
        {
            *broken = true;
            self.connection.down_since = now.wall_ms;
            run.deadline = Some(now.mono_ms.saturating_add(BROKEN_RUN_MS_MAX));
        }
    }

    /// Whether a run is under way, or on its way out.
    pub(crate) fn has_run(&self) -> bool {
        self.connection.run.is_some()
    }

    /// The run is over. The server's code, if it refused the account's login for now.
    pub(crate) fn on_ended(
        &mut self,
        reason: &EndReason,
        roll: u64,
        out: &mut ActionBuffer,
        now: Now,
    ) -> Option<u32> {
        let run = self.connection.run.take()?;
        let held = self.connection.note_held(&run, &self.config, now);
        let since = self.connection.unreachable_since.unwrap_or(now.mono_ms);
        let is_unreachable = matches!(reason, EndReason::Unreachable { .. });
        self.connection.unreachable_since = is_unreachable.then_some(since);
        self.connection.end_renewal();
        if matches!(run.phase, Phase::Connected { broken: false, .. }) && run.closing.is_none() {
            self.connection.down_since = now.wall_ms;
        }
        self.connection.wait = None;
        if let Run { phase: Phase::Pairing(mut pairing), closing, .. } = run {
            let mut waiters = pairing.intent.waiters;
            waiters.extend(pairing.passkey.as_mut().and_then(Passkey::take_caller));
            self.pairing_ended(waiters, closing.is_some(), reason, out, now);
            return None;
        }
        if self.account.jid().is_none() {
            // Logged out by command.
            self.connection.ended = None;
            return None;
        }
        self.connection.ended = Some(reason.clone());
        if *reason == EndReason::StreamEnded {
            out.facts |= self.unacked.on_stream_ended();
        }
        match (reason, run.closing) {
            (EndReason::StreamEnded, None) if held => self.connection.renew(roll, now),
            (_, closing) => self.after_end(reason, closing, roll, out, now),
        }
        reason.refused()
    }

    /// What the end of a paired account's run means for the next one.
    fn after_end(
        &mut self,
        reason: &EndReason,
        closing: Option<Closing>,
        roll: u64,
        out: &mut ActionBuffer,
        now: Now,
    ) {
        match reason {
            EndReason::Replaced => {
                self.takeover.on_replaced(self.config.on_conflict, roll, now);
                out.save_facts();
            }
            EndReason::Trouble(trouble) => {
                let restricted = |at: u64| now.mono_ms.saturating_sub(at) <= ENFORCEMENT_MS;
                let enforced = trouble.kind == TroubleKind::LoggedOut
                    && self.restricted_at.is_some_and(restricted);
                self.account.on_trouble(trouble, enforced, &self.config, now);
                out.save_facts();
                // A ban may be over at once: the next login must not follow at once.
                self.connection.back_off(roll, &self.config, now);
            }
            EndReason::Refused { code: RATE_LIMITED } => {
                self.login_pause.on_limited(roll, now);
                out.save_facts();
            }
            EndReason::Untrusted => {
                let at = now.mono_ms.saturating_add(self.config.backoff_cap_ms);
                self.connection.wait = Some(at);
            }
            EndReason::Restart if self.connection.restarts < RESTARTS_AT_ONCE_MAX => {
                self.connection.restarts = self.connection.restarts.saturating_add(1);
            }
            EndReason::Restart
            | EndReason::StreamEnded
            | EndReason::Refused { .. }
            | EndReason::Unreachable { .. }
            | EndReason::Lost { .. }
            | EndReason::PairingTimedOut
            | EndReason::PairingFailed { .. }
            | EndReason::Closed => match closing {
                Some(Closing::Reconnect) => {}
                Some(Closing::Backoff | Closing::Done) | None => {
                    self.connection.back_off(roll, &self.config, now);
                }
            },
        }
    }

    /// The pairing's run is over and nothing was paired.
    fn pairing_ended(
        &mut self,
        waiters: Vec<Token>,
        closed_by_us: bool,
        reason: &EndReason,
        out: &mut ActionBuffer,
        now: Now,
    ) {
        if let Some(trouble) = reason.trouble()
            && trouble.kind == TroubleKind::Outdated
        {
            self.account.on_trouble(trouble, false, &self.config, now);
            out.save_facts();
        }
        // Who ended it has an answer already, and so have those who waited.
        if closed_by_us {
            return;
        }
        let sentence = explain::sentence(&explain::end_reason(reason));
        for token in waiters {
            let error = Error::new(ErrorKind::PairingFailed, format!("No code: {sentence}"));
            out.refuse(token, error.remedy("tetherctl pair"));
        }
        self.connection.ended = Some(reason.clone());
        let ended = match reason {
            EndReason::PairingTimedOut => PairEnd::TimedOut {},
            EndReason::PairingFailed { why } => super::failed(*why),
            // Pairing again may make it worse.
            EndReason::Trouble(_) => {
                let remedy = Some("tetherctl why".to_owned());
                PairEnd::Failed { kind: PairFailure::Connection, why: sentence, remedy }
            }
            EndReason::Restart
            | EndReason::StreamEnded
            | EndReason::Replaced
            | EndReason::Refused { .. }
            | EndReason::Untrusted
            | EndReason::Unreachable { .. }
            | EndReason::Lost { .. }
            | EndReason::Closed => {
                let remedy = Some("tetherctl pair".to_owned());
                PairEnd::Failed { kind: PairFailure::Connection, why: sentence, remedy }
            }
        };
        out.event(Event::Pairing { offer: None, ended: Some(ended) });
    }
}
