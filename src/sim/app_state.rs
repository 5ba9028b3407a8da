//! The app state of an account (archived chats, the own name, the salt) as the server keeps it:
//! patches with their versions, and what they leave. Opens nothing: it has no key. What its
//! phone changes is in `phone_state`.
//!
//! A patch on another version than the last is refused with 409 and comes with what the client
//! lacks; a snapshot is given to whoever asks for one, and is what the patches have left, under
//! the last one's `snapshot_mac` (whatsapp-rust 0.7.0, client/app_state.rs; whatsmeow,
//! appstate.go and appstate/decode.go).

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use whatsapp_rust::NodeBuilder;
use whatsapp_rust::buffa::{Message as _, MessageField};
use whatsapp_rust::wacore::download::MediaType;
use whatsapp_rust::wacore::time::now_secs;
use whatsapp_rust::wacore::upload::encrypt_media;
use whatsapp_rust::wacore_binary::Node;
use whatsapp_rust::waproto::whatsapp::syncd_mutation::SyncdOperation;
use whatsapp_rust::waproto::{codec, whatsapp as wa};

use super::accounts::DeviceId;
use super::media::{Files, direct_path, token_of};
use super::nodes::{attr, content, refusal, result_with, server};
use super::notices;
use super::world::{LinkId, World};

/// The collections that there are (wacore-appstate 0.7.0, patch_decode.rs).
const COLLECTIONS: [&str; 5] =
    ["critical_block", "critical_unblock_low", "regular_low", "regular_high", "regular"];
/// Patches in one answer.
const PAGE: usize = 20;
/// Patches of one collection that are kept; who is further behind needs a snapshot.
const PATCHES_MAX: usize = 1_000;
/// Records of one collection.
const RECORDS_MAX: usize = 10_000;
const MAC_BYTES: usize = 32;
/// Bytes of one patch.
const PATCH_BYTES_MAX: usize = 256 * 1024;

/// A refusal of one collection.
const CONFLICT: (u16, &str) = (409, "conflict");
const BAD_REQUEST: (u16, &str) = (400, "bad-request");
const NOT_FOUND: (u16, &str) = (404, "item-not-found");

/// One value, encrypted.
#[derive(Clone, Serialize, Deserialize)]
struct Record {
    #[serde(with = "hex")]
    value: Vec<u8>,
    #[serde(with = "hex")]
    key_id: Vec<u8>,
}

/// One collection.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Collection {
    pub(super) version: u64,
    /// The last ones, encoded; the newest has the collection's version.
    patches: VecDeque<Vec<u8>>,
    /// By the MAC of their index, in hex.
    records: BTreeMap<String, Record>,
    snapshot_mac: Vec<u8>,
    key_id: Vec<u8>,
}

/// An account's app state, by the names of its collections.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct AppState(BTreeMap<String, Collection>);

impl AppState {
    /// A collection.
    pub(super) fn collection(&mut self, name: &str) -> &mut Collection {
        self.0.entry(name.to_owned()).or_default()
    }
}

impl Collection {
    /// Takes a patch in that was made on this version.
    pub(super) fn take(&mut self, base: u64, bytes: &[u8]) -> Result<(), (u16, &'static str)> {
        if bytes.len() > PATCH_BYTES_MAX {
            return Err(BAD_REQUEST);
        }
        let mut patch = codec::syncd_patch_decode(bytes).map_err(|_| BAD_REQUEST)?;
        if base != self.version {
            return Err(CONFLICT);
        }
        let mac = |mac: &Option<Vec<u8>>| mac.as_ref().is_some_and(|mac| mac.len() == MAC_BYTES);
        let key_id = patch.key_id.as_option().and_then(|key| key.id.clone());
        let Some(key_id) = key_id.filter(|_| mac(&patch.snapshot_mac) && mac(&patch.patch_mac))
        else {
            return Err(BAD_REQUEST);
        };
        let changes: Option<Vec<_>> = patch.mutations.iter().map(change).collect();
        let changes = changes.filter(|changes| !changes.is_empty()).ok_or(BAD_REQUEST)?;
        for (index, record) in changes {
            match record {
                Some(record) if self.records.len() < RECORDS_MAX => {
                    self.records.insert(index, record);
                }
                Some(_) => return Err(BAD_REQUEST),
                None => drop(self.records.remove(&index)),
            }
        }
        self.version += 1;
        patch.version = MessageField::some(wa::SyncdVersion { version: Some(self.version) });
        self.snapshot_mac = patch.snapshot_mac.clone().unwrap_or_default();
        self.key_id = key_id;
        if self.patches.len() >= PATCHES_MAX {
            self.patches.pop_front();
        }
        self.patches.push_back(codec::syncd_patch_to_vec(&patch));
        Ok(())
    }

