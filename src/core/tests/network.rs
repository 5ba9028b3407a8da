//! What the network's answers bring about: conflicts, timelocks, slow-downs.

use super::world::{Run, World};
use crate::action::Wake;
use crate::event::{EndReason, NotSent, ReceiptKind, Request, SessionEvent, TimelockNotice};
use crate::{CoreConfig, OnConflict, OnRateLimit};
use tetherd_api::{ConditionKind, MessageId, ReasonKind, SessionState, State};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

fn taking_over() -> World {
    let on_conflict = OnConflict::TakeoverAfter { after_ms: 10 * MINUTE };
    World::connected_with(CoreConfig { on_conflict, ..CoreConfig::default() })
}

fn wall(world: &World, after_ms: u64) -> i64 {
    world.now.wall_ms + i64::try_from(after_ms).unwrap()
}

fn lock(world: &mut World, after_ms: u64) {
    let until = Some(wall(world, after_ms));
    world.session(SessionEvent::Timelock(TimelockNotice::Active { until }));
}

fn causes(world: &World) -> Vec<ConditionKind> {
    world.core.explain(world.now).conditions.iter().filter(|c| c.active).map(|c| c.kind).collect()
}

#[test]
fn invariant_11_replaced_ten_times_in_a_minute_makes_no_connection_of_its_own() {
    let mut world = World::connected();
    for _ in 0..10 {
        world.end(EndReason::Replaced);
        world.pass(3_000);
        assert_eq!(world.run, Run::None);
        assert!(world.ask(Request::Takeover).is_ok());
        world.connect();
    }
    assert_eq!(world.commands.iter().filter(|command| **command == "connect").count(), 11);
    assert_eq!(world.status().session.replaced_last_hour, 10);
    world.crash(true);
    assert_eq!(world.status().session.replaced_last_hour, 10);
    world.pass(HOUR);
    assert_eq!(world.status().session.replaced_last_hour, 0);
}

#[test]
fn by_policy_the_session_is_taken_back_after_its_time_and_a_jitter() {
    let mut world = taking_over();
    world.end_with(EndReason::Replaced, MINUTE);
    assert_eq!(world.holds(), [ConditionKind::OtherSession]);
    let due = wall(&world, 11 * MINUTE);
    assert_eq!(world.status().session.takeover_at.map(|at| at.0), Some(due));
    assert_eq!(world.core.poll_timeout(), Some((world.now.mono_ms + 11 * MINUTE, Wake::Takeover)));
    world.pass(11 * MINUTE - 1);
    assert_eq!(world.run, Run::None);
    world.pass(1);
    assert_eq!(world.run, Run::Connecting);
    assert_eq!(world.status().session.takeover_at, None);
}

#[test]
fn automatic_takeovers_are_used_up_whatever_came_of_them_and_a_restart_gives_none_back() {
    let mut world = taking_over();
    let first = world.now.mono_ms + 10 * MINUTE;
    for _ in 0..3 {
        world.end(EndReason::Replaced);
        world.pass(10 * MINUTE);
        world.connect();
        // Success: it holds for longer than a connection must to count as stable.
        world.pass(2 * MINUTE);
    }
    world.end(EndReason::Replaced);
    let allowed = first + HOUR;
    assert_eq!(world.core.poll_timeout(), Some((allowed, Wake::Takeover)));
    let hold = world.status().conditions[0].clone();
    assert!(hold.by_itself.contains("No more takeovers by itself are allowed"), "{hold:?}");
    assert!(hold.until.is_some() && hold.until == hold.by_itself_at);
    assert!(causes(&world).contains(&ConditionKind::OtherSession));
    let left = allowed - world.now.mono_ms;
    world.crash(true);
    world.pass(left - 1);
    assert_eq!(world.run, Run::None);
    world.pass(1);
    assert_eq!(world.run, Run::Connecting);
}

#[test]
fn a_takeover_by_command_is_always_allowed_and_uses_nothing_up() {
    let mut world = taking_over();
    for _ in 0..20 {
        world.end(EndReason::Replaced);
        assert!(world.ask(Request::Takeover).is_ok());
        world.connect();
    }
    world.end(EndReason::Replaced);
    world.pass(10 * MINUTE);
    assert_eq!(world.run, Run::Connecting);
    assert_eq!(world.core.session.last_hour(world.now).taken_back, (1, 20));
}

#[test]
fn a_takeover_that_is_due_survives_a_restart_and_a_policy_that_changes() {
    let mut world = World::connected();
    world.end(EndReason::Replaced);
    assert_eq!(world.core.poll_timeout(), None);
    let on_conflict = OnConflict::TakeoverAfter { after_ms: 5 * MINUTE };
    world.config = CoreConfig { on_conflict, ..CoreConfig::default() };
    world.crash(false);
    world.pass(4 * MINUTE);
    world.crash(true);
    assert!(world.status().session.takeover_at.is_some());
    world.pass(5 * MINUTE);
    assert_eq!(world.run, Run::Connecting);
}

