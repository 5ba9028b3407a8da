//! The passkey of a pairing: what the phone asks for, what a browser signed, the code that is
//! compared. Owns its steps and their time limits. Knows no connection.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::{Map, Value, json};

use super::Session;
use super::connection::Pairing;
use crate::action::{ActionBuffer, PasskeyAnswer, SessionCommand};
use crate::event::{PasskeyFault, PasskeyReport, Token};
use crate::explain::{self, PasskeyFlaw};
use crate::time::Now;
use tetherd_api::{Error, PASSKEY_BYTES_MAX, PairFailure, PairOffer, Redacted, Time};

/// The only page whose signatures the server takes.
const ORIGIN: &str = "https://web.whatsapp.com";
/// For how long a request stands that does not say so, and the bounds of one that does.
const REQUEST_MS: u64 = 5 * 60 * 1_000;
const REQUEST_MS_MIN: u64 = 60 * 1_000;
const REQUEST_MS_MAX: u64 = 10 * 60 * 1_000;
/// From the signature to the phone's answer, which may need its owner.
const PHONE_MS: u64 = 3 * 60 * 1_000;
/// To compare the code, and to confirm it on both sides.
const COMPARE_MS: u64 = 5 * 60 * 1_000;
/// What the server answers to a passkey that it does not know, and to one that is late, as far
/// as its codes show.
const UNKNOWN_CODES: [u32; 2] = [401, 404];
const LATE_CODES: [u32; 2] = [408, 410];

/// What the phone wants before it links this device.
#[derive(Debug)]
pub(super) struct Passkey {
    request: Redacted<Map<String, Value>>,
    stage: Stage,
}

/// How far it has come.
#[derive(Debug)]
enum Stage {
    /// Somebody has to sign the request.
    Wanted,
    /// What was signed is on its way; its caller waits.
    Answering(Token),
    /// The server has it; the phone's answer is to come.
    Answered,
    /// Both sides show this.
    Code(Redacted<String>),
    /// The confirmation is on its way; its caller waits, unless it needed none.
    Confirming(Option<Token>),
    /// The phone has to link this device now.
    Confirmed,
}

/// A caller's answer, which shows the status.
#[derive(Debug)]
pub(crate) enum Settled {
    /// Of `session.passkey`.
    Answered(Token, Result<(), Error>),
    /// Of `session.passkey_confirm`.
    Confirmed(Token, Result<(), Error>),
}

impl Passkey {
    /// Who waits for the server's answer.
    pub(super) fn take_caller(&mut self) -> Option<Token> {
        match std::mem::replace(&mut self.stage, Stage::Answered) {
            Stage::Answering(token) => Some(token),
            Stage::Confirming(token) => token,
            stage @ (Stage::Wanted | Stage::Answered | Stage::Code(_) | Stage::Confirmed) => {
                self.stage = stage;
                None
            }
        }
    }
}

impl Session {
    /// The session reports about the passkey. The caller who has an answer now.
    pub(crate) fn on_passkey(
        &mut self,
        report: PasskeyReport,
        out: &mut ActionBuffer,
        now: Now,
    ) -> Option<Settled> {
        match report {
            PasskeyReport::Wanted { request } => {
                self.passkey_wanted(&request, out, now);
                None
            }
            PasskeyReport::Answered(result) => self.passkey_answered(result, out, now),
            PasskeyReport::Code { code, proven } => {
                self.passkey_code(code, proven, out, now);
                None
            }
            PasskeyReport::Confirmed(result) => self.passkey_confirmed(result, out, now),
        }
    }

    fn passkey_wanted(&mut self, request: &str, out: &mut ActionBuffer, now: Now) {
        if self.connection.pairing().is_none() {
            return;
        }
        let request = serde_json::from_str::<Map<String, Value>>(request).ok();
        let request = request.filter(|request| challenge(request).is_some());
        let Some(request) = request else {
            return self.end_pairing(PairFailure::PasskeyBroken, out, now);
        };
        let valid_ms = request.get("timeout").and_then(Value::as_u64).unwrap_or(REQUEST_MS);
        let valid_ms = valid_ms.clamp(REQUEST_MS_MIN, REQUEST_MS_MAX);
        let offer = PairOffer::Passkey {
            request: Redacted(request.clone()),
            expires_at: expires(valid_ms, now),
        };
        let Some(pairing) = self.connection.pairing() else { return };
        pairing.passkey = Some(Passkey { request: Redacted(request), stage: Stage::Wanted });
        out.facts |= self.account.on_new_keys();
        self.passkey_time(valid_ms, now);
        self.show(offer, valid_ms, out, now);
    }

