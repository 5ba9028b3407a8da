use super::world::World;
use crate::CoreConfig;
use crate::action::{Change, Effect, Wake};
use crate::event::{Input, NotSent, Request, Selection};
use tetherd_api::{MessageId, ReasonKind, Reply, State};

const UNDO_MS: u64 = 600_000;

fn paused() -> World {
    let mut world = World::connected();
    world.request(Request::Pause);
    world
}

fn states(states: &[State]) -> Selection {
    Selection { states: states.to_vec(), ..Selection::default() }
}

#[test]
fn a_cleared_queue_comes_back_in_its_old_order() {
    let mut world = paused();
    let ids: Vec<_> = [0, 1, 0, 1].map(|chat| world.send(chat)).into();
    let cleared = world.clear();
    assert_eq!(cleared.cleared, 4);
    let until = world.now.wall_ms + i64::try_from(UNDO_MS).unwrap();
    assert_eq!(cleared.undo_until.unwrap().0, until);
    let shown = world.core.message(ids[0], world.now).unwrap();
    assert_eq!((shown.state, shown.undo_until.unwrap().0), (State::Cancelled, until));
    let later = world.send(0);
    world.crash(true);
    world.connect();
    assert_eq!(world.restore().restored, ids);
    assert_eq!(world.core.message(ids[0], world.now).unwrap().undo_until, None);
    world.request(Request::Resume);
    for id in [ids[0], ids[1], ids[2], ids[3], later] {
        world.ack(id);
    }
    assert_eq!(world.sent_ids(), [1, 2, 3, 4, 5]);
}

#[test]
fn a_parked_message_comes_back_parked_with_its_reason() {
    let mut world = World::connected();
    let id = world.send(0);
    world.ack_with(id, Some(487));
    world.cancel(&[id]);
    assert_eq!(world.state(id), State::Cancelled);
    assert_eq!(world.restore().restored, [id]);
    assert_eq!(world.state(id), State::Parked);
    assert_eq!(world.reason(id), (ReasonKind::Refused, Some(487)));
    assert_eq!(world.sends.len(), 1);
}

#[test]
fn what_finds_no_place_stays_withdrawn_and_the_oldest_come_back_first() {
    let config = CoreConfig { capacity: 4, parked_max: 1, ..CoreConfig::default() };
    let mut world = World::connected_with(config);
    world.request(Request::Pause);
    let ids: Vec<_> = (0..4).map(|chat| world.send(chat)).collect();
    world.clear();
    let news: Vec<_> = (0..2).map(|chat| world.send(chat)).collect();
    let dry = world.restore_by(Selection::default(), true);
    assert_eq!((dry.restored.clone(), dry.no_place.clone()), (ids[..2].into(), ids[2..].into()));
    assert!(ids.iter().all(|id| world.state(*id) == State::Cancelled));
    let done = world.restore();
    assert_eq!((done.restored, done.no_place), (dry.restored, dry.no_place));
    world.cancel(&news);
    assert_eq!(
        world.restore_by(Selection { ids: ids.clone(), ..world.all() }, false).restored,
        ids[2..]
    );
}

#[test]
fn a_full_shelf_takes_no_parked_message_back() {
    let config = CoreConfig { parked_max: 1, ..CoreConfig::default() };
    let mut world = World::connected_with(config);
    let (first, second) = (world.send(0), world.send(1));
    world.ack_with(first, Some(487));
    world.cancel(&[first]);
    world.ack_with(second, Some(487));
    let done = world.restore();
    assert_eq!((done.restored, done.no_place), (vec![], vec![first]));
    assert_eq!(world.state(second), State::Parked);
}

