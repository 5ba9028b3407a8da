//! What can go wrong with the simulator, as a caller of its methods sees it.

use super::device::DeviceError;
use super::people::PeopleError;

/// Why a call of the simulator failed.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The listen address is not loopback.
    #[error("the simulator listens on loopback only, not on {0}")]
    NotLoopback(std::net::IpAddr),
    /// A number is not `+` and digits.
    #[error("a number is `+` and 7 to 15 digits")]
    BadNumber,
    /// No phone has this number.
    #[error("no phone has this number")]
    NoSuchAccount,
    /// The QR code cannot be read, or its keys are not those of the client that shows it.
    #[error("the QR code is not usable: {0}")]
    BadQr(&'static str),
    /// No client shows a pairing code that this phone could take.
    #[error("no client waits for a code")]
    NoCodeOffered,
    /// The code is not eight characters of its alphabet, or not the one that is shown.
    #[error("the code is wrong")]
    WrongCode,
    /// The phone asks for a passkey first; the pairing goes on without this caller.
    #[error("the phone asks for a passkey")]
    PasskeyAsked,
    /// No pairing waits for a passkey of this phone.
    #[error("no pairing waits for a passkey")]
    NoPasskeyAsked,
    /// The client did not complete the pairing.
    #[error("the pairing failed: {0}")]
    Pairing(#[from] PairingError),
    /// The account has all the companions it may have.
    #[error("the account has too many companions")]
    TooManyCompanions,
    /// What was waited for did not happen in time.
    #[error("it did not happen in time")]
    TimedOut,
    /// The people refused it.
    #[error(transparent)]
    People(#[from] PeopleError),
    /// A Signal operation failed.
    #[error(transparent)]
    Signal(#[from] DeviceError),
    /// The account has no client that could read it.
    #[error("no client of an account could take it")]
    NoClient,
    /// An address is neither a number nor a JID.
    #[error("an address is a number or a JID")]
    BadAddress,
    /// A file that somebody is to send has no such kind, or no content.
    #[error("a file has a kind, and base64 or a number of bytes")]
    BadFile,
    /// A key operation failed.
    #[error("a key is unusable")]
    Key(#[from] whatsapp_rust::wacore::libsignal::protocol::CurveError),
    /// The certificates could not be made or read.
    #[error(transparent)]
    Cert(#[from] super::cert::CertError),
    /// The state folder or a socket could not be used.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The stored state cannot be read.
    #[error("the stored state cannot be read: {0}")]
    Stored(#[from] serde_json::Error),
}

impl SimError {
    /// Names what was tried when an operating system call failed.
    pub(super) fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> SimError {
        move |source| SimError::Io { what, source }
    }
}

/// Why a client and a phone did not get together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PairingError {
    /// The client answered with an error.
    #[error("the client refused with {code} {text}")]
    Refused {
        /// Its code.
        code: String,
        /// Its words.
        text: String,
    },
    /// A signature or a key in the client's answer is wrong.
    #[error("the client's answer is wrong: {0}")]
    BadAnswer(&'static str),
    /// The connection ended before the client had answered.
    #[error("the client went away")]
    Gone,
    /// The key bundle could not be opened: another code was typed.
    #[error("the code does not open the client's keys")]
    WrongCode,
}
