//! `phone.check` and `phone.heartbeat`: their parameters, checked. Decides nothing.

use crate::daemon::handlers::checks::invalid;
use tetherd_api::{
    CHECK_NUMBERS_MAX, CheckParams, Error, ErrorKind, HEARTBEAT_NAME_BYTES_MAX, HeartbeatParams,
};
use tetherd_core::contacts::{Number, UsernameKey};
use tetherd_core::event::Request;
use tetherd_core::phone::Heartbeat;

/// A full battery.
const PERCENT_MAX: u8 = 100;

pub(super) fn check(params: CheckParams) -> Result<Request, Error> {
    let CheckParams { numbers, fresh } = params;
    if numbers.is_empty() || numbers.len() > CHECK_NUMBERS_MAX {
        return Err(invalid(format!("`numbers` has 1 to {CHECK_NUMBERS_MAX} numbers")));
    }
    let keys = numbers.iter().filter_map(|text| UsernameKey::parse(text)).collect();
    let numbers = numbers.iter().zip(1..).map(|(text, place)| {
        Number::parse(text).map_err(|error| {
            let sentence = format!("`numbers` has no number or username in place {place}: {error}");
            Error::new(ErrorKind::BadRecipient, sentence)
                .remedy("write + and 7 to 15 digits with the country code, like +15550100")
        })
    });
    let numbers = numbers.collect::<Result<_, _>>()?;
    Ok(Request::Check { numbers, keys, fresh })
}

/// The request, if it says something and nothing impossible.
pub(super) fn heartbeat(params: HeartbeatParams) -> Result<Request, Error> {
    let HeartbeatParams { battery_percent, charging, network, at, source } = params;
    if battery_percent.is_none() && charging.is_none() && network.is_none() {
        return Err(invalid("give `battery_percent`, `charging` or `network`"));
    }
    if battery_percent.is_some_and(|percent| percent > PERCENT_MAX) {
        return Err(invalid("`battery_percent` is 0 to 100"));
    }
    for (field, name) in [("network", &network), ("source", &source)] {
        if name.as_ref().is_some_and(|name| !is_name(name)) {
            return Err(invalid(format!(
                "`{field}` has 1 to {HEARTBEAT_NAME_BYTES_MAX} bytes and no control characters"
            )));
        }
    }
    let at = at.map(|time| time.0);
    let report = Heartbeat { percent: battery_percent, charging, network, source, at };
    Ok(Request::Heartbeat(Box::new(report)))
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= HEARTBEAT_NAME_BYTES_MAX
        && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(percent: Option<u8>, network: &str) -> Result<Request, Error> {
        heartbeat(HeartbeatParams {
            battery_percent: percent,
            network: (!network.is_empty()).then(|| network.to_owned()),
            ..HeartbeatParams::default()
        })
    }

    #[test]
    fn a_report_that_says_nothing_or_something_impossible_is_refused() {
        assert!(of(None, "").is_err());
        assert!(of(Some(101), "").is_err());
        assert!(of(Some(50), "wi\nfi").is_err());
        assert!(of(None, &"x".repeat(HEARTBEAT_NAME_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn an_empty_and_a_full_battery_are_possible() {
        assert!(of(Some(0), "").is_ok());
        assert!(of(Some(100), "wifi").is_ok());
        assert!(of(None, "none").is_ok());
    }
}
