//! What the server holds against the account: which login comes next, what a person may do
//! meanwhile, and what a restart or a pairing changes about it.

use super::world::{ACCOUNT, Run, World, ban, trouble};
use crate::CoreConfig;
use crate::action::Wake;
use crate::event::{ChallengeKind, EndReason, Request, SessionEvent, TimelockNotice, Token};
use crate::trouble::{LoginTrouble, ServerText, TroubleKind};
use tetherd_api::{ConditionKind, ErrorKind, SessionState};

const HOUR: u64 = 3_600_000;
const OTHER: &str = "15550177@s.whatsapp.net";

fn locked() -> EndReason {
    trouble(TroubleKind::Locked, 403)
}

fn pair(anyway: bool) -> Request {
    Request::Pair { phone: None, anyway }
}

fn why(world: &World) -> String {
    let conditions = world.core.explain(world.now).conditions;
    format!("{:?}", conditions.iter().filter(|one| one.active).collect::<Vec<_>>())
}

#[test]
fn invariant_11_a_lock_is_tried_after_an_hour_then_later_and_later_over_restarts() {
    let mut world = World::connected();
    world.end(locked());
    for pause in [1, 2, 4, 8, 16, 24, 24] {
        assert_eq!(world.holds(), [ConditionKind::Locked]);
        assert_eq!(world.status().session.state, SessionState::Locked);
        world.pass(HOUR / 2);
        world.crash(pause % 3 == 1);
        assert_eq!(world.run, Run::None, "a restart is no reason to try");
        world.pass(pause * HOUR - HOUR / 2 - 1);
        assert_eq!(world.run, Run::None);
        world.pass(1);
        assert_eq!(world.run, Run::Connecting, "after {pause} h");
        world.end(locked());
    }
    world.pass(24 * HOUR);
    world.connect();
    assert!(world.holds().is_empty());
    assert_eq!(world.store.facts.trouble, None);
    world.end(locked());
    let (at, wake) = world.core.poll_timeout().unwrap();
    assert_eq!((at, wake), (world.now.mono_ms + HOUR, Wake::Connect), "it starts anew");
}

#[test]
fn a_challenge_stands_for_a_day_over_restarts_and_clocks_that_go_back() {
    let challenged = |world: &World| {
        let conditions = world.status().conditions;
        let mut all = conditions.iter();
        all.find(|one| one.kind == ConditionKind::IntegrityChallenge)
            .map(|one| one.since.unwrap().0)
    };
    let mut world = World::connected();
    world.session(SessionEvent::IntegrityChallenge(ChallengeKind::Captcha));
    let said = world.now.wall_ms;
    for new_boot in [false, true] {
        world.pass(11 * HOUR);
        world.crash(new_boot);
        assert_eq!(challenged(&world), Some(said));
        assert!(why(&world).contains("captcha"));
    }
    world.pass(2 * HOUR - 1);
    assert_eq!(challenged(&world), Some(said));
    world.pass(1);
    assert_eq!(challenged(&world), None);
    world.connect();
    world.session(SessionEvent::IntegrityChallenge(ChallengeKind::Passkey));
    world.now.wall_ms -= 48 * i64::try_from(HOUR).unwrap();
    world.crash(true);
    assert_eq!(challenged(&world), Some(world.now.wall_ms));
    world.connect();
    assert!(world.ask(Request::Logout).is_ok());
    world.end(EndReason::Closed);
    world.crash(false);
    assert_eq!(challenged(&world), None, "it was the other account's");
}

#[test]
fn a_ban_without_an_end_has_the_pace_of_a_lock() {
    let mut world = World::connected();
    world.end(ban(None));
    assert_eq!(world.holds(), [ConditionKind::Banned]);
    world.pass(HOUR - 1);
    assert_eq!(world.run, Run::None);
    world.pass(1);
    assert_eq!(world.run, Run::Connecting);
    world.end(ban(None));
    world.pass(2 * HOUR - 1);
    assert_eq!(world.run, Run::None);
}

#[test]
fn what_needs_a_person_is_never_tried_by_itself_not_even_after_a_restart() {
    for (reason, kind, state) in [
        (
            trouble(TroubleKind::BannedForGood, 406),
            ConditionKind::BannedForGood,
            SessionState::BannedForGood,
        ),
        (trouble(TroubleKind::Declined, 409), ConditionKind::LoginDeclined, SessionState::Declined),
        (
            trouble(TroubleKind::Outdated, 405),
            ConditionKind::ClientOutdated,
            SessionState::Outdated,
        ),
        (EndReason::logged_out(Some(516)), ConditionKind::LoggedOut, SessionState::LoggedOut),
    ] {
        let mut world = World::connected();
        world.end(reason);
        world.pass(40 * 24 * HOUR);
        world.crash(true);
        world.pass(40 * 24 * HOUR);
        assert_eq!((world.run, world.holds()), (Run::None, vec![kind]));
        assert_eq!(world.status().session.state, state);
        assert!(!world.store.facts.keys_void);
    }
}

#[test]
fn invariant_11_a_reconnect_by_command_waits_until_an_hour_after_the_last_login() {
    for reason in [locked(), ban(None), trouble(TroubleKind::BannedForGood, 406)] {
        let mut world = World::connected();
        world.end(reason.clone());
        let error = world.ask(Request::Reconnect).unwrap_err();
        assert_eq!(error.data.kind, ErrorKind::WrongState);
        assert_eq!(error.data.retry_after_ms, Some(HOUR));
        assert_eq!(world.run, Run::None);
        world.pass(HOUR);
        if world.run == Run::None {
            assert!(world.ask(Request::Reconnect).is_ok());
        }
        assert_eq!(world.run, Run::Connecting);
        world.end(reason);
        assert!(world.ask(Request::Reconnect).is_err(), "that was a login");
    }
}

