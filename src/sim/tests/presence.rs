//! Presence and chat states, there and back.

use whatsapp_rust::Jid;
use whatsapp_rust::wacore::types::events::Event;
use whatsapp_rust::wacore::types::presence::ChatPresence;

use super::client::{PATIENCE, TestClient};
use crate::{Sim, SimConfig};

const ALICE: &str = "+15550111";

impl TestClient {
    async fn unavailable(&self) -> (Jid, bool) {
        self.event(|event| match event {
            Event::Presence(update) => Some((update.from.clone(), update.unavailable)),
            _ => None,
        })
        .await
    }

    async fn chat_state(&self) -> (Jid, ChatPresence) {
        self.event(|event| match event {
            Event::ChatPresence(update) => Some((update.source.chat.clone(), update.state)),
            _ => None,
        })
        .await
    }
}

/// What a person has seen, once there is this much.
async fn seen(sim: &Sim, number: &str, count: usize) -> Vec<String> {
    let digits = &number[1..];
    let list = sim.wait(
        |world| {
            let seen = world.presence.seen(digits);
            (seen.len() >= count).then_some(seen)
        },
        PATIENCE,
    );
    list.await.unwrap().into_iter().map(|seen| format!("{} {}", seen.chat, seen.kind)).collect()
}

#[tokio::test]
async fn who_subscribes_learns_when_a_person_comes_goes_and_writes() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    sim.recipient_add(ALICE, true, 0).await.unwrap();
    let client = TestClient::paired(&sim, None).await;
    let alice = Jid::lid("100000000000001");
    client.client.presence().subscribe(&alice).await.unwrap();
    assert_eq!(client.unavailable().await, (alice.clone(), true));
    for available in [true, false] {
        sim.presence_set(ALICE, available).await.unwrap();
        assert_eq!(client.unavailable().await, (alice.clone(), !available));
    }
    sim.presence_chat(ALICE, None, "composing").await.unwrap();
    assert_eq!(client.chat_state().await, (alice.clone(), ChatPresence::Composing));
    client.client.chatstate().send_composing(&alice).await.unwrap();
    client.client.chatstate().send_paused(&alice).await.unwrap();
    assert_eq!(seen(&sim, ALICE, 2).await, ["+15550100 composing", "+15550100 paused"]);
}

#[tokio::test]
async fn accounts_see_each_other_and_that_one_is_gone() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    let one = TestClient::paired(&sim, Some("+15550101")).await;
    let two = TestClient::paired(&sim, Some("+15550102")).await;
    let (first, second) = (one.client.lid().unwrap(), two.client.lid().unwrap());
    two.client.presence().subscribe(&first.to_non_ad()).await.unwrap();
    assert!(two.unavailable().await.1);
    one.client.presence().set_available().await.unwrap();
    assert!(!two.unavailable().await.1);
    one.client.chatstate().send_composing(&second.to_non_ad()).await.unwrap();
    let expected = (first.to_non_ad(), ChatPresence::Composing);
    let (chat, state) = two.chat_state().await;
    assert_eq!((chat.to_non_ad(), state), expected);
    one.leave().await;
    assert!(two.unavailable().await.1);
}
