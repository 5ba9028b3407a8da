//! What a file is, by its first bytes, and what it can be sent as. Believes a caller's
//! MIME type only where that changes nothing about how the file is sent.

use super::error::of_a;
use tetherd_api::{Kind, Redacted};

/// How much of a file's beginning is looked at, in bytes: Office's ZIP files name their
/// parts within it.
pub const HEAD_BYTES: usize = 8 * 1024;

/// The MIME type of what nobody knows.
pub const UNKNOWN: &str = "application/octet-stream";
/// The MIME type of a voice message, as phones write it.
pub const VOICE: &str = "audio/ogg; codecs=opus";

const MP4: &str = "video/mp4";
const WEBM: &str = "video/webm";
const THREE_GPP: &str = "video/3gpp";

/// What the caller states about a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// What to send it as; without it the content decides.
    pub kind: Option<Kind>,
    /// Its MIME type; without it the content decides.
    pub mime: Option<String>,
    /// The name that it is shown under.
    pub name: Option<Redacted<String>>,
    /// Its length, where it is known before.
    pub bytes: Option<u64>,
}

/// What a file turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it is sent as.
    pub kind: Kind,
    /// Its MIME type.
    pub mime: String,
}

/// A file cannot be sent as what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKind {
    /// Its content is something else.
    #[error("the file is {mime}, which cannot be sent as {}", of_a(*.asked))]
    Mismatch {
        /// What was asked.
        asked: Kind,
        /// What it is.
        mime: String,
    },
    /// No file is sent as this.
    #[error("a file is not sent as {}", of_a(*.0))]
    NoFile(Kind),
}

impl BadKind {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            BadKind::Mismatch { asked: Kind::Voice, .. } => {
                "a voice message is Opus in Ogg: ffmpeg -i FILE -c:a libopus -ac 1 voice.ogg"
            }
            BadKind::Mismatch { .. } => "convert it, or send it as a document",
            BadKind::NoFile(_) => "as is image, video, audio, voice or document",
        }
    }
}

/// What a file that begins like this is sent as.
pub fn decide(head: &[u8], asked: &Asked) -> Result<Found, BadKind> {
    let found = mime(head);
    let Some(kind) = asked.kind else {
        let kind = usual_kind(found);
        return Ok(Found { kind, mime: named(kind, found, asked) });
    };
    let fits = match kind {
        Kind::Image => found.starts_with("image/"),
        Kind::Video => found.starts_with("video/"),
        Kind::Audio => found.starts_with("audio/"),
        Kind::Voice => found == VOICE,
        Kind::Document => true,
        Kind::Text | Kind::Location | Kind::Contact => return Err(BadKind::NoFile(kind)),
    };
    if fits {
        Ok(Found { kind, mime: named(kind, found, asked) })
    } else {
        Err(BadKind::Mismatch { asked: kind, mime: found.to_owned() })
    }
}

/// What is sent under its own kind: what phones show or play by themselves. The rest
/// arrives whole as a document.
fn usual_kind(mime: &str) -> Kind {
    match mime {
        "image/jpeg" | "image/png" | "image/gif" | "image/webp" => Kind::Image,
        MP4 | THREE_GPP | "video/quicktime" => Kind::Video,
        "audio/mpeg" | "audio/aac" | "audio/mp4" | "audio/amr" | VOICE => Kind::Audio,
        _ => Kind::Document,
    }
}

/// A document is what its sender says; anything else has to be played, and is what it is.
fn named(kind: Kind, found: &str, asked: &Asked) -> String {
    match &asked.mime {
        Some(mime) if kind == Kind::Document => mime.clone(),
        Some(_) | None => found.to_owned(),
    }
}

