//! The passkey of an account, and the check of what it signed: the request's options, the
//! credential that a browser hands out, and the server's look at it. Keeps nothing.
//!
//! An HMAC under the account's own secret stands in for the signature: no client looks at it.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use whatsapp_rust::wacore::libsignal::crypto::hmac_sha256;

/// Whom passkeys are for, and the page that may ask for them: as WhatsApp Web does
/// (Baileys issue 2689, mautrix-whatsapp pkg/connector/login.go).
const RP_ID: &str = "whatsapp.com";
const ORIGIN: &str = "https://web.whatsapp.com";
/// User present, user verified.
const FLAGS: u8 = 0b101;
const RP_HASH_BYTES: usize = 32;
/// The hash, the flags, a counter of four bytes.
const AUTHENTICATOR_BYTES: usize = RP_HASH_BYTES + 1 + 4;

/// Why the server does not take a signed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It cannot be read.
    Malformed,
    /// It was signed for another page or another site.
    Origin,
    /// It answers another request.
    Challenge,
    /// The account has no such passkey, or the signature is not its own.
    Credential,
}

/// How a browser is to go wrong.
#[derive(Clone, Debug, Default)]
pub struct Signing {
    /// The page in which it is signed; absent: the right one.
    pub origin: Option<String>,
    /// With a passkey of somebody else.
    pub other_credential: bool,
}

/// What the server asks a browser to sign.
pub(super) fn options(challenge: &[u8; 32], timeout_ms: u64) -> String {
    json!({
        "challenge": BASE64.encode(challenge),
        "timeout": timeout_ms,
        "rpId": RP_ID,
        "allowCredentials": [],
        "userVerification": "required",
        "extensions": { "uvm": true },
    })
    .to_string()
}

/// The passkey of an account: its id, and the key behind it.
fn credential(user: &str) -> ([u8; 16], [u8; 32]) {
    let derive = |what: &str| -> [u8; 32] { Sha256::digest(format!("{what} {user}")).into() };
    let mut id = [0; 16];
    id.copy_from_slice(&derive("credential")[..16]);
    (id, derive("secret"))
}

/// The credential that a browser hands out, as `PublicKeyCredential.toJSON()` writes it.
pub(super) fn sign(options: &Value, user: &str, how: &Signing) -> Option<Value> {
    let challenge = options.get("challenge")?.as_str()?;
    let rp_id = options.get("rpId")?.as_str()?;
    let client_data = json!({
        "type": "webauthn.get",
        "challenge": challenge,
        "origin": how.origin.as_deref().unwrap_or(ORIGIN),
        "crossOrigin": false,
    })
    .to_string();
    let mut authenticator = Sha256::digest(rp_id).to_vec();
    authenticator.extend([FLAGS, 0, 0, 0, 1]);
    let (id, secret) = credential(if how.other_credential { "somebody else" } else { user });
    let signature = signature(&secret, &authenticator, client_data.as_bytes());
    let id = BASE64.encode(id);
    Some(json!({
        "id": id,
        "rawId": id,
        "type": "public-key",
        "authenticatorAttachment": "cross-platform",
        "clientExtensionResults": {},
        "response": {
            "clientDataJSON": BASE64.encode(client_data),
            "authenticatorData": BASE64.encode(authenticator),
            "signature": BASE64.encode(signature),
            "userHandle": BASE64.encode(user),
        },
    }))
}

fn signature(secret: &[u8; 32], authenticator: &[u8], client_data: &[u8]) -> [u8; 32] {
    let message = [authenticator, &Sha256::digest(client_data)].concat();
    hmac_sha256(secret, &message)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assertion {
    id: String,
    raw_id: String,
    r#type: String,
    response: Response,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    #[serde(rename = "clientDataJSON")]
    client_data: String,
    authenticator_data: String,
    signature: String,
}

#[derive(Deserialize)]
struct ClientData {
    r#type: String,
    challenge: String,
    origin: String,
}

/// The server's look at what a client says that a browser has signed.
pub(super) fn check(
    user: &str,
    challenge: &[u8; 32],
    credential_id: &[u8],
    assertion: &[u8],
) -> Result<(), Flaw> {
    let bytes = |text: &str| BASE64.decode(text).map_err(|_| Flaw::Malformed);
    let signed: Assertion = serde_json::from_slice(assertion).map_err(|_| Flaw::Malformed)?;
    let client_data = bytes(&signed.response.client_data)?;
    let authenticator = bytes(&signed.response.authenticator_data)?;
    let claims: ClientData = serde_json::from_slice(&client_data).map_err(|_| Flaw::Malformed)?;
    let public_key = signed.r#type == "public-key" && claims.r#type == "webauthn.get";
    if !public_key || signed.id != signed.raw_id || authenticator.len() < AUTHENTICATOR_BYTES {
        return Err(Flaw::Malformed);
    }
    // The node carries the bytes, the JSON the text.
    if bytes(&signed.raw_id)? != credential_id {
        return Err(Flaw::Malformed);
    }
    if claims.origin != ORIGIN || authenticator[..RP_HASH_BYTES] != Sha256::digest(RP_ID)[..] {
        return Err(Flaw::Origin);
    }
    if bytes(&claims.challenge)? != challenge {
        return Err(Flaw::Challenge);
    }
    let (id, secret) = credential(user);
    let verified = authenticator[RP_HASH_BYTES] & FLAGS == FLAGS
        && bytes(&signed.response.signature)? == signature(&secret, &authenticator, &client_data);
    if credential_id != id || !verified {
        return Err(Flaw::Credential);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: [u8; 32] = [7; 32];

    fn checked(how: &Signing, challenge: &[u8; 32]) -> Result<(), Flaw> {
        let options = serde_json::from_str(&options(&CHALLENGE, 600_000)).unwrap();
        let signed = sign(&options, "15550100", how).unwrap();
        let id = BASE64.decode(signed["rawId"].as_str().unwrap()).unwrap();
        check("15550100", challenge, &id, signed.to_string().as_bytes())
    }

    #[test]
    fn the_server_takes_the_accounts_own_passkey_for_its_own_request_only() {
        assert_eq!(checked(&Signing::default(), &CHALLENGE), Ok(()));
        assert_eq!(checked(&Signing::default(), &[8; 32]), Err(Flaw::Challenge));
        let elsewhere =
            Signing { origin: Some("https://example.com".into()), ..Signing::default() };
        assert_eq!(checked(&elsewhere, &CHALLENGE), Err(Flaw::Origin));
        let other = Signing { other_credential: true, ..Signing::default() };
        assert_eq!(checked(&other, &CHALLENGE), Err(Flaw::Credential));
        assert_eq!(check("15550100", &CHALLENGE, b"x", b"{}"), Err(Flaw::Malformed));
    }
}
