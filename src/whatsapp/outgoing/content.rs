//! A message of each kind as the network has it. Builds, and reads nothing but what it
//! is given: a file is on the media host before.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use whatsapp_rust::buffa::MessageField;
use whatsapp_rust::wacore::proto_helpers::MessageExt as _;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::waproto::whatsapp::message as kinds;

use super::about::{self, Names};
use tetherd_api::{ContactCard, FileInfo, Kind, LinkPreview, Location};
use tetherd_core::action::Outgoing;
use tetherd_core::event::Body;
use tetherd_core::files::MediaRef;

/// The largest thumbnail of a link that goes into a message, in bytes.
const THUMBNAIL_BYTES_MAX: usize = 64 * 1024;
/// The name of a document that has none.
const NAMELESS: &str = "file";

/// What a file is, and where it lies on the media host.
type File<'a> = (&'a FileInfo, &'a MediaRef);

/// The message; none: it cannot be built, however often it is tried.
pub(crate) fn message(out: &Outgoing, body: &Body, names: &Names) -> Option<wa::Message> {
    let file = || Some((&out.draft.file.as_ref()?.info, out.media.as_deref()?));
    let target = || out.draft.target.as_ref();
    let message = match out.draft.kind {
        Kind::Text => text(body, out.draft.link.as_ref()),
        Kind::Image => image(file()?, body),
        Kind::Video => video(file()?, body),
        Kind::Audio => audio(file()?, false),
        Kind::Voice => audio(file()?, true),
        Kind::Document => document(file()?, body),
        Kind::Location => location(&serde_json::from_str(&body.0).ok()?),
        Kind::Contact => contact(serde_json::from_str(&body.0).ok()?),
        Kind::Reaction => return Some(about::reaction(target()?, &body.0, names)),
        Kind::Edit => return Some(about::edit(target()?, text(body, None), names)),
        Kind::Revoke => return Some(about::revoke(target()?, names)),
    };
    match about::context(&out.draft, names) {
        Some(context) => with_context(message, context),
        None => Some(message),
    }
}

/// The message with its quote and mentions; none: it cannot carry them.
fn with_context(mut message: wa::Message, context: wa::ContextInfo) -> Option<wa::Message> {
    let wrapped = message.document_with_caption_message.as_option_mut();
    let inner = wrapped.and_then(|wrapper| wrapper.message.as_option_mut());
    let carries = match inner {
        Some(inner) => inner.set_context_info(context),
        None => message.set_context_info(context),
    };
    carries.then_some(message)
}

/// Plain text, as the apps send it to people and groups alike: they use the extended
/// form only for a quote, a mention, a link's preview or disappearing messages.
fn text(body: &Body, link: Option<&LinkPreview>) -> wa::Message {
    let Some(link) = link else {
        return wa::Message { conversation: Some(body.0.to_string()), ..Default::default() };
    };
    let thumbnail = link.thumbnail.as_ref().and_then(|text| STANDARD.decode(&**text).ok());
    let extended = kinds::ExtendedTextMessage {
        text: Some(body.0.to_string()),
        matched_text: Some(link.url.clone().0),
        title: Some(link.title.clone().0),
        description: link.description.clone().map(|text| text.0),
        jpeg_thumbnail: thumbnail.filter(|jpeg| jpeg.len() <= THUMBNAIL_BYTES_MAX),
        ..Default::default()
    };
    wa::Message { extended_text_message: MessageField::some(extended), ..Default::default() }
}

fn caption(body: &Body) -> Option<String> {
    (!body.0.is_empty()).then(|| body.0.to_string())
}

/// One of the network's kinds of files: what all have in common, and the given rest.
macro_rules! with_file {
    ($kind:ident, $media:expr, { $($rest:tt)* }) => {{
        let MediaRef { url, direct_path, media_key, key_made_s, sha256, enc_sha256, bytes, .. } =
            $media.clone();
        kinds::$kind {
            url: Some(url.0),
            direct_path: Some(direct_path.0),
            media_key: Some(media_key.0.to_vec()),
            media_key_timestamp: Some(key_made_s),
            file_sha256: Some(sha256.0.to_vec()),
            file_enc_sha256: Some(enc_sha256.0.to_vec()),
            file_length: Some(bytes),
            $($rest)*
            ..Default::default()
        }
    }};
}