    /// What somebody had signed.
    pub(crate) fn on_passkey_answer(
        &mut self,
        token: Token,
        response: Map<String, Value>,
        out: &mut ActionBuffer,
        now: Now,
    ) {
        let none = "No phone asks for a passkey now.";
        let Some(Pairing { passkey: Some(passkey), offer, .. }) = self.connection.pairing() else {
            return out.refuse(token, explain::no_passkey_wanted(none));
        };
        if !matches!(passkey.stage, Stage::Wanted) {
            let sentence = "The passkey has been given already; the phone is to go on.";
            return out.refuse(token, explain::no_passkey_wanted(sentence));
        }
        if offer.as_ref().is_none_or(|(_, until)| *until <= now.mono_ms) {
            return out.refuse(token, explain::passkey_late());
        }
        match checked(&Value::Object(response), &passkey.request.0) {
            Ok(answer) => {
                passkey.stage = Stage::Answering(token);
                out.command(SessionCommand::AnswerPasskey(answer));
            }
            Err(flaw) => out.refuse(token, explain::passkey_flaw(flaw)),
        }
    }

    fn passkey_answered(
        &mut self,
        result: Result<(), PasskeyFault>,
        out: &mut ActionBuffer,
        now: Now,
    ) -> Option<Settled> {
        let pairing = self.connection.pairing()?;
        let passkey = pairing.passkey.as_mut()?;
        let Stage::Answering(token) = passkey.stage else { return None };
        let error = match result {
            Ok(()) => {
                passkey.stage = Stage::Answered;
                pairing.offer = None;
                self.passkey_time(PHONE_MS, now);
                return Some(Settled::Answered(token, Ok(())));
            }
            Err(PasskeyFault::Refused { code }) if LATE_CODES.contains(&code) => {
                passkey.stage = Stage::Answered;
                self.end_pairing(PairFailure::PasskeyTimedOut, out, now);
                explain::passkey_late()
            }
            // The request stands: it can be signed again.
            Err(fault) => {
                passkey.stage = Stage::Wanted;
                fault_error(fault)
            }
        };
        Some(Settled::Answered(token, Err(error)))
    }

    fn passkey_code(
        &mut self,
        code: Redacted<String>,
        proven: bool,
        out: &mut ActionBuffer,
        now: Now,
    ) {
        let Some(passkey) = self.connection.pairing().and_then(|it| it.passkey.as_mut()) else {
            return;
        };
        if proven {
            passkey.stage = Stage::Confirming(None);
            out.command(SessionCommand::ConfirmPasskey);
        } else {
            passkey.stage = Stage::Code(code.clone());
        }
        let offer =
            PairOffer::PasskeyCode { code, confirm: !proven, expires_at: expires(COMPARE_MS, now) };
        self.passkey_time(COMPARE_MS, now);
        self.show(offer, COMPARE_MS, out, now);
    }

    /// Somebody has compared the code.
    pub(crate) fn on_passkey_confirm(&mut self, token: Token, code: &str, out: &mut ActionBuffer) {
        let passkey = self.connection.pairing().and_then(|it| it.passkey.as_mut());
        let Some(Passkey { stage, .. }) = passkey else {
            let none = "No pairing with a passkey runs.";
            return out.refuse(token, explain::no_passkey_wanted(none));
        };
        let Stage::Code(shown) = stage else {
            let none = "There is no code to confirm now.";
            return out.refuse(token, explain::no_passkey_wanted(none));
        };
        if bare(shown) != bare(code) {
            return out.refuse(token, explain::passkey_code_differs());
        }
        *stage = Stage::Confirming(Some(token));
        out.command(SessionCommand::ConfirmPasskey);
    }

