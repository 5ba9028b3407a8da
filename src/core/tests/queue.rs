use super::world::World;
use crate::CoreConfig;
use crate::action::Change;
use crate::event::{Input, NotSent, ReceiptKind, Request, Selection};
use tetherd_api::{ErrorKind, MessageId, ReasonKind, Reply, State};

fn small() -> CoreConfig {
    CoreConfig { capacity: 4, parked_max: 2, history_max: 3, ..CoreConfig::default() }
}

#[test]
fn invariant_2_the_401st_is_refused_with_the_time_of_the_next_place() {
    let mut world = World::connected();
    let ids: Vec<_> = (0..400).map(|chat| world.send(chat)).collect();
    for id in &ids[..5] {
        world.written(*id);
    }
    let hurried = world.submit(0, "one too many", None).unwrap_err();
    assert_eq!(hurried.data.retry_after_ms, Some(1_000));
    for id in &ids[..5] {
        world.ack(*id);
    }
    for chat in 0..5 {
        world.send(chat);
    }
    world.idle(20_000);
    let error = world.submit(0, "one too many", None).unwrap_err();
    assert_eq!(error.data.kind, ErrorKind::QueueFull);
    assert_eq!(error.data.retry_after_ms, Some(101_000));
    assert!(error.message.contains("all 400 places are taken"), "{error}");
    assert_eq!(world.status().queue.free, 0);
}

#[test]
fn a_full_queue_under_a_hold_names_the_hold_and_its_remedy() {
    let mut world = World::connected();
    world.request(Request::Pause);
    for chat in 0..400 {
        world.send(chat);
    }
    let error = world.submit(0, "one too many", None).unwrap_err();
    assert_eq!(error.data.retry_after_ms, None);
    assert_eq!(error.data.remedy.as_deref(), Some("tetherctl resume"));
    assert!(error.message.ends_with("The queue is paused."), "{error}");
}

#[test]
fn invariant_4_ids_are_never_reused_even_when_history_is_gone() {
    let config = CoreConfig { history_max: 0, ..CoreConfig::default() };
    let mut world = World::connected_with(config);
    let first = world.send(0);
    world.ack(first);
    assert!(world.store.messages.is_empty());
    world.crash(true);
    assert_eq!(world.send(0), MessageId(2));
}

#[test]
fn invariant_4_every_attempt_carries_the_same_network_id() {
    let mut world = World::connected();
    let id = world.send(0);
    world.lose();
    world.pass(1);
    world.connect();
    let ids: Vec<_> = world.sends.iter().map(|(_, o)| o.draft.wa_id.clone()).collect();
    assert_eq!((ids.len(), &ids[0]), (2, &ids[1]));
    assert_eq!(world.flight(id).attempt.0, 2);
}

#[test]
fn invariant_5_the_next_of_a_chat_waits_for_the_one_before() {
    let mut world = World::connected();
    let (first, second, other) = (world.send(0), world.send(0), world.send(1));
    assert_eq!(world.sent_ids(), [first.0, other.0]);
    world.written(first);
    world.pass(20_000);
    assert_eq!((world.state(first), world.state(second)), (State::Unknown, State::Queued));
    world.ack(first);
    assert_eq!(world.sent_ids(), [first.0, other.0, second.0]);
}

#[test]
fn invariant_5_a_passing_failure_keeps_its_place_in_its_chat() {
    let mut world = World::connected();
    let (first, second) = (world.send(0), world.send(0));
    world.not_sent(first, NotSent::Passing);
    assert_eq!(world.sent_ids(), [first.0]);
    world.pass(1_000);
    assert_eq!(world.sent_ids(), [first.0, first.0]);
    world.ack(first);
    assert_eq!(world.state(second), State::Sending);
}

