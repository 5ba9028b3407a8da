//! The parameters of a pairing, checked.

use crate::daemon::handlers::checks::invalid;
use tetherd_api::number::parse_number;
use tetherd_api::{Error, PairParams, PasskeyConfirmParams, PasskeyParams};
use tetherd_core::event::Request;

pub(super) fn pair(params: PairParams) -> Result<Request, Error> {
    let anyway = params.anyway;
    let Some(phone) = params.phone else {
        return Ok(Request::Pair { phone: None, anyway });
    };
    let digits = parse_number(&phone).map_err(|error| invalid(format!("`phone`: {error}")))?;
    Ok(Request::Pair { phone: Some(digits.into()), anyway })
}

pub(super) fn passkey(params: PasskeyParams) -> Request {
    Request::Passkey { response: params.response }
}

pub(super) fn passkey_confirm(params: PasskeyConfirmParams) -> Request {
    Request::PasskeyConfirm { code: params.code }
}
