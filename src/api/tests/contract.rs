//! The contract's names agree with themselves.

use std::collections::HashSet;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::frame::{EVENT_METHOD, parse_request};
use crate::params::decode;
use crate::{
    BatteryLevel, Call, CancelParams, CheckParams, ClearExample, ClearParams, ConditionKind,
    ContactCard, EditParams, Error, ErrorKind, Event, EventFrame, FeedId, FileParams, Filter, Gap,
    GapOf, GetParams, GroupListParams, HeartbeatParams, Holds, InboxFileParams, InboxListParams,
    Kind, LinkPreview, ListParams, Location, MessageId, MessageRef, Method, NoParams, PairEnd,
    PairFailure, PairOffer, PairParams, PhoneState, Presence, Priority, ReactParams, ReadParams,
    ReasonKind, Redacted, Replace, RestoreParams, RetryParams, RevokeParams, SendParams,
    SessionState, State, SubscribeParams, Tier, Time,
};

fn full_filter() -> Filter {
    Filter {
        states: vec![State::Queued],
        to: Some("+15550100".into()),
        reason: Some(ReasonKind::Refused),
        older_than_s: Some(1),
        key_prefix: Some("k".into()),
        ids: vec![MessageId(1)],
    }
}

fn read_back<P: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(full: P) {
    let Value::Object(object) = serde_json::to_value(&full).unwrap() else { panic!("an object") };
    assert_eq!(decode::<P>(object).unwrap(), full);
}

#[test]
fn parameters_are_read_as_they_are_written() {
    read_back(NoParams {});
    let time = Some(Time(1_700_000_000_123));
    read_back(SendParams {
        to: "x".into(),
        text: Some("x".into()),
        file: Some(FileParams::default()),
        location: Some(Location::default()),
        contact: Some(ContactCard::default()),
        preview: Some(LinkPreview::default()),
        reply_to: Some(MessageRef::Incoming(17)),
        replace: Some(Replace::Edit),
        occurrence: Some("x".into()),
        mentions: vec!["+15550100".into()],
        expires_at: time,
        not_before: time,
        priority: Priority::High,
        key: Some("k".into()),
    });
    read_back(FileParams {
        fd: Some(0),
        base64: Some("eA==".into()),
        url: Some("https://files.example/x".into()),
        kind: Some(Kind::Image),
        name: Some("x".into()),
        mime: Some("image/png".into()),
        caption: Some("x".into()),
    });
    read_back(ReactParams {
        message: MessageRef::Own(MessageId(1)),
        emoji: "+".into(),
        key: Some("k".into()),
    });
    read_back(EditParams { id: MessageId(1), text: "x".into(), key: Some("k".into()) });
    read_back(ReadParams { cursors: vec![1] });
    read_back(RevokeParams { id: MessageId(1), key: Some("k".into()) });
    read_back(GroupListParams { fresh: true });
    read_back(GetParams {
        id: Some(MessageId(1)),
        wa_id: Some("3EB0".into()),
        key: Some("k".into()),
    });
    read_back(full_filter());
    let (filter, after) = (full_filter(), Some(MessageId(1)));
    read_back(ListParams { filter: filter.clone(), after, limit: Some(1) });
    read_back(ClearParams { filter: filter.clone(), dry_run: true });
    let ids = vec![MessageId(1)];
    read_back(CancelParams { ids, filter: filter.clone(), dry_run: true });
    read_back(RetryParams { filter: filter.clone(), anyway: true, dry_run: true });
    read_back(RestoreParams { filter, dry_run: true });
    read_back(CheckParams { numbers: vec!["+15550100".into()], fresh: true });
    read_back(HeartbeatParams {
        battery_percent: Some(50),
        charging: Some(true),
        network: Some("wifi".into()),
        at: time,
        source: Some("termux".into()),
    });
    read_back(SubscribeParams { after: Some(1), feed: Some(FeedId(255)) });
    read_back(InboxListParams { after: Some(1), limit: Some(1) });
    read_back(InboxFileParams { cursor: 1, inline: true });
    read_back(PairParams { phone: Some("+15550100".into()), anyway: true });
}

#[test]
fn names_are_what_serde_writes() {
    for state in State::ALL {
        assert_eq!(json!(state), state.name());
    }
    for tier in [Tier::Read, Tier::Send, Tier::Admin] {
        assert_eq!(json!(tier), tier.name());
    }
    for reason in ReasonKind::ALL {
        assert_eq!(json!(reason), reason.name());
    }
    for hold in Holds::ALL {
        assert_eq!(json!(hold), hold.name());
    }
    for kind in ConditionKind::ALL {
        assert_eq!(json!(kind), kind.name());
    }
    for kind in Kind::ALL {
        assert_eq!(json!(kind), kind.name());
    }
    for priority in Priority::ALL {
        assert_eq!(json!(priority), priority.name());
    }
    for answer in [Presence::OnNetwork, Presence::NotOnNetwork, Presence::Unknown] {
        assert_eq!(json!(answer), answer.name());
    }
    for state in [PhoneState::Online, PhoneState::Silent, PhoneState::Offline, PhoneState::Unknown]
    {
        assert_eq!(json!(state), state.name());
    }
    for level in
        [BatteryLevel::Ok, BatteryLevel::Low, BatteryLevel::Critical, BatteryLevel::Unknown]
    {
        assert_eq!(json!(level), level.name());
    }
    for state in [
        SessionState::NotPaired,
        SessionState::Pairing,
        SessionState::Connecting,
        SessionState::Connected,
        SessionState::Waiting,
        SessionState::Replaced,
        SessionState::LoggedOut,
        SessionState::Locked,
        SessionState::BannedForGood,
        SessionState::Banned,
        SessionState::Outdated,
        SessionState::Declined,
    ] {
        assert_eq!(json!(state), state.name());
    }
}

