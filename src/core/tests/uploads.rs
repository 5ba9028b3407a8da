//! A file is on the media host before its message is attempted.

use super::world::{World, media};
use crate::CoreConfig;
use crate::action::Outgoing;
use crate::event::{Request, SessionEvent};
use crate::files::{Ticket, UploadFault};
use tetherd_api::{ConditionKind, MessageId, ReasonKind, State};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

fn uploading(world: &World) -> Vec<u64> {
    world.uploads.keys().map(|id| id.0).collect()
}

fn passing(code: u32) -> UploadFault {
    UploadFault::Passing { code: Some(code) }
}

#[test]
fn a_file_is_uploaded_once_and_then_its_message_leaves() {
    let mut world = World::connected();
    let id = world.send_file(1);
    assert_eq!((uploading(&world), world.sent_ids()), (vec![id.0], vec![]));
    world.uploaded(id);
    assert_eq!(world.sent_ids(), vec![id.0]);
    let Outgoing { draft, media, .. } = world.flight(id);
    let (file, media) = (draft.file.unwrap(), media.unwrap());
    assert_eq!((file.info.mime.as_str(), media.bytes), ("application/pdf", 3));
    assert_eq!(media.uploaded_at, world.now.wall_ms);
    assert!(uploading(&world).is_empty());
}

#[test]
fn an_upload_takes_no_slot_and_holds_up_its_own_chat_only() {
    let mut world = World::connected();
    let file = world.send_file(1);
    let behind = world.send(1);
    let elsewhere = world.send(2);
    assert_eq!(world.sent_ids(), vec![elsewhere.0]);
    assert_eq!(world.status().pacing.spent, 1);
    world.uploaded(file);
    world.written(file);
    world.ack(file);
    assert_eq!(world.sent_ids(), vec![elsewhere.0, file.0, behind.0]);
}

#[test]
fn no_more_than_two_files_are_uploaded_at_a_time_and_three_wait_there() {
    let config = CoreConfig { pace_limit: 1, ..CoreConfig::default() };
    let mut world = World::connected_with(config);
    let ids: Vec<MessageId> = (1..=6).map(|chat| world.send_file(chat)).collect();
    assert_eq!(uploading(&world), vec![1, 2]);
    world.uploaded(ids[0]);
    assert_eq!((world.sent_ids(), uploading(&world)), (vec![1], vec![2, 3]));
    world.written(ids[0]);
    world.ack(ids[0]);
    world.uploaded(ids[1]);
    world.uploaded(ids[2]);
    // Two wait there for the pacer, a third is on its way.
    assert_eq!(uploading(&world), vec![4]);
    world.uploaded(ids[3]);
    assert!(uploading(&world).is_empty());
    world.pass(120_000);
    assert_eq!((world.sent_ids(), uploading(&world)), (vec![1, 2], vec![5]));
}

#[test]
fn nothing_is_uploaded_while_the_queue_is_held() {
    let mut world = World::connected();
    drop(world.ask(Request::Pause));
    let id = world.send_file(1);
    assert!(uploading(&world).is_empty());
    drop(world.ask(Request::Resume));
    assert_eq!(uploading(&world), vec![id.0]);
}

#[test]
fn an_upload_that_dies_with_its_connection_is_made_on_the_next() {
    let mut world = World::connected();
    let id = world.send_file(1);
    let old = world.uploads[&id].ticket;
    world.lose();
    world.pass(2_000);
    assert!(uploading(&world).is_empty(), "without a connection");
    world.connect();
    assert_eq!(uploading(&world), vec![id.0]);
    // What the old connection still says about its try changes nothing.
    let late = SessionEvent::UploadFailed { id, ticket: old, why: UploadFault::TooLarge };
    world.session(late);
    assert_eq!(world.state(id), State::Queued);
    world.uploaded(id);
    assert_eq!(world.sent_ids(), vec![id.0]);
}

