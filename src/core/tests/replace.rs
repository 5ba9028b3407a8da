//! The newest content of a key wins: in place while it waits, behind it once it has left.

use super::amend::amend;
use super::world::World;

use crate::CoreConfig;
use crate::event::{NotSent, Request};
use crate::files::Outcome;
use crate::ids::SpoolId;
use tetherd_api::{ErrorKind, Kind, MessageId, Priority, Replace, SendResult, State};

const KEY: &str = "alert";
const MINUTE_MS: u64 = 60_000;

fn paused() -> World {
    let mut world = World::connected();
    world.request(Request::Pause);
    world
}

#[track_caller]
fn replaced(world: &mut World, text: &str, how: Replace) -> SendResult {
    world.replace(0, text, KEY, how).unwrap()
}

fn sent(world: &mut World, id: MessageId) {
    world.written(id);
    world.ack(id);
}

#[test]
fn what_waits_gets_the_newest_content_in_its_place() {
    let mut world = paused();
    let first = replaced(&mut world, "down", Replace::New);
    let behind = world.send(0);
    for how in Replace::ALL {
        let text = format!("still down ({})", how.name());
        let again = replaced(&mut world, &text, how);
        assert_eq!((again.message.id, again.duplicate), (first.message.id, false));
        assert_eq!((&again.message.wa_id, again.message.kind), (&first.message.wa_id, Kind::Text));
        assert_eq!(*again.message.preview.0, text);
        assert!(replaced(&mut world, &text, how).duplicate);
    }
    // The key answers the newest content, and no other.
    let conflict = world.submit(0, "down", Some(KEY)).unwrap_err();
    assert_eq!(conflict.data.kind, ErrorKind::KeyConflict);
    world.request(Request::Resume);
    assert_eq!(world.sent_ids(), [first.message.id.0]);
    sent(&mut world, first.message.id);
    assert_eq!(world.sent_ids(), [first.message.id.0, behind.0]);
}

#[test]
fn what_has_left_is_followed_by_a_new_message_that_has_the_key() {
    let mut world = World::connected();
    let first = replaced(&mut world, "down", Replace::New).message.id;
    sent(&mut world, first);
    let second = replaced(&mut world, "up", Replace::New).message;
    assert_ne!(second.id, first);
    assert_eq!(second.kind, Kind::Text);
    // Also after a restart, and the caller who had no answer asks again.
    world.crash(false);
    world.connect();
    let again = replaced(&mut world, "up", Replace::New);
    assert_eq!((again.message.id, again.duplicate), (second.id, true));
    // What went before is forgotten only with its message.
    assert_eq!(world.core.message(first, world.now).unwrap().key.as_deref(), Some(KEY));
}

#[test]
fn what_has_left_is_edited_as_long_as_the_network_takes_it() {
    let mut world = World::connected();
    let first = replaced(&mut world, "down", Replace::Edit).message.id;
    sent(&mut world, first);
    let edit = replaced(&mut world, "up", Replace::Edit).message;
    assert_eq!((edit.kind, edit.reply_to.as_deref()), (Kind::Edit, Some("m1")));
    assert!(replaced(&mut world, "up", Replace::Edit).duplicate);
    sent(&mut world, edit.id);
    // An edit has left: the next is about the same message.
    let next = replaced(&mut world, "down again", Replace::Edit).message;
    assert_eq!((next.kind, next.reply_to.as_deref()), (Kind::Edit, Some("m1")));
    sent(&mut world, next.id);
    world.pass(15 * MINUTE_MS);
    let late = replaced(&mut world, "up again", Replace::Edit).message;
    assert_eq!((late.kind, late.reply_to), (Kind::Text, None));
    // What an edit cannot carry is sent anew.
    sent(&mut world, late.id);
    let mut file = world.file_submission(0, "a picture");
    file.draft.key = Some(KEY.into());
    file.replace = Some(Replace::Edit);
    let picture = world.accept(file);
    assert_ne!(picture, late.id);
}

#[test]
fn an_edit_that_was_withdrawn_gives_the_key_back_to_what_it_was_about() {
    let mut world = World::connected();
    let first = replaced(&mut world, "down", Replace::New).message.id;
    sent(&mut world, first);
    world.request(Request::Pause);
    let edit = replaced(&mut world, "up", Replace::Edit).message.id;
    world.cancel(&[edit]);
    let again = world.submit(0, "down", Some(KEY)).unwrap();
    assert_eq!((again.duplicate, again.message.id), (true, first));
    let again = replaced(&mut world, "down", Replace::Edit);
    assert_eq!((again.duplicate, again.message.id), (true, first));
    let other = replaced(&mut world, "up again", Replace::Edit);
    assert!(!other.duplicate && other.message.kind == Kind::Edit);
}

