//! The sending hours, and the slots that are kept for high priority.

use super::world::World;
use crate::CoreConfig;
use crate::event::{Input, Request};
use crate::pacing::{OpenHours, OpenSpan};
use tetherd_api::{ConditionKind, ErrorKind, MessageId, Priority, Replace, State};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const WEEK: i64 = 7 * 24 * HOUR;

/// Open for so long, beginning so long from now; and so in the week before.
fn open_in(world: &World, wait_ms: i64, for_ms: i64) -> Option<OpenHours> {
    let opens = world.now.wall_ms + wait_ms;
    let spans = [opens - WEEK, opens, opens + WEEK];
    OpenHours::new(spans.map(|opens| OpenSpan { opens, closes: opens + for_ms }).to_vec())
}

fn closed(config: CoreConfig) -> World {
    let mut world = World::connected_with(config);
    let hours = open_in(&world, HOUR, HOUR);
    world.input(Input::Hours(hours));
    world
}

fn send_as(world: &mut World, chat: u32, priority: Priority) -> MessageId {
    world.submit_as(chat, |submission, _| submission.draft.priority = priority).unwrap()
}

fn expected(world: &World, id: MessageId) -> Option<i64> {
    let at = world.core.message(id, world.now).unwrap().expected_at;
    at.map(|at| at.0 - world.now.wall_ms)
}

#[test]
fn messages_wait_for_the_hours_and_leave_at_the_pace_when_they_begin() {
    let mut world = closed(CoreConfig { pace_limit: 2, ..CoreConfig::default() });
    let ids = [0, 1, 2].map(|chat| world.send(chat));
    assert_eq!(world.sent_ids(), [0_u64; 0]);
    assert_eq!(
        ids.map(|id| expected(&world, id)),
        [Some(HOUR), Some(HOUR), Some(HOUR + 2 * MINUTE)]
    );
    assert_eq!(world.holds(), [ConditionKind::OutsideHours]);
    let held_by = world.core.message(ids[0], world.now).unwrap().held_by;
    assert_eq!(held_by, Some(ConditionKind::OutsideHours));
    let summary = world.core.explain(world.now).summary;
    assert!(summary.contains("outside the sending hours"), "{summary}");
    world.pass(u64::try_from(HOUR).unwrap() - 1);
    assert_eq!(world.sent_ids(), [0_u64; 0]);
    world.pass(1);
    assert_eq!(world.sent_ids(), [ids[0].0, ids[1].0]);
    for id in &ids[..2] {
        world.written(*id);
        world.ack(*id);
    }
    world.pass(120_000);
    assert_eq!(world.sent_ids().len(), 3);
    assert_eq!(world.status().pacing.opens_at, None);
}

#[test]
fn what_does_not_leave_before_they_end_leaves_the_next_time() {
    let mut world = World::connected_with(CoreConfig { pace_limit: 1, ..CoreConfig::default() });
    let hours = open_in(&world, 0, 3 * MINUTE);
    world.input(Input::Hours(hours));
    let ids = [0, 1, 2, 3].map(|chat| world.send(chat));
    let times = [None, Some(2 * MINUTE), Some(WEEK), Some(WEEK + 2 * MINUTE)];
    assert_eq!(ids.map(|id| expected(&world, id)), times);
    world.written(ids[0]);
    world.ack(ids[0]);
    world.pass(u64::try_from(2 * MINUTE).unwrap());
    assert_eq!(world.sent_ids(), [ids[0].0, ids[1].0]);
    world.written(ids[1]);
    world.ack(ids[1]);
    world.pass(u64::try_from(HOUR).unwrap());
    assert_eq!(world.sent_ids().len(), 2);
    // A clock that is put forward brings them: they are looked for.
    world.now.wall_ms += WEEK - HOUR - 2 * MINUTE;
    world.pass(30_000);
    assert_eq!(world.sent_ids().len(), 3);
}

#[test]
fn the_hours_are_not_those_of_an_earlier_configuration() {
    let mut world = closed(CoreConfig::default());
    let id = world.send(0);
    world.input(Input::Hours(None));
    assert_eq!(world.state(id), State::Sending);
    assert_eq!(world.holds(), []);
}

