//! Edits, revocations and reactions: in place while a message waits, else messages of their own
//! behind it.

use super::world::World;

use crate::draft::Target;
use crate::event::{Body, NotSent, Request};
use crate::ids::Digest;
use tetherd_api::{Error, ErrorKind, Kind, MessageId, ReasonKind, Reply, SendResult, State};

const MINUTE_MS: u64 = 60_000;

pub(super) fn amend(
    world: &mut World,
    kind: Kind,
    id: MessageId,
    text: &str,
) -> Result<SendResult, Error> {
    let mut submission = world.submission(0, text, None);
    let target = world.store.messages[&id].draft.clone();
    submission.draft.to = target.to;
    submission.draft.kind = kind;
    submission.draft.target =
        Some(Target { wa_id: target.wa_id, id: Some(id), sender: None, quote: None });
    match world.ask(Request::Submit(Box::new(submission)))? {
        Reply::MessageEdit(result) | Reply::MessageRevoke(result) | Reply::MessageReact(result) => {
            Ok(*result)
        }
        other => panic!("{other:?}"),
    }
}

fn paused() -> World {
    let mut world = World::connected();
    world.request(Request::Pause);
    world
}

#[track_caller]
fn refused(result: Result<SendResult, Error>, part: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.data.kind, ErrorKind::WrongState, "{error:?}");
    assert!(error.message.contains(part), "{error:?}");
    assert!(error.data.remedy.is_some(), "{error:?}");
}

/// Sent, and so long ago.
fn sent(world: &mut World, ago_ms: u64) -> MessageId {
    let id = world.send(0);
    world.written(id);
    world.ack(id);
    world.pass(ago_ms);
    id
}

#[test]
fn an_edit_of_what_waits_changes_it_in_its_place() {
    let mut world = paused();
    let [first, second] = [world.send(0), world.send(0)];
    let edited = amend(&mut world, Kind::Edit, first, "as it is now").unwrap();
    assert_eq!((edited.message.id, edited.duplicate), (first, false));
    assert_eq!(&*edited.message.preview.0, "as it is now");
    assert_eq!(edited.message.chars, 12);
    // Once more, and nothing changes.
    let changes = world.changes;
    assert!(amend(&mut world, Kind::Edit, first, "as it is now").unwrap().duplicate);
    assert_eq!(world.changes, changes);
    world.request(Request::Resume);
    assert_eq!(world.sent_ids(), [first.0]);
    world.written(first);
    world.ack(first);
    assert_eq!(world.sent_ids(), [first.0, second.0]);
}

#[test]
fn an_edit_of_what_has_left_is_a_message_of_its_own_with_a_slot_of_its_own() {
    let mut world = World::connected();
    let id = sent(&mut world, 0);
    let edit = amend(&mut world, Kind::Edit, id, "better").unwrap().message;
    assert_ne!(edit.id, id);
    assert_eq!((edit.kind, edit.reply_to.as_deref()), (Kind::Edit, Some("m1")));
    let expires_at = edit.expires_at.unwrap().0;
    assert_eq!(expires_at, world.now.wall_ms + 15 * 60_000);
    assert_eq!(world.sent_ids(), [id.0, edit.id.0]);
    assert_eq!(world.status().pacing.spent, 2);
    // Said again, it is done already; said otherwise while it is under way, one more follows.
    assert!(amend(&mut world, Kind::Edit, id, "better").unwrap().duplicate);
    let best = amend(&mut world, Kind::Edit, id, "best").unwrap().message;
    assert_eq!(best.state, State::Queued);
    // That one waits, and is changed in its place.
    let again = amend(&mut world, Kind::Edit, id, "the very best").unwrap().message;
    assert_eq!(again.id, best.id);
}

#[test]
fn the_windows_of_the_network_are_kept() {
    let mut world = World::connected();
    let id = sent(&mut world, 15 * MINUTE_MS);
    refused(amend(&mut world, Kind::Edit, id, "too late"), "15 minutes");
    let revoked = amend(&mut world, Kind::Revoke, id, "").unwrap().message;
    assert_eq!((revoked.kind, revoked.id == id), (Kind::Revoke, false));
    let mut world = World::connected();
    let id = sent(&mut world, 2 * 24 * 60 * MINUTE_MS);
    refused(amend(&mut world, Kind::Revoke, id, ""), "too long ago");
    // What waits for too long is not sent any more.
    let mut world = World::connected();
    let id = sent(&mut world, 0);
    world.request(Request::Pause);
    let edit = amend(&mut world, Kind::Edit, id, "later").unwrap().message.id;
    world.pass(16 * MINUTE_MS);
    assert_eq!(world.state(edit), State::Expired);
}

#[test]
fn what_is_taken_back_is_changed_no_more() {
    let mut world = World::connected();
    let id = sent(&mut world, 0);
    let revoked = amend(&mut world, Kind::Revoke, id, "").unwrap().message.id;
    for kind in [Kind::Edit, Kind::Reaction] {
        refused(amend(&mut world, kind, id, "too late"), "taken back");
    }
    assert!(amend(&mut world, Kind::Revoke, id, "").unwrap().duplicate);
    // One that the server refused takes nothing back.
    world.written(revoked);
    world.ack_with(revoked, Some(488));
    assert_eq!(world.state(revoked), State::Parked);
    let edit = amend(&mut world, Kind::Edit, id, "still there").unwrap().message;
    assert_eq!(edit.kind, Kind::Edit);
}

