//! Every condition in words: what holds of all of them, and samples as people read them,
//! against `explain.golden.txt`. To take over what has changed: `UPDATE_EXPECT=1 cargo test
//! -p tetherd-core explain`, then read the difference.

use std::fmt::Write as _;

use super::world::World;
use crate::condition::{Condition, Group, LastHour, PairingStage};
use crate::contacts::CheckFailureKind;
use crate::event::{ChallengeKind, EndReason};
use crate::pacing::{NewChatQuota, TimelockSource};
use crate::session::UnackedStanza;
use crate::trouble::{AccountTrouble, ServerText, TroubleKind};
use expect_test::expect_file;
use tetherd_api::{self as api, ConditionKind, Holds, MessageId, ReasonKind};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn group(ids: impl IntoIterator<Item = u64>, now: i64) -> Group {
    let mut group = Group::default();
    ids.into_iter().for_each(|id| group.add(MessageId(id), now - 10 * MINUTE));
    group
}

fn detailed(code: Option<u32>, detail: Option<&str>, now: i64) -> Group {
    let mut group = group([3, 5], now);
    group.detail(code, detail.map(str::to_owned).as_ref());
    group
}

/// Each condition, in the forms that it takes; the ones with a name are the samples.
fn cases(now: i64) -> Vec<(&'static str, Condition)> {
    use Condition as C;
    let since = now - MINUTE;
    let other = |takeover_at, replaced, taken_back, used_up| C::OtherSession {
        since,
        takeover_at,
        hour: LastHour { replaced, taken_back, used_up },
    };
    let ended = Some(EndReason::Lost { what: "connection reset.".to_owned() });
    let parked = |reason, group| C::Parked { reason, group };
    let lock = |source| C::ReachoutTimelock {
        since,
        until: now + 6 * HOUR,
        source,
        ids: vec![MessageId(4), MessageId(5)],
    };
    let quota = |used_up, assumed| NewChatQuota {
        since,
        until: now + 6 * HOUR,
        used_up,
        used: Some(49),
        total: Some(50),
        assumed,
    };
    let code = |code| detailed(Some(code), None, now);
    let known = |kind, code, next: Option<i64>| AccountTrouble {
        kind,
        since,
        code: Some(code),
        text: ServerText::new("Open WhatsApp on your phone."),
        account: None,
        refused: 2,
        last: since,
        next,
        ends: kind == TroubleKind::Banned,
        enforced: false,
        version: None,
    };
    let account =
        |kind, code, next| C::Account { trouble: Box::new(known(kind, code, next)), linked: true };
    let out = known(TroubleKind::LoggedOut, 401, None);
    let enforced = AccountTrouble { text: None, refused: 1, enforced: true, ..out };
    vec![
        ("", C::StoreTrouble { since, records: 2 }),
        ("", C::DiskFull { since }),
        ("not paired", C::NotPaired { since, pairing: None }),
        ("", C::NotPaired { since, pairing: Some(PairingStage::Code) }),
        ("", account(TroubleKind::LoggedOut, 401, None)),
        ("locked", account(TroubleKind::Locked, 403, Some(now + HOUR))),
        ("banned for good", account(TroubleKind::BannedForGood, 406, None)),
        ("banned", account(TroubleKind::Banned, 101, Some(now + HOUR))),
        ("", account(TroubleKind::Outdated, 405, None)),
        ("", account(TroubleKind::Declined, 409, None)),
        ("enforced", C::Account { trouble: Box::new(enforced), linked: true }),
        (
            "locked and logged out",
            C::Account { trouble: Box::new(known(TroubleKind::Locked, 403, None)), linked: false },
        ),
        ("client expires", C::ClientExpires { warned: since, at: now + 240 * HOUR }),
        ("", C::IntegrityChallenge { since, kind: ChallengeKind::Passkey }),
        ("", other(None, 10, (0, 0), false)),
        ("", other(Some(now + 9 * MINUTE), 1, (1, 0), false)),
        ("takeovers used up", other(Some(now + 40 * MINUTE), 4, (3, 20), true)),
        ("logins limited", C::LoginLimited { since, until: now + 5 * MINUTE, count: 2 }),
        (
            "unacknowledged",
            C::StanzaUnacked {
                stanza: UnackedStanza {
                    id: "3EB0A1".to_owned(),
                    count: 3,
                    first: now - HOUR,
                    last: since,
                    over: false,
                },
            },
        ),
        ("disconnected", C::Disconnected { since, ended, next_try: Some(now + 30_000), tries: 3 }),
        ("", C::Disconnected { since, ended: None, next_try: None, tries: 0 }),
        ("phone offline", C::PhoneOffline { since, unlinked_at: Some(now + HOUR), holds: true }),
        ("", C::PhoneOffline { since, unlinked_at: None, holds: false }),
        ("", C::PhoneSilent { since, unlinked_at: Some(now + 286 * HOUR) }),
        ("battery", C::Battery { critical: true, since, until: now + MINUTE, holds: true }),
        ("", C::Battery { critical: false, since, until: now + MINUTE, holds: false }),
        ("", C::Paused { since }),
        ("stale backlog", C::StaleBacklog { since, waited_ms: 5 * 3_600_000 }),
        ("timelock", lock(Some(TimelockSource::Announced))),
        ("", lock(Some(TimelockSource::Assumed))),
        ("", lock(None)),
        ("quota", C::NewChatQuota { quota: quota(true, false), ids: vec![MessageId(4)] }),
        ("", C::NewChatQuota { quota: quota(false, true), ids: Vec::new() }),
        ("outside hours", C::OutsideHours { since, until: now + 6 * HOUR, late: 2 }),
        ("", C::RateLimited { since, until: now + MINUTE, code: 429 }),
        ("", parked(ReasonKind::NotOnNetwork, group([2, 4, 6], now))),
        ("", parked(ReasonKind::Refused, code(479))),
        ("link broken", parked(ReasonKind::LinkBroken, detailed(Some(404), Some("status"), now))),
        ("", parked(ReasonKind::TooLarge, group([8], now))),
        ("", parked(ReasonKind::UploadFailed, code(507))),
        ("", parked(ReasonKind::NotSendable, group([8], now))),
        ("", parked(ReasonKind::ReachoutTimelock, code(463))),
        ("", parked(ReasonKind::NewChatQuota, code(475))),
        ("token missing", parked(ReasonKind::TokenMissing, code(463))),
        ("", parked(ReasonKind::NoDevice, group([8], now))),
        (
            "number unchecked",
            C::NumberUnchecked {
                group: group([2], now),
                failure: Some(CheckFailureKind::RateLimited),
                asking: true,
            },
        ),
        ("group of admins", parked(ReasonKind::NotAdmin, group([8], now))),
        ("", parked(ReasonKind::NotInGroup, group([8], now))),
        ("", parked(ReasonKind::GroupSuspended, group([8], now))),
        ("", C::GroupUnchecked { group: group([2], now), asking: true }),
        ("", C::LinkDoubtful { group: detailed(None, Some("timeout"), now) }),
        ("files", C::FileUnderway { preparing: group([8], now), uploading: group([3, 4], now) }),
        (
            "account changed",
            C::AccountChanged { held: group([1, 2], now), parked: group([7], now) },
        ),
        ("", C::AccountChanged { held: Group::default(), parked: group([7], now) }),
        ("no answer", C::NoAnswer { waiting: group([1, 2], now), parked: group([7], now) }),
        ("", C::NoAnswer { waiting: Group::default(), parked: group([7], now) }),
        ("not before", C::NotBefore { group: group([1, 2], now), due: now + 2 * HOUR }),
        ("clock", C::ClockJumped { at: now - HOUR, by_ms: -7_200_000 }),
        ("", C::ShuttingDown { since }),
        ("pacing", C::Pacing { since, until: now + MINUTE }),
    ]
}

