//! A sum over all records, kept with the count of changes: past damage in the middle of its log sled
//! goes on without what lay behind it there, or with what was there before, and says nothing. Never
//! tells which record it is.

use super::record::unwrap;

/// The sum, or that it is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordSum(Option<u64>);

/// Of no record at all.
impl Default for RecordSum {
    fn default() -> RecordSum {
        RecordSum(Some(0))
    }
}

impl RecordSum {
    pub(super) const UNKNOWN: RecordSum = RecordSum(None);

    /// As it lies on disk; nothing: it is not known.
    pub(super) fn decode(bytes: &[u8]) -> Option<RecordSum> {
        match bytes.first_chunk() {
            Some(sum) if bytes.len() == sum.len() => {
                Some(RecordSum(Some(u64::from_be_bytes(*sum))))
            }
            None if bytes.is_empty() => Some(RecordSum::UNKNOWN),
            Some(_) | None => None,
        }
    }

    pub(super) fn encode(self) -> Vec<u8> {
        self.0.map(u64::to_be_bytes).map(Vec::from).unwrap_or_default()
    }

    /// A record's entry takes the place of another one, or of none.
    pub(super) fn replace(&mut self, tree_key: &[u8], old: Option<&[u8]>, new: Option<&[u8]>) {
        if old.is_some_and(|old| unwrap(tree_key, old).is_err()) {
            // What was counted there is not known.
            self.0 = None;
        }
        let Some(sum) = self.0 else { return };
        let of = |entry: Option<&[u8]>| entry.map_or(0, |entry| of(tree_key, entry));
        self.0 = Some(sum.wrapping_sub(of(old)).wrapping_add(of(new)));
    }

    /// Whether both are known, and not the same.
    pub(super) fn differs(self, other: RecordSum) -> bool {
        self.0.zip(other.0).is_some_and(|(one, other)| one != other)
    }
}

fn of(tree_key: &[u8], entry: &[u8]) -> u64 {
    u64::from(crc32c::crc32c(tree_key)) << 32 | u64::from(crc32c::crc32c(entry))
}

#[cfg(test)]
mod tests {
    use super::super::record::{Shape, record_key, wrap};
    use super::*;

    #[test]
    fn a_record_that_is_gone_or_as_it_was_before_is_noticed_and_a_damaged_one_ends_the_counting() {
        let (a, b) = (record_key(b"a"), record_key(b"b"));
        let entry = |key: &[u8], value: &[u8]| wrap(key, Shape::Inline, value);
        let mut whole = RecordSum::default();
        whole.replace(&a, None, Some(&entry(&a, b"1")));
        whole.replace(&b, None, Some(&entry(&b, b"1")));
        let before = whole;
        whole.replace(&b, Some(&entry(&b, b"1")), Some(&entry(&b, b"2")));
        assert!(whole.differs(before));
        let mut gone = whole;
        gone.replace(&a, Some(&entry(&a, b"1")), None);
        assert!(whole.differs(gone));
        gone.replace(&a, None, Some(&entry(&a, b"1")));
        assert!(!whole.differs(gone));
        assert_eq!(RecordSum::decode(&whole.encode()), Some(whole));

        gone.replace(&a, Some(b"damaged"), None);
        assert_eq!(gone, RecordSum::UNKNOWN);
        assert!(!whole.differs(gone));
        assert_eq!(RecordSum::decode(&gone.encode()), Some(gone));
        assert_eq!(RecordSum::decode(b"1234"), None);
    }
}
