//! Every cause alone and several together, as people read them, against `told.txt`.
//! To take over what has changed: `UPDATE_EXPECT=1 cargo test -p tetherd-core causes`,
//! then read the difference.

use std::fmt::Write as _;

use super::causes;
use crate::situation::{Down, Group, Situation, Slowdown, Timelock};
use crate::time::ClockJump;
use expect_test::expect_file;
use tetherd_api::{
    BatteryLevel, BatteryStatus, Cause, CauseKind, MessageId, PhoneState, PhoneStatus, ReasonKind,
    Time,
};

/// 2026-01-02 03:04:05 UTC.
const NOW: i64 = 1_767_323_045_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn quiet() -> Situation {
    let mut now = Situation { now: NOW, started_at: NOW - HOUR, ..Situation::default() };
    now.session.connected_since = Some(NOW - HOUR);
    now.phone.status = PhoneStatus {
        state: PhoneState::Online,
        last_seen_at: Some(Time(NOW - 5 * MINUTE)),
        last_sign: Some("receipt".to_owned()),
        ..PhoneStatus::unknown(Time(NOW - HOUR))
    };
    now.pacing.limit = 5;
    now.pacing.window_ms = 120_000;
    now
}

fn ids(ids: impl IntoIterator<Item = u64>) -> Vec<MessageId> {
    ids.into_iter().map(MessageId).collect()
}

fn group(of: impl IntoIterator<Item = u64>, details: &[&str]) -> Group {
    Group {
        ids: ids(of),
        since: Some(NOW - 10 * MINUTE),
        details: details.iter().map(|detail| (*detail).to_owned()).collect(),
    }
}

fn battery(level: BatteryLevel, percent: u8) -> BatteryStatus {
    BatteryStatus {
        level,
        percent: Some(percent),
        charging: Some(false),
        network: Some("wifi".to_owned()),
        source: Some("termux".to_owned()),
        at: Time(NOW - 2 * MINUTE),
        received_at: Time(NOW - 2 * MINUTE),
        stale: false,
    }
}

