//! Each method's way to the engine and back, and what is refused before it.

use serde_json::{Value, json};

use super::support::{Fixture, message};
use crate::daemon::engine_handle::{EngineCall, MessageName, Query};
use tetherd_api::call;
use tetherd_api::client::{Client, ClientError};
use tetherd_api::{
    CHECK_NUMBERS_MAX, CancelParams, CheckParams, ClearParams, ErrorKind, Filter, GetParams,
    HeartbeatParams, KEY_BYTES_MAX, ListParams, MessageId, Method, NoParams, PairParams,
    RetryParams, SendParams, State, TEXT_CHARS_MAX,
};
use tetherd_core::event::{Request, Selection};
use tetherd_core::ids::WaMessageId;

const NONE: NoParams = NoParams {};

fn hello(key: Option<&str>) -> SendParams {
    SendParams { key: key.map(Into::into), ..SendParams::text("+15550100", "hello") }
}

#[tokio::test]
async fn every_method_reaches_the_engine_and_its_answer_comes_back() {
    let (fixture, requests) = Fixture::new();
    let client = Client::connect(&fixture.path).await.unwrap();

    let version = client.call(call::Version, &NONE).await.unwrap();
    assert_eq!((version.name.as_str(), version.protocol), ("tetherd", 1));
    assert_eq!(client.call(call::Status, &NONE).await.unwrap().queue.capacity, 400);
    assert_eq!(client.call(call::Explain, &NONE).await.unwrap().waiting, 0);

    let sent = client.call(call::MessageSend, &hello(Some("k"))).await.unwrap();
    assert_eq!(sent.message, message(7, State::Queued));
    let by_key = GetParams { key: Some("k".into()), ..GetParams::default() };
    assert_eq!(client.call(call::MessageGet, &by_key).await.unwrap().id, MessageId(7));
    assert_eq!(requests.last_query(), Query::Get(MessageName::Key("k".into())));
    let listed = client.call(call::QueueList, &ListParams::default()).await.unwrap();
    assert_eq!(listed.total, 1);

    let clear = ClearParams { dry_run: true, ..ClearParams::default() };
    assert!(client.call(call::QueueClear, &clear).await.unwrap().dry_run);
    let cancel = CancelParams { ids: vec![MessageId(3), MessageId(3)], ..CancelParams::default() };
    let cancelled = client.call(call::QueueCancel, &cancel).await.unwrap();
    assert_eq!(cancelled.cancelled, [MessageId(3)]);
    let retried = client.call(call::QueueRetry, &RetryParams::default()).await.unwrap();
    assert_eq!(retried.requeued, [MessageId(2)]);

    let numbers = vec!["+1 (555) 0111".into(), "+15550112".into()];
    let check = CheckParams { numbers, fresh: true };
    let checked = client.call(call::PhoneCheck, &check).await.unwrap();
    assert_eq!(checked.numbers[0].number, "+15550111");
    assert!(
        matches!(requests.last_change(), Request::Check { numbers, fresh: true, .. } if numbers.len() == 2)
    );

    client.call(call::QueuePause, &NONE).await.unwrap();
    assert!(matches!(requests.last_change(), Request::Pause));
    client.call(call::QueueResume, &NONE).await.unwrap();
    assert!(matches!(requests.last_change(), Request::Resume));
    client.call(call::SessionReconnect, &NONE).await.unwrap();
    assert!(matches!(requests.last_change(), Request::Reconnect));
    client.call(call::SessionTakeover, &NONE).await.unwrap();
    assert!(matches!(requests.last_change(), Request::Takeover));
    client.call(call::SessionLogout, &NONE).await.unwrap();
    assert!(matches!(requests.last_change(), Request::Logout));
    client.call(call::QueueRelease, &NONE).await.unwrap();
    assert!(matches!(requests.last_change(), Request::Release));
    let report = HeartbeatParams { battery_percent: Some(42), ..HeartbeatParams::default() };
    client.call(call::PhoneHeartbeat, &report).await.unwrap();
    assert!(matches!(requests.last_change(), Request::Heartbeat(r) if r.percent == Some(42)));
    let pair = PairParams { phone: Some("+1 555 0100".into()), anyway: false };
    client.call(call::SessionPair, &pair).await.unwrap();
    assert!(
        matches!(requests.last_change(), Request::Pair { phone: Some(p), anyway: false } if p == "15550100")
    );
}

