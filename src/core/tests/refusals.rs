//! Refusals of single messages: what the server is asked, what is tried again, and what waits
//! for whom.

use super::world::World;
use crate::event::{NotSent, QuotaLevel, QuotaNotice, ReceiptKind, SessionEvent, TimelockNotice};
use tetherd_api::{ConditionKind, ReasonKind, State};

const HOUR: u64 = 60 * 60 * 1_000;

fn answer(world: &mut World, notice: TimelockNotice) {
    world.session(SessionEvent::Timelock(notice));
}

fn quota(world: &mut World, level: QuotaLevel, until: Option<i64>) {
    let notice = QuotaNotice { level, used: Some(50), total: Some(50), until };
    world.session(SessionEvent::NewChatQuota(notice));
}

fn is_case(world: &World, kind: ConditionKind) -> bool {
    world.core.explain(world.now).conditions.iter().any(|c| c.active && c.kind == kind)
}

#[test]
fn a_missing_token_parks_this_message_alone_once_the_server_knows_of_no_lock() {
    let mut world = World::connected();
    let refused = world.send(1);
    world.ack_with(refused, Some(463));
    let other = world.send(2);
    assert_eq!(world.state(other), State::Queued, "the server is being asked");
    answer(&mut world, TimelockNotice::Lifted);
    assert_eq!(world.reason(refused), (ReasonKind::TokenMissing, Some(463)));
    assert_eq!(world.state(other), State::Sending);
    assert_eq!(world.status().session.timelock_until, None);
    // What was said holds for the next refusal, too.
    world.ack_with(other, Some(463));
    let third = world.send(3);
    assert_eq!(world.state(third), State::Sending);
}

#[test]
fn without_an_answer_new_contacts_wait_no_longer_than_one_takes() {
    let mut world = World::connected();
    let refused = world.send(1);
    world.ack_with(refused, Some(463));
    let other = world.send(2);
    let shown = world.core.message(other, world.now).unwrap();
    assert_eq!(shown.held_by, Some(ConditionKind::ReachoutTimelock));
    assert_eq!(shown.expected_at.map(|at| at.0), Some(world.now.wall_ms + 15_000));
    world.pass(15_000);
    assert_eq!(world.state(other), State::Sending);
    assert_eq!(world.state(refused), State::Parked);
}

#[test]
fn a_token_that_arrives_brings_its_message_back_once() {
    let mut world = World::connected();
    let (first, second) = (world.send(1), world.send(1));
    world.ack_with(first, Some(463));
    answer(&mut world, TimelockNotice::Lifted);
    world.ack_with(second, Some(463));
    world.befriend(2);
    assert_eq!(world.state(first), State::Parked, "another chat's");
    world.befriend(1);
    assert_eq!(world.state(first), State::Queued, "a token may follow its message");
    world.pass(5_000);
    assert_eq!([world.state(first), world.state(second)], [State::Sending, State::Queued]);
    world.crash(true);
    world.connect();
    world.ack_with(first, Some(463));
    world.befriend(1);
    world.pass(5_000);
    assert_eq!(world.state(first), State::Parked, "one retry in all");
    assert_eq!(world.state(second), State::Sending);
}

#[test]
fn in_a_chat_that_exists_a_refusal_holds_nobody_else_back() {
    let mut world = World::connected();
    world.befriend(0);
    let refused = world.send(0);
    world.ack_with(refused, Some(463));
    let other = world.send(1);
    assert_eq!(world.reason(refused), (ReasonKind::TokenMissing, Some(463)));
    assert_eq!(world.state(other), State::Sending);
}

