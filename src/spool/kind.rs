//! What a file is, by its content, and what it can be sent as. Believes a caller's MIME type
//! only where that changes nothing about how the file is sent, and a name or a server only
//! where the content does not contradict them.

use super::error::of_a;
use super::extension::{self, Container, EXCEL, SLIDES, WORD};
use super::tracks::Tracks;
use tetherd_api::{Kind, Redacted};

/// How much of a file's beginning is looked at, in bytes: Office's ZIP files name their
/// parts within it.
pub const HEAD_BYTES: usize = 8 * 1024;

/// The MIME type of what nobody knows.
pub const UNKNOWN: &str = "application/octet-stream";
/// The MIME type of a text of which no more is known.
const TEXT: &str = "text/plain";
/// The MIME type of a voice message, as phones write it.
pub const VOICE: &str = "audio/ogg; codecs=opus";

const ZIP: &str = "application/zip";
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
    /// What came with it, if a server sent it.
    pub served: Option<Served>,
}

/// What is known of a file that was fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// The type that the server named.
    pub mime: Option<String>,
    /// The name in the address that was asked, before redirects.
    pub asked_name: Option<Redacted<String>>,
    /// The file's name is only that of an address: the server's type counts more.
    pub name_is_of_address: bool,
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
    /// Phones neither show nor play such a file.
    #[error("the file is {mime}, which phones do not take as {}", of_a(*.asked))]
    NotShown {
        /// As what it was to be sent: an image, a video, an audio file.
        asked: Kind,
        /// What it is.
        mime: String,
    },
    /// A web page came in place of the file that was named.
    #[error("the server answered with a page, not with the file")]
    Page,
    /// A text came in place of the file that was named.
    #[error("the server answered with a text, not with the file")]
    NotTheFile,
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
            BadKind::NotShown { asked: Kind::Video, .. } => {
                "phones play MP4 and 3GP: ffmpeg -i FILE -c:v libx264 -c:a aac video.mp4, or send \
                 it as a document"
            }
            BadKind::NotShown { asked: Kind::Audio, .. } => {
                "phones play MP3, AAC, AMR and Opus in Ogg: ffmpeg -i FILE audio.mp3, or send it \
                 as a document"
            }
            BadKind::NotShown { .. } => {
                "phones show JPEG, PNG, GIF and WebP: convert it, or send it as a document"
            }
            BadKind::Page | BadKind::NotTheFile => {
                "look at the address in a browser that is not logged in"
            }
            BadKind::NoFile(_) => "as is image, video, audio, voice or document",
        }
    }
}

/// What a file that begins like this, and has these tracks, is sent as.
pub(super) fn decide(head: &[u8], tracks: &Tracks, asked: &Asked) -> Result<Found, BadKind> {
    let found = mime(head, tracks);
    if let Some(served) = &asked.served {
        check_served(head, found, served, asked)?;
    }
    let Some(kind) = asked.kind else {
        let kind = usual_kind(found);
        return Ok(Found { kind, mime: named(kind, head, found, asked) });
    };
    let fits = match kind {
        Kind::Image | Kind::Video | Kind::Audio => usual_kind(found) == kind,
        Kind::Voice => found == VOICE,
        Kind::Document => true,
        Kind::Text
        | Kind::Location
        | Kind::Contact
        | Kind::Reaction
        | Kind::Edit
        | Kind::Revoke => return Err(BadKind::NoFile(kind)),
    };
    if fits {
        Ok(Found { kind, mime: named(kind, head, found, asked) })
    } else if found.split_once('/').is_some_and(|(family, _)| family == kind.name()) {
        Err(BadKind::NotShown { asked: kind, mime: found.to_owned() })
    } else {
        Err(BadKind::Mismatch { asked: kind, mime: found.to_owned() })
    }
}

/// The kinds that a file may turn out to be that begins like this. None: its beginning says
/// which.
pub(super) fn depends_on_tracks(head: &[u8]) -> Option<[Kind; 2]> {
    let film = boxed(head).is_some_and(|mime| !mime.starts_with("image/"));
    film.then_some([Kind::Video, Kind::Audio])
}

/// A server that has not got the file, or wants a login, often answers 200 with a page. That
/// is no file where the name or the caller says what should come.
fn check_served(head: &[u8], found: &str, served: &Served, asked: &Asked) -> Result<(), BadKind> {
    if found != TEXT {
        return Ok(());
    }
    // A name that somebody gave counts more than the address.
    let given = asked.name.as_deref().filter(|_| !served.name_is_of_address);
    let given = given.filter(|name| extension::of_name(name).is_some());
    let names = match given {
        Some(name) => [Some(name), None],
        None => [asked.name.as_deref(), served.asked_name.as_deref()],
    };
    let said = names.into_iter().flatten().filter_map(extension::of_name);
    let mut said = said.chain(asked.mime.as_deref().and_then(extension::of_mime));
    let played = asked.kind.is_some_and(|kind| kind != Kind::Document);
    if is_page(head) && (played || said.any(|(_, mime)| !extension::may_be_a_page(mime))) {
        return Err(BadKind::Page);
    }
    let no_text = |(container, _)| matches!(container, Container::Marked | Container::Zip);
    if played || said.any(no_text) { Err(BadKind::NotTheFile) } else { Ok(()) }
}

