use tetherd_api::{
    Affected, Condition, ConditionKind, Holds, Kind, MessageId, PacingStatus, PhoneStatus,
    QueueStatus, SessionState, SessionStatus, State, StoreStatus,
};

use super::*;

fn status() -> Status {
    Status {
        started_at: Time(0),
        session: SessionStatus {
            state: SessionState::Connected,
            since: Time(1_000),
            account: Some("15550100@s.whatsapp.net".into()),
            detail: None,
            next_try_at: None,
            connections: 3,
            replaced: 1,
            replaced_last_hour: 0,
            takeover_at: None,
            timelock_until: None,
        },
        queue: QueueStatus {
            capacity: 400,
            free: 397,
            preparing: 0,
            queued: 2,
            sending: 1,
            unknown: 0,
            parked: 4,
            history: 9,
            paused: false,
            next_send_at: Some(Time(12_500)),
            last_send_at: None,
        },
        pacing: PacingStatus {
            limit: 5,
            reserve: 0,
            window_ms: 120_000,
            spent: 5,
            next_slot_at: None,
            opens_at: None,
            slowed_until: None,
        },
        store: StoreStatus::default(),
        phone: PhoneStatus::unknown(Time(0)),
        conditions: vec![Condition {
            kind: ConditionKind::NotOnNetwork,
            active: true,
            holds: Holds::Some,
            since: None,
            ends_by_itself: false,
            until: None,
            why: "+15550111 is not there".into(),
            evidence: Vec::new(),
            affected: Affected { count: 4, ids: vec![MessageId(7)] },
            by_itself: String::new(),
            by_itself_at: None,
            remedy: None,
        }],
    }
}

fn message(id: u64, state: State, changed_at: i64) -> Message {
    Message {
        id: MessageId(id),
        wa_id: "3EB0".into(),
        to: "15550111@s.whatsapp.net".into(),
        address: None,
        state,
        reason: None,
        key: Some("order-4711".into()),
        kind: Kind::Text,
        reply_to: None,
        file: None,
        priority: tetherd_api::Priority::Normal,
        not_before: None,
        expires_at: None,
        undo_until: None,
        text: None,
        preview: "secret words".into(),
        chars: 12,
        attempts: 1,
        accepted_at: Time(1_000),
        changed_at: Time(changed_at),
        sent_at: None,
        delivered_at: None,
        read_at: None,
        position: None,
        expected_at: None,
        held_by: None,
        after: None,
    }
}

fn has(text: &str, line: &str) {
    assert!(text.lines().any(|known| known == line), "{line} is not in\n{text}");
}

#[test]
fn the_status_is_said_in_base_units() {
    let status = status();
    let known = [
        Known { daemon: "main", status: Some(&status), oldest: Some(Time(4_000)) },
        Known { daemon: "work", status: None, oldest: None },
    ];
    let text = text(&known, None, Time(10_000), Some(4_096));
    for line in [
        "tetherd_up{daemon=\"main\"} 1.0",
        "tetherd_up{daemon=\"work\"} 0.0",
        "tetherd_queue_messages{daemon=\"main\",state=\"queued\"} 2.0",
        "tetherd_queue_oldest_age_seconds{daemon=\"main\"} 6.0",
        "tetherd_queue_next_send_seconds{daemon=\"main\"} 2.5",
        "tetherd_condition_active{daemon=\"main\",condition=\"not_on_network\",holds=\"some\"} 1.0",
        "tetherd_condition_active{daemon=\"main\",condition=\"banned\",holds=\"none\"} 0.0",
        "tetherd_session_state{daemon=\"main\",state=\"connected\"} 1.0",
        "tetherd_session_connections_total{daemon=\"main\"} 3",
        "process_resident_memory_bytes 4096.0",
        "# EOF",
    ] {
        has(&text, line);
    }
    assert!(!text.contains("tetherd_messages"), "nobody followed a feed");
}

#[test]
fn what_happens_is_counted_once_and_what_was_before_is_not() {
    let counts = Counts::default();
    let mut feed = FeedMetrics::new("main", &counts);
    feed.message(&message(1, State::Parked, 1_500), false);
    let mut second = message(2, State::Sending, 3_000);
    feed.message(&second, true);
    second.state = State::Sent;
    second.sent_at = Some(Time(3_400));
    feed.message(&second, true);
    // A receipt is another change of the same message; a repetition is none.
    second.state = State::Delivered;
    second.delivered_at = Some(Time(23_400));
    feed.message(&second, true);
    feed.message(&second, true);
    feed.incoming();
    // A slow follower sees only the last state.
    let mut third = message(3, State::Read, 9_000);
    (third.sent_at, third.delivered_at) = (Some(Time(5_000)), Some(Time(5_000)));
    third.read_at = Some(Time(9_000));
    feed.message(&third, true);
    let text = text(&[], Some(&counts), Time(0), None);
    for line in [
        "tetherd_messages_total{daemon=\"main\",result=\"parked\"} 0",
        "tetherd_messages_total{daemon=\"main\",result=\"sent\"} 2",
        "tetherd_messages_total{daemon=\"main\",result=\"delivered\"} 2",
        "tetherd_messages_total{daemon=\"main\",result=\"read\"} 1",
        "tetherd_messages_total{daemon=\"main\",result=\"failed\"} 0",
        "tetherd_message_ack_time_seconds_sum{daemon=\"main\"} 0.4",
        "tetherd_message_ack_time_seconds_bucket{le=\"0.25\",daemon=\"main\"} 0",
        "tetherd_message_ack_time_seconds_bucket{le=\"0.5\",daemon=\"main\"} 1",
        "tetherd_message_delivery_time_seconds_sum{daemon=\"main\"} 20.0",
        "tetherd_message_queue_time_seconds_count{daemon=\"main\"} 2",
        "tetherd_incoming_messages_total{daemon=\"main\"} 1",
    ] {
        has(&text, line);
    }
}

#[test]
fn invariant_9_no_number_text_or_key_is_in_a_metric() {
    let status = status();
    let counts = Counts::default();
    let mut feed = FeedMetrics::new("main", &counts);
    feed.message(&message(1, State::Parked, 1_500), true);
    let waiting = [message(2, State::Queued, 1_500)];
    assert_eq!(oldest(&waiting), Some(Time(1_000)));
    let known = [Known { daemon: "main", status: Some(&status), oldest: oldest(&waiting) }];
    let text = text(&known, Some(&counts), Time(10_000), None);
    for secret in ["1555", "secret", "order", "3EB0", "m7"] {
        assert!(!text.contains(secret), "{secret} is in\n{text}");
    }
}
