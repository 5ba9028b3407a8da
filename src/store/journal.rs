//! The journal: one file of fixed length, in which each group of changes is written once and
//! synced once. Owns the file and its format; knows nothing of what the changes mean.
//!
//! The first sector names the file: a mark (4 bytes), a random salt (16), the CRC32C of both
//! (4). Every other sum begins with the salt, so that no content that somebody sends can look
//! like a group.
//!
//! Groups are numbered without end and lie one after the other, each beginning at a multiple
//! of [`SECTOR_BYTES`], so that writing one touches no sector of another. A group: a mark (4
//! bytes), the payload's length (4), the number (8), the CRC32C of these and the payload (4),
//! then the payload. An entry of the payload: the key's length (2), the value's length or
//! [`REMOVED`] (4), the key, the value. Numbers are big endian.
//!
//! The database keeps the number of the last group that it holds. Groups up to it are of no
//! use any more, and the file is written again from its beginning. A group is written after
//! the one before was synced, so only the last one can be half there: a gap with a valid later
//! group behind it is damage.

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::backend::Writes;
use super::error::BackendError;

/// The file's name in the database's folder.
pub(super) const JOURNAL: &str = "journal";
/// The file's length in bytes. All of it is written when it is made: a sync of what is
/// written over it later changes no length and no extent.
const JOURNAL_BYTES: usize = 1024 * 1024;
/// Once so much of it is used, its groups go to the database when there is time.
const FULL_BYTES: usize = JOURNAL_BYTES / 2;
/// What a disk writes whole or not at all, in bytes.
const SECTOR_BYTES: usize = 512;
const FILE_MODE: u32 = 0o600;

const FILE_MARK: [u8; 4] = *b"tjf1";
const SALT_BYTES: usize = 16;
const MARK: [u8; 4] = *b"tjg1";
const HEADER_BYTES: usize = 20;
const SUM_AT: usize = 16;
/// In place of a value's length: the key is removed.
const REMOVED: u32 = u32::MAX;

/// The file, open for writing after its last group.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    /// What every sum begins with.
    salt: u32,
    /// Where the next group goes.
    at: usize,
    /// The number of the last group.
    number: u64,
    /// The next group, as far as it has gathered; its header is still empty.
    next: Vec<u8>,
}

