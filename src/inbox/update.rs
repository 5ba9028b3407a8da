//! What happens to the inbox, as changes that the committer carries out in one step:
//! cursors have no holes and no doubles, whatever comes in at the same time.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::stored::{BY_CURSOR, cursor_of, digest_key, message_key, seen_key};
use super::{Bounds, Extent, Kept, Letter, Seen};
use crate::store::{Batch, ReadError, View};
use tetherd_api::Time;

const LEDGER: [&[u8]; 2] = [b"inbox/ledger/a", b"inbox/ledger/b"];

/// Names of messages that are remembered after the messages themselves are gone: the
/// server may deliver again what it has not heard that we have.
pub(super) const SEEN_BEYOND: u64 = 1_000;
/// Most records that go in one step beside those that must: a bound that was made much
/// smaller takes several, so that none takes long.
pub(super) const TRIM_MAX: usize = 2_000;

/// The counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ledger {
    newest: u64,
    /// No message before this cursor is kept.
    oldest: u64,
    /// No name before this cursor is kept.
    seen_from: u64,
    /// The number of the newest in the changes feed.
    #[serde(default)]
    newest_seq: u64,
    /// The number of the newest that was dropped.
    #[serde(default)]
    dropped_seq: u64,
}

impl Ledger {
    const EMPTY: Ledger =
        Ledger { newest: 0, oldest: 1, seen_from: 1, newest_seq: 0, dropped_seq: 0 };

    pub(super) fn extent(self) -> Extent {
        let Ledger { newest, oldest, newest_seq, dropped_seq, .. } = self;
        Extent { newest, oldest, newest_seq, dropped_seq }
    }

    /// The first copy that reads, or what the records say.
    fn load(view: &View<'_>) -> Result<Ledger, ReadError> {
        for key in LEDGER {
            if let Some(bytes) = lenient(view.get(key))?
                && let Ok(ledger) = serde_json::from_slice(&bytes)
            {
                return Ok(ledger);
            }
        }
        Ledger::rebuild(view)
    }

    fn write(self, batch: &mut Batch) {
        if let Ok(json) = serde_json::to_vec(&self) {
            for key in LEDGER {
                batch.put(key, json.clone());
            }
        }
    }

    /// From what is there, when neither copy reads: no cursor that was seen is free.
    fn rebuild(view: &View<'_>) -> Result<Ledger, ReadError> {
        let mut ledger = Ledger::EMPTY;
        let mut firsts = [None; BY_CURSOR.len()];
        for (area, first) in BY_CURSOR.iter().zip(&mut firsts) {
            for record in view.scan(area) {
                let Some(cursor) = cursor_of(area, &record?.0) else { continue };
                first.get_or_insert(cursor);
                ledger.newest = ledger.newest.max(cursor);
            }
        }
        let [oldest, seen_from] = firsts;
        ledger.oldest = oldest.unwrap_or(ledger.newest + 1);
        ledger.seen_from = seen_from.unwrap_or(ledger.oldest);
        if ledger.newest > 0 {
            // At least what they were, so that what was dropped is never passed over.
            let before_oldest = kept(view, ledger.oldest)?.map(|kept| kept.seq.saturating_sub(1));
            ledger.dropped_seq = before_oldest.unwrap_or(view.sequence());
            ledger.newest_seq = view.sequence();
        }
        Ok(ledger)
    }
}

/// A record that does not read is as good as none.
fn lenient(read: Result<Option<Vec<u8>>, ReadError>) -> Result<Option<Vec<u8>>, ReadError> {
    match read {
        Err(ReadError::Damaged) => Ok(None),
        other => other,
    }
}

/// The first step after a start.
pub(super) fn start(
    view: &View<'_>,
    bounds: Bounds,
    now_ms: i64,
) -> Result<(Batch, Ledger), ReadError> {
    let mut ledger = Ledger::load(view)?;
    let mut batch = Batch::new();
    trim(view, bounds, &mut ledger, now_ms, &mut batch)?;
    // Both copies, though only one of them may be missing; an empty inbox needs none.
    if ledger != Ledger::EMPTY {
        ledger.write(&mut batch);
    }
    Ok((batch, ledger))
}

