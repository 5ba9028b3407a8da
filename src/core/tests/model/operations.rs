//! What the property test does, one step at a time.

use crate::config::LinkPolicy;
use crate::contacts::ContactsConfig;
use crate::pacing::{OpenHours, OpenSpan};
use crate::phone::PhoneConfig;
use crate::{CoreConfig, OnConflict, OnRateLimit};
use proptest::prelude::*;
use proptest::sample::select;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Clocks that are set: by an hour, a day, a month and more, to 1970.
const WALL_JUMPS: &[i64] =
    &[HOUR_MS, -HOUR_MS, DAY_MS, -DAY_MS, 40 * DAY_MS, -40 * DAY_MS, -1_700_000_000_000];

/// How often the sending hours begin: there is time between them.
const HOURS_EVERY_MS: i64 = 5_000;

#[derive(Clone, Debug)]
pub(super) enum Op {
    Submit { chat: u32, key: Option<u8>, text: u8 },
    Replace { chat: u32, key: u8, text: u8, edit: bool },
    DieOnReplace { chat: u32, key: u8, text: u8, stored: bool },
    SubmitFile { chat: u32 },
    Uploaded(usize),
    UploadFailed(usize, u8),
    SubmitTimed { chat: u32, priority: usize, not_before: Option<i64>, expires: Option<i64> },
    Cancel(usize),
    SubmitUrl(u32),
    SubmitLink(u32),
    Prepared(usize, u8),
    CancelChat { chat: u32, dry_run: bool },
    Clear,
    Restore { dry_run: bool },
    Retry,
    Pause(bool),
    Pair(bool),
    Reconnect,
    Takeover,
    Logout,
    Drain,
    Phone(bool),
    PhoneSeen(Option<i64>),
    Probed(bool),
    Heartbeat(u8, Option<bool>, i64),
    Release,
    Connected,
    Paired,
    Offer,
    Ended(u8, u64),
    Written(usize),
    NotSent(usize, u8),
    CutOff(usize),
    Ack(usize, Option<u32>),
    Receipt(usize, u8),
    Check { number: u8, fresh: bool },
    Checked(u8, u64),
    Writes(u32),
    Hours(Option<(i64, i64)>),
    Timelock(Option<i64>),
    Lifted,
    Pass(u64),
    WallJump(i64),
    Suspend(u64),
    Crash { new_boot: bool },
    DieOnSubmit { chat: u32, stored: bool, new_boot: bool },
    DieOnRestore { stored: bool, new_boot: bool },
    DieOnTick { stored: bool, new_boot: bool },
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let pick = any::<usize>;
    prop_oneof![
        12 => (0_u32..4, proptest::option::of(0_u8..4), 0_u8..3)
            .prop_map(|(chat, key, text)| Op::Submit { chat, key, text }),
        8 => (0_u32..2, 0_u8..3, 0_u8..3, any::<bool>())
            .prop_map(|(chat, key, text, edit)| Op::Replace { chat, key, text, edit }),
        1 => (0_u32..2, 0_u8..3, 0_u8..3, any::<bool>())
            .prop_map(|(chat, key, text, stored)| Op::DieOnReplace { chat, key, text, stored }),
        4 => (0_u32..4).prop_map(|chat| Op::SubmitFile { chat }),
        5 => pick().prop_map(Op::Uploaded),
        3 => (pick(), any::<u8>()).prop_map(|(which, why)| Op::UploadFailed(which, why)),
        8 => (
            0_u32..4,
            0_usize..3,
            proptest::option::of(-500_i64..3_000),
            proptest::option::of(-100_i64..4_000),
        )
            .prop_map(|(chat, priority, not_before, expires)| Op::SubmitTimed {
                chat, priority, not_before, expires,
            }),
        2 => pick().prop_map(Op::Cancel),
        3 => (0_u32..4).prop_map(Op::SubmitUrl),
        2 => (0_u32..4).prop_map(Op::SubmitLink),
        6 => (pick(), any::<u8>()).prop_map(|(which, how)| Op::Prepared(which, how)),
        1 => (0_u32..4, any::<bool>())
            .prop_map(|(chat, dry_run)| Op::CancelChat { chat, dry_run }),
        1 => Just(Op::Clear),
        3 => proptest::bool::weighted(0.3).prop_map(|dry_run| Op::Restore { dry_run }),
        2 => Just(Op::Retry),
        2 => any::<bool>().prop_map(Op::Pause),
        2 => any::<bool>().prop_map(Op::Pair),
        1 => Just(Op::Reconnect),
        2 => Just(Op::Takeover),
        1 => Just(Op::Logout),
        1 => Just(Op::Drain),
        3 => any::<bool>().prop_map(Op::Phone),
        2 => proptest::option::of(-3_000_i64..1_000).prop_map(Op::PhoneSeen),
        1 => any::<bool>().prop_map(Op::Probed),
        2 => (0_u8..=100, any::<Option<bool>>(), -9_000_i64..400_000)
            .prop_map(|(percent, charging, at)| Op::Heartbeat(percent, charging, at)),
        1 => Just(Op::Release),
        8 => Just(Op::Connected),
        3 => Just(Op::Paired),
        2 => Just(Op::Offer),
        4 => (any::<u8>(), any::<u64>()).prop_map(|(reason, roll)| Op::Ended(reason, roll)),
        4 => pick().prop_map(Op::Written),
        3 => (pick(), any::<u8>()).prop_map(|(which, why)| Op::NotSent(which, why)),
        2 => pick().prop_map(Op::CutOff),
        8 => (pick(), proptest::option::weighted(0.3, prop_oneof![Just(463), Just(475), Just(479), Just(487), Just(429)]))
            .prop_map(|(which, error)| Op::Ack(which, error)),
        4 => (pick(), any::<u8>()).prop_map(|(which, kind)| Op::Receipt(which, kind)),
        2 => (any::<u8>(), any::<bool>())
            .prop_map(|(number, fresh)| Op::Check { number, fresh }),
        10 => (any::<u8>(), any::<u64>()).prop_map(|(how, answers)| Op::Checked(how, answers)),
        1 => proptest::option::of(-500_i64..4_000).prop_map(Op::Timelock),
        2 => proptest::option::of((-2_000_i64..2_000, 300_i64..4_000)).prop_map(Op::Hours),
        1 => Just(Op::Lifted),
        2 => (0_u32..4).prop_map(Op::Writes),
        12 => (0_u64..1_500).prop_map(Op::Pass),
        1 => Just(Op::Pass(40_000)),
        1 => (-100_000_000_i64..100_000_000).prop_map(Op::WallJump),
        1 => select(WALL_JUMPS).prop_map(Op::WallJump),
        1 => (0_u64..5_000).prop_map(Op::Suspend),
        1 => (0_u64..2 * DAY_MS.unsigned_abs()).prop_map(Op::Suspend),
        3 => any::<bool>().prop_map(|new_boot| Op::Crash { new_boot }),
        2 => (0_u32..4, any::<bool>(), any::<bool>())
            .prop_map(|(chat, stored, new_boot)| Op::DieOnSubmit { chat, stored, new_boot }),
        1 => (any::<bool>(), any::<bool>())
            .prop_map(|(stored, new_boot)| Op::DieOnRestore { stored, new_boot }),
        2 => (any::<bool>(), any::<bool>())
            .prop_map(|(stored, new_boot)| Op::DieOnTick { stored, new_boot }),
    ]
}

