//! Usernames, from the stanza that states them to the message that comes to the inbox.

use std::sync::Arc;

use whatsapp_rust::types::events::{Event, EventHandler as _};
use whatsapp_rust::types::message::{MessageInfo, MessageSource};
use whatsapp_rust::wacore_binary::marshal;
use whatsapp_rust::{NodeBuilder, OwnedNodeRef};

use crate::whatsapp::events::names::names;
use crate::whatsapp::events::translate::{ConnectionEvent, Me};
use crate::whatsapp::incoming::usernames::StatedUsernames;
use tetherd_core::event::SessionEvent;

const BOB: &str = "100000000000009@lid";
const BOBS_DEVICE: &str = "100000000000009:3@lid";
const GROUP: &str = "120363000000000001@g.us";
const NUMBER: &str = "15550119@s.whatsapp.net";

fn stanza(tag: &'static str, attrs: &[(&'static str, &str)]) -> Event {
    let mut node = NodeBuilder::new(tag);
    for (name, value) in attrs {
        node = node.attr(name, *value);
    }
    // Without the byte for its compression.
    let bytes = marshal(&node.build()).unwrap()[1..].to_vec();
    Event::RawNode(Arc::new(OwnedNodeRef::new(bytes).unwrap()))
}

fn info(id: &str, sender: &str) -> MessageInfo {
    let source = MessageSource { sender: sender.parse().unwrap(), ..Default::default() };
    MessageInfo { id: id.into(), source, ..Default::default() }
}

fn stated(event: Event, id: &str, sender: &str) -> Option<String> {
    let usernames = StatedUsernames::default();
    usernames.handle_event(Arc::new(event));
    usernames.take(&info(id, sender)).map(|username| username.0)
}

/// Whose username is learnt from this stanza.
fn learnt(event: &Event) -> Vec<(String, String)> {
    let names = names(event, &Me::default()).into_iter().map(|seen| {
        let ConnectionEvent::Report(SessionEvent::Names { number, lid }) = seen else {
            panic!("{seen:?}");
        };
        (number.written(), lid.as_str().to_owned())
    });
    names.collect()
}

#[test]
fn a_message_is_given_the_username_that_its_stanza_states_of_the_person() {
    let from_bob = [("id", "3EB0AB"), ("from", BOBS_DEVICE)];
    let in_group = [("id", "3EB0AB"), ("from", GROUP), ("participant", BOBS_DEVICE)];
    let to_ann = [("id", "3EB0AB"), ("from", BOBS_DEVICE), ("recipient", NUMBER)];
    let bob = Some("@bob.b".to_owned());
    for (head, name, expected) in [
        (&from_bob[..], "username", &bob),
        (&in_group, "participant_username", &bob),
        (&to_ann, "peer_recipient_username", &bob),
        (&to_ann, "recipient_username", &bob),
        // About somebody else.
        (&in_group, "username", &None),
        (&from_bob, "peer_recipient_username", &None),
        (&to_ann, "username", &None),
    ] {
        let attrs = [head, &[(name, "bob.b")]].concat();
        assert_eq!(stated(stanza("message", &attrs), "3EB0AB", BOB), *expected, "{attrs:?}");
    }
    let too_long = "x".repeat(36);
    for name in ["", "b b", "1234", "bob@lid", "bo", too_long.as_str()] {
        let attrs = [&from_bob[..], &[("username", name)]].concat();
        assert_eq!(stated(stanza("message", &attrs), "3EB0AB", BOB), None, "{name}");
    }
    let attrs = [&from_bob[..], &[("username", "bob.b")]].concat();
    assert_eq!(stated(stanza("receipt", &attrs), "3EB0AB", BOB), None);
}

#[test]
fn a_username_belongs_to_one_message_of_one_sender_and_the_oldest_of_too_many_goes() {
    let usernames = StatedUsernames::default();
    let keep = |id: &str, name: &str| {
        let attrs = [("id", id), ("from", BOBS_DEVICE), ("username", name)];
        usernames.handle_event(Arc::new(stanza("message", &attrs)));
    };
    keep("3EB0AB", "bob.b");
    keep("3EB0AB", "bobby");
    let take = |id: &str, sender: &str| usernames.take(&info(id, sender)).map(|name| name.0);
    assert_eq!(take("3EB0AC", BOB), None);
    assert_eq!(take("3EB0AB", NUMBER), None);
    assert_eq!(take("3EB0AB", BOBS_DEVICE).as_deref(), Some("@bobby"), "the one stated last");
    assert_eq!(take("3EB0AB", BOB), None);
    for n in 0..=1_024 {
        keep(&n.to_string(), "bob.b");
    }
    assert_eq!(take("0", BOB), None);
    assert!(take("1", BOB).is_some() && take("1024", BOB).is_some());
}

#[test]
fn the_username_of_who_writes_from_a_lid_in_a_chat_of_two_is_learnt() {
    let learnt_of = |attrs: &[(&'static str, &str)]| {
        learnt(&stanza("message", &[&[("id", "3EB0AB")], attrs].concat()))
    };
    let bob = [("@bob.b".to_owned(), BOB.to_owned())];
    assert_eq!(learnt_of(&[("from", BOBS_DEVICE), ("username", "bob.b")]), bob);
    for attrs in [
        &[("from", NUMBER), ("username", "bob.b")][..],
        &[("from", GROUP), ("participant", BOB), ("participant_username", "bob.b")],
        &[("from", BOB), ("recipient", NUMBER), ("peer_recipient_username", "ann")],
    ] {
        assert_eq!(learnt_of(attrs), [], "{attrs:?}");
    }
}
