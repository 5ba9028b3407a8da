//! What a recipient sees of a message besides its text: its file, opened and checked, its
//! place, contact or link. And the same the other way: files that people send.

use std::io::Write;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use whatsapp_rust::buffa::MessageField;
use whatsapp_rust::wacore::download::{DownloadUtils, Downloadable};
use whatsapp_rust::wacore::upload::encrypt_media;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::waproto::whatsapp::message as kinds;

use super::about;
use super::media::{Files, direct_path, token_of};

/// The message inside its wrapper.
pub(super) fn inner(message: &wa::Message) -> &wa::Message {
    message
        .document_with_caption_message
        .as_option()
        .and_then(|wrapper| wrapper.message.as_option())
        .unwrap_or(message)
}

/// The text that belongs to a file, or none.
pub(super) fn caption(message: &wa::Message) -> Option<String> {
    let message = inner(message);
    let image = message.image_message.as_option().and_then(|image| image.caption.clone());
    let video = message.video_message.as_option().and_then(|video| video.caption.clone());
    let document = message.document_message.as_option();
    image.or(video).or_else(|| document.and_then(|document| document.caption.clone()))
}

/// What is seen of it; null for a plain text. `files`: open the file too.
pub(super) fn shown(message: &wa::Message, files: Option<&Files>) -> Value {
    let wrapped = message.document_with_caption_message.is_set();
    let message = inner(message);
    if let Some(image) = message.image_message.as_option() {
        let about = json!({
            "kind": "image", "mime": image.mimetype, "caption": image.caption,
            "width": image.width, "height": image.height,
            "context": about::context(image.context_info.as_option()),
        });
        return with_file(about, image, files);
    }
    if let Some(video) = message.video_message.as_option() {
        let about = json!({ "kind": "video", "mime": video.mimetype, "caption": video.caption });
        return with_file(about, video, files);
    }
    if let Some(audio) = message.audio_message.as_option() {
        let kind = if audio.ptt == Some(true) { "voice" } else { "audio" };
        let about = json!({ "kind": kind, "mime": audio.mimetype, "seconds": audio.seconds });
        return with_file(about, audio, files);
    }
    if let Some(document) = message.document_message.as_option() {
        let about = json!({
            "kind": "document", "mime": document.mimetype, "caption": document.caption,
            "file_name": document.file_name, "title": document.title, "wrapped": wrapped,
        });
        return with_file(about, document, files);
    }
    without_file(message)
}

fn without_file(message: &wa::Message) -> Value {
    if let Some(place) = message.location_message.as_option() {
        return json!({
            "kind": "location", "latitude": place.degrees_latitude,
            "longitude": place.degrees_longitude, "name": place.name, "address": place.address,
        });
    }
    if let Some(contact) = message.contact_message.as_option() {
        return json!({
            "kind": "contact", "name": contact.display_name, "vcard": contact.vcard,
        });
    }
    let about = about::shown(message);
    if !about.is_null() {
        return about;
    }
    match message.extended_text_message.as_option() {
        Some(text) if text.matched_text.is_some() => json!({
            "kind": "link", "url": text.matched_text, "title": text.title,
            "description": text.description,
            "thumbnail_bytes": text.jpeg_thumbnail.as_ref().map(Vec::len),
        }),
        Some(text) => {
            let context = about::context(text.context_info.as_option());
            if context.is_null() { context } else { json!({ "kind": "text", "context": context }) }
        }
        None => Value::Null,
    }
}

fn with_file(mut about: Value, file: &dyn Downloadable, files: Option<&Files>) -> Value {
    let Some(files) = files else { return about };
    match open(file, files) {
        Ok((bytes, sha256)) => {
            about["bytes"] = json!(bytes);
            about["sha256"] = json!(sha256);
        }
        Err(why) => about["error"] = json!(why),
    }
    about
}

/// Hashes what is written.
struct Hashing(Sha256);

