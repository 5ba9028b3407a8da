//! The HTTP status of each kind of error.

use axum::http::StatusCode;
use tetherd_api::ErrorKind;

/// What fits this kind best.
pub(crate) fn of(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::ParseError
        | ErrorKind::InvalidRequest
        | ErrorKind::InvalidParams
        | ErrorKind::BadRecipient
        | ErrorKind::BadText
        | ErrorKind::BadFile
        | ErrorKind::BadUrl
        | ErrorKind::PasskeyMalformed
        | ErrorKind::PasskeyWrongOrigin
        | ErrorKind::PasskeyWrongChallenge
        | ErrorKind::PasskeyWrongCredential => StatusCode::BAD_REQUEST,
        ErrorKind::Denied => StatusCode::FORBIDDEN,
        ErrorKind::MethodNotFound | ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::TooSlow => StatusCode::REQUEST_TIMEOUT,
        ErrorKind::KeyConflict
        | ErrorKind::AlreadyPaired
        | ErrorKind::NotPaired
        | ErrorKind::PairingFailed
        | ErrorKind::WrongState
        | ErrorKind::FeedRenewed
        | ErrorKind::AccountBarred
        | ErrorKind::PasskeyRefused
        | ErrorKind::PasskeyTimedOut
        | ErrorKind::PasskeyCodeDiffers => StatusCode::CONFLICT,
        ErrorKind::FileGone => StatusCode::GONE,
        ErrorKind::FrameTooLong | ErrorKind::FileTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::CheckBudgetSpent => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorKind::OutcomeUnknown => StatusCode::BAD_GATEWAY,
        ErrorKind::QueueFull | ErrorKind::ShuttingDown | ErrorKind::TooManyConnections => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        ErrorKind::SpoolFull | ErrorKind::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
    }
}