#[test]
fn invariant_7_a_parked_message_blocks_nothing_and_comes_back_at_the_end() {
    let mut world = World::connected();
    // A chat that exists: to a new contact the others would wait with it.
    world.befriend(0);
    let (bad, good) = (world.send(0), world.send(0));
    world.ack_with(bad, Some(463));
    assert_eq!(world.reason(bad), (ReasonKind::TokenMissing, Some(463)));
    assert_eq!(world.state(good), State::Sending);
    let last = world.send(0);
    let Ok(Reply::QueueRetry(result)) =
        world.ask(Request::Retry { filter: world.all(), anyway: false, dry_run: false })
    else {
        panic!("no answer");
    };
    assert_eq!(result.requeued, [bad]);
    world.ack(good);
    assert_eq!(world.state(last), State::Sending);
    world.ack(last);
    assert_eq!(world.state(bad), State::Sending);
}

#[test]
fn invariant_7_each_refusal_has_its_reason() {
    let mut world = World::connected();
    let ids: Vec<_> = (0..4).map(|chat| world.send(chat)).collect();
    world.ack_with(ids[0], Some(487));
    world.not_sent(ids[1], NotSent::NoDevice);
    world.not_sent(ids[1], NotSent::NoDevice);
    world.not_sent(ids[2], NotSent::Unsendable);
    assert_eq!(world.reason(ids[0]), (ReasonKind::Refused, Some(487)));
    assert_eq!(world.reason(ids[1]), (ReasonKind::NoDevice, None));
    assert_eq!(world.reason(ids[2]), (ReasonKind::NotSendable, None));
    assert!(ids[..3].iter().all(|id| world.state(*id) == State::Parked));
}

#[test]
fn a_message_that_fails_in_passing_again_and_again_is_parked() {
    let mut world = World::connected();
    let id = world.send(0);
    for attempt in 1..=5 {
        assert_eq!(world.flight(id).attempt.0, attempt);
        world.not_sent(id, NotSent::Passing);
        world.pass(16_000);
    }
    assert_eq!(world.state(id), State::Parked);
    assert_eq!(world.reason(id), (ReasonKind::NotSendable, None));
    assert_eq!(world.sends.len(), 5);
}

#[test]
fn a_lost_connection_spends_one_slot_not_all() {
    let mut world = World::connected();
    let ids: Vec<_> = (0..3).map(|chat| world.send(chat)).collect();
    world.not_sent(ids[0], NotSent::NotConnected);
    world.send(4);
    world.pass(5_000);
    assert_eq!(world.sends.len(), 3);
    world.lose();
    world.pass(1);
    world.connect();
    assert_eq!(world.sends.len(), 5);
    assert_eq!(world.sent_ids()[3..], [ids[1].0, ids[2].0]);
}

#[test]
fn invariant_10_a_full_shelf_gives_up_the_oldest_with_its_reason() {
    let mut world = World::connected_with(small());
    let ids: Vec<_> = (0..3).map(|chat| world.send(chat)).collect();
    for id in &ids {
        world.idle(1);
        world.ack_with(*id, Some(487));
    }
    assert_eq!(world.state(ids[0]), State::Failed);
    assert_eq!(world.reason(ids[0]), (ReasonKind::Refused, Some(487)));
    assert_eq!(world.state(ids[1]), State::Parked);
}

#[test]
fn the_same_key_with_the_same_content_answers_the_same_message() {
    let mut world = World::connected_with(small());
    let first = world.submit(0, "hello", Some("k")).unwrap();
    let changes = world.changes;
    let again = world.submit(0, "hello", Some("k")).unwrap();
    assert!(again.duplicate && !first.duplicate);
    assert_eq!(again.message.id, first.message.id);
    assert_eq!(world.changes, changes);
    let error = world.submit(0, "other", Some("k")).unwrap_err();
    assert_eq!(error.data.kind, ErrorKind::KeyConflict);
    assert!(error.message.contains("m1"), "{error}");
    for chat in 1..4 {
        world.send(chat);
    }
    assert!(world.submit(0, "hello", Some("k")).unwrap().duplicate, "full, and still answered");
    world.crash(true);
    assert!(world.submit(0, "hello", Some("k")).unwrap().duplicate, "restarted, and remembered");
}

