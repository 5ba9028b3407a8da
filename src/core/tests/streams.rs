//! How the server ends streams, and what follows.

use super::world::{ACCOUNT, Run, World, trouble};
use crate::event::{EndReason, Request, SessionEvent};
use crate::trouble::TroubleKind;
use tetherd_api::{ConditionKind, ErrorKind, SessionState, State, Time};

const STABLE: u64 = 30_000;
const MINUTE: u64 = 60_000;

/// Lets the stream end, and says what can be seen of it until the next login.
fn renewed(world: &mut World, roll: u64) -> u64 {
    let events = world.events.len();
    world.end_with(EndReason::StreamEnded, roll);
    let status = world.status();
    assert_eq!(status.session.state, SessionState::Connecting);
    assert_eq!((status.session.detail, status.conditions), (None, vec![]));
    let began = world.now.mono_ms;
    let (at, _) = world.core.poll_timeout().unwrap();
    world.pass(at - began);
    assert_eq!(world.run, Run::Connecting);
    assert_eq!(world.status().conditions, []);
    world.connect();
    let seen = format!("{:?}", &world.events[events..]);
    assert!(!seen.contains("Disconnected") && !seen.contains("Waiting"), "{seen}");
    at - began
}

#[test]
fn a_stream_that_held_and_ends_in_order_is_renewed_within_three_seconds_without_trouble() {
    let mut world = World::connected();
    for (roll, pause) in [(0, 1_000), (2_000, 3_000), (2_001, 1_000), (u64::MAX, 1_603)] {
        world.idle(STABLE);
        assert_eq!(renewed(&mut world, roll), pause);
    }
}

#[test]
fn what_waits_while_a_stream_is_renewed_leaves_on_the_next_one() {
    let mut world = World::connected();
    world.idle(STABLE);
    world.end(EndReason::StreamEnded);
    let id = world.send(0);
    assert_eq!((world.state(id), world.holds()), (State::Queued, vec![]));
    world.pass(1_000);
    world.connect();
    assert_eq!(world.state(id), State::Sending);
}

#[test]
fn invariant_11_streams_that_end_over_and_over_are_a_trouble_with_growing_pauses() {
    let mut world = World::connected();
    for bound in [1_000, 2_000, 4_000, 8_000] {
        world.idle(STABLE - 1);
        world.end_with(EndReason::StreamEnded, bound);
        assert_eq!(world.holds(), [ConditionKind::Disconnected]);
        assert_eq!(world.status().session.state, SessionState::Waiting);
        assert!(world.status().conditions[0].why.contains("the server ended the stream"));
        world.pass(bound - 1);
        assert_eq!(world.run, Run::None);
        world.pass(1);
        world.connect();
    }
}

#[test]
fn a_renewal_that_fails_or_takes_too_long_is_a_trouble() {
    let mut world = World::connected();
    world.idle(STABLE);
    world.end(EndReason::StreamEnded);
    world.pass(1_000);
    world.end(EndReason::Unreachable { what: "refused".to_owned() });
    assert_eq!(world.holds(), [ConditionKind::Disconnected]);

    let mut world = World::connected();
    world.idle(STABLE);
    world.end(EndReason::StreamEnded);
    world.pass(59_999);
    assert_eq!((world.run, world.holds()), (Run::Connecting, vec![]));
    world.pass(1);
    assert_eq!((world.run, world.holds()), (Run::Connecting, vec![ConditionKind::Disconnected]));
    world.connect();
    assert_eq!(world.status().conditions, []);
}

fn active(world: &World) -> Vec<ConditionKind> {
    world.status().conditions.iter().map(|one| one.kind).collect()
}

#[test]
fn invariant_11_after_too_many_logins_there_is_none_for_minutes_over_restarts_too() {
    let mut world = World::connected();
    for pause in [5, 10, 20, 40] {
        let half = pause * MINUTE / 2;
        world.idle(STABLE);
        world.end(EndReason::Refused { code: 429 });
        assert_eq!(active(&world), [ConditionKind::LoginLimited, ConditionKind::RateLimited]);
        let until = world.status().conditions[0].until.unwrap().0;
        assert_eq!(until, world.now.wall_ms + i64::try_from(2 * half).unwrap());
        world.pass(half);
        world.crash(pause == 10);
        assert_eq!((world.run, active(&world)[0]), (Run::None, ConditionKind::LoginLimited));
        let error = world.ask(Request::Reconnect).unwrap_err();
        assert_eq!(
            (error.data.kind, error.data.retry_after_ms),
            (ErrorKind::WrongState, Some(half))
        );
        world.pass(half - 1);
        assert_eq!(world.run, Run::None);
        world.pass(1);
        assert_eq!(world.run, Run::Connecting);
        world.connect();
    }
    world.idle(10 * 60 * MINUTE);
    world.end_with(EndReason::Refused { code: 429 }, u64::MAX);
    let (at, _) = world.core.poll_timeout().unwrap();
    assert!(at >= world.now.mono_ms + 2 * MINUTE, "the pace's pause comes first");
    let left = world.core.session.next_try().unwrap() - world.now.mono_ms;
    assert!((5 * MINUTE..=5 * MINUTE + 75_000).contains(&left), "{left}: it starts small again");
}

