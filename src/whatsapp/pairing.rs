//! One pairing, by QR or by code: which offers are shown, when the next code is asked
//! for, and how long to wait.

use std::time::Duration;

use crate::whatsapp::translate::Seen;
use tetherd_core::event::{EndReason, Offer};

/// Codes to type that one pairing may go through.
const CODES_MAX: u32 = 3;
/// Beyond what an offer is good for: the server replaces it, or the phone is just answering.
const OFFER_GRACE: Duration = Duration::from_secs(30);

/// For how long a code to type is good. A QR code's time is much shorter.
const CODE_TIME: Duration = Duration::from_secs(180);
/// The longest that the offers of one pairing may take together.
pub(super) const OFFERS_TIME_MAX: Duration =
    CODE_TIME.saturating_add(OFFER_GRACE).saturating_mul(CODES_MAX);

/// What a connection is for.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Log in with the stored keys.
    Login,
    /// Pair by QR.
    PairQr,
    /// Pair by code.
    PairCode(Coding),
}

/// A pairing by code.
#[derive(Clone)]
pub(crate) struct Coding {
    pub(crate) phone: String,
    codes: u32,
}

impl std::fmt::Debug for Coding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Coding({} codes so far)", self.codes)
    }
}

/// What to do about something that the pairing saw.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing.
    Wait,
    /// Show it; wait this long for what follows.
    Show(Offer, Duration),
    /// Request a code from the server.
    RequestCode,
    /// It is over.
    End(EndReason),
}

impl Kind {
    /// By code if there is a number.
    pub(crate) fn pairing(phone: Option<String>) -> Kind {
        match phone {
            Some(phone) => Kind::PairCode(Coding { phone, codes: 0 }),
            None => Kind::PairQr,
        }
    }

    pub(crate) fn pairs(&self) -> bool {
        !matches!(self, Kind::Login)
    }

    /// An offer from the library. The server's references for QR codes come first in
    /// either case; for a pairing by code they say that the server is ready for it.
    pub(crate) fn offer(&mut self, offer: Offer) -> Step {
        match (self, offer) {
            (Kind::Login, _) => Step::End(EndReason::LoggedOut { code: None }),
            (Kind::PairQr, offer @ Offer::Qr { valid_ms, .. })
            | (Kind::PairCode(_), offer @ Offer::Code { valid_ms, .. }) => {
                Step::Show(offer, Duration::from_millis(valid_ms).saturating_add(OFFER_GRACE))
            }
            (Kind::PairCode(coding), Offer::Qr { .. }) if coding.codes == 0 => {
                coding.codes = 1;
                Step::RequestCode
            }
            (Kind::PairCode(_), Offer::Qr { .. }) | (Kind::PairQr, Offer::Code { .. }) => {
                Step::Wait
            }
        }
    }

    /// The code shown is no longer good.
    pub(crate) fn code_refresh(&mut self, by_hand: bool) -> Step {
        match self {
            Kind::PairCode(_) if by_hand => Step::End(EndReason::PairingFailed {
                what: "the phone wants to start over with a new code".to_owned(),
            }),
            Kind::PairCode(coding) if coding.codes < CODES_MAX => {
                coding.codes += 1;
                Step::RequestCode
            }
            Kind::PairCode(_) => Step::End(EndReason::PairingTimedOut),
            Kind::Login | Kind::PairQr => Step::Wait,
        }
    }

    /// No QR code is left. A code to type outlives them.
    pub(crate) fn qr_exhausted(&self) -> Step {
        match self {
            Kind::PairQr => Step::End(EndReason::PairingTimedOut),
            Kind::Login | Kind::PairCode(_) => Step::Wait,
        }
    }

    /// What it means that nothing more came in time.
    pub(crate) fn timed_out(&self, offered: bool, paired: bool) -> EndReason {
        match self {
            Kind::PairQr | Kind::PairCode(_) if paired => EndReason::PairingFailed {
                what: "the server did not restart the session after pairing".to_owned(),
            },
            Kind::PairQr | Kind::PairCode(_) if offered => EndReason::PairingTimedOut,
            Kind::PairQr | Kind::PairCode(_) => {
                EndReason::Lost { what: "the server offered no code in time".to_owned() }
            }
            Kind::Login => {
                EndReason::Lost { what: "the login did not complete in time".to_owned() }
            }
        }
    }

    /// The pairing's part in what was seen; none: not its business.
    pub(crate) fn step(&mut self, seen: Seen) -> Result<Step, Seen> {
        match seen {
            Seen::Offer(offer) => Ok(self.offer(offer)),
            Seen::CodeRefresh { by_hand } => Ok(self.code_refresh(by_hand)),
            Seen::QrExhausted => Ok(self.qr_exhausted()),
            seen @ (Seen::Report(_) | Seen::Ready | Seen::Named | Seen::End(_) | Seen::Gone(_)) => {
                Err(seen)
            }
        }
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
        let mut kind = Kind::pairing(None);
        assert!(matches!(kind.offer(qr()), Step::Show(Offer::Qr { .. }, _)));
        assert!(matches!(kind.offer(qr()), Step::Show(Offer::Qr { .. }, _)));
        assert_eq!(kind.qr_exhausted(), Step::End(EndReason::PairingTimedOut));
    }

    #[test]
    fn a_pairing_by_code_asks_once_when_the_server_is_ready_and_hides_the_qr() {
        let mut kind = Kind::pairing(Some("15550100".into()));
        assert_eq!(kind.offer(qr()), Step::RequestCode);
        assert_eq!(kind.offer(qr()), Step::Wait);
        assert!(matches!(kind.offer(code()), Step::Show(Offer::Code { .. }, _)));
        assert_eq!(kind.qr_exhausted(), Step::Wait);
    }

    #[test]
    fn codes_are_replaced_a_bounded_number_of_times() {
        let mut kind = Kind::pairing(Some("15550100".into()));
        assert_eq!(kind.offer(qr()), Step::RequestCode);
        for _ in 1..CODES_MAX {
            assert_eq!(kind.code_refresh(false), Step::RequestCode);
        }
        assert_eq!(kind.code_refresh(false), Step::End(EndReason::PairingTimedOut));
        let mut kind = Kind::pairing(Some("15550100".into()));
        assert!(matches!(kind.code_refresh(true), Step::End(EndReason::PairingFailed { .. })));
    }

    #[test]
    fn a_login_that_is_offered_a_pairing_has_no_account() {
        assert_eq!(Kind::Login.offer(qr()), Step::End(EndReason::LoggedOut { code: None }));
    }

    #[test]
    fn the_number_is_not_in_the_debug_output() {
        let shown = format!("{:?}", Kind::pairing(Some("15550100".into())));
        assert!(!shown.contains("15550100"), "{shown}");
    }
}
