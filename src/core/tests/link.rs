use super::world::{ACCOUNT, Run, Store, World, ban, trouble};
use crate::CoreConfig;
use crate::action::Wake;
use crate::event::{EndReason, Request, SessionEvent};
use crate::facts::Facts;
use crate::trouble::TroubleKind;
use tetherd_api::{ConditionKind, ErrorKind, Event, PairEnd, PairOffer, Reply, SessionState};

fn unpaired() -> World {
    World::new(CoreConfig::default())
}

fn qr(world: &mut World) -> crate::event::Token {
    world.request(Request::Pair { phone: None, anyway: false })
}

fn kind(result: Result<Reply, tetherd_api::Error>) -> ErrorKind {
    result.expect_err("an error").data.kind
}

fn pairing_ends(world: &World) -> Vec<PairEnd> {
    let ended = |event: &Event| match event {
        Event::Pairing { ended, .. } => ended.clone(),
        _ => None,
    };
    world.events.iter().filter_map(ended).collect()
}

#[test]
fn without_an_account_nothing_connects() {
    let world = unpaired();
    assert!(world.commands.is_empty());
    assert_eq!(world.core.poll_timeout(), None);
    assert_eq!(world.holds(), [ConditionKind::NotPaired]);
}

#[test]
fn pairing_answers_with_the_first_code_and_shows_each_by_an_event() {
    let mut world = unpaired();
    let token = qr(&mut world);
    assert_eq!(world.commands, ["forget", "pair"]);
    world.offer_qr("first");
    let Ok(Reply::SessionPair(result)) = &world.replies[&token] else { panic!("no code") };
    assert!(matches!(&result.offer, PairOffer::Qr { qr, .. } if qr == "first"));
    world.offer_qr("second");
    let shown = world.events.iter().filter_map(|event| {
        let Event::Pairing { offer: Some(PairOffer::Qr { qr, .. }), .. } = event else {
            return None;
        };
        Some(qr.0.as_str())
    });
    assert_eq!(shown.collect::<Vec<_>>(), ["first", "second"]);
    world.session(SessionEvent::Paired { account: ACCOUNT.into() });
    assert_eq!(pairing_ends(&world), [PairEnd::Paired { account: ACCOUNT.into() }]);
    world.end(EndReason::Restart);
    assert_eq!(world.commands.last(), Some(&"connect"));
    world.connect();
    assert_eq!(world.status().session.state, SessionState::Connected);
    assert!(world.holds().is_empty());
    world.crash(true);
    assert_eq!(world.run, Run::Connecting);
}

#[test]
fn a_pairing_that_cannot_start_answers_why() {
    let mut world = unpaired();
    let token = qr(&mut world);
    world.end(EndReason::Unreachable { what: "name resolution failed".to_owned() });
    let error = world.replies[&token].clone().unwrap_err();
    assert_eq!(error.data.kind, ErrorKind::PairingFailed);
    assert!(error.message.contains("name resolution failed"), "{error}");
    assert_eq!(world.core.poll_timeout(), None);
}

#[test]
fn codes_that_run_out_end_the_pairing() {
    let mut world = unpaired();
    qr(&mut world);
    world.offer_qr("only");
    world.end(EndReason::PairingTimedOut);
    assert_eq!(pairing_ends(&world), [PairEnd::TimedOut {}]);
    assert_eq!(world.status().session.state, SessionState::NotPaired);
}

#[test]
fn asked_again_in_the_same_way_pairing_answers_the_code_that_is_shown() {
    let mut world = unpaired();
    qr(&mut world);
    let early = qr(&mut world);
    world.offer_qr("first");
    assert!(world.replies[&early].is_ok());
    let again = qr(&mut world);
    assert!(world.replies[&again].is_ok());
    world.idle(20_000);
    let late = qr(&mut world);
    assert!(!world.replies.contains_key(&late), "that code is no longer valid");
    world.offer_qr("second");
    assert!(world.replies[&late].is_ok());
}

