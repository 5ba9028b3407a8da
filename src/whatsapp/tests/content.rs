use super::*;
use crate::whatsapp::outgoing::mentions::Mention;
use tetherd_api::{FileInfo, MessageId};
use tetherd_core::draft::Draft;
use tetherd_core::files::{MediaMetadata, SpooledFile};
use tetherd_core::ids::{Attempt, Digest, SpoolId, WaMessageId};
use whatsapp_rust::Jid;

fn out(kind: Kind, name: Option<&str>, mime: &str) -> Outgoing {
    let info = FileInfo {
        bytes: 3,
        mime: mime.to_owned(),
        sha256: "00".repeat(32).into(),
        name: name.map(Into::into),
    };
    let media = MediaRef {
        url: "https://localhost/f".into(),
        direct_path: "/f".into(),
        media_key: [1; 32].into(),
        key_made_s: 1_800_000_000,
        sha256: [2; 32].into(),
        enc_sha256: [3; 32].into(),
        bytes: 3,
        seen: MediaMetadata { pixels: Some((640, 480)), seconds: Some(7) },
        uploaded_at: 0,
    };
    let wa_id = WaMessageId("3EB0".to_owned());
    let draft = Draft::text("+15550101".parse().unwrap(), Digest([0; 32]), wa_id);
    let file = SpooledFile { spool: SpoolId("0".repeat(32)), info };
    Outgoing {
        id: MessageId(1),
        attempt: Attempt(1),
        draft: Box::new(Draft { kind, file: kind.has_file().then_some(file), ..draft }),
        media: kind.has_file().then(|| Box::new(media)),
        refresh: tetherd_core::action::Refresh::default(),
    }
}

/// In the chat that all of them are for.
fn shown(out: &Outgoing, body: &Body) -> Option<wa::Message> {
    let mentions = out.draft.mentions.iter().map(Mention::new).collect();
    let names =
        Names { chat: Jid::pn("15550101"), own: Jid::pn("15550100"), sender: None, mentions };
    message(out, body, &names)
}

fn built(kind: Kind, body: &str) -> wa::Message {
    shown(&out(kind, None, "x/y"), &Body(body.into())).unwrap()
}

#[test]
fn a_text_is_plain_unless_it_shows_a_link() {
    let plain = built(Kind::Text, "hello");
    assert_eq!(plain.conversation.as_deref(), Some("hello"));
    let preview = LinkPreview {
        url: "https://example.com".into(),
        title: "Example".into(),
        description: Some("A page".into()),
        thumbnail: Some("/9j/".into()),
    };
    let mut out = out(Kind::Text, None, "");
    out.draft.link = Some(preview);
    let seen = shown(&out, &Body("see https://example.com".into())).unwrap();
    assert!(seen.conversation.is_none());
    let extended = seen.extended_text_message.as_option().unwrap();
    assert_eq!(extended.text.as_deref(), Some("see https://example.com"));
    assert_eq!(extended.matched_text.as_deref(), Some("https://example.com"));
    assert_eq!(extended.title.as_deref(), Some("Example"));
    assert_eq!(extended.description.as_deref(), Some("A page"));
    assert_eq!(extended.jpeg_thumbnail.as_deref(), Some([0xff, 0xd8, 0xff].as_slice()));
}

#[test]
fn a_file_of_each_kind_says_what_opens_it() {
    let image = built(Kind::Image, "look").image_message.into_option().unwrap();
    assert_eq!(image.caption.as_deref(), Some("look"));
    assert_eq!((image.width, image.height), (Some(640), Some(480)));
    assert_eq!(image.media_key.as_deref(), Some([1; 32].as_slice()));
    assert_eq!(image.file_sha256.as_deref(), Some([2; 32].as_slice()));
    assert_eq!(image.file_enc_sha256.as_deref(), Some([3; 32].as_slice()));
    let video = built(Kind::Video, "").video_message.into_option().unwrap();
    assert_eq!((video.caption, video.file_length), (None, Some(3)));
    let audio = built(Kind::Audio, "").audio_message.into_option().unwrap();
    assert_eq!((audio.ptt, audio.seconds), (Some(false), Some(7)));
}

#[test]
fn a_voice_message_names_its_codec() {
    let voice = shown(&out(Kind::Voice, None, "audio/ogg"), &Body("".into())).unwrap();
    let voice = voice.audio_message.into_option().unwrap();
    assert_eq!(voice.ptt, Some(true));
    assert_eq!(voice.mimetype.as_deref(), Some("audio/ogg; codecs=opus"));
}

#[test]
fn a_document_with_a_caption_is_wrapped_as_the_apps_do() {
    let bare = shown(&out(Kind::Document, Some("a.pdf"), "application/pdf"), &Body("".into()));
    let bare = bare.unwrap().document_message.into_option().unwrap();
    assert_eq!(bare.file_name.as_deref(), Some("a.pdf"));
    let wrapped = built(Kind::Document, "read this");
    assert!(!wrapped.document_message.is_set());
    let wrapper = wrapped.document_with_caption_message.into_option().unwrap();
    let inner = wrapper.message.into_option().unwrap().document_message.into_option().unwrap();
    assert_eq!(inner.caption.as_deref(), Some("read this"));
    assert_eq!(inner.file_name.as_deref(), Some("file"));
}

#[test]
fn a_place_and_a_contact_come_from_their_json() {
    let place = built(Kind::Location, r#"{"latitude":45.5,"longitude":-7.25,"name":"Here"}"#);
    let place = place.location_message.into_option().unwrap();
    assert_eq!(place.degrees_latitude, Some(45.5));
    assert_eq!(place.degrees_longitude, Some(-7.25));
    assert_eq!(place.name.as_deref(), Some("Here"));
    let whole = built(Kind::Contact, r#"{"name":"Ann","vcard":"BEGIN:VCARD\nEND:VCARD"}"#);
    let whole = whole.contact_message.into_option().unwrap();
    assert_eq!(whole.vcard.as_deref(), Some("BEGIN:VCARD\nEND:VCARD"));
    assert!(shown(&out(Kind::Contact, None, ""), &Body("no json".into())).is_none());
}

#[test]
fn a_made_vcard_escapes_its_name_and_names_the_account() {
    let card = ContactCard {
        name: "Doe, Jane; \\ Ltd\r\nEND:VCARD\rx".into(),
        phones: vec!["+1 555 0101".into(), "+15550102".into()],
        vcard: None,
    };
    assert_eq!(
        vcard(&card),
        "BEGIN:VCARD\nVERSION:3.0\n\
         N:;Doe\\, Jane\\; \\\\ Ltd\\nEND:VCARD\\nx;;;\n\
         FN:Doe\\, Jane\\; \\\\ Ltd\\nEND:VCARD\\nx\n\
         TEL;type=CELL;waid=15550101:+15550101\n\
         TEL;type=CELL;waid=15550102:+15550102\n\
         END:VCARD"
    );
}

#[test]
fn a_file_that_is_not_on_the_host_makes_no_message() {
    for kind in [Kind::Image, Kind::Video, Kind::Audio, Kind::Voice, Kind::Document] {
        let out = Outgoing { media: None, ..out(kind, None, "x/y") };
        assert!(shown(&out, &Body("".into())).is_none(), "{kind:?}");
    }
}
