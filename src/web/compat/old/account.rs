//! The old service's methods about the account: `status`, `qr_code`, `checkPhone`, `logout` and
//! `takeover`. `status` begins no pairing: a monitor that asks for it would begin one every
//! minute. `qr_code` does.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tetherd_api::{Error, ErrorKind, NoParams, PairOffer, PairParams, SessionState, Tier, call};

use super::super::fields::Fields;
use super::super::{Caller, number, png};
use super::status;

pub(super) async fn status(caller: &Caller) -> Result<Value, Error> {
    let status = match caller.call(call::Status, &NoParams {}).await {
        Ok(status) => status,
        Err(error) if is_silence(error.data.kind) => {
            return Ok(status::without_daemon(error.data.kind, &error.message));
        }
        Err(error) => return Err(error),
    };
    let (offer, _) = caller.daemon.feed.pairing();
    let shown = status.session.state == SessionState::Pairing && caller.program.tier >= Tier::Admin;
    let picture = match offer {
        Some(PairOffer::Qr { qr, .. }) if shown => png::of_text(&qr),
        Some(_) | None => None,
    };
    let url = picture.map(|png| format!("data:image/png;base64,{}", STANDARD.encode(png)));
    Ok(status::answer(&status, url))
}

fn is_silence(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ShuttingDown | ErrorKind::OutcomeUnknown)
}

pub(super) async fn qr_code(caller: &Caller) -> Result<Response, Error> {
    let result = caller.call(call::SessionPair, &PairParams::default()).await?;
    // `status` shows it too, and no event brings it.
    caller.daemon.feed.offered(result.offer.clone());
    let no_code = |sentence: &str| Error::new(ErrorKind::WrongState, sentence);
    match result.offer {
        PairOffer::Qr { qr, .. } => {
            let png = png::of_text(&qr).ok_or_else(|| no_code("the code is too long to draw"))?;
            Ok(([(CONTENT_TYPE, "image/png")], png).into_response())
        }
        PairOffer::Code { .. } | PairOffer::Passkey { .. } | PairOffer::PasskeyCode { .. } => {
            Err(no_code("the pairing goes on another way than by a QR code"))
        }
    }
}

pub(super) async fn check_phone(caller: &Caller, fields: &Fields) -> Result<Value, Error> {
    let exists = number::is_on_network(caller, &fields.needed("phone")?).await?;
    Ok(json!({ "result": if exists { "exists" } else { "not exists" } }))
}

pub(super) async fn logout(caller: &Caller) -> Result<Value, Error> {
    caller.call(call::SessionLogout, &NoParams {}).await?;
    Ok(json!({ "result": "Logout request sent to WhatsApp" }))
}

pub(super) async fn takeover(caller: &Caller) -> Result<Value, Error> {
    caller.call(call::SessionTakeover, &NoParams {}).await?;
    Ok(json!({ "result": "Takeover request sent to WhatsApp" }))
}
