//! The phone's signs of life, through the simulator.

#![expect(clippy::wildcard_enum_match_arm, reason = "whatever else happens is not asked about")]

use crate::whatsapp::tests::offline::{Bench, message};
use crate::whatsapp::tests::simulated::World;
use tetherd_core::action::SessionCommand;
use tetherd_core::event::SessionEvent;
use tetherd_core::phone::PhoneActivity;

const FRIEND: &str = "+15550101";

async fn next_activity(bench: &mut Bench) -> (PhoneActivity, bool) {
    loop {
        if let SessionEvent::PhoneActivity { activity, at_ms } = bench.next_of_all().await {
            return (activity, at_ms.is_some());
        }
    }
}

async fn probed(bench: &mut Bench) -> bool {
    loop {
        match bench.next_of_all().await {
            SessionEvent::Probed { left } => return left,
            SessionEvent::PhoneActivity { activity: PhoneActivity::Peer, .. } => {
                panic!("it is off and answers")
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_phone_that_was_off_answers_the_question_when_it_is_back() {
    let mut world = World::connected().await;
    // What the pairing and the login brought about.
    world.bench.order(SessionCommand::Probe);
    while next_activity(&mut world.bench).await != (PhoneActivity::Peer, false) {}
    world.sim.phone_set(None, false).await.unwrap();
    world.bench.order(SessionCommand::Probe);
    assert!(probed(&mut world.bench).await);
    let before = world.sim.server_stats().await;
    assert!(before.peer_messages >= 1, "{before:?}");
    assert!(before.attempts.is_empty(), "a question is no attempt");
    world.sim.phone_set(None, true).await.unwrap();
    assert_eq!(next_activity(&mut world.bench).await, (PhoneActivity::Peer, false));
    world.bench.handle.stop().await;
}

#[tokio::test]
async fn an_answer_that_came_while_nobody_was_there_has_its_age() {
    let mut world = World::connected().await;
    world.sim.recipient_add(FRIEND, true, 0).await.unwrap();
    world.sim.phone_set(None, false).await.unwrap();
    world.bench.order(message(1, FRIEND, "hello"));
    loop {
        if let SessionEvent::Ack { .. } = world.bench.next().await {
            break;
        }
    }
    world.bench.order(SessionCommand::Close);
    world.bench.ended().await;
    world.sim.phone_set(None, true).await.unwrap();
    world.bench.order(SessionCommand::Connect);
    assert_eq!(next_activity(&mut world.bench).await, (PhoneActivity::Receipt, true));
    world.bench.handle.stop().await;
}

#[tokio::test]
async fn without_a_connection_nothing_is_asked() {
    let mut world = World::new().await;
    world.bench.order(SessionCommand::Probe);
    assert!(!probed(&mut world.bench).await);
    world.bench.handle.stop().await;
}
