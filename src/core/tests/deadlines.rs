use super::virtual_time::run_until_empty;
use super::world::World;
use crate::CoreConfig;
use crate::action::Wake;
use crate::event::{Input, ReceiptKind, Request};
use tetherd_api::{ConditionKind, ErrorKind, Priority, ReasonKind, State};

const HOUR_MS: i64 = 3_600_000;

#[test]
fn a_message_that_could_never_be_sent_is_refused() {
    let mut world = World::connected();
    for (expires, not_before) in [(0, None), (-1, None), (1_000, Some(1_000)), (1_000, Some(5_000))]
    {
        let error = world
            .submit_as(0, |submission, now| {
                submission.draft.expires_at = Some(now.wall_ms + expires);
                submission.draft.not_before = not_before.map(|ms: i64| now.wall_ms + ms);
            })
            .unwrap_err();
        assert_eq!(error.data.kind, ErrorKind::InvalidParams);
        assert!(error.message.contains("never be sent"), "{error}");
    }
    assert!(world.store.messages.is_empty());
}

#[test]
fn an_earliest_time_in_the_past_is_refused_and_a_known_key_is_answered() {
    let mut world = World::connected();
    world.request(Request::Pause);
    let mut submit = |not_before_ms: i64| {
        world.submit_as(0, |submission, now| {
            submission.draft.not_before = Some(now.wall_ms + not_before_ms);
        })
    };
    // Whole minutes, as callers write them, are not in the past.
    assert!(submit(-60_000).is_ok());
    for past_ms in [-60_001, -HOUR_MS, -365 * 24 * HOUR_MS] {
        let error = submit(past_ms).unwrap_err();
        assert_eq!(error.data.kind, ErrorKind::InvalidParams);
        assert!(error.message.contains("`not_before`"), "{error}");
        assert!(error.data.remedy.is_some());
    }
    assert_eq!(world.store.messages.len(), 1);
    let keyed = |submission: &mut crate::event::Submission, now: crate::time::Now| {
        submission.draft.key = Some("k".to_owned().into());
        submission.draft.digest = crate::ids::Digest([7; 32]);
        submission.draft.not_before = Some(now.wall_ms + 1_000);
    };
    let first = world.submit_as(0, keyed).unwrap();
    world.pass(2 * 3_600_000);
    let again = world.submit_as(0, |submission, _| {
        submission.draft.key = Some("k".to_owned().into());
        submission.draft.digest = crate::ids::Digest([7; 32]);
        submission.draft.not_before = Some(0);
    });
    assert_eq!(again.unwrap(), first);
}

#[test]
fn a_message_whose_time_has_passed_is_never_sent() {
    let mut world = World::connected();
    world.request(Request::Pause);
    let (short, long) = (world.send_until(0, 60_000), world.send_until(0, HOUR_MS));
    assert_eq!(world.core.poll_timeout().map(|(_, wake)| wake), Some(Wake::Expiry));
    world.pass(59_999);
    assert_eq!(world.state(short), State::Queued);
    world.pass(1);
    assert_eq!(world.state(short), State::Expired);
    world.request(Request::Resume);
    assert_eq!(world.sent_ids(), [long.0]);
}

#[test]
fn what_expires_while_the_daemon_is_down_expires_at_the_start() {
    let mut world = World::connected();
    world.request(Request::Pause);
    let id = world.send_until(0, 60_000);
    world.request(Request::Resume);
    world.ack_with(id, Some(487));
    world.suspend(60_000);
    world.crash(true);
    assert_eq!(world.state(id), State::Expired);
    assert_eq!(world.reason(id), (ReasonKind::Refused, Some(487)));
    assert_eq!(world.store.messages[&id].state(), State::Expired);
}

