//! Files to the simulator's media host, and to recipients who open them.

#![expect(clippy::wildcard_enum_match_arm, reason = "whatever else happens fails the test")]

use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use crate::whatsapp::Order;
use crate::whatsapp::tests::offline::{PATIENCE, wa_id};
use crate::whatsapp::tests::sends::whole_life;
use crate::whatsapp::tests::simulated::World;
use tether_sim::{MediaChange, SimError, Times};
use tetherd_api::{FileInfo, Kind, LinkPreview, MessageId};
use tetherd_core::action::Outgoing;
use tetherd_core::action::SessionCommand;
use tetherd_core::draft::Draft;
use tetherd_core::event::{Body, EndReason, SessionEvent};
use tetherd_core::files::SpooledFile;
use tetherd_core::files::{MediaRef, Ticket, Upload, UploadFault};
use tetherd_core::ids::{Attempt, Digest, SpoolId};

const FRIEND: &str = "+15550101";
/// From this size on an upload can go on where it broke off.
const RESUMABLE: usize = 5 * 1024 * 1024;

struct Lab {
    world: World,
    spool: tempfile::TempDir,
}

impl Lab {
    async fn connected() -> Lab {
        let spool = tempfile::tempdir().unwrap();
        let path = spool.path().to_owned();
        let mut world = World::with(move |config| config.spool = path).await.paired().await;
        world.connect().await;
        world.sim.recipient_add(FRIEND, true, 1).await.unwrap();
        Lab { world, spool }
    }

    /// Puts a file into the spool.
    fn file(&self, number: u64, mime: &str, content: &[u8]) -> SpooledFile {
        let spool = SpoolId(format!("{number:032x}"));
        std::fs::write(self.spool.path().join(&spool.0), content).unwrap();
        let info = FileInfo {
            bytes: content.len() as u64,
            mime: mime.to_owned(),
            sha256: hex(content).into(),
            name: Some("name.bin".into()),
        };
        SpooledFile { spool, info }
    }

    fn upload(&self, number: u64, kind: Kind, file: &SpooledFile) {
        let (id, ticket) = (MessageId(number), Ticket(number));
        self.world.bench.order(SessionCommand::Upload(Upload {
            id,
            ticket,
            kind,
            file: file.clone(),
        }));
    }

    async fn outcome(&mut self, number: u64) -> Result<MediaRef, UploadFault> {
        loop {
            match self.world.bench.next().await {
                SessionEvent::Uploaded { id, ticket, media } => {
                    assert_eq!((id.0, ticket.0), (number, number));
                    return Ok(*media);
                }
                SessionEvent::UploadFailed { id, ticket, why } => {
                    assert_eq!((id.0, ticket.0), (number, number));
                    return Err(why);
                }
                // What is still said of the message before.
                SessionEvent::Receipt { .. } | SessionEvent::Ack { .. } => {}
                other => panic!("unexpected: {other:?}"),
            }
        }
    }

    /// Sends it, and returns what the recipient saw.
    async fn send(&mut self, out: Outgoing, body: &str) -> Value {
        let number = out.id.0;
        self.world
            .bench
            .order(Order { command: SessionCommand::Send(out), body: Some(Body(body.into())) });
        self.world.until(&whole_life(number)).await;
        let inbox = self.world.sim.recipient_inbox(FRIEND).await;
        let seen = inbox.into_iter().find(|m| m.id == wa_id(number).0).unwrap();
        assert_eq!((seen.copies, seen.failed), (1, 0));
        seen.content
    }

    async fn set(&self, change: MediaChange) {
        self.world.sim.media_set(change).await;
    }
}

fn hex(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn content(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| u8::try_from(at % 253).unwrap()).collect()
}

fn out(number: u64, kind: Kind, file: Option<(SpooledFile, MediaRef)>) -> Outgoing {
    let draft = Draft::text(FRIEND.parse().unwrap(), Digest([0; 32]), wa_id(number));
    let (file, media) = file.unzip();
    Outgoing {
        id: MessageId(number),
        attempt: Attempt(1),
        draft: Box::new(Draft { kind, file, ..draft }),
        media: media.map(Box::new),
        refresh: tetherd_core::action::Refresh::default(),
    }
}

