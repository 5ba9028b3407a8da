//! What a message carries, checked: exactly one of a text, a file, a place and a contact,
//! and each within its bounds. Opens and reads nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::checks::{check_text, invalid};
use tetherd_api::number::parse_number;
use tetherd_api::{
    CAPTION_CHARS_MAX, ContactCard, Error, ErrorKind, FILE_NAME_BYTES_MAX, FileParams,
    INLINE_FILE_BYTES_MAX, Kind, LinkPreview, Location, Redacted, SendParams, URL_BYTES_MAX,
};

/// Longest name or address of a place or person, title or description of a link.
const NAME_CHARS_MAX: usize = 1_024;
/// Most numbers of a contact.
const PHONES_MAX: usize = 20;
/// Longest vCard, in bytes.
const VCARD_BYTES_MAX: usize = 32 * 1024;
/// Largest thumbnail, in bytes after decoding.
const THUMBNAIL_BYTES_MAX: usize = 64 * 1024;
/// What helps against a file's own name.
const OTHER_NAME: &str = "name it for the recipient with --name (`file.name`)";
/// Longest MIME type, in bytes.
const MIME_BYTES_MAX: usize = 127;

/// What is to be sent.
pub(super) enum Content {
    /// A text, or a place or contact as JSON.
    Plain(Kind, String),
    /// A file that is yet to be copied, and its caption.
    File(FileParams, Option<Redacted<String>>),
}

/// Takes the content out of the parameters.
pub(super) fn of(params: &mut SendParams) -> Result<Content, Error> {
    let SendParams { text, file, location, contact, preview, .. } = params;
    let content = match (text.take(), file.take(), location.take(), contact.take()) {
        (Some(text), None, None, None) => {
            check_text(&text)?;
            if let Some(preview) = preview {
                check_preview(preview, &text)?;
            }
            return Ok(Content::Plain(Kind::Text, text.0));
        }
        (None, Some(mut file), None, None) => {
            check_file(&file)?;
            let caption = file.caption.take().filter(|caption| !is_blank(caption));
            Content::File(file, caption)
        }
        (None, None, Some(place), None) => {
            check_place(&place)?;
            Content::Plain(Kind::Location, json(&place)?)
        }
        (None, None, None, Some(card)) => {
            check_card(&card)?;
            Content::Plain(Kind::Contact, json(&card)?)
        }
        (None, None, None, None) => {
            return Err(invalid("give `text`, `file`, `location` or `contact`"));
        }
        _ => {
            let sentence = "give exactly one of `text`, `file`, `location` and `contact`";
            return Err(invalid(sentence).remedy("a file's own text is its `file.caption`"));
        }
    };
    if preview.is_some() {
        return Err(invalid("`preview` goes with `text` only"));
    }
    Ok(content)
}

/// As a body, or a part of a digest.
pub(super) fn json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| {
        tracing::error!(%error, "a content cannot be written as JSON");
        Error::new(ErrorKind::InternalError, "a bug in tetherd: the content cannot be written")
    })
}

/// A file inside the request.
pub(super) fn decoded(base64: &str) -> Result<Vec<u8>, Error> {
    let too_large = || {
        let sentence = format!("a file in base64 has at most {INLINE_FILE_BYTES_MAX} bytes");
        Error::new(ErrorKind::FileTooLarge, sentence).remedy("pass a descriptor instead")
    };
    if base64.len() > INLINE_FILE_BYTES_MAX.div_ceil(3) * 4 {
        return Err(too_large());
    }
    let bytes = STANDARD
        .decode(base64)
        .map_err(|_| Error::new(ErrorKind::BadFile, "`file.base64` is not base64 with padding"))?;
    if bytes.len() > INLINE_FILE_BYTES_MAX { Err(too_large()) } else { Ok(bytes) }
}

fn check_file(file: &FileParams) -> Result<(), Error> {
    let FileParams { fd, base64, url, kind, name, mime, caption } = file;
    let caption = caption.as_deref().filter(|caption| !is_blank(caption));
    let given = [fd.is_some(), base64.is_some(), url.is_some()];
    if given.into_iter().filter(|given| *given).count() != 1 {
        return Err(invalid("give exactly one of `file.fd`, `file.base64` and `file.url`"));
    }
    if let Some(kind) = kind.filter(|kind| !kind.has_file()) {
        let sentence = format!("a file is not sent as `{}`", kind.name());
        return Err(Error::new(ErrorKind::BadFile, sentence)
            .remedy("`as` is image, video, audio, voice or document"));
    }
    if url.as_ref().is_some_and(|url| url.len() > URL_BYTES_MAX) {
        let sentence = format!("an address has at most {URL_BYTES_MAX} bytes");
        return Err(Error::new(ErrorKind::BadUrl, sentence));
    }
    if let Some(name) = name {
        check_name(name)?;
    }
    if mime.as_ref().is_some_and(|mime| !is_mime(mime)) {
        return Err(invalid("`file.mime` is a type and a subtype, like text/csv"));
    }
    if caption.is_some_and(|caption| caption.chars().count() > CAPTION_CHARS_MAX) {
        let sentence = format!("a caption has at most {CAPTION_CHARS_MAX} characters");
        return Err(Error::new(ErrorKind::BadText, sentence).remedy("send the text by itself"));
    }
    if caption.is_some() && matches!(kind, Some(Kind::Audio | Kind::Voice)) {
        return Err(invalid("an audio file or voice message has no caption"));
    }
    Ok(())
}

