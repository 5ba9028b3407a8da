//! How long a message keeps its file.

use super::world::World;
use crate::CoreConfig;
use crate::event::{Body, Request, Selection};
use crate::files::Room;
use crate::files::shown;
use crate::ids::SpoolId;
use tetherd_api::{ErrorKind, Kind, MessageId, Reply};

fn spool(world: &World, id: MessageId) -> SpoolId {
    world.store.messages[&id].draft.file.clone().unwrap().spool
}

#[test]
fn a_file_is_let_go_of_when_its_message_is_sent_and_not_before() {
    let mut world = World::connected();
    let id = world.send_file(1);
    let file = spool(&world, id);
    world.uploaded(id);
    assert_eq!(world.sent_ids(), [id.0]);
    assert!(world.store.messages[&id].needs_file());
    assert!(world.unspooled.is_empty());
    world.ack(id);
    assert_eq!(world.unspooled.iter().collect::<Vec<_>>(), [&file]);
    assert!(world.store.messages[&id].draft.file.is_some(), "people are still shown what it was");
}

#[test]
fn a_cancelled_message_lets_go_of_its_file_once_it_cannot_be_brought_back() {
    let mut world = World::paired(CoreConfig::default());
    let (first, second) = (world.send_file(1), world.send_file(2));
    let files = [spool(&world, first), spool(&world, second)];
    let filter = Selection::default();
    for dry_run in [true, false] {
        let (ids, filter) = (vec![first], filter.clone());
        world.ask(Request::Cancel { ids, filter, dry_run }).unwrap();
        // As long as it can be brought back, all of it stays.
        assert!(world.unspooled.is_empty());
    }
    world.pass(world.config.undo_ms);
    assert!(world.unspooled.contains(&files[0]) && !world.unspooled.contains(&files[1]));
    world.ask(Request::Clear { filter: filter.clone(), dry_run: false }).unwrap();
    world.ask(Request::Restore { filter: filter.clone(), dry_run: false }).unwrap();
    world.pass(world.config.undo_ms);
    assert!(!world.unspooled.contains(&files[1]));
    world.ask(Request::Clear { filter, dry_run: false }).unwrap();
    world.pass(world.config.undo_ms);
    assert!(world.unspooled.contains(&files[1]));
}

#[test]
fn what_is_not_accepted_leaves_no_file_behind() {
    let config = CoreConfig { capacity: 1, ..CoreConfig::default() };
    let mut world = World::paired(config);
    assert_eq!(world.core.room(None), Ok(Room::Free));
    let submit = |world: &mut World, chat, caption, key: Option<&str>| {
        let mut submission = world.file_submission(chat, caption);
        submission.draft.key = key.map(Into::into);
        submission
    };
    let accepted = submit(&mut world, 1, "a", Some("k"));
    world.ask(Request::Submit(Box::new(accepted.clone()))).unwrap();
    for (chat, text, key) in [(1, "a", Some("k")), (1, "b", Some("k")), (2, "c", None)] {
        let submission = submit(&mut world, chat, text, key);
        let file = submission.draft.file.clone().unwrap().spool;
        let answer = world.ask(Request::Submit(Box::new(submission)));
        assert!(!matches!(answer, Ok(Reply::MessageSend(sent)) if !sent.duplicate));
        assert!(world.unspooled.contains(&file));
    }
    assert!(!world.unspooled.contains(&accepted.draft.file.unwrap().spool));
    // A full queue is said before anything is copied; a known key needs no place.
    assert_eq!(world.core.room(Some("new")).unwrap_err().data.kind, ErrorKind::QueueFull);
    assert_eq!(world.core.room(Some("k")), Ok(Room::KeyKnown));
}

#[test]
fn lists_show_a_caption_a_place_and_a_name() {
    let body = |text: &str| Body(text.into());
    assert_eq!(shown(Kind::Image, &body("a caption")), (9, "a caption".into()));
    let place = r#"{"latitude":1.5,"longitude":-2.0,"name":"home"}"#;
    assert_eq!(shown(Kind::Location, &body(place)), (0, "home".into()));
    let place = r#"{"latitude":1.5,"longitude":-2.0}"#;
    assert_eq!(shown(Kind::Location, &body(place)), (0, "1.5, -2".into()));
    let card = r#"{"name":"Ann","phones":["+15550111"]}"#;
    assert_eq!(shown(Kind::Contact, &body(card)), (0, "Ann".into()));
}
