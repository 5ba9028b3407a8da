//! What an account keeps on the server about itself, and requests that there are not.

use whatsapp_rust::http::{HttpClient as _, HttpRequest};
use whatsapp_rust::wacore::iq::privacy::{PrivacyCategory, PrivacyValue};
use whatsapp_rust::wacore::request::InfoQuery;
use whatsapp_rust::wacore_binary::{Jid, NodeContent};
use whatsapp_rust::{NodeBuilder, NodeFilter};

use super::client::{MediaHost, TestClient};
use crate::nodes::server;
use crate::{Sim, SimConfig};

const ALICE: &str = "+15550111";

#[tokio::test]
async fn privacy_has_every_category_and_keeps_what_is_set() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    let client = TestClient::paired(&sim, None).await;
    let settings = client.client.fetch_privacy_settings().await.unwrap();
    assert_eq!(settings.settings.len(), 9);
    assert_eq!(settings.get_value(&PrivacyCategory::Last), Some(&PrivacyValue::All));
    let other = TestClient::paired(&sim, None).await;
    let notified =
        other.client.wait_for_node(NodeFilter::tag("notification").attr("type", "account_sync"));
    client.client.set_privacy_setting(PrivacyCategory::Last, PrivacyValue::Contacts).await.unwrap();
    notified.await.unwrap();
    let settings = other.client.fetch_privacy_settings().await.unwrap();
    assert_eq!(settings.get_value(&PrivacyCategory::Last), Some(&PrivacyValue::Contacts));
    // What the server does not know is not kept, and not answered as if it were.
    let unknown = PrivacyCategory::Other("shoes".to_owned());
    client.client.set_privacy_setting(unknown, PrivacyValue::All).await.unwrap_err();
}

#[tokio::test]
async fn people_are_blocked_and_unblocked_and_the_about_text_is_kept() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    sim.recipient_add(ALICE, true, 0).await.unwrap();
    let client = TestClient::paired(&sim, None).await;
    let alice = Jid::pn("15550111");
    client.client.contacts().is_on_whatsapp(std::slice::from_ref(&alice)).await.unwrap();
    client.client.blocking().block(&alice).await.unwrap();
    let blocked = client.client.blocking().get_blocklist().await.unwrap();
    assert_eq!(blocked.len(), 1);
    assert_eq!(blocked[0].jid, Jid::lid("100000000000001"));
    client.client.blocking().unblock(&alice).await.unwrap();
    assert!(client.client.blocking().get_blocklist().await.unwrap().is_empty());
    client.client.profile().set_status_text("busy").await.unwrap();
    let own = Jid::pn("15550100");
    let info = client.client.contacts().get_user_info(std::slice::from_ref(&own)).await.unwrap();
    assert_eq!(info.values().next().unwrap().status.as_deref(), Some("busy"));
}

#[tokio::test]
async fn a_request_that_there_is_not_is_refused() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    let client = TestClient::paired(&sim, None).await;
    let before = sim.server_stats().await.not_understood;
    for space in ["w:nonsense", "urn:xmpp:whatsapp:push", "w:g2"] {
        let child = NodeBuilder::new("nonsense").build();
        let iq = InfoQuery::set(space, server(), Some(NodeContent::Nodes(vec![child])));
        let refused = client.client.send_iq(iq).await.unwrap_err().to_string();
        assert!(refused.contains("501"), "{refused}");
    }
    assert_eq!(sim.server_stats().await.not_understood - before, 2);
}

#[tokio::test]
async fn a_call_is_declined() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    sim.recipient_add(ALICE, true, 0).await.unwrap();
    let client = TestClient::paired(&sim, None).await;
    let call = |to: Jid, id: &'static str| {
        let offer = NodeBuilder::new("offer")
            .attr("call-id", "C0FFEE")
            .attr("call-creator", client.client.lid().unwrap());
        NodeBuilder::new("call").attr("to", to).attr("id", id).children([offer.build()]).build()
    };
    let declined = client.client.wait_for_node(NodeFilter::tag("call"));
    client.client.send_node(call(Jid::lid("100000000000001"), "3EB0CA11")).await.unwrap();
    let declined = declined.await.unwrap().get().to_owned();
    let reject = declined.get_optional_child("reject").unwrap();
    assert_eq!(reject.attrs().optional_string("call-id").as_deref(), Some("C0FFEE"));
    let refused = client.client.wait_for_node(NodeFilter::tag("ack").attr("id", "3EB0CA12"));
    client.client.send_node(call(Jid::lid("100000000000999"), "3EB0CA12")).await.unwrap();
    let refused = refused.await.unwrap().get().to_owned();
    assert_eq!(refused.attrs().optional_string("error").as_deref(), Some("404"));
}

#[tokio::test]
async fn a_picture_is_kept_and_handed_out_until_it_is_removed() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    let client = TestClient::paired(&sim, None).await;
    let own = Jid::pn("15550100");
    assert!(client.client.contacts().get_profile_picture(&own, true).await.unwrap().is_none());
    let picture = vec![7; 500];
    client.client.profile().set_profile_picture(picture.clone()).await.unwrap();
    let found = client.client.contacts().get_profile_picture(&own, true).await.unwrap().unwrap();
    let request = HttpRequest::get(found.url);
    assert_eq!(MediaHost::of(&sim).execute(request).await.unwrap().body, picture);
    client.client.profile().remove_profile_picture().await.unwrap();
    assert!(client.client.contacts().get_profile_picture(&own, true).await.unwrap().is_none());
}

#[tokio::test]
async fn a_token_that_an_account_gives_reaches_the_other_s_clients() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    let one = TestClient::paired(&sim, Some("+15550101")).await;
    let two = TestClient::paired(&sim, Some("+15550102")).await;
    let given =
        two.client.wait_for_node(NodeFilter::tag("notification").attr("type", "privacy_token"));
    let to = two.client.lid().unwrap().to_non_ad();
    one.client.tc_token().issue_tokens(std::slice::from_ref(&to)).await.unwrap();
    let given = given.await.unwrap().get().to_owned();
    let token = given.get_optional_child_by_tag(&["tokens", "token"]).unwrap();
    assert_eq!(token.attrs().optional_string("type").as_deref(), Some("trusted_contact"));
}
