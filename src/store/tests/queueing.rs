//! The queue's records.

use std::sync::Arc;

use super::super::feed::{self, Changed};
use super::super::maintenance::repair;
use super::super::queue::{batch, body, restore};
use super::super::record::record_key;
use super::super::{Damage, Store};
use super::{fresh, put};
use tetherd_api::{MessageId, Redacted};
use tetherd_core::action::Change;
use tetherd_core::contacts::{KnownBy, KnownNumber, Number};
use tetherd_core::draft::Draft;
use tetherd_core::event::Body;
use tetherd_core::facts::Facts;
use tetherd_core::ids::{Digest, WaMessageId};
use tetherd_core::pacing::Slot;
use tetherd_core::queue::{Message, MessageState, Pending, Tries};
use tetherd_core::time::BootId;

fn message(id: u64) -> Message {
    let wa_id = WaMessageId(format!("3EB0{id:018X}"));
    let draft = Draft::text("+15550100".parse().unwrap(), Digest([7; 32]), wa_id);
    Message {
        id: MessageId(id),
        draft: Draft { key: Some(format!("key {id}").into()), ..draft },
        chat: "+15550100".parse().unwrap(),
        address: Some("+15550199".parse().unwrap()),
        account: Some("15550177@s.whatsapp.net".into()),
        links_asked: false,
        token_retried: false,
        link_warning: None,
        chars: 5,
        preview: Redacted("hello".into()),
        state: MessageState::Queued(Pending::default(), Tries::default()),
        order: id,
        attempts: 0,
        accepted_at: 1_700_000_000_000,
        changed_at: 1_700_000_000_000,
        changed_uptime_ms: 7,
    }
}

fn accepted(id: u64, text: &str) -> Vec<Change> {
    vec![
        Change::PutMessage(Box::new(message(id))),
        Change::PutBody { id: MessageId(id), body: Body(Arc::from(text)) },
    ]
}

fn slot(mono_ms: u64) -> Slot {
    Slot { boot: BootId(u128::MAX - 5), mono_ms, open: false }
}

#[tokio::test]
async fn what_the_core_stores_is_what_it_starts_from() {
    let (dir, store) = fresh();
    let longest: String = "\u{1f980}".repeat(65_536);
    let facts = Facts {
        last_id: 9,
        paused_since: Some(5),
        account: Some("15550100@s.whatsapp.net".into()),
        logged_out: Some((1, Some(401))),
        ..Facts::default()
    };
    let mut changes = accepted(1, &longest);
    changes.extend(accepted(2, "short"));
    changes.push(Change::PutSlots(vec![slot(1), slot(2)]));
    changes.push(Change::PutFacts(Box::new(facts.clone())));
    store.commit(batch(&changes)).await.unwrap();
    store.commit(batch(&[Change::RemoveMessage { id: MessageId(2) }])).await.unwrap();
    store.close();

    let store = Store::open(dir.path()).unwrap();
    let (restored, quarantined) = restore(&store).unwrap();
    assert!(quarantined.is_empty(), "{quarantined:?}");
    assert_eq!(restored.messages, [message(1)]);
    assert_eq!(restored.slots, [slot(1), slot(2)]);
    assert_eq!(restored.facts, facts);
    assert!(body(&store, MessageId(1)).unwrap().unwrap().0.as_ref() == longest);
    assert_eq!(body(&store, MessageId(2)).unwrap(), None);
}

#[test]
fn a_new_store_restores_to_nothing_and_writes_nothing() {
    let (_dir, store) = fresh();
    let (restored, quarantined) = restore(&store).unwrap();
    assert!(restored.messages.is_empty() && restored.slots.is_empty() && quarantined.is_empty());
    assert_eq!(restored.facts, Facts::default());
    assert_eq!(store.stats().syncs, 0);
}

#[tokio::test]
async fn a_message_that_does_not_read_is_quarantined_with_its_body_and_keeps_its_id() {
    let (dir, store) = fresh();
    store.commit(batch(&accepted(1, "one"))).await.unwrap();
    store.commit(batch(&accepted(7, "seven"))).await.unwrap();
    let mut key = b"queue/message/".to_vec();
    key.extend_from_slice(&7u64.to_be_bytes());
    let mut bad = super::Batch::new();
    bad.put(key.clone(), "{}");
    store.commit(bad).await.unwrap();

    let (restored, quarantined) = restore(&store).unwrap();
    assert_eq!(restored.messages, [message(1)]);
    assert_eq!(restored.facts.last_id, 7);
    let damages: Vec<_> = quarantined.iter().map(|q| (q.area(), q.damage)).collect();
    assert_eq!(damages, [("queue/message/", Damage::Content), ("queue/body/", Damage::Part)]);
    assert_eq!(format!("{:?}", quarantined[0]), "Quarantined(queue/message/.., Content)");
    store.close();

    let store = Store::open(dir.path()).unwrap();
    let (restored, quarantined) = restore(&store).unwrap();
    assert_eq!((restored.messages.len(), quarantined.len()), (1, 0), "reported once");
    assert_eq!(store.get(&key).unwrap(), None);
}

#[tokio::test]
async fn one_damaged_copy_of_slots_or_facts_loses_nothing() {
    for copy in ["a", "b"] {
        let (_dir, store) = fresh();
        let facts = Facts { last_id: 4, paused_since: Some(1), ..Facts::default() };
        let changes = [Change::PutSlots(vec![slot(3)]), Change::PutFacts(Box::new(facts.clone()))];
        store.commit(batch(&changes)).await.unwrap();
        store.commit(put(&format!("queue/slots/{copy}"), "?")).await.unwrap();
        store.commit(put(&format!("queue/facts/{copy}"), "?")).await.unwrap();
        let (restored, quarantined) = restore(&store).unwrap();
        assert_eq!((restored.slots, restored.facts), (vec![slot(3)], facts));
        assert_eq!(quarantined.len(), 2);
    }
}

