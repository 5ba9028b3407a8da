//! How a record lies in the tree: its key, and the envelope around its value. Knows
//! nothing of disks.
//!
//! | tree key | what |
//! |---|---|
//! | `!` | the format marker |
//! | `r` key | a record: its value, or for a long one the head of its chunks |
//! | `c` key-length key generation index | a chunk |
//! | `#` | the last number given to a change, and a sum over all records (`record_sum`) |
//! | `@` | the number of the last group of the journal that the tree holds |
//! | `q` tree key | what was quarantined, as it was found (no envelope of ours) |
//!
//! The envelope: version (1 byte), shape (1), the CRC32C of the tree key (4), the
//! payload's length (4), the CRC32C of all of that, the tree key and the payload (4),
//! then the payload. Numbers are big endian. A value under a wrong key, cut short or
//! altered does not verify.

use super::record_sum::RecordSum;

pub use tetherd_state::FORMAT;
/// The oldest that it reads.
const FORMAT_OLDEST: u8 = 1;

/// Longest key of a record, in bytes.
pub const KEY_BYTES_MAX: usize = 1_024;
/// Longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longest payload of one tree entry, in bytes; longer values are cut.
pub const CHUNK_BYTES: usize = 4 * 1024;
/// Longest tree value, in bytes: above it, sled would move towards blob files,
/// which it never syncs.
pub(super) const TREE_VALUE_BYTES_MAX: usize = 8 * 1024;

const CHUNK_BYTES_U32: u32 = 4 * 1024;

const HEADER_BYTES: usize = 14;
const SUM_AT: usize = 10;
const HEAD_BYTES: usize = 12;

const _: () = assert!(CHUNK_BYTES_U32 as usize == CHUNK_BYTES);
const _: () = assert!(HEADER_BYTES + CHUNK_BYTES <= TREE_VALUE_BYTES_MAX);
const _: () = assert!(KEY_BYTES_MAX <= u16::MAX as usize);
const _: () = assert!(VALUE_BYTES_MAX <= u32::MAX as usize);

pub(super) const TAG_MARKER: u8 = b'!';
pub(super) const TAG_SEQUENCE: u8 = b'#';
pub(super) const SEQUENCE_KEY: &[u8] = &[TAG_SEQUENCE];
pub(super) const TAG_JOURNAL: u8 = b'@';
pub(super) const TAG_RECORD: u8 = b'r';
pub(super) const TAG_CHUNK: u8 = b'c';
pub(super) const TAG_QUARANTINE: u8 = b'q';

/// What a tree entry holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Inline,
    Head,
    Chunk,
    Marker,
    Sequence,
}

impl Shape {
    const fn byte(self) -> u8 {
        match self {
            Shape::Inline => 0,
            Shape::Head => 1,
            Shape::Chunk => 2,
            Shape::Marker => 3,
            Shape::Sequence => 4,
        }
    }

    fn find(byte: u8) -> Option<Shape> {
        [Shape::Inline, Shape::Head, Shape::Chunk, Shape::Marker, Shape::Sequence]
            .into_iter()
            .find(|shape| shape.byte() == byte)
    }
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Shorter than its envelope.
    #[error("it is cut short")]
    Short,
    /// A format that this program does not know.
    #[error("it has format {0}")]
    Format(u8),
    /// It belongs under another key.
    #[error("it belongs elsewhere")]
    Misplaced,
    /// Its length is not the one it names.
    #[error("its length is wrong")]
    Length,
    /// Its checksum does not fit.
    #[error("its checksum is wrong")]
    Checksum,
    /// Verified, but not what belongs there.
    #[error("it is not what belongs there")]
    Shape,
    /// A part of a long value is missing or damaged.
    #[error("a part of it is missing")]
    Part,
    /// Verified, but its content does not read.
    #[error("its content does not read")]
    Content,
}

/// The head of a value that was cut into chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Length of the whole value in bytes.
    pub(super) bytes: u32,
    /// Tells the chunks of this value from those of its predecessor.
    pub(super) generation: u32,
    /// CRC32C of the whole value.
    pub(super) sum: u32,
}

impl Head {
    pub(super) fn chunks(self) -> u32 {
        self.bytes.div_ceil(CHUNK_BYTES_U32)
    }

    pub(super) fn encode(self) -> [u8; HEAD_BYTES] {
        let mut out = [0; HEAD_BYTES];
        out[..4].copy_from_slice(&self.bytes.to_be_bytes());
        out[4..8].copy_from_slice(&self.generation.to_be_bytes());
        out[8..].copy_from_slice(&self.sum.to_be_bytes());
        out
    }

    pub(super) fn decode(payload: &[u8]) -> Result<Head, Damage> {
        if payload.len() != HEAD_BYTES {
            return Err(Damage::Length);
        }
        let bytes = u32_at(payload, 0);
        if bytes as usize > VALUE_BYTES_MAX {
            return Err(Damage::Length);
        }
        Ok(Head { bytes, generation: u32_at(payload, 4), sum: u32_at(payload, 8) })
    }
}