/// The MIME type of a file that begins like this.
pub fn mime(head: &[u8]) -> &'static str {
    // Before the table, which knows fewer of these brands.
    if let Some(mime) = boxed(head) {
        return mime;
    }
    let Some(found) = infer::get(head) else { return text(head) };
    match found.mime_type() {
        // Phones know these under other names.
        "audio/opus" => VOICE,
        "audio/m4a" => "audio/mp4",
        "audio/x-wav" => "audio/wav",
        "audio/x-flac" => "audio/flac",
        "video/x-m4v" => MP4,
        "video/x-matroska" => "video/x-matroska",
        // Ours says which; its two bytes also begin texts in some encodings.
        "text/html" | "text/xml" | "text/x-shellscript" => text(head),
        other => other,
    }
}

/// An ISO base media file by its brand: MP4, QuickTime, 3GP, M4A, HEIC.
fn boxed(head: &[u8]) -> Option<&'static str> {
    if head.get(4..8)? != b"ftyp" {
        return matroska(head);
    }
    let brand = head.get(8..12)?;
    Some(match brand {
        b"heic" | b"heix" | b"hevc" | b"hevx" => "image/heic",
        b"mif1" | b"msf1" => "image/heif",
        b"avif" | b"avis" => "image/avif",
        b"qt  " => "video/quicktime",
        b"M4A " | b"M4B " | b"M4P " => "audio/mp4",
        brand if brand.starts_with(b"3g") => THREE_GPP,
        // Whatever writes them, they are played as MP4; images have brands of their own.
        brand if brand.is_ascii() => MP4,
        _ => return None,
    })
}

/// WebM and Matroska share their beginning; the document's type follows within it.
fn matroska(head: &[u8]) -> Option<&'static str> {
    const TYPE_WITHIN: usize = 128;
    if !head.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]) {
        return None;
    }
    let within = head.get(..TYPE_WITHIN).unwrap_or(head);
    let says = |name: &[u8]| within.windows(name.len()).any(|window| window == name);
    Some(if says(b"webm") { WEBM } else { "video/x-matroska" })
}

