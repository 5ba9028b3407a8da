use super::world::World;
use tetherd_api::MessageId;

/// Answers every attempt within a second, as a healthy server does.
pub(super) fn run_until_empty(world: &mut World) -> Vec<u64> {
    let start = world.true_ms;
    let mut acked = 0;
    while world.core.queue.taken() > 0 {
        while let Some((_, outgoing)) = world.sends.get(acked).cloned() {
            world.written(outgoing.id);
            world.ack(outgoing.id);
            acked += 1;
        }
        let Some((at, _)) = world.core.poll_timeout() else { break };
        if world.core.queue.taken() > 0 {
            world.pass(at - world.now.mono_ms);
        }
    }
    world.sends.iter().map(|(at, _)| at - start).collect()
}

#[test]
fn four_hundred_messages_take_eighty_windows_of_exactly_five() {
    let mut world = World::connected();
    for chat in 0..400 {
        world.send(chat);
    }
    let times = run_until_empty(&mut world);
    let expected: Vec<u64> = (0..400).map(|n| n / 5 * 120_000).collect();
    assert_eq!(times, expected);
    assert_eq!(world.sent_ids(), (1..=400).collect::<Vec<u64>>());
}

#[test]
fn twelve_messages_take_exactly_two_windows() {
    let mut world = World::connected();
    for chat in 0..12 {
        world.send(chat);
    }
    let times = run_until_empty(&mut world);
    assert_eq!((times.len(), times[11]), (12, 240_000));
}

#[test]
fn four_hundred_in_one_chat_leave_in_order_at_the_same_pace() {
    let mut world = World::connected();
    for _ in 0..400 {
        world.send(0);
    }
    let times = run_until_empty(&mut world);
    assert_eq!(times.last(), Some(&(79 * 120_000)));
    assert_eq!(world.sent_ids(), (1..=400).collect::<Vec<u64>>());
}

#[test]
fn the_forecast_at_acceptance_comes_true() {
    let mut world = World::connected();
    let start = world.now.wall_ms;
    for chat in 0..40 {
        world.send(chat);
    }
    let list = world.core.list(&world.all(), None, None, world.now);
    let expected: Vec<Option<i64>> =
        list.messages.iter().map(|m| m.expected_at.map(|at| at.0 - start)).collect();
    let times = run_until_empty(&mut world);
    for (index, (time, expected)) in times.iter().zip(expected).enumerate() {
        match expected {
            Some(expected) => assert_eq!(i64::try_from(*time).unwrap(), expected),
            None => assert!(index < 5, "{} had no time", MessageId(index as u64 + 1)),
        }
    }
}
