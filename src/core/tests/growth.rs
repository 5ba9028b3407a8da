//! What one message's way looks at does not grow with what waits, what is done and what is
//! known: looks at messages are counted, and no time is taken.

use super::world::World;
use crate::CoreConfig;
use crate::event::ReceiptKind;

/// Looks at messages on one message's whole way, from its acceptance to `read`: some twenty
/// steps of the core, each with a few looks at the messages that may leave next.
const LOOKS_MAX: u64 = 1_200;

/// How much there is besides.
#[derive(Clone, Copy, Debug)]
struct Load {
    waiting: usize,
    history: usize,
    chats: u32,
}

/// A full queue whose messages leave one a second, each to another chat.
fn world(load: Load) -> World {
    let mut world = World::connected_with(CoreConfig {
        capacity: load.waiting + 1,
        history_max: load.history,
        pace_limit: 1,
        window_ms: 1_000,
        ..CoreConfig::default()
    });
    for n in 0..load.history {
        whole_way(&mut world, u32::try_from(n).unwrap() % load.chats);
    }
    for n in 0..=load.waiting {
        world.send(u32::try_from(n).unwrap() % load.chats);
    }
    world
}

/// Accepted, and whatever leaves in the next second is sent, delivered and read.
fn whole_way(world: &mut World, chat: u32) {
    if world.core.queue.places() > 0 {
        world.send(chat);
    }
    world.pass(1_001);
    let Some(id) = world.core.queue.sending().next() else { return };
    world.written(id);
    world.ack(id);
    for kind in [ReceiptKind::OwnPhone, ReceiptKind::Delivered, ReceiptKind::Read] {
        world.receipt(id, kind);
    }
}

fn looks(load: Load) -> u64 {
    let mut world = world(load);
    // The first leaves at once, without a place for another.
    whole_way(&mut world, 0);
    world.looks = 0;
    whole_way(&mut world, 1);
    world.looks
}

#[test]
fn a_messages_way_looks_at_no_more_messages_the_more_there_are() {
    let alone = looks(Load { waiting: 110, history: 30, chats: 220 });
    let among_many = looks(Load { waiting: 220, history: 200, chats: 440 });
    assert!(among_many <= alone, "{alone} looks at messages, {among_many} among many");
    assert!(alone <= LOOKS_MAX, "{alone} looks at messages");
}
