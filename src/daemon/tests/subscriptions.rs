//! Subscriptions on a real socket: the snapshot, what follows, who reads slowly, and what
//! a tier sees.

use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::support::{AT, DEADLINE, Fixture, last_page, message, snapshot, stands, stranger};
use crate::daemon::auth::{Access, AccessGroups};
use crate::daemon::engine_handle::EngineCall;
use crate::daemon::event_hub::{LIVE_EVENTS_MAX, Latest, LiveEvent, Page, Pairing, Walk};
use tetherd_api::call;
use tetherd_api::client::{Client, ClientError, Events};
use tetherd_api::state_replica::StateReplica;
use tetherd_api::{
    ErrorKind, Event, EventFrame, FeedPlace, Gap, GapOf, NoParams, PairOffer, Reply, State,
};

fn changed(seq: u64, id: u64, state: State) -> LiveEvent {
    LiveEvent::Message { seq, message: Box::new(message(id, state)) }
}

async fn next(events: &mut Events) -> Result<EventFrame, ClientError> {
    timeout(DEADLINE, events.next()).await.unwrap()
}

/// The number and the message of the next event, which is about one.
async fn next_message(events: &mut Events) -> (u64, u64, State) {
    let frame = next(events).await.unwrap();
    let Event::Message { message } = frame.event else { panic!("{frame:?}") };
    (frame.seq, message.id.0, message.state)
}

/// Takes the subscribe call, and answers as the samples do.
async fn accept(calls: &mut mpsc::Receiver<EngineCall>) -> mpsc::Sender<LiveEvent> {
    begin(calls).await;
    let (page, sender) = last_page();
    give(calls, Walk { after: 0, floor: 4 }, page).await;
    sender
}

async fn begin(calls: &mut mpsc::Receiver<EngineCall>) {
    let EngineCall::Subscribe { reply } = calls.recv().await.unwrap() else {
        panic!("a subscription")
    };
    reply.send(stands()).unwrap();
}

/// Expects that this walk goes on, and gives the next page.
async fn give(calls: &mut mpsc::Receiver<EngineCall>, expected: Walk, page: Page) {
    let EngineCall::Walk { walk, reply } = calls.recv().await.unwrap() else { panic!("a walk") };
    assert_eq!(walk, expected);
    reply.send(page).unwrap();
}

#[tokio::test]
async fn a_subscriber_gets_the_snapshot_then_changes_while_its_calls_go_on() {
    let (fixture, mut calls) = Fixture::with_access(Access::own_user_only());
    let client = Client::connect(&fixture.path).await.unwrap();
    let (subscribed, sender) = tokio::join!(client.subscribe_after(None), accept(&mut calls));
    let (mut events, newest) = subscribed.unwrap();
    assert_eq!(newest, FeedPlace { feed: None, seq: 4 });
    let mut replica = StateReplica::new();
    for expected in snapshot() {
        assert!(!replica.is_complete());
        let got = next(&mut events).await.unwrap();
        assert_eq!(got, expected);
        replica.apply(&got);
    }
    assert!(replica.is_complete());

    sender.send(changed(5, 7, State::Sending)).await.unwrap();
    replica.apply(&next(&mut events).await.unwrap());
    assert_eq!(replica.message(message(7, State::Queued).id).unwrap().state, State::Sending);

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
    replica.apply(&next(&mut events).await.unwrap());
    assert_eq!((replica.messages().len(), replica.seq()), (0, 6), "sent messages are not live");
}

#[tokio::test]
async fn one_who_falls_behind_gets_what_was_kept_and_then_the_newest_states() {
    let (fixture, mut calls) = Fixture::with_access(Access::own_user_only());
    let client = Client::connect(&fixture.path).await.unwrap();
    let (subscribed, sender) = tokio::join!(client.subscribe(), accept(&mut calls));
    let mut events = subscribed.unwrap();
    // As the engine does: it never waits for a subscriber, and lets go of who is full.
    let mut last = 4;
    while sender.try_send(changed(last + 1, 7, State::Queued)).is_ok() {
        last += 1;
    }
    assert_eq!(last - 4, u64::try_from(LIVE_EVENTS_MAX).unwrap());
    drop(sender);
    let (mut page, _sender) = last_page();
    page.messages = vec![(last + 40, message(7, State::Sent))];
    let reading = async {
        for _ in snapshot() {
            next(&mut events).await.unwrap();
        }
        for seq in 5..=last {
            assert_eq!(next_message(&mut events).await, (seq, 7, State::Queued));
        }
        assert_eq!(next_message(&mut events).await, (last + 40, 7, State::Sent));
    };
    tokio::join!(reading, give(&mut calls, Walk { after: last, floor: last }, page));
}