#[test]
fn a_used_up_quota_holds_new_chats_until_its_cycle_ends_and_a_restart_knows_it() {
    let mut world = World::connected();
    world.befriend(0);
    let refused = world.send(1);
    world.ack_with(refused, Some(475));
    assert_eq!(world.reason(refused), (ReasonKind::NewChatQuota, Some(475)));
    let until = world.now.wall_ms + i64::try_from(5 * HOUR).unwrap();
    quota(&mut world, QuotaLevel::UsedUp, Some(until));
    let (new, friend) = (world.send(2), world.send(0));
    assert_eq!([world.state(new), world.state(friend)], [State::Queued, State::Sending]);
    world.ack(friend);
    world.crash(true);
    world.connect();
    let shown = world.core.message(new, world.now).unwrap();
    assert_eq!(shown.held_by, Some(ConditionKind::NewChatQuota));
    assert_eq!(shown.expected_at.map(|at| at.0), Some(until));
    let explained = world.core.explain(world.now);
    let of_quota = |c: &&tetherd_api::Condition| c.kind == ConditionKind::NewChatQuota;
    let cause = explained.conditions.iter().find(of_quota).unwrap();
    assert_eq!(cause.affected.ids, [refused, new]);
    assert!(cause.evidence[0].what.contains("50 of 50"), "{:?}", cause.evidence);
    world.pass(5 * HOUR);
    assert_eq!([world.state(refused), world.state(new)], [State::Sending, State::Sending]);
    assert!(!is_case(&world, ConditionKind::NewChatQuota));
}

#[test]
fn a_refusal_for_the_quota_without_numbers_holds_new_chats_for_an_hour() {
    let mut world = World::connected();
    let refused = world.send(1);
    world.ack_with(refused, Some(475));
    world.pass(HOUR - 1);
    assert_eq!(world.state(refused), State::Parked);
    world.pass(1);
    assert_eq!(world.state(refused), State::Sending);
}

#[test]
fn a_warning_about_the_quota_holds_nothing_and_ends_what_was_held() {
    let mut world = World::connected();
    quota(&mut world, QuotaLevel::Warning, None);
    assert!(is_case(&world, ConditionKind::NewChatQuota));
    let id = world.send(1);
    assert_eq!(world.state(id), State::Sending);
    world.ack_with(id, Some(475));
    assert_eq!(world.state(id), State::Parked);
    quota(&mut world, QuotaLevel::Fine, None);
    assert_eq!(world.state(id), State::Sending);
    assert!(!is_case(&world, ConditionKind::NewChatQuota));
}

#[test]
fn what_may_be_cured_by_another_try_has_one_under_the_same_id() {
    for (code, devices, group) in [(421, false, true), (479, true, false), (503, false, false)] {
        let mut world = World::connected();
        let id = world.send(0);
        let wa_id = world.flight(id).draft.wa_id.clone();
        world.ack_with(id, Some(code));
        assert_eq!(world.state(id), State::Queued);
        world.pass(1_000);
        let again = world.flight(id);
        assert_eq!((again.attempt.0, &again.draft.wa_id), (2, &wa_id));
        assert_eq!((again.refresh.devices, again.refresh.group), (devices, group), "{code}");
        world.ack_with(id, Some(code));
        assert_eq!(world.reason(id), (ReasonKind::Refused, Some(code)));
    }
}

#[test]
fn a_malformed_message_and_an_absent_recipient_have_their_reasons() {
    let mut world = World::connected();
    let (malformed, absent) = (world.send(0), world.send(1));
    world.ack_with(malformed, Some(400));
    world.ack_with(absent, Some(404));
    assert_eq!(world.reason(malformed), (ReasonKind::NotSendable, Some(400)));
    assert_eq!(world.reason(absent), (ReasonKind::NotOnNetwork, Some(404)));
}

#[test]
fn invariant_6_what_reached_nobody_has_another_try_with_fresh_devices_and_is_never_sent() {
    let mut world = World::connected();
    let id = world.send(0);
    world.not_sent(id, NotSent::NoDevice);
    assert_eq!(world.state(id), State::Sending, "at once, and for a slot of its own");
    assert!(world.flight(id).refresh.devices);
    world.receipt(id, ReceiptKind::OwnPhone);
    assert_eq!(world.state(id), State::Sending, "our own phone's copy says nothing");
    world.not_sent(id, NotSent::NoDevice);
    assert_eq!(world.reason(id), (ReasonKind::NoDevice, None));
    world.receipt(id, ReceiptKind::OwnPhone);
    assert_eq!(world.state(id), State::Parked);
    assert_eq!(world.status().pacing.spent, 2);
    // Somebody has it all the same.
    world.receipt(id, ReceiptKind::Delivered);
    assert_eq!(world.state(id), State::Delivered);
}
