//! Subscriptions: the snapshot, what follows, who lags, and what a tier sees.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::support::{AT, DEADLINE, Fixture, message, snapshot, stranger};
use crate::daemon::auth::{Access, AccessGroups};
use crate::daemon::engine_handle::{EngineCall, Subscription};
use tetherd_api::call;
use tetherd_api::client::{Client, ClientError, Events};
use tetherd_api::state_replica::StateReplica;
use tetherd_api::{ErrorKind, Event, EventFrame, NoParams, PairOffer, Reply, State};
use tetherd_api::{SUBSCRIBER_EVENTS_MAX, WRITE_TIME_MAX};

fn frame(seq: u64, event: Event) -> EventFrame {
    EventFrame { seq, at: AT, event }
}

fn changed(seq: u64, id: u64, state: State) -> EventFrame {
    frame(seq, Event::Message { message: Box::new(message(id, state)) })
}

async fn next(events: &mut Events) -> Result<EventFrame, ClientError> {
    timeout(DEADLINE, events.next()).await.unwrap()
}

/// Takes the subscribe call, and answers with the sample snapshot.
async fn accept(calls: &mut mpsc::Receiver<EngineCall>) -> mpsc::Sender<EventFrame> {
    accept_flagged(calls).await.0
}

async fn accept_flagged(
    calls: &mut mpsc::Receiver<EngineCall>,
) -> (mpsc::Sender<EventFrame>, Arc<AtomicBool>) {
    let EngineCall::Subscribe { reply } = calls.recv().await.unwrap() else {
        panic!("a subscription")
    };
    let (sender, events) = mpsc::channel(SUBSCRIBER_EVENTS_MAX);
    let lagged = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&lagged);
    reply.send(Subscription { snapshot: snapshot(), events, lagged }).unwrap();
    (sender, flag)
}

#[tokio::test]
async fn a_subscriber_gets_the_snapshot_then_changes_while_its_calls_go_on() {
    let (fixture, mut calls) = Fixture::with_access(Access::own_user_only());
    let client = Client::connect(&fixture.path).await.unwrap();
    let (subscribed, sender) = tokio::join!(client.subscribe(), accept(&mut calls));
    let mut events = subscribed.unwrap();
    let mut view = StateReplica::new();
    for expected in snapshot() {
        assert!(!view.is_complete());
        let got = next(&mut events).await.unwrap();
        assert_eq!(got, expected);
        view.apply(&got).unwrap();
    }
    assert!(view.is_complete());

    sender.send(changed(5, 7, State::Sending)).await.unwrap();
    view.apply(&next(&mut events).await.unwrap()).unwrap();
    assert_eq!(view.message(message(7, State::Queued).id).unwrap().state, State::Sending);

    let again = client.subscribe().await.unwrap_err();
    assert!(matches!(&again, ClientError::Rpc(e) if e.data.kind == ErrorKind::WrongState));
    let answer = async {
        let EngineCall::Query { reply, .. } = calls.recv().await.unwrap() else { panic!("query") };
        let status = Box::new(super::support::status());
        reply.send(Ok(Reply::Status(status))).unwrap();
    };
    let (status, ()) = tokio::join!(client.call(call::Status, &NoParams {}), answer);
    status.unwrap();
    sender.send(changed(6, 7, State::Sent)).await.unwrap();
    view.apply(&next(&mut events).await.unwrap()).unwrap();
    assert_eq!(view.messages().len(), 0, "what the server took is history");
}

#[tokio::test]
async fn one_who_lags_gets_what_was_kept_is_told_and_disconnected() {
    let (fixture, mut calls) = Fixture::with_access(Access::own_user_only());
    let client = Client::connect(&fixture.path).await.unwrap();
    let (subscribed, (sender, lagged)) =
        tokio::join!(client.subscribe(), accept_flagged(&mut calls));
    let mut events = subscribed.unwrap();
    // As the engine does: it never waits for a subscriber, and drops who is full.
    let mut kept = 0;
    while sender.try_send(changed(5 + kept, 7, State::Queued)).is_ok() {
        kept += 1;
    }
    assert_eq!(kept, u64::try_from(SUBSCRIBER_EVENTS_MAX).unwrap());
    lagged.store(true, Ordering::Release);
    drop(sender);
    for _ in snapshot() {
        next(&mut events).await.unwrap();
    }
    for seq in 5..5 + kept {
        assert_eq!(next(&mut events).await.unwrap().seq, seq);
    }
    assert_eq!(next(&mut events).await.unwrap().event, Event::Lagged {});
    assert!(matches!(next(&mut events).await, Err(ClientError::Closed)));
}

