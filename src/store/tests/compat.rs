//! Stores of every format that was ever written, from `tests/compat/`. A store that stops
//! opening here loses somebody's messages.

use std::collections::BTreeMap;

use super::super::queue::{body, restore};
use super::super::stored::Record;
use super::super::{Batch, Store};
use super::{fixture, fresh, put};
use serde_json::Value;
use tetherd_api::{Kind, MessageId, Priority, Reason, ReasonKind, State};
use tetherd_core::contacts::KnownNumber;
use tetherd_core::facts::{Facts, Restored};
use tetherd_core::ids::{SpoolId, WaMessageId};
use tetherd_core::pacing::Slot;
use tetherd_core::queue::{Message, MessageState};

fn opened(name: &str) -> (tempfile::TempDir, Store, Restored) {
    let dir = fixture(name);
    let store = Store::open(dir.path()).unwrap();
    assert!(store.quarantined().is_empty(), "{:?}", store.quarantined());
    let (restored, damaged) = restore(&store).unwrap();
    assert!(damaged.is_empty(), "{damaged:?}");
    (dir, store, restored)
}

fn by_id(restored: &Restored) -> BTreeMap<u64, &Message> {
    restored.messages.iter().map(|message| (message.id.0, message)).collect()
}

#[test]
fn every_message_of_format_1_is_read_with_its_text() {
    let (_dir, store, restored) = opened("v1");
    let messages = by_id(&restored);
    let states: Vec<_> = (1..=12).map(|id| messages[&id].state()).collect();
    use State::{Cancelled, Delivered, Parked, Queued, Read, Sent, Unknown};
    let [read, delivered] = [Read, Delivered];
    let states_made =
        [read, delivered, delivered, Sent, Parked, Parked, Unknown, Queued, Queued, Queued, Queued];
    assert_eq!((&states[..11], states[11]), (&states_made[..], Cancelled));
    assert_eq!(messages.len(), 12 + 26);
    let text = |id| body(&store, MessageId(id)).unwrap().map(|body| body.0.to_string());
    assert_eq!(text(1).as_deref(), Some("this is read"));
    let long: String = "\u{e4}bc\u{1f980}".chars().cycle().take(60_000).collect();
    assert!(text(8) == Some(long), "a text of several chunks");
    assert_eq!(text(9).as_deref(), Some("the file that waits"));
}

#[test]
fn what_a_message_of_format_1_says_is_read() {
    let (dir, _store, restored) = opened("v1");
    let messages = by_id(&restored);
    let (read, image, unknown) = (messages[&1], messages[&3], messages[&7]);
    assert_eq!(
        (read.draft.to.as_str(), read.draft.key.as_deref()),
        ("15550111@s.whatsapp.net", Some("order-1"))
    );
    let [sent_at, delivered_at, read_at] = read.reached_at();
    assert!(sent_at < read_at && delivered_at == read_at);
    assert_eq!((image.draft.kind, image.preview.0.as_str()), (Kind::Image, "look"));
    assert_eq!(image.draft.file.as_ref().unwrap().info.bytes, 22);
    assert_eq!(messages[&5].reason().cloned(), Some(Reason::new(ReasonKind::NotOnNetwork)));
    assert_eq!(messages[&6].reason().cloned(), Some(Reason::coded(ReasonKind::Refused, 488)));
    assert_eq!((unknown.reason().unwrap().kind, unknown.attempts), (ReasonKind::NoAnswer, 1));
    let waits = messages[&9].draft.file.as_ref().unwrap();
    assert_eq!(
        (waits.info.mime.as_str(), waits.info.name.as_deref()),
        ("application/pdf", Some("b.pdf"))
    );
    let file = std::fs::read(dir.path().join("spool").join(&waits.spool.0)).unwrap();
    assert!(file.ends_with(b"waits in the spool"));
    let urgent = messages[&10];
    assert_eq!(
        (urgent.draft.priority, urgent.draft.expires_at),
        (Priority::High, Some(4_733_510_400_000))
    );
    assert_eq!(messages[&11].draft.link.as_ref().unwrap().title, "A page");
    assert_eq!(messages[&12].undo().unwrap().before.state(), State::Queued);
}

