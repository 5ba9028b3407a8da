//! The parameters of `session.pair`, checked.

use crate::daemon::handlers::checks::invalid;
use tetherd_api::number::parse_number;
use tetherd_api::{Error, PairParams};
use tetherd_core::event::Request;

pub(super) fn pair(params: PairParams) -> Result<Request, Error> {
    let anyway = params.anyway;
    let Some(phone) = params.phone else {
        return Ok(Request::Pair { phone: None, anyway });
    };
    let digits = parse_number(&phone).map_err(|error| invalid(format!("`phone`: {error}")))?;
    Ok(Request::Pair { phone: Some(digits.into()), anyway })
}
