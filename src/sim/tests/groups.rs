//! What clients do to groups, and who learns of it.

use whatsapp_rust::wacore::iq::groups::{
    GroupCreateOptions, GroupDescription, GroupParticipantOptions, GroupSubject,
};
use whatsapp_rust::wacore::stanza::groups::GroupNotificationAction as Action;
use whatsapp_rust::wacore::types::events::Event;
use whatsapp_rust::{Jid, NodeFilter, PreviousDescription};

use super::client::{PATIENCE, TestClient};
use crate::{Sim, SimConfig};

const ALICE: &str = "+15550111";
const BOB: &str = "+15550112";

async fn sim() -> Sim {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    sim.recipient_add(ALICE, true, 0).await.unwrap();
    sim.recipient_add(BOB, true, 0).await.unwrap();
    sim
}

fn number(number: &str) -> Jid {
    Jid::pn(&number[1..])
}

impl TestClient {
    /// The next change of a group that is one of these.
    async fn change<T>(&self, wanted: impl Fn(&Action) -> Option<T>) -> T {
        self.event(|event| match event {
            Event::GroupUpdate(update) => wanted(&update.action),
            _ => None,
        })
        .await
    }

    async fn create(&self, subject: &str, members: &[Jid]) -> Jid {
        let options = members.iter().fold(GroupCreateOptions::new(subject), |options, member| {
            let member = GroupParticipantOptions::builder().jid(member.clone()).finish();
            options.with_participant(member)
        });
        self.client.groups().create_group(options).await.unwrap().metadata.id
    }

    async fn members(&self, group: &Jid) -> usize {
        self.client.groups().get_metadata(group).await.unwrap().participants.len()
    }
}

#[tokio::test]
async fn a_group_is_created_renamed_and_described_and_all_its_clients_learn_of_it() {
    let sim = sim().await;
    let owner = TestClient::paired(&sim, Some("+15550101")).await;
    let companion = TestClient::paired(&sim, Some("+15550101")).await;
    let member = TestClient::paired(&sim, Some("+15550102")).await;
    let group = owner.create("Walks", &[number(ALICE), number("+15550102")]).await;
    for client in [&companion, &member] {
        client.change(|action| matches!(action, Action::Create { .. }).then_some(())).await;
        assert_eq!(client.members(&group).await, 3);
    }
    let subject = GroupSubject::new("Long walks").unwrap();
    owner.client.groups().set_subject(&group, subject).await.unwrap();
    for client in [&companion, &member] {
        let renamed = client.change(|action| match action {
            Action::Subject { subject, .. } => Some(subject.clone()),
            _ => None,
        });
        assert_eq!(renamed.await, "Long walks");
    }
    let described = Some(GroupDescription::new("On Sundays").unwrap());
    owner
        .client
        .groups()
        .set_description(&group, described, PreviousDescription::Absent)
        .await
        .unwrap();
    let metadata = member.client.groups().get_metadata(&group).await.unwrap();
    assert_eq!(metadata.subject, "Long walks");
    assert_eq!(metadata.description.as_deref(), Some("On Sundays"));
    // What a client writes there reaches everybody.
    let sent = member.client.send_text(group.clone(), "hello").await.unwrap().message_id;
    assert_eq!(owner.incoming().await.2, "hello");
    assert_eq!(companion.incoming().await.2, "hello");
    let inbox = sim.wait_for_inbox(ALICE, |inbox| !inbox.is_empty(), PATIENCE).await.unwrap();
    assert_eq!(inbox[0].id, sent);
}