type Case = (&'static str, CauseKind, fn(&mut Situation));

/// One for each cause, and for the forms that it takes.
const CASES: &[Case] = &[
    ("store", CauseKind::StoreTrouble, |s| s.set_aside = 2),
    ("not paired", CauseKind::NotPaired, |s| {
        s.session.not_paired = Some((NOW - MINUTE, false));
        s.waiting = ids(1..=2);
    }),
    ("pairing", CauseKind::NotPaired, |s| s.session.not_paired = Some((NOW - MINUTE, true))),
    ("logged out", CauseKind::LoggedOut, |s| {
        s.session.logged_out = Some((NOW - MINUTE, Some(401)));
        s.waiting = ids([7]);
    }),
    ("banned", CauseKind::Banned, |s| {
        s.session.banned = Some((NOW - MINUTE, NOW + HOUR, 101));
        s.waiting = ids([7]);
    }),
    ("outdated", CauseKind::ClientOutdated, |s| s.session.outdated = Some(NOW - MINUTE)),
    ("replaced", CauseKind::OtherSession, |s| {
        s.session.replaced = Some(NOW - MINUTE);
        s.session.replaced_last_hour = 10;
        s.waiting = ids(1..=3);
    }),
    ("replaced, with a takeover to come", CauseKind::OtherSession, |s| {
        s.session.replaced = Some(NOW - MINUTE);
        s.session.replaced_last_hour = 1;
        s.session.takeover_at = Some(NOW + 9 * MINUTE);
    }),
    ("replaced, takeovers used up", CauseKind::OtherSession, |s| {
        s.session.replaced = Some(NOW - MINUTE);
        s.session.replaced_last_hour = 4;
        s.session.takeover_at = Some(NOW + 40 * MINUTE);
        s.session.takeovers_used_up_until = Some(NOW + 40 * MINUTE);
    }),
    ("replaced before", CauseKind::OtherSession, |s| s.session.replaced_last_hour = 2),
    ("disconnected, next try set", CauseKind::Disconnected, |s| {
        s.session.connected_since = None;
        s.session.down = Some(Down {
            since: NOW - MINUTE,
            detail: Some("the server closed the connection".to_owned()),
            next_try: Some(NOW + 30_000),
            tries: 3,
        });
        s.waiting = ids(1..=3);
    }),
    ("connecting", CauseKind::Disconnected, |s| {
        s.session.connected_since = None;
        s.session.down = Some(Down { since: NOW - 1_000, ..Down::default() });
    }),
    ("phone offline", CauseKind::PhoneOffline, |s| {
        s.phone.status.state = PhoneState::Offline;
        s.phone.status.probing_since = Some(Time(NOW - 4 * MINUTE));
        s.phone.status.reasons = vec!["a copy of a message stayed unanswered".to_owned()];
        s.phone.status.unlinked_at = Some(Time(NOW + 300 * HOUR));
        s.phone.offline_holds = true;
        s.waiting = ids(1..=400);
    }),
    ("phone offline, and no hold for it", CauseKind::PhoneOffline, |s| {
        s.phone.status.state = PhoneState::Offline;
        s.waiting = ids(1..=2);
    }),
    ("phone silent", CauseKind::PhoneSilent, |s| {
        s.phone.status.state = PhoneState::Silent;
        s.phone.status.last_seen_at = Some(Time(NOW - 50 * HOUR));
        s.phone.status.unlinked_at = Some(Time(NOW + 286 * HOUR));
    }),
    ("phone never heard of", CauseKind::PhoneSilent, |s| {
        s.phone.status = PhoneStatus::unknown(Time(NOW - MINUTE));
    }),
    ("battery critical", CauseKind::BatteryCritical, |s| {
        s.phone.status.battery = Some(battery(BatteryLevel::Critical, 4));
        s.phone.battery_holds = true;
        s.waiting = ids(1..=2);
    }),
    ("battery low", CauseKind::BatteryLow, |s| {
        s.phone.status.battery = Some(battery(BatteryLevel::Low, 12));
    }),
    ("battery report stale", CauseKind::BatteryCritical, |s| {
        let old = BatteryStatus { stale: true, ..battery(BatteryLevel::Unknown, 4) };
        s.phone.status.battery = Some(old);
    }),
    ("paused", CauseKind::Paused, |s| {
        s.paused_since = Some(NOW - HOUR);
        s.waiting = ids([9]);
    }),
    ("stale backlog", CauseKind::StaleBacklog, |s| {
        s.backlog_since = Some(NOW - MINUTE);
        s.waiting = ids(1..=12);
    }),
    ("timelock without an end", CauseKind::ReachoutTimelock, |s| {
        s.timelock = Some(Timelock {
            since: NOW - MINUTE,
            until: NOW + 6 * HOUR,
            told: false,
            ids: ids([4, 5]),
        });
    }),
    ("timelock with its end", CauseKind::ReachoutTimelock, |s| {
        s.timelock = Some(Timelock {
            since: NOW - MINUTE,
            until: NOW + 6 * HOUR,
            told: true,
            ids: ids([4]),
        });
    }),
    ("rate limit", CauseKind::RateLimited, |s| {
        s.slowdown = Some(Slowdown { since: NOW - MINUTE, until: NOW + MINUTE, code: Some(429) });
        s.waiting = ids([4]);
    }),
    ("absent numbers", CauseKind::NotOnNetwork, |s| {
        s.parked.insert(ReasonKind::NotOnNetwork, group([2, 4, 6], &[]));
    }),
    ("unchecked numbers", CauseKind::NumberUnchecked, |s| {
        s.unchecked = group([2], &["the server answered with code 429"]);
    }),
    ("broken links", CauseKind::LinkBroken, |s| {
        s.parked.insert(ReasonKind::LinkBroken, group([3, 5], &["code 404", "unknown_host"]));
    }),
    ("doubtful links", CauseKind::LinkDoubtful, |s| s.doubtful = group([3], &["timeout"])),
    ("files", CauseKind::FileTrouble, |s| {
        s.parked.insert(ReasonKind::TooLarge, group([8], &[]));
        s.parked.insert(ReasonKind::FileUnreadable, group([3], &[]));
    }),
    ("an upload that failed", CauseKind::FileTrouble, |s| {
        s.parked.insert(ReasonKind::UploadFailed, group([8], &["code 507"]));
    }),
    ("files underway", CauseKind::FileUnderway, |s| {
        s.preparing = group([8], &[]);
        s.uploading = group([3, 4], &[]);
    }),
    ("refusals", CauseKind::Refused, |s| {
        s.parked.insert(ReasonKind::Refused, group([8], &["code 479"]));
        s.refusals.insert(479, (3, NOW - MINUTE));
    }),
    ("not sendable", CauseKind::NotSendable, |s| {
        s.parked.insert(ReasonKind::NotSendable, group([8], &[]));
    }),
    ("no answer", CauseKind::NoAnswer, |s| s.unanswered = group([1, 2], &[])),
    ("no answer, parked", CauseKind::NoAnswer, |s| {
        s.parked.insert(ReasonKind::NoAnswer, group([1], &[]));
    }),
    ("not before", CauseKind::NotBefore, |s| {
        s.early = group([1, 2], &[]);
        s.early_due = Some(NOW + 2 * HOUR);
    }),
    ("clock jumped", CauseKind::ClockJumped, |s| {
        s.clock_jump = Some(ClockJump { at: NOW - HOUR, by_ms: -7_200_000 });
    }),
    ("clock jumped long ago", CauseKind::ClockJumped, |s| {
        s.clock_jump = Some(ClockJump { at: NOW - 30 * HOUR, by_ms: 90_000 });
    }),
    ("shutting down", CauseKind::ShuttingDown, |s| s.draining_since = Some(NOW - 1_000)),
    ("pacing", CauseKind::Pacing, |s| {
        s.waiting = ids(6..=20);
        s.pacing.spent = 5;
        s.pacing.last_attempt = Some(NOW - 3_000);
        s.pacing.next_slot = Some(NOW + 100_000);
        s.pacing.last_send = Some(NOW + 340_000);
    }),
];

fn told(cause: &Cause) -> String {
    let mut text = String::new();
    let active = if cause.active { "holds" } else { "does not hold" };
    writeln!(text, "{} ({active})", cause.kind.name()).unwrap();
    if let Some(since) = cause.since {
        writeln!(text, "  since      {since}").unwrap();
    }
    writeln!(text, "  why        {}", cause.why).unwrap();
    for evidence in &cause.evidence {
        let age = evidence.age_s.map(|age| format!(" ({age} s ago)")).unwrap_or_default();
        writeln!(text, "  evidence   {}{age}", evidence.what).unwrap();
    }
    if cause.affected.count > 0 {
        let first: Vec<_> = cause.affected.ids.iter().take(3).map(ToString::to_string).collect();
        let (count, first) = (cause.affected.count, first.join(", "));
        writeln!(text, "  affected   {count}: {first}").unwrap();
    }
    let at = cause.by_itself_at.map(|at| format!(" [{at}]")).unwrap_or_default();
    writeln!(text, "  by itself  {}{at}", cause.by_itself).unwrap();
    if let Some(remedy) = &cause.remedy {
        writeln!(text, "  remedy     {remedy}").unwrap();
    }
    text
}

#[test]
fn each_cause_is_told_as_it_was_agreed() {
    let mut text = String::new();
    for (name, kind, change) in CASES {
        let mut situation = quiet();
        change(&mut situation);
        let causes = causes(&situation);
        let cause = causes.iter().find(|cause| cause.kind == *kind).unwrap();
        write!(text, "# {name}\n{}\n", told(cause)).unwrap();
    }
    let mut all = quiet();
    for (_, _, change) in CASES {
        change(&mut all);
    }
    writeln!(text, "# all together").unwrap();
    for cause in causes(&all).iter().filter(|cause| cause.active) {
        writeln!(text, "{}: {}", cause.kind.name(), cause.why).unwrap();
    }
    writeln!(text, "\n# a quiet system").unwrap();
    for cause in causes(&quiet()) {
        writeln!(text, "{}: {}", cause.kind.name(), cause.why).unwrap();
    }
    expect_file!["told.txt"].assert_eq(&text);
}

#[test]
fn every_cause_has_a_case_in_which_it_holds_and_the_quiet_system_has_none() {
    for kind in CauseKind::ALL {
        let held = CASES.iter().filter(|case| case.1 == *kind).any(|(_, _, change)| {
            let mut situation = quiet();
            change(&mut situation);
            causes(&situation).iter().any(|cause| cause.kind == *kind && cause.active)
        });
        assert!(held, "{}", kind.name());
    }
    assert!(causes(&quiet()).iter().all(|cause| !cause.active));
}

#[test]
fn every_cause_is_told_once_those_that_hold_first_and_each_says_what_happens() {
    let mut situation = quiet();
    for (_, _, change) in CASES {
        change(&mut situation);
    }
    let causes = causes(&situation);
    let mut kinds: Vec<CauseKind> = causes.iter().map(|cause| cause.kind).collect();
    let active = causes.iter().take_while(|cause| cause.active).count();
    assert!(causes[active..].iter().all(|cause| !cause.active));
    assert!(kinds[..active].is_sorted() && kinds[active..].is_sorted());
    kinds.sort_unstable();
    assert_eq!(kinds, CauseKind::ALL);
    for cause in &causes {
        assert!(!cause.active || !cause.evidence.is_empty(), "{}", cause.kind.name());
        assert!(!cause.active || cause.since.is_some(), "{}", cause.kind.name());
        assert!(cause.why.ends_with('.'), "{}", cause.why);
        assert!(cause.by_itself.ends_with('.'), "{}", cause.by_itself);
        assert!(cause.affected.ids.len() <= 100);
        assert!(cause.affected.ids.len() <= cause.affected.count);
    }
}

#[test]
fn one_cause_does_not_call_another() {
    for (name, kind, change) in CASES {
        let mut situation = quiet();
        change(&mut situation);
        for cause in causes(&situation) {
            assert!(!cause.active || cause.kind == *kind, "{name}: {}", cause.kind.name());
        }
    }
}