#[test]
fn asked_in_another_way_the_new_pairing_replaces_the_old() {
    let mut world = unpaired();
    let by_qr = qr(&mut world);
    let by_code = world.request(Request::Pair { phone: Some("15550100".into()), anyway: false });
    assert_eq!(kind(world.replies[&by_qr].clone()), ErrorKind::PairingFailed);
    assert_eq!(world.commands, ["forget", "pair", "close"]);
    world.end(EndReason::Closed);
    assert_eq!(world.commands[3..], ["forget", "pair"]);
    world.offer_qr("x");
    assert!(world.replies[&by_code].is_ok());
}

#[test]
fn a_pairing_that_never_ends_is_closed() {
    let mut world = unpaired();
    let token = qr(&mut world);
    world.pass(300_000);
    assert_eq!(kind(world.replies[&token].clone()), ErrorKind::PairingFailed);
    assert_eq!(world.commands.last(), Some(&"close"));
}

#[test]
fn a_paired_daemon_does_not_pair_again() {
    let mut world = World::connected();
    assert_eq!(
        kind(world.ask(Request::Pair { phone: None, anyway: false })),
        ErrorKind::AlreadyPaired
    );
}

#[test]
fn the_pause_before_a_retry_is_jittered_and_doubles_up_to_its_cap() {
    let mut world = World::paired(CoreConfig::default());
    // Nobody can be reached: for five minutes no pause is longer than 8 s.
    let minutes = [1, 2, 4].into_iter().chain([8; 37]);
    let later = [16, 32, 64, 128, 256, 300, 300];
    for (n, bound) in minutes.chain(later).enumerate() {
        world.end_with(EndReason::Unreachable { what: "refused".to_owned() }, bound * 1_000);
        let at = world.now.mono_ms + bound * 1_000;
        assert_eq!(world.core.poll_timeout(), Some((at, Wake::Connect)), "try {n}");
        world.pass(bound * 1_000);
        assert_eq!(world.run, Run::Connecting);
    }
    world.end_with(EndReason::Unreachable { what: "refused".to_owned() }, 300_001);
    assert_eq!(world.run, Run::Connecting, "a roll of zero goes at once");
}

#[test]
fn only_a_connection_that_held_starts_the_pauses_afresh() {
    let mut world = World::connected();
    let lost = || EndReason::Lost { what: "reset".to_owned() };
    for bound in [1_000, 2_000, 4_000] {
        world.end_with(lost(), bound);
        world.pass(bound);
        world.connect();
        world.idle(29_999);
    }
    world.idle(1);
    world.end_with(lost(), 1_000);
    assert_eq!(world.core.poll_timeout(), Some((world.now.mono_ms + 1_000, Wake::Connect)));
}

#[test]
fn restarts_are_followed_at_once_but_not_for_ever() {
    let mut world = World::paired(CoreConfig::default());
    for _ in 0..3 {
        world.end_with(EndReason::Restart, 1_000);
        assert_eq!(world.run, Run::Connecting);
    }
    world.end_with(EndReason::Restart, 1_000);
    assert_eq!(world.run, Run::None);
}

#[test]
fn a_conflict_is_never_fought_until_takeover() {
    let mut world = World::connected();
    world.send(0);
    world.end(EndReason::Replaced);
    assert_eq!(world.holds(), [ConditionKind::OtherSession]);
    world.pass(86_400_000);
    world.crash(true);
    world.pass(86_400_000);
    assert_eq!(world.run, Run::None);
    assert_eq!(world.status().session.state, SessionState::Replaced);
    let error = world.ask(Request::Reconnect).unwrap_err();
    assert_eq!(error.data.remedy.as_deref(), Some("tetherctl takeover"));
    assert!(world.ask(Request::Takeover).is_ok());
    assert_eq!(world.run, Run::Connecting);
    assert_eq!(kind(world.ask(Request::Takeover)), ErrorKind::WrongState);
}

