//! The passkey that a phone asks for before it links this device, and why a pairing fails.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Redacted;

/// Parameters of `session.passkey`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PasskeyParams {
    /// What the browser made of the request: the object that
    /// `PublicKeyCredential.toJSON()` returns.
    pub response: Redacted<Map<String, Value>>,
}

/// Parameters of `session.passkey_confirm`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PasskeyConfirmParams {
    /// The code that the phone shows, with or without its hyphen.
    pub code: Redacted<String>,
}

/// Why a pairing failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PairFailure {
    /// Another pairing request took its place.
    Superseded,
    /// A phone is paired already.
    AlreadyPaired,
    /// There was no connection, or it ended.
    Connection,
    /// The server gives no code for this number, or none for now.
    CodeRefused,
    /// The phone wants to start over with a new code.
    NewCodeWanted,
    /// The phone's app is too old for linked devices.
    AppTooOld,
    /// A business account that a provider hosts in addition to the phone: tetherd cannot link it yet.
    HostedAccount,
    /// The phone's answer does not verify.
    NotVerified,
    /// The server did not restart the session after the pairing.
    NotRestarted,
    /// Nobody answered the request for a passkey in time, or the code was not confirmed.
    PasskeyTimedOut,
    /// The phone or the server refused the passkey.
    PasskeyRefused,
    /// The exchange about the passkey broke off.
    PasskeyBroken,
}

/// The page that may use the account's passkeys.
pub const PASSKEY_PAGE: &str = "https://web.whatsapp.com";

/// The line for the browser's console: asks for the passkey, prints what it signed, and puts
/// it on the clipboard where the console can.
pub fn passkey_snippet(request: &Map<String, Value>) -> String {
    format!(
        "(async k=>{{const c=await navigator.credentials.get({{publicKey:\
         PublicKeyCredential.parseRequestOptionsFromJSON({})}});\
         const t=JSON.stringify(c.toJSON());console.log(t);k(t)}})\
         (typeof copy==\"function\"?copy:()=>{{}})",
        ascii(&json!(request).to_string())
    )
}

/// JSON in ASCII alone: nothing in it can act on a terminal.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut units = [0; 2];
    for c in json.chars() {
        if matches!(c, ' '..='~') {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut units) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_in_the_snippet_as_json_without_what_acts_on_a_terminal() {
        let Value::Object(request) =
            json!({ "challenge": "AAAA", "rpId": "what\u{9b}\u{1b}\u{1f600}" })
        else {
            panic!()
        };
        let snippet = passkey_snippet(&request);
        assert!(snippet.chars().all(|c| matches!(c, ' '..='~')), "{snippet}");
        let (_, rest) = snippet.split_once("FromJSON(").unwrap();
        let (json, _) = rest.split_once(")});").unwrap();
        assert_eq!(serde_json::from_str::<Map<String, Value>>(json).unwrap(), request);
    }
}