#[test]
fn every_method_is_found_by_its_names_and_no_name_is_used_twice() {
    let mut names = HashSet::new();
    for method in Method::ALL.iter().copied() {
        assert_eq!(Method::find(method.name()).unwrap(), method);
        assert!(names.insert(method.name()), "{}", method.name());
        if let Some(alias) = method.alias() {
            assert_eq!(Method::find(alias).unwrap(), method);
            assert!(names.insert(alias), "{alias}");
        }
    }
}

#[test]
fn events_survive_their_journey() {
    for event in [
        Event::SnapshotEnd {},
        Event::Gap { of: GapOf::Incoming, gap: Gap { from: 1, to: 2 } },
        Event::Pairing { offer: None, ended: Some(PairEnd::TimedOut {}) },
        Event::Pairing {
            offer: None,
            ended: Some(PairEnd::Failed {
                kind: PairFailure::PasskeyRefused,
                why: "x".into(),
                remedy: None,
            }),
        },
    ] {
        let frame = EventFrame { seq: u64::MAX, at: Time(1_700_000_000_123), event };
        let text = serde_json::to_string(&frame).unwrap();
        assert_eq!(serde_json::from_str::<EventFrame>(&text).unwrap(), frame, "{text}");
    }
}

#[test]
fn what_the_caller_wrote_is_quoted_in_short_only() {
    let params = json!({ "to": "x", "text": { "y".repeat(10_000): 1 } });
    let Value::Object(params) = params else { panic!("an object") };
    let error = decode::<SendParams>(params).unwrap_err();
    assert_eq!(error.data.kind, ErrorKind::InvalidParams);
    assert!(error.message.len() < 1_000);
    assert!(Method::find(&"z".repeat(1_000_000)).unwrap_err().message.len() < 1_000);
}

#[test]
fn invariant_9_debug_of_what_carries_a_text_a_number_or_a_key_shows_none() {
    let secret = || Redacted("zanzibar".to_owned());
    let preview = LinkPreview { url: secret(), title: secret(), ..LinkPreview::default() };
    let file = FileParams { base64: Some(secret()), url: Some(secret()), ..FileParams::default() };
    let params = SendParams {
        file: Some(file),
        preview: Some(preview),
        location: Some(Location { latitude: Redacted(48.1), ..Location::default() }),
        contact: Some(ContactCard { name: secret(), ..ContactCard::default() }),
        occurrence: Some(secret()),
        ..SendParams::text("zanzibar", "zanzibar").key("zanzibar")
    };
    let line = json!({ "jsonrpc": "2.0", "id": 1, "method": "message.send", "params": params });
    let shown = format!(
        "{params:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        Filter { to: Some(secret()), key_prefix: Some(secret()), ..Filter::default() },
        PairParams { phone: Some(secret()), anyway: false },
        PairEnd::Paired { account: secret() },
        PairOffer::Qr { qr: secret(), expires_at: Time(0) },
        ClearExample { id: MessageId(7), to: secret(), preview: secret() },
        parse_request(line.to_string().as_bytes()).unwrap(),
    );
    assert!(!shown.contains("zanzibar") && !shown.contains("48.1"), "{shown}");
}

#[test]
fn the_exchange_in_the_crate_s_documentation_is_of_this_contract() {
    let lines = include_str!("../lib.rs").lines().filter_map(|line| line.strip_prefix("//! {"));
    let mut shown = 0;
    for line in lines {
        let value: Value = serde_json::from_str(&format!("{{{line}")).unwrap();
        match (value["method"].as_str(), value.get("error")) {
            (Some(EVENT_METHOD), _) => {
                serde_json::from_value::<EventFrame>(value["params"].clone()).unwrap();
            }
            (Some(name), _) => {
                let params = value["params"].as_object().unwrap().clone();
                Call::decode(Method::find(name).unwrap(), params).unwrap();
            }
            (None, Some(error)) => {
                let error: Error = serde_json::from_value(error.clone()).unwrap();
                assert_eq!(error.code, error.data.kind.code());
            }
            (None, None) => assert!(value["result"].is_object(), "{line}"),
        }
        shown += 1;
    }
    assert_eq!(shown, 5);
}