/// Keeps messages; answers how many were new.
pub(super) fn put(
    view: &View<'_>,
    bounds: Bounds,
    letters: Vec<Letter>,
    now_ms: i64,
) -> Result<(Batch, (Ledger, usize)), ReadError> {
    let mut ledger = Ledger::load(view)?;
    let before = ledger;
    let mut batch = Batch::new();
    let mut given: HashSet<Seen> = HashSet::new();
    let mut seq = view.sequence() + 1;
    if bounds.max > 0 {
        for Letter { seen, mut incoming, remote } in letters {
            if !given.insert(seen) || lenient(view.get(&seen_key(seen)))?.is_some() {
                continue;
            }
            ledger.newest += 1;
            incoming.cursor = ledger.newest;
            incoming.received_at = Time(now_ms);
            ledger.newest_seq = seq;
            seq += 1;
            let kept = Kept { seq: ledger.newest_seq, incoming, remote };
            batch.put(message_key(ledger.newest), kept.encode()?);
            batch.take_numbers(1);
            batch.put(seen_key(seen), ledger.newest.to_be_bytes());
            batch.put(digest_key(ledger.newest), seen.0);
        }
    }
    let new = usize::try_from(ledger.newest - before.newest).unwrap_or(usize::MAX);
    trim_after(view, bounds, &mut ledger, before.newest, now_ms, &mut batch)?;
    if ledger != before {
        ledger.write(&mut batch);
    }
    Ok((batch, (ledger, new)))
}

fn trim(
    view: &View<'_>,
    bounds: Bounds,
    ledger: &mut Ledger,
    now_ms: i64,
    batch: &mut Batch,
) -> Result<(), ReadError> {
    let stored = ledger.newest;
    trim_after(view, bounds, ledger, stored, now_ms, batch)
}

/// Drops what is too much or too old, and the names that nobody needs any more. What is
/// newer than `stored` is in the batch, not yet in the view, and not old.
fn trim_after(
    view: &View<'_>,
    bounds: Bounds,
    ledger: &mut Ledger,
    stored: u64,
    now_ms: i64,
    batch: &mut Batch,
) -> Result<(), ReadError> {
    let max = u64::try_from(bounds.max).unwrap_or(u64::MAX);
    let age_ms = i64::try_from(bounds.max_age_ms).unwrap_or(i64::MAX);
    let too_old_at = now_ms.saturating_sub(age_ms);
    let came = usize::try_from(ledger.newest - stored).unwrap_or(usize::MAX);
    for _ in 0..TRIM_MAX.saturating_add(came) {
        if ledger.oldest > ledger.newest {
            break;
        }
        let too_many = ledger.newest - ledger.oldest >= max;
        let (seq, is_old) = if ledger.oldest > stored {
            (ledger.newest_seq - (ledger.newest - ledger.oldest), false)
        } else {
            // What does not read is old: it holds up nothing.
            let kept = kept(view, ledger.oldest)?;
            kept.map_or((0, true), |kept| (kept.seq, kept.incoming.received_at.0 < too_old_at))
        };
        if !too_many && !is_old {
            break;
        }
        ledger.dropped_seq = ledger.dropped_seq.max(seq);
        batch.remove(message_key(ledger.oldest));
        ledger.oldest += 1;
    }
    for _ in 0..TRIM_MAX.saturating_add(came) {
        if ledger.seen_from >= ledger.oldest.saturating_sub(SEEN_BEYOND) {
            break;
        }
        let digest = digest_key(ledger.seen_from);
        if let Some(seen) = lenient(view.get(&digest))?.and_then(|seen| seen.try_into().ok()) {
            batch.remove(seen_key(Seen(seen)));
        }
        batch.remove(digest);
        ledger.seen_from += 1;
    }
    Ok(())
}

/// The message with this cursor, if it reads.
fn kept(view: &View<'_>, cursor: u64) -> Result<Option<Kept>, ReadError> {
    Ok(lenient(view.get(&message_key(cursor)))?.and_then(|bytes| Kept::decode(&bytes)))
}