#[test]
fn a_file_is_uploaded_again_after_a_crash_unless_it_is_there() {
    let mut world = World::connected();
    let id = world.send_file(1);
    world.crash(true);
    world.connect();
    assert_eq!(uploading(&world), vec![id.0]);
    drop(world.ask(Request::Pause));
    world.uploaded(id);
    world.crash(true);
    world.connect();
    drop(world.ask(Request::Resume));
    assert!(uploading(&world).is_empty(), "it is there");
    assert_eq!(world.sent_ids(), vec![id.0]);
}

#[test]
fn a_file_that_has_waited_too_long_on_the_host_is_uploaded_afresh() {
    let mut world = World::connected();
    let id = world.send_file(1);
    drop(world.ask(Request::Pause));
    world.uploaded(id);
    world.pass(6 * DAY_MS);
    assert!(world.sent_ids().is_empty());
    world.pass(2 * DAY_MS);
    drop(world.ask(Request::Resume));
    assert_eq!((world.sent_ids(), uploading(&world)), (vec![], vec![id.0]));
    world.uploaded(id);
    assert_eq!(world.sent_ids(), vec![id.0]);
}

#[test]
fn a_host_that_fails_is_tried_again_with_longer_pauses_and_then_the_message_is_parked() {
    let mut world = World::connected();
    let id = world.send_file(1);
    let behind = world.send(1);
    let started = world.now.mono_ms;
    let mut pauses = Vec::new();
    while world.state(id) == State::Queued {
        let failed_at = world.now.mono_ms;
        world.upload_failed(id, passing(503));
        let trouble = world.core.uploads.trouble(id);
        assert_eq!(trouble.is_some(), world.state(id) == State::Queued);
        while world.uploads.is_empty() && world.state(id) == State::Queued {
            world.pass(100);
        }
        pauses.push(world.now.mono_ms - failed_at);
    }
    assert_eq!(pauses[..4], [1_000, 2_000, 4_000, 8_000]);
    assert_eq!(pauses.len(), 10);
    assert!(world.now.mono_ms - started < 10 * 60_000);
    assert_eq!(world.reason(id), (ReasonKind::UploadFailed, Some(503)));
    assert_eq!(world.sent_ids(), vec![behind.0], "the chat goes on");
    world.ack(behind);
    drop(world.ask(Request::Retry { filter: world.all(), anyway: false, dry_run: false }));
    assert_eq!(uploading(&world), vec![id.0], "counted afresh");
    world.upload_failed(id, passing(503));
    assert_eq!(world.state(id), State::Queued);
}

#[test]
fn a_connection_that_is_not_there_is_not_the_files_fault() {
    let mut world = World::connected();
    let id = world.send_file(1);
    for _ in 0..50 {
        world.upload_failed(id, UploadFault::NotConnected);
        assert!(uploading(&world).is_empty(), "not at once");
        world.pass(1_000);
        assert_eq!(uploading(&world), vec![id.0]);
    }
    world.uploaded(id);
    assert_eq!(world.sent_ids(), vec![id.0]);
}

#[test]
fn a_file_that_cannot_be_uploaded_parks_its_message_at_once() {
    let mut world = World::connected();
    let large = world.send_file(1);
    let gone = world.send_file(2);
    world.upload_failed(large, UploadFault::TooLarge);
    world.upload_failed(gone, UploadFault::Unreadable);
    assert_eq!(world.reason(large), (ReasonKind::TooLarge, None));
    assert_eq!(world.reason(gone), (ReasonKind::FileUnreadable, None));
    assert!(uploading(&world).is_empty());
}

#[test]
fn a_file_that_rests_lets_others_be_uploaded() {
    let mut world = World::connected();
    let ids: Vec<MessageId> = (1..=5).map(|chat| world.send_file(chat)).collect();
    for id in &ids[..3] {
        world.upload_failed(*id, passing(500));
    }
    assert_eq!(uploading(&world), vec![4, 5]);
}

#[test]
fn a_cancelled_message_is_not_sent_when_its_file_arrives_and_its_place_is_kept_so_long() {
    let mut world = World::connected();
    let ids: Vec<MessageId> = (1..=3).map(|chat| world.send_file(chat)).collect();
    world.cancel(&ids[..1]);
    assert_eq!(uploading(&world), vec![1, 2]);
    world.uploaded(ids[0]);
    assert_eq!((world.state(ids[0]), uploading(&world)), (State::Cancelled, vec![2, 3]));
    assert!(world.sent_ids().is_empty());
}