fn image((info, media): File<'_>, body: &Body) -> wa::Message {
    let pixels = media.seen.pixels;
    let image = with_file!(ImageMessage, media, {
        mimetype: Some(info.mime.clone()),
        caption: caption(body),
        width: pixels.map(|(width, _)| width),
        height: pixels.map(|(_, height)| height),
    });
    wa::Message { image_message: MessageField::some(image), ..Default::default() }
}

fn video((info, media): File<'_>, body: &Body) -> wa::Message {
    let video = with_file!(VideoMessage, media, {
        mimetype: Some(info.mime.clone()),
        caption: caption(body),
        seconds: media.seen.seconds,
    });
    wa::Message { video_message: MessageField::some(video), ..Default::default() }
}

fn audio((info, media): File<'_>, voice: bool) -> wa::Message {
    let audio = with_file!(AudioMessage, media, {
        mimetype: Some(sound_type(&info.mime, voice)),
        seconds: media.seen.seconds,
        ptt: Some(voice),
    });
    wa::Message { audio_message: MessageField::some(audio), ..Default::default() }
}

/// Phones play a voice message only if its type names the codec.
fn sound_type(mime: &str, voice: bool) -> String {
    if voice && matches!(mime, "audio/ogg" | "application/ogg" | "audio/opus") {
        "audio/ogg; codecs=opus".to_owned()
    } else {
        mime.to_owned()
    }
}

/// With a caption the apps wrap a document once more; older ones then show that they
/// cannot show it, instead of showing it without its caption.
fn document((info, media): File<'_>, body: &Body) -> wa::Message {
    let name = info.name.as_deref().unwrap_or(NAMELESS);
    let document = with_file!(DocumentMessage, media, {
        mimetype: Some(info.mime.clone()),
        file_name: Some(name.to_owned()),
        title: Some(name.to_owned()),
        caption: caption(body),
    });
    let captioned = document.caption.is_some();
    let bare = wa::Message { document_message: MessageField::some(document), ..Default::default() };
    if !captioned {
        return bare;
    }
    let wrapper = kinds::FutureProofMessage { message: MessageField::some(bare) };
    wa::Message { document_with_caption_message: MessageField::some(wrapper), ..Default::default() }
}

fn location(place: &Location) -> wa::Message {
    let location = kinds::LocationMessage {
        degrees_latitude: Some(place.latitude.0),
        degrees_longitude: Some(place.longitude.0),
        name: place.name.clone().map(|text| text.0),
        address: place.address.clone().map(|text| text.0),
        ..Default::default()
    };
    wa::Message { location_message: MessageField::some(location), ..Default::default() }
}

fn contact(card: ContactCard) -> wa::Message {
    let vcard = card.vcard.clone().unwrap_or_else(|| vcard(&card).into());
    let contact = kinds::ContactMessage {
        display_name: Some(card.name.0),
        vcard: Some(vcard.0),
        ..Default::default()
    };
    wa::Message { contact_message: MessageField::some(contact), ..Default::default() }
}

/// A vCard 3.0 with a name and numbers. `waid` is what makes a phone offer a chat.
fn vcard(card: &ContactCard) -> String {
    let name = escaped(&card.name);
    let mut text = format!("BEGIN:VCARD\nVERSION:3.0\nN:;{name};;;\nFN:{name}\n");
    for phone in &card.phones {
        let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
        text.push_str(&format!("TEL;type=CELL;waid={digits}:+{digits}\n"));
    }
    text.push_str("END:VCARD");
    text
}

/// A value may hold no bare line end, comma, semicolon or backslash.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' | ',' | ';' => text.extend(['\\', c]),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\r' => text.push_str("\\n"),
            _ => text.push(c),
        }
    }
    text
}

#[cfg(test)]
#[path = "../tests/content.rs"]
mod tests;
