//! Pairing in words: why one failed, and what is wrong with a passkey.

use tetherd_api::{Error, ErrorKind, PairFailure};

/// What opens the page that can ask for a passkey.
const SIGN_AGAIN: &str = "sign the request again on https://web.whatsapp.com";
const PAIR: &str = "tetherctl pair";

/// Why a pairing failed, as a clause, and what helps.
pub(crate) fn pair_failure(why: PairFailure) -> (&'static str, Option<&'static str>) {
    match why {
        PairFailure::Superseded => ("another pairing request took its place", None),
        PairFailure::AlreadyPaired => ("this device is paired already", Some("tetherctl logout")),
        PairFailure::Connection => {
            ("there was no connection to the server, or it ended", Some(PAIR))
        }
        PairFailure::CodeRefused => (
            "the server gives no code for this number now",
            Some("check the number, wait a few minutes, or pair by QR code: tetherctl pair"),
        ),
        PairFailure::NewCodeWanted => {
            ("the phone wants to start over with a new code", Some("tetherctl pair --code NUMBER"))
        }
        PairFailure::AppTooOld => (
            "the phone's app is too old for linked devices",
            Some("update WhatsApp on the phone, then: tetherctl pair"),
        ),
        PairFailure::HostedAccount => (
            "a provider hosts this business account in addition to the phone (coexistence), which \
             tetherd cannot verify yet",
            Some("end the hosting with the provider, or pair an account without it"),
        ),
        PairFailure::NotVerified => ("the phone's answer does not verify", Some(PAIR)),
        PairFailure::NotRestarted => {
            ("the server did not restart the session after pairing", Some(PAIR))
        }
        PairFailure::PasskeyTimedOut => {
            ("the passkey was not given and confirmed in time", Some(PAIR))
        }
        PairFailure::PasskeyRefused => (
            "the phone or the server refused the passkey",
            Some("keep WhatsApp open on the phone, confirm there, and start over: tetherctl pair"),
        ),
        PairFailure::PasskeyBroken => ("the exchange about the passkey broke off", Some(PAIR)),
    }
}

/// What is wrong with what a browser has signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PasskeyFlaw {
    Malformed(&'static str),
    WrongOrigin,
    OtherRequest,
    NotAllowed,
}

pub(crate) fn passkey_flaw(flaw: PasskeyFlaw) -> Error {
    let wrong = |kind, sentence: &str| Error::new(kind, sentence).remedy(SIGN_AGAIN);
    match flaw {
        PasskeyFlaw::Malformed(what) => {
            let sentence = format!("This is not what a passkey signs: {what}.");
            Error::new(ErrorKind::PasskeyMalformed, sentence)
                .remedy("paste the whole line that the browser's console printed, from { to }")
        }
        PasskeyFlaw::WrongOrigin => wrong(
            ErrorKind::PasskeyWrongOrigin,
            "The passkey was used on another page than https://web.whatsapp.com.",
        ),
        PasskeyFlaw::OtherRequest => wrong(
            ErrorKind::PasskeyWrongChallenge,
            "The passkey answers an earlier request; only the newest one counts.",
        ),
        PasskeyFlaw::NotAllowed => wrong_credential(None),
    }
}

/// The server does not know the passkey as the account's.
pub(crate) fn wrong_credential(code: Option<u32>) -> Error {
    let sentence = format!("This passkey is not one of the account's{}.", super::in_code(code));
    Error::new(ErrorKind::PasskeyWrongCredential, sentence)
        .remedy("sign again, and choose the passkey of the account that is on the phone")
}

pub(crate) fn passkey_refused(code: u32) -> Error {
    let sentence = format!("The passkey was refused{}.", super::in_code(Some(code)));
    Error::new(ErrorKind::PasskeyRefused, sentence).remedy(SIGN_AGAIN)
}

/// The error for a caller whose step ended the pairing.
pub(crate) fn pairing_over(why: PairFailure) -> Error {
    let kind = match why {
        PairFailure::PasskeyTimedOut => return passkey_late(),
        PairFailure::PasskeyRefused => ErrorKind::PasskeyRefused,
        PairFailure::Superseded
        | PairFailure::AlreadyPaired
        | PairFailure::Connection
        | PairFailure::CodeRefused
        | PairFailure::NewCodeWanted
        | PairFailure::AppTooOld
        | PairFailure::HostedAccount
        | PairFailure::NotVerified
        | PairFailure::NotRestarted
        | PairFailure::PasskeyBroken => ErrorKind::PairingFailed,
    };
    let (clause, remedy) = pair_failure(why);
    Error::new(kind, super::sentence(clause)).remedy(remedy.unwrap_or(PAIR))
}

pub(crate) fn passkey_late() -> Error {
    let sentence = "The time for the passkey has run out.";
    Error::new(ErrorKind::PasskeyTimedOut, sentence).remedy(PAIR)
}

pub(crate) fn passkey_unanswered() -> Error {
    let sentence = "The server did not answer.";
    Error::new(ErrorKind::PairingFailed, sentence).remedy("give the same answer again")
}

pub(crate) fn passkey_code_differs() -> Error {
    let sentence = "That is not the code of this pairing.";
    Error::new(ErrorKind::PasskeyCodeDiffers, sentence)
        .remedy("compare again; if the phone shows another code, refuse there and start over")
}

pub(crate) fn no_passkey_wanted(sentence: &str) -> Error {
    Error::new(ErrorKind::WrongState, sentence).remedy(PAIR)
}