#[tokio::test(start_paused = true)]
async fn invariant_10_one_who_never_reads_is_disconnected_with_a_bounded_backlog() {
    let (fixture, mut calls) = Fixture::with_access(Access::own_user_only());
    let mut raw = fixture.connect().await;
    let (reply, sender) = tokio::join!(raw.call("events.subscribe", json!({})), accept(&mut calls));
    assert_eq!(reply["result"], json!({ "cursor": 0 }));
    let started = tokio::time::Instant::now();
    let mut taken = 0;
    while sender.send(changed(5, 7, State::Queued)).await.is_ok() {
        taken += 1;
        assert!(taken < 100_000, "nobody reads them");
    }
    assert!(started.elapsed() >= WRITE_TIME_MAX);
}

#[tokio::test]
async fn only_administrators_see_a_pairing_code() {
    let groups = AccessGroups::from_names(Some("40001"), None, None);
    let (fixture, mut calls) = Fixture::with_access(Access::resolve(&groups).unwrap());
    let offer = Some(PairOffer::Code { code: "ABCD1234".into(), expires_at: AT });
    let pairing = frame(5, Event::Pairing { offer, ended: None });
    for (uid, gid, sees) in [(0, 0, true), (stranger(0), 40_001, false)] {
        fixture.peers.are(uid, gid, &[]);
        let client = Client::connect(&fixture.path).await.unwrap();
        let (subscribed, sender) = tokio::join!(client.subscribe(), accept(&mut calls));
        let mut events = subscribed.unwrap();
        sender.send(pairing.clone()).await.unwrap();
        for _ in snapshot() {
            next(&mut events).await.unwrap();
        }
        let Event::Pairing { offer, .. } = next(&mut events).await.unwrap().event else {
            panic!("pairing")
        };
        assert_eq!(offer.is_some(), sees);
    }
}

#[tokio::test]
async fn a_subscription_that_failed_can_be_asked_for_again() {
    let (fixture, mut calls) = Fixture::with_access(Access::own_user_only());
    let mut raw = fixture.connect().await;
    let refuse = async {
        let EngineCall::Subscribe { reply } = calls.recv().await.unwrap() else { panic!() };
        drop(reply);
    };
    let (first, ()) = tokio::join!(raw.call("events.subscribe", json!({})), refuse);
    assert_eq!(first["error"]["data"]["kind"], "shutting_down");
    let (second, _sender) =
        tokio::join!(raw.call("events.subscribe", json!({})), accept(&mut calls));
    assert_eq!(second["result"], json!({ "cursor": 0 }));
}

#[tokio::test]
async fn the_end_of_the_daemon_is_no_lag() {
    let (fixture, mut calls) = Fixture::with_access(Access::own_user_only());
    let client = Client::connect(&fixture.path).await.unwrap();
    let (subscribed, _sender) = tokio::join!(client.subscribe(), accept(&mut calls));
    let mut events = subscribed.unwrap();
    for _ in snapshot() {
        next(&mut events).await.unwrap();
    }
    fixture.stop.send(true).unwrap();
    assert!(matches!(next(&mut events).await, Err(ClientError::Closed)));
    timeout(DEADLINE, fixture.server).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_end_of_the_engine_is_no_lag() {
    let (fixture, mut calls) = Fixture::with_access(Access::own_user_only());
    let client = Client::connect(&fixture.path).await.unwrap();
    let (subscribed, sender) = tokio::join!(client.subscribe(), accept(&mut calls));
    let mut events = subscribed.unwrap();
    let mut told = 0;
    // Even with a full backlog.
    while sender.try_send(changed(5 + told, 7, State::Sending)).is_ok() {
        told += 1;
    }
    drop(sender);
    for _ in snapshot() {
        next(&mut events).await.unwrap();
    }
    for seq in 5..5 + told {
        assert_eq!(next(&mut events).await.unwrap().seq, seq);
    }
    assert!(matches!(next(&mut events).await, Err(ClientError::Closed)));
}
