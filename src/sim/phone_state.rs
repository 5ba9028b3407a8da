//! What the account's phone changes in its app state: the name, archived chats. Encrypts with
//! the account's key and signs the chain as every device of the account does. Keeps nothing.
//!
//! Methods of the control socket; each returns the version of the changed collection:
//! - `phone.name {account, name}`: the owner of the phone changes the own name.
//! - `phone.archive {account, chat, archived}`: the owner archives a chat, or takes it back.

use serde::Deserialize;
use serde_json::{Value, json};
use whatsapp_rust::buffa::MessageField;
use whatsapp_rust::wacore::appstate::encode::encode_record;
use whatsapp_rust::wacore::appstate::hash::{HashState, generate_patch_mac};
use whatsapp_rust::wacore::appstate::keys::expand_app_state_keys;
use whatsapp_rust::wacore::time::now_millis;
use whatsapp_rust::waproto::whatsapp::syncd_mutation::SyncdOperation;
use whatsapp_rust::waproto::{codec, whatsapp as wa};

use super::Sim;
use super::api::{DEFAULT_ACCOUNT, address};
use super::app_state::{Collection, notify};
use super::control::{Failure, params};
use super::error::SimError;
use super::people::digits;
use super::person::StateKey;
use super::world::{World, random};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Name {
    account: Option<String>,
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Archive {
    account: Option<String>,
    /// A number or JID.
    chat: String,
    archived: bool,
}

/// The calls `phone.name` and `phone.archive`.
pub(super) async fn call(sim: &Sim, method: &str, given: Value) -> Result<Value, Failure> {
    let version = match method {
        "phone.name" => {
            let Name { account, name } = params(given)?;
            sim.phone_name(account.as_deref(), &name).await?
        }
        "phone.archive" => {
            let Archive { account, chat, archived } = params(given)?;
            sim.phone_archive(account.as_deref(), &chat, archived).await?
        }
        _ => return Err(Failure::NoMethod),
    };
    Ok(json!({ "version": version }))
}

impl Sim {
    /// The owner of a phone changes the own name. Returns the collection's version.
    pub async fn phone_name(&self, account: Option<&str>, name: &str) -> Result<u64, SimError> {
        let user = digits(account.unwrap_or(DEFAULT_ACCOUNT))?;
        let mut world = self.shared.change().await;
        let account = world.accounts.get_mut(&user).ok_or(SimError::NoSuchAccount)?;
        name.clone_into(&mut account.push_name);
        let setting = wa::sync_action_value::PushNameSetting { name: Some(name.to_owned()) };
        let value = wa::SyncActionValue {
            push_name_setting: MessageField::some(setting),
            timestamp: Some(now_millis()),
            ..Default::default()
        };
        set(&mut world, &user, "critical_block", &json!(["setting_pushName"]), &value)
    }

    /// The owner of a phone archives a chat, or takes it back. Returns the collection's version.
    pub async fn phone_archive(
        &self,
        account: Option<&str>,
        chat: &str,
        archived: bool,
    ) -> Result<u64, SimError> {
        let user = digits(account.unwrap_or(DEFAULT_ACCOUNT))?;
        let chat = address(chat)?;
        let mut world = self.shared.change().await;
        let by = world.settings.rules.addressing();
        let chat = world.people.named(&chat, by).to_string();
        let action = wa::sync_action_value::ArchiveChatAction {
            archived: Some(archived),
            ..Default::default()
        };
        let value = wa::SyncActionValue {
            archive_chat_action: MessageField::some(action),
            timestamp: Some(now_millis()),
            ..Default::default()
        };
        set(&mut world, &user, "regular_low", &json!(["archive", chat]), &value)
    }
}

/// The phone sets one value.
fn set(
    world: &mut World,
    user: &str,
    name: &str,
    index: &Value,
    value: &wa::SyncActionValue,
) -> Result<u64, SimError> {
    let person = world.people.persons.get(user).ok_or(SimError::NoSuchAccount)?;
    let key = person.state_key.as_ref().ok_or(SimError::NoSuchAccount)?;
    let account = world.accounts.get_mut(user).ok_or(SimError::NoSuchAccount)?;
    let collection = account.app_state.collection(name);
    let base = collection.version;
    let patch = patch(collection, name, key, index.to_string().as_bytes(), value);
    if collection.take(base, &codec::syncd_patch_to_vec(&patch)).is_err() {
        tracing::error!("the phone's own patch was refused");
    }
    let version = collection.version;
    notify(world, user, None, &[(name.to_owned(), version)]);
    Ok(version)
}

fn patch(
    collection: &Collection,
    name: &str,
    key: &StateKey,
    index: &[u8],
    value: &wa::SyncActionValue,
) -> wa::SyncdPatch {
    let keys = expand_app_state_keys(&key.data);
    let (set, iv) = (SyncdOperation::SET, random::<16>());
    let (mutation, _) = encode_record(set, index, value, &keys, &key.id, &iv, 2);
    let mut records = collection.records();
    if let Some(record) = mutation.record.as_option() {
        records.retain(|old| old.index.as_option() != record.index.as_option());
        records.push(record.clone());
    }
    let version = collection.version + 1;
    let mut state = HashState { version, ..HashState::default() };
    state.update_hash_from_records(&records);
    let mut patch = wa::SyncdPatch {
        mutations: vec![mutation],
        snapshot_mac: Some(state.generate_snapshot_mac(name, &keys.snapshot_mac)),
        key_id: MessageField::some(wa::KeyId { id: Some(key.id.clone()) }),
        ..Default::default()
    };
    patch.patch_mac = Some(generate_patch_mac(&patch, name, &keys.patch_mac, version));
    patch
}
