//! What a pairing reports: codes to show, the steps of a passkey, and the proof that the network
//! asks of an account that is linked. Plain data.

use tetherd_api::Redacted;

/// What to show for pairing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// A QR code's content.
    Qr {
        /// The content.
        text: Redacted<String>,
        /// For how long, in milliseconds.
        valid_ms: u64,
    },
    /// Eight characters to type on the phone.
    Code {
        /// The characters.
        code: Redacted<String>,
        /// For how long, in milliseconds.
        valid_ms: u64,
    },
}

/// What the session reports about a passkey. All of it goes to the caller, never to a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasskeyReport {
    /// The phone asks for it.
    Wanted {
        /// The options for the browser, as JSON.
        request: Redacted<String>,
    },
    /// What became of [`crate::action::SessionCommand::AnswerPasskey`].
    Answered(Result<(), PasskeyFault>),
    /// The phone has answered, and both sides know a code.
    Code {
        /// The code.
        code: Redacted<String>,
        /// Whether the proof was sent that makes comparing it needless.
        proven: bool,
    },
    /// What became of [`crate::action::SessionCommand::ConfirmPasskey`].
    Confirmed(Result<(), PasskeyFault>),
}

/// Why a step with a passkey failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasskeyFault {
    /// The server refused it.
    Refused {
        /// The server's code.
        code: u32,
    },
    /// It did not answer, or not so that it can be understood.
    Unanswered,
}

/// By what the account is to prove itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChallengeKind {
    /// By its passkey.
    Passkey,
    /// By what only people can read.
    Captcha,
    /// By something else.
    Other,
}