#[test]
fn restore_filters_by_what_the_messages_were() {
    let mut world = paused();
    let (queued, keyed) = (world.send(0), world.submit(1, "x", Some("bulk-1")).unwrap().message.id);
    world.request(Request::Resume);
    world.ack_with(queued, Some(487));
    world.request(Request::Pause);
    let third = world.send(2);
    world.written(keyed);
    world.not_sent(keyed, NotSent::NotConnected);
    world.clear();
    let parked = states(&[State::Parked]);
    assert_eq!(world.restore_by(parked, true).restored, [queued]);
    let refused = Selection { reason: Some(ReasonKind::Refused), ..Selection::default() };
    assert_eq!(world.restore_by(refused, true).restored, [queued]);
    let prefix = Selection { key_prefix: Some("bulk-".into()), ..Selection::default() };
    assert_eq!(world.restore_by(prefix, true).restored, [keyed]);
    assert_eq!(world.restore_by(states(&[State::Queued]), true).restored, [keyed, third]);
    assert_eq!(world.restore_by(states(&[State::Cancelled]), true).restored.len(), 3);
    assert!(world.restore_by(states(&[State::Sent]), true).restored.is_empty());
}

#[test]
fn the_time_to_bring_back_is_neither_shortened_nor_prolonged_by_a_clock_or_a_restart() {
    let mut world = paused();
    let ids: Vec<_> = (0..3).map(|chat| world.send(chat)).collect();
    world.clear();
    world.pass(UNDO_MS - 60_000);
    world.now.wall_ms += 20 * 365 * 86_400_000;
    world.input(Input::Tick);
    assert_eq!(world.restore_by(Selection::default(), true).restored, ids);
    world.now.wall_ms -= 40 * 365 * 86_400_000;
    world.input(Input::Drain);
    world.crash(true);
    assert_eq!(world.restore_by(Selection::default(), true).restored, ids);
    world.pass(59_999);
    assert_eq!(world.restore_by(Selection::default(), true).restored, ids);
    world.pass(1);
    assert!(world.restore().restored.is_empty());
    assert!(ids.iter().all(|id| world.state(*id) == State::Cancelled));
}

#[test]
fn one_wake_and_one_batch_end_it_for_all() {
    let mut world = paused();
    for chat in 0..5 {
        world.send(chat);
    }
    world.clear();
    let (at, wake) = world.core.poll_timeout().unwrap();
    assert_eq!((at, wake), (world.now.mono_ms + UNDO_MS, Wake::UndoEnds));
    world.idle(UNDO_MS);
    let actions = world.core.handle(Input::Tick, world.now);
    let records =
        actions.changes.iter().filter(|change| matches!(change, Change::PutMessage(_))).count();
    assert_eq!((records, actions.changes.len()), (5, 5));
    // Their files go, and nothing is published.
    assert!(actions.effects.iter().all(|effect| matches!(effect, Effect::Unspool(_))));
    world.apply(&actions.changes);
    world.check();
}

#[test]
fn without_undo_a_withdrawn_message_is_history_at_once() {
    let config = CoreConfig { undo_ms: 0, history_max: 1, ..CoreConfig::default() };
    let mut world = World::connected_with(config);
    world.request(Request::Pause);
    let ids: Vec<_> = (0..3).map(|chat| world.send(chat)).collect();
    assert_eq!(world.clear().undo_until, None);
    assert!(world.restore().restored.is_empty());
    assert!(world.core.message(ids[0], world.now).is_none());
    assert_eq!(world.status().queue.history, 1);
}

#[test]
fn what_can_be_brought_back_is_not_trimmed_and_its_key_answers() {
    let config = CoreConfig { history_max: 0, ..CoreConfig::default() };
    let mut world = World::connected_with(config);
    world.request(Request::Pause);
    let id = world.submit(0, "once", Some("key")).unwrap().message.id;
    world.clear();
    world.crash(true);
    let again = world.submit(0, "once", Some("key")).unwrap();
    assert!(again.duplicate && again.message.id == id);
    assert_eq!(again.message.state, State::Cancelled);
    assert!(world.store.bodies.contains(&id));
    world.pass(UNDO_MS);
    assert!(world.core.message(id, world.now).is_none());
    assert!(world.store.bodies.is_empty());
}

