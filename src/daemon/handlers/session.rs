//! The parameters of `session.pair`, checked.

use crate::daemon::handlers::checks::invalid;
use tetherd_api::{Error, PairParams};
use tetherd_core::event::Request;
use tetherd_core::ids::number_digits;

pub(super) fn pair(params: PairParams) -> Result<Request, Error> {
    let Some(phone) = params.phone else {
        return Ok(Request::Pair { phone: None });
    };
    let number = phone
        .trim()
        .strip_prefix('+')
        .ok_or_else(|| invalid("`phone` is + and digits with the country code, like +15550100"))?;
    let digits = number_digits(number).map_err(|error| invalid(error.to_string()))?;
    Ok(Request::Pair { phone: Some(digits.into()) })
}