#[tokio::test]
async fn members_come_and_go_and_only_admins_decide_about_them() {
    let sim = sim().await;
    let owner = TestClient::paired(&sim, Some("+15550101")).await;
    let member = TestClient::paired(&sim, Some("+15550102")).await;
    let other = number("+15550102");
    let group = owner.create("Walks", std::slice::from_ref(&other)).await;
    let groups = owner.client.groups();
    let nobody = number("+15550199");
    let added = groups.add_participants(&group, &[number(ALICE), other.clone(), nobody]).await;
    let errors: Vec<_> = added.unwrap().into_iter().map(|added| added.error).collect();
    assert_eq!(errors, [None, Some("409".to_owned()), Some("404".to_owned())]);
    assert_eq!(member.members(&group).await, 3);
    let mine = member.client.groups();
    let refused = mine.remove_participants(&group, &[number(ALICE)]).await.unwrap_err();
    assert!(refused.to_string().contains("401"), "{refused}");
    assert!(groups.promote_participants(&group, std::slice::from_ref(&other)).await.is_ok());
    member.change(|action| matches!(action, Action::Promote { .. }).then_some(())).await;
    let removed = mine.remove_participants(&group, &[number(ALICE)]).await.unwrap();
    assert!(removed[0].is_ok());
    groups.set_locked(&group, true).await.unwrap();
    assert!(groups.demote_participants(&group, &[other]).await.is_ok());
    let subject = GroupSubject::new("Mine").unwrap();
    let refused = mine.set_subject(&group, subject).await.unwrap_err();
    assert!(refused.to_string().contains("401"), "{refused}");
    mine.leave(&group).await.unwrap();
    owner.change(|action| matches!(action, Action::Remove { .. }).then_some(())).await;
    assert_eq!(owner.members(&group).await, 1);
    let gone = mine.get_metadata(&group).await.unwrap_err().to_string();
    assert!(gone.contains("403"), "{gone}");
    let gone = mine.leave("120363999999999999@g.us".parse::<Jid>().unwrap()).await;
    assert!(gone.is_ok(), "the answer names each group's error");
}

#[tokio::test]
async fn an_invite_lets_others_in_until_it_is_revoked() {
    let sim = sim().await;
    let owner = TestClient::paired(&sim, Some("+15550101")).await;
    let guest = TestClient::paired(&sim, Some("+15550102")).await;
    let group = owner.create("Walks", &[number(ALICE)]).await;
    let code = |link: String| link.rsplit('/').next().unwrap().to_owned();
    let first = code(owner.client.groups().get_invite_link(&group, false).await.unwrap());
    assert_eq!(first, code(owner.client.groups().get_invite_link(&group, false).await.unwrap()));
    assert_eq!(guest.client.groups().get_invite_info(&first).await.unwrap().id, group);
    let second = code(owner.client.groups().get_invite_link(&group, true).await.unwrap());
    let revoked = guest.client.groups().join_with_invite_code(&first).await.unwrap_err();
    assert!(revoked.to_string().contains("406"), "{revoked}");
    let joined = guest.client.groups().join_with_invite_code(&second).await.unwrap();
    assert_eq!(*joined.group_jid(), group);
    owner.change(|action| matches!(action, Action::Add { .. }).then_some(())).await;
    assert_eq!(guest.members(&group).await, 3);
    // A mere member does not get the link.
    let refused = guest.client.groups().get_invite_link(&group, false).await.unwrap_err();
    assert!(refused.to_string().contains("401"), "{refused}");
}

#[tokio::test]
async fn a_group_has_the_settings_that_it_was_created_with_and_those_that_were_changed() {
    let sim = sim().await;
    let owner = TestClient::paired(&sim, None).await;
    let mut options = GroupCreateOptions::new("Walks");
    options.ephemeral_expiration = Some(86_400);
    let groups = owner.client.groups();
    let created = groups.create_group(options).await.unwrap().metadata;
    assert_eq!(created.ephemeral.unwrap().expiration, Some(86_400));
    let announced =
        owner.client.wait_for_node(NodeFilter::tag("notification").attr("type", "w:gp2"));
    groups.set_announce(&created.id, true).await.unwrap();
    let announced = announced.await.unwrap().get().to_owned();
    let announcement = announced.get_optional_child("announcement").unwrap();
    assert!(announcement.attrs().optional_u64("v_id").is_some());
    groups.set_locked(&created.id, true).await.unwrap();
    groups.set_ephemeral(&created.id, 0).await.unwrap();
    let changed = groups.get_metadata(&created.id).await.unwrap();
    assert!(changed.is_announcement && changed.is_locked && changed.ephemeral.is_none());
}
