//! Messages that others sent to the account, on disk before their receipt goes to the
//! server. Owns their cursors, their bounds and which of them came twice.
//!
//! Cursors count up by one and are never given away again. A message is here once,
//! however often the server delivers it. The oldest give way; who asks for what is no
//! longer here learns which cursors are missing. Nothing is kept in memory but two
//! numbers. Never fetches a file, never notifies anybody but through [`Inbox::range`].
//!
//! | key | what |
//! |---|---|
//! | `inbox/message/` cursor | a message with what its file is fetched by, JSON |
//! | `inbox/seen/` digest | the cursor of the message with this chat, sender and id |
//! | `inbox/digest/` cursor | that digest, so that it goes in time |
//! | `inbox/ledger/a`, `.../b` | the counts, JSON, twice |
//!
//! The counts are kept twice so that one damaged record never gives a cursor away again.

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod stored;
#[cfg(test)]
pub(crate) mod tests;
mod update;

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;
use tokio::time::Instant;

pub use stored::{Kept, NewMessage, RemoteFile, RemoteKind, Seen};

use crate::store::{ReadError, Store, UpdateError};
use tetherd_api::{Gap, Incoming};
use update::Cursors;

/// Most bytes of records in one page, so that it fits into a line. One message always
/// does.
pub const PAGE_BYTES_MAX: usize = 512 * 1024;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// At most this many messages; 0: none are taken.
    pub max: usize,
    /// None that came longer ago, in milliseconds for which the daemon ran since: a clock that is
    /// set wrong for a moment drops nothing. Looked at when one comes in and at the start.
    pub max_age_ms: u64,
}

/// Which cursors there are, as far as they are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CursorRange {
    /// The newest given away; 0: none ever was.
    pub newest: u64,
    /// None before this is kept.
    pub oldest: u64,
    /// The newest one's number in the changes feed.
    pub newest_seq: u64,
    /// The number of the newest that is kept no more; 0: none ever was dropped.
    pub dropped_seq: u64,
}

/// A part of the inbox, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What is missing before the first message; with no message, all that was asked for.
    pub gap: Option<Gap>,
    /// The messages.
    pub messages: Vec<Incoming>,
    /// The cursor to go on after.
    pub next: u64,
    /// The newest cursor at that time.
    pub newest: u64,
}

/// The inbox. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Inbox {
    store: Store,
    bounds: Arc<RwLock<Bounds>>,
    range: Arc<watch::Sender<CursorRange>>,
    opened: Opened,
}

/// When the inbox was opened.
#[derive(Clone, Copy)]
struct Opened {
    at: Instant,
    uptime_ms: u64,
}

/// A moment, as messages are stamped with it.
#[derive(Clone, Copy)]
struct Moment {
    wall_ms: i64,
    /// For how long the daemon has run, all its runs together.
    uptime_ms: u64,
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Inbox({:?})", *self.range.borrow())
    }
}

impl Inbox {
    /// Opens what lies in the store, and drops what is too old or too much by now. The daemon
    /// has run for `uptime_ms` before.
    pub async fn open(
        store: Store,
        bounds: Bounds,
        now_ms: i64,
        uptime_ms: u64,
    ) -> Result<Inbox, UpdateError> {
        let now = Moment { wall_ms: now_ms, uptime_ms };
        let opened = Opened { at: Instant::now(), uptime_ms };
        let cursors = store.update(move |view| update::start(view, bounds, now)).await?;
        let (range, _) = watch::channel(cursors.range());
        let bounds = Arc::new(RwLock::new(bounds));
        Ok(Inbox { store, bounds, range: Arc::new(range), opened })
    }

    /// Takes other bounds. What is too much goes when the next message comes in.
    pub fn set_bounds(&self, bounds: Bounds) {
        *self.bounds.write().unwrap_or_else(PoisonError::into_inner) = bounds;
    }

