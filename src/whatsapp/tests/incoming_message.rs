//! What is made of an incoming message.

use std::sync::Arc;

use whatsapp_rust::buffa::MessageField;
use whatsapp_rust::wacore::types::message::{MessageCategory, MessageInfo, MessageSource};
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::waproto::whatsapp::message::protocol_message::Type as ProtocolType;

use crate::inbox::{NewMessage, RemoteKind};
use crate::whatsapp::incoming::incoming_message::{Parties, is_wanted, new_message};
use tetherd_api::{IncomingKind, TEXT_CHARS_MAX};

const FRIEND: &str = "15550111@s.whatsapp.net";
const GROUP: &str = "120363000000000001@g.us";
const OWN: &str = "15550100@s.whatsapp.net";

fn info(chat: &str, sender: &str) -> MessageInfo {
    MessageInfo {
        id: "3EB0AB".into(),
        push_name: "A\u{7}da".into(),
        source: MessageSource {
            chat: chat.parse().unwrap(),
            sender: sender.parse().unwrap(),
            is_group: chat.ends_with("@g.us"),
            ..Default::default()
        },
        ..Default::default()
    }
}

fn translated(message: &wa::Message) -> Option<NewMessage> {
    let info = info(FRIEND, FRIEND);
    new_message(message, &info, &Parties::of(&info))
}

fn text(text: &str) -> wa::Message {
    wa::Message { conversation: Some(text.into()), ..Default::default() }
}

fn context(answers: &str) -> MessageField<wa::ContextInfo> {
    MessageField::some(wa::ContextInfo { stanza_id: Some(answers.into()), ..Default::default() })
}

fn image() -> wa::message::ImageMessage {
    wa::message::ImageMessage {
        mimetype: Some("image/jpeg".into()),
        caption: Some("look".into()),
        file_sha256: Some(vec![1; 32]),
        file_enc_sha256: Some(vec![2; 32]),
        media_key: Some(vec![3; 32]),
        file_length: Some(7),
        direct_path: Some("/v/t62".into()),
        context_info: context("3EB0CD"),
        ..Default::default()
    }
}

fn wrapped(message: wa::Message) -> MessageField<wa::message::FutureProofMessage> {
    MessageField::some(wa::message::FutureProofMessage { message: MessageField::some(message) })
}

#[test]
fn a_text_with_its_sender_and_its_question() {
    let plain = translated(&text("hello")).unwrap().incoming;
    assert_eq!((plain.kind, plain.text.as_deref()), (IncomingKind::Text, Some("hello")));
    assert_eq!((&*plain.chat, &*plain.sender), (FRIEND, FRIEND));
    assert_eq!((plain.wa_id.as_str(), plain.name.as_deref()), ("3EB0AB", Some("Ada")));
    assert!(!plain.from_me && !plain.cut);

    let answer = wa::Message {
        extended_text_message: MessageField::some(wa::message::ExtendedTextMessage {
            text: Some("yes".into()),
            context_info: context("3EB0CD"),
            ..Default::default()
        }),
        ..Default::default()
    };
    let answer = translated(&answer).unwrap().incoming;
    assert_eq!(answer.text.as_deref(), Some("yes"));
    assert_eq!(answer.reply_to.as_deref(), Some("3EB0CD"));
}

#[test]
fn a_text_that_is_too_long_is_cut_and_says_so() {
    let long = translated(&text(&"\u{e4}".repeat(TEXT_CHARS_MAX + 1))).unwrap().incoming;
    assert!(long.cut);
    assert_eq!(long.text.unwrap().chars().count(), TEXT_CHARS_MAX);
}

#[test]
fn a_file_is_told_with_what_fetches_it_even_when_wrapped() {
    let plain = wa::Message { image_message: MessageField::some(image()), ..Default::default() };
    let vanishing = wa::Message { ephemeral_message: wrapped(plain.clone()), ..Default::default() };
    for message in [plain, vanishing] {
        let NewMessage { incoming, remote, .. } = translated(&message).unwrap();
        assert_eq!((incoming.kind, incoming.text.as_deref()), (IncomingKind::Image, Some("look")));
        assert_eq!(incoming.reply_to.as_deref(), Some("3EB0CD"));
        let file = incoming.file.unwrap();
        assert_eq!((file.bytes, file.mime.as_str()), (7, "image/jpeg"));
        assert_eq!(file.sha256, "01".repeat(32));
        let remote = remote.unwrap();
        assert_eq!((remote.kind, remote.path.as_str()), (RemoteKind::Image, "/v/t62"));
        assert_eq!((remote.key, remote.sealed_sha256), (vec![3; 32], vec![2; 32]));
    }
}

#[test]
fn a_file_without_its_key_is_told_and_cannot_be_fetched() {
    let image = wa::message::ImageMessage { media_key: None, ..image() };
    let message = wa::Message { image_message: MessageField::some(image), ..Default::default() };
    let NewMessage { incoming, remote, .. } = translated(&message).unwrap();
    assert!(incoming.file.is_some() && remote.is_none());
}

#[test]
fn a_documents_name_has_no_folder() {
    let document = |name: &str| {
        let document =
            wa::message::DocumentMessage { file_name: Some(name.into()), ..Default::default() };
        let message =
            wa::Message { document_message: MessageField::some(document), ..Default::default() };
        let captioned =
            wa::Message { document_with_caption_message: wrapped(message), ..Default::default() };
        let incoming = translated(&captioned).unwrap().incoming;
        assert_eq!(incoming.kind, IncomingKind::Document);
        incoming.file.unwrap().name
    };
    assert_eq!(document("../../etc/passwd").as_deref(), Some("passwd"));
    assert_eq!(document("C:\\x\\bill\n.pdf").as_deref(), Some("bill.pdf"));
    assert_eq!(document("..").as_deref(), None);
    assert_eq!(document(&"\u{e4}".repeat(300)).unwrap().len(), 254);
}