    /// The patches after a version, and whether there are more. None: they are not kept.
    fn after(&self, version: u64) -> Option<(Vec<Node>, bool)> {
        let behind = usize::try_from(self.version.checked_sub(version)?).ok()?;
        let first = self.patches.len().checked_sub(behind)?;
        let page = self.patches.iter().skip(first).take(PAGE);
        let page = page.map(|patch| NodeBuilder::new("patch").bytes(patch.clone()).build());
        Some((page.collect(), behind > PAGE))
    }

    /// What the patches have left.
    pub(super) fn records(&self) -> Vec<wa::SyncdRecord> {
        let record = |(index, record): (&String, &Record)| wa::SyncdRecord {
            index: MessageField::some(wa::SyncdIndex { blob: hex::decode(index).ok() }),
            value: MessageField::some(wa::SyncdValue { blob: Some(record.value.clone()) }),
            key_id: MessageField::some(wa::KeyId { id: Some(record.key_id.clone()) }),
        };
        self.records.iter().map(record).collect()
    }

    /// Puts a snapshot on the media host, and says where.
    fn snapshot(&self, files: &Files) -> Option<Node> {
        let snapshot = wa::SyncdSnapshot {
            version: MessageField::some(wa::SyncdVersion { version: Some(self.version) }),
            records: self.records(),
            mac: Some(self.snapshot_mac.clone()),
            key_id: MessageField::some(wa::KeyId { id: Some(self.key_id.clone()) }),
        };
        let plain = snapshot.encode_to_vec();
        let sealed = encrypt_media(&plain, MediaType::AppState).ok()?;
        let token = token_of(&sealed.file_enc_sha256);
        files.put(&token, sealed.data_to_upload);
        let place = wa::ExternalBlobReference {
            media_key: Some(sealed.media_key.to_vec()),
            direct_path: Some(direct_path(&token)),
            handle: Some(token),
            file_size_bytes: Some(plain.len() as u64),
            file_sha256: Some(sealed.file_sha256.to_vec()),
            file_enc_sha256: Some(sealed.file_enc_sha256.to_vec()),
        };
        Some(NodeBuilder::new("snapshot").bytes(place.encode_to_vec()).build())
    }
}

/// A mutation as the index that it is about, and what it leaves there.
fn change(mutation: &wa::SyncdMutation) -> Option<(String, Option<Record>)> {
    let record = mutation.record.as_option()?;
    let index = record.index.as_option()?.blob.as_ref().filter(|mac| mac.len() == MAC_BYTES)?;
    let value = record.value.as_option()?.blob.as_ref().filter(|blob| blob.len() > MAC_BYTES)?;
    let key_id = record.key_id.as_option()?.id.clone()?;
    let stays = mutation.operation.unwrap_or_default() == SyncdOperation::SET;
    let record = stays.then(|| Record { value: value.clone(), key_id });
    Some((hex::encode(index), record))
}