    fn bounds(&self) -> Bounds {
        *self.bounds.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether messages are taken.
    pub fn is_on(&self) -> bool {
        self.bounds().max > 0
    }

    /// Keeps messages, in this order, all or none; those that are here already stay as
    /// they are. Returns once they are on disk, and how many were new.
    pub async fn put(&self, messages: Vec<NewMessage>, now_ms: i64) -> Result<usize, UpdateError> {
        let bounds = self.bounds();
        let ran_ms = u64::try_from(self.opened.at.elapsed().as_millis()).unwrap_or(u64::MAX);
        let uptime_ms = self.opened.uptime_ms.saturating_add(ran_ms);
        let now = Moment { wall_ms: now_ms, uptime_ms };
        let putting = self.store.update(move |view| update::put(view, bounds, messages, now));
        let (cursors, new) = putting.await?;
        self.note(cursors);
        Ok(new)
    }

    /// Answers may overtake one another; the disk is as far as the furthest.
    fn note(&self, cursors: Cursors) {
        let CursorRange { newest, oldest, newest_seq, dropped_seq } = cursors.range();
        self.range.send_if_modified(|range| {
            let before = *range;
            range.newest = range.newest.max(newest);
            range.oldest = range.oldest.max(oldest);
            range.newest_seq = range.newest_seq.max(newest_seq);
            range.dropped_seq = range.dropped_seq.max(dropped_seq);
            *range != before
        });
    }

    /// Which cursors there are, now and whenever that changes.
    pub fn range(&self) -> watch::Receiver<CursorRange> {
        self.range.subscribe()
    }

    /// Which cursors there are now.
    pub fn now(&self) -> CursorRange {
        *self.range.borrow()
    }

    /// The newest cursor given away; 0: none ever was.
    pub fn newest(&self) -> u64 {
        self.now().newest
    }

    /// The messages after a cursor, at most so many and at most [`PAGE_BYTES_MAX`].
    pub fn page(&self, after: u64, count_max: usize) -> Result<Page, ReadError> {
        let CursorRange { newest, oldest, .. } = self.now();
        let mut page = Page { gap: None, messages: Vec::new(), next: after, newest };
        let mut bytes = 0;
        while page.next < newest && page.messages.len() < count_max {
            let cursor = page.next + 1;
            let found = self.record(cursor)?;
            let Some((kept, length)) = found else {
                if !page.messages.is_empty() {
                    break;
                }
                // Nothing is before the oldest, so nothing is looked for there.
                page.next = cursor.max(oldest.saturating_sub(1)).min(newest);
                page.gap = Some(Gap { from: after + 1, to: page.next });
                continue;
            };
            bytes += length;
            if bytes > PAGE_BYTES_MAX && !page.messages.is_empty() {
                break;
            }
            page.messages.push(kept.incoming);
            page.next = cursor;
        }
        Ok(page)
    }

    /// One message with what its file is fetched by; none if it is kept no more.
    pub fn get(&self, cursor: u64) -> Result<Option<Kept>, ReadError> {
        if cursor > self.newest() {
            return Ok(None);
        }
        Ok(self.record(cursor)?.map(|(kept, _)| kept))
    }

    /// The last cursor up to which every message has at most this number in the changes
    /// feed. Numbers and cursors grow together.
    pub fn cursor_at(&self, seq: u64) -> Result<u64, ReadError> {
        let CursorRange { newest, oldest, .. } = self.now();
        let (mut at, mut beyond) = (oldest.saturating_sub(1), newest + 1);
        while at + 1 < beyond {
            let middle = at + (beyond - at) / 2;
            match self.first_kept(middle, beyond)? {
                Some((cursor, number)) if number <= seq => at = cursor,
                Some(_) | None => beyond = middle,
            }
        }
        Ok(at)
    }

    /// The first message from one cursor to before another that reads, and its number.
    fn first_kept(&self, from: u64, to: u64) -> Result<Option<(u64, u64)>, ReadError> {
        for cursor in from..to {
            if let Some((number, _)) = self.numbered(cursor)? {
                return Ok(Some((cursor, number)));
            }
        }
        Ok(None)
    }

    /// The message with this cursor, and its number in the changes feed; none if it is kept
    /// no more, or not yet. It may not be on disk yet, unless one with a higher number is.
    pub fn numbered(&self, cursor: u64) -> Result<Option<(u64, Incoming)>, ReadError> {
        Ok(self.record(cursor)?.map(|(kept, _)| (kept.seq, kept.incoming)))
    }

    /// A record that does not read is one that is kept no more.
    fn record(&self, cursor: u64) -> Result<Option<(Kept, usize)>, ReadError> {
        match self.store.get(&stored::message_key(cursor)) {
            Ok(Some(bytes)) => Ok(Kept::decode(&bytes).map(|kept| (kept, bytes.len()))),
            Ok(None) | Err(ReadError::Damaged) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