impl Journal {
    /// Opens the file in this folder, and gives what its groups after this number wrote. It is
    /// made only where it may be missing: a store without its journal has lost changes.
    pub(super) fn open(
        folder: &Path,
        held: u64,
        may_be_missing: bool,
    ) -> Result<(Journal, Writes), BackendError> {
        let path = folder.join(JOURNAL);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(may_be_missing)
            .truncate(false)
            .mode(FILE_MODE)
            .open(&path);
        let file = match file {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(damaged("it is missing"));
            }
            file => file?,
        };
        let mut content = vec![0; JOURNAL_BYTES];
        let length = read_up_to(&file, &mut content)?;
        let named = content.iter().take(SECTOR_BYTES).any(|byte| *byte != 0);
        if length < JOURNAL_BYTES || !named {
            if !may_be_missing {
                return Err(damaged("it is cut short"));
            }
            // One that was cut off while it was made holds nothing yet.
            make(&file, &mut content)?;
        }
        let salt = salt(&content).ok_or_else(|| damaged("its name does not verify"))?;
        let mut writes = Writes::new();
        let (at, number) = replay(&content, salt, held, &mut writes)?;
        Ok((Journal { file, salt, at, number, next: vec![0; HEADER_BYTES] }, writes))
    }

    /// What the groups after this number wrote, as far as the file still reads.
    pub(super) fn salvage(folder: &Path, held: u64) -> io::Result<Writes> {
        let content = std::fs::read(folder.join(JOURNAL))?;
        let mut writes = Writes::new();
        if let Some(salt) = salt(&content) {
            // Those before the first that does not read: a later one may stand on it.
            let _ = replay(&content, salt, held, &mut writes);
        }
        Ok(writes)
    }

    /// Adds a change to the next group.
    pub(super) fn add(&mut self, writes: &Writes) -> Result<(), BackendError> {
        let too_long = || BackendError::Inconsistent("an entry is too long".into());
        for (key, value) in writes {
            let length = u16::try_from(key.len()).map_err(|_| too_long())?;
            self.next.extend_from_slice(&length.to_be_bytes());
            let length = match value {
                Some(value) => u32::try_from(value.len()).map_err(|_| too_long())?,
                None => REMOVED,
            };
            self.next.extend_from_slice(&length.to_be_bytes());
            self.next.extend_from_slice(key);
            self.next.extend_from_slice(value.as_deref().unwrap_or_default());
        }
        Ok(())
    }

    /// Whether there is a next group.
    pub(super) fn has_next(&self) -> bool {
        self.next.len() > HEADER_BYTES
    }

    /// Writes and syncs the next group. False, and nothing is written: it does not fit.
    pub(super) fn write(&mut self) -> io::Result<bool> {
        self.write_up_to(JOURNAL_BYTES - SECTOR_BYTES)
    }

    /// Writes and syncs a group of its own before the next one, which waits. There is room for a
    /// small one at any time.
    pub(super) fn write_apart(&mut self, writes: &Writes) -> Result<(), BackendError> {
        let next = std::mem::replace(&mut self.next, vec![0; HEADER_BYTES]);
        self.add(writes)?;
        let fits = self.write_up_to(JOURNAL_BYTES)?;
        self.next = next;
        if fits { Ok(()) } else { Err(BackendError::Inconsistent("its journal is full".into())) }
    }

    fn write_up_to(&mut self, end_max: usize) -> io::Result<bool> {
        let bytes = self.next.len().next_multiple_of(SECTOR_BYTES);
        let end = self.at.saturating_add(bytes);
        let Ok(length) = u32::try_from(self.next.len().saturating_sub(HEADER_BYTES)) else {
            return Ok(false);
        };
        if end > end_max {
            return Ok(false);
        }
        let number = self.number.saturating_add(1);
        let header = header(self.salt, length, number, &self.next);
        if let Some(place) = self.next.get_mut(..HEADER_BYTES) {
            place.copy_from_slice(&header);
        }
        self.next.resize(bytes, 0);
        self.file.write_all_at(&self.next, u64::try_from(self.at).unwrap_or(u64::MAX))?;
        nix::unistd::fdatasync(&self.file).map_err(io::Error::from)?;
        self.at = end;
        self.number = number;
        self.forget_next();
        Ok(true)
    }

    /// The number that stands for everything added so far, written or not.
    pub(super) fn number_of_all(&self) -> u64 {
        self.number.saturating_add(u64::from(self.has_next()))
    }

    /// The database holds everything: the file is written from its beginning again.
    pub(super) fn cut(&mut self) {
        self.number = self.number_of_all();
        self.at = SECTOR_BYTES;
        self.forget_next();
    }

    /// Whether its groups should go to the database.
    pub(super) fn is_full(&self) -> bool {
        self.at >= FULL_BYTES
    }

    fn forget_next(&mut self) {
        self.next.clear();
        self.next.resize(HEADER_BYTES, 0);
    }
}

fn damaged(what: &str) -> BackendError {
    BackendError::Inconsistent(format!("its journal is damaged: {what}"))
}

/// Gives the file its length and a name of its own.
fn make(file: &File, content: &mut Vec<u8>) -> Result<(), BackendError> {
    content.clear();
    content.resize(JOURNAL_BYTES, 0);
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt)
        .map_err(|_| BackendError::Inconsistent("the kernel gives no random bytes".into()))?;
    let named = [&FILE_MARK[..], &salt].concat();
    let sum = crc32c::crc32c(&named).to_be_bytes();
    for (place, byte) in content.iter_mut().zip(named.iter().chain(&sum)) {
        *place = *byte;
    }
    file.write_all_at(content, 0)?;
    file.sync_all()?;
    Ok(())
}

