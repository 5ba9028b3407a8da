//! What a file's first and last bytes tell: a picture's size, a sound's length. Decodes
//! nothing; what is not as expected tells nothing.

use tetherd_api::Kind;
use tetherd_core::files::MediaMetadata;

/// Opus counts in this many samples a second, whatever it recorded.
const OPUS_HZ: u64 = 48_000;
/// Sides and lengths beyond these are nonsense.
const PIXELS_MAX: u32 = 1 << 16;
const SECONDS_MAX: u64 = 7 * 24 * 60 * 60;

/// What a file of this kind tells by its first and its last bytes.
pub(crate) fn read(kind: Kind, head: &[u8], tail: &[u8]) -> MediaMetadata {
    match kind {
        Kind::Image => MediaMetadata { pixels: pixels(head), seconds: None },
        Kind::Audio | Kind::Voice => {
            MediaMetadata { pixels: None, seconds: ogg_seconds(head, tail) }
        }
        Kind::Text
        | Kind::Video
        | Kind::Document
        | Kind::Location
        | Kind::Contact
        | Kind::Reaction
        | Kind::Edit
        | Kind::Revoke => MediaMetadata::default(),
    }
}

fn pixels(head: &[u8]) -> Option<(u32, u32)> {
    let size = png(head).or_else(|| gif(head)).or_else(|| webp(head)).or_else(|| jpeg(head))?;
    let fits = |side: u32| (1..=PIXELS_MAX).contains(&side);
    (fits(size.0) && fits(size.1)).then_some(size)
}

fn bytes<const N: usize>(data: &[u8], at: usize) -> Option<[u8; N]> {
    data.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn be16(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from(u16::from_be_bytes(bytes(data, at)?)))
}

fn le16(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from(u16::from_le_bytes(bytes(data, at)?)))
}

fn le24(data: &[u8], at: usize) -> Option<u32> {
    let [a, b, c] = bytes(data, at)?;
    Some(u32::from_le_bytes([a, b, c, 0]))
}

fn png(head: &[u8]) -> Option<(u32, u32)> {
    head.starts_with(b"\x89PNG\r\n\x1a\n").then_some(())?;
    let side = |at| Some(u32::from_be_bytes(bytes(head, at)?));
    Some((side(16)?, side(20)?))
}

fn gif(head: &[u8]) -> Option<(u32, u32)> {
    head.starts_with(b"GIF8").then_some(())?;
    Some((le16(head, 6)?, le16(head, 8)?))
}

fn webp(head: &[u8]) -> Option<(u32, u32)> {
    (head.starts_with(b"RIFF") && head.get(8..12)? == b"WEBP").then_some(())?;
    match head.get(12..16)? {
        b"VP8X" => Some((le24(head, 24)? + 1, le24(head, 27)? + 1)),
        b"VP8 " => Some((le16(head, 26)? & 0x3fff, le16(head, 28)? & 0x3fff)),
        b"VP8L" => {
            let bits = u32::from_le_bytes(bytes(head, 21)?);
            Some(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
        }
        _ => None,
    }
}

/// Walks the segments up to the first frame header.
fn jpeg(head: &[u8]) -> Option<(u32, u32)> {
    head.starts_with(b"\xff\xd8").then_some(())?;
    let mut at = 2;
    loop {
        let [mark, kind] = bytes(head, at)?;
        (mark == 0xff).then_some(())?;
        match kind {
            // Fill bytes.
            0xff => at += 1,
            // Frame headers; between them lie three that are none.
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                return Some((be16(head, at + 7)?, be16(head, at + 5)?));
            }
            // No length follows these.
            0x01 | 0xd0..=0xd8 => at += 2,
            // The picture's data began, or ended, without one.
            0xd9 | 0xda => return None,
            _ => at += 2 + usize::try_from(be16(head, at + 2)?).ok()?,
        }
    }
}

/// The position that the last page names, over the rate that the first page names.
fn ogg_seconds(head: &[u8], tail: &[u8]) -> Option<u32> {
    head.starts_with(b"OggS").then_some(())?;
    let segments = usize::from(*head.get(26)?);
    let packet = head.get(27 + segments..)?;
    let (rate, skipped) = if packet.starts_with(b"OpusHead") {
        (OPUS_HZ, u64::from(le16(packet, 10)?))
    } else if packet.starts_with(b"\x01vorbis") {
        (u64::from(u32::from_le_bytes(bytes(packet, 12)?)), 0)
    } else {
        return None;
    };
    let last = tail.windows(4).rposition(|window| window == b"OggS")?;
    let samples = u64::from_le_bytes(bytes(tail, last + 6)?).checked_sub(skipped)?;
    // Shown in whole seconds, as the apps do: what is there is not nothing.
    let seconds = samples.checked_add(rate / 2)?.checked_div(rate)?.max(1);
    (seconds <= SECONDS_MAX).then(|| u32::try_from(seconds).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(head: &[u8]) -> Option<(u32, u32)> {
        read(Kind::Image, head, &[]).pixels
    }

    fn ogg(packet: &[u8], position: u64) -> Vec<u8> {
        let page = |position: u64, packet: &[u8]| {
            let mut page = b"OggS\0\x02".to_vec();
            page.extend(position.to_le_bytes());
            page.extend([0; 12]);
            page.extend([1, u8::try_from(packet.len()).unwrap()]);
            page.extend(packet);
            page
        };
        [page(0, packet), page(position, b"sound")].concat()
    }

    #[test]
    fn a_pictures_size_is_read_from_its_head() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\xe0";
        assert_eq!(image(png), Some((640, 480)));
        assert_eq!(image(b"GIF89a\x80\x02\xe0\x01"), Some((640, 480)));
        let jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xc2\0\x0b\x08\x01\xe0\x02\x80\x01";
        assert_eq!(image(jpeg), Some((640, 480)));
        let vp8x = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x7f\x02\0\xdf\x01\0";
        assert_eq!(image(vp8x), Some((640, 480)));
        let vp8 = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x80\x02\xe0\x01";
        assert_eq!(image(vp8), Some((640, 480)));
    }

    #[test]
    fn a_sounds_length_is_read_from_its_last_page() {
        let mut opus = b"OpusHead\x01\x01".to_vec();
        opus.extend(312_u16.to_le_bytes());
        let sound = ogg(&opus, 48_000 * 7 + 312);
        assert_eq!(read(Kind::Voice, &sound, &sound).seconds, Some(7));
        let mut vorbis = b"\x01vorbis\0\0\0\0\x02".to_vec();
        vorbis.extend(44_100_u32.to_le_bytes());
        let sound = ogg(&vorbis, 44_100 * 90);
        assert_eq!(read(Kind::Audio, &sound, &sound).seconds, Some(90));
    }

    #[test]
    fn what_is_cut_short_or_nonsense_tells_nothing() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\0\0\0\x01\xe0";
        assert_eq!(image(png), None);
        let jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xc2\0\x0b\x08\x01\xe0\x02\x80\x01";
        for end in 0..jpeg.len() - 1 {
            assert_eq!(image(&jpeg[..end]), None);
        }
        assert_eq!(read(Kind::Voice, b"OggS", b"OggS"), MediaMetadata::default());
        let sound = ogg(b"OpusHead\x01\x01\0\0", u64::MAX);
        assert_eq!(read(Kind::Voice, &sound, &sound).seconds, None);
    }
}