#[test]
fn no_budget_means_no_automatic_takeover() {
    let on_conflict = OnConflict::TakeoverAfter { after_ms: MINUTE };
    let config = CoreConfig { on_conflict, takeovers_per_hour: 0, ..CoreConfig::default() };
    let mut world = World::connected_with(config);
    world.end(EndReason::Replaced);
    world.pass(48 * HOUR);
    assert_eq!(world.status().session.state, SessionState::Replaced);
    assert_eq!(world.status().session.takeover_at, None);
}

#[test]
fn a_timelock_keeps_new_contacts_back_and_lets_existing_chats_go_on() {
    let mut world = World::connected();
    world.befriend(0);
    lock(&mut world, HOUR);
    let (first, second) = (world.send(1), world.send(1));
    let friend = world.send(0);
    assert_eq!(world.state(friend), State::Sending);
    world.ack(friend);
    assert_eq!([world.state(first), world.state(second)], [State::Queued, State::Queued]);
    let explanation = world.core.explain(world.now);
    assert!(explanation.summary.contains("2 messages to new contacts wait"));
    let cause =
        explanation.conditions.iter().find(|cause| cause.kind == ConditionKind::ReachoutTimelock);
    assert_eq!(cause.unwrap().affected.ids, [first, second]);
    world.crash(true);
    world.connect();
    assert_eq!(world.state(first), State::Queued);
    world.pass(HOUR);
    assert_eq!(world.state(first), State::Sending);
    world.ack(first);
    assert_eq!(world.state(second), State::Sending, "in order");
    assert_eq!(world.status().session.timelock_until, None);
}

#[test]
fn a_timelock_that_is_lifted_ends_at_once() {
    let mut world = World::connected();
    lock(&mut world, HOUR);
    let id = world.send(1);
    assert_eq!(world.state(id), State::Queued);
    world.session(SessionEvent::Timelock(TimelockNotice::Lifted));
    assert_eq!(world.state(id), State::Sending);
}

#[test]
fn a_lock_without_an_end_holds_new_contacts_for_longer_each_time() {
    let mut world = World::connected();
    for minutes in [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360] {
        world.session(SessionEvent::Timelock(TimelockNotice::Active { until: None }));
        let until = wall(&world, minutes * MINUTE);
        assert_eq!(world.status().session.timelock_until.map(|at| at.0), Some(until));
        world.pass(minutes * MINUTE);
        assert_eq!(world.status().session.timelock_until, None);
    }
}

#[test]
fn what_was_refused_goes_before_what_came_after_it_in_its_chat() {
    let mut world = World::connected();
    let first = world.send(1);
    let second = world.send(1);
    world.ack_with(first, Some(463));
    assert_eq!(world.state(second), State::Queued, "it waits for what the server says");
    lock(&mut world, HOUR);
    assert_eq!(world.reason(first), (ReasonKind::ReachoutTimelock, Some(463)));
    world.session(SessionEvent::Timelock(TimelockNotice::Lifted));
    assert_eq!([world.state(first), world.state(second)], [State::Sending, State::Queued]);
}

#[test]
fn what_a_timelock_refused_comes_back_as_places_become_free() {
    let mut world = World::connected_with(CoreConfig { capacity: 1, ..CoreConfig::default() });
    world.befriend(0);
    let refused = world.send(1);
    world.ack_with(refused, Some(463));
    lock(&mut world, HOUR);
    let friend = world.send(0);
    world.session(SessionEvent::Timelock(TimelockNotice::Lifted));
    assert_eq!(world.state(refused), State::Parked, "the queue is full");
    world.ack(friend);
    assert_eq!(world.state(refused), State::Sending);
}

#[test]
fn who_wrote_is_no_new_contact_for_28_days_and_a_restart_does_not_forget_it() {
    let mut world = World::connected();
    world.befriend(0);
    world.crash(true);
    world.connect();
    lock(&mut world, HOUR);
    let friend = world.send(0);
    assert_eq!(world.state(friend), State::Sending);
    world.pass(28 * 24 * HOUR);
    lock(&mut world, HOUR);
    let stranger = world.send(0);
    assert_eq!(world.state(stranger), State::Queued);
}

#[test]
fn what_we_sent_makes_nobody_known() {
    let mut world = World::connected();
    let id = world.send(0);
    world.receipt(id, ReceiptKind::Read);
    lock(&mut world, HOUR);
    let next = world.send(0);
    assert_eq!(world.state(next), State::Queued);
}

#[test]
fn a_clock_set_back_does_not_lengthen_a_timelock() {
    let mut world = World::connected();
    lock(&mut world, HOUR);
    let id = world.send(1);
    world.now.wall_ms -= 100_000_000_000;
    world.crash(false);
    world.connect();
    world.pass(HOUR);
    assert_eq!(world.state(id), State::Sending);
}

