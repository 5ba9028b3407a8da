//! What happens to the inbox, as changes that the committer carries out in one step:
//! cursors have no holes and no doubles, whatever comes in at the same time.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::stored::{BY_CURSOR, cursor_of, digest_key, message_key, seen_key};
use super::{Bounds, CursorRange, Kept, Moment, NewMessage, Seen};
use crate::store::{Batch, ReadError, View};
use tetherd_api::Time;

const CURSORS: [&[u8]; 2] = [b"inbox/ledger/a", b"inbox/ledger/b"];

/// Names of messages that are remembered after the messages themselves are gone: the
/// server may deliver again what it has no receipt for.
pub(super) const SEEN_BEYOND: u64 = 1_000;
/// Most records that go in one step besides those that must: a bound that was made much
/// smaller takes several, so that none takes long.
pub(super) const TRIM_MAX: usize = 2_000;

/// The counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursors {
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

impl Cursors {
    const EMPTY: Cursors =
        Cursors { newest: 0, oldest: 1, seen_from: 1, newest_seq: 0, dropped_seq: 0 };

    pub(super) fn range(self) -> CursorRange {
        let Cursors { newest, oldest, newest_seq, dropped_seq, .. } = self;
        CursorRange { newest, oldest, newest_seq, dropped_seq }
    }

    /// The first copy that reads, or what the records say.
    fn load(view: &View<'_>) -> Result<Cursors, ReadError> {
        for key in CURSORS {
            if let Some(bytes) = lenient(view.get(key))?
                && let Ok(cursors) = serde_json::from_slice(&bytes)
            {
                return Ok(cursors);
            }
        }
        Cursors::rebuild(view)
    }

    fn write(self, batch: &mut Batch) {
        if let Ok(json) = serde_json::to_vec(&self) {
            for key in CURSORS {
                batch.put(key, json.clone());
            }
        }
    }