#[test]
fn every_name_of_format_1_stands_for_what_it_did() {
    let (_dir, store, restored) = opened("v1");
    let messages = by_id(&restored);
    // Format 1 had ten reasons and eight kinds; later ones stand behind them.
    for (id, kind) in (100..110).zip(ReasonKind::ALL) {
        let code = Some(400 + u32::try_from(id).unwrap());
        let reason = Reason { kind, code, detail: Some("timeout".into()), url: None };
        assert_eq!((messages[&id].state(), messages[&id].reason()), (State::Parked, Some(&reason)));
    }
    for (id, kind) in (110..118).zip(Kind::ALL) {
        assert_eq!((messages[&id].state(), messages[&id].draft.kind), (State::Failed, kind));
    }
    let state = |id| messages[&id].state();
    assert_eq!(
        (state(118), state(119), state(120)),
        (State::Expired, State::Sending, State::Unknown)
    );
    let MessageState::Unknown { tries, .. } = messages[&120].state else { panic!() };
    assert_eq!((tries.limited, messages[&120].draft.priority), (2, Priority::Low));
    // No message is cancelled while it has no answer: such a one only stays cancelled.
    assert_eq!((state(121), messages[&121].undo()), (State::Cancelled, None));
    assert_eq!((state(122), messages[&122].undo()), (State::Cancelled, None));
    let source = messages[&123].draft.source.as_ref().unwrap();
    assert_eq!((state(123), source.kind), (State::Preparing, Some(Kind::Document)));
    assert_eq!(source.url, "https://example.com/c.pdf");
    let warning = messages[&124].link_warning.as_ref().unwrap();
    assert_eq!((warning.detail.as_str(), warning.code), ("timeout", Some(503)));
    assert_eq!(messages[&124].draft.not_before, Some(4_102_444_800_000));
    let sent = messages[&125];
    assert_eq!(sent.draft.wa_id, WaMessageId("3EB000000000000000007D".into()));
    assert_eq!(sent.draft.file.as_ref().unwrap().spool, SpoolId("0123456789abcdef".repeat(2)));
    let value = store.get(&[b"queue/message/".as_slice(), &125u64.to_be_bytes()].concat());
    let value = String::from_utf8(value.unwrap().unwrap()).unwrap();
    let waits = value.replace(r#""state":"read""#, r#""state":"queued""#);
    let waits = Message::decode(waits.as_bytes()).unwrap();
    let media = waits.media().unwrap();
    assert_eq!((media.seen.pixels, media.seen.seconds), (Some((640, 480)), Some(7)));
    assert_eq!(
        (media.media_key.0, media.sha256.0, media.enc_sha256.0),
        ([1; 32], [2; 32], [3; 32])
    );
    assert_eq!((sent.changed_uptime_ms, sent.reached_at()[2]), (4_000, Some(1_700_000_000_300)));
}

#[test]
fn what_format_1_kept_besides_messages_is_read() {
    let (_dir, _store, restored) = opened("v1");
    let facts = &restored.facts;
    assert_eq!(facts.last_id, 130);
    assert_eq!(facts.account.as_deref(), Some("15550100@s.whatsapp.net"));
    assert!(facts.paused_since.is_some() && facts.uptime_ms > 8_000);
    let network = &facts.network;
    assert_eq!(network.takeovers.replaced_uptime_ms, [1_000, 2_000]);
    assert_eq!(network.takeovers.automatic_uptime_ms, [1_500]);
    assert_eq!(network.takeovers.manual_uptime_ms, [1_600, 1_700]);
    assert_eq!(network.timelock.assumed, (2, 1_800));
    let rate_limit = network.rate_limit.unwrap();
    assert_eq!(
        (rate_limit.until_uptime_ms, rate_limit.last_uptime_ms, rate_limit.count),
        (1_000, 900, 3)
    );
    assert_eq!((network.refusals[0].code, network.refusals[0].count), (488, 1));
    let report = facts.phone.report.as_ref().unwrap();
    assert_eq!((report.percent, report.source.as_deref()), (Some(80), Some("compat")));
    assert!(facts.phone.seen.is_some() && report.measured.wall_ms > 1_700_000_000_000);
    assert_eq!(restored.slots.len(), 5);
    assert!(restored.slots.iter().all(|slot| slot.boot == report.measured.boot && !slot.open));
    let on_network = restored.numbers.iter().filter(|known| known.on_network).count();
    assert_eq!((restored.numbers.len(), on_network), (6, 5));
    assert_eq!(restored.known.iter().map(|page| page.chats.len()).sum::<usize>(), 5);
}

/// Reads a record's value and writes it again.
type Again = fn(&[u8]) -> String;

/// Format 1 kept what is valid in some states only in the others too.
fn valid_in_its_state(mut message: Value) -> Value {
    let state = message["state"].as_str().unwrap().to_owned();
    let fields = message.as_object_mut().unwrap();
    let is_live = !matches!(
        state.as_str(),
        "sent" | "delivered" | "read" | "failed" | "expired" | "cancelled"
    );
    let is_tried = matches!(state.as_str(), "queued" | "sending" | "unknown");
    if fields.get("undo").is_some_and(|undo| undo["state"] == "unknown") {
        fields.remove("undo");
    }
    if !is_live && !fields.contains_key("undo") {
        fields.remove("media");
        fields.insert("maybe_out".into(), false.into());
    }
    if !is_tried && !fields.contains_key("undo") {
        fields.insert("streak".into(), 0.into());
        fields.remove("limited");
    }
    message
}

/// What the record says, read and written again.
fn again<T: Record>(value: &[u8]) -> String {
    String::from_utf8(T::decode(value).unwrap().encode()).unwrap()
}

#[test]
fn nothing_of_a_record_of_format_1_is_lost_when_it_is_written_again() {
    let (_dir, store, _) = opened("v1");
    let areas: [(&[u8], Again, usize); 4] = [
        (b"queue/message/", again::<Message>, 38),
        (b"queue/number/", again::<KnownNumber>, 6),
        (b"queue/facts/", again::<Facts>, 2),
        (b"queue/slots/", again::<Vec<Slot>>, 2),
    ];
    for (area, again, count) in areas {
        let values: Vec<_> = store.scan(area).map(|record| record.unwrap().1).collect();
        assert_eq!(values.len(), count);
        for value in values {
            // One thing is called otherwise since, and one has joined.
            let mut before =
                String::from_utf8(value.clone()).unwrap().replace("lived_ms", "uptime_ms");
            if area == b"queue/facts/" {
                before = format!("{},\"checks\":[]}}", before.strip_suffix('}').unwrap());
            }
            if area == b"queue/message/" {
                let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap();
                assert_eq!(parsed(&again(&value)), valid_in_its_state(parsed(&before)));
            } else {
                assert_eq!(again(&value), before);
            }
        }
    }
}

/// Facts with something in each place.
const FACTS: &str = r#"{"last_id":7,"paused_since":1,"account":"15550100@s.whatsapp.net","replaced_since":2,"logged_out":[3,401],"banned":[4,5,402],"keys_void":true,"uptime_ms":6,"network":{"replaced_uptime_ms":[1],"automatic_uptime_ms":[2],"manual_uptime_ms":[3],"takeover_due_uptime_ms":4,"timelock":{"since":1,"until":2,"source":"guessed","code":463},"timelock_guesses":[1,2],"timelock_ended_uptime_ms":3,"slowdown":null,"refusals":[]},"phone":{"seen":[{"boot":340282366920938463463374607431768211455,"mono_ms":-1,"wall_ms":2},"peer"],"probe":{"since":{"boot":1,"mono_ms":2,"wall_ms":3},"asked":{"boot":1,"mono_ms":4,"wall_ms":5},"tries":6},"state":["silent",1],"battery":["critical",2],"report":null},"backlog":{"held":{"boot":1,"mono_ms":2,"wall_ms":3},"stale":{"since":4,"waited_ms":5}},"checks":[{"began":{"boot":1,"mono_ms":2,"wall_ms":3},"count":4}]}"#;

#[test]
fn facts_with_something_in_each_place_are_written_as_they_were_read() {
    assert_eq!(again::<Facts>(FACTS.as_bytes()), FACTS);
    let few = Facts::decode(br#"{ "last_id": 7 }"#).unwrap();
    assert_eq!(few, Facts { last_id: 7, ..Facts::default() }, "each of them may be missing");
    for kind in ["passkey", "captcha", "other"] {
        let challenged = format!(r#""refusals":[],"challenged":[1,"{kind}"]"#);
        let facts = FACTS.replace(r#""refusals":[]"#, &challenged);
        assert_eq!(again::<Facts>(facts.as_bytes()), facts);
    }
}

#[tokio::test]
async fn a_recipient_or_number_that_is_none_is_damage() {
    let (_dir, store) = fresh();
    let (_other, old, _) = opened("v1");
    let mut batch = put(
        "queue/number/15550111",
        r#"{"number":"1555x111","on_network":true,"asked_at":1,"asked_uptime_ms":1,"source":"check"}"#,
    );
    let key = [b"queue/message/".as_slice(), &1u64.to_be_bytes()].concat();
    let message = String::from_utf8(old.get(&key).unwrap().unwrap()).unwrap();
    batch.put(key, message.replace("15550111@s.whatsapp.net", "nobody"));
    let _: &mut Batch = &mut batch;
    store.commit(batch).await.unwrap();
    let (restored, damaged) = restore(&store).unwrap();
    assert_eq!((restored.messages.len(), restored.numbers.len(), damaged.len()), (0, 0, 2));
}
