//! What must hold for any bytes on the disk. Entrances for contrib/fuzz; part of no program.

use tetherd_core::contacts::KnownNumber;
use tetherd_core::facts::Facts;
use tetherd_core::groups::GroupNames;
use tetherd_core::pacing::Slot;
use tetherd_core::queue::Message;

pub use super::journal::fuzzing::journal;
use super::record::{Head, TREE_VALUE_BYTES_MAX, chunk_key, chunk_owner, record_key, unwrap, wrap};
use super::stored::Record;

/// The first byte says which record the rest is the content of.
pub fn records(data: &[u8]) {
    let Some((kind, content)) = data.split_first() else { return };
    match kind % 6 {
        0 => stable::<Message>(content),
        1 => stable::<Facts>(content),
        2 => stable::<GroupNames>(content),
        3 => stable::<KnownNumber>(content),
        4 => stable::<Vec<Slot>>(content),
        _ => entry(content),
    }
}

/// What was read is written in a form that reads as the same.
fn stable<T: Record>(content: &[u8]) {
    let Ok(record) = T::decode(content) else { return };
    let written = record.encode();
    match T::decode(&written) {
        Ok(read) => assert_eq!(read.encode(), written),
        Err(damage) => unreachable!("what was written does not read: {damage}"),
    }
}

/// An entry of the tree, and parts of one.
fn entry(raw: &[u8]) {
    let key = record_key(b"queue/message/1");
    if let Ok((shape, payload)) = unwrap(&key, raw) {
        assert!(raw.len() <= TREE_VALUE_BYTES_MAX || payload.len() > TREE_VALUE_BYTES_MAX / 2);
        assert!(unwrap(&record_key(b"queue/message/2"), raw).is_err());
        assert_eq!(unwrap(&key, &wrap(&key, shape, payload)), Ok((shape, payload)));
    }
    if let Ok(head) = Head::decode(raw) {
        assert_eq!(head.encode().as_slice(), raw);
    }
    if let Some((key, generation, index)) = chunk_owner(raw) {
        assert_eq!(chunk_key(key, generation, index).get(1..), raw.get(1..));
    }
}

#[cfg(test)]
mod tests {
    use crate::replay::replay;

    #[test]
    fn kept_inputs_hold() {
        replay("records", super::records);
        replay("journal", super::journal);
    }
}