/// A text, or what nobody knows.
fn text(head: &[u8]) -> &'static str {
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The head may end within a character.
        Err(error) if head.len() - error.valid_up_to() < 4 && error.error_len().is_none() => {
            std::str::from_utf8(head.get(..error.valid_up_to()).unwrap_or_default())
                .unwrap_or_default()
        }
        Err(_) => return UNKNOWN,
    };
    let plain = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\x0c' | '\x1b');
    if valid.is_empty() || !valid.chars().all(plain) { UNKNOWN } else { "text/plain" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(start: &[u8]) -> Vec<u8> {
        let mut head = start.to_vec();
        head.resize(512, 0);
        head
    }

    fn ftyp(brand: &[u8; 4]) -> Vec<u8> {
        head(&[b"\0\0\0\x18ftyp", brand.as_slice(), b"\0\0\0\0isom"].concat())
    }

    fn ogg(codec: &[u8]) -> Vec<u8> {
        let mut page = b"OggS".to_vec();
        page.resize(28, 0);
        head(&[&page, codec].concat())
    }

    fn zip(entry: &str) -> Vec<u8> {
        let mut zip = b"PK\x03\x04".to_vec();
        zip.resize(0x1a, 0);
        zip.extend(u16::try_from(entry.len()).unwrap().to_le_bytes());
        zip.extend([0, 0]);
        zip.extend(entry.as_bytes());
        head(&zip)
    }

    fn samples() -> Vec<(Vec<u8>, &'static str, Kind)> {
        let ebml = |kind: &[u8]| head(&[b"\x1a\x45\xdf\xa3\x93\x42\x82", kind].concat());
        vec![
            (head(b"\xff\xd8\xff\xe0\0\x10JFIF"), "image/jpeg", Kind::Image),
            (head(b"\x89PNG\r\n\x1a\n"), "image/png", Kind::Image),
            (head(b"GIF89a"), "image/gif", Kind::Image),
            (head(b"RIFF\0\0\0\0WEBPVP8 "), "image/webp", Kind::Image),
            (ftyp(b"heic"), "image/heic", Kind::Document),
            (ftyp(b"isom"), MP4, Kind::Video),
            (ftyp(b"mp42"), MP4, Kind::Video),
            (ftyp(b"M4V "), MP4, Kind::Video),
            (ftyp(b"qt  "), "video/quicktime", Kind::Video),
            (ftyp(b"3gp4"), THREE_GPP, Kind::Video),
            (ebml(b"\x84webm"), WEBM, Kind::Document),
            (ebml(b"\x88matroska"), "video/x-matroska", Kind::Document),
            (head(b"ID3\x04"), "audio/mpeg", Kind::Audio),
            (head(b"\xff\xfb\x90"), "audio/mpeg", Kind::Audio),
            (head(b"\xff\xf1\x50"), "audio/aac", Kind::Audio),
            (ftyp(b"M4A "), "audio/mp4", Kind::Audio),
            (head(b"#!AMR\n"), "audio/amr", Kind::Audio),
            (ogg(b"OpusHead"), VOICE, Kind::Audio),
            (ogg(b"\x01vorbis"), "audio/ogg", Kind::Document),
            (head(b"RIFF\0\0\0\0WAVEfmt "), "audio/wav", Kind::Document),
            (head(b"fLaC"), "audio/flac", Kind::Document),
            (head(b"%PDF-1.7"), "application/pdf", Kind::Document),
            (zip("a.txt"), "application/zip", Kind::Document),
            (
                zip("word/document.xml"),
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
                Kind::Document,
            ),
            (b"Guten Tag, Z\xc3\xbcrich\n".to_vec(), "text/plain", Kind::Document),
            (b"{\"a\": 1}".to_vec(), "text/plain", Kind::Document),
            (b"<!DOCTYPE html><html>".to_vec(), "text/plain", Kind::Document),
            (head(b"\x01\x02\x03\x04"), UNKNOWN, Kind::Document),
            (b"\0".to_vec(), UNKNOWN, Kind::Document),
        ]
    }

    #[test]
    fn the_content_decides_what_a_file_is_and_what_it_is_sent_as() {
        for (head, expected, kind) in samples() {
            let found = decide(&head, &Asked::default()).unwrap();
            assert_eq!((found.mime.as_str(), found.kind), (expected, kind));
        }
    }

    #[test]
    fn anything_can_be_a_document_and_only_what_fits_anything_else() {
        for (head, mime, _) in samples() {
            let sent_as = |kind| decide(&head, &Asked { kind: Some(kind), ..Asked::default() });
            assert!(sent_as(Kind::Document).is_ok(), "{mime}");
            assert_eq!(sent_as(Kind::Image).is_ok(), mime.starts_with("image/"), "{mime}");
            assert_eq!(sent_as(Kind::Video).is_ok(), mime.starts_with("video/"), "{mime}");
            assert_eq!(sent_as(Kind::Audio).is_ok(), mime.starts_with("audio/"), "{mime}");
            assert_eq!(sent_as(Kind::Voice).is_ok(), mime == VOICE, "{mime}");
            assert_eq!(sent_as(Kind::Contact), Err(BadKind::NoFile(Kind::Contact)));
        }
    }

    #[test]
    fn a_mime_type_that_is_given_names_a_document_and_nothing_that_is_played() {
        let asked = Asked { mime: Some("text/csv".into()), ..Asked::default() };
        assert_eq!(decide(b"a,b\n", &asked).unwrap().mime, "text/csv");
        assert_eq!(decide(&head(b"GIF89a"), &asked).unwrap().mime, "image/gif");
    }

    #[test]
    fn a_text_that_is_cut_within_a_character_is_a_text() {
        let mut text = "x".repeat(HEAD_BYTES - 1).into_bytes();
        text.push(0xc3);
        assert_eq!(mime(&text), "text/plain");
        text.push(0xff);
        assert_eq!(mime(&text), UNKNOWN);
    }
}