#[test]
fn a_logout_by_the_phone_holds_until_pairing() {
    let mut world = World::connected();
    world.end(EndReason::logged_out(Some(401)));
    world.crash(false);
    assert_eq!(world.run, Run::None);
    assert_eq!(world.holds(), [ConditionKind::LoggedOut]);
    assert_eq!(kind(world.ask(Request::Reconnect)), ErrorKind::WrongState);
    world.request(Request::Pair { phone: None, anyway: false });
    assert_eq!(world.commands[world.commands.len() - 2..], ["forget", "pair"]);
    assert_eq!(world.holds(), [ConditionKind::NotPaired]);
}

#[test]
fn a_ban_is_waited_out_even_across_a_restart() {
    let mut world = World::connected();
    world.end(ban(Some(3_600_000)));
    assert_eq!(world.holds(), [ConditionKind::Banned]);
    world.pass(1_800_000);
    assert_eq!(kind(world.ask(Request::Reconnect)), ErrorKind::WrongState);
    world.crash(true);
    assert_eq!(world.core.poll_timeout(), Some((1_800_000, Wake::BanEnds)));
    world.pass(1_799_999);
    assert_eq!(world.run, Run::None);
    world.pass(1);
    assert_eq!(world.run, Run::Connecting);
    assert_eq!(world.store.facts.banned, None);
}

#[test]
fn a_ban_that_ends_at_once_is_no_reason_to_knock_without_pause() {
    let mut world = World::connected();
    for pause in [1_000, 2_000, 4_000] {
        world.end_with(ban(Some(0)), pause);
        world.pass(pause - 1);
        assert_eq!(world.run, Run::None);
        world.pass(1);
        assert_eq!(world.run, Run::Connecting);
    }
}

#[test]
fn replaced_logged_out_and_banned_outlive_a_restart() {
    for (reason, hold) in [
        (EndReason::Replaced, ConditionKind::OtherSession),
        (EndReason::logged_out(Some(401)), ConditionKind::LoggedOut),
        (ban(Some(3_600_000)), ConditionKind::Banned),
    ] {
        let mut world = World::connected();
        world.end(reason);
        world.crash(true);
        assert_eq!((world.run, world.holds()), (Run::None, vec![hold]));
        assert!(!world.store.facts.keys_void, "the account may come back");
    }
}

#[test]
fn keys_that_were_to_be_forgotten_stay_void_until_a_pairing_has_its_own() {
    let mut world = World::connected();
    assert!(world.ask(Request::Logout).is_ok());
    assert!(world.store.facts.keys_void);
    // It dies before the keys are gone: the start forgets them.
    world.crash(false);
    assert_eq!((world.run, world.store.facts.keys_void), (Run::None, true));
    qr(&mut world);
    assert!(world.store.facts.keys_void);
    world.offer_qr("x");
    assert!(!world.store.facts.keys_void);
    world.session(SessionEvent::Paired { account: ACCOUNT.into() });
    assert!(!world.store.facts.keys_void);
    world.end(EndReason::logged_out(Some(401)));
    qr(&mut world);
    assert!(world.store.facts.keys_void, "the old account's keys");
}

#[test]
fn a_clock_set_back_does_not_lengthen_a_ban() {
    let facts = Facts {
        account: Some(ACCOUNT.into()),
        banned: Some((1_900_000_000_000, 1_900_000_060_000, 101)),
        ..Facts::default()
    };
    let mut world = World::over(CoreConfig::default(), Store { facts, ..Store::default() });
    world.pass(60_000);
    assert_eq!(world.run, Run::Connecting);
}

