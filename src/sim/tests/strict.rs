//! What a real server refuses is refused, and listed.

use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore_binary::{Jid, Node};

use super::client::{PATIENCE, TestClient};
use crate::strict::Fault;
use crate::{SettingsChange, Sim, SimConfig};

const ALICE: &str = "+15550111";
const BOB: &str = "+15550112";

async fn sim() -> Sim {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    sim.recipient_add(ALICE, true, 1).await.unwrap();
    sim.recipient_add(BOB, true, 0).await.unwrap();
    sim
}

/// A text with a copy for each of these devices.
fn message(id: &str, to: &Jid, devices: &[Jid]) -> NodeBuilder {
    let copies: Vec<Node> = devices
        .iter()
        .map(|device| {
            let enc = NodeBuilder::new("enc").attr("v", "2").attr("type", "msg");
            NodeBuilder::new("to").attr("jid", device).children([enc.build()]).build()
        })
        .collect();
    let list = NodeBuilder::new("participants").children(copies).build();
    NodeBuilder::new("message").attr("id", id).attr("to", to).attr("type", "text").children([list])
}

/// Sends a stanza; what the server found wrong with it.
async fn fault(sim: &Sim, client: &TestClient, message: Node) -> Option<(Fault, Option<u32>)> {
    let acks = sim.server_stats().await.acks;
    let before = sim.server_stats().await.violations.len();
    client.client.send_node(message).await.unwrap();
    let stats = sim.wait_for(|stats| stats.acks > acks, PATIENCE).await.unwrap();
    stats.violations.get(before).map(|violation| (violation.fault, violation.code))
}

#[tokio::test]
async fn a_real_client_makes_no_mistakes() {
    let sim = sim().await;
    let client = TestClient::paired(&sim, None).await;
    let number = |number: &str| Jid::pn(&number[1..]);
    for to in [ALICE, BOB, ALICE] {
        client.client.send_text(number(to), "hello").await.unwrap();
    }
    let members = [ALICE, BOB, "+15550100"].map(str::to_owned);
    let group: Jid = sim.group_add("Three", &members).await.unwrap().parse().unwrap();
    for text in ["to all", "again"] {
        client.client.send_text(group.clone(), text).await.unwrap();
    }
    let stats = sim.wait_for(|stats| stats.messages == 5, PATIENCE).await.unwrap();
    assert_eq!(stats.violations, []);
}

#[tokio::test]
async fn each_mistake_is_named_and_refused_as_a_real_server_does() {
    let sim = sim().await;
    let client = TestClient::paired(&sim, None).await;
    let (lid, bob) = (Jid::lid("100000000000001"), Jid::lid("100000000000002"));
    let own = client.client.lid().unwrap().to_non_ad();
    let all = [lid.clone(), lid.with_device(11), own.clone()];
    let mixed = [Jid::pn("15550111"), lid.with_device(11), own.clone()];
    let first = NodeBuilder::new("enc").attr("v", "2").attr("type", "pkmsg").build();
    let typed = |kind: &'static str| message("3EB008", &lid, &all).attr("type", kind).build();
    let group = Jid::group("120363999999999999");
    for (stanza, expected) in [
        (message("3EB001", &lid, &all).build(), None),
        (message("3EB002", &lid, &mixed).build(), Some((Fault::MixedNames, Some(479)))),
        (
            message("3EB003", &Jid::pn("15550111"), &all).build(),
            Some((Fault::NumberMigrated, Some(479))),
        ),
        (message("3EB004", &lid, &all[..1]).build(), Some((Fault::DevicesLeftOut, None))),
        (
            message("3EB005", &Jid::lid("100000000000099"), &[]).build(),
            Some((Fault::AbsentRecipient, Some(404))),
        ),
        (message("3EB006", &group, &[]).build(), Some((Fault::ForeignGroup, Some(403)))),
        (
            message("3EB007", &lid, &all).children([first]).build(),
            Some((Fault::NoDeviceIdentity, Some(479))),
        ),
        (typed("letter"), Some((Fault::UnknownType, Some(479)))),
        // The same once more: its ack was lost.
        (message("3EB001", &lid, &all).build(), None),
        (
            message("3EB001", &bob, &[bob.clone(), own.clone()]).build(),
            Some((Fault::DuplicateId, Some(400))),
        ),
    ] {
        assert_eq!(fault(&sim, &client, stanza.clone()).await, expected, "{stanza:?}");
    }
    let change = SettingsChange { migrated: Some(false), ..SettingsChange::default() };
    sim.server_set(change).await;
    let stanza = message("3EB009", &lid, &all).build();
    let expected = Some((Fault::LidNotMigrated, Some(400)));
    assert_eq!(fault(&sim, &client, stanza).await, expected);
    let change = SettingsChange { strict: Some(false), ..SettingsChange::default() };
    sim.server_set(change).await;
    let stanza = message("3EB010", &lid, &all).build();
    assert_eq!(fault(&sim, &client, stanza).await, None);
}