#[test]
fn a_revocation_of_what_waits_withdraws_it_and_can_be_undone() {
    let mut world = paused();
    let id = world.send(0);
    let revoked = amend(&mut world, Kind::Revoke, id, "").unwrap();
    assert_eq!((revoked.message.id, revoked.message.state), (id, State::Cancelled));
    assert!(revoked.message.undo_until.is_some());
    assert!(amend(&mut world, Kind::Revoke, id, "").unwrap().duplicate);
    let filter = world.all();
    world.ask(Request::Restore { filter, dry_run: false }).unwrap();
    assert_eq!(world.state(id), State::Queued);
}

#[test]
fn what_has_no_answer_yet_is_waited_for() {
    let mut world = World::connected();
    let id = world.send(0);
    let edit = amend(&mut world, Kind::Edit, id, "better").unwrap().message.id;
    let revoke = amend(&mut world, Kind::Revoke, id, "").unwrap().message.id;
    assert_eq!(world.sent_ids(), [id.0]);
    world.not_sent(id, NotSent::Passing);
    assert_eq!(world.state(edit), State::Queued, "it waits behind what it is about");
    world.pass(MINUTE_MS);
    assert_eq!(world.sent_ids(), [id.0, id.0]);
    for id in [id, edit, revoke] {
        world.written(id);
        world.ack(id);
    }
    assert_eq!(world.state(revoke), State::Sent);
}

#[test]
fn what_is_about_a_message_that_is_not_sent_is_parked_and_blocks_nothing() {
    let mut world = World::connected();
    let id = world.send(0);
    let edit = amend(&mut world, Kind::Edit, id, "better").unwrap().message.id;
    let next = world.send(0);
    world.ack_with(id, Some(488));
    assert_eq!(world.state(id), State::Parked);
    assert_eq!(world.reason(edit), (ReasonKind::TargetNotSent, None));
    assert_eq!(world.state(next), State::Sending);
    // Put back together, they keep their order.
    world.written(next);
    world.ack(next);
    let filter = world.all();
    world.ask(Request::Retry { filter, anyway: false, dry_run: false }).unwrap();
    world.written(id);
    world.ack(id);
    assert_eq!(world.state(edit), State::Sending);
}

#[test]
fn a_reaction_waits_behind_its_message_and_is_refused_where_nobody_can_see_it() {
    let mut world = paused();
    let id = world.send(0);
    let reaction = amend(&mut world, Kind::Reaction, id, "+").unwrap().message;
    assert_eq!((reaction.kind, reaction.state), (Kind::Reaction, State::Queued));
    world.request(Request::Resume);
    assert_eq!(world.sent_ids(), [id.0]);
    world.written(id);
    world.ack_with(id, Some(488));
    refused(amend(&mut world, Kind::Reaction, id, "+"), "parked");
    refused(amend(&mut world, Kind::Edit, reaction.id, "x"), "about another");
}

#[test]
fn what_may_have_left_is_not_changed() {
    let mut world = World::connected();
    let id = world.send(0);
    for attempt in 1..=5 {
        world.cut_off(id);
        if attempt < 5 {
            world.lose();
            world.pass(1);
            world.connect();
        }
    }
    assert_eq!(world.state(id), State::Parked);
    refused(amend(&mut world, Kind::Edit, id, "x"), "may have left");
    refused(amend(&mut world, Kind::Revoke, id, ""), "may have left");
}

#[test]
fn only_texts_are_edited_and_an_unknown_message_is_not_found() {
    let mut world = paused();
    let file = world.send_file(0);
    refused(amend(&mut world, Kind::Edit, file, "x"), "no text");
    let id = world.send(0);
    let mut submission = world.submission(0, "x", None);
    submission.draft.kind = Kind::Edit;
    let wa_id = submission.draft.wa_id.clone();
    submission.draft.target =
        Some(Target { wa_id, id: Some(MessageId(99)), sender: None, quote: None });
    submission.draft.digest = Digest([9; 32]);
    submission.body = Body("x".into());
    let error = world.ask(Request::Submit(Box::new(submission))).unwrap_err();
    assert_eq!(error.data.kind, ErrorKind::NotFound);
    assert_eq!(world.state(id), State::Queued);
}

#[test]
fn a_key_repeats_an_amendment_once() {
    let mut world = World::connected();
    let id = sent(&mut world, 0);
    let send = |world: &mut World| {
        let mut submission = world.submission(0, "better", Some("k"));
        let target = world.store.messages[&id].draft.clone();
        submission.draft.kind = Kind::Edit;
        submission.draft.target =
            Some(Target { wa_id: target.wa_id, id: Some(id), sender: None, quote: None });
        match world.ask(Request::Submit(Box::new(submission))).unwrap() {
            Reply::MessageEdit(result) => *result,
            other => panic!("{other:?}"),
        }
    };
    let first = send(&mut world);
    let second = send(&mut world);
    assert_eq!((second.message.id, second.duplicate), (first.message.id, true));
}
