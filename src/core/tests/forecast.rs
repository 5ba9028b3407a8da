//! Whatever holds a single message, nobody says that it leaves now.

use super::world::World;
use crate::CoreConfig;
use crate::contacts::ContactsConfig;
use crate::event::{Request, SessionEvent, TimelockNotice};
use tetherd_api::{ConditionKind, Message, MessageId, State};

const HOUR: i64 = 60 * 60_000;

fn shown(world: &World, id: MessageId) -> Message {
    let message = world.core.message(id, world.now).unwrap();
    let list = world.core.list(&world.all(), None, None, world.now).messages;
    assert_eq!(list.iter().find(|listed| listed.id == id), Some(&message), "list and show differ");
    message
}

/// The next and the last time that `status` tells, from now.
fn sends(world: &World) -> [Option<i64>; 2] {
    let queue = world.status().queue;
    let explained = world.core.explain(world.now);
    let times = [queue.next_send_at, queue.last_send_at];
    assert_eq!([explained.next_send_at, explained.last_send_at], times);
    times.map(|at| at.map(|at| at.0 - world.now.wall_ms))
}

fn lock(world: &mut World) {
    let until = Some(world.now.wall_ms + HOUR);
    world.session(SessionEvent::Timelock(TimelockNotice::Active { until }));
}

#[test]
fn a_message_to_a_new_contact_leaves_when_the_timelock_ends() {
    let mut world = World::connected();
    lock(&mut world);
    let id = world.send(1);
    let message = shown(&world, id);
    assert_eq!(message.held_by, Some(ConditionKind::ReachoutTimelock));
    assert_eq!(message.expected_at.map(|at| at.0 - world.now.wall_ms), Some(HOUR));
    assert_eq!(sends(&world), [Some(HOUR); 2]);
    let status = world.status();
    let lock = status.conditions.iter().find(|one| one.kind == ConditionKind::ReachoutTimelock);
    assert_eq!(lock.unwrap().until, message.expected_at);
    world.pass(u64::try_from(HOUR).unwrap());
    assert_eq!(world.state(id), State::Sending);
}

#[test]
fn a_locked_message_takes_no_turn_of_those_that_may_leave() {
    let mut world = World::connected_with(CoreConfig { pace_limit: 1, ..CoreConfig::default() });
    world.befriend(0);
    let friend = world.send(0);
    world.ack(friend);
    lock(&mut world);
    let (locked, next) = (world.send(1), world.send(0));
    let expected = |id| shown(&world, id).expected_at.map(|at| at.0 - world.now.wall_ms);
    assert_eq!([expected(next), expected(locked)], [Some(120_000), Some(HOUR)]);
    assert_eq!(shown(&world, next).held_by, None);
    assert_eq!(sends(&world), [Some(120_000), Some(HOUR)]);
}

#[test]
fn nobody_knows_when_a_number_is_checked_and_a_later_turn_is_told() {
    let mut world = World::connected_with(CoreConfig {
        pace_limit: 1,
        contacts: ContactsConfig { check_recipients: true, ..ContactsConfig::default() },
        ..CoreConfig::default()
    });
    let (first, second) = (world.send(1), world.send(2));
    let message = shown(&world, first);
    assert_eq!(message.held_by, Some(ConditionKind::NumberUnchecked));
    assert_eq!((message.state, message.expected_at), (State::Queued, None));
    let later = shown(&world, second).expected_at.unwrap().0 - world.now.wall_ms;
    assert!((120_000..120_100).contains(&later), "{later}");
    assert_eq!(sends(&world), [Some(later); 2]);
}

#[test]
fn alone_a_message_whose_number_is_not_checked_has_no_time_and_the_summary_says_why() {
    let contacts = ContactsConfig { check_recipients: true, ..ContactsConfig::default() };
    let mut world = World::connected_with(CoreConfig { contacts, ..CoreConfig::default() });
    world.send(1);
    assert_eq!(sends(&world), [None, None]);
    assert_eq!(
        world.core.explain(world.now).summary,
        "Nothing is wrong; 1 message waits for the network's word on the number."
    );
}

#[test]
fn a_message_leaves_after_the_one_before_it_in_its_chat() {
    let mut world = World::connected();
    let (first, second, third) = (world.send(0), world.send(0), world.send(0));
    assert_eq!(world.state(first), State::Sending);
    for (id, after) in [(second, first), (third, second)] {
        let message = shown(&world, id);
        assert_eq!((message.expected_at, message.after), (None, Some(after)));
        assert_eq!(message.held_by, None);
    }
    assert_eq!(sends(&world), [None, None]);
    let summary = world.core.explain(world.now).summary;
    assert!(summary.contains("2 messages wait for the ones before them"), "{summary}");
    world.ack(first);
    assert_eq!(world.state(second), State::Sending);
    assert_eq!(shown(&world, third).after, Some(second));
}

#[test]
fn before_its_time_a_message_is_told_with_it() {
    let mut world = World::connected();
    let id = world.send_in(0, HOUR);
    let message = shown(&world, id);
    assert_eq!(message.held_by, Some(ConditionKind::NotBefore));
    assert_eq!(message.expected_at, message.not_before);
    assert_eq!(sends(&world), [Some(HOUR); 2]);
}

#[test]
fn what_stops_the_queue_holds_each_message_and_nobody_knows_when_it_leaves() {
    let mut world = World::connected();
    world.request(Request::Pause);
    let (id, early) = (world.send(0), world.send_in(1, HOUR));
    for id in [id, early] {
        let message = shown(&world, id);
        assert_eq!(message.held_by, Some(ConditionKind::Paused));
        assert_eq!(message.expected_at, None);
    }
    assert_eq!(sends(&world), [None, None]);
}

#[test]
fn a_pause_that_the_server_asked_for_moves_every_time() {
    let mut world = World::connected();
    let id = world.send(0);
    world.ack_with(id, Some(429));
    let early = world.send_in(1, 1_000);
    let expected = shown(&world, early).expected_at.map(|at| at.0 - world.now.wall_ms);
    assert_eq!(expected, Some(120_000), "also next to a time that was asked for");
}