/// Sending hours that begin again and again, the first of them so long from now, and last so long.
pub(super) fn open_hours((opens, for_ms): (i64, i64), wall_ms: i64) -> Option<OpenHours> {
    let spans = (-200..=200).map(|n| wall_ms + opens + n * HOURS_EVERY_MS);
    OpenHours::new(spans.map(|opens| OpenSpan { opens, closes: opens + for_ms }).collect())
}

/// Small bounds, so that each is reached.
pub(super) fn config(checked: bool) -> CoreConfig {
    CoreConfig {
        client_version: "2.3000.1".to_owned(),
        capacity: 6,
        parked_max: 3,
        history_max: 8,
        history_ms: 50_000_000,
        undo_ms: 2_000,
        pace_limit: 3,
        pace_reserve: usize::from(checked),
        high_at_any_time: false,
        window_ms: 1_000,
        ack_timeout_ms: 200,
        write_timeout_ms: 400,
        unknown_reconnect_ms: 600,
        attempts_max: 3,
        backoff_first_ms: 50,
        backoff_cap_ms: 800,
        stable_ms: 300,
        connect_timeout_ms: 2_000,
        pairing_timeout_ms: 3_000,
        contacts: ContactsConfig {
            check_recipients: checked,
            yes_for_ms: 5_000,
            no_for_ms: 2_000,
            every_ms: 100,
            per_day: 60,
            backoff_first_ms: 50,
            backoff_cap_ms: 800,
        },
        on_conflict: OnConflict::TakeoverAfter { after_ms: 400 },
        takeovers_per_hour: 2,
        on_rate_limit: OnRateLimit::Slow,
        slow_first_ms: 300,
        slow_cap_ms: 2_000,
        slow_quiet_ms: 4_000,
        timelock_first_ms: 700,
        timelock_cap_ms: 3_000,
        links: LinkPolicy::Park,
        prepare_pause_ms: 70,
        confirm_after_ms: Some(900),
        phone: PhoneConfig {
            silent_after_ms: 700,
            ask_after_ms: 200,
            offline_after_ms: 300,
            battery_stale_after_ms: 5_000,
            ..PhoneConfig::default()
        },
    }
}
