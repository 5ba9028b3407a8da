//! A client's view of the people, by the library's own builders and parsers.

use std::collections::HashMap;

use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore::iq::groups::{GroupInfoOutcome, GroupParticipatingIq, GroupQueryIq};
use whatsapp_rust::wacore::iq::prekeys::{
    DigestKeyBundleSpec, PreKeyCountSpec, PreKeyFetchReason, PreKeyFetchSpec,
};
use whatsapp_rust::wacore::iq::spec::IqSpec;
use whatsapp_rust::wacore::iq::usync::{
    DeviceListSpec, IsOnWhatsAppQueryType, IsOnWhatsAppSpec, IsOnWhatsAppUser, UserInfoSpec,
};
use whatsapp_rust::wacore::libsignal::protocol::PreKeyBundle;
use whatsapp_rust::wacore::messages::wrap_device_sent;
use whatsapp_rust::wacore::prekeys::PreKeyUtils;
use whatsapp_rust::wacore_binary::{OwnedNodeRef, marshal::marshal};
use whatsapp_rust::waproto::{codec, whatsapp as wa};

use super::*;
use crate::device::{Bundle, Device};
use crate::receive::Delivered;
use crate::stanza::message::{enc, envelope};
use crate::stanza::{bytes_of, text_attr};

mod client;
mod queries;
use client::{Client, bundle, countersign, jid, message_node, over_the_wire, upload};

const ME: &str = "15550100";
const ANN: &str = "15550101";
const BEN: &str = "15550102";
const NOBODY: &str = "15550199";
const DEVICE: u16 = 1;
const ONE_TIME_KEYS: usize = 5;

fn devices(delivered: &[Delivered]) -> Vec<(String, bool, bool)> {
    delivered.iter().map(|d| (d.device.to_string(), d.ok, d.duplicate)).collect()
}

#[tokio::test]
async fn every_device_of_a_person_and_the_own_phone_read_a_message() {
    let mut people = People::default();
    people.add_recipient(ANN, true, 2).unwrap();
    let mut client = Client::pair(&mut people);
    let stanza = client.stanza(&mut people, ANN, "3EB001", "hello").await;
    let delivered = people.receive(&stanza, &client.jid).await;
    assert_eq!(delivered.len(), 4);
    assert!(delivered.iter().all(|d| d.ok && !d.duplicate && d.chat == Jid::pn(ANN)));
    let own: Vec<_> = delivered.iter().filter(|d| d.is_own_phone).collect();
    assert_eq!((own.len(), own[0].device.to_string().as_str()), (1, "15550100@s.whatsapp.net"));

    let inbox = people.inbox(ANN);
    assert_eq!((inbox.len(), inbox[0].copies(), inbox[0].failed), (1, 1, 0));
    assert_eq!((inbox[0].text.as_str(), inbox[0].from.as_str()), ("hello", ME));
    assert_eq!(inbox[0].arrivals, BTreeMap::from([(0, 1), (11, 1), (12, 1)]));
    assert_eq!((people.inbox(ME).len(), people.inbox(ME)[0].chat.as_str()), (1, ANN));
}

#[tokio::test]
async fn copies_under_one_id_are_counted_in_one_entry() {
    let mut people = People::default();
    people.add_recipient(ANN, true, 0).unwrap();
    let mut client = Client::pair(&mut people);
    let stanza = client.stanza(&mut people, ANN, "3EB001", "hello").await;
    people.receive(&stanza, &client.jid).await;
    let same = people.receive(&stanza, &client.jid).await;
    assert!(same.iter().all(|d| d.ok && d.duplicate && d.retry.is_none()), "{:?}", devices(&same));
    let anew = client.stanza(&mut people, ANN, "3EB001", "hello").await;
    let anew = people.receive(&anew, &client.jid).await;
    assert!(anew.iter().all(|d| d.ok && !d.duplicate));
    let inbox = people.inbox(ANN);
    assert_eq!((inbox.len(), inbox[0].copies(), inbox[0].failed), (1, 3, 0));
}

