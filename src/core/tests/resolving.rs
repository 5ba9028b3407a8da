use super::world::World;
use crate::action::Wake;
use crate::event::{EndReason, NotSent, ReceiptKind, Request};
use tetherd_api::{ReasonKind, State};

#[test]
fn invariant_6_a_written_frame_alone_is_not_success() {
    let mut world = World::connected();
    let id = world.send(0);
    world.written(id);
    assert_eq!(world.state(id), State::Sending);
    assert_eq!(world.core.poll_timeout(), Some((world.now.mono_ms + 20_000, Wake::AckTimeout)));
    world.pass(19_999);
    assert_eq!(world.state(id), State::Sending);
    world.pass(1);
    assert_eq!(world.state(id), State::Unknown);
}

#[test]
fn invariant_6_a_refusal_never_reads_as_sent() {
    for code in [463, 487, 500] {
        let mut world = World::connected();
        let id = world.send(0);
        world.ack_with(id, Some(code));
        assert_eq!(world.state(id), State::Parked);
        assert_eq!(world.core.message(id, world.now).unwrap().sent_at, None);
    }
}

#[test]
fn a_late_ack_resolves_an_unknown_message() {
    let mut world = World::connected();
    let id = world.send(0);
    world.written(id);
    world.pass(30_000);
    world.ack(id);
    assert_eq!(world.state(id), State::Sent);
    world.pass(600_000);
    assert!(!world.commands.contains(&"close"));
}

#[test]
fn receipts_in_any_order_and_twice_lead_forward_only() {
    let kinds = [ReceiptKind::Read, ReceiptKind::OwnPhone, ReceiptKind::Delivered];
    let mut world = World::connected();
    let id = world.send(0);
    world.receipt(id, kinds[0]);
    let changes = world.changes;
    for kind in kinds.into_iter().chain(kinds) {
        world.receipt(id, kind);
    }
    world.ack(id);
    world.ack_with(id, Some(487));
    assert_eq!(world.state(id), State::Read);
    assert_eq!(world.changes, changes);
    let message = world.core.message(id, world.now).unwrap();
    assert!(message.sent_at.is_some() && message.delivered_at.is_some());
}

#[test]
fn the_own_phones_copy_proves_that_the_server_has_it() {
    let mut world = World::connected();
    let id = world.send(0);
    world.receipt(id, ReceiptKind::OwnPhone);
    assert_eq!(world.state(id), State::Sent);
}

#[test]
fn a_receipt_outweighs_a_refusal_and_a_withdrawal() {
    let mut world = World::connected();
    let (refused, cancelled) = (world.send(0), world.send(1));
    world.ack_with(refused, Some(500));
    world.ack_with(cancelled, Some(500));
    world.cancel(&[cancelled]);
    world.receipt(refused, ReceiptKind::Delivered);
    world.receipt(cancelled, ReceiptKind::Delivered);
    assert_eq!(world.state(refused), State::Delivered);
    assert_eq!(world.state(cancelled), State::Delivered);
}

#[test]
fn a_receipt_for_a_message_that_was_put_back_takes_it_out_of_the_queue() {
    let mut world = World::connected();
    let id = world.send(0);
    world.ack_with(id, Some(500));
    world.request(Request::Pause);
    world.request(Request::Retry { filter: world.all(), anyway: false, dry_run: false });
    assert_eq!(world.state(id), State::Queued);
    world.receipt(id, ReceiptKind::Delivered);
    world.request(Request::Resume);
    assert_eq!((world.state(id), world.sends.len()), (State::Delivered, 1));
}

#[test]
fn words_about_unknown_ids_are_ignored() {
    let mut world = World::connected();
    let id = world.send(0);
    world.accepted.insert(tetherd_api::MessageId(77), super::world::foreign_id());
    world.ack(tetherd_api::MessageId(77));
    world.receipt(tetherd_api::MessageId(77), ReceiptKind::Read);
    assert_eq!(world.state(id), State::Sending);
}

#[test]
fn a_receipt_for_what_was_never_attempted_is_ignored() {
    let mut world = World::connected();
    world.request(Request::Pause);
    let id = world.send(0);
    world.receipt(id, ReceiptKind::Delivered);
    world.ack(id);
    assert_eq!(world.state(id), State::Queued);
}

#[test]
fn unknown_messages_go_out_again_first_after_a_reconnect() {
    let mut world = World::connected();
    let (first, second) = (world.send(0), world.send(0));
    world.lose();
    assert_eq!(world.state(first), State::Unknown);
    world.pass(1);
    world.connect();
    assert_eq!(world.sent_ids(), [first.0, first.0]);
    world.ack(first);
    assert_eq!(world.state(second), State::Sending);
}

#[test]
fn a_crash_between_send_and_ack_sends_again_under_the_same_id() {
    let mut world = World::connected();
    let id = world.send(0);
    world.crash(false);
    assert_eq!(world.state(id), State::Unknown);
    world.connect();
    assert_eq!(world.state(id), State::Sending);
    assert_eq!(world.sends[0].1.draft.wa_id, world.sends[1].1.draft.wa_id);
}

#[test]
fn a_live_connection_is_closed_once_to_resolve_an_unknown_message() {
    let mut world = World::connected();
    let id = world.send(0);
    world.written(id);
    world.pass(20_000);
    assert_eq!(world.core.poll_timeout(), Some((world.now.mono_ms + 60_000, Wake::Resolve)));
    world.pass(60_000);
    assert_eq!(world.commands.last(), Some(&"close"));
    world.pass(60_000);
    world.end(EndReason::Closed);
    assert_eq!(world.commands.last(), Some(&"connect"));
    world.connect();
    assert_eq!(world.flight(id).attempt.0, 2);
}

#[test]
fn five_attempts_without_an_answer_park_the_message() {
    let mut world = World::connected();
    let id = world.send(0);
    for attempt in 1..=5 {
        assert_eq!(world.flight(id).attempt.0, attempt);
        world.cut_off(id);
        if attempt < 5 {
            assert_eq!(world.state(id), State::Unknown);
            world.lose();
            world.pass(1);
            world.connect();
        }
    }
    assert_eq!(world.state(id), State::Parked);
    assert_eq!(world.reason(id), (ReasonKind::NoAnswer, None));
    world.ack_with(id, Some(463));
    assert_eq!(world.reason(id), (ReasonKind::TokenMissing, Some(463)));
    world.ack(id);
    assert_eq!(world.state(id), State::Sent);
}

#[test]
fn what_may_have_left_stays_unknown_when_a_later_attempt_does_not_leave() {
    let mut world = World::connected();
    let id = world.send(0);
    world.cut_off(id);
    world.lose();
    world.pass(1);
    world.connect();
    world.not_sent(id, NotSent::Passing);
    assert_eq!(world.state(id), State::Unknown);
    world.pass(1_000);
    assert_eq!(world.flight(id).attempt.0, 3);
}

#[test]
fn reports_about_an_earlier_attempt_are_ignored() {
    let mut world = World::connected();
    let id = world.send(0);
    let old = world.flight(id).attempt;
    world.lose();
    world.pass(1);
    world.connect();
    for why in [NotSent::NoDevice, NotSent::NotConnected] {
        world.session(crate::event::SessionEvent::NotSent { id, attempt: old, why });
    }
    assert!(world.core.session.can_send(), "the new connection is not to blame");
    world.session(crate::event::SessionEvent::CutOff { id, attempt: old });
    assert_eq!(world.state(id), State::Sending);
}