/// Wraps a payload for its place in the tree.
pub(super) fn wrap(tree_key: &[u8], shape: Shape, payload: &[u8]) -> Vec<u8> {
    debug_assert!(payload.len() <= CHUNK_BYTES);
    let mut out = Vec::with_capacity(HEADER_BYTES + payload.len());
    out.push(FORMAT);
    out.push(shape.byte());
    out.extend_from_slice(&crc32c::crc32c(tree_key).to_be_bytes());
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    let sum = checksum(&out, tree_key, payload);
    out.extend_from_slice(&sum.to_be_bytes());
    out.extend_from_slice(payload);
    out
}

/// Verifies an entry and gives its payload.
pub(super) fn unwrap<'a>(tree_key: &[u8], raw: &'a [u8]) -> Result<(Shape, &'a [u8]), Damage> {
    let Some(&version) = raw.first() else { return Err(Damage::Short) };
    if raw.len() < HEADER_BYTES {
        return Err(Damage::Short);
    }
    if !(FORMAT_OLDEST..=FORMAT).contains(&version) {
        return Err(Damage::Format(version));
    }
    if u32_at(raw, 2) != crc32c::crc32c(tree_key) {
        return Err(Damage::Misplaced);
    }
    let (header, payload) = raw.split_at(HEADER_BYTES);
    if u32_at(raw, 6) as usize != payload.len() {
        return Err(Damage::Length);
    }
    if u32_at(raw, SUM_AT) != checksum(&header[..SUM_AT], tree_key, payload) {
        return Err(Damage::Checksum);
    }
    let shape = Shape::find(raw[1]).ok_or(Damage::Shape)?;
    Ok((shape, payload))
}

/// The tree entry that numbers the changes, with the sum over the records after the last one.
pub(super) fn sequence_entry(sequence: u64, sum: RecordSum) -> (Vec<u8>, Vec<u8>) {
    let payload = [&sequence.to_be_bytes()[..], &sum.encode()].concat();
    (SEQUENCE_KEY.to_vec(), wrap(SEQUENCE_KEY, Shape::Sequence, &payload))
}

/// What [`sequence_entry`] says; where no sum is there, it is not known.
pub(super) fn decode_sequence(payload: &[u8]) -> Result<(u64, RecordSum), Damage> {
    let (sequence, sum) = payload.split_first_chunk().ok_or(Damage::Length)?;
    let sum = RecordSum::decode(sum).ok_or(Damage::Length)?;
    Ok((u64::from_be_bytes(*sequence), sum))
}

fn checksum(header: &[u8], tree_key: &[u8], payload: &[u8]) -> u32 {
    let sum = crc32c::crc32c(header);
    let sum = crc32c::crc32c_append(sum, tree_key);
    crc32c::crc32c_append(sum, payload)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut four = [0; 4];
    if let Some(from) = bytes.get(at..at + 4) {
        four.copy_from_slice(from);
    }
    u32::from_be_bytes(four)
}

pub(super) fn tagged(tag: u8, rest: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + rest.len());
    out.push(tag);
    out.extend_from_slice(rest);
    out
}

/// Where a record lies.
pub(super) fn record_key(key: &[u8]) -> Vec<u8> {
    tagged(TAG_RECORD, key)
}

/// What all chunks of a record's value begin with, of whatever generation.
pub(super) fn chunks_prefix(key: &[u8]) -> Vec<u8> {
    let length = u16::try_from(key.len()).unwrap_or(u16::MAX);
    let mut out = Vec::with_capacity(3 + key.len() + 8);
    out.push(TAG_CHUNK);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(key);
    out
}

/// Where a chunk lies.
pub(super) fn chunk_key(key: &[u8], generation: u32, index: u32) -> Vec<u8> {
    let mut out = chunks_prefix(key);
    out.extend_from_slice(&generation.to_be_bytes());
    out.extend_from_slice(&index.to_be_bytes());
    out
}

/// Whose chunk lies there: key, generation, index.
pub(super) fn chunk_owner(tree_key: &[u8]) -> Option<(&[u8], u32, u32)> {
    let length = usize::from(u16::from_be_bytes([*tree_key.get(1)?, *tree_key.get(2)?]));
    let rest = tree_key.get(3..)?;
    if rest.len() != length + 8 {
        return None;
    }
    Some((&rest[..length], u32_at(rest, length), u32_at(rest, length + 4)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_an_entry_is_noticed() {
        let key = record_key(b"a/key");
        let raw = wrap(&key, Shape::Inline, b"some payload");
        assert_eq!(unwrap(&key, &raw), Ok((Shape::Inline, &b"some payload"[..])));
        for bit in 0..raw.len() * 8 {
            let mut bad = raw.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(unwrap(&key, &bad).is_err(), "bit {bit}");
        }
        for length in 0..raw.len() {
            assert!(unwrap(&key, &raw[..length]).is_err(), "length {length}");
        }
    }

    #[test]
    fn an_entry_under_another_key_is_misplaced() {
        let raw = wrap(&record_key(b"a"), Shape::Inline, b"x");
        assert_eq!(unwrap(&record_key(b"b"), &raw), Err(Damage::Misplaced));
    }

    #[test]
    fn chunk_keys_name_their_owner() {
        assert_eq!(chunk_owner(&chunk_key(b"owner", 7, 3)), Some((&b"owner"[..], 7, 3)));
        assert_eq!(chunk_owner(b"c\0"), None);
        assert!(!chunk_key(b"ab", 0, 0).starts_with(&chunks_prefix(b"a")));
    }
}