#[test]
fn the_servers_text_is_shown_and_outlives_a_restart() {
    let mut world = World::connected();
    let text = ServerText::new("Open WhatsApp\non your phone");
    let said = LoginTrouble { text, ..LoginTrouble::new(TroubleKind::Locked, Some(403)) };
    world.end(EndReason::Trouble(Box::new(said)));
    for _ in 0..2 {
        assert!(why(&world).contains("Open WhatsApp on your phone"), "{}", why(&world));
        world.crash(false);
    }
    assert!(!format!("{:?}", world.store.facts).contains("on your phone"), "a log could show it");
}

#[test]
fn an_unlinking_right_after_a_restriction_is_the_servers() {
    for (pause, enforced) in [(5, true), (HOUR, false)] {
        let mut world = World::connected();
        world.session(SessionEvent::Timelock(TimelockNotice::Active { until: None }));
        world.idle(pause);
        world.end(EndReason::logged_out(Some(401)));
        world.crash(false);
        assert_eq!(why(&world).contains("restricted the account just before"), enforced);
    }
}

#[test]
fn invariant_11_there_is_no_pairing_into_a_lock_without_a_decision() {
    for reason in [locked(), ban(Some(HOUR)), ban(None), trouble(TroubleKind::BannedForGood, 406)] {
        let mut world = World::connected();
        world.end(reason);
        let commands = world.commands.len();
        for _ in 0..2 {
            let error = world.ask(pair(false)).unwrap_err();
            assert_eq!(error.data.kind, ErrorKind::AccountBarred, "{error}");
            assert!(error.data.remedy.unwrap().contains("--anyway"));
            world.crash(false);
        }
        assert_eq!(world.commands.len(), commands);
        assert!(world.store.facts.account.is_some());
    }
}

#[test]
fn invariant_11_keys_that_may_still_work_outlive_a_pairing_that_fails() {
    let mut world = World::connected();
    world.end(locked());
    let token: Token = world.request(pair(true));
    assert_eq!(world.commands[world.commands.len() - 2..], ["keep", "pair"]);
    world.offer_qr("x");
    assert!(world.replies[&token].is_ok());
    let stored = world.store.facts.clone();
    assert!(!stored.keys_void && stored.account.as_deref() == Some(ACCOUNT));
    world.end(EndReason::PairingTimedOut);
    assert_eq!(world.holds(), [ConditionKind::Locked]);
    world.pass(HOUR);
    assert_eq!(world.run, Run::Connecting, "with the keys of before");
    world.connect();
    assert_eq!(world.status().session.state, SessionState::Connected);
}

#[test]
fn a_pairing_in_spite_of_a_lock_that_succeeds_ends_it() {
    let mut world = World::connected();
    world.end(locked());
    world.request(pair(true));
    world.offer_qr("x");
    world.session(SessionEvent::Paired { account: ACCOUNT.into() });
    world.end(EndReason::Restart);
    assert_eq!(world.run, Run::Connecting);
    assert_eq!(world.store.facts.trouble, None);
}

#[test]
fn invariant_11_a_ban_is_the_accounts_and_no_pairing_ends_it() {
    let mut world = World::connected();
    world.end(ban(Some(4 * HOUR)));
    world.pass(HOUR);
    assert!(world.ask(Request::Logout).is_ok());
    world.crash(false);
    assert_eq!(world.holds(), [ConditionKind::NotPaired, ConditionKind::Banned]);
    assert_eq!(world.ask(pair(false)).unwrap_err().data.kind, ErrorKind::AccountBarred);
    world.request(pair(true));
    world.offer_qr("x");
    world.session(SessionEvent::Paired { account: ACCOUNT.into() });
    world.end(EndReason::Restart);
    assert_eq!((world.run, world.holds()), (Run::None, vec![ConditionKind::Banned]));
    world.crash(false);
    world.pass(3 * HOUR - 1);
    assert_eq!(world.run, Run::None);
    world.pass(1);
    assert_eq!(world.run, Run::Connecting);
}

#[test]
fn another_account_is_not_barred_by_the_ban_of_the_first() {
    let mut world = World::connected();
    world.end(ban(Some(4 * HOUR)));
    assert!(world.ask(Request::Logout).is_ok());
    let other = Request::Pair { phone: Some("15550177".into()), anyway: false };
    world.request(other);
    assert_eq!(world.commands.last(), Some(&"pair"));
    world.session(SessionEvent::Paired { account: OTHER.into() });
    world.end(EndReason::Restart);
    assert_eq!(world.run, Run::Connecting);
}

#[test]
fn the_end_of_the_clients_version_is_a_condition_two_weeks_before() {
    let mut world = World::connected();
    let day = 24 * HOUR as i64;
    let at = world.now.wall_ms + 20 * day;
    world.session(SessionEvent::ClientExpires { at });
    let expires = |world: &World| {
        let conditions = world.status().conditions;
        conditions.iter().any(|one| one.kind == ConditionKind::ClientExpiresSoon)
    };
    assert!(!expires(&world));
    world.crash(false);
    world.connect();
    world.idle(6 * 24 * HOUR);
    assert!(expires(&world));
    assert!(world.holds().is_empty(), "a warning");
    world.config = CoreConfig { client_version: "2.3000.9".to_owned(), ..world.config.clone() };
    world.crash(false);
    assert!(!expires(&world), "another version has another end");
}