/// It ends up on somebody's disk: without folders, and without what steers a terminal.
fn check_name(name: &str) -> Result<(), Error> {
    let bad = |c: char| c.is_control() || matches!(c, '/' | '\\');
    if name.is_empty() || name.len() > FILE_NAME_BYTES_MAX || name.chars().any(bad) {
        let sentence =
            format!("a file's name has 1 to {FILE_NAME_BYTES_MAX} bytes, and no folders");
        return Err(invalid(sentence).remedy(OTHER_NAME));
    }
    if matches!(name, "." | "..") {
        return Err(invalid("a file's name is not that of a folder").remedy(OTHER_NAME));
    }
    Ok(())
}

/// Nothing that anybody sees: blanks, and characters without a width.
fn is_blank(text: &str) -> bool {
    let unseen = |c: char| {
        let no_width = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}');
        c.is_whitespace() || c.is_control() || no_width || matches!(c, '\u{2800}' | '\u{3164}')
    };
    text.chars().all(unseen)
}

fn is_mime(mime: &str) -> bool {
    let named = |part: &str| {
        let first = part.split(';').next().unwrap_or_default().trim_end();
        !first.is_empty()
            && first.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b))
    };
    let printable = mime.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    let parts = mime.split_once('/');
    mime.len() <= MIME_BYTES_MAX
        && printable
        && parts.is_some_and(|(kind, rest)| !kind.contains(';') && named(kind) && named(rest))
}

fn check_place(place: &Location) -> Result<(), Error> {
    let Location { latitude, longitude, name, address } = place;
    if !(-90.0..=90.0).contains(&latitude.0) || !(-180.0..=180.0).contains(&longitude.0) {
        return Err(invalid("`latitude` is -90 to 90 and `longitude` -180 to 180, in degrees"));
    }
    check_words("location.name", name.as_deref())?;
    check_words("location.address", address.as_deref())
}

fn check_card(card: &ContactCard) -> Result<(), Error> {
    let ContactCard { name, phones, vcard } = card;
    check_words("contact.name", Some(name))?;
    if vcard.is_some() != phones.is_empty() {
        return Err(invalid("a contact has either `phones` or a `vcard`"));
    }
    if phones.len() > PHONES_MAX {
        return Err(invalid(format!("a contact has at most {PHONES_MAX} `phones`")));
    }
    for phone in phones {
        parse_number(phone).map_err(|error| invalid(format!("`contact.phones`: {error}")))?;
    }
    if let Some(vcard) = vcard {
        let lines = vcard.trim();
        let whole = lines.starts_with("BEGIN:VCARD") && lines.ends_with("END:VCARD");
        if !whole || vcard.len() > VCARD_BYTES_MAX {
            return Err(invalid(format!(
                "a `vcard` begins with BEGIN:VCARD, ends with END:VCARD, and has at most \
                 {VCARD_BYTES_MAX} bytes"
            )));
        }
    }
    Ok(())
}

fn check_preview(preview: &LinkPreview, text: &str) -> Result<(), Error> {
    let LinkPreview { url, title, description, thumbnail } = preview;
    let web = url.starts_with("https://") || url.starts_with("http://");
    if !web || url.len() > URL_BYTES_MAX || !text.contains(&**url) {
        return Err(invalid("`preview.url` is an http or https link that stands in the text"));
    }
    check_words("preview.title", Some(title))?;
    check_words("preview.description", description.as_deref())?;
    if let Some(thumbnail) = thumbnail {
        let fits = thumbnail.len() <= THUMBNAIL_BYTES_MAX.div_ceil(3) * 4;
        let jpeg = fits.then(|| STANDARD.decode(&**thumbnail).ok()).flatten();
        if !jpeg.is_some_and(|jpeg| jpeg.starts_with(&[0xff, 0xd8, 0xff])) {
            let sentence =
                format!("`preview.thumbnail` is a JPEG of at most {THUMBNAIL_BYTES_MAX} bytes");
            return Err(invalid(sentence));
        }
    }
    Ok(())
}

fn check_words(field: &str, words: Option<&str>) -> Result<(), Error> {
    let Some(words) = words else { return Ok(()) };
    if words.trim().is_empty() || words.chars().count() > NAME_CHARS_MAX {
        return Err(invalid(format!("`{field}` has 1 to {NAME_CHARS_MAX} characters")));
    }
    Ok(())
}