/// A web page, and not a table or a text that Office wrote as one.
fn is_page(head: &[u8]) -> bool {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let mut rest = head.trim_start_matches('\u{feff}').trim_start();
    while let Some(comment) = rest.strip_prefix("<!--").or_else(|| rest.strip_prefix("<?xml")) {
        let end = if rest.starts_with("<!--") { "-->" } else { "?>" };
        let Some((_, after)) = comment.split_once(end) else { return false };
        rest = after.trim_start();
    }
    let begins = ["<!doctype html", "<html", "<head", "<body"];
    begins.iter().any(|tag| rest.starts_with(tag)) && !rest.contains("urn:schemas-microsoft-com")
}

/// What is sent under its own kind: what phones show or play by themselves. The rest
/// arrives whole as a document.
fn usual_kind(mime: &str) -> Kind {
    match mime {
        "image/jpeg" | "image/png" | "image/gif" | "image/webp" => Kind::Image,
        MP4 | THREE_GPP | "video/quicktime" => Kind::Video,
        "audio/mpeg" | "audio/aac" | "audio/mp4" | "audio/3gpp" | "audio/amr" | VOICE => {
            Kind::Audio
        }
        _ => Kind::Document,
    }
}

/// A document is what its sender says, else what its name or the server says where the
/// content leaves that open; anything else has to be played, and is what it is.
fn named(kind: Kind, head: &[u8], found: &str, asked: &Asked) -> String {
    if kind != Kind::Document {
        return found.to_owned();
    }
    if let Some(mime) = &asked.mime {
        return mime.clone();
    }
    let by_name = asked.name.as_deref().and_then(extension::of_name);
    let served = asked.served.as_ref();
    let by_server = served.and_then(|served| extension::of_mime(served.mime.as_deref()?));
    // What many servers say of whatever they do not know.
    let by_server = by_server.filter(|(_, mime)| match *mime {
        TEXT => false,
        "text/html" => is_page(head),
        _ => true,
    });
    let of_address = served.is_some_and(|served| served.name_is_of_address);
    let said = if of_address { [by_server, by_name] } else { [by_name, by_server] };
    let fits = said.into_iter().flatten().find(|said| extension::may_be(found, *said));
    fits.map_or(found, |(_, mime)| mime).to_owned()
}

/// The MIME type of a file that begins like this, and has these tracks.
fn mime(head: &[u8], tracks: &Tracks) -> &'static str {
    // Before the table, which knows fewer of these brands.
    match boxed(head) {
        Some(film) if film.starts_with("video/") && tracks.sound && !tracks.video => {
            return if tracks.amr { "audio/3gpp" } else { "audio/mp4" };
        }
        Some(mime) => return mime,
        None => {}
    }
    if let Some(mime) = matroska(head) {
        return mime;
    }
    if slow_mp3(head) {
        return "audio/mpeg";
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
        // The table looks at the first parts only, and programs order them as they like.
        ZIP => office(head).unwrap_or(ZIP),
        other => other,
    }
}

/// An ISO base media file by its brand: MP4, QuickTime, 3GP, M4A, HEIC.
fn boxed(head: &[u8]) -> Option<&'static str> {
    if head.get(4..8)? != b"ftyp" {
        return None;
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

/// The Office file that a ZIP file's parts make it, as far as they are named in its beginning.
fn office(head: &[u8]) -> Option<&'static str> {
    // APPNOTE.TXT 4.3.7: the mark, 22 bytes of facts, two lengths, the name.
    let parts = head.windows(30).enumerate().filter(|(_, part)| part.starts_with(b"PK\x03\x04"));
    let mut names = parts.filter_map(|(at, _)| head.get(at.checked_add(30)?..));
    names.find_map(|name| {
        let folders = [(b"word/".as_slice(), WORD), (b"xl/", EXCEL), (b"ppt/", SLIDES)];
        folders.into_iter().find(|(folder, _)| name.starts_with(folder)).map(|(_, mime)| mime)
    })
}

/// A frame of MPEG 2.5, layer III, as recorders of calls write it: 8 to 12 kHz. The bits after
/// its mark say a rate and a frequency that exist.
fn slow_mp3(head: &[u8]) -> bool {
    let &[0xff, 0xe2 | 0xe3, rates, ..] = head else { return false };
    !matches!(rates >> 4, 0 | 15) && rates & 0x0c != 0x0c
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
    if valid.is_empty() || !valid.chars().all(plain) { UNKNOWN } else { TEXT }
}

#[cfg(test)]
mod tests;