#[tokio::test]
async fn a_file_of_each_kind_arrives_and_opens_to_the_same_content() {
    let mut lab = Lab::connected().await;
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\xe0".to_vec();
    png.extend(content(70_000));
    let cases = [
        (Kind::Image, "image/png", png),
        (Kind::Video, "video/mp4", content(1)),
        (Kind::Audio, "audio/mpeg", content(4096)),
        (Kind::Voice, "audio/ogg", content(15)),
        (Kind::Document, "application/pdf", content(200_001)),
    ];
    for (number, (kind, mime, content)) in (1..).zip(cases) {
        let file = lab.file(number, mime, &content);
        lab.upload(number, kind, &file);
        let media = lab.outcome(number).await.unwrap();
        let seen = lab.send(out(number, kind, Some((file, media))), "").await;
        assert_eq!(seen["error"], Value::Null, "{seen}");
        assert_eq!(seen["kind"], kind.name());
        assert_eq!(
            (&seen["sha256"], &seen["bytes"]),
            (&json!(hex(&content)), &json!(content.len()))
        );
        match kind {
            Kind::Image => {
                assert_eq!((&seen["width"], &seen["height"]), (&json!(640), &json!(480)))
            }
            Kind::Voice => assert_eq!(seen["mime"], "audio/ogg; codecs=opus"),
            Kind::Document => assert_eq!(seen["file_name"], "name.bin"),
            _ => assert_eq!(seen["mime"], mime),
        }
    }
    let stats = lab.world.sim.media_stats().await;
    assert_eq!((stats.uploads, stats.begun, stats.conns), (5, 5, 1), "{stats:?}");
}

#[tokio::test]
async fn a_place_a_contact_and_a_link_arrive() {
    let mut lab = Lab::connected().await;
    let place = r#"{"latitude":45.5,"longitude":-7.25,"name":"Here"}"#;
    let seen = lab.send(out(1, Kind::Location, None), place).await;
    assert_eq!((&seen["latitude"], &seen["name"]), (&json!(45.5), &json!("Here")));
    let card = r#"{"name":"Ann","phones":["+15550102"]}"#;
    let seen = lab.send(out(2, Kind::Contact, None), card).await;
    assert!(seen["vcard"].as_str().unwrap().contains("waid=15550102:+15550102"), "{seen}");
    let link = LinkPreview {
        url: "https://example.com".into(),
        title: "Example".into(),
        ..LinkPreview::default()
    };
    let mut text = out(3, Kind::Text, None);
    text.draft.link = Some(link);
    let seen = lab.send(text, "see https://example.com").await;
    assert_eq!((&seen["url"], &seen["title"]), (&json!("https://example.com"), &json!("Example")));
    let texts = lab.world.sim.recipient_inbox(FRIEND).await;
    assert_eq!(texts[2].text, "see https://example.com");
}

#[tokio::test]
async fn a_large_upload_goes_on_where_it_broke_off() {
    let mut lab = Lab::connected().await;
    let whole = content(RESUMABLE + 100_000);
    let file = lab.file(1, "application/zip", &whole);
    let half = RESUMABLE as u64 / 2;
    let change = MediaChange {
        break_after: Some(half),
        break_times: Some(Times::Count(1)),
        ..Default::default()
    };
    lab.set(change).await;
    lab.upload(1, Kind::Document, &file);
    assert_eq!(lab.outcome(1).await, Err(UploadFault::Passing { code: None }));
    // Another connection, another client: the same key, so the same bytes.
    lab.world.bench.order(SessionCommand::Close);
    assert_eq!(lab.world.bench.ended().await, EndReason::Closed);
    lab.world.connect().await;
    lab.upload(1, Kind::Document, &file);
    let media = lab.outcome(1).await.unwrap();
    let stats = lab.world.sim.media_stats().await;
    assert_eq!((stats.uploads, stats.resumed), (1, 1), "{stats:?}");
    assert!(stats.bytes < whole.len() as u64 + 1000, "sent twice: {stats:?}");
    let seen = lab.send(out(1, Kind::Document, Some((file, media))), "read").await;
    assert_eq!((&seen["sha256"], &seen["wrapped"]), (&json!(hex(&whole)), &json!(true)));
}

