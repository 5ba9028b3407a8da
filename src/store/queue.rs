//! The queue's records: the core's changes as batches, and what the core starts
//! from. Never decides anything about a message.
//!
//! | key | what |
//! |---|---|
//! | `queue/message/` id | a message's record, JSON |
//! | `queue/body/` id | its text |
//! | `queue/number/` digits, or `@` and a username | what the network said about it, JSON |
//! | `queue/slots/a`, `.../b` | the pacer's slots, JSON, twice |
//! | `queue/facts/a`, `.../b` | the small facts, JSON, twice |
//! | `queue/groups` | the names of the account's groups, JSON |
//! | `queue/repaired` | a repair since the last start: see `repaired_entry` |
//! | `queue/contacts/` page | known chats: a hash of 8 bytes and a day of 4 each |
//! | `queue/known/` page | the same of an older program: hashes only |
//!
//! Slots and facts are kept twice so that one damaged record neither refills the
//! pacer's window, nor forgets a pause, nor gives a message id away again.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::record::{Damage, Shape, record_key, wrap};
use super::stored::Record;
use super::{Batch, Quarantined, ReadError, Store};
use tetherd_api::MessageId;
use tetherd_core::action::Change;
use tetherd_core::contacts::{KnownChat, KnownNumber, KnownPage, Number};
use tetherd_core::event::Body;
use tetherd_core::facts::{Facts, Restored};
use tetherd_core::groups::GroupNames;
use tetherd_core::queue::Message;

const MESSAGE: &[u8] = b"queue/message/";
const BODY: &[u8] = b"queue/body/";
const NUMBER: &[u8] = b"queue/number/";
const GROUPS: &[u8] = b"queue/groups";
const CONTACTS: &[u8] = b"queue/contacts/";
const KNOWN: &[u8] = b"queue/known/";
const SLOTS: [&[u8]; 2] = [b"queue/slots/a", b"queue/slots/b"];
/// When a repair has made the store what it is, wall milliseconds (8 bytes, big endian).
const REPAIRED: &[u8] = b"queue/repaired";
/// In the place of slots that a repair has lost; no JSON.
const SLOTS_UNKNOWN: &[u8] = b"lost";
const FACTS: [&[u8]; 2] = [b"queue/facts/a", b"queue/facts/b"];

/// The core's changes as one atomic batch.
pub fn batch(changes: &[Change]) -> Batch {
    let mut batch = Batch::new();
    for change in changes {
        match change {
            Change::PutMessage(message) => {
                batch.put(id_key(MESSAGE, message.id), message.encode());
            }
            Change::PutBody { id, body } => {
                batch.put(id_key(BODY, *id), body.0.as_bytes());
            }
            Change::RemoveMessage { id } => {
                batch.remove(id_key(MESSAGE, *id)).remove(id_key(BODY, *id));
            }
            Change::PutNumber(known) => {
                batch.put(number_key(&known.number), known.encode());
            }
            Change::RemoveNumber { number } => {
                batch.remove(number_key(number));
            }
            Change::PutSlots(slots) => put_twice(&mut batch, SLOTS, &slots.encode()),
            Change::PutFacts(facts) => put_twice(&mut batch, FACTS, &facts.encode()),
            Change::PutKnown(page) => {
                let bytes = |KnownChat { hash, day }: &KnownChat| {
                    hash.to_be_bytes().into_iter().chain(day.to_be_bytes())
                };
                let value: Vec<u8> = page.chats.iter().flat_map(bytes).collect();
                batch.remove(page_key(KNOWN, page.number));
                batch.put(page_key(CONTACTS, page.number), value);
            }
            Change::PutGroupNames(names) => {
                batch.put(GROUPS, names.encode());
            }
            Change::RemoveKnown { number } => {
                batch.remove(page_key(KNOWN, *number)).remove(page_key(CONTACTS, *number));
            }
        }
    }
    batch
}

