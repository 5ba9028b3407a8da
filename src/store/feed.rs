//! The numbers of the changes feed: which change of a message was committed when. Owns
//! the records that say so. Never decides what is a change, nor who is notified.
//!
//! A number is the store's own count of changes, taken by whoever writes: it
//! follows the order of commits across messages and the inbox, and is on disk in the same
//! batch as its change.
//!
//! | key | what |
//! |---|---|
//! | `feed/message/` id | the number of the message's last change, 8 bytes |
//! | `feed/forgotten` | the highest number among messages that are removed, 8 bytes |
//! | `feed/runs` | the feed's names, and the number after which each began, 16 bytes each |

mod runs;

use std::collections::{BTreeMap, BTreeSet};

pub use runs::Runs;

use super::record::record_key;
use super::{Batch, CommitError, ReadError, Store, UpdateError, View};
use tetherd_api::{FeedId, MessageId};

const MESSAGE: &[u8] = b"feed/message/";
const FORGOTTEN: &[u8] = b"feed/forgotten";
const RUNS: &[u8] = b"feed/runs";

/// What a start finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Each message's last change, in no order.
    pub messages: Vec<(u64, MessageId)>,
    /// The highest number among messages that are removed.
    pub forgotten: u64,
    /// The last number given to any change.
    pub last: u64,
    /// The feed's names, the present one included.
    pub runs: Runs,
}

/// The numbers of the messages that are kept; the feed goes on under this name. A message
/// without a number is given one: its record is from before there were numbers, or was damaged.
pub async fn open(
    store: &Store,
    kept: BTreeSet<MessageId>,
    feed: FeedId,
) -> Result<Numbers, UpdateError> {
    let is_lost = store.quarantined().iter().any(|record| record.key == FORGOTTEN);
    let before = store.opened_at();
    let update = store.update(move |view| {
        let (mut batch, mut numbers) = read(view, kept, is_lost)?;
        numbers.runs.begin(feed, before);
        batch.put(RUNS, numbers.runs.encode());
        Ok((batch, numbers))
    });
    update.await
}

/// The tree's key of the feed's names.
pub(super) fn runs_key() -> Vec<u8> {
    record_key(RUNS)
}

fn read(
    view: &View<'_>,
    mut kept: BTreeSet<MessageId>,
    forgotten_is_lost: bool,
) -> Result<(Batch, Numbers), ReadError> {
    let mut numbers = Numbers { last: view.sequence(), ..Numbers::default() };
    let mut batch = Batch::new();
    let before = match view.get(FORGOTTEN) {
        Ok(value) => value.as_deref().map_or(Some(0), number),
        Err(ReadError::Damaged) => None,
        Err(error) => return Err(error),
    };
    numbers.runs = match view.get(RUNS) {
        Ok(value) => value.as_deref().map(Runs::decode).unwrap_or_default(),
        Err(ReadError::Damaged) => Runs::default(),
        Err(error) => return Err(error),
    };
    // Unknown: as if everything up to now had been removed.
    numbers.forgotten = before.filter(|_| !forgotten_is_lost).unwrap_or(numbers.last);
    for record in view.scan(MESSAGE) {
        let (key, value) = record?;
        let id = number(&key[MESSAGE.len()..]).map(MessageId);
        match (id.filter(|id| kept.remove(id)), number(&value)) {
            (Some(id), Some(number)) => numbers.messages.push((number, id)),
            (_, removed) => {
                numbers.forgotten = numbers.forgotten.max(removed.unwrap_or(numbers.last));
                batch.remove(key);
            }
        }
    }
    for id in kept {
        numbers.last += 1;
        numbers.messages.push((numbers.last, id));
        put_number(&mut batch, id, numbers.last);
        batch.take_numbers(1);
    }
    if before != Some(numbers.forgotten) {
        batch.put(FORGOTTEN, numbers.forgotten.to_be_bytes());
    }
    Ok((batch, numbers))
}

/// What one commit changes, as the feed sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Messages that changed, each once. They are numbered in this order.
    pub messages: Vec<MessageId>,
    /// Messages that are removed, each with the number of its last change before this one,
    /// if it had one.
    pub removed: BTreeMap<MessageId, Option<u64>>,
}

/// Makes a change durable, as [`Store::update_here`] does, and numbers the messages that it
/// changes. Answers the number before the first of them.
pub fn commit(
    store: &Store,
    mut batch: Batch,
    changed: Changed,
) -> impl Future<Output = Result<u64, CommitError>> + Send + use<> {
    let update = store.update_here(move |view| {
        let before = view.sequence();
        let mut forgotten = None;
        for (number, id) in (before + 1..).zip(&changed.messages) {
            put_number(&mut batch, *id, number);
            batch.take_numbers(1);
            if changed.removed.contains_key(id) {
                forgotten = Some(number);
            }
        }
        for (id, number) in &changed.removed {
            batch.remove(message_key(*id));
            forgotten = forgotten.max(*number);
        }
        if let Some(forgotten) = forgotten {
            let stored = view.get(FORGOTTEN)?.as_deref().and_then(number);
            batch.put(FORGOTTEN, forgotten.max(stored.unwrap_or(0)).to_be_bytes());
        }
        Ok((batch, before))
    });
    async move {
        update.await.map_err(|error| match error {
            UpdateError::Commit(error) => error,
            UpdateError::Read(_) => CommitError::OutcomeUnknown,
        })
    }
}

fn put_number(batch: &mut Batch, id: MessageId, number: u64) {
    batch.put(message_key(id), number.to_be_bytes());
}

fn message_key(id: MessageId) -> Vec<u8> {
    [MESSAGE, &id.0.to_be_bytes()].concat()
}

fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}
