//! GREEN-API's methods about the account. Settings are those of the daemon: they are shown, and
//! not set here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tetherd_api::{
    ConditionKind, Error, ErrorKind, NoParams, PairOffer, PairParams, SessionState, Status, call,
};

use super::super::fields::Fields;
use super::super::{Caller, jid, number, png};

/// A daemon's state in GREEN-API's terms.
pub(super) fn state_of(status: &Status) -> &'static str {
    let held = |kind| status.conditions.iter().any(|known| known.active && known.kind == kind);
    match status.session.state {
        SessionState::Connected if held(ConditionKind::ReachoutTimelock) => "yellowCard",
        SessionState::Connected => "authorized",
        SessionState::NotPaired
        | SessionState::LoggedOut
        | SessionState::Pairing
        | SessionState::PasskeyNeeded => "notAuthorized",
        SessionState::Locked | SessionState::BannedForGood | SessionState::Banned => "blocked",
        SessionState::Connecting
        | SessionState::Waiting
        | SessionState::Replaced
        | SessionState::Outdated
        | SessionState::Declined => "starting",
    }
}

pub(super) async fn state(caller: &Caller) -> Result<Value, Error> {
    let status = caller.call(call::Status, &NoParams {}).await?;
    Ok(json!({ "stateInstance": state_of(&status) }))
}

pub(super) async fn settings(caller: &Caller) -> Result<Value, Error> {
    let status = caller.call(call::Status, &NoParams {}).await?;
    let wid = status.session.account.as_ref().map(|jid| jid::to_old(jid)).unwrap_or_default();
    let delay_ms = status.pacing.window_ms / status.pacing.limit.max(1) as u64;
    Ok(json!({
        "wid": wid, "countryInstance": "", "typeAccount": "", "typeInstance": "whatsapp",
        "webhookUrl": "", "webhookUrlToken": "", "delaySendMessagesMilliseconds": delay_ms,
        "markIncomingMessagesReaded": "no", "markIncomingMessagesReadedOnReply": "no",
        "sharedSession": "no", "outgoingWebhook": "yes", "outgoingMessageWebhook": "yes",
        "outgoingAPIMessageWebhook": "no", "incomingWebhook": "yes", "deviceWebhook": "no",
        "statusInstanceWebhook": "no", "stateWebhook": "yes", "enableMessagesHistory": "no",
        "keepOnlineStatus": "no", "pollMessageWebhook": "no", "incomingBlockWebhook": "no",
        "incomingCallWebhook": "no", "editedMessageWebhook": "no", "deletedMessageWebhook": "no",
    }))
}

pub(super) async fn qr(caller: &Caller) -> Result<Value, Error> {
    let answer = |kind: &str, message: &str| json!({ "type": kind, "message": message });
    let result = match caller.call(call::SessionPair, &PairParams::default()).await {
        Ok(result) => result,
        Err(error) if error.data.kind == ErrorKind::AlreadyPaired => {
            return Ok(answer("alreadyLogged", "instance account already authorized"));
        }
        Err(error) if error.data.kind == ErrorKind::Denied => return Err(error),
        Err(error) => return Ok(answer("error", &error.message)),
    };
    let png = match result.offer {
        PairOffer::Qr { qr, .. } => png::of_text(&qr),
        PairOffer::Code { .. } | PairOffer::Passkey { .. } | PairOffer::PasskeyCode { .. } => None,
    };
    Ok(match png {
        Some(png) => answer("qrCode", &STANDARD.encode(png)),
        None => answer("error", "the pairing goes on another way than by a QR code"),
    })
}

pub(super) async fn code(caller: &Caller, fields: &Fields) -> Result<Value, Error> {
    let phone = Some(jid::to_contract(&fields.needed("phoneNumber")?));
    let params = PairParams { phone, anyway: false };
    Ok(match caller.call(call::SessionPair, &params).await?.offer {
        PairOffer::Code { code, .. } => json!({ "status": true, "code": code }),
        PairOffer::Qr { .. } | PairOffer::Passkey { .. } | PairOffer::PasskeyCode { .. } => {
            json!({ "status": false, "code": "" })
        }
    })
}

pub(super) async fn check(caller: &Caller, fields: &Fields) -> Result<Value, Error> {
    let exists = number::is_on_network(caller, &fields.needed("phoneNumber")?).await?;
    Ok(json!({ "existsWhatsapp": exists }))
}

pub(super) async fn logout(caller: &Caller) -> Result<Value, Error> {
    caller.call(call::SessionLogout, &NoParams {}).await?;
    Ok(json!({ "isLogout": true }))
}

/// The daemon is not started anew: its connection is.
pub(super) async fn reboot(caller: &Caller) -> Result<Value, Error> {
    caller.call(call::SessionReconnect, &NoParams {}).await?;
    Ok(json!({ "isReboot": true }))
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::status;
    use super::*;

    #[test]
    fn every_state_has_green_api_s_name() {
        for (state, conditions, expected) in [
            ("connected", &["pacing"][..], "authorized"),
            ("connected", &["reachout_timelock"], "yellowCard"),
            ("not_paired", &[], "notAuthorized"),
            ("logged_out", &[], "notAuthorized"),
            ("pairing", &[], "notAuthorized"),
            ("passkey_needed", &[], "notAuthorized"),
            ("locked", &[], "blocked"),
            ("banned", &[], "blocked"),
            ("banned_for_good", &[], "blocked"),
            ("connecting", &[], "starting"),
            ("waiting", &[], "starting"),
            ("replaced", &[], "starting"),
            ("outdated", &[], "starting"),
            ("declined", &[], "starting"),
        ] {
            assert_eq!(state_of(&status(state, conditions)), expected, "{state}");
        }
    }
}
