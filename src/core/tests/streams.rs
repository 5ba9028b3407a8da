//! How the server ends streams, and what follows.

use super::world::{Run, World};
use crate::event::EndReason;
use tetherd_api::{ConditionKind, SessionState, State};

const STABLE: u64 = 30_000;

/// Lets the stream end, and says what can be seen of it until the next login.
fn renewed(world: &mut World, roll: u64) -> u64 {
    let events = world.events.len();
    world.end_with(EndReason::StreamEnded, roll);
    let status = world.status();
    assert_eq!(status.session.state, SessionState::Connecting);
    assert_eq!((status.session.detail, status.conditions), (None, vec![]));
    let began = world.now.mono_ms;
    let (at, _) = world.core.poll_timeout().unwrap();
    world.pass(at - began);
    assert_eq!(world.run, Run::Connecting);
    assert_eq!(world.status().conditions, []);
    world.connect();
    let seen = format!("{:?}", &world.events[events..]);
    assert!(!seen.contains("Disconnected") && !seen.contains("Waiting"), "{seen}");
    at - began
}

#[test]
fn a_stream_that_held_and_ends_in_order_is_renewed_within_three_seconds_without_trouble() {
    let mut world = World::connected();
    for (roll, pause) in [(0, 1_000), (2_000, 3_000), (2_001, 1_000), (u64::MAX, 1_603)] {
        world.idle(STABLE);
        assert_eq!(renewed(&mut world, roll), pause);
    }
}

#[test]
fn what_waits_while_a_stream_is_renewed_leaves_on_the_next_one() {
    let mut world = World::connected();
    world.idle(STABLE);
    world.end(EndReason::StreamEnded);
    let id = world.send(0);
    assert_eq!((world.state(id), world.holds()), (State::Queued, vec![]));
    world.pass(1_000);
    world.connect();
    assert_eq!(world.state(id), State::Sending);
}

#[test]
fn invariant_11_streams_that_end_over_and_over_are_a_trouble_with_growing_pauses() {
    let mut world = World::connected();
    for bound in [1_000, 2_000, 4_000, 8_000] {
        world.idle(STABLE - 1);
        world.end_with(EndReason::StreamEnded, bound);
        assert_eq!(world.holds(), [ConditionKind::Disconnected]);
        assert_eq!(world.status().session.state, SessionState::Waiting);
        assert!(world.status().conditions[0].why.contains("the server ended the stream"));
        world.pass(bound - 1);
        assert_eq!(world.run, Run::None);
        world.pass(1);
        world.connect();
    }
}

#[test]
fn a_renewal_that_fails_or_takes_too_long_is_a_trouble() {
    let mut world = World::connected();
    world.idle(STABLE);
    world.end(EndReason::StreamEnded);
    world.pass(1_000);
    world.end(EndReason::Unreachable { what: "refused".to_owned() });
    assert_eq!(world.holds(), [ConditionKind::Disconnected]);

    let mut world = World::connected();
    world.idle(STABLE);
    world.end(EndReason::StreamEnded);
    world.pass(59_999);
    assert_eq!((world.run, world.holds()), (Run::Connecting, vec![]));
    world.pass(1);
    assert_eq!((world.run, world.holds()), (Run::Connecting, vec![ConditionKind::Disconnected]));
    world.connect();
    assert_eq!(world.status().conditions, []);
}
