//! Pairing, reconnecting, taking over, logging out: what callers ask of the session.

use super::Session;
use super::connection::{Closing, PAIR_WAITERS_MAX, PairIntent, Pairing, Phase};
use crate::action::{ActionBuffer, SessionCommand};
use crate::event::Token;
use crate::explain;
use crate::time::Now;
use tetherd_api::{self as api, Error, ErrorKind, Event, PairFailure, Redacted, call};

impl Session {
    /// One pairing at a time. Asked again in the same way, it answers with the code that
    /// is shown, or the next one; asked in another way, the new way replaces the old.
    pub(crate) fn on_pair(
        &mut self,
        token: Token,
        phone: Option<Redacted<String>>,
        anyway: bool,
        out: &mut ActionBuffer,
        now: Now,
    ) {
        if let Err(error) = self.may_pair(phone.as_ref(), anyway) {
            return out.refuse(token, error);
        }
        let mut replaced = false;
        if let Some(pairing) = self.connection.pairing() {
            // Whoever asks without a number goes on with the passkey of either way.
            let joins = pairing.passkey.is_some() && phone.is_none();
            if joins || pairing.intent.phone == phone {
                let shown = pairing.offer.clone().filter(|(_, until)| *until > now.mono_ms);
                return match shown {
                    Some((offer, _)) => {
                        out.reply::<call::SessionPair>(token, Ok(api::PairResult { offer }));
                    }
                    None => pairing.intent.wait(token, out),
                };
            }
            replaced = true;
        } else if let Some(intent) = &mut self.connection.next_pairing
            && intent.phone == phone
        {
            return intent.wait(token, out);
        }
        let why = "Another pairing request took the place of this one.";
        self.fail_pairing(&Error::new(ErrorKind::PairingFailed, why), out);
        if replaced {
            let ended = Some(super::failed(PairFailure::Superseded));
            out.event(Event::Pairing { offer: None, ended });
        }
        // Without an account, a run that still stands is on its way out, or goes now.
        self.connection.close(Closing::Done, out, now);
        self.connection.next_pairing = Some(PairIntent { phone, waiters: vec![token] });
    }

    /// An account that is locked or banned is not paired again without a person's decision;
    /// it counts until another one is linked, its own device or not.
    fn may_pair(&self, phone: Option<&Redacted<String>>, anyway: bool) -> Result<(), Error> {
        self.may_start()?;
        let barred = self.account.barred();
        if let Some(trouble) = barred.filter(|trouble| !anyway && trouble.concerns(phone)) {
            return Err(explain::barred(trouble));
        }
        if self.has_phone() && barred.is_none() {
            return Err(Error::new(ErrorKind::AlreadyPaired, "A phone is already paired.")
                .remedy("to pair another one, log out first: tetherctl logout"));
        }
        Ok(())
    }

    fn may_start(&self) -> Result<(), Error> {
        if self.draining { Err(explain::shutting_down_error()) } else { Ok(()) }
    }

    /// Clears what stood in the way of the old account, and its keys if they are dead. Those
    /// that may still work are kept until the pairing has succeeded.
    pub(super) fn start_pairing(&mut self, intent: PairIntent, out: &mut ActionBuffer, now: Now) {
        let keeps = self.has_phone();
        if !keeps {
            self.forget_account();
            out.save_facts();
        }
        self.connection.start_afresh();
        let phone = intent.phone.clone();
        let deadline = now.mono_ms.saturating_add(self.config.pairing_timeout_ms);
        self.connection
            .start(Phase::Pairing(Pairing { intent, offer: None, passkey: None }), deadline);
        // A pairing that broke off may have left keys behind too.
        out.command(if keeps { SessionCommand::KeepKeys } else { SessionCommand::Forget });
        out.command(SessionCommand::Pair { phone });
    }

    /// The account goes, and what is known of it.
    pub(super) fn forget_account(&mut self) {
        self.account.on_gone();
        self.takeover.reset();
        self.refusals.clear();
        self.unacked.reset();
        self.login_pause.end();
        self.challenged = None;
    }

    /// Tries now: ends a wait, or a connection that is suspected to be dead.
    pub(crate) fn on_reconnect(&mut self, out: &mut ActionBuffer, now: Now) -> Result<(), Error> {
        self.may_start()?;
        if self.account.is_logged_out() {
            return Err(wrong("The account no longer knows this device.", "tetherctl pair"));
        }
        if self.account.jid().is_none() {
            return Err(not_paired());
        }
        if let Some(error) = self.account.trouble().and_then(|known| explain::too_soon(known, now))
        {
            return Err(error);
        }
        if self.takeover.replaced_since().is_some() {
            return Err(wrong("Another WhatsApp Web session took over.", "tetherctl takeover"));
        }
        if let Some(until) = self.login_pause.until(now) {
            return Err(explain::logins_limited(until, self.next_try(), now));
        }
        self.account.on_reconnect(now);
        out.save_facts();
        self.connection.start_afresh();
        if self.connection.is_connected() {
            self.connection.close(Closing::Reconnect, out, now);
        }
        Ok(())
    }

    /// Resolves a conflict in our favour.
    pub(crate) fn on_takeover(&mut self, out: &mut ActionBuffer, now: Now) -> Result<(), Error> {
        self.may_start()?;
        if self.takeover.replaced_since().is_none() {
            return Err(wrong("No other session has taken over.", "tetherctl status"));
        }
        self.takeover.on_command(now);
        self.connection.start_afresh();
        out.save_facts();
        Ok(())
    }

    /// Unlinks this device; the queue stays.
    pub(crate) fn on_logout(&mut self, out: &mut ActionBuffer) -> Result<(), Error> {
        self.may_start()?;
        if self.account.jid().is_none() {
            return Err(not_paired());
        }
        self.forget_account();
        out.save_facts();
        self.connection.start_afresh();
        match &mut self.connection.run {
            Some(run) => {
                run.closing = Some(Closing::Done);
                run.deadline = None;
                out.command(SessionCommand::Logout);
            }
            None => out.command(SessionCommand::Forget),
        }
        Ok(())
    }
}

impl PairIntent {
    /// Somebody waits for the next code.
    fn wait(&mut self, token: Token, out: &mut ActionBuffer) {
        if self.waiters.len() >= PAIR_WAITERS_MAX {
            let why = "Too many callers wait for the pairing code already.";
            let error = Error::new(ErrorKind::WrongState, why).retry_after_ms(1_000);
            return out.refuse(token, error);
        }
        self.waiters.push(token);
    }
}

fn not_paired() -> Error {
    Error::new(ErrorKind::NotPaired, "No phone is paired.").remedy("tetherctl pair")
}

fn wrong(sentence: &str, remedy: &str) -> Error {
    Error::new(ErrorKind::WrongState, sentence).remedy(remedy)
}