#[tokio::test]
async fn an_unreadable_copy_is_booked_and_asked_for_again() {
    let mut people = People::default();
    people.add_recipient(ANN, true, 1).unwrap();
    let mut client = Client::pair(&mut people);
    client.stanza(&mut people, ANN, "3EB001", "lost").await;
    let (kind, mut bytes) =
        client.device.encrypt(&Jid::pn(ANN).to_string(), &wa::Message::default()).await.unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    let encs = vec![(Jid::pn(ANN), enc(kind, bytes))];
    let broken = message_node(&Jid::pn(ANN), "3EB002", encs, None);
    let delivered = people.receive(&broken, &client.jid).await;
    assert_eq!(devices(&delivered), [(Jid::pn(ANN).to_string(), false, false)]);
    assert_eq!((people.inbox(ANN)[0].copies(), people.inbox(ANN)[0].failed), (0, 1));

    let receipt = over_the_wire(delivered[0].retry.as_ref().unwrap());
    assert_eq!(text_attr(&receipt, "type"), "retry");
    assert_eq!(jid(&receipt, "from"), Some(Jid::pn(ANN)));
    // The keys in the receipt have the shape of a bundle.
    let keys = receipt.get_optional_child("keys").unwrap();
    let registration = receipt.get_optional_child("registration").unwrap();
    let mut user = NodeBuilder::new("user").attr("jid", Jid::pn(ANN)).build();
    let parts = [keys.children().unwrap(), std::slice::from_ref(registration)].concat();
    user.content = Some(whatsapp_rust::wacore_binary::NodeContent::Nodes(parts));
    let list = NodeBuilder::new("list").children([user]).build();
    let answer = NodeBuilder::new("iq").children([list]).build();
    let bundles =
        PreKeyUtils::parse_prekeys_response(&answer.as_node_ref(), &HashMap::new()).unwrap();
    let name = Jid::pn(ANN).to_string();
    client.device.forget(&name);
    client.device.start_session(&name, &bundle(&bundles.bundles[&Jid::pn(ANN)])).await.unwrap();
    let anew = client.stanza(&mut people, ANN, "3EB002", "found").await;
    assert!(people.receive(&anew, &client.jid).await.iter().all(|d| d.ok));
    assert_eq!((people.inbox(ANN)[0].copies(), people.inbox(ANN)[0].failed), (1, 1));
    assert_eq!(people.inbox(ANN)[0].text, "found");
}

#[tokio::test]
async fn a_key_used_for_two_messages_loses_the_second_and_is_not_a_duplicate() {
    let mut people = People::default();
    people.add_recipient(ANN, true, 0).unwrap();
    let mut client = Client::pair(&mut people);
    let first = client.stanza(&mut people, ANN, "3EB001", "one").await;
    people.receive(&first, &client.jid).await;
    let mut second = first.clone();
    second.attrs = second.attrs.into_iter().filter(|(key, _)| key != "id").collect();
    second.attrs.insert("id", "3EB002");
    let delivered = people.receive(&second, &client.jid).await;
    assert!(delivered.iter().all(|d| !d.ok && !d.duplicate && d.retry.is_some()));
    assert_eq!((people.inbox(ANN)[1].copies(), people.inbox(ANN)[1].failed), (0, 1));
}

#[tokio::test]
async fn a_request_for_the_app_states_key_is_told_apart_and_not_booked() {
    let mut people = People::default();
    let mut client = Client::pair(&mut people);
    let request = wa::message::ProtocolMessage {
        app_state_sync_key_request: wa::message::AppStateSyncKeyRequest::default().into(),
        ..Default::default()
    };
    let request = wa::Message { protocol_message: request.into(), ..Default::default() };
    let sealed = client.seal(&mut people, &Jid::pn(ME), &request).await;
    let probe = NodeBuilder::new("message")
        .attr("to", Jid::pn(ME))
        .attr("id", "3EB001")
        .attr("category", "peer")
        .children([sealed])
        .build();
    let delivered = people.receive(&over_the_wire(&probe), &client.jid).await;
    assert_eq!(delivered.len(), 1);
    let d = &delivered[0];
    assert!(d.ok && d.peer && d.is_own_phone && d.key_request);
    assert!(people.inbox(ME).is_empty());
}

