//! Messages there and back, between a real client and simulated people.

use whatsapp_rust::wacore::types::events::Event;
use whatsapp_rust::wacore::types::presence::ReceiptType;
use whatsapp_rust::{Jid, SendOptions};

use super::super::accounts::DeviceId;
use super::super::world::World;
use super::super::{AckError, Receipts, Settings, SettingsChange, Sim, SimConfig, Times};
use super::client::{PATIENCE, TestClient};

const ALICE: &str = "+15550111";
const BOB: &str = "+15550112";
const CAROL: &str = "+15550113";

fn jid(number: &str) -> Jid {
    Jid::pn(number.trim_start_matches('+'))
}

async fn sim_with_people() -> Sim {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    sim.recipient_add(ALICE, true, 2).await.unwrap();
    sim.recipient_add(BOB, true, 1).await.unwrap();
    sim.recipient_add(CAROL, true, 0).await.unwrap();
    sim
}

impl TestClient {
    /// The server's answer to a message: its error, if it has one.
    async fn acked(&self, id: &str) -> Option<String> {
        self.event(|event| match event {
            Event::ServerAck(ack) if ack.id == id && ack.class.as_deref() == Some("message") => {
                Some(ack.error.clone())
            }
            _ => None,
        })
        .await
    }

    async fn receipt(&self, id: &str, kind: ReceiptType) {
        self.event(|event| match event {
            Event::Receipt(receipt)
                if receipt.r#type == kind && receipt.message_ids.iter().any(|got| got == id) =>
            {
                Some(())
            }
            _ => None,
        })
        .await;
    }
}

async fn arrived(sim: &Sim, number: &str, id: &str, text: &str, devices: usize) {
    let inbox = sim
        .wait_for_inbox(
            number,
            |inbox| inbox.iter().any(|got| got.id == id && got.devices.len() == devices),
            PATIENCE,
        )
        .await
        .unwrap();
    let message = inbox.iter().find(|got| got.id == id).unwrap();
    assert_eq!((message.text.as_str(), message.copies, message.failed), (text, 1, 0));
    assert!(message.devices.values().all(|copies| *copies == 1), "{message:?}");
}

#[tokio::test]
async fn a_text_reaches_every_device_of_a_person_once() {
    let sim = sim_with_people().await;
    let client = TestClient::paired(&sim, None).await;
    for text in ["first", "second"] {
        let id = client.client.send_text(jid(ALICE), text).await.unwrap().message_id;
        assert_eq!(client.acked(&id).await, None);
        arrived(&sim, ALICE, &id, text, 3).await;
        // The own phone has its copy, in the chat with the recipient.
        arrived(&sim, "+15550100", &id, text, 1).await;
    }
    let stats = sim.server_stats().await;
    assert_eq!((stats.messages, stats.acks, stats.attempts.len()), (2, 2, 2));
    assert_eq!(stats.not_understood, 0);
}