#[test]
fn what_is_under_way_or_without_an_answer_is_followed_in_its_order() {
    let mut world = World::connected();
    let first = replaced(&mut world, "down", Replace::New).message.id;
    let edit = replaced(&mut world, "up", Replace::Edit).message;
    assert_eq!((edit.kind, edit.state), (Kind::Edit, State::Queued));
    world.cut_off(first);
    world.lose();
    world.pass(1);
    world.connect();
    assert_eq!(world.sent_ids(), [first.0, first.0], "under its id, before what follows");
    sent(&mut world, first);
    assert_eq!(world.state(edit.id), State::Sending);
}

#[test]
fn an_edit_that_waits_makes_way_for_a_new_message() {
    let mut world = World::connected();
    let first = replaced(&mut world, "down", Replace::New).message.id;
    let edit = replaced(&mut world, "up", Replace::Edit).message.id;
    let new = replaced(&mut world, "down again", Replace::New).message;
    assert_eq!((world.state(edit), new.kind), (State::Cancelled, Kind::Text));
    sent(&mut world, first);
    sent(&mut world, new.id);
    assert_eq!(world.sent_ids(), [first.0, new.id.0]);
    // So it does where what it is about was not sent at all.
    let edit = replaced(&mut world, "up", Replace::Edit).message.id;
    sent(&mut world, edit);
    let third = replaced(&mut world, "third", Replace::New).message.id;
    let about = replaced(&mut world, "fourth", Replace::Edit).message.id;
    world.not_sent(third, NotSent::Unsendable);
    assert_eq!((world.state(third), world.state(about)), (State::Parked, State::Parked));
    let fifth = replaced(&mut world, "fifth", Replace::Edit).message;
    assert_eq!((world.state(about), fifth.kind), (State::Cancelled, Kind::Text));
}

#[test]
fn what_is_parked_goes_on_with_the_new_content_and_what_may_have_left_goes_no_more() {
    let config = CoreConfig { pace_limit: 60, ..CoreConfig::default() };
    let mut world = World::connected_with(config);
    let first = replaced(&mut world, "down", Replace::New).message.id;
    world.not_sent(first, NotSent::Unsendable);
    assert_eq!(world.state(first), State::Parked);
    assert_eq!(replaced(&mut world, "up", Replace::New).message.id, first);
    assert_eq!(world.state(first), State::Sending);
    for attempt in 1..=5 {
        world.cut_off(first);
        if attempt < 5 {
            world.lose();
            world.pass(1);
            world.connect();
        }
    }
    assert_eq!(world.state(first), State::Parked);
    let new = replaced(&mut world, "down", Replace::Edit).message.id;
    assert_ne!(new, first);
    assert_eq!(world.state(first), State::Cancelled);
    let filter = world.all();
    world.ask(Request::Restore { filter, dry_run: false }).unwrap();
    assert_eq!(world.state(first), State::Cancelled, "the newer one was sent");
}

#[test]
fn a_key_of_another_chat_or_about_another_message_is_refused() {
    let mut world = paused();
    replaced(&mut world, "down", Replace::New);
    let error = world.replace(1, "down", KEY, Replace::New).unwrap_err();
    assert_eq!(error.data.kind, ErrorKind::KeyConflict);
    assert!(error.message.contains("another chat"), "{error:?}");
}

#[test]
fn a_place_is_needed_only_where_a_message_is_added() {
    let mut world = World::connected_with(CoreConfig { capacity: 1, ..CoreConfig::default() });
    world.request(Request::Pause);
    replaced(&mut world, "down", Replace::New);
    assert!(!replaced(&mut world, "up", Replace::New).duplicate);
    let error = world.replace(0, "x", "other", Replace::New).unwrap_err();
    assert_eq!(error.data.kind, ErrorKind::QueueFull);
}

#[test]
fn a_file_that_is_replaced_is_let_go_of_and_its_upload_is_of_no_use() {
    let mut world = World::connected();
    let mut file = world.file_submission(0, "first");
    file.draft.key = Some(KEY.into());
    let SpoolId(spool) = file.draft.file.as_ref().unwrap().spool.clone();
    let id = world.accept(file);
    assert!(world.uploads.contains_key(&id));
    let mut other = world.file_submission(0, "second");
    (other.draft.key, other.replace) = (Some(KEY.into()), Some(Replace::New));
    assert_eq!(world.accept(other), id);
    assert!(world.unspooled.contains(&SpoolId(spool)));
    // What arrives is the other file; only then the new one is sent for.
    world.uploaded(id);
    assert_eq!(world.state(id), State::Queued);
    world.uploaded(id);
    assert_eq!(world.state(id), State::Sending);
}

