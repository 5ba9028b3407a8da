//! Pairing, reconnecting, taking over, logging out: what callers ask of the session.

use crate::Core;
use crate::action::SessionCommand;
use crate::event::{EndReason, Token};
use crate::explain;
use crate::link::{Closing, PAIR_WAITERS_MAX, PairIntent, Pairing, Phase, Run};
use crate::queue::shutting_down;
use crate::time::Now;
use tetherd_api::{self as api, Error, ErrorKind, Event, PairEnd, Redacted, call};

impl Core {
    /// One pairing at a time. Asked again in the same way, it answers with the code that
    /// is shown, or the next one; asked in another way, the new way replaces the old.
    pub(crate) fn pair(&mut self, token: Token, phone: Option<Redacted<String>>, now: Now) {
        if let Err(error) = self.may_pair() {
            return self.out.refuse(token, error);
        }
        let mut replaced = false;
        if let Some(Run { phase: Phase::Pairing(pairing), closing: None, .. }) = &mut self.link.run
        {
            if pairing.intent.phone == phone {
                let shown = pairing.offer.clone().filter(|(_, until)| *until > now.mono_ms);
                if let Some((offer, _)) = shown {
                    return self
                        .out
                        .reply::<call::SessionPair>(token, Ok(api::PairResult { offer }));
                }
                if pairing.intent.waiters.len() >= PAIR_WAITERS_MAX {
                    return self.out.refuse(token, too_many_waiters());
                }
                return pairing.intent.waiters.push(token);
            }
            replaced = true;
        } else if let Some(intent) = &mut self.link.next_pair
            && intent.phone == phone
        {
            if intent.waiters.len() >= PAIR_WAITERS_MAX {
                return self.out.refuse(token, too_many_waiters());
            }
            return intent.waiters.push(token);
        }
        self.fail_pairing(Error::new(
            ErrorKind::PairingFailed,
            "Another pairing request took the place of this one.",
        ));
        if replaced {
            let why = "another pairing request took its place".to_owned();
            self.pairing_event(PairEnd::Failed { why });
        }
        // Without an account, a run that still stands is on its way out, or goes now.
        self.close_run(Closing::Done);
        self.link.next_pair = Some(PairIntent { phone, waiters: vec![token] });
    }

    fn may_pair(&self) -> Result<(), Error> {
        if self.draining {
            return Err(shutting_down());
        }
        if self.facts.account.is_some() && self.facts.logged_out.is_none() {
            return Err(Error::new(ErrorKind::AlreadyPaired, "A phone is already paired.")
                .remedy("to pair another one, log out first: tetherctl logout"));
        }
        Ok(())
    }

    /// Clears what stood in the way of the old account, and its keys.
    pub(crate) fn start_pairing(&mut self, intent: PairIntent, now: Now) {
        let kept = self.facts.without_account();
        if self.facts != kept {
            self.facts = kept;
            self.out.facts = true;
        }
        self.link.ban_ends = None;
        self.link.outdated_since = None;
        self.link.ended = None;
        self.link.tries = 0;
        self.link.restarts = 0;
        let phone = intent.phone.clone();
        let deadline = now.mono_ms.saturating_add(self.config.pairing_timeout_ms);
        let pairing = Pairing { intent, offer: None };
        self.link.run = Some(Run::new(Phase::Pairing(pairing), deadline));
        // A pairing that broke off may have left keys behind too.
        self.command(SessionCommand::Forget);
        self.command(SessionCommand::Pair { phone });
    }