/// Everything that the core starts from, and the records that were quarantined for not
/// reading, or for having lost their other half.
///
/// Never gives a used message id free. `last_id` is in the facts; without them it is at least
/// the highest id among the records, and at least the number of the store's last change:
/// every message that was accepted took a number of its own.
///
/// A message whose body was quarantined is given back all the same: [`body`] then
/// answers none.
pub fn restore(store: &Store) -> Result<(Restored, Vec<Quarantined>), ReadError> {
    let mut repairs = Batch::new();
    let mut quarantined = Vec::new();
    let mut restored = Restored::default();
    let mut known = BTreeSet::new();
    let mut last_id = 0;
    let records = store.scan(MESSAGE).collect::<Result<Vec<_>, _>>()?;
    let messages = decoded(&records);
    for ((key, _), message) in records.into_iter().zip(messages) {
        let id = key_id(MESSAGE, &key);
        last_id = last_id.max(id.map_or(0, |id| id.0));
        match message {
            Ok(message) if Some(message.id) == id => {
                known.insert(message.id);
                restored.messages.push(message);
            }
            Ok(_) | Err(_) => quarantine(&mut repairs, &mut quarantined, key, Damage::Content),
        }
    }
    for key in store.keys(BODY)? {
        let key = key?;
        let id = key_id(BODY, &key);
        last_id = last_id.max(id.map_or(0, |id| id.0));
        // Both are always written and removed together: its message was quarantined.
        if id.is_none_or(|id| !known.contains(&id)) {
            quarantine(&mut repairs, &mut quarantined, key, Damage::Part);
        }
    }
    for record in store.scan(NUMBER) {
        let (key, value) = record?;
        match KnownNumber::decode(&value) {
            Ok(known) if number_key(&known.number) == key => restored.numbers.push(known),
            Ok(_) | Err(_) => quarantine(&mut repairs, &mut quarantined, key, Damage::Content),
        }
    }
    // The network says them again: one that does not read costs nothing.
    if let Some(value) = store.get(GROUPS)? {
        match GroupNames::decode(&value) {
            Ok(names) => restored.groups = names,
            Err(damage) => quarantine(&mut repairs, &mut quarantined, GROUPS.to_vec(), damage),
        }
    }
    for area in [CONTACTS, KNOWN] {
        for record in store.scan(area) {
            let (key, value) = record?;
            let number = key_id(area, &key).map(|number| number.0);
            match number.zip(known_chats(area, &value)) {
                Some((number, chats)) => restored.known.push(KnownPage { number, chats }),
                None => quarantine(&mut repairs, &mut quarantined, key, Damage::Content),
            }
        }
    }
    (restored.slots, restored.slots_damaged) = match store.get(SLOTS[0])? {
        Some(value) if value == SLOTS_UNKNOWN => (Vec::new(), true),
        Some(_) | None => read_twice(store, SLOTS, &mut repairs, &mut quarantined)?,
    };
    (restored.facts, restored.facts_damaged) =
        read_twice(store, FACTS, &mut repairs, &mut quarantined)?;
    if restored.facts_damaged {
        tracing::warn!("the facts about the queue are damaged: it counts as paused");
    }
    if restored.facts == Facts::default() {
        last_id = last_id.max(store.opened_at());
    }
    let repaired_at =
        store.get(REPAIRED)?.and_then(|at| Some(i64::from_be_bytes(*at.first_chunk()?)));
    if repaired_at.is_some() {
        last_id = last_id.max(store.opened_at());
    }
    restored.facts.last_id = restored.facts.last_id.max(last_id);
    if let Some(at) = repaired_at {
        restored.facts.paused_since.get_or_insert(at);
        (restored.slots, restored.slots_damaged) = (Vec::new(), true);
        put_twice(&mut repairs, FACTS, &restored.facts.encode());
        put_twice(&mut repairs, SLOTS, SLOTS_UNKNOWN);
        repairs.remove(REPAIRED);
    }
    // A store of format 1 gave one number to several messages of one change.
    repairs.take_numbers(restored.facts.last_id.saturating_sub(store.opened_at()));
    if !repairs.is_empty() {
        // Not awaited: what the core commits next comes after it, and a crash before
        // only repeats the finding.
        drop(store.commit(repairs));
    }
    Ok((restored, quarantined))
}