#[test]
fn a_clock_that_is_set_is_noticed_within_half_a_minute() {
    let mut world = World::connected();
    world.request(Request::Pause);
    let (expiring, scheduled) = (world.send_until(0, HOUR_MS), world.send_in(1, HOUR_MS));
    world.now.wall_ms += 2 * HOUR_MS;
    world.pass(30_000);
    assert_eq!(world.state(expiring), State::Expired);
    let place = |world: &World| world.core.message(scheduled, world.now).unwrap().position;
    assert_eq!(place(&world), Some(1));
    // Put back before it left: its time has not come after all.
    world.now.wall_ms -= 2 * HOUR_MS;
    world.request(Request::Resume);
    assert!(world.sends.is_empty());
    assert_eq!(place(&world), None);
    world.pass(u64::try_from(HOUR_MS).unwrap());
    assert_eq!(world.sent_ids(), [scheduled.0]);
}

#[test]
fn one_that_may_have_left_is_not_sent_again_and_expires_after_the_next_login() {
    let mut world = World::connected();
    let (id, next) = (world.send_until(0, 30_000), world.send(0));
    world.written(id);
    world.pass(30_000);
    assert_eq!((world.state(id), world.sends.len()), (State::Unknown, 1));
    world.lose();
    world.pass(1_000);
    world.connect();
    assert_eq!((world.state(id), world.sends.len()), (State::Unknown, 1));
    world.pass(19_999);
    assert_eq!(world.state(id), State::Unknown);
    world.pass(1);
    assert_eq!(world.state(id), State::Expired);
    assert_eq!(world.reason(id), (ReasonKind::NoAnswer, None));
    assert_eq!(world.state(next), State::Sending);
    // The truth still comes through.
    world.receipt(id, ReceiptKind::Delivered);
    assert_eq!(world.state(id), State::Delivered);
}

#[test]
fn one_under_way_at_its_time_is_sent_if_the_answer_says_so() {
    let mut world = World::connected();
    let (first, second) = (world.send_until(0, 10_000), world.send_until(1, 10_000));
    world.written(first);
    world.pass(10_000);
    assert_eq!(world.state(first), State::Sending);
    world.ack(first);
    assert_eq!(world.state(first), State::Sent);
    world.not_sent(second, crate::event::NotSent::Passing);
    assert_eq!(world.state(second), State::Expired);
}

#[test]
fn a_scheduled_message_takes_a_place_and_holds_nothing_back() {
    let mut world = World::connected_with(CoreConfig { capacity: 2, ..CoreConfig::default() });
    let (later, now) = (world.send_in(0, HOUR_MS), world.send(0));
    assert_eq!(world.sent_ids(), [now.0]);
    assert_eq!(world.status().queue.free, 0);
    world.ack(now);
    let shown = world.core.message(later, world.now).unwrap();
    assert_eq!((shown.state, shown.position), (State::Queued, None));
    assert_eq!(shown.expected_at, shown.not_before);
    let queue = world.status().queue;
    assert_eq!((queue.next_send_at, queue.last_send_at), (shown.not_before, shown.not_before));
    world.crash(true);
    world.connect();
    world.pass(3_600_000 - 1);
    assert_eq!(world.sends.len(), 1);
    world.pass(1);
    assert_eq!(world.sent_ids(), [now.0, later.0]);
}

#[test]
fn what_is_due_enters_in_its_order_of_acceptance() {
    let mut world = World::connected();
    let scheduled = world.send_in(0, 60_000);
    world.request(Request::Pause);
    let (first, second) = (world.send(0), world.send(1));
    world.pass(60_000);
    world.request(Request::Resume);
    assert_eq!(world.sent_ids(), [scheduled.0, second.0]);
    world.ack(scheduled);
    assert_eq!(world.sent_ids(), [scheduled.0, second.0, first.0]);
}

