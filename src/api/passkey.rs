//! The passkey that a phone asks for before it links this device, and why a pairing fails.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

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
