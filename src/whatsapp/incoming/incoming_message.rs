//! Turns the library's incoming messages into those of the inbox. Pure.
//!
//! Taken are messages of persons' chats and of groups, those of our own account's other
//! devices included. Not taken: status and channel posts, talk between the account's
//! own devices, and what holds nothing but keys. Edits and revocations are `other`, with the id
//! that they are about.

use whatsapp_rust::wacore::proto_helpers::MessageExt as _;
use whatsapp_rust::wacore::types::message::{MessageCategory, MessageInfo};
use whatsapp_rust::wacore_binary::JidExt as _;
use whatsapp_rust::waproto::codec;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::waproto::whatsapp::message::protocol_message::Type as ProtocolType;
use whatsapp_rust::{Jid, Server};

use crate::inbox::{NewMessage, RemoteFile, RemoteKind, Seen};
use tetherd_api::{
    FILE_NAME_BYTES_MAX, FileInfo, Incoming, IncomingKind, Redacted, TEXT_CHARS_MAX, Time,
};

/// Longest name of a sender, and longest id and MIME type, in characters.
const NAME_CHARS_MAX: usize = 128;
/// Longest path on the media hosts, in bytes; a longer one is nobody's.
const PATH_BYTES_MAX: usize = 2_048;
/// Longest vCard, in characters: what is longer carries a picture.
const VCARD_CHARS_MAX: usize = 16 * 1_024;
/// Bytes of a media key and of a SHA-256.
const KEY_BYTES: usize = 32;

/// The people of a message as they are known: by number where the number is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parties {
    pub(crate) chat: Jid,
    pub(crate) sender: Jid,
    /// The person's username, with its at sign; the message itself does not state it.
    pub(crate) username: Option<Redacted<String>>,
}

impl Parties {
    /// From what the message itself states. A hidden identity whose number it does not
    /// name stays.
    pub(crate) fn of(info: &MessageInfo) -> Parties {
        let source = &info.source;
        let sender = by_number(&source.sender, source.sender_alt.as_ref());
        // A broadcast list shows as a message of its owner.
        let is_list = source.chat.server == Server::Broadcast;
        let chat = if !is_list && (source.is_from_me || source.is_group) {
            let other = source.recipient_alt.as_ref().or(info.peer_recipient_pn.as_ref());
            by_number(&source.chat, other)
        } else {
            sender.clone()
        };
        Parties { chat, sender, username: None }
    }
}

fn by_number(jid: &Jid, other: Option<&Jid>) -> Jid {
    match other {
        Some(other) if jid.server == Server::Lid && other.server == Server::Pn => other.to_non_ad(),
        Some(_) | None => jid.to_non_ad(),
    }
}

/// Whether a chat's messages are taken at all.
pub(crate) fn is_wanted(info: &MessageInfo) -> bool {
    let chat = &info.source.chat;
    let served = match chat.server {
        Server::Pn | Server::Lid | Server::Group | Server::Hosted | Server::HostedLid => true,
        Server::Broadcast => !chat.is_status_broadcast(),
        Server::Newsletter
        | Server::Messenger
        | Server::Interop
        | Server::Bot
        | Server::Legacy
        | Server::Call => false,
    };
    served && !info.id.is_empty() && info.category != MessageCategory::Peer
}

/// The inbox's form of a message; none: nothing in it is for people.
pub(crate) fn new_message(
    message: &wa::Message,
    info: &MessageInfo,
    parties: &Parties,
) -> Option<NewMessage> {
    let source = &info.source;
    let content = content(message.get_base_message())?;
    let (text, cut) = match content.text {
        Some(text) => {
            let (text, cut) = cut(&text, TEXT_CHARS_MAX);
            (Some(text), cut)
        }
        None => (None, false),
    };
    let (file, remote) = match content.media {
        Some(media) => media.split(&source.chat, &source.sender),
        None => (None, None),
    };
    let name = Some(clean(&info.push_name)).filter(|name| !name.is_empty());
    Some(NewMessage {
        seen: seen(info),
        incoming: Incoming {
            cursor: 0,
            wa_id: clean(&info.id),
            chat: Redacted(parties.chat.to_string()),
            sender: Redacted(parties.sender.to_string()),
            from_me: source.is_from_me,
            name: name.map(Into::into),
            username: parties.username.clone(),
            sent_at: Time(info.timestamp.timestamp_millis().clamp(0, Time::MAX.0)),
            received_at: Time(0),
            kind: content.kind,
            text: text.map(Into::into),
            cut,
            geo: content.geo.map(Into::into),
            vcard: content.vcard.map(Into::into),
            file,
            reply_to: content.reply_to.map(|id| clean(&id)).filter(|id| !id.is_empty()),
        },
        remote,
    })
}