#[test]
fn one_that_was_attempted_keeps_its_chat_when_the_clock_is_put_back() {
    let mut world = World::connected();
    let id = world.send_in(0, 1_000);
    world.pass(1_000);
    world.lose();
    world.now.wall_ms -= HOUR_MS;
    let next = world.send(0);
    world.pass(1_000);
    world.connect();
    assert_eq!(world.sent_ids(), [id.0, id.0]);
    assert_eq!(world.state(next), State::Queued);
}

#[test]
fn high_goes_first_over_all_chats_and_low_last() {
    let mut world = World::connected();
    world.request(Request::Pause);
    let low = world.send_with(0, Priority::Low);
    let normal: Vec<_> = (1..3).map(|chat| world.send(chat)).collect();
    let high = world.send_with(3, Priority::High);
    let place = |id| world.core.message(id, world.now).unwrap().position;
    assert_eq!([high, normal[0], normal[1], low].map(place), [1, 2, 3, 4].map(Some));
    world.request(Request::Resume);
    assert_eq!(world.sent_ids(), [high.0, normal[0].0, normal[1].0, low.0]);
}

#[test]
fn within_a_chat_a_priority_keeps_its_order_and_high_passes_what_waits() {
    let mut world = World::connected();
    world.request(Request::Pause);
    let normal = [world.send(0), world.send(0)];
    let high = [world.send_with(0, Priority::High), world.send_with(0, Priority::High)];
    world.request(Request::Resume);
    for id in [high[0], high[1], normal[0], normal[1]] {
        assert_eq!(world.state(id), State::Sending, "{id}");
        world.ack(id);
    }
}

#[test]
fn nothing_of_a_chat_passes_one_without_an_answer() {
    let mut world = World::connected();
    let id = world.send_with(0, Priority::Low);
    let high = world.send_with(0, Priority::High);
    assert_eq!(world.state(high), State::Queued);
    world.lose();
    assert_eq!(world.state(id), State::Unknown);
    world.pass(1_000);
    world.connect();
    assert_eq!(world.sent_ids(), [id.0, id.0]);
    world.ack(id);
    assert_eq!(world.state(high), State::Sending);
}

#[test]
fn the_forecast_knows_priorities_and_schedules() {
    let mut world = World::connected();
    world.request(Request::Pause);
    for chat in 0..8 {
        world.send(chat);
    }
    world.send_in(8, 130_000);
    world.send_in(9, 600_000);
    world.send_with(10, Priority::High);
    world
        .submit_as(11, |s, now| {
            s.draft.not_before = Some(now.wall_ms + 100_000);
            s.draft.priority = Priority::High;
        })
        .unwrap();
    let start = (world.true_ms, world.now.wall_ms);
    world.request(Request::Resume);
    // All five of the first window have left: the rest is foretold.
    let list = world.core.list(&world.all(), None, None, world.now);
    let foretold: Vec<(u64, i64)> = list
        .messages
        .iter()
        .filter_map(|m| m.expected_at.map(|at| (m.id.0, at.0 - start.1)))
        .collect();
    let last = world.status().queue.last_send_at.unwrap().0 - start.1;
    assert_eq!(foretold.len(), 7);
    run_until_empty(&mut world);
    for (id, expected) in foretold {
        let (at, _) = world.sends.iter().find(|(_, sent)| sent.id.0 == id).unwrap();
        assert_eq!(i64::try_from(at - start.0).unwrap(), expected, "m{id}");
    }
    let (at, _) = world.sends.last().unwrap();
    assert_eq!(i64::try_from(at - start.0).unwrap(), last);
}

#[test]
fn only_scheduled_messages_are_no_pacing_backlog() {
    let mut world = World::connected();
    for chat in 0..5 {
        let id = world.send(chat);
        world.ack(id);
    }
    world.send_in(0, HOUR_MS);
    world.input(Input::Tick);
    assert!(world.holds().is_empty());
    let causes = world.core.explain(world.now).conditions;
    let early = causes.iter().find(|cause| cause.kind == ConditionKind::NotBefore).unwrap();
    assert!(early.active, "{early:?}");
}
