//! A snapshot and the changes after it make the same view as a later snapshot.

use proptest::prelude::*;
use serde_json::json;

use crate::state_replica::{ReplicaError, StateReplica};
use crate::{Event, EventFrame, Kind, Message, MessageId, Priority, State, Status, Time};

const AT: Time = Time(1_700_000_000_000);

fn status(queued: usize) -> Event {
    let status: Status = serde_json::from_value(json!({
        "started_at": AT,
        "session": { "state": "connected", "since": AT, "connections": 1, "replaced": 0 },
        "queue": {
            "capacity": 400, "free": 400, "queued": queued, "sending": 0, "unknown": 0,
            "parked": 0, "history": 0, "paused": false,
        },
        "pacing": { "limit": 5, "window_ms": 120_000, "spent": 0 },
        "conditions": [],
    }))
    .unwrap();
    Event::Status { status: Box::new(status) }
}

fn message(id: u64, state: State, position: Option<usize>) -> Event {
    Event::Message {
        message: Box::new(Message {
            id: MessageId(id),
            wa_id: format!("3EB0{id:018X}"),
            to: "15550100@s.whatsapp.net".into(),
            state,
            reason: None,
            key: None,
            kind: Kind::Text,
            file: None,
            priority: Priority::Normal,
            not_before: None,
            expires_at: None,
            undo_until: None,
            text: None,
            preview: "hello".into(),
            chars: 5,
            attempts: 0,
            accepted_at: AT,
            changed_at: AT,
            sent_at: None,
            delivered_at: None,
            read_at: None,
            position,
            expected_at: position.map(|_| AT),
        }),
    }
}

fn event() -> impl Strategy<Value = Event> {
    let state = prop::sample::select(State::ALL.to_vec());
    let place = prop::option::of(1_usize..9);
    prop_oneof![
        1 => (0_usize..9).prop_map(status),
        1 => Just(Event::Pairing { offer: None, ended: None }),
        6 => (1_u64..9, state, place).prop_map(|(id, state, place)| message(id, state, place)),
    ]
}

fn frame(seq: u64, event: Event) -> EventFrame {
    EventFrame { seq, at: AT, event }
}

fn folded(frames: &[EventFrame]) -> StateReplica {
    let mut view = StateReplica::new();
    for frame in frames {
        view.apply(frame).unwrap();
    }
    view
}

/// What a daemon would tell a newcomer after these changes.
fn snapshot_after(changes: &[EventFrame]) -> Vec<EventFrame> {
    let mut told = vec![frame(0, status(0)), frame(0, Event::SnapshotEnd {})];
    told.extend_from_slice(changes);
    folded(&told).snapshot(AT)
}

proptest! {
    #[test]
    fn a_snapshot_and_what_follows_equal_a_fresh_snapshot(
        events in prop::collection::vec(event(), 0..60),
        cut in 0_usize..60,
    ) {
        let changes: Vec<EventFrame> =
            (1..).zip(events).map(|(seq, event)| frame(seq, event)).collect();
        let cut = cut.min(changes.len());
        let mut subscriber = folded(&snapshot_after(&changes[..cut]));
        for change in &changes[cut..] {
            subscriber.apply(change).unwrap();
        }
        let newcomer = folded(&snapshot_after(&changes));
        prop_assert_eq!(subscriber, newcomer);
    }
}

#[test]
fn a_missing_change_is_noticed_and_an_old_one_does_nothing() {
    let mut view = folded(&[frame(4, status(1)), frame(4, Event::SnapshotEnd {})]);
    view.apply(&frame(3, status(9))).unwrap();
    assert_eq!(view.status().unwrap().queue.queued, 1);
    let gap = view.apply(&frame(6, status(2))).unwrap_err();
    assert_eq!(gap, ReplicaError::Gap { after: 4, seq: 6 });
    view.apply(&frame(5, status(2))).unwrap();
    assert_eq!(view.apply(&frame(5, Event::Lagged {})), Err(ReplicaError::Lagged));
}