/// By the LIDs, where they are stated: the server may deliver a message again under the other
/// names of its people.
fn seen(info: &MessageInfo) -> Seen {
    let source = &info.source;
    let sender = by_lid(&source.sender, source.sender_alt.as_ref());
    let one_to_one = !source.is_group && !source.is_from_me;
    let other = if one_to_one { &source.sender_alt } else { &source.recipient_alt };
    let chat = by_lid(&source.chat, other.as_ref());
    Seen::new(&chat.to_string(), &sender.to_string(), &info.id)
}

fn by_lid(jid: &Jid, other: Option<&Jid>) -> Jid {
    match other {
        Some(other) if jid.server == Server::Pn && other.server == Server::Lid => {
            Jid::lid_device(other.user.clone(), jid.device)
        }
        Some(_) | None => jid.clone(),
    }
}

/// What a message carries.
struct Content {
    kind: IncomingKind,
    text: Option<String>,
    geo: Option<String>,
    vcard: Option<String>,
    media: Option<Media>,
    reply_to: Option<String>,
}

impl Content {
    fn new(
        kind: IncomingKind,
        text: Option<&String>,
        context: Option<&wa::ContextInfo>,
    ) -> Content {
        Content {
            kind,
            text: text.cloned(),
            geo: None,
            vcard: None,
            media: None,
            reply_to: context.and_then(|context| context.stanza_id.clone()),
        }
    }

    fn with(mut self, media: Media) -> Option<Content> {
        self.media = Some(media);
        Some(self)
    }
}

/// What a file message states about its file.
struct Media {
    kind: RemoteKind,
    mime: Option<String>,
    name: Option<String>,
    bytes: Option<u64>,
    sha256: Option<Vec<u8>>,
    sealed_sha256: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
    path: Option<String>,
}

impl Media {
    /// What callers get, and what its file is fetched by, if that is whole.
    fn split(self, chat: &Jid, sender: &Jid) -> (Option<FileInfo>, Option<RemoteFile>) {
        let whole = |bytes: &Vec<u8>| bytes.len() == KEY_BYTES;
        let sha256 = self.sha256.filter(whole);
        let bytes = self.bytes.unwrap_or(0);
        let info = FileInfo {
            bytes,
            mime: self.mime.as_deref().map(clean).unwrap_or_default(),
            sha256: sha256.as_deref().map(hex::encode).unwrap_or_default().into(),
            name: self
                .name
                .as_deref()
                .map(file_name)
                .filter(|name| !name.is_empty())
                .map(Into::into),
        };
        let remote = || {
            Some(RemoteFile {
                kind: self.kind,
                path: self.path.filter(|path| !path.is_empty() && path.len() <= PATH_BYTES_MAX)?,
                key: self.key.filter(whole)?,
                sha256: sha256?,
                sealed_sha256: self.sealed_sha256.filter(whole)?,
                bytes,
                chat: chat.to_string(),
                sender: sender.to_string(),
            })
        };
        (Some(info), remote())
    }
}

macro_rules! media {
    ($message:expr, $kind:ident, $name:expr) => {
        Media {
            kind: RemoteKind::$kind,
            mime: $message.mimetype.clone(),
            name: $name,
            bytes: $message.file_length,
            sha256: $message.file_sha256.clone(),
            sealed_sha256: $message.file_enc_sha256.clone(),
            key: $message.media_key.clone(),
            path: $message.direct_path.clone(),
        }
    };
}

/// What it carries; none: nothing to report.
fn content(message: &wa::Message) -> Option<Content> {
    if let Some(protocol) = message.protocol_message.as_option() {
        return about_another(protocol);
    }
    if let Some(text) = &message.conversation {
        return Some(Content::new(IncomingKind::Text, Some(text), None));
    }
    if let Some(extended) = message.extended_text_message.as_option() {
        let context = extended.context_info.as_option();
        return Some(Content::new(IncomingKind::Text, extended.text.as_ref(), context));
    }
    if let Some(reaction) = message.reaction_message.as_option() {
        let mut content = Content::new(IncomingKind::Reaction, reaction.text.as_ref(), None);
        content.text.get_or_insert_default();
        content.reply_to = reaction.key.as_option().and_then(|key| key.id.clone());
        return Some(content);
    }
    file(message).or_else(|| place(message)).or_else(|| contact(message)).or_else(|| rest(message))
}

