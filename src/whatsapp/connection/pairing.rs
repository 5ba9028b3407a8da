//! One pairing, by QR or by code: which offers are shown, when the next code is asked
//! for, and how long to wait.

use std::time::Duration;

use crate::whatsapp::events::translate::ConnectionEvent;
use tetherd_api::{PairFailure, Redacted};
use tetherd_core::event::{EndReason, Offer};

/// Codes to type that one pairing may go through.
const CODES_MAX: u32 = 3;
/// Beyond what an offer is good for: the server replaces it, or the phone is just answering.
const OFFER_GRACE: Duration = Duration::from_secs(30);

/// For how long a code to type is good. A QR code's time is much shorter.
const CODE_TIME: Duration = Duration::from_secs(180);
/// The longest that the offers of one pairing may take together.
pub(crate) const OFFERS_TIME_MAX: Duration =
    CODE_TIME.saturating_add(OFFER_GRACE).saturating_mul(CODES_MAX);

/// What a connection is for.
#[derive(Clone, Debug)]
pub(crate) enum Purpose {
    /// Log in with the stored keys.
    Login,
    /// Pair by QR.
    PairQr,
    /// Pair by code.
    PairCode(CodePairing),
}

/// A pairing by code.
#[derive(Clone, Debug)]
pub(crate) struct CodePairing {
    pub(crate) phone: Redacted<String>,
    codes: u32,
}

/// What to do about something that the pairing saw.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PairingStep {
    /// Nothing.
    Wait,
    /// Show it; wait this long for what follows.
    Show(Offer, Duration),
    /// Request a code from the server.
    RequestCode,
    /// It is over.
    End(EndReason),
}

impl Purpose {
    /// By code if there is a number.
    pub(crate) fn pairing(phone: Option<Redacted<String>>) -> Purpose {
        match phone {
            Some(phone) => Purpose::PairCode(CodePairing { phone, codes: 0 }),
            None => Purpose::PairQr,
        }
    }

    pub(crate) fn pairs(&self) -> bool {
        !matches!(self, Purpose::Login)
    }

    /// An offer from the library. The server's references for QR codes come first in
    /// either case; for a pairing by code they say that the server is ready for it.
    pub(crate) fn offer(&mut self, offer: Offer) -> PairingStep {
        match (self, offer) {
            (Purpose::Login, _) => PairingStep::End(EndReason::logged_out(None)),
            (Purpose::PairQr, offer @ Offer::Qr { valid_ms, .. })
            | (Purpose::PairCode(_), offer @ Offer::Code { valid_ms, .. }) => PairingStep::Show(
                offer,
                Duration::from_millis(valid_ms).saturating_add(OFFER_GRACE),
            ),
            (Purpose::PairCode(code_pairing), Offer::Qr { .. }) if code_pairing.codes == 0 => {
                code_pairing.codes = 1;
                PairingStep::RequestCode
            }
            (Purpose::PairCode(_), Offer::Qr { .. }) | (Purpose::PairQr, Offer::Code { .. }) => {
                PairingStep::Wait
            }
        }
    }

    /// The code shown is no longer good.
    pub(crate) fn code_refresh(&mut self, by_hand: bool) -> PairingStep {
        match self {
            Purpose::PairCode(_) if by_hand => {
                PairingStep::End(EndReason::PairingFailed { why: PairFailure::NewCodeWanted })
            }
            Purpose::PairCode(code_pairing) if code_pairing.codes < CODES_MAX => {
                code_pairing.codes += 1;
                PairingStep::RequestCode
            }
            Purpose::PairCode(_) => PairingStep::End(EndReason::PairingTimedOut),
            Purpose::Login | Purpose::PairQr => PairingStep::Wait,
        }
    }

    /// No QR code is left. A code to type outlives them.
    pub(crate) fn qr_exhausted(&self) -> PairingStep {
        match self {
            Purpose::PairQr => PairingStep::End(EndReason::PairingTimedOut),
            Purpose::Login | Purpose::PairCode(_) => PairingStep::Wait,
        }
    }

    /// What it means that nothing more came in time.
    pub(crate) fn timed_out(&self, offered: bool, paired: bool, passkey: bool) -> EndReason {
        match self {
            Purpose::PairQr | Purpose::PairCode(_) if paired => {
                EndReason::PairingFailed { why: PairFailure::NotRestarted }
            }
            Purpose::PairQr | Purpose::PairCode(_) if passkey => {
                EndReason::PairingFailed { why: PairFailure::PasskeyTimedOut }
            }
            Purpose::PairQr | Purpose::PairCode(_) if offered => EndReason::PairingTimedOut,
            Purpose::PairQr | Purpose::PairCode(_) => {
                EndReason::Lost { what: "the server offered no code in time".to_owned() }
            }
            Purpose::Login => {
                EndReason::Lost { what: "the login did not complete in time".to_owned() }
            }
        }
    }