#[tokio::test]
async fn invariant_3_slots_and_facts_whose_copies_are_both_damaged_are_not_taken_for_new_ones() {
    let (dir, store) = fresh();
    let changes = [Change::PutSlots(vec![slot(3)]), Change::PutFacts(Box::default())];
    store.commit(batch(&changes)).await.unwrap();
    store.close();
    let [slots_a, slots_b] =
        ["a", "b"].map(|copy| record_key(format!("queue/slots/{copy}").as_bytes()));
    super::tamper(dir.path(), &[(&slots_a, Some(b"bad")), (&slots_b, Some(b"bad"))]);
    let store = Store::open(dir.path()).unwrap();
    let mut bad = put("queue/facts/a", "?");
    bad.put("queue/facts/b", "?");
    store.commit(bad).await.unwrap();
    let (restored, _) = restore(&store).unwrap();
    assert!(restored.slots_damaged && restored.facts_damaged);
    store.close();
    // Killed before the core wrote new ones.
    let store = Store::open(dir.path()).unwrap();
    let (restored, _) = restore(&store).unwrap();
    assert!(restored.slots_damaged && restored.facts_damaged);
    store.commit(batch(&changes)).await.unwrap();
    let (restored, _) = restore(&store).unwrap();
    assert!(!restored.slots_damaged && !restored.facts_damaged);
}

/// Accepts these messages in one change, and removes them in another.
async fn accept_and_remove(store: &Store, ids: std::ops::RangeInclusive<u64>) {
    let facts = Facts { last_id: *ids.end(), ..Facts::default() };
    let mut accepting: Vec<_> = ids.clone().flat_map(|id| accepted(id, "x")).collect();
    accepting.push(Change::PutFacts(Box::new(facts)));
    let messages: Vec<_> = ids.clone().map(MessageId).collect();
    let changed = Changed { messages: messages.clone(), ..Changed::default() };
    feed::commit(store, batch(&accepting), changed).await.unwrap();
    let removing: Vec<_> = messages.iter().map(|id| Change::RemoveMessage { id: *id }).collect();
    let removed = messages.into_iter().map(|id| (id, None)).collect();
    let changed = Changed { removed, ..Changed::default() };
    feed::commit(store, batch(&removing), changed).await.unwrap();
}

#[tokio::test]
async fn invariant_4_no_id_is_used_again_when_facts_and_records_are_lost() {
    let facts = ["a", "b"].map(|copy| record_key(format!("queue/facts/{copy}").as_bytes()));
    for loss in [Some(&b"bad"[..]), None] {
        let (dir, store) = fresh();
        accept_and_remove(&store, 1..=40).await;
        store.close();
        super::tamper(dir.path(), &[(&facts[0], loss), (&facts[1], loss)]);
        if loss.is_none() {
            // Records that are gone are missed: it opens once a person has it repaired.
            Store::open(dir.path()).unwrap_err();
            repair(dir.path(), None, 1_800_000_000_000).unwrap().unwrap();
        }
        for _ in 0..2 {
            let store = Store::open(dir.path()).unwrap();
            let (restored, _) = restore(&store).unwrap();
            assert!(restored.messages.is_empty());
            assert!(restored.facts.last_id >= 40, "{}", restored.facts.last_id);
            store.close();
        }
    }
}

#[tokio::test]
async fn invariant_4_ids_of_a_store_that_counted_fewer_changes_are_not_used_again_either() {
    let (dir, store) = fresh();
    let facts = Facts { last_id: 5_000, ..Facts::default() };
    store.commit(batch(&[Change::PutFacts(Box::new(facts))])).await.unwrap();
    store.close();
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(restore(&store).unwrap().0.facts.last_id, 5_000);
    let mut bad = put("queue/facts/a", "?");
    bad.put("queue/facts/b", "?");
    store.commit(bad).await.unwrap();
    store.close();
    let store = Store::open(dir.path()).unwrap();
    let (restored, _) = restore(&store).unwrap();
    assert!(restored.facts_damaged && restored.facts.last_id >= 5_000);
}

#[tokio::test]
async fn what_is_known_about_numbers_is_kept_and_a_record_that_does_not_read_is_quarantined() {
    let (_dir, store) = fresh();
    let known = |digits: &str| KnownNumber {
        number: Number::parse(&format!("+{digits}")).unwrap(),
        on_network: false,
        address: Number::from_digits("15550199"),
        lid: Some("100000000000001@lid".parse().unwrap()),
        asked_at: 5,
        asked_uptime_ms: 6,
        source: KnownBy::Check,
    };
    let changes = ["15550111", "15550112", "15550113"].map(|n| Change::PutNumber(known(n)));
    store.commit(batch(&changes)).await.unwrap();
    let number = known("15550112").number;
    store.commit(batch(&[Change::RemoveNumber { number }])).await.unwrap();
    store.commit(put("queue/number/15550113", "{}")).await.unwrap();
    let (restored, quarantined) = restore(&store).unwrap();
    assert_eq!(restored.numbers, [known("15550111")]);
    assert_eq!(quarantined.len(), 1);
    assert_eq!(format!("{:?}", quarantined[0]), "Quarantined(queue/number/.., Content)");
}