/// Reads messages' records, half of them on another thread: it is a good part of a start.
fn decoded(records: &[(Vec<u8>, Vec<u8>)]) -> Vec<Result<Message, Damage>> {
    let decode = |records: &[(Vec<u8>, Vec<u8>)]| -> Vec<Result<Message, Damage>> {
        records.iter().map(|(_, value)| Message::decode(value)).collect()
    };
    let (first, second) = records.split_at(records.len() / 2);
    std::thread::scope(|scope| {
        let second = scope.spawn(move || decode(second));
        let mut messages = decode(first);
        messages.extend(second.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        messages
    })
}

/// Notes in the tree that a repair has made the store what it is. Changes may be lost, so the
/// next start pauses the queue, since messages may be in it that were sent or cancelled, counts
/// the pacer's window as used up, and gives no message id that a lost one may have.
pub(super) fn repaired_entry(now_ms: i64) -> (Vec<u8>, Vec<u8>) {
    let key = record_key(REPAIRED);
    let entry = wrap(&key, Shape::Inline, &now_ms.to_be_bytes());
    (key, entry)
}

/// A message's text.
pub fn body(store: &Store, id: MessageId) -> Result<Option<Body>, ReadError> {
    let Some(bytes) = store.get(&id_key(BODY, id))? else { return Ok(None) };
    let text = String::from_utf8(bytes).map_err(|_| ReadError::Damaged)?;
    Ok(Some(Body(Arc::from(text))))
}

fn put_twice(batch: &mut Batch, keys: [&[u8]; 2], value: &[u8]) {
    for key in keys {
        batch.put(key, value);
    }
}

/// The first of two copies that reads, and whether both are damaged. A fresh one if neither
/// was ever written.
fn read_twice<T: Record + Default>(
    store: &Store,
    keys: [&[u8]; 2],
    repairs: &mut Batch,
    quarantined: &mut Vec<Quarantined>,
) -> Result<(T, bool), ReadError> {
    let mut first = None;
    let mut is_damaged = false;
    for key in keys {
        // In quarantine since the store was opened, or since a start before this one.
        is_damaged |= store.has_quarantined(key)?;
        let Some(value) = store.get(key)? else { continue };
        match T::decode(&value) {
            Ok(read) => first = first.or(Some(read)),
            Err(damage) => {
                is_damaged = true;
                quarantine(repairs, quarantined, key.to_vec(), damage);
            }
        }
    }
    is_damaged &= first.is_none();
    Ok((first.unwrap_or_default(), is_damaged))
}

fn quarantine(
    repairs: &mut Batch,
    quarantined: &mut Vec<Quarantined>,
    key: Vec<u8>,
    damage: Damage,
) {
    repairs.quarantine(key.clone());
    quarantined.push(Quarantined { key, damage });
}

fn id_key(area: &[u8], id: MessageId) -> Vec<u8> {
    let mut key = area.to_vec();
    key.extend_from_slice(&id.0.to_be_bytes());
    key
}

fn number_key(number: &Number) -> Vec<u8> {
    let mut key = NUMBER.to_vec();
    key.extend_from_slice(number.as_str().as_bytes());
    key
}

fn page_key(area: &[u8], number: u64) -> Vec<u8> {
    id_key(area, MessageId(number))
}

fn known_chats(area: &[u8], value: &[u8]) -> Option<Vec<KnownChat>> {
    let hash = |bytes: &[u8; 8]| u64::from_be_bytes(*bytes);
    if area == KNOWN {
        let (chats, rest) = value.as_chunks::<8>();
        let chats = chats.iter().map(|bytes| KnownChat { hash: hash(bytes), day: 0 });
        return rest.is_empty().then(|| chats.collect());
    }
    let (chats, rest) = value.as_chunks::<12>();
    let chat = |bytes: &[u8; 12]| {
        let (chat, day) = bytes.split_first_chunk::<8>()?;
        let day = u32::from_be_bytes(day.try_into().ok()?);
        Some(KnownChat { hash: hash(chat), day })
    };
    rest.is_empty().then(|| chats.iter().filter_map(chat).collect())
}

fn key_id(area: &[u8], key: &[u8]) -> Option<MessageId> {
    let digits = key.strip_prefix(area)?;
    Some(MessageId(u64::from_be_bytes(digits.try_into().ok()?)))
}