fn world() -> World {
    let mut world = World::connected();
    world.request(crate::event::Request::Pause);
    for chat in 0..12 {
        world.send(chat);
    }
    world
}

fn words(world: &World, condition: &Condition) -> api::Condition {
    let shown = world.core.words(std::slice::from_ref(condition), world.now);
    shown.into_iter().next().unwrap()
}

/// Without times: they are the clock's.
fn shown(condition: &api::Condition) -> String {
    let mut text = String::new();
    let (kind, holds) = (condition.kind.name(), condition.holds.name());
    writeln!(text, "{kind} (holds {holds})").unwrap();
    writeln!(text, "  why        {}", condition.why).unwrap();
    for evidence in &condition.evidence {
        let age = evidence.age_s.map(|age| format!(" ({age} s ago)")).unwrap_or_default();
        writeln!(text, "  evidence   {}{age}", evidence.what).unwrap();
    }
    if condition.affected.count > 0 {
        let first: Vec<_> =
            condition.affected.ids.iter().take(3).map(ToString::to_string).collect();
        writeln!(text, "  affected   {}: {}", condition.affected.count, first.join(", ")).unwrap();
    }
    let at = condition.by_itself_at.map(|_| " [at]").unwrap_or_default();
    writeln!(text, "  by itself  {}{at}", condition.by_itself).unwrap();
    if let Some(remedy) = &condition.remedy {
        writeln!(text, "  remedy     {remedy}").unwrap();
    }
    text
}

