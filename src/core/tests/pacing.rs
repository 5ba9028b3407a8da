use super::world::World;
use crate::SENDING_MAX;
use crate::action::{Change, Wake};
use crate::event::{Input, Request};
use crate::facts::{Facts, Restored};
use crate::time::Now;
use crate::{Core, CoreConfig};
use tetherd_api::{MessageId, State};

#[test]
fn sixth_send_waits_until_the_oldest_slot_expires() {
    let mut world = World::connected();
    for chat in 0..6 {
        let id = world.send(chat);
        if chat < 5 {
            world.written(id);
        }
        world.idle(10);
    }
    assert_eq!(world.sent_ids(), [1, 2, 3, 4, 5]);
    assert_eq!(world.core.poll_timeout(), Some((1_000_000 + 20_000, Wake::AckTimeout)));
    for id in world.sent_ids() {
        world.ack(MessageId(id));
    }
    assert_eq!(world.core.poll_timeout(), Some((1_000_000 + 120_000, Wake::Slot)));
    world.idle(120_000 - 60 - 1);
    world.input(Input::Tick);
    assert_eq!(world.sent_ids().len(), 5);
    world.idle(1);
    world.input(Input::Tick);
    assert_eq!(world.sent_ids(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(world.sends[5].0 - world.sends[0].0, 120_000);
}

#[test]
fn invariant_3_a_slow_attempt_ages_from_when_its_frame_left() {
    let mut world = World::connected();
    let slow = world.send(0);
    for chat in 1..5 {
        let id = world.send(chat);
        world.idle(10);
        world.written(id);
        world.ack(id);
    }
    let sixth = world.send(5);
    // The first one's keys take their time. Its answer overtakes the report about it.
    world.idle(50_000);
    world.ack(slow);
    world.idle(1_000);
    world.written(slow);
    // Frames left at 10, 20, 30, 40 and 51,040 ms.
    world.pass(120_000 + 10 - 51_040 - 1);
    assert_eq!(world.state(sixth), State::Queued);
    world.pass(1);
    assert_eq!(world.state(sixth), State::Sending);
    world.written(sixth);
    for chat in 6..10 {
        world.send(chat);
    }
    world.pass(30);
    for id in [7, 8, 9] {
        assert_eq!(world.state(MessageId(id)), State::Sending);
        world.written(MessageId(id));
    }
    world.pass(51_000 - 1);
    assert_eq!(world.state(MessageId(10)), State::Queued);
    world.pass(1);
    assert_eq!(world.state(MessageId(10)), State::Sending);
}

#[test]
fn invariant_3_an_attempt_cut_off_by_a_crash_ages_from_the_restart() {
    let mut world = World::connected();
    for chat in 0..7 {
        world.send(chat);
    }
    world.idle(60_000);
    world.crash(false);
    world.connect();
    world.pass(119_999);
    assert_eq!(world.sends.len(), 5);
    world.pass(1);
    assert_eq!(world.sends.len(), 10);
}

#[test]
fn an_attempt_that_is_never_reported_about_holds_its_slot_for_a_bounded_time() {
    let config = CoreConfig { pace_limit: 1, ..CoreConfig::default() };
    let mut world = World::connected_with(config);
    let first = world.send(0);
    world.send(1);
    world.ack(first);
    let limit = world.config.write_timeout_ms;
    world.pass(limit);
    world.pass(120_000 - 1);
    assert_eq!(world.sent_ids(), [1]);
    world.pass(1);
    assert_eq!(world.sent_ids(), [1, 2]);
}

#[test]
fn invariant_3_a_restart_refills_nothing() {
    let mut world = World::connected();
    for chat in 0..9 {
        world.send(chat);
    }
    for id in world.sent_ids() {
        world.written(MessageId(id));
    }
    world.idle(119_000);
    world.crash(false);
    world.connect();
    assert_eq!(world.sends.len(), 5);
    world.pass(1_000);
    assert_eq!(world.sends.len(), 10);
}

#[test]
fn invariant_3_a_new_boot_waits_one_window_after_its_start() {
    let mut world = World::connected();
    for chat in 0..9 {
        world.send(chat);
    }
    world.crash(true);
    world.connect();
    assert_eq!(world.core.poll_timeout(), Some((120_000, Wake::Slot)));
    world.pass(119_999);
    assert_eq!(world.sends.len(), 5);
    world.pass(1);
    assert_eq!(world.sends.len(), 10);
}

#[test]
fn invariant_3_wall_clock_jumps_and_suspends_refill_nothing() {
    let mut world = World::connected();
    for chat in 0..7 {
        world.send(chat);
    }
    world.now.wall_ms += 86_400_000;
    world.input(Input::Tick);
    world.suspend(600_000);
    world.input(Input::Tick);
    world.now.wall_ms -= 864_000_000;
    world.input(Input::Tick);
    assert_eq!(world.sends.len(), 5);
}

#[test]
fn invariant_3_monotonic_time_that_goes_back_refills_nothing() {
    let mut world = World::connected();
    for chat in 0..3 {
        let id = world.send(chat);
        world.written(id);
    }
    let now = world.now;
    let later = |mono_ms| Now { mono_ms, ..now };
    world.core.handle(Input::Tick, later(now.mono_ms - 500_000));
    let mut slots = world.core.pacing.slots();
    let token = crate::event::Token(999);
    for chat in 3..8 {
        let request = Request::Submit(Box::new(world.submission(chat, "text", None)));
        let past = later(now.mono_ms - 500_000);
        world.core.handle(Input::Request { token, request }, past);
        slots = world.core.pacing.slots();
    }
    assert!(slots.iter().all(|slot| slot.mono_ms == now.mono_ms));
    assert_eq!(slots.len(), 5);
    world.core.handle(Input::Tick, later(now.mono_ms + 119_999));
    assert_eq!(world.core.pacing.slots().len(), 5);
    assert_eq!(world.core.pacing.slots()[..3], slots[..3]);
}

#[test]
fn a_wider_window_finds_the_slots_of_the_narrow_one() {
    let config = CoreConfig { window_ms: 3_000, ..CoreConfig::default() };
    let mut world = World::connected_with(config);
    for chat in 0..7 {
        world.send(chat);
    }
    world.idle(2_999);
    world.config.window_ms = 120_000;
    world.core.set_config(world.config.clone(), world.now);
    world.idle(1);
    world.input(Input::Tick);
    assert_eq!(world.sends.len(), 5);
}

#[test]
fn the_slot_is_spent_even_if_nothing_left() {
    let mut world = World::connected();
    let id = world.send(0);
    world.not_sent(id, crate::event::NotSent::Passing);
    assert_eq!(world.state(id), State::Queued);
    assert_eq!(world.status().pacing.spent, 1);
}

#[test]
fn an_idle_core_writes_nothing() {
    let mut world = World::connected();
    world.request(Request::Pause);
    for chat in 0..400 {
        world.send(chat);
    }
    let changes = world.changes;
    assert_eq!(world.core.poll_timeout(), None);
    for _ in 0..100 {
        world.idle(1_000_000);
        world.input(Input::Tick);
    }
    assert_eq!(world.changes, changes);
}

#[test]
fn a_pace_beyond_the_sessions_means_waits_for_answers_instead_of_failing() {
    let mut world = World::connected_with(CoreConfig {
        pace_limit: 400,
        window_ms: 1_000,
        ..CoreConfig::default()
    });
    let ids: Vec<_> = (0..100).map(|chat| world.send(chat)).collect();
    assert_eq!(world.sends.len(), SENDING_MAX);
    let (at, wake) = world.core.poll_timeout().unwrap();
    assert!(at > world.now.mono_ms, "{wake:?} is due and cannot be done");
    world.ack(ids[0]);
    assert_eq!(world.sends.len(), SENDING_MAX + 1);
}

#[test]
fn invariant_3_damaged_slots_count_as_a_full_window() {
    let world = World::connected();
    let restored = Restored { slots_damaged: true, ..world.store.restored() };
    let (core, actions) = Core::new(world.config.clone(), world.boot, restored, world.now);
    let pacing = core.status(world.now).pacing;
    assert_eq!((pacing.spent, pacing.limit), (5, 5));
    let written = actions
        .changes
        .iter()
        .any(|change| matches!(change, Change::PutSlots(slots) if slots.len() == 5));
    assert!(written, "a kill right after it refills nothing: {:?}", actions.changes);
}

#[test]
fn invariant_8_with_damaged_facts_the_queue_is_paused_until_somebody_resumes_it() {
    let mut world = World::connected();
    let restored =
        Restored { facts: Facts::default(), facts_damaged: true, ..world.store.restored() };
    let (core, actions) = Core::new(world.config.clone(), world.boot, restored, world.now);
    assert!(core.status(world.now).queue.paused);
    let written = actions
        .changes
        .iter()
        .any(|change| matches!(change, Change::PutFacts(facts) if facts.paused_since.is_some()));
    assert!(written, "a kill right after it forgets nothing: {:?}", actions.changes);
    world.core = core;
    world.ask(Request::Resume).unwrap();
    assert!(!world.core.status(world.now).queue.paused);
}
