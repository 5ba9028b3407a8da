//! What stands in the way of a pairing, and what a phone's owner does about it: methods of
//! [`Sim`], and the same on the control socket.
//!
//! - `phone.passkey {account, on, without_options, proof, timeout_ms}`: the phone asks for a
//!   passkey before it links a client, after a scan and after a typed code. `proof` is
//!   `accepted`, `ignored` or `required`. `phone.scan` and `phone.enter_code` then answer
//!   `{"passkey": true}`, and the pairing goes on without them.
//! - `phone.sign_passkey {account, options, origin, other_credential}`: what a browser on
//!   WhatsApp Web makes of the request's options; with `origin` one on another page, with
//!   `other_credential` one with somebody else's passkey.
//! - `phone.passkey_code {account}`: the code that the phone shows, once it does.
//! - `phone.compare_passkey {account, code}`: its owner says that the client shows this code.
//! - `phone.refuse_passkey {account}`: its owner says no.
//! - `phone.hosted {account, on}`: a business account that a provider hosts in addition to the phone.
//! - `phone.change_number {account, to}`: the account gets another number, which nobody has, and
//!   keeps its LID. Its clients are unlinked.
//! - `server.integrity_challenge {kind}`: the server asks the account to prove itself.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore::time::now_secs;

use super::Sim;
use super::api::DEFAULT_ACCOUNT;
use super::control::{Failure, params};
use super::error::SimError;
use super::nodes::server;
use super::passkey::{self, PasskeyPolicy};
use super::people::digits;
use super::webauthn::{self, Signing};

/// How long a phone's owner waits for the code.
const CODE_TIMEOUT: Duration = Duration::from_secs(30);

/// What stands in the way of pairings, by account. Forgotten when the simulator ends.
#[derive(Default)]
pub(super) struct Linking {
    pub(super) passkeys: HashMap<String, PasskeyPolicy>,
    /// Accounts that a provider hosts in addition to the phone.
    pub(super) hosted: HashSet<String>,
}

fn user(account: Option<&str>) -> Result<String, SimError> {
    Ok(digits(account.unwrap_or(DEFAULT_ACCOUNT))?)
}

impl Sim {
    /// Whether and how a phone asks for a passkey.
    pub async fn phone_passkey(
        &self,
        account: Option<&str>,
        policy: PasskeyPolicy,
    ) -> Result<(), SimError> {
        let user = user(account)?;
        self.shared.change().await.linking.passkeys.insert(user, policy);
        Ok(())
    }

    /// What a browser makes of a request's options, with the phone's passkey.
    pub fn phone_sign_passkey(
        &self,
        account: Option<&str>,
        options: &Value,
        how: &Signing,
    ) -> Result<Value, SimError> {
        webauthn::sign(options, &user(account)?, how).ok_or(SimError::NoPasskeyAsked)
    }

    /// The code that a phone shows, once it does.
    pub async fn phone_passkey_code(&self, account: Option<&str>) -> Result<String, SimError> {
        let user = user(account)?;
        self.wait(|world| passkey::code(world, &user), CODE_TIMEOUT).await
    }

    /// The owner of a phone says that the client shows this code.
    pub async fn phone_compare_passkey(
        &self,
        account: Option<&str>,
        code: &str,
    ) -> Result<(), SimError> {
        passkey::compare(&mut *self.shared.change().await, &user(account)?, code)
    }

    /// The owner of a phone does not link the client.
    pub async fn phone_refuse_passkey(&self, account: Option<&str>) -> Result<(), SimError> {
        passkey::refuse(&mut *self.shared.change().await, &user(account)?)
    }

    /// Whether a provider hosts the account in addition to its phone.
    pub async fn phone_hosted(&self, account: Option<&str>, on: bool) -> Result<(), SimError> {
        let user = user(account)?;
        let hosted = &mut self.shared.change().await.linking.hosted;
        if on {
            hosted.insert(user);
        } else {
            hosted.remove(&user);
        }
        Ok(())
    }