#[tokio::test]
async fn a_number_that_is_not_on_the_network_gets_nothing() {
    let mut people = People::default();
    people.add_recipient(ANN, true, 0).unwrap();
    let mut client = Client::pair(&mut people);
    let stanza = client.stanza(&mut people, ANN, "3EB001", "hello").await;
    people.add_recipient(ANN, false, 0).unwrap();
    let delivered = people.receive(&stanza, &client.jid).await;
    assert!(delivered.iter().all(|d| d.is_own_phone));
    assert!(people.inbox(ANN).is_empty());
    assert!(!people.on_network(&Jid::pn(ANN)));
}

#[tokio::test]
async fn a_group_message_reaches_all_members_and_their_answer_the_client() {
    let mut people = People::default();
    people.add_recipient(ANN, true, 1).unwrap();
    people.add_recipient(BEN, true, 0).unwrap();
    let mut client = Client::pair(&mut people);
    let members = [ANN, BEN, ME].map(|number| format!("+{number}"));
    let group = people.add_group("Walks", &members).unwrap();
    let GroupInfoOutcome::Full(info) = client.ask(&mut people, &GroupQueryIq::new(&group)) else {
        panic!("no group");
    };
    assert_eq!((info.participants.len(), info.id), (3, group.clone()));
    assert_eq!(info.participants[0].phone_number, Some(Jid::pn(ANN)));
    assert_eq!(client.ask(&mut people, &GroupParticipatingIq).groups.len(), 1);

    let name = group.to_string();
    let key = client.device.distribute(&name, "me", "all").await.unwrap().unwrap();
    let to = [(ANN, key.clone()), (BEN, key.clone()), (ME, key)];
    let encs = client.fan_out(&mut people, &to).await;
    let text = wa::Message { conversation: Some("hello all".to_owned()), ..Default::default() };
    let bytes = client.device.encrypt_group(&name, "me", &text).await.unwrap();
    let body = enc(crate::device::EncType::SenderKey, bytes);
    let stanza = message_node(&group, "3EB001", encs, Some(body));
    let delivered = people.receive(&stanza, &client.jid).await;
    assert_eq!(delivered.len(), 4);
    assert!(delivered.iter().all(|d| d.ok && d.chat == group), "{:?}", devices(&delivered));
    assert!(delivered.iter().all(|d| d.device.is_lid()));
    assert_eq!((people.inbox(ANN)[0].copies(), people.inbox(BEN)[0].copies()), (1, 1));
    assert_eq!(people.inbox(BEN)[0].chat, name);

    for text in ["one", "two"] {
        let messages = people.compose(ANN, ME, Some(&group), text).await;
        assert_eq!(client.read(&messages[0]).await.conversation.as_deref(), Some(text));
    }
    assert!(people.compose(NOBODY, ME, Some(&group), "no").await.is_empty());
}

#[tokio::test]
async fn people_write_to_a_client_and_write_again_on_request() {
    let mut people = People::default();
    people.add_recipient(ANN, true, 0).unwrap();
    let mut client = Client::pair(&mut people);
    let messages = people.compose(&format!("+{ANN}"), ME, None, "hi").await;
    assert_eq!(jid(&messages[0], "to"), Some(client.jid.clone()));
    assert_eq!(client.read(&messages[0]).await.conversation.as_deref(), Some("hi"));

    let receipt = NodeBuilder::new("receipt").attr("id", text_attr(&messages[0], "id")).build();
    let again = people.resend(&receipt, &client.jid).await.unwrap();
    assert_eq!(text_attr(&again, "id"), text_attr(&messages[0], "id"));
    assert_eq!(client.read(&again).await.conversation.as_deref(), Some("hi"));
    let unknown = NodeBuilder::new("receipt").attr("id", "3EB0FF").build();
    assert!(people.resend(&unknown, &client.jid).await.is_none());
}

