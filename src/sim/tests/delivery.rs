//! Whom messages and receipts reach: every client of the accounts that they are for.

use whatsapp_rust::wacore::types::events::Event;
use whatsapp_rust::wacore::types::presence::ReceiptType;
use whatsapp_rust::{Jid, NodeBuilder, NodeFilter};

use super::client::{PATIENCE, TestClient};
use crate::{Sim, SimConfig};

const ALICE: &str = "+15550111";
const BOB: &str = "+15550112";
const ONE: &str = "+15550101";
const TWO: &str = "+15550102";

async fn sim() -> Sim {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    sim.recipient_add(ALICE, true, 0).await.unwrap();
    sim.recipient_add(BOB, true, 0).await.unwrap();
    sim
}

impl TestClient {
    /// The types of the receipts for a message, up to this one.
    async fn receipts(&self, id: &str, last: ReceiptType) -> Vec<ReceiptType> {
        let mut types = Vec::new();
        loop {
            let kind = self
                .event(|event| match event {
                    Event::Receipt(receipt) if receipt.message_ids.iter().any(|got| got == id) => {
                        Some(receipt.r#type.clone())
                    }
                    _ => None,
                })
                .await;
            types.push(kind.clone());
            if kind == last {
                return types;
            }
        }
    }

    /// The next message's id, name of its sender, and text.
    async fn next_message(&self) -> (String, String, String) {
        self.event(|event| match event {
            Event::Messages(batch) => batch.messages.iter().find_map(|message| {
                let text = message.message.conversation.clone()?;
                Some((message.info.id.clone(), message.info.push_name.clone(), text))
            }),
            _ => None,
        })
        .await
    }
}

#[tokio::test]
async fn receipts_reach_every_client_of_the_author_and_read_comes_after_the_phone_s() {
    let sim = sim().await;
    let one = TestClient::paired(&sim, Some(ONE)).await;
    let other = TestClient::paired(&sim, Some(ONE)).await;
    let id = one.client.send_text(Jid::pn("15550111"), "hello").await.unwrap().message_id;
    let types = one.receipts(&id, ReceiptType::Read).await;
    let phone = types.iter().position(|kind| *kind == ReceiptType::Sender);
    assert!(phone.is_some_and(|at| at < types.len() - 1), "{types:?}");
    other.receipts(&id, ReceiptType::Read).await;
    // In a group, too.
    let members = [ALICE, ONE].map(str::to_owned);
    let group: Jid = sim.group_add("Two", &members).await.unwrap().parse().unwrap();
    let id = one.client.send_text(group, "hello all").await.unwrap().message_id;
    other.receipts(&id, ReceiptType::Read).await;
}

#[tokio::test]
async fn a_read_receipt_without_a_device_reaches_the_authors_clients_and_the_own_other_ones() {
    let sim = sim().await;
    let author = TestClient::paired(&sim, Some(ONE)).await;
    let author_too = TestClient::paired(&sim, Some(ONE)).await;
    let reader = TestClient::paired(&sim, Some(TWO)).await;
    let reader_too = TestClient::paired(&sim, Some(TWO)).await;
    let id = author.client.send_text(Jid::pn("15550102"), "hello").await.unwrap().message_id;
    assert_eq!(reader.next_message().await.0, id);
    let chat = author.client.lid().unwrap().to_non_ad();
    let own = reader_too
        .client
        .wait_for_node(NodeFilter::tag("receipt").attr("type", "read").attr("id", id.as_str()));
    reader.client.mark_as_read(&chat, None, &[id.as_str()]).await.unwrap();
    let own = own.await.unwrap().get().to_owned();
    assert_eq!(own.attrs().optional_jid("recipient"), Some(chat));
    author.receipts(&id, ReceiptType::Read).await;
    author_too.receipts(&id, ReceiptType::Read).await;
    // What a person wrote, and an account's client has read, the person sees.
    let written = sim.recipient_reply(ALICE, Some(TWO), "read me").await.unwrap().ids.remove(0);
    assert_eq!(reader.next_message().await.0, written);
    let alice = Jid::lid("100000000000001");
    reader.client.mark_as_read(&alice, None, &[written.as_str()]).await.unwrap();
    let seen = sim.wait(
        |world| world.presence.seen("15550111").into_iter().find(|seen| seen.kind == "read"),
        PATIENCE,
    );
    assert_eq!(seen.await.unwrap().ids, [written]);
}

#[tokio::test]
async fn what_a_phone_or_a_person_writes_reaches_everybody_whom_it_is_for() {
    let sim = sim().await;
    let one = TestClient::paired(&sim, Some(ONE)).await;
    let two = TestClient::paired(&sim, Some(TWO)).await;
    let two_too = TestClient::paired(&sim, Some(TWO)).await;
    let direct = sim.phone_send(Some(ONE), TWO, "to you").await.unwrap();
    assert_eq!((direct.ids.len(), direct.clients), (1, 3));
    for client in [&one, &two, &two_too] {
        let (id, _, text) = client.next_message().await;
        assert_eq!((id.as_str(), text.as_str()), (direct.ids[0].as_str(), "to you"));
    }
    let members = [ALICE, BOB, ONE, TWO].map(str::to_owned);
    let group = sim.group_add("Four", &members).await.unwrap();
    let all = sim.recipient_reply(ALICE, Some(&group), "to all").await.unwrap();
    assert_eq!((all.ids.len(), all.clients), (1, 3));
    for client in [&one, &two, &two_too] {
        assert_eq!(client.next_message().await.0, all.ids[0]);
    }
    assert_eq!(sim.recipient_inbox(BOB).await[0].id, all.ids[0]);
    sim.phone_send(Some(ONE), &group, "from the phone").await.unwrap();
    assert_eq!(two_too.next_message().await.2, "from the phone");
    assert_eq!(sim.recipient_inbox(ALICE).await[0].text, "from the phone");
}

#[tokio::test]
async fn a_forwarded_message_keeps_what_it_says_about_itself() {
    let sim = sim().await;
    let one = TestClient::paired(&sim, Some(ONE)).await;
    let two = TestClient::paired(&sim, Some(TWO)).await;
    // What the server knows an account's name from.
    one.client.profile().set_push_name("Ada").await.unwrap();
    one.client.presence().set_available().await.unwrap();
    sim.wait(|world| (world.accounts.get("15550101")?.push_name == "Ada").then_some(()), PATIENCE)
        .await
        .unwrap();
    let forwarded = two.client.wait_for_node(NodeFilter::tag("message").attr("id", "3EB0ED17"));
    let to = two.client.lid().unwrap();
    let enc = NodeBuilder::new("enc").attr("v", "2").attr("type", "msg").bytes([1; 40]).build();
    let copy = NodeBuilder::new("to").attr("jid", &to).children([enc]).build();
    let message = NodeBuilder::new("message")
        .attr("id", "3EB0ED17")
        .attr("to", to.to_non_ad())
        .attr("type", "text")
        .attr("edit", "1")
        .children([
            NodeBuilder::new("participants").children([copy]).build(),
            NodeBuilder::new("meta").attr("target_id", "3EB0ED16").build(),
        ]);
    one.client.send_node(message.build()).await.unwrap();
    let forwarded = forwarded.await.unwrap().get().to_owned();
    let attr = |name| forwarded.attrs().optional_string(name).map(|text| text.into_owned());
    assert_eq!((attr("edit").as_deref(), attr("notify").as_deref()), (Some("1"), Some("Ada")));
    let meta = forwarded.get_optional_child("meta").unwrap();
    assert_eq!(meta.attrs().optional_string("target_id").as_deref(), Some("3EB0ED16"));
}

#[tokio::test]
async fn who_knows_a_person_learns_of_its_new_and_lost_devices() {
    let sim = sim().await;
    let client = TestClient::paired(&sim, Some(ONE)).await;
    sim.recipient_reply(ALICE, Some(ONE), "hello").await.unwrap();
    client.next_message().await;
    for (companions, tag) in [(1, "add"), (0, "remove")] {
        let notified =
            client.client.wait_for_node(NodeFilter::tag("notification").attr("type", "devices"));
        sim.recipient_add(ALICE, true, companions).await.unwrap();
        let notification = notified.await.unwrap().get().to_owned();
        let change = notification.get_optional_child(tag).unwrap();
        let device = change.get_optional_child("device").unwrap();
        assert_eq!(device.attrs().optional_jid("jid").unwrap().device, 11);
        assert!(change.get_optional_child("key-index-list").is_some());
    }
    // A companion of the account itself: its other client is notified.
    let notified =
        client.client.wait_for_node(NodeFilter::tag("notification").attr("type", "account_sync"));
    let _other = TestClient::paired(&sim, Some(ONE)).await;
    let notification = notified.await.unwrap().get().to_owned();
    let devices = notification.get_optional_child("devices").unwrap();
    assert_eq!(devices.get_children_by_tag("device").count(), 3);
}

#[tokio::test]
async fn a_client_whose_one_time_keys_run_out_is_told_and_uploads_more() {
    let sim = sim().await;
    let client = TestClient::paired(&sim, Some(ONE)).await;
    let before = sim.wait_for(|stats| stats.key_uploads >= 1, PATIENCE).await.unwrap().key_uploads;
    for person in 20..40 {
        let number = format!("+155501{person}");
        sim.recipient_add(&number, true, 0).await.unwrap();
        sim.recipient_reply(&number, Some(ONE), "hello").await.unwrap();
    }
    sim.wait_for(|stats| stats.key_uploads > before, PATIENCE).await.unwrap();
    let left = |world: &crate::world::World| {
        world.people.one_time_keys_left(&Jid::pn_device("15550101", 1)).filter(|left| *left > 5)
    };
    sim.wait(left, PATIENCE).await.unwrap();
    drop(client);
}