#[tokio::test]
async fn a_submission_carries_a_fresh_network_id_and_a_digest_of_its_content() {
    let (fixture, requests) = Fixture::new();
    let client = Client::connect(&fixture.path).await.unwrap();
    let mut seen = Vec::new();
    for (to, text) in [
        ("+15550100", "a"),
        ("15550100@s.whatsapp.net", "a"),
        ("+15550100", "b"),
        ("+15550101", "a"),
    ] {
        let params = SendParams::text(to, text);
        client.call(call::MessageSend, &params).await.unwrap();
        let Request::Submit(submission) = requests.last_change() else { panic!("a submission") };
        let WaMessageId(id) = &submission.draft.wa_id;
        let hex = id.strip_prefix("3EB0").unwrap();
        assert_eq!(hex.len(), 18);
        assert!(hex.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b)));
        seen.push(submission);
    }
    assert_eq!(
        seen[0].draft.digest, seen[1].draft.digest,
        "a number and its JID are the same chat"
    );
    assert_ne!(seen[0].draft.digest, seen[2].draft.digest);
    assert_ne!(seen[0].draft.digest, seen[3].draft.digest);
    assert_ne!(seen[0].draft.wa_id, seen[1].draft.wa_id);
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_before_the_engine() {
    let (fixture, requests) = Fixture::new();
    let mut raw = fixture.connect().await;
    for (params, kind) in [
        (json!({"to": "15550100", "text": "x"}), "bad_recipient"),
        (json!({"to": "+12", "text": "x"}), "bad_recipient"),
        (json!({"to": "a@example.org", "text": "x"}), "bad_recipient"),
        (json!({"to": "+15550100", "text": ""}), "bad_text"),
        (json!({"to": "+15550100", "text": " \n"}), "bad_text"),
        (json!({"to": "+15550100", "text": "x".repeat(TEXT_CHARS_MAX + 1)}), "bad_text"),
        (json!({"to": "+15550100", "text": "x", "key": ""}), "invalid_params"),
        (json!({"to": "+15550100", "text": "x", "key": "a\u{7}"}), "invalid_params"),
        (
            json!({"to": "+15550100", "text": "x", "key": "k".repeat(KEY_BYTES_MAX + 1)}),
            "invalid_params",
        ),
        (json!({"to": "+15550100"}), "invalid_params"),
        (json!({"to": 5, "text": "x"}), "invalid_params"),
    ] {
        assert_eq!(raw.error_kind("message.send", params.clone()).await, kind, "{params:.80}");
    }
    assert_eq!(requests.changes(), 0);
}

#[tokio::test]
async fn the_longest_text_in_its_longest_spelling_fits_into_a_line() {
    let (fixture, requests) = Fixture::new();
    let mut raw = fixture.connect().await;
    let text = "\\ud83d\\ude00".repeat(TEXT_CHARS_MAX);
    let line = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"message.send","params":{{"to":"+15550100","text":"{text}"}}}}"#
    );
    let reply = raw.ask(&line).await;
    assert_eq!(reply["result"]["duplicate"], false, "{reply}");
    let Request::Submit(submission) = requests.last_change() else { panic!("a submission") };
    assert_eq!(submission.body.0.chars().count(), TEXT_CHARS_MAX);
}

#[tokio::test]
async fn other_methods_refuse_parameters_that_make_no_sense() {
    let (fixture, requests) = Fixture::new();
    let mut raw = fixture.connect().await;
    for (method, params) in [
        ("message.get", json!({})),
        ("message.get", json!({"id": "m1", "key": "k"})),
        ("message.get", json!({"wa_id": ""})),
        ("message.get", json!({"id": "x"})),
        ("queue.list", json!({"limit": 0})),
        ("queue.list", json!({"limit": 401})),
        ("queue.list", json!({"filter": {"states": ["queud"]}})),
        ("queue.cancel", json!({"ids": []})),
        ("queue.cancel", json!({"ids": vec!["m1"; 1001]})),
        ("queue.clear", json!({"filter": {"older_than_s": -1}})),
        ("session.pair", json!({"phone": "15550100"})),
        ("session.pair", json!({"phone": "+1"})),
        ("status", json!({"verbose": true})),
    ] {
        assert_eq!(raw.error_kind(method, params.clone()).await, "invalid_params", "{method}");
    }
    assert_eq!(
        raw.error_kind("queue.clear", json!({"filter": {"to": "5550100"}})).await,
        "bad_recipient"
    );
    assert_eq!(requests.changes(), 0);
}

#[tokio::test]
async fn a_filter_reaches_the_engine_normalised_and_a_list_names_its_states() {
    let (fixture, requests) = Fixture::new();
    let client = Client::connect(&fixture.path).await.unwrap();
    client.call(call::QueueList, &ListParams::default()).await.unwrap();
    let Query::List { selection, limit, .. } = requests.last_query() else { panic!("a list") };
    assert_eq!(limit, 400);
    assert_eq!(
        selection.states,
        [State::Preparing, State::Queued, State::Sending, State::Unknown, State::Parked]
    );
    let filter = Filter {
        states: vec![State::Parked, State::Queued, State::Parked],
        to: Some("+1 (555) 01-00".into()),
        ids: vec![MessageId(2), MessageId(1), MessageId(2)],
        ..Filter::default()
    };
    client.call(call::QueueClear, &ClearParams { filter, dry_run: false }).await.unwrap();
    let Request::Clear { filter, dry_run: false } = requests.last_change() else {
        panic!("a clear")
    };
    let expected = Selection {
        states: vec![State::Queued, State::Parked],
        to: Some("15550100@s.whatsapp.net".parse().unwrap()),
        ids: vec![MessageId(1), MessageId(2)],
        ..Selection::default()
    };
    assert_eq!(filter, expected);
}