#[test]
fn an_answer_to_slow_down_pauses_everything_for_longer_each_time_and_eases() {
    let mut world = World::connected();
    let id = world.send(0);
    for minutes in [2, 4, 8, 16, 32, 60, 60] {
        world.ack_with(id, Some(429));
        assert_eq!(world.state(id), State::Queued);
        let until = wall(&world, minutes * MINUTE);
        assert_eq!(world.status().pacing.slowed_until.map(|at| at.0), Some(until));
        world.pass(minutes * MINUTE - 1);
        assert_eq!(world.state(id), State::Queued);
        world.pass(1);
        assert_eq!(world.state(id), State::Sending);
    }
    world.ack(id);
    assert!(causes(&world).is_empty(), "{:?}", causes(&world));
    // Seven answers, the next would be the cap; five half hours of quiet take five back.
    world.pass(150 * MINUTE);
    let id = world.send(0);
    world.ack_with(id, Some(429));
    let until = wall(&world, 8 * MINUTE);
    assert_eq!(world.status().pacing.slowed_until.map(|at| at.0), Some(until));
}

#[test]
fn several_answers_to_what_left_together_are_one_reason_to_slow_down() {
    let mut world = World::connected();
    let ids: Vec<MessageId> = (0..5).map(|chat| world.send(chat)).collect();
    for id in &ids {
        world.written(*id);
    }
    for id in &ids {
        world.ack_with(*id, Some(429));
    }
    let until = wall(&world, 2 * MINUTE);
    assert_eq!(world.status().pacing.slowed_until.map(|at| at.0), Some(until));
    assert!(causes(&world).contains(&ConditionKind::RateLimited));
    world.pass(2 * MINUTE);
    for id in ids {
        assert_eq!(world.state(id), State::Sending);
    }
}

#[test]
fn a_restart_does_not_shorten_a_slow_down() {
    let mut world = World::connected();
    let id = world.send(0);
    world.ack_with(id, Some(429));
    world.pass(MINUTE);
    world.crash(true);
    world.connect();
    assert_eq!(world.state(id), State::Queued);
    world.pass(MINUTE - 1);
    assert_eq!(world.state(id), State::Queued);
    world.pass(MINUTE + 1);
    assert_eq!(world.state(id), State::Sending);
}

#[test]
fn a_message_that_is_always_answered_so_is_parked_in_the_end() {
    let mut world = World::connected();
    let id = world.send(0);
    for _ in 0..20 {
        world.ack_with(id, Some(429));
        assert_eq!(world.state(id), State::Queued);
        while world.state(id) == State::Queued {
            world.pass(MINUTE);
        }
    }
    world.ack_with(id, Some(429));
    assert_eq!(world.reason(id), (ReasonKind::Refused, Some(429)));
    assert_eq!(world.core.session.refusals()[0].count, 21);
}

#[test]
fn a_late_too_many_for_a_parked_message_is_its_answer_and_slows_down() {
    let config = CoreConfig { attempts_max: 1, ..CoreConfig::default() };
    for cancelled in [false, true] {
        let mut world = World::connected_with(config.clone());
        let id = world.send(0);
        world.cut_off(id);
        assert_eq!(world.reason(id), (ReasonKind::NoAnswer, None));
        if cancelled {
            world.cancel(&[id]);
        }
        world.ack_with(id, Some(429));
        assert!(world.status().pacing.slowed_until.is_some());
        let refusal = &world.core.session.refusals()[0];
        assert_eq!((refusal.code, refusal.count), (429, 1));
        if cancelled {
            world.restore_by(world.all(), false);
        }
        assert_eq!(world.reason(id), (ReasonKind::Refused, Some(429)));
    }
}

#[test]
fn requests_and_logins_that_are_too_many_slow_down_too() {
    let mut world = World::connected();
    let id = world.send(0);
    world.not_sent(id, NotSent::RateLimited);
    assert_eq!(world.state(id), State::Queued);
    assert!(world.status().pacing.slowed_until.is_some());
    let mut world = World::connected();
    world.end(EndReason::Refused { code: 429 });
    assert!(world.status().pacing.slowed_until.is_some());
}

#[test]
fn by_policy_the_queue_is_paused_when_the_server_asks_to_slow_down() {
    let config = CoreConfig { on_rate_limit: OnRateLimit::Pause, ..CoreConfig::default() };
    let mut world = World::connected_with(config);
    let id = world.send(0);
    world.ack_with(id, Some(429));
    world.pass(HOUR);
    assert_eq!((world.state(id), world.holds()), (State::Queued, vec![ConditionKind::Paused]));
    assert!(world.ask(Request::Resume).is_ok());
    assert_eq!(world.state(id), State::Sending);
}

#[test]
fn invariant_10_refusals_are_counted_by_code_within_a_bound() {
    let mut world = World::connected_with(CoreConfig { pace_limit: 60, ..CoreConfig::default() });
    for code in 520..540 {
        let id = world.send(0);
        world.ack_with(id, Some(code));
        world.idle(1);
    }
    let refusals = world.core.session.refusals();
    let counted: Vec<u32> = refusals.iter().map(|refusal| refusal.code).collect();
    assert_eq!(counted.len(), 16);
    assert!(counted.contains(&539) && !counted.contains(&520));
}
