//! Areas of records that are bounded by count: at most so many lie there, and what was learnt
//! longest ago gives way. Never holds a key that the other side goes on using.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Result, SessionBackend, key};
use crate::store::{Batch, ReadError, View};

/// One more than `max` removes this part of them at once, so that the area is not counted
/// for each new record.
const REMOVED_AT_ONCE: usize = 8;

/// A bounded area.
#[derive(Clone, Copy)]
pub(super) struct Bounded {
    pub(super) area: &'static str,
    pub(super) max: usize,
    /// When a record with this value was learnt, if it says so.
    pub(super) learnt: fn(&[u8]) -> i64,
}

/// No more records than this lie in an area; counted when it may be more than the bound.
#[derive(Debug)]
pub(super) struct AtMost(AtomicUsize);

impl Default for AtMost {
    /// Not counted yet.
    fn default() -> AtMost {
        AtMost(AtomicUsize::new(usize::MAX))
    }
}

impl Bounded {
    /// What to remove before so many records are written.
    pub(super) fn make_room(
        self,
        view: &View<'_>,
        at_most: &AtMost,
        new: usize,
    ) -> std::result::Result<Vec<Vec<u8>>, ReadError> {
        let before = at_most.0.load(Ordering::Relaxed);
        let after = before.saturating_add(new);
        if after <= self.max {
            at_most.0.store(after, Ordering::Relaxed);
            return Ok(Vec::new());
        }
        let mut records = Vec::new();
        for record in view.scan(&key(self.area, &[])) {
            let (record, value) = record?;
            records.push(((self.learnt)(&value), record));
        }
        let total = records.len().saturating_add(new);
        let mut surplus = 0;
        if total > self.max {
            surplus = (total - self.max).max(self.max / REMOVED_AT_ONCE).min(records.len());
            records.sort_unstable();
        }
        records.truncate(surplus);
        at_most.0.store(total - surplus, Ordering::Relaxed);
        Ok(records.into_iter().map(|(_, record)| record).collect())
    }
}

impl SessionBackend {
    /// Writes records of a bounded area.
    pub(super) async fn put_bounded(
        &self,
        area: Bounded,
        at_most: fn(&super::Counts) -> &AtMost,
        records: Vec<(Vec<u8>, Vec<u8>)>,
    ) -> Result<()> {
        let counts = std::sync::Arc::clone(&self.counts);
        self.change(move |view| {
            let mut batch = Batch::new();
            for record in area.make_room(view, at_most(&counts), records.len())? {
                batch.remove(record);
            }
            // After what makes room: what is written now stays.
            for (record, value) in records {
                batch.put(record, value);
            }
            Ok((batch, ()))
        })
        .await
    }
}
