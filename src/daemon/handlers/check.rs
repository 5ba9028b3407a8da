//! `phone.check`: its parameters as the core takes them. Decides nothing.

use serde_json::{Map, Value};

use tetherd_api::call::decode_params;
use tetherd_api::{CHECK_NUMBERS_MAX, CheckParams, Error, ErrorKind};
use tetherd_core::contacts::Number;
use tetherd_core::event::Request;

/// What is asked of the engine.
pub(super) fn request(params: Map<String, Value>) -> Result<Request, Error> {
    let CheckParams { numbers, fresh } = decode_params(params)?;
    if numbers.is_empty() || numbers.len() > CHECK_NUMBERS_MAX {
        let sentence = format!("`numbers` has 1 to {CHECK_NUMBERS_MAX} numbers");
        return Err(Error::new(ErrorKind::InvalidParams, sentence));
    }
    let numbers = numbers.iter().zip(1..).map(|(text, place)| {
        Number::parse(text).map_err(|_| {
            let sentence = format!("`numbers` has no number in place {place}");
            Error::new(ErrorKind::BadRecipient, sentence)
                .remedy("write + and 7 to 15 digits with the country code, like +15550100")
        })
    });
    Ok(Request::Check { numbers: numbers.collect::<Result<_, _>>()?, fresh })
}