#[test]
fn more_than_one_whole_queue_can_not_be_brought_back() {
    let config = CoreConfig { capacity: 2, parked_max: 1, ..CoreConfig::default() };
    let mut world = World::connected_with(config);
    world.request(Request::Pause);
    for _ in 0..3 {
        world.send(0);
        world.send(1);
        world.clear();
    }
    let dry = world.restore_by(Selection::default(), true);
    assert_eq!(
        (dry.restored, dry.no_place),
        (vec![MessageId(4), MessageId(5)], vec![MessageId(6)])
    );
}

#[test]
fn a_cleared_message_that_left_after_all_is_sent_and_stays_so() {
    let mut world = World::connected();
    let id = world.send(0);
    world.ack_with(id, Some(487));
    world.clear();
    world.ack(id);
    assert_eq!(world.state(id), State::Sent);
    assert_eq!(world.core.message(id, world.now).unwrap().undo_until, None);
    assert!(world.restore().restored.is_empty());
}

#[test]
fn a_refusal_that_comes_after_the_withdrawal_comes_back_with_it() {
    let config = CoreConfig { attempts_max: 1, ..CoreConfig::default() };
    let mut world = World::connected_with(config);
    let id = world.send(0);
    world.cut_off(id);
    assert_eq!(world.reason(id), (ReasonKind::NoAnswer, None));
    world.clear();
    world.ack_with(id, Some(487));
    world.restore();
    assert_eq!(world.reason(id), (ReasonKind::Refused, Some(487)));
}

#[test]
fn cancel_takes_filters_ids_or_both_and_a_dry_run_changes_nothing() {
    let mut world = World::connected();
    let flying = world.send(0);
    let queued = world.send(0);
    let keyed = world.submit(0, "x", Some("bulk-7")).unwrap().message.id;
    let to = || Selection { to: "+15550100".parse().ok(), ..Selection::default() };
    let dry = world.cancel_by(&[], to(), true);
    assert_eq!((dry.cancelled, dry.dry_run), (vec![queued, keyed], true));
    assert_eq!(dry.not_cancelled[0].id, flying);
    assert_eq!(dry.undo_until, None);
    assert_eq!(world.state(queued), State::Queued);
    let bulk = Selection { key_prefix: Some("bulk-".into()), ..Selection::default() };
    let both = world.cancel_by(&[queued, keyed, MessageId(99)], bulk, false);
    assert_eq!((both.cancelled, both.not_found), (vec![keyed], vec![MessageId(99)]));
    assert!(both.not_cancelled.is_empty() && both.undo_until.is_some());
    assert_eq!(world.state(queued), State::Queued);
    let named = world.cancel(&[keyed, flying]);
    let left: Vec<_> = named.not_cancelled.iter().map(|left| left.state).collect();
    assert_eq!(left, [State::Cancelled, State::Sending]);
}

#[test]
fn a_dry_run_of_retry_says_what_would_find_a_place() {
    let config = CoreConfig { capacity: 2, ..CoreConfig::default() };
    let mut world = World::connected_with(config);
    let ids: Vec<_> = (0..2).map(|chat| world.send(chat)).collect();
    for id in &ids {
        world.ack_with(*id, Some(487));
    }
    world.request(Request::Pause);
    world.send(2);
    let mut retry =
        |dry_run| match world.ask(Request::Retry { filter: world.all(), anyway: false, dry_run }) {
            Ok(Reply::QueueRetry(result)) => result,
            answer => panic!("{answer:?}"),
        };
    let dry = retry(true);
    assert_eq!((&dry.requeued[..], &dry.no_place[..], dry.dry_run), (&ids[..1], &ids[1..], true));
    let done = retry(false);
    assert_eq!((done.requeued, done.no_place), (dry.requeued, dry.no_place));
    assert_eq!((world.state(ids[0]), world.state(ids[1])), (State::Queued, State::Parked));
}