#[test]
fn a_login_that_is_refused_for_the_pause_says_whether_one_comes_by_itself() {
    let remedy = |world: &mut World| {
        let error = world.ask(Request::Reconnect).unwrap_err();
        assert_eq!(error.data.retry_after_ms, Some(5 * MINUTE));
        error.data.remedy.unwrap()
    };
    let mut world = World::connected();
    world.end(trouble(TroubleKind::Locked, 403));
    world.pass(60 * MINUTE);
    world.end(EndReason::Refused { code: 429 });
    let at = Time(world.now.wall_ms + i64::try_from(5 * MINUTE).unwrap());
    assert_eq!(remedy(&mut world), format!("wait; the daemon connects by itself at {at}"));
    world.request(Request::Pair { phone: None, anyway: true });
    world.end(trouble(TroubleKind::Outdated, 405));
    assert_eq!(
        remedy(&mut world),
        "the daemon makes no login by itself; after that time: tetherctl reconnect"
    );
    world.pass(5 * MINUTE);
    assert_eq!(world.run, Run::None);
    assert!(world.ask(Request::Reconnect).is_ok());
    assert_eq!(world.run, Run::Connecting);
}

#[test]
fn a_pairing_is_followed_by_its_login_in_spite_of_the_pause() {
    let mut world = World::connected();
    world.end(EndReason::Refused { code: 429 });
    assert!(world.ask(Request::Logout).is_ok());
    assert_eq!(active(&world)[0], ConditionKind::NotPaired);
    world.request(Request::Pair { phone: None, anyway: false });
    world.offer_qr("x");
    world.session(SessionEvent::Paired { account: ACCOUNT.into() });
    world.end(EndReason::Restart);
    assert_eq!(world.run, Run::Connecting);
    world.connect();
    world.end(EndReason::Refused { code: 429 });
    let left = world.core.session.next_try().unwrap() - world.now.mono_ms;
    assert_eq!(left, 10 * MINUTE, "it is the second time");
}

/// The server ends the stream over this stanza, after it held.
fn ended_over(world: &mut World, id: Option<&str>) {
    world.idle(STABLE);
    if let Some(id) = id {
        world.session(SessionEvent::StanzaUnacked { id: id.to_owned() });
    }
    world.end(EndReason::StreamEnded);
    let (at, _) = world.core.poll_timeout().unwrap();
    world.pass(at - world.now.mono_ms);
    world.connect();
}

#[test]
fn a_stanza_that_the_server_names_twice_is_a_condition_until_it_does_not_come_up_again() {
    let fault = [ConditionKind::StanzaUnacknowledged];
    let mut world = World::connected();
    ended_over(&mut world, Some("A"));
    ended_over(&mut world, Some("B"));
    assert_eq!(active(&world), [], "each for the first time");
    world.crash(true);
    world.connect();
    ended_over(&mut world, Some("A"));
    assert_eq!((active(&world), world.holds()), (fault.to_vec(), vec![]));
    let why = world.status().conditions[0].why.clone();
    assert!(why.contains("stanza A"), "{why}");
    ended_over(&mut world, None);
    assert_eq!(active(&world), []);
    ended_over(&mut world, Some("A"));
    assert_eq!(active(&world), fault, "it counts on");
    assert!(format!("{:?}", world.status()).contains("3 times"));
    world.crash(false);
    assert!(active(&world).contains(&fault[0]), "it is stored");
    world.connect();
    world.pass(60 * MINUTE - 1);
    assert!(active(&world).contains(&fault[0]));
    world.pass(1);
    assert!(!active(&world).contains(&fault[0]), "the connection holds");
    world.crash(false);
    assert!(!active(&world).contains(&fault[0]));
}

#[test]
fn invariant_10_stanzas_that_the_server_names_are_remembered_within_a_bound() {
    let mut world = World::connected();
    for id in 0..40 {
        world.session(SessionEvent::StanzaUnacked { id: id.to_string() });
        world.idle(1);
    }
    let known = &world.store.facts.network.unacked;
    assert_eq!((known.len(), known.first().unwrap().id.as_str()), (16, "24"));
}
