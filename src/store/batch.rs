//! A change as callers request it. Knows nothing of the tree.

use std::fmt;

/// Several writes that become durable together or not at all. Later ones win.
#[derive(Clone, Default)]
pub struct Batch {
    pub(super) ops: Vec<Op>,
    pub(super) numbers: u64,
}

#[derive(Clone)]
pub(super) enum Op {
    Put {
        key: Vec<u8>,
        value: Vec<u8>,
    },
    Remove {
        key: Vec<u8>,
    },
    RemoveAll {
        prefix: Vec<u8>,
    },
    /// Moves a record to quarantine as it lies, unless an earlier write of the batch replaced it.
    Quarantine {
        key: Vec<u8>,
    },
}

impl Batch {
    /// No writes.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty() && self.numbers == 0
    }

    /// Writes a record, over what was there. Writing what is already there costs no
    /// write to the disk.
    pub fn put(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> &mut Batch {
        self.ops.push(Op::Put { key: key.into(), value: value.into() });
        self
    }

    /// Removes a record; none there is fine.
    pub fn remove(&mut self, key: impl Into<Vec<u8>>) -> &mut Batch {
        self.ops.push(Op::Remove { key: key.into() });
        self
    }

    /// Removes every record whose key begins so, those of this batch included.
    pub fn remove_all(&mut self, prefix: impl Into<Vec<u8>>) -> &mut Batch {
        self.ops.push(Op::RemoveAll { prefix: prefix.into() });
        self
    }

    /// Uses up so many numbers after [`View::sequence`](super::View::sequence).
    pub fn take_numbers(&mut self, count: u64) -> &mut Batch {
        self.numbers += count;
        self
    }

    pub(super) fn quarantine(&mut self, key: impl Into<Vec<u8>>) -> &mut Batch {
        self.ops.push(Op::Quarantine { key: key.into() });
        self
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({} writes)", self.ops.len())
    }
}