#[test]
fn a_refused_version_holds_until_reconnect_or_another_version() {
    let mut world = World::connected();
    world.end(trouble(TroubleKind::Outdated, 405));
    world.pass(86_400_000);
    assert_eq!((world.run, world.holds()), (Run::None, vec![ConditionKind::ClientOutdated]));
    assert!(world.ask(Request::Reconnect).is_ok());
    assert_eq!(world.run, Run::Connecting);
    world.end(trouble(TroubleKind::Outdated, 405));
    world.crash(false);
    assert_eq!((world.run, world.holds()), (Run::None, vec![ConditionKind::ClientOutdated]));
    world.config.client_version = "2.3000.2".to_owned();
    world.crash(false);
    assert_eq!(world.run, Run::Connecting);
}

#[test]
fn an_untrusted_server_is_tried_again_at_the_cap() {
    let mut world = World::paired(CoreConfig::default());
    world.end(EndReason::Untrusted);
    let at = world.now.mono_ms + 300_000;
    assert_eq!(world.core.poll_timeout(), Some((at, Wake::Connect)));
    assert!(world.status().session.detail.unwrap().contains("certificate"));
}

#[test]
fn reconnect_breaks_a_wait_and_a_connection() {
    let mut world = unpaired();
    assert_eq!(kind(world.ask(Request::Reconnect)), ErrorKind::NotPaired);
    let mut world = World::connected();
    world.end_with(EndReason::Lost { what: "reset".to_owned() }, 900);
    assert_eq!(world.run, Run::None);
    assert!(world.ask(Request::Reconnect).is_ok());
    assert_eq!(world.run, Run::Connecting);
    world.connect();
    assert!(world.ask(Request::Reconnect).is_ok());
    assert!(world.closing);
    world.end(EndReason::Closed);
    assert_eq!(world.run, Run::Connecting);
}

#[test]
fn a_connection_that_never_comes_is_closed_and_tried_again() {
    let mut world = World::paired(CoreConfig::default());
    world.pass(120_000);
    assert_eq!(world.commands, ["connect", "close"]);
    world.end_with(EndReason::Closed, 500);
    assert_eq!(world.core.poll_timeout(), Some((world.now.mono_ms + 500, Wake::Connect)));
}

#[test]
fn a_logout_unlinks_and_keeps_the_queue() {
    let mut world = World::connected();
    let (first, second) = (world.send(0), world.send(0));
    assert!(world.ask(Request::Logout).is_ok());
    assert_eq!(world.commands.last(), Some(&"logout"));
    assert_eq!(world.status().session.state, SessionState::NotPaired);
    let token = qr(&mut world);
    assert_eq!(world.commands.last(), Some(&"logout"), "the old run ends first");
    world.end(EndReason::Closed);
    assert_eq!(world.commands.last(), Some(&"pair"));
    world.offer_qr("x");
    assert!(world.replies[&token].is_ok());
    world.session(SessionEvent::Paired { account: ACCOUNT.into() });
    world.end(EndReason::Restart);
    world.connect();
    assert_eq!(world.flight(first).attempt.0, 2);
    assert_eq!(world.state(second), tetherd_api::State::Queued);
}

#[test]
fn a_logout_without_a_connection_forgets_the_keys() {
    let mut world = World::connected();
    world.end(EndReason::Replaced);
    assert!(world.ask(Request::Logout).is_ok());
    assert_eq!(world.commands.last(), Some(&"forget"));
    assert_eq!(world.holds(), [ConditionKind::NotPaired]);
    assert_eq!(kind(world.ask(Request::Logout)), ErrorKind::NotPaired);
}

#[test]
fn a_late_end_of_no_run_changes_nothing() {
    let mut world = World::connected();
    world.end(EndReason::Replaced);
    let changes = world.changes;
    world.session(SessionEvent::Ended { reason: EndReason::Restart, roll: 0 });
    world.session(SessionEvent::Connected { account: ACCOUNT.into() });
    world.run = Run::None;
    world.session(SessionEvent::Paired { account: ACCOUNT.into() });
    assert_eq!((world.changes, world.status().session.state), (changes, SessionState::Replaced));
}
