//! What must hold for a journal that was damaged: what is read was written, in its order.
//! Entrances for contrib/fuzz; part of no program.

use super::{
    FILE_MARK, HEADER_BYTES, SALT_BYTES, SECTOR_BYTES, Writes, entries, group, header, replay, salt,
};

/// Sectors of the file: enough for a few groups.
const SECTORS: usize = 16;
/// Bytes of the input that say what is damaged.
const DAMAGE_BYTES: usize = 4;

/// The first bytes say how the file is damaged; the rest is what its groups are made of, each
/// preceded by its length.
pub fn journal(data: &[u8]) {
    let Some((damage, mut rest)) = data.split_first_chunk::<DAMAGE_BYTES>() else { return };
    let mut content = named();
    let Some(salt) = salt(&content) else { unreachable!("the name verifies") };
    let mut written = Vec::new();
    let mut at = SECTOR_BYTES;
    while let Some((length, more)) = rest.split_first() {
        let (payload, more) = more.split_at(more.len().min(usize::from(*length) * 4));
        rest = more;
        let mut writes = Writes::new();
        if entries(payload, &mut writes).is_none() {
            continue;
        }
        let Some(end) = put(&mut content, salt, at, written.len() as u64 + 1, payload) else {
            break;
        };
        written.push(writes);
        at = end;
    }
    let whole = read(&content, salt);
    assert_eq!(whole, Some((written.len(), merged(&written))), "without damage all is read");
    damaged(&mut content, *damage);
    let Some((count, writes)) = read(&content, salt) else { return };
    assert!(count <= written.len(), "a group was read that was not written");
    assert_eq!(Some(writes), written.get(..count).map(merged));
}

fn named() -> Vec<u8> {
    let mut content = [&FILE_MARK[..], &[7; SALT_BYTES]].concat();
    content.extend(crc32c::crc32c(&content).to_be_bytes());
    content.resize(SECTORS * SECTOR_BYTES, 0);
    content
}

fn put(content: &mut [u8], salt: u32, at: usize, number: u64, payload: &[u8]) -> Option<usize> {
    let whole = [&[0; HEADER_BYTES], payload].concat();
    let header = header(salt, u32::try_from(payload.len()).ok()?, number, &whole);
    let place = content.get_mut(at..at + whole.len())?;
    place.copy_from_slice(&whole);
    place.get_mut(..HEADER_BYTES)?.copy_from_slice(&header);
    let group = group(content, salt, at)?;
    assert_eq!((group.number, group.payload), (number, payload));
    Some(group.end)
}

fn read(content: &[u8], salt: u32) -> Option<(usize, Writes)> {
    let mut writes = Writes::new();
    let (_, last) = replay(content, salt, 0, &mut writes).ok()?;
    Some((usize::try_from(last).ok()?, writes))
}

fn merged(groups: &[Writes]) -> Writes {
    groups.iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// One byte changes, or everything from there on is as it was before.
fn damaged(content: &mut [u8], [how, high, low, bits]: [u8; DAMAGE_BYTES]) {
    let at = SECTOR_BYTES + usize::from(u16::from_be_bytes([high, low]));
    let Some(place) = content.get_mut(at..) else { return };
    match how % 2 {
        0 => place.iter_mut().take(1).for_each(|byte| *byte ^= bits),
        _ => place.fill(0),
    }
}