#[tokio::test]
async fn an_upload_under_way_ends_with_its_connection() {
    let mut lab = Lab::connected().await;
    let file = lab.file(1, "application/zip", &content(4_000_000));
    lab.set(MediaChange { stall_after: Some(1000), ..Default::default() }).await;
    lab.upload(1, Kind::Document, &file);
    lab.world.sim.media_wait(|stats| stats.stalled == 1, PATIENCE).await.unwrap();
    lab.world.bench.order(SessionCommand::Close);
    assert_eq!(lab.outcome(1).await, Err(UploadFault::NotConnected));
    assert_eq!(lab.world.bench.ended().await, EndReason::Closed);
    lab.set(MediaChange { go_on: true, ..Default::default() }).await;
    lab.world.connect().await;
    lab.upload(1, Kind::Document, &file);
    assert!(lab.outcome(1).await.is_ok());
}

#[tokio::test]
async fn an_authorisation_that_has_expired_is_renewed() {
    let mut lab = Lab::connected().await;
    let file = lab.file(1, "image/jpeg", b"one");
    lab.upload(1, Kind::Image, &file);
    assert!(lab.outcome(1).await.is_ok());
    lab.set(MediaChange { expire_auth: true, ..Default::default() }).await;
    let file = lab.file(2, "image/jpeg", b"two");
    lab.upload(2, Kind::Image, &file);
    assert!(lab.outcome(2).await.is_ok());
    let stats = lab.world.sim.media_stats().await;
    assert_eq!((stats.conns, stats.expired, stats.uploads), (2, 1, 2), "{stats:?}");
}

#[tokio::test]
async fn each_answer_of_the_host_has_its_meaning() {
    let mut lab = Lab::connected().await;
    let file = lab.file(1, "image/jpeg", &content(100_000));
    for status in [401, 403, 404, 413, 500, 503, 507] {
        let change = MediaChange {
            fail_status: Some(status),
            fail_times: Some(Times::Always),
            ..Default::default()
        };
        lab.set(change).await;
        lab.upload(1, Kind::Image, &file);
        let expected = match status {
            413 => UploadFault::TooLarge,
            _ => UploadFault::Passing { code: Some(u32::from(status)) },
        };
        assert_eq!(lab.outcome(1).await, Err(expected), "{status}");
    }
}

#[tokio::test]
async fn a_file_that_is_gone_or_changed_is_unreadable() {
    let mut lab = Lab::connected().await;
    let file = lab.file(1, "image/jpeg", b"content");
    let path = lab.spool.path().join(&file.spool.0);
    std::fs::write(&path, b"another").unwrap();
    lab.upload(1, Kind::Image, &file);
    assert_eq!(lab.outcome(1).await, Err(UploadFault::Unreadable));
    std::fs::remove_file(&path).unwrap();
    lab.upload(1, Kind::Image, &file);
    assert_eq!(lab.outcome(1).await, Err(UploadFault::Unreadable));
    let stats = lab.world.sim.media_stats().await;
    assert_eq!(stats.begun, 0);
}

#[tokio::test]
async fn nothing_is_uploaded_without_a_connection() {
    let mut lab = Lab::connected().await;
    lab.world.bench.order(SessionCommand::Close);
    assert_eq!(lab.world.bench.ended().await, EndReason::Closed);
    let file = lab.file(1, "image/jpeg", b"content");
    lab.upload(1, Kind::Image, &file);
    assert_eq!(lab.outcome(1).await, Err(UploadFault::NotConnected));
}

#[tokio::test]
async fn people_send_files_that_lie_on_the_host() {
    let lab = Lab::connected().await;
    let file = tether_sim::SentFile {
        kind: "document".to_owned(),
        mime: "application/pdf".to_owned(),
        bytes: 1000,
        ..Default::default()
    };
    let sent = async {
        loop {
            // The client's keys come up while it logs in.
            match lab.world.sim.recipient_send_file(FRIEND, None, &file).await {
                Err(SimError::NoClient) => tokio::task::yield_now().await,
                sent => return sent.unwrap(),
            }
        }
    };
    assert_eq!(timeout(PATIENCE, sent).await.unwrap().clients, 1);
    lab.world.sim.phone_send_file(None, FRIEND, &file).await.unwrap();
    let inbox = lab
        .world
        .sim
        .wait_for_inbox(FRIEND, |inbox| !inbox.is_empty(), Duration::from_secs(10))
        .await
        .unwrap();
    assert_eq!(inbox[0].content["bytes"], json!(1000));
}
