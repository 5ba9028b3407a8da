//! App state: what one client of an account changes, and what the phone changes, every other
//! client reads with its MACs, by patches and from a snapshot.

use whatsapp_rust::Jid;
use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore::request::InfoQuery;
use whatsapp_rust::wacore::types::events::Event;
use whatsapp_rust::wacore_binary::{Node, NodeContent};

use super::client::TestClient;
use crate::nodes::server;
use crate::{Sim, SimConfig};

const ALICE: &str = "+15550111";

async fn sim() -> Sim {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    sim.recipient_add(ALICE, true, 0).await.unwrap();
    sim
}

impl TestClient {
    /// The next chat that is archived, or taken back.
    async fn archived(&self) -> (Jid, bool) {
        self.event(|event| match event {
            Event::ArchiveUpdate(update) => {
                Some((update.jid.clone(), update.action.archived == Some(true)))
            }
            _ => None,
        })
        .await
    }

    async fn renamed(&self) -> String {
        self.event(|event| match event {
            Event::SelfPushNameUpdated(update) => Some(update.new_name.clone()),
            _ => None,
        })
        .await
    }

    /// The server's answer about one collection.
    async fn collection(&self, asked: Node) -> Node {
        let sync = NodeBuilder::new("sync").children([asked]).build();
        let content = Some(NodeContent::Nodes(vec![sync]));
        let iq = InfoQuery::set("w:sync:app:state", server(), content);
        let answer = self.client.send_iq(iq).await.unwrap();
        let answer = answer.get().to_owned();
        answer.get_optional_child_by_tag(&["sync", "collection"]).unwrap().clone()
    }
}

#[tokio::test]
async fn a_chat_that_one_client_archives_is_archived_at_the_other() {
    let sim = sim().await;
    let one = TestClient::paired(&sim, None).await;
    let two = TestClient::paired(&sim, None).await;
    let alice = Jid::lid("100000000000001");
    one.client.chat_actions().archive_chat(&alice, None).await.unwrap();
    assert_eq!(two.archived().await, (alice.clone(), true));
    // On the other's state, which it has read: the hashes of both go on.
    two.client.chat_actions().unarchive_chat(&alice, None).await.unwrap();
    // Its own change comes back to it first.
    assert_eq!(one.archived().await, (alice.clone(), true));
    assert_eq!(one.archived().await, (alice, false));
}

#[tokio::test]
async fn what_the_phone_changes_reaches_clients_that_are_there_and_those_that_come_later() {
    let sim = sim().await;
    let one = TestClient::paired(&sim, None).await;
    assert_eq!(sim.phone_archive(None, ALICE, true).await.unwrap(), 1);
    assert_eq!(one.archived().await, (Jid::lid("100000000000001"), true));
    sim.phone_name(None, "Another name").await.unwrap();
    assert_eq!(one.renamed().await, "Another name");
    // More than one page of patches, and a snapshot of what they leave.
    for archived in [false, true].repeat(12) {
        sim.phone_archive(None, ALICE, archived).await.unwrap();
    }
    let two = TestClient::paired(&sim, None).await;
    assert_eq!(two.archived().await, (Jid::lid("100000000000001"), true));
    sim.phone_archive(None, ALICE, false).await.unwrap();
    assert_eq!(two.archived().await, (Jid::lid("100000000000001"), false));
}

#[tokio::test]
async fn a_patch_on_an_old_version_is_a_conflict_and_comes_with_what_is_missing() {
    let sim = sim().await;
    let client = TestClient::paired(&sim, None).await;
    for archived in [true, false] {
        sim.phone_archive(None, ALICE, archived).await.unwrap();
    }
    let asked = |name: &'static str, version: u64| {
        NodeBuilder::new("collection").attr("name", name).attr("version", version)
    };
    let all = client.collection(asked("regular_low", 0).build()).await;
    let patches = all.get_optional_child("patches").unwrap().children().unwrap();
    assert_eq!(patches.len(), 2);
    assert_eq!(all.attrs().optional_string("version").as_deref(), Some("2"));
    // The first patch once more, on the version that it was made on.
    let stale = asked("regular_low", 0).children([patches[0].clone()]);
    let refused = client.collection(stale.build()).await;
    assert_eq!(refused.attrs().optional_string("type").as_deref(), Some("error"));
    let error = refused.get_optional_child("error").unwrap();
    assert_eq!(error.attrs().optional_string("code").as_deref(), Some("409"));
    let lacks = refused.get_optional_child("patches").unwrap();
    assert_eq!(lacks.children().unwrap().len(), 2);
    let unknown = client.collection(asked("regular_very_low", 0).build()).await;
    let error = unknown.get_optional_child("error").unwrap();
    assert_eq!(error.attrs().optional_string("code").as_deref(), Some("404"));
    let nothing = NodeBuilder::new("patch").bytes(b"nothing".as_slice()).build();
    let bad = client.collection(asked("regular_low", 2).children([nothing]).build()).await;
    let error = bad.get_optional_child("error").unwrap();
    assert_eq!(error.attrs().optional_string("code").as_deref(), Some("400"));
}