#[test]
fn what_would_expire_before_they_begin_is_refused() {
    let mut world = closed(CoreConfig::default());
    let times = |not_before: Option<i64>, expires: i64| {
        move |submission: &mut crate::event::Submission, now: crate::time::Now| {
            submission.draft.not_before = not_before.map(|at| now.wall_ms + at);
            submission.draft.expires_at = Some(now.wall_ms + expires);
        }
    };
    for (not_before, expires) in [(None, HOUR), (Some(2 * HOUR), 3 * HOUR)] {
        let error = world.submit_as(0, times(not_before, expires)).unwrap_err();
        assert_eq!(error.data.kind, ErrorKind::InvalidParams, "{error:?}");
        assert!(error.message.contains("the sending hours begin at"), "{error:?}");
    }
    assert!(world.submit_as(0, times(None, HOUR + 1)).is_ok());
    assert!(world.submit_as(0, times(Some(HOUR + MINUTE), 2 * HOUR)).is_ok());
    // Hours that come after it was accepted: that is said.
    let hours = open_in(&world, 3 * HOUR, HOUR);
    world.input(Input::Hours(hours));
    let explained = world.core.explain(world.now);
    let closed = explained.conditions.iter().find(|c| c.kind == ConditionKind::OutsideHours);
    let evidence = format!("{:?}", closed.unwrap().evidence);
    assert!(evidence.contains("1 message expires before they begin again"), "{evidence}");
}

#[test]
fn an_edit_that_would_come_too_late_is_a_new_message() {
    let mut world = World::connected();
    let first = world.replace(0, "down", "k", Replace::Edit).unwrap().message.id;
    world.written(first);
    world.ack(first);
    let hours = open_in(&world, HOUR, HOUR);
    world.input(Input::Hours(hours));
    let second = world.replace(0, "up", "k", Replace::Edit).unwrap().message;
    assert_eq!((second.kind, second.state), (tetherd_api::Kind::Text, State::Queued));
}

#[test]
fn high_priority_keeps_the_hours_unless_it_is_allowed_not_to() {
    let mut world = closed(CoreConfig::default());
    let urgent = send_as(&mut world, 0, Priority::High);
    assert_eq!(world.state(urgent), State::Queued);
    let mut world = closed(CoreConfig { high_at_any_time: true, ..CoreConfig::default() });
    let normal = world.send(0);
    let urgent = send_as(&mut world, 1, Priority::High);
    assert_eq!((world.state(urgent), world.state(normal)), (State::Sending, State::Queued));
    assert_eq!(expected(&world, normal), Some(HOUR));
}

#[test]
fn no_file_is_uploaded_for_a_message_that_waits_for_the_hours() {
    let mut world = closed(CoreConfig::default());
    let id = world.send_file(0);
    assert!(world.uploads.is_empty());
    world.pass(u64::try_from(HOUR).unwrap());
    assert!(world.uploads.contains_key(&id));
}

#[test]
fn invariant_3_kept_slots_are_taken_by_high_priority_and_never_more_than_all() {
    let config = CoreConfig { pace_limit: 3, pace_reserve: 1, ..CoreConfig::default() };
    let mut world = World::connected_with(config);
    let normal = [0, 1, 2].map(|chat| world.send(chat));
    assert_eq!(world.sent_ids(), [normal[0].0, normal[1].0]);
    assert_eq!(world.holds(), [ConditionKind::Pacing]);
    assert_eq!(world.status().pacing.reserve, 1);
    let urgent = [3, 4].map(|chat| send_as(&mut world, chat, Priority::High));
    assert_eq!(world.sent_ids(), [normal[0].0, normal[1].0, urgent[0].0]);
    let waits = [urgent[1], normal[2]].map(|id| expected(&world, id));
    for id in [normal[0], normal[1], urgent[0]] {
        world.written(id);
        world.ack(id);
    }
    world.pass(120_000);
    assert_eq!(world.sent_ids()[3..], [urgent[1].0, normal[2].0]);
    assert_eq!(waits, [Some(120_000), Some(120_000)]);
}

#[test]
fn invariant_5_high_priority_passes_nothing_of_its_chat_that_is_under_way() {
    let config = CoreConfig { pace_reserve: 2, ..CoreConfig::default() };
    let mut world = World::connected_with(config);
    let first = world.send(0);
    let urgent = send_as(&mut world, 0, Priority::High);
    assert_eq!(world.sent_ids(), [first.0]);
    world.request(Request::Pause);
    world.cut_off(first);
    world.request(Request::Resume);
    assert_eq!(world.state(urgent), State::Queued);
}