/// What the file's sums begin with; none if its first sector does not verify.
fn salt(content: &[u8]) -> Option<u32> {
    let (named, rest) = content.split_first_chunk::<{ FILE_MARK.len() + SALT_BYTES }>()?;
    let sum = rest.first_chunk::<4>()?;
    let verifies = named.starts_with(&FILE_MARK) && crc32c::crc32c(named).to_be_bytes() == *sum;
    verifies.then(|| crc32c::crc32c(named.get(FILE_MARK.len()..).unwrap_or_default()))
}

/// The header of a group whose payload lies after the room for it.
fn header(salt: u32, length: u32, number: u64, group: &[u8]) -> [u8; HEADER_BYTES] {
    let mut out = [0; HEADER_BYTES];
    out[..4].copy_from_slice(&MARK);
    out[4..8].copy_from_slice(&length.to_be_bytes());
    out[8..SUM_AT].copy_from_slice(&number.to_be_bytes());
    let payload = group.get(HEADER_BYTES..).unwrap_or_default();
    let sum = crc32c::crc32c_append(crc32c::crc32c_append(salt, &out[..SUM_AT]), payload);
    out[SUM_AT..].copy_from_slice(&sum.to_be_bytes());
    out
}

/// A group that verifies.
struct Group<'a> {
    number: u64,
    payload: &'a [u8],
    /// Where the next one begins.
    end: usize,
}

fn group(content: &[u8], salt: u32, at: usize) -> Option<Group<'_>> {
    let from = content.get(at..)?;
    let (head, rest) = from.split_first_chunk::<HEADER_BYTES>()?;
    if !head.starts_with(&MARK) {
        return None;
    }
    let length = u32::from_be_bytes(*head.get(4..)?.first_chunk()?);
    let number = u64::from_be_bytes(*head.get(8..)?.first_chunk()?);
    let bytes = usize::try_from(length).ok()?;
    let payload = rest.get(..bytes)?;
    let whole = from.get(..HEADER_BYTES.checked_add(bytes)?)?;
    let end = at.checked_add(whole.len().checked_next_multiple_of(SECTOR_BYTES)?)?;
    (header(salt, length, number, whole) == *head).then_some(Group { number, payload, end })
}

/// Gathers what the groups after `held` wrote. Where the next group goes, and the number of the
/// last.
fn replay(
    content: &[u8],
    salt: u32,
    held: u64,
    writes: &mut Writes,
) -> Result<(usize, u64), BackendError> {
    let mut at = SECTOR_BYTES;
    let mut last = held;
    // A group of an earlier round may follow the last one of this round.
    while let Some(group) =
        group(content, salt, at).filter(|group| Some(group.number) == last.checked_add(1))
    {
        entries(group.payload, writes).ok_or_else(|| damaged("a group does not read"))?;
        last = group.number;
        at = group.end;
    }
    let mut rest = (at..content.len()).step_by(SECTOR_BYTES);
    if rest.any(|at| group(content, salt, at).is_some_and(|group| group.number > last)) {
        return Err(damaged("a group is missing in the middle"));
    }
    Ok((at, last))
}

/// Reads a payload's entries; none if it does not read.
fn entries(mut payload: &[u8], writes: &mut Writes) -> Option<()> {
    while !payload.is_empty() {
        let (key_length, rest) = payload.split_first_chunk::<2>()?;
        let (value_length, rest) = rest.split_first_chunk::<4>()?;
        let (key, rest) = rest.split_at_checked(u16::from_be_bytes(*key_length).into())?;
        let value_length = u32::from_be_bytes(*value_length);
        let (value, rest) = match value_length {
            REMOVED => (None, rest),
            length => {
                let (value, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
                (Some(value.to_vec()), rest)
            }
        };
        writes.insert(key.to_vec(), value);
        payload = rest;
    }
    Some(())
}

fn read_up_to(file: &File, content: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while let Some(rest) = content.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, u64::try_from(length).unwrap_or(u64::MAX)) {
            Ok(0) => break,
            Ok(count) => length = length.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}