    /// The account gets another number, which nobody has, and keeps its LID. Its clients are
    /// unlinked before.
    pub async fn phone_change_number(
        &self,
        account: Option<&str>,
        to: &str,
    ) -> Result<(), SimError> {
        let (user, to) = (user(account)?, digits(to)?);
        self.phone_unlink(Some(&user), None).await?;
        let mut world = self.shared.change().await;
        world.people.change_number(&user, &to)?;
        world.accounts.rename(&user, &to);
        Ok(())
    }

    /// The server asks the accounts that are there to prove themselves (WhatsApp Web has the
    /// payload's name and its kinds, `PASSKEY` and `CAPTCHA`; the operation's name is not
    /// known).
    pub async fn server_integrity_challenge(&self, kind: &str) -> Result<usize, SimError> {
        let mut world = self.shared.change().await;
        let links: Vec<_> = world.links().into_iter().map(|(id, _)| id).collect();
        let links: Vec<_> =
            links.into_iter().filter(|link| world.device(*link).is_some()).collect();
        let body = json!({ "data": {
            "xwa2_notify_integrity_challenge": { "challenge_type": kind }
        } });
        for link in &links {
            let update = NodeBuilder::new("update")
                .attr("op_name", "NotificationIntegrityChallenge")
                .bytes(body.to_string().into_bytes())
                .build();
            let notification = NodeBuilder::new("notification")
                .attr("from", server())
                .attr("type", "mex")
                .attr("id", world.iq_id())
                .attr("t", now_secs())
                .children([update])
                .build();
            world.say(*link, notification);
        }
        Ok(links.len())
    }
}

#[derive(Deserialize)]
struct Passkey {
    account: Option<String>,
    #[serde(flatten)]
    policy: PasskeyPolicy,
}

#[derive(Deserialize)]
struct Sign {
    account: Option<String>,
    options: Value,
    origin: Option<String>,
    #[serde(default)]
    other_credential: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    account: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    account: Option<String>,
    code: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hosted {
    account: Option<String>,
    on: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeNumber {
    account: Option<String>,
    to: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Challenge {
    kind: String,
}

/// The answer to a scan, or to a typed code.
pub(super) fn device(linked: Result<String, SimError>) -> Result<Value, Failure> {
    match linked {
        Ok(device) => Ok(json!({ "device": device })),
        Err(SimError::PasskeyAsked) => Ok(json!({ "passkey": true })),
        Err(error) => Err(error.into()),
    }
}

/// A call on the control socket.
pub(super) async fn call(sim: &Sim, method: &str, given: Value) -> Result<Value, Failure> {
    match method {
        "phone.passkey" => {
            let Passkey { account, policy } = params(given)?;
            sim.phone_passkey(account.as_deref(), policy).await?;
        }
        "phone.sign_passkey" => {
            let Sign { account, options, origin, other_credential } = params(given)?;
            let how = Signing { origin, other_credential };
            return Ok(sim.phone_sign_passkey(account.as_deref(), &options, &how)?);
        }
        "phone.passkey_code" => {
            let Account { account } = params(given)?;
            return Ok(json!({ "code": sim.phone_passkey_code(account.as_deref()).await? }));
        }
        "phone.compare_passkey" => {
            let Code { account, code } = params(given)?;
            sim.phone_compare_passkey(account.as_deref(), &code).await?;
        }
        "phone.refuse_passkey" => {
            let Account { account } = params(given)?;
            sim.phone_refuse_passkey(account.as_deref()).await?;
        }
        "phone.hosted" => {
            let Hosted { account, on } = params(given)?;
            sim.phone_hosted(account.as_deref(), on).await?;
        }
        "phone.change_number" => {
            let ChangeNumber { account, to } = params(given)?;
            sim.phone_change_number(account.as_deref(), &to).await?;
        }
        "server.integrity_challenge" => {
            let Challenge { kind } = params(given)?;
            return Ok(json!({ "clients": sim.server_integrity_challenge(&kind).await? }));
        }
        _ => return Err(Failure::NoMethod),
    }
    Ok(json!({}))
}