    /// The pairing's run is over and nothing was paired.
    pub(crate) fn pairing_ended(
        &mut self,
        waiters: Vec<Token>,
        closed_by_us: bool,
        reason: &EndReason,
        now: Now,
    ) {
        if *reason == EndReason::Outdated {
            self.link.outdated_since = Some(now.wall_ms);
        }
        // Who ended it has been told already, and so have those who waited.
        if closed_by_us {
            return;
        }
        let sentence = explain::sentence(&explain::end_reason(reason));
        for token in waiters {
            let error = Error::new(ErrorKind::PairingFailed, format!("No code: {sentence}"))
                .remedy("tetherctl pair");
            self.out.refuse(token, error);
        }
        self.link.ended = Some(reason.clone());
        self.pairing_event(if *reason == EndReason::PairingTimedOut {
            PairEnd::TimedOut {}
        } else {
            PairEnd::Failed { why: sentence }
        });
    }

    /// Tells everybody who waits for a code that none comes.
    pub(crate) fn fail_pairing(&mut self, error: Error) {
        let mut waiters = Vec::new();
        if let Some(Run { phase: Phase::Pairing(pairing), .. }) = &mut self.link.run {
            waiters.append(&mut pairing.intent.waiters);
        }
        if let Some(mut intent) = self.link.next_pair.take() {
            waiters.append(&mut intent.waiters);
        }
        for token in waiters {
            self.out.refuse(token, error.clone());
        }
    }

    fn pairing_event(&mut self, end: PairEnd) {
        self.out.event(Event::Pairing { offer: None, ended: Some(end) });
    }

    /// Tries now: ends a wait, or a connection that is suspected to be dead.
    pub(crate) fn reconnect(&mut self, now: Now) -> Result<(), Error> {
        if self.draining {
            return Err(shutting_down());
        }
        if self.facts.logged_out.is_some() {
            return Err(wrong("The account no longer knows this device.", "tetherctl pair"));
        }
        if self.facts.account.is_none() {
            return Err(not_paired());
        }
        if let Some((_, until, _)) = self.facts.banned {
            let sentence = format!("The account is banned until {}.", api::Time(until));
            return Err(wrong(&sentence, "wait; the daemon connects when the ban ends")
                .retry_after_ms(
                    self.link.ban_ends.unwrap_or(now.mono_ms).saturating_sub(now.mono_ms),
                ));
        }
        if self.facts.replaced_since.is_some() {
            return Err(wrong("Another WhatsApp Web session took over.", "tetherctl takeover"));
        }
        self.link.outdated_since = None;
        self.link.ended = None;
        self.link.wait = None;
        self.link.tries = 0;
        self.link.restarts = 0;
        if self.link.is_connected() {
            self.close_run(Closing::Reconnect);
        }
        Ok(())
    }

    /// Resolves a conflict in our favour.
    pub(crate) fn takeover(&mut self, _now: Now) -> Result<(), Error> {
        if self.draining {
            return Err(shutting_down());
        }
        if self.facts.replaced_since.is_none() {
            return Err(wrong("No other session has taken over.", "tetherctl status"));
        }
        self.take_back_by_command();
        Ok(())
    }

    /// Unlinks this device; the queue stays.
    pub(crate) fn logout(&mut self) -> Result<(), Error> {
        if self.draining {
            return Err(shutting_down());
        }
        if self.facts.account.is_none() {
            return Err(not_paired());
        }
        self.facts = self.facts.without_account();
        self.out.facts = true;
        self.link.ban_ends = None;
        self.link.outdated_since = None;
        self.link.wait = None;
        self.link.ended = None;
        match &mut self.link.run {
            Some(run) => {
                run.closing = Some(Closing::Done);
                run.deadline = None;
                self.command(SessionCommand::Logout);
            }
            None => self.command(SessionCommand::Forget),
        }
        Ok(())
    }
}

fn not_paired() -> Error {
    Error::new(ErrorKind::NotPaired, "No phone is paired.").remedy("tetherctl pair")
}

fn wrong(sentence: &str, remedy: &str) -> Error {
    Error::new(ErrorKind::WrongState, sentence).remedy(remedy)
}

fn too_many_waiters() -> Error {
    Error::new(ErrorKind::WrongState, "Too many callers wait for the pairing code already.")
        .retry_after_ms(1_000)
}
