use super::world::{World, ban, trouble};
use crate::CoreConfig;
use crate::event::{EndReason, Request};
use crate::trouble::TroubleKind;
use tetherd_api::{Event, Holds, State};

fn summary(world: &World) -> String {
    world.core.explain(world.now).summary
}

#[test]
fn explain_says_that_nothing_is_wrong_and_when_the_next_leaves() {
    let mut world = World::connected();
    assert_eq!(summary(&world), "Nothing is wrong, and nothing waits.");
    for chat in 0..6 {
        world.send(chat);
    }
    let at = tetherd_api::Time(world.now.wall_ms + 120_000);
    assert_eq!(summary(&world), format!("Nothing is wrong; the next message leaves at {at}."));
    let explanation = world.core.explain(world.now);
    assert_eq!((explanation.waiting, explanation.next_send_at), (6, Some(at)));
}

#[test]
fn explain_names_every_cause_and_the_remedy_of_each() {
    let mut world = World::connected();
    world.end(EndReason::Replaced);
    for chat in 0..12 {
        world.send(chat);
    }
    world.request(Request::Pause);
    assert_eq!(
        summary(&world),
        "12 messages wait because another WhatsApp Web session took over; and the queue is paused."
    );
    let explanation = world.core.explain(world.now);
    assert_eq!(explanation.next_send_at, None);
    let stops = explanation.conditions.iter().filter(|one| one.holds == Holds::All);
    let remedies: Vec<_> = stops.map(|stop| stop.remedy.as_deref().unwrap()).collect();
    assert_eq!(remedies, ["tetherctl takeover", "tetherctl resume"]);
}

#[test]
fn a_lost_connection_is_explained_with_its_reason_until_somebody_steps_in() {
    let mut world = World::connected();
    world.send(0);
    world.end(EndReason::Refused { code: 503 });
    let why = "because there is no connection to WhatsApp";
    assert!(
        summary(&world)
            .ends_with(&format!("{why}: the server refused the connection for now (code 503).")),
        "{}",
        summary(&world)
    );
    world.request(Request::Reconnect);
    assert!(summary(&world).ends_with(&format!("{why}.")), "{}", summary(&world));
}

#[test]
fn explain_speaks_for_an_empty_queue_too() {
    let world = World::new(CoreConfig::default());
    assert_eq!(
        summary(&world),
        "Nothing waits, but no message could leave, because no phone is paired."
    );
}

#[test]
fn invariant_9_no_sentence_names_a_number_or_a_text() {
    let mut world = World::connected();
    let mut spoken = Vec::new();
    for reason in [
        EndReason::Replaced,
        trouble(TroubleKind::Outdated, 405),
        trouble(TroubleKind::Locked, 403),
        trouble(TroubleKind::BannedForGood, 406),
        trouble(TroubleKind::Declined, 409),
        EndReason::Untrusted,
        EndReason::logged_out(None),
        ban(Some(1_000)),
        ban(None),
        EndReason::Refused { code: 503 },
    ] {
        world = World::connected();
        world.send(0);
        world.end(reason);
        spoken.push(format!("{:?}", world.core.explain(world.now)));
        spoken.push(format!("{:?}", world.status().conditions));
        spoken.push(format!("{:?}", world.status().session.detail));
    }
    spoken.push(format!("{:?}", world.store.messages));
    for text in spoken {
        assert!(!text.contains("1555") && !text.contains("text 0"), "{text}");
    }
}

#[test]
fn every_change_of_a_message_is_told_in_order() {
    let mut world = World::connected();
    let id = world.send(0);
    world.ack(id);
    let states: Vec<State> = world
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Message { message } => Some(message.state),
            _ => None,
        })
        .collect();
    assert_eq!(states, [State::Queued, State::Sending, State::Sent]);
}

#[test]
fn a_status_is_told_for_a_change_of_the_link_but_not_for_each_slot() {
    let mut world = World::connected();
    world.send(0);
    let shown = |world: &World| {
        world.events.iter().filter(|event| matches!(event, Event::Status { .. })).count()
    };
    let before = shown(&world);
    for chat in 1..9 {
        world.send(chat);
    }
    assert_eq!(shown(&world), before);
    world.lose();
    assert!(shown(&world) > before);
}

#[test]
fn a_change_that_nobody_sees_in_the_status_tells_nothing() {
    let mut world = World::connected();
    let events = world.events.len();
    world.request(Request::Resume);
    world.idle(1_000);
    world.input(crate::event::Input::Tick);
    assert_eq!(world.events.len(), events);
}