#[test]
fn a_fetch_that_is_under_way_is_stopped() {
    let mut world = World::connected();
    let mut url = world.url_submission(0);
    url.draft.key = Some(KEY.into());
    let id = world.accept(url);
    let mut other = world.url_submission(0);
    (other.draft.key, other.replace) = (Some(KEY.into()), Some(Replace::New));
    let wanted = other.draft.source.clone();
    assert_eq!(world.accept(other), id);
    assert_eq!(world.preparing[&id].source, wanted);
    let outcome = world.all_well(id);
    assert!(matches!(outcome, Outcome::Ready { file: Some(_), .. }));
    world.prepared(id, outcome);
    assert_eq!(world.state(id), State::Queued);
    assert_eq!(replaced(&mut world, "a text", Replace::New).message.id, id);
    assert_eq!(world.state(id), State::Sending);
}

#[test]
fn a_replacement_brings_its_own_priority_and_times() {
    let mut world = paused();
    let first = replaced(&mut world, "down", Replace::New).message;
    let mut urgent = world.submission(0, "on fire", Some(KEY));
    urgent.replace = Some(Replace::New);
    urgent.draft.priority = Priority::High;
    urgent.draft.expires_at = Some(world.now.wall_ms + 1_000);
    assert_eq!(world.accept(urgent), first.id);
    let shown = world.core.message(first.id, world.now).unwrap();
    assert_eq!((shown.priority, shown.expires_at.is_some()), (Priority::High, true));
    world.pass(2_000);
    assert_eq!(world.state(first.id), State::Expired);
    assert_ne!(replaced(&mut world, "on fire", Replace::New).message.id, first.id);
}

#[test]
fn an_edit_that_waits_for_too_long_is_sent_as_a_text_of_its_own() {
    let mut world = World::connected();
    let first = replaced(&mut world, "down", Replace::New).message.id;
    sent(&mut world, first);
    world.request(Request::Pause);
    let edit = replaced(&mut world, "up", Replace::Edit).message;
    let behind = world.send(0);
    assert_eq!((edit.kind, edit.expires_at), (Kind::Edit, None));
    world.pass(16 * MINUTE_MS);
    let text = world.core.message(edit.id, world.now).unwrap();
    assert_eq!((text.kind, text.state, text.reply_to), (Kind::Text, State::Queued, None));
    assert_eq!((&text.wa_id, text.key.as_deref()), (&edit.wa_id, Some(KEY)));
    world.crash(false);
    world.connect();
    assert!(replaced(&mut world, "up", Replace::Edit).duplicate);
    world.request(Request::Resume);
    sent(&mut world, edit.id);
    assert_eq!(world.sent_ids(), [first.0, edit.id.0, behind.0]);
    assert_eq!(world.sends[1].1.draft.kind, Kind::Text);
    assert!(!replaced(&mut world, "down", Replace::New).duplicate);
}

#[test]
fn what_replaces_an_edit_that_waits_is_not_lost_with_the_time_for_edits() {
    let mut world = World::connected();
    let first = replaced(&mut world, "down", Replace::New).message.id;
    sent(&mut world, first);
    world.request(Request::Pause);
    let edit = amend(&mut world, Kind::Edit, first, "going down").unwrap().message.id;
    assert_eq!(replaced(&mut world, "up", Replace::Edit).message.id, edit);
    world.pass(16 * MINUTE_MS);
    let text = world.core.message(edit, world.now).unwrap();
    assert_eq!((text.kind, text.state, &*text.preview), (Kind::Text, State::Queued, "up"));
}

#[test]
fn an_edit_that_was_dropped_is_not_taken_for_what_follows_it() {
    let mut world = World::connected();
    let first = replaced(&mut world, "down", Replace::New).message.id;
    sent(&mut world, first);
    world.request(Request::Pause);
    let edit = replaced(&mut world, "up", Replace::Edit).message.id;
    world.cancel(&[edit]);
    let again = replaced(&mut world, "down", Replace::New);
    assert!(!again.duplicate && again.message.kind == Kind::Text && again.message.id > edit);
    assert!(replaced(&mut world, "down", Replace::New).duplicate);
}

#[test]
fn an_edit_of_its_caller_s_time_expires_and_one_without_an_answer_is_not_doubled() {
    let mut world = World::connected();
    let first = replaced(&mut world, "down", Replace::New).message.id;
    sent(&mut world, first);
    world.pass(14 * MINUTE_MS);
    world.request(Request::Pause);
    let mut brief = world.submission(0, "up", Some(KEY));
    brief.replace = Some(Replace::Edit);
    brief.draft.expires_at = Some(world.now.wall_ms + 1_000);
    let brief = world.accept(brief);
    world.pass(2_000);
    assert_eq!(world.state(brief), State::Expired);
    world.request(Request::Resume);
    let edit = replaced(&mut world, "up", Replace::Edit).message.id;
    world.written(edit);
    world.pass(MINUTE_MS);
    assert_eq!(world.state(edit), State::Unknown);
    world.lose();
    world.pass(1_000);
    world.connect();
    world.pass(20_000);
    assert_eq!(world.state(edit), State::Expired);
    // The recipient may see "up".
    assert!(!replaced(&mut world, "down", Replace::Edit).duplicate);
}