#[tokio::test]
async fn one_who_was_away_for_too_long_is_told_the_gap_and_all_live_messages() {
    let (fixture, mut calls) = Fixture::with_access(Access::own_user_only());
    let client = Client::connect(&fixture.path).await.unwrap();
    let engine = async {
        begin(&mut calls).await;
        let (mut page, _dropped) = last_page();
        page.forgotten = 3;
        give(&mut calls, Walk { after: 2, floor: 2 }, page).await;
        let (mut page, sender) = last_page();
        page.messages = vec![(1, message(6, State::Parked)), (4, message(7, State::Sent))];
        page.forgotten = 3;
        give(&mut calls, Walk { after: 0, floor: 2 }, page).await;
        sender
    };
    let place = FeedPlace { feed: None, seq: 2 };
    let (subscribed, _sender) = tokio::join!(client.subscribe_after(Some(place)), engine);
    let (mut events, _) = subscribed.unwrap();
    assert!(matches!(next(&mut events).await.unwrap().event, Event::Status { .. }));
    let gap = next(&mut events).await.unwrap();
    assert_eq!(
        (gap.seq, gap.event),
        (2, Event::Gap { of: GapOf::Messages, gap: Gap { from: 3, to: 3 } })
    );
    // The number to continue after never goes back.
    assert_eq!(next_message(&mut events).await, (2, 6, State::Parked));
    assert_eq!(next_message(&mut events).await, (4, 7, State::Sent));
    assert_eq!(next(&mut events).await.unwrap().event, Event::SnapshotEnd {});
}

#[tokio::test]
async fn a_number_from_elsewhere_is_refused() {
    let (fixture, mut calls) = Fixture::with_access(Access::own_user_only());
    let mut raw = fixture.connect().await;
    let (reply, ()) =
        tokio::join!(raw.call("events.subscribe", json!({ "after": 5 })), begin(&mut calls));
    assert_eq!(reply["error"]["data"]["kind"], "feed_renewed");
    let other = json!({ "after": 4, "feed": "00000000000000ff" });
    let (reply, ()) = tokio::join!(raw.call("events.subscribe", other), begin(&mut calls));
    assert_eq!(reply["error"]["data"]["kind"], "feed_renewed");
    let (reply, ()) =
        tokio::join!(raw.call("events.subscribe", json!({ "after": 4 })), begin(&mut calls));
    assert_eq!(reply["result"], json!({ "seq": 4 }));
}

#[tokio::test(start_paused = true)]
async fn invariant_10_one_who_never_reads_has_a_bounded_backlog_and_stays_connected() {
    let (fixture, mut calls) = Fixture::with_access(Access::own_user_only());
    let mut raw = fixture.connect().await;
    let (reply, sender) = tokio::join!(raw.call("events.subscribe", json!({})), accept(&mut calls));
    assert_eq!(reply["result"], json!({ "seq": 4 }));
    let mut last = 4;
    let patience = tetherd_api::WRITE_TIME_MAX * 2;
    while timeout(patience, sender.send(changed(last + 1, 7, State::Queued))).await.is_ok() {
        last += 1;
        assert!(last < 100_000, "nobody reads them");
    }
    assert!(!sender.is_closed(), "it reads slowly, and is not gone");
    for _ in snapshot() {
        raw.read().await.unwrap();
    }
    for seq in 5..=last {
        assert_eq!(raw.read().await.unwrap()["params"]["seq"], seq);
    }
}

#[tokio::test]
async fn only_administrators_see_a_pairing_code() {
    let groups = AccessGroups::from_names(Some("40001"), None, None);
    let (fixture, mut calls) = Fixture::with_access(Access::resolve(&groups).unwrap());
    let offer = Some(PairOffer::Code { code: "ABCD1234".into(), expires_at: AT });
    let state = Some(Pairing { offer, ended: None });
    let pairing = LiveEvent::Pairing { at: AT, pairing: Latest { version: 1, state } };
    // One whose events end would ask the engine for more.
    let mut senders = Vec::new();
    for (uid, gid, sees) in [(0, 0, true), (stranger(0), 40_001, false)] {
        fixture.peers.are(uid, gid, &[]);
        let client = Client::connect(&fixture.path).await.unwrap();
        let (subscribed, sender) = tokio::join!(client.subscribe(), accept(&mut calls));
        let mut events = subscribed.unwrap();
        sender.send(pairing.clone()).await.unwrap();
        senders.push(sender);
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
    assert_eq!(second["result"], json!({ "seq": 4 }));
}

#[tokio::test]
async fn the_end_of_the_daemon_ends_the_events() {
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
async fn the_end_of_the_engine_ends_the_events_after_the_last_one() {
    let (fixture, mut calls) = Fixture::with_access(Access::own_user_only());
    let client = Client::connect(&fixture.path).await.unwrap();
    let (subscribed, sender) = tokio::join!(client.subscribe(), accept(&mut calls));
    let mut events = subscribed.unwrap();
    let mut last = 4;
    // Even with a full backlog.
    while sender.try_send(changed(last + 1, 7, State::Sending)).is_ok() {
        last += 1;
    }
    drop((sender, calls));
    for _ in snapshot() {
        next(&mut events).await.unwrap();
    }
    for seq in 5..=last {
        assert_eq!(next_message(&mut events).await.0, seq);
    }
    assert!(matches!(next(&mut events).await, Err(ClientError::Closed)));
}