#[test]
fn a_refused_message_with_a_file_is_uploaded_afresh_when_it_is_retried() {
    let mut world = World::connected();
    let id = world.send_file(1);
    world.uploaded(id);
    world.ack_with(id, Some(487));
    assert_eq!(world.state(id), State::Parked);
    drop(world.ask(Request::Retry { filter: world.all(), anyway: false, dry_run: false }));
    assert_eq!(uploading(&world), vec![id.0]);
    // Refused because of the recipient: the file is as good as before.
    world.uploaded(id);
    world.ack_with(id, Some(463));
    drop(world.ask(Request::Retry { filter: world.all(), anyway: false, dry_run: false }));
    assert!(uploading(&world).is_empty());
}

/// One attempt, which gets no answer.
fn parked_without_an_answer() -> (World, MessageId) {
    let mut world = World::connected_with(CoreConfig { attempts_max: 1, ..CoreConfig::default() });
    let id = world.send_file(1);
    world.uploaded(id);
    world.cut_off(id);
    assert_eq!(world.reason(id), (ReasonKind::NoAnswer, None));
    (world, id)
}

#[test]
fn a_file_that_is_refused_late_is_uploaded_afresh_when_its_message_is_retried() {
    let (mut world, id) = parked_without_an_answer();
    world.pass(5_000);
    world.ack_with(id, Some(487));
    assert_eq!(world.reason(id), (ReasonKind::Refused, Some(487)));
    let message = &world.store.messages[&id];
    assert_eq!((message.media(), message.changed_at), (None, world.now.wall_ms));
    drop(world.ask(Request::Retry { filter: world.all(), anyway: false, dry_run: false }));
    assert_eq!(uploading(&world), vec![id.0]);
}

#[test]
fn a_file_that_is_refused_after_its_message_was_cancelled_is_uploaded_afresh_too() {
    let (mut world, id) = parked_without_an_answer();
    world.cancel(&[id]);
    world.ack_with(id, Some(487));
    world.restore_by(world.all(), false);
    assert_eq!(world.reason(id), (ReasonKind::Refused, Some(487)));
    drop(world.ask(Request::Retry { filter: world.all(), anyway: false, dry_run: false }));
    assert_eq!(uploading(&world), vec![id.0]);
}

#[test]
fn a_file_sent_again_without_an_answer_is_not_uploaded_again() {
    let mut world = World::connected();
    let id = world.send_file(1);
    world.uploaded(id);
    world.cut_off(id);
    world.lose();
    world.pass(1_000);
    world.connect();
    assert!(uploading(&world).is_empty());
    assert_eq!(world.sent_ids(), vec![id.0, id.0]);
}

#[test]
fn explain_names_the_messages_that_wait_for_an_upload() {
    let mut world = World::connected();
    let ids: Vec<MessageId> = (1..=2).map(|chat| world.send_file(chat)).collect();
    world.upload_failed(ids[1], passing(503));
    let explained = world.core.explain(world.now);
    let cause = explained.conditions.iter().find(|cause| cause.kind == ConditionKind::FileUnderway);
    let cause = cause.unwrap();
    assert!(cause.active && cause.why.contains("2 messages wait for the upload"), "{cause:?}");
}

#[test]
fn foreign_reports_about_uploads_change_nothing() {
    let mut world = World::connected();
    let text = world.send(1);
    let ticket = Ticket(7);
    let media = Box::new(media());
    world.session(SessionEvent::Uploaded { id: text, ticket, media: media.clone() });
    world.session(SessionEvent::Uploaded { id: MessageId(99), ticket, media });
    assert!(world.store.messages[&text].media().is_none());
}

#[test]
fn invariant_9_debug_of_a_media_reference_shows_neither_key_nor_place() {
    let said = format!("{:?}", media());
    assert!(!said.contains("localhost") && !said.contains("1, 1"), "{said}");
    assert!(said.contains("media_key: .."), "{said}");
}
