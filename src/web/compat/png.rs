//! A QR code as a PNG: black and white, one bit a dot, not compressed. Draws nothing else.

use qrcode::{Color, QrCode};

/// Dots of the picture for one of the code.
const SCALE: usize = 5;
/// White around the code, in dots of the code (ISO/IEC 18004).
const QUIET: usize = 4;
/// Bytes in one stored block of a zlib stream.
const BLOCK_BYTES_MAX: usize = 65_535;

/// The code of a text; none, if it is too long for one.
pub(super) fn of_text(text: &str) -> Option<Vec<u8>> {
    let code = QrCode::new(text).ok()?;
    let (width, dots) = (code.width(), code.to_colors());
    let side = (width + 2 * QUIET) * SCALE;
    let is_white = |x: usize, y: usize| {
        let inside = |at: usize| (at / SCALE).checked_sub(QUIET).filter(|at| *at < width);
        let dot = inside(x).zip(inside(y)).and_then(|(x, y)| dots.get(y * width + x));
        dot.is_none_or(|color| *color == Color::Light)
    };
    let mut rows = Vec::with_capacity(side * (1 + side.div_ceil(8)));
    for y in 0..side {
        // No filter.
        rows.push(0);
        for x in (0..side).step_by(8) {
            let bit = |at: usize| u8::from(x + at < side && is_white(x + at, y)) << (7 - at);
            rows.push((0..8).map(bit).sum());
        }
    }
    let side = u32::try_from(side).ok()?.to_be_bytes();
    // One bit a dot, shades of grey, deflate, the one kind of filters, not interlaced.
    let header = [&side[..], &side[..], &[1, 0, 0, 0, 0]].concat();
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, content) in [(b"IHDR", header), (b"IDAT", zlib(&rows)), (b"IEND", Vec::new())] {
        png.extend(chunk(kind, &content)?);
    }
    Some(png)
}

fn chunk(kind: &[u8; 4], content: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(content.len()).ok()?.to_be_bytes();
    let body = [&kind[..], content].concat();
    Some([&length[..], &body, &crc32(&body).to_be_bytes()].concat())
}

/// RFC 1950 and 1951: stored blocks.
fn zlib(content: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let blocks = content.chunks(BLOCK_BYTES_MAX);
    let last = blocks.len().saturating_sub(1);
    for (at, block) in blocks.enumerate() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        stream.push(u8::from(at == last));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(block);
    }
    stream.extend(adler32(content).to_be_bytes());
    stream
}

fn adler32(content: &[u8]) -> u32 {
    let step = |(a, b): (u32, u32), byte: &u8| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (a + b) % 65_521)
    };
    let (a, b) = content.iter().fold((1, 0), step);
    b << 16 | a
}

/// That of PNG, zlib and Ethernet. The store's `crc32c` is another one.
fn crc32(content: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        let shift = |crc: u32, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1));
        (0..8).fold(crc ^ u32::from(*byte), shift)
    };
    !content.iter().fold(u32::MAX, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standards() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b"IEND"), 0xae42_6082);
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }

    #[test]
    fn the_picture_has_the_dots_of_the_code() {
        let text = "2@".to_owned() + &"x".repeat(230);
        let png = of_text(&text).unwrap();
        let side = u32::from_be_bytes(png[16..20].try_into().unwrap()) as usize;
        let code = QrCode::new(&text).unwrap();
        assert_eq!(side, (code.width() + 2 * QUIET) * SCALE);
        // Behind the signature, the header, the chunk's and the zlib stream's and block's heads.
        let rows = &png[8 + 25 + 8 + 2 + 5..];
        let row = 1 + side.div_ceil(8);
        let white = |x: usize, y: usize| rows[y * row + 1 + x / 8] >> (7 - x % 8) & 1 == 1;
        let dots = code.to_colors();
        for (at, color) in dots.iter().enumerate() {
            let (x, y) = (at % code.width() + QUIET, at / code.width() + QUIET);
            assert_eq!(white(x * SCALE, y * SCALE), *color == Color::Light, "{x} {y}");
            assert_eq!(white(x * SCALE + SCALE - 1, y * SCALE), *color == Color::Light);
        }
        assert!(white(0, 0) && white(side - 1, side - 1));
        assert!(of_text(&"x".repeat(3_000)).is_none());
    }
}