    fn passkey_confirmed(
        &mut self,
        result: Result<(), PasskeyFault>,
        out: &mut ActionBuffer,
        now: Now,
    ) -> Option<Settled> {
        let passkey = self.connection.pairing()?.passkey.as_mut()?;
        let Stage::Confirming(token) = passkey.stage else { return None };
        passkey.stage = Stage::Confirmed;
        let settled = |result| token.map(|token| Settled::Confirmed(token, result));
        match result {
            Ok(()) => {
                self.passkey_time(COMPARE_MS, now);
                settled(Ok(()))
            }
            // The new secret is gone with the exchange: it cannot be said again.
            Err(fault) => {
                let why = match fault {
                    PasskeyFault::Refused { .. } => PairFailure::PasskeyRefused,
                    PasskeyFault::Unanswered => PairFailure::PasskeyBroken,
                };
                self.end_pairing(why, out, now);
                settled(Err(explain::pairing_over(why)))
            }
        }
    }

    fn passkey_time(&mut self, ms: u64, now: Now) {
        if let Some(run) = &mut self.connection.run {
            run.deadline = Some(now.mono_ms.saturating_add(ms));
        }
    }
}

fn expires(ms: u64, now: Now) -> Time {
    Time(now.wall_ms.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX)))
}

fn fault_error(fault: PasskeyFault) -> Error {
    match fault {
        PasskeyFault::Refused { code } if UNKNOWN_CODES.contains(&code) => {
            explain::wrong_credential(Some(code))
        }
        PasskeyFault::Refused { code } => explain::passkey_refused(code),
        PasskeyFault::Unanswered => explain::passkey_unanswered(),
    }
}

fn bare(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase()
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text.trim_end_matches('=')).ok().filter(|bytes| !bytes.is_empty())
}

fn challenge(request: &Map<String, Value>) -> Option<Vec<u8>> {
    decoded(request.get("challenge")?.as_str()?)
}

/// What the session sends of a credential: the fields that WhatsApp Web's has, and no others.
fn checked(response: &Value, request: &Map<String, Value>) -> Result<PasskeyAnswer, PasskeyFlaw> {
    let malformed = PasskeyFlaw::Malformed;
    if response.to_string().len() > PASSKEY_BYTES_MAX {
        return Err(malformed("it is too long"));
    }
    let text = |value: &Value, name: &str| value.get(name)?.as_str().map(str::to_owned);
    let id = text(response, "rawId").ok_or(malformed("it has no `rawId`"))?;
    let credential_id = decoded(&id).ok_or(malformed("its `rawId` is not base64url"))?;
    let inner = response.get("response").ok_or(malformed("it has no `response`"))?;
    let field = |name| text(inner, name).filter(|field| decoded(field).is_some());
    let client_data = field("clientDataJSON").ok_or(malformed("it has no `clientDataJSON`"))?;
    let authenticator =
        field("authenticatorData").ok_or(malformed("it has no `authenticatorData`"))?;
    let signature = field("signature").ok_or(malformed("it has no `signature`"))?;
    let claims = decoded(&client_data).and_then(|json| serde_json::from_slice(&json).ok());
    let claims: Value = claims.ok_or(malformed("its `clientDataJSON` is not JSON"))?;
    if text(&claims, "type").as_deref() != Some("webauthn.get") {
        return Err(malformed("it signs something else than a login"));
    }
    if text(&claims, "origin").as_deref() != Some(ORIGIN) {
        return Err(PasskeyFlaw::WrongOrigin);
    }
    if text(&claims, "challenge").and_then(|text| decoded(&text)) != challenge(request) {
        return Err(PasskeyFlaw::OtherRequest);
    }
    if !allowed(&credential_id, request) {
        return Err(PasskeyFlaw::NotAllowed);
    }
    let assertion = json!({
        "id": id,
        "rawId": id,
        "type": "public-key",
        "response": {
            "clientDataJSON": client_data,
            "authenticatorData": authenticator,
            "signature": signature,
            "userHandle": text(inner, "userHandle"),
        },
    });
    Ok(PasskeyAnswer {
        credential_id: Redacted(credential_id),
        assertion: Redacted(assertion.to_string()),
    })
}

/// An empty list allows every passkey of the site.
fn allowed(credential_id: &[u8], request: &Map<String, Value>) -> bool {
    let listed = request.get("allowCredentials").and_then(Value::as_array);
    let listed = listed.map(Vec::as_slice).unwrap_or_default();
    let is = |entry: &Value| {
        entry.get("id").and_then(Value::as_str).and_then(decoded).as_deref() == Some(credential_id)
    };
    listed.is_empty() || listed.iter().any(is)
}
