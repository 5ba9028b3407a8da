//! The contract's names agree with themselves.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Value, json};

use crate::call::{Params, decode_params, find_method};
use crate::{
    BatteryLevel, CancelParams, CheckParams, ClearParams, ConditionKind, ContactCard, ErrorKind,
    Event, EventFrame, FileParams, Filter, Gap, GetParams, HeartbeatParams, Holds, InboxFileParams,
    InboxListParams, Kind, LinkPreview, ListParams, Location, MessageId, Method, NoParams, PairEnd,
    PairParams, PhoneState, Presence, Priority, ReasonKind, RestoreParams, RetryParams, SendParams,
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

fn fields_agree<P: Params + PartialEq + std::fmt::Debug>(full: P) {
    let Value::Object(object) = serde_json::to_value(&full).unwrap() else { panic!("an object") };
    let written: BTreeSet<&str> = object.keys().map(String::as_str).collect();
    assert_eq!(written, P::FIELDS.iter().copied().collect(), "{}", std::any::type_name::<P>());
    assert_eq!(decode_params::<P>(object.clone()).unwrap(), full);
}

#[test]
fn the_named_fields_are_those_that_serde_knows() {
    fields_agree(NoParams {});
    let time = Some(Time(1_700_000_000_123));
    fields_agree(SendParams {
        to: "x".into(),
        text: Some("x".into()),
        file: Some(FileParams::default()),
        location: Some(Location::default()),
        contact: Some(ContactCard::default()),
        preview: Some(LinkPreview::default()),
        expires_at: time,
        not_before: time,
        priority: Priority::High,
        key: Some("k".into()),
    });
    fields_agree(FileParams {
        fd: Some(0),
        base64: Some("eA==".into()),
        url: Some("https://files.example/x".into()),
        kind: Some(Kind::Image),
        name: Some("x".into()),
        mime: Some("image/png".into()),
        caption: Some("x".into()),
    });
    fields_agree(GetParams {
        id: Some(MessageId(1)),
        wa_id: Some("3EB0".into()),
        key: Some("k".into()),
    });
    fields_agree(full_filter());
    let (filter, after) = (full_filter(), Some(MessageId(1)));
    fields_agree(ListParams { filter: filter.clone(), after, limit: Some(1) });
    fields_agree(ClearParams { filter: filter.clone(), dry_run: true });
    let ids = vec![MessageId(1)];
    fields_agree(CancelParams { ids, filter: filter.clone(), dry_run: true });
    fields_agree(RetryParams { filter: filter.clone(), dry_run: true });
    fields_agree(RestoreParams { filter, dry_run: true });
    fields_agree(CheckParams { numbers: vec!["+15550100".into()], fresh: true });
    fields_agree(HeartbeatParams {
        battery_percent: Some(50),
        charging: Some(true),
        network: Some("wifi".into()),
        at: time,
        source: Some("termux".into()),
    });
    fields_agree(SubscribeParams { after: Some(1) });
    fields_agree(InboxListParams { after: Some(1), limit: Some(1) });
    fields_agree(InboxFileParams { cursor: 1, inline: true });
    fields_agree(PairParams { phone: Some("+15550100".into()) });
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
        SessionState::Banned,
        SessionState::Outdated,
    ] {
        assert_eq!(json!(state), state.name());
    }
}

#[test]
fn every_method_is_found_by_its_names_and_no_name_is_used_twice() {
    let mut names = HashSet::new();
    for method in Method::ALL {
        assert_eq!(find_method(method.name()).unwrap(), method);
        assert!(names.insert(method.name()), "{}", method.name());
        if let Some(alias) = method.alias() {
            assert_eq!(find_method(alias).unwrap(), method);
            assert!(names.insert(alias), "{alias}");
        }
    }
}

#[test]
fn events_survive_their_journey() {
    for event in [
        Event::SnapshotEnd {},
        Event::Lagged {},
        Event::Gap { gap: Gap { from: 1, to: 2 } },
        Event::Pairing { offer: None, ended: Some(PairEnd::TimedOut {}) },
        Event::Pairing { offer: None, ended: Some(PairEnd::Failed { why: "x".into() }) },
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
    let error = decode_params::<SendParams>(params).unwrap_err();
    assert_eq!(error.data.kind, ErrorKind::InvalidParams);
    assert!(error.message.len() < 1_000);
    assert!(find_method(&"z".repeat(1_000_000)).unwrap_err().message.len() < 1_000);
}

#[test]
fn debug_output_names_and_quotes_nobody() {
    let to = || "+15550100".to_owned();
    let params = SendParams::text(to(), "secret");
    let filter = Filter { to: Some(to()), ..Default::default() };
    let pair = PairParams { phone: Some(to()) };
    let ended = PairEnd::Paired { account: "15550100@s.whatsapp.net".into() };
    let shown = format!("{params:?} {filter:?} {pair:?} {ended:?}");
    assert!(!shown.contains("15550100") && !shown.contains("secret"), "{shown}");
}
