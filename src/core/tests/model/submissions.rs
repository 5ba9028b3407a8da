//! What the property test expects of a submission, with and without a key.

use super::super::belief::Model;
use super::super::world::World;
use crate::event::Input;
use crate::queue::Message;
use tetherd_api::{ErrorKind, Kind, Replace};

pub(super) fn submit(world: &mut World, model: &mut Model, chat: u32, key: Option<u8>, text: u8) {
    let known = key.and_then(|key| model.known(world, key));
    let name = key.map(|key| format!("key {key}"));
    let free = world.status().queue.free;
    let result = world.submit(chat, &format!("text {text}"), name.as_deref());
    match (result, known) {
        (Ok(sent), Some((c, t, id))) => {
            assert!(sent.duplicate);
            assert_eq!((chat, text, sent.message.id), (c, t, id));
        }
        (Err(error), Some((c, t, _))) => {
            assert_eq!(error.data.kind, ErrorKind::KeyConflict);
            assert_ne!((chat, text), (c, t));
        }
        (Ok(sent), None) => {
            assert!(!sent.duplicate && free > 0);
            if let Some(key) = key {
                model.stands_for(key, chat, text, sent.message.id);
            }
        }
        (Err(error), None) => match error.data.kind {
            ErrorKind::QueueFull => assert_eq!(free, 0),
            kind => assert_eq!(kind, ErrorKind::ShuttingDown),
        },
    }
}

/// What waits gets the content in its place; what has left, or may have, is followed.
pub(super) fn replace(
    world: &mut World,
    model: &mut Model,
    (chat, key, text): (u32, u8, u8),
    how: Replace,
) {
    // What time has brought about comes first.
    world.input(Input::Tick);
    let known = model.known(world, key);
    let former = known.map(|(.., id)| world.store.messages[&id].clone());
    let was_dropped = model.is_newest_dropped(world, key);
    let free = world.status().queue.free;
    let name = format!("key {key}");
    let result = world.replace(chat, &format!("text {text}"), &name, how);
    let changed = former.as_ref().is_some_and(Message::is_waiting);
    match (result, known) {
        (Ok(done), Some((c, t, id))) => {
            assert_eq!(c, chat);
            // An edit to what the recipient sees already is not sent.
            let seen = t == text && how == Replace::Edit && done.duplicate;
            let same = t == text && !was_dropped;
            assert_eq!(done.duplicate, same || seen);
            let edit = world.store.messages[&done.message.id].draft.kind == Kind::Edit;
            assert!(!edit || how == Replace::Edit || done.duplicate);
            if done.duplicate {
                assert_eq!(done.message.id, id);
            } else if changed && done.message.id == id {
                assert_eq!(done.message.wa_id, world.accepted[&id].0);
            } else {
                // Replaced, it cannot be restored any more, and a full history lets go of it.
                let former = world.store.messages.get(&id);
                assert!(done.message.id > id && former.is_none_or(|m| !m.is_waiting()));
            }
            model.stands_for(key, chat, text, done.message.id);
        }
        (Ok(sent), None) => {
            assert!(!sent.duplicate && free > 0);
            model.stands_for(key, chat, text, sent.message.id);
        }
        (Err(error), known) => match error.data.kind {
            ErrorKind::KeyConflict => assert_ne!(known.map(|(c, ..)| c), Some(chat)),
            ErrorKind::QueueFull => assert_eq!(free, 0),
            kind => assert_eq!(kind, ErrorKind::ShuttingDown),
        },
    }
}