#[test]
fn samples_of_conditions_read_as_they_were_agreed() {
    let world = world();
    let mut text = String::new();
    for (name, condition) in cases(world.now.wall_ms).iter().filter(|(name, _)| !name.is_empty()) {
        write!(text, "# {name}\n{}\n", shown(&words(&world, condition))).unwrap();
    }
    expect_file!["explain.golden.txt"].assert_eq(&text);
}

#[test]
fn every_kind_is_worded_with_its_evidence_its_extent_and_what_comes_next() {
    let world = world();
    let cases = cases(world.now.wall_ms);
    for kind in ConditionKind::ALL {
        assert!(cases.iter().any(|(_, condition)| condition.kind() == *kind), "{}", kind.name());
    }
    for (_, condition) in cases {
        let shown = words(&world, &condition);
        let text = format!("{shown:?}");
        assert!(shown.active && shown.since.is_some() && !shown.evidence.is_empty(), "{text}");
        assert!(shown.why.ends_with('.') && !shown.why.ends_with(".."), "{text}");
        assert!(shown.why.starts_with(|c: char| c.is_uppercase() || c.is_numeric()), "{text}");
        assert!(shown.by_itself.ends_with('.'), "{text}");
        assert!(shown.until.is_none() || shown.ends_by_itself, "{text}");
        assert!(shown.affected.ids.len() <= api::CONDITION_IDS_MAX, "{text}");
        match shown.holds {
            Holds::All => assert_eq!(shown.affected.count, 12, "{text}"),
            Holds::Some => assert!(shown.affected.count < 12, "{text}"),
            Holds::None => {}
        }
        // Something helps, or it ends without anybody's doing.
        assert!(shown.remedy.is_some() || shown.ends_by_itself, "{text}");
    }
}

#[test]
fn explain_lists_every_condition_once_those_that_are_the_case_first() {
    for world in [World::connected(), world(), World::new(crate::CoreConfig::default())] {
        let explained = world.core.explain(world.now).conditions;
        let mut kinds: Vec<ConditionKind> = explained.iter().map(|one| one.kind).collect();
        let active = explained.iter().take_while(|one| one.active).count();
        assert!(explained[active..].iter().all(|one| !one.active && one.holds == Holds::None));
        assert!(kinds[..active].is_sorted() && kinds[active..].is_sorted());
        assert_eq!(explained[..active], world.status().conditions, "status lists the same");
        kinds.sort_unstable();
        assert_eq!(kinds, ConditionKind::ALL);
    }
    let quiet = World::connected();
    assert_eq!(quiet.status().conditions, []);
}
