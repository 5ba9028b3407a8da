//! What a message needs to be taken: privacy tokens, the properties that make clients send
//! them, the history that brings them, the quota of new chats, recipients' keys, and a recipient
//! who asks for a message again (`token.ask_again {number, account, id}`). Methods of [`Sim`],
//! and the same on the control socket.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::api::DEFAULT_ACCOUNT;
use super::control::{Failure, params};
use super::error::SimError;
use super::history::{CHATS_MAX, MadeUp};
use super::nodes::jid_attr;
use super::people::{PeopleError, digits};
use super::quota::Quota;
use super::{Sim, quota, tokens};

impl Sim {
    /// Whether a recipient takes messages with a valid token only.
    pub async fn token_require(&self, number: &str, required: bool) -> Result<(), SimError> {
        let number = digits(number)?;
        self.shared.change().await.tokens.require(&number, required);
        Ok(())
    }

    /// A recipient gives an account a new token, or the one that it gave counts no more.
    pub async fn token_give(
        &self,
        number: &str,
        account: Option<&str>,
        give: bool,
    ) -> Result<(), SimError> {
        let (number, user) = (digits(number)?, digits(account.unwrap_or(DEFAULT_ACCOUNT))?);
        let mut world = self.shared.change().await;
        if give {
            tokens::give(&mut world, &user, &number);
        } else {
            world.tokens.void(&user, &number);
        }
        Ok(())
    }

    /// A recipient's phone asks for a message again. Answers how many clients are asked.
    pub async fn recipient_ask_again(
        &self,
        number: &str,
        account: Option<&str>,
        id: &str,
    ) -> Result<usize, SimError> {
        let (number, user) = (digits(number)?, digits(account.unwrap_or(DEFAULT_ACCOUNT))?);
        let mut world = self.shared.change().await;
        let receipts = world.people.ask_again(&number, &user, id);
        let count = receipts.len();
        for receipt in receipts {
            if let Some(to) = jid_attr(&receipt, "to").and_then(|to| world.companion_at(&to)) {
                world.deliver(&to, receipt);
            }
        }
        Ok(count)
    }

    /// How many new chats accounts may begin.
    pub async fn token_quota(&self, quota: Quota) {
        quota::set(&mut *self.shared.change().await, quota);
    }

    /// Devices of a recipient whose keys the server does not give out; none: all are.
    pub async fn token_no_keys(&self, number: &str, devices: &[u16]) -> Result<(), SimError> {
        let mut world = self.shared.change().await;
        let person = world.people.persons.get_mut(&digits(number)?).ok_or(PeopleError::Unknown)?;
        person.no_keys = devices.to_vec();
        Ok(())
    }

    /// What the phones' histories hold from now on, besides the people who exist.
    pub async fn token_history(&self, made_up: MadeUp) -> Result<(), SimError> {
        if made_up.chats > CHATS_MAX {
            return Err(PeopleError::TooMany.into());
        }
        self.shared.change().await.tokens.made_up = made_up;
        Ok(())
    }

    /// Changes the properties that clients ask for, and returns all of them.
    pub async fn token_props(
        &self,
        change: BTreeMap<u32, Option<String>>,
    ) -> BTreeMap<u32, String> {
        let mut world = self.shared.change().await;
        world.tokens.set_props(change);
        world.tokens.props().clone()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Give {
    number: String,
    account: Option<String>,
    /// A new one; false: the one that was given counts no more.
    #[serde(default = "yes")]
    give: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskAgain {
    number: String,
    account: Option<String>,
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoKeys {
    number: String,
    devices: Vec<u16>,
}

fn yes() -> bool {
    true
}

pub(super) async fn call(sim: &Sim, method: &str, given: Value) -> Result<Value, Failure> {
    match method {
        "token.give" => {
            let Give { number, account, give } = params(given)?;
            sim.token_give(&number, account.as_deref(), give).await?;
            Ok(json!({}))
        }
        "token.props" => {
            let change = params::<BTreeMap<u32, Option<String>>>(given)?;
            Ok(json!(sim.token_props(change).await))
        }
        "token.quota" => {
            sim.token_quota(params::<Quota>(given)?).await;
            Ok(json!({}))
        }
        "token.no_keys" => {
            let NoKeys { number, devices } = params(given)?;
            sim.token_no_keys(&number, &devices).await?;
            Ok(json!({}))
        }
        "token.ask_again" => {
            let AskAgain { number, account, id } = params(given)?;
            let asked = sim.recipient_ask_again(&number, account.as_deref(), &id).await?;
            Ok(json!({ "clients": asked }))
        }
        "token.history" => {
            sim.token_history(params::<MadeUp>(given)?).await?;
            Ok(json!({}))
        }
        _ => Err(Failure::NoMethod),
    }
}