/// A protocol message: an edit or a revocation is for people, everything else is between
/// programs.
fn about_another(protocol: &wa::message::ProtocolMessage) -> Option<Content> {
    match protocol.r#type {
        Some(ProtocolType::MESSAGE_EDIT | ProtocolType::REVOKE) => {
            let mut content = Content::new(IncomingKind::Other, None, None);
            content.reply_to = protocol.key.as_option().and_then(|key| key.id.clone());
            Some(content)
        }
        Some(_) => None,
        // The first type is the default on the wire.
        None => None,
    }
}

fn file(message: &wa::Message) -> Option<Content> {
    if let Some(image) = message.image_message.as_option() {
        let context = image.context_info.as_option();
        return Content::new(IncomingKind::Image, image.caption.as_ref(), context)
            .with(media!(image, Image, None));
    }
    let film = message.video_message.as_option().or_else(|| message.ptv_message.as_option());
    if let Some(film) = film {
        let context = film.context_info.as_option();
        return Content::new(IncomingKind::Video, film.caption.as_ref(), context)
            .with(media!(film, Video, None));
    }
    if let Some(audio) = message.audio_message.as_option() {
        let voice = audio.ptt.unwrap_or(false);
        let kind = if voice { IncomingKind::Voice } else { IncomingKind::Audio };
        return Content::new(kind, None, audio.context_info.as_option())
            .with(media!(audio, Audio, None));
    }
    if let Some(document) = message.document_message.as_option() {
        let name = document.file_name.clone().or_else(|| document.title.clone());
        let context = document.context_info.as_option();
        return Content::new(IncomingKind::Document, document.caption.as_ref(), context)
            .with(media!(document, Document, name));
    }
    let sticker = message.sticker_message.as_option()?;
    Content::new(IncomingKind::Sticker, None, sticker.context_info.as_option())
        .with(media!(sticker, Sticker, None))
}

fn place(message: &wa::Message) -> Option<Content> {
    if let Some(place) = message.location_message.as_option() {
        let name = place.name.as_ref().or(place.address.as_ref());
        let mut content =
            Content::new(IncomingKind::Location, name, place.context_info.as_option());
        content.geo = geo(place.degrees_latitude, place.degrees_longitude);
        return Some(content);
    }
    let live = message.live_location_message.as_option()?;
    let context = live.context_info.as_option();
    let mut content = Content::new(IncomingKind::Location, live.caption.as_ref(), context);
    content.geo = geo(live.degrees_latitude, live.degrees_longitude);
    Some(content)
}

fn geo(latitude: Option<f64>, longitude: Option<f64>) -> Option<String> {
    let (latitude, longitude) = latitude.zip(longitude)?;
    let real = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
    real.then(|| format!("geo:{latitude},{longitude}"))
}

fn contact(message: &wa::Message) -> Option<Content> {
    if let Some(contact) = message.contact_message.as_option() {
        let context = contact.context_info.as_option();
        let mut content =
            Content::new(IncomingKind::Contact, contact.display_name.as_ref(), context);
        content.vcard = contact.vcard.as_deref().map(|card| cut(card, VCARD_CHARS_MAX).0);
        return Some(content);
    }
    let several = message.contacts_array_message.as_option()?;
    let context = several.context_info.as_option();
    let mut content = Content::new(IncomingKind::Contact, several.display_name.as_ref(), context);
    let cards: Vec<&str> =
        several.contacts.iter().filter_map(|contact| contact.vcard.as_deref()).collect();
    content.vcard = (!cards.is_empty()).then(|| cut(&cards.join("\n"), VCARD_CHARS_MAX).0);
    Some(content)
}

/// Anything but keys.
fn rest(message: &wa::Message) -> Option<Content> {
    let mut rest = message.clone();
    drop(rest.sender_key_distribution_message.take());
    drop(rest.fast_ratchet_key_sender_key_distribution_message.take());
    drop(rest.message_context_info.take());
    (codec::message_encoded_len(&rest) > 0).then(|| Content::new(IncomingKind::Other, None, None))
}

/// The beginning, and whether that is not all.
fn cut(text: &str, chars_max: usize) -> (String, bool) {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => (text.get(..end).unwrap_or_default().to_owned(), true),
        None => (text.to_owned(), false),
    }
}

/// A short text of somebody else's, fit for one line.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect()
}

/// The name alone: a folder in it is nobody's here.
fn file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut kept = String::new();
    for c in last.chars().filter(|c| !c.is_control()) {
        if kept.len() + c.len_utf8() > FILE_NAME_BYTES_MAX {
            break;
        }
        kept.push(c);
    }
    if kept == "." || kept == ".." { String::new() } else { kept }
}