#[tokio::test]
async fn the_phone_gives_the_key_of_the_app_state_and_copies_what_it_writes() {
    let mut people = People::default();
    people.add_recipient(ANN, true, 0).unwrap();
    let mut client = Client::pair(&mut people);
    let share = people.key_share(ME, DEVICE).await.unwrap();
    assert_eq!(text_attr(&share, "category"), "peer");
    let content = client.read(&share).await;
    let protocol = content.protocol_message.as_option().unwrap();
    let keys = &protocol.app_state_sync_key_share.as_option().unwrap().keys;
    let data = keys[0].key_data.as_option().unwrap().key_data.as_deref().unwrap();
    assert_eq!(data.len(), 32);

    let copies = people.compose_from_phone(ME, &Jid::pn(ANN), "from my phone").await;
    let lid = people.find(&Jid::pn(ANN)).unwrap().lid_jid(0);
    assert_eq!(jid(&copies[0], "recipient"), Some(lid));
    assert_eq!(jid(&copies[0], "peer_recipient_pn"), Some(Jid::pn(ANN)));
    assert_eq!(client.read(&copies[0]).await.conversation.as_deref(), Some("from my phone"));
    assert_eq!(people.inbox(ANN)[0].text, "from my phone");
}

#[tokio::test]
async fn a_person_is_named_by_lid_or_by_number_as_the_account_is() {
    let mut people = People::default();
    people.add_recipient(ANN, true, 0).unwrap();
    let _client = Client::pair(&mut people);
    let (number, lid) = (Jid::pn(ANN), people.find(&Jid::pn(ANN)).unwrap().lid_jid(0));
    for (migrated, sender_pn, from, pn) in
        [(true, true, &lid, Some(&number)), (true, false, &lid, None), (false, true, &number, None)]
    {
        people.rules = Rules { migrated, sender_pn, strict: false };
        let message = people.compose(ANN, ME, None, "hi").await.remove(0);
        assert_eq!(jid(&message, "from").as_ref(), Some(from));
        assert_eq!(jid(&message, "sender_pn").as_ref(), pn);
        let copy = people.compose_from_phone(ME, &number, "hi").await.remove(0);
        assert_eq!(jid(&copy, "recipient").as_ref(), Some(from));
        assert_eq!(jid(&copy, "peer_recipient_pn").as_ref(), pn);
    }
}

#[tokio::test]
async fn a_stanza_states_the_username_of_whom_it_names_by_lid() {
    let mut people = People::default();
    people.add_recipient(ANN, true, 0).unwrap();
    people.set_username(ANN, (Some("ann"), None), true).unwrap();
    let _client = Client::pair(&mut people);
    let group = people.add_group("Walks", &[ANN.to_owned(), ME.to_owned()]).unwrap();
    let ann = Jid::pn(ANN);
    for (migrated, username) in [(true, "ann"), (false, "")] {
        people.rules = Rules { migrated, ..Rules::default() };
        let direct = people.compose(ANN, ME, None, "hi").await.remove(0);
        let copy = people.compose_from_phone(ME, &ann, "hi").await.remove(0);
        assert_eq!(text_attr(&direct, "username"), username);
        assert_eq!(text_attr(&copy, "peer_recipient_username"), username);
        assert_eq!(text_attr(&copy, "username"), "");
    }
    let in_group = people.compose(ANN, ME, Some(&group), "hi").await.remove(0);
    assert_eq!(text_attr(&in_group, "participant_username"), "ann");
}