#[tokio::test]
async fn receipts_come_back_from_recipient_and_own_phone() {
    let sim = sim_with_people().await;
    let client = TestClient::paired(&sim, None).await;
    for kind in [ReceiptType::Sender, ReceiptType::Delivered, ReceiptType::Read] {
        let id = client.client.send_text(jid(CAROL), "hello").await.unwrap().message_id;
        client.receipt(&id, kind).await;
    }
    sim.recipient_reply(ALICE, None, "hello yourself").await.unwrap();
    client.incoming().await;
    // All of it was acknowledged: nothing comes again at the next login.
    let me = DeviceId { user: "15550100".to_owned(), device: 1 };
    let waiting = |world: &World| world.accounts.companion(&me).unwrap().pending();
    sim.wait(|world| waiting(world).is_empty().then_some(()), PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_text_reaches_a_group_of_three_and_their_answers_come_back() {
    let sim = sim_with_people().await;
    let client = TestClient::paired(&sim, None).await;
    let members = [ALICE, BOB, "+15550100"].map(str::to_owned);
    let group = sim.group_add("Three", &members).await.unwrap();
    for text in ["to all", "to all again"] {
        let id = client.client.send_text(group.parse::<Jid>().unwrap(), text).await.unwrap();
        assert_eq!(client.acked(&id.message_id).await, None);
        arrived(&sim, ALICE, &id.message_id, text, 3).await;
        arrived(&sim, BOB, &id.message_id, text, 2).await;
    }
    sim.recipient_reply(BOB, Some(&group), "back").await.unwrap();
    let (_, chat, text) = client.incoming().await;
    assert_eq!((chat, text.as_str()), (group, "back"));
}

#[tokio::test]
async fn an_answer_is_decrypted_even_if_it_was_written_while_the_client_was_away() {
    let sim = sim_with_people().await;
    let client = TestClient::paired(&sim, None).await;
    sim.recipient_reply(ALICE, None, "here").await.unwrap();
    let (sender, _, text) = client.incoming().await;
    assert_eq!((sender.as_str(), text.as_str()), ("100000000000001@lid", "here"));
    let backend = client.leave().await;
    sim.wait_for(|stats| stats.connections == 0, PATIENCE).await.unwrap();

    sim.recipient_reply(BOB, None, "away").await.unwrap();
    let back = TestClient::again(&sim, &backend).await;
    assert_eq!(back.incoming().await.2, "away");
}

#[tokio::test]
async fn a_copy_of_what_the_phone_wrote_reaches_its_clients() {
    let sim = sim_with_people().await;
    let client = TestClient::paired(&sim, None).await;
    sim.phone_send(None, CAROL, "from the phone").await.unwrap();
    assert_eq!(client.incoming().await.2, "from the phone");
    let inbox = sim.recipient_inbox(CAROL).await;
    assert_eq!(inbox[0].text, "from the phone");
}

#[tokio::test]
async fn a_refused_message_shows_its_error_and_reaches_nobody() {
    let sim = sim_with_people().await;
    let client = TestClient::paired(&sim, None).await;
    let ack_error = AckError { code: 463, times: Times::Count(1), ..AckError::default() };
    sim.server_set(SettingsChange { ack_error: Some(ack_error), ..SettingsChange::default() })
        .await;
    let refused = client.client.send_text(jid(CAROL), "no").await.unwrap().message_id;
    assert_eq!(client.acked(&refused).await.as_deref(), Some("463"));
    let taken = client.client.send_text(jid(CAROL), "yes").await.unwrap().message_id;
    assert_eq!(client.acked(&taken).await, None);
    let ids: Vec<_> = sim.recipient_inbox(CAROL).await.into_iter().map(|got| got.id).collect();
    assert_eq!(ids, [taken]);
}

#[tokio::test]
async fn the_same_id_again_counts_as_a_second_copy_of_one_message() {
    let sim = sim_with_people().await;
    let client = TestClient::paired(&sim, None).await;
    sim.server_set(SettingsChange { ack_drop: Some(Times::Count(1)), ..SettingsChange::default() })
        .await;
    let text = |text: &str| whatsapp_rust::waproto::whatsapp::Message {
        conversation: Some(text.to_owned()),
        ..Default::default()
    };
    let again = SendOptions::default().with_message_id("3EB0SIM0000000000001");
    for _ in 0..2 {
        let sent = client.client.send_message_with_options(jid(CAROL), text("once"), again.clone());
        sent.await.unwrap();
    }
    assert_eq!(client.acked("3EB0SIM0000000000001").await, None);
    let inbox = sim.recipient_inbox(CAROL).await;
    assert_eq!((inbox.len(), inbox[0].copies), (1, 2));
    assert_eq!(sim.server_stats().await.acks, 1);
}

#[tokio::test]
async fn a_phone_that_is_off_sends_its_receipts_when_it_is_back() {
    let sim = sim_with_people().await;
    let client = TestClient::paired(&sim, None).await;
    sim.phone_set(None, false).await.unwrap();
    let id = client.client.send_text(jid(CAROL), "hello").await.unwrap().message_id;
    // The recipient's receipt comes after where the phone's would have been.
    client.receipt(&id, ReceiptType::Read).await;
    sim.phone_set(None, true).await.unwrap();
    client.receipt(&id, ReceiptType::Sender).await;
}

#[tokio::test]
async fn two_accounts_write_to_each_other() {
    let sim = sim_with_people().await;
    let one = TestClient::paired(&sim, Some("+15550101")).await;
    let two = TestClient::paired(&sim, Some("+15550102")).await;
    let id = one.client.send_text(jid("+15550102"), "ahoy").await.unwrap().message_id;
    assert_eq!(two.incoming().await.2, "ahoy");
    one.receipt(&id, ReceiptType::Delivered).await;
    two.client.send_text(jid("+15550101"), "ahoy yourself").await.unwrap();
    assert_eq!(one.incoming().await.2, "ahoy yourself");
}

#[tokio::test]
async fn numbers_never_added_are_not_on_the_network() {
    let sim = sim_with_people().await;
    let client = TestClient::paired(&sim, None).await;
    sim.recipient_add("+15550119", false, 0).await.unwrap();
    let asked = [jid(ALICE), jid("+15550119"), jid("+15550120")];
    let answers = client.client.contacts().is_on_whatsapp(&asked).await.unwrap();
    let registered = |number: &str| {
        let wanted = jid(number);
        answers.iter().any(|answer| {
            answer.is_registered
                && (answer.jid == wanted || answer.pn_jid.as_ref() == Some(&wanted))
        })
    };
    assert!(registered(ALICE));
    assert!(!registered("+15550119"));
    assert!(!registered("+15550120"));
}

#[tokio::test]
async fn a_stalled_server_answers_nothing_until_it_is_let_go() {
    let sim = sim_with_people().await;
    let client = TestClient::paired(&sim, None).await;
    let lost = client.client.send_text(jid(CAROL), "before").await.unwrap().message_id;
    assert_eq!(client.acked(&lost).await, None);
    let stall = |stall| SettingsChange { stall: Some(stall), ..SettingsChange::default() };
    let settings: Settings = sim.server_set(stall(true)).await;
    assert!(settings.stall);
    client.client.send_text(jid(CAROL), "into the void").await.unwrap();
    sim.recipient_reply(CAROL, None, "held back").await.unwrap();
    sim.server_set(stall(false)).await;
    assert_eq!(client.incoming().await.2, "held back");
}

#[tokio::test]
async fn settings_read_as_they_are_documented() {
    let change: SettingsChange = serde_json::from_str(
        r#"{"ack_delay_ms": 5, "ack_drop": 2, "ack_error": 479, "receipts": "none"}"#,
    )
    .unwrap();
    let mut settings = Settings::default();
    settings.apply(change);
    assert_eq!(settings.ack_drop, Times::Count(2));
    assert_eq!(
        settings.ack_error,
        AckError { code: 479, times: Times::Always, ..AckError::default() }
    );
    assert_eq!(settings.receipts, Receipts::None);
    let off = r#"{"ack_drop": false, "ack_error": false, "receipts": "all"}"#;
    settings.apply(serde_json::from_str(off).unwrap());
    assert!(!settings.ack_drop.take());
    assert_eq!(settings.ack_error.times, Times::Never);
    assert!(serde_json::from_str::<SettingsChange>(r#"{"ack_dorp": 1}"#).is_err());
}
