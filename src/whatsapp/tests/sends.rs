//! Messages through the simulator, to recipients who really decrypt.

#![expect(clippy::wildcard_enum_match_arm, reason = "whatever else happens fails the test")]

use std::collections::HashSet;
use std::time::Duration;

use crate::whatsapp::tests::offline::{PATIENCE, message, wa_id};
use crate::whatsapp::tests::simulated::World;
use tether_sim::{AckError, SettingsChange, Times};
use tetherd_api::MessageId;
use tetherd_core::action::SessionCommand;
use tetherd_core::event::{EndReason, NotSent, ReceiptKind, SessionEvent};

const FRIEND: &str = "+15550101";
const STRANGER: &str = "+15550199";

/// One thing that a message can come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fact {
    Written(u64),
    Acked(u64),
    Refused(u64, u32),
    Got(u64, ReceiptKind),
}

/// The numbers of the messages with these network ids.
fn number(id: &str) -> u64 {
    u64::from_str_radix(&id[4..], 16).unwrap()
}

fn facts(event: &SessionEvent) -> Vec<Fact> {
    match event {
        SessionEvent::Written { id, .. } => vec![Fact::Written(id.0)],
        SessionEvent::Ack { wa_id, error: None } => vec![Fact::Acked(number(&wa_id.0))],
        SessionEvent::Ack { wa_id, error: Some(code) } => {
            vec![Fact::Refused(number(&wa_id.0), *code)]
        }
        SessionEvent::Receipt { wa_ids, kind } => {
            wa_ids.iter().map(|id| Fact::Got(number(&id.0), *kind)).collect()
        }
        other => panic!("unexpected: {other:?}"),
    }
}

impl World {
    /// Waits until all of these have happened, in any order. Returns what else did.
    pub(super) async fn until(&mut self, wanted: &[Fact]) -> HashSet<Fact> {
        let mut missing: HashSet<Fact> = wanted.iter().copied().collect();
        let mut others = HashSet::new();
        while !missing.is_empty() {
            for fact in facts(&self.bench.next().await) {
                if !missing.remove(&fact) {
                    others.insert(fact);
                }
            }
        }
        others
    }
}

pub(super) fn whole_life(number: u64) -> [Fact; 4] {
    [
        Fact::Written(number),
        Fact::Acked(number),
        Fact::Got(number, ReceiptKind::Delivered),
        Fact::Got(number, ReceiptKind::Read),
    ]
}

#[tokio::test]
async fn a_message_is_written_acked_delivered_and_read_on_every_device() {
    let mut world = World::connected().await;
    world.sim.recipient_add(FRIEND, true, 2).await.unwrap();
    world.bench.order(message(1, FRIEND, "hello"));
    world.until(&whole_life(1)).await;
    let inbox = world.sim.recipient_inbox(FRIEND).await;
    assert_eq!(inbox.len(), 1);
    assert_eq!((inbox[0].text.as_str(), inbox[0].failed), ("hello", 0));
    assert_eq!(inbox[0].devices.len(), 3, "{inbox:?}");
}

#[tokio::test]
async fn our_own_phone_confirms_its_copy_of_a_message() {
    let mut world = World::connected().await;
    world.sim.recipient_add(FRIEND, true, 0).await.unwrap();
    world.bench.order(message(1, FRIEND, "hello"));
    world.until(&[Fact::Got(1, ReceiptKind::OwnPhone)]).await;
}

#[tokio::test]
async fn a_group_gets_its_messages_once_each() {
    let mut world = World::connected().await;
    let members = ["+15550101", "+15550102"].map(str::to_owned);
    for member in &members {
        world.sim.recipient_add(member, true, 1).await.unwrap();
    }
    let mut all = members.to_vec();
    all.push("+15550100".to_owned());
    let group = world.sim.group_add("three", &all).await.unwrap();
    for number in 1..=2 {
        world.bench.order(message(number, &group, "hello all"));
        world.until(&whole_life(number)).await;
    }
    for member in &members {
        let inbox =
            world.sim.wait_for_inbox(member, |inbox| inbox.len() == 2, PATIENCE).await.unwrap();
        assert!(inbox.iter().all(|message| message.copies == 1 && message.failed == 0));
    }
}

#[tokio::test]
async fn several_chats_are_written_to_at_once() {
    let mut world = World::connected().await;
    let mut wanted = Vec::new();
    for number in 1..=8 {
        let friend = format!("+1555020{number}");
        world.sim.recipient_add(&friend, true, 0).await.unwrap();
        world.bench.order(message(number, &friend, "hello"));
        wanted.extend(whole_life(number));
    }
    world.until(&wanted).await;
}