#[test]
fn voice_reaction_place_and_contact() {
    let voice = wa::message::AudioMessage { ptt: Some(true), ..Default::default() };
    let voice = wa::Message { audio_message: MessageField::some(voice), ..Default::default() };
    assert_eq!(translated(&voice).unwrap().incoming.kind, IncomingKind::Voice);

    let key = wa::MessageKey { id: Some("3EB0CD".into()), ..Default::default() };
    let reaction = wa::message::ReactionMessage {
        key: MessageField::some(key),
        text: Some("\u{1f44d}".into()),
        ..Default::default()
    };
    let reaction =
        wa::Message { reaction_message: MessageField::some(reaction), ..Default::default() };
    let reaction = translated(&reaction).unwrap().incoming;
    assert_eq!(
        (reaction.kind, reaction.text.as_deref()),
        (IncomingKind::Reaction, Some("\u{1f44d}"))
    );
    assert_eq!(reaction.reply_to.as_deref(), Some("3EB0CD"));

    let place = wa::message::LocationMessage {
        degrees_latitude: Some(48.5),
        degrees_longitude: Some(-11.25),
        name: Some("here".into()),
        ..Default::default()
    };
    let place = wa::Message { location_message: MessageField::some(place), ..Default::default() };
    let place = translated(&place).unwrap().incoming;
    assert_eq!((place.kind, place.text.as_deref()), (IncomingKind::Location, Some("here")));
    assert_eq!(place.geo.as_deref(), Some("geo:48.5,-11.25"));

    let contact = wa::message::ContactMessage {
        display_name: Some("Bea".into()),
        vcard: Some("BEGIN:VCARD".into()),
        ..Default::default()
    };
    let contact =
        wa::Message { contact_message: MessageField::some(contact), ..Default::default() };
    let contact = translated(&contact).unwrap().incoming;
    assert_eq!(
        (contact.kind, contact.vcard.as_deref()),
        (IncomingKind::Contact, Some("BEGIN:VCARD"))
    );
}

#[test]
fn an_edit_is_told_as_other_and_talk_between_programs_is_not_told() {
    let protocol = |kind| {
        let key = wa::MessageKey { id: Some("3EB0CD".into()), ..Default::default() };
        let protocol = wa::message::ProtocolMessage {
            r#type: Some(kind),
            key: MessageField::some(key),
            ..Default::default()
        };
        wa::Message { protocol_message: MessageField::some(protocol), ..Default::default() }
    };
    for kind in [ProtocolType::MESSAGE_EDIT, ProtocolType::REVOKE] {
        let translated = translated(&protocol(kind)).unwrap().incoming;
        assert_eq!(
            (translated.kind, translated.reply_to.as_deref()),
            (IncomingKind::Other, Some("3EB0CD"))
        );
    }
    assert_eq!(translated(&protocol(ProtocolType::APP_STATE_SYNC_KEY_SHARE)), None);
    let only_key = wa::Message {
        sender_key_distribution_message: MessageField::some(Default::default()),
        message_context_info: MessageField::some(Default::default()),
        ..Default::default()
    };
    assert_eq!(translated(&only_key), None);
    assert_eq!(translated(&wa::Message::default()), None);
    let poll = wa::Message {
        poll_creation_message: MessageField::some(wa::message::PollCreationMessage {
            name: Some("which?".into()),
            ..Default::default()
        }),
        ..Default::default()
    };
    assert_eq!(translated(&poll).unwrap().incoming.kind, IncomingKind::Other);
}

#[test]
fn chats_go_by_number_where_it_is_known() {
    let hidden = "100000000000001:3@lid";
    let mut direct = info("100000000000001@lid", hidden);
    direct.source.sender_alt = Some(FRIEND.parse().unwrap());
    let parties = Parties::of(&direct);
    assert_eq!(
        (parties.chat.to_string(), parties.sender.to_string()),
        (FRIEND.into(), FRIEND.into())
    );

    let mut group = info(GROUP, hidden);
    let parties = Parties::of(&group);
    assert_eq!(parties.sender.to_string(), "100000000000001@lid");
    group.source.sender_alt = Some(FRIEND.parse().unwrap());
    let parties = Parties::of(&group);
    assert_eq!(
        (parties.chat.to_string(), parties.sender.to_string()),
        (GROUP.into(), FRIEND.into())
    );

    let mut own = info(FRIEND, OWN);
    own.source.is_from_me = true;
    let parties = Parties::of(&own);
    assert_eq!((parties.chat.to_string(), parties.sender.to_string()), (FRIEND.into(), OWN.into()));
}

#[test]
fn status_posts_channels_and_own_devices_talk_are_not_taken() {
    assert!(is_wanted(&info(FRIEND, FRIEND)));
    assert!(is_wanted(&info(GROUP, FRIEND)));
    assert!(!is_wanted(&info("status@broadcast", FRIEND)));
    assert!(!is_wanted(&info("120363000000000002@newsletter", "120363000000000002@newsletter")));
    let peer = MessageInfo { category: MessageCategory::Peer, ..info(OWN, OWN) };
    assert!(!is_wanted(&Arc::new(peer)));
}