#[test]
fn invariant_10_history_is_trimmed_by_count_and_by_age() {
    let mut world = World::connected_with(small());
    for _ in 0..5 {
        let id = world.send(0);
        world.receipt(id, ReceiptKind::OwnPhone);
        world.pass(120_000);
    }
    assert_eq!(world.status().queue.history, 3);
    assert!(world.core.message(MessageId(2), world.now).is_none());
    world.pass(world.config.history_ms + 3_600_000);
    assert_eq!(world.status().queue.history, 0);
    assert_eq!(world.core.poll_timeout(), None);
    assert!(world.store.bodies.is_empty());
}

#[test]
fn a_clock_that_jumps_ahead_forgets_no_message_and_no_key() {
    let mut world = World::connected();
    let id = world.submit(0, "once", Some("key")).unwrap().message.id;
    world.ack(id);
    world.idle(60_000);
    world.now.wall_ms += 20 * 365 * 86_400_000;
    world.input(Input::Tick);
    world.crash(true);
    world.connect();
    assert!(world.submit(0, "once", Some("key")).unwrap().duplicate);
    // What passes while the daemon lives counts, whichever of its lives it was.
    world.input(Input::Drain);
    world.crash(true);
    world.connect();
    world.pass(world.config.history_ms - 60_000);
    assert!(world.core.message(id, world.now).is_some());
    world.pass(3_600_000);
    assert!(world.core.message(id, world.now).is_none());
}

#[test]
fn one_wake_trims_what_has_aged_within_the_hour() {
    let mut world = World::connected();
    let (first, second) = (world.send(0), world.send(1));
    world.written(first);
    world.written(second);
    world.receipt(first, ReceiptKind::OwnPhone);
    world.idle(60_000);
    world.receipt(second, ReceiptKind::OwnPhone);
    let (at, wake) = world.core.poll_timeout().unwrap();
    assert_eq!(wake, crate::action::Wake::Trim);
    world.idle(at - world.now.mono_ms - 1_000);
    world.input(Input::Tick);
    let (next, _) = world.core.poll_timeout().unwrap();
    assert_eq!(next, world.now.mono_ms + 3_600_000);
    world.pass(3_600_000);
    assert_eq!((world.status().queue.history, world.core.poll_timeout()), (0, None));
}

#[test]
fn a_retried_message_has_all_its_attempts_again() {
    let mut world = World::connected();
    let id = world.send(0);
    for round in 0..2 {
        for _ in 0..5 {
            world.not_sent(id, NotSent::Passing);
            world.pass(16_000);
        }
        assert_eq!(world.state(id), State::Parked, "round {round}");
        world.pass(120_000);
        world.request(Request::Retry { filter: world.all(), anyway: false, dry_run: false });
    }
    assert_eq!(world.sends.len(), 11);
}

#[test]
fn cancel_withdraws_what_waits_and_says_where_the_rest_stands() {
    let mut world = World::connected();
    let (first, second) = (world.send(0), world.send(0));
    let ids = vec![first, second, second, MessageId(99)];
    let Ok(Reply::QueueCancel(result)) =
        world.ask(Request::Cancel { ids, filter: Selection::default(), dry_run: false })
    else {
        panic!()
    };
    assert_eq!((result.cancelled, result.not_found), (vec![second], vec![MessageId(99)]));
    assert_eq!(result.not_cancelled.len(), 1);
    assert_eq!(result.not_cancelled[0].state, State::Sending);
}

#[test]
fn clear_takes_queued_and_parked_and_names_what_is_in_flight() {
    let mut world = World::connected();
    let (flying, parked) = (world.send(0), world.send(1));
    world.ack_with(parked, Some(463));
    let waiting = world.send(0);
    let filter = world.all();
    let clear = |dry_run| Request::Clear { filter: filter.clone(), dry_run };
    let Ok(Reply::QueueClear(dry)) = world.ask(clear(true)) else { panic!() };
    assert_eq!((dry.cleared, dry.in_flight.clone()), (2, vec![flying]));
    assert_eq!(world.state(waiting), State::Queued);
    let Ok(Reply::QueueClear(done)) = world.ask(clear(false)) else { panic!() };
    assert_eq!((done.cleared, done.examples), (2, dry.examples));
    assert_eq!(world.state(parked), State::Cancelled);
    assert_eq!(world.state(waiting), State::Cancelled);
}