#[tokio::test]
async fn the_old_services_names_are_taken() {
    let (fixture, requests) = Fixture::new();
    let mut raw = fixture.connect().await;
    let sent = raw.call("sendMessage", json!({"to": "+15550100", "text": "x"})).await;
    assert_eq!(sent["result"]["message"]["id"], "m7");
    assert_eq!(raw.call("showMessagesQueue", Value::Null).await["result"]["total"], 1);
    assert_eq!(raw.call("clearMessagesQueue", json!({})).await["result"]["cleared"], 3);
    raw.call("takeover", json!({})).await;
    assert!(matches!(requests.last_change(), Request::Takeover));
    raw.call("logout", json!({})).await;
    assert!(matches!(requests.last_change(), Request::Logout));
}

#[tokio::test]
async fn unknown_names_are_answered_with_a_suggestion() {
    let (fixture, _) = Fixture::new();
    let mut raw = fixture.connect().await;
    let reply = raw.call("mesage.send", json!({})).await;
    assert_eq!(reply["error"]["code"], ErrorKind::MethodNotFound.code());
    assert_eq!(reply["error"]["data"]["remedy"], "did you mean `message.send`?");
    let reply = raw.call("queue.clear", json!({"dryrun": true})).await;
    assert_eq!(reply["error"]["message"], "there is no parameter `dryrun`");
    assert_eq!(reply["error"]["data"]["remedy"], "did you mean `dry_run`?");
    let reply = raw.call("queue.clear", json!({"filter": {"state": "queued"}})).await;
    assert_eq!(reply["error"]["data"]["remedy"], "did you mean `filter.states`?");
    let reply = raw.call("zzz", json!({})).await;
    assert_eq!(reply["error"]["data"].get("remedy"), None);
}

#[tokio::test]
async fn every_method_has_a_way_through_the_dispatch() {
    let (fixture, _) = Fixture::new();
    for &method in Method::ALL {
        let mut raw = fixture.connect().await;
        let reply = raw.call(method.name(), json!({})).await;
        assert_ne!(reply["error"]["data"]["kind"], "internal_error", "{}", method.name());
        assert_ne!(reply["error"]["data"]["kind"], "method_not_found", "{}", method.name());
    }
}

#[tokio::test]
async fn a_change_whose_engine_dies_is_unknown_and_a_question_is_not() {
    let (fixture, mut calls) = Fixture::with_access(crate::daemon::auth::Access::own_user_only());
    tokio::spawn(async move {
        for _ in 0..2 {
            match calls.recv().await.unwrap() {
                EngineCall::Change { reply, .. } => drop(reply),
                EngineCall::Query { reply, .. } => drop(reply),
                EngineCall::Room { reply, .. } => drop(reply),
                EngineCall::Subscribe { reply } => drop(reply),
                EngineCall::Walk { reply, .. } => drop(reply),
            }
        }
    });
    let client = Client::connect(&fixture.path).await.unwrap();
    let kind = |error| {
        let ClientError::Rpc(error) = error else { panic!("{error}") };
        error.data.kind
    };
    let status = client.call(call::Status, &NONE).await.unwrap_err();
    assert_eq!(kind(status), ErrorKind::ShuttingDown);
    let sent = client.call(call::MessageSend, &hello(None)).await.unwrap_err();
    assert_eq!(kind(sent), ErrorKind::OutcomeUnknown);
    let later = client.call(call::QueuePause, &NONE).await.unwrap_err();
    assert_eq!(kind(later), ErrorKind::ShuttingDown, "it never reached the engine");
}

#[tokio::test]
async fn a_check_names_the_place_of_what_is_no_number_and_has_a_bound() {
    let (fixture, requests) = Fixture::new();
    let client = Client::connect(&fixture.path).await.unwrap();
    let refused = async |numbers: Vec<String>| {
        let numbers = numbers.into_iter().map(Into::into).collect();
        let params = CheckParams { numbers, fresh: false };
        match client.call(call::PhoneCheck, &params).await {
            Err(ClientError::Rpc(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    let error = refused(vec!["+15550111".into(), "15550112".into()]).await;
    assert_eq!(error.data.kind, ErrorKind::BadRecipient);
    assert!(
        error.message.starts_with("`numbers` has no number or username in place 2: "),
        "{error:?}"
    );
    for count in [0, CHECK_NUMBERS_MAX + 1] {
        let error = refused(vec!["+15550111".into(); count]).await;
        assert_eq!(error.data.kind, ErrorKind::InvalidParams);
    }
    assert_eq!(requests.changes(), 0);
}