#[tokio::test]
async fn everything_survives_being_written_and_read() {
    let mut people = People::default();
    people.add_recipient(ANN, true, 1).unwrap();
    let mut client = Client::pair(&mut people);
    let stanza = client.stanza(&mut people, ANN, "3EB001", "before").await;
    people.receive(&stanza, &client.jid).await;
    let messages = people.compose(ANN, ME, None, "hi").await;
    client.read(&messages[0]).await;

    let mut people: People =
        serde_json::from_str(&serde_json::to_string(&people).unwrap()).unwrap();
    let stanza = client.stanza(&mut people, ANN, "3EB002", "after").await;
    assert!(people.receive(&stanza, &client.jid).await.iter().all(|d| d.ok));
    assert_eq!(people.inbox(ANN).len(), 2);
    let messages = people.compose(ANN, ME, None, "again").await;
    assert_eq!(client.read(&messages[0]).await.conversation.as_deref(), Some("again"));
}

#[tokio::test]
async fn a_message_for_another_real_client_is_passed_on_unopened() {
    let mut people = People::default();
    let mut client = Client::pair(&mut people);
    let mut other = Device::generate().unwrap();
    let phone = people.add_account_phone(BEN).unwrap();
    let half = phone.sign_companion(&other.identity().public_key, 1).unwrap();
    let signed = countersign(half, &other);
    people.add_companion_of_account(BEN, DEVICE, signed).unwrap();
    people.set_companion_keys(BEN, DEVICE, &upload(&mut other)).unwrap();

    let stanza = client.stanza(&mut people, BEN, "3EB001", "to you").await;
    let delivered = people.receive(&stanza, &client.jid).await;
    let passed_on = delivered.iter().find(|d| d.device == Jid::pn_device(BEN, DEVICE)).unwrap();
    assert!(!passed_on.ok && passed_on.retry.is_none());
    let forward = over_the_wire(passed_on.forward.as_ref().unwrap());
    assert_eq!(jid(&forward, "from"), Some(client.jid.clone()));
    assert_eq!((text_attr(&forward, "id"), jid(&forward, "recipient")), ("3EB001".into(), None));
    let sealed = envelope(forward.get_optional_child("enc").unwrap()).unwrap();
    let opened = other.decrypt("me", "", sealed).await.unwrap();
    assert_eq!(opened.message.conversation.as_deref(), Some("to you"));
    assert_eq!(people.inbox(BEN)[0].arrivals, BTreeMap::from([(0, 1)]));
}

#[test]
fn what_the_server_waits_for_can_move_between_threads() {
    fn moves<T: Send>(_: &T) {}
    let mut people = People::default();
    let (node, jid) = (NodeBuilder::new("message").build(), Jid::pn(ME));
    moves(&people.receive(&node, &jid));
    moves(&people.compose(ANN, ME, None, "hi"));
    moves(&people.compose_from_phone(ME, &jid, "hi"));
    moves(&people.key_share(ME, DEVICE));
    moves(&people.resend(&node, &jid));
    moves(&people);
}

#[test]
fn malformed_input_is_refused() {
    let mut people = People::default();
    for number in ["", "+", "1555x100", "1234", "1234567890123456", "++15550101"] {
        assert_eq!(people.add_recipient(number, true, 0), Err(PeopleError::InvalidNumber));
    }
    assert_eq!(people.add_recipient(ANN, true, 200), Err(PeopleError::TooMany));
    assert_eq!(people.add_group("x", &[ANN.to_owned()]), Err(PeopleError::Unknown));
    let client = Client::pair(&mut people);
    assert_eq!(people.add_recipient(ME, true, 0), Err(PeopleError::IsAccount));
    let empty = NodeBuilder::new("iq").build();
    assert_eq!(people.set_companion_keys(ME, DEVICE, &empty), Err(PeopleError::BadUpload));
    for answer in [
        people.usync(&empty, &client.jid),
        people.prekeys(&empty, &client.jid),
        people.group_info(&empty, &client.jid),
    ] {
        assert_eq!(text_attr(&answer, "type"), "error");
        assert!(bytes_of(&answer).is_none());
    }
}