    /// From what is there, when neither copy reads: no cursor that was seen is free.
    fn rebuild(view: &View<'_>) -> Result<Cursors, ReadError> {
        let mut cursors = Cursors::EMPTY;
        let mut firsts = [None; BY_CURSOR.len()];
        for (area, first) in BY_CURSOR.iter().zip(&mut firsts) {
            for record in view.scan(area) {
                let Some(cursor) = cursor_of(area, &record?.0) else { continue };
                first.get_or_insert(cursor);
                cursors.newest = cursors.newest.max(cursor);
            }
        }
        let [oldest, seen_from] = firsts;
        cursors.oldest = oldest.unwrap_or(cursors.newest + 1);
        cursors.seen_from = seen_from.unwrap_or(cursors.oldest);
        if cursors.newest > 0 {
            // At least what they were, so that what was dropped is never passed over.
            let before_oldest = kept(view, cursors.oldest)?.map(|kept| kept.seq.saturating_sub(1));
            cursors.dropped_seq = before_oldest.unwrap_or(view.sequence());
            cursors.newest_seq = view.sequence();
        }
        Ok(cursors)
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
    now: Moment,
) -> Result<(Batch, Cursors), ReadError> {
    let mut cursors = Cursors::load(view)?;
    let mut batch = Batch::new();
    trim(view, bounds, &mut cursors, now, &mut batch)?;
    // Both copies, though only one of them may be missing; an empty inbox needs none.
    if cursors != Cursors::EMPTY {
        cursors.write(&mut batch);
    }
    Ok((batch, cursors))
}

/// Keeps messages; answers how many were new.
pub(super) fn put(
    view: &View<'_>,
    bounds: Bounds,
    messages: Vec<NewMessage>,
    now: Moment,
) -> Result<(Batch, (Cursors, usize)), ReadError> {
    let mut cursors = Cursors::load(view)?;
    let before = cursors;
    let mut batch = Batch::new();
    let mut given: HashSet<Seen> = HashSet::new();
    let mut seq = view.sequence() + 1;
    if bounds.max > 0 {
        for NewMessage { seen, mut incoming, remote } in messages {
            if !given.insert(seen) || lenient(view.get(&seen_key(seen)))?.is_some() {
                continue;
            }
            cursors.newest += 1;
            incoming.cursor = cursors.newest;
            incoming.received_at = Time(now.wall_ms);
            cursors.newest_seq = seq;
            seq += 1;
            let uptime_ms = Some(now.uptime_ms);
            let kept = Kept { seq: cursors.newest_seq, uptime_ms, incoming, remote };
            batch.put(message_key(cursors.newest), kept.encode()?);
            batch.take_numbers(1);
            batch.put(seen_key(seen), cursors.newest.to_be_bytes());
            batch.put(digest_key(cursors.newest), seen.0);
        }
    }
    let new = usize::try_from(cursors.newest - before.newest).unwrap_or(usize::MAX);
    trim_after(view, bounds, &mut cursors, before.newest, now, &mut batch)?;
    if cursors != before {
        cursors.write(&mut batch);
    }
    Ok((batch, (cursors, new)))
}

fn trim(
    view: &View<'_>,
    bounds: Bounds,
    cursors: &mut Cursors,
    now: Moment,
    batch: &mut Batch,
) -> Result<(), ReadError> {
    let stored = cursors.newest;
    trim_after(view, bounds, cursors, stored, now, batch)
}

/// Drops what is too much or too old, and the names that nobody needs any more. What is
/// newer than `stored` is in the batch, not yet in the view, and not old.
fn trim_after(
    view: &View<'_>,
    bounds: Bounds,
    cursors: &mut Cursors,
    stored: u64,
    now: Moment,
    batch: &mut Batch,
) -> Result<(), ReadError> {
    let max = u64::try_from(bounds.max).unwrap_or(u64::MAX);
    let came = usize::try_from(cursors.newest - stored).unwrap_or(usize::MAX);
    for _ in 0..TRIM_MAX.saturating_add(came) {
        if cursors.oldest > cursors.newest {
            break;
        }
        let too_many = cursors.newest - cursors.oldest >= max;
        let (seq, is_old) = if cursors.oldest > stored {
            (cursors.newest_seq - (cursors.newest - cursors.oldest), false)
        } else {
            // What does not read is old: it holds up nothing.
            let kept = kept(view, cursors.oldest)?;
            kept.map_or((0, true), |kept| (kept.seq, is_old(&kept, bounds, now)))
        };
        if !too_many && !is_old {
            break;
        }
        cursors.dropped_seq = cursors.dropped_seq.max(seq);
        batch.remove(message_key(cursors.oldest));
        cursors.oldest += 1;
    }
    for _ in 0..TRIM_MAX.saturating_add(came) {
        if cursors.seen_from >= cursors.oldest.saturating_sub(SEEN_BEYOND) {
            break;
        }
        let digest = digest_key(cursors.seen_from);
        if let Some(seen) = lenient(view.get(&digest))?.and_then(|seen| seen.try_into().ok()) {
            batch.remove(seen_key(Seen(seen)));
        }
        batch.remove(digest);
        cursors.seen_from += 1;
    }
    Ok(())
}

fn is_old(kept: &Kept, bounds: Bounds, now: Moment) -> bool {
    if let Some(uptime_ms) = kept.uptime_ms {
        return now.uptime_ms.saturating_sub(uptime_ms) > bounds.max_age_ms;
    }
    // Kept by an older program, which did not note it.
    let age_ms = now.wall_ms.saturating_sub(kept.incoming.received_at.0);
    u64::try_from(age_ms).is_ok_and(|age_ms| age_ms > bounds.max_age_ms)
}

/// The message with this cursor, if it reads.
fn kept(view: &View<'_>, cursor: u64) -> Result<Option<Kept>, ReadError> {
    Ok(lenient(view.get(&message_key(cursor)))?.and_then(|bytes| Kept::decode(&bytes)))
}
