//! Which tracks an ISO base media file has (MP4, QuickTime, 3GP), found while it is read once
//! from its beginning. Keeps one box's header, whatever the file's length, and trusts no
//! size that the file names.

/// Boxes of one file that are looked at: more are in no file that anybody plays.
const BOXES_MAX: u32 = 100_000;
/// A size and a type.
const HEADER_BYTES: usize = 8;
/// The same with a size of 64 bits.
const LARGE_HEADER_BYTES: usize = 16;
/// Version, flags, and what `hdlr` has before the track's handler, with it.
const HANDLER_BYTES: usize = 12;
/// Version, flags and count, before the entries of `stsd`.
const ENTRIES_BYTES: usize = 8;

/// The tracks seen so far.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    /// Pictures that move.
    pub(super) video: bool,
    /// Sound.
    pub(super) sound: bool,
    /// The sound is AMR, as old phones record it.
    pub(super) amr: bool,
    header: Vec<u8>,
    /// Bytes that are not looked at.
    skip: u64,
    boxes: u32,
    is_over: bool,
}

impl Tracks {
    /// The next bytes of the file.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while !self.is_over && !bytes.is_empty() {
            let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
            bytes = bytes.get(skipped..).unwrap_or_default();
            self.skip = self.skip.saturating_sub(u64::try_from(skipped).unwrap_or(u64::MAX));
            let missing = self.wanted().saturating_sub(self.header.len()).min(bytes.len());
            let (taken, rest) = bytes.split_at(missing);
            self.header.extend_from_slice(taken);
            bytes = rest;
            if self.header.len() >= HEADER_BYTES && self.header.len() == self.wanted() {
                self.take_box();
            }
        }
    }

    /// How long the header is, as far as it is known.
    fn wanted(&self) -> usize {
        if self.header.len() < HEADER_BYTES {
            return HEADER_BYTES;
        }
        self.header_bytes()
            + match self.kind() {
                b"hdlr" => HANDLER_BYTES,
                b"stsd" => ENTRIES_BYTES,
                _ => 0,
            }
    }

    fn header_bytes(&self) -> usize {
        if self.size_32() == 1 { LARGE_HEADER_BYTES } else { HEADER_BYTES }
    }

    fn kind(&self) -> &[u8] {
        self.header.get(4..8).unwrap_or_default()
    }

    fn size_32(&self) -> u32 {
        let size = self.header.first_chunk().copied();
        size.map_or(0, u32::from_be_bytes)
    }

    /// What the box names as its size, its header included. None: up to the file's end.
    fn size(&self) -> Option<u64> {
        match self.size_32() {
            0 => None,
            1 => {
                let size = self.header.get(HEADER_BYTES..)?.first_chunk().copied();
                size.map(u64::from_be_bytes)
            }
            size => Some(u64::from(size)),
        }
    }

    fn take_box(&mut self) {
        let is_first = self.boxes == 0;
        self.boxes += 1;
        let header = std::mem::take(&mut self.header);
        let looked_at = u64::try_from(header.len()).unwrap_or(u64::MAX);
        self.header = header;
        let rest = self.size().map(|size| size.checked_sub(looked_at));
        let skip = match (self.kind(), rest) {
            (kind, _) if is_first && kind != b"ftyp" => None,
            // What is in them comes next.
            (b"moov" | b"trak" | b"mdia" | b"minf" | b"stbl" | b"stsd", Some(Some(_)) | None) => {
                Some(0)
            }
            (_, Some(Some(rest))) => Some(rest),
            // A box that ends before its header does, or with the file.
            (_, Some(None) | None) => None,
        };
        self.note();
        self.header.clear();
        self.skip = skip.unwrap_or(0);
        self.is_over = skip.is_none() || self.boxes >= BOXES_MAX;
    }

    fn note(&mut self) {
        let handler = self.header.get(self.header_bytes() + 8..).unwrap_or_default();
        match (self.kind(), handler) {
            (b"hdlr", b"vide") => self.video = true,
            (b"hdlr", b"soun") => self.sound = true,
            (b"samr" | b"sawb", _) => self.amr = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let size = u32::try_from(content.len() + 8).unwrap();
        [&size.to_be_bytes()[..], kind, content].concat()
    }

    fn track(handler: &[u8; 4], entry: &[u8; 4]) -> Vec<u8> {
        let stsd = boxed(b"stsd", &[&[0; 7][..], &[1], &boxed(entry, &[0; 20])].concat());
        let minf = boxed(b"minf", &boxed(b"stbl", &stsd));
        let hdlr = boxed(b"hdlr", &[&[0; 8][..], handler, &[0; 13]].concat());
        let mdia = [boxed(b"mdhd", &[0; 24]), hdlr, minf].concat();
        boxed(b"trak", &[boxed(b"tkhd", &[0; 84]), boxed(b"mdia", &mdia)].concat())
    }

    fn film(tracks: &[Vec<u8>]) -> Vec<u8> {
        let moov = boxed(b"moov", &[boxed(b"mvhd", &[0; 100]), tracks.concat()].concat());
        [boxed(b"ftyp", b"isom\0\0\0\0"), boxed(b"mdat", &[7; 5_000]), moov].concat()
    }

    fn seen(file: &[u8], piece: usize) -> (bool, bool, bool) {
        let mut tracks = Tracks::default();
        for piece in file.chunks(piece) {
            tracks.push(piece);
        }
        (tracks.video, tracks.sound, tracks.amr)
    }

    #[test]
    fn tracks_are_found_at_the_end_of_a_file_in_pieces_of_any_length() {
        let sound = film(&[track(b"soun", b"mp4a")]);
        let both = film(&[track(b"vide", b"avc1"), track(b"soun", b"mp4a")]);
        let amr = film(&[track(b"soun", b"samr")]);
        for piece in [1, 3, 7, 1_000, usize::MAX] {
            assert_eq!(seen(&sound, piece), (false, true, false));
            assert_eq!(seen(&both, piece), (true, true, false));
            assert_eq!(seen(&amr, piece), (false, true, true));
        }
    }

    #[test]
    fn a_size_of_64_bits_is_read() {
        let large = |content: &[u8]| {
            let size = u64::try_from(content.len() + 16).unwrap().to_be_bytes();
            [&[0, 0, 0, 1][..], b"mdat", &size, content].concat()
        };
        let moov = boxed(b"moov", &track(b"soun", b"mp4a"));
        let file = [boxed(b"ftyp", b"mp42\0\0\0\0"), large(&[1; 100]), moov].concat();
        assert_eq!(seen(&file, 5), (false, true, false));
    }

    #[test]
    fn invariant_10_what_is_cut_short_or_nonsense_ends() {
        let whole = film(&[track(b"soun", b"mp4a")]);
        for end in 0..whole.len() {
            seen(&whole[..end], 64);
        }
        for size in [0_u32, 1, 2, 7, u32::MAX] {
            let bad = [boxed(b"ftyp", b"isom"), size.to_be_bytes().to_vec(), b"moov".to_vec()];
            seen(&[bad.concat(), vec![0xff; 300]].concat(), 9);
        }
        // No file of this kind at all.
        assert_eq!(seen(&boxed(b"moov", &track(b"soun", b"mp4a")), 8), (false, false, false));
        let mut tracks = Tracks::default();
        for _ in 0..200 {
            tracks.push(&boxed(b"free", &[]).repeat(1_000));
        }
        assert!(tracks.is_over);
    }
}