#[test]
fn clear_filters_by_chat_reason_age_and_id() {
    let mut world = World::connected();
    world.request(Request::Pause);
    let old = world.send(0);
    world.idle(60_000);
    let young = world.send(0);
    let other = world.send(1);
    let count = |world: &mut World, filter: Selection| match world
        .ask(Request::Clear { filter, dry_run: true })
    {
        Ok(Reply::QueueClear(result)) => {
            result.examples.iter().map(|example| example.id).collect::<Vec<_>>()
        }
        answer => panic!("{answer:?}"),
    };
    let aged = Selection { older_than_s: Some(60), ..Selection::default() };
    assert_eq!(count(&mut world, aged), [old]);
    let to = Selection { to: "+15550101".parse().ok(), ..Selection::default() };
    assert_eq!(count(&mut world, to), [other]);
    let ids = Selection { ids: vec![young], ..Selection::default() };
    assert_eq!(count(&mut world, ids), [young]);
    let reason = Selection { reason: Some(ReasonKind::Refused), ..Selection::default() };
    assert!(count(&mut world, reason).is_empty());
}

#[test]
fn a_list_pages_in_the_order_of_acceptance_with_places_and_times() {
    let mut world = World::connected();
    for chat in 0..12 {
        world.send(chat);
    }
    let now = world.now;
    let first = world.core.list(&world.all(), None, Some(7), now);
    assert_eq!((first.messages.len(), first.total, first.next), (7, 12, Some(MessageId(7))));
    assert_eq!(first.messages[5].position, Some(1));
    assert_eq!(first.messages[5].expected_at.unwrap().0, now.wall_ms + 120_000);
    let rest = world.core.list(&world.all(), first.next, None, now);
    assert_eq!((rest.messages.len(), rest.next), (5, None));
    assert_eq!(rest.messages[4].expected_at.unwrap().0, now.wall_ms + 240_000);
    assert_eq!(world.status().queue.last_send_at, rest.messages[4].expected_at);
}

#[test]
fn acceptance_is_one_batch_of_record_body_and_id() {
    let mut world = World::connected();
    world.request(Request::Pause);
    let submission = world.submission(0, "hello", None);
    let request = Request::Submit(Box::new(submission));
    let token = crate::event::Token(999);
    let actions = world.core.handle(Input::Request { token, request }, world.now);
    let kinds: Vec<&str> = actions
        .changes
        .iter()
        .map(|change| match change {
            Change::PutMessage(_) => "record",
            Change::PutBody { .. } => "body",
            Change::RemoveMessage { .. } => "removed",
            Change::PutNumber(_) | Change::RemoveNumber { .. } => "number",
            Change::PutSlots(_) => "slots",
            Change::PutFacts(_) => "facts",
            Change::PutGroupNames(_) => "groups",
            Change::PutKnown(_) | Change::RemoveKnown { .. } => "known",
        })
        .collect();
    assert_eq!(kinds, ["record", "body", "facts"]);
}

#[test]
fn a_paused_queue_starts_nothing_and_goes_on_after_resume() {
    let mut world = World::connected();
    world.request(Request::Pause);
    let id = world.send(0);
    world.crash(false);
    world.connect();
    assert!(world.sends.is_empty());
    world.request(Request::Resume);
    assert_eq!(world.state(id), State::Sending);
}

#[test]
fn a_drain_ends_when_nothing_is_in_flight() {
    let mut world = World::connected();
    let (first, second) = (world.send(0), world.send(0));
    world.input(Input::Drain);
    assert!(!world.core.is_drained());
    world.receipt(first, ReceiptKind::Delivered);
    assert!(world.core.is_drained());
    assert_eq!(world.state(second), State::Queued);
    assert_eq!(world.commands.last(), Some(&"close"));
    let error = world.submit(0, "late", None).unwrap_err();
    assert_eq!(error.data.kind, ErrorKind::ShuttingDown);
    world.end(crate::event::EndReason::Closed);
    world.pass(1_000_000);
    assert_eq!(world.commands.last(), Some(&"close"));
}
