//! Why a connection or a question to the network ended, as clauses; and what is said to
//! whoever asks while the daemon ends.

use super::account;
use super::in_code;
use super::pairing::pair_failure;
use super::session::OTHER_SESSION;
use crate::contacts::CheckFailureKind;
use crate::event::EndReason;
use tetherd_api::{Error, ErrorKind};

/// Why a run of the session ended.
pub(crate) fn end_reason(reason: &EndReason) -> String {
    // A cause may come with its own full stop.
    let ended = |how: &str, cause: &str| format!("{how}: {}", cause.trim_end_matches('.'));
    match reason {
        EndReason::Restart => "the server asked for a fresh login".to_owned(),
        EndReason::StreamEnded => "the server ended the stream".to_owned(),
        EndReason::Replaced => OTHER_SESSION.to_owned(),
        EndReason::Trouble(trouble) => account::what(trouble.kind, trouble.code),
        EndReason::Refused { code } => {
            format!("the server refused the connection for now{}", in_code(Some(*code)))
        }
        EndReason::Untrusted => {
            "the server could not prove that it is WhatsApp's: its certificate \
                                 chain does not verify"
                .to_owned()
        }
        EndReason::Unreachable { what } => ended("the server cannot be reached", what),
        EndReason::Lost { what } => ended("the connection was lost", what),
        EndReason::PairingTimedOut => "nobody used the pairing code in time".to_owned(),
        EndReason::PairingFailed { why } => ended("the pairing failed", pair_failure(*why).0),
        EndReason::Closed => "the connection was closed by this daemon".to_owned(),
    }
}

/// Why a question about numbers came to nothing.
pub(crate) fn check_failure(kind: CheckFailureKind) -> String {
    match kind {
        CheckFailureKind::Refused(code) => {
            let code = in_code(code.map(u32::from));
            format!("the network answered the check with an error{code}")
        }
        CheckFailureKind::RateLimited => {
            "the network wants fewer checks for now (code 429)".to_owned()
        }
        CheckFailureKind::TimedOut => "the network did not answer the check in time".to_owned(),
        CheckFailureKind::NotConnected => "there is no connection to WhatsApp".to_owned(),
        CheckFailureKind::NotUnderstood => {
            "the network's answer to the check is not understood".to_owned()
        }
    }
}

/// What is asked of a daemon that goes down.
pub(crate) fn shutting_down_error() -> Error {
    Error::new(ErrorKind::ShuttingDown, "The daemon is going down.").retry_after_ms(5_000)
}

/// The same as a sentence, for callers who ask about numbers.
pub(crate) fn check_failure_sentence(kind: CheckFailureKind) -> String {
    super::sentence(&check_failure(kind))
}