impl Write for Hashing {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        self.0.update(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Fetches it from the host, and checks everything that a client checks.
fn open(file: &dyn Downloadable, files: &Files) -> Result<(u64, String), &'static str> {
    let enc_sha256 = file.file_enc_sha256().ok_or("no hash of the encrypted file")?;
    let token = token_of(enc_sha256);
    if file.direct_path() != Some(direct_path(&token).as_str()) {
        return Err("it says another place");
    }
    let sealed = files.get(&token).ok_or("it is not on the host")?;
    if Sha256::digest(sealed.as_slice())[..] != *enc_sha256 {
        return Err("the encrypted file has another hash");
    }
    let key = file.media_key().ok_or("no key")?;
    let mut plain = Hashing(Sha256::new());
    let bytes = DownloadUtils::decrypt_stream_to_writer(
        sealed.as_slice(),
        key,
        file.app_info(),
        &mut plain,
    );
    let bytes = bytes.map_err(|_| "it does not open")?;
    let sha256 = plain.0.finalize();
    if file.file_sha256() != Some(&sha256[..]) || file.file_length() != Some(bytes) {
        return Err("the content has another hash or length");
    }
    Ok((bytes, hex::encode(sha256)))
}

/// A file that somebody sends.
#[derive(Clone, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentFile {
    /// `image`, `video`, `audio`, `voice` or `document`.
    pub kind: String,
    /// Its MIME type.
    pub mime: String,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// The text under it.
    #[serde(default)]
    pub caption: Option<String>,
    /// The content, base64.
    #[serde(default)]
    pub base64: Option<String>,
    /// Or this many bytes, each its place's number modulo 251.
    #[serde(default)]
    pub bytes: usize,
}

impl std::fmt::Debug for SentFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SentFile").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl SentFile {
    fn content(&self) -> Option<Vec<u8>> {
        use base64::Engine as _;
        match &self.base64 {
            Some(text) => base64::engine::general_purpose::STANDARD.decode(text).ok(),
            None => Some((0..self.bytes).map(|at| u8::try_from(at % 251).unwrap_or(0)).collect()),
        }
    }

    /// Encrypts it and puts it on the host. None: no such kind, or no content.
    pub(super) fn message(&self, files: &Files) -> Option<wa::Message> {
        let content = self.content()?;
        let mut message = self.empty()?;
        let media = media_type(&message)?;
        let sealed = encrypt_media(&content, media).ok()?;
        let token = token_of(&sealed.file_enc_sha256);
        files.put(&token, sealed.data_to_upload);
        let place = direct_path(&token);
        macro_rules! fill {
            ($($field:ident),*) => {$(
                if let Some(file) = message.$field.as_option_mut() {
                    file.direct_path = Some(place.clone());
                    file.media_key = Some(sealed.media_key.to_vec());
                    file.file_sha256 = Some(sealed.file_sha256.to_vec());
                    file.file_enc_sha256 = Some(sealed.file_enc_sha256.to_vec());
                    file.file_length = Some(content.len() as u64);
                    file.mimetype = Some(self.mime.clone());
                }
            )*};
        }
        fill!(image_message, video_message, audio_message, document_message);
        Some(message)
    }

    /// The message without what its file is.
    fn empty(&self) -> Option<wa::Message> {
        let caption = self.caption.clone();
        let mut message = wa::Message::default();
        match self.kind.as_str() {
            "image" => {
                let image = kinds::ImageMessage { caption, ..Default::default() };
                message.image_message = MessageField::some(image);
            }
            "video" => {
                let video = kinds::VideoMessage { caption, ..Default::default() };
                message.video_message = MessageField::some(video);
            }
            "audio" | "voice" => {
                let ptt = Some(self.kind == "voice");
                let audio = kinds::AudioMessage { ptt, ..Default::default() };
                message.audio_message = MessageField::some(audio);
            }
            "document" => {
                let file_name = self.name.clone();
                let document = kinds::DocumentMessage { caption, file_name, ..Default::default() };
                message.document_message = MessageField::some(document);
            }
            _ => return None,
        }
        Some(message)
    }
}

fn media_type(message: &wa::Message) -> Option<whatsapp_rust::wacore::download::MediaType> {
    let image = message.image_message.as_option().map(Downloadable::app_info);
    let video = message.video_message.as_option().map(Downloadable::app_info);
    let audio = message.audio_message.as_option().map(Downloadable::app_info);
    let document = message.document_message.as_option().map(Downloadable::app_info);
    image.or(video).or(audio).or(document)
}