#[tokio::test]
async fn the_longest_text_arrives_whole() {
    let mut world = World::connected().await;
    world.sim.recipient_add(FRIEND, true, 1).await.unwrap();
    let text = "\u{1f980}".repeat(65_536);
    world.bench.order(message(1, FRIEND, &text));
    world.until(&whole_life(1)).await;
    assert!(world.sim.recipient_inbox(FRIEND).await[0].text == text, "another text arrived");
}

#[tokio::test]
async fn a_message_to_nobody_is_not_sent() {
    let mut world = World::connected().await;
    world.sim.recipient_add(STRANGER, false, 0).await.unwrap();
    for number in 1..=2 {
        world.bench.order(message(number, STRANGER, "hello"));
        let event = world.bench.next().await;
        let SessionEvent::NotSent { id, why, .. } = event else { panic!("{event:?}") };
        assert_eq!((id, why), (MessageId(number), NotSent::NoDevice));
    }
    assert_eq!(world.sim.server_stats().await.attempts.len(), 0);
}

#[tokio::test]
async fn a_refused_message_is_written_and_refused_and_never_acked() {
    let mut world = World::connected().await;
    world.sim.recipient_add(FRIEND, true, 0).await.unwrap();
    let ack_error = Some(AckError { code: 463, times: Times::Always, ..AckError::default() });
    world.sim.server_set(SettingsChange { ack_error, ..Default::default() }).await;
    world.bench.order(message(1, FRIEND, "hello"));
    let others = world.until(&[Fact::Written(1), Fact::Refused(1, 463)]).await;
    assert!(others.is_empty(), "{others:?}");
}

#[tokio::test]
async fn a_message_whose_ack_is_lost_goes_out_again_under_its_id_on_the_next_connection() {
    let mut world = World::connected().await;
    world.sim.recipient_add(FRIEND, true, 0).await.unwrap();
    let ack_drop = Some(Times::Count(1));
    world.sim.server_set(SettingsChange { ack_drop, ..Default::default() }).await;
    world.bench.order(message(1, FRIEND, "hello"));
    world.until(&[Fact::Written(1)]).await;
    world.bench.order(SessionCommand::Close);
    assert_eq!(world.bench.ended().await, EndReason::Closed);
    world.connect().await;
    world.bench.order(message(1, FRIEND, "hello"));
    world.until(&[Fact::Written(1), Fact::Acked(1)]).await;
    let inbox = world.sim.recipient_inbox(FRIEND).await;
    assert_eq!(inbox.len(), 1);
    assert_eq!((inbox[0].id.as_str(), inbox[0].failed), (wa_id(1).0.as_str(), 0));
}

#[tokio::test]
async fn a_session_writes_on_after_it_was_restarted() {
    let mut world = World::connected().await;
    world.sim.recipient_add(FRIEND, true, 1).await.unwrap();
    for number in 1..=3 {
        world.bench.order(message(number, FRIEND, "hello"));
        world.until(&whole_life(number)).await;
        world.bench.order(SessionCommand::Connect);
        assert_eq!(world.bench.ended().await, EndReason::Closed);
        assert!(matches!(world.bench.next().await, SessionEvent::Connected { .. }));
    }
    let inbox = world.sim.recipient_inbox(FRIEND).await;
    assert!(inbox.iter().all(|message| message.failed == 0 && message.copies == 1), "{inbox:?}");
}

#[tokio::test]
async fn every_open_send_is_answered_before_the_end() {
    let mut world = World::connected().await;
    world.sim.server_set(SettingsChange { stall: Some(true), ..Default::default() }).await;
    for number in 1..=10 {
        world.bench.order(message(number, &format!("+155503{number:02}"), "hello"));
    }
    world.bench.order(SessionCommand::Close);
    let mut open: HashSet<u64> = (1..=10).collect();
    loop {
        match world.bench.next().await {
            SessionEvent::NotSent { id, .. } | SessionEvent::CutOff { id, .. } => {
                assert!(open.remove(&id.0), "answered twice");
            }
            SessionEvent::Ended { reason, .. } => {
                assert_eq!(reason, EndReason::Closed);
                break;
            }
            other => panic!("unexpected: {other:?}"),
        }
    }
    assert!(open.is_empty(), "{open:?} unanswered");
}

#[tokio::test]
async fn a_server_that_does_not_answer_holds_a_message_no_longer_than_the_limit() {
    let limit = Duration::from_millis(300);
    let mut world = World::with(|config| config.send_timeout = limit).await.paired().await;
    world.connect().await;
    world.sim.server_set(SettingsChange { stall: Some(true), ..Default::default() }).await;
    world.bench.order(message(1, FRIEND, "hello"));
    let event = world.bench.next().await;
    assert!(
        matches!(event, SessionEvent::NotSent { why: NotSent::Passing, .. }),
        "nothing was prepared: {event:?}"
    );
}
