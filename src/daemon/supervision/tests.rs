//! What the watchdog and the status line depend on.

use super::*;
use crate::daemon::tests::support::condition;
use tetherd_api::{PacingStatus, PhoneStatus, QueueStatus, SessionStatus, Status};

/// 2026-01-02 03:04:05 UTC.
const NOW: Time = Time(1_767_323_045_000);
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

fn status(state: SessionState) -> Status {
    Status {
        started_at: NOW,
        session: SessionStatus {
            state,
            since: NOW,
            account: Some("15550100@s.whatsapp.net".into()),
            detail: None,
            next_try_at: None,
            connections: 1,
            replaced: 0,
            replaced_last_hour: 0,
            timelock_until: None,
            takeover_at: None,
        },
        queue: QueueStatus {
            capacity: 400,
            free: 400,
            preparing: 0,
            queued: 0,
            sending: 0,
            unknown: 0,
            parked: 0,
            history: 7,
            paused: false,
            next_send_at: None,
            last_send_at: None,
        },
        store: Default::default(),
        phone: PhoneStatus::unknown(NOW),
        pacing: PacingStatus {
            reserve: 0,
            opens_at: None,
            limit: 5,
            window_ms: 120_000,
            spent: 0,
            next_slot_at: None,
            slowed_until: None,
        },
        conditions: Vec::new(),
    }
}

#[test]
fn an_idle_daemon_is_told_in_a_few_words_without_its_account() {
    let words = sentence(&status(SessionState::Connected), false, NOW);
    assert_eq!(words, "Connected; queue empty");
}

#[test]
fn a_paced_queue_names_its_counts_and_the_next_send() {
    let mut status = status(SessionState::Connected);
    status.queue = QueueStatus { queued: 11, unknown: 1, sending: 1, parked: 3, ..status.queue };
    status.queue.next_send_at = Some(Time(NOW.0 + MINUTE_MS));
    status.conditions = vec![condition(ConditionKind::Pacing, status.queue.next_send_at)];
    assert_eq!(
        sentence(&status, false, NOW),
        "Connected; 12 waiting, 1 on the way, 3 parked; next send at 03:05:05 UTC"
    );
    assert!(sentence(&status, true, NOW).starts_with("Stopping; 12 waiting"));
}

#[test]
fn holds_are_named_with_their_ends_and_far_ones_with_their_date() {
    let mut status = status(SessionState::Waiting);
    status.session.next_try_at = Some(Time(NOW.0 + 30_000));
    status.queue.queued = 2;
    status.conditions = vec![
        condition(ConditionKind::Banned, Some(Time(NOW.0 + 2 * DAY_MS))),
        condition(ConditionKind::Paused, None),
    ];
    assert_eq!(
        sentence(&status, false, NOW),
        "Disconnected, next try at 03:04:35 UTC; 2 waiting; \
         held by banned until 2026-01-04 03:04:05 UTC, paused"
    );
}

#[tokio::test(start_paused = true)]
async fn a_changed_status_is_reported_at_once_and_then_once_a_second() {
    let mut line = StatusLine::new();
    let before = Instant::now();
    line.turned();
    line.due().await;
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(line.news("one".to_owned()), Some("one"));
    line.turned();
    line.due().await;
    assert_eq!(before.elapsed(), STATUS_PAUSE);
    assert_eq!(line.news("two".to_owned()), Some("two"));
    assert!(!is_due(&line).await, "there was no turn since");
    line.turned();
    line.due().await;
    assert_eq!(line.news("two".to_owned()), None);
}

async fn is_due(line: &StatusLine) -> bool {
    tokio::time::timeout(STATUS_PAUSE * 100, line.due()).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn without_a_manager_nothing_is_ever_due() {
    let (mut supervision, _watched) = Supervision::new(&Manager::none());
    tokio::select! {
        _ = supervision.due() => panic!("something is due"),
        () = tokio::time::sleep(STATUS_PAUSE * 100_000) => {}
    }
}
