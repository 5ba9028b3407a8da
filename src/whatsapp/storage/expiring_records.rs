//! Records that expire: each has an index record whose key begins with its time, so that what
//! is due is found without reading the rest.
//!
//! A record's value begins with its time, eight bytes. An index record holds the payload's
//! length, four bytes, or nothing: written before that was kept.

use std::sync::{Mutex, PoisonError};

use super::{PREFIX, key};
use crate::store::{Batch, ReadError, View};

/// An area of expiring records, and the area of their times.
#[derive(Clone, Copy)]
pub(super) struct ExpiringRecords {
    pub(super) area: &'static str,
    pub(super) times: &'static str,
}

const TIME_BYTES: usize = 8;

/// In the order of the times, negative ones first.
fn time_bytes(time: i64) -> [u8; TIME_BYTES] {
    (time.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

fn time_of(bytes: &[u8]) -> Option<i64> {
    let eight = bytes.get(..TIME_BYTES)?.try_into().ok()?;
    Some((u64::from_be_bytes(eight) ^ (1 << 63)).cast_signed())
}

impl ExpiringRecords {
    fn time_key(self, time: i64, record: &[u8]) -> Vec<u8> {
        let part = record.strip_prefix(key(self.area, &[]).as_slice()).unwrap_or(record);
        let mut out = key(self.times, &time_bytes(time));
        out.extend_from_slice(part);
        out
    }

    /// Time and value of a record of this area.
    pub(super) fn split(value: &[u8]) -> Option<(i64, &[u8])> {
        Some((time_of(value)?, &value[TIME_BYTES..]))
    }

    pub(super) fn get(
        self,
        view: &View<'_>,
        record: &[u8],
    ) -> Result<Option<(i64, Vec<u8>)>, ReadError> {
        debug_assert!(record.starts_with(PREFIX));
        let Some(value) = view.get(record)? else { return Ok(None) };
        let (time, payload) = ExpiringRecords::split(&value).ok_or(ReadError::Damaged)?;
        Ok(Some((time, payload.to_vec())))
    }

    /// Writes a record over its older self, if there is one.
    pub(super) fn put(
        self,
        view: &View<'_>,
        batch: &mut Batch,
        record: Vec<u8>,
        time: i64,
        payload: &[u8],
    ) -> Result<(), ReadError> {
        if let Some((old, _)) = self.get(view, &record)?
            && old != time
        {
            batch.remove(self.time_key(old, &record));
        }
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        batch.put(self.time_key(time, &record), length.to_be_bytes());
        let mut value = time_bytes(time).to_vec();
        value.extend_from_slice(payload);
        batch.put(record, value);
        Ok(())
    }

    /// Removes a record and answers what it held.
    pub(super) fn take(
        self,
        view: &View<'_>,
        batch: &mut Batch,
        record: Vec<u8>,
    ) -> Result<Option<Vec<u8>>, ReadError> {
        let Some((time, payload)) = self.get(view, &record)? else { return Ok(None) };
        batch.remove(self.time_key(time, &record));
        batch.remove(record);
        Ok(Some(payload))
    }

    /// Removes the records whose times are within, and answers how many.
    pub(super) fn expire(
        self,
        view: &View<'_>,
        batch: &mut Batch,
        due: impl Fn(i64) -> Due,
    ) -> Result<usize, ReadError> {
        let times = key(self.times, &[]);
        let mut removed = 0;
        for entry in view.scan(&times) {
            let (time_key, _) = entry?;
            let rest = &time_key[times.len()..];
            let time = time_of(rest).ok_or(ReadError::Damaged)?;
            match due(time) {
                Due::Yes => {
                    batch.remove(key(self.area, &rest[TIME_BYTES..]));
                    batch.remove(time_key);
                    removed += 1;
                }
                Due::NotThis => {}
                Due::NoneFromHere => break,
            }
        }
        Ok(removed)
    }

    /// Removes the oldest records, if one more of so many bytes would be too many.
    pub(super) fn make_room(
        self,
        view: &View<'_>,
        batch: &mut Batch,
        held: &Held,
        limits: Limits,
        bytes: u64,
    ) -> Result<(), ReadError> {
        let mut held = held.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |(count, held): &(usize, u64)| {
            *count < limits.count && held.saturating_add(bytes) <= limits.bytes
        };
        let (count, before) = match held.filter(fits) {
            Some(before) => before,
            None => self.trim(view, batch, limits, bytes)?,
        };
        *held = Some((count + 1, before.saturating_add(bytes)));
        Ok(())
    }

    /// Removes the oldest records if they are too many with one more; how many are left, and
    /// their bytes.
    fn trim(
        self,
        view: &View<'_>,
        batch: &mut Batch,
        limits: Limits,
        bytes: u64,
    ) -> Result<(usize, u64), ReadError> {
        let times = key(self.times, &[]);
        let entries = view.scan(&times).collect::<Result<Vec<_>, _>>()?;
        let mut keep = limits.count.saturating_sub(1);
        if entries.len() > keep {
            keep = keep.saturating_sub(limits.count / usize::from(REMOVED_AT_ONCE));
        }
        let length_of = |length: &[u8]| length.try_into().map_or(0, u32::from_be_bytes);
        let before: u64 = entries.iter().map(|(_, length)| u64::from(length_of(length))).sum();
        let mut keep_bytes = limits.bytes.saturating_sub(bytes);
        if before > keep_bytes {
            keep_bytes = keep_bytes.saturating_sub(limits.bytes / u64::from(REMOVED_AT_ONCE));
        }
        let (mut count, mut held) = (0, 0_u64);
        for (time_key, length) in entries.into_iter().rev() {
            let with_this = held.saturating_add(u64::from(length_of(&length)));
            if count < keep && with_this <= keep_bytes {
                (count, held) = (count + 1, with_this);
            } else {
                // Nor is an older one kept.
                keep = 0;
                batch.remove(key(self.area, &time_key[times.len() + TIME_BYTES..]));
                batch.remove(time_key);
            }
        }
        Ok((count, held))
    }
}

/// One more than there may be removes this part of them at once, so that the index is not read
/// for each new record.
const REMOVED_AT_ONCE: u8 = 8;

/// How many records an area may have, and how many bytes they may hold.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) count: usize,
    pub(super) bytes: u64,
}

/// No more records and bytes than these lie in an area; none: not counted yet.
#[derive(Debug, Default)]
pub(super) struct Held(Mutex<Option<(usize, u64)>>);

/// Whether a record's time has come.
pub(super) enum Due {
    Yes,
    NotThis,
    NoneFromHere,
}

impl Due {
    pub(super) fn before(time: i64, cutoff: i64) -> Due {
        if time < cutoff { Due::Yes } else { Due::NoneFromHere }
    }
}