/// Answers a client that fetches or changes the app state of its account. Its other clients are
/// notified of what has changed.
pub(super) fn request(world: &mut World, link: LinkId, iq: &Node) {
    let Some(device) = world.device(link).cloned() else {
        return world.say(link, refusal(iq, 401, "not-authorized"));
    };
    let files = world.media.files.clone();
    let Some(account) = world.accounts.get_mut(&device.user) else { return };
    let asked = iq.get_optional_child("sync").and_then(Node::children).unwrap_or_default();
    let mut changed = Vec::new();
    let collections: Vec<Node> = asked
        .iter()
        .filter(|child| child.tag == "collection")
        .map(|asked| {
            let (answer, version) = one(&mut account.app_state, asked, &files);
            changed.extend(version);
            answer
        })
        .collect();
    if collections.is_empty() {
        return world.say(link, refusal(iq, 400, "bad-request"));
    }
    for answer in &collections {
        let patches = answer.get_optional_child("patches").and_then(Node::children);
        world.stats.patches += patches.map_or(0, |patches| patches.len() as u64);
        world.stats.snapshots += u64::from(answer.get_optional_child("snapshot").is_some());
    }
    let sync = NodeBuilder::new("sync").attr("t", now_secs()).children(collections).build();
    world.say(link, result_with(iq, [sync]));
    notify(world, &device.user, Some(&device), &changed);
}

/// A collection has changed: the clients, but for the one that changed it, fetch it.
pub(super) fn notify(
    world: &mut World,
    account: &str,
    but: Option<&DeviceId>,
    changed: &[(String, u64)],
) {
    // One each: Baileys 7.0.0 looks at the first only.
    for (name, version) in changed {
        let collection = NodeBuilder::new("collection").attr("name", name.as_str());
        let collection = [collection.attr("version", *version).build()];
        notices::to_account(world, account, but, "server_sync", &server(), &collection);
    }
}

/// The answer about one collection, and what it has become if it was changed.
fn one(state: &mut AppState, asked: &Node, files: &Files) -> (Node, Option<(String, u64)>) {
    let name = attr(asked, "name").unwrap_or_default();
    let answer = NodeBuilder::new("collection").attr("name", name.as_str());
    if !COLLECTIONS.contains(&name.as_str()) {
        return (failed(answer, NOT_FOUND, Vec::new()), None);
    }
    let collection = state.collection(&name);
    let since: u64 = attr(asked, "version").and_then(|text| text.parse().ok()).unwrap_or(0);
    if let Some(patch) = asked.get_optional_child("patch") {
        let answer = answer.attr("version", collection.version);
        return match collection.take(since, &content(patch).unwrap_or_default()) {
            Ok(()) => {
                let answer = NodeBuilder::new("collection")
                    .attr("name", name.as_str())
                    .attr("version", collection.version)
                    .attr("has_more_patches", "false");
                (answer.build(), Some((name, collection.version)))
            }
            Err(error) => {
                let lacks = collection.after(since).filter(|_| error == CONFLICT);
                let (patches, more) = lacks.unwrap_or_default();
                let answer = answer.attr("has_more_patches", if more { "true" } else { "false" });
                let patches = NodeBuilder::new("patches").children(patches).build();
                (failed(answer, error, vec![patches]), None)
            }
        };
    }
    let answer = answer.attr("version", collection.version);
    if attr(asked, "return_snapshot").as_deref() == Some("true") && collection.version > 0 {
        let answer = answer.attr("has_more_patches", "false");
        return (answer.children(collection.snapshot(files)).build(), None);
    }
    // That a version whose patches are gone is refused so is not verified.
    let Some((patches, more)) = collection.after(since) else {
        return (failed(answer, BAD_REQUEST, Vec::new()), None);
    };
    let answer = answer.attr("has_more_patches", if more { "true" } else { "false" });
    if patches.is_empty() {
        return (answer.build(), None);
    }
    let patches = NodeBuilder::new("patches").children(patches).build();
    (answer.children([patches]).build(), None)
}

fn failed(answer: NodeBuilder, (code, text): (u16, &'static str), more: Vec<Node>) -> Node {
    let error = NodeBuilder::new("error").attr("code", code).attr("text", text).build();
    answer.attr("type", "error").children([error].into_iter().chain(more)).build()
}