    /// The pairing's part in what was seen; none: not its business.
    pub(crate) fn step(&mut self, seen: ConnectionEvent) -> Result<PairingStep, ConnectionEvent> {
        match seen {
            ConnectionEvent::Offer(offer) => Ok(self.offer(offer)),
            ConnectionEvent::CodeRefresh { by_hand } => Ok(self.code_refresh(by_hand)),
            ConnectionEvent::QrExhausted => Ok(self.qr_exhausted()),
            seen @ (ConnectionEvent::Report(_)
            | ConnectionEvent::Ready
            | ConnectionEvent::Named
            | ConnectionEvent::HistoryRead
            | ConnectionEvent::End(_)
            | ConnectionEvent::Gone(_)) => Err(seen),
        }
    }
}

/// The first reason counts, but for a pairing's own: the server answers the library's refusal of
/// a phone's signature with "unlinked", which can overtake what the library says about it.
pub(crate) fn conclude(verdict: &mut Option<EndReason>, reason: EndReason) {
    let unlinked = matches!(verdict, Some(EndReason::Trouble(_)));
    if unlinked && matches!(reason, EndReason::PairingFailed { .. }) {
        *verdict = Some(reason);
    } else {
        verdict.get_or_insert(reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn qr() -> Offer {
        Offer::Qr { text: "2@x".into(), valid_ms: 60_000 }
    }

    fn code() -> Offer {
        Offer::Code { code: "ABCD1234".into(), valid_ms: 180_000 }
    }

    #[test]
    fn a_pairing_by_qr_shows_each_code_and_ends_with_the_last() {
        let mut purpose = Purpose::pairing(None);
        assert!(matches!(purpose.offer(qr()), PairingStep::Show(Offer::Qr { .. }, _)));
        assert!(matches!(purpose.offer(qr()), PairingStep::Show(Offer::Qr { .. }, _)));
        assert_eq!(purpose.qr_exhausted(), PairingStep::End(EndReason::PairingTimedOut));
    }

    #[test]
    fn a_pairing_by_code_asks_once_when_the_server_is_ready_and_hides_the_qr() {
        let mut purpose = Purpose::pairing(Some("15550100".into()));
        assert_eq!(purpose.offer(qr()), PairingStep::RequestCode);
        assert_eq!(purpose.offer(qr()), PairingStep::Wait);
        assert!(matches!(purpose.offer(code()), PairingStep::Show(Offer::Code { .. }, _)));
        assert_eq!(purpose.qr_exhausted(), PairingStep::Wait);
    }

    #[test]
    fn codes_are_replaced_a_bounded_number_of_times() {
        let mut purpose = Purpose::pairing(Some("15550100".into()));
        assert_eq!(purpose.offer(qr()), PairingStep::RequestCode);
        for _ in 1..CODES_MAX {
            assert_eq!(purpose.code_refresh(false), PairingStep::RequestCode);
        }
        assert_eq!(purpose.code_refresh(false), PairingStep::End(EndReason::PairingTimedOut));
        let mut purpose = Purpose::pairing(Some("15550100".into()));
        assert!(matches!(
            purpose.code_refresh(true),
            PairingStep::End(EndReason::PairingFailed { .. })
        ));
    }

    #[test]
    fn a_pairings_own_reason_counts_though_the_server_unlinks_first() {
        let own = || EndReason::PairingFailed { why: PairFailure::HostedAccount };
        let mut verdict = None;
        conclude(&mut verdict, EndReason::logged_out(Some(401)));
        conclude(&mut verdict, own());
        assert_eq!(verdict, Some(own()));
        conclude(&mut verdict, EndReason::logged_out(Some(401)));
        assert_eq!(verdict, Some(own()));
        let mut verdict = Some(EndReason::Restart);
        conclude(&mut verdict, own());
        assert_eq!(verdict, Some(EndReason::Restart));
    }

    #[test]
    fn a_login_that_is_offered_a_pairing_has_no_account() {
        assert_eq!(Purpose::Login.offer(qr()), PairingStep::End(EndReason::logged_out(None)));
    }

    #[test]
    fn the_number_is_not_in_the_debug_output() {
        let shown = format!("{:?}", Purpose::pairing(Some("15550100".into())));
        assert!(!shown.contains("15550100"), "{shown}");
    }
}
